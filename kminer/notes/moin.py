"""KernelNewbies' pages on Linux releases, in MoinMoin's own markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from kminer.notes.drafts import Draft, fault, first_sentence, leave, require_text
from kminer.notes.references import find_note_references
from kminer.records import Note, NotedRelease, Page, Source

_NAMED = re.compile(r"\bLinux_([0-9]+(?:[._][0-9]+)+(?:-rc[0-9]+)?)")
_TITLED = re.compile(r"\bLinux(?: kernel)? v?([0-9]+(?:\.[0-9]+)+(?:-rc[0-9]+)?)", re.IGNORECASE)
_HEAD_LIMIT = 10_000
"""Characters of a page within which its version and date stand, if they do."""

_LINK = re.compile(r"\[\[([^\[\]|]*)(?:\|([^\[\]|]*)(?:\|[^\[\]]*)?)?\]\]")
_OLD_LINK = re.compile(r"\[((?:https?|ftp|git)://[^\s\[\]]+)(?:\s([^\[\]]*))?\]")
_OLD_PAGE = re.compile(r"\[:([^\s\[\]:]+):([^\[\]]*)\]")
_MACRO = re.compile(r"<<[^<>\n]*>>|\[\[(?:BR|Anchor|TableOfContents)[^\[\]]*\]\]|(?<!\{)\{\{(?!\{)[^{}\n]*\}\}")
_QUOTES = re.compile(r"'{2,5}|`|\{\{\{|\}\}\}")
_CAMEL = re.compile(r"(?<!\w)!(?=[A-Z]\w*[a-z])")
_TO_COMMIT = re.compile(r"\(?commits?\s*[0-9]*\)?|\(?[0-9]+\)?|\(?[0-9a-f]{7,40}\)?", re.IGNORECASE)
_GAPS = re.compile(r"(?<!\S)\(\s*(?:[,;]\s*)*\)|(?<=,)(?:\s*,)+")
_BEFORE_STOP = re.compile(r"\s+([.,;])(?=\s|\Z)")

_INSTRUCTION = re.compile(r"#(?:#|pragma\b|acl\b|format\b|language\b|redirect\b|refresh\b|deprecated\b)", re.IGNORECASE)
_BULLET = re.compile(r"(?:[*-]|[0-9]{1,3}\.|[aAiI]\.)\s+(?=\S)")
_BREAK = re.compile(r"-{4,}")
_CODE = re.compile(r"code\s*:", re.IGNORECASE)

_RELEASED = re.compile(r"\bLinux\b[^\n]{0,80}?\breleased\b[^\n]{0,60}", re.IGNORECASE)
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_DAY_FIRST = re.compile(
    r"(?<![0-9])(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?(?:\s+of)?[\s,]+(?P<month>[A-Za-z]{3,9})\.?[\s,]+(?P<year>[0-9]{4})"
)
_MONTH_FIRST = re.compile(
    r"(?<![A-Za-z])(?P<month>[A-Za-z]{3,9})\.?\s+(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?[\s,]+(?P<year>[0-9]{4})"
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip


def parse(text: str, name: str, source: Source) -> Page:
    """Bullets and paragraphs of a page in raw MoinMoin, below its headings; commits they link to are references.

    The version is that of `name` ("Linux_6.12", "Linux_2_6_39"), else the first that the text names. The sentence
    that tells when it was released gives the day and is no note. Raises NotesError for a rendered page, binary
    data, or a text without headings and bullets or without a version.
    """
    raw = f"get {name}?action=raw: the page as it was written, not as it is shown"
    text = require_text(text, name, source, "page in MoinMoin's markup", raw)
    head = plain(text[:_HEAD_LIMIT])
    version = _find_version(name, head)
    if not version:
        raise fault("tells no version", name, source, "name the page as KernelNewbies does: Linux_6.12")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        reader.read(number, line.rstrip("\r"))
    if not reader.marked:
        raise fault("has neither headings nor bullets: it is no page in MoinMoin's markup", name, source, raw)
    drafts = list(_worth_telling(reader.drafts))
    places = {id(draft): place for place, draft in enumerate(drafts)}
    release = NotedRelease(version, _find_date(head, version), 1)
    return Page((release,), tuple(_note(draft, version, places, source) for draft in drafts))


def plain(markup: str) -> str:
    """MoinMoin's markup as plain text: labels instead of links, none of a link to a commit."""
    said = _MACRO.sub(" ", markup)
    said = _LINK.sub(lambda link: _label(link[1], link[2]), said)
    for old in (_OLD_LINK, _OLD_PAGE):
        said = old.sub(lambda link: _label(link[1], link[2]), said)
    return _CAMEL.sub("", _QUOTES.sub("", said))


def _label(target: str, label: str | None) -> str:
    if label is None:
        return "" if "://" in target else target.rpartition(":")[2]
    return "" if _TO_COMMIT.fullmatch(label.strip()) else label


