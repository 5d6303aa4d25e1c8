"""Reads what is to be labelled and writes labels. Nothing here commits: the caller's transaction does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kminer.markup import with_prefix, without_links
from kminer.records import Annotation, Classification, Item, Study
from kminer.store.reader import Row, read_rows


def get_versions(db: sqlite3.Connection, source: str | None = None) -> Iterator[tuple[int, str, str | None]]:
    """(id, key, version that labelled it) of every change; None where it was never labelled.

    Notes whose sentences are not kept are left out: they can be labelled only while they are read.
    """
    yield from db.execute(
        """
        SELECT c.id, c.key, k.version FROM changes c LEFT JOIN classifications k ON k.change_id = c.id
        WHERE (?1 IS NULL OR c.source = ?1) AND c.id NOT IN (SELECT change_id FROM withheld)
        """,
        (source,),
    )


def read_items(db: sqlite3.Connection, ids: Sequence[int]) -> Iterator[Item]:
    """Changes as they are handed over to be labelled; an item's id is the number of its change."""
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        files: dict[int, list[str]] = {}
        for number, path in db.execute(
            f"SELECT change_id, path FROM change_paths WHERE change_id IN ({marks}) ORDER BY path",  # noqa: S608
            some,
        ):
            files.setdefault(number, []).append(path)
        rows = db.execute(
            f"""
            SELECT id, title, text,
                   CASE type WHEN 'note' THEN coalesce((SELECT min(p.section) FROM note_places p
                                                        WHERE p.change_id = id AND p.source = changes.source), '') END
            FROM changes WHERE id IN ({marks})
            """,  # noqa: S608
            some,
        )
        found = {row[0]: row[1:] for row in rows.fetchall()}
        for number in some:
            title, text, section = found[number]
            if section is not None:
                title, text = with_prefix(section, title), without_links(text)
            yield Item(str(number), title, text, tuple(files.get(number, ())))


def save_classifications(
    db: sqlite3.Connection, classifications: Iterable[Classification], hands: Mapping[int, Annotation],
    given_by: str, versions: Mapping[int, str],
) -> None:  # fmt: skip
    """Replace labels and votes of changes; labels by hand (`hands`, by change) count before all others.

    Where another version had labelled a change, its labels are kept as the earlier ones.
    """
    for found in classifications:
        number = int(found.id)
        _keep_earlier(db, number, found.version)
        for table in ("labels", "votes"):
            db.execute(f"DELETE FROM {table} WHERE change_id = ?", (number,))  # noqa: S608  constants only
        hand = hands.get(number)
        db.execute(
            "INSERT OR REPLACE INTO classifications (change_id, version, unknown) VALUES (?, ?, ?)",
            (number, versions.get(number, found.version), "" if hand else found.unknown),
        )
        votes = [(number, v.axis, v.label, v.voter, v.score, v.version, _storable(v.evidence)) for v in found.votes]
        labels = [(number, label.axis, label.label, label.score, given_by) for label in found.labels]
        if hand is not None:
            by_hand = list(_labels_by_hand(hand))
            votes += [(number, axis, label, "hand", 1.0, hand.annotator, "") for axis, label in by_hand]
            labels = [(number, axis, label, 1.0, "hand") for axis, label in by_hand]
        db.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", votes)
        db.executemany("INSERT INTO labels VALUES (?, ?, ?, ?, ?)", labels)


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _labels_by_hand(hand: Annotation) -> Iterator[tuple[str, str]]:
    yield "relevant", "yes" if hand.relevant else "no"
    for axis in ("mechanism", "kind", "dimension", "flag"):
        yield from ((axis, label) for label in hand.labels(axis))


def _keep_earlier(db: sqlite3.Connection, number: int, version: str) -> None:
    before = db.execute("SELECT version FROM classifications WHERE change_id = ?", (number,)).fetchone()
    if before is None or before[0].split("+")[0] == version:
        return
    db.execute("DELETE FROM earlier_labels WHERE change_id = ?", (number,))
    db.execute(
        """
        INSERT INTO earlier_labels (change_id, axis, label, score, version)
        SELECT change_id, axis, label, score, ? FROM labels WHERE change_id = ?
        """,
        (before[0], number),
    )


def save_annotations(db: sqlite3.Connection, annotations: Iterable[Annotation]) -> None:
    """Replace the labels by hand with these."""
    db.execute("DELETE FROM annotations")
    db.executemany(
        "INSERT OR REPLACE INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (a.key, a.annotator, int(a.relevant), " ".join(a.mechanisms), a.kind, " ".join(a.dimensions),
             " ".join(a.flags))
            for a in annotations
        ],
    )  # fmt: skip


def save_studies(db: sqlite3.Connection, studies: Iterable[Study], kinds: Iterable[str]) -> None:
    """Replace the published studies with these, a row a kind."""
    db.execute("DELETE FROM studies")
    db.executemany(
        "INSERT INTO studies (id, title, patches, kind, share, confidence) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (study.id, study.title, study.patches, kind, study.shares.get(kind), study.confidence)
            for kind in kinds
            for study in studies
        ],
    )


