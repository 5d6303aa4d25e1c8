"""Pull-request mails: what a maintainer tells of the changes that Linus Torvalds is to merge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage, MIMEPart
from email.policy import EmailPolicy, Policy
from itertools import dropwhile
from typing import cast

from kminer.notes.drafts import Draft, day_of, fault, first_sentence, leave, require_text
from kminer.notes.references import find_note_references
from kminer.records import Note, NotedRelease, Page, Reference, Source

_HEADERS = ("Subject", "Date", "Message-ID")
_HEADER_LIMIT = 2000
_REQUEST = re.compile(r"(?:\[[^\[\]]*\]\s*)*\[(?:GIT )?PULL\b[^\[\]]*\]", re.IGNORECASE)
_VERSION = r"v?([0-9]+\.[0-9]+(?:\.[0-9]+)*(?:-rc[0-9]+)?)"
_FOR_VERSION = re.compile(rf"\bfor[ -](?:linux[ -])?{_VERSION}", re.IGNORECASE)
_ANY_VERSION = re.compile(rf"(?<![0-9.]){_VERSION}")
_PULLED = re.compile(r"^[ \t]*(?:git|https?|ssh)://\S+(?:[ \t]+|[ \t]*\n[ \t]*)(\S+)[ \t]*$", re.MULTILINE)
_TIP = re.compile(r"\b(?:changes up to|HEAD(?: SHA1)?:)\s{1,9}([0-9a-f]{40})(?![0-9a-f])", re.IGNORECASE)

_RULE = re.compile(r"-{3,}")
_AUTHOR = re.compile(r"\S[^\n]* \([0-9]+\):")
_BASE = re.compile(r"The following changes since commit\b|are available in the git repository at\b", re.IGNORECASE)
_OFFER = re.compile(r"are available in the git repository at\b|for you to fetch changes up to\b", re.IGNORECASE)
_DIFFSTAT = re.compile(r" [0-9]+ files? changed| \S[^|]* \| +(?:[0-9]+|Bin)\b")
_SIGNED = re.compile(r"-----(?:BEGIN|END) PGP ")

_BULLET = re.compile(r"(?:[-*+•]|([0-9]{1,2})[.)])\s+(?=\S)")
_FOOTNOTE = re.compile(r"\[([0-9]{1,3})\]:?\s+(https?://\S+)")
_CITED = re.compile(r"\[([0-9]{1,3})\]")
_GREETING = re.compile(r"(?:(?:hi|hello|hey|dear)\b[^.!:]{0,40}|linus)[.!,:]?", re.IGNORECASE)
_FAREWELL = re.compile(
    r"(?:many )?(?:thanks|thank you|thx|cheers|(?:best |kind )?regards)\b[^\n.!,]{0,40}[.!,]?(?:\n[^\n]{0,60}){0,2}",
    re.IGNORECASE,
)
_PLEA = re.compile(r"please (?:consider )?(?:pull|merg)|(?:HEAD|Tag)(?: SHA1)?: +[0-9a-f]{7}", re.IGNORECASE)
_ONLY_ADDRESS = re.compile(r"(?:git|https?|ssh)://\S+(?:\s+\S+)?")
_WORD = re.compile(r"(?!v[0-9])[a-z]+|[0-9]+")


class _Policy(EmailPolicy):
    """Python's own, with headers cut: it takes minutes to take apart a header of some hundred thousand characters."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_HEADER_LIMIT]


_POLICY = _Policy()
_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, MessageError)
"""What Python's reader of mails is known to raise at mails that are not well formed."""


def parse_mail(raw: bytes, name: str, source: Source) -> Page:
    """As `parse`, for a mail as it was sent (RFC 5322): encodings undone, the plain text of several parts taken.

    Lines are those of the text that `parse` would be given. Raises NotesError for a web page, binary data, and a
    mail without subject or plain text.
    """
    require_text(raw.decode("latin-1"), name, source, "mail")
    try:
        text = _as_text(message_from_bytes(raw, policy=cast("Policy[EmailMessage]", _POLICY)))
    except _UNREADABLE as error:
        raise fault(f"is a mail that cannot be decoded ({type(error).__name__})", name, source) from None
    if text is None:
        raise fault("is a mail without plain text", name, source)
    return parse(text, name, source)


