"""Answers about what the store holds of the catalogue: a work, a claim, a resource or a feature, by its id."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from kminer.store.reader import Row, read_rows


@dataclass(frozen=True, slots=True)
class Catalogued:
    """An entry of the catalogue: its `noun`, its row, and what points to it, by what that is."""

    noun: str
    entry: Row
    related: dict[str, list[Row]]


def find_catalogued(db: sqlite3.Connection, name: str) -> Catalogued | None:
    """The work, claim, resource or feature with the id `name`; None where there is none."""
    for noun, (table, related) in _NOUNS.items():
        rows = read_rows(db, f"SELECT * FROM {table} WHERE id = ?", name)  # noqa: S608  constants only
        if rows:
            found = {what: read_rows(db, sql, name) for what, sql in related.items()}
            return Catalogued(noun, rows[0], {what: entries for what, entries in found.items() if entries})
    return None


_CHANGE = """
    SELECT c.short AS id, c.day AS date, c.type, c.source, c.title, group_concat(f.{evidence}, ', ') AS found_by
    FROM {table} f JOIN counted_changes c ON c.id = f.change_id WHERE f.{noun} = ?
    GROUP BY c.id ORDER BY c.day DESC, c.key LIMIT 10
"""
_NOUNS: dict[str, tuple[str, dict[str, str]]] = {
    "paper": (
        "papers",
        {
            "claims": "SELECT id, kind, dimension, answer, statement FROM claims WHERE paper = ? ORDER BY id",
            "resources": """
                SELECT r.id, r.title, CASE p.recalled WHEN 1 THEN 'from memory' ELSE 'read' END AS linked
                FROM resource_papers p JOIN resources r ON r.id = p.resource WHERE p.paper = ? ORDER BY r.id
            """,
        },
    ),
    "claim": (
        "claims",
        {
            "features": """
                SELECT feature AS id, role, title, since AS release, day AS date, days_after AS days
                FROM landed_features WHERE claim = ? ORDER BY role, day, feature
            """,
            "newest changes": _CHANGE.format(table="claim_changes", noun="claim", evidence="term"),
        },
    ),
    "resource": (
        "resources",
        {
            "papers": """
                SELECT p.paper AS id, a.year, a.title,
                       CASE p.recalled WHEN 1 THEN 'from memory' ELSE 'read' END AS linked
                FROM resource_papers p LEFT JOIN papers a ON a.id = p.paper
                WHERE p.resource = ? ORDER BY a.year, p.paper
            """,
            "newest changes": _CHANGE.format(table="resource_changes", noun="resource", evidence="term"),
        },
    ),
    "feature": (
        "features",
        {
            "claims": """
                SELECT a.claim AS id, a.role, q.statement FROM claim_features a JOIN claims q ON q.id = a.claim
                WHERE a.feature = ? ORDER BY a.claim, a.role
            """,
            "newest changes": _CHANGE.format(table="feature_mentions", noun="feature", evidence="mentioned_by"),
        },
    ),
}  # fmt: skip
