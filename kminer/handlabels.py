"""Labelling by hand: which changes are worth a look, and the user's own file of labels."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import click

from kminer import labelbook, places
from kminer.errors import KminerError
from kminer.records import Annotation, is_reserved
from kminer.store.labels import changed_files, find_disputed, find_doubtful, find_rare, find_unseen
from kminer.store.reader import Row

RANDOM_SHARE = 0.2
"""Share of the queue that is drawn by chance, so that what nobody doubts is looked at too."""


def own_file() -> Path:
    """The user's own labels."""
    return places.own("data/annotations") / "own.tsv"


def queue(db: sqlite3.Connection, size: int, source: str | None, seed: int) -> list[Row]:
    """Changes to label by hand, each once, with `why`: voters disagree, near the threshold, a rare label, by chance.

    Changes already labelled by hand, and reserved ones (id ends in 0), are left out.
    """
    by_chance = max(1, round(size * RANDOM_SHARE))
    third = max(1, (size - by_chance) // 3)
    wells = [
        (find_disputed(db, source), third, "its voters disagree"),
        (find_rare(db, source), third, "a rare label"),
        (find_doubtful(db, source), size - by_chance - 2 * third, "near the threshold"),
        (find_unseen(db, source, seed), by_chance, "by chance"),
    ]
    done = set(labelbook.load_annotations())
    chosen: dict[object, Row] = {}
    for rows, wanted, why in wells:
        fresh = [
            row for row in rows
            if row["id"] not in chosen and row["key"] not in done and not is_reserved(str(row["key"]))
        ]  # fmt: skip
        for row in fresh[:wanted]:
            chosen[row["id"]] = row | {"why": why}
    return list(chosen.values())[:size]


def append(note: Annotation) -> None:
    """Add labels to the user's own file; the line is on the disk, whole, when this returns."""
    file = own_file()
    fields = (note.key, note.annotator, str(int(note.relevant)), " ".join(note.mechanisms), note.kind,
              " ".join(note.dimensions), " ".join(note.flags), note.stratum, f"{note.weight:g}")  # fmt: skip
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = not file.exists()
        with file.open("a", encoding="utf-8") as handle:
            if new:
                handle.write("\t".join(labelbook.ANNOTATION_COLUMNS) + "\n")
            handle.write("\t".join(fields) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise KminerError(
            f"Your labels cannot be written: {error.strerror}.",
            where=str(file),
            next="Check permissions and free space; nothing labelled before is lost.",
        ) from error


def withdraw(key: str, stratum: str) -> bool:
    """Take the labels of `stratum` back that the user's own file holds of a change; whether there were any.

    The file is replaced as a whole: a kill leaves the old one or the new.
    """
    file = own_file()
    beside = file.with_name(file.name + ".part")
    try:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
        kept = [line for line in lines if not _is_of(line, key, stratum)]
        if len(kept) == len(lines):
            return False
        with beside.open("w", encoding="utf-8") as handle:
            handle.writelines(kept)
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(file)
    except (OSError, UnicodeDecodeError) as error:
        raise KminerError(
            f"The label cannot be taken back: {getattr(error, 'strerror', None) or error}.",
            where=str(file),
            next="Check permissions and free space; nothing was changed.",
        ) from error
    return True


def _is_of(line: str, key: str, stratum: str) -> bool:
    row = dict(zip(labelbook.ANNOTATION_COLUMNS, line.rstrip("\n").split("\t"), strict=False))
    return row.get("key") == key and row.get("stratum") == stratum


def ask_all(db: sqlite3.Connection, rows: list[Row], say: Callable[[str], None]) -> int:
    """Show one change after another and keep the answers; returns how many were labelled."""
    done, place = 0, 0
    while place < len(rows):
        row = rows[place]
        say(_shown(row, place, len(rows), changed_files(db, row["id"])))
        answer = _choose("relevant? y/n, s skip, b back, q quit", ("y", "n", "s", "b", "q"), 1, 1)[0]
        if answer == "q":
            break
        if answer in "yn":
            append(_asked(row, answer == "y"))
            done += 1
        place = max(0, place - 1) if answer == "b" else place + 1
    return done


def _shown(row: Row, place: int, count: int, files: list[str]) -> str:
    listed = "\n".join(f"  {file}" for file in files[:20]) + ("\n  ..." if len(files) > 20 else "")
    text = str(row["text"]).strip()[:4000]
    head = f"--- {place + 1} of {count}  {row['source']}  {str(row['key'])[:16]}  ({row['why']})"
    return f"\n{head}\n{text}\n{listed}"


def _asked(row: Row, relevant: bool) -> Annotation:
    labels = labelbook.load_labels()
    mechanisms = _choose("mechanisms", tuple(labels.mechanisms), 0, 9) if relevant else ()
    kind = _choose("kind", tuple(labels.kinds), 1, 1)[0]
    dimensions = _choose("dimensions", tuple(labels.dimensions), 0, 9) if relevant else ()
    flags = _choose("flags", tuple(labels.flags), 0, 2)
    return Annotation(str(row["key"]), labelbook.OWN, relevant, mechanisms, kind, dimensions, flags, str(row["why"]))


def _choose(question: str, known: tuple[str, ...], least: int, most: int) -> tuple[str, ...]:
    """Ask until the answer names `least` to `most` of `known`; a part of a name will do where it is the only one."""
    while True:
        typed = click.prompt(question, default="" if least == 0 else None, show_default=False).split()
        if typed == ["?"]:
            click.echo("  " + " ".join(known))
            continue
        found = [_named(word, known) for word in typed]
        wrong = [word for word, names in zip(typed, found, strict=True) if len(names) != 1]
        if not wrong and least <= len(found) <= most:
            return tuple(dict.fromkeys(names[0] for names in found))
        for word in wrong:
            names = _named(word, known)
            click.echo(f"  '{word}' " + (f"may be {', '.join(names)}" if names else "is not known; ? lists the names"))
        if not wrong:
            click.echo(f"  give {least} to {most} names, parted by spaces")


def _named(word: str, known: tuple[str, ...]) -> list[str]:
    exact = [name for name in known if word.lower() in (name, name.partition(".")[2])]
    begun = word.lower()
    return exact or [name for name in known if name.startswith(begun) or name.partition(".")[2].startswith(begun)]
