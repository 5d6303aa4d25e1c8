"""What a report's template asks: saved queries, each asked once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kminer import queries
from kminer.pictures import Row


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer as a template sees it: rows as dictionaries; `name` and `settings` ask it again."""

    name: str
    settings: tuple[tuple[str, str | int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


Query = Callable[..., Result]
"""Asks a saved query by its name, with its settings as keywords."""


@dataclass(slots=True)
class Asker:
    """Asks the saved queries of one report."""

    db: sqlite3.Connection
    known: dict[tuple[str, tuple[tuple[str, str | int], ...]], Result] = field(default_factory=dict)

    def query(self, name: str, **settings: str | int) -> Result:
        """The answer of a saved query."""
        key = (name, tuple(sorted(settings.items())))
        if key not in self.known:
            answer = queries.run(self.db, queries.find(name), settings)
            self.known[key] = Result(name, key[1], answer.columns, tuple(answer.dicts()))
        return self.known[key]
