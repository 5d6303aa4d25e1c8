"""Answers about single changes, sources and releases."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import dataclass

from kminer.errors import QueryError, StoreError, UsageError

Row = dict[str, object]


def read_rows(db: sqlite3.Connection, sql: str, *parameters: object) -> list[Row]:
    """The rows of one statement, by column. Raises StoreError when the database cannot be read."""
    try:
        return _rows(db, sql, *parameters)
    except sqlite3.DatabaseError as error:
        raise _unreadable(db, error) from error


def _rows(db: sqlite3.Connection, sql: str, *parameters: object) -> list[Row]:
    cursor = db.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _unreadable(db: sqlite3.Connection, error: sqlite3.DatabaseError) -> StoreError:
    with contextlib.closing(db.execute("PRAGMA database_list")) as files:
        return StoreError(
            f"SQLite could not read the database: {error}.",
            where=files.fetchone()[2],
            next="Restore the file from a copy, or sync into a new one with --db.",
        )


def holds_demo(db: sqlite3.Connection) -> bool | None:
    """Whether the database is the demo's; None when it holds nothing yet."""
    demo = read_rows(db, "SELECT max(demo) AS demo FROM sources WHERE synced_at IS NOT NULL")[0]["demo"]
    return None if demo is None else bool(demo)


def list_sources(db: sqlite3.Connection) -> list[Row]:
    """State of each source in the store; its `changes` are those it tells, notes that others tell too among them."""
    return read_rows(
        db,
        """
        SELECT s.*, (SELECT count(*) FROM changes c WHERE c.source = s.id AND c.type <> 'note')
                    + (SELECT count(DISTINCT p.change_id) FROM note_places p WHERE p.source = s.id) AS changes,
               (SELECT count(*) FROM releases r WHERE r.source = s.id) AS releases,
               (SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY position DESC LIMIT 1) AS newest_release
        FROM sources s WHERE s.synced_at IS NOT NULL ORDER BY s.id
        """,
    )


def list_releases(db: sqlite3.Connection, source: str | None, candidates: bool) -> list[Row]:
    """Releases with their number of changes, oldest first."""
    return read_rows(
        db,
        """
        SELECT r.source, r.tag, r.version, r.kind, date(r.date) AS date, r.previous,
               (SELECT count(*) FROM changes c WHERE c.source = r.source
                AND ((r.kind = 'final' AND c.first_final = r.tag) OR (r.kind = 'rc' AND c.first_rc = r.tag))) AS changes
        FROM releases r
        WHERE (?1 IS NULL OR r.source = ?1) AND (?2 OR r.kind = 'final')
        ORDER BY r.source, r.position
        """,
        source,
        candidates,
    )


def get_cursor(db: sqlite3.Connection, source: str) -> tuple[Row | None, dict[str, tuple[str, str | None]]]:
    """The source's row (None before its first sync) and its references: name -> (object, commit)."""
    rows = read_rows(db, "SELECT * FROM sources WHERE id = ? AND synced_at IS NOT NULL", source)
    refs = db.execute("SELECT name, object_id, commit_id FROM source_refs WHERE source = ?", (source,))
    return (rows[0] if rows else None), {name: (object_id, commit) for name, object_id, commit in refs}


def get_keys(db: sqlite3.Connection, source: str) -> set[str]:
    """Keys of all changes of a source."""
    return {row[0] for row in db.execute("SELECT key FROM changes WHERE source = ?", (source,))}


def get_sample_keys(db: sqlite3.Connection, source: str) -> set[str]:
    """Keys of the oldest and the newest changes of a source, to recognise its history by."""
    sql = "SELECT key FROM (SELECT key FROM changes WHERE source = ?1 ORDER BY date {} LIMIT 50)"
    return {row[0] for order in ("ASC", "DESC") for row in db.execute(sql.format(order), (source,))}


