"""Gap queries: what keeps breaking, what was given up, what lies unused, unbounded, untouched, slow, or is fading."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from gitrepo import GitRepo
from labelled import label
from syncing import run_sync, sample_source
from test_queries import DAY, Store, change, key_of, only, release, short

from kminer.records import Change, Classification, Label, Reference, TrackedPath
from kminer.store import labels, writer
from kminer.store.database import open_for_writing

GAPS = (
    "keeps-breaking", "reverts-abandoned", "unused-features", "untouched-pairs", "unbounded-resources", "resources",
    "performance-signals", "trends",
)  # fmt: skip
NOTHING = "linux is in this database; `kminer sync` reads them."
UNLISTED = "are in this database; `kminer sync` takes them from the catalogue."
RELEASES = [
    release(0, "v1.0", "1.0", None, 10),
    release(1, "v2.0", "2.0", "v1.0", 20),
    release(2, "v2.0.1", "2.0", "v2.0", 50),
    release(3, "v3.0", "3.0", "v2.0", 30),
    release(4, "v4.0-rc1", "4.0", "v3.0", 40),
]
Placed = tuple[Change, str | None, str | None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "k.db")


def write(store: Store, sql: str, *rows: Sequence[Any]) -> None:
    with open_for_writing(store.path) as db, writer.transaction(db):
        db.executemany(sql, rows)


def give(
    store: Store, name: str, kind: str = "maintenance", mechanisms: Iterable[str] = (), dimensions: Iterable[str] = (),
    relevant: bool = True,
) -> None:  # fmt: skip
    """Label the change `name`."""
    give_all(store, [(name, kind, mechanisms, dimensions)], relevant)


def give_all(
    store: Store, rows: Iterable[tuple[str, str, Iterable[str], Iterable[str]]], relevant: bool = True
) -> None:
    """Label changes: (name, kind, mechanisms, dimensions)."""
    with open_for_writing(store.path) as db, writer.transaction(db):
        numbers = {row[0]: row[1] for row in db.execute("SELECT key, id FROM changes")}
        found = []
        for name, kind, mechanisms, dimensions in rows:
            given = [("relevant", "yes" if relevant else "no"), ("kind", kind)]
            given += [("mechanism", one) for one in mechanisms] + [("dimension", one) for one in dimensions]
            number = numbers.get(key_of(name)) or numbers[name]
            found.append(Classification(str(number), "1", "", tuple(Label(a, one, 0.75) for a, one in given), ()))
        labels.save_classifications(db, found, {}, "votes", {})


def patch(key: str, day: float, title: str, text: str = "") -> Placed:
    """A posted patch, whose key is its message-id."""
    return replace(change("patch", day, title, text), type="patch", key=key), None, None


def placed(*changes: Change, tag: str = "v1.0") -> list[Placed]:
    return [(one, None, tag) for one in changes]


# --- all


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("keeps-breaking", "remark", f"No commit of {NOTHING}"),
        ("reverts-abandoned", "title", f"No commit of {NOTHING}"),
        ("unused-features", "title", f"No features {UNLISTED}"),
        ("untouched-pairs", "remark", "No relevant change of linux is labelled: `kminer classify` does it."),
        ("unbounded-resources", "title", f"No resources {UNLISTED}"),
        ("resources", "title", f"No resources {UNLISTED}"),
        ("performance-signals", "remark", f"No change of {NOTHING}"),
        ("trends", "remark", f"No commit of {NOTHING}"),
    ],
)
def test_an_empty_store_is_told(store: Store, name: str, column: str, said: str) -> None:
    """Nothing read is one row that says so, never an empty table that looks like an answer."""
    with open_for_writing(store.path):
        pass
    rows = store.ask(name)
    assert [row[column] for row in rows] == [said]
    assert {value for key, value in rows[0].items() if key != column} <= {None, 0}


def _filled(store: Store, turned: bool = False) -> Store:
    """A store in which every query finds something; `turned`: written in the opposite order."""
    turn: Callable[[list[Any]], list[Any]] = (lambda rows: rows[::-1]) if turned else (lambda rows: rows)
    memory = ("mm/memcontrol.c",)
    slow = "memcg: charging is slow"
    changes = [
        change("bug", 1, paths=memory), change("fix", 21, paths=memory, fixes="bug"),
        change("refix", 25, paths=memory, fixes="fix"), change("idea", 26, "memcg: idea", paths=memory),
        change("undo", 27, 'Revert "memcg: idea"', paths=memory, reverts="idea"),
        change("undo2", 27, 'Revert "memcg: idea"', paths=memory), change("slow", 28, slow, paths=memory),
        change("slow2", 28, f"{slow}, too", paths=memory),
        *(change(f"m{n}", 365 * n + 40, paths=memory) for n in range(7)),
        *(change(f"n{n}", 365 * n + 40, paths=("fs/namespace.c",)) for n in range(7)),
    ]  # fmt: skip
    store.fill(RELEASES, turn(placed(*changes)))
    store.fill([], turn(placed(change("engine", 90), change("engine2", 90))), "docker")
    rows = [(one.key, "bug" if one.references else "feature", ("cg.memory",), ("memory",)) for one in changes]
    mounts = [(key, kind, ("ns.mnt",), ("filesystem",)) for key, kind, *_ in rows if key.startswith("6e")]
    give_all(store, turn([row for row in rows if not row[0].startswith("6e")] + mounts))
    features = [(f"cg.f{n}", "linux", "a", f"file.f{n}", "cg.memory", "1.0", "2010-01-11", "high") for n in range(3)]
    write(store, "INSERT INTO features VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *turn(features))
    kept = "INSERT INTO resources VALUES (?, 'vfs', 'R', 'lock', 'c', ?, '', '', '', 'no', '', '', '', '', 'none', "
    write(store, kept + "'x', 'no', '', '', 'high', 's')", *turn([("vfs.a", "no"), ("vfs.b", "no"), ("vfs.c", "net")]))
    found = "INSERT INTO resource_changes SELECT 'vfs.a', id, 'term' FROM changes WHERE title LIKE ?"
    write(store, found, *turn([("memcg: idea",), (slow,)]))
    return store


@pytest.mark.parametrize("name", GAPS)
def test_rows_do_not_depend_on_the_order_of_writing(name: str, tmp_path: Path) -> None:
    """The same changes in another order give the same answer, to the last tie."""
    settings: dict[str, Any] = {"untouched-pairs": {"least": 1}, "trends": {"least": 1}}.get(name, {})
    here, there = (_filled(Store(tmp_path / f"{turned}.db"), turned) for turned in (False, True))
    assert here.ask(name, **settings) == there.ask(name, **settings)
    assert len(here.ask(name, **settings)) > 0


@pytest.mark.parametrize("name", GAPS)
def test_every_row_has_evidence_that_opens(name: str, store: Store) -> None:
    """Each id is a change's, twelve digits of a commit and the whole key of a patch, or a feature's or a resource's."""
    known = {"cg.f0", "cg.f1", "cg.f2", "vfs.a", "vfs.b", "vfs.c"}
    rows = _filled(store).ask(name, **({"least": 1} if name in ("untouched-pairs", "trends") else {}))
    with open_for_writing(store.path) as db:
        known |= {row[0][:12] for row in db.execute("SELECT key FROM changes")}
    for row in rows:
        found = {row[column] for column in row if column == "id" or column.endswith("_id")} - {None}
        assert found and found <= known, row


