"""Writes what a sync brought. Nothing here commits: the caller's one transaction does."""

from __future__ import annotations

import contextlib
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from kminer.records import Change, Release, Source


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written in the block, or, when it fails, nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def save_source(db: sqlite3.Connection, source: Source) -> None:
    """Insert or refresh the source's row and its tracked paths."""
    db.execute(
        """
        INSERT INTO sources (id, kind, project, title, demo, commit_url, issue_url) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, project = excluded.project, title = excluded.title,
            demo = excluded.demo, commit_url = excluded.commit_url, issue_url = excluded.issue_url
        """,
        (source.id, source.kind, source.project, source.title, source.demo, source.commit_url, source.issue_url),
    )
    db.execute("DELETE FROM tracked_paths WHERE source = ?", (source.id,))
    db.executemany(
        "INSERT INTO tracked_paths (source, path, mechanism, about) VALUES (?, ?, ?, ?)",
        [(source.id, path.path, mechanism, path.about) for path in source.paths for mechanism in path.mechanisms],
    )


def save_changes(db: sqlite3.Connection, source: str, definition: str, changes: Iterable[Change]) -> int:
    """Insert or replace changes by (source, key); an id once given stays. Returns how many were new."""
    new, placed = 0, []
    for change in changes:
        known = db.execute(
            "SELECT id, title, text FROM changes WHERE source = ? AND key = ?", (source, change.key)
        ).fetchone()
        if known:
            change_id = known[0]
            if (change.title, change.text) != known[1:] or _paths_of(db, change_id) != _paths_in(change):
                forget_labels(db, change_id)
            _forget_details(db, change_id)
            db.execute(UPDATE_CHANGE, (*_row(source, definition, change), change_id))
        else:
            new += 1
            change_id = db.execute(INSERT_CHANGE, _row(source, definition, change)).lastrowid
        placed.append((change_id, change))
    _save_details(db, placed)
    return new


_NAMES = (
    "source", "type", "key", "date", "title", "text", "encoding", "author", "author_email", "author_date",
    "committer", "committer_email", "committer_date", "matched_by", "reachable", "definition",
)  # fmt: skip
_COLUMNS, _MARKS = ", ".join(_NAMES), ", ".join("?" * len(_NAMES))
INSERT_CHANGE = f"INSERT INTO changes ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608  constants only
UPDATE_CHANGE = f"UPDATE changes SET ({_COLUMNS}) = ({_MARKS}) WHERE id = ?"  # noqa: S608  constants only
"""Both take a row in the order of _NAMES; the latter the change's number behind it."""


def _row(source: str, definition: str, change: Change) -> tuple[object, ...]:
    author, committer = change.people[0], change.people[1]
    return (
        source, change.type, change.key, change.committed.utc(), change.title, change.text, change.encoding,
        author.name, author.email, change.authored.local(), committer.name, committer.email,
        change.committed.local(), " ".join(change.matched_by), 1, definition,
    )  # fmt: skip


def _forget_details(db: sqlite3.Connection, change_id: int) -> None:
    db.execute("DELETE FROM change_paths WHERE change_id = ?", (change_id,))
    db.execute("DELETE FROM refs WHERE change_id = ?", (change_id,))
    db.execute("DELETE FROM people WHERE change_id = ?", (change_id,))


def forget_labels(db: sqlite3.Connection, change_id: int) -> None:
    """Labels of a change that now reads otherwise are stale: it waits to be labelled anew."""
    for table in ("classifications", "labels", "votes"):
        db.execute(f"DELETE FROM {table} WHERE change_id = ?", (change_id,))  # noqa: S608  constants only


def _paths_of(db: sqlite3.Connection, change_id: int) -> set[str]:
    return {path for (path,) in db.execute("SELECT path FROM change_paths WHERE change_id = ?", (change_id,))}


def _paths_in(change: Change) -> set[str]:
    return {storable(path.path) for path in change.paths}


def _save_details(db: sqlite3.Connection, placed: Sequence[tuple[int, Change]]) -> None:
    db.executemany(
        "INSERT INTO change_paths (change_id, path, change, tracked) VALUES (?, ?, ?, ?)",
        [
            (number, storable(path.path), path.change, path.tracked)
            for number, change in placed
            for path in change.paths
        ],
    )
    db.executemany(
        "INSERT INTO refs (change_id, type, value, target) VALUES (?, ?, ?, ?)",
        [(number, ref.type, ref.value, ref.target) for number, change in placed for ref in change.references],
    )
    db.executemany(
        "INSERT OR IGNORE INTO people (change_id, role, name, email) VALUES (?, ?, ?, ?)",
        [(number, one.role, one.name, one.email) for number, change in placed for one in change.people],
    )


