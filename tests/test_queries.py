"""Saved queries: the shipped ones, and how any query is run and shown."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kminer import catalogue, queries
from kminer.errors import CatalogueError, QueryError, UsageError
from kminer.records import (
    Change,
    ChangedPath,
    Classification,
    Label,
    Moment,
    Parameter,
    Person,
    Reference,
    Release,
    SavedQuery,
    Source,
    Study,
    TrackedPath,
    Vote,
)
from kminer.store import labels, writer
from kminer.store.database import open_for_reading, open_for_writing

DAY = 86400
START = 1_262_304_000  # 2010-01-01
SHIPPED = catalogue.load_queries()
QUERY_FILES = sorted(Path(__file__).parents[1].joinpath("queries").glob("*.sql"))
MUST_BE_GIVEN = {"from": "v1.0", "to": "v2.0", "release": "v1.0", "tag": "v1.0"}
Row = dict[str, Any]


def on_day(day: float) -> Moment:
    """A moment so many days after the beginning of 2010."""
    return Moment(START + int(day * DAY))


def key_of(name: str) -> str:
    """A full commit id for a short name."""
    return name.encode().hex().ljust(40, "0")


def short(name: str) -> str:
    """The id of the commit `name` as queries show it."""
    return key_of(name)[:12]


def change(
    name: str,
    day: float,
    title: str = "",
    text: str = "",
    *,
    type: str = "commit",
    paths: tuple[str, ...] = (),
    author: str = "Ann",
    written: float | None = None,
    people: tuple[Person, ...] = (),
    **references: str,
) -> Change:
    """A change of `author`; a reference is given as its type with _ for -, and the name of the commit it means."""
    title = title or f"Change {name}"
    found = [
        Reference("cve" if kind == "cve" else kind.replace("_", "-"), *_reference(kind, value))
        for kind, values in references.items()
        for value in values.split()
    ]
    mail = f"{author.lower()}@example.org"
    return Change(
        type=type,
        key=key_of(name),
        title=title,
        text=text or title,
        encoding="utf-8",
        authored=on_day(day if written is None else written),
        committed=on_day(day),
        people=(Person("author", author, mail), Person("committer", "Carl", "carl@example.org"), *people),
        paths=tuple(ChangedPath(path, "M", "mm/memcontrol.c" if path.startswith("mm/") else path) for path in paths),
        references=tuple(found),
        matched_by=("path",),
    )


def _reference(kind: str, value: str) -> tuple[str, str | None]:
    return (value, None) if kind == "cve" else (short(value), key_of(value))


def release(position: int, tag: str, series: str, previous: str | None, day: float) -> Release:
    """The release `tag` ("v" and its version)."""
    kind = "rc" if "rc" in tag else "final"
    return Release(tag, tag.removeprefix("v"), kind, series, position, key_of(tag), on_day(day), previous)


class Store:
    """A database that a test fills by hand with one source."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(
        self, releases: list[Release], changes: list[tuple[Change, str | None, str | None]], project: str = "linux"
    ) -> None:
        """Save releases and (change, first candidate, first final release)."""
        source = Source(
            id=project,
            kind="git",
            project=project,
            title="A test",
            commit_url="https://example.org/{id}",
            paths=(
                TrackedPath("mm/memcontrol.c", mechanisms=("cg.memory",)),
                TrackedPath("fs/namespace.c", mechanisms=("ns.mnt", "ns.core")),
                TrackedPath("daemon/graphdriver/overlay2/overlay.go", mechanisms=("fs.driver",)),
            ),
        )
        with open_for_writing(self.path) as db:
            db.execute("BEGIN")
            writer.save_source(db, source)
            writer.save_changes(db, source.id, "definition", [row[0] for row in changes])
            writer.save_releases(db, source.id, releases)
            writer.save_first_releases(db, source.id, [(row[0].key, row[1], row[2]) for row in changes])
            facts: dict[str, object] = {
                "location": "/nowhere", "definition": "definition", "since": None, "shallow": 0, "commits": 1,
                "synced_at": "2010-12-31T00:00:00Z",
            }  # fmt: skip
            writer.save_cursor(db, source.id, [], facts)
            db.execute("COMMIT")

    def label(
        self, name: str, kind: str, *mechanisms: str, relevant: bool = True, flags: tuple[str, ...] = (),
        votes: tuple[tuple[str, str, float], ...] = (), given_by: str = "votes",
    ) -> None:  # fmt: skip
        """Label the commit `name`; `votes` of voters for mechanisms are (mechanism, voter, score)."""
        given = [("relevant", "yes" if relevant else "no"), ("kind", kind), *(("mechanism", m) for m in mechanisms)]
        given += [("flag", flag) for flag in flags]
        with open_for_writing(self.path) as db:
            db.execute("BEGIN")
            number = db.execute("SELECT id FROM changes WHERE key = ?", (key_of(name),)).fetchone()[0]
            found = Classification(
                str(number), "1", "",
                tuple(Label(axis, label, 0.75) for axis, label in given),
                tuple(Vote("mechanism", label, voter, score, "1", f"by {voter}") for label, voter, score in votes),
            )  # fmt: skip
            labels.save_classifications(db, [found], {}, given_by, {})
            db.execute("COMMIT")

    def ask(self, name: str, **settings: str | int) -> list[Row]:
        """The rows of the shipped query `name`; a trailing _ of a setting's name is dropped (from_)."""
        given = {key.rstrip("_"): value for key, value in settings.items()}
        db = open_for_reading(self.path)
        try:
            return list(queries.run(db, SHIPPED[name], given).dicts())
        finally:
            db.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "k.db")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "empty.db"
    with open_for_writing(path):
        pass
    db = open_for_reading(path)
    yield db
    db.close()


def saved(sql: str, *parameters: Parameter) -> SavedQuery:
    """A query of the user's own."""
    return SavedQuery("own", "Own", "To test", parameters, sql, "own.sql")


