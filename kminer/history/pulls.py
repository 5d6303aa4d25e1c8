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

    `history` yields [id, parent, ...], children before parents. Of several such merges the oldest counts; what is on
    the main line of any branch was brought by none.
    """
    merges: list[tuple[str, bytes]] = []
    open_edges: dict[bytes, int] = {}
    for commit, *parents in history:
        state = open_edges.pop(commit, _MAIN_LINE)
        if state != _MAIN_LINE:
            yield commit, *merges[state]
        number, below = _number(repository, commit) if len(parents) > 1 else None, state
        if number:
            below = len(merges)
            merges.append((number, commit))
        for index, parent in enumerate(parents):
            comes = below if index else state
            known = open_edges.get(parent, comes)
            open_edges[parent] = _MAIN_LINE if _MAIN_LINE in (known, comes) else max(known, comes)


def _number(repository: pygit2.Repository, commit: bytes) -> str | None:
    message = split_commit(repository.read(pygit2.Oid(raw=commit))[1]).message
    return find_pull_number(message[:200].decode("utf-8", "replace"))
