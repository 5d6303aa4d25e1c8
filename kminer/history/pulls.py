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

    `history` yields [id, parent, ...], children before parents. The main line is what the head of a branch that no
    other commit leads to reaches without going into pull requests; it was brought by none. Of the pull requests
    merged into it the oldest counts: one that was merged into another's branch, perhaps in a repository that was
    taken over whole, has a number that need not be this repository's.
    """
    merges: list[tuple[str, bytes]] = []
    open_edges: dict[bytes, int] = {}
    for commit, *parents in history:
        state = open_edges.pop(commit, _MAIN_LINE)
        if state != _MAIN_LINE:
            yield commit, *merges[state]
        number = _number(repository, commit) if len(parents) > 1 and state == _MAIN_LINE else None
        if number:
            merges.append((number, commit))
        for index, parent in enumerate(parents):
            comes = len(merges) - 1 if number and index else state
            known = open_edges.get(parent, comes)
            open_edges[parent] = _MAIN_LINE if _MAIN_LINE in (known, comes) else max(known, comes)


def _number(repository: pygit2.Repository, commit: bytes) -> str | None:
    message = split_commit(repository.read(pygit2.Oid(raw=commit))[1]).message
    return find_pull_number(message[:200].decode("utf-8", "replace"))