# --- what is shipped


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_query_runs_on_an_empty_store(name: str, database: sqlite3.Connection) -> None:
    """Every shipped query prepares and runs on a store that holds nothing, and names its columns readably."""
    query = SHIPPED[name]
    given = {p.name: MUST_BE_GIVEN.get(p.name, "x") for p in query.parameters if p.default is None}
    answer = queries.run(database, query, given)
    assert answer.columns
    assert len(set(answer.columns)) == len(answer.columns)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", column) for column in answer.columns)


@pytest.mark.parametrize("file", QUERY_FILES, ids=lambda file: file.stem)
def test_shipped_query_has_a_whole_head(file: Path) -> None:
    """Every query says what it is and why one would ask, and declares exactly the parameters that it uses."""
    query = catalogue.read_query(file)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", query.name)
    assert query.title
    assert query.why
    code = re.sub(r"'[^']*'", "''", re.sub(r"--[^\n]*", "", query.sql))
    declared = [parameter.name for parameter in query.parameters]
    assert len(set(declared)) == len(declared)
    assert set(re.findall(r":([a-z_]+)", code)) == set(declared)


def test_at_least_twelve_queries_are_shipped() -> None:
    """The questions that the first release promises are there."""
    asked = {
        "releases", "mechanisms", "mechanism-years", "files", "people", "summaries", "new-between", "reverts",
        "bug-lifetimes", "bugs", "fix-of-fix", "overlay2", "kernel-versions", "cves", "backports", "missing-fixes",
    }  # fmt: skip
    assert asked <= SHIPPED.keys()


# --- new-between


@pytest.fixture
def lines(store: Store) -> Store:
    """Main line v1.0, v2.0-rc1, v2.0, v3.0; the line v1.0.1 left it at v1.0, v2.0.1 at v2.0."""
    store.fill(
        [
            release(0, "v1.0", "1.0", None, 10),
            release(1, "v1.0.1", "1.0", "v1.0", 25),
            release(2, "v2.0-rc1", "2.0", "v1.0", 20),
            release(3, "v2.0", "2.0", "v2.0-rc1", 30),
            release(4, "v2.0.1", "2.0", "v2.0", 35),
            release(5, "v3.0-rc1", "3.0", "v2.0", 36),
            release(6, "v3.0-rc2", "3.0", "v3.0-rc1", 38),
            release(7, "v3.0", "3.0", "v3.0-rc2", 40),
        ],
        [
            (change("old", 5), None, "v1.0"),
            (change("side", 24, backport_of="rcone"), None, "v1.0.1"),
            (change("rcone", 15, paths=("mm/memcontrol.c",)), "v2.0-rc1", "v2.0"),
            (change("late", 28, paths=("fs/namespace.c",)), None, "v2.0"),
            (change("point", 34), None, "v2.0.1"),
            (change("three", 36), "v3.0-rc1", "v3.0"),
            (change("threelate", 37), "v3.0-rc2", "v3.0"),
            (change("future", 50), None, None),
        ],
    )
    return store


def ids(rows: list[Row]) -> list[str]:
    """The ids of rows, in their order."""
    return [row["id"] for row in rows]


def only(rows: list[Row], columns: str) -> list[tuple[object, ...]]:
    """Some columns of rows, named with blanks between."""
    return [tuple(row[column] for column in columns.split()) for row in rows]


def test_new_between_lists_what_the_target_brings(lines: Store) -> None:
    """Between two releases lie the changes first released after the one and up to the other, oldest release first."""
    assert ids(lines.ask("new-between", from_="v1.0", to="v2.0")) == [short("rcone"), short("late")]


def test_new_between_leaves_out_side_branches(lines: Store) -> None:
    """Point releases of lines that the target did not come from bring nothing to it."""
    assert ids(lines.ask("new-between", from_="v1.0", to="v3.0")) == [
        short("rcone"), short("late"), short("three"), short("threelate"),
    ]  # fmt: skip


def test_new_between_includes_the_targets_own_point_releases(lines: Store) -> None:
    """On the way to a point release, those of its own line count."""
    assert ids(lines.ask("new-between", from_="v2.0", to="v2.0.1")) == [short("point")]


def test_new_between_takes_candidates_at_their_word(lines: Store) -> None:
    """A candidate, as start or as end, holds just what was in it, though the change's final release is the same."""
    assert ids(lines.ask("new-between", from_="v2.0", to="v3.0-rc1")) == [short("three")]
    assert ids(lines.ask("new-between", from_="v3.0-rc1", to="v3.0")) == [short("threelate")]


def test_new_between_tells_what_the_old_line_has_already(lines: Store) -> None:
    """A change that was picked to the line one comes from is new as a commit, but named with that release."""
    rows = lines.ask("new-between", from_="v1.0.1", to="v2.0")
    assert [(row["id"], row["picked_before_in"]) for row in rows] == [
        (short("rcone"), "v1.0.1"),
        (short("late"), None),
    ]


def test_new_between_shows_where_and_what(lines: Store) -> None:
    """A row has all that a reader needs to judge the change and to find it."""
    row = lines.ask("new-between", from_="v1.0", to="v2.0", mechanism="ns.%")[0]
    assert row == {
        "release": "v2.0", "date": "2010-01-29", "type": "commit", "kind": None, "flags": None,
        "mechanisms": "ns.core, ns.mnt", "id": short("late"), "title": "Change late", "author": "Ann",
        "picked_before_in": None, "link": f"https://example.org/{key_of('late')}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"from_": "v1.0", "to": "v9"}, "No release of linux is tagged v9; `kminer releases` lists them."),
        ({"from_": "1.0", "to": "v2.0"}, "No release of linux is tagged 1.0; `kminer releases` lists them."),
        ({"from_": "v2.0", "to": "v1.0"}, "v2.0 does not come before v1.0: nothing lies between them."),
        ({"from_": "v1.0", "to": "v2.0", "project": "x"}, "No source of project x is in this database."),
    ],
)
def test_new_between_says_what_is_wrong(lines: Store, settings: dict[str, str], problem: str) -> None:
    """A misspelt tag or project is told, never answered by an empty table."""
    assert [row["title"] for row in lines.ask("new-between", **settings)] == [problem]


