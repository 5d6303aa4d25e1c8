"""Debian changelogs: the uploads of a package, and what each of them changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from kminer.notes.drafts import day_of, fault, require_text
from kminer.notes.references import find_note_references
from kminer.records import Note, NotedRelease, Page, Person, Reference, Source

_UPLOAD = re.compile(r"(?P<package>[^\s()]+) \((?P<version>[^\s()]+)\)")
_BULLET = re.compile(r"([*+-])\s+(?=\S)")
_PERSON = re.compile(r"\[[^\[\]]*[\[\]]?")
_HEADING = re.compile(r"\[ ([0-9]+(?:\.[0-9]+)+[^\[\]]*) \]")
_ANNOUNCED = re.compile(r"New (?:upstream|stable)\b", re.IGNORECASE)
_ADDED = re.compile(
    r"(?:(?:Add|Added|Apply|Hand-picked from) (?:\w+ (?:and \w+ )*(?:other )?(?:\w+ )?changes from )?"
    r"stable (?:releases? |treee? )?|Add(?:ed)? (?=(?:patch-)?[0-9]+\.[0-9]+\.[0-9]+\.[0-9]))(?:patch-)?"
    r"(?P<first>[0-9]+(?:\.[0-9]+)+(?:-rc[0-9]+)?)(?:(?:,| and|, and) (?P<last>[0-9]+(?:\.[0-9]+)+(?:-rc[0-9]+)?))*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:/ChangeLog-|kernelnewbies\.org/Linux_)([0-9][\w.-]*)")
_ONLY_ADDRESS = re.compile(r"https?://\S+/(?:ChangeLog-|Linux_)[0-9][\w.-]*")
_IN_PARENTHESES = re.compile(r"([0-9]+(?:\.[0-9]+)+)\)")
_ARCHITECTURES = re.compile(
    r"\[(?:/|[!{']?(?:alpha|amd64|amr64|arm|avr32|hppa|i386|ia64|kernelarch|loong|m68k|mips|or1k|parisc|powerpc|ppc"
    r"|riscv|s390|sh[0-9]?\b|sparc|tilegx|um\b|x32|x86))[^\[\]]*\]:?\s*",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"\(\s*(?:CVE-|CAN-|closes\b)", re.IGNORECASE)
_CLOSES = re.compile(r"closes:\s*(?:bug)?#?\s?[0-9]+(?:,\s*(?:bug)?#?\s?[0-9]+)*", re.IGNORECASE)
_OLD_CVE = re.compile(r"\bCAN-((?:19|20)[0-9]{2}-[0-9]{4,})\b", re.IGNORECASE)
_BUG = re.compile(r"(?<![\w/.-])#[0-9]+")
_POINTS = re.compile(r"://|#|closes:|(?:CVE|CAN|GHSA)-", re.IGNORECASE)


def parse(text: str, name: str, source: Source) -> Page:
    """Uploads with their day (UTC) and uploader, and each of their bullets as a note, nested as it is indented.

    `upstream` of a note: in a changelog of linux, the stable or mainline version that the bullet announces, or that
    the bullet above it does; a candidate counts as the version it leads to. In another package's changelog, the
    version that was packaged. Raises NotesError for a web page, binary data, or a text without any upload.
    """
    reader = _Reader(kernel=source.project == "linux")
    for number, line in enumerate(require_text(text, name, source, "Debian changelog").split("\n"), 1):
        reader.read(number, line)
    reader.end_upload()
    if not reader.releases:
        raise fault("has no line like `linux (6.1-1) unstable; ...`: it is no Debian changelog", name, source)
    if source.packages and not any(fnmatchcase(reader.package, pattern) for pattern in source.packages):
        raise fault(f"is the changelog of {reader.package}, not of {', '.join(source.packages)}", name, source)
    return Page(tuple(reader.releases), tuple(draft.note(source) for draft in reader.drafts))


@dataclass(slots=True)
class _Draft:
    version: str
    section: tuple[str, ...]
    form: str
    line: int
    indent: int
    mark: str
    depth: int
    parent: int | None
    index: int
    upstream: str
    lines: list[str] = field(default_factory=list)

    def note(self, source: Source) -> Note:
        said = " ".join(" ".join(self.lines).split())
        return Note(
            self.version, self.section, self.form, _title(said), "\n".join(self.lines), self.line,
            upstream=self.upstream, depth=self.depth, parent=self.parent,
            references=tuple(_references(said, source)) if _POINTS.search(said) else (),
        )  # fmt: skip


class _Reader:
    def __init__(self, kernel: bool) -> None:
        self.releases: list[NotedRelease] = []
        self.drafts: list[_Draft] = []
        self.package = ""
        self._kernel = kernel
        self._begin_upload("", 0)

    def _begin_upload(self, version: str, line: int) -> None:
        self._version, self._line = version, line
        self._packaged = _packaged(version)
        self._date: str | None = None
        self._by: Person | None = None
        self._begin_section(())

    def _begin_section(self, section: tuple[str, ...]) -> None:
        self._section = section
        self._open: list[_Draft] = []
        self._last: _Draft | None = None
        self._updates = False
        self._upstream = "" if self._kernel else self._packaged

    def end_upload(self) -> None:
        if self._version:
            self.releases.append(NotedRelease(self._version, self._date, self._line, self._by))
        self._begin_upload("", 0)

    def read(self, number: int, line: str) -> None:
        said = line.strip()
        if not said:
            return
        if not line[0].isspace():
            self._read_header(number, line)
        elif f"{line.rstrip()} ".startswith(" -- "):
            self._read_trailer(said[2:])
        else:
            self._read_detail(number, _indentation(line), said)

    def _read_header(self, number: int, line: str) -> None:
        upload = _UPLOAD.match(line)
        if upload:
            self.package = self.package or upload["package"]
            self.end_upload()
            self._begin_upload(upload["version"], number)

    def _read_trailer(self, said: str) -> None:
        name, _, rest = said.partition("<")
        email, _, date = rest.partition(">")
        self._by = Person("uploader", name.strip(), email.strip()) if rest else None
        self._date = day_of(date)
        self.end_upload()

    def _read_detail(self, number: int, indent: int, said: str) -> None:
        bullet = _BULLET.match(said)
        heading = _HEADING.fullmatch(said)
        if bullet:
            self._begin_bullet(number, indent, bullet[1], said[bullet.end() :])
        elif indent < 4 and _PERSON.fullmatch(said):
            self._begin_section(())
        elif heading and indent >= 4:
            self._section = (heading[1].strip(),)
        else:
            self._continue(number, indent, said)

    def _begin_bullet(self, number: int, indent: int, mark: str, said: str) -> None:
        while self._open and not _belongs(indent, mark, self._open[-1]):
            self._open.pop()
        if indent < 4:
            self._section = ()
        if not self._open:
            self._read_update(said)
        draft = self._draft("bullet", number, indent, mark)
        self._open.append(draft)
        if draft.depth == 0:
            self._last = draft
        self._add(draft, said)

    def _continue(self, number: int, indent: int, said: str) -> None:
        """A line belongs to the nearest bullet above whose mark stands further left; without any, to the last.

        The address of an update belongs to the outermost bullet however far it is indented.
        """
        while self._open and self._open[-1].indent >= indent:
            self._open.pop()
        if _ONLY_ADDRESS.fullmatch(said):
            del self._open[1:]
        draft = self._open[-1] if self._open else self._last
        if draft is None:
            draft = self._last = self._draft("paragraph", number, indent, "")
        self._add(draft, said)

    def _draft(self, form: str, number: int, indent: int, mark: str) -> _Draft:
        above = self._open[-1] if self._open else None
        draft = _Draft(
            self._version, self._section, form, number, indent, mark, len(self._open), above.index if above else None,
            len(self.drafts), self._upstream,
        )  # fmt: skip
        self.drafts.append(draft)
        return draft

    def _read_update(self, said: str) -> None:
        if not self._kernel:
            return
        added = _ADDED.match(said)
        self._updates = bool(added or _ANNOUNCED.match(said))
        self._upstream = ""
        if added:
            self._upstream = added["last"] or added["first"]
        elif self._updates:
            named = _IN_PARENTHESES.search(said)
            self._upstream = named[1] if named else self._packaged

    def _add(self, draft: _Draft, said: str) -> None:
        draft.lines.append(said)
        if draft.depth == 0 and self._kernel:
            address = _ADDRESS.search(said) if self._updates or _ONLY_ADDRESS.fullmatch(said) else None
            if address:
                self._upstream = address[1].rstrip("._-").replace("_", ".")
            if self._updates:
                draft.upstream = self._upstream


def _indentation(line: str) -> int:
    line = line.expandtabs() if "\t" in line else line
    return len(line) - len(line.lstrip())


def _belongs(indent: int, mark: str, above: _Draft) -> bool:
    """Whether a bullet stands below another: some are indented no deeper, but `*` at the margin is outermost."""
    if mark == "*" and indent < 4:
        return False
    return indent > above.indent or (indent == above.indent and above.mark == "*" and mark != "*")


def _packaged(version: str) -> str:
    """Upstream's version in Debian's: "1:20.10.0~rc1+dfsg1-2" is a package of 20.10.0."""
    upstream = version.rpartition(":")[2]
    return re.split(r"[~+]", upstream.rpartition("-")[0] or upstream, maxsplit=1)[0]


def _title(said: str) -> str:
    start, end = 0, len(said)
    while mark := _ARCHITECTURES.match(said, start):
        start = mark.end()
    while (opens := _trailing(said, start, end)) is not None:
        end = opens
        while end > start and said[end - 1] in " ,":
            end -= 1
    return said[start:end] if end > start else said


def _trailing(said: str, start: int, end: int) -> int | None:
    """Where the "(CVE-...)", "(Closes: #1)" or "Closes: #1" begins that ends at `end`."""
    if end > start and said[end - 1] in ".;":
        end -= 1
    if said.endswith(")", start, end):
        opens = said.rfind("(", start, end)
        return opens if opens >= 0 and _TRAILING.match(said, opens) else None
    opens = max(said.rfind("Closes:", start, end), said.rfind("closes:", start, end))
    closed = _CLOSES.match(said, opens, end) if opens >= 0 else None
    return opens if closed and closed.end() == end else None


def _references(said: str, source: Source) -> Iterator[Reference]:
    """`#1` alone is a bug of Debian's, whatever the source's own repository is."""
    found = list(find_note_references(_BUG.sub(" ", said), source))
    found += [Reference("cve", f"CVE-{old[1]}") for old in _OLD_CVE.finditer(said)]
    for closed in _CLOSES.finditer(said):
        found += [Reference("debian-bug", number) for number in re.findall(r"[0-9]+", closed[0])]
    yield from dict.fromkeys(found)
