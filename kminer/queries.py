"""Runs a saved query against the database, which it can only read."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kminer import catalogue
from kminer.errors import QueryError, UsageError
from kminer.foreign import inert
from kminer.markup import table
from kminer.records import SavedQuery

Value = str | int | None
_ALLOWED = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's columns and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def dicts(self) -> Iterator[dict[str, object]]:
        """The rows as dictionaries."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)


def find(name: str) -> SavedQuery:
    """The query `name`: a saved one's name, or the path of an .sql file."""
    file = Path(name)
    if file.suffix == ".sql":
        if not file.exists():
            raise UsageError("There is no such query file.", where=name)
        return catalogue.read_query(file)
    return catalogue.find_query(name)


def bind(
    head: SavedQuery, settings: Mapping[str, str | int], noun: str = "query", whole: str = r"-?\d{1,18}"
) -> dict[str, Value]:
    """Values of all parameters of a query, or of a report, whose head has the same form.

    Raises UsageError for one missing or unknown, or one that must be a number and does not match `whole`.
    """
    known = {parameter.name: parameter for parameter in head.parameters}
    for name in settings:
        if name not in known:
            raise UsageError(
                f"{noun.capitalize()} '{head.name}' has no parameter '{name}'.",
                where=f"its parameters: {', '.join(known) or 'none'}",
                next=f"They are described at the top of {head.file}.",
            )
    values: dict[str, Value] = {}
    for name, parameter in known.items():
        value: Value = settings.get(name, parameter.default)
        if value is None:
            needed = " ".join(f"--set {p.name}=..." for p in head.parameters if p.default is None)
            raise UsageError(
                f"{noun.capitalize()} '{head.name}' needs --set {name}=...: {parameter.about}.",
                next=f"kminer {noun} {head.name} {needed}",
            )
        if isinstance(parameter.default, int) and isinstance(value, str):
            if not re.fullmatch(whole, value):
                raise UsageError(f"--set {name}={value}: this must be a whole number ({parameter.about}).")
            value = int(value)
        values[name] = value
    return values


def run(db: sqlite3.Connection, query: SavedQuery, settings: Mapping[str, str | int]) -> Answer:
    """Run `query` with `settings`. Raises QueryError if it is no single reading statement, or fails."""
    values = bind(query, settings)
    denied: list[str] = []
    try:
        # The full-text table declares itself at its first use, which the guard would take for a change of schema.
        db.execute("SELECT 1 FROM changes_fts WHERE changes_fts MATCH 'x' LIMIT 1").fetchone()
        db.set_authorizer(_guard(denied))
        cursor = db.execute(query.sql, values)
        rows = tuple(tuple(row) for row in cursor)
    except (sqlite3.Error, sqlite3.Warning) as error:
        why = f"it may only read ({denied[0]})" if denied else str(error)
        raise QueryError(
            f"Query '{query.name}' failed: {why}.", where=query.file, next=f"kminer query {query.name} --sql shows it."
        ) from error
    finally:
        db.set_authorizer(None)
    if cursor.description is None:
        raise QueryError(f"Query '{query.name}' is no question: it returns nothing.", where=query.file)
    return Answer(tuple(column[0] for column in cursor.description), rows)


def _guard(denied: list[str]):  # type: ignore[no-untyped-def]
    """An authorizer that lets a statement read and nothing else; FTS5 asks for data_version while it searches."""

    def check(action: int, first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
        if action in _ALLOWED or (action, first, second) == (sqlite3.SQLITE_PRAGMA, "data_version", None):
            return sqlite3.SQLITE_OK
        denied.append(f"action {action} {first or ''} {second or ''}".strip())
        return sqlite3.SQLITE_DENY

    return check


def render(answer: Answer, style: str) -> str:
    """The answer as csv, json, jsonl or md (a Markdown table)."""
    if style == "csv":
        return _csv(answer)
    if style == "json":
        return inert(json.dumps(list(answer.dicts()), indent=2, ensure_ascii=False), keep="\n") + "\n"
    if style == "jsonl":
        return "".join(inert(json.dumps(row, ensure_ascii=False)) + "\n" for row in answer.dicts())
    return table(answer.columns, answer.rows)


def _csv(answer: Answer) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(answer.columns)
    table.writerows(answer.rows)
    return text.getvalue()
