"""What parsers of notes share: refusing what is no text, days and sentences, bullets in the making."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from kminer.errors import NotesError
from kminer.records import Source

_WEB_PAGE = ("<!doctype", "<html", "<head", "<?xml")
_SENTENCE = re.compile(r"(?<=[^0-9][.!?])\s(?=[A-Z])")


@dataclass(slots=True)
class Draft:
    """A bullet or a paragraph (`indent` -1) in the making, from its first `line`.

    `above` is the bullet it stands below and `depth` counts these; `section` holds the headings, outermost first.
    """

    line: int
    indent: int
    above: Draft | None = None
    depth: int = 0
    lines: list[str] = field(default_factory=list)
    section: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its lines."""
        return "\n".join(self.lines)

    @property
    def form(self) -> str:
        """What a Note calls it."""
        return "bullet" if self.indent >= 0 else "paragraph"

    def parent(self, places: Mapping[int, int]) -> int | None:
        """The place of the bullet above; `places` are those of drafts by id()."""
        return places[id(self.above)] if self.above else None


def leave(nested: list[Draft], indent: int) -> None:
    """Leave the bullets that a line at this indentation does not stand below."""
    while nested and nested[-1].indent >= indent:
        nested.pop()


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line."""
    return _SENTENCE.split(" ".join(text.split()), maxsplit=1)[0]


def require_text(text: str, name: str, source: Source, kind: str, instead: str = "") -> str:
    """`text` without a byte-order mark. Raises NotesError where it is a web page or binary instead of a `kind`.

    `instead` says what to get instead of a web page.
    """
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise fault(f"is binary, no {kind}", name, source)
    if text[:2000].lstrip().lower().startswith(_WEB_PAGE):
        raise fault(f"is a web page, no {kind}", name, source, instead)
    return text


def fault(what: str, name: str, source: Source, instead: str = "") -> NotesError:
    """The error that page `name` of `source` `what`; `instead` is what to do next."""
    listed = f"correct what {source.file or source.id} lists under `pages` and `files`"
    return NotesError(f"{name} {what}", where=f"{name} of the source {source.id}", next=instead or listed)


def day_of(date: str) -> str | None:
    """The day in UTC, ISO 8601, of a date as mails and git write it; None where it is none."""
    try:
        parts = parsedate_tz(date[:100])
        if parts is None:
            return None
        moment = datetime(*parts[:6], tzinfo=UTC) - timedelta(seconds=parts[9] or 0)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
    return moment.date().isoformat()
