"""Reads the list of changes to read, in the order of releases, and writes the mirror of the user's marks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kminer.marks import Mark
from kminer.store.reader import Row, read_rows
from kminer.store.writer import transaction


def list_changes(db: sqlite3.Connection, source: str | None, mechanism: str, kind: str | None) -> list[Row]:
    """Changes that count (see the view counted_changes), in release order: source, position, date, key.

    The histories of Linux come first; what is in no release yet comes last in its source. `mechanism` is a pattern
    (ns.%). `release` is the first final one, else the first candidate; a note's is that of which it speaks.
    `entered` is the position of the first candidate or final release of its own source that holds the change,
    `noted` that of the release of the `history` of which a note speaks.
    """
    return read_rows(
        db,
        """
        WITH
        named AS MATERIALIZED (
            SELECT change_id, group_concat(mechanism, ' ') AS mechanisms,
                   max(mechanism LIKE ?2) AS meant
            FROM (SELECT change_id, mechanism FROM change_mechanisms ORDER BY change_id, mechanism)
            GROUP BY change_id
        ),
        noted AS MATERIALIZED (              -- of several places of a note, the oldest release counts
            SELECT n.id, n.history, n.release, min(r.position) AS position, n.date
            FROM notes n JOIN releases r ON r.source = n.history AND r.tag = n.release
            GROUP BY n.id
        )
        SELECT * FROM (
            SELECT q.id, q.source, q.project, q.type, q.key, q.short, q.title, coalesce(q.day, n.date) AS day,
                   coalesce(c.date, n.date) AS moment,
                   coalesce(n.release, c.first_final, c.first_rc) AS release, coalesce(n.history, q.source) AS history,
                   coalesce(n.position, f.position, e.position) AS position,
                   n.position AS noted, min(coalesce(f.position, e.position), coalesce(e.position, f.position))
                       AS entered,
                   m.mechanisms, replace(s.commit_url, '{id}', q.key) AS link
            FROM counted_changes q
            CROSS JOIN changes c ON c.id = q.id
            CROSS JOIN sources s ON s.id = q.source
            LEFT JOIN named m ON m.change_id = q.id
            LEFT JOIN noted n ON n.id = q.id
            LEFT JOIN releases f ON f.source = c.source AND f.tag = c.first_final
            LEFT JOIN releases e ON e.source = c.source AND e.tag = c.first_rc
            WHERE (?1 IS NULL OR q.source = ?1) AND (?2 = '%' OR m.meant = 1)
                  AND (?3 IS NULL OR EXISTS (SELECT 1 FROM labels k
                                             WHERE k.change_id = q.id AND k.axis = 'kind' AND k.label = ?3))
        )
        ORDER BY project <> 'linux', history, position IS NULL, position, moment, key, source
        """,
        source,
        mechanism,
        kind,
    )


def list_positions(db: sqlite3.Connection) -> list[Row]:
    """All releases of histories: source, tag, version and position."""
    return read_rows(db, "SELECT source, tag, version, position FROM releases ORDER BY source, position")


def save_marks(db: sqlite3.Connection, marks: Iterable[Mark]) -> None:
    """Let the table of marks hold these and no others."""
    with transaction(db):
        db.execute("DELETE FROM marks")
        db.executemany(
            "INSERT OR REPLACE INTO marks (source, key, mark, note, marked_at) VALUES (?, ?, ?, ?, ?)",
            [(mark.source, mark.key, mark.mark, mark.note, mark.marked_at) for mark in marks],
        )