NOISE = ("unreachable", "off topic", "pick")


def _noisy(store: Store, noise: str) -> Store:
    """The store with a later copy of each change, which is not to count."""
    _filled(store)
    linux = "FROM changes WHERE source = 'linux' AND id < 1000 AND title NOT IN ('memcg: idea', 'Change bug')"
    with open_for_writing(store.path) as db, writer.transaction(db):
        columns = [row[1] for row in db.execute("PRAGMA table_info(changes)")]
        copied = ", ".join(
            {"id": "id + 1000", "key": "'ff' || substr(key, 1, 38)", "date": "replace(date, 'T00:', 'T01:')",
             "reachable": str(int(noise != "unreachable"))}.get(name, name)
            for name in columns
        )  # fmt: skip
        db.execute(f"INSERT INTO changes SELECT {copied} {linux}")
        for table in ("refs", "change_paths", "labels", "classifications", "resource_changes"):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            copied = ", ".join("change_id + 1000" if name == "change_id" else name for name in names)
            db.execute(f"INSERT INTO {table} SELECT {copied} FROM {table} WHERE change_id IN (SELECT id {linux})")
        if noise == "off topic":
            db.execute("UPDATE labels SET label = 'no' WHERE change_id > 1000 AND axis = 'relevant'")
        if noise == "pick":
            db.execute(f"INSERT INTO refs SELECT id + 1000, 'backport-of', key, key {linux}")
    return store


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("name", GAPS)
def test_what_does_not_count_changes_nothing(name: str, noise: str, tmp_path: Path) -> None:
    """What no branch leads to, what is off topic and picks of held commits leave every answer as it was."""
    settings: dict[str, Any] = {"untouched-pairs": {"least": 1}, "trends": {"least": 1}}.get(name, {})
    plain, noisy = _filled(Store(tmp_path / "plain.db")), _noisy(Store(tmp_path / "noisy.db"), noise)
    assert noisy.ask(name, **settings) == plain.ask(name, **settings)


@pytest.mark.parametrize("name", [name for name in GAPS if name != "trends"])
def test_since_has_its_own_year_in_it(name: str, store: Store) -> None:
    """From the first year on is from the beginning."""
    settings: dict[str, Any] = {"least": 1} if name == "untouched-pairs" else {}
    assert _filled(store).ask(name, since=2010, **settings) == store.ask(name, since=0, **settings)


# --- keeps-breaking


@pytest.fixture
def broken(store: Store) -> Store:
    """cg.memory: a bug, its fix, a fix of the fix, picks, a feature; ns.mnt: a fix whose fault is not held."""
    memory = ("mm/memcontrol.c",)
    store.fill(
        RELEASES,
        [
            (change("bug", 1, paths=memory), None, "v1.0"),
            (change("fix", 21, paths=memory, fixes="bug"), None, "v3.0"),
            (change("pick", 45, fixes="bug", paths=memory, backport_of="fix"), None, "v2.0.1"),
            (change("refix", 35, paths=memory, fixes="fix"), "v4.0-rc1", None),
            (change("third", 36, paths=("fs/namespace.c",), fixes="bug unknown"), "v4.0-rc1", None),
            (change("new", 37, paths=memory), "v4.0-rc1", None),
            (change("off", 38, paths=memory, fixes="bug"), "v4.0-rc1", None),
        ],
    )
    return store


