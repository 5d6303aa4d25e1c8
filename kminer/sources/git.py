"""A git history as a source: plan what to read, walk it, store it in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pygit2

from kminer import catalogue, places
from kminer.errors import RepositoryError, UsageError
from kminer.history import repository as git
from kminer.history.clone import update_clone
from kminer.history.lineage import NONE, Lineage, find_releases, trace
from kminer.history.pulls import find_brought
from kminer.history.tracked import TrackedPaths
from kminer.history.walk import SHARD_SIZE, Shard, walk
from kminer.progress import Progress
from kminer.records import Change, Classification, Item, Release, Source, TrackedPath, utc_now
from kminer.sources.staging import Staging
from kminer.store import reader, ties, writer

READER_VERSION = "2"
"""Part of a source's definition: raised when commits are read differently, so that histories are read anew."""

LIKENESS = 0.05
"""A clone is of the source when at least this share of its tracked paths exists at some head or tag."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to sync: where the clone is, how many processes, whether to read all anew.

    `repository` None means the clone of last time, or kminer's own; `own_clone` means kminer's own.
    `since` is a tag or a day (YYYY-MM-DD): older commits are not read. `label` labels notes whose sentences may not
    be kept, while they are at hand.
    """

    repository: Path | None = None
    own_clone: bool = False
    jobs: int = 1
    full: bool = False
    since: str | None = None
    label: Callable[[Sequence[Item]], list[Classification]] | None = None


@dataclass(slots=True)
class Summary:
    """What one sync did. `read` and `matched` count commits (or pages and their notes), `new` changes that the store
    did not hold; `failures` tell of pages that could not be read."""

    source: str
    location: str
    read: int = 0
    matched: int = 0
    new: int = 0
    unreachable: int = 0
    dropped: int = 0
    releases: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to read: commits reachable from `tips` and not from `base`; `anew` if first releases are to be redone."""

    refs: list[git.Ref]
    definition: str
    boundary: frozenset[bytes]
    base: tuple[str, ...]
    since: str | None
    anew: bool
    whole: bool

    @property
    def tips(self) -> list[str]:
        return sorted({ref.commit for ref in self.refs if ref.commit})


def sync(source: Source, db: sqlite3.Connection, database: Path, options: Options, progress: Progress) -> Summary:
    """Bring the store up to the source's present state; interrupted, the next call goes on where it stopped.

    Raises RepositoryError or StoreError; the store is then as it was.
    """
    started = time.monotonic()
    repository = git.open_repository(_locate(source, db, options, progress))
    summary = Summary(source.id, repository.path)
    plan = _plan(source, db, repository, options, summary)
    if plan is None:
        Staging(database, source.id, "").close()
        summary.notes.append("nothing new")
    else:
        _carry_out(plan, source, db, database, repository, options, progress, summary)
    summary.seconds = time.monotonic() - started
    return summary


def _locate(source: Source, db: sqlite3.Connection, options: Options, progress: Progress) -> Path:
    if options.repository is not None:
        return options.repository
    own = places.cache() / "clones" / f"{source.id}.git"
    row, _ = reader.get_cursor(db, source.id)
    before = Path(str(row["location"])) if row and row["location"] and not options.own_clone else own
    if before.resolve() == own.resolve():
        return update_clone(source, own, progress)
    if not before.exists():
        raise RepositoryError(
            f"The clone that '{source.id}' was read from is gone.",
            where=str(before),
            next=f"Say where it is now with --repo {source.id}=PATH, or let kminer clone: --repo {source.id}=auto.",
        )
    progress.detail(f"{source.id}: reading {before}, as last time.")
    return before


def _plan(
    source: Source, db: sqlite3.Connection, repository: pygit2.Repository, options: Options, summary: Summary
) -> _Plan | None:
    """What has to be read, or None if nothing has changed."""
    refs = git.read_refs(repository, source.ignore_refs)
    if not any(ref.commit for ref in refs):
        raise RepositoryError(
            "This repository has no heads and no tags: it is empty, or its clone was never finished.",
            where=repository.path,
            next="Clone it again, or name another with --repo.",
        )
    row, cursor = reader.get_cursor(db, source.id)
    boundary = git.shallow_boundary(repository)
    definition = _definition(source, boundary)
    since = str(row["since"]) if row and row["since"] and not options.full else None
    since = options.since if options.since is not None else since
    if row is None or row["location"] != repository.path:
        _check_likeness(source, repository, refs)
    if row is not None:
        _check_same_history(source, db, repository, cursor)
    known = row is not None and not options.full and row["definition"] == definition and row["since"] == since
    if known and cursor == {ref.name: (ref.object_id, ref.commit) for ref in refs}:
        return None
    if row is not None and str(row["definition"])[:12] != definition[:12]:
        summary.notes.append("the source's file has changed: its history is read anew")
    if boundary:
        summary.notes.append("the clone is shallow: what lies before its cut is not seen")
    old_tips = tuple(sorted({commit for _, commit in cursor.values() if commit and commit in repository}))
    return _Plan(
        refs=refs,
        definition=definition,
        boundary=boundary,
        base=old_tips if known else (),
        since=since,
        anew=not known or _tags(cursor) != _tags({ref.name: (ref.object_id, ref.commit) for ref in refs}),
        whole=not known,
    )


def _definition(source: Source, boundary: frozenset[bytes]) -> str:
    """A fingerprint of how the source is read, and of where a shallow clone was cut: a deepened one is read anew."""
    facts = (READER_VERSION, source.paths, source.words, source.tag_pattern, source.series_pattern,
             source.pull_title, source.ignore_refs, source.repository, source.repository_was)  # fmt: skip
    definition = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    return definition + ("-" + hashlib.sha256(b"".join(sorted(boundary))).hexdigest()[:12] if boundary else "")


def _tags(refs: dict[str, tuple[str, str | None]]) -> dict[str, str | None]:
    return {name: commit for name, (_, commit) in refs.items() if name.startswith("refs/tags/")}


def _check_likeness(source: Source, repository: pygit2.Repository, refs: Sequence[git.Ref]) -> None:
    """Refuse a clone of something else before anything is read from it."""
    commits = list(dict.fromkeys(ref.commit for ref in refs if ref.commit))
    trees = [_tree_of(repository, commit) for commit in dict.fromkeys([*commits[:8], *commits[-8:]])]

    def share(paths: tuple[TrackedPath, ...]) -> float:
        tracked = TrackedPaths(repository, paths)
        return max(tracked.present(tree) for tree in trees) / len(paths)

    others = [other for other in catalogue.load_sources().values() if other.paths]
    titles = {other.paths: other.title for other in reversed(others)}
    shares = {paths: share(paths) for paths in (source.paths, *titles)}
    own, nearest = shares[source.paths], max(titles, key=shares.__getitem__)
    if own < LIKENESS or shares[nearest] > 2 * own:
        looks = f"; it looks like {titles[nearest]}" if shares[nearest] >= LIKENESS else ""
        raise RepositoryError(
            f"This does not look like {source.title}: too few of its tracked paths exist{looks}.",
            where=repository.path,
            next=f"Check the path given with --repo {source.id}=...; {source.file} names the tracked paths.",
        )


def _tree_of(repository: pygit2.Repository, commit: str) -> bytes:
    found = repository[commit]
    assert isinstance(found, pygit2.Commit)
    return found.tree_id.raw


def _check_same_history(
    source: Source, db: sqlite3.Connection, repository: pygit2.Repository, cursor: dict[str, tuple[str, str | None]]
) -> None:
    """Refuse another history under the same name: its commits would stand beside the first one's."""
    known = {commit for _, commit in cursor.values() if commit} | reader.get_sample_keys(db, source.id)
    if not any(key in repository for key in known):
        raise RepositoryError(
            f"This clone shares no commit with the history of '{source.id}' that the database holds.",
            where=repository.path,
            next="It is a clone of something else, or rewritten: use a new database with --db for it.",
        )