def _find_version(name: str, head: str) -> str:
    named = _NAMED.search(name)
    if named:
        return named[1].replace("_", ".")
    titled = _TITLED.search(head)
    return titled[1] if titled else ""


def _find_date(head: str, version: str) -> str | None:
    for told in _RELEASED.finditer(head):
        titled = _TITLED.search(told[0])
        if titled is None or titled[1] == version:
            day = _day(told[0])
            if day:
                return day
    return None


def _day(sentence: str) -> str | None:
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST):
        match = pattern.search(sentence)
        month = _month(match["month"]) if match else 0
        if match and month:
            try:
                return date(int(match["year"]), month, int(match["day"])).isoformat()
            except ValueError:
                continue
    return None


def _month(name: str) -> int:
    if name.isdecimal():
        return int(name)
    return next((n for n, month in enumerate(_MONTHS, 1) if month.startswith(name.lower())), 0)


def _note(draft: Draft, version: str, places: Mapping[int, int], source: Source) -> Note:
    return Note(
        version, draft.section, draft.form, _title_of(draft), draft.text, draft.line,
        depth=draft.depth, parent=draft.parent(places), references=tuple(find_note_references(draft.text, source)),
    )  # fmt: skip


def _title_of(draft: Draft) -> str:
    said = " ".join(plain(draft.text).split())
    said = _without_tail(" ".join(_BEFORE_STOP.sub(r"\1", _GAPS.sub(" ", said)).split()))
    if draft.indent < 0:
        said = first_sentence(said)
    return said or (draft.section[-1] if draft.section else " ".join(draft.text.split()))


def _without_tail(said: str) -> str:
    """Without the commas that stood between links at its end."""
    kept = said.rstrip(" ,;.")
    return f"{kept}." if said.startswith(".", len(kept)) else kept


class _Reader:
    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.marked = False
        self._headings: list[tuple[int, str]] = []
        self._nested: list[Draft] = []
        self._paragraph: Draft | None = None
        self._verbatim = False

    def read(self, number: int, line: str) -> None:
        said = line.strip()
        if self._verbatim:
            self._add(number, line)
        elif not said or _BREAK.fullmatch(said):
            self._paragraph = None
        elif line.startswith("#") and _INSTRUCTION.match(line):
            return
        elif _MACRO.sub("", said).strip():
            self._read_said(number, said, len(line) - len(line.lstrip()))
        self._verbatim = _ends_verbatim(line, self._verbatim)

    def _read_said(self, number: int, said: str, indent: int) -> None:
        level = _level(said)
        bullet = _BULLET.match(said) if indent else None
        if level:
            self._enter(level, said[level:-level])
        elif bullet:
            self._begin_bullet(number, said[bullet.end() :], indent)
        else:
            leave(self._nested, indent)
            self._add(number, said)

    def _enter(self, level: int, heading: str) -> None:
        self.marked = True
        self._nested, self._paragraph = [], None
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        self._headings.append((level, " ".join(plain(heading).split())))

    def _begin_bullet(self, number: int, said: str, indent: int) -> None:
        self.marked = True
        leave(self._nested, indent)
        above = self._nested[-1] if self._nested else None
        draft = Draft(number, indent, above, len(self._nested), [said], self._section())
        self._nested.append(draft)
        self.drafts.append(draft)
        self._paragraph = None

    def _add(self, number: int, said: str) -> None:
        """To the bullet that the line is indented below, else to the paragraph."""
        draft = self._nested[-1] if self._nested else self._paragraph
        if draft is None:
            draft = self._paragraph = Draft(number, -1, section=self._section())
            self.drafts.append(draft)
        draft.lines.append(said)

    def _section(self) -> tuple[str, ...]:
        return tuple(heading for _, heading in self._headings)


def _ends_verbatim(line: str, verbatim: bool) -> bool:
    """Whether the text after this line is verbatim: `{{{` begins such text and `}}}` ends it."""
    opens, closes = line.rfind("{{{"), line.rfind("}}}")
    return opens > closes if max(opens, closes) >= 0 else verbatim


def _level(said: str) -> int:
    """The level of a heading ("== Title ==" is 2); 0 of any other line."""
    level = len(said) - len(said.lstrip("="))
    closed = len(said) - len(said.rstrip("="))
    return level if 0 < level == closed < 7 and said[level:-level].strip() else 0


def _worth_telling(drafts: Iterable[Draft]) -> Iterator[Draft]:
    """Without the sentence about the release; "Code:" and its links belong to the paragraph that they stand below."""
    last: Draft | None = None
    for draft in drafts:
        if draft.indent < 0:
            said = plain(draft.text[:_HEAD_LIMIT]).strip()
            if not draft.section and len(said) <= 120 and _RELEASED.match(said):
                continue
            if last and last.indent < 0 and last.section == draft.section and _CODE.match(said):
                last.lines += ["", *draft.lines]
                continue
        last = draft
        yield draft