def test_keeps_breaking_works_out_each_mechanism(broken: Store) -> None:
    """Bugs per feature by label, life times by Fixes: lines; picks and what is off topic do not count."""
    give_all(
        broken,
        [
            ("bug", "feature", ("cg.memory",), ()), ("fix", "bug", ("cg.memory", "ns.user"), ()),
            ("pick", "bug", ("cg.memory",), ()), ("refix", "bug", ("cg.memory",), ()),
            ("third", "bug", ("ns.mnt",), ()), ("new", "feature", ("cg.memory",), ()),
        ],
    )  # fmt: skip
    give(broken, "off", "bug", ("cg.memory",), relevant=False)
    rows = {row["mechanism"]: row for row in broken.ask("keeps-breaking")}
    assert list(rows) == ["cg.memory", "ns.mnt", "ns.user"]
    assert rows["cg.memory"] == {
        "mechanism": "cg.memory", "changes": 4, "features": 2, "bugs": 2, "bugs_per_feature": 1.0, "known_faults": 2,
        # fix: v1.0, v2.0 and v2.0.1 went out with the bug, 20 days; refix: v3.0, 14 days.
        "median_releases": 2.0, "p90_releases": 3, "median_days": 17.0, "p90_days": 20, "longest_days": 20,
        "fixes_of_fixes": 1, "reverts": 0, "not_retried": 0, "newest_bug_id": short("refix"),
        "longest_id": short("fix"), "fix_of_fix_id": short("refix"), "not_retried_id": None, "newest_id": short("new"),
        "remark": None,
    }  # fmt: skip
    # third: never released, so v1.0, v2.0, v2.0.1 and v3.0; the other fault is not held.
    assert only([rows["ns.mnt"]], "known_faults median_releases median_days bugs_per_feature fixes_of_fixes") == [
        (1, 4.0, 35.0, None, 0),
    ]
    assert only(broken.ask("keeps-breaking", mechanism="cg.%", least=4), "mechanism") == [("cg.memory",)]
    assert broken.ask("keeps-breaking", least=5) == []


def test_keeps_breaking_without_labels_says_so(broken: Store) -> None:
    """By paths, and with what Fixes: lines tell; bugs are unknown, not none."""
    rows = broken.ask("keeps-breaking", mechanism="cg.%")
    assert only(rows, "mechanism changes features bugs known_faults fixes_of_fixes remark") == [
        ("cg.memory", 5, None, None, 3, 1, "5 of these commits are not labelled: see `kminer classify`."),
    ]


def test_keeps_breaking_names_the_newest_of_each(store: Store) -> None:
    """Most known faults first; of two fixes of fixes and two reverts the newest, each counted once."""
    memory = ("mm/memcontrol.c",)
    changes = [
        change("one", 1), change("two", 2), change("fix1", 3, fixes="one two", paths=memory),
        change("refix1", 5, fixes="fix1 one", paths=memory), change("refix2", 6, fixes="fix1", paths=memory),
        change("undo1", 7, 'Revert "a"', reverts="one two", paths=memory),
        change("undo2", 8, 'Revert "b"', reverts="two", paths=memory), change("plain", 9, paths=("fs/namespace.c",)),
    ]  # fmt: skip
    store.fill(RELEASES, placed(*changes))
    columns = "mechanism known_faults fixes_of_fixes fix_of_fix_id reverts not_retried not_retried_id"
    # Both reverts took back `two`: that is one idea.
    assert only(store.ask("keeps-breaking"), columns) == [
        ("cg.memory", 5, 2, short("refix2"), 2, 1, short("undo1")),
        ("ns.core", 0, 0, None, 0, 0, None), ("ns.mnt", 0, 0, None, 0, 0, None),
    ]  # fmt: skip


def test_keeps_breaking_counts_from_a_year_on(broken: Store) -> None:
    """Fixes of that year and later, of whatever bug."""
    with open_for_writing(broken.path) as db, writer.transaction(db):
        db.execute("UPDATE changes SET date = '2011-06-01T00:00:00Z' WHERE key = ?", (key_of("refix"),))
    rows = broken.ask("keeps-breaking", mechanism="cg.%", since=2011)
    assert only(rows, "changes known_faults fixes_of_fixes longest_id") == [(1, 1, 1, short("refix"))]


@pytest.mark.parametrize("bugs", [1, 2, 9, 10, 11, 23])
def test_keeps_breaking_has_medians_and_percentiles(store: Store, bugs: int) -> None:
    """The median is the middle or between the two middle ones; nine tenths live at most as long as the percentile."""
    lives = random.Random(bugs).sample(range(3, 300), bugs)
    changes = [change("bug", 1)]
    changes += [change(f"f{n}", 1 + days, paths=("mm/memcontrol.c",), fixes="bug") for n, days in enumerate(lives)]
    store.fill(RELEASES, placed(*changes))
    row = store.ask("keeps-breaking")[0]
    assert row["median_days"] == statistics.median(lives)
    assert row["p90_days"] == sorted(lives)[math.ceil(0.9 * bugs) - 1]
    assert row["longest_id"] == short(f"f{lives.index(max(lives))}")


# --- reverts