def parse(text: str, name: str, source: Source) -> Page:
    """The notes of a pull request: what its tag says, else its letter, then the titles of its commits.

    `text` is a mail's decoded headers (Subject, Date, Message-ID), an empty line, and its decoded text. The version
    is the one that the subject asks a pull for, else that of the tag or branch; where neither names one, the notes
    have an empty version and there is no release. Its day is the mail's (UTC). A mail that is no pull request, such
    as a reply to one, gives an empty page. Raises NotesError for a web page, binary data, or a text without subject.
    """
    lines = [line.rstrip("\r") for line in require_text(text, name, source, "mail").split("\n")]
    start, headers = _read_headers(lines)
    subject = headers.get("subject", "")[:_HEADER_LIMIT]
    if not subject:
        raise fault("has no subject: it is no mail", name, source)
    if not _REQUEST.match(subject):
        return Page((), ())
    numbered = list(enumerate(lines[start:], start + 1))
    version = _find_version(subject, "\n".join(lines[start:]))
    about = _About(subject, version, headers.get("message-id", "").strip("<> "), source)
    release = (NotedRelease(version, day_of(headers.get("date", "")), 1),) if version else ()
    return Page(release, (*_prose(numbered, about), *_titles(numbered, about)))


def _as_text(message: EmailMessage) -> str | None:
    """A decoded mail, without text where it is no pull request; None where it has none."""
    headers = {name: _header(message, name) for name in _HEADERS}
    said = "".join(f"{name}: {value}\n" for name, value in headers.items() if value) + "\n"
    if not _REQUEST.match(headers["Subject"]):
        return said
    body = message.get_body(preferencelist=("plain",))
    return said + _decoded(body) if body else None


