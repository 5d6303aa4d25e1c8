"""Labels changes: rules and model vote, the combination decides, and every label says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kminer import labelbook
from kminer.classify.axes import AXES, Axes
from kminer.classify.document import Document, read_document
from kminer.classify.modelfile import model_folder, read_model_version
from kminer.classify.rules import RuleBook, RuleVotes, fingerprint, load_rule_book, rules_definition
from kminer.records import Classification, Item, Label, Vote

CODE_VERSION = "1"
"""Raised when the same rules and model would label otherwise, so that labels are made anew."""
SHOWN = 0.2
"""A model's vote below this is not kept, unless the label was given."""


@dataclass(slots=True)
class Classifier:
    """Rules, and a trained model unless it is to be rules alone. `version` names both."""

    axes: Axes
    book: RuleBook
    model: object | None
    version: str

    def classify(self, items: Sequence[Item]) -> list[Classification]:
        """Label each of `items`, in their order; what has nothing to go by is marked unknown."""
        documents = [read_document(item.title, item.text, item.files) for item in items]
        readable = [row for row, document in enumerate(documents) if not _unreadable(document)]
        chosen = [documents[row] for row in readable]
        votes = [self.book.vote(document) for document in chosen]
        labelled = self._by_model(chosen, votes) if self.model else [self._by_rules(given) for given in votes]
        found = dict(zip(readable, labelled, strict=True))
        return [
            Classification(item.id, self.version, "", *found[row])
            if row in found
            else Classification(item.id, self.version, _unreadable(documents[row]))
            for row, item in enumerate(items)
        ]

    def _by_rules(self, given: RuleVotes) -> tuple[tuple[Label, ...], tuple[Vote, ...]]:
        from kminer.classify.baseline import decide

        return tuple(decide(self.axes, given)), tuple(_rule_votes(given, self.version))

    def _by_model(
        self, documents: Sequence[Document], votes: Sequence[RuleVotes]
    ) -> list[tuple[tuple[Label, ...], tuple[Vote, ...]]]:
        from kminer.classify.combine import count_votes
        from kminer.classify.features import make_doc
        from kminer.classify.model import Model

        if not documents:
            return []
        model = self.model
        assert isinstance(model, Model)
        docs = [make_doc(model.nlp, document, given) for document, given in zip(documents, votes, strict=True)]
        scores = model.predict(docs)
        has_files, has_body = [bool(d.files) for d in documents], [bool(d.body) for d in documents]
        decided = model.combination.decide(self.axes, count_votes(self.axes, votes, scores, has_files, has_body))
        found = []
        for row, (doc, given) in enumerate(zip(docs, votes, strict=True)):
            labels = tuple(_labels(self.axes, model.combination.given(self.axes, decided, row), decided, row))
            named = {(label.axis, label.label) for label in labels}
            model_votes = [
                Vote(axis, label, "model", round(float(scores[axis][row, place]), 4), model.version,
                     model.explain(doc, axis, label) if (axis, label) in named else "")
                for axis in AXES
                for place, label in enumerate(self.axes.labels[axis])
                if scores[axis][row, place] >= SHOWN or (axis, label) in named
            ]  # fmt: skip
            found.append((labels, (*_rule_votes(given, self.version), *model_votes)))
        return found


def _unreadable(document: Document) -> str:
    if document.empty:
        return "it has no text and no files"
    if not document.files and not any(map(str.isalpha, document.subject + document.body[:2000])):
        return "its text holds no words"
    return ""


def _rule_votes(given: RuleVotes, version: str) -> list[Vote]:
    return [
        Vote(axis, label, voter, round(score, 4), version, evidence)
        for (axis, label, voter), (score, evidence) in given.votes.items()
    ]


def _labels(axes: Axes, given: Mapping[str, Sequence[str]], decided: Mapping[str, object], row: int) -> list[Label]:
    place = axes.index()
    scores = {axis: decided[axis][row] for axis in AXES}  # type: ignore[index]
    relevant = float(scores["relevant"][0])
    yes = bool(given["relevant"])
    found = [Label("relevant", "yes" if yes else "no", round(relevant if yes else 1 - relevant, 4))]
    for axis in ("mechanism", "kind", "dimension", "flag"):
        found += [Label(axis, label, round(float(scores[axis][place[axis, label]]), 4)) for label in given[axis]]
    return found


def load_version(with_model: bool = True) -> str:
    """The version that `load_classifier` would give, without loading what it takes to classify."""
    rules = rules_definition()
    if not with_model:
        return f"rules-{fingerprint(CODE_VERSION, rules)}"
    return fingerprint(CODE_VERSION, rules, read_model_version())


def load_classifier(with_model: bool = True) -> Classifier:
    """The shipped or the user's own rules and model. Raises ModelError or CatalogueError."""
    axes, book, version = Axes.of(labelbook.load_labels()), load_rule_book(), load_version(with_model)
    if not with_model:
        return Classifier(axes, book, None, version)
    from kminer.classify.model import load

    return Classifier(axes, book, load(axes, model_folder()), version)