@dataclass(frozen=True, slots=True)
class Known:
    """All that the store knows of one change; references in both directions.

    `places` are where a release note is told, `ties` the commits that a note speaks of, or the notes that speak of
    a commit.
    """

    change: Row
    paths: list[Row]
    mechanisms: list[str]
    labels: list[Row]
    votes: list[Row]
    unknown: str | None
    people: list[Row]
    references: list[Row]
    referrers: list[Row]
    places: list[Row]
    ties: list[Row]
    features: list[Row]


def find_change(db: sqlite3.Connection, prefix: str) -> Known:
    """The change whose key begins with `prefix`. Raises UsageError when none or several do."""
    prefix = prefix.strip(" <>\t\n")
    if len(prefix) < 4:
        raise UsageError(f"'{prefix}' is too short for an id.", next="Give at least 4 characters.")
    rows = _begin_with(db, prefix) or _begin_with(db, prefix.lower())
    rows = [row for row in rows if row["key"] == prefix] or rows
    if not rows:
        raise UsageError(
            f"No change has an id that begins with '{prefix}'.",
            next="Only candidates are kept: try `kminer search`, or check the id with `git show` in a clone.",
        )
    if len({row["key"] for row in rows}) > 1:
        choices = "\n".join(f"         {row['key']}  {row['source']}  {row['title']}" for row in rows)
        raise UsageError(f"Several changes begin with '{prefix}':\n{choices}", next="Give more of the id.")
    return _known(db, rows[0]["id"])


def _begin_with(db: sqlite3.Connection, prefix: str) -> list[Row]:
    return read_rows(
        db,
        "SELECT id, key, source, title FROM changes WHERE key >= ? AND key < ? ORDER BY key, source LIMIT 10",
        prefix,
        prefix + "\U0010ffff",
    )


def get_change(db: sqlite3.Connection, change_id: object, key: str) -> Known:
    """The change with this number within the database. Raises StoreError when it is no longer the one with `key`."""
    if not read_rows(db, "SELECT 1 FROM changes WHERE id = ? AND key = ?", change_id, key):
        raise StoreError(
            "The database was changed meanwhile: this change is no longer in it.", where=key, next="Run it again."
        )
    return _known(db, change_id)


