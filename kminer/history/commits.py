"""Takes a raw commit object apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kminer.records import Moment, Person

_IDENTITY = re.compile(
    rb"(?P<name>[^<\n]*)<(?P<email>[^>\n]*)>[^\n]*?"
    rb"(?P<seconds>(?<!\d)-?\d{1,18}(?!\d))?(?: (?P<offset>[+-]\d+))?$"
)
_BLANK_LINES = re.compile(r"\n\s*\n")
_ENCODING = re.compile(rb"^encoding (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RawCommit:
    """A commit object split into header and message; `tree` is an id of 20 bytes, `parents` hexadecimal ids."""

    tree: bytes
    parents: tuple[str, ...]
    header: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A commit message as text. Encoding `text` with `encoding` gives back the bytes that were committed."""

    title: str
    text: str
    encoding: str


def split_commit(raw: bytes) -> RawCommit:
    """Split a commit object's bytes, as stored (source: gitformat, "commit object")."""
    header, _, message = raw.partition(b"\n\n")
    parents = []
    position = 46
    while header.startswith(b"parent ", position):
        parents.append(header[position + 7 : position + 47].decode("ascii"))
        position += 48
    return RawCommit(bytes.fromhex(header[5:45].decode("ascii")), tuple(parents), header, message)


def read_message(commit: RawCommit) -> Message:
    """Decode the message: UTF-8, else the encoding the commit declares, else ISO 8859-1, which fits any bytes."""
    text, encoding = _decode(commit.message, _declared(commit))
    return Message(title_of(text), text, encoding)


def _declared(commit: RawCommit) -> str:
    declared = _ENCODING.search(commit.header)
    return declared[1].decode("ascii", "replace") if declared else "iso-8859-1"


def title_of(text: str) -> str:
    """The first paragraph on one line, as git shows a subject."""
    first = _BLANK_LINES.split(text.strip(), 1)[0]
    return " ".join(line.strip() for line in first.splitlines()).strip()


def read_identity(commit: RawCommit, role: str, encoding: str) -> tuple[Person, Moment]:
    """Name, address and time of the commit's `role` (author or committer), as tolerantly as git reads them."""
    start = commit.header.find(b"\n" + role.encode() + b" ")
    line = commit.header[start + len(role) + 2 :].split(b"\n", 1)[0] if start >= 0 else b""
    match = _IDENTITY.match(line)
    if encoding == "utf-8":
        encoding = _declared(commit)
    if match is None:
        return Person(role, _decode(line, encoding)[0].strip(), ""), Moment(0)
    name, email = _decode(match["name"], encoding)[0].strip(), _decode(match["email"], encoding)[0].strip()
    offset = (match["offset"] or b"+0000").decode("ascii")
    return Person(role, name, email), Moment(int(match["seconds"] or 0), offset)


def _decode(data: bytes, declared: str) -> tuple[str, str]:
    """`data` as text that can be stored, and the first encoding that gives `data` back."""
    for encoding in ("utf-8", declared, "iso-8859-1"):
        try:
            text = data.decode(encoding)
            if text.encode(encoding) == data and (encoding == "utf-8" or text.encode("utf-8")):
                return text, encoding
        except (ValueError, LookupError):
            continue
    raise AssertionError("ISO 8859-1 decodes any bytes")
