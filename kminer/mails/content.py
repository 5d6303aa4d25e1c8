"""The text of a mail: parts found, armour taken off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.feedparser import BytesFeedParser
from email.message import Message

from kminer.mails.charsets import decode
from kminer.mails.headers import UNREADABLE, Policy

_POLICY = Policy()
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_DIFFS = ("text/x-patch", "text/x-diff")


def read_headers(raw: bytes) -> tuple[Message, int]:
    """A mail's headers, and where its body begins."""
    end = _END_OF_HEADERS.search(raw)
    stop, start = (end.start(), end.end()) if end else (len(raw), len(raw))
    return _parsed(raw[:stop] + b"\n\n"), start


def _parsed(raw: bytes) -> Message:
    parser = BytesFeedParser(policy=_POLICY)
    parser.feed(raw)
    message: Message = parser.close()
    return message


def text_of(raw: bytes, message: Message, start: int) -> str:
    """The readable text of a mail with these headers: its plain parts and diffs, each ending in one line feed.

    Parts of a damaged mail are what can be made of them; empty where nothing is to be read without a browser.
    """
    try:
        several = message.get_content_maintype() == "multipart"
        parts = list(_texts(_parsed(raw))) if several else [_single(raw[start:], message)]
    except UNREADABLE:
        parts = [decode(raw[start:], "utf-8")]
    lines = "\n".join(part.rstrip("\r\n") for part in parts if part)
    return lines.replace("\r\n", "\n") + "\n" if lines else ""


def _single(body: bytes, message: Message) -> str:
    if message.get_content_type() == "text/html":
        return ""
    message.set_payload(body.decode("ascii", "surrogateescape"))
    return _decoded(message)


def _texts(message: Message) -> Iterator[str]:
    """Plain parts; the bare text of a mail whose parts cannot be told apart."""
    for part in message.walk():
        if part.get_content_maintype() == "multipart":
            if not part.is_multipart():
                yield _decoded(part)
        elif part.get_content_type() in _DIFFS or _is_plain(part):
            yield _decoded(part)


def _is_plain(part: Message) -> bool:
    return part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment"


def _decoded(part: Message) -> str:
    """A part's text, as it stands where its transfer encoding is broken."""
    content = part.get_payload(decode=True)
    octets = content if isinstance(content, bytes) else b""
    charset = part.get_content_charset("utf-8")
    return decode(octets, charset)
