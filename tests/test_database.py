"""The database file: opened strictly for reading, by one writer at a time, and never taken for what it is not."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import check_failure, command, without_root_powers, write_history, write_source
from gitrepo import GitRepo
from syncing import ask, check_whole, dump

from kminer.errors import StoreError
from kminer.store.database import NEWEST_MIGRATION, PROGRAM_ID, open_for_reading, open_for_writing
from kminer.store.schema import migrations

Kminer = Callable[..., subprocess.CompletedProcess[str]]

READERS = [["sources"], ["releases"], ["search", "tracked"], ["show", "abcdef"], ["query", "changes"]]


@pytest.fixture
def synced(repo: GitRepo, database: Path, kminer: Kminer, home: Path) -> Path:
    """A database that holds a small history, and a saved query named changes."""
    write_source()
    write_history(repo)
    folder = home / "xdg_config_home" / "kminer" / "queries"
    folder.mkdir(parents=True)
    (folder / "changes.sql").write_text("-- title: T\n-- why: W\nSELECT title FROM changes ORDER BY id\n")
    done = kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}")
    assert done.returncode == 0, done.stderr
    return database


def use_all(
    kminer: Kminer, database: Path, repo: GitRepo, code: int, *says: str | Path, sources_too: bool = True
) -> None:
    """Every command that reads, and sync, fails on this database with `code` and `says`; the file stays as it was."""
    before = database.read_bytes() if database.is_file() else None
    for arguments in [*READERS, ["sync", "sample", "--repo", f"sample={repo.path}"]]:
        if arguments != ["sources"] or sources_too:
            check_failure(kminer("--db", database, *arguments), code, *says)
    assert before is None or database.read_bytes() == before


def test_a_folder_is_no_database(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """--db with a folder is refused on the command line, and a folder at the default place as well."""
    folder = tmp_path / "folder.db"
    folder.mkdir()
    done = kminer("--db", folder, "sources")
    assert done.returncode == 2
    assert "is a directory" in done.stderr
    assert "Traceback" not in done.stderr
    standard = Path(os.environ["XDG_DATA_HOME"]) / "kminer" / "kminer.db"
    standard.mkdir(parents=True)
    check_failure(kminer("releases"), 1, standard)
    check_failure(kminer("sync", "sample", "--repo", f"sample={repo.path}"), 1, standard)


@pytest.mark.parametrize(
    "content", [b"just a text, much longer than a hundred bytes " * 10, b"\x7fELF" + bytes(5000), b"short"]
)
def test_a_file_that_is_no_database(
    kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path, content: bytes
) -> None:
    """A file of another kind is left alone by every command."""
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    use_all(kminer, file, repo, 1, file, "not a database", "next:")


@pytest.mark.parametrize("program", [0, 1234])
def test_another_programs_database(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path, program: int) -> None:
    """An SQLite file of another program is left alone by every command."""
    file = tmp_path / "places.sqlite"
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE sources (id, demo, synced_at)")
    db.execute(f"PRAGMA application_id = {program}")
    db.commit()
    db.close()
    use_all(kminer, file, repo, 1, file, "not one of kminer's", "--db")


def test_an_empty_file_becomes_a_database(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """An empty file (mktemp makes one) cannot be read yet, and is filled by sync."""
    file = tmp_path / "empty.db"
    file.touch()
    check_failure(kminer("--db", file, "releases"), 1, "empty", "kminer sync")
    assert kminer("--db", file, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    assert dump(file) == dump(synced)


def test_no_database_yet(kminer: Kminer, tmp_path: Path) -> None:
    """Before the first sync every question says to sync, and makes no file."""
    file = tmp_path / "none.db"
    for arguments in (["releases"], ["search", "word"], ["show", "abcdef"], ["query", "releases"]):
        check_failure(kminer("--db", file, *arguments), 1, "no database yet", file, "kminer sync")
    assert kminer("--db", file, "sources").returncode == 0
    assert not file.exists()


def test_a_first_sync_that_was_cut_off_leaves_no_trap(
    kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path
) -> None:
    """A file whose tables were not all made reads as empty, and the next sync makes the rest."""
    file = tmp_path / "half.db"
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA application_id = {PROGRAM_ID}")
    db.execute("VACUUM")
    db.close()
    check_failure(kminer("--db", file, "releases"), 1, "empty", "kminer sync")
    assert kminer("--db", file, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    assert dump(file) == dump(synced)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_a_truncated_database(kminer: Kminer, synced: Path, repo: GitRepo, share: float) -> None:
    """A database whose end is missing never gives a traceback, and never an answer that differs."""
    good = {tuple(words): kminer("--db", synced, *words).stdout for words in READERS}
    os.truncate(synced, int(synced.stat().st_size * share))
    failed = 0
    for words in READERS:
        done = kminer("--db", synced, *words)
        assert "Traceback" not in done.stderr, done.stderr.splitlines()[-3:]
        if done.returncode:
            failed += 1
            check_failure(done, done.returncode, "error: ")
        else:
            assert done.stdout == good[tuple(words)]
    assert failed
    done = kminer("--db", synced, "sync", "sample", "--full", "--repo", f"sample={repo.path}")
    assert "Traceback" not in done.stderr, done.stderr.splitlines()[-3:]


@pytest.mark.parametrize("table", ["sources", "changes", "releases", "refs", "changes_fts_data"])
def test_a_corrupt_database(kminer: Kminer, synced: Path, repo: GitRepo, table: str) -> None:
    """A table whose first page was overwritten gives a clear error wherever it is read; nothing else does."""
    [(page,)] = ask(synced, "SELECT rootpage FROM sqlite_master WHERE name = ?", table)
    [(size,)] = ask(synced, "PRAGMA page_size")
    key = ask(synced, "SELECT key FROM changes LIMIT 1")[0][0]
    with synced.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xee" * size)
    codes = []
    for words in [
        *READERS[:3],
        ["show", key],
        READERS[4],
        ["sync", "sample", "--full", "--repo", f"sample={repo.path}"],
    ]:
        done = kminer("--db", synced, *words)
        assert "Traceback" not in done.stderr, (words, done.stderr.splitlines()[-3:])
        codes.append(done.returncode)
        if done.returncode:
            check_failure(done, 1, "next:")
            assert str(synced) in done.stderr or "changes.sql" in done.stderr
    assert 1 in codes


def test_a_folder_that_cannot_be_written_can_be_read(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """Every reading command works on a database in a read-only folder, as it does elsewhere."""
    folder = tmp_path / "closed"
    folder.mkdir()
    shutil.copy(synced, folder / "kminer.db")
    if without_root_powers(["true"]) is None:
        pytest.skip("permissions cannot be made to hold for this user")
    (folder / "kminer.db").chmod(0o444)
    folder.chmod(0o555)
    try:
        for words in (["sources"], ["releases"], ["search", "tracked"], ["query", "changes"]):
            alone = subprocess.run(
                without_root_powers(command("--db", folder / "kminer.db", *words)) or [],
                capture_output=True,
                text=True,
                check=False,
            )
            assert alone.returncode == 0, alone.stderr
            assert alone.stdout == kminer("--db", synced, *words).stdout
            assert alone.stdout
    finally:
        folder.chmod(0o755)
    assert [file.name for file in folder.iterdir()] == ["kminer.db"]


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_database_that_may_not_be_read(synced: Path, tmp_path: Path, what: str) -> None:
    """A database behind closed permissions is an error that names it."""
    folder = tmp_path / "closed"
    folder.mkdir()
    file = folder / "kminer.db"
    shutil.copy(synced, file)
    if without_root_powers(["true"]) is None:
        pytest.skip("permissions cannot be made to hold for this user")
    (file if what == "file" else folder).chmod(0)
    try:
        for words in (["sources"], ["releases"], ["query", "changes"], ["sync", "sample"]):
            done = subprocess.run(
                without_root_powers(command("--db", file, *words)) or [], capture_output=True, text=True, check=False
            )
            assert "Traceback" not in done.stderr, done.stderr.splitlines()[-3:]
            assert done.returncode in (1, 2)
            assert str(file) in done.stderr
    finally:
        folder.chmod(0o755)


def test_reading_while_a_sync_writes(kminer: Kminer, synced: Path) -> None:
    """Readers see the last whole state while a writer is in the middle of its transaction."""
    before = {tuple(words): kminer("--db", synced, *words).stdout for words in READERS}
    with open_for_writing(synced) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM changes")
        db.execute("UPDATE sources SET synced_at = 'never'")
        for words in READERS:
            assert kminer("--db", synced, *words).stdout == before[tuple(words)]
        db.execute("ROLLBACK")
    assert ask(synced, "SELECT count(*) FROM changes") == [(4,)]


def test_a_reader_does_not_hold_up_a_sync(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """A sync goes through while somebody has the database open in the middle of a question."""
    reader = open_for_reading(synced)
    cursor = reader.execute("SELECT title FROM changes")
    assert cursor.fetchone()
    repo.commit({"tracked/z.c": "1\n"}, "One more\n")
    assert kminer("--db", synced, "sync", "sample").returncode == 0
    cursor.fetchall()
    assert reader.execute("SELECT count(*) FROM changes").fetchone()[0] == 5
    reader.close()


@pytest.mark.parametrize(
    "sql", ["DELETE FROM changes", "CREATE TABLE x (y)", "PRAGMA user_version = 7", "UPDATE sources SET demo = 1"]
)
def test_open_for_reading_cannot_write(synced: Path, sql: str) -> None:
    """No statement changes a database that was opened for reading."""
    db = open_for_reading(synced)
    before = synced.read_bytes()
    with pytest.raises(sqlite3.OperationalError, match=r"readonly|read-only"):
        db.execute(sql)
        db.commit()
    db.close()
    assert synced.read_bytes() == before


def test_a_second_writer_is_refused(database: Path) -> None:
    """Who opens a database for writing while another does is told which process that is."""
    with (
        open_for_writing(database),
        pytest.raises(StoreError, match=f"process {os.getpid()}"),
        open_for_writing(database),
    ):
        pytest.fail("two writers at once")
    with open_for_writing(database):
        pass


def test_migrations_run_once(database: Path) -> None:
    """Opening a database again applies nothing anew and keeps what it holds."""
    for _ in range(2):
        with open_for_writing(database) as db:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
            applied = db.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0]
            assert applied == len(migrations._migrations)
            db.execute(
                "INSERT OR IGNORE INTO sources (id, kind, project, title, demo, commit_url, issue_url)"
                " VALUES ('a', 'b', 'c', 'd', 0, '', '')"
            )
    assert {"sources", "changes", "changes_fts", "fixes"} <= tables
    assert ask(database, "SELECT id FROM sources") == [("a",)]
    assert ask(database, "PRAGMA journal_mode") == [("wal",)]
    assert ask(database, "PRAGMA application_id") == [(PROGRAM_ID,)]
    check_whole(database)


def test_an_older_database(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """One that an older kminer made says so when it is read; a sync brings it up to date and keeps what it holds."""
    assert next(reversed(migrations._migrations)).name == NEWEST_MIGRATION
    before = ask(synced, "SELECT key, title FROM changes ORDER BY key")
    db = sqlite3.connect(synced)
    db.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (NEWEST_MIGRATION,))
    db.execute("DROP TABLE marks")  # what that migration made
    db.commit()
    db.close()
    check_failure(kminer("--db", synced, "releases"), 1, "older kminer", "kminer sync")
    assert kminer("--db", synced, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    assert kminer("--db", synced, "releases").returncode == 0
    assert ask(synced, "SELECT key, title FROM changes ORDER BY key") == before


def test_tables_are_strict(database: Path) -> None:
    """Every table of kminer's own is STRICT, so that a column holds one type."""
    with open_for_writing(database) as db:
        loose = db.execute(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'"
            " AND name NOT LIKE 'changes_fts%' AND name NOT LIKE '\\_sqlite%' ESCAPE '\\'"
        ).fetchall()
    assert loose == []


