"""The sharded walk: which commits of a history are candidates, and what each of them says."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import pygit2

from kminer.errors import RepositoryError
from kminer.history.commits import RawCommit, read_identity, read_message, split_commit
from kminer.history.references import find_people, find_references
from kminer.history.repository import reopen_repository
from kminer.history.tracked import TrackedPaths
from kminer.history.words import Words
from kminer.records import Change, ChangedPath, Reference, Source
from kminer.workers import follow_parent, in_order, processes

SHARD_SIZE = 4096
"""Commits in a shard: some 0.4 s of work."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A range of commits of the repository whose git folder is `path`, children before parents.

    `commits` holds 20 bytes an id; `boundary` the ids at which a shallow clone was cut, whose parents are unknown.
    """

    path: str
    commits: bytes
    source: Source
    boundary: frozenset[bytes] = frozenset()


def walk_shard(shard: Shard) -> list[Change]:
    """The candidates among a shard's commits, in its order.

    A plain function of its argument: any executor whose workers see the repository can run it.
    Raises RepositoryError for an object that is missing or corrupt.
    """
    repository = reopen_repository(shard.path)
    reader = _Reader(repository, shard.source, shard.boundary)
    keys = [shard.commits[start : start + 20].hex() for start in range(0, len(shard.commits), 20)]
    return list(reader.candidates(keys))


def walk(
    shards: Sequence[Shard], jobs: int, store: Callable[[int, list[Change]], None], executor: Executor | None = None
) -> None:
    """Run `walk_shard` over `shards` and hand each result to `store` (index, changes) as it is ready, in order.

    With one job, or one shard, it runs in this process; `executor` replaces the processes. Few shards are in flight
    at a time, so that memory does not grow with the history.
    """
    if executor is not None:
        results = in_order(executor, walk_shard, shards, 4 * jobs)
        for index, changes in enumerate(results):
            store(index, changes)
    elif jobs <= 1 or len(shards) <= 1:
        for index, shard in enumerate(shards):
            store(index, walk_shard(shard))
    else:
        with processes(min(jobs, len(shards)), _begin_worker) as executor:
            walk(shards, jobs, store, executor)


def _begin_worker() -> None:
    """Follow the main process; collect no cycles, for there are none."""
    gc.disable()
    follow_parent()


class _Reader:
    """Turns commit ids of one repository into candidates of one source."""

    def __init__(self, repository: pygit2.Repository, source: Source, boundary: frozenset[bytes]) -> None:
        self._repository = repository
        self._odb = repository.odb
        self._source = source
        self._boundary = boundary
        self._words = Words(source.words)
        self._tracked = TrackedPaths(repository, source.paths)
        self._pull_title = re.compile(source.pull_title) if source.pull_title else None
        self._trees: dict[str, bytes] = {}

    def candidates(self, keys: Sequence[str]) -> Iterator[Change]:
        """The changes among these commits that touch a tracked path or speak of a word, in their order."""
        commits = [self._commit(key) for key in keys]
        self._trees = {key: commit.tree for key, commit in zip(keys, commits, strict=True)}
        spoken = self._words.found_in([commit.message for commit in commits])
        for index, (key, commit) in enumerate(zip(keys, commits, strict=True)):
            paths = self._changed_paths(key, commit)
            if paths or index in spoken:
                yield self._change(key, commit, paths, index in spoken)

    def _changed_paths(self, key: str, commit: RawCommit) -> tuple[ChangedPath, ...]:
        """What a commit changed of the tracked paths; nothing for a merge, or where a shallow clone was cut."""
        if len(commit.parents) > 1 or bytes.fromhex(key) in self._boundary:
            return ()
        return tuple(self._tracked.changes(self._parent_tree(commit), commit.tree))

    def _commit(self, key: str) -> RawCommit:
        try:
            return split_commit(self._odb.read(key)[1])
        except (KeyError, pygit2.GitError) as error:
            raise RepositoryError(
                f"Commit {key} cannot be read: it is missing or corrupt ({error}).",
                where=self._repository.path,
                next="Run `git fsck` there, then fetch or clone again. Nothing was stored from this run.",
            ) from error

    def _parent_tree(self, commit: RawCommit) -> bytes | None:
        if not commit.parents:
            return None
        parent = commit.parents[0]
        if parent not in self._trees:
            self._trees[parent] = self._commit(parent).tree
        return self._trees[parent]

    def _change(self, key: str, commit: RawCommit, paths: tuple[ChangedPath, ...], spoken: bool) -> Change:
        message = read_message(commit)
        author, authored = read_identity(commit, "author", message.encoding)
        committer, committed = read_identity(commit, "committer", message.encoding)
        return Change(
            type=self._type(commit, message.title),
            key=key,
            title=message.title,
            text=message.text,
            encoding=message.encoding,
            authored=authored,
            committed=committed,
            people=(author, committer, *find_people(message.text)),
            paths=paths,
            references=tuple(self._resolved(find_references(message.text, self._source))),
            matched_by=(*(["path"] if paths else []), *(["words"] if spoken else [])),
        )

    def _type(self, commit: RawCommit, title: str) -> str:
        if len(commit.parents) < 2:
            return "commit"
        return "pull" if self._pull_title and self._pull_title.search(title) else "merge"

    def _resolved(self, references: Iterator[Reference]) -> Iterator[Reference]:
        for reference in references:
            if reference.type not in ("fixes", "reverts", "backport-of") or reference.target:
                yield reference
            else:
                yield Reference(reference.type, reference.value, self._full_id(reference.value))

    def _full_id(self, prefix: str) -> str | None:
        try:
            found = self._repository.expand_id(prefix)
            return str(found) if isinstance(self._repository[found], pygit2.Commit) else None
        except (KeyError, ValueError, pygit2.GitError):
            return None