@pytest.fixture
def undone(store: Store) -> Store:
    """Reverts: two left at that, and one for each way of a new attempt."""
    memory = ("mm/memcontrol.c",)
    ideas = {
        "same": "memcg: one", "word": "memcg: two", "back": "memcg: three", "mail": "memcg: four",
        "left": "memcg: five", "pick": "memcg: six", "late": "memcg: seven",
    }  # fmt: skip
    changes = [change(name, day, title, paths=memory) for day, (name, title) in enumerate(ideas.items())]
    changes += [
        change(f"un{name}", 20 + day, f'Revert "{title}"', reverts=name)
        for day, (name, title) in enumerate(ideas.items())
        if name != "late"
    ]
    changes += [
        # No commit id, and a text around the old title; a second revert on another branch.
        change("unlate", 40, 'mm: partly revert "memcg: seven" (again)'),
        change("late2", 44, 'Revert "memcg: seven"'),
        change("resame", 50, "memcg: one"),
        change("reword", 51, "Reapply \"MEMCG: Two\""),
        change("back2", 52, "Bring it back", reverts="unback"),
        # Not attempts: a pick of the old commit, the same commit on another branch, and what came before.
        change("repick", 53, "memcg: six", backport_of="pick"),
        change("rebranch", 54, "memcg: six", written=5),
        change("unknown", 55, "Take it out", reverts="elsewhere"),
        change("quoted", 56, 'Revert "memcg: elsewhere"', reverts="elsewhere"),
    ]  # fmt: skip
    posted = patch("20100301.four@example.org", 57, "memcg: four")
    store.fill(RELEASES, [*placed(*changes), posted])
    return store


def test_reverts_abandoned_are_those_without_a_new_attempt(undone: Store) -> None:
    """A later change of the title, one with a word for it, a patch, or a revert of the revert is a new attempt."""
    rows = undone.ask("reverts-abandoned")
    assert only(rows, "id reverted_id reverted found_by days_stood reverts mechanisms") == [
        (short("quoted"), short("elsewhere"), "memcg: elsewhere", None, None, 1, None),
        (short("unlate"), short("late"), "memcg: seven", "title", 34, 2, "cg.memory"),
        (short("unpick"), short("pick"), "memcg: six", "id", 20, 1, "cg.memory"),
        (short("unleft"), short("left"), "memcg: five", "id", 20, 1, "cg.memory"),
    ]
    assert only(rows[:1], "date release reverted_release kind link") == [
        ("2010-02-26", "v1.0", None, None, f"https://example.org/{key_of('quoted')}"),
    ]


def test_reverts_abandoned_can_be_narrowed_down(undone: Store) -> None:
    """By mechanism of either commit, by how long it stood, by what it was, by year and number."""
    give(undone, "left", "feature", ("cg.pids",))
    assert only(undone.ask("reverts-abandoned", mechanism="cg.pids"), "id kind mechanisms") == [
        (short("unleft"), "feature", "cg.pids"),
    ]
    assert len(undone.ask("reverts-abandoned", stood=20)) == 3
    assert only(undone.ask("reverts-abandoned", stood=21), "id") == [(short("unlate"),)]
    assert only(undone.ask("reverts-abandoned", kind="feature"), "id") == [(short("unleft"),)]
    assert undone.ask("reverts-abandoned", since=2011) == []
    assert only(undone.ask("reverts-abandoned", limit=1), "id") == [(short("quoted"),)]


def test_keeps_breaking_counts_the_same_reverts(undone: Store) -> None:
    """Reverts under the mechanism of their own, with the newest that was left at that."""
    for name in ("unlate", "late2", "unpick", "unleft", "unsame", "unword"):
        give(undone, name, "bug", ("cg.memory",))
    row = next(row for row in undone.ask("keeps-breaking") if row["mechanism"] == "cg.memory")
    assert (row["reverts"], row["not_retried"], row["not_retried_id"]) == (6, 3, short("unlate"))


def test_reverts_of_a_real_history(repo: GitRepo, database: Path) -> None:
    """From git to the answer: one idea tried again, one not, one reverted revert; labels by the rules."""
    made: dict[str, str] = {}

    def commit(name: str, title: str, text: str = "") -> None:
        made[name] = repo.commit(
            {"mm/memcontrol.c": f"{name}\n"}, f"{title}\n\n{text}\n", when=1_577_880_000 + DAY * len(made)
        )

    for name in ("one", "two", "three"):
        commit(name, f"memcg: charge pages in way {name}")
    for name in ("one", "two", "three"):
        commit(f"un{name}", f'Revert "memcg: charge pages in way {name}"', f"This reverts commit {made[name]}.")
    commit("again", "memcg: charge pages in way one, take 2", "Second try.")
    commit("back", 'Revert "Revert "memcg: charge pages in way two""', f"This reverts commit {made['untwo']}.")
    source = sample_source(TrackedPath("mm/memcontrol.c", mechanisms=("cg.memory",)), project="linux")
    run_sync(source, repo.path, database)
    rows = [Store(database).ask("reverts-abandoned")]
    label(database)
    rows.append(Store(database).ask("reverts-abandoned"))
    for found in rows:
        assert only(found, "id reverted_id days_stood mechanisms") == [
            (made["unthree"][:12], made["three"][:12], 3, "cg.memory"),
        ]
    row = Store(database).ask("keeps-breaking")[0]
    assert (row["mechanism"], row["reverts"], row["not_retried_id"]) == ("cg.memory", 4, made["unthree"][:12])


# --- unused-features


