"""Writes works with their claims, and shared resources, and finds changes by their terms.

The caller's transaction commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from kminer.records import Paper, PaperClaim, Resource


def save_papers(db: sqlite3.Connection, papers: Iterable[Paper]) -> None:
    """Replace the works and their claims; what was found by the claims' terms is forgotten."""
    db.execute("DELETE FROM papers")
    for paper in papers:
        db.execute(f"INSERT INTO papers VALUES ({_marks(14)})", _paper_row(paper))  # noqa: S608  marks only
        for claim in paper.claims:
            db.execute(f"INSERT INTO claims VALUES ({_marks(11)})", _claim_row(paper, claim))  # noqa: S608  marks only
            _save_details(db, claim)


def save_resources(db: sqlite3.Connection, resources: Iterable[Resource]) -> None:
    """Replace the resources; what was found by their terms is forgotten."""
    db.execute("DELETE FROM resources")
    for resource in resources:
        db.execute(f"INSERT INTO resources VALUES ({_marks(21)})", _resource_row(resource))  # noqa: S608  marks only
        db.executemany(
            "INSERT OR IGNORE INTO resource_papers (resource, paper, recalled) VALUES (?, ?, ?)",
            [
                *((resource.id, paper, False) for paper in resource.papers),
                *((resource.id, paper, True) for paper in resource.recalled),
            ],
        )


def find_claim_changes(db: sqlite3.Connection) -> None:
    """Note which changes have a term of a claim, as a phrase of stemmed words, whatever their labels say."""
    db.execute("DELETE FROM claim_changes")
    db.execute(
        """
        INSERT INTO claim_changes (claim, change_id, term)
        SELECT t.claim, x.rowid, t.term
        FROM claim_terms t CROSS JOIN changes_fts x ON changes_fts MATCH '"' || replace(t.term, '"', ' ') || '"'
        """
    )


def find_resource_changes(db: sqlite3.Connection, resources: Iterable[Resource]) -> None:
    """Note which changes have a term of a resource, as a phrase of stemmed words, whatever their labels say."""
    db.execute("DELETE FROM resource_changes")
    db.executemany(
        """
        INSERT OR IGNORE INTO resource_changes (resource, change_id, term)
        SELECT ?1, rowid, ?2 FROM changes_fts WHERE changes_fts MATCH '"' || replace(?2, '"', ' ') || '"'
        """,
        [(resource.id, term) for resource in resources for term in resource.terms],
    )


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _paper_row(paper: Paper) -> tuple[object, ...]:
    published = f"{paper.year}-12-31" if paper.year else paper.followed_from
    return (
        paper.id, paper.kind, paper.title, "; ".join(paper.authors), paper.venue, paper.year, published, paper.doi,
        paper.url, paper.layer, paper.in_note, paper.checked, paper.confidence, paper.source,
    )  # fmt: skip


def _claim_row(paper: Paper, claim: PaperClaim) -> tuple[object, ...]:
    return (
        claim.id, paper.id, claim.statement, claim.kind, claim.dimension, " ".join(claim.mechanisms), claim.figure,
        claim.measured_on, claim.answer, claim.answer_note, claim.confidence,
    )  # fmt: skip


def _save_details(db: sqlite3.Connection, claim: PaperClaim) -> None:
    for sql, values in (
        ("INSERT OR IGNORE INTO claim_mechanisms VALUES (?, ?)", claim.mechanisms),
        ("INSERT OR IGNORE INTO claim_features VALUES (?, ?, 'answers')", claim.answered_by),
        ("INSERT OR IGNORE INTO claim_features VALUES (?, ?, 'open while')", claim.open_while),
        ("INSERT OR IGNORE INTO claim_terms VALUES (?, ?)", claim.terms),
    ):
        db.executemany(sql, [(claim.id, value) for value in values])


def _resource_row(resource: Resource) -> tuple[object, ...]:
    namespaced, charged = resource.namespaced, resource.charged
    return (
        resource.id, resource.area, resource.title, resource.kind, resource.counted_by,
        namespaced.value, namespaced.since, namespaced.commit, namespaced.note,
        charged.value, charged.key, charged.since, charged.commit, charged.note,
        " ".join(resource.limited), resource.at_exhaustion, resource.leak, resource.leak_note,
        " ".join(resource.look), resource.confidence, resource.source,
    )  # fmt: skip
