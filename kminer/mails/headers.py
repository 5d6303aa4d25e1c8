"""Headers of mails: read with bounds, decoded, and what they say as records."""

from __future__ import annotations

import re
from email._policybase import Compat32
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import mktime_tz, parseaddr, parsedate_tz

from kminer.errors import MailError
from kminer.mails.charsets import decode
from kminer.records import Moment, Person

_LIMIT = 2000
_LIST_LIMIT = 20_000
_LISTS = ("references", "in-reply-to")
_ID = re.compile(r"<\s*([^<>\s]+)\s*>")
_THREAD_LIMIT = 100
_DAY = 86_400
_EARLIEST, _LATEST = 631_152_000, 4_133_980_800
"""1990-01-01 and 2101-01-01 in UTC: no mail of a list is older, none can be that new."""

UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, MessageError)
"""What Python's reader of mails is known to raise at mails that are not well formed."""


class Policy(Compat32):
    """Python's old one, with headers cut: it takes minutes to take apart those of some hundred thousand characters."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Name and value of a header, folded as it was sent."""
        name, value = super().header_source_parse(sourcelines)
        return name, value[: _LIST_LIMIT if name.lower() in _LISTS else _LIMIT]


def header(message: Message, name: str) -> str:
    """A header decoded, on one line; empty where there is none, as it was sent where it cannot be decoded."""
    return _decoded(_as_sent(message, name))


def _decoded(raw: str) -> str:
    if "=?" not in raw:
        return _one_line(decode(raw.encode("latin-1"), "utf-8"))
    try:
        words = decode_header(" ".join(raw.split()))
    except UNREADABLE:
        return _one_line(raw)
    return _one_line("".join(_decoded_word(word, charset) for word, charset in words))


def _decoded_word(word: str | bytes, charset: str | None) -> str:
    return decode(word.encode("latin-1") if isinstance(word, str) else word, charset or "utf-8")


def _as_sent(message: Message, name: str) -> str:
    """A header's bytes, each as one letter."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return raw.encode("utf-8", "surrogateescape").decode("latin-1")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def message_ids(message: Message, name: str) -> tuple[str, ...]:
    """Message-ids in a header, without <>, each once; of many the first and the newest."""
    found = tuple(dict.fromkeys(_ID.findall(_as_sent(message, name))))
    return found if len(found) <= _THREAD_LIMIT else (found[0], *found[1 - _THREAD_LIMIT :])


def own_id(message: Message) -> str:
    """The mail's message-id. Raises MailError where it has none."""
    said = _as_sent(message, "Message-ID")
    found = _ID.search(said)
    key = found[1] if found else said.strip(" \t\r\n<>")
    if not key or len(key.split()) > 1:
        raise MailError("no message-id")
    return key


def sender(message: Message) -> Person:
    """Who sent the mail. The name is decoded last: it may hold what parts addresses."""
    sent = person(_as_sent(message, "From"))
    return Person(sent.role, _decoded(sent.name), _decoded(sent.email))


def person(said: str) -> Person:
    """An author by "Name <address>"."""
    try:
        name, address = parseaddr(said[:_LIMIT])
    except UNREADABLE:
        name, address = said[:_LIMIT], ""
    return Person("author", _one_line(name), address)


def moment(message: Message, fallback: Moment | None) -> tuple[Moment, bool]:
    """When the mail says it was sent, and whether that was mended: a date that cannot be is `fallback`.

    Raises MailError where there is neither.
    """
    said = _read_date(_as_sent(message, "Date"))
    latest = fallback.seconds + 2 * _DAY if fallback else _LATEST - 1
    if said and _EARLIEST <= said.seconds <= latest:
        return said, False
    if fallback is None:
        raise MailError("no date")
    return fallback, True


def _read_date(said: str) -> Moment | None:
    try:
        fields = parsedate_tz(said[:200])
        if fields is None:
            return None
        minutes = (fields[9] or 0) // 60
        offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
        return Moment(int(mktime_tz(fields)), offset) if abs(minutes) < 1440 else None
    except (*UNREADABLE, OverflowError):
        return None
