"""The reports gaps, papers and resources: what they tell of full, empty and foreign-worded stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from test_gap_queries import write
from test_gaps import fill
from test_queries import Store
from test_reports import shown, written

from kminer import queries
from kminer.store.database import open_for_reading, open_for_writing

MECHANISM = {"mechanism": "cg.memory"}
REPORTS: list[tuple[str, dict[str, str]]] = [
    ("gaps", {}), ("papers", {}), ("resources", {}), ("lag", {}), ("mechanism", MECHANISM),
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    filled = fill(Store(tmp_path / "k.db"))
    write(filled, "INSERT INTO claim_features VALUES ('old-2005.2', ?, 'answers')", ("cg.knob",))
    return filled


def ask(file: Path, name: str, **settings: str) -> list[dict[str, Any]]:
    return list(queries.run(open_for_reading(file), queries.find(name), settings).dicts())


@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_same_database_gives_the_same_bytes(store: Store, name: str, settings: dict[str, str]) -> None:
    assert written(store.path, name, settings) == written(store.path, name, settings, out="again")


@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_pictures_are_the_ones_linked(store: Store, name: str, settings: dict[str, str]) -> None:
    text, pictures = written(store.path, name, settings)
    assert {address for address in shown(text).addresses if address.endswith(".svg")} == set(pictures)


@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_every_named_query_works(store: Store, name: str, settings: dict[str, str]) -> None:
    """Each `kminer query` that a report names can be run as it stands."""
    named = set(re.findall(r"`kminer query ([^`]+)`", written(store.path, name, settings)[0]))
    assert named
    for line in named:
        asked, *pairs = line.split(" --set ")
        ask(store.path, asked, **dict(pair.split("=", 1) for pair in pairs))


@pytest.mark.parametrize(("name", "settings", "says"), [
    ("gaps", {}, "Nothing of linux is in this database"), ("papers", {}, "This database holds no works"),
    ("resources", {}, "This database holds no resources"), ("lag", {}, "This database holds no history"),
    ("mechanism", MECHANISM, "This database holds nothing on cg.memory"),
])  # fmt: skip
def test_an_empty_store_says_how_to_fill_it(tmp_path: Path, name: str, settings: dict[str, str], says: str) -> None:
    with open_for_writing(tmp_path / "e.db"):
        pass
    text, pictures = written(tmp_path / "e.db", name, settings)
    assert says in text and "kminer sync" in text and not pictures


def test_gaps_shows_each_row_of_its_query(store: Store) -> None:
    text, _ = written(store.path, "gaps")
    rows = ask(store.path, "gaps", limit="-1")
    assert f"{len(rows)} gaps of {len({row['type'] for row in rows})} types" in text
    for row in rows:
        assert f"| {row['rank']} | {row['score']} |" in text
        assert f"`{row['id']}`" in text


def test_papers_counts_as_its_query_does(store: Store) -> None:
    text, _ = written(store.path, "papers")
    rows = ask(store.path, "claims-followed")
    assert f"1 works with {len(rows)} claims" in text
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("answered", "being worked on")}
    assert f"{counts['answered']} claims are answered, {counts['being worked on']} being worked on" in text
    assert all(row["rule"].split(";")[0] in text.replace("\\", "") for row in rows)


def test_mechanism_tells_commits_proposals_and_open_ends(store: Store) -> None:
    text, _ = written(store.path, "mechanism", MECHANISM)
    assert "12 commits: 0 features and 12 bugs mended" in text
    assert "2 series of patches were posted: 0 merged" in text
    assert "| memcg: wanted badly | 3 |" in text
    rows = ask(store.path, "gaps", mechanism="cg.memory", limit="-1")
    assert [f"| {row['rank']} | {row['score']} | {row['type']} |" in text for row in rows] == [True] * len(rows)


def test_lag_tells_what_is_not_named(store: Store) -> None:
    text, _ = written(store.path, "lag")
    assert "0 features of the kernel are named by docker" in text and "`cg.knob`" in text


def test_resources_counts_as_its_query_does(store: Store) -> None:
    text, _ = written(store.path, "resources")
    assert "3 resources of the kernel" in text and "2 can be used up" in text
    assert [row["id"] for row in ask(store.path, "unbounded-resources")] == ["vfs.free"]
    assert text.count("`vfs.free`") == 2 and text.count("`vfs.owned`") == 1


def test_an_area_without_resources_is_told(store: Store) -> None:
    text, _ = written(store.path, "resources", {"area": "moon"})
    assert "No resource of the area moon" in text


def test_missing_archives_are_named(tmp_path: Path) -> None:
    bare = fill(Store(tmp_path / "b.db"))
    assert "kminer sync cgroups-list unionfs-list" in written(bare.path, "gaps")[0]
    assert "kminer sync cgroups-list unionfs-list" in written(bare.path, "papers")[0]


HOSTILE = "<script>alert(1)</script> [x](javascript:y) **b** \x1b[31m\u202e| cell"


@pytest.mark.parametrize("name", ["gaps", "papers"])
def test_hostile_text_is_inert(store: Store, name: str) -> None:
    write(store, "UPDATE series SET title = ?1, last_word_by = ?1", (HOSTILE,))
    write(store, "UPDATE claims SET statement = ?", (HOSTILE,))
    text, pictures = written(store.path, name)
    seen = shown(text)
    assert "script" not in seen.tags and not any(address.startswith("javascript") for address in seen.addresses)
    assert "<script>alert(1)</script> [x](javascript:y) **b**" in seen.text
    assert "\x1b" not in text and "\u202e" not in text
    assert not any("<script" in svg for svg in pictures.values())


def test_a_host_is_told_which_gaps_it_does_not_answer(store: Store) -> None:
    """Claims whose features were found otherwise than available; one that has them all only with all=1."""
    bearing = "INSERT INTO claim_features VALUES (?, ?, 'answers')"
    write(store, bearing, ("old-2005.1", "cg.knob"), ("old-2005.1", "cg.b"))
    write(store, "INSERT INTO hosts VALUES (?, '2026-01-01T00:00:00Z', '6.1.0', '{}')", ("here",))
    found = "INSERT INTO findings VALUES ('here', ?, ?, '', '', '', '', '', '')"
    write(store, found, ("cg.knob", "available"), ("cg.b", "bound-elsewhere"))
    rows = ask(store.path, "report-host-gaps", host="here")
    assert [(row["id"], row["there"], row["asked"], row["available"], row["lacking"]) for row in rows] == [
        ("old-2005.1", 1, 2, "cg.knob", "cg.b (bound-elsewhere)")
    ]
    every = ask(store.path, "report-host-gaps", host="here", all="1")
    assert {row["id"] for row in every} == {"old-2005.1", "old-2005.2"}
    assert "| Leaks. (`old-2005.1`) | 2005 | no | cg.knob | cg.b (bound-elsewhere) |" in written(
        store.path, "host", {"host": "here"}
    )[0]


@pytest.mark.parametrize(("name", "settings"), [("gaps", {}), ("papers", {}), ("mechanism", MECHANISM)])
def test_a_store_without_labels_says_how_to_label(store: Store, name: str, settings: dict[str, str]) -> None:
    """What is missing stands at the top, and the rest is shown."""
    for table in ("labels", "classifications"):
        write(store, f"DELETE FROM {table} WHERE change_id > ?", (0,))
    text, _ = written(store.path, name, settings)
    assert "Not labelled" in text and "`kminer classify`" in text
    assert "old-2005.1" in text or name == "mechanism"


@pytest.mark.parametrize(("name", "settings"), [("gaps", {}), ("papers", {}), ("mechanism", MECHANISM)])
def test_a_store_labelled_in_part_says_how_much_is_not(store: Store, name: str, settings: dict[str, str]) -> None:
    one = "SELECT min(change_id) FROM classifications"
    write(store, f"DELETE FROM classifications WHERE change_id = ({one}) AND ?", (1,))
    assert "Not all labelled" in written(store.path, name, settings)[0]


@pytest.mark.parametrize(("name", "settings"), [("gaps", {}), ("papers", {}), ("mechanism", MECHANISM)])
def test_a_missing_history_is_named(store: Store, name: str, settings: dict[str, str]) -> None:
    write(store, "UPDATE sources SET kind = ? WHERE id = 'linux'", ("mailing-list",))
    assert "Missing: the history of linux" in written(store.path, name, settings)[0]
