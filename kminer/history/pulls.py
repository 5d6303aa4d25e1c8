"""Which pull request brought a commit: the merge that took it into the main line says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pygit2

from kminer.history.commits import split_commit
from kminer.history.references import find_pull_number

_MAIN_LINE = -1


def find_brought(
    repository: pygit2.Repository, history: Iterable[Sequence[bytes]]
) -> Iterator[tuple[bytes, str, bytes]]:
    """(commit, number of its pull request, merge) of the commits that came in by the merge of a pull request.

    `history` yields [id, parent, ...], children before parents. Of several such merges the oldest counts, and of
    those merged into its branch the one that brought the commit there; what is on the main line of a head that no
    other commit leads to was brought by none.
    """
    merges: list[tuple[str, bytes]] = []
    within: list[int] = []
    open_edges: dict[bytes, int] = {}
    for commit, *parents in history:
        state = open_edges.pop(commit, _MAIN_LINE)
        if state != _MAIN_LINE:
            yield commit, *merges[state]
        number, below = _number(repository, commit) if len(parents) > 1 else None, state
        if number:
            below = len(merges)
            merges.append((number, commit))
            within.append(state)
        for index, parent in enumerate(parents):
            comes = below if index else state
            open_edges[parent] = _first(open_edges.get(parent, comes), comes, within)


def _first(one: int, other: int, within: Sequence[int]) -> int:
    """Which of two merges that lead to a commit took it in: the one that the other is `within`, else the older."""
    if one == other or _MAIN_LINE in (one, other):
        return min(one, other)
    ways = zip(_way(one, within), _way(other, within), strict=False)
    apart = next(((mine, its) for mine, its in ways if mine != its), None)
    if apart is None:
        return min(one, other, key=lambda merge: len(_way(merge, within)))
    return one if apart[0] > apart[1] else other


def _way(merge: int, within: Sequence[int]) -> list[int]:
    """The merges that lead to a merge, itself the last."""
    way = [merge]
    while within[way[-1]] != _MAIN_LINE:
        way.append(within[way[-1]])
    return way[::-1]


def _number(repository: pygit2.Repository, commit: bytes) -> str | None:
    message = split_commit(repository.read(pygit2.Oid(raw=commit))[1]).message
    return find_pull_number(message[:200].decode("utf-8", "replace"))
