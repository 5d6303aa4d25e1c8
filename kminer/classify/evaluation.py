"""How well labels agree with those given by hand: on newer changes, and on a project that was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from kminer.classify.axes import AXES, Axes
from kminer.classify.training import (
    Examples,
    Linear,
    ballot_of,
    best_thresholds,
    predict_unseen,
    train_combination,
    train_linear,
)

Bools = NDArray[np.bool_]
Given = dict[str, Bools]
"""Labels by axis, (n, labels)."""

RESAMPLES = 500
LEAST_POSITIVE = 10
"""Macro averages are over labels with at least so many positives."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is trained on and what is tested on: rows of the corpus. No group is in both."""

    name: str
    about: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split_by_time(
    dates: Sequence[str], sources: Sequence[str], groups: NDArray[np.int64], share: float = 0.25
) -> Split:
    """The newest `share` of each source is tested on; a group with a member in the older part is not."""
    order = np.array(sorted(range(len(dates)), key=lambda row: (sources[row], dates[row])))
    newest = np.zeros(len(dates), dtype=bool)
    for source in sorted(set(sources)):
        rows = [row for row in order if sources[row] == source and dates[row]]
        newest[rows[len(rows) - round(share * len(rows)) :]] = True
    return _split("time", f"the newest {share:.0%} of each source, trained on what came before", newest, groups)


def split_by_project(sources: Sequence[str], project: str, groups: NDArray[np.int64]) -> Split:
    """One project is tested on, all others are trained on."""
    held = np.array([source == project for source in sources])
    return _split(f"held-out {project}", f"all of {project}, trained on the other sources alone", held, groups)


def _split(name: str, about: str, held: Bools, groups: NDArray[np.int64]) -> Split:
    train = np.flatnonzero(~held)
    test = np.flatnonzero(held & ~np.isin(groups, groups[train]))
    return Split(name, about, train, test)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one labeller gave to the tested changes; probabilities where it has any."""

    labeller: str
    given: Given
    decided: Mapping[str, NDArray[np.float32]] | None = None


def run_split(
    axes: Axes, plain: Examples, split: Split, extend: Callable[[Examples], Examples]
) -> tuple[Given, list[Outcome]]:
    """Train on a split and label its tested part, by kminer and by three baselines; the truth comes first.

    `extend` gives the examples that are trained on besides the plain ones (other views of the same changes).
    """
    train, test = plain.part(split.train), plain.part(split.test)
    outcomes = [
        by_paths(axes, test),
        by_keywords(axes, test),
        by_tfidf(axes, train, test),
        by_kminer(axes, extend(train), test),
    ]
    return {axis: values.astype(bool) for axis, values in test.truth.items()}, outcomes


def by_kminer(axes: Axes, train: Examples, test: Examples) -> Outcome:
    """Rules and model, trained on `train` alone."""
    combination = train_combination(axes, train, predict_unseen(train))
    model: Linear = train_linear(train)
    decided = combination.decide(axes, ballot_of(axes, test, model.predict(test.docs)))
    given = _nothing(axes, len(test))
    place = axes.index()
    for row in range(len(test)):
        for axis, labels in combination.given(axes, decided, row).items():
            for label in labels:
                given[axis][row, place[axis, label]] = True
    return Outcome("kminer", given, decided)


def by_paths(axes: Axes, test: Examples) -> Outcome:
    """Tracked paths alone; every kind is the most frequent one, maintenance."""
    given = _nothing(axes, len(test))
    place = axes.index()
    for row, votes in enumerate(test.votes):
        for axis, label, voter in votes.votes:
            if axis == "mechanism" and voter == "path":
                given["mechanism"][row, place[axis, label]] = True
    given["kind"][:, place["kind", "maintenance"]] = True
    return Outcome("path rules", _follow(axes, given))


def by_keywords(axes: Axes, test: Examples) -> Outcome:
    """A mechanism's words anywhere in title or message, as one would grep; kind by the words of the title."""
    given = _nothing(axes, len(test))
    place = axes.index()
    claims = np.zeros(given["kind"].shape)
    for row, votes in enumerate(test.votes):
        for (axis, label, voter), (score, _) in votes.votes.items():
            if axis in ("mechanism", "flag") and voter in ("title", "text"):
                given[axis][row, place[axis, label]] = True
            elif axis == "kind" and voter in ("title", "first-word"):
                claims[row, place[axis, label]] += score
    claims[:, place["kind", "maintenance"]] += 0.5
    given["kind"] = _highest(claims)
    return Outcome("keywords", _follow(axes, given))


