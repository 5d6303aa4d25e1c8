"""Labels by rules alone: no model, no probabilities that were measured."""

from __future__ import annotations

from collections.abc import Iterator

from kminer.classify.axes import Axes
from kminer.classify.rules import RuleVotes
from kminer.records import Label

_NAMED = {"path": 0.34, "prefix": 0.5, "title": 0.5, "text": 0.75}
"""From which score a rule's vote gives a mechanism."""


def decide(axes: Axes, given: RuleVotes) -> Iterator[Label]:
    """Labels of one change: mechanisms that a rule names firmly, kind and flags as claimed, natural dimensions.

    A score is the strongest vote's, not a probability. Where another meaning of a word was met, words do not count.
    """
    homonym = any(axis == "homonym" for axis, _, _ in given.votes)
    mechanisms: dict[str, float] = {}
    claims: dict[str, float] = {}
    flags: dict[str, float] = {}
    for (axis, label, voter), (score, _) in given.votes.items():
        if axis == "mechanism" and score >= _NAMED[voter] and not (homonym and voter in ("title", "text")):
            mechanisms[label] = max(mechanisms.get(label, 0), score)
        elif axis == "kind":
            claims[label] = claims.get(label, 0) + score * (2 if voter in ("title", "first-word") else 1)
        elif axis == "flag":
            flags[label] = max(flags.get(label, 0), score)
    yield Label("relevant", "yes" if mechanisms else "no", max(mechanisms.values(), default=0.5))
    yield from (Label("mechanism", name, score) for name, score in mechanisms.items())
    best = max(claims, key=lambda kind: (claims[kind], -axes.labels["kind"].index(kind)), default="maintenance")
    yield Label("kind", best, claims[best] / sum(claims.values()) if claims else 0.5)
    natural = {axes.natural[name]: score for name, score in mechanisms.items() if name in axes.natural}
    yield from (Label("dimension", name, score) for name, score in natural.items())
    yield from (Label("flag", name, score) for name, score in flags.items())