def test_new_between_follows_minor_versions_of_a_long_series(store: Store) -> None:
    """Where a series is a whole major version, a minor version made from the main line counts like a first final."""
    store.fill(
        [
            release(0, "v27.0.1", "27", None, 10),
            release(1, "v28.0.0", "28", "v27.0.1", 20),
            release(2, "v28.1.0-rc.1", "28", "v28.0.0", 25),
            release(3, "v28.1.0", "28", "v28.1.0-rc.1", 26),
            release(4, "v28.1.1", "28", "v28.1.0", 27),
            release(5, "v29.0.0", "29", "v28.0.0", 40),
        ],
        [
            (change("trunk", 24), "v28.1.0-rc.1", "v28.1.0"),
            (change("picked", 25, backport_of="trunk2"), None, "v28.1.0"),
            (change("point", 27), None, "v28.1.1"),
            (change("trunk2", 30), None, "v29.0.0"),
        ],
        project="docker",
    )
    rows = store.ask("new-between", project="docker", from_="v28.0.0", to="v29.0.0")
    assert ids(rows) == [short("trunk"), short("trunk2")]


# --- bugs and their fixes


@pytest.fixture
def bugs(store: Store) -> Store:
    """Two bugs, three fixes, one of them a fix of a fix, picks of a fix and one bug outside the store."""
    store.fill(
        [
            release(0, "v1.0", "1.0", None, 10),
            release(1, "v2.0", "2.0", "v1.0", 20),
            release(2, "v2.0.1", "2.0", "v2.0", 50),
            release(3, "v3.0", "3.0", "v2.0", 30),
            release(4, "v4.0-rc1", "4.0", "v3.0", 40),
        ],
        [
            (change("bug", 1, paths=("mm/memcontrol.c",)), None, "v1.0"),
            (change("fix", 21, paths=("mm/memcontrol.c",), fixes="bug"), None, "v3.0"),
            (change("pick", 45, fixes="bug", backport_of="fix"), None, "v2.0.1"),
            (change("refix", 35, paths=("fs/namespace.c",), fixes="fix"), "v4.0-rc1", None),
            (change("third", 36, fixes="refix"), "v4.0-rc1", None),
            (change("elsewhere", 22, fixes="unknown"), None, "v3.0"),
        ],
    )
    return store


def test_bug_lifetimes_count_days_and_releases(bugs: Store) -> None:
    """A bug lives from its commit to its fix's, through the final releases in between; a pick is no second fix."""
    rows = bugs.ask("bug-lifetimes")
    assert only(rows, "days releases bug_id bug_release id fix_release mechanisms") == [
        # v1.0, v2.0 and v2.0.1 went out with it, as versions go.
        (20, 3, short("bug"), "v1.0", short("fix"), "v3.0", "cg.memory"),
        (14, 1, short("fix"), "v3.0", short("refix"), "v4.0-rc1", "ns.core, ns.mnt"),
        # Neither is in a final release: nobody met it.
        (1, 0, short("refix"), "v4.0-rc1", short("third"), "v4.0-rc1", None),
    ]


def test_bugs_are_summed_per_mechanism(bugs: Store) -> None:
    """Per mechanism and for all: fixes, bugs that the store does not hold, median and longest life."""
    rows = {row["mechanism"]: row for row in bugs.ask("bugs")}
    assert list(rows) == ["(all)", "(no mechanism)", "cg.memory", "ns.core", "ns.mnt"]
    assert rows["(all)"] == {
        "mechanism": "(all)", "fixes": 4, "bugs_outside_store": 1, "bugs": 3, "never_released": 1, "median_days": 14,
        "longest_days": 20, "most_releases": 3,
    }  # fmt: skip
    assert rows["cg.memory"]["median_days"] == 20
    assert (rows["(no mechanism)"]["fixes"], rows["(no mechanism)"]["bugs_outside_store"]) == (2, 1)


def test_fix_of_fix_follows_chains(bugs: Store) -> None:
    """A chain is told by each of its fixes after the first, the longest first, with the bug that began it."""
    assert only(bugs.ask("fix-of-fix"), "fixes id fixed_id first_bug_id days") == [
        (3, short("third"), short("refix"), short("bug"), 35),
        (2, short("refix"), short("fix"), short("bug"), 34),
    ]


def test_fix_of_fix_ends_in_a_circle(store: Store) -> None:
    """Changes that claim to fix each other, as no git history can but a rewritten one may, end no query."""
    store.fill(
        [release(0, "v1.0", "1.0", None, 10)],
        [
            (change("root", 1), None, "v1.0"),
            (change("one", 2, fixes="root two"), None, "v1.0"),
            (change("two", 3, fixes="one"), None, "v1.0"),
            (change("self", 4, fixes="self"), None, "v1.0"),
        ],
    )
    assert [(row["fixes"], row["id"]) for row in store.ask("fix-of-fix")] == [(2, short("two"))]


def test_missing_fixes_are_those_after_the_release(bugs: Store) -> None:
    """A release lacks the fixes of its bugs that came later, but not one that was picked to its line."""
    assert [(row["id"], row["bug_id"]) for row in bugs.ask("missing-fixes", release="v2.0")] == [
        (short("fix"), short("bug")),
    ]
    assert bugs.ask("missing-fixes", release="v2.0.1") == []
    assert [row["id"] for row in bugs.ask("missing-fixes", release="v3.0")] == [short("refix")]
    assert "is tagged v9" in bugs.ask("missing-fixes", release="v9")[0]["fix"]


