"""Changes of Linux's stable trees: kernel.org's ChangeLog files, and its list of current releases."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kminer.history.commits import title_of
from kminer.history.references import find_references
from kminer.notes.drafts import day_of, fault, require_text
from kminer.records import Note, NotedRelease, Page, Reference, Source

_NAMED = re.compile(r"ChangeLog-([0-9]+(?:\.[0-9]+)+(?:-[0-9A-Za-z]+)?)")
_COMMIT = re.compile(r"commit ([0-9a-f]{40})(?![0-9a-f])")
_RELEASE = re.compile(r"Linux v?([0-9]+(?:\.[0-9]+)+(?:-[0-9A-Za-z]+)?)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INDENTATION = "    "


def parse(text: str, name: str, source: Source) -> Page:
    """Commits of a ChangeLog-x.y.z file, each a note: its subject, its message, its own id and those it names.

    The version is the one in `name`, else that of the release commit ("Linux 6.12.106"), which is no note but
    gives the release its day (UTC). Raises NotesError for a web page, binary data, a text without commits or
    without a version.
    """
    entries = _entries(require_text(text, name, source, "ChangeLog of kernel.org"))
    if not entries:
        raise fault("has no line `commit <id>`: it is no ChangeLog of kernel.org", name, source)
    named = _NAMED.search(name)
    release = _find_release(entries, named[1] if named else "")
    if not release.version:
        raise fault("tells no version", name, source, "name the file ChangeLog-x.y.z, as kernel.org does")
    notes = (entry.note(release.version, source) for entry in entries if not _RELEASE.fullmatch(entry.title))
    return Page((release,), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Entry:
    commit: str
    line: int
    date: str
    title: str
    message: str

    def note(self, version: str, source: Source) -> Note:
        found = (Reference("commit", self.commit), *find_references(self.message, source))
        return Note(version, (), "shortlog", self.title, self.message, self.line, references=found)


def _entries(text: str) -> list[_Entry]:
    found, lines = [], text.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("commit ") and _COMMIT.match(line)]
    for start, end in pairwise([*starts, len(lines)]):
        match = _COMMIT.match(lines[start])
        assert match is not None
        found.append(_entry(match[1], start + 1, lines[start + 1 : end]))
    return found


def _entry(commit: str, line: int, lines: list[str]) -> _Entry:
    date = next((line[5:].strip() for line in lines if line.startswith("Date:")), "")
    said = (line.rstrip("\r") for line in lines if line.startswith(_INDENTATION) or not line.strip())
    message = "\n".join(line.removeprefix(_INDENTATION) for line in said).strip()
    return _Entry(commit, line, date, title_of(message), message)


def _find_release(entries: list[_Entry], named: str) -> NotedRelease:
    """The release as its own commit tells it; without that commit a version alone, or an empty one."""
    for entry in entries:
        match = _RELEASE.fullmatch(entry.title)
        if match and named in ("", match[1]):
            return NotedRelease(match[1], day_of(entry.date), entry.line)
    return NotedRelease(named, None, 1)


@dataclass(frozen=True, slots=True)
class IndexedRelease:
    """A release that kernel.org offers now.

    `moniker` is mainline, stable, longterm or linux-next; `ended` says that no more releases follow it; `date` is
    its day, `changelog` the address of its ChangeLog: None where kernel.org gives none.
    """

    moniker: str
    version: str
    ended: bool
    date: str | None
    changelog: str | None


def read_index(text: str, name: str, source: Source) -> list[IndexedRelease]:
    """Releases of kernel.org's releases.json, in its order. Raises NotesError where it has another form."""
    try:
        document = json.loads(require_text(text, name, source, "releases.json of kernel.org"))
    except (ValueError, RecursionError) as error:
        raise fault(f"is no JSON ({type(error).__name__})", name, source) from None
    rows = document.get("releases") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise fault("has no list `releases`", name, source)
    return [_indexed(row, f"releases[{number}]", name, source) for number, row in enumerate(rows)]


def _indexed(row: Any, what: str, name: str, source: Source) -> IndexedRelease:
    facts = row if isinstance(row, dict) else {}
    version, changelog, released = facts.get("version"), facts.get("changelog"), facts.get("released")
    if not isinstance(version, str) or not version:
        raise fault(f"has no version in {what}", name, source)
    date = released.get("isodate") if isinstance(released, dict) else None
    return IndexedRelease(
        moniker=str(facts.get("moniker") or ""),
        version=version,
        ended=facts.get("iseol") is True,
        date=date if isinstance(date, str) and _DAY.fullmatch(date) else None,
        changelog=changelog if isinstance(changelog, str) and changelog.startswith(("https://", "http://")) else None,
    )
