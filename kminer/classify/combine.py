"""Weighs the voters against each other: a logistic combination of all votes on a label, calibrated, one an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kminer.classify.axes import AXES, Axes
from kminer.classify.rules import RuleVotes

Floats = NDArray[np.float32]
VOTERS = ("path", "prefix", "title", "text", "first-word", "trailer")
"""The rules' voters, in the order of the arrays."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """All votes on n changes: by axis, the rules' (n, labels, VOTERS) and the model's probabilities (n, labels).

    `facts` (n, 3) are: other meanings met, whether files are known, whether there is a message below the title.
    """

    rules: dict[str, Floats]
    model: dict[str, Floats]
    facts: Floats


def count_votes(
    axes: Axes, votes: Sequence[RuleVotes], model: Mapping[str, Floats], has_files: Sequence[bool],
    has_body: Sequence[bool],
) -> Ballot:  # fmt: skip
    """The votes as arrays."""
    rules = {axis: np.zeros((len(votes), len(axes.labels[axis]), len(VOTERS)), np.float32) for axis in AXES}
    place, voter_place = axes.index(), {voter: index for index, voter in enumerate(VOTERS)}
    homonyms = np.zeros(len(votes), np.float32)
    for row, given in enumerate(votes):
        for (axis, label, voter), (score, _) in given.votes.items():
            if axis == "homonym":
                homonyms[row] += 1
            else:
                rules[axis][row, place[axis, label], voter_place[voter]] = score
    facts = np.stack([homonyms, np.array(has_files, np.float32), np.array(has_body, np.float32)], axis=1)
    return Ballot(rules, dict(model), facts)


def logit(probability: Floats) -> Floats:
    """Log-odds, held within what a model can be sure of."""
    bounded = np.clip(probability, 1e-4, 1 - 1e-4)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds


def evidence(axes: Axes, axis: str, ballot: Ballot, mechanism: Floats | None = None) -> Floats:
    """What speaks for each label of `axis`: (n, labels, terms). Dimensions need `mechanism`, decided before them."""
    model, rules = logit(ballot.model[axis]), ballot.rules[axis]
    if axis == "relevant":
        return _evidence_of_relevance(ballot)[:, None, :]
    count, labels = model.shape
    total = rules.sum(axis=2)
    most = total.max(axis=1, keepdims=True)
    best = model.max(axis=1, keepdims=True)
    others = total.sum(axis=1, keepdims=True) - total
    relevance = logit(ballot.model["relevant"])
    path, prefix, title, text = (rules[:, :, place] for place in range(4))
    terms = [
        model, model - best, *(rules[:, :, place] for place in range(len(VOTERS))), (path > 0) * 1.0,
        total, total / np.maximum(most, 0.01), others, (others > 0) * 1.0,
        np.broadcast_to(relevance, model.shape),
        *(np.broadcast_to(ballot.facts[:, [fact]], model.shape) for fact in range(3)),
        model * text, model * prefix, prefix * text, path * text, title * text, model * title,
        model * (path > 0),
    ]  # fmt: skip
    if axis == "dimension":
        assert mechanism is not None
        terms += _natural(axes, mechanism, labels)
    shared = np.stack([np.asarray(term, np.float32) for term in terms], axis=2)
    own = np.zeros((count, labels, labels, 5), np.float32)
    own_terms = np.stack([0.7 + 0 * model, 0.15 * model, 0.5 * prefix, 0.5 * text, 0.5 * (path > 0)], axis=2)
    for place in range(labels):
        own[:, place, place] = own_terms[:, place]
    return np.concatenate([shared, own.reshape(count, labels, -1)], axis=2)


def _natural(axes: Axes, mechanism: Floats, labels: int) -> list[Floats]:
    """Of each dimension: how sure a mechanism is that brings it, that, and that it is the only one."""
    sure = np.zeros((len(mechanism), labels), np.float32)
    for name, dimension in axes.natural.items():
        place = axes.labels["dimension"].index(dimension)
        sure[:, place] = np.maximum(sure[:, place], mechanism[:, axes.labels["mechanism"].index(name)])
    return [sure, logit(sure), sure * (sure.max(axis=1, keepdims=True) <= sure)]


def _evidence_of_relevance(ballot: Ballot) -> Floats:
    rules, model = ballot.rules["mechanism"], logit(ballot.model["mechanism"])
    own = logit(ballot.model["relevant"])
    strongest = rules.max(axis=1)[:, :4]
    total = rules.sum(axis=2)
    widest = np.minimum(model.max(axis=1, keepdims=True), 6)
    return np.concatenate([
        own, widest, strongest, total.max(axis=1, keepdims=True), (total > 0).sum(axis=1, keepdims=True) / 5.0,
        np.minimum(ballot.facts[:, :1], 3), ballot.facts[:, 1:], own * strongest, widest * strongest,
        ballot.facts[:, :1] * own, (total.max(axis=1, keepdims=True) == 0) * 1.0,
    ], axis=1).astype(np.float32)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Combination:
    """Weights by axis, with the constant last, and the probability from which a label is given."""

    weights: dict[str, Floats]
    thresholds: dict[str, float]

    def decide(self, axes: Axes, ballot: Ballot) -> dict[str, Floats]:
        """Probabilities by axis, (n, labels); those of kind add up to 1."""
        found: dict[str, Floats] = {}
        for axis in AXES:
            weights = self.weights[axis]
            terms = evidence(axes, axis, ballot, found.get("mechanism"))
            scores = 1 / (1 + np.exp(-np.clip(terms @ weights[:-1] + weights[-1], -30, 30)))
            found[axis] = scores / scores.sum(axis=1, keepdims=True) if axis == "kind" else scores
        return found

    def given(self, axes: Axes, decided: Mapping[str, Floats], row: int) -> dict[str, list[str]]:
        """The labels of one change by axis: none of mechanism, dimension and flag for one that is not relevant."""
        relevant = bool(decided["relevant"][row, 0] >= self.thresholds["relevant"])
        kind = axes.labels["kind"][int(decided["kind"][row].argmax())]
        labels: dict[str, list[str]] = {"relevant": ["yes"] if relevant else [], "kind": [kind]}
        for axis in ("mechanism", "dimension", "flag"):
            scores = decided[axis][row]
            kept = np.flatnonzero(scores >= self.thresholds[axis])
            if axis == "mechanism" and not len(kept) and scores.max() >= self.thresholds["only mechanism"]:
                kept = scores.argmax(keepdims=True)
            labels[axis] = [axes.labels[axis][place] for place in kept] if relevant or axis == "flag" else []
        return labels

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        rounded = {axis: [round(float(weight), 5) for weight in weights] for axis, weights in self.weights.items()}
        return {"weights": rounded, "thresholds": self.thresholds}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Combination:
        """From what `to_json` gave."""
        weights = {axis: np.array(values, np.float32) for axis, values in data["weights"].items()}
        return Combination(weights, {name: float(value) for name, value in data["thresholds"].items()})
