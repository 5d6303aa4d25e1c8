"""The command that shows changes to be read: read."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from kminer.command import completes, database_of, open_store, terminal_of
from kminer.errors import StoreError, UsageError

if TYPE_CHECKING:
    import sqlite3

    from kminer.console import Terminal
    from kminer.marks import Identity, Standing
    from kminer.reading import Entry, Progress, Wanted

PRINTED = 100
_TYPES = ("commit", "merge", "pull", "note", "patch", "cover")


@click.command()
@click.option("--mechanism", default="%", metavar="LABEL",
              help="Only this mechanism, e.g. cg.memory, or a family such as ns.%.")  # fmt: skip
@click.option("--kind", help="Only this kind: feature, bug, performance, reliability or maintenance.")
@click.option("--since", metavar="TAG|DAY",
              help="Only what is not in the release TAG, or not older than DAY (YYYY-MM-DD).")  # fmt: skip
@click.option("--until", metavar="TAG|DAY", help="Only what is in the release TAG, or not younger than DAY.")
@click.option("--source", help="Only this source.", shell_complete=completes("source"))
@click.option("--project", help="Only this project: linux, docker, ...")
@click.option("--type", "types", type=click.Choice(_TYPES), multiple=True,
              help="What to read; may be repeated.  [default: commits and pulls; all of a source that has "
                   "neither]")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="What was read before as well; it begins at the first unread.")
@click.option("--print", "printed", is_flag=True, help="Print the list as Markdown, and mark nothing as read.")
@click.option("--limit", type=click.IntRange(min=1), help=f"Changes at most.  [default: all; of --print {PRINTED}]")
@click.pass_context
def read(
    context: click.Context, mechanism: str, kind: str | None, since: str | None, until: str | None, source: str | None,
    project: str | None, types: tuple[str, ...], every: bool, printed: bool, limit: int | None,
) -> None:  # fmt: skip
    """Read changes one after another in the order of releases; what was read is remembered.

    Keys: n next, b back, i interesting, x not relevant, d an idea, w a note, o open the link, q quit, ? all of them.
    Each mark is in your own file before the next change is shown: neither a kill nor a new database loses it.
    `kminer query marks` searches marks and notes, `kminer query reading` tells how much was read of what, and
    `kminer report notebook` writes them up.
    """
    from kminer import keyboard
    from kminer.reading import Wanted, unread

    terminal = terminal_of(context)
    wanted = Wanted(mechanism, kind, source, project, since, until, types)
    if not printed and not keyboard.is_there():
        raise UsageError("This is not a terminal.", next="Use --print for the list as Markdown.")
    standing = _known_marks(terminal)
    if not printed:
        _mirror(context, terminal)
    db = open_store(context)
    entries, progress = _listed(db, wanted, standing)
    chosen = entries if every else unread(entries, standing)
    if printed:
        _print(db, terminal, wanted, chosen[: limit or PRINTED], len(chosen), progress, standing)
    elif not chosen:
        terminal.note(f"{progress.told()}. There is nothing to read" + (", or all was read: --all shows it." if entries
                      else ": sync first, or ask for less."))  # fmt: skip
    else:
        _converse(context, terminal, db, chosen[:limit], progress, standing)


def _known_marks(terminal: Terminal) -> dict[Identity, Standing]:
    from kminer import marks

    book = marks.load()
    for fault in book.faults:
        terminal.fail(fault)
    return marks.standing(book.marks)


def _listed(db: sqlite3.Connection, wanted: Wanted, standing: dict[Identity, Standing]) -> tuple[list[Entry], Progress]:
    from kminer import reading

    reading.check_source(db, wanted.source, "id")
    reading.check_source(db, wanted.project, "project")
    entries = reading.build(db, wanted)
    return entries, reading.Progress(entries, standing)


def _converse(
    context: click.Context, terminal: Terminal, db: sqlite3.Connection, chosen: list[Entry], progress: Progress,
    standing: dict[Identity, Standing],
) -> None:  # fmt: skip
    """The sitting; however it ends, the database is then given the marks, as far as it can be written."""
    from kminer import keyboard, marks
    from kminer.readtalk import Talk

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    closed = False
    with contextlib.closing(db):
        try:
            with keyboard.opened() as keys:
                talk = Talk(db, keys, chosen, progress, standing)
                talk.begin_at(next((at for at, one in enumerate(chosen) if one.identity not in standing), 0))
                talk.run()
        except keyboard.ClosedError:
            closed = True
            _hush()
        finally:
            _mirror(context, terminal)
    if not closed:
        terminal.note(f"{progress.told()}. {talk.kept:,} marks kept, in {marks.own_file()}")


def _hush() -> None:
    """Nobody is there to be told anything, and what is still to be written must not fail."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nothing, stream.fileno())


def _mirror(context: click.Context, terminal: Terminal) -> None:
    """Let the database hold the marks; where it cannot be written now, say so: the file holds them anyway."""
    from kminer import marks, reading
    from kminer.store.database import exists, open_for_writing

    if not exists(database_of(context)):
        return
    try:
        with open_for_writing(database_of(context)) as db:
            reading.mirror(db)
    except StoreError as error:
        why = " ".join(str(error).split())
        terminal.note(f"The database cannot be given your marks now ({why}); they are safe in {marks.own_file()}, and "
                      "the next `kminer read`, `sync` or `classify` brings them in.")  # fmt: skip


def _print(
    db: sqlite3.Connection, terminal: Terminal, wanted: Wanted, chosen: list[Entry], count: int, progress: Progress,
    standing: dict[Identity, Standing],
) -> None:  # fmt: skip
    from kminer.readscreen import document
    from kminer.store.reader import get_change

    left = count - len(chosen)
    notes = [f"{progress.told()}. {len(chosen):,} follow" + (
        f", {left:,} more do not: `--limit` gives more." if left else ".")]  # fmt: skip
    items = ((entry, get_change(db, entry.id, entry.key), standing.get(entry.identity)) for entry in chosen)
    for piece in document(items, _head(wanted), notes):
        terminal.document(piece)


def _head(wanted: Wanted) -> str:
    filters = [
        f"{name} {value}" for name, value in (
            ("mechanism", wanted.mechanism if wanted.mechanism != "%" else None), ("kind", wanted.kind),
            ("since", wanted.since), ("until", wanted.until), ("source", wanted.source), ("project", wanted.project),
        ) if value
    ]  # fmt: skip
    return "To read" + (f": {', '.join(filters)}" if filters else "")