# --- reverts and backports


def test_reverts_tell_days_and_new_attempts(store: Store) -> None:
    """A later change of the same title is a new attempt, unless it is the old commit on another branch."""
    store.fill(
        [release(0, "v1.0", "1.0", None, 10), release(1, "v2.0", "2.0", "v1.0", 60)],
        [
            (change("good", 1, "memcg: idea"), None, "v1.0"),
            (change("undo", 8, 'Revert "memcg: idea"', reverts="good"), None, "v1.0"),
            (change("branch", 20, "memcg: idea", written=1), None, "v2.0"),
            (change("pick", 21, "memcg: idea", backport_of="good"), None, "v2.0"),
            (change("again", 30, "memcg: idea"), None, "v2.0"),
            (change("bad", 31, "memcg: other"), None, "v2.0"),
            (change("undo2", 32, 'Revert "memcg: other"', reverts="bad"), None, "v2.0"),
            (change("redo2", 33, 'Reapply "memcg: other"'), None, "v2.0"),
            (change("undo3", 40, "Drop it", reverts="unknown"), None, "v2.0"),
        ],
    )
    assert only(store.ask("reverts"), "id reverted_id reverted days again_id again_release") == [
        (short("undo3"), short("unknown"), None, None, None, None),
        (short("undo2"), short("bad"), "memcg: other", 1, short("redo2"), "v2.0"),
        (short("undo"), short("good"), "memcg: idea", 7, short("again"), "v2.0"),
    ]


def test_backports_name_both_releases(bugs: Store) -> None:
    """A pick stands with its line, its release, the original's release and the days between."""
    rows = bugs.ask("backports", project="linux")
    assert only(rows, "series release id upstream_id upstream_release days") == [
        ("2.0", "v2.0.1", short("pick"), short("fix"), "v3.0", 24),
    ]


# --- versions of Linux named by the engine


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("Needs kernel 4.0 to work", ["4.0"]),
        ("profiles: update to Linux 5.11 syscall list", ["5.11"]),
        ("Fix check config script on 4.8 kernels", ["4.8"]),
        ("allow ptrace for 4.8+ kernels", ["4.8"]),
        ("RHEL/CentOS 3.10 kernels lack it", ["3.10"]),
        ("overlay2: support on pre-4.0 kernels", ["4.0"]),
        ("as of Linux Kernel 4.7. Skip", ["4.7"]),
        ("fails with the v5.12 Linux kernel", ["5.12"]),
        ("kernels older than 3.18 and kernel version >= v4.5", ["3.18", "4.5"]),
        ("introduced in kernel\nv6.1-rc1 and backported", ["6.1"]),
        ("on older kernels (< 3.18) only", ["3.18"]),
        ("RHEL6 has kernel 2.6.32-431 and 2.6.32.27 kernel", ["2.6.32", "2.6.32.27"]),
        ("kernel 5.11, and again kernel 5.11", ["5.11"]),
        # Numbers that are no version of Linux.
        ("Alpine Linux 3.6 as base image", []),
        ("Oracle Linux 7.2, Red Hat Enterprise Linux 6.5", []),
        ("archlinux 4.8, linuxkit 4.9", []),
        ("RHEL 7.4 kernels are old", []),
        ("go 1.4 kernel checks", []),
        ("kernel address 3.4.5.6 is not routed", []),
        ("the kernel 3.4.5.6 is an address", []),
        ("host 192.168.3.10 kernel", []),
        ("Ubuntu 14.04 kernel", []),
        ("Docker 1.12 kernel", []),
        ("bug of the kernel\n\n4.0 is the next milestone", []),
        ("drop the kernel\n- 3.10.1 released", []),
        ("kernel 2.4 and Linux 8.1 and kernel 4.77", []),
        ("kernel 4.5GB of memory, kernel 2.6x faster", []),
        ("linux/amd64 3.10", []),
        ("kernel memory limit of 4.0", []),
        ("the kernel-memory flag, kernels", []),
    ],
)
def test_kernel_versions_are_read_from_text(store: Store, text: str, versions: list[str]) -> None:
    """Only a number right beside the word is a version of Linux: no address, distribution, Go or Docker version."""
    store.fill([release(0, "v1.0", "1.0", None, 10)], [(change("one", 1, "T", text), None, "v1.0")], project="docker")
    rows = store.ask("kernel-versions")
    assert sorted(row["kernel"] for row in rows) == versions
    assert set(only(rows, "id release")) <= {(short("one"), "v1.0")}
    assert all(row["kernel"] in row["excerpt"] for row in rows)


def test_kernel_versions_count_a_pick_once(store: Store) -> None:
    """A pick says what its original says; one whose original is not in the store is told itself."""
    store.fill(
        [release(0, "v1.0", "1.0", None, 10)],
        [
            (change("one", 1, "kernel 4.18"), None, "v1.0"),
            (change("two", 2, "kernel 4.18", backport_of="one"), None, "v1.0"),
            (change("three", 3, "kernel 4.19", backport_of="unknown"), None, "v1.0"),
        ],
        project="docker",
    )
    assert [(row["kernel"], row["id"]) for row in store.ask("kernel-versions")] == [
        ("4.19", short("three")),
        ("4.18", short("one")),
    ]
    assert ids(store.ask("kernel-versions", version="4.18%")) == [short("one")]


# --- what concerns one project, and the rest


