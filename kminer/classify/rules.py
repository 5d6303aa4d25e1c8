"""The rules' votes: paths, title prefixes, the catalogue's terms, homonyms, and what a text claims to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kminer import catalogue, labelbook
from kminer.classify.document import Document
from kminer.classify.paths import PathRules
from kminer.classify.words import WordFinder
from kminer.records import Rules

Meaning = tuple[str, str, str]
"""Axis, label and where it counts (title, text, both) of a word."""


@dataclass(slots=True)
class RuleVotes:
    """What the rules say of one change: (axis, label, voter) -> (score in 0..1, evidence)."""

    votes: dict[tuple[str, str, str], tuple[float, str]] = field(default_factory=dict)

    def add(self, axis: str, label: str, voter: str, score: float, evidence: str) -> None:
        """Note a vote; the highest score of a voter for a label stays."""
        key = axis, label, voter
        known = self.votes.get(key)
        if known is None or known[0] < score:
            self.votes[key] = score, evidence


class RuleBook:
    """All rules, loaded once; `vote` is a pure function of the document."""

    def __init__(self, rules: Rules, paths: PathRules) -> None:
        self._paths = paths
        self._prefixes = _Prefixes(rules)
        self._finder = WordFinder(_words(rules))
        self._first = {
            word: label for label, kind in reversed(rules.kinds.items()) for word in kind.first
        }
        self._trailers = [(trailer, label) for label, kind in rules.kinds.items() for trailer in kind.trailers]
        self._homonym_paths = tuple((path, name) for name, entry in rules.homonyms.items() for path in entry.paths)

    def is_tracked(self, file: str) -> bool:
        """Whether some source tracks a file of this name."""
        return bool(self._paths.mechanisms_of(file))

    def vote(self, document: Document) -> RuleVotes:
        """The rules' votes on one change."""
        found = RuleVotes()
        self._vote_by_paths(document, found)
        for prefix in document.prefixes:
            for axis, label in self._prefixes.of(prefix):
                found.add(axis, label, "prefix", 1.0, prefix)
        self._vote_by_words(document.title, True, found)
        self._vote_by_words(document.body, False, found)
        self._vote_on_kind(document, found)
        return found

    def _vote_by_paths(self, document: Document, found: RuleVotes) -> None:
        files = document.files
        counts: dict[str, int] = {}
        first: dict[str, str] = {}
        for file in files:
            for mechanism in self._paths.mechanisms_of(file):
                counts[mechanism] = counts.get(mechanism, 0) + 1
                first.setdefault(mechanism, file)
        for mechanism, count in counts.items():
            found.add("mechanism", mechanism, "path", count / len(files), first[mechanism])
        if files:
            for path, name in self._homonym_paths:
                if files[0].startswith(path):
                    found.add("homonym", name, "path", 1.0, files[0])

    def _vote_by_words(self, text: str, in_title: bool, found: RuleVotes) -> None:
        lowered = text.lower().replace("\n", " ")
        counts: dict[tuple[str, str], int] = {}
        spans: dict[tuple[str, str], str] = {}
        for hit in self._finder.find(lowered):
            for axis, label, where in hit.means:
                if where != "both" and (where == "title") != in_title:
                    continue
                key = axis, label
                counts[key] = counts.get(key, 0) + 1
                if key not in spans:
                    spans[key] = lowered[hit.start : hit.end]
        for (axis, label), count in counts.items():
            if in_title:
                found.add(axis, label, "title", 1.0, spans[axis, label])
            else:
                found.add(axis, label, "text", 0.5 if count == 1 else 0.75 if count < 4 else 1.0, spans[axis, label])

    def _vote_on_kind(self, document: Document, found: RuleVotes) -> None:
        first = document.title.split(" ", 1)[0].lower().rstrip(":,.")
        if first in self._first:
            found.add("kind", self._first[first], "first-word", 1.0, first)
        for trailer, label in self._trailers:
            if trailer in document.trailers:
                found.add("kind", label, "trailer", 1.0, trailer)


def _words(rules: Rules) -> Iterator[tuple[str, Meaning]]:
    for label, mechanism in rules.mechanisms.items():
        for word in mechanism.terms:
            yield word, ("mechanism", label, "both")
    for name, homonym in rules.homonyms.items():
        for word in homonym.words:
            yield word, ("homonym", name, "both")
    for axis, claims in (("kind", rules.kinds), ("flag", rules.flags)):
        for label, claim in claims.items():
            for word in claim.titles:
                yield word, (axis, label, "title")
            for word in claim.terms:
                yield word, (axis, label, "text")


class _Prefixes:
    """Labels of title prefixes, whole or open at an end."""

    def __init__(self, rules: Rules) -> None:
        self._whole: dict[str, list[tuple[str, str]]] = {}
        self._open: list[tuple[str, tuple[str, str]]] = []
        for label, mechanism in rules.mechanisms.items():
            self._add(mechanism.prefixes, ("mechanism", label))
        for name, homonym in rules.homonyms.items():
            self._add(homonym.prefixes, ("homonym", name))

    def _add(self, prefixes: Iterable[str], means: tuple[str, str]) -> None:
        for prefix in prefixes:
            if prefix.endswith("*"):
                self._open.append((prefix[:-1], means))
            else:
                self._whole.setdefault(prefix, []).append(means)

    def of(self, prefix: str) -> Iterator[tuple[str, str]]:
        yield from self._whole.get(prefix, ())
        for start, means in self._open:
            if prefix.startswith(start):
                yield means


def load_rule_book() -> RuleBook:
    """The shipped rules with the tracked paths of all sources."""
    return RuleBook(labelbook.load_rules(), PathRules(catalogue.load_sources().values()))


def rules_definition() -> str:
    """A fingerprint of all that the rules are made from."""
    sources = catalogue.load_sources().values()
    return fingerprint(labelbook.load_rules(), labelbook.load_labels(), [(s.project, s.paths) for s in sources])


def fingerprint(*facts: object) -> str:
    """Twelve hex digits that change when any of `facts` does."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
