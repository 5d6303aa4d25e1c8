"""Markdown made of values: what others wrote is shown as written, only what is made here is markup."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from kminer.foreign import code_span, inert, markdown


class Markdown(str):
    """Text that is Markdown already: made here, never what others wrote."""

    __slots__ = ()


_LINK = re.compile(r"\[([^\[\]]*)\](?:\([^()\s]*(?:\s[^()]*)?\)|\[[^\[\]]*\])")
_ADDRESS = re.compile(r"<?https?://[^\s<>)]+>?")
_NUMBERED = re.compile(r"[\w./-]*#\d+")


def without_links(text: str) -> str:
    """What a Markdown text says in words: links as their labels, no addresses, no numbers of issues."""
    return _NUMBERED.sub(" ", _ADDRESS.sub(" ", _LINK.sub(r" \1 ", text)))


def with_prefix(section: str, title: str) -> str:
    """A note's title as a commit's would be: "builder: fix ..." of one below "Runtime > Builder"."""
    heading = section.rpartition(" > ")[2].strip(" :").lower()
    return f"{heading}: {title}" if heading else title


def show(value: object) -> str:
    """Any value as Markdown: what this module made as it is, all else inert on one line, nothing for None."""
    if isinstance(value, Markdown):
        return value
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else markdown(str(value))


def command(name: str, **settings: str | int) -> Markdown:
    """The command line that asks a saved query, as code."""
    parts = [f"kminer query {name}", *(f"--set {shlex.quote(f'{key}={value}')}" for key, value in settings.items())]
    return Markdown(code_span(" ".join(parts)))


def link(text: object, address: object) -> str:
    """`text` as a link, if `address` is one of the web; `text` alone otherwise."""
    shown, target = show(text), str(address or "")
    if not re.match(r"https?://[\w.-]+/", target):
        return Markdown(shown)
    return Markdown(f"[{shown}]({quote(target, safe=':/?&=%#~@+,;.-_')})")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    """A Markdown table; columns of numbers stand to the right."""
    numeric = [
        bool(rows) and all(isinstance(row[index], int | float | None) for row in rows) for index in range(len(columns))
    ]
    lines = [
        "| " + " | ".join(show(column.replace("_", " ")) for column in columns) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|",
        *("| " + " | ".join(show(value) for value in row) + " |" for row in rows),
    ]
    return Markdown("\n".join(lines) + "\n")


def rows_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> Markdown:
    """A Markdown table of rows by name; a column `id` becomes a link where rows have a `link`."""
    names = [name for name in columns if name != "link"]
    return table(names, [[_cell(row, name) for name in names] for row in rows])


def _cell(row: Mapping[str, object], name: str) -> object:
    return link(code(row["id"]), row.get("link")) if name == "id" else row[name]


def first_paragraph(text: object, length: int = 320) -> str:
    """What a maintainer's message says first, without its title and, in old merges, without git's own line."""
    parts = [part for part in re.split(r"\n\s*\n", str(text or "").strip()[:20000])[1:] if part.strip()]
    if len(parts) > 1 and re.fullmatch(r"\s*Pull .+ from .+:\s*", parts[0], re.DOTALL):
        parts = parts[1:]
    lines = [line.strip() for line in (parts[0] if parts else "").splitlines()]
    if lines and re.match(r"\* .*:(?: \(\d+ commits\))?$", lines[0]):
        line = "; ".join(line for line in lines[1:] if line)
    else:
        line = " ".join(lines)
    return line if len(line) <= length else line[:length].rsplit(" ", 1)[0].rstrip(" ;,.") + " …"


def short_title(title: object) -> str:
    """A merge's title without the address it was pulled from."""
    return re.sub(r"(?: of| from) \S+://\S+", "", str(title))


def code(value: object) -> Markdown:
    """A value as a code span."""
    return Markdown(code_span(str(value)))


def number(value: int) -> Markdown:
    """A number with commas between its thousands."""
    return Markdown(f"{value:,}")


def html(value: object) -> Markdown:
    """Text inside an HTML element, where Markdown's own escapes would show."""
    return Markdown(escape(" ".join(inert(str(value), keep=" ").split())))