@pytest.fixture
def engine(store: Store) -> Store:
    """An engine's few changes: overlay2 by path and by text, CVEs, reviews, one in a candidate only."""
    review = (Person("reviewed-by", "Ben", "ben@example.org"), Person("acked-by", "Ben", "ben@other.org"))
    overlay = "daemon/graphdriver/overlay2/overlay.go"
    store.fill(
        [
            release(0, "v9.0", "9.0", None, 10),
            release(1, "v10.0-rc1", "10.0", "v9.0", 15),
            release(2, "v10.0", "10.0", "v10.0-rc1", 20),
            release(3, "v10.0.1", "10.0", "v10.0", 26),
        ],
        [
            (change("path", 12, "Add driver", paths=(overlay,), people=review), "v10.0-rc1", "v10.0"),
            (change("text", 5, "Prefer overlay2"), None, "v9.0"),
            (change("both", 22, "overlay2: mend", paths=(overlay,), author="Zoe"), None, "v10.0.1"),
            (change("net", 6, "overlay driver of the network"), None, "v9.0"),
            (change("cve9", 7, cve="CVE-2024-9999"), None, "v9.0"),
            (change("cve10", 8, cve="CVE-2024-10000 CVE-2019-5736"), None, "v9.0"),
            (
                change("pull", 14, "Merge driver", "Merge driver\n\nIt is fast.\nAnd safe.", type="pull"),
                "v10.0-rc1",
                "v10.0",
            ),
            (change("wait", 30, "Not yet"), None, None),
        ],
        project="docker",
    )
    return store


def test_overlay2_tells_its_evidence(engine: Store) -> None:
    """overlay2 is found by path and by text, in the order of versions; the network driver is another thing."""
    assert [(row["release"], row["id"], row["evidence"]) for row in engine.ask("overlay2")] == [
        ("v9.0", short("text"), "text"),
        ("v10.0", short("path"), "path"),
        ("v10.0.1", short("both"), "path and text"),
    ]


def test_cves_are_sorted_as_numbers(engine: Store) -> None:
    """CVE-2024-10000 is newer than CVE-2024-9999, and a change that names two stands under both."""
    assert [(row["cve"], row["id"]) for row in engine.ask("cves")] == [
        ("CVE-2024-10000", short("cve10")),
        ("CVE-2024-9999", short("cve9")),
        ("CVE-2019-5736", short("cve10")),
    ]


def test_releases_count_kinds_of_change(engine: Store) -> None:
    """A final release has its changes by kind, its people, and the days since the one that it follows."""
    rows = [tuple(row.values()) for row in engine.ask("releases", project="docker")]
    assert rows == [
        ("docker", "v9.0", "2010-01-11", None, None, 4, 4, 0, 0, 1),
        ("docker", "v10.0", "2010-01-21", "v9.0", 10, 2, 1, 0, 1, 1),
        ("docker", "v10.0.1", "2010-01-27", "v10.0", 6, 1, 1, 0, 0, 1),
    ]


def test_summaries_show_the_text_after_the_title(engine: Store) -> None:
    """A pull's summary is its message without the title, in one line, cut where asked."""
    assert [row["summary"] for row in engine.ask("summaries", project="docker")] == ["It is fast. And safe."]
    assert [row["summary"] for row in engine.ask("summaries", project="docker", length=10)] == ["It is fast …"]


def test_people_review_a_change_once(engine: Store) -> None:
    """Whoever reviewed and acked the same change is counted once, by name; what has no mechanism stands last."""
    assert only(engine.ask("people", project="docker"), "person mechanism changes reviews") == [
        ("Ann", "fs.driver", 1, 0),
        ("Zoe", "fs.driver", 1, 0),
        ("Ben", "fs.driver", 0, 1),
        ("Ann", "(no mechanism)", 5, 0),
    ]


def test_reviewers_give_the_share(engine: Store) -> None:
    """The share of reviewed commits per mechanism, and who reviews most."""
    row = engine.ask("reviewers", project="docker")[1]
    assert (row["mechanism"], row["commits"], row["percent_reviewed_or_acked"], row["busiest_reviewer"]) == (
        "fs.driver", 2, 50.0, "Ben",
    )  # fmt: skip


def test_mechanisms_count_those_without_one_apart(engine: Store) -> None:
    """No change gets lost: one to which no label and no path gives a mechanism is counted under a name of its own."""
    rows = [(row["release"], row["mechanism"], row["changes"]) for row in engine.ask("mechanisms", project="docker")]
    assert rows == [("v9.0", "(no mechanism)", 4), ("v10.0", "fs.driver", 1), ("v10.0.1", "fs.driver", 1)]
    assert len(engine.ask("mechanisms", project="docker", mechanism="fs.%", series="10.0")) == 2


def test_files_tell_first_and_last_change(engine: Store) -> None:
    """A file has its number of changes and people, and the ids of the first and the last change."""
    row = engine.ask("files", project="docker")[0]
    assert (row["changes"], row["people"], row["first_id"], row["last_id"]) == (2, 2, short("path"), short("both"))


def test_untagged_and_orphans_are_told_apart(engine: Store) -> None:
    """A change in no release is untagged; one that nothing leads to is an orphan and stands nowhere else."""
    assert ids(engine.ask("untagged", project="docker")) == [short("wait")]
    assert engine.ask("orphans", project="docker") == []
    with open_for_writing(engine.path) as db:
        db.execute("UPDATE changes SET reachable = 0 WHERE key = ?", (key_of("wait"),))
    assert engine.ask("untagged", project="docker") == []
    assert ids(engine.ask("orphans", project="docker")) == [short("wait")]


def test_lag_is_the_time_until_the_release(engine: Store) -> None:
    """Days from the author's date to the first final release, the median of an even number being the mean."""
    rows = {row["mechanism"]: row for row in engine.ask("lag", project="docker")}
    assert (rows["fs.driver"]["median_days"], rows["fs.driver"]["longest_days"]) == (6, 8)


# --- labels


