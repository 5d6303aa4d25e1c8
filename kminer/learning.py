"""Training and evaluation over a corpus of labelled texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kminer import labelbook
from kminer.classify import evaluation, model, training
from kminer.classify.axes import AXES, Axes
from kminer.classify.document import read_document
from kminer.classify.rules import RuleBook, load_rule_book, rules_definition
from kminer.corpus import LabelledText
from kminer.errors import UsageError
from kminer.modelcard import card
from kminer.progress import Progress

Figures = dict[str, Any]
"""What an evaluation found, as JSON holds it."""


class _Workshop:
    """What training and evaluation both start from."""

    def __init__(self, corpus: Sequence[LabelledText]) -> None:
        self.axes = Axes.of(labelbook.load_labels())
        self.book: RuleBook = load_rule_book()
        self.nlp = model.build(self.axes)
        documents = [read_document(one.item.title, one.item.text, one.item.files) for one in corpus]
        notes = [one.note for one in corpus]
        self.examples = training.prepare(self.nlp, self.book, self.axes, documents, notes)

    def extend(self, examples: training.Examples) -> training.Examples:
        """`examples` with their other views."""
        return training.with_views(self.nlp, self.book, self.axes, examples)


def train_model(
    corpus: Sequence[LabelledText], target: Path, progress: Progress, figures: Figures | None = None
) -> Figures:
    """Train on all of `corpus` and write the model into `target`; returns the facts that its meta.json states.

    `figures`, those of an evaluation, are stated with the model.
    """
    progress.start("reading what was labelled", None)
    shop = _Workshop(corpus)
    progress.start("training", None)
    examples = shop.extend(shop.examples)
    combination = training.train_combination(shop.axes, examples, training.predict_unseen(examples))
    linear = training.train_linear(examples)
    model.fill(shop.nlp, linear.keys, linear.scale, linear.weights, linear.bias)
    facts: Figures = {
        "examples": len(corpus),
        "sources": dict(sorted(Counter(one.source or "unknown" for one in corpus).items())),
        "newest": max((one.date[:10] for one in corpus), default=""),
        "features": len(linear.keys),
        "rules": rules_definition(),
        "labels": {axis: list(shop.axes.labels[axis]) for axis in AXES},
        "method": "a logistic regression a label; combined with the rules' votes by one an axis",
    }  # fmt: skip
    if figures is not None:
        facts["figures"] = {split["name"]: split["labellers"][-1] for split in figures["splits"]}
    model.save(target, shop.nlp, combination, facts, card(facts, figures))
    return facts


def evaluate_corpus(corpus: Sequence[LabelledText], projects: Sequence[str], progress: Progress) -> Figures:
    """Figures of each split, of each labeller; and how far the annotators agree.

    A split that leaves nothing to train or to test on is left out. Raises UsageError when none remains.
    """
    progress.start("reading what was labelled", None)
    shop = _Workshop(corpus)
    sources, groups = [one.source for one in corpus], shop.examples.groups
    splits = [evaluation.split_by_time([one.date for one in corpus], sources, groups)]
    splits += [evaluation.split_by_project(sources, name, groups) for name in projects if name in sources]
    splits = [split for split in splits if len(split.test) and len(set(groups[split.train])) > 1]
    if not splits:
        raise UsageError(
            "No labelled change can be held out to be tested on.",
            next="Give the lines of texts a `date`, or name a --project whose changes are among them.",
        )
    figures: Figures = {
        "examples": len(corpus),
        "sources": dict(sorted(Counter(sources).items())),
        "agreement": agreement(),
        "splits": [],
    }
    for split in splits:
        progress.start(f"split: {split.name}", None)
        figures["splits"].append(_figures_of(shop, corpus, split))
    return figures


def _figures_of(shop: _Workshop, corpus: Sequence[LabelledText], split: evaluation.Split) -> Figures:
    truth, outcomes = evaluation.run_split(shop.axes, shop.examples, split, shop.extend)
    ours = outcomes[-1]
    assert ours.decided is not None
    sources = [corpus[row].source for row in split.test]
    bins = {axis: evaluation.calibration(truth[axis], ours.given[axis], ours.decided[axis]) for axis in AXES}
    return {
        "name": split.name,
        "about": split.about,
        "trained_on": len(split.train),
        "tested_on": len(split.test),
        "labellers": [_summary(truth, one) for one in outcomes],
        "by_source": {
            name: _summary(*_only(truth, ours, [s == name for s in sources])) for name in sorted(set(sources))
        },
        "labels": {
            axis: {label: asdict(one) for label, one in zip(shop.axes.labels[axis],
                   evaluation.per_label(truth[axis], ours.given[axis]), strict=True)}
            for axis in AXES
        },
        "calibration": {
            axis: [asdict(one) for one in found] for axis, found in bins.items()
        },
        "calibration_error": {axis: evaluation.calibration_error(found) for axis, found in bins.items()},
        "confusion": evaluation.confusion(truth["kind"], ours.given["kind"]).tolist(),
    }  # fmt: skip


def _only(
    truth: evaluation.Given, outcome: evaluation.Outcome, rows: list[bool]
) -> tuple[evaluation.Given, evaluation.Outcome]:
    part = {axis: values[rows] for axis, values in outcome.given.items()}
    return {axis: values[rows] for axis, values in truth.items()}, evaluation.Outcome(outcome.labeller, part)


def _summary(truth: evaluation.Given, outcome: evaluation.Outcome) -> Figures:
    given = outcome.given
    return {
        "labeller": outcome.labeller,
        "changes": len(truth["kind"]),
        "relevance": asdict(evaluation.score(truth["relevant"], given["relevant"])),
        "mechanism": asdict(evaluation.score(truth["mechanism"], given["mechanism"])),
        "mechanism_macro_f1": evaluation.macro_f1(truth["mechanism"], given["mechanism"]),
        "kind_accuracy": evaluation.accuracy(truth["kind"], given["kind"]),
        "kind_macro_f1": evaluation.macro_f1(truth["kind"], given["kind"]),
        "dimension": asdict(evaluation.score(truth["dimension"], given["dimension"])),
        "flag": asdict(evaluation.score(truth["flag"], given["flag"])),
    }


def agreement() -> Figures:
    """Cohen's kappa of the first two annotators of each change, by axis; where it has many labels, their mean."""
    pairs = []
    for notes in labelbook.load_annotations().values():
        first = [note for note in notes if note.annotator not in (labelbook.SETTLED, labelbook.OWN)][:2]
        if len(first) == 2:
            pairs.append((first[0], first[1]))
    if not pairs:
        return {"changes": 0}
    axes = Axes.of(labelbook.load_labels())
    found: Figures = {"changes": len(pairs), "labels": {}}
    for axis in AXES:
        kappas = {}
        for label in axes.labels[axis]:
            sides = [[label in note.labels(axis) for note in side] for side in zip(*pairs, strict=True)]
            if any(sides[0]) or any(sides[1]):
                kappas[label] = evaluation.kappa(*sides)
        found["labels"][axis] = kappas
        found[axis] = sum(kappas.values()) / len(kappas) if kappas else None
    found["kind"] = evaluation.kappa(*([note.kind for note in side] for side in zip(*pairs, strict=True)))
    return found
