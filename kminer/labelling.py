"""Labels what the store holds: only what is new, or was labelled by another version or before a label by hand."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from kminer import labelbook
from kminer.classify.classifier import load_version
from kminer.classify.rules import fingerprint
from kminer.classify.stream import classify_batches, in_batches
from kminer.progress import Progress
from kminer.records import Annotation
from kminer.store import labels as store
from kminer.store.writer import transaction


@dataclass(slots=True)
class LabelSummary:
    """What one run labelled; `known` changes were labelled before by the same version."""

    version: str
    labelled: int = 0
    unknown: int = 0
    by_hand: int = 0
    known: int = 0
    seconds: float = 0.0


def label_store(
    db: sqlite3.Connection, jobs: int, with_model: bool, progress: Progress, anew: bool = False,
    source: str | None = None,
) -> LabelSummary:  # fmt: skip
    """Bring the labels of the store up to date, batch by batch: interrupted, the next run goes on from there.

    `anew` labels everything; `source` only that one. Reads no git. Raises ModelError, CatalogueError or StoreError.
    """
    started = time.monotonic()
    version = load_version(with_model)
    summary = LabelSummary(version)
    hands, versions, wanted = _plan(db, version, anew, source, summary)
    if wanted:
        progress.start("labelling", len(wanted))
        _label(db, wanted, hands, versions, jobs, with_model, progress, summary)
        _mirror_catalogue(db)
    summary.seconds = time.monotonic() - started
    return summary


def _plan(
    db: sqlite3.Connection, version: str, anew: bool, source: str | None, summary: LabelSummary
) -> tuple[dict[int, Annotation], dict[int, str], list[int]]:
    """Labels by hand by change, the version each change is to have, and the changes that have another."""
    settled = labelbook.settled_annotations()
    hands, versions, wanted = dict[int, Annotation](), dict[int, str](), list[int]()
    for number, key, labelled_by in store.get_versions(db, source):
        due = version
        if key in settled:
            hands[number] = settled[key]
            due = f"{version}+{fingerprint(settled[key])}"
        if anew or labelled_by != due:
            versions[number] = due
            wanted.append(number)
        else:
            summary.known += 1
    return hands, versions, wanted


def _label(
    db: sqlite3.Connection, wanted: list[int], hands: dict[int, Annotation], versions: dict[int, str], jobs: int,
    with_model: bool, progress: Progress, summary: LabelSummary,
) -> None:  # fmt: skip
    given_by = "votes" if with_model else "rules"
    batches = in_batches(store.read_items(db, wanted))
    for found in classify_batches(batches, jobs, with_model, len(wanted)):
        with transaction(db):
            store.save_classifications(db, found, hands, given_by, versions)
        summary.labelled += len(found)
        summary.unknown += sum(bool(one.unknown) and int(one.id) not in hands for one in found)
        summary.by_hand += sum(int(one.id) in hands for one in found)
        progress.advance(len(found))


def _mirror_catalogue(db: sqlite3.Connection) -> None:
    """Let the tables of annotations and studies hold what the files do, the former of changes that are held."""
    held = {key for _, key, _ in store.get_versions(db)}
    notes = [note for key, of_key in labelbook.load_annotations().items() if key in held for note in of_key]
    with transaction(db):
        store.save_annotations(db, notes)
        store.save_studies(db, list(labelbook.load_studies().values()), labelbook.load_labels().kinds)
