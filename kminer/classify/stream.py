"""Labels many changes over processes of kminer's own, in order, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from kminer.classify.classifier import Classifier, load_classifier
from kminer.records import Classification, Item
from kminer.workers import follow_parent, in_order, processes

BATCH = 250
"""Changes a task: some 0.2 s of work."""
WORTH_PROCESSES = 4 * BATCH
"""From how many changes on the start of processes pays."""

T = TypeVar("T")

_classifier: Classifier | None = None


def classify_batches(
    batches: Iterable[Sequence[Item]], jobs: int, with_model: bool, expected: int | None = None
) -> Iterator[list[Classification]]:
    """The labels of each batch, in order. `expected` changes (None: unknown) decide whether processes pay."""
    if jobs <= 1 or (expected is not None and expected < WORTH_PROCESSES):
        classifier = load_classifier(with_model)
        for batch in batches:
            yield classifier.classify(batch)
        return
    with processes(jobs, _begin, with_model) as executor:
        yield from in_order(executor, _classify, batches, 3 * jobs)


def in_batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """`items`, some at a time."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


def _begin(with_model: bool) -> None:
    global _classifier
    follow_parent()
    _classifier = load_classifier(with_model)


def _classify(batch: Sequence[Item]) -> list[Classification]:
    assert _classifier is not None
    return _classifier.classify(batch)
