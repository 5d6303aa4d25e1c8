"""The ranked list of gaps: what stands in it, how its rank is made, and that each row can be opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_gap_queries import RELEASES, give_all, patch, placed, write
from test_queries import Store, change

from kminer.store import catalogued, reader
from kminer.store.database import open_for_reading, open_for_writing

WEIGHTS = {"claim": 3, "proposal": 3, "resource": 3, "breaking": 2, "cost": 2, "feature": 1, "pair": 1, "untold": 1,
           "topic": 1}  # fmt: skip
SERIES = """
    INSERT INTO series VALUES (
        ?1, 'linux', ?2, (SELECT id FROM changes WHERE key = ?2), ?3, 'Ann', 'ann@x', ?4, ?4, 1, 0, 1,
        '2009-01-01T00:00:00Z', '2010-01-20T00:00:00Z', 30, 2, 5, ?5, ?2, '2010-01-21T00:00:00Z', 'Ben', 'No.', ?6,
        'w', 's', 0.6, NULL, '')
"""
MAIL = """
    INSERT INTO mails VALUES (
        ?1, 'linux', (SELECT id FROM changes WHERE key = ?1), 'patch', '', '', '', '', '', 1, NULL, NULL, '', '', '',
        '', '', '', ?2)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "k.db")


def fill(store: Store, turned: bool = False) -> Store:
    """Twelve bugs of memcg, a proposal of three postings, a claim, a resource and a feature that no engine names."""
    turn = -1 if turned else 1
    bugs = placed(*(change(f"b{n}", 20 + n, f"memcg: bug {n}", paths=("mm/memcontrol.c",)) for n in range(12)))
    posted = [patch("Wanted@x", 30, "memcg: wanted badly"), patch("slow@x", 31, "memcg: make it faster")]
    store.fill(RELEASES, [*bugs, *posted][::turn])
    store.fill([], placed(change("engine", 90)), "docker")
    rows = [(one.key, "bug", ("cg.memory",), ("memory",)) for one, _, _ in bugs]
    rows += [("Wanted@x", "feature", ("cg.memory",), ("memory",)), ("slow@x", "performance", ("cg.memory",), ())]
    give_all(store, rows)
    write(store, SERIES, *[(1, "Wanted@x", "memcg: wanted badly", 3, 2, "never merged"),
                           (2, "slow@x", "memcg: make it faster", 1, 0, "never merged")])  # fmt: skip
    for number, key in ((1, "Wanted@x"), (2, "slow@x")):
        write(store, "INSERT INTO postings VALUES (?, ?, ?, NULL, 1, 0, '2010-01-20', 'Ann', 1, 1, 0, '')",
              (number, number, key))  # fmt: skip
        write(store, MAIL, (key, number))
    write(store, "INSERT INTO features VALUES (?, 'linux', 'a', 'knob.max', 'cg.memory', '1.0', '2010-01-11', 'high')",
          ("cg.knob",))  # fmt: skip
    paper = "INSERT INTO papers VALUES (?, 'paper', 'T', 'A', 'V', 2005, '2005-12-31', '', '', '', 0, 1, 'high', 's')"
    write(store, paper, ("old-2005",))
    claim = "INSERT INTO claims VALUES (?, 'old-2005', 'Leaks.', 'gap', 'memory', 'cg.memory', '', '', ?, '', 'high')"
    write(store, claim, ("old-2005.1", "no"), ("old-2005.2", "yes"))
    write(store, "INSERT INTO claim_mechanisms VALUES (?, 'cg.memory')", ("old-2005.1",), ("old-2005.2",))
    kept = "INSERT INTO resources VALUES (?, 'vfs', 'R', ?, 'c', ?, '', '', '', 'no', '', '', '', '', 'none', "
    write(store, kept + "'x', 'no', '', '', 'high', 's')", ("vfs.free", "lock", "no"), ("vfs.seen", "view", "no"),
          ("vfs.owned", "lock", "net"))  # fmt: skip
    return store