@pytest.fixture
def labelled(store: Store) -> Store:
    """Labels against paths: `moved` has another mechanism than its path, `noise` is not about isolation."""
    memory = ("mm/memcontrol.c",)
    review = (Person("reviewed-by", "Ben", "ben@example.org"),)
    store.fill(
        [
            release(0, "v1.0", "1.0", None, 10),
            release(1, "v2.0", "2.0", "v1.0", 20),
            release(2, "v3.0-rc1", "3.0", "v2.0", 30),
        ],
        [
            (change("old", 1, paths=memory), None, "v1.0"),
            (change("moved", 12, paths=memory, author="Zoe"), None, "v2.0"),
            (change("both", 13, "Fix both", paths=memory, people=review), None, "v2.0"),
            (change("bare", 14), None, "v2.0"),
            (change("noise", 15, "Fix overlay2 and all", paths=memory, author="Tim", fixes="old", stable="old",
                    cve="CVE-2010-1", people=review), None, "v2.0"),
            (change("undo", 16, reverts="old", paths=memory, author="Tim"), None, "v2.0"),
            (change("pull", 17, "Merge it", type="pull", author="Tim"), None, "v2.0"),
            (change("pick", 17, backport_of="old"), None, "v2.0"),
            (change("refix", 17, fixes="noise"), None, "v2.0"),
            (change("path", 18, paths=memory), None, "v2.0"),
            (change("late", 25, paths=memory), "v3.0-rc1", None),
            (change("later", 35, paths=memory, author="Tim"), None, None),
        ],
    )  # fmt: skip
    store.label("moved", "feature", "cg.io")
    store.label("both", "bug", "cg.memory", "ns.user", flags=("revert", "security"))
    store.label("bare", "maintenance")
    store.label("late", "bug", "cg.memory")
    for name in ("noise", "pull", "pick", "refix", "later"):
        store.label(name, "bug", relevant=False)
    store.label("undo", "bug", "cg.memory", "cg.pids", relevant=False)
    with open_for_writing(store.path) as db:
        db.execute(
            "UPDATE change_paths SET change = 'A' WHERE change_id = (SELECT id FROM changes WHERE key = ?)",
            (key_of("noise"),),
        )
    return store


def test_labels_win_over_paths(labelled: Store) -> None:
    """A labelled change has the mechanisms of its labels; one not labelled those of its paths."""
    found = {row["id"]: row["mechanisms"] for row in labelled.ask("new-between", from_="v1.0", to="v2.0")}
    assert found == {
        short("moved"): "cg.io", short("both"): "cg.memory, ns.user", short("bare"): None, short("path"): "cg.memory",
    }  # fmt: skip
    assert ids(labelled.ask("new-between", from_="v1.0", to="v2.0", mechanism="cg.io")) == [short("moved")]
    assert only(labelled.ask("mechanisms", series="2.0"), "mechanism changes") == [
        ("cg.memory", 2), ("(no mechanism)", 1), ("cg.io", 1), ("ns.user", 1),
    ]  # fmt: skip
    assert only(labelled.ask("people", person="Zoe"), "mechanism changes") == [("cg.io", 1)]


def test_new_between_shows_kind_and_flags(labelled: Store) -> None:
    """A labelled change has its kind and its flags, one not labelled neither."""
    rows = labelled.ask("new-between", from_="v1.0", to="v2.0")
    assert only(rows, "id kind flags") == [
        (short("moved"), "feature", None), (short("both"), "bug", "revert, security"),
        (short("bare"), "maintenance", None), (short("path"), None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("activity", {}), ("backports", {"project": "linux"}), ("breakage", {}), ("bug-lifetimes", {}),
        ("bug-share", {}), ("bugs", {}), ("files", {}), ("fix-of-fix", {}), ("lag", {}),
        ("mechanism-years", {}), ("mechanisms", {}), ("meetings", {}), ("missing-fixes", {"release": "v1.0"}),
        ("new-between", {"from": "v1.0", "to": "v2.0"}), ("new-files", {}), ("overlay2", {"project": "linux"}),
        ("people", {}), ("report-activity", {}), ("report-evidence", {}), ("report-files", {}), ("report-kinds", {}),
        ("report-people", {}), ("report-release-lines", {}), ("report-releases", {}), ("report-summaries", {}),
        ("reverts", {}), ("reviewers", {}), ("stable-wanted", {}), ("untagged", {}),
    ],
)  # fmt: skip
def test_off_topic_changes_are_left_out(labelled: Store, name: str, settings: dict[str, str]) -> None:
    """What is not about isolation makes no difference to any answer about mechanisms, people, bugs or files."""
    answer = labelled.ask(name, **settings)
    with open_for_writing(labelled.path) as db:
        db.execute("UPDATE changes SET reachable = 0 WHERE id IN (SELECT change_id FROM off_topic)")
    assert labelled.ask(name, **settings) == answer


def test_raw_history_keeps_off_topic_changes(labelled: Store) -> None:
    """Releases and summaries count all that is kept, and no CVE gets lost to a wrong label."""
    assert only(labelled.ask("releases"), "release changes") == [("v1.0", 1), ("v2.0", 9)]
    assert ids(labelled.ask("summaries")) == [short("pull")]
    assert only(labelled.ask("cves", project="linux"), "id mechanisms") == [(short("noise"), None)]


def test_breakage_goes_by_labels_first(labelled: Store) -> None:
    """A kind says whether a change mends; where there is none, its words do."""
    labelled.label("both", "maintenance", "cg.memory")
    rows = {row["mechanism"]: row for row in labelled.ask("breakage")}
    # `old` and `path` are not labelled, `both` is titled a fix and labelled as none, `late` is a bug by label only.
    assert only([rows["cg.memory"]], "commits labelled_bug titled_fix percent_mending") == [(4, 1, 1, 25.0)]