@pytest.fixture
def engine(store: Store) -> Store:
    """A kernel, an engine that names two features of five, and one requirement of others' scripts."""
    store.fill(RELEASES, placed(change("brought", 1, "memcg: add file.b")))
    store.fill(
        [release(0, "v1.0", "1.0", None, 100), release(1, "v2.0", "2.0", "v1.0", 200)],
        [
            (change("uses", 90), None, "v1.0"),
            (change("uses2", 150), None, "v2.0"),
            (change("titled", 160, "Mount with the old words at last"), None, "v2.0"),
            (change("last", 210), None, None),
        ],
        "docker",
    )
    write(
        store,
        "INSERT INTO features VALUES (?, 'linux', 'a', ?, ?, ?, ?, 'high')",
        ("cg.used", "file.used", "cg.memory", "1.0", "2010-01-11"),
        ("ns.used", "file.used2", "ns.user", "2.0", "2010-01-21"),
        ("cg.a", "file.a (new)", "cg.pids", "3.0", "2010-01-31"),
        ("cg.b", "file.b", "cg.pids ns.pid", "1.0", "2010-01-11"),
        ("cg.plain", "Pages are shared", "fs.overlay", "1.0", "2010-01-12"),
        ("cg.named", "Old words: for it", "cg.io", "1.0", "2010-01-13"),
        ("cg.young", "file.young", "cg.io", "9.0", "2011-01-13"),
        ("cg.undated", "file.undated", "cg.io", None, None),
        ("req.a", "file.req", "cg.io", "1.0", "2010-01-13"),
    )
    mention = "INSERT INTO feature_mentions SELECT id, ?, ?, 'x' FROM changes WHERE key = ?"
    rows = [("cg.used", "name", "uses"), ("cg.used", "name", "uses2"), ("ns.used", "name", "uses2")]
    write(store, mention, *((f, by, key_of(name)) for f, by, name in [*rows, ("cg.b", "commit", "brought")]))
    return store


def test_unused_features_are_those_no_engine_names(engine: Store) -> None:
    """With release, days until the engines' newest change, and how fast the family was taken up."""
    rows = engine.ask("unused-features")
    assert only(rows, "id release days mechanisms family_lag family_used has_name brought_by_id") == [
        # cg.used was taken up after 90 days (v1.0, day 100), ns.used after 180: the median of both is 135.
        ("cg.b", "1.0", 200, "cg.pids, ns.pid", 135, 2, 1, short("brought")),
        ("cg.plain", "1.0", 199, "fs.overlay", None, 0, 0, None),
        ("cg.a", "3.0", 180, "cg.pids", 90, 1, 1, None),
    ]
    assert only(rows[:1], "title confidence release_date title_named engines read_to") == [
        ("file.b", "high", "2010-01-11", 0, "docker", "2010-07-30"),
    ]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"named": 1}, "cg.b cg.plain cg.named cg.a"),
        ({"nameless": 0}, "cg.b cg.a"),
        ({"undated": 1}, "cg.b cg.plain cg.a cg.undated"),
        ({"without": "view."}, "cg.b cg.plain req.a cg.a"),
        ({"without": "cg. req."}, ""),
        ({"least": 190}, "cg.b cg.plain"),
        ({"least": -9999}, "cg.b cg.plain cg.a cg.young"),
        ({"least": -9999, "since": 2011}, "cg.young"),
        ({"mechanism": "ns.%"}, "cg.b"),
        ({"limit": 1}, "cg.b"),
    ],
)
def test_unused_features_by_parameter(engine: Store, settings: dict[str, str | int], found: str) -> None:
    """What is left out by default is one setting away."""
    assert [row["id"] for row in engine.ask("unused-features", **settings)] == found.split()


def test_unused_features_show_the_words_of_a_title(engine: Store) -> None:
    """A feature with no name to search for, whose title stands in an engine's text, is shown with that text."""
    rows = engine.ask("unused-features", named=1, mechanism="cg.io")
    assert only(rows, "id title_named title_id") == [("cg.named", 1, short("titled"))]


def test_unused_features_need_an_engine(engine: Store) -> None:
    """Where no engine was read nothing is called unused."""
    assert [row["title"] for row in engine.ask("unused-features", project="podman")] == [
        "No source of an engine like podman was read; `kminer sync` reads them."
    ]


# --- untouched-pairs


def _scattered(store: Store) -> list[tuple[str, set[str], set[str]]]:
    """Two hundred labelled commits with mechanisms and dimensions by chance, but never cg.io with network."""
    chance = random.Random(3)
    all_mechanisms, rows = ("cg.io", "cg.memory", "ns.net", "ns.user", "cg.rdma"), []
    for number in range(200):
        mechanisms = set(chance.sample(all_mechanisms, chance.choice([1, 1, 2])))
        dimensions = set(chance.sample(["network", "memory", "cpu", "time"], chance.choice([0, 1, 2])))
        if "cg.io" in mechanisms:
            dimensions -= {"network"}
        if "ns.user" in mechanisms:
            mechanisms -= {"ns.net"}
        rows.append((f"c{number}", mechanisms, dimensions))
    store.fill(RELEASES, placed(*(change(name, number / 10) for number, (name, _, _) in enumerate(rows))))
    give_all(store, [(name, "bug", mechanisms, dimensions) for name, mechanisms, dimensions in rows])
    return rows


@pytest.mark.parametrize("pair", ["dimension", "mechanism"])
@pytest.mark.parametrize("mixed", [0, 1])
@pytest.mark.parametrize("most", [0, 15])
def test_untouched_pairs_against_a_count_in_python(store: Store, pair: str, mixed: int, most: int) -> None:
    """Expected is the product of both counts over all changes; shown are the pairs that meet at most so often."""
    rows = [(name, a, a if pair == "mechanism" else b) for name, a, b in _scattered(store)]
    rows = [row for row in rows if not mixed or len(row[2]) > 1]
    firsts, seconds = ({one for row in rows for one in row[axis]} for axis in (1, 2))
    wanted = []
    for a in firsts:
        for b in seconds:
            with_a, with_b = ([row[0] for row in rows if one in row[axis]] for axis, one in ((1, a), (2, b)))
            both = [name for name in with_a if name in with_b]
            if (pair == "dimension" or a < b) and len(with_a) >= 5 and len(with_b) >= 5 and len(both) <= most:
                expected = len(with_a) * len(with_b) / len(rows)
                together = short(both[-1]) if both else None
                wanted.append((-expected, a, b, len(both), short(with_a[-1]), short(with_b[-1]), together))
    found = store.ask("untouched-pairs", pair=pair, mixed=mixed, most=most, least=5, limit=-1)
    columns = "mechanism other together mechanism_id other_id together_id"
    assert only(found, columns) == [row[1:] for row in sorted(wanted)]
    assert [row["expected"] for row in found] == pytest.approx([-row[0] for row in sorted(wanted)], abs=0.051)
    assert {row["read"] for row in found} == {len(rows)}
    assert wanted


