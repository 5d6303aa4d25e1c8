"""Typed references and people in the text of a change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from kminer.records import Person, Reference, Source

_ID = r"[0-9a-f]{7,40}"
_FIXES = re.compile(rf"^[^\S\n]*Fixes(?::|\s)\s*(?:commit\s+)?({_ID})\b", re.MULTILINE | re.IGNORECASE)
_REVERTS = re.compile(
    rf"\b(?:this\s+)?(?:partially\s+|partly\s+)?reverts?\s+(?:the\s+)?(?:commits?|changesets?)[\s:]+({_ID}"
    rf"(?:(?:\s*,\s*|\s+and\s+|\s*,\s*and\s+)(?:commits?\s+)?{_ID})*)\b",
    re.IGNORECASE,
)
_BACKPORTS = (
    re.compile(r"^[^\S\n]*commit\s+([0-9a-f]{40})\s+upstream\b", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^[^\S\n]*\[\s*upstream\s+commit\s+([0-9a-f]{40})\s*\]", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^[^\S\n]*upstream\s+commit:?\s+([0-9a-f]{40})\b", re.MULTILINE | re.IGNORECASE),
    re.compile(r"\((?:cherry[- ]picked|backported) from commit\s+([0-9a-f]{40})\b", re.IGNORECASE),
)
_LINK = re.compile(
    r"^[^\S\n]*Link:[^\S\n]*<?(\S+?)>?(?:[^\S\n]+(?:\[[^\[\]\n]*\]|#.*))?[^\S\n]*$", re.MULTILINE | re.IGNORECASE
)
_ARCHIVED_MAIL = re.compile(
    r"https?://(?:lore\.kernel\.org/(?:r|all|lkml|[A-Za-z0-9._-]+)|lkml\.kernel\.org/r|patch\.msgid\.link)/([^\s/>]+@[^\s/>]+)"
)
_MESSAGE_ID = re.compile(r"^[^\S\n]*Message-Id:[^\S\n]*<?([^<>\s]+@[^<>\s]+)>?", re.MULTILINE | re.IGNORECASE)
_CVE = re.compile(r"\bCVE-(?:19|20)\d\d-\d{4,}\b", re.IGNORECASE)
_STABLE = re.compile(
    r"^[^\S\n]*Cc:(?:[^\S\n]*|[^\n<]*<)stable@(?:vger\.)?kernel\.org>?(.*)$", re.MULTILINE | re.IGNORECASE
)
_CLOSING = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b[:\s]+\Z", re.IGNORECASE)
_PULL_MERGE = re.compile(r"\A\s*Merge pull request #(\d+) from ")
_SQUASHED = re.compile(r"\(#(\d+)\)\s*\Z")
_ISSUE = re.compile(
    r"(?:https?://github\.com/(?P<url>[\w.-]+/[\w.-]+)/(?:issues|pull)/(?P<url_number>\d+))"
    r"|(?:(?<![\w/&#.-])(?P<repo>[\w.-]{1,39}/[\w.-]{1,100})|(?<![\w/&#]))#(?P<number>\d{1,7})\b"
)
_PERSON = re.compile(
    r"^[ \t]*([A-Za-z]+(?:-[A-Za-z]+)*-by):([^<\n]*)<([^<>\s@]+@[^<>\s]+)>", re.MULTILINE
)
_ROLES = {"co-authored-by": "co-developed-by", "signed-of-by": "signed-off-by", "singed-off-by": "signed-off-by"}


def find_people(text: str) -> Iterator[Person]:
    """People named in trailers ("Reviewed-by: Name <mail>"), each role and address once, in the order of the text.

    "Reported-and-tested-by" names a reporter and a tester.
    """
    seen = set()
    for match in _PERSON.finditer(text):
        for role in _roles(match[1].lower()):
            person = Person(role, match[2].strip(" \t\""), match[3])
            if (role, person.email) not in seen:
                seen.add((role, person.email))
                yield person


def _roles(trailer: str) -> list[str]:
    parts = trailer.removesuffix("-by").split("-and-")
    return [_ROLES.get(f"{part}-by", f"{part}-by") for part in parts if part]


def find_pull_number(text: str) -> str | None:
    """The number of the pull request that a merge says it merges."""
    merged = _PULL_MERGE.match(text)
    return merged[1] if merged else None


_LINKED_ID = re.compile(r"([^\s<>/]+@[^\s<>/]+)")


def find_message_ids(values: str) -> Iterator[str]:
    """Message-ids among the values of a commit's Link and Message-ID trailers, parted by white space."""
    for match in _LINKED_ID.finditer(values):
        yield unquote(match[1])


def find_references(text: str, source: Source) -> Iterator[Reference]:
    """References in `text`, each once. `#n` counts only where the source names a repository it can mean."""
    seen: set[tuple[str, str]] = set()
    for reference in _all_references(text, source):
        if (reference.type, reference.value) not in seen:
            seen.add((reference.type, reference.value))
            yield reference


def _all_references(text: str, source: Source) -> Iterator[Reference]:
    yield from _commits(text)
    yield from _mails(text)
    for match in _CVE.finditer(text):
        yield Reference("cve", match[0].upper())
    for match in _STABLE.finditer(text):
        yield Reference("stable", match[1].strip(" #[]()\t") or "all")
    yield from _issues(text, source)


def _commits(text: str) -> Iterator[Reference]:
    for match in _FIXES.finditer(text):
        yield Reference("fixes", match[1].lower())
    for match in _REVERTS.finditer(text):
        for commit in re.findall(rf"\b{_ID}\b", match[1].lower()):
            yield Reference("reverts", commit)
    for pattern in _BACKPORTS:
        for match in pattern.finditer(text):
            yield Reference("backport-of", match[1].lower(), match[1].lower())


def _mails(text: str) -> Iterator[Reference]:
    for match in _LINK.finditer(text):
        yield Reference("link", match[1])
    for match in _ARCHIVED_MAIL.finditer(text):
        yield Reference("message-id", unquote(match[1]))
    for match in _MESSAGE_ID.finditer(text):
        yield Reference("message-id", match[1])


def _issues(text: str, source: Source) -> Iterator[Reference]:
    if not source.repository:
        return
    merged = _PULL_MERGE.match(text)
    squashed = _SQUASHED.search(text.lstrip("\n").split("\n", 1)[0])
    own = {match[1] for match in (merged, squashed) if match}
    for number in sorted(own):
        yield Reference("pull-request", f"{source.repository}#{number}")
    for match in _ISSUE.finditer(text):
        repository = (match["url"] or match["repo"] or source.repository).removesuffix(".git")
        if repository in source.repository_was:
            repository = source.repository
        number = match["url_number"] or match["number"]
        if repository == source.repository and number in own:
            continue
        closing = _CLOSING.search(text, max(0, match.start() - 20), match.start())
        yield Reference("closes" if closing else "issue", f"{repository}#{number}")
