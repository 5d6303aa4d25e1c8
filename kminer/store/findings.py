"""Writes and reads what probes found on hosts. Nothing here commits: the caller's transaction does."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kminer.records import Feature
from kminer.store.reader import Row, read_rows


def save_host(db: sqlite3.Connection, name: str, probed: Mapping[str, Any], remarks: Mapping[str, str]) -> None:
    """Replace what is known of a host by a probe in its JSON form; `remarks` by feature."""
    db.execute("DELETE FROM hosts WHERE name = ?", (name,))
    environment = probed["environment"]
    db.execute(
        "INSERT INTO hosts (name, taken_at, release, environment) VALUES (?, ?, ?, ?)",
        (name, probed["taken_at"], environment.get("release") or "", json.dumps(environment, sort_keys=True)),
    )
    db.executemany(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (name, one["feature"], one["verdict"], one["reason"], one["by"], one["detector"], one["errno"],
             remarks.get(one["feature"], ""), "\n".join(one["evidence"]))
            for one in probed["findings"]
        ],
    )  # fmt: skip


def read_findings(db: sqlite3.Connection, name: str) -> list[Row]:
    """The findings of a saved host, by feature."""
    return read_rows(db, "SELECT * FROM findings WHERE host = ? ORDER BY feature", name)


def check_commits(db: sqlite3.Connection, features: Iterable[Feature]) -> list[Row]:
    """Each first release and commit that the catalogue names for a feature, against the history that is held.

    `verdict` is agrees, no such release (though the history reaches beyond it), another release, another title, or
    not held: the history does not reach so far, or keeps the commit not.
    """
    released: dict[str, set[str]] = {}
    for project, version in db.execute(
        "SELECT s.project, r.version FROM releases r JOIN sources s ON s.id = r.source WHERE s.kind IN ('git', 'demo')"
    ):
        released.setdefault(project, set()).add(version)
    rows: list[Row] = []
    for feature in features:
        rows += _check_release(feature, released.get(feature.project, set()))
        rows += _check(db, feature)
    return rows


def _check_release(feature: Feature, released: set[str]) -> Iterator[Row]:
    """Something to say only where the history begins before the release and goes on after it."""
    known = sorted(_numbers(version) for version in released)
    since = _numbers(feature.since or "")
    if since and known and known[0] <= since <= known[-1] and feature.since not in released:
        yield {
            "feature": feature.id, "commit": "", "verdict": "no such release", "catalogue": feature.since,
            "history": "", "title": feature.title,
        }  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0]))


def _check(db: sqlite3.Connection, feature: Feature) -> Iterator[Row]:
    for commit, title in feature.commits:
        held = read_rows(
            db,
            """
            SELECT c.key, c.title, r.version FROM changes c
            JOIN sources s ON s.id = c.source AND s.project = ?1
            LEFT JOIN releases r ON r.source = c.source AND r.tag = c.first_final
            WHERE c.key >= ?2 AND c.key < ?2 || 'g' AND c.type IN ('commit', 'merge', 'pull')
            ORDER BY r.position LIMIT 1
            """,
            feature.project,
            commit,
        )
        verdict, history = "not held", ""
        if held:
            history = str(held[0]["version"] or "unreleased")
            verdict = "agrees"
            if title and _plain(title) != _plain(str(held[0]["title"])):
                verdict = "another title"
            elif feature.since and history != feature.since:
                verdict = "another release"
        yield {
            "feature": feature.id, "commit": commit[:12], "verdict": verdict, "catalogue": feature.since or "",
            "history": history, "title": held[0]["title"] if held else title,
        }  # fmt: skip


def _plain(title: str) -> str:
    return " ".join(title.lower().split()).rstrip(".")