def _carry_out(
    plan: _Plan, source: Source, db: sqlite3.Connection, database: Path, repository: pygit2.Repository,
    options: Options, progress: Progress, summary: Summary,
) -> None:  # fmt: skip
    releases = find_releases(repository, plan.refs, source)
    progress.start(f"{source.id}: listing commits", None)
    lost = _lost(plan, db, source, repository)
    lineage = trace(git.list_commits(repository.path, plan.tips), releases) if plan.anew or lost else None
    commits = _commits_to_read(plan, repository, lineage)
    shards = [
        Shard(repository.path, bytes(commits[start : start + 20 * SHARD_SIZE]), source, plan.boundary)
        for start in range(0, len(commits), 20 * SHARD_SIZE)
    ]
    staging = Staging(database, source.id, _fingerprint(plan, commits))
    staging.open()
    summary.read = len(commits) // 20
    _walk(shards, staging, options.jobs, progress, f"{source.id}: reading commits")
    progress.start(f"{source.id}: storing", None)
    _store(plan, source, db, repository, commits, staging.load(len(shards)), releases, lineage, summary)
    staging.close()


def _commits_to_read(plan: _Plan, repository: pygit2.Repository, lineage: Lineage | None) -> bytes | bytearray:
    if lineage is not None and not plan.base and plan.since is None:
        return lineage.ids
    exclude, after = list(plan.base), None
    if plan.since is not None:
        day = _day(plan.since)
        if day is None:
            exclude.append(_tagged(plan, plan.since))
        after = day
    listed = git.list_commits(repository.path, plan.tips, exclude, after)
    return b"".join(ids[0] for ids in listed)