def _header(message: EmailMessage, name: str) -> str:
    """A header on one line; as it was sent where it cannot be decoded."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    try:
        said = str(_POLICY.header_factory(name, " ".join(raw.split())))
    except _UNREADABLE:
        said = raw.encode("ascii", "replace").decode("ascii")
    return " ".join(said.split())


def _decoded(part: MIMEPart) -> str:
    """The text of a part: in the encoding it declares, else UTF-8; what neither fits is replaced."""
    content = part.get_payload(decode=True)
    octets = content if isinstance(content, bytes) else b""
    for charset in (part.get_content_charset("utf-8"), "utf-8"):
        try:
            return octets.decode(charset)
        except (LookupError, ValueError):
            continue
    return octets.decode("utf-8", "replace")


def _read_headers(lines: Sequence[str]) -> tuple[int, dict[str, str]]:
    """Where the text begins, and the first of each header by its name in small letters, unfolded."""
    headers: dict[str, list[str]] = {}
    last: list[str] = []
    for number, line in enumerate(lines):
        if not line.strip():
            return number + 1, {name: " ".join(" ".join(said).split()) for name, said in headers.items()}
        name, colon, value = line.partition(":")
        if line[0] in " \t":
            last.append(line)
        elif colon and name.strip() and " " not in name:
            last = [value]
            headers.setdefault(name.lower(), last)
    return len(lines), {name: " ".join(" ".join(said).split()) for name, said in headers.items()}


def _find_version(subject: str, text: str) -> str:
    asked = _FOR_VERSION.search(subject) or _ANY_VERSION.search(subject)
    if asked:
        return asked[1]
    named = (_ANY_VERSION.search(pulled[1][:_HEADER_LIMIT]) for pulled in _PULLED.finditer(text))
    return next((match[1] for match in named if match), "")


@dataclass(frozen=True, slots=True)
class _About:
    subject: str
    version: str
    message_id: str
    source: Source

    def note(self, form: str, title: str, text: str, line: int, *references: Reference) -> Note:
        mail = [Reference("message-id", self.message_id)] if self.message_id else []
        found = dict.fromkeys([*find_note_references(text, self.source), *references, *mail])
        return Note(self.version, (), form, title, text, line, references=tuple(found))


Numbered = tuple[int, str]


def _prose(lines: Sequence[Numbered], about: _About) -> list[Note]:
    text = "\n".join(line for _, line in lines)
    tips = [Reference("tip", tip[1]) for tip in _TIP.finditer(text)]
    footnotes = {note[1]: note[2] for _, line in lines if (note := _FOOTNOTE.fullmatch(line.strip()))}
    drafts = list(_worth_telling(_drafts(_tag_message(lines)), about.subject))
    drafts = drafts or list(_worth_telling(_drafts(_letter(lines)), about.subject))
    places = {id(draft): place for place, draft in enumerate(drafts)}
    return [_prose_note(draft, about, tips, footnotes, places) for draft in drafts]


def _prose_note(
    draft: Draft, about: _About, tips: list[Reference], footnotes: dict[str, str], places: dict[int, int]
) -> Note:
    cited = [Reference("link", footnotes[cite[1]]) for cite in _CITED.finditer(draft.text) if cite[1] in footnotes]
    note = about.note(draft.form, first_sentence(draft.text), draft.text, draft.line, *cited, *tips)
    return replace(note, depth=draft.depth, parent=draft.parent(places))


def _tag_message(lines: Sequence[Numbered]) -> list[Numbered]:
    """What stands between two rules below the offer of a branch."""
    offers = [place for place, (_, line) in enumerate(lines) if _OFFER.match(line.lstrip())]
    below = lines[offers[-1] + 1 :] if offers else []
    ruled = next((place for place, (_, line) in enumerate(below) if _RULE.fullmatch(line.strip())), len(below))
    return list(_until(below[ruled + 1 :], _RULE, _AUTHOR, _SIGNED, _DIFFSTAT))


def _letter(lines: Sequence[Numbered]) -> list[Numbered]:
    letter = _until(lines, _BASE, _RULE, _AUTHOR, _DIFFSTAT)
    return [(number, line) for number, line in letter if not _SIGNED.match(line)]


def _until(lines: Iterable[Numbered], *ends: re.Pattern[str]) -> Iterator[Numbered]:
    for number, line in lines:
        if line.rstrip() == "--" or any(_ends(line.rstrip(), end) for end in ends):
            return
        yield number, line


def _ends(line: str, end: re.Pattern[str]) -> bool:
    return bool(end.fullmatch(line) if end in (_RULE, _AUTHOR) else end.match(line))


def _drafts(lines: Iterable[Numbered]) -> list[Draft]:
    """Bullets and paragraphs. A line stands below what it is indented deeper than, or follows without a gap."""
    found: list[Draft] = []
    nested: list[Draft] = []
    gap = True
    for number, line in lines:
        said, indent = line.strip(), len(line) - len(line.lstrip())
        if not said or _FOOTNOTE.fullmatch(said):
            gap = True
            continue
        bullet = _BULLET.match(said)
        if bullet and (gap or nested or not bullet[1]):
            leave(nested, indent)
            draft = Draft(number, indent, nested[-1] if nested else None, len(nested), [said[bullet.end() :]])
            nested.append(draft)
            found.append(draft)
        elif gap:
            leave(nested, indent)
            if nested:
                nested[-1].lines += ["", said]
            else:
                found.append(Draft(number, -1, lines=[said]))
        else:
            (nested[-1] if nested else found[-1]).lines.append(said)
        gap = False
    return found


def _worth_telling(drafts: Iterable[Draft], subject: str) -> Iterator[Draft]:
    """Neither greetings, thanks, the plea and its address, nor what only repeats the subject."""
    last: Draft | None = None
    for draft in drafts:
        if draft.indent < 0:
            draft.lines = list(dropwhile(_GREETING.fullmatch, draft.lines))
        if draft.indent < 0 and _ONLY_ADDRESS.fullmatch(draft.text):
            if last and last.lines[-1].endswith(":"):
                last.lines += ["", *draft.lines]
        elif draft.indent >= 0 or not _says_nothing(draft.text, subject):
            last = draft
            yield draft


def _says_nothing(text: str, subject: str) -> bool:
    if not text or _PLEA.match(text) or _FAREWELL.fullmatch(text):
        return True
    return _WORD.findall(text.lower()) == _WORD.findall(_REQUEST.sub("", subject, count=1).lower())


def _titles(lines: Sequence[Numbered], about: _About) -> Iterator[Note]:
    """Titles below "Name (n):". A title that was wrapped goes on at another indentation."""
    place = 0
    while place < len(lines):
        author = _AUTHOR.fullmatch(lines[place][1].rstrip())
        place += 1
        if not author:
            continue
        block = []
        while place < len(lines) and lines[place][1].strip() and not _AUTHOR.fullmatch(lines[place][1].rstrip()):
            block.append(lines[place])
            place += 1
        for line, title in _unwrapped(block):
            yield about.note("shortlog", title, title, line)


def _unwrapped(block: Sequence[Numbered]) -> list[tuple[int, str]]:
    if not block or not block[0][1][0].isspace():
        return []
    margin = len(block[0][1]) - len(block[0][1].lstrip())
    titles: list[tuple[int, list[str]]] = []
    for number, line in block:
        if len(line) - len(line.lstrip()) == margin:
            titles.append((number, [line]))
        else:
            titles[-1][1].append(line)
    return [(number, " ".join(" ".join(lines).split())) for number, lines in titles]
