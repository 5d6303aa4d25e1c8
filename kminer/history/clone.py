"""kminer's own clones: bare and blobless, whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pygit2

from kminer.errors import RepositoryError
from kminer.history.repository import git_environment, git_program
from kminer.progress import Progress
from kminer.records import Source

_PERCENT = re.compile(r"^(?:remote: )?(?P<doing>[A-Z][a-z ]+):\s+(?P<percent>\d+)%")
_REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def update_clone(source: Source, target: Path, progress: Progress, contents: bool = False) -> Path:
    """Make kminer's clone of `source` at `target`, or fetch what is new into it; returns its path.

    It holds no file contents unless `contents` asks for them. A clone is made beside and moved into place when
    whole, so one that was interrupted is started over. Tries the source's addresses in turn; raises RepositoryError
    with what each of them answered.
    """
    if not source.clone:
        raise RepositoryError(
            f"Source '{source.id}' names no address to clone from.",
            where=source.file,
            next=f"Give a clone you have: kminer sync {source.id} --repo {source.id}=/path/to/clone.",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if target.exists():
                _fetch(source, target, progress, contents)
            else:
                _clone(source, target, progress, contents)
    except OSError as error:
        raise RepositoryError(
            f"kminer's own clone cannot be written: {error.strerror or error}.",
            where=str(error.filename or target),
            next="Check permissions and free space of that folder; XDG_CACHE_HOME names another.",
        ) from error
    return target


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    with Path(f"{target}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RepositoryError(
                "Another kminer is cloning or fetching this repository.",
                where=str(target),
                next="Wait until it has ended, then run this again.",
            ) from error
        os.set_inheritable(lock.fileno(), True)  # git holds it as well, should it outlive this process
        yield


def _filter(contents: bool) -> list[str]:
    return [] if contents else ["--filter=blob:none"]


def _clone(source: Source, target: Path, progress: Progress, contents: bool) -> None:
    unfinished = target.with_name(target.name + ".unfinished")
    what = "whole" if contents else "commits and folders, no file contents"

    def clone(address: str) -> str | None:
        shutil.rmtree(unfinished, ignore_errors=True)
        progress.note(f"Cloning {address} into {target}: {what} ({source.download}).")
        return _run(["clone", "--bare", *_filter(contents), "--progress", address, str(unfinished)], progress)

    try:
        _try_addresses(source, clone)
    except RepositoryError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _write_commit_graph(unfinished, progress)
    unfinished.rename(target)


def _fetch(source: Source, target: Path, progress: Progress, contents: bool) -> None:
    _remove_stale_locks(target)

    def fetch(address: str) -> str | None:
        progress.detail(f"Fetching what is new from {address}.")
        command = ["--git-dir", str(target), "fetch", "--prune", "--progress", *_filter(contents), address]
        return _run([*command, *_REFSPECS], progress)

    _try_addresses(source, fetch)
    _write_commit_graph(target, progress)


def fetch_blobs(
    source: Source, repository: pygit2.Repository, blobs: Iterable[pygit2.Oid], progress: Progress
) -> None:
    """Fetch those of `blobs` that a clone without file contents lacks, all at once.

    Raises RepositoryError where no address of the source gives them.
    """
    missing = sorted(str(blob) for blob in blobs if blob not in repository)
    if not missing:
        return
    progress.note(f"Fetching {len(missing):,} revisions of pages of {source.title}.")

    def fetch(address: str) -> str | None:
        command = ["-c", "fetch.negotiationAlgorithm=noop", "--git-dir", repository.path, "fetch", "--no-tags"]
        command += ["--no-write-fetch-head", *_filter(False), "--progress", "--stdin", address]
        return _run(command, progress, "\n".join(missing))

    _try_addresses(source, fetch)


def _try_addresses(source: Source, ask: Callable[[str], str | None]) -> None:
    """Let `ask` try the source's addresses in turn, until one does not answer with a complaint.

    Raises RepositoryError with what each of them answered.
    """
    failures = []
    for address in source.clone:
        failure = ask(address)
        if failure is None:
            return
        failures.append(f"{address}: {failure}")
    raise _unreachable(source, failures or ["it names no address to fetch from"])


def _remove_stale_locks(target: Path) -> None:
    """A git that was killed leaves its lock files behind; nothing else is at work here."""
    folders = (target / "refs", target / "objects" / "info")
    for stale in [*target.glob("*.lock"), *(file for folder in folders for file in folder.rglob("*.lock"))]:
        stale.unlink()


def _write_commit_graph(target: Path, progress: Progress) -> None:
    """The commit graph makes listing several times faster; a clone without one works as well."""
    failure = _run(["--git-dir", str(target), "commit-graph", "write", "--reachable"], progress)
    if failure:
        progress.detail(f"No commit graph was written: {failure}")


def _unreachable(source: Source, failures: Sequence[str]) -> RepositoryError:
    return RepositoryError(
        f"Source '{source.id}' could not be cloned or fetched:\n         " + "\n         ".join(failures),
        where=source.file,
        next=f"Check the network, or give a clone you have: --repo {source.id}=/path/to/clone.",
    )


def _run(arguments: Sequence[str], progress: Progress, given: str = "") -> str | None:
    """Run git with `given` as its input, passing its percentages on; returns None, or the end of its complaint."""
    complaints: list[str] = []
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given.encode())
        stdin.seek(0)
        process = subprocess.Popen(
            [git_program(), *arguments],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            close_fds=False,
            env=git_environment() | {"GIT_NO_LAZY_FETCH": "0"},
        )
    with process:
        assert process.stderr
        stage, reached = "", 0
        for line in _lines(process.stderr):
            match = _PERCENT.match(line)
            if match is None:
                complaints.append(line)
                continue
            if match["doing"] != stage:
                stage, reached = match["doing"], 0
                progress.start(f"git: {stage.lower()}", 100)
            progress.advance(int(match["percent"]) - reached)
            reached = int(match["percent"])
    if process.returncode == 0:
        return None
    told = [line for line in complaints if line.startswith(("error:", "fatal:"))] or complaints
    return " ".join(told[-3:]) or f"git ended with status {process.returncode}"


def _lines(stream: object) -> Iterator[str]:
    """Lines that end in a carriage return or a line feed, as git writes its progress."""
    pending = b""
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]
        *lines, pending = re.split(rb"[\r\n]", pending + chunk)
        yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if pending.strip():
        yield pending.decode(errors="replace").strip()