def _known(db: sqlite3.Connection, change_id: object) -> Known:
    return Known(
        change=read_rows(
            db,
            """
            SELECT c.*, s.project, s.title AS source_title, replace(s.commit_url, '{id}', c.key) AS link, s.issue_url,
                   (SELECT pull FROM brought_by WHERE change_id = c.id) AS brought_by,
                   (SELECT date(date) FROM releases WHERE source = c.source AND tag = c.first_rc) AS first_rc_date,
                   (SELECT date(date) FROM releases WHERE source = c.source AND tag = c.first_final) AS first_final_date
            FROM changes c JOIN sources s ON s.id = c.source WHERE c.id = ?
            """,
            change_id,
        )[0],
        paths=read_rows(
            db, "SELECT path, change, tracked FROM change_paths WHERE change_id = ? ORDER BY path", change_id
        ),
        mechanisms=[
            str(row["mechanism"])
            for row in read_rows(
                db, "SELECT mechanism FROM change_mechanisms WHERE change_id = ? ORDER BY mechanism", change_id
            )
        ],
        labels=read_rows(
            db,
            """
            SELECT axis, label, score, given_by FROM labels WHERE change_id = ?
            ORDER BY CASE axis WHEN 'relevant' THEN 0 WHEN 'mechanism' THEN 1 WHEN 'kind' THEN 2 WHEN 'dimension' THEN 3
                     ELSE 4 END, score DESC, label
            """,
            change_id,
        ),
        votes=read_rows(
            db,
            """
            SELECT axis, label, voter, score, version, evidence FROM votes WHERE change_id = ?
            ORDER BY axis, label, score DESC, voter
            """,
            change_id,
        ),
        unknown=next(
            (str(row["unknown"]) for row in
             read_rows(db, "SELECT unknown FROM classifications WHERE change_id = ?", change_id)), None
        ),
        people=read_rows(
            db, "SELECT role, name, email FROM people WHERE change_id = ? ORDER BY role, name, email", change_id
        ),
        references=read_rows(
            db,
            """
            SELECT r.type, r.value, r.target, t.title, t.source, coalesce(t.first_final, t.first_rc) AS release
            FROM refs r JOIN changes c ON c.id = r.change_id
            LEFT JOIN changes t ON t.key = r.target AND (t.source = c.source OR t.type = 'note')
            WHERE r.change_id = ? ORDER BY r.type, r.value
            """,
            change_id,
        ),
        referrers=read_rows(
            db,
            """
            SELECT r.type, f.key, f.title, f.source, date(f.date) AS date,
                   coalesce(f.first_final, f.first_rc) AS release
            FROM refs r JOIN changes f ON f.id = r.change_id
            WHERE r.target = (SELECT key FROM changes WHERE id = ?) ORDER BY f.date, f.key
            """,
            change_id,
        ),
        places=read_rows(
            db,
            """
            SELECT source, place, line, said, version, upstream, section, form, sign, date, seen_from, seen_until, gone
            FROM note_places WHERE change_id = ? ORDER BY source, place, said, section
            """,
            change_id,
        ),
        ties=read_rows(
            db,
            """
            SELECT 'speaks of' AS way, t.tied_by, t.score, t.evidence, c.key, c.source, c.title, date(c.date) AS date,
                   coalesce(c.first_final, c.first_rc) AS release
            FROM ties t JOIN changes c ON c.id = t.change_id WHERE t.note_id = ?1
            UNION ALL
            SELECT 'told in', t.tied_by, t.score, t.evidence, c.key, c.source, c.title, date(c.date),
                   coalesce(c.first_final, c.first_rc)
            FROM ties t JOIN changes c ON c.id = t.note_id WHERE t.change_id = ?1
            ORDER BY way, score DESC, date, key
            """,
            change_id,
        ),
        features=read_rows(
            db,
            """
            SELECT f.id, f.title, f.since, m.mentioned_by, m.evidence
            FROM feature_mentions m JOIN features f ON f.id = m.feature WHERE m.change_id = ?
            ORDER BY f.id, m.mentioned_by
            """,
            change_id,
        ),
    )


def search(db: sqlite3.Connection, words: str, source: str | None, limit: int) -> list[Row]:
    """Changes whose title or message hold `words`, best first.

    Plain words must all occur; FTS5's own syntax (OR, NEAR, prefix*, "a phrase") works as well. A word that
    FTS5 would stumble over, such as cgroup.procs, is taken as a phrase. Raises QueryError if it stays unclear.
    """
    sql = """
        SELECT c.key, c.source, date(c.date) AS date, coalesce(c.first_final, c.first_rc) AS release, c.title,
               snippet(changes_fts, 1, char(2), char(3), ' … ', 16) AS snippet
        FROM changes_fts JOIN changes c ON c.id = changes_fts.rowid
        WHERE changes_fts MATCH ?1 AND (?2 IS NULL OR c.source = ?2)
        ORDER BY bm25(changes_fts, 4.0, 1.0), c.id LIMIT ?3
    """
    try:
        return _rows(db, sql, _fts_words(words), source, limit)
    except sqlite3.OperationalError as error:
        raise QueryError(
            f"These words cannot be searched: {error}.", where=words, next="Put phrases in double quotes."
        ) from error
    except sqlite3.DatabaseError as error:
        raise _unreadable(db, error) from error


def _fts_words(words: str) -> str:
    parts = re.findall(r'"[^"]*"|\S+', words)
    plain = re.compile(r'"[^"]*"|[\w]+\*?|[()]+|NEAR\(.*|\w+,?\)?')
    return " ".join(part if plain.fullmatch(part) else '"' + part.replace('"', "") + '"' for part in parts)
