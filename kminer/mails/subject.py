"""What a subject says: brackets, version, place in a series, and the title that is left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ANSWER = re.compile(r"(re|aw|sv|vs|antw|rif|回复|答复|回覆|fwd?|转发)(?:\[[0-9]{1,3}\])?\s*[:：]\s*", re.IGNORECASE)
_FORWARDS = ("fw", "fwd", "转发")
_GROUP = re.compile(r"\[([^\[\]]*)\]\s*")
_NUMBER = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
_VERSION = re.compile(r"-?v\.?([0-9]{1,3})(?:\.[0-9]{1,2})?", re.IGNORECASE)
_JOINED_VERSION = re.compile(r"((?:patch(?:set)?|rfc|resend)(?:[-/](?!v[0-9])[\w.-]+?)?)[-/]?(v[0-9]{1,3})", re.I)
_ASKS = re.compile(r"(?:.*[-/])?(?:pat(?:ch|hc)(?:es|set)?|rfc)(?:[-/].*)?", re.IGNORECASE)
_PATCH_WORDS = re.compile(r"(?:patch|rfc|resend)(?:/(?:patch|rfc|resend))+", re.IGNORECASE)
_STABLE = re.compile(
    r"(?:-?stable(?:[-/].*)?|autosel|(?:linux-|stable-)?(?:[2-9]\.|v[34]\.(?![0-3]$)|v[5-9]\.)[0-9]{1,2}"
    r"(?:\.y|\.[0-9]{1,3})?(?:[-/+].*)?)",
    re.IGNORECASE,
)
_NO_LIST = re.compile(r"rfc|resend|repost|next|-.*|[0-9].*|v[0-9]+|.*[/:?.].*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject taken apart; `asks` says that its brackets speak of a patch or ask for comments."""

    title: str
    prefix: str
    version: int
    number: int | None
    total: int | None
    answers: bool
    asks: bool
    whole: bool
    stable: bool

    @property
    def rfc(self) -> bool:
        """Whether it asks for comments only."""
        return any(word.upper().startswith("RFC") for word in self.prefix.split())


def parse_subject(said: str) -> Subject:
    """What a subject, decoded and on one line, says.

    `answers` is whether it begins as an answer does, `whole` whether it is called a set of patches, `stable` whether
    its brackets name a stable kernel.
    """
    answers, groups, title = _split(said)
    words = [word for group in _without_list(groups) for word in _words(group)]
    version, number, total, kept = 1, None, None, list[str]()
    for word in words:
        numbered, versioned = _NUMBER.fullmatch(word), _VERSION.fullmatch(word)
        if numbered:
            number, total = int(numbered[1]), int(numbered[2])
        elif versioned and not _STABLE.fullmatch(word):
            version = int(versioned[1])
        else:
            kept.append(word)
    return Subject(
        title, " ".join(kept), version, number, total, answers,
        any(_ASKS.fullmatch(word) for word in kept), any(word.upper().startswith("PATCHSET") for word in kept),
        any(_STABLE.fullmatch(word) for word in kept),
    )  # fmt: skip


def _split(said: str) -> tuple[bool, list[str], str]:
    """Whether it answers, the contents of its brackets, and the title."""
    answers, groups, place = False, [], 0
    while True:
        answer, group = _ANSWER.match(said, place), _GROUP.match(said, place)
        if answer:
            answers = answers or answer[1].lower() not in _FORWARDS
            place = answer.end()
        elif group:
            groups.append(group[1])
            place = group.end()
        else:
            return answers, groups, said[place:].strip()


def _without_list(groups: list[str]) -> list[str]:
    """Brackets less those in which the list put its own name: "[LTP] [PATCH]"."""
    patch = next((place for place, group in enumerate(groups) if any(map(_ASKS.fullmatch, _words(group)))), 0)
    return [group for place, group in enumerate(groups) if place >= patch or _NO_LIST.fullmatch(group.strip())]


def _words(group: str) -> Iterator[str]:
    for word in group.replace(",", " ").split():
        joined = _JOINED_VERSION.fullmatch(word)
        if _PATCH_WORDS.fullmatch(word):
            yield from word.split("/")
        elif joined:
            yield from joined.groups()
        else:
            yield word
