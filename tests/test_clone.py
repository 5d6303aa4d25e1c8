"""kminer's own clones: announced, made of the first address that answers, whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import check_failure, command, family, on_a_terminal, wait_for, write_history, write_source
from gitrepo import GitRepo, git, write_linear_history
from syncing import ask, check_whole, dump

Kminer = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(repo: GitRepo) -> GitRepo:
    """A repository that serves partial clones over file://, with a reference that is no history."""
    write_history(repo)
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("config", "uploadpack.allowAnySHA1InWant", "true")
    pull = repo.commit({"tracked/pull.c": "1\n"}, "A pull request nobody merged\n", branch=None)
    repo.ref("refs/pull/1/head", pull)
    return repo


def clone_of(name: str = "sample") -> Path:
    """Where kminer keeps its own clone."""
    return Path(os.environ["XDG_CACHE_HOME"]) / "kminer" / "clones" / f"{name}.git"


def fake_git(folder: Path, script: str) -> dict[str, str]:
    """An environment whose git is the real one behind a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    real = git("--exec-path").strip() + "/git"
    (folder / "git").write_text(f'#!/bin/sh\nREAL={real}\n{script}\nexec $REAL "$@"\n')
    (folder / "git").chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_clone_is_announced_and_bare_and_blobless(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """Before anything is downloaded it is said from where, to where and how much; no file contents come."""
    write_source(f"file://{server.path}")
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    for part in (f"file://{server.path}", clone_of(), "about 1 kB", "no file contents"):
        assert str(part) in done.stderr
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]
    own = clone_of()
    assert git("--git-dir", str(own), "rev-parse", "--is-bare-repository").strip() == "true"
    missing = git("--git-dir", str(own), "rev-list", "--objects", "--all", "--missing=print")
    assert [line for line in missing.splitlines() if line.startswith("?")], "blobs were downloaded"
    assert "refs/pull" not in git("--git-dir", str(own), "for-each-ref")
    assert not own.with_name("sample.git.unfinished").exists()


def test_quiet_says_nothing(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """Under -q a clone and a sync print nothing at all."""
    write_source(f"file://{server.path}")
    done = kminer("-q", "--db", database, "sync", "sample")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_clone_shows_its_progress_on_a_terminal(server: GitRepo, database: Path) -> None:
    """On a terminal the download is announced, and bars do not stay behind."""
    write_source(f"file://{server.path}")
    code, written = on_a_terminal(command("--db", database, "sync", "sample"), columns=160)
    assert code == 0
    assert b"Cloning file://" in written
    assert b"Traceback" not in written


def test_the_second_address_is_used(kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path) -> None:
    """When the first address fails the next one is used, and all is as if it had been the only one."""
    write_source(f"file://{tmp_path}/nowhere.git", f"file://{server.path}")
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    assert f"file://{server.path}" in done.stderr
    check_whole(database)
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]


def test_all_addresses_fail(kminer: Kminer, database: Path, tmp_path: Path) -> None:
    """When no address answers each is named with what came of it; nothing is left behind."""
    (tmp_path / "plain").mkdir()
    file = write_source(f"file://{tmp_path}/nowhere.git", f"file://{tmp_path}/plain", "https://192.0.2.1/x.git")
    done = kminer("--db", database, "sync", "sample")
    check_failure(
        done,
        1,
        f"file://{tmp_path}/nowhere.git: ",
        f"file://{tmp_path}/plain: ",
        "https://192.0.2.1/x.git: ",
        file,
        "--repo",
    )
    assert sorted(path.name for path in clone_of().parent.iterdir()) == ["sample.git.lock"]
    assert ask(database, "SELECT count(*) FROM sources") == [(0,)]


def test_no_address(kminer: Kminer, database: Path) -> None:
    """A source without an address asks for a clone."""
    file = write_source()
    check_failure(kminer("--db", database, "sync", "sample"), 1, "names no address", file, "--repo sample=")


@pytest.mark.parametrize(
    "address",
    ["--upload-pack=touch /tmp/kminer-test-owned", "ext::sh -c 'touch /tmp/kminer-test-owned'", "-c core.pager=x"],
)
def test_an_address_is_no_option(kminer: Kminer, database: Path, address: str) -> None:
    """An address in a source file cannot make git run a command."""
    write_source(address)
    check_failure(kminer("--db", database, "sync", "sample"), 1, "could not be cloned")
    assert not Path("/tmp/kminer-test-owned").exists()


def test_a_failing_address_does_not_spoil_a_clone(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """When nothing can be fetched the clone and the database stay as they were."""
    write_source(f"file://{server.path}")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    before = dump(database)
    server.path.rename(server.path.with_name("away.git"))
    check_failure(
        kminer("--db", database, "sync", "sample"), 1, "could not be cloned or fetched", f"file://{server.path}"
    )
    assert dump(database) == before
    server.path.with_name("away.git").rename(server.path)
    assert kminer("--db", database, "sync", "sample").returncode == 0


def test_fetches_follow_the_server(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """New commits, moved tags, forced and deleted branches arrive with the next sync, as in a fresh clone."""
    write_source(f"file://{server.path}")
    first = server.head()
    side = server.commit({"tracked/side.c": "1\n"}, "On the side\n", branch="side", parents=[first or ""])
    server.tag("v1.2", side)
    assert kminer("--db", database, "sync", "sample").returncode == 0
    server.ref("refs/heads/side", None)
    server.commit({"tracked/new.c": "1\n"}, "Something new\n")
    server.tag("v1.2")
    server.commit({"tracked/newer.c": "1\n"}, "Forced\n", parents=[first or ""], branch="forced")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    fresh = database.with_name("fresh.db")
    assert kminer("--db", fresh, "sync", "sample", "--repo", f"sample={server.path}").returncode == 0
    assert dump(database) == dump(fresh)


def test_a_killed_clone_is_started_over(kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path) -> None:
    """A clone that was killed before it was whole is not taken for one: the next run starts over."""
    write_source(f"file://{server.path}")
    ready = tmp_path / "ready"
    environment = fake_git(tmp_path / "bin", f'if [ "$1" = clone ]; then $REAL "$@"; touch {ready}; sleep 600; fi')
    process = subprocess.Popen(
        command("--db", database, "sync", "sample"), env=environment, start_new_session=True, stderr=subprocess.PIPE
    )
    wait_for(ready.exists, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    unfinished = clone_of().with_name("sample.git.unfinished")
    assert unfinished.exists()
    assert not clone_of().exists()
    (unfinished / "HEAD").unlink()
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    assert not unfinished.exists()
    git("--git-dir", str(clone_of()), "rev-list", "--all", "--objects", "--missing=allow-promisor")
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]


def test_control_c_while_cloning(kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path) -> None:
    """Ctrl-C in mid-clone ends with 130, without a traceback and without a git left at work."""
    write_source(f"file://{server.path}")
    ready = tmp_path / "ready"
    environment = fake_git(tmp_path / "bin", f'if [ "$1" = clone ]; then touch {ready}; exec sleep 600; fi')
    process = subprocess.Popen(
        command("--db", database, "sync", "sample"),
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(ready.exists, process)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    wait_for(lambda: not family(process.pid))
    assert not clone_of().exists()
    assert kminer("--db", database, "sync", "sample").returncode == 0


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupted_fetch_is_picked_up(
    kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path, moment: str
) -> None:
    """A fetch that was killed before or after it moved references leaves a clone that the next run completes."""
    write_source(f"file://{server.path}")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    before = dump(database)
    server.commit({"tracked/new.c": "1\n"}, "Something new\n")
    server.tag("v1.2")
    ready = tmp_path / "ready"
    work = f'$REAL "$@"; touch {ready}; sleep 600' if moment == "after" else f"touch {ready}; sleep 600"
    environment = fake_git(tmp_path / "bin", f'case "$*" in *" fetch "*) {work};; esac')
    process = subprocess.Popen(
        command("--db", database, "sync", "sample"), env=environment, start_new_session=True, stderr=subprocess.PIPE
    )
    wait_for(ready.exists, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert dump(database) == before
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    fresh = database.with_name("fresh.db")
    assert kminer("--db", fresh, "sync", "sample", "--repo", f"sample={server.path}").returncode == 0
    assert dump(database) == dump(fresh)


def test_locks_that_a_killed_git_left_behind(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """Lock files of a git that was killed in the own clone do not hinder the next fetch."""
    write_source(f"file://{server.path}")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    server.commit({"tracked/new.c": "1\n"}, "Something new\n")
    for name in (
        "refs/heads/main.lock",
        "packed-refs.lock",
        "config.lock",
        "objects/info/commit-graphs/commit-graph-chain.lock",
    ):
        (clone_of() / name).parent.mkdir(parents=True, exist_ok=True)
        (clone_of() / name).touch()
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    assert not list(clone_of().rglob("*.lock"))
    assert ask(database, "SELECT count(*) FROM changes") == [(5,)]


def test_a_git_that_outlives_its_kminer_keeps_the_clone(
    kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path
) -> None:
    """While the git of a killed kminer still writes to the clone, the next one waits its turn."""
    write_source(f"file://{server.path}")
    ready, go = tmp_path / "ready", tmp_path / "go"
    environment = fake_git(
        tmp_path / "bin", f'if [ "$1" = clone ]; then touch {ready}; while [ ! -e {go} ]; do sleep 0.01; done; fi'
    )
    process = subprocess.Popen(command("--db", database, "sync", "sample"), env=environment, start_new_session=True)
    wait_for(ready.exists, process)
    process.kill()
    process.wait(timeout=60)
    try:
        check_failure(kminer("--db", database, "sync", "sample"), 1, "cloning or fetching", clone_of(), "Wait")
    finally:
        go.touch()
    wait_for(lambda: not family(process.pid))
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]


def test_two_processes_clone_at_once(kminer: Kminer, server: GitRepo, database: Path, tmp_path: Path) -> None:
    """Of two processes that want the same clone, into two databases, the second says that the first is at work."""
    write_source(f"file://{server.path}")
    ready, go = tmp_path / "ready", tmp_path / "go"
    environment = fake_git(
        tmp_path / "bin", f'if [ "$1" = clone ]; then touch {ready}; while [ ! -e {go} ]; do sleep 0.01; done; fi'
    )
    process = subprocess.Popen(
        command("--db", database, "sync", "sample"), env=environment, stderr=subprocess.PIPE, text=True
    )
    wait_for(ready.exists, process)
    second = database.with_name("second.db")
    check_failure(kminer("--db", second, "sync", "sample"), 1, "Another kminer is cloning", clone_of(), "Wait")
    go.touch()
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert kminer("--db", second, "sync", "sample").returncode == 0
    assert dump(database) == dump(second)


def test_a_clone_of_its_own_that_lost_its_objects(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """A clone of kminer's own whose objects vanished is mended by a fetch; without the server it is an error."""
    write_source(f"file://{server.path}")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    before = dump(database)
    server.commit({"tracked/new.c": "1\n"}, "Something new\n")
    for pack in (clone_of() / "objects" / "pack").glob("*"):
        pack.unlink()
    away = server.path.rename(server.path.with_name("away.git"))
    check_failure(kminer("--db", database, "sync", "sample"), 1, "could not be cloned or fetched")
    assert dump(database) == before
    away.rename(server.path)
    done = kminer("--db", database, "sync", "sample")
    assert done.returncode == 0, done.stderr
    fresh = database.with_name("fresh.db")
    assert kminer("--db", fresh, "sync", "sample", "--repo", f"sample={server.path}").returncode == 0
    assert dump(database) == dump(fresh)


def test_auto_goes_back_to_the_own_clone(kminer: Kminer, server: GitRepo, database: Path) -> None:
    """After a sync from a clone of the user's, `--repo sample=auto` uses and remembers kminer's own."""
    write_source(f"file://{server.path}")
    assert kminer("--db", database, "sync", "sample", "--repo", f"sample={server.path}").returncode == 0
    assert not clone_of().exists()
    assert kminer("--db", database, "sync", "sample", "--repo", "sample=auto").returncode == 0
    assert clone_of().exists()
    server.commit({"tracked/new.c": "1\n"}, "Something new\n")
    assert kminer("--db", database, "sync", "sample").returncode == 0
    assert ask(database, "SELECT count(*) FROM changes") == [(5,)]


def test_the_users_clone_is_never_written(kminer: Kminer, database: Path, tmp_path: Path) -> None:
    """Syncing from a clone of the user's leaves every file of it as it was."""
    write_source()
    write_linear_history(tmp_path / "mine.git", 300)

    def state() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in (tmp_path / "mine.git").rglob("*")
        }

    before = state()
    assert kminer("--db", database, "sync", "sample", "--repo", f"sample={tmp_path / 'mine.git'}").returncode == 0
    assert state() == before