def storable(path: str) -> str:
    """A file name that is not UTF-8 keeps its bytes as backslash escapes: SQLite holds text only."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def save_releases(db: sqlite3.Connection, source: str, releases: Sequence[Release]) -> None:
    """Replace the source's releases."""
    db.execute("DELETE FROM releases WHERE source = ?", (source,))
    db.executemany(
        """
        INSERT INTO releases (source, tag, version, kind, series, position, date, commit_id, previous)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (source, r.tag, r.version, r.kind, r.series, r.position, r.date.utc(), r.commit, r.previous)
            for r in releases
        ],
    )


def save_first_releases(
    db: sqlite3.Connection, source: str, rows: Iterable[tuple[str, str | None, str | None]]
) -> None:
    """Set first candidate and first final of changes; rows are (key, first_rc, first_final)."""
    db.executemany(
        "UPDATE changes SET first_rc = ?, first_final = ? WHERE source = ? AND key = ?",
        [(rc, final, source, key) for key, rc, final in rows],
    )


def save_brought_by(db: sqlite3.Connection, source: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Replace what is known of which pull request brought a commit: (key, owner/name#number, id of the merge)."""
    db.execute("DELETE FROM brought_by WHERE change_id IN (SELECT id FROM changes WHERE source = ?)", (source,))
    db.executemany(
        """
        INSERT INTO brought_by (change_id, pull, merge_id)
        SELECT id, ?2, ?3 FROM changes WHERE source = ?4 AND key = ?1
        """,
        [(key, pull, merge, source) for key, pull, merge in rows],
    )


def mark_reachable(db: sqlite3.Connection, source: str, reachable: set[str]) -> int:
    """Flag changes that no head or tag leads to any more; nothing is deleted. Returns how many are flagged."""
    keys = {row[0] for row in db.execute("SELECT key FROM changes WHERE source = ?", (source,))}
    db.executemany(
        "UPDATE changes SET reachable = ? WHERE source = ? AND key = ?",
        [(int(key in reachable), source, key) for key in keys],
    )
    lost = keys - reachable
    db.executemany(
        "UPDATE changes SET first_rc = NULL, first_final = NULL WHERE source = ? AND key = ?",
        [(source, key) for key in lost],
    )
    return len(lost)


def resolve_references(db: sqlite3.Connection, source: str, read: bytes | bytearray) -> None:
    """Give references to commits that were unknown until now their target, if `read` (20 bytes each) holds it."""
    rows = db.execute(
        """
        SELECT DISTINCT r.type, r.value FROM refs r JOIN changes c ON c.id = r.change_id
        WHERE c.source = ? AND r.target IS NULL AND r.type IN ('fixes', 'reverts')
        """,
        (source,),
    ).fetchall()
    commits = sorted(bytes(read[start : start + 20]).hex() for start in range(0, len(read), 20)) if rows else []
    for kind, value in rows:
        fitting = commits[bisect_left(commits, value) : bisect_left(commits, value + "g")]
        if len(fitting) == 1:
            db.execute(
                """
                UPDATE refs SET target = ? WHERE type = ? AND value = ? AND target IS NULL
                AND change_id IN (SELECT id FROM changes WHERE source = ?)
                """,
                (fitting[0], kind, value, source),
            )


def drop_unmatched(db: sqlite3.Connection, source: str, definition: str, read: bytes | bytearray) -> int:
    """Delete changes among `read` (20 bytes each) that their source no longer matches; returns how many."""
    rows = db.execute("SELECT key FROM changes WHERE source = ? AND definition <> ?", (source, definition))
    stale = {bytes.fromhex(key): key for (key,) in rows}
    commits = (bytes(read[start : start + 20]) for start in range(0, len(read), 20)) if stale else ()
    gone = [(source, stale[commit]) for commit in commits if commit in stale]
    db.executemany("DELETE FROM changes WHERE source = ? AND key = ?", gone)
    return len(gone)


def save_cursor(
    db: sqlite3.Connection, source: str, refs: Iterable[tuple[str, str, str | None]], facts: dict[str, object]
) -> None:
    """Replace the references read up to, (name, object, commit), and set columns of the source's row."""
    db.execute("DELETE FROM source_refs WHERE source = ?", (source,))
    db.executemany(
        "INSERT INTO source_refs (source, name, object_id, commit_id) VALUES (?, ?, ?, ?)",
        [(source, *ref) for ref in refs],
    )
    db.execute(
        """
        UPDATE sources SET location = :location, definition = :definition, since = :since, shallow = :shallow,
            commits = :commits, synced_at = :synced_at,
            newest = (SELECT max(date) FROM changes WHERE source = :source AND reachable = 1)
        WHERE id = :source
        """,
        {**facts, "source": source},
    )


def optimise(db: sqlite3.Connection) -> None:
    """Let SQLite gather the statistics its query planner wants."""
    db.execute("PRAGMA analysis_limit = 1000")
    db.execute("ANALYZE")
