"""Writes release notes and the places where they are told. Nothing here commits: the caller's transaction does.

Several sources may tell the same note: it is one change, which belongs to the first of them by name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from kminer.records import Reference, ToldNote
from kminer.store.reader import Row, read_rows
from kminer.store.writer import INSERT_CHANGE, UPDATE_CHANGE, forget_labels

PlaceKey = tuple[str, str, str, str]
"""Key of the note, page, version as said, section: what tells one place of a source from another."""


def save_notes(
    db: sqlite3.Connection, source: str, definition: str, notes: Sequence[ToldNote]
) -> tuple[int, dict[str, int]]:
    """Insert or refresh notes and their places; returns how many notes were new, and their numbers by key.

    Where a source tells a note in several places, the first one's wording counts.
    """
    new, numbers = 0, dict[str, int]()
    for note in notes:
        if note.key not in numbers:
            known = _find(db, source, note.key)
            new += known is None
            if known is None:
                numbers[note.key] = _insert(db, source, definition, note)
            else:
                numbers[note.key], home = known
                if source <= home:
                    _refresh(db, numbers[note.key], home, source, definition, note)
        _save_replaced(db, numbers[note.key], note)
        _save_place(db, numbers[note.key], source, note)
    return new, numbers


def _find(db: sqlite3.Connection, source: str, key: str) -> tuple[int, str] | None:
    """The note's number and the source it belongs to, whichever source of the same project tells it."""
    row = db.execute(
        """
        SELECT c.id, c.source FROM changes c JOIN sources s ON s.id = c.source
        WHERE c.key = ? AND c.type = 'note' AND s.project = (SELECT project FROM sources WHERE id = ?)
        """,
        (key, source),
    ).fetchone()
    return (row[0], row[1]) if row else None


def _insert(db: sqlite3.Connection, source: str, definition: str, note: ToldNote) -> int:
    cursor = db.execute(INSERT_CHANGE, _row(source, definition, note))
    assert cursor.lastrowid is not None
    _save_details(db, cursor.lastrowid, note)
    return cursor.lastrowid


def _refresh(
    db: sqlite3.Connection, number: int, home: str, source: str, definition: str, note: ToldNote
) -> None:
    before = db.execute("SELECT title, text FROM changes WHERE id = ?", (number,)).fetchone()
    if home != source or before != (note.title, note.text):
        forget_labels(db, number)
    db.execute(UPDATE_CHANGE, (*_row(source, definition, note), number))
    db.execute("DELETE FROM refs WHERE change_id = ? AND type <> 'replaces'", (number,))
    db.execute("DELETE FROM withheld WHERE change_id = ?", (number,))
    _save_details(db, number, note)


def _row(source: str, definition: str, note: ToldNote) -> tuple[object, ...]:
    """A note has no author and no hours: who released the version and the day stand for them."""
    day = note.place.date or ""
    name, email = (note.by.name, note.by.email) if note.by else ("", "")
    return (
        source, "note", note.key, f"{day}T00:00:00Z" if day else None, note.title, note.text, "utf-8",
        name, email, day, name, email, day, note.matched_by, 1, definition,
    )  # fmt: skip


def _save_details(db: sqlite3.Connection, number: int, note: ToldNote) -> None:
    _save_references(db, number, note.references)
    if note.withheld:
        db.execute("INSERT INTO withheld (change_id) VALUES (?)", (number,))


def _save_replaced(db: sqlite3.Connection, number: int, note: ToldNote) -> None:
    """What a note replaced is seen but once, in any of its places: it outlives what the page says later."""
    _save_references(db, number, [reference for reference in note.references if reference.type == "replaces"])


def _save_references(db: sqlite3.Connection, number: int, references: Iterable[Reference]) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO refs (change_id, type, value, target) VALUES (?, ?, ?, ?)",
        [(number, reference.type, reference.value, reference.target) for reference in references],
    )


def _save_place(db: sqlite3.Connection, number: int, source: str, note: ToldNote) -> None:
    place = note.place
    db.execute(
        """
        INSERT INTO note_places (change_id, source, place, said, version, upstream, section, form, sign, date, line,
                                 seen_from, seen_until, gone)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET version = excluded.version, upstream = excluded.upstream, form = excluded.form,
            sign = excluded.sign, date = excluded.date, line = excluded.line, seen_until = excluded.seen_until,
            seen_from = CASE WHEN excluded.seen_from IS NULL THEN seen_from ELSE excluded.seen_from END,
            gone = excluded.gone
        """,
        (
            number, source, place.place, place.said, place.version, place.upstream, place.section, place.form,
            place.sign, place.date, place.line, place.seen_from, place.seen_until, place.gone,
        ),
    )  # fmt: skip


def place_key(note: ToldNote) -> PlaceKey:
    """What tells the note's place from the source's others."""
    return note.key, note.place.place, note.place.said, note.place.section


def count_standing(db: sqlite3.Connection, source: str) -> dict[str, int]:
    """How many notes stand in each page of a source."""
    return dict(
        db.execute(
            "SELECT place, count(*) FROM note_places WHERE source = ? AND seen_until IS NULL GROUP BY place", (source,)
        ).fetchall()
    )


