"""Ties release notes to the changes they speak of, and changes to features. The caller's transaction commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from kminer.records import Feature
from kminer.store.reader import Row, read_rows


def is_tied(db: sqlite3.Connection, version: int) -> bool:
    """Whether the ties are those of the changes that are held, worked out by this `version`."""
    return bool(db.execute("PRAGMA user_version").fetchone()[0] == version)


STALE = 0
"""The version of ties that changes were written after."""


def set_tied(db: sqlite3.Connection, version: int) -> None:
    """Note by which version the ties were worked out; STALE belongs into the transaction that writes changes."""
    db.execute(f"PRAGMA user_version = {version:d}")


def save_aliases(db: sqlite3.Connection, aliases: Mapping[str, Mapping[str, str]]) -> None:
    """Replace the version aliases, by project and number as said."""
    db.execute("DELETE FROM version_aliases")
    db.executemany(
        "INSERT INTO version_aliases (project, said, version) VALUES (?, ?, ?)",
        [(project, said, version) for project, of_it in aliases.items() for said, version in of_it.items()],
    )


def save_features(db: sqlite3.Connection, features: Iterable[Feature], days: Mapping[tuple[str, str], str]) -> None:
    """Replace the features; `days` gives the day of each (project, version)."""
    db.execute("DELETE FROM feature_mentions")
    db.execute("DELETE FROM features")
    db.executemany(
        "INSERT INTO features VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (f.id, f.project, f.area, f.title, " ".join(f.mechanisms), f.since,
             days.get((f.project, f.since or "")), f.confidence)
            for f in features
        ],
    )  # fmt: skip


def tie_by_reference(db: sqlite3.Connection) -> None:
    """Replace all ties by those of references: commit ids, pull requests, issues that a commit closes, CVEs.

    A full commit id ties to any project's commit, all else to those of the note's own project.
    """
    db.execute("DELETE FROM ties")
    db.execute(_BY_ID)
    for kinds, others, name in (
        ("('pull-request', 'issue')", "('pull-request')", "pull-request"),
        ("('issue')", "('closes')", "issue"),
        ("('cve')", "('cve')", "cve"),
    ):
        db.execute(
            f"""
            INSERT OR IGNORE INTO ties (note_id, change_id, tied_by, score, evidence)
            SELECT r.change_id, o.change_id, '{name}', 1.0, r.value
            FROM refs r
            JOIN changes n ON n.id = r.change_id AND n.type = 'note'
            JOIN sources s ON s.id = n.source
            JOIN refs o ON o.value = r.value AND o.type IN {others}
            JOIN changes c ON c.id = o.change_id AND c.type IN ('commit', 'merge', 'pull')
            JOIN sources h ON h.id = c.source AND h.project = s.project
            WHERE r.type IN {kinds}
            """  # noqa: S608  constants only
        )
    db.execute(
        """
        INSERT OR IGNORE INTO ties (note_id, change_id, tied_by, score, evidence)
        SELECT r.change_id, b.change_id, 'pull-request', 1.0, r.value
        FROM refs r
        JOIN changes n ON n.id = r.change_id AND n.type = 'note'
        JOIN sources s ON s.id = n.source
        JOIN brought_by b ON b.pull = r.value
        JOIN changes c ON c.id = b.change_id
        JOIN sources h ON h.id = c.source AND h.project = s.project
        WHERE r.type IN ('pull-request', 'issue')
        """
    )


_BY_ID = """
    INSERT OR IGNORE INTO ties (note_id, change_id, tied_by, score, evidence)
    SELECT r.change_id, c.id, 'id', 1.0, r.value
    FROM refs r
    JOIN changes n ON n.id = r.change_id AND n.type = 'note'
    JOIN sources s ON s.id = n.source
    JOIN changes c ON c.key >= r.value AND c.key < r.value || 'g' AND c.type IN ('commit', 'merge', 'pull')
    JOIN sources o ON o.id = c.source
    WHERE r.type IN ('commit', 'backport-of') AND (o.project = s.project OR length(r.value) = 40)
"""


def read_untied(db: sqlite3.Connection) -> list[Row]:
    """Notes that no reference ties: number, project, title, form, day, version (upstream's, if it has one)."""
    return read_rows(
        db,
        """
        SELECT c.id, s.project, c.title, p.form, date(c.date) AS day, coalesce(p.upstream, p.version) AS version
        FROM changes c
        JOIN sources s ON s.id = c.source
        JOIN note_places p ON p.change_id = c.id AND p.source = c.source
        WHERE c.type = 'note' AND c.id NOT IN (SELECT note_id FROM ties)
              AND c.id NOT IN (SELECT change_id FROM withheld)
        GROUP BY c.id ORDER BY c.id
        """,
    )


def read_titles(db: sqlite3.Connection) -> list[Row]:
    """Changes that notes may speak of: number, project, type, title, day, version of the first release, line below.

    `below` is the first line under the title: of a merge, what it merged.
    """
    return read_rows(
        db,
        """
        SELECT c.id, s.project, c.type, c.title, date(c.date) AS day, r.version,
               CASE WHEN c.type = 'commit' THEN ''
                    ELSE trim(substr(c.text, length(c.title) + 1, 300), char(10) || ' ') END AS below
        FROM changes c
        JOIN sources s ON s.id = c.source
        LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
        WHERE c.type IN ('commit', 'merge', 'pull') AND c.reachable = 1 ORDER BY c.id
        """,
    )


def save_title_ties(db: sqlite3.Connection, rows: Iterable[tuple[int, int, float, str]]) -> None:
    """Add ties by title: (note, change, score, the change's title)."""
    db.executemany("INSERT OR IGNORE INTO ties VALUES (?, ?, 'title', ?, ?)", [(n, c, s, e) for n, c, s, e in rows])


def mention_by_commit(db: sqlite3.Connection, features: Iterable[Feature]) -> None:
    """Note which changes brought a feature by the catalogue, and which release notes are tied to these."""
    for feature in features:
        for commit, _ in feature.commits:
            db.execute(
                """
                INSERT OR IGNORE INTO feature_mentions (change_id, feature, mentioned_by, evidence)
                SELECT c.id, ?1, 'commit', ?2 FROM changes c
                WHERE c.key >= ?2 AND c.key < ?2 || 'g' AND c.type IN ('commit', 'merge', 'pull')
                """,
                (feature.id, commit),
            )
    db.execute(
        """
        INSERT OR IGNORE INTO feature_mentions (change_id, feature, mentioned_by, evidence)
        SELECT t.note_id, m.feature, 'note', m.evidence
        FROM feature_mentions m JOIN ties t ON t.change_id = m.change_id AND t.tied_by <> 'cve'
        WHERE m.mentioned_by = 'commit'
        """
    )


def mention_by_name(db: sqlite3.Connection, features: Iterable[Feature]) -> None:
    """Note which changes, of other projects than the feature's, name it."""
    for feature in features:
        for term in feature.terms:
            db.execute(
                """
                INSERT OR IGNORE INTO feature_mentions (change_id, feature, mentioned_by, evidence)
                SELECT c.id, ?1, 'name', ?2
                FROM changes_fts JOIN changes c ON c.id = changes_fts.rowid JOIN sources s ON s.id = c.source
                WHERE changes_fts MATCH ?3 AND s.project <> ?4
                      AND instr(lower(c.title || char(10) || c.text), lower(?2)) > 0
                """,
                (feature.id, term, '"' + term.replace('"', " ") + '"', feature.project),
            )
