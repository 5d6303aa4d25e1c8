"""Ties what the store holds to each other: notes to changes, changes to features and works, patches to merges."""

from __future__ import annotations

import hashlib
import math
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kminer import catalogue, works
from kminer.datafiles import find_files
from kminer.progress import Progress
from kminer.proposals import settle
from kminer.proposals.settle import settle_proposals
from kminer.store import ties as store
from kminer.store import works as catalogued
from kminer.store.reader import Row
from kminer.store.writer import transaction

RULES = 1
"""Raised when notes are tied by other rules, so that all are tied anew."""

LIKENESS = 0.6
"""Likeness of titles, 0 to 1, from which on a note is tied to a change."""

WINDOW = (500, 60)
"""A note speaks of changes at most so many days older and younger than its release."""

RAREST = 4
"""A note's title is compared with titles that share one of so many of its rarest words."""

_WORD = re.compile(r"[a-z0-9_]{2,}")
_COMMON = frozenset(
    ("the", "an", "and", "or", "of", "to", "in", "on", "for", "with", "by", "from", "is", "are", "be", "was", "not",
     "no", "it", "its", "this", "that", "as", "at", "when", "if", "now", "add", "added", "adds", "fix", "fixed",
     "fixes", "fixing", "use", "used", "uses", "using", "update", "updated", "allow", "allows", "make", "makes",
     "support")
)  # fmt: skip
"""Words that release notes and commit titles share whatever they speak of."""


def tie_store(db: sqlite3.Connection, progress: Progress) -> None:
    """Work out anew what speaks of what: notes of changes, changes of features, works and resources, patches of merges.

    Does nothing where changes and catalogue are those of the last time. Raises CatalogueError or StoreError; the
    store is then as it was.
    """
    version = _version()
    if store.is_tied(db, version):
        return
    features = list(catalogue.load_features().values())
    days = {
        (project, release.version): release.date
        for project, releases in catalogue.load_release_dates().items() for release in releases
    }  # fmt: skip
    papers, resources = works.load_papers().values(), works.load_resources().values()
    progress.start("tying notes to changes", None)
    with transaction(db):
        store.save_aliases(db, catalogue.load_version_aliases())
        store.save_features(db, features, days)
        store.tie_by_reference(db)
        store.save_title_ties(db, _tie_by_title(store.read_untied(db), store.read_titles(db)))
        store.mention_by_commit(db, features)
        store.mention_by_name(db, features)
        catalogued.save_papers(db, papers)
        catalogued.find_claim_changes(db)
        catalogued.save_resources(db, resources)
        catalogued.find_resource_changes(db, resources)
        settle_proposals(db, progress)
        store.set_tied(db, version)


def _version() -> int:
    """A fingerprint of the rules here and of the catalogue's files, as a positive number of SQLite's user_version."""
    digest = hashlib.sha256(repr((RULES, LIKENESS, WINDOW, RAREST, settle.RULES)).encode())
    for folder in ("data/features", "data/releases", "data/papers", "data/resources"):
        for file in find_files(folder, "*.toml"):
            digest.update(file.read_bytes())
    return int.from_bytes(digest.digest()[:4]) >> 1 or 1


@dataclass(frozen=True, slots=True)
class _Title:
    """A change's title as it is compared."""

    id: int
    text: str
    words: frozenset[str]
    day: int | None
    version: str | None


def _tie_by_title(notes: Sequence[Row], changes: Sequence[Row]) -> Iterator[tuple[int, int, float, str]]:
    titles = defaultdict[str, list[_Title]](list)
    for row in changes if notes else ():
        titles[str(row["project"])].append(_title(row))
    of_project = {project: _Titles(of_it) for project, of_it in titles.items()}
    for note in notes:
        known = of_project.get(str(note["project"]))
        if known:
            for title, score in known.like(str(note["title"]), _number(note["day"]), str(note["version"])):
                yield int(str(note["id"])), title.id, score, title.text


def _title(row: Row) -> _Title:
    """A merge is known by what it merged, not by its branch."""
    text = str(row["below"] if row["type"] == "merge" and row["below"] else row["title"]).split("\n", 1)[0]
    version = str(row["version"]) if row["version"] else None
    return _Title(int(str(row["id"])), text, _words(text), _number(row["day"]), version)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _number(day: object) -> int | None:
    from datetime import date

    return date.fromisoformat(str(day)).toordinal() if day else None


class _Titles:
    """Titles of one project's changes, to find the likest among."""

    def __init__(self, titles: Sequence[_Title]) -> None:
        self._same = defaultdict[str, list[_Title]](list)
        self._with = defaultdict[str, list[_Title]](list)
        for title in titles:
            self._same[_plain(title.text)].append(title)
            for word in title.words:
                self._with[word].append(title)
        self._total = len(titles)

    def like(self, text: str, day: int | None, version: str) -> list[tuple[_Title, float]]:
        """The changes a note's title may mean, with their likeness, which as many as are equally likely share.

        Of several with the very same title, those of the note's own release count before others. They may be older
        than the window allows, since fixes are taken back to old lines after years, but not younger.
        """
        same = [title for title in self._same.get(_plain(text), []) if not _too_young(title.day, day)]
        if same:
            same = [title for title in same if title.version == version] or same
            return [(title, 1.0 / len(same)) for title in same]
        near = list(self._near(_words(text), day))
        best = max((score for _, score in near), default=0.0)
        nearest = [title for title, score in near if score == best]
        return [(title, round(best / len(nearest), 3)) for title in nearest] if best >= LIKENESS else []

    def _near(self, words: frozenset[str], day: int | None) -> Iterator[tuple[_Title, float]]:
        rarest = sorted((word for word in words if word in self._with), key=lambda word: (len(self._with[word]), word))
        candidates = {title.id: title for word in rarest[:RAREST] for title in self._with[word]}
        for title in candidates.values():
            if _in_time(title.day, day):
                shared, all_words = words & title.words, words | title.words
                if len(shared) > 2:
                    yield title, self._weight(shared) / self._weight(all_words)

    def _weight(self, words: frozenset[str]) -> float:
        return sum(math.log((self._total + 1) / (len(self._with.get(word, ())) + 0.5)) for word in sorted(words))


def _too_young(changed: int | None, released: int | None) -> bool:
    return changed is not None and released is not None and changed - released > WINDOW[1]


def _in_time(changed: int | None, released: int | None) -> bool:
    if changed is None or released is None:
        return True
    return changed - released >= -WINDOW[0] and not _too_young(changed, released)


def _plain(title: str) -> str:
    return " ".join(title.lower().split()).rstrip(".")
