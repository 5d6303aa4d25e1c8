"""How a change looks when it is read: as lines for a terminal of any size, and as Markdown."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from kminer.foreign import inert, markdown, short_id
from kminer.marks import Standing
from kminer.markup import code, link, show
from kminer.reading import Entry
from kminer.store.reader import Known, Row

_AXES = ("mechanism", "kind", "dimension", "flag")
_MOST = 12
"""References and notes shown of one sort."""

_LONGEST = 80
"""Characters shown of a piece of evidence."""

Line = tuple[tuple[int, int], str]
"""The number of a line before it was folded, and that of a piece of it; the piece, which fits."""


def content(entry: Entry, known: Known, here: Standing | None) -> Iterator[str]:
    """What is shown of a change, in lines as they come, inert: its title, why it is here, message, references."""
    yield _one(entry.title) or "(no title)"
    yield ""
    for name, value in _facts(entry, known, here):
        yield f"{name:<8}{_one(value)}"
    yield ""
    yield from _message(known)
    for title, rows in _related(known):
        yield ""
        yield title
        yield from (f"  {_one(row)}" for row in rows[:_MOST])
        if len(rows) > _MOST:
            yield f"  ... and {len(rows) - _MOST:,} more: kminer show {_one(entry.short)}"


def _one(text: str) -> str:
    return inert(" ".join(text.split()), keep="")


def _facts(entry: Entry, known: Known, here: Standing | None) -> Iterator[tuple[str, str]]:
    author = f" by {known.change['author']}" if known.change["author"] else ""
    yield entry.type, f"{entry.short}  {entry.source}  {entry.day}  {entry.release}{author}"
    yield "why", why(known)
    if labels := labels_of(known):
        yield "labels", labels
    if known.change["brought_by"]:
        yield "pull", str(known.change["brought_by"])
    if target := address(entry, known):
        yield "link", target
    for mark in here.marks if here else ():
        yield "marked", f"{mark.mark}: {mark.note}" if mark.note else mark.mark


def address(entry: Entry, known: Known) -> str:
    """Where a change can be read on the web; of a note, its page or the mail that it is; nothing where not known."""
    mails = [f"https://lore.kernel.org/r/{row['value']}" for row in known.references if row["type"] == "message-id"]
    pages = [str(row["place"]) for row in known.places if str(row["place"]).startswith(("http://", "https://"))]
    return next(iter([*filter(None, [entry.link]), *pages, *(mails if entry.type == "note" else [])]), "")


def why(known: Known) -> str:
    """Why a change is in the list: what gave it each of its mechanisms, and how it was matched."""
    given = []
    for name in known.mechanisms:
        votes = [vote for vote in known.votes if vote["axis"] == "mechanism" and vote["label"] == name]
        plain = [vote for vote in votes if vote["voter"] != "model"]  # what the model says is long, and told by show
        said = [f"{vote['voter']} {str(vote['evidence'])[:_LONGEST]}".strip() for vote in (plain or votes)[:3]]
        given.append(f"{name} ({'; '.join(said)})" if said else f"{name} (by path)")
    paths = [str(path["path"]) for path in known.paths]
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    matched = f"matched by {str(known.change['matched_by']).replace(' ', ', ')}"
    return ", ".join([*given, matched + (f": {', '.join(paths[:3])}{more}" if paths else "")])


def labels_of(known: Known) -> str:
    """A change's labels with their probabilities; those by hand say so."""
    if known.unknown:
        return f"unknown: {known.unknown}"
    rows = [row for row in known.labels if row["axis"] in _AXES]
    return ", ".join(f"{row['label']} {'by hand' if row['given_by'] == 'hand' else _score(row)}" for row in rows)


def _score(row: Row) -> str:
    return f"{row['score']:.2f}"


