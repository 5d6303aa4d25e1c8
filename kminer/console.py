"""Everything shown on a terminal; the only user of rich."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from kminer.foreign import inert, short_id
from kminer.progress import Progress
from kminer.records import HISTORIES

if TYPE_CHECKING:
    from kminer.records import SavedQuery, Source
    from kminer.store.reader import Known, Row

WIDE = 10_000
"""Columns assumed where output is no terminal: lines are then for other programs and never folded."""

_SHORT = 20
"""Characters up to which a column's cells are kept on one line."""

_NARROW = 14
"""Characters a column, with its border, below which a table is hard to read."""


class Terminal:
    """The terminal: results go to standard output, all else to standard error."""

    def __init__(self, verbosity: int = 0) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        piped = not sys.stdout.isatty()
        self.verbosity = verbosity
        self.out = Console(highlight=False, markup=False, width=WIDE if piped else None)
        self.err = Console(highlight=False, markup=False, stderr=True)
        self.piped = piped

    def say(self, text: str, style: str = "") -> None:
        """A line of result."""
        self.out.print(Text(inert(text), style), soft_wrap=True)

    def note(self, text: str, style: str = "dim") -> None:
        """A line beside the result, unless -q was given."""
        if self.verbosity >= 0:
            self.err.print(Text(inert(text), style), soft_wrap=True)

    def fail(self, text: str) -> None:
        """An error, shown whatever the verbosity."""
        self.err.print(Text("error: ", "bold red") + Text(inert(text)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "", note: str = "") -> None:
        """A table; numbers stand to the right. A terminal is spared empty columns, and links that stand beside ids.

        Where a terminal is too narrow for the columns, each row is shown as a record, a line a column.
        """
        values = [[_cell(value) for value in row] for row in rows]
        shown = [index for index, column in enumerate(columns) if self.piped or _worth(column, index, columns, values)]
        table = Table(title=inert(title) or None, caption=note or None, title_justify="left", caption_justify="left")
        widths = {index: max([len(row[index]) for row in values] + [len(columns[index])]) for index in shown}
        roomy = sum(min(width, _SHORT) + 3 for width in widths.values()) < self.out.width
        if values and not roomy and self.out.width < _NARROW * len(shown):
            self._records([columns[index] for index in shown], [[row[i] for i in shown] for row in values], title, note)
            return
        for index, width in widths.items():
            numeric = bool(values) and all(_is_number(row[index]) for row in values)
            table.add_column(
                Text(inert(columns[index].replace("_", " "), keep="")),
                justify="right" if numeric else "left",
                overflow="fold",
                no_wrap=roomy and width <= _SHORT,
                min_width=_SHORT if roomy and width > _SHORT else None,
            )
        for row in values:
            table.add_row(*(Text(row[index]) for index in shown))
        self.out.print(table)

    def _records(self, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, note: str) -> None:
        """Rows below each other, without their empty cells."""
        if title:
            self.out.print(Text(inert(title), "italic"))
        for number, row in enumerate(rows, 1):
            self.out.print(Text(f"-- {number}", "dim"))
            record = Table.grid(padding=(0, 2))
            record.add_column(style="dim", overflow="fold")
            record.add_column(overflow="fold")
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    record.add_row(Text(inert(column.replace("_", " "), keep="")), Text(cell))
            self.out.print(record)
        if note:
            self.out.print(Text(note, "dim"))

    def json(self, value: object) -> None:
        """A JSON document."""
        self.document(inert(json.dumps(value, indent=2, ensure_ascii=False, default=str), keep="\n") + "\n")

    def document(self, text: str) -> None:
        """A result for other programs: as it is where it goes to one, inert on a terminal."""
        sys.stdout.write(text if self.piped else inert(text))
        sys.stdout.flush()

    def progress(self) -> TerminalProgress:
        """Progress bars on standard error, gone when the work is done."""
        return TerminalProgress(self)


def _worth(column: str, index: int, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    return not rows or (any(row[index] for row in rows) and not (column == "link" and "id" in columns))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return inert(str(value), keep="")


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


class TerminalProgress(Progress):
    """Shows stages as bars where standard error is a terminal, else as nothing but notes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=terminal.err, transient=True, disable=terminal.verbosity < 0 or not terminal.err.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._began = time.monotonic()

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, doing: str, total: int | None) -> None:
        """Replace the bar by one for a new stage."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self.detail(f"{time.monotonic() - self._began:6.2f} s  {doing}")
        self._task = self._bars.add_task(inert(doing), total=total)

    def advance(self, units: int) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._bars.advance(self._task, units)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._terminal.note(text)

    def detail(self, text: str) -> None:
        """Print a line above the bar under -v."""
        if self._terminal.verbosity > 0:
            self._terminal.note(text)


def show_queries(terminal: Terminal, queries: Iterable[SavedQuery]) -> None:
    """The saved queries, a line each."""
    terminal.table(
        ("query", "why", "parameters"),
        [
            (query.name, query.why, ", ".join(_parameter(p.name, p.default) for p in query.parameters))
            for query in queries
        ],
    )


def _parameter(name: str, default: object) -> str:
    return name + (" (must be given)" if default is None else f"={default}")


def show_sources(terminal: Terminal, sources: Iterable[Source], states: Mapping[str, Row]) -> None:
    """State of each source, synced or not."""
    rows = []
    for source in sources:
        state = states.get(source.id, {})
        newest = str(state.get("newest") or "")[:10]
        rows.append(
            (
                source.id,
                source.title,
                state.get("synced_at") or "not yet synced",
                _count(state.get("commits")),
                _count(state.get("changes")),
                state.get("newest_release"),
                newest,
                _extent(state),
            )
        )
    terminal.table(
        ("source", "title", "synced at", "read", "changes", "newest release", "newest change", "extent"), rows
    )


_UNITS = {"mailing-list": "mails", "merged-titles": "files"}


def _extent(state: Mapping[str, Any]) -> str:
    if not state:
        return ""
    if state.get("kind") not in HISTORIES:
        return _UNITS.get(str(state.get("kind")), "pages")
    parts = [f"since {state['since']}"] if state.get("since") else []
    return ", ".join([*parts, "shallow clone"] if state.get("shallow") else parts) or "whole history"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def show_search(terminal: Terminal, rows: Sequence[Row]) -> None:
    """Hits of a search, best first, with the words that matched set off."""
    for row in rows:
        head = Text.assemble(
            (inert(short_id(row["key"]), keep=""), "cyan"), f"  {row['date'] or '':10}  ",
            (f"{row['release'] or '-':14}", "green"),
            f" {row['source']}  ", (inert(str(row["title"]) or "(no title)", keep=""), "bold"),
        )  # fmt: skip
        terminal.out.print(head, soft_wrap=True)
        terminal.out.print(Text("    ") + _marked(str(row["snippet"])), soft_wrap=True)


def _marked(snippet: str) -> Text:
    text, style = Text(), ""
    for part in (" ".join(snippet.split())).replace("\x02", "\x00\x02").replace("\x03", "\x00\x03").split("\x00"):
        if part[:1] in ("\x02", "\x03"):
            style, part = ("yellow" if part[0] == "\x02" else ""), part[1:]
        text.append(inert(part, keep=""), style)
    return text


def show_change(terminal: Terminal, known: Known) -> None:
    """All that is known of one change."""
    change = known.change
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(known):
        facts.add_row(Text(name, "dim"), Text(inert(value, keep="")))
    message = Text(inert(str(change["text"]).strip("\n")))
    parts: list[Any] = [Text(inert(str(change["title"]), keep="") or "(no title)", "bold"), facts, Text(""), message]
    if known.paths:
        parts += [Text("\nTracked files", "bold")]
        parts += [Text(f"  {path['change']}  {inert(str(path['path']), keep='')}") for path in known.paths]
    parts += _why_labels(known)
    parts += _told(known)
    if known.references:
        parts += [Text("\nRefers to", "bold"), *(_reference_line(row) for row in known.references)]
    if known.referrers:
        parts += [Text("\nReferred to by", "bold")]
        parts += [
            Text(inert(f"  {row['type']:<12} {short_id(row['key'])}  {row['date']}  {row['title']}", keep=""))
            for row in known.referrers
        ]
    terminal.out.print(Group(*parts), soft_wrap=True)


def _told(known: Known) -> list[Text]:
    """Where a note is told, what it speaks of, and what speaks of a commit."""
    lines = [Text("\nTold in", "bold")] if known.places else []
    for row in known.places:
        since = f"  from {row['seen_from']}" if row["seen_from"] else ""
        gone = f"  {row['gone']} {row['seen_until']}" if row["seen_until"] else ""
        where = f"{row['source']}  {row['place']}:{row['line']}  {row['said']}"
        lines.append(Text(inert(f"  {where}  {row['section'] or '-'}{since}{gone}", keep="")))
    for way in ("speaks of", "told in"):
        ties = [row for row in known.ties if row["way"] == way]
        lines += [Text("\nSpeaks of" if way == "speaks of" else "\nRelease notes", "bold")] if ties else []
        lines += [_tie_line(row) for row in ties]
    lines += [Text("\nFeatures", "bold")] if known.features else []
    for row in known.features:
        since = f"since {row['since'] or 'unknown'}, by {row['mentioned_by']} {row['evidence']}"
        lines.append(Text(inert(f"  {row['id']}  {row['title']}  ({since})", keep="")))
    return lines


def _tie_line(row: Row) -> Text:
    score = f" {row['score']:.2f}" if row["tied_by"] == "title" else ""
    line = f"  {row['tied_by']}{score}".ljust(16) + f"{short_id(row['key'])}  {row['source']}  {row['release'] or '-'}"
    return Text(inert(f"{line}  {row['title']}", keep=""))


def _mechanisms(known: Known) -> str:
    if known.unknown is not None:
        return ", ".join(known.mechanisms) or "none"
    return ", ".join(known.mechanisms) + " (by path; not yet labelled)" if known.mechanisms else "none by path"


def _why_labels(known: Known) -> list[Text]:
    """The labels, each with its probability and with who voted for it, and why; then what was voted down."""
    if known.unknown is None:
        return []
    lines = [Text("\nLabels", "bold")]
    if known.unknown:
        lines.append(Text(f"  unknown: {inert(known.unknown, keep='')}"))
    given = {_names(row) for row in known.labels}
    for row in known.labels:
        by = "by hand" if row["given_by"] == "hand" else f"{row['score']:.2f}"
        lines.append(Text.assemble(f"  {row['axis']:<9} ", (f"{row['label']}", "cyan"), f"  {by}"))
        lines += [_vote_line(vote) for vote in known.votes if _names(vote) == _names(row)]
    against = [vote for vote in known.votes if _names(vote) not in given and vote["axis"] != "relevant"]
    if against:
        lines.append(Text("  not given, though voted for:", "dim"))
        lines += [_vote_line(vote, f"{vote['axis']} {vote['label']}  ") for vote in against]
    return lines


def _names(row: Row) -> tuple[object, object]:
    return row["axis"], row["label"]


def _vote_line(vote: Row, head: str = "") -> Text:
    why = f"  {inert(str(vote['evidence']), keep='')}" if vote["evidence"] else ""
    return Text(f"              {inert(head, keep='')}{vote['voter']} {vote['score']:.2f}{why}", "dim")


def _reference_line(row: Row) -> Text:
    aim = ""
    if row["title"] is not None:
        aim = f"  {row['release'] or '-'}  {inert(str(row['title']), keep='')}"
    return Text(f"  {row['type']:<12} {inert(str(row['value']), keep='')}{aim}")


def _facts(known: Known) -> list[tuple[str, str]]:
    change = known.change
    facts = [
        (str(change["type"]), str(change["key"])),
        ("source", f"{change['source']} ({change['source_title']})"),
        *(_release_facts(known) if change["type"] == "note" else _commit_facts(change)),
        ("mechanisms", _mechanisms(known)),
        ("matched by", str(change["matched_by"]).replace(" ", ", ")),
        ("link", str(change["link"])),
    ]
    if not change["reachable"]:
        facts.append(("unreachable", "no head or tag of the repository leads to this commit any more"))
    others = [f"{p['role']}: {p['name']} <{p['email']}>" for p in known.people if p["role"] not in _SELF]
    return facts + [("people" if index == 0 else "", other) for index, other in enumerate(others)]


_SELF = ("author", "committer")


def _commit_facts(change: Row) -> list[tuple[str, str]]:
    facts = [
        ("author", f"{change['author']} <{change['author_email']}>  {change['author_date']}"),
        ("committer", f"{change['committer']} <{change['committer_email']}>  {change['committer_date']}"),
        ("first rc", _release(change, "first_rc")),
        ("first final", _release(change, "first_final")),
    ]
    return [*facts, ("brought by", str(change["brought_by"]))] if change["brought_by"] else facts


def _release_facts(known: Known) -> list[tuple[str, str]]:
    """What a note says of its release: an alias and a distribution's own version beside the version that is."""
    place = known.places[0]
    said = f" (as {place['said']})" if place["said"] != place["version"] else ""
    upstream = f" (upstream {place['upstream']})" if place["upstream"] else ""
    facts = [("release", f"{place['version']}{said}{upstream}  {place['date'] or 'date unknown'}")]
    facts += [("sign", str(place["sign"]))] if place["sign"] else []
    by = f"{known.change['author']} <{known.change['author_email']}>" if known.change["author"] else ""
    return facts + ([("released by", by)] if by else [])


def _release(change: Row, column: str) -> str:
    return f"{change[column]} ({change[column + '_date']})" if change[column] else "none yet"
