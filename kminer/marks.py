"""The user's own marks on changes: one file of JSON lines that only grows, and that no database can lose."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kminer import places
from kminer.errors import KminerError
from kminer.records import utc_now

READ, INTERESTING, NOT_RELEVANT, IDEA, NOTE, TAKEN_BACK = (
    "read", "interesting", "not relevant", "idea", "note", "taken back",
)  # fmt: skip
MARKS = (READ, INTERESTING, NOT_RELEVANT, IDEA, NOTE, TAKEN_BACK)
"""What a change can be marked as; `taken back` undoes all earlier marks but `read`."""

LONGEST_NOTE = 20_000
"""Characters of a note that are kept."""


class MarkError(KminerError):
    """A mark cannot be kept, or the file of marks cannot be read (exit code 1)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark on the change `key` of `source`; `marked_at` is UTC."""

    source: str
    key: str
    mark: str
    note: str = ""
    marked_at: str = ""


@dataclass(slots=True)
class Standing:
    """What stands of a change's marks: `verdict` is interesting, not relevant or nothing; notes are `idea` or `note`.

    `read_at` is when it was last left as read or marked.
    """

    read_at: str = ""
    verdict: Mark | None = None
    notes: list[Mark] = field(default_factory=list)

    @property
    def marks(self) -> list[Mark]:
        """The marks that stand, but for `read`."""
        return ([self.verdict] if self.verdict else []) + self.notes


Identity = tuple[str, str]
"""Source and key of a change."""


@dataclass(frozen=True, slots=True)
class Book:
    """All marks, oldest first, and what is wrong with lines that could not be understood."""

    marks: tuple[Mark, ...]
    faults: tuple[str, ...]


def own_file() -> Path:
    """The user's own marks."""
    return places.own("data/marks") / "own.jsonl"


def load(file: Path | None = None) -> Book:
    """The marks of a file, by default the user's own. Lines that are not understood are told and left out.

    Raises MarkError when the file is there and cannot be read.
    """
    file = file or own_file()
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Book((), ())
    except OSError as error:
        raise MarkError(
            f"Your marks cannot be read: {error.strerror}.", where=str(file), next="Check its permissions."
        ) from error
    found: list[Mark] = []
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_mark(line))
            except ValueError as error:
                last = " (a kill while it was written?)" if number == len(lines) else ""
                faults.append(f"{file}:{number} is not a mark and was skipped: {error}{last}")
    return Book(tuple(found), tuple(faults))


def _mark(line: bytes) -> Mark:
    try:
        row = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
        raise ValueError("it must be an object of texts")
    known = {name: row.get(name, "") for name in ("source", "key", "mark", "note", "marked_at")}
    if not known["source"] or not known["key"] or known["mark"] not in MARKS:
        raise ValueError(f"it needs source, key, and a mark of: {', '.join(MARKS)}")
    return Mark(**{name: _whole(value) for name, value in known.items()})


def _whole(text: str) -> str:
    """JSON can name halves of characters, which no database keeps."""
    return text.encode("utf-8", "replace").decode("utf-8")


def append(mark: Mark) -> Mark:
    """Add a mark to the user's own file, dated now; it is on the disk, whole, when this returns.

    A line that a kill left broken stays apart from it. Raises MarkError when it cannot be written.
    """
    file = own_file()
    now = utc_now()
    dated = Mark(mark.source, mark.key, mark.mark, _whole(mark.note[:LONGEST_NOTE]), now)
    row = {"marked_at": now, "source": dated.source, "key": dated.key, "mark": dated.mark, "note": dated.note}
    line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
    try:
        new = not file.exists()
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, line)
        if new:
            _keep_name(file.parent)
    except OSError as error:
        raise MarkError(
            f"Your mark cannot be kept: {error.strerror}.",
            where=str(file),
            next="Check permissions and free space; no mark made before is lost.",
        ) from error
    return dated


def _write(file: Path, line: bytes) -> None:
    with file.open("a+b", buffering=0) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = handle.seek(0, os.SEEK_END)
        if size:
            handle.seek(size - 1)
            if handle.read(1) != b"\n":
                line = b"\n" + line
        rest = memoryview(line)
        while rest:
            rest = rest[handle.write(rest) :]
        os.fsync(handle.fileno())


def _keep_name(folder: Path) -> None:
    """A new file's name is in its folder, which is written by itself."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def standing(marks: Iterable[Mark]) -> dict[Identity, Standing]:
    """What stands for each change: of interesting and not relevant the later, all notes, less what was taken back."""
    found: dict[Identity, Standing] = {}
    for mark in marks:
        add(found, mark)
    return found


def add(found: dict[Identity, Standing], mark: Mark) -> None:
    """Let one more mark count."""
    here = found.setdefault((mark.source, mark.key), Standing())
    here.read_at = mark.marked_at or here.read_at or "?"
    if mark.mark in (INTERESTING, NOT_RELEVANT):
        here.verdict = mark
    elif mark.mark in (IDEA, NOTE):
        here.notes.append(mark)
    elif mark.mark == TAKEN_BACK:
        here.verdict, here.notes = None, []


def lasting(found: dict[Identity, Standing]) -> list[Mark]:
    """What stands, as marks again: one `read` a change, then the others; the same note twice counts once."""
    kept: dict[tuple[str, str, str, str], Mark] = {}
    for (source, key), here in found.items():
        for mark in (Mark(source, key, READ, "", here.read_at), *here.marks):
            kept[mark.source, mark.key, mark.mark, mark.note] = mark
    return list(kept.values())