def test_demo_and_real_history_do_not_mix(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """The demo is refused in a database of real history and the other way round; neither is changed."""
    before = dump(synced)
    check_failure(kminer("--db", synced, "sync", "demo"), 2, "real history", "demo", synced, "--db")
    assert dump(synced) == before
    demo = tmp_path / "demo.db"
    assert kminer("--db", demo, "sync", "demo").returncode == 0
    before = dump(demo)
    check_failure(
        kminer("--db", demo, "sync", "sample", "--repo", f"sample={repo.path}"),
        2,
        "the demo",
        "real history",
        demo,
        "--db",
    )
    check_failure(kminer("--db", demo, "sync", "demo", "sample"), 2, "database of its own", "kminer sync demo")
    assert dump(demo) == before


def test_the_demo_says_so(kminer: Kminer, tmp_path: Path) -> None:
    """Every command that reads demo data calls it that on standard error, and leaves standard output clean."""
    demo = tmp_path / "demo.db"
    assert kminer("--db", demo, "sync", "demo").returncode == 0
    for words in (
        ["sources", "--json"],
        ["releases", "--json"],
        ["search", "--json", "cgroup"],
        ["query", "releases", "--format", "json"],
    ):
        done = kminer("--db", demo, *words)
        assert done.returncode == 0, done.stderr
        assert "Demo data" in done.stderr
        assert json.loads(done.stdout)


def test_the_demo_has_its_own_default_file(kminer: Kminer) -> None:
    """Without --db the demo goes to demo.db, beside the database of real history."""
    assert kminer("sync", "demo").returncode == 0
    assert [file.name for file in (Path(os.environ["XDG_DATA_HOME"]) / "kminer").glob("*.db")] == ["demo.db"]