def read_releases(db: sqlite3.Connection, source: str) -> dict[str, str | None]:
    """Days of the releases that a source's pages named, by version as said."""
    return dict(db.execute("SELECT tag, date(date) FROM releases WHERE source = ?", (source,)).fetchall())


def read_places(db: sqlite3.Connection, source: str) -> dict[PlaceKey, Row]:
    """The places of a source, each with its note's number, title and text."""
    rows = read_rows(
        db,
        """
        SELECT c.key, c.title, c.text, p.* FROM note_places p JOIN changes c ON c.id = p.change_id WHERE p.source = ?
        """,
        source,
    )
    return {(str(r["key"]), str(r["place"]), str(r["said"]), str(r["section"])): r for r in rows}


def end_places(db: sqlite3.Connection, source: str, ended: Iterable[tuple[PlaceKey, str, str]]) -> None:
    """Note of places that their note stands there no longer: (place, day, why)."""
    db.executemany(
        """
        UPDATE note_places SET seen_until = ?, gone = ?
        WHERE source = ? AND place = ? AND said = ? AND section = ?
              AND change_id IN (SELECT id FROM changes WHERE key = ? AND type = 'note')
        """,
        [(day, why, source, place, said, section, key) for (key, place, said, section), day, why in ended],
    )


def delete_places(db: sqlite3.Connection, source: str, places: Iterable[PlaceKey]) -> None:
    """Remove places that only an earlier way of reading had found."""
    db.executemany(
        """
        DELETE FROM note_places WHERE source = ? AND place = ? AND said = ? AND section = ?
               AND change_id IN (SELECT id FROM changes WHERE key = ? AND type = 'note')
        """,
        [(source, place, said, section, key) for key, place, said, section in places],
    )


def forget_places(db: sqlite3.Connection, source: str) -> None:
    """Remove the places of a source that is read anew; `drop_untold` then removes notes that nothing tells."""
    db.execute("DELETE FROM note_places WHERE source = ?", (source,))


def drop_untold(db: sqlite3.Connection, source: str) -> int:
    """Delete notes of a source that no place tells any more; hand those that another tells to it. Returns how many.

    A source that inherits a note is to be read anew by its next sync, so that the note gets its wording.
    """
    heirs = db.execute(
        """
        UPDATE changes SET source = (SELECT min(p.source) FROM note_places p WHERE p.change_id = changes.id)
        WHERE source = ?1 AND type = 'note'
              AND NOT EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = changes.id AND p.source = ?1)
              AND EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = changes.id)
        RETURNING source
        """,
        (source,),
    ).fetchall()
    for heir in sorted(set(heirs)):
        db.execute("DELETE FROM source_refs WHERE source = ?", heir)
        _set_first_releases(db, *heir)
    gone = db.execute(
        """
        DELETE FROM changes
        WHERE source = ? AND type = 'note' AND NOT EXISTS (SELECT 1 FROM note_places p WHERE p.change_id = changes.id)
        """,
        (source,),
    ).rowcount
    if gone:
        db.execute("DELETE FROM refs WHERE type = 'replaces' AND target NOT IN (SELECT key FROM changes)")
    return gone


def read_versions(db: sqlite3.Connection, source: str) -> dict[str, str | None]:
    """Versions as the source's pages say them, with the earliest day that they give."""
    rows = db.execute("SELECT said, min(date) FROM note_places WHERE source = ? GROUP BY said", (source,))
    return dict(rows.fetchall())


def save_note_releases(
    db: sqlite3.Connection, source: str, rows: Iterable[tuple[str, str, str, str, int, str | None]]
) -> None:
    """Replace the releases that the source's pages name: (as said, version, kind, series, position, day or None).

    A note belongs to the release it stands under; under a candidate, also to the final version if that has notes.
    """
    db.execute("DELETE FROM releases WHERE source = ?", (source,))
    db.executemany(
        """
        INSERT INTO releases (source, tag, version, kind, series, position, date, commit_id)
        VALUES (?, ?, ?, ?, ?, ?, ? || 'T00:00:00Z', '')
        """,
        [(source, *row) for row in rows],
    )
    _set_first_releases(db, source)


def save_newest(db: sqlite3.Connection, source: str) -> None:
    """Set the newest day that the source's pages give, also to notes that belong to another source."""
    db.execute(
        """
        UPDATE sources SET newest = (SELECT max(date) || 'T00:00:00Z' FROM note_places WHERE source = ?1) WHERE id = ?1
        """,
        (source,),
    )


def _set_first_releases(db: sqlite3.Connection, source: str) -> None:
    db.execute(
        """
        UPDATE changes SET (first_rc, first_final) = (
            SELECT min(CASE r.kind WHEN 'rc' THEN r.tag END),
                   coalesce(min(CASE r.kind WHEN 'final' THEN r.tag END), min(f.tag))
            FROM note_places p
            JOIN releases r ON r.source = p.source AND r.tag = p.said
            LEFT JOIN releases f ON r.kind = 'rc' AND f.source = r.source AND f.kind = 'final'
                 AND f.version = substr(r.version, 1, instr(r.version, '-') - 1)
            WHERE p.change_id = changes.id AND p.source = changes.source)
        WHERE source = ? AND type = 'note'
        """,
        (source,),
    )
