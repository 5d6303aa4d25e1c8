"""An archive of a mailing list as a source: public-inbox git, a mail a commit, one repository or several epochs."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pygit2

from kminer import places
from kminer.errors import MailError, RepositoryError, UsageError
from kminer.history import repository as git
from kminer.history.clone import update_clone
from kminer.history.references import find_references
from kminer.mails.message import SIZE_LIMIT, parse_mail
from kminer.progress import Progress
from kminer.records import Mail, Moment, Reference, Source, utc_now
from kminer.sources.git import Options, Summary
from kminer.store import mails as store
from kminer.store import reader, ties, writer
from kminer.workers import follow_parent, in_order, processes

READER_VERSION = "1"
"""Part of a source's definition: raised when mails are read differently, so that archives are read anew."""

SHARD_SIZE = 512
"""Mails that a process reads at a time: some 0.3 s of work."""

FILE = "m"
"""The file of a commit that holds its mail (source: public-inbox-v2-format)."""

REMOVED = "d"
"""The file of a commit that holds the mail which it removes from the archive (source: public-inbox-v2-format)."""

SHARED = 0.5
"""Share of the mails, of the smaller one, that two states of an archive have in common at least: lists cross-post."""

NEWEST = 20
"""Commits of a head that are looked at to tell whether it is an archive."""

Read = tuple[Mail, tuple[Reference, ...]]


@dataclass(frozen=True, slots=True)
class _Shard:
    path: str
    commits: tuple[str, ...]
    source: Source


@dataclass(slots=True)
class _Plan:
    """What to read: the archive at `place` up to the commits of `refs`; all of it when `anew`, else what came since
    the commits `known`. `row` is the source's before; with `keeps` what is held stays, as a shallow clone has not
    all of it."""

    source: Source
    place: Path
    definition: str
    refs: dict[str, str]
    known: list[str]
    row: reader.Row | None
    shallow: bool
    anew: bool = True
    keeps: bool = False


@dataclass(slots=True)
class _Batch:
    """What was read of a shard: mails that stay in the archive, message-ids of removed ones, and what is wrong with
    those that could not be read, by name."""

    mails: list[Read] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    mended: int = 0


def sync(source: Source, db: sqlite3.Connection, database: Path, options: Options, progress: Progress) -> Summary:
    """Bring the store up to what the archive holds: only mails that came since the last time are read.

    Broken mails are skipped, counted in the summary's notes and named to `progress`. Raises RepositoryError where
    there is no archive; the store is then as it was, as it is when the sync is interrupted.
    """
    started = time.monotonic()
    if options.since is not None:
        raise UsageError(f"--since is for histories of code; '{source.id}' is an archive of mails.")
    row, cursor = reader.get_cursor(db, source.id)
    place = _locate(source, row, options, progress).expanduser().absolute()
    epochs = _open(place)
    refs = {f"{path}:{ref.name}": ref.commit for path, refs in epochs.items() for ref in refs if ref.commit}
    summary = Summary(source.id, ", ".join(epochs))
    known = [commit for _, commit in cursor.values() if commit]
    cuts = [cut for cut in map(_boundary, epochs) if cut]
    plan = _Plan(source, place, _definition(source, cuts), refs, known, row, shallow=bool(cuts))
    plan.anew = row is None or options.full or row["definition"] != plan.definition or _is_rewritten(plan, epochs)
    if plan.shallow:
        plan.keeps = not options.full
        summary.notes.append("the clone is shallow: what lies before its cut is not seen")
    if not plan.anew and {name: commit for name, (_, commit) in cursor.items()} == refs:
        summary.notes.append("nothing new")
    else:
        shards = list(_shards(source, epochs, [] if plan.anew else known))
        _carry_out(plan, db, shards, options.jobs, progress, summary)
    summary.seconds = time.monotonic() - started
    return summary


def _locate(source: Source, row: reader.Row | None, options: Options, progress: Progress) -> Path:
    if options.repository is not None:
        return options.repository
    own = places.cache() / "clones" / f"{source.id}.git"
    before = Path(str(row["location"])) if row and row["location"] and not options.own_clone else own
    if before.resolve() == own.resolve():
        return update_clone(source, own, progress, True)
    return before


