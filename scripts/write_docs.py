"""Writes docs/commands.md from the command line itself and docs/schema.md from the database itself.

`python scripts/write_docs.py` writes them; with --check it says which are out of date and fails.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from sqlite_utils import Database

from kminer.catalogue import load_queries
from kminer.cli import main as command_line
from kminer.store.schema import migrations

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTE = "<!-- Written by scripts/write_docs.py; edit the sources it reads, not this page. -->\n"


def commands_page() -> str:
    """Every command with its help, as --help shows it."""
    parts = ["# Commands\n", NOTE, _help(command_line, "kminer")]
    for name, command in sorted(command_line.commands.items()):
        parts += [f"## kminer {name}\n", _help(command, name, _top())]
    return "\n".join(parts)


def _top() -> click.Context:
    return click.Context(command_line, info_name="kminer", **command_line.context_settings)


def _help(command: click.Command, name: str, above: click.Context | None = None) -> str:
    settings = command.context_settings | {"terminal_width": 100, "max_content_width": 100}
    context = click.Context(command, parent=above, info_name=name, **settings)
    text = command.get_help(context)
    return f"```text\n{text}\n```\n"


def schema_page() -> str:
    """Every table and view with its columns, from the comments in the database's own schema."""
    db = sqlite3.connect(":memory:")
    migrations.apply(Database(db))
    rows = db.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        " AND name NOT LIKE '_sqlite%' AND name NOT LIKE 'changes_fts%' ORDER BY type, rowid"
    ).fetchall()
    parts = [
        "# The database\n",
        NOTE,
        "One SQLite file: tables are STRICT, the journal is WAL, foreign keys are on. It opens in Datasette and in\n"
        "the `sqlite3` shell, where `.schema` shows the same comments. `changes_fts` is the full-text index over\n"
        "`title` and `text` of `changes` (FTS5, stemmed).\n",
    ]
    for kind, name, sql in rows:
        about = re.search(r"-- (.*)", sql)
        parts.append(f"## {kind} `{name}`\n\n{about[1].capitalize() if about else ''}.\n")
        columns = list(_columns(sql)) if kind == "table" else []
        if columns:
            parts.append("| column | type | meaning |\n| --- | --- | --- |\n" + "\n".join(columns) + "\n")
        else:
            names = [column[1] for column in db.execute(f"PRAGMA table_info({name})")]
            parts.append("Columns: " + ", ".join(f"`{column}`" for column in names) + ".\n")
    return "\n".join(parts)


def _columns(sql: str) -> Iterator[str]:
    text = re.sub(r"\n\s+-- ", " ", sql)
    for match in re.finditer(r"^\s+(\w+) (TEXT|INTEGER|REAL)\b[^\n]*?-- ([^\n]*)", text, re.MULTILINE):
        yield f"| `{match[1]}` | {match[2]} | {match[3].replace('|', chr(92) + '|')} |"


def queries_page() -> str:
    """Every saved query with its title, why and parameters."""
    parts = ["# Saved queries\n", NOTE, "Run one with `kminer query NAME --set key=value`; `--sql` shows it.\n"]
    for query in load_queries().values():
        parts.append(f"## {query.name}\n\n**{query.title}.** {query.why}.\n".replace("..", "."))
        if query.parameters:
            rows = [f"| `{p.name}` | {_default(p.default)} | {p.about} |" for p in query.parameters]
            parts.append("| parameter | default | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _default(value: str | int | None) -> str:
    return "must be given" if value is None else f"`{value}`" if value != "" else "empty"


PAGES = {"commands.md": commands_page, "schema.md": schema_page, "queries.md": queries_page}


def main() -> int:
    """Write the pages, or check them; returns the exit code."""
    checking, stale = "--check" in sys.argv[1:], []
    for name, page in PAGES.items():
        file, text = DOCS / name, page()
        if checking and (not file.exists() or file.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not checking:
            file.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/{name} is out of date: run python scripts/write_docs.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