def by_tfidf(axes: Axes, train: Examples, test: Examples) -> Outcome:
    """TF-IDF of words and their pairs with a logistic regression a label, as is customary; thresholds from training."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True)
    texts = [[f"{d.subject}\n{d.body}" for d in part.documents] for part in (train, test)]
    matrices = vectors.fit_transform(texts[0]), vectors.transform(texts[1])
    scores: list[dict[str, NDArray[np.float32]]] = [{}, {}]
    for axis in AXES:
        truth = train.truth[axis]
        for which, matrix in enumerate(matrices):
            scores[which][axis] = np.zeros((matrix.shape[0], truth.shape[1]), np.float32)
        for label in range(truth.shape[1]):
            if 3 <= truth[:, label].sum() < len(truth):
                fitted = LogisticRegression(C=10, solver="liblinear").fit(matrices[0], truth[:, label])
                for which, matrix in enumerate(matrices):
                    scores[which][axis][:, label] = fitted.predict_proba(matrix)[:, 1]
    thresholds = best_thresholds(scores[0], train.truth)
    given = {axis: values >= thresholds.get(axis, 0.5) for axis, values in scores[1].items()}
    given["kind"] = _highest(scores[1]["kind"])
    return Outcome("TF-IDF + LR", given)


def _highest(scores: NDArray[Any]) -> Bools:
    """Of each row the highest place alone."""
    highest: Bools = np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
    return highest


def _nothing(axes: Axes, count: int) -> Given:
    return {axis: np.zeros((count, len(axes.labels[axis])), dtype=bool) for axis in AXES}


def _follow(axes: Axes, given: Given) -> Given:
    """Relevance and dimensions as the mechanisms bring them."""
    given["relevant"] = np.asarray(given["mechanism"].any(axis=1, keepdims=True))
    place = axes.index()
    for name, dimension in axes.natural.items():
        given["dimension"][:, place["dimension", dimension]] |= given["mechanism"][:, place["mechanism", name]]
    return given


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 with the 95 % interval of F1, over `positives` cases; `cells` are what was counted."""

    precision: float
    recall: float
    f1: float
    low: float
    high: float
    positives: int


def score(truth: Bools, given: Bools, seed: int = 0) -> Score:
    """Micro score over all labels of (n, labels); changes are resampled whole for the interval."""
    if not len(truth):
        return Score(0.0, 0.0, 0.0, 0.0, 0.0, 0)
    pairs = ((truth, given), (~truth, given), (truth, ~given))
    counts = np.stack([(one & other).sum(axis=1).astype(float) for one, other in pairs], axis=1)
    total = counts.sum(axis=0)
    draws = np.random.default_rng(seed).multinomial(len(truth), np.full(len(truth), 1 / len(truth)), RESAMPLES)
    again = _f1(draws @ counts)
    low, high = np.quantile(again, [0.025, 0.975])
    return Score(
        float(total[0] / max(1e-9, total[0] + total[1])), float(total[0] / max(1e-9, total[0] + total[2])),
        float(_f1(total)), float(low), float(high), int(truth.sum()),
    )  # fmt: skip


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    hits, wrong, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    return 2 * hits / np.maximum(1e-9, 2 * hits + wrong + missed)


def per_label(truth: Bools, given: Bools) -> list[Score]:
    """The score of each label by itself."""
    return [score(truth[:, [label]], given[:, [label]]) for label in range(truth.shape[1])]


def macro_f1(truth: Bools, given: Bools) -> float:
    """Mean F1 over labels with at least LEAST_POSITIVE positives."""
    scores = [one.f1 for one in per_label(truth, given) if one.positives >= LEAST_POSITIVE]
    return float(np.mean(scores)) if scores else 0.0


def accuracy(truth: Bools, given: Bools) -> float:
    """Share of changes whose one label is right."""
    return float((truth & given).any(axis=1).mean())


@dataclass(frozen=True, slots=True)
class Bin:
    """Labels given with a probability in (low, high]: how many, what was claimed on average, what share was right."""

    low: float
    high: float
    count: int
    claimed: float
    right: float


def calibration(truth: Bools, outcome_given: Bools, probability: NDArray[np.float32], bins: int = 10) -> list[Bin]:
    """The labels that were given, by their probability."""
    claimed, right = probability[outcome_given], truth[outcome_given]
    found = []
    for step in range(bins):
        inside = (claimed > step / bins) & (claimed <= (step + 1) / bins)
        if inside.any():
            found.append(Bin(step / bins, (step + 1) / bins, int(inside.sum()), float(claimed[inside].mean()),
                             float(right[inside].mean())))  # fmt: skip
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance between claimed and right, weighted by count."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.claimed - one.right) for one in bins) / max(1, total)


def confusion(truth: Bools, given: Bools) -> NDArray[np.int64]:
    """How often each label (row) was given as each (column)."""
    return truth.T.astype(np.int64) @ given.astype(np.int64)


def kappa(first: Sequence[object], second: Sequence[object]) -> float:
    """Cohen's kappa of two annotators: agreement beyond chance; 1 where both always say the same one thing."""
    count = len(first)
    same = sum(a == b for a, b in zip(first, second, strict=True)) / count
    chance = sum(first.count(value) * second.count(value) for value in set(first)) / count**2
    return 1.0 if chance == 1 else (same - chance) / (1 - chance)