def test_untouched_pairs_need_labels(broken: Store) -> None:
    """Paths give no dimensions: without labels it says so, and a misspelt axis is told."""
    said = [row["remark"] for row in broken.ask("untouched-pairs")]
    assert said == ["No relevant change of linux is labelled: `kminer classify` does it."]
    assert [row["remark"] for row in broken.ask("untouched-pairs", pair="kind")] == [
        "pair=kind: it is dimension or mechanism."
    ]


def test_untouched_pairs_show_a_patch_by_its_message_id(store: Store) -> None:
    """What a patch touches counts, and its whole key is the evidence."""
    posted = "20100301.four@example.org"
    store.fill(RELEASES, [*placed(change("one", 1)), patch(posted, 2, "ns: two")])
    give_all(store, [("one", "bug", ("cg.io",), ("disk-io",)), (posted, "bug", ("ns.net",), ("network",))])
    rows = store.ask("untouched-pairs", least=1)
    assert only(rows, "mechanism other expected mechanism_id other_id") == [
        ("cg.io", "network", 0.5, short("one"), posted), ("ns.net", "disk-io", 0.5, posted, short("one")),
    ]  # fmt: skip
    assert store.ask("untouched-pairs", least=1, type="commit") == []


# --- resources


@pytest.fixture
def shared(store: Store) -> Store:
    """Five resources, works that speak of them, and changes with their words."""
    store.fill(RELEASES, [*placed(change("one", 1), change("two", 2), change("off", 3)), patch("p@x", 370, "Bound it")])
    give(store, "off", relevant=False)
    sql = (
        "INSERT INTO resources VALUES (?, ?, 'R', ?, 'nothing', ?, '', '', '', ?, '', '', '', '', ?, 'all wait', "
        "'yes', '', '', 'high', 'read in the tree')"
    )
    write(
        store, sql,
        ("vfs.lock", "vfs", "lock", "no", "no", "none"), ("vfs.table", "vfs", "quantity", "no", "no", "global"),
        ("net.table", "net", "quantity", "partly", "no", "user global"),
        ("net.sock", "net", "quantity", "net", "no", "none"),
        ("mem.page", "memory", "quantity", "no", "yes", "cgroup"), ("view.a", "view", "view", "no", "no", "none"),
        ("vfs.quota", "vfs", "quantity", "no", "no", "filesystem project-quota"),
        ("vfs.ns", "vfs", "quantity", "partly", "no", "namespace"),
    )  # fmt: skip
    write(
        store, "INSERT INTO resource_papers VALUES (?, ?, ?)",
        ("vfs.table", "paper-b", 1), ("vfs.table", "paper-a", 0), ("vfs.lock", "paper-a", 0),
    )  # fmt: skip
    write(
        store, "INSERT INTO resource_changes SELECT 'vfs.table', id, ? FROM changes WHERE key = ?",
        *(("t", key_of(name)) for name in ("one", "two", "off")), ("u", key_of("two")), ("t", "p@x"),
    )  # fmt: skip
    return store


def test_unbounded_resources_have_no_bound_of_a_container(shared: Store) -> None:
    """No namespace, no charge, at most a global limit; without any limit first, views and settings left out."""
    rows = shared.ask("unbounded-resources")
    assert only(rows, "id limited papers changes newest_id newest_date newest confidence") == [
        ("vfs.lock", "none", "paper-a", 0, None, None, None, "high"),
        ("vfs.table", "global", "paper-a, paper-b*", 3, "p@x", "2011-01-06", "Bound it", "high"),
    ]
    assert only(shared.ask("unbounded-resources", strict=0), "id") == [("vfs.lock",), ("vfs.table",), ("net.table",)]
    assert only(shared.ask("unbounded-resources", without="lock"), "id") == [("view.a",), ("vfs.table",)]
    assert only(shared.ask("unbounded-resources", area="vfs", since=2011), "id changes") == [
        ("vfs.lock", 0), ("vfs.table", 1),
    ]  # fmt: skip


def test_resources_are_the_whole_matrix(shared: Store) -> None:
    """Every resource, by area, with works and changes counted once."""
    rows = shared.ask("resources")
    assert [row["id"] for row in rows] == [
        "mem.page", "net.sock", "net.table", "vfs.lock", "vfs.ns", "vfs.quota", "vfs.table", "view.a",
    ]  # fmt: skip
    assert only(rows[6:7], "limited papers from_memory changes newest_id at_exhaustion leak") == [
        ("global", 2, 1, 3, "p@x", "all wait", "yes"),
    ]
    assert only(shared.ask("resources", area="net", kind="quantity"), "id limited") == [
        ("net.sock", "none"), ("net.table", "user, global"),
    ]  # fmt: skip


# --- performance-signals


