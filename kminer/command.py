"""What all commands share: how failures end, the terminal, the database, completion of names."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kminer import places
from kminer.errors import KminerError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from kminer.console import Terminal


class Group(click.Group):
    """Turns kminer's errors into a message and an exit code; nothing else may exit."""

    def invoke(self, context: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(context)
        except KminerError as error:
            terminal_of(context).fail(str(error))
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            terminal_of(context).fail("interrupted; run the same command again to go on.")
            context.exit(130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            context.exit(0)


def terminal_of(context: click.Context) -> Terminal:
    """The terminal as -v and -q ask for it."""
    from kminer.console import Terminal

    given = context.find_root().params
    return Terminal(-1 if given.get("quiet") else int(given.get("verbose") or 0))


def database_of(context: click.Context) -> Path:
    """The database that the command line names, or the default one."""
    named = context.find_root().params.get("db")
    return named if isinstance(named, Path) else places.default_database()


def open_store(context: click.Context) -> sqlite3.Connection:
    """The database, for reading; says so when it holds the demo."""
    from kminer.store import reader
    from kminer.store.database import open_for_reading

    db = open_for_reading(database_of(context))
    context.find_root().obj = reader.holds_demo(db)
    if context.find_root().obj:
        message = "Demo data: a small history that kminer wrote from its catalogue, not the real one."
        click.secho(message, fg="yellow", err=True)
    return db


def check_known(db: sqlite3.Connection, source: str | None) -> None:
    """UsageError when `source` is neither in the database nor in the catalogue."""
    from kminer import catalogue
    from kminer.store import reader

    if source is not None and source not in {row["id"] for row in reader.list_sources(db)}:
        catalogue.find_source(source)


def completes(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Lets the shell complete the names of sources, queries or reports."""

    def names(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        from kminer import catalogue

        known: dict[str, Callable[[], Mapping[str, object]]] = {
            "source": catalogue.load_sources,
            "query": catalogue.load_queries,
            "report": catalogue.load_reports,
        }
        return [name for name in known[kind]() if name.startswith(begun)]

    return names
