"""Lists of commits known to be merged as a source: titles to hold posted patches against."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from kminer.errors import NotesError, UsageError
from kminer.progress import Progress
from kminer.records import Source, utc_now
from kminer.sources.git import Options, Summary
from kminer.store import mails as store
from kminer.store import reader, ties, writer

READER_VERSION = "1"
"""Part of a source's definition: raised when lists are read differently, so that all are read anew."""

TOLD = 10
"""Lines of a file without a title that are named; of others only their number is told."""

_COMMIT = re.compile(r"[0-9a-f]{12,40}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RELEASE = re.compile(r"v?\d+(?:\.\d+)+(?:-rc\d+)?")

Title = tuple[str, str, str, str]
"""Title, commit id, release, day; each but the first may be empty."""


def sync(source: Source, db: sqlite3.Connection, database: Path, options: Options, progress: Progress) -> Summary:
    """Replace the source's titles by those of its file, or of all files of its folder.

    A line that is not understood is named in the summary's `failures`; the others are kept. Raises NotesError where
    there is no file; the store is then as it was.
    """
    started = time.monotonic()
    row, cursor = reader.get_cursor(db, source.id)
    place = options.repository or (Path(str(row["location"])) if row else None)
    if place is None:
        raise UsageError(
            f"Source '{source.id}' has no address of its own.",
            next=f"Give a file or folder of titles: kminer sync {source.id} --from PATH (docs/proposals.md).",
        )
    files = _files(source, place.absolute())
    definition = hashlib.sha256(READER_VERSION.encode()).hexdigest()[:12]
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:32] for file in files}
    summary = Summary(source.id, str(place), read=len(files))
    known = {name: digest for name, (digest, _) in cursor.items()} if row and row["definition"] == definition else None
    if known == digests and not options.full:
        summary.notes.append("nothing new")
        summary.seconds = time.monotonic() - started
        return summary
    progress.start(f"{source.id}: reading titles", len(files))
    facts: dict[str, object] = {
        "location": str(place.absolute()), "definition": definition, "since": None, "shallow": 0,
        "commits": len(files), "synced_at": utc_now(),
    }  # fmt: skip
    with writer.transaction(db):
        ties.set_tied(db, ties.STALE)
        writer.save_source(db, source)
        before = store.count_merged_titles(db, source.id)
        store.forget_mails(db, source.id)
        for file in files:
            titles = [(*title, file.name) for title in read_titles(file, summary.failures)]
            summary.matched += len(titles)
            store.save_merged_titles(db, source.id, titles)
            progress.advance(1)
        summary.new = max(0, store.count_merged_titles(db, source.id) - before)
        writer.save_cursor(db, source.id, ((name, digest, None) for name, digest in digests.items()), facts)
        store.save_newest_title(db, source.id)
        writer.optimise(db)
    summary.seconds = time.monotonic() - started
    return summary


def _files(source: Source, place: Path) -> list[Path]:
    names = ("*.tsv", "*.tsv.gz", "*.jsonl", "*.jsonl.gz")
    files = sorted({file for name in names for file in place.glob(name)}) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise NotesError(
            f"There are no lists of titles of '{source.id}' here.", where=str(place),
            next=f"Give a file, or a folder of files named like {', '.join(names)}.",
        )  # fmt: skip
    return files


def read_titles(file: Path, failures: list[str]) -> Iterator[Title]:
    """The titles of a file, gzipped or not.

    A line is either fields parted by tabs (a commit id, a release and a day in any order, then the title last), or a
    record of the kernel's CVE team as JSON (its `title`, and the fixes in `dyad`).
    """
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode("utf-8-sig", "replace")
    except (OSError, EOFError, zlib.error) as error:
        failures.append(f"This list cannot be read: {error}. (where: {file})")
        return
    bad = 0
    for number, line in enumerate(text.split("\n"), 1):
        titles = list(_from_json(line) if line.startswith("{") else _from_fields(line.rstrip("\r")))
        if line.strip() and not titles:
            bad += 1
            if bad <= TOLD:
                failures.append(f"This line gives no title. (where: {file}:{number})")
        yield from titles
    if bad > TOLD:
        failures.append(f"{bad - TOLD:,} more lines give no title. (where: {file})")


def _from_fields(line: str) -> Iterator[Title]:
    *fields, title = line.split("\t")
    facts = {"commit": "", "release": "", "day": ""}
    for field in fields:
        for name, pattern in (("day", _DAY), ("commit", _COMMIT), ("release", _RELEASE)):
            if pattern.fullmatch(field):
                facts[name] = field if name != "day" or _is_day(field) else ""
                break
    if title.strip() and fields:
        yield title.strip(), facts["commit"], facts["release"], facts["day"]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _from_json(line: str) -> Iterator[Title]:
    """A record names a fix for each branch, in the order of the branches: the last is the mainline's."""
    try:
        record = json.loads(line)
        title, fixes = record["title"], [dyad.split(":") for dyad in record.get("dyad", [])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return
    if isinstance(title, str) and title.strip():
        title = title.encode("utf-8", "replace").decode()  # JSON can name half a letter
        fixed = next((fix for fix in reversed(fixes) if len(fix) == 4 and _COMMIT.fullmatch(fix[3])), None)
        yield title.strip(), fixed[3] if fixed else "", fixed[2] if fixed else "", ""