def _message(known: Known) -> Iterator[str]:
    """The message without the title that begins it."""
    text = str(known.change["text"]).strip("\n")
    title = str(known.change["title"]).split()
    first = re.split(r"\n\s*\n", text, maxsplit=1)[0]
    for head in (first, first.partition("\n")[0]):
        if head.split() == title:
            text = text[len(head) :].strip("\n")
            break
    for line in text.split("\n") if text else ["(nothing but its title)"]:
        yield inert(line.rstrip("\r").expandtabs(8), keep="")


def _related(known: Known) -> Iterator[tuple[str, list[str]]]:
    groups = {
        "Refers to": [_reference(row) for row in known.references],
        "Referred to by": [f"{row['type']}  {short_id(row['key'])}  {row['title']}" for row in known.referrers],
        "Told in release notes": _tied(known, "told in"),
        "Speaks of": _tied(known, "speaks of"),
        "Told in": [f"{row['source']}  {row['place']}:{row['line']}  {row['said']}" for row in known.places],
        "Features": [f"{row['id']}  {row['title']}  (since {row['since'] or 'unknown'})" for row in known.features],
    }
    return ((title, rows) for title, rows in groups.items() if rows)


def _reference(row: Row) -> str:
    aim = f"  {row['release'] or ''}  {row['title']}" if row["title"] is not None else ""
    return f"{row['type']}  {row['value']}{aim}"


def _tied(known: Known, way: str) -> list[str]:
    return [f"{short_id(row['key'])}  {row['source']}  {row['release'] or '-'}  {row['title']}"
            for row in known.ties if row["way"] == way]  # fmt: skip


# --- on a terminal


def folded(lines: Iterable[str], columns: int) -> list[Line]:
    """Lines folded to `columns` as a terminal counts them."""
    return [
        ((number, part), piece)
        for number, line in enumerate(lines)
        for part, piece in enumerate(_fold(line, max(columns, 2)))
    ]


def _fold(line: str, columns: int) -> list[str]:
    if line.isascii():
        if len(line) <= columns:
            return [line]
        indent = " " * min(len(line) - len(line.lstrip()), columns // 2)
        return textwrap.wrap(line, columns, subsequent_indent=indent, replace_whitespace=False) or [""]
    pieces, width, begun = [], 0, 0
    for place, character in enumerate(line):
        wide = _width(character)
        if width + wide > columns:
            pieces.append(line[begun:place])
            width, begun = 0, place
        width += wide
    return [*pieces, line[begun:]]


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """One line of at most `columns`, the last of which a terminal may not take without a fold."""
    return _fold(text, max(columns - 1, 2))[0]


# --- as Markdown


def document(items: Iterable[tuple[Entry, Known, Standing | None]], head: str, notes: Sequence[str]) -> Iterator[str]:
    """The list as Markdown, piece by piece, by project and release; what others wrote is shown as written."""
    yield f"# {markdown(head)}\n"
    yield from (f"\n{note}\n" for note in notes)
    section: tuple[str, str] | None = None
    for entry, known, here in items:
        if (entry.project, entry.release) != section:
            section = (entry.project, entry.release)
            yield f"\n## {markdown(entry.project)} {markdown(entry.release)}\n"
        yield _part(entry, known, here)


def _part(entry: Entry, known: Known, here: Standing | None) -> str:
    facts = [
        f"{entry.type} {link(code(entry.short), address(entry, known))} · {markdown(entry.source)} · {entry.day}",
        *(f"{name}: {markdown(value)}" for name, value in _facts(entry, known, here)
          if name in ("why", "labels", "pull", "marked")),
    ]  # fmt: skip
    parts = [f"\n### {markdown(entry.title) or '(no title)'}\n", *(f"- {fact}" for fact in facts), ""]
    parts += _fenced([line.rstrip() for line in _message(known)])
    for title, rows in _related(known):
        more = [f"- … and {len(rows) - _MOST:,} more"] if len(rows) > _MOST else []
        parts += ["", f"{title}:", "", *(f"- {show(row)}" for row in rows[:_MOST]), *more]
    return "\n".join(parts) + "\n"


def _fenced(lines: Sequence[str]) -> list[str]:
    """Lines as they are, between fences that none of them can be; only what stands to the left would end a list."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *lines, fence]
