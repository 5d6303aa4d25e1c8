"""Opens the database: for writing (by one sync at a time), or strictly for reading."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from kminer.errors import KminerError, StoreError

PROGRAM_ID = 0x6B6D696E
"""SQLite application_id of kminer's files: "kmin"."""


NEWEST_MIGRATION = "m007_marks"
"""The last of the schema's migrations: a database without it lacks tables that are asked for."""


@contextlib.contextmanager
def open_for_writing(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at `path`, made or migrated where needed, held alone until the end of the block.

    Raises StoreError when another kminer writes to it, when it is not kminer's, or cannot be written.
    """
    from sqlite_utils import Database

    from kminer.store.schema import migrations

    with _errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer(path.resolve()):
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                _check_ours(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute(f"PRAGMA application_id = {PROGRAM_ID}")
                migrations.apply(Database(connection))
                yield connection
            finally:
                connection.close()


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The database at `path`, opened read-only: no statement can change it.

    Raises StoreError when there is none, or it is not kminer's.
    """
    if not exists(path):
        raise StoreError(
            "There is no database yet.", where=str(path), next="Run `kminer sync` first, or name another with --db."
        )
    with _errors(path):
        connection = _connect_read_only(path)
        connection.execute("PRAGMA query_only = ON")
        _check_ours(connection, path)
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sources'").fetchone()[0]:
            raise StoreError("This database is empty.", where=str(path), next="Run `kminer sync` first.")
        if not connection.execute("SELECT 1 FROM _sqlite_migrations WHERE name = ?", (NEWEST_MIGRATION,)).fetchone():
            raise StoreError(
                "This database was made by an older kminer, or its making was interrupted.",
                where=str(path),
                next="Run `kminer sync` once: it brings the database up to date, and keeps what it holds.",
            )
    connection.row_factory = sqlite3.Row
    return connection


def exists(path: Path) -> bool:
    """Whether there is a file at `path`. Raises StoreError where that may not be known."""
    with _errors(path):
        return path.exists()


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """A WAL database in a folder that cannot be written opens only as immutable."""
    address = path.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists():
            raise
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found != PROGRAM_ID and (found or tables):
        raise StoreError(
            "This is an SQLite file, but not one of kminer's.", where=str(path), next="Name another file with --db."
        )


@contextlib.contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold `path`.lock: the kernel lets go of it when this process ends, however it ends."""
    with Path(f"{path}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise StoreError(
                f"Another kminer (process {holder}) is writing to this database.",
                where=str(path),
                next="Wait until it has ended, then run this again; or use another file with --db.",
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except KminerError:
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"SQLite could not use the database: {error}.",
            where=str(path),
            next="Check free disk space and permissions of its folder; a run that failed has changed nothing.",
        ) from error
    except OSError as error:
        raise StoreError(
            f"The database cannot be used: {error.strerror or error}.",
            where=str(error.filename or path),
            next="Choose a folder you may write to with --db, and check free disk space.",
        ) from error