def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _tagged(plan: _Plan, name: str) -> str:
    for ref in plan.refs:
        if ref.tag == name and ref.commit:
            return ref.commit
    raise UsageError(f"--since {name} is neither a day (YYYY-MM-DD) nor a tag of this repository.")


def _lost(plan: _Plan, db: sqlite3.Connection, source: Source, repository: pygit2.Repository) -> bool:
    """Whether something that the store holds may no longer be reachable: a head was forced, deleted or collected."""
    if plan.boundary:
        return False
    _, cursor = reader.get_cursor(db, source.id)
    old = {commit for _, commit in cursor.values() if commit}
    gone = [commit for commit in old if commit not in repository]
    there = sorted(old.difference(gone, plan.tips))
    if gone:
        return True
    return bool(there) and next(git.list_commits(repository.path, there, plan.tips), None) is not None


def _fingerprint(plan: _Plan, commits: bytes | bytearray) -> str:
    digest = hashlib.sha256(f"{plan.definition} {SHARD_SIZE} ".encode())
    digest.update(commits)
    return digest.hexdigest()[:16]


def _walk(shards: list[Shard], staging: Staging, jobs: int, progress: Progress, doing: str) -> None:
    done = staging.done()
    waiting = [index for index in range(len(shards)) if index not in done]
    progress.start(doing, sum(len(shard.commits) for shard in shards) // 20)
    progress.advance(sum(len(shards[index].commits) for index in done if index < len(shards)) // 20)

    def keep(position: int, changes: list[Change]) -> None:
        index = waiting[position]
        staging.save(index, changes)
        progress.advance(len(shards[index].commits) // 20)

    walk([shards[index] for index in waiting], jobs, keep)


def _store(
    plan: _Plan, source: Source, db: sqlite3.Connection, repository: pygit2.Repository, commits: bytes | bytearray,
    shards: Iterator[list[Change]], releases: Sequence[Release], lineage: Lineage | None, summary: Summary,
) -> None:  # fmt: skip
    row, _ = reader.get_cursor(db, source.id)
    with writer.transaction(db):
        ties.set_tied(db, ties.STALE)
        writer.save_source(db, source)
        for changes in shards:
            summary.matched += len(changes)
            summary.new += writer.save_changes(db, source.id, plan.definition, changes)
        if lineage is not None:
            _store_lineage(plan, source, db, releases, lineage, summary)
        if source.repository:
            brought = find_brought(repository, git.list_commits(repository.path, plan.tips))
            pulls = ((key.hex(), f"{source.repository}#{number}", merge.hex()) for key, number, merge in brought)
            writer.save_brought_by(db, source.id, pulls)
        if plan.whole:
            summary.dropped = writer.drop_unmatched(db, source.id, plan.definition, commits)
        else:
            writer.resolve_references(db, source.id, commits)
        facts: dict[str, object] = {
            "location": repository.path,
            "definition": plan.definition,
            "since": plan.since,
            "shallow": int(bool(plan.boundary)),
            "commits": _commits_known(plan, row, lineage, summary.read),
            "synced_at": utc_now(),
        }
        writer.save_cursor(db, source.id, ((r.name, r.object_id, r.commit) for r in plan.refs), facts)
        writer.optimise(db)
    summary.releases = len(releases)


def _commits_known(plan: _Plan, row: reader.Row | None, lineage: Lineage | None, read: int) -> int:
    """How many commits the store has been read from; those that --since left out are not among them."""
    if lineage is not None and plan.since is None:
        return len(lineage)
    return read + (int(str(row["commits"])) if row and plan.base else 0)


def _store_lineage(
    plan: _Plan, source: Source, db: sqlite3.Connection, releases: Sequence[Release], lineage: Lineage,
    summary: Summary,
) -> None:  # fmt: skip
    tags = [release.tag for release in releases]
    below = {above: tags[position] for above, position in lineage.previous.items()}
    writer.save_releases(db, source.id, [replace(r, previous=below.get(r.position)) for r in releases])
    found = list(_named(lineage.of({bytes.fromhex(key) for key in reader.get_keys(db, source.id)}), tags))
    writer.save_first_releases(db, source.id, found)
    if not plan.boundary:
        summary.unreachable = writer.mark_reachable(db, source.id, {key for key, _, _ in found})


def _named(
    rows: Iterable[tuple[bytes, int, int]], tags: Sequence[str]
) -> Iterator[tuple[str, str | None, str | None]]:
    for key, final, rc in rows:
        yield key.hex(), None if rc == NONE else tags[rc], None if final == NONE else tags[final]
