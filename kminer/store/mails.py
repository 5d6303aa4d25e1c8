"""Writes the mails of patch archives. Nothing here commits: the caller's transaction does.

A mail that several archives hold is one change, in the words of the archive whose id sorts first, which it belongs to:
so it does not matter which archive was read first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from kminer.records import Mail, Reference
from kminer.store.writer import INSERT_CHANGE, UPDATE_CHANGE, forget_labels, storable

_ID = re.compile(r"^[0-9a-f]{12,40} (?=\S)")

POSTED = ("patch", "cover")
"""Kinds of mail that are changes."""

_SAVE_MAIL = """
    INSERT INTO mails (key, source, change_id, kind, date, name, email, title, prefix, version, number, total,
                       in_reply_to, thread, earlier, change_token, says, words)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def save_mails(
    db: sqlite3.Connection, source: str, definition: str, mails: Iterable[tuple[Mail, tuple[Reference, ...]]]
) -> int:
    """Insert mails, each with the references in its text; those of patches and cover letters are changes too.

    Returns how many mails were new. One that is held already stays as it is: mails do not change.
    """
    new = 0
    for mail, references in mails:
        held = db.execute("SELECT 1 FROM mails WHERE key = ? AND source = ?", (mail.key, source)).fetchone()
        if held:
            continue
        new += 1
        number = _save_change(db, source, definition, mail, references) if mail.kind in POSTED else None
        db.execute(_SAVE_MAIL, _row(source, mail, number))
        titles = {title: commit for title, commit in mail.merged} | {title: commit for commit, title in mail.quotes}
        save_merged_titles(
            db, source, [(title, commit, "", _day(mail), mail.key) for title, commit in titles.items()]
        )
    return new


def save_merged_titles(
    db: sqlite3.Connection, source: str, rows: Iterable[tuple[str, str, str, str, str]]
) -> None:
    """Add titles known to be merged: (title, commit id or "", release or "", day or "", file or message-id).

    A title in brackets is a mail's, whatever it is told to be, and is left out.
    """
    db.executemany(
        """
        INSERT OR IGNORE INTO merged_titles (source, title, commit_id, release, date, place) VALUES (?, ?, ?, ?, ?, ?)
        """,
        [(source, _ID.sub("", title), *row) for title, *row in rows if not title.startswith("[")],
    )


def forget_mails(db: sqlite3.Connection, source: str) -> None:
    """Remove the mails of a source that is read anew, with their changes; those that others hold become theirs."""
    db.execute("DELETE FROM merged_titles WHERE source = ?", (source,))
    db.execute("DELETE FROM mails WHERE source = ?", (source,))
    db.execute(
        """
        UPDATE changes SET source = o.source
        FROM (SELECT change_id, min(source) AS source FROM mails WHERE change_id IS NOT NULL GROUP BY change_id) o
        WHERE o.change_id = changes.id AND changes.source = ?
        """,
        (source,),
    )
    db.execute("DELETE FROM changes WHERE source = ? AND type IN ('patch', 'cover')", (source,))


def forget_mail(db: sqlite3.Connection, source: str, key: str) -> bool:
    """Remove one mail that an archive no longer holds; returns whether it was held."""
    held = db.execute("SELECT change_id FROM mails WHERE key = ? AND source = ?", (key, source)).fetchone()
    if held is None:
        return False
    db.execute("DELETE FROM mails WHERE key = ? AND source = ?", (key, source))
    db.execute("DELETE FROM merged_titles WHERE place = ? AND source = ?", (key, source))
    other = db.execute("SELECT min(source) FROM mails WHERE change_id = ?", (held[0],)).fetchone()[0]
    if other is None:
        db.execute("DELETE FROM changes WHERE id = ?", held)
    else:
        db.execute("UPDATE changes SET source = ? WHERE id = ?", (other, held[0]))
    return True


def read_keys(db: sqlite3.Connection, source: str) -> set[str]:
    """Message-ids of the mails of a source."""
    return {key for (key,) in db.execute("SELECT key FROM mails WHERE source = ?", (source,))}


def save_newest_mail(db: sqlite3.Connection, source: str) -> None:
    """Set the newest moment that the source's mails have, patches or not."""
    db.execute(
        "UPDATE sources SET newest = (SELECT max(date) FROM mails WHERE source = ?1) WHERE id = ?1", (source,)
    )


def _save_change(
    db: sqlite3.Connection, source: str, definition: str, mail: Mail, references: tuple[Reference, ...]
) -> int:
    held = db.execute(
        "SELECT id, source, title, text FROM changes WHERE key = ? AND type IN ('patch', 'cover')", (mail.key,)
    ).fetchone()
    if held and held[1] < source:
        return int(held[0])
    day = mail.moment.local()
    row = (
        source, mail.kind, mail.key, mail.moment.utc(), mail.title, mail.text, "utf-8", mail.author.name,
        mail.author.email, day, mail.sender.name, mail.sender.email, day, "all", 1, definition,
    )  # fmt: skip
    if held:
        number = int(held[0])
        if (mail.title, mail.text) != held[2:]:
            forget_labels(db, number)
        for table in ("change_paths", "refs", "people"):
            db.execute(f"DELETE FROM {table} WHERE change_id = ?", (number,))  # noqa: S608  constants only
        db.execute(UPDATE_CHANGE, (*row, number))
    else:
        number = int(db.execute(INSERT_CHANGE, row).lastrowid or 0)
    _save_details(db, number, mail, references)
    return number


def _save_details(db: sqlite3.Connection, number: int, mail: Mail, references: tuple[Reference, ...]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO change_paths (change_id, path, change, tracked) VALUES (?, ?, 'M', '')",
        [(number, storable(path)) for path in mail.files],
    )
    db.executemany(
        "INSERT OR IGNORE INTO refs (change_id, type, value, target) VALUES (?, ?, ?, ?)",
        [(number, reference.type, reference.value, reference.target) for reference in references],
    )
    people = [("author", mail.author), ("committer", mail.sender), *((one.role, one) for one in mail.trailers)]
    db.executemany(
        "INSERT OR IGNORE INTO people (change_id, role, name, email) VALUES (?, ?, ?, ?)",
        [(number, role, one.name, one.email) for role, one in people],
    )


def _row(source: str, mail: Mail, number: int | None) -> tuple[object, ...]:
    return (
        mail.key, source, number, mail.kind, mail.moment.utc(), mail.sender.name, mail.sender.email.lower(), mail.title,
        mail.prefix, mail.version, mail.number, mail.total, mail.in_reply_to, " ".join(mail.thread),
        " ".join(mail.earlier), mail.change_token, " ".join(mail.says), mail.words,
    )  # fmt: skip


def _day(mail: Mail) -> str:
    return (mail.moment.utc() or "")[:10]


def count_merged_titles(db: sqlite3.Connection, source: str) -> int:
    """How many titles known to be merged a source has."""
    return int(db.execute("SELECT count(*) FROM merged_titles WHERE source = ?", (source,)).fetchone()[0])


def save_newest_title(db: sqlite3.Connection, source: str) -> None:
    """Set the newest day that the source's titles have."""
    db.execute(
        """
        UPDATE sources SET newest = (SELECT max(date) || 'T00:00:00Z' FROM merged_titles
                                     WHERE source = ?1 AND date <> '') WHERE id = ?1
        """,
        (source,),
    )
