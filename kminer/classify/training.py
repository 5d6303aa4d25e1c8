"""Trains the model and the combination from changes labelled by hand. Needs scikit-learn (the extra `train`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from spacy.language import Language
from spacy.tokens import Doc

from kminer.classify.axes import AXES, Axes
from kminer.classify.bag import Floats, rows_of, softmax, vocabulary
from kminer.classify.combine import Ballot, Combination, count_votes, evidence
from kminer.classify.document import Document
from kminer.classify.features import make_doc
from kminer.classify.rules import RuleBook, RuleVotes
from kminer.records import Annotation

LEAST_GROUPS = 5
"""A feature is known to the model when changes of so many titles have it."""
STRENGTH = 40.0
"""Inverse of the penalty on the model's weights, chosen by cross-validation."""
COMBINATION_STRENGTH = 1.0
LEAST_POSITIVE = 3
"""A label with fewer examples is left to the rules."""
FOLDS = 4
BARE = 3
"""Of one group in so many, a view without files is trained on."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled changes in the forms that training reads: one row a change in each."""

    documents: list[Document]
    votes: list[RuleVotes]
    docs: list[Doc]
    truth: dict[str, NDArray[np.bool_]]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.documents)

    def part(self, rows: Sequence[int] | NDArray[np.int64]) -> Examples:
        """The examples at `rows`."""
        return Examples(
            [self.documents[row] for row in rows],
            [self.votes[row] for row in rows],
            [self.docs[row] for row in rows],
            {axis: values[rows] for axis, values in self.truth.items()},
            self.groups[rows],
        )


def prepare(
    nlp: Language, book: RuleBook, axes: Axes, documents: Sequence[Document], annotations: Sequence[Annotation]
) -> Examples:
    """Examples from documents and their labels. Changes of one title (picks, re-posted versions) are one group."""
    votes = [book.vote(document) for document in documents]
    docs = [make_doc(nlp, document, given) for document, given in zip(documents, votes, strict=True)]
    titles = [" ".join(document.title.lower().split()) or str(row) for row, document in enumerate(documents)]
    groups = np.unique(titles, return_inverse=True)[1]
    return Examples(list(documents), votes, docs, truth_of(axes, annotations), groups)


def with_views(nlp: Language, book: RuleBook, axes: Axes, examples: Examples) -> Examples:
    """`examples`, then how they look where fewer files are known: tracked ones alone or, of some, none at all."""
    rows: list[int] = []
    documents: list[Document] = []
    for row, document in enumerate(examples.documents):
        tracked = tuple(file for file in document.files if book.is_tracked(file))
        if tracked != document.files:
            rows.append(row)
            documents.append(replace(document, files=tracked))
        if tracked and examples.groups[row] % BARE == 0:
            rows.append(row)
            documents.append(replace(document, files=()))
    votes = [book.vote(document) for document in documents]
    docs = [make_doc(nlp, document, given) for document, given in zip(documents, votes, strict=True)]
    return Examples(
        examples.documents + documents,
        examples.votes + votes,
        examples.docs + docs,
        {axis: np.concatenate([truth, truth[rows]]) for axis, truth in examples.truth.items()},
        np.concatenate([examples.groups, examples.groups[rows]]),
    )


def truth_of(axes: Axes, annotations: Sequence[Annotation]) -> dict[str, NDArray[np.bool_]]:
    """Labels by hand as arrays, (n, labels) an axis."""
    return {
        axis: np.array([[label in note.labels(axis) for label in axes.labels[axis]] for note in annotations], bool)
        for axis in AXES
    }


@dataclass(frozen=True, slots=True)
class Linear:
    """A trained linear model: vocabulary, its weights, and by axis (features, labels) and (labels,)."""

    keys: NDArray[np.uint64]
    scale: Floats
    weights: dict[str, Floats]
    bias: dict[str, Floats]

    def predict(self, docs: Sequence[Doc]) -> dict[str, Floats]:
        """Probabilities by axis."""
        matrix = _matrix(self.keys, self.scale, docs)
        scores = {axis: matrix @ self.weights[axis] + self.bias[axis] for axis in AXES}
        return {
            axis: softmax(values) if axis == "kind" else 1 / (1 + np.exp(-values)) for axis, values in scores.items()
        }


def _matrix(keys: NDArray[np.uint64], scale: Floats, docs: Sequence[Doc]) -> csr_matrix:
    rows, weights, ends = rows_of(keys, scale, docs)
    return csr_matrix((weights, rows, ends), shape=(len(docs), len(keys)))


def train_linear(examples: Examples) -> Linear:
    """Fit the model: a logistic regression a label, and one over all kinds. The same examples give the same weights."""
    keys, scale = vocabulary(examples.docs, examples.groups, LEAST_GROUPS)
    matrix = _matrix(keys, scale, examples.docs)
    weights, bias = {}, {}
    for axis in AXES:
        truth = examples.truth[axis]
        if axis == "kind":
            weights[axis], bias[axis] = _fit_kinds(matrix, truth)
        else:
            columns = [_fit_label(matrix, truth[:, place]) for place in range(truth.shape[1])]
            weights[axis] = np.stack([column for column, _ in columns], axis=1).astype(np.float32)
            bias[axis] = np.array([constant for _, constant in columns], dtype=np.float32)
    return Linear(keys, scale, weights, bias)


