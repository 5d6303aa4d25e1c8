"""The model's architecture: a linear layer over a bag of weighted features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Model, chain

from kminer.classify.features import keys_of

Floats = NDArray[np.float32]
Rows = tuple[NDArray[np.int64], Floats, NDArray[np.int64]]
"""Features of several docs one after another, their weights, and where each doc begins (and the last one ends)."""

_PARAMETERS = ("keys", "scale", "linear", "bias")


@registry.architectures("kminer.Bag.v1")  # type: ignore[untyped-decorator]
def create_bag(exclusive_classes: bool, nO: int | None = None) -> Model[Any, Any]:  # noqa: N803  spaCy's name
    """A text classifier over the features of a doc, for spaCy's textcat and textcat_multilabel.

    Features outside its vocabulary count for nothing. Scores are probabilities; the gradient is the cross-entropy's.
    """
    bag: Model[Any, Any] = Model(
        "kminer_bag", _forward, init=_init, dims={"nO": nO}, params=dict.fromkeys(_PARAMETERS)
    )
    scores: Model[Any, Any] = Model("kminer_scores", _scores, attrs={"exclusive": exclusive_classes})
    model: Model[Any, Any] = chain(bag, scores)
    model.attrs["multi_label"] = not exclusive_classes
    return model


def vocabulary(docs: Sequence[Doc], groups: NDArray[np.int64], least: int) -> tuple[NDArray[np.uint64], Floats]:
    """The features that occur in at least `least` groups, ascending, and the weight of each: rare ones weigh more."""
    pieces = []
    order = np.argsort(groups, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        pieces.append(np.unique(np.concatenate([keys_of(docs[row]) for row in rows])))
    keys, counts = np.unique(np.concatenate(pieces), return_counts=True)
    kept = counts >= least
    return keys[kept], np.sqrt(np.log(1 + len(pieces) / counts[kept])).astype(np.float32)


def fill(model: Model[Any, Any], keys: NDArray[np.uint64], scale: Floats, linear: Floats, bias: Floats) -> None:
    """Give `model` its vocabulary and its weights, (features, labels) and (labels,)."""
    _fill(model.layers[0], keys, scale, linear, bias)


def _fill(layer: Model[Any, Any], *values: Any) -> None:
    for name, value in zip(_PARAMETERS, values, strict=True):
        layer.set_param(name, value)


def rows_of(keys: NDArray[np.uint64], scale: Floats, docs: Sequence[Doc]) -> Rows:
    """Which known features each doc has, and with what weights: each doc's have length 1."""
    all_rows, all_weights, ends = [], [], [0]
    for doc in docs:
        wanted = keys_of(doc)
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        rows = rows[keys[rows] == wanted]
        weights = scale[rows]
        all_rows.append(rows)
        all_weights.append(weights / max(float(np.sqrt(weights @ weights)), 1e-6))
        ends.append(ends[-1] + len(rows))
    return np.concatenate(all_rows), np.concatenate(all_weights), np.array(ends)


def contributions(model: Model[Any, Any], doc: Doc, label: int) -> tuple[NDArray[np.uint64], Floats]:
    """The features of `doc` and what each adds to the score of `label`, before it becomes a probability."""
    keys, scale, linear, _ = _parameters(model.layers[0])
    if "rows" not in doc.user_data:
        doc.user_data["rows"] = rows_of(keys, scale, [doc])
    rows, weights, _ = doc.user_data["rows"]
    return keys[rows], weights * linear[rows, label].astype(np.float32)


def _parameters(layer: Model[Any, Any]) -> list[Any]:
    return [layer.get_param(name) for name in _PARAMETERS]


def _init(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:  # noqa: N803  thinc's names
    if model.has_param("linear") is None:
        out = Y.shape[1]
        model.set_dim("nO", out)
        _fill(model, np.zeros(1, np.uint64), np.zeros(1, np.float32), np.zeros((1, out), np.float32),
             np.zeros(out, np.float32))  # fmt: skip


def _sums(values: Floats, ends: NDArray[np.int64]) -> Floats:
    """Sums of the rows of each doc; a doc without any has zeros."""
    totals = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=totals[1:])
    return (totals[ends[1:]] - totals[ends[:-1]]).astype(np.float32)


def _forward(
    model: Model[Any, Any], docs: Sequence[Doc], is_train: bool
) -> tuple[Floats, Callable[[Floats], list[Doc]]]:
    keys, scale, linear, bias = _parameters(model)
    rows, weights, ends = rows_of(keys, scale, docs)
    scores = _sums(linear[rows] * weights[:, None], ends) + bias

    def backprop(gradient: Floats) -> list[Doc]:
        change: Any = np.zeros(linear.shape, dtype=np.float32)
        total: Any = gradient.sum(axis=0)
        np.add.at(change, rows, np.repeat(gradient, np.diff(ends), axis=0) * weights[:, None])
        model.inc_grad("linear", change)
        model.inc_grad("bias", total)
        return []

    return scores, backprop


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row, which add up to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _scores(model: Model[Any, Any], logits: Floats, is_train: bool) -> tuple[Floats, Callable[[Floats], Floats]]:
    if model.attrs["exclusive"]:
        return softmax(logits), lambda gradient: gradient
    chances = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return np.asarray(chances, np.float32), lambda gradient: gradient
