"""Syncs a source into a database the way the command line does, and compares what databases hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kminer.progress import Progress
from kminer.records import Source, TrackedPath
from kminer.sources import git
from kminer.store.database import open_for_writing

Rows = list[tuple[Any, ...]]


def sample_source(*paths: str | TrackedPath, **facts: Any) -> Source:
    """A source of "tracked/" (or `paths`) and the word "widget", with tags like v1.2 and v1.2-rc1."""
    tracked = tuple(
        path if isinstance(path, TrackedPath) else TrackedPath(path, mechanisms=("cg.core",)) for path in paths
    )
    usual: dict[str, Any] = {
        "id": "sample",
        "kind": "git",
        "project": "sample",
        "title": "A sample",
        "commit_url": "https://example.org/{id}",
        "repository": "owner/sample",
        "repository_was": ("old/sample",),
        "words": ("widget*",),
        "tag_pattern": r"^v(?P<version>\d+(?:\.\d+)*)(?:-(?P<pre>(?:rc|beta|tp)\.?\d+))?$",
        "series_pattern": r"^\d+\.\d+",
        "pull_title": r"^Merge tag\b.*widget",
        "paths": tracked or (TrackedPath("tracked/", mechanisms=("cg.core",), about="what is tracked"),),
        "file": "sample.toml",
    }
    return Source(**(usual | facts))


def pathspecs(paths: Iterable[TrackedPath]) -> list[str]:
    """How one asks git for the same files."""
    specs = []
    for name in (name for path in paths for name in (path.path, *path.was)):
        plain = name.rstrip("/")
        if not any(character in name for character in "*?["):
            specs.append(f":(literal){name}")
        else:
            specs += [f":(glob){plain}/**", *([] if name.endswith("/") else [f":(glob){plain}"])]
    return specs


def run_sync(
    source: Source, repository: Path | None, database: Path, progress: Progress | None = None, **options: Any
) -> git.Summary:
    """One sync of `source` from the clone at `repository` (None: as last time, or kminer's own) into `database`."""
    with open_for_writing(database) as db:
        return git.sync(source, db, database, git.Options(repository=repository, **options), progress or Progress())


def dump(database: Path, unreachable: bool = False) -> dict[str, Rows]:
    """All that a database holds, in an order and with names that do not depend on how it came about.

    Row ids of changes give way to their keys; `synced_at` and the clone's place are left out, and so are
    changes that nothing leads to any more, unless `unreachable` is true.
    """
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        statements = _statements(db, unreachable)
        return {name: sorted(db.execute(sql).fetchall(), key=repr) for name, sql in statements.items()}
    finally:
        db.close()


def _statements(db: sqlite3.Connection, unreachable: bool) -> dict[str, str]:
    kept = "1" if unreachable else "c.reachable = 1"
    found = {}
    for table, left_out in (
        ("sources", {"synced_at", "location"}), ("source_refs", set()), ("tracked_paths", set()), ("releases", set()),
    ):  # fmt: skip
        found[table] = f"SELECT {_columns(db, table, left_out)} FROM {table}"
    found["changes"] = f"SELECT {_columns(db, 'changes', {'id'}, 'c.')} FROM changes c WHERE {kept}"
    for table in ("change_paths", "refs", "people"):
        columns = _columns(db, table, {"change_id"}, "t.")
        rows = f"{table} t JOIN changes c ON c.id = t.change_id"
        found[table] = f"SELECT c.source, c.key, {columns} FROM {rows} WHERE {kept}"
    for word in ("widget", "needed", "fixes"):
        hits = "changes_fts f JOIN changes c ON c.id = f.rowid"
        found[f"full text: {word}"] = f"SELECT c.source, c.key FROM {hits} WHERE changes_fts MATCH '{word}' AND {kept}"
    return found


def _columns(db: sqlite3.Connection, table: str, left_out: set[str], prefix: str = "") -> str:
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    return ", ".join(prefix + name for name in names if name not in left_out)


def ask(database: Path, sql: str, *parameters: Any) -> Rows:
    """The rows of one statement."""
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return db.execute(sql, parameters).fetchall()
    finally:
        db.close()


def check_whole(database: Path) -> None:
    """Fail unless SQLite finds the file, its foreign keys and its full-text index sound."""
    db = sqlite3.connect(database)
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        db.execute("INSERT INTO changes_fts(changes_fts, rank) VALUES ('integrity-check', 1)")
    finally:
        db.close()