def _open(place: Path) -> dict[str, list[git.Ref]]:
    """The heads of each epoch's repository: `place` is one, or a folder of several (0.git, 1.git, ...)."""
    inside = sorted(place.glob("*.git")) or sorted((place / "git").glob("*.git")) if place.is_dir() else []
    advice = "Give the clone of an archive, e.g. of https://lore.kernel.org/cgroups/0, or a folder of such."
    if not place.is_dir():
        raise RepositoryError("There is no archive of mails here.", where=str(place), next=advice)
    found = {}
    for path in inside or [place]:
        repository = git.open_repository(path)
        heads = [ref for ref in git.read_refs(repository) if ref.tag is None]
        if not any(_holds_mail(repository, ref) for ref in heads):
            raise RepositoryError(
                "This is no archive of mails: no head has a file 'm', as public-inbox writes it.",
                where=str(path),
                next=advice,
            )
        found[repository.path] = heads
    return found


def _holds_mail(repository: pygit2.Repository, ref: git.Ref) -> bool:
    """Whether the newest commits of a head add mails or remove some."""
    newest = zip(range(NEWEST), git.list_commits(repository.path, [ref.commit or ""]), strict=False)
    with _whole(repository.path):
        return any(_content(_commit(repository, ids[0].hex()), name) for _, ids in newest for name in (FILE, REMOVED))


@contextlib.contextmanager
def _whole(path: str) -> Iterator[None]:
    """Says which clone it is that lacks objects."""
    try:
        yield
    except (KeyError, pygit2.GitError) as error:
        raise RepositoryError(
            f"This archive is damaged, or a clone without file contents: an object is missing ({error}).",
            where=path,
            next="Run `git fsck` there; if objects are missing, clone it again, whole.",
        ) from error


def _definition(source: Source, cuts: Iterable[list[bytes]]) -> str:
    """A fingerprint of how the source is read, and of where shallow clones were cut: deepened ones are read anew."""
    facts = (READER_VERSION, source.words, source.leave_out, source.repository)
    return hashlib.sha256(repr((*facts, *cuts)).encode()).hexdigest()[:12]


def _boundary(path: str) -> list[bytes]:
    return sorted(git.shallow_boundary(git.reopen_repository(path)))


def _is_rewritten(plan: _Plan, epochs: dict[str, list[git.Ref]]) -> bool:
    """Whether commits that were read are gone from the archive: it was rewritten, an epoch is missing, or another's."""
    left = set(plan.known)
    for path, refs in epochs.items():
        repository = git.reopen_repository(path)
        held = sorted(commit for commit in left if commit in repository)
        tips = sorted({ref.commit for ref in refs if ref.commit})
        if held and next(git.list_commits(path, held, tips), None) is None:
            left.difference_update(held)
    return bool(left)


def _shards(source: Source, epochs: dict[str, list[git.Ref]], known: Sequence[str]) -> Iterator[_Shard]:
    """What came since the `known` heads, oldest first."""
    for path, refs in epochs.items():
        repository = git.reopen_repository(path)
        held = [commit for commit in known if commit in repository]
        tips = sorted({ref.commit for ref in refs if ref.commit})
        commits = [ids[0].hex() for ids in git.list_commits(path, tips, held)][::-1]
        for start in range(0, len(commits), SHARD_SIZE):
            yield _Shard(path, tuple(commits[start : start + SHARD_SIZE]), source)


def _carry_out(
    plan: _Plan, db: sqlite3.Connection, shards: list[_Shard], jobs: int, progress: Progress, summary: Summary
) -> None:
    source = plan.source
    progress.start(f"{source.id}: reading mails", sum(len(shard.commits) for shard in shards))
    reasons, mended = Counter[str](), 0
    with writer.transaction(db):
        ties.set_tied(db, ties.STALE)
        writer.save_source(db, source)
        before, seen = store.read_keys(db, source.id) if plan.anew else set(), set[str]()
        if plan.anew and not plan.keeps:
            store.forget_mails(db, source.id)
        for shard, batch in zip(shards, _read_all(shards, jobs), strict=True):
            summary.read += len(shard.commits)
            summary.matched += sum(mail.kind in store.POSTED for mail, _ in batch.mails)
            summary.dropped += sum(store.forget_mail(db, source.id, key) for key in batch.removed)
            summary.new += store.save_mails(db, source.id, plan.definition, batch.mails)
            seen.update(mail.key for mail, _ in batch.mails if before)
            mended += batch.mended
            for name, why in batch.broken:
                reasons[why] += 1
                progress.detail(f"{source.id}: skipped {name}: {why}")
            progress.advance(len(shard.commits))
        if before:
            _check_same_list(plan, before, seen)
            _count(before, store.read_keys(db, source.id), summary)
        _save_cursor(plan, db, summary)
    summary.notes += [f"{count:,} broken mails skipped ({why})" for why, count in sorted(reasons.items())]
    summary.notes += [f"{mended:,} mails without a sound date take the archive's"] if mended else []
    summary.notes += [f"{summary.dropped:,} mails that the archive removed are dropped"] if summary.dropped else []


