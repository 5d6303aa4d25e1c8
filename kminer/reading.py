"""The reading list: which changes, in which order, how many of them were read, and the marks in the store."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kminer import catalogue, labelbook, marks
from kminer.errors import UsageError
from kminer.marks import Identity, Standing
from kminer.store import reading as store
from kminer.store.reader import Row, holds_demo, list_sources

USUAL_TYPES = ("commit", "pull")
TYPES = ("commit", "merge", "pull", "note", "patch", "cover")
NO_RELEASE = "no release yet"
NO_MECHANISM = "(no mechanism)"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be read. `since` is a tag, whose changes are left out, or a day, whose changes are not; `until` is
    the last tag or day. No `types`: commits and pulls, or all of a source that is no history."""

    mechanism: str = "%"
    kind: str | None = None
    source: str | None = None
    project: str | None = None
    since: str | None = None
    until: str | None = None
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of the list; `release` is where it counts, `mechanisms` are in the order of their names."""

    id: int
    source: str
    project: str
    type: str
    key: str
    short: str
    title: str
    day: str
    release: str
    mechanisms: tuple[str, ...]
    link: str

    @property
    def identity(self) -> Identity:
        """By what it is known in the marks."""
        return self.source, self.key


def build(db: sqlite3.Connection, wanted: Wanted) -> list[Entry]:
    """The list in release order, read or not. Raises UsageError for a filter that means nothing here."""
    _check(wanted)
    rows = store.list_changes(db, wanted.source, wanted.mechanism, wanted.kind)
    types = wanted.types or USUAL_TYPES
    if not wanted.types and wanted.source and not any(row["type"] in types for row in rows):
        types = TYPES
    after, up_to = _bound(db, wanted.since, "--since"), _bound(db, wanted.until, "--until")
    return [
        _entry(row) for row in rows
        if row["type"] in types and wanted.project in (None, row["project"])
        and (after is None or after(row) is False) and (up_to is None or up_to(row))
    ]  # fmt: skip


def _check(wanted: Wanted) -> None:
    labels = labelbook.load_labels()
    pattern = re.compile(".*".join(map(re.escape, wanted.mechanism.split("%"))))
    if not any(pattern.fullmatch(name) for name in labels.mechanisms):
        raise UsageError(
            f"'{wanted.mechanism}' is no mechanism.",
            where="--mechanism",
            next=f"Known are {', '.join(labels.mechanisms)}; a family is written ns.% or cg.%.",
        )
    if wanted.kind is not None and wanted.kind not in labels.kinds:
        raise UsageError(f"'{wanted.kind}' is no kind.", where="--kind", next=f"Known are {', '.join(labels.kinds)}.")


def _bound(db: sqlite3.Connection, name: str | None, option: str) -> Callable[[Row], bool | None] | None:
    """Says of a row whether it lies within what `name` bounds; None where that has no meaning for its source.

    A tag holds what was in it; a day holds what was before it for --since, or up to it for --until.
    """
    if name is None:
        return None
    if _DAY.fullmatch(name):
        strict = option == "--since"
        return lambda row: None if not row["day"] else str(row["day"]) < name or (
            not strict and str(row["day"]) == name)  # fmt: skip
    positions = _positions(db, name, option)

    def holds(row: Row) -> bool | None:
        for place, at in ((row["source"], row["entered"]), (row["history"], row["noted"])):
            if place in positions and (place == row["source"] or at is not None):
                return at is not None and int(str(at)) <= positions[str(place)]
        return None

    return holds


def _positions(db: sqlite3.Connection, name: str, option: str) -> dict[str, int]:
    """The position of the release `name`, a tag or a version, in each source that has it."""
    releases = store.list_positions(db)
    for column, value in (("tag", name), ("version", name), ("version", name.removeprefix("v"))):
        found = {str(row["source"]): int(str(row["position"])) for row in releases if row[column] == value}
        if found:
            return found
    raise UsageError(
        f"'{name}' is neither a release in this database nor a day (YYYY-MM-DD).",
        where=option,
        next="`kminer releases --rc` lists the releases.",
    )


def _entry(row: Row) -> Entry:
    return Entry(
        id=int(str(row["id"])),
        **{name: str(row[name]) for name in ("source", "project", "type", "key", "short", "title", "link")},
        day=str(row["day"] or ""),
        release=str(row["release"] or NO_RELEASE),
        mechanisms=tuple(str(row["mechanisms"] or "").split()),
    )


def unread(entries: Iterable[Entry], known: Container[Identity]) -> list[Entry]:
    """Those that were not read yet."""
    return [entry for entry in entries if entry.identity not in known]


class Progress:
    """How many of a list were read: in all, by project and release, by mechanism."""

    def __init__(self, entries: Sequence[Entry], known: Mapping[Identity, Standing]) -> None:
        self._totals: Counter[tuple[str, str]] = Counter()
        self._read: Counter[tuple[str, str]] = Counter()
        self._counted: set[Identity] = set()
        for entry in entries:
            self._totals.update(_groups(entry))
        for entry in entries:
            if entry.identity in known:
                self.count(entry)

    def count(self, entry: Entry) -> None:
        """Let a change count as read."""
        if entry.identity not in self._counted:
            self._counted.add(entry.identity)
            self._read.update(_groups(entry))

    def told(self, entry: Entry | None = None) -> str:
        """ "412 of 1,930 read", and where a change is given, the same of its release and of its mechanisms."""
        parts = [f"{self._of(('', ''))} read"]
        if entry:
            parts += [f"{name}: {self._of((sort, name))}" for sort, name in _groups(entry)[1:]]
        return " | ".join(parts)

    def _of(self, group: tuple[str, str]) -> str:
        return f"{self._read[group]:,} of {self._totals[group]:,}"


def _groups(entry: Entry) -> list[tuple[str, str]]:
    release = (entry.project, entry.release if entry.release != NO_RELEASE else f"{entry.project} {NO_RELEASE}")
    return [("", ""), release, *(("mechanism", name) for name in entry.mechanisms or (NO_MECHANISM,))]


def mirror(db: sqlite3.Connection) -> int:
    """Let the store's marks be those of the user's file; returns how many changes they are on.

    The demo's marks go into the demo's database only, all others into all others.
    """
    demo = bool(holds_demo(db))
    demos = {source.id for source in catalogue.load_sources().values() if source.demo}
    found = marks.standing(mark for mark in marks.load().marks if (mark.source in demos) is demo)
    store.save_marks(db, marks.lasting(found))
    return len(found)


def check_source(db: sqlite3.Connection, name: str | None, what: str) -> None:
    """UsageError when the database holds no source with `name` as its `what` (id or project)."""
    held = sorted({str(row[what]) for row in list_sources(db)})
    if name is not None and name not in held:
        raise UsageError(
            f"This database holds nothing of '{name}'.",
            where="--project" if what == "project" else "--source",
            next=f"It holds {', '.join(held)}; `kminer sync` brings more.",
        )
