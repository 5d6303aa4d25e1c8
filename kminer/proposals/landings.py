"""Looks for posted patches among what was merged, and says what each find rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kminer.proposals.letters import Letter, Posting, days_between, ending, plain, subsystems

LATEST = 800
"""Days after its posting from which on a commit with a patch's title is another one."""

EARLY = 2
"""Days that a commit's date may lie before the posting: clocks differ, and maintainers post what they have applied."""

LIKENESS = 0.5
"""Share of words that titles, and of files that changes, have in common at least when one may be the other."""

CONFIDENCE = {
    "message-id": 1.0, "author and title": 0.98, "notes": 0.92, "titles": 0.9, "title": 0.85, "applied": 0.75,
    "ending": 0.7, "likeness": 0.6,
}  # fmt: skip
"""How sure a find is, by what it rests on."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A commit of a history, or what is known to be one: `links` are message-ids in its text.

    `by` is what a find of its title is called: title (of a history), notes or titles (of a list). `author` and
    `email` are empty where they are not known; `date` is empty where no day is.
    """

    source: str
    commit: str
    title: str
    date: str
    by: str = "title"
    author: str = ""
    email: str = ""
    links: tuple[str, ...] = ()
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Landing:
    """Evidence that a patch was merged: `found_by` is a key of CONFIDENCE."""

    patch: Letter
    found_by: str
    found_in: str
    commit: str
    title: str
    date: str

    @property
    def confidence(self) -> float:
        """How sure it is, 0 to 1."""
        return CONFIDENCE[self.found_by]


class Wanted:
    """The patches to look for, by all that they can be found by."""

    def __init__(self, patches: Iterable[Letter]) -> None:
        self._keys: dict[str, Letter] = {}
        self._titles: dict[str, list[Letter]] = defaultdict(list)
        self._endings: dict[str, list[Letter]] = defaultdict(list)
        self._authors: dict[str, list[Letter]] = defaultdict(list)
        for patch in patches:
            self._keys[patch.key] = patch
            if plain(patch.title):
                self._titles[plain(patch.title)].append(patch)
            if ending(patch.title):
                self._endings[ending(patch.title)].append(patch)
            if patch.email:
                self._authors[patch.email].append(patch)

    def knows_title(self, title: str) -> bool:
        """Whether a patch has this title, or ends like it."""
        return plain(title) in self._titles or ending(title) in self._endings

    def knows_key(self, key: str) -> bool:
        """Whether a patch has this message-id."""
        return key in self._keys

    def find(self, merged: Merged) -> Iterator[Landing]:
        """The patches that what was merged may be, each by the surest evidence."""
        linked = [self._keys[key] for key in merged.links if key in self._keys]
        yield from (self._landing(patch, "message-id", merged) for patch in linked)
        seen = {patch.key for patch in linked}
        for patch in self._titles.get(plain(merged.title), ()):
            if patch.key not in seen and _in_time(patch, merged):
                seen.add(patch.key)
                by_author = merged.by == "title" and _is_author(patch, merged)
                yield self._landing(patch, "author and title" if by_author else merged.by, merged)
        for patch in self._endings.get(ending(merged.title), ()):
            akin = subsystems(patch.title) & subsystems(merged.title)
            if patch.key not in seen and akin and _in_time(patch, merged):
                seen.add(patch.key)
                yield self._landing(patch, "ending", merged)

    def find_alike(self, merged: Merged) -> Iterator[Landing]:
        """Patches by the same author that change much the same files under much the same title."""
        words = set(plain(merged.title).split())
        for patch in self._authors.get(merged.email.lower(), ()):
            alike = _share(words, set(plain(patch.title).split())) >= LIKENESS
            if alike and _share(merged.files, patch.files) >= LIKENESS and _in_time(patch, merged):
                yield self._landing(patch, "likeness", merged)

    def _landing(self, patch: Letter, found_by: str, merged: Merged) -> Landing:
        return Landing(patch, found_by, merged.source, merged.commit, merged.title, merged.date)


def find_applied(postings: Sequence[Posting], notices: Mapping[str, Sequence[Letter]]) -> Iterator[Landing]:
    """Patches of which somebody else than their author says that they were applied.

    Said below a cover letter, or a patch alone, it holds for the whole posting. `notices` are the mails of a tree
    about titles as they are compared: what was taken into the tree and dropped from it later was not merged.
    """
    for posting in postings:
        for answer in posting.by_others():
            if "applied" not in answer.says or answer.kind != "reply":
                continue
            for patch in _meant(answer, posting):
                yield Landing(patch, "applied", answer.key, "", patch.title, answer.date[:10])
        for patch in posting.patches:
            told = [notice for notice in notices.get(plain(patch.title), ()) if notice.date >= patch.date]
            if told and "applied" in told[-1].says:
                yield Landing(patch, "applied", told[-1].key, "", patch.title, told[-1].date[:10])


def _meant(answer: Letter, posting: Posting) -> Sequence[Letter]:
    """The patches that an answer is about: the nearest one that it answers, or all below the cover letter."""
    patches = {patch.key: patch for patch in posting.patches}
    for key in answer.ancestors():
        if key in patches:
            return [patches[key]]
        if posting.cover and key == posting.cover.key:
            break
    return posting.patches


def _in_time(patch: Letter, merged: Merged) -> bool:
    return not merged.date or -EARLY <= days_between(patch.date, merged.date) <= LATEST


def _is_author(patch: Letter, merged: Merged) -> bool:
    same_address = bool(patch.email) and patch.email == merged.email.lower()
    return same_address or bool(patch.name and patch.name.lower() == merged.author.lower())


def _share(one: set[str] | frozenset[str], other: set[str] | frozenset[str]) -> float:
    return len(one & other) / (len(one | other) or 1)
