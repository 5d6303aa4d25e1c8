"""An archive of a mailing list as a source: public-inbox git, a mail a commit, one repository or several epochs."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from kminer import places
from kminer.errors import MailError, RepositoryError, UsageError
from kminer.history import repository as git
from kminer.history.clone import update_clone
from kminer.history.references import find_references
from kminer.mails.message import parse_mail
from kminer.progress import Progress
from kminer.records import Mail, Moment, Reference, Source
from kminer.sources.git import Options, Summary
from kminer.store import mails as store
from kminer.store import reader, ties, writer
from kminer.workers import follow_parent, in_order, processes

READER_VERSION = "1"
"""Part of a source's definition: raised when mails are read differently, so that archives are read anew."""

SHARD_SIZE = 512
"""Mails that a process reads at a time: some 0.3 s of work."""

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of a mail that are read: longer ones are counted as broken."""

FILE = "m"
"""The file of a commit that holds its mail (source: public-inbox-v2-format)."""

Read = tuple[Mail, tuple[Reference, ...]]


@dataclass(frozen=True, slots=True)
class _Shard:
    path: str
    commits: tuple[str, ...]
    source: Source


@dataclass(slots=True)
class _Batch:
    """What was read of a shard: the mails, and what is wrong with those that could not be, by name."""

    mails: list[Read] = field(default_factory=list)
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
    epochs = _open(_locate(source, row, options, progress))
    definition = _definition(source)
    anew = row is None or options.full or row["definition"] != definition
    refs = {f"{path}:{ref.name}": ref.commit for path, refs in epochs.items() for ref in refs if ref.commit}
    summary = Summary(source.id, ", ".join(epochs))
    before = {} if anew else {name: commit for name, (_, commit) in cursor.items()}
    if not anew and before == refs:
        summary.notes.append("nothing new")
    else:
        shards = list(_shards(source, epochs, [commit for commit in before.values() if commit]))
        _carry_out(source, db, definition, anew, refs, shards, options.jobs, progress, summary)
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
    found = {}
    for path in inside or [place]:
        repository = git.open_repository(path)
        heads = [ref for ref in git.read_refs(repository) if ref.tag is None]
        if not any(_holds_mail(repository, ref) for ref in heads):
            raise RepositoryError(
                "This is no archive of mails: no head has a file 'm', as public-inbox writes it.",
                where=str(path),
                next="Give the clone of an archive, e.g. of https://lore.kernel.org/cgroups/0, or a folder of such.",
            )
        found[repository.path] = heads
    return found


def _holds_mail(repository: pygit2.Repository, ref: git.Ref) -> bool:
    """Whether the newest commits of a head have mails: the very newest may be a deletion."""
    newest = zip(range(20), git.list_commits(repository.path, [ref.commit or ""]), strict=False)
    return any(_content(repository, ids[0].hex()) is not None for _, ids in newest)


def _definition(source: Source) -> str:
    facts = (READER_VERSION, source.words, source.leave_out, source.repository)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _shards(source: Source, epochs: dict[str, list[git.Ref]], known: Sequence[str]) -> Iterator[_Shard]:
    """What came since the `known` heads, oldest first. An archive from which mails were removed is read whole."""
    for path, refs in epochs.items():
        repository = git.reopen_repository(path)
        held = [commit for commit in known if commit in repository]
        tips = sorted({ref.commit for ref in refs if ref.commit})
        commits = [ids[0].hex() for ids in git.list_commits(path, tips, held)][::-1]
        for start in range(0, len(commits), SHARD_SIZE):
            yield _Shard(path, tuple(commits[start : start + SHARD_SIZE]), source)


def _carry_out(
    source: Source, db: sqlite3.Connection, definition: str, anew: bool, refs: dict[str, str], shards: list[_Shard],
    jobs: int, progress: Progress, summary: Summary,
) -> None:  # fmt: skip
    progress.start(f"{source.id}: reading mails", sum(len(shard.commits) for shard in shards))
    reasons, mended = Counter[str](), 0
    row, _ = reader.get_cursor(db, source.id)
    with writer.transaction(db):
        ties.set_tied(db, ties.STALE)
        writer.save_source(db, source)
        if anew:
            store.forget_mails(db, source.id)
        for shard, batch in zip(shards, _read_all(shards, jobs), strict=True):
            summary.read += len(shard.commits)
            summary.matched += sum(mail.kind in store.POSTED for mail, _ in batch.mails)
            summary.new += store.save_mails(db, source.id, definition, batch.mails)
            mended += batch.mended
            for name, why in batch.broken:
                reasons[why] += 1
                progress.detail(f"{source.id}: skipped {name}: {why}")
            progress.advance(len(shard.commits))
        before = 0 if anew or row is None else int(str(row["commits"]))
        facts: dict[str, object] = {
            "location": str(_place_of(list(refs))), "definition": definition, "since": None, "shallow": 0,
            "commits": before + summary.read, "synced_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        writer.save_cursor(db, source.id, ((name, commit, commit) for name, commit in refs.items()), facts)
        writer.optimise(db)
    summary.notes += [f"{count:,} broken mails skipped ({why})" for why, count in sorted(reasons.items())]
    summary.notes += [f"{mended:,} mails without a sound date take the archive's"] if mended else []


def _place_of(names: Sequence[str]) -> Path:
    """Where to read from the next time: the repository, or the folder of epochs."""
    paths = sorted({name.rpartition(":")[0] for name in names})
    return Path(paths[0]) if len(paths) == 1 else Path(paths[0]).parent


def _read_all(shards: Sequence[_Shard], jobs: int) -> Iterator[_Batch]:
    if jobs == 1 or len(shards) == 1:
        yield from map(_read_shard, shards)
        return
    with processes(min(jobs, len(shards)), follow_parent) as executor:
        yield from in_order(executor, _read_shard, shards, 3 * jobs)


def _read_shard(shard: _Shard) -> _Batch:
    repository, batch = git.reopen_repository(shard.path), _Batch()
    for name in shard.commits:
        content = _content(repository, name)
        if content is None:
            continue
        try:
            mail = _read(repository, name, content)
        except MailError as error:
            batch.broken.append((f"{shard.path} {name}", error.reason))
            continue
        batch.mended += mail.date_mended
        if mail.kind in store.POSTED and _is_left_out(mail, shard.source):
            continue
        references = tuple(find_references(mail.text, shard.source)) if mail.kind in store.POSTED else ()
        batch.mails.append((mail, references))
    return batch


def _content(repository: pygit2.Repository, name: str) -> pygit2.Blob | None:
    """The mail of a commit; None of one that removes a mail."""
    commit = repository[name]
    assert isinstance(commit, pygit2.Commit)
    try:
        found = commit.tree[FILE]
    except KeyError:
        return None
    return found if isinstance(found, pygit2.Blob) else None


def _read(repository: pygit2.Repository, name: str, content: pygit2.Blob) -> Mail:
    if content.size > SIZE_LIMIT:
        raise MailError("too large")
    commit = repository[name]
    assert isinstance(commit, pygit2.Commit)
    return parse_mail(content.data, Moment(commit.commit_time))


def _is_left_out(mail: Mail, source: Source) -> bool:
    """Whether a patch is for another project: its brackets name one that the source leaves out."""
    return bool(set(mail.prefix.lower().split()) & {word.lower() for word in source.leave_out})
