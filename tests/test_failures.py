"""Failures: each says what, where and what next, ends with 1 or 2, and leaves the database as it was."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import (
    SAMPLE,
    check_failure,
    command,
    family,
    start_and_hold,
    wait_for,
    without_root_powers,
    write_history,
    write_source,
)  # fmt: skip
from gitrepo import GitRepo, git, write_linear_history
from syncing import ask, check_whole, dump

Kminer = Callable[..., subprocess.CompletedProcess[str]]


def content(database: Path) -> object:
    """What a database holds; None where there is none, or one that holds no source."""
    if not database.exists() or not ask(database, "SELECT 1 FROM sqlite_master WHERE name = 'people'"):
        return None
    held = dump(database, unreachable=True)
    return held if any(held.values()) else None


@pytest.fixture
def synced(repo: GitRepo, database: Path, kminer: Kminer) -> Path:
    """A database that holds the history of `repo` as far as it went."""
    write_source()
    write_history(repo)
    done = kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}")
    assert done.returncode == 0, done.stderr
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]
    return database


@pytest.fixture(scope="module")
def long_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear history of 24,000 commits: six shards."""
    path = tmp_path_factory.mktemp("long") / "long.git"
    write_linear_history(path, 24_000)
    return path


def sync_both(
    kminer: Kminer, synced: Path, code: int, *says: str | Path, place: Path | str, options: tuple[str, ...] = ()
) -> None:
    """The failure `says` comes up on a new database and on one that holds something, and neither is changed."""
    for database in (synced, synced.with_name("new.db")):
        before = content(database)
        done = kminer("--db", database, "sync", "sample", "--repo", f"sample={place}", *options)
        check_failure(done, code, "where:", "next:", *says)
        assert content(database) == before
    assert not Path(f"{synced}.sync").exists() or not any(Path(f"{synced}.sync").rglob("*.unfinished"))