def _fit_kinds(matrix: csr_matrix, truth: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """A kind that no example has gets no weight and is never the most probable."""
    kinds = truth.shape[1]
    weights, bias = np.zeros((matrix.shape[1], kinds), np.float32), np.full(kinds, -10, np.float32)
    seen = np.flatnonzero(truth.any(axis=0))
    if len(seen) == 1:
        bias[seen] = 0
        return weights, bias
    fitted: Any = LogisticRegression(C=STRENGTH, max_iter=1000).fit(matrix, truth.argmax(axis=1))
    if len(seen) == 2:
        weights[:, seen] = np.stack([-fitted.coef_[0], fitted.coef_[0]], axis=1) / 2
        bias[seen] = np.array([-fitted.intercept_[0], fitted.intercept_[0]]) / 2
    else:
        weights[:, seen], bias[seen] = fitted.coef_.T, fitted.intercept_
    return weights, bias


def _fit_label(matrix: csr_matrix, truth: NDArray[np.bool_]) -> tuple[NDArray[Any], float]:
    if LEAST_POSITIVE <= truth.sum() < len(truth):
        fitted = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=0).fit(matrix, truth)
        return fitted.coef_[0], float(fitted.intercept_[0])
    share = (truth.sum() + 0.5) / (len(truth) + 1)
    return np.zeros(matrix.shape[1]), float(np.log(share / (1 - share)))


def ballot_of(axes: Axes, examples: Examples, model: Mapping[str, Floats]) -> Ballot:
    """All votes on `examples`, given the model's."""
    has_files = [bool(document.files) for document in examples.documents]
    has_body = [bool(document.body) for document in examples.documents]
    return count_votes(axes, examples.votes, model, has_files, has_body)


def folds_of(groups: NDArray[np.int64], count: int = FOLDS) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and rows to try on, so that no group is in both."""
    folds = min(count, len(np.unique(groups)))
    yield from GroupKFold(folds).split(groups, groups=groups)


def predict_unseen(examples: Examples) -> dict[str, Floats]:
    """The model's probabilities for each example, from a model that has not seen its group."""
    found = {axis: np.zeros(truth.shape, np.float32) for axis, truth in examples.truth.items()}
    for train, held in folds_of(examples.groups):
        for axis, values in train_linear(examples.part(train)).predict([examples.docs[row] for row in held]).items():
            found[axis][held] = values
    return found


def train_combination(axes: Axes, examples: Examples, unseen: Mapping[str, Floats]) -> Combination:
    """Fit the weights of all votes, and the thresholds with the best F1, on the model's scores of unseen changes."""
    ballot = ballot_of(axes, examples, unseen)
    weights: dict[str, Floats] = {}
    decided: dict[str, Floats] = {}
    for axis in AXES:
        terms = evidence(axes, axis, ballot, decided.get("mechanism"))
        flat, truth = terms.reshape(-1, terms.shape[2]), examples.truth[axis].ravel()
        weights[axis], chances = _fit_votes(flat, truth)
        if axis == "mechanism":
            decided[axis] = chances.reshape(examples.truth[axis].shape).astype(np.float32)
    first = Combination(weights, {})
    return Combination(weights, best_thresholds(first.decide(axes, ballot), examples.truth))


def _fit_votes(terms: Floats, truth: NDArray[np.bool_]) -> tuple[Floats, NDArray[Any]]:
    """Weights of the terms with the constant last, and the probabilities they give: a constant where all is alike."""
    if truth.all() or not truth.any():
        share = (truth.sum() + 0.5) / (len(truth) + 1)
        weights = np.append(np.zeros(terms.shape[1]), np.log(share / (1 - share))).astype(np.float32)
        return weights, np.full(len(truth), share)
    fitted = LogisticRegression(C=COMBINATION_STRENGTH, max_iter=3000).fit(terms, truth)
    return np.append(fitted.coef_[0], fitted.intercept_[0]).astype(np.float32), fitted.predict_proba(terms)[:, 1]


def best_thresholds(decided: Mapping[str, Floats], truth: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """The probability, by axis, from which giving a label has the best F1 over all labels of the axis."""
    steps = [round(float(step), 2) for step in np.arange(0.2, 0.66, 0.02)]
    found = {axis: max(steps, key=lambda step: micro_f1(truth[axis], decided[axis] >= step))
             for axis in ("relevant", "mechanism", "dimension", "flag")}  # fmt: skip
    return found | {"only mechanism": round(found["mechanism"] / 2, 2)}


def micro_f1(truth: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """F1 over all cells."""
    both = float((truth & given).sum())
    return 2 * both / max(1.0, float(truth.sum() + given.sum()))