def test_activity_counts_by_mechanism_kind_and_release(labelled: Store) -> None:
    """Each release has its changes by mechanism and kind, those not labelled apart, the unreleased last."""
    with open_for_writing(labelled.path) as db:
        db.execute("UPDATE changes SET first_rc = NULL WHERE key = ?", (key_of("late"),))
    assert only(labelled.ask("activity"), "release date mechanism kind changes people") == [
        ("v1.0", "2010-01-11", "cg.memory", "(not labelled)", 1, 1),
        ("v2.0", "2010-01-21", "(no mechanism)", "maintenance", 1, 1),
        ("v2.0", "2010-01-21", "cg.io", "feature", 1, 1),
        ("v2.0", "2010-01-21", "cg.memory", "(not labelled)", 1, 1),
        ("v2.0", "2010-01-21", "cg.memory", "bug", 1, 1),
        ("v2.0", "2010-01-21", "ns.user", "bug", 1, 1),
        ("unreleased", None, "cg.memory", "bug", 1, 1),
    ]
    assert only(labelled.ask("activity", mechanism="cg.%", kind="bug"), "release mechanism") == [
        ("v2.0", "cg.memory"), ("unreleased", "cg.memory"),
    ]  # fmt: skip


def test_bug_share_stands_beside_studies(labelled: Store) -> None:
    """Shares of labelled changes alone; a kind that none has is told, and so is what a study does not."""
    studies = [
        Study("fast13", "One", "", 100, "medium", "", {"bug": 0.35, "feature": 0.05, "performance": 0.08}),
        Study("atc16", "Other", "", 100, "low", "", {}),
    ]
    with open_for_writing(labelled.path) as db:
        db.execute("BEGIN")
        labels.save_studies(db, studies, ["feature", "bug", "performance", "maintenance"])
        db.execute("COMMIT")
    rows = labelled.ask("bug-share")
    assert only(rows, "mechanism kind changes percent fast13_percent atc16_percent") == [
        ("(all)", "bug", 2, 50.0, 35.0, None),
        ("(all)", "feature", 1, 25.0, 5.0, None),
        ("(all)", "maintenance", 1, 25.0, None, None),
        ("(all)", "performance", 0, 0.0, 8.0, None),
    ]
    assert {(row["fast13_confidence"], row["atc16_confidence"]) for row in rows} == {("medium", "low")}
    mine = [row for row in labelled.ask("bug-share", mechanism="cg.%") if row["changes"]]
    assert only(mine, "mechanism kind changes percent")[3:] == [
        ("cg.memory", "bug", 2, 100.0), ("cg.io", "feature", 1, 100.0),
    ]  # fmt: skip


def test_meetings_name_a_pair_and_an_example(labelled: Store) -> None:
    """A pair has its share of the rarer one's changes and, for an example, the change about little else."""
    labelled.label("late", "bug", "cg.memory", "ns.user", "cg.io")
    assert only(labelled.ask("meetings"), "mechanism with_mechanism changes percent_of_rarer first_year id") == [
        ("cg.memory", "ns.user", 2, 100.0, 2010, short("both")),
        ("cg.io", "cg.memory", 1, 50.0, 2010, short("late")),
        ("cg.io", "ns.user", 1, 50.0, 2010, short("late")),
    ]
    assert len(labelled.ask("meetings", mechanism="cg.io")) == 2


def test_one_voter_tells_labels_that_rest_on_one(labelled: Store) -> None:
    """A label is a lead if one vote alone speaks for it; a weak vote does not, and a label by hand is none."""
    labelled.label(
        "both", "bug", "cg.memory", "ns.user", "cg.io",
        votes=(
            ("cg.memory", "path", 1.0), ("cg.memory", "model", 0.2), ("ns.user", "text", 0.75),
            ("ns.user", "model", 0.5), ("cg.io", "model", 0.4), ("ns.mnt", "text", 1.0),
        ),
    )  # fmt: skip
    labelled.label("late", "bug", "cg.memory", votes=(("cg.memory", "text", 1.0),), given_by="hand")
    assert only(labelled.ask("one-voter"), "mechanism voter score evidence id title") == [
        ("cg.memory", "path", 1.0, "by path", short("both"), "Fix both"),
    ]
    assert labelled.ask("one-voter", voter="model") == []


# --- a query can only read


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO sources (id) VALUES ('x')",
        "UPDATE changes SET title = ''",
        "DELETE FROM changes",
        "DROP TABLE changes",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "ATTACH DATABASE '/tmp/kminer-must-not-exist.db' AS other",
        "DETACH DATABASE main",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 7",
        "PRAGMA table_info(changes)",
        "VACUUM INTO '/tmp/kminer-must-not-exist.db'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "SAVEPOINT s",
        "WITH a AS (SELECT 1) INSERT INTO sources (id) SELECT 'x' FROM a",
        "SELECT 1; DELETE FROM changes",
        "SELECT 1; SELECT 2",
        "SELECT load_extension('/tmp/x.so')",
        "",
        "-- only a comment",
        "SELECT * FROM no_such_table",
    ],
)
def test_query_that_does_not_just_read_is_refused(sql: str, lines: Store) -> None:
    """Whatever is not one reading statement fails with the query's file, and the database stays as it was."""
    before = lines.path.read_bytes()
    db = open_for_reading(lines.path)
    with pytest.raises(QueryError) as failure:
        queries.run(db, saved(sql), {})
    db.close()
    assert failure.value.where == "own.sql"
    assert lines.path.read_bytes() == before
    assert not Path("/tmp/kminer-must-not-exist.db").exists()


def test_connection_is_usable_after_a_refusal(database: sqlite3.Connection) -> None:
    """A refused query leaves no guard and no transaction behind."""
    with pytest.raises(QueryError):
        queries.run(database, saved("DELETE FROM changes"), {})
    assert queries.run(database, saved("SELECT 1 AS one"), {}).rows == ((1,),)
    assert not database.in_transaction