@pytest.fixture
def slow(store: Store) -> Store:
    """Complaints and mends of memcg's charging and of network namespaces' teardown."""
    posted = "20100401.slow@example.org"
    pick = change("pick", 95, "memcg: batch charges", backport_of="mend")
    store.fill(
        RELEASES,
        [
            *placed(
                change("early", 1, "memcg: counters", "memcg: counters\n\nThe charge path has lock contention."),
                change("mend", 10, "memcg: batch charges", "memcg: batch charges\n\nMuch faster."),
                change("again", 20, "memcg: limits", "memcg: limits\n\nUncharging is a bottleneck with many CPUs."),
                change("content", 21, "memcg: show", "memcg: show\n\nThe content of the charge file is shown."),
                change("far", 22, "memcg: far", "memcg: far\n\nslow " + "word " * 30 + "charge"),
                change("tidy", 23, "memcg: tidy", "memcg: tidy\n\nThe charge path is slow to read."),
                change("off", 24, "nvme: slow charge"),
                change("exit", 30, "netns: exit takes seconds"),
                pick,
            ),
            patch(posted, 90, "memcg: stop", "memcg: stop\n\nCharging is still slow."),
            patch("20100402.slow@example.org", 91, "memcg: stop", "memcg: stop\n\nCharging is still slow. v2"),
        ],
    )
    memory: tuple[str, ...] = ("cg.memory",)
    give_all(store, [(name, "feature", memory, ()) for name in ("early", "again", "content", "far")])
    give_all(
        store, [(name, "performance", memory, ()) for name in ("mend", "pick", posted, "20100402.slow@example.org")]
    )
    give(store, "tidy", "maintenance", memory)
    give(store, "exit", "bug", ("ns.net",))
    give(store, "off", "bug", memory, relevant=False)
    return store


def test_performance_signals_count_from_the_last_mend(slow: Store) -> None:
    """A complaint stands near the word of the cost; a patch of kind performance is one until it lands."""
    rows = slow.ask("performance-signals")
    columns = "mechanism topic complaints since_mend mended first_year last_year complaint_id complaint_date"
    columns += " mend_id mend_date days"
    assert only(rows, columns) == [
        ("cg.memory", "charging", 3, 2, 1, 2010, 2010, "20100402.slow@example.org", "2010-04-02", short("mend"),
         "2010-01-11", 85),
        ("ns.net", "teardown", 1, 1, 0, 2010, 2010, short("exit"), "2010-01-31", None, None, None),
    ]  # fmt: skip
    assert only(rows, "complaint mend remark") == [
        ("memcg: stop", "memcg: batch charges", None), ("netns: exit takes seconds", None, None),
    ]  # fmt: skip


def test_performance_signals_take_a_landed_patch_for_a_mend(slow: Store) -> None:
    """Merged work of kind performance is a mend, wherever it was seen to be merged."""
    write(
        slow, "INSERT INTO landings SELECT id, 'title', 'linux', '', title, date, 1 FROM changes WHERE key = ?",
        ("20100401.slow@example.org",),
    )  # fmt: skip
    row = slow.ask("performance-signals", mechanism="cg.%")[0]
    assert only([row], "complaints since_mend mended mend_id") == [(2, 0, 2, "20100401.slow@example.org")]


def test_performance_signals_by_parameter(slow: Store) -> None:
    """A cost, a wider or narrower neighbourhood, a year."""
    assert only(slow.ask("performance-signals", topic="teardown"), "mechanism") == [("ns.net",)]
    assert slow.ask("performance-signals", mechanism="cg.%", near=40)[0]["complaints"] == 4
    for near in (0, -1):
        assert only(slow.ask("performance-signals", near=near), "mechanism complaints mended") == [
            ("ns.net", 1, 0), ("cg.memory", 0, 1),
        ]  # fmt: skip
    assert slow.ask("performance-signals", since=2011) == []
    assert len(slow.ask("performance-signals", limit=1)) == 1


def test_performance_signals_without_labels_say_so(store: Store) -> None:
    """Words alone still find complaints, under the mechanisms of paths; that nothing is labelled comes with them."""
    store.fill(RELEASES, placed(change("one", 1, "memcg: charging is slow", paths=("mm/memcontrol.c",))))
    rows = store.ask("performance-signals")
    assert only(rows, "mechanism complaints mended complaint_id remark") == [
        ("cg.memory", 1, 0, short("one"), None),
        (None, 0, 0, None, "No change of linux is labelled: `kminer classify` tells what is performance work."),
    ]


# --- trends


def _mann_kendall(years: Sequence[int], values: Sequence[float]) -> tuple[int, float, float, float, float]:
    """S, its variance, Z, two-sided p and Sen's slope, the textbook's way."""
    pairs = list(combinations(range(len(values)), 2))
    s = sum((values[j] > values[i]) - (values[j] < values[i]) for i, j in pairs)
    n = len(values)
    ties = [values.count(value) for value in set(values)]
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    z = 0.0 if s == 0 or variance == 0 else (s - math.copysign(1, s)) / math.sqrt(variance)
    slope = statistics.median((values[j] - values[i]) / (years[j] - years[i]) for i, j in pairs)
    return s, variance, z, math.erfc(abs(z) / math.sqrt(2)), slope


_SERIES = {
    "cg.memory": [9, 1, 2, 2, 5, 7, 6, 9, 12, 15, 9],
    "cg.io": [9, 8, 8, 6, 5, 5, 3, 1, 1, 0, 9],
    "cg.pids": [9, 4, 4, 4, 4, 4, 4, 4, 4, 4, 9],
    "cg.rdma": [9, 0, 0, 0, 1, 0, 3, 0, 0, 2, 9],
    "ns.net": [9, 3, 1, 4, 1, 5, 9, 2, 6, 5, 9],
}


