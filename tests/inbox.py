"""Builds archives of mailing lists as public-inbox keeps them: git, a mail a commit, in the file `m`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from gitrepo import GitRepo

from kminer.progress import Progress
from kminer.records import Source
from kminer.sources import archive, git
from kminer.store.database import open_for_writing

DAY_ONE = datetime(2020, 1, 1, 12, tzinfo=UTC)
ANN = "Ann Author <ann@example.org>"
BEN = "Ben Builder <ben@example.org>"
MAY = "May Maintainer <may@example.org>"


def day(number: int) -> datetime:
    """Noon of a day, counted from the first of 2020."""
    return DAY_ONE + timedelta(days=number)


def write_mail(
    key: str, subject: str, body: str = "Say why.\n", *, by: str = ANN, on: int = 0, to: Sequence[str] = (),
    files: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """A mail with message-id `key`, sent by whom and on which day; it answers `to`, oldest first, and patches files."""
    answers = [f"In-Reply-To: <{to[-1]}>", "References: " + " ".join(f"<{one}>" for one in to)] if to else []
    head = [
        f"From: {by}", f"Date: {format_datetime(day(on))}", f"Subject: {subject}", f"Message-ID: <{key}>", *answers,
        "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
    ]  # fmt: skip
    diffs = "".join(f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n" for name in files)
    return ("\n".join(head) + f"\n\n{body}" + (f"---\n{diffs}" if files else "")).encode()


class Inbox:
    """An archive that grows by `send`."""

    def __init__(self, path: Path) -> None:
        self.repo = GitRepo(path)
        self.path = path

    def send(self, key: str, subject: str, body: str = "Say why.\n", on: int = 0, **facts: object) -> str:
        """A mail, as `write_mail` takes it; returns its message-id."""
        self.add(write_mail(key, subject, body, on=on, **facts), on)  # type: ignore[arg-type]
        return key

    def add(self, raw: bytes, on: int = 0) -> str:
        """A mail as it was sent; returns the commit's id."""
        return self.repo.commit({"m": raw}, "a mail\n", when=int(day(on).timestamp()))


def list_source(**facts: object) -> Source:
    """The archive of a list of the project `sample`."""
    usual = {
        "id": "sample-list", "kind": "mailing-list", "project": "sample", "title": "A list",
        "commit_url": "https://lists.example.org/{id}/", "file": "sample-list.toml", "leave_out": ("otherproject",),
    }  # fmt: skip
    return Source(**(usual | facts))  # type: ignore[arg-type]


def sync_list(database: Path, place: Path, source: Source | None = None, **options: object) -> git.Summary:
    """One sync of a list from its archive, without judging what came."""
    with open_for_writing(database) as db:
        wanted = git.Options(repository=place, **options)  # type: ignore[arg-type]
        return archive.sync(source or list_source(), db, database, wanted, Progress())
