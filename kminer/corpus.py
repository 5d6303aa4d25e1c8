"""Labels by hand joined with the texts they are about: from the store, and from files of JSON lines."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kminer import labelbook
from kminer.classify.jsonl import LineError, numbered, read_item
from kminer.errors import UsageError
from kminer.records import Annotation, Item, is_reserved
from kminer.store.labels import read_labelled_texts


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A change with its text and its labels by hand; `date` is ISO 8601, empty where it is not known."""

    item: Item
    note: Annotation
    source: str
    date: str


def load_corpus(db: sqlite3.Connection | None, files: Iterable[Path]) -> list[LabelledText]:
    """All changes that were labelled by hand and whose text is at hand, in the order of their keys.

    Reserved changes are left out, should a file hold any. Raises UsageError for a line that is no change.
    """
    notes = {key: note for key, note in labelbook.settled_annotations().items() if not is_reserved(key)}
    texts = {item.id: (item, source, date) for file in files for item, source, date in _read(file)}
    if db is not None:
        held = read_labelled_texts(db, set(notes) - set(texts))
        texts |= {item.id: (item, source, date) for item, source, date in held}
    return [LabelledText(texts[key][0], notes[key], *texts[key][1:]) for key in sorted(notes) if key in texts]


def _read(file: Path) -> Iterator[tuple[Item, str, str]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in numbered(lines):
                try:
                    item = read_item(line)
                except LineError as error:
                    raise UsageError(f"Line {number} is not a change: {error}.", where=str(file)) from error
                facts = json.loads(line)
                yield item, str(facts.get("source") or ""), str(facts.get("date") or "")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"This file cannot be read: {error}.", where=str(file)) from error
