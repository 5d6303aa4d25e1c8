"""Lists what every commit of a history is called and points at, kept or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kminer.history.references import find_message_ids
from kminer.history.repository import list_lines

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
    command = ["log", "--all", "--no-merges", f"--since={since}T00:00:00Z", "--encoding=UTF-8"]
    for line in list_lines(path, [*command, f"--format={'%x00'.join(_FIELDS)}"]):
        fields = line.decode("utf-8", "replace").rstrip("\n").split("\0")
        if len(fields) == len(_FIELDS):
            commit, author, email, day, title, links = fields
            yield Subject(commit, author, email, _sound(day), title, tuple(find_message_ids(links)))


def _sound(day: str) -> str:
    """A day; empty for one beyond the year 9999, which a commit may have."""
    return day if len(day) == len("2000-01-01") else ""
