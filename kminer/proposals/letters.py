"""What is known of each mail when series are made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

_NOISE = re.compile(r"[^\w]+")
_LEAST_WORDS = 4
"""Words from which on the end of a title, without its subsystem, says enough to be found again by."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail of an archive, as the store holds it; `change_id` and `files` are those of patches and cover letters."""

    key: str
    source: str
    project: str
    change_id: int | None
    kind: str
    date: str
    name: str
    email: str
    title: str
    prefix: str
    version: int
    number: int | None
    total: int | None
    in_reply_to: str
    thread: tuple[str, ...]
    earlier: tuple[str, ...]
    change_token: str
    says: tuple[str, ...]
    words: str
    files: frozenset[str] = frozenset()

    @property
    def rfc(self) -> bool:
        """Whether it asks for comments only."""
        return "RFC" in self.prefix.upper().split()

    def ancestors(self) -> Iterator[str]:
        """Message-ids of what it answers, nearest first."""
        yield from dict.fromkeys(key for key in (self.in_reply_to, *reversed(self.thread)) if key)

    def is_by(self, other: Letter) -> bool:
        """Whether the same person sent both; of a mail without a sender nobody knows."""
        return bool(self.email and self.email == other.email) or bool(
            self.name and self.name.lower() == other.name.lower()
        )


@dataclass(slots=True)
class Posting:
    """A series, or a patch alone, as it was posted once; `answers` are mails that answer it, by whomever."""

    patches: list[Letter] = field(default_factory=list)
    cover: Letter | None = None
    answers: list[Letter] = field(default_factory=list)
    joined_by: str = ""

    @property
    def root(self) -> Letter:
        """Its cover letter, else its first patch."""
        return self.cover or min(self.patches, key=lambda patch: (patch.number or 0, patch.date, patch.key))

    @property
    def date(self) -> str:
        """When it was posted, UTC."""
        return min(letter.date for letter in self.letters())

    def letters(self) -> list[Letter]:
        """Its cover letter and patches."""
        return [self.cover, *self.patches] if self.cover else list(self.patches)

    def titles(self) -> set[str]:
        """The titles of its patches as they are compared."""
        return {plain(patch.title) for patch in self.patches}

    def by_others(self) -> list[Letter]:
        """Answers of others than who posted it."""
        return [answer for answer in self.answers if not answer.is_by(self.root)]


def plain(title: str) -> str:
    """A title as it is compared: small letters, words only."""
    return " ".join(_NOISE.sub(" ", title.lower()).split())


def ending(title: str) -> str:
    """A title as it is compared, without its subsystem ("mm: memcg: ..."); empty where too little is left."""
    _, colon, rest = title.rpartition(": ")
    words = plain(rest)
    return words if colon and len(words.split()) >= _LEAST_WORDS and not title.lower().startswith("revert") else ""


def subsystems(title: str) -> set[str]:
    """The words of a title's subsystem; "cgroups" is "cgroup"."""
    return {word.rstrip("s") for word in plain(title.rpartition(": ")[0]).split()}


def days_between(earlier: str, later: str) -> int:
    """Days from one moment in UTC (ISO 8601) to another."""
    return (datetime.fromisoformat(later[:10]) - datetime.fromisoformat(earlier[:10])).days


def in_order_of_date(letters: Iterable[Letter]) -> list[Letter]:
    """Oldest first; patches of the same second by their number."""
    return sorted(letters, key=lambda letter: (letter.date, letter.number or 0, letter.key))