@pytest.mark.parametrize("value", ["'; DROP TABLE changes; --", "x' OR '1'='1", '"', "\x00", ":project", "%'--", "💥"])
def test_parameter_stays_a_value(value: str, lines: Store) -> None:
    """What a parameter holds is compared and returned, never run."""
    db = open_for_reading(lines.path)
    sql = "SELECT :text AS text, (SELECT count(*) FROM changes WHERE title = :text) AS n"
    query = saved(sql, Parameter("text", None, "t"))
    assert queries.run(db, query, {"text": value}).rows == ((value, 0),)
    db.close()
    assert lines.ask("reverts", project=value) == []


# --- parameters


def test_unknown_parameter_names_the_known() -> None:
    """A misspelt parameter is refused with the names that there are."""
    with pytest.raises(UsageError, match="has no parameter 'projct'") as failure:
        queries.bind(SHIPPED["files"], {"projct": "linux"})
    assert failure.value.where == "its parameters: project, path, limit"


def test_missing_parameter_is_asked_for() -> None:
    """A parameter without a default must be given, and the message says what it is."""
    with pytest.raises(UsageError, match=r"new-between.*from") as failure:
        queries.bind(SHIPPED["new-between"], {"to": "v2.0"})
    assert "tag of the release" in str(failure.value)


@pytest.mark.parametrize("value", ["ten", "1.5", "", "1e3", "9" * 19, "0x10", "1 OR 1"])
def test_number_must_be_whole(value: str) -> None:
    """A parameter whose default is a whole number takes only whole numbers."""
    with pytest.raises(UsageError, match="must be a whole number"):
        queries.bind(SHIPPED["files"], {"limit": value})


def test_numbers_become_numbers() -> None:
    """A whole number is bound as a number, as -1 for "all" must be; the rest keeps its default."""
    assert queries.bind(SHIPPED["files"], {"limit": "-1"}) == {"project": "linux", "path": "%", "limit": -1}


def test_limit_cuts_and_minus_one_does_not(lines: Store) -> None:
    """A limit is obeyed, and -1 stands for all."""
    assert len(lines.ask("new-between", from_="v1.0", to="v3.0", limit="2")) == 2
    assert len(lines.ask("new-between", from_="v1.0", to="v3.0", limit="-1")) == 4


# --- query files


def write(folder: Path, text: str) -> Path:
    """A query file of the user's own."""
    file = folder / "own.sql"
    file.write_text(text, encoding="utf-8")
    return file


def test_own_query_file_is_found_and_run(tmp_path: Path, database: sqlite3.Connection) -> None:
    """A query may be named by its file; its head gives title, why and parameters."""
    file = write(
        tmp_path, "-- title: T\n-- why: W\n-- param n = 3: a number\n-- param t = : a text\nSELECT :n AS n, :t AS t"
    )
    query = queries.find(str(file))
    assert (query.name, query.title, query.why) == ("own", "T", "W")
    assert queries.run(database, query, {"n": "4"}).rows == ((4, ""),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- title: T\nSELECT 1", "no `-- why"),
        ("-- why: W\nSELECT 1", "no `-- title"),
        ("-- title: T\n-- why: W\n-- param bad name: x\nSELECT 1", "is not understood"),
        ("-- title: T\n-- why: W\n-- param n\nSELECT 1", "is not understood"),
    ],
)
def test_malformed_head_is_told(tmp_path: Path, text: str, problem: str) -> None:
    """A query file with a faulty head is refused with the file and what to write."""
    file = write(tmp_path, text)
    with pytest.raises(CatalogueError, match=problem) as failure:
        queries.find(str(file))
    assert failure.value.where == str(file)


def test_missing_query_suggests_the_nearest(tmp_path: Path) -> None:
    """A misspelt name brings what is nearest, a missing file its path."""
    with pytest.raises(UsageError, match="Did you mean") as failure:
        queries.find("revert")
    assert "reverts" in failure.value.next
    with pytest.raises(UsageError, match="no such query file"):
        queries.find(str(tmp_path / "gone.sql"))


# --- how an answer is shown

HOSTILE = 'a|b\n<script>alert(1)</script> *bold* [x](http://evil) "q", \x1b[31m'
ANSWER = queries.Answer(("id", "the_title", "n", "share"), (("abc", HOSTILE, 3, 2.5), (None, "=1+1", None, 10.0)))


def test_csv_can_be_read_back() -> None:
    """CSV keeps every text whole, whatever quotes, commas and line ends it has."""
    rows = list(csv.reader(io.StringIO(queries.render(ANSWER, "csv"), newline="")))
    assert rows == [["id", "the_title", "n", "share"], ["abc", HOSTILE, "3", "2.5"], ["", "=1+1", "", "10.0"]]


def test_json_can_be_read_back() -> None:
    """JSON keeps types and escapes control characters."""
    text = queries.render(ANSWER, "json")
    assert json.loads(text) == list(ANSWER.dicts())
    assert "\x1b" not in text
    assert queries.render(queries.Answer(("a",), ()), "json") == "[]\n"


def test_jsonl_has_a_row_a_line() -> None:
    """Each line of JSONL is one row, though a text holds line ends."""
    lines = queries.render(ANSWER, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == list(ANSWER.dicts())


def test_markdown_shows_hostile_text_inert() -> None:
    """A Markdown table has its rows and cells, whatever the texts hold; no markup, HTML, link or control works."""
    text = queries.render(ANSWER, "md")
    head, rule, first, second = text.splitlines()
    assert head == "| id | the title | n | share |"
    assert rule == "| --- | --- | ---: | ---: |"
    assert len(re.findall(r"(?<!\\)\|", first)) == 5
    assert second == "|  | \\=1+1 |  | 10.0 |"
    assert "\x1b" not in text
    assert r"\*bold\*" in first
    assert r"http\://evil" in first
    assert not re.search(r"(?<!\\)[\[\]*<>]", first)
