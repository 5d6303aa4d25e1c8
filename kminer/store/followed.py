"""Reads what has happened since a work, claim by claim: features, changes, proposals, hits of terms."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from kminer.store.reader import Row, read_rows


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What has happened since a work: its claims with their verdicts, and what bears on each; what was read.

    The parts (features, years, changes, proposals, terms) are rows that name their claim.
    """

    claims: list[Row]
    parts: dict[str, list[Row]]
    read: list[Row]

    def of(self, part: str, claim: object) -> list[Row]:
        """The rows of a part that belong to the claim with this id, without its name."""
        return [
            {name: value for name, value in row.items() if name != "claim"}
            for row in self.parts[part] if row["claim"] == claim
        ]  # fmt: skip


def list_bearing(db: sqlite3.Connection, paper: str) -> list[Row]:
    """Features that bear on a work's claims: claim, role, feature, title, release, day, days after the work."""
    return read_rows(
        db,
        """
        SELECT l.claim, l.role, l.feature AS id, l.title, l.since AS release, l.day AS date, l.days_after AS days,
               l.confidence,
               (SELECT substr(c.key, 1, 12) FROM feature_mentions m JOIN changes c ON c.id = m.change_id
                WHERE m.feature = l.feature AND m.mentioned_by = 'commit' AND c.type = 'commit' AND c.reachable = 1
                ORDER BY c.date, c.key LIMIT 1) AS commit_id
        FROM landed_features l JOIN claims q ON q.id = l.claim
        WHERE q.paper = ? ORDER BY l.claim, l.role, l.day IS NULL, l.day, l.feature
        """,
        paper,
    )


def list_newest(db: sqlite3.Connection, paper: str, limit: int) -> list[Row]:
    """The newest commits and notes since a work that bear on its claims, at most `limit` a claim.

    Those of a claim's mechanism and dimension come before those that only have a term of it.
    """
    return read_rows(
        db,
        """
        SELECT claim, day AS date, kind, type, source, short AS id, title,
               CASE WHEN NOT on_subject THEN 'term' WHEN by_term THEN 'labels, term' ELSE 'labels' END AS found_by
        FROM (
            SELECT *, row_number() OVER (PARTITION BY claim ORDER BY on_subject DESC, day DESC, key) AS rank
            FROM claim_evidence
            WHERE claim IN (SELECT id FROM claims WHERE paper = ?1) AND type IN ('commit', 'note')
        )
        WHERE rank <= ?2 ORDER BY claim, rank
        """,
        paper,
        limit,
    )


def list_claim_proposals(db: sqlite3.Connection, paper: str, limit: int) -> list[Row]:
    """The newest proposals since a work that bear on its claims, at most `limit` a claim."""
    return read_rows(
        db,
        """
        SELECT claim, date, verdict, postings, author, id, title FROM (
            SELECT *, row_number() OVER (PARTITION BY claim ORDER BY date DESC, id) AS rank FROM (
                SELECT e.claim, max(e.day) AS date, p.verdict, p.postings, p.author, p.key AS id, p.title
                FROM claim_evidence e
                JOIN mails m ON m.change_id = e.change_id
                JOIN postings o ON o.id = m.posting_id
                JOIN series p ON p.id = o.series_id
                WHERE e.claim IN (SELECT id FROM claims WHERE paper = ?1) AND e.type IN ('patch', 'cover')
                GROUP BY e.claim, p.id)
        )
        WHERE rank <= ?2 ORDER BY claim, rank
        """,
        paper,
        limit,
    )


def count_terms(db: sqlite3.Connection, paper: str) -> list[Row]:
    """How many changes since a work have each term of its claims: claim, term, hits, the newest's id and day."""
    return read_rows(
        db,
        """
        SELECT t.claim, t.term, count(e.change_id) AS hits, substr(max(e.day || ' ' || e.short), 12) AS newest_id,
               max(e.day) AS newest_date
        FROM claims q
        JOIN claim_terms t ON t.claim = q.id
        LEFT JOIN claim_changes f ON f.claim = t.claim AND f.term = t.term
        LEFT JOIN claim_evidence e ON e.claim = f.claim AND e.change_id = f.change_id
        WHERE q.paper = ? GROUP BY t.claim, t.term ORDER BY t.claim, hits DESC, t.term
        """,
        paper,
    )