def _years(store: Store, series: dict[str, list[int]]) -> None:
    """Commits of each mechanism, so many a year from 2010 on."""
    changes, rows = [], []
    for letter, (mechanism, counts) in zip("abcdefgh", series.items(), strict=False):
        for year, count in enumerate(counts):
            for number in range(count):
                name = f"{letter}{year}.{number}"  # six characters at most: more are not in the id
                changes.append(change(name, year * 365.25 + 30 + number))
                rows.append((name, "bug", (mechanism,), ()))
    store.fill(RELEASES, placed(*changes))
    give_all(store, rows)


@pytest.mark.parametrize("measure", ["share", "count"])
def test_trends_against_the_textbook(store: Store, measure: str) -> None:
    """S, variance with ties, Z, p and Sen's slope are those of a computation of their own; so is the verdict."""
    _years(store, _SERIES)
    years = range(2011, 2020)
    sums = [sum(counts[year] for counts in _SERIES.values()) for year in range(1, 10)]
    rows = {row["mechanism"]: row for row in store.ask("trends", measure=measure, least=1)}
    assert rows.keys() == _SERIES.keys()
    for mechanism, counts in _SERIES.items():
        kept = counts[1:10]
        values = [100 * n / total for n, total in zip(kept, sums, strict=True)] if measure == "share" else kept
        s, variance, z, p, slope = _mann_kendall(years, values)
        row = rows[mechanism]
        assert row["s"] == s
        assert (row["variance"], row["z"], row["slope"]) == pytest.approx((variance, z, slope), abs=6e-5)
        assert row["p"] == pytest.approx(p, abs=2e-6)
        assert row["verdict"] == ("no trend" if p >= 0.05 else "rising" if s > 0 else "falling")
        assert row["counts"] == " ".join(f"{year}:{n}" for year, n in zip(years, kept, strict=True))
        assert (row["years"], row["first_year"], row["last_year"], row["changes"]) == (9, 2011, 2019, sum(kept))
    order = [(row["verdict"] == "no trend", row["verdict"] == "falling", -abs(row["slope"])) for row in rows.values()]
    assert order == sorted(order)
    assert {row["verdict"] for row in rows.values()} == {"rising", "falling", "no trend"}
    assert rows["cg.memory"]["newest_id"] == short("a9.14")


@pytest.mark.parametrize("seed", range(5))
def test_trends_of_chance(store: Store, seed: int) -> None:
    """Whatever the counts, down to no change in a year, the figures are the textbook's."""
    chance = random.Random(seed)
    series = {f"cg.m{n}": [9, *chance.choices([0, 0, 1, 2, 3], k=chance.randint(4, 12)), 9] for n in range(4)}
    _years(store, series)
    last = max(len(counts) for counts in series.values()) - 1
    padded = {m: [*counts, *[0] * (last + 1 - len(counts))][1:last] for m, counts in series.items()}
    sums = [sum(column) for column in zip(*padded.values(), strict=True)]
    kept = [place for place, total in enumerate(sums) if total]
    for row in store.ask("trends", least=1):
        values = [100 * padded[row["mechanism"]][place] / sums[place] for place in kept]
        s, variance, z, p, slope = _mann_kendall([2011 + place for place in kept], values)
        assert row["s"] == s
        assert (row["variance"], row["z"], row["slope"]) == pytest.approx((variance, z, slope), abs=6e-5)
        assert row["p"] == pytest.approx(p, abs=2e-6)


def test_trends_need_four_whole_years(store: Store) -> None:
    """The first and last year do not count; of three no verdict is given, of none it is told."""
    _years(store, {"cg.memory": [9, 1, 2, 3, 9]})
    assert only(store.ask("trends", least=1), "mechanism verdict years first_year last_year") == [
        ("cg.memory", "too few years", 3, 2011, 2013),
    ]
    assert only(store.ask("trends", least=1, from_year=2012, to_year=2012), "years counts") == [(1, "2012:2")]
    assert store.ask("trends", least=7) == []
    assert [row["remark"] for row in store.ask("trends", from_year=2014)] == [
        "No whole year of linux was read: the first and the last do not count."
    ]
    assert [row["remark"] for row in store.ask("trends", measure="rank")] == ["measure=rank: it is share or count."]


def test_trends_without_labels_go_by_paths(store: Store) -> None:
    """Unlabelled changes count under the mechanisms of their paths, and the row says how many."""
    memory = ("mm/memcontrol.c",)
    store.fill(RELEASES, placed(*(change(f"c{n}", 366 * n, paths=memory) for n in range(7))))
    assert only(store.ask("trends", least=1), "mechanism changes verdict remark") == [
        ("cg.memory", 5, "no trend", "5 of these changes are not labelled: see `kminer classify`."),
    ]


def test_trends_leave_out_picks_and_what_is_off_topic(store: Store) -> None:
    """A pick of a held commit is no work of its own."""
    pick = replace(change("pick", 400), references=(Reference("backport-of", short("y1"), key_of("y1")),))
    store.fill(RELEASES, placed(change("y0", 1), change("y1", 380), pick, change("off", 390), change("y2", 800)))
    give_all(store, [(name, "bug", ("cg.io",), ()) for name in ("y0", "y1", "pick", "y2")])
    give(store, "off", "bug", ("cg.io",), relevant=False)
    assert only(store.ask("trends", least=1), "counts changes newest_id") == [("2011:1", 1, short("y1"))]
