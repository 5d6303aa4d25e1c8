"""Lists what every commit of a history is called and points at, kept or not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from kminer.errors import RepositoryError
from kminer.history.references import find_message_ids
from kminer.history.repository import git_environment, git_program

_FIELDS = ("%H", "%an", "%ae", "%cs", "%s", "%(trailers:key=Link,key=Message-ID,valueonly,unfold,separator=%x20)")


@dataclass(frozen=True, slots=True)
class Subject:
    """A commit: `day` is the committer's, empty where that cannot be; `links` are the message-ids in its trailers."""

    commit: str
    author: str
    email: str
    day: str
    title: str
    links: tuple[str, ...]


def list_subjects(path: str, since: str) -> Iterator[Subject]:
    """Commits without merges that any head or tag leads to, committed since a day (YYYY-MM-DD).

    Raises RepositoryError when git cannot read the history.
    """
    command = [git_program(), "-c", f"safe.directory={path}", "--git-dir", path, "log", "--all", "--no-merges"]
    command += [f"--since={since}T00:00:00Z", "--encoding=UTF-8", f"--format={'%x00'.join(_FIELDS)}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=git_environment()
    ) as process:
        assert process.stdout and process.stderr
        for line in process.stdout:
            fields = line.decode("utf-8", "replace").rstrip("\n").split("\0")
            if len(fields) == len(_FIELDS):
                commit, author, email, day, title, links = fields
                yield Subject(commit, author, email, _sound(day), title, tuple(find_message_ids(links)))
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise RepositoryError(
            f"git cannot list this history: {complaint or f'exit status {process.returncode}'}.",
            where=path,
            next="Run `git fsck` there; if objects are missing, clone it again.",
        )


def _sound(day: str) -> str:
    """A day; empty for one beyond the year 9999, which a commit may have."""
    return day if len(day) == len("2000-01-01") else ""