def test_a_path_without_anything(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """--repo with a path that does not exist names the path."""
    sync_both(kminer, synced, 1, "no git repository", tmp_path / "nowhere", place=tmp_path / "nowhere")


def test_a_folder_that_is_no_repository(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """--repo with a folder that holds no repository names the folder."""
    folder = tmp_path / "plain"
    folder.mkdir()
    sync_both(kminer, synced, 1, "no git repository", folder, place=folder)


def test_a_file_that_is_no_repository(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """--repo with a file, such as a bundle, names the file."""
    file = tmp_path / "a.bundle"
    file.write_bytes(b"# v2 git bundle\n")
    sync_both(kminer, synced, 1, "no git repository", file, place=file)


def test_a_repository_that_may_not_be_read(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A repository behind a closed folder is an error about permission, not a crash."""
    closed = tmp_path / "closed"
    git("clone", "--quiet", "--bare", str(tmp_path / "repo.git"), str(closed / "repo.git"))
    words = without_root_powers(command("--db", synced, "sync", "sample", "--repo", f"sample={closed / 'repo.git'}"))
    if words is None:
        pytest.skip("permissions cannot be made to hold for this user")
    before = content(synced)
    closed.chmod(0)
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        closed.chmod(0o755)
    check_failure(done, 1, closed, "next:")
    assert "database" not in done.stderr
    assert content(synced) == before


def test_an_empty_repository(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A repository without heads and tags is refused."""
    empty = GitRepo(tmp_path / "empty.git")
    sync_both(kminer, synced, 1, "no heads and no tags", empty.path, place=empty.path)


@pytest.mark.parametrize("damage", ["noise", "nothing", "nonsense", "header only"])
@pytest.mark.parametrize("which", ["a commit", "the head", "a tagged commit"])
def test_a_corrupt_commit(kminer: Kminer, synced: Path, repo: GitRepo, which: str, damage: str) -> None:
    """A commit object that was overwritten is named, wherever in the history it stands."""
    ids = [repo.commit({"tracked/c.c": f"{n}\n"}, f"Change {n}\n") for n in range(3)]
    repo.tag("v1.2", ids[1])
    victim = {"a commit": ids[0], "the head": ids[2], "a tagged commit": ids[1]}[which]
    _damage(repo, victim, "commit", damage)
    sync_both(kminer, synced, 1, repo.path, place=repo.path)


@pytest.mark.parametrize("damage", ["noise", "nothing"])
@pytest.mark.parametrize("which", ["{}^{{tree}}", "{}:tracked", "{}~1:tracked"])
def test_a_corrupt_tree(kminer: Kminer, synced: Path, repo: GitRepo, which: str, damage: str) -> None:
    """A tree object that was overwritten is named."""
    for n in range(3):
        head = repo.commit({"tracked/c.c": f"{n}\n"}, f"Change {n}\n")
    victim = repo.git("rev-parse", which.format(head)).strip()
    _damage(repo, victim, "tree", damage)
    sync_both(kminer, synced, 1, repo.path, victim, place=repo.path)


def _damage(repo: GitRepo, victim: str, kind: str, damage: str) -> None:
    file = repo.path / "objects" / victim[:2] / victim[2:]
    file.chmod(0o644)
    if damage == "noise":
        data = bytearray(file.read_bytes())
        data[len(data) // 3 : len(data) // 3 + 12] = b"\xff\x00corruption"
    elif damage == "nothing":
        data = bytearray()
    elif damage == "nonsense":
        data = bytearray(zlib.compress(f"{kind} 9\0nonsense\n".encode()))
    else:
        data = bytearray(zlib.compress(f"{kind} 0\0".encode()))
    file.write_bytes(data)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.02])
def test_a_truncated_pack(kminer: Kminer, synced: Path, repo: GitRepo, share: float) -> None:
    """A pack whose end is missing is an error about that repository."""
    for n in range(50):
        repo.commit({"tracked/c.c": f"{n}\n"}, f"Change {n}\n\n{os.urandom(200).hex()}\n")
    repo.git("repack", "-a", "-d", "-q")
    pack = next((repo.path / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o644)
    os.truncate(pack, int(pack.stat().st_size * share))
    sync_both(kminer, synced, 1, repo.path, place=repo.path)


def test_a_clone_without_trees(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """A treeless partial clone is refused with the way to clone that works, and nothing is fetched in secret."""
    repo.commit({"tracked/c.c": "1\n"}, "More\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    treeless = tmp_path / "treeless.git"
    git("clone", "--quiet", "--bare", "--filter=tree:0", f"file://{repo.path}", str(treeless))
    before = sorted(path.name for path in treeless.rglob("*"))
    sync_both(kminer, synced, 1, "Tree ", "--filter=blob:none", place=treeless)
    assert sorted(path.name for path in treeless.rglob("*")) == before


def test_a_clone_of_something_else_at_first(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A repository in which no tracked path exists is not taken for the source."""
    other = GitRepo(tmp_path / "other.git")
    other.commit({"README": "something else\n"}, "Speak of a widget\n")
    new = synced.with_name("new.db")
    done = kminer("--db", new, "sync", "sample", "--repo", f"sample={other.path}")
    check_failure(done, 1, "does not look like A sample", other.path, "next:")
    assert content(new) is None


def test_a_clone_of_something_else_later(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A repository that shares no commit with what the database holds is refused under the same name."""
    other = GitRepo(tmp_path / "other.git")
    other.commit({"tracked/a.c": "another\n"}, "Another history with the same paths\n")
    before = content(synced)
    for options in ([], ["--full"]):
        done = kminer("--db", synced, "sync", "sample", "--repo", f"sample={other.path}", *options)
        check_failure(done, 1, "shares no commit", other.path, "--db")
        assert content(synced) == before


def test_a_vanished_clone(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """The clone of last time is remembered; when it is gone the message says which, and both ways on."""
    before = content(synced)
    moved = repo.path.with_name("moved.git")
    repo.path.rename(moved)
    done = kminer("--db", synced, "sync", "sample")
    check_failure(done, 1, "is gone", repo.path, "--repo sample=PATH", "--repo sample=auto")
    assert content(synced) == before
    done = kminer("--db", synced, "sync", "sample", "--repo", f"sample={moved}")
    assert done.returncode == 0, done.stderr


def test_one_failing_source_does_not_stop_the_others(
    kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path
) -> None:
    """Of two sources the good one is synced, and the exit code tells of the other."""
    write_source(name="second")
    repo.commit({"tracked/c.c": "1\n"}, "More\n")
    done = kminer(
        "--db", synced, "sync", "second", "sample", "--repo", f"second={tmp_path}/no", "--repo", f"sample={repo.path}"
    )
    check_failure(done, 1, "no git repository")
    assert ask(synced, "SELECT count(*) FROM changes") == [(5,)]


def test_moved_tags_and_forced_branches_are_mended(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """A tag that moved and a branch that was forced are no errors: the database ends as one fresh sync would."""
    first = repo.git("rev-list", "--max-parents=0", "main").strip()
    repo.ref("refs/heads/main", first)
    repo.commit({"tracked/z.c": "1\n"}, "Take another way\n")
    repo.tag("v1.1")
    for database in (synced, synced.with_name("new.db")):
        done = kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}")
        assert done.returncode == 0, done.stderr
        check_whole(database)
    assert dump(synced) == dump(synced.with_name("new.db"))
    assert ask(synced, "SELECT first_final FROM changes WHERE title = 'Take another way'") == [("v1.1",)]


TYPOS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no quote": ('title = "A sample"', 'title = "A sample', ("not valid TOML", "line 5")),
    "no value": ('kind = "git"', "kind =", ("not valid TOML",)),
    "a key twice": ('kind = "git"', 'kind = "git"\nkind = "git"', ("not valid TOML",)),
    "a misspelt key": ("words =", "word =", ("`word`", "is not a key", "words")),
    "a misspelt key of a path": ("mechanisms =", "mechanism =", ("`paths.mechanism`", "mechanisms")),
    "a misspelt key of releases": ("series =", "serie =", ("`releases.serie`", "series")),
    "a missing title": ('title = "A sample"', "", ("`title`", "must be there")),
    "an id unlike the file": ('id = "sample"', 'id = "simple"', ("`id`", "file's name")),
    "an unknown kind": ('kind = "git"', 'kind = "svn"', ("kind 'svn'", "git")),
    "a word instead of a list": ('words = ["widget*"]', 'words = "widget"', ("`words`", "list")),
    "an empty word": ('words = ["widget*"]', 'words = [""]', ("`words`", "not empty")),
    "a word that is a star": ('words = ["widget*"]', 'words = ["*"]', ("`words`",)),
    "a word that is a space": ('words = ["widget*"]', 'words = [" "]', ("`words`",)),
    "a number in a list": ('words = ["widget*"]', "words = [1]", ("`words`",)),
    "a text for true": ("words =", 'default = "yes"\nwords =', ("`default`", "true or false")),
    "no expression": (r"tag = '^v(?P<version>", r"tag = '^v((?P<version>", ("`tag`", "not a regular expression")),
    "no group": (r"(?P<version>\d+(?:\.\d+)*)", r"(\d+(?:\.\d+)*)", ("`tag`", "group named version")),
    "no paths": ('[[paths]]\npath = "tracked/"\nmechanisms = ["cg.core"]\nabout = "what is tracked"', "", ("`paths`",)),
    "one path, not a list": ("[[paths]]", "[paths]", ("`paths`",)),
    "no path": ('path = "tracked/"', "", ("`paths.path`",)),
    "a path from the root": ('path = "tracked/"', 'path = "/tracked/"', ("`paths.path`", "'/tracked/'")),
    "a path out of it": ('path = "tracked/"', 'path = "../tracked/"', ("`paths.path`", "'../tracked/'")),
    "a star of stars": ('path = "tracked/"', 'path = "**/tracked/"', ("`paths.path`",)),
    "a path twice": ('about = "what is tracked"', 'was = ["tracked/"]', ("`paths.path`", "stands twice")),
    "an unknown parent": ('kind = "git"', 'kind = "git"\nextends = "linus"', ("`extends`", "'linus'")),
    "a parent in a list": ('kind = "git"', 'kind = "git"\nextends = ["linux"]', ("`extends`",)),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_a_source_file_with_a_typo(kminer: Kminer, synced: Path, repo: GitRepo, typo: str) -> None:
    """Every common slip in a source file is named with its file and its key, by sync and by check."""
    good, bad, says = TYPOS[typo]
    assert SAMPLE.count(good) == 1
    file = write_source(text=SAMPLE.replace(good, bad))
    before = content(synced)
    done = kminer("--db", synced, "sync", "sample", "--repo", f"sample={repo.path}")
    check_failure(done, 2, file, *says)
    assert content(synced) == before
    if typo != "an unknown kind":
        check_failure(kminer("check"), 2, file, *says)


def test_a_source_file_that_is_no_text(kminer: Kminer, synced: Path) -> None:
    """A source file in another encoding is an error about that file."""
    file = write_source()
    file.write_bytes(file.read_bytes() + b"\n# caf\xe9\n")
    check_failure(kminer("--db", synced, "sync", "sample"), 2, file, "not UTF-8", "next:")


def test_sha256_is_refused_by_name(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A repository with SHA-256 object ids is refused with its format's name, bare or not."""
    git("init", "--quiet", "--object-format=sha256", str(tmp_path / "work"))
    git("init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / "bare.git"))
    for place in (tmp_path / "work", tmp_path / "bare.git"):
        sync_both(kminer, synced, 1, "sha256", place, place=place)


def test_reftable_is_refused_by_name(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """A repository whose references are a reftable is refused with its format's name."""
    repo.git("config", "core.repositoryformatversion", "1")
    repo.git("config", "extensions.refstorage", "reftable")
    sync_both(kminer, synced, 1, "reftable", repo.path, place=repo.path)


def test_an_unknown_extension_is_refused(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """A repository of a format yet to come is refused."""
    repo.git("config", "core.repositoryformatversion", "1")
    repo.git("config", "extensions.timetravel", "true")
    sync_both(kminer, synced, 1, repo.path, place=repo.path)


def test_a_broken_configuration_of_the_repository(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """A repository whose config file cannot be parsed is an error about that repository."""
    (repo.path / "config").write_text("[core\nbare = true\n")
    sync_both(kminer, synced, 1, repo.path, place=repo.path)


def test_git_is_missing(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """Without git in PATH the message says to install it."""
    (tmp_path / "bin").mkdir()
    before = content(synced)
    done = kminer(
        "--db",
        synced,
        "sync",
        "sample",
        "--full",
        "--repo",
        f"sample={repo.path}",
        env=os.environ | {"PATH": str(tmp_path / "bin")},
    )
    check_failure(done, 1, "git command is not installed", "PATH", "Install git")
    assert content(synced) == before


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30", "v9.9", "", "-1", "v1.0;", "refs/tags/v1.0"])
def test_since_nonsense(kminer: Kminer, synced: Path, repo: GitRepo, since: str) -> None:
    """--since with neither a day nor a tag is refused."""
    before = content(synced)
    done = kminer("--db", synced, "sync", "sample", "--repo", f"sample={repo.path}", f"--since={since}")
    check_failure(done, 2, "--since", "YYYY-MM-DD")
    assert content(synced) == before


@pytest.mark.parametrize("pair", ["sample=", "=/tmp", ""])
def test_repo_without_its_two_parts(kminer: Kminer, synced: Path, pair: str) -> None:
    """--repo must be SOURCE=PATH; PATH alone will do where one source is to be synced."""
    before = content(synced)
    check_failure(kminer("--db", synced, "sync", "sample", "--repo", pair), 2, "SOURCE=PATH")
    check_failure(kminer("--db", synced, "sync", "sample", "--repo", "/nowhere"), 1, "no git repository", "/nowhere")
    check_failure(kminer("--db", synced, "sync", "sample", "linux", "--repo", "/nowhere"), 2, "SOURCE=PATH")
    assert content(synced) == before


def test_repo_for_a_source_that_is_not_synced(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """--repo for a source that is not named on the line is not silently ignored."""
    check_failure(kminer("--db", synced, "sync", "sample", "--repo", f"linux={tmp_path}"), 2, "'linux'")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sync", "linus"], ("'linus'", "linux", "Did you mean")),
        (["sync", "zzzz"], ("'zzzz'", "linux", "docker", ".toml")),
        (["query", "no-such-query-at-all"], ("'no-such-query-at-all'", "kminer query")),
        (["report", "timelin"], ("'timelin'", "timeline")),
        (["query", "nowhere.sql"], ("nowhere.sql",)),
        (["releases", "linus"], ("'linus'", "linux")),
        (["search", "--source", "linus", "word"], ("'linus'", "linux")),
        (["show", "abc"], ("too short",)),
        (["show", "ffffffffff"], ("ffffffffff", "kminer search")),
    ],
)
def test_unknown_names(kminer: Kminer, synced: Path, words: list[str], says: tuple[str, ...]) -> None:
    """A name that is not known is answered with those that are, or with the nearest."""
    check_failure(kminer("--db", synced, *words), 2, *says)


def test_a_query_near_by(kminer: Kminer, synced: Path, home: Path) -> None:
    """A slip in the name of a query is met by the right one, and bad parameters by the good ones."""
    folder = home / "xdg_config_home" / "kminer" / "queries"
    folder.mkdir(parents=True)
    (folder / "my-titles.sql").write_text(
        "-- title: Titles\n-- why: To see them\n-- param amount = 3: how many\n-- param like: what\n"
        "SELECT title FROM changes WHERE title LIKE :like LIMIT :amount\n"
    )
    check_failure(kminer("--db", synced, "query", "my-tittles"), 2, "Did you mean my-titles")
    for setting, says in (
        ("amount", "KEY=VALUE"), ("=3", "''"), ("amounts=3", "amount, like"), ("amount=three", "whole number"),
        ("amount=99999999999999999999", "whole number"), ("amount=3", "like"),
    ):  # fmt: skip
        check_failure(kminer("--db", synced, "query", "my-titles", "--set", setting), 2, says)


@pytest.mark.parametrize(
    ("sql", "code", "says"),
    [
        ("-- title: T\nSELECT 1", 2, "why"),
        ("SELECT 1", 2, "title"),
        ("-- title: T\n-- why: W\nSELEC 1", 1, "syntax error"),
        ("-- title: T\n-- why: W\nSELECT nothing FROM changes", 1, "nothing"),
        ("-- title: T\n-- why: W\nDELETE FROM changes", 1, "only read"),
        ("-- title: T\n-- why: W\nPRAGMA query_only = 0", 1, "only read"),
        ("-- title: T\n-- why: W\nATTACH 'x.db' AS x", 1, "only read"),
        ("-- title: T\n-- why: W\nSELECT 1; SELECT 2", 1, "one statement"),
        ("-- title: T\n-- why: W\n", 1, "returns nothing"),
        ("-- title: T\n-- why: W\n-- param Bad Name\nSELECT 1", 2, "Bad Name"),
        ("-- title: T\n-- why: W\nSELECT :unknown", 1, "unknown"),
    ],
)
def test_a_query_file_with_a_mistake(
    kminer: Kminer, synced: Path, tmp_path: Path, sql: str, code: int, says: str
) -> None:
    """A mistake in a query's file is named with the file, and no statement changes anything."""
    file = tmp_path / "mine.sql"
    file.write_text(sql)
    before = content(synced)
    check_failure(kminer("--db", synced, "query", file, cwd=tmp_path), code, says, file)
    assert content(synced) == before
    assert not (tmp_path / "x.db").exists()


def test_a_query_file_that_is_no_text(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """A query's file in another encoding is an error about that file."""
    file = tmp_path / "mine.sql"
    file.write_bytes(b"-- title: caf\xe9\n-- why: W\nSELECT 1\n")
    check_failure(kminer("--db", synced, "query", file), 2, file)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "kminer-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here; see the test with a limit of file size")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(kminer: Kminer, tiny_disk: Path, tmp_path: Path) -> None:
    """However little room is left, a sync fails clearly and changes nothing, or does all; room helps the next one."""
    write_source()
    short, long = tmp_path / "short.git", tmp_path / "long.git"
    write_linear_history(long, 1500)
    git("clone", "--quiet", "--bare", str(long), str(short))
    half = git("--git-dir", str(short), "rev-parse", "main~750").strip()
    git("--git-dir", str(short), "update-ref", "refs/heads/main", half)
    git("--git-dir", str(short), "tag", "-d", "v1.1")
    reference = tmp_path / "reference.db"
    assert kminer("--db", reference, "sync", "sample", "--no-labels", "--repo", f"sample={long}").returncode == 0
    filler, failed = tiny_disk / "filler", 0
    for room in (0, 40, 200, 400, 700):
        for known in (False, True):
            database = tiny_disk / f"{room}.db"
            if known:
                done = kminer("--db", database, "sync", "sample", "--no-labels", "--repo", f"sample={short}")
                assert done.returncode == 0, done.stderr
            before = content(database)
            _fill(filler, tiny_disk, room * 1024)
            done = kminer("--db", database, "sync", "sample", "--no-labels", "--repo", f"sample={long}", "--jobs", "1")
            if done.returncode:
                failed += 1
                check_failure(done, 1, "where:", "next:", tiny_disk, "space")
                assert content(database) == before, room
                asked = kminer("--db", database, "sources", "--json")
                assert asked.returncode == 0 or any(
                    word in asked.stderr for word in ("empty", "no database", "older kminer")
                ), asked.stderr
            filler.unlink()
            done = kminer("--db", database, "sync", "sample", "--no-labels", "--repo", f"sample={long}")
            assert done.returncode == 0, done.stderr
            check_whole(database)
            assert dump(database) == dump(reference)
            for file in tiny_disk.iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    assert failed >= 5


def _fill(filler: Path, disk: Path, leave: int) -> None:
    free = shutil.disk_usage(disk).free
    filler.write_bytes(bytes(free - leave))


def test_a_full_disk_while_cloning(kminer: Kminer, tiny_disk: Path, synced: Path, tmp_path: Path) -> None:
    """A clone that does not fit is an error that says so, and is not taken for whole later."""
    write_linear_history(tmp_path / "server.git", 1500)
    git("--git-dir", str(tmp_path / "server.git"), "config", "uploadpack.allowFilter", "true")
    write_source(f"file://{tmp_path / 'server.git'}")
    new = synced.with_name("new.db")
    environment = os.environ | {"XDG_CACHE_HOME": str(tiny_disk)}
    _fill(tiny_disk / "filler", tiny_disk, 60 * 1024)
    done = kminer("--db", new, "sync", "sample", env=environment)
    check_failure(done, 1, "No space left", "next:")
    assert content(new) is None
    (tiny_disk / "filler").unlink()
    done = kminer("--db", new, "sync", "sample", env=environment)
    assert done.returncode == 0, done.stderr
    assert ask(new, "SELECT commits FROM sources") == [(1500,)]


@pytest.mark.parametrize("limit", [4096, 100_000, 400_000])
@pytest.mark.parametrize("known", [False, True])
def test_a_file_that_may_not_grow(
    kminer: Kminer, database: Path, repo: GitRepo, tmp_path: Path, limit: int, known: bool
) -> None:
    """Where files may not grow beyond a limit, a sync that would need more fails clearly and changes nothing."""
    write_source()
    write_linear_history(tmp_path / "long.git", 3000)
    long = tmp_path / "long.git"
    if known:
        git("--git-dir", str(long), "update-ref", "refs/heads/first", "main~2900")
        git(
            "clone",
            "--quiet",
            "--bare",
            "--single-branch",
            "--no-tags",
            "--branch=first",
            str(long),
            str(tmp_path / "short.git"),
        )
        assert kminer("--db", database, "sync", "sample", "--repo", f"sample={tmp_path / 'short.git'}").returncode == 0
    before = content(database)
    assert (before is not None) == known

    def forbid() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = kminer("--db", database, "sync", "sample", "--repo", f"sample={long}", preexec_fn=forbid)
    check_failure(done, 1, "where:", "next:", database.parent)
    assert content(database) == before
    done = kminer("--db", database, "sync", "sample", "--repo", f"sample={long}")
    assert done.returncode == 0, done.stderr
    check_whole(database)


def test_a_folder_that_may_not_be_written(synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """In a read-only folder a sync fails clearly, on a new database and on a known one."""
    folder = tmp_path / "closed"
    folder.mkdir()
    shutil.copy(synced, folder / "known.db")
    before = content(synced)
    for name in ("known.db", "new.db", "deeper/new.db"):
        words = without_root_powers(
            command("--db", folder / name, "sync", "sample", "--repo", f"sample={repo.path}", "--full")
        )
        if words is None:
            pytest.skip("permissions cannot be made to hold for this user")
        folder.chmod(0o555)
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        finally:
            folder.chmod(0o755)
        check_failure(done, 1, "Permission denied", folder, "--db")
    assert {file.name for file in folder.iterdir()} == {"known.db"}
    assert content(folder / "known.db") == before


def test_a_cache_folder_that_may_not_be_written(synced: Path, repo: GitRepo, home: Path) -> None:
    """A cache that cannot be written is blamed itself, not the database."""
    write_source(f"file://{repo.path}")
    cache = home / "xdg_cache_home"
    for arguments in (["sync", "sample", "--repo", "sample=auto"], ["sync", "demo"]):
        database = synced if arguments[1] == "sample" else synced.with_name("demo.db")
        words = without_root_powers(command("--db", database, *arguments))
        if words is None:
            pytest.skip("permissions cannot be made to hold for this user")
        cache.chmod(0o555)
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        finally:
            cache.chmod(0o755)
        check_failure(done, 1, cache, "next:")
        assert "database" not in done.stderr.lower()


def test_two_syncs_at_once(kminer: Kminer, database: Path, long_history: Path) -> None:
    """The second sync on one database says who is at work and changes nothing; the first ends as if alone."""
    write_source()
    arguments = ("--db", database, "sync", "sample", "--repo", f"sample={long_history}", "--jobs", "2")
    process = start_and_hold(command(*arguments), database)
    try:
        done = kminer(*arguments)
        check_failure(done, 1, f"process {process.pid}", "Another kminer", database, "Wait")
        assert content(database) is None
        assert kminer("--db", database, "sources", "--json").stdout == "[]\n"
    finally:
        process.send_signal(signal.SIGCONT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    check_whole(database)
    assert kminer("--db", database.with_name("alone.db"), *arguments[2:]).returncode == 0
    assert dump(database) == dump(database.with_name("alone.db"))


def test_a_killed_sync_leaves_no_lock(kminer: Kminer, database: Path, long_history: Path) -> None:
    """After a kill -9 the lock is free, the workers end, nothing is half done, and the next run completes the work."""
    write_source()
    arguments = ("--db", database, "sync", "sample", "--repo", f"sample={long_history}", "--jobs", "2")
    process = start_and_hold(command(*arguments), database)
    process.kill()
    process.wait(timeout=60)
    wait_for(lambda: not family(process.pid))
    assert content(database) is None
    done = kminer(*arguments)
    assert done.returncode == 0, done.stderr
    check_whole(database)
    assert ask(database, "SELECT commits FROM sources") == [(24_000,)]
    assert not Path(f"{database}.sync").exists()
    assert kminer("--db", database.with_name("alone.db"), *arguments[2:]).returncode == 0
    assert dump(database) == dump(database.with_name("alone.db"))


@pytest.mark.parametrize("left", ["sample/0123456789abcdef/000000.jsonl", "sample", ""])
def test_what_a_sync_left_that_was_killed_at_its_very_end(
    kminer: Kminer, synced: Path, repo: GitRepo, left: str
) -> None:
    """A staging folder left after all was stored is removed by the next run, which finds nothing new."""
    staging = Path(f"{synced}.sync")
    assert not staging.exists()
    (staging / left).parent.mkdir(parents=True, exist_ok=True)
    if left.endswith(".jsonl"):
        (staging / left).touch()
    else:
        (staging / left).mkdir(exist_ok=True)
    done = kminer("--db", synced, "sync", "sample", "--repo", f"sample={repo.path}")
    assert done.returncode == 0, done.stderr
    assert not staging.exists()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_control_c(kminer: Kminer, database: Path, long_history: Path, jobs: str) -> None:
    """Ctrl-C ends with 130 and a sentence; workers go too, and the next run completes the work."""
    write_source()
    arguments = ("--db", database, "sync", "sample", "--repo", f"sample={long_history}", "--jobs", jobs)
    process = start_and_hold(command(*arguments), database)
    os.killpg(process.pid, signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    shown, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    assert shown == ""
    wait_for(lambda: not family(process.pid))
    assert content(database) is None
    done = kminer(*arguments)
    assert done.returncode == 0, done.stderr
    check_whole(database)
    assert ask(database, "SELECT commits FROM sources") == [(24_000,)]


def test_a_link_to_the_database_is_no_way_round_the_lock(kminer: Kminer, database: Path, long_history: Path) -> None:
    """A database under another name, by a symbolic link, is still the same and held by the first sync."""
    write_source()
    arguments = ("sync", "sample", "--repo", f"sample={long_history}", "--jobs", "2")
    process = start_and_hold(command("--db", database, *arguments), database)
    try:
        link = database.with_name("link.db")
        link.symlink_to(database)
        check_failure(kminer("--db", link, *arguments), 1, f"process {process.pid}")
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_the_lock_is_per_database(kminer: Kminer, database: Path, long_history: Path) -> None:
    """A sync at work on one database does not hinder one on another."""
    write_source()
    arguments: tuple[Any, ...] = ("sync", "sample", "--repo", f"sample={long_history}", "--jobs", "2")
    process = start_and_hold(command("--db", database, *arguments), database)
    try:
        assert kminer("--db", database.with_name("other.db"), *arguments).returncode == 0
    finally:
        process.kill()
        process.communicate(timeout=60)
