"""Takes one mail of a kernel mailing list apart."""

from __future__ import annotations

from dataclasses import dataclass

from kminer.errors import MailError
from kminer.history.references import find_people
from kminer.mails import headers, links, patch
from kminer.mails.content import read_headers, text_of
from kminer.mails.notices import Notice, read_notice
from kminer.mails.own import first_words, own_lines
from kminer.mails.sayings import sayings_of
from kminer.mails.subject import Subject, parse_subject
from kminer.records import Mail, Moment, Person

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of a mail that are read."""

_PATCHES = ("patch", "backport")
_POSTED = ("patch", "backport", "cover")


def parse_mail(raw: bytes, fallback: Moment | None = None) -> Mail:
    """The mail that these bytes (RFC 5322) are, however badly formed; `fallback` stands in for a date that cannot be.

    Raises MailError with its reason: too large (more than SIZE_LIMIT), not a mail, no message-id, no subject, or no
    date (and no `fallback`).
    """
    if len(raw) > SIZE_LIMIT:
        raise MailError("too large")
    message, start = read_headers(raw)
    if not message.keys():
        raise MailError("not a mail")
    key = headers.own_id(message)
    said = headers.header(message, "Subject")
    if not said:
        raise MailError("no subject")
    moment, mended = headers.moment(message, fallback)
    text = text_of(raw, message, start)
    subject = parse_subject(said)
    notice = None if subject.answers else read_notice(said, subject.title, text)
    thread = headers.message_ids(message, "References")
    replied = headers.message_ids(message, "In-Reply-To")
    in_reply_to = replied[0] if replied else thread[-1] if thread else ""
    files = patch.files_of(text)
    kind = "notice" if notice else _kind_of(subject, in_reply_to, files)
    sender = headers.sender(message)
    body = _body_of(kind, text, subject, sender, notice)
    return Mail(
        key=key, kind=kind, moment=moment, date_mended=mended, sender=sender, author=body.author or sender,
        title=notice.title if notice else subject.title, prefix=subject.prefix, version=subject.version,
        number=subject.number, total=subject.total, rfc=subject.rfc, in_reply_to=in_reply_to, thread=thread,
        earlier=links.earlier_mails("\n".join(body.own), key), change_token=body.token, text=body.text, files=files,
        trailers=body.trailers, says=body.says, words=first_words(body.own) if kind == "reply" else "",
        quotes=body.quotes, merged=body.merged,
    )  # fmt: skip


def _kind_of(subject: Subject, in_reply_to: str, files: tuple[str, ...]) -> str:
    """The kind of a mail that is no notice."""
    posted = subject.asks or bool(subject.number is not None and (files or _is_cover(subject)))
    if subject.answers:
        return "reply"
    if subject.stable and (posted or files):
        return "backport"
    if posted and _is_cover(subject):
        return "cover"
    if posted and (files or subject.number is not None or "PAT" in subject.prefix.upper()):
        return "patch"
    return "reply" if in_reply_to else "other"


def _is_cover(subject: Subject) -> bool:
    """Whether it is a series' letter, not a robot's mail on a commit of a branch ("tree:branch 0/3")."""
    return (subject.number == 0 and ":" not in subject.prefix) or (subject.whole and subject.number is None)


@dataclass(frozen=True, slots=True)
class _Body:
    own: list[str]
    text: str
    author: Person | None = None
    token: str = ""
    trailers: tuple[Person, ...] = ()
    says: tuple[str, ...] = ()
    quotes: tuple[tuple[str, str], ...] = ()
    merged: tuple[tuple[str, str], ...] = ()


def _body_of(kind: str, text: str, subject: Subject, sender: Person, notice: Notice | None) -> _Body:
    if kind in _POSTED:
        return _posted(kind, text, subject.title)
    own = own_lines(text)
    said = "\n".join(own)
    quotes = links.quoted_commits(said)
    if notice:
        return _Body(own, text, says=(notice.saying,), quotes=quotes, merged=notice.merges)
    if kind == "reply":
        return _Body(own, text, says=sayings_of(own, sender), quotes=quotes, merged=links.applied_patches(said))
    return _Body(own, text, quotes=quotes)


def _posted(kind: str, text: str, title: str) -> _Body:
    message = patch.message_of(text)
    said = patch.commit_message(message)
    upstream = links.upstream_commits(said, title) if kind in _PATCHES else ()
    return _Body(
        message.split("\n"), message, patch.named_author(text) if kind in _PATCHES else None, patch.token_of(text),
        tuple(find_people(said)) if kind in _PATCHES else (), (), (*links.quoted_commits(message), *upstream),
    )  # fmt: skip
