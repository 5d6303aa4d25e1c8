"""Finds requests for comments by which several people ask for much the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from kminer.proposals.letters import plain
from kminer.proposals.versions import Series

LIKENESS = 0.5
"""Share of telling words that two titles have in common at least."""

TELLING = 2
"""Telling words that two titles have in common at least."""

COMMON = 0.02
"""A word that more than this share of the titles has tells little."""

FEW = 20
"""A word that so many titles have, or fewer, always tells something."""


def find_kin(series: Sequence[Series]) -> dict[str, list[str]]:
    """By the key of each RFC, the keys of RFCs by others whose title is much the same, sorted."""
    asked = [one for one in series if any(posting.root.rfc for posting in one.postings)]
    words = [frozenset(plain(one.newest.root.title).split()) for one in asked]
    where = defaultdict[str, list[int]](list)
    for index, of_one in enumerate(words):
        for word in sorted(of_one):
            where[word].append(index)
    telling = {word for word, indices in where.items() if len(indices) <= max(FEW, COMMON * len(asked))}
    found: dict[str, list[str]] = {}
    for index, one in enumerate(asked):
        alike = sorted(set(_alike(index, words, where, telling)))
        kin = [asked[other] for other in alike if not _same_people(one, asked[other])]
        found[one.newest.root.key] = sorted(other.newest.root.key for other in kin)
    return found


def _alike(
    index: int, words: Sequence[frozenset[str]], where: dict[str, list[int]], telling: set[str]
) -> Iterator[int]:
    own = words[index] & telling
    for word in own:
        for other in where[word]:
            shared, both = own & words[other], (own | words[other]) & telling
            if other != index and len(shared) >= TELLING and len(shared) >= LIKENESS * len(both):
                yield other


def _same_people(one: Series, other: Series) -> bool:
    return any(posting.root.is_by(second.root) for posting in one.postings for second in other.postings)