def _check_same_list(plan: _Plan, before: set[str], seen: set[str]) -> None:
    """Refuse the archive of another list under the same name."""
    if len(before & seen) < SHARED * max(1, min(len(before), len(seen))):
        raise RepositoryError(
            f"This archive shares too few mails with the one of '{plan.source.id}' that the database holds: "
            f"{len(before & seen):,} of {min(len(before), len(seen)):,}.",
            where=str(plan.place),
            next="It is another list's: give that of the list, or use a new database with --db for it.",
        )


def _count(before: set[str], now: set[str], summary: Summary) -> None:
    """What is new and what is gone of an archive that was read anew."""
    summary.dropped, summary.new = len(before - now), len(now - before)


def _save_cursor(plan: _Plan, db: sqlite3.Connection, summary: Summary) -> None:
    before = 0 if plan.anew or plan.row is None else int(str(plan.row["commits"]))
    facts: dict[str, object] = {
        "location": str(plan.place), "definition": plan.definition, "since": None, "shallow": int(plan.shallow),
        "commits": before + summary.read, "synced_at": utc_now(),
    }  # fmt: skip
    writer.save_cursor(db, plan.source.id, ((name, commit, commit) for name, commit in plan.refs.items()), facts)
    store.save_newest_mail(db, plan.source.id)
    writer.optimise(db)


def _read_all(shards: Sequence[_Shard], jobs: int) -> Iterator[_Batch]:
    if jobs == 1 or len(shards) == 1:
        yield from map(_read_shard, shards)
        return
    with processes(min(jobs, len(shards)), follow_parent) as executor:
        yield from in_order(executor, _read_shard, shards, 3 * jobs)


def _read_shard(shard: _Shard) -> _Batch:
    repository, batch = git.reopen_repository(shard.path), _Batch()
    for name in shard.commits:
        try:
            with _whole(shard.path):
                _add(batch, shard, _commit(repository, name))
        except MailError as error:
            batch.broken.append((f"{shard.path} {name}", error.reason))
    return batch


def _add(batch: _Batch, shard: _Shard, commit: pygit2.Commit) -> None:
    """What a commit adds to the archive, or removes from it. Raises MailError."""
    content = _content(commit, FILE)
    removed = _content(commit, REMOVED) if content is None else None
    if removed is not None:
        _remove(batch, commit, removed)
    if content is None:
        return
    mail = _read(commit, content)
    batch.mended += mail.date_mended
    if mail.kind in store.POSTED and _is_left_out(mail, shard.source):
        return
    references = tuple(find_references(mail.text, shard.source)) if mail.kind in store.POSTED else ()
    batch.mails.append((mail, references))


def _remove(batch: _Batch, commit: pygit2.Commit, removed: pygit2.Blob) -> None:
    """Take a mail out of the batch, and of what was read before. One that cannot be read was not read before either."""
    with contextlib.suppress(MailError):
        key = _read(commit, removed).key
        batch.mails = [(mail, references) for mail, references in batch.mails if mail.key != key]
        batch.removed.append(key)


def _commit(repository: pygit2.Repository, name: str) -> pygit2.Commit:
    commit = repository[name]
    assert isinstance(commit, pygit2.Commit)
    return commit


def _content(commit: pygit2.Commit, file: str) -> pygit2.Blob | None:
    """A file of a commit; None where there is none. Raises KeyError or GitError where objects are missing."""
    if file not in commit.tree:
        return None
    found = commit.tree[file]
    return found if isinstance(found, pygit2.Blob) else None


def _read(commit: pygit2.Commit, content: pygit2.Blob) -> Mail:
    if content.size > SIZE_LIMIT:
        raise MailError("too large")
    return parse_mail(content.data, Moment(commit.commit_time))


def _is_left_out(mail: Mail, source: Source) -> bool:
    """Whether a patch is for another project: its brackets name one that the source leaves out."""
    return bool(set(mail.prefix.lower().split()) & {word.lower() for word in source.leave_out})
