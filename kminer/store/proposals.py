"""Reads what series are made from and judged by, and writes them. The caller's transaction commits."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kminer.store.reader import Row, read_rows


def read_mails(db: sqlite3.Connection) -> list[Row]:
    """All mails that are held, with the project of their archive; one that several archives hold once."""
    return read_rows(
        db,
        """
        SELECT m.key, min(m.source) AS source, s.project, m.change_id, m.kind, m.date, m.name, m.email, m.title,
               m.prefix, m.version, m.number, m.total, m.in_reply_to, m.thread, m.earlier, m.change_token, m.says,
               m.words
        FROM mails m JOIN sources s ON s.id = m.source GROUP BY m.key ORDER BY m.date, m.key
        """,
    )


def read_files(db: sqlite3.Connection, types: Sequence[str]) -> dict[int, frozenset[str]]:
    """The files of all changes of these types, by the change's number."""
    files = defaultdict[int, set[str]](set)
    marks = ", ".join("?" * len(types))
    for number, path in db.execute(
        f"""
        SELECT p.change_id, p.path FROM change_paths p JOIN changes c ON c.id = p.change_id WHERE c.type IN ({marks})
        """,  # noqa: S608  marks only
        tuple(types),
    ):
        files[number].add(path)
    return {number: frozenset(paths) for number, paths in files.items()}


def read_histories(db: sqlite3.Connection) -> list[Row]:
    """Histories of code that were read: id, project, where the clone is, newest day, newest release, and extent."""
    return read_rows(
        db,
        """
        SELECT s.id, s.project, s.location, date(s.newest) AS newest, s.since, s.shallow,
               (SELECT r.tag FROM releases r WHERE r.source = s.id ORDER BY r.position DESC LIMIT 1) AS release
        FROM sources s WHERE s.kind IN ('git', 'demo') AND s.synced_at IS NOT NULL ORDER BY s.id
        """,
    )


def read_commits(db: sqlite3.Connection, source: str, since: str) -> list[Row]:
    """Commits of a source that are held and no older than a day: number, id, title, author, day, message-ids in it."""
    return read_rows(
        db,
        """
        SELECT c.id, c.key, c.title, c.author, c.author_email AS email, date(c.date) AS day,
               (SELECT group_concat(r.value, ' ') FROM refs r
                WHERE r.change_id = c.id AND r.type = 'message-id') AS links
        FROM changes c WHERE c.source = ? AND c.type = 'commit' AND c.date >= ? ORDER BY c.key
        """,
        source,
        since,
    )


def read_note_titles(db: sqlite3.Connection) -> list[Row]:
    """Titles that release notes give, each with project, source, day and whether it is a merged commit's title."""
    return read_rows(
        db,
        """
        SELECT DISTINCT s.project, p.source, c.title, coalesce(p.date, date(c.date)) AS day
        FROM note_places p JOIN changes c ON c.id = p.change_id JOIN sources s ON s.id = p.source
        WHERE c.id NOT IN (SELECT change_id FROM withheld)
        ORDER BY p.source, c.title, day
        """,
    )


def read_merged_titles(db: sqlite3.Connection) -> list[Row]:
    """Titles known to be merged: project, source, title, commit id, day; the last two may be empty."""
    return read_rows(
        db,
        """
        SELECT s.project, t.source, t.title, t.commit_id, t.date AS day
        FROM merged_titles t JOIN sources s ON s.id = t.source ORDER BY t.source, t.title, t.commit_id, t.date
        """,
    )


def read_extents(db: sqlite3.Connection) -> list[Row]:
    """What of each source was read: id, kind, project, newest day, titles known to be merged."""
    return read_rows(
        db,
        """
        SELECT s.id, s.kind, s.project, date(s.newest) AS newest,
               (SELECT count(*) FROM merged_titles t WHERE t.source = s.id) AS titles
        FROM sources s WHERE s.synced_at IS NOT NULL ORDER BY s.id
        """,
    )


_SERIES = (
    "id", "source", "key", "change_id", "title", "author", "author_email", "postings", "version", "patches", "rfc",
    "authors", "first_date", "last_date", "span_days", "people", "replies", "reviews", "last_word_key",
    "last_word_date", "last_word_by", "last_word", "verdict", "why", "seen_in", "confidence", "superseded_by", "kin",
)  # fmt: skip
_POSTINGS = (
    "id", "series_id", "key", "change_id", "version", "rfc", "date", "author", "patches", "total", "replies",
    "joined_by",
)  # fmt: skip