def count_differences(db: sqlite3.Connection) -> list[Row]:
    """By axis and label: how many changes lost it and gained it, and kept it, when they were last labelled anew."""
    return read_rows(
        db,
        """
        WITH moved AS (SELECT DISTINCT change_id FROM earlier_labels),
        both AS (
            SELECT l.change_id, l.axis, l.label, 1 AS now, 0 AS before
            FROM labels l JOIN moved m ON m.change_id = l.change_id
            UNION ALL
            SELECT change_id, axis, label, 0, 1 FROM earlier_labels
        ),
        each AS (SELECT change_id, axis, label, max(now) AS now, max(before) AS before FROM both GROUP BY 1, 2, 3)
        SELECT axis, label, sum(now AND before) AS kept, sum(now AND NOT before) AS gained,
               sum(before AND NOT now) AS lost
        FROM each GROUP BY axis, label HAVING sum(now <> before) ORDER BY axis, gained + lost DESC, label
        """,
    )


def list_differences(db: sqlite3.Connection, limit: int) -> list[Row]:
    """Changes whose labels differ from those of the version before, most differences first."""
    return read_rows(
        db,
        """
        WITH moved AS (SELECT DISTINCT change_id, version FROM earlier_labels),
        gained AS (
            SELECT l.change_id, '+' || l.label AS what, l.axis FROM labels l
            JOIN moved m ON m.change_id = l.change_id
            WHERE NOT EXISTS (SELECT 1 FROM earlier_labels e
                              WHERE e.change_id = l.change_id AND e.axis = l.axis AND e.label = l.label)
        ),
        lost AS (
            SELECT e.change_id, '-' || e.label AS what, e.axis FROM earlier_labels e
            WHERE NOT EXISTS (SELECT 1 FROM labels l
                              WHERE l.change_id = e.change_id AND l.axis = e.axis AND l.label = e.label)
        ),
        differ AS (SELECT * FROM gained UNION ALL SELECT * FROM lost ORDER BY axis, what)
        SELECT substr(c.key, 1, 12) AS id, c.source, c.title, group_concat(d.what, ' ') AS differs
        FROM differ d JOIN changes c ON c.id = d.change_id
        GROUP BY c.id ORDER BY count(*) DESC, c.source, c.key LIMIT ?
        """,
        limit,
    )


_CANDIDATES = """
    SELECT c.id, c.key, c.source, c.title, c.text FROM changes c {join}
    WHERE c.reachable = 1 AND c.type = 'commit' AND substr(c.key, -1) <> '0' AND (?1 IS NULL OR c.source = ?1)
          AND NOT EXISTS (SELECT 1 FROM annotations a WHERE a.key = c.key)
    ORDER BY {order}, c.key LIMIT 400
"""


def find_disputed(db: sqlite3.Connection, source: str | None) -> list[Row]:
    """Changes for which the rules name mechanisms firmly that the model does not see, or the other way round."""
    join = """
        JOIN (SELECT change_id, count(*) AS odd FROM (
                  SELECT change_id, label FROM votes WHERE axis = 'mechanism' AND score >= 0.5
                  GROUP BY change_id, label
                  HAVING max(voter = 'model') <> max(voter <> 'model')
              ) GROUP BY change_id) d ON d.change_id = c.id
    """
    return read_rows(db, _CANDIDATES.format(join=join, order="d.odd DESC"), source)


def find_doubtful(db: sqlite3.Connection, source: str | None) -> list[Row]:
    """Changes whose relevance is least sure."""
    join = "JOIN labels l ON l.change_id = c.id AND l.axis = 'relevant' AND l.given_by <> 'hand'"
    return read_rows(db, _CANDIDATES.format(join=join, order="abs(l.score - 0.5)"), source)


def find_rare(db: sqlite3.Connection, source: str | None) -> list[Row]:
    """Changes with a label that few changes have."""
    join = """
        JOIN (SELECT l.change_id, min(n.times) AS times FROM labels l
              JOIN (SELECT axis, label, count(*) AS times FROM labels GROUP BY 1, 2) n
                   ON n.axis = l.axis AND n.label = l.label
              GROUP BY l.change_id) r ON r.change_id = c.id
    """
    return read_rows(db, _CANDIDATES.format(join=join, order="r.times"), source)


def find_unseen(db: sqlite3.Connection, source: str | None, seed: int) -> list[Row]:
    """Changes by chance; the same `seed` gives the same ones."""
    order = f"(c.id + {seed % 100_000 * 7919}) * 2654435761 % 4294967291"
    return read_rows(db, _CANDIDATES.format(join="", order=order), source)


def read_labelled_texts(db: sqlite3.Connection, keys: set[str]) -> Iterator[tuple[Item, str, str]]:
    """(change, source, date) of those of `keys` that the store holds; the item's id is the change's key."""
    held = [(number, key) for number, key, _ in get_versions(db) if key in keys]
    facts = {number: (key, source, date) for number, key, source, date in db.execute(
        "SELECT id, key, source, coalesce(date, '') FROM changes")}  # fmt: skip
    for item in read_items(db, [number for number, _ in held]):
        key, source, date = facts[int(item.id)]
        yield Item(key, item.title, item.text, item.files), source, date


def changed_files(db: sqlite3.Connection, number: object) -> list[str]:
    """The tracked files of a change."""
    rows = db.execute("SELECT path FROM change_paths WHERE change_id = ? ORDER BY path", (number,))
    return [path for (path,) in rows]