def only(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [row for row in rows if row["type"] == kind]
    assert len(found) == 1, found
    return found[0]


def test_each_type_of_gap_stands_in_it_with_its_evidence(store: Store) -> None:
    rows = fill(store).ask("gaps")
    assert only(rows, "claim")["id"] == "old-2005.1"
    assert only(rows, "resource")["id"] == "vfs.free"
    assert only(rows, "feature")["id"] == "cg.knob"
    assert (only(rows, "proposal")["id"], only(rows, "proposal")["mechanisms"]) == ("Wanted@x", "cg.memory")
    assert only(rows, "breaking")["evidence"].startswith("12 bugs mended, 0 features added")
    assert only(rows, "cost")["evidence"].startswith("1 series never merged; last merge: none seen")


def test_the_score_is_made_of_the_terms_that_are_shown(store: Store) -> None:
    fill(store)
    for settings in ({}, {"open": 0, "wanted": 5, "quiet": 2, "claims": 1, "costs": 0}):
        usual: dict[str, int] = {"open": 1, "wanted": 2, "quiet": 1, "claims": 3, "costs": 2} | settings
        weights = WEIGHTS | {"claim": usual["claims"], "cost": usual["costs"]}
        rows = store.ask("gaps", **settings)
        for row in rows:
            terms = sum(usual[name] * row[name] for name in ("open", "wanted", "quiet"))
            share = terms / (usual["open"] + usual["wanted"] + usual["quiet"])
            whole = 100 * weights[row["type"]] / 3 * row["sure"] * share
            assert row["score"] == pytest.approx(whole, abs=0.06)
            assert all(0 <= row[name] <= 1 for name in ("open", "wanted", "quiet", "sure"))
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)


def test_the_rank_does_not_depend_on_the_order_of_writing(tmp_path: Path) -> None:
    one, other = fill(Store(tmp_path / "a.db")), fill(Store(tmp_path / "b.db"), turned=True)
    assert one.ask("gaps") == one.ask("gaps") == other.ask("gaps")


def test_every_id_opens(store: Store) -> None:
    rows = fill(store).ask("gaps")
    db = open_for_reading(store.path)
    for name in {row[column] for row in rows for column in ("id", "newest_id") if row[column]}:
        assert catalogued.find_catalogued(db, name) is not None or reader.find_change(db, name)


@pytest.mark.parametrize(("settings", "types"), [
    ({"type": "claim"}, {"claim"}),
    ({"mechanism": "cg.%"}, {"claim", "proposal", "breaking", "cost", "feature"}),
    ({"mechanism": "ns.%"}, set()),
])  # fmt: skip
def test_it_narrows(store: Store, settings: dict[str, str], types: set[str]) -> None:
    assert {row["type"] for row in fill(store).ask("gaps", **settings)} == types


def test_what_was_merged_or_answered_is_no_gap(store: Store) -> None:
    fill(store)
    write(store, "UPDATE series SET verdict = ? WHERE 1", ("merged",))
    write(store, "UPDATE claims SET answer = ? WHERE 1", ("yes",))
    assert {row["type"] for row in store.ask("gaps")} == {"resource", "feature", "breaking"}


def test_nothing_read_and_nothing_labelled_is_told(tmp_path: Path) -> None:
    empty = Store(tmp_path / "e.db")
    with open_for_writing(empty.path):
        pass
    told = "Nothing of linux is in this database; `kminer sync` reads it."
    assert [row["title"] for row in empty.ask("gaps")] == [told]
    bare = Store(tmp_path / "b.db")
    bare.fill(RELEASES, [(replace(change("a", 20)), None, "v1.0")])
    assert [row["title"].split(":")[0] for row in bare.ask("gaps")] == ["No change of linux is labelled"]


def test_what_was_not_read_is_no_silence(store: Store) -> None:
    """A work that appeared after the newest day that was read counts as neither open nor quiet."""
    fill(store)
    write(store, "UPDATE papers SET published = ? WHERE 1", ("2020-12-31",))
    claim = only(store.ask("gaps"), "claim")
    assert (claim["open"], claim["quiet"]) == (0, 0)
    assert claim["evidence"].endswith("nothing was read of the time since")
