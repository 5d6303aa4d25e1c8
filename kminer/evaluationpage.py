"""The figures of an evaluation as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kminer import labelbook
from kminer.markup import table

Figures = Mapping[str, Any]


def page(figures: Figures) -> str:
    """The page; the same figures give the same text."""
    return "\n".join(_parts(figures)).rstrip() + "\n"


def _parts(figures: Figures) -> Iterator[str]:
    yield "# How right the labels are\n"
    yield _CAVEAT
    counts = ", ".join(f"{name} {count:,}" for name, count in figures["sources"].items())
    yield f"Labelled by hand and at hand with their texts: {figures['examples']:,} changes ({counts}).\n"
    yield from _agreement(figures["agreement"])
    for split in figures["splits"]:
        yield from _split(split)


_CAVEAT = """<!-- Written by `kminer evaluate`. -->

F1 is in per cent; in brackets the 95 % interval of a bootstrap over changes. A macro average is over labels with at
least ten positives. No random split is quoted: changes of one title (picks, re-posted versions) are on one side of a
split. Many of the labelled changes were chosen because rules and model were in doubt about them, so figures on an even
sample are better than these. The annotators were language models that followed the guide, each reading alone; they are
of one kind and not independent experts: their agreement is an upper bound of what people would agree on.
"""


def _agreement(found: Figures) -> Iterator[str]:
    if not found["changes"]:
        return
    yield f"## Agreement of two annotators on {found['changes']:,} changes\n"
    yield "Cohen's kappa; where an axis has several labels, the mean over those that either annotator gave.\n"
    yield table(("axis", "kappa"), [(axis, _plain(found[axis])) for axis in _AXES if found.get(axis) is not None])
    low = [(f"{axis} {label}", _plain(value)) for axis in _AXES for label, value in found["labels"][axis].items()]
    yield "\n<details>\n<summary>By label</summary>\n\n" + table(("label", "kappa"), low) + "\n</details>\n"


_AXES = ("relevant", "mechanism", "kind", "dimension", "flag")


def _split(split: Figures) -> Iterator[str]:
    yield f"## Split: {split['name']}\n"
    yield f"Tested on {split['about']}: {split['tested_on']:,} changes, trained on {split['trained_on']:,}.\n"
    yield summaries("labeller", [(one["labeller"], one) for one in split["labellers"]])
    if len(split["by_source"]) > 1:
        yield "\nkminer by source:\n"
        yield summaries("source", split["by_source"].items())
    errors = ", ".join(f"{axis} {error:.3f}" for axis, error in split["calibration_error"].items())
    yield f"\nExpected calibration error of the labels given: {errors}.\n"
    yield "<details>\n<summary>By label, calibration, confusion of kinds</summary>\n"
    rows = [
        (f"{axis} {label}", _hundred(one["precision"]), _hundred(one["recall"]), _with_interval(one), one["positives"])
        for axis in _AXES
        for label, one in split["labels"][axis].items()
        if one["positives"]
    ]
    yield table(("label", "precision", "recall", "F1", "positives"), rows)
    bins = [
        (axis, f"{one['low']:.1f}-{one['high']:.1f}", one["count"], f"{one['claimed']:.2f}", f"{one['right']:.2f}")
        for axis in _AXES
        for one in split["calibration"][axis]
    ]
    yield "\n" + table(("axis", "probability", "labels", "claimed", "right"), bins)
    kinds = list(labelbook.load_labels().kinds)
    confused = [(kind, *row) for kind, row in zip(kinds, split["confusion"], strict=True)]
    yield "\n" + table(("kind by hand, given as", *kinds), confused) + "\n</details>\n"


def summaries(head: str, rows: Iterable[tuple[str, Figures]]) -> str:
    """A row a labeller or source: F1 of relevance, mechanisms, dimensions, accuracy of the kind."""
    columns = (
        head, "changes", "relevance F1", "mechanism micro F1", "macro", "kind accuracy", "macro F1", "dimension F1",
    )  # fmt: skip
    return table(columns, [_summary(name, one) for name, one in rows])


def _summary(name: str, one: Figures) -> Sequence[object]:
    return (
        name, one["changes"], _with_interval(one["relevance"]), _with_interval(one["mechanism"]),
        _hundred(one["mechanism_macro_f1"]), _hundred(one["kind_accuracy"]), _hundred(one["kind_macro_f1"]),
        _with_interval(one["dimension"]),
    )  # fmt: skip


def _with_interval(one: Figures) -> str:
    return f"{_hundred(one['f1'])} ({_hundred(one['low'])}-{_hundred(one['high'])})"


def _hundred(value: float) -> str:
    return f"{100 * value:.1f}"


def _plain(value: float) -> str:
    return f"{value:.2f}"
