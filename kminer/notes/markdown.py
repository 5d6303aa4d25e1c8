"""Release notes in Markdown: pages of many versions, bodies of releases, messages of tags."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from kminer.errors import NotesError
from kminer.notes.references import find_note_references
from kminer.records import Note, NotedRelease, Page, Source

_LARGEST_TEXT = 1_000_000
_MOST_LINES = 50_000
_LONGEST_LINE = 20_000
_LONGEST_REMEMBERED = 100_000
_LONGEST_SENTENCE = 3000
_LONGEST_MARKUP = 1000
_LONGEST_TITLE = 200
_MOST_BRACKETS = 100
_UNRELEASED = "unreleased"
_SIGNS = {"+": "new", "-": "fixed", "*": "changed"}
_SIGN_OF_SECTION = {"added": "new", "fixed": "fixed", "changed": "changed"}

_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_HEADING = re.compile(
    r"(?:(?:docker|engine|community|edition|ce|ee|moby|runc|version|release)\s+)*"
    r"\[?(?:docker-)?v?(?P<version>\d+(?:\.\d+)+(?:[-+~]?[a-z][\w.+~-]*|[-+~]\d[\w.+~-]*)?|unreleased[^\[\]()]*)\]?"
    r"(?:\[\]|\(https?:[^()]*\))?"
    rf"(?:[\s,:–—-]*(?:{_DAY}|\([^()]*\)|\{{\{{<[^{{}}]*>\}}\}}|\{{[#:][^{{}}]*\}}|\[[^\[\]]*\]))*\s*",
    re.IGNORECASE,
)
_BLOCK_START = re.compile(
    r"^(?: {0,3}(?P<level>#{1,6})[ \t]+(?P<heading>[^\n]*)"
    r"|(?P<inside>[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)?)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)"
    r"| {0,3}(?P<comment><!--))",
    re.MULTILINE,
)
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(?P<facts>(?:(?!---)[^\n]*\n)*?)---[ \t]*(?:\n|\Z)")
_SIGNATURE = re.compile(
    r"^-----BEGIN (?P<kind>PGP|SSH) SIGNATURE-----.*?(?:^-----END (?P=kind) SIGNATURE-----|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SHORTCODE_DATE = re.compile(rf"\{{\{{<\s*release-date\s+date=\"?({_DAY})")
_DATE_LINE = re.compile(rf"[ \t]*\(?({_DAY})\)?[ \t]*")
_DEFINITION = (
    r"^(?P<quoted>[ \t>]*)\[(?P<label>[^!\[\]\n][^\[\]\n]*)\]:[ \t]*(?:\n[ \t]*)?<?(?P<url>[^\s<>]+)>?"
    r"(?:[ \t]+[\"'(][^\n]*)?[ \t]*$"
)
_DEFINITIONS = re.compile(_DEFINITION, re.MULTILINE)
_NO_NOTE = re.compile(
    rf"{_DEFINITION}"
    rf"|^[ \t]*\(?{_DAY}\)?[ \t]*$"
    r"|^[ \t]*(?:\{\{[<%][^{}\n]*[>%]\}\}|\{:[^{}\n]*\}|\{%[^{}\n]*%\})[ \t]*$"
    r"|^[ \t]*(?:(?:</?(?:details|p|div|br|center)\b[^<>\n]*>|<summary\b[^<>\n]*>[^<>\n]*</summary>)[ \t]*)+$"
    r"|^[ \t]*(?:[A-Z][\w-]*-by: [^\n]*<[^<>\n]*>|Vote: [-+]\d[^\n]*)[ \t]*$",
    re.MULTILINE,
)
_LABEL = re.compile(r"\[([^\[\]]{1,200})\]")
_REFERENCE_LINK = re.compile(r"\[(?P<label>[^\[\]]{1,200})\](?:\[(?P<key>[^\[\]]{0,200})\]|(?![\[(]))")
_BULLET = re.compile(r"\s*(?:[-+*]|\d{1,9}[.)])")
_QUOTE = re.compile(r"(\s*)>")
_WARNINGS = r"(?:note|tip|important|warning|caution|known issue)s?"
_CALLOUT = re.compile(
    rf"\s*(?:\[!\w+\]:?|(?P<bold>\*{{2,3}}|__){_WARNINGS}:?(?P=bold):?|{_WARNINGS}:)\s*", re.IGNORECASE
)
_BOILERPLATE = re.compile(r"For a full list of (?:pull requests|changes)|Thanks? (?:you )?to |\*\*Full Changelog\*\*")
_COLON_HEADING = re.compile(r"[A-Z][\w/&-]*(?: [\w/&-]+){0,3}:")
_CONTRIBUTOR = re.compile(r"[^<>\n]{1,80} <[^<>@\s]+@[^<>\s]+>")
_CONTRIBUTORS = re.compile(r"(?:new )?contributors", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)[.!?][)*_]*(?= +[A-Z*_`\[(\"'])")
_FORGE = r"https?://(?:www\.)?github\.com/[\w.-]{1,39}/[\w.-]{1,100}/(?:pull|issues|commit)/\w+[^\s()]*"
_NUMBERED = r"(?:(?<![\w./-])[\w.-]{1,39}/[\w.-]{1,100})?#\d+"
_REFERENCE = re.compile(rf"\[[^\[\]]*\]\({_FORGE}\)|{_FORGE}|\[{_NUMBERED}\](?:\([^()]*\))?|{_NUMBERED}")
_BESIDE_REFERENCES = re.compile(r"[\s,.;:&()\[\]]*(?:(?:and|refs?|see|also|fixes|closes)\b[\s:]*)?[(\[]*")
_BEFORE_REFERENCES = re.compile(r"[\s,;:&(\[]+(?:(?:and|refs?|see|also|(?<=[,;(] )(?:fixes|closes))[\s:]*)?$")
_NEEDS_ITS_OBJECT = re.compile(
    r"\b(?:of|in|from|by|to|with|for|on)$|^(?:reverts?|fix|fixes|fixed|closes|see)$", re.IGNORECASE
)
_HTML_TAG = re.compile(
    r"<!--.*|</?(?:a|b|br|code|del|div|em|h\d|i|img|ins|kbd|p|span|strong|sub|sup|u)\b.*", re.IGNORECASE | re.DOTALL
)
_CODE = re.compile(r"`[^`]*`")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def parse(text: str, name: str, source: Source, version: str | None = None) -> Page:
    """What release notes in Markdown say, version by version.

    `name` is what messages call the page. With `version`, all of the text belongs to that version; without it,
    headings name the versions, what stands above the first of them is no note, and what stands below
    "Unreleased" gets the version "unreleased", which is no release. A date that the page does not give is None.
    A bullet's mark is its sign where the page has bullets with "+" beside others; below the headings Added, Fixed
    and Changed of Keep a Changelog, the heading is. A page without any text, and one that its front matter keeps
    from being shown, is an empty Page.

    Raises NotesError if the text is HTML, binary or large (above a million characters or 50,000 lines), or if it
    names no version and none is given.
    """
    _refuse_foreign(text, name, source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(line[:_LONGEST_LINE] for line in text.split("\n"))
    facts = _FRONT_MATTER.match(text)
    if facts and re.search(r"^[\w-]+:", facts["facts"], re.MULTILINE):
        text = _blank(facts) + text[facts.end() :]
    else:
        facts = None
    if version is not None:
        return _page(text, [_given(text, version)], source, version)
    parts = _split(text)
    if not parts and text.strip() and not (facts and re.search(r"^\s+render:\s*never\b", facts["facts"], re.MULTILINE)):
        raise _error("names no version", name, source, "see whether the page has moved; its versions must be headings")
    return _page(text, parts, source)


def _refuse_foreign(text: str, name: str, source: Source) -> None:
    if "\0" in text:
        raise _error("is binary, not Markdown", name, source, "see what the address gives, in a browser")
    if re.match(r"\ufeff?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype|html|head|body)\b", text, re.IGNORECASE):
        next_step = "see whether a proxy or a login page answers in its place"
        raise _error("is a web page (HTML), not Markdown", name, source, next_step)
    if len(text) > _LARGEST_TEXT or text.count("\n") + text.count("\r") > _MOST_LINES:
        size = f"{len(text):,} characters"
        raise _error(f"is too large for release notes ({size})", name, source, "see what the address gives")


def _error(what: str, name: str, source: Source, next_step: str) -> NotesError:
    return NotesError(f"{name} {what}", where=f"release notes of the source {source.id}", next=next_step)


@dataclass(frozen=True, slots=True)
class _Part:
    """The text of one version, from character `start`; its heading is at line `line` (from 1)."""

    version: str
    day: str | None
    level: int
    line: int
    start: int
    end: int

    def holds(self, version: str) -> bool:
        """Whether this is the series ("27.5") of a version ("27.5.1")."""
        return version.startswith(f"{self.version}.")


def _given(text: str, version: str) -> _Part:
    bare = _bare(version)
    heading = next((match for match in _headings(text) if _version_of(match["heading"]) == bare), None)
    day = (_day_of(heading["heading"]) if heading else None) or _day_below(text, heading.end() if heading else 0)
    return _Part(version, day, 0, 1, 0, len(text))


def _bare(version: str) -> str:
    return re.sub(r"^\D+", "", version)


def _version_of(heading: str) -> str | None:
    match = _HEADING.fullmatch(heading[:300].rstrip("# \t"))
    if match is None:
        return None
    return match["version"] if match["version"][0].isdigit() else _UNRELEASED


def _day_of(text: str) -> str | None:
    """The first day in a text, if the calendar has it."""
    match = re.search(_DAY, text)
    if match is None:
        return None
    try:
        return date(*map(int, match[0].split("-"))).isoformat()
    except ValueError:
        return None


def _day_below(text: str, start: int) -> str | None:
    """The day that stands on a line of its own below a heading, before anything else has a heading or a bullet."""
    for line in text[start : start + 2000].split("\n")[1:]:
        match = _SHORTCODE_DATE.search(line) or _DATE_LINE.fullmatch(line)
        if match:
            return _day_of(match[1])
        if re.match(r"\s*(?:#|[-+*] )", line):
            return None
    return None


def _split(text: str) -> list[_Part]:
    """The versions of a page. One that stands deeper than the last must belong to its series, or have a date."""
    found: list[_Part] = []
    line, counted = 1, 0
    for match in _headings(text):
        version, level = _version_of(match["heading"]), len(match["level"])
        if version is None:
            continue
        day = _day_of(match["heading"]) or _day_below(text, match.end())
        if found and level > found[-1].level and not found[-1].holds(version) and not day:
            continue
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        found.append(_Part(version, day, level, line, match.end(), match.start()))
    # Until here `end` is where a part's own heading starts, which is where the part above it ends.
    return [replace(part, end=below.end if below else len(text)) for part, below in zip_longest(found, found[1:])]


def _headings(text: str) -> Iterator[re.Match[str]]:
    """Headings outside code and comments; code that is never closed is taken for text."""
    fence: re.Match[str] | None = None
    skipped: list[re.Match[str]] = []
    end, comments_end = 0, True
    for match in _BLOCK_START.finditer(text):
        if match.start() < end:
            continue
        if fence is not None:
            if _closes(match, fence):
                fence, skipped = None, []
            elif match["level"] and _is_left_of(match, fence) and _version_of(match["heading"]):
                fence, skipped = None, []
                yield match
            elif match["level"]:
                skipped.append(match)
        elif match["level"]:
            yield match
        elif match["comment"]:
            end = text.find("-->", match.end()) if comments_end else -1
            comments_end = end >= 0
        elif match["fence"][0] == "~" or "`" not in match["info"]:
            fence = match
    yield from skipped


def _closes(match: re.Match[str], fence: re.Match[str]) -> bool:
    return bool(match["fence"]) and match["fence"].startswith(fence["fence"]) and not match["info"].strip()


def _is_left_of(heading: re.Match[str], fence: re.Match[str]) -> bool:
    """Whether a heading ends the bullet or quotation that code stands in, and the code with it."""
    return heading.start("level") - heading.start() < len(fence["inside"])


def _page(text: str, parts: list[_Part], source: Source, given: str | None = None) -> Page:
    definitions = _definitions(text)
    releases: dict[str, NotedRelease] = {}
    found: list[tuple[_Part, tuple[_Item, ...]]] = []
    for part, below in zip_longest(parts, parts[1:]):
        items = _read(text[part.start : part.end], definitions, source, given)
        if below and below.level > part.level and part.holds(below.version) and not _has_own(items):
            continue
        found.append((part, items))
        if part.version != _UNRELEASED or given is not None:
            releases.setdefault(part.version, NotedRelease(part.version, part.day, part.line))
    return Page(tuple(releases.values()), tuple(_notes(found)))


def _has_own(items: tuple[_Item, ...]) -> bool:
    return any(item.note.form != "paragraph" for item in items)


def _notes(found: list[tuple[_Part, tuple[_Item, ...]]]) -> Iterator[Note]:
    marks = {item.mark for _, items in found for item in items if not item.note.depth}
    signed = "+" in marks and len(marks - {""}) > 1
    position = 0
    for part, items in found:
        for note, mark in items:
            yield Note(
                part.version,
                note.section,
                note.form,
                note.title,
                note.text,
                part.line + note.line,
                note.sign or (_SIGNS.get(mark, "") if signed else ""),
                depth=note.depth,
                parent=None if note.parent is None else position + note.parent,
                references=note.references,
            )
        position += len(items)


def _definitions(text: str) -> dict[str, str]:
    """Addresses by label; the first that a text gives counts."""
    found: dict[str, str] = {}
    for match in _DEFINITIONS.finditer(text):
        found.setdefault(_key(match["label"]), match["url"])
    return found


def _key(label: str) -> str:
    return " ".join(label.split()).casefold()


class _Item(NamedTuple):
    """A note of one version, its `line` and `parent` counted from the version's heading, with its bullet's mark."""

    note: Note
    mark: str


def _read(text: str, definitions: dict[str, str], source: Source, given: str | None) -> tuple[_Item, ...]:
    labels = {_key(label) for label in _LABEL.findall(text)} if definitions else set()
    used = tuple((label, definitions[label]) for label in sorted(labels & definitions.keys()))
    if len(text) > _LONGEST_REMEMBERED:
        return _read_version(text, used, source, given)
    return _remembered(text, used, source, given)


def _read_version(
    text: str, definitions: tuple[tuple[str, str], ...], source: Source, given: str | None
) -> tuple[_Item, ...]:
    """The notes of one version, whose own link definitions count before those of the rest of the page."""
    addresses = dict(definitions) | _definitions(text)
    reader = _Reader(_without_noise(text, given).split("\n"), given)
    reader.read()
    return tuple(reader.items(addresses, source))


_remembered = lru_cache(maxsize=2048)(_read_version)


def _without_noise(text: str, given: str | None) -> str:
    """The text with as many lines, those empty that are no notes."""
    if given is not None:
        text = _SIGNATURE.sub(_blank, text)
        text = re.sub(
            rf"\A\s*(?:#+ +)?(?:[\w-]+ )?v?{re.escape(_bare(given))}(?: *(?:-|--|–|—|:) [^\n]*)?(?=\n|\Z)", _blank, text
        )
    return _NO_NOTE.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return (match.groupdict().get("quoted") or "") + "\n" * match[0].count("\n")


def _block_parser() -> MarkdownIt:
    """Finds blocks only: what stands in them is read where it is needed. Link definitions are cut out before."""
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["block"])
    parser.block.ruler.disable("reference")
    return parser


_BLOCKS = _block_parser()
_INLINE = MarkdownIt("commonmark")


@dataclass(slots=True)
class _Draft:
    """A note to be: its lines, and the draft that it stands below."""

    form: str
    start: int
    end: int
    section: tuple[str, ...]
    mark: str = ""
    parent: int | None = None


@dataclass(slots=True)
class _Reader:
    """Reads the blocks of one version. The marks of bullets and quotations become blanks in `lines` on the way."""

    lines: list[str]
    given: str | None
    owners: list[int] = field(default_factory=list)
    drafts: list[_Draft] = field(default_factory=list)
    open: list[int | None] = field(default_factory=list)
    sections: list[tuple[int, str]] = field(default_factory=list)

    def read(self) -> None:
        self.owners = [-1] * len(self.lines)
        tokens = _BLOCKS.parse("\n".join(self.lines))
        for position, token in enumerate(tokens):
            if token.type in ("list_item_close", "blockquote_close"):
                self.open.pop()
            elif token.type == "list_item_open":
                self._open_bullet(token)
            elif token.type == "blockquote_open":
                self._open_quotation(token)
            elif token.type == "heading_open" and token.level == 0:
                self._enter_section(int(token.tag[1:]), tokens[position + 1].content)
            elif token.type == "paragraph_open" and token.level == 0:
                self._take_paragraph(token, tokens[position + 1].content, tokens[position + 3 : position + 4])

    def _enter_section(self, level: int, heading: str) -> None:
        self.sections = [section for section in self.sections if section[0] < level]
        title = _shorten(_plain(heading).rstrip(": "))
        if title and (self.given is None or _version_of(heading) != _bare(self.given)):
            self.sections.append((level, title))

    def _take_paragraph(self, token: Token, content: str, following: list[Token]) -> None:
        before_list = bool(following) and following[0].type in ("bullet_list_open", "ordered_list_open")
        if self.given is not None and before_list and _COLON_HEADING.fullmatch(content):
            self._enter_section(7, content)
        elif not _BOILERPLATE.match(content):
            label = _CALLOUT.match(content)
            set_off = label is not None and (label["bold"] is not None or label[0].isupper())
            self._start("callout" if set_off else "paragraph", token)

    def _open_bullet(self, token: Token) -> None:
        draft = self._start("bullet", token, token.markup)
        self.open.append(draft)
        first = self.drafts[draft].start
        self.lines[first] = _BULLET.sub(lambda mark: " " * len(mark[0]), self.lines[first], count=1)

    def _open_quotation(self, token: Token) -> None:
        """A quotation is a callout if it says so; else it belongs to the bullet it is in, or is prose.

        One that opens a version is an epigraph.
        """
        start, end = token.map or (0, 0)
        epigraph = not self.drafts and not self.sections
        for line in range(start, end):
            self.lines[line] = _QUOTE.sub(r"\1 ", self.lines[line], count=1)
        if _CALLOUT.match("\n".join(self.lines[start : start + 3])):
            self.open.append(self._start("callout", token))
        else:
            self.open.append(None)
            if token.level == 0 and not epigraph:
                self._start("paragraph", token)

    def _start(self, form: str, token: Token, mark: str = "") -> int:
        start, end = token.map or (0, 0)
        bullets = [draft for draft in self.open if draft is not None and self.drafts[draft].form == "bullet"]
        sections = tuple(title for _, title in self.sections)
        self.drafts.append(_Draft(form, start, end, sections, mark, bullets[-1] if bullets else None))
        self.owners[start:end] = [len(self.drafts) - 1] * (end - start)
        return len(self.drafts) - 1

    def items(self, addresses: dict[str, str], source: Source) -> Iterator[_Item]:
        """The notes, in the order of the text. A bullet that only holds others is none."""
        kept: dict[int | None, tuple[int, int]] = {}
        unlike = self._parents_of_unlike_marks()
        for position, draft in enumerate(self.drafts):
            text = self._own_text(position)
            linked = _with_addresses(text, addresses)
            title = _title(linked, draft.form)
            parent, depth = kept.get(draft.parent, (None, -1))
            if not title or self._names_a_contributor(draft, text):
                if parent is not None:
                    kept[position] = (parent, depth)
                continue
            kept[position] = (len(kept), depth + 1)
            note = Note(
                "",
                draft.section,
                draft.form,
                title,
                text,
                draft.start,
                _sign_of(draft.section),
                depth=depth + 1,
                parent=parent,
                references=tuple(find_note_references(linked, source)),
            )
            yield _Item(note, draft.mark if draft.mark in _SIGNS and draft.parent in unlike else "")

    def _parents_of_unlike_marks(self) -> set[int | None]:
        """Bullets below which marks differ: elsewhere the mark of a nested bullet says nothing."""
        marks: defaultdict[int | None, set[str]] = defaultdict(set)
        for draft in self.drafts:
            marks[draft.parent].add(draft.mark)
        return {None, *(parent for parent, found in marks.items() if len(found - {""}) > 1)}

    def _own_text(self, position: int) -> str:
        """The lines of a draft; where those of others stood between them a paragraph ends."""
        draft = self.drafts[position]
        own = [line for line in range(draft.start, draft.end) if self.owners[line] == position]
        if not own:
            return ""
        rest = [f"{'' if before + 1 == line else chr(10)}{self.lines[line]}" for before, line in pairwise(own)]
        return f"{self.lines[own[0]].strip()}\n{textwrap.dedent(chr(10).join(rest))}".strip()

    def _names_a_contributor(self, draft: _Draft, text: str) -> bool:
        if draft.form != "bullet":
            return False
        in_list = self.given is not None and bool(draft.section) and _CONTRIBUTORS.fullmatch(draft.section[-1])
        return bool(in_list or _CONTRIBUTOR.fullmatch(text))


def _sign_of(sections: Iterable[str]) -> str:
    return next((sign for title in sections if (sign := _SIGN_OF_SECTION.get(title.casefold()))), "")


def _with_addresses(text: str, addresses: dict[str, str]) -> str:
    """The text with links that name a definition as links that have an address."""
    if not addresses or "[" not in text:
        return text

    def spelled_out(link: re.Match[str]) -> str:
        address = addresses.get(_key(link["key"] or link["label"]))
        return f"[{link['label']}]({address})" if address else link[0]

    return _REFERENCE_LINK.sub(spelled_out, text)


def _title(text: str, form: str) -> str:
    """One plain line; "" if there is nothing to read, such as in a picture."""
    prose = _CALLOUT.sub("", text, count=1) if form == "callout" and _CALLOUT.match(text) else text
    paragraph = re.split(r"\n\s*\n|\n\s*(?:```|~~~)", prose.strip(), maxsplit=1)[0]
    if paragraph.startswith("|"):
        paragraph = paragraph.split("\n", 1)[0].strip("| ")
    line = " ".join(_CONTROL.sub(" ", paragraph).split())[:_LONGEST_SENTENCE]
    end = _SENTENCE_END.search(_CODE.sub(lambda code: "_" * len(code[0]), line))
    sentence = line[: end.end()] if end else line
    title = _plain(_without_last_references(sentence)) or _plain(_without_last_references(line)) or _plain(line)
    return _shorten(title.rstrip(",; ") or ("" if form == "paragraph" else line))


def _without_last_references(line: str) -> str:
    """The line without the references at its end, save one that its sentence cannot do without ("backport of #1")."""
    first, end = None, len(line)
    for reference in reversed(list(_REFERENCE.finditer(line))):
        if not _BESIDE_REFERENCES.fullmatch(line, reference.end(), end):
            break
        first, end = reference, reference.start()
    if first is None:
        return line
    before = _BEFORE_REFERENCES.sub("", line[:end])
    return line[: first.end()] if _NEEDS_ITS_OBJECT.search(before) else before


def _plain(line: str) -> str:
    """What a line of Markdown says, without markup and pictures."""
    if not re.search(r"[`*_\[\]<>&\\]", line) or line.count("[") > _MOST_BRACKETS:
        return " ".join(line.split())
    tokens = _INLINE.parseInline(line[:_LONGEST_MARKUP])[0].children or []
    return " ".join("".join(map(_shown, tokens)).split())


def _shown(token: Token) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " "
    if token.type == "image" or (token.type == "html_inline" and _HTML_TAG.fullmatch(token.content)):
        return ""
    return token.content


def _shorten(title: str) -> str:
    """At most 200 characters, cut at a word."""
    if len(title) <= _LONGEST_TITLE:
        return title
    cut = title[: _LONGEST_TITLE - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(",;:") + "…"
