"""What of a change is read to label it: title, prefixes, prose, trailers and files, each apart from the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

TEXT_LIMIT = 20_000
"""Characters of a message that are read; what follows is lists, logs and quotations in all messages looked at."""
FILE_LIMIT = 400
"""Files of a change that are looked at."""
PATH_LIMIT = 1000
"""Characters of a file's path that are read: a path of megabytes has as many folders, each with its own path."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKETS = re.compile(r"\s*(?:(?:re|fwd?|aw):\s*)?\[([^\[\]]{0,80})\]\s*", re.IGNORECASE)
_POSTED = re.compile(r"\b(?:patch|rfc|resend|v\d+|\d+/\d+|pull|git pull|for-\S+|linux\S*|-mm)\b", re.IGNORECASE)
_PREFIX = re.compile(r"([A-Za-z_][\w./,+& -]{0,48}?)\s?:(?=\s|$)")
_TRAILER = re.compile(
    r"[ \t]*((?:[A-Z][A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)+|Cc|CC|Link|Fixes|Closes|Bugzilla|BugLink|Message-Id"
    r"|LKML-Reference|Change-Id|Upstream))\s?:[ \t]"
)
_CUT = re.compile(r"^(?:diff --git |-----BEGIN PGP|-- ?$|Index: )", re.MULTILINE)
_DIFF = re.compile(r"^diff --git a/(\S+) b/\S+$", re.MULTILINE)
_STAT = re.compile(r"^ \S.* \| +(?:\d+ [+-]*|Bin\b.*)$|^ \d+ files? changed\b.*$|^ (?:create|delete) mode .*$")
_HEADER = re.compile(
    r"^(?:From|Date|Subject|To|Reply-To|Message-ID|In-Reply-To|References|Content-[A-Za-z-]+|MIME-Version):",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Document:
    """A change as it is read.

    `title` lacks its bracketed tags and prefixes; `prefixes` are lower-case, whole ("mm/memcg") and in parts;
    `body` is the prose; `trailers` the names of the message's trailers, lower-case, as often as they stand there.
    """

    subject: str
    title: str
    prefixes: tuple[str, ...]
    tags: tuple[str, ...]
    body: str
    trailers: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to go by."""
        return not (self.subject.strip() or self.body.strip() or self.files)


def read_document(title: str, text: str, files: Sequence[str]) -> Document:
    """A change from its title, its message (with or without that title on top) and the files it touches.

    A posted patch may hold its files in its text only, as `diff --git` lines. Time is bounded by TEXT_LIMIT.
    """
    title, text = _plain(title[:1000]), _plain(text[:TEXT_LIMIT])
    if not title.strip():
        title, _, text = text.lstrip().partition("\n")
        title = title[:1000]
    if not files and "diff --git " in text:
        files = list(dict.fromkeys(_DIFF.findall(text)))
    body, trailers = _body(title, text)
    prefixes, tags, rest = split_title(title)
    return Document(" ".join(title.split()), rest, prefixes, tags, body, trailers, _paths(files))


def _paths(files: Sequence[str]) -> tuple[str, ...]:
    return tuple(_plain(file[:PATH_LIMIT]) for file in files[:FILE_LIMIT])


def _plain(text: str) -> str:
    """`text` with plain line ends, without NUL, and without lone surrogates, which UTF-8 and so spaCy cannot hold."""
    if not text.isascii():
        text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text.replace("\r\n", "\n").replace("\0", " ") if "\r" in text or "\0" in text else text


def _body(title: str, text: str) -> tuple[str, tuple[str, ...]]:
    cut = _CUT.search(text)
    lines = (text[: cut.start()] if cut else text).lstrip().split("\n")
    if lines and lines[0][:60] and " ".join(title.split()).startswith(" ".join(lines[0].split())[:60]):
        lines = _after_title(title, lines)
    prose, trailers = [], []
    for line in lines:
        if ":" in line[:40]:
            found = _TRAILER.match(line)
            if found:
                trailers.append(_trailer(found[1].lower(), line))
                continue
            if _HEADER.match(line):
                continue
        if line[:1] == ">" or (line[:1] == " " and _STAT.match(line)):
            continue
        prose.append(line)
    return "\n".join(prose).strip(), tuple(trailers)


def _after_title(title: str, lines: list[str]) -> list[str]:
    """The lines below a title that may run over several lines, up to the first empty one."""
    wanted, seen = len("".join(title.split())), 0
    for index, line in enumerate(lines):
        seen += len("".join(line.split()))
        if seen >= wanted or not line.strip():
            return lines[index + 1 :]
    return []


def _trailer(name: str, line: str) -> str:
    return "cc-stable" if name == "cc" and "stable" in line else name


@lru_cache(maxsize=4096)
def _parts(prefix: str) -> tuple[str, ...]:
    whole = " ".join(prefix.lower().split())
    parts = [part.strip() for part in re.split(r"[,/&]|\s\+\s", whole)]
    return tuple(dict.fromkeys([whole, *(part for part in parts if part)]))


def split_title(title: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Prefixes, bracketed tags and the rest: "[PATCH v2] mm/memcg: fix" -> (mm/memcg, mm, memcg), (patch v2), fix."""
    rest = title.strip()
    prefixes: list[str] = []
    tags: list[str] = []
    while (found := _BRACKETS.match(rest)) and len(tags) + len(prefixes) < 12:
        rest = rest[found.end() :].lstrip(": ")
        inside = found[1].strip()
        if _POSTED.search(inside):
            tags.append(inside.lower())
        elif inside:
            prefixes += _parts(inside)
    for _ in range(3):
        found = _PREFIX.match(rest)
        if found is None:
            break
        prefixes += _parts(found[1])
        rest = rest[found.end() :].lstrip()
    return tuple(dict.fromkeys(prefixes)), tuple(tags), " ".join(rest.split())
