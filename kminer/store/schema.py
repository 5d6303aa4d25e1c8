"""The tables, as migrations: each runs once, in its own transaction, in this order."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("kminer")


@migrations()
def m001_sources_and_changes(db: Database) -> None:
    """Sources, their references and releases, and the changes with what they point at."""
    _run(
        db,
        """
        CREATE TABLE sources (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            project TEXT NOT NULL,
            title TEXT NOT NULL,
            demo INTEGER NOT NULL CHECK (demo IN (0, 1)),
            commit_url TEXT NOT NULL,
            issue_url TEXT NOT NULL,
            location TEXT,
            definition TEXT,
            since TEXT,
            shallow INTEGER NOT NULL DEFAULT 0,
            commits INTEGER NOT NULL DEFAULT 0,
            newest TEXT,
            synced_at TEXT
        ) STRICT
        """,
        """
        CREATE TABLE source_refs (
            source TEXT NOT NULL REFERENCES sources(id),
            name TEXT NOT NULL,
            object_id TEXT NOT NULL,
            commit_id TEXT,
            PRIMARY KEY (source, name)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE tracked_paths (
            source TEXT NOT NULL REFERENCES sources(id),
            path TEXT NOT NULL,
            mechanism TEXT NOT NULL,
            about TEXT NOT NULL,
            PRIMARY KEY (source, path, mechanism)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE releases (
            source TEXT NOT NULL REFERENCES sources(id),
            tag TEXT NOT NULL,
            version TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('final', 'rc')),
            series TEXT NOT NULL,
            position INTEGER NOT NULL,
            date TEXT,
            commit_id TEXT NOT NULL,
            previous TEXT,
            PRIMARY KEY (source, tag)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE changes (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL REFERENCES sources(id),
            type TEXT NOT NULL,
            key TEXT NOT NULL,
            date TEXT,
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            encoding TEXT NOT NULL,
            author TEXT NOT NULL,
            author_email TEXT NOT NULL,
            author_date TEXT NOT NULL,
            committer TEXT NOT NULL,
            committer_email TEXT NOT NULL,
            committer_date TEXT NOT NULL,
            matched_by TEXT NOT NULL,
            first_rc TEXT,
            first_final TEXT,
            reachable INTEGER NOT NULL DEFAULT 1 CHECK (reachable IN (0, 1)),
            definition TEXT NOT NULL,
            UNIQUE (source, key)
        ) STRICT
        """,
        "CREATE INDEX changes_key ON changes (key)",
        "CREATE INDEX changes_first_final ON changes (source, first_final)",
        "CREATE INDEX changes_date ON changes (source, date)",
        """
        CREATE TABLE change_paths (
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            change TEXT NOT NULL,
            tracked TEXT NOT NULL,
            PRIMARY KEY (change_id, path, change)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX change_paths_path ON change_paths (path)",
        "CREATE INDEX change_paths_tracked ON change_paths (tracked)",
        """
        CREATE TABLE refs (
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE,
            type TEXT NOT NULL,
            value TEXT NOT NULL,
            target TEXT,
            PRIMARY KEY (change_id, type, value)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX refs_target ON refs (target)",
        "CREATE INDEX refs_value ON refs (type, value)",
        """
        CREATE TABLE people (
            change_id INTEGER NOT NULL REFERENCES changes(id) ON DELETE CASCADE,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            email TEXT NOT NULL,
            PRIMARY KEY (change_id, role, email)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX people_email ON people (email)",
    )
    db.table("changes").enable_fts(["title", "text"], create_triggers=True, tokenize="porter unicode61 tokenchars '_'")


@migrations()
def m002_views(db: Database) -> None:
    """Views that answer by themselves in Datasette and the sqlite3 shell."""
    _run(
        db,
        """
        CREATE VIEW changes_with_release AS
        SELECT c.id, s.project, c.source, c.type, c.key, substr(c.key, 1, 12) AS short, c.date, c.title, c.author,
               coalesce(c.first_final, c.first_rc) AS release, r.version, r.series, r.kind AS release_kind,
               r.position, r.date AS release_date, c.first_rc, c.first_final, c.reachable, c.matched_by,
               replace(s.commit_url, '{id}', c.key) AS link
        FROM changes c
        JOIN sources s ON s.id = c.source
        LEFT JOIN releases r ON r.source = c.source AND r.tag = coalesce(c.first_final, c.first_rc)
        """,
        """
        CREATE VIEW change_mechanisms AS
        SELECT DISTINCT p.change_id, t.mechanism
        FROM change_paths p
        JOIN changes c ON c.id = p.change_id
        JOIN tracked_paths t ON t.source = c.source AND t.path = p.tracked
        """,
        """
        CREATE VIEW fixes AS
        SELECT f.source, f.id AS fix_id, b.id AS bug_id, r.value, r.target
        FROM refs r
        JOIN changes f ON f.id = r.change_id
        LEFT JOIN changes b ON b.source = f.source AND b.key = r.target
        WHERE r.type = 'fixes'
        """,
    )


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)
