"""Finds which postings are versions of one series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kminer.proposals.letters import Letter, Posting, days_between, plain
from kminer.proposals.postings import postings_by_key

LONGEST = 800
"""Days after which a posting with the same title, or the same patches, is no version of an earlier one."""

SHARED = 0.5
"""Share of patches that two versions have in common at least, of the smaller one."""

SOON = 120
"""Days within which a patch that changes the same files, under the next version number, is that version."""

TELLING = 4
"""Words of a title from which on another person's posting of it is taken for a version."""

_COMMON = frozenset(
    ("the", "a", "an", "and", "or", "of", "to", "in", "on", "for", "with", "by", "from", "is", "when", "if", "not",
     "fix", "add", "remove", "use", "make", "update", "support", "allow", "avoid", "clean", "up", "cleanup", "improve",
     "minor", "some", "unused")
)  # fmt: skip
"""Words that titles share whatever they are about."""


@dataclass(slots=True)
class Series:
    """All versions of a proposal, oldest first."""

    postings: list[Posting] = field(default_factory=list)

    @property
    def newest(self) -> Posting:
        """The version posted last."""
        return self.postings[-1]


def find_series(postings: Sequence[Posting]) -> list[Series]:
    """The series that postings, oldest first, are versions of; sets each posting's `joined_by`."""
    finder = _Finder(postings_by_key(postings))
    for posting in postings:
        finder.add(posting)
    return finder.series


class _Finder:
    """Series in the making, by what a later version can be known by."""

    def __init__(self, by_key: Mapping[str, Posting]) -> None:
        self.series: list[Series] = []
        self._by_key = by_key
        self._of: dict[int, Series] = {}
        self._tokens: dict[str, Series] = {}
        self._titles: dict[str, list[Series]] = defaultdict(list)
        self._patches: dict[str, list[Series]] = defaultdict(list)
        self._files: dict[tuple[str, frozenset[str]], list[Series]] = defaultdict(list)

    def add(self, posting: Posting) -> None:
        """Put a posting to its series, or begin one."""
        found, why = next(self._candidates(posting), (None, ""))
        if found is None:
            found = Series()
            self.series.append(found)
        posting.joined_by = why
        found.postings.append(posting)
        self._note(posting, found)

    def _note(self, posting: Posting, series: Series) -> None:
        self._of[id(posting)] = series
        for letter in posting.letters():
            if letter.change_token:
                self._tokens[letter.change_token] = series
        _append(self._titles[plain(posting.root.title)], series)
        for title in posting.titles():
            _append(self._patches[title], series)
        _append(self._files[posting.root.email, _all_files(posting)], series)

    def _candidates(self, posting: Posting) -> Iterator[tuple[Series, str]]:
        """Series it may be a version of, each with why; surest first."""
        root = posting.root
        for letter in posting.letters():
            if letter.change_token in self._tokens:
                yield self._tokens[letter.change_token], "token"
        for key in root.earlier:
            other = self._before(key, posting)
            if other and root.is_by(other.root) and (_follows(root, other.root) or _akin(posting, other)):
                yield self._of[id(other)], "link"
        for key in root.ancestors():
            other = self._before(key, posting)
            if other and (_akin(posting, other) or (root.is_by(other.root) and _follows(root, other.root))):
                yield self._of[id(other)], "reply"
        yield from ((series, "title") for series in self._same_title(posting))
        yield from ((series, "patches") for series in self._same_patches(posting))
        yield from ((series, "files") for series in self._same_files(posting))

    def _before(self, key: str, posting: Posting) -> Posting | None:
        other = self._by_key.get(key)
        return other if other is not None and other is not posting and id(other) in self._of else None

    def _same_title(self, posting: Posting) -> Iterator[Series]:
        root, words = posting.root, plain(posting.root.title)
        for series in reversed(self._titles.get(words, [])):
            other = series.newest.root
            if days_between(other.date, root.date) > LONGEST:
                continue
            goes_on = root.version > other.version and len(words.split()) >= TELLING
            if root.is_by(other) or goes_on:
                yield series

    def _same_patches(self, posting: Posting) -> Iterator[Series]:
        titles = posting.titles()
        near = {id(series): series for title in sorted(titles) for series in self._patches.get(title, ())}
        for series in near.values():
            other = series.newest
            if not posting.root.is_by(other.root) or days_between(other.date, posting.date) > LONGEST:
                continue
            if _shares(titles, other.titles()) and (len(titles) > 1 or posting.root.version > 1):
                yield series

    def _same_files(self, posting: Posting) -> Iterator[Series]:
        root, files = posting.root, _all_files(posting)
        if root.version == 1 or not files:
            return
        for series in reversed(self._files.get((root.email, files), [])):
            other = series.newest
            alike = _follows(root, other.root) and _telling(root.title) & _telling(other.root.title)
            if alike and days_between(other.date, posting.date) <= SOON and _all_files(other) == files:
                yield series


def _follows(root: Letter, earlier: Letter) -> bool:
    return root.version == earlier.version + 1


def _telling(title: str) -> set[str]:
    """The words of a title, without its subsystem, that say what it is about."""
    return set(plain(title.rpartition(": ")[2]).split()) - _COMMON


def _akin(posting: Posting, other: Posting) -> bool:
    """Whether both are known by the same title, or have patches in common."""
    return plain(posting.root.title) == plain(other.root.title) or _shares(posting.titles(), other.titles())


def _shares(titles: set[str], others: set[str]) -> bool:
    return bool(titles and others) and len(titles & others) >= SHARED * min(len(titles), len(others))


def _all_files(posting: Posting) -> frozenset[str]:
    return frozenset(name for patch in posting.patches for name in patch.files)


def _append(known: list[Series], series: Series) -> None:
    if not known or known[-1] is not series:
        known.append(series)


def newest_letter(series: Series) -> Letter:
    """The last mail about a series: a version, or an answer to one."""
    letters = [letter for posting in series.postings for letter in (*posting.letters(), *posting.answers)]
    return max(letters, key=lambda letter: (letter.date, letter.key))