def save_series(db: sqlite3.Connection, series: Iterable[Row], postings: Iterable[Row]) -> None:
    """Replace all series and their postings by these, columns by name."""
    db.execute("UPDATE mails SET posting_id = NULL WHERE posting_id IS NOT NULL")
    db.execute("DELETE FROM postings")
    db.execute("DELETE FROM series")
    for table, columns, rows in (("series", _SERIES, series), ("postings", _POSTINGS, postings)):
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        db.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608  constants only
            [[row[column] for column in columns] for row in rows],
        )


def save_membership(db: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Note to which posting mails belong, or answer: (posting, message-id)."""
    db.executemany("UPDATE mails SET posting_id = ? WHERE key = ?", rows)


def save_landings(
    db: sqlite3.Connection, rows: Iterable[tuple[int, str, str, str, str, str | None, float]]
) -> None:
    """Replace all evidence of merging: (patch, found by, found in, commit, title, day, confidence)."""
    db.execute("DELETE FROM landings")
    db.executemany("INSERT OR IGNORE INTO landings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def list_answers(db: sqlite3.Connection, change_id: object) -> list[Row]:
    """Mails that answer the posting of a patch or cover letter, oldest first."""
    return read_rows(
        db,
        """
        SELECT a.key, a.date, a.name, a.email, a.says, a.words FROM mails m
        JOIN mails a ON a.posting_id = m.posting_id AND a.kind NOT IN ('patch', 'cover')
        WHERE m.change_id = ? GROUP BY a.key ORDER BY a.date, a.key
        """,
        change_id,
    )


def find_proposal(db: sqlite3.Connection, change_id: object) -> Row | None:
    """The series that a patch or cover letter belongs to; None of any other change."""
    rows = read_rows(
        db,
        """
        SELECT p.*, o.version AS this_version, m.kind, m.number, m.total, m.prefix FROM mails m
        JOIN postings o ON o.id = m.posting_id JOIN series p ON p.id = o.series_id
        WHERE m.change_id = ? ORDER BY m.source LIMIT 1
        """,
        change_id,
    )
    return rows[0] if rows else None


def list_postings(db: sqlite3.Connection, series_id: object) -> list[Row]:
    """The versions of a series, oldest first."""
    return read_rows(
        db, "SELECT *, date(date) AS day FROM postings WHERE series_id = ? ORDER BY date, key", series_id
    )


def list_patches(db: sqlite3.Connection, change_id: object) -> list[Row]:
    """Cover letter and patches of the posting that a patch belongs to, each with the surest evidence of merging."""
    return read_rows(
        db,
        """
        SELECT p.key, p.kind, p.number, p.title, l.found_by, l.found_in, l.commit_id, l.title AS merged_as, l.date,
               max(l.confidence) AS confidence
        FROM mails m
        JOIN mails p ON p.posting_id = m.posting_id AND p.change_id IS NOT NULL
        LEFT JOIN landings l ON l.change_id = p.change_id
        WHERE m.change_id = ? GROUP BY p.key ORDER BY coalesce(p.number, 0), p.date, p.key
        """,
        change_id,
    )


def list_proposed(db: sqlite3.Connection, change_id: object) -> list[Row]:
    """The patches by which a commit was proposed."""
    return read_rows(
        db,
        """
        SELECT p.key, p.source, p.title, date(p.date) AS date, l.found_by, l.confidence
        FROM changes c JOIN landings l ON l.commit_id = c.key JOIN changes p ON p.id = l.change_id
        WHERE c.id = ? ORDER BY p.date, p.key
        """,
        change_id,
    )


@dataclass(frozen=True, slots=True)
class Proposed:
    """What is known of the proposal that a patch belongs to, or by which a commit was proposed.

    `series` is None of a commit. `patches` are those of the same posting, each with the surest evidence of merging;
    `answers` the mails that answer it; `proposed` the patches that became the commit.
    """

    series: Row | None
    postings: list[Row]
    patches: list[Row]
    answers: list[Row]
    proposed: list[Row]


def describe(db: sqlite3.Connection, change_id: object) -> Proposed:
    """All that is known of a change as a proposal."""
    series = find_proposal(db, change_id)
    if series is None:
        return Proposed(None, [], [], [], list_proposed(db, change_id))
    return Proposed(
        series, list_postings(db, series["id"]), list_patches(db, change_id), list_answers(db, change_id), []
    )
