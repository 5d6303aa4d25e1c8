"""Keeps what an unfinished sync has read, beside the database, so that the next one goes on from there.

The database itself changes once, in one transaction, when everything was read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from kminer.records import Change, ChangedPath, Moment, Person, Reference


class Staging:
    """One file a shard, in a folder named by the plan; folders of other plans of the source are stale."""

    def __init__(self, database: Path, source: str, plan: str) -> None:
        self._top = Path(f"{database}.sync")
        self._source = source
        self._folder = self._top / source / plan

    def open(self) -> None:
        """Make the folder and throw away what other plans left."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for other in self._folder.parent.iterdir():
            if other != self._folder:
                shutil.rmtree(other)

    def done(self) -> set[int]:
        """Shards that were stored whole."""
        return {int(file.stem) for file in self._folder.glob("*.jsonl")}

    def save(self, shard: int, changes: list[Change]) -> None:
        """Store a shard: under another name first, so that a file is whole or not there."""
        final = self._folder / f"{shard:06}.jsonl"
        unfinished = final.with_suffix(".unfinished")
        with unfinished.open("w", encoding="ascii") as file:
            file.writelines(_encode(change) + "\n" for change in changes)
        unfinished.rename(final)

    def load(self, shards: int) -> Iterator[list[Change]]:
        """The shards' changes, oldest first: shards and their commits run from new to old."""
        for shard in reversed(range(shards)):
            lines = (self._folder / f"{shard:06}.jsonl").read_text(encoding="ascii").splitlines()
            yield [_decode(line) for line in reversed(lines)]

    def close(self) -> None:
        """Remove all that was kept for this source, and the folder when nothing else is in it."""
        shutil.rmtree(self._top / self._source, ignore_errors=True)
        if self._top.is_dir() and not any(self._top.iterdir()):
            self._top.rmdir()


def _encode(change: Change) -> str:
    return json.dumps(
        [
            change.type, change.key, change.title, change.text, change.encoding,
            [change.authored.seconds, change.authored.offset], [change.committed.seconds, change.committed.offset],
            [[person.role, person.name, person.email] for person in change.people],
            [[path.path, path.change, path.tracked] for path in change.paths],
            [[reference.type, reference.value, reference.target] for reference in change.references],
            change.matched_by,
        ]
    )  # fmt: skip


def _decode(line: str) -> Change:
    kind, key, title, text, encoding, authored, committed, people, paths, references, matched = json.loads(line)
    return Change(
        type=kind,
        key=key,
        title=title,
        text=text,
        encoding=encoding,
        authored=Moment(*authored),
        committed=Moment(*committed),
        people=tuple(Person(*person) for person in people),
        paths=tuple(ChangedPath(*path) for path in paths),
        references=tuple(Reference(*reference) for reference in references),
        matched_by=tuple(matched),
    )
