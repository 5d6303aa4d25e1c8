"""Saved queries about release notes: what was told, what was not, and how both fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gitrepo import GitRepo
from test_queries import Row, Store, change, release, short

from kminer.progress import Progress
from kminer.records import Change, Classification, Label, Reference, Source
from kminer.sources import notes
from kminer.sources.git import Options
from kminer.store import labels, writer
from kminer.store.database import open_for_writing
from kminer.tying import tie_store

PULL = "[moby/moby#{0}](https://github.com/moby/moby/pull/{0})"
OVERLAY = f"overlay2: use it on kernel 4.0 and newer {PULL.format(11)}"
PAGE = f"""# Engine release notes

## 1.1.0

2010-02-10

### Storage

- {OVERLAY}
- Mount all the lower layers of overlayfs read-only once more

### Runtime

- cgroup: count pages anew [docker/cli#12](https://github.com/docker/cli/pull/12)
- Limit pids by default {PULL.format(99)}
- The engine starts in half the time
- Mend CVE-2010-0001, an escape by a mount
- Seccomp profile for Linux 3.5 kernels

## 1.0.0

2010-01-11

- The first of all
"""
CHANGELOG = f"""# Changelog

## 1.1.0 (2010-02-10)

#### Storage

+ {OVERLAY}

#### Runtime

- Limit pids by default {PULL.format(99)}
"""


def notes_source(name: str, project: str = "docker", **facts: Any) -> Source:
    """A source of Markdown pages."""
    return Source(
        id=name, kind="markdown", project=project, title="Notes", files=("*.md",), repository="moby/moby",
        tag_pattern=r"^v?(?P<version>\d+(?:\.\d+)+)(?:-(?P<pre>rc\d+))?$", series_pattern=r"^\d+\.\d+", **facts,
    )  # fmt: skip


def sync(store: Store, source: Source, place: Path, **pages: str) -> None:
    """Write pages (by name without ending) into the folder `place`, if any are given, and read it."""
    for name, text in pages.items():
        place.mkdir(exist_ok=True)
        (place / f"{name}.md").write_text(text, encoding="utf-8")
    with open_for_writing(store.path) as db:
        notes.sync(source, db, store.path, Options(repository=place), Progress())


def tie(store: Store) -> None:
    with open_for_writing(store.path) as db:
        tie_store(db, Progress())


def write(store: Store, sql: str, *rows: tuple[Any, ...]) -> None:
    with open_for_writing(store.path) as db, writer.transaction(db):
        db.executemany(sql, rows)


def naming(one: Change, type: str, value: str) -> Change:
    """The change with a reference more."""
    return replace(one, references=(*one.references, Reference(type, value)))


def label(store: Store, title: str, kind: str, *mechanisms: str, relevant: bool = True) -> None:
    """Label all changes whose title is like `title`."""
    with open_for_writing(store.path) as db, writer.transaction(db):
        numbers = [row[0] for row in db.execute("SELECT id FROM changes WHERE title LIKE ?", (title,))]
        assert numbers, title
        given = [("relevant", "yes" if relevant else "no"), ("kind", kind), *(("mechanism", m) for m in mechanisms)]
        found = tuple(Label(axis, one, 0.75) for axis, one in given)
        labels.save_classifications(db, [Classification(str(n), "1", "", found, ()) for n in numbers], {}, "votes", {})


def only(rows: list[Row], columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns.split()) for row in rows]


def titles(rows: list[Row]) -> list[str]:
    return [str(row["title"]).partition(" [")[0] for row in rows]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "k.db")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture
def engine(shelf: Path) -> Store:
    """Two releases of the engine, with a history and notes that three pages tell; built once, only read."""
    store = Store(shelf / "engine.db")
    if not store.path.exists():
        _fill(store)
        sync(store, notes_source("docs"), shelf / "docs", current=PAGE, older=PAGE)
        sync(store, notes_source("earlier"), shelf / "earlier", CHANGELOG=CHANGELOG)
        tie(store)
        for title, kind, *mechanisms in (
            ("overlay2: use%", "feature", "fs.driver", "fs.overlay"), ("Overlay driver%", "feature", "fs.driver"),
            ("Overlay tests%", "bug", "fs.driver"), ("%lower layers%", "bug", "ns.mnt"),
            ("Quietly%", "feature", "cg.memory"), ("%CVE%", "bug", "ns.mnt"), ("cgroup:%", "bug", "cg.memory"),
            ("Limit pids%", "feature", "cg.pids"), ("Seccomp%", "feature", "sec.seccomp"), ("Close%", "bug", "ns.pid"),
            ("Begin", "feature"),
        ):  # fmt: skip
            label(store, title, kind, *mechanisms)
        for title in ("The engine starts%", "The first%", "Noise%"):
            label(store, title, "maintenance", relevant=False)
    return store


def _fill(store: Store) -> None:
    merge = naming(change("merge", 30, "Merge pull request #11", type="merge"), "pull-request", "moby/moby#11")
    store.fill(
        [release(0, "v1.0.0", "1.0", None, 10), release(1, "v1.1.0", "1.1", "v1.0.0", 40)],
        [
            (change("begin", 5, "Begin"), None, "v1.0.0"),
            (change("driver", 28, "Overlay driver of a second kind"), None, "v1.1.0"),
            (change("tests", 29, "Overlay tests"), None, "v1.1.0"),
            (merge, None, "v1.1.0"),
            (change("layers", 31, "Mount all the lower layers of overlayfs read-only"), None, "v1.1.0"),
            (naming(change("hole", 32, "Close a hole"), "cve", "CVE-2010-0001"), None, "v1.1.0"),
            (change("quiet", 33, "Quietly account more"), None, "v1.1.0"),
            (change("noise", 34, "Noise"), None, "v1.1.0"),
            (naming(change("late", 50, "Mend another"), "cve", "CVE-2011-0002"), None, None),
        ],
        "docker",
    )  # fmt: skip
    write(store, "UPDATE sources SET issue_url = ?", ("https://github.com/moby/moby/issues/{number}",))
    rows = [(change(name, 1).key, "moby/moby#11", merge.key) for name in ("driver", "tests")]
    with open_for_writing(store.path) as db, writer.transaction(db):
        writer.save_brought_by(db, "docker", rows)


# --- notes


def test_note_of_three_places_is_one_row(engine: Store) -> None:
    """It has the sign that one of the pages gives, and tells how many pages there are and which commits it means."""
    rows = engine.ask("notes", words="%overlay2%")
    columns = "version release date section sign kind mechanisms changes tied_id tied_by score places source"
    assert only(rows, columns) == [
        ("1.1.0", "v1.1.0", "2010-02-10", "Storage", "new", "feature", "fs.driver, fs.overlay", 3, short("merge"),
         "pull-request", 1.0, 3, "docs"),
    ]  # fmt: skip


def test_note_tied_by_title_shows_its_score(engine: Store) -> None:
    """A likeness is no certainty."""
    [row] = engine.ask("notes", words="%lower layers%")
    assert (row["tied_by"], row["tied_id"], row["changes"], row["places"]) == ("title", short("layers"), 1, 2)
    assert 0.6 <= row["score"] < 1


def test_notes_are_listed_newest_first_and_filtered(engine: Store) -> None:
    """By version, mechanism, kind and number; what is not about isolation only when asked for."""
    listed = ["overlay2: use it on kernel 4.0 and newer", "Mount all the lower layers of overlayfs read-only once more",
              "cgroup: count pages anew", "Limit pids by default", "Mend CVE-2010-0001, an escape by a mount",
              "Seccomp profile for Linux 3.5 kernels"]  # fmt: skip
    assert titles(engine.ask("notes")) == listed
    assert titles(engine.ask("notes", all=1)) == [
        *listed[:4], "The engine starts in half the time", *listed[4:], "The first of all",
    ]  # fmt: skip
    assert titles(engine.ask("notes", all=1, version="1.0%")) == ["The first of all"]
    assert titles(engine.ask("notes", mechanism="cg.%")) == listed[2:4]
    assert titles(engine.ask("notes", kind="bug", limit=1)) == listed[1:2]
    assert engine.ask("notes", project="runc") == []


def test_version_that_was_announced_under_another_number_is_found_by_both(store: Store, tmp_path: Path) -> None:
    """What was said of 5.20 is about 6.0."""
    page = "## 5.20-rc1\n\n- memcg: account more\n\n## 5.20\n\n- memcg: account less\n\n## 5.19\n\n- memcg: as ever\n"
    sync(store, notes_source("pulls", "linux"), tmp_path / "pulls", page=page)
    tie(store)
    rows = [("6.0", "memcg: account less"), ("6.0-rc1", "memcg: account more")]
    for said in ("5.20", "6.0%"):
        assert sorted(only(store.ask("notes", project="linux", version=said), "version title")) == rows
        assert sorted(row["version"] for row in store.ask("notes-by-mechanism", project="linux", version=said)) == [
            "6.0",
            "6.0-rc1",
        ]
        untold = store.ask("notes-without-commit", project="linux", version=said)
        assert sorted(only(untold, "version title")) == rows
        assert {row["reason"] for row in untold} == {"no history of the project is in the store"}
    assert only(store.ask("notes", project="linux", version="6.0"), "version") == [("6.0",)]


def test_notes_by_mechanism_count_each_note_once(engine: Store) -> None:
    """A note of two mechanisms counts for both, however many pages tell it."""
    columns = "version release date mechanism notes feature bug tied_to_commits"
    assert only(engine.ask("notes-by-mechanism"), columns) == [
        ("1.1.0", "v1.1.0", "2010-02-10", "ns.mnt", 2, 0, 2, 2),
        ("1.1.0", "v1.1.0", "2010-02-10", "cg.memory", 1, 0, 1, 0),
        ("1.1.0", "v1.1.0", "2010-02-10", "cg.pids", 1, 1, 0, 0),
        ("1.1.0", "v1.1.0", "2010-02-10", "fs.driver", 1, 1, 0, 1),
        ("1.1.0", "v1.1.0", "2010-02-10", "fs.overlay", 1, 1, 0, 1),
        ("1.1.0", "v1.1.0", "2010-02-10", "sec.seccomp", 1, 1, 0, 0),
    ]
    rows = engine.ask("notes-by-mechanism", mechanism="fs.%")
    assert {row["mechanism"] for row in rows} == {"fs.driver", "fs.overlay"}


# --- which kernels notes name


def test_shares_of_notes_and_of_those_that_name_a_kernel(engine: Store) -> None:
    """Of eight notes two name a kernel, one of them a newer one."""
    shares = {(row["grouped_by"], row["name"]): row for row in engine.ask("notes-shares")}
    columns = "notes percent_of_notes naming_a_kernel percent_of_naming naming_4_or_newer percent_of_newer"
    wanted = {
        ("all", "(all)"): (8, 100.0, 2, 100.0, 1, 100.0),
        ("family", "fs.*"): (1, 12.5, 1, 50.0, 1, 100.0),
        ("mechanism", "fs.overlay"): (1, 12.5, 1, 50.0, 1, 100.0),
        ("mechanism", "(no mechanism)"): (2, 25.0, 0, 0.0, 0, 0.0),
        ("word", "overlay"): (2, 25.0, 1, 50.0, 1, 100.0),
        ("word", "seccomp"): (1, 12.5, 1, 50.0, 0, 0.0),
        ("word", "cgroup"): (1, 12.5, 0, 0.0, 0, 0.0),
    }
    assert {key: only([shares[key]], columns)[0] for key in wanted} == wanted
    assert engine.ask("notes-shares", since=2011) == []


def test_plain_rule_finds_the_kernels_that_kernel_versions_finds(store: Store, tmp_path: Path) -> None:
    """The two ways of reading a version agree on what notes write."""
    named = (
        "Linux 4.0+ with overlay", "kernel >= 5.2", "(kernel 5.11)", "on pre-4.0 kernels", "v4.13+ kernels",
        "kernels: 3.10+", "allow `ptrace(2)` for 4.8+ kernels", "Linux kernel version 5.11 and later",
        "kernel headers (>= 4.12) instead", "kernels <3.8",
        "RHEL 7 3.10 kernels",
    )  # fmt: skip
    others = ("RHEL 7.4 based kernels", "Ubuntu 12.04 kernels", "Alpine Linux 3.6", "kernel memory 4.5", "Docker 2.0")
    page = "## 1.1.0\n\n" + "".join(f"- Note {number}: {text}\n" for number, text in enumerate((*named, *others)))
    sync(store, notes_source("docs"), tmp_path / "docs", page=page)
    found = {row["title"].partition(": ")[2].replace("`", "") for row in store.ask("kernel-versions", type="note")}
    assert found == {text.replace("`", "") for text in named}
    assert store.ask("notes-shares")[0]["naming_a_kernel"] == len(named)


def test_kernel_versions_tell_notes_from_commits(engine: Store) -> None:
    """With the mechanisms; a note of three places once."""
    columns = "kernel type mechanisms link"
    assert sorted(only(engine.ask("kernel-versions", type="note"), columns)) == [
        ("3.5", "note", "sec.seccomp", None), ("4.0", "note", "fs.driver, fs.overlay", None),
    ]  # fmt: skip
    assert engine.ask("kernel-versions", type="commit") == []


# --- features


@pytest.fixture
def adopted(store: Store, tmp_path: Path) -> Store:
    """Three kernel features and one of the engine; what names them."""
    late = change("late", 20, "Use cgroup namespaces")
    store.fill(
        [release(0, "v1.0.0", "1.0", None, 10), release(1, "v1.1.0", "1.1", "v1.0.0", 40)],
        [
            (change("early", 3, "Try cgroup namespaces"), None, "v1.1.0"),
            (late, None, "v1.0.0"),
            (change("off", 2, "Speak of time namespaces"), None, "v1.0.0"),
            (change("coming", 60, "Use time namespaces"), None, None),
        ],
        "docker",
    )  # fmt: skip
    page = "## 1.1.0\n\n2010-02-10\n\n- Support cgroup namespaces\n\n"
    page += "## 1.2.0\n\n2010-06-01\n\n- More cgroup namespaces\n"
    sync(store, notes_source("docs"), tmp_path / "docs", a=page, b=page)
    label(store, "Speak of%", "feature", relevant=False)
    write(store, "DELETE FROM features", ())
    write(
        store, "INSERT INTO features VALUES (?, ?, 'area', ?, ?, ?, ?, 'high')",
        ("ns.cgroup", "linux", "Cgroup namespaces", "ns.cgroup cg.core", "4.6", "2010-01-01"),
        ("ns.time", "linux", "Time namespaces", "ns.time", "5.6", "2010-01-05"),
        ("cg.none", "linux", "Nobody's", "cg.core", "5.8", None),
        ("req.any", "linux", "As old as Linux", "", None, None),
        ("engine.own", "docker", "Its own", "ns.cgroup", "1.0.0", "2010-01-01"),
    )  # fmt: skip
    mention = """INSERT INTO feature_mentions
                 SELECT id, ?, 'name', ? FROM changes WHERE title LIKE ?"""
    write(store, mention, ("ns.cgroup", "cgroup namespaces", "%cgroup namespaces"))
    write(store, mention, ("ns.time", "time namespaces", "%time namespaces"))
    write(store, mention, ("engine.own", "cgroup namespaces", "%cgroup namespaces"))
    return store


def test_adoption_lag_counts_days_between_releases(adopted: Store) -> None:
    """To the first note and to the first released commit; features that nobody names come last, undated ones never."""
    columns = "feature since engine lag_days mentions note_lag note_version note_date"
    columns += " commit_lag commit_release commit_id"
    assert only(adopted.ask("adoption-lag"), columns) == [
        # January 1 to February 10; the release of day 10 is of January 11.
        ("ns.cgroup", "4.6", "docker", 10, 4, 40, "1.1.0", "2010-02-10", 10, "v1.0.0", short("late")),
        # Named only in a commit that is not released.
        ("ns.time", "5.6", "docker", None, 1, None, None, None, None, None, None),
        ("cg.none", "5.8", None, None, 0, None, None, None, None, None, None),
    ]
    [row] = adopted.ask("adoption-lag", mechanism="ns.%", unmentioned=0, project="docker")[:1]
    assert (row["note_term"], row["commit_term"]) == ("cgroup namespaces", "cgroup namespaces")
    assert [row["feature"] for row in adopted.ask("adoption-lag", mechanism="cg.core")] == ["ns.cgroup", "cg.none"]
    assert [row["feature"] for row in adopted.ask("adoption-lag", unmentioned=0)] == ["ns.cgroup", "ns.time"]
    assert {row["engine"] for row in adopted.ask("adoption-lag", project="runc")} == {None}


# --- vulnerabilities


def test_cves_by_mechanism_say_where_they_are_named(engine: Store) -> None:
    """One CVE in a note and a commit, one only in a commit that no label gives a mechanism."""
    columns = "mechanism cves in_notes in_commits in_both only_in_notes only_in_commits first_year last_year projects"
    assert only(engine.ask("cves-by-mechanism"), columns) == [
        ("(all)", 2, 1, 2, 1, 0, 1, 2010, 2011, "docker"),
        ("(no mechanism)", 1, 0, 1, 0, 0, 1, 2011, 2011, "docker"),
        ("ns.mnt", 1, 1, 1, 1, 0, 0, 2010, 2010, "docker"),
        ("ns.pid", 1, 1, 1, 1, 0, 0, 2010, 2010, "docker"),
    ]
    assert only(engine.ask("cves-by-mechanism", since=2011), "mechanism cves") == [("(all)", 1), ("(no mechanism)", 1)]
    assert engine.ask("cves-by-mechanism", project="runc") == []


def test_cves_list_a_note_once_and_after_the_commits(engine: Store) -> None:
    """Commits have an address, notes have none."""
    assert only(engine.ask("cves"), "cve release type link") == [
        ("CVE-2011-0002", None, "commit", f"https://example.org/{change('late', 1).key}"),
        ("CVE-2010-0001", "v1.1.0", "commit", f"https://example.org/{change('hole', 1).key}"),
        ("CVE-2010-0001", "1.1.0", "note", None),
    ]


# --- what was told, and what was not


def test_silent_changes_are_those_without_a_note(engine: Store) -> None:
    """Not those off the topic; a tie by title can be left out of account."""
    columns = "release date kind mechanisms id notes_held"
    quiet = ("v1.1.0", "2010-02-10", "feature", "cg.memory", short("quiet"), 7)
    assert only(engine.ask("silent-changes", release="v1.1.0"), columns) == [quiet]
    assert only(engine.ask("silent-changes", release="v1.1.0", likeness=101), columns) == [
        ("v1.1.0", "2010-02-10", "bug", "ns.mnt", short("layers"), 7), quiet,
    ]  # fmt: skip
    assert [row["id"] for row in engine.ask("silent-changes", release="v1.%")] == [short("begin"), short("quiet")]
    assert engine.ask("silent-changes", release="v1.1.0", mechanism="fs.%") == []
    assert engine.ask("silent-changes", release="v1.1.0", kind="bug") == []


def test_silent_changes_say_when_there_is_no_such_release(engine: Store) -> None:
    """A version as the notes write it is no tag."""
    [row] = engine.ask("silent-changes", release="1.1.0")
    assert row["title"] == "No release of docker is tagged 1.1.0; `kminer releases` lists them."


def test_coverage_is_the_share_of_commits_that_notes_tell(engine: Store) -> None:
    """Per release and over all; a note of three places tells each of its commits once."""
    columns = "release date notes commits told by_title percent_told features features_told bugs bugs_told"
    assert only(engine.ask("coverage"), columns) == [
        ("(all)", None, 8, 6, 4, 1, 66.7, 3, 1, 3, 3),
        ("v1.0.0", "2010-01-11", 1, 1, 0, 0, 0.0, 1, 0, 0, 0),
        ("v1.1.0", "2010-02-10", 7, 5, 4, 1, 80.0, 2, 1, 3, 3),
    ]
    assert only(engine.ask("coverage", likeness=101, series="1.1"), "release told by_title percent_told") == [
        ("(all)", 3, 0, 60.0), ("v1.1.0", 3, 0, 60.0),
    ]  # fmt: skip
    assert only(engine.ask("coverage", mechanism="cg.%"), "release commits told") == [("(all)", 1, 0), ("v1.1.0", 1, 0)]


def test_release_without_notes_has_no_share(store: Store) -> None:
    """Unread is not silent."""
    store.fill([release(0, "v1.0.0", "1.0", None, 10)], [(change("one", 5), None, "v1.0.0")], "docker")
    assert only(store.ask("coverage"), "release notes commits told percent_told") == [("v1.0.0", 0, 1, 0, None)]


def test_notes_without_commit_say_why(engine: Store) -> None:
    """Another repository, the own one, or nothing to go by."""
    rows = engine.ask("notes-without-commit", all=1)
    assert [(title, row["reason"], row["refers_to"]) for title, row in zip(titles(rows), rows, strict=True)] == [
        ("cgroup: count pages anew", "another repository", "docker/cli#12"),
        ("Limit pids by default", "number of the own repository, with no commit in the store", "moby/moby#99"),
        ("The engine starts in half the time", "no reference", None),
        ("Seccomp profile for Linux 3.5 kernels", "no reference", None),
        ("The first of all", "no reference", None),
    ]
    assert titles(engine.ask("notes-without-commit", reason="another%")) == ["cgroup: count pages anew"]
    assert titles(engine.ask("notes-without-commit", mechanism="cg.%", limit=1)) == ["cgroup: count pages anew"]
    assert len(engine.ask("notes-without-commit")) == 3


# --- edits


@pytest.fixture
def edited(store: Store, repo: GitRepo) -> Store:
    """A page of a git history: on January 11 a word is mended, a note taken back, and one moved."""
    head = "## 1.1.0\n\n2020-01-01\n\n"
    before = "### New\n\n- Overlay2 is the defualt driver now\n- Pids are limited\n- Cgroups are counted\n- It stays\n"
    after = "### New\n\n- Overlay2 is the default driver now\n- It stays\n\n### Fixed\n\n- Cgroups are counted\n"
    repo.commit({"a.md": head + before, "b.md": head + before}, when=1_577_880_000)
    repo.commit({"a.md": head + after, "b.md": head + after}, when=1_577_880_000 + 10 * 86400)
    sync(store, notes_source("docs"), repo.path)
    return store


def test_note_edits_show_old_and_new(edited: Store) -> None:
    """Each edit once, though two pages were edited."""
    columns = "date version gone published days places old_text new_text now_in"
    rows = edited.ask("note-edits")
    assert sorted(only(rows, columns), key=lambda row: row[2]) == [
        ("2020-01-11", "1.1.0", "dropped", "2020-01-01", 10, 2, "Pids are limited", None, None),
        ("2020-01-11", "1.1.0", "edited", "2020-01-01", 10, 2, "Overlay2 is the defualt driver now",
         "Overlay2 is the default driver now", None),
        ("2020-01-11", "1.1.0", "moved", "2020-01-01", 10, 2, "Cgroups are counted", None, "docs: a.md, 1.1.0, Fixed"),
    ]  # fmt: skip
    [new] = edited.ask("notes", words="%default driver%")
    assert [row["new_id"] for row in rows if row["gone"] == "edited"] == [new["id"]]
    assert [row["gone"] for row in edited.ask("note-edits", gone="dropped")] == ["dropped"]
    assert edited.ask("note-edits", version="1.0%") == []


def test_note_that_no_longer_stands_is_not_counted(edited: Store) -> None:
    """An edited note is its successor, a dropped one is none."""
    standing = ["Cgroups are counted", "It stays", "Overlay2 is the default driver now"]
    assert sorted(titles(edited.ask("notes"))) == standing
    assert sorted(titles(edited.ask("notes-without-commit"))) == standing
    assert only(edited.ask("notes-by-mechanism"), "mechanism notes") == [("(no mechanism)", 3)]
    assert edited.ask("notes-shares")[0]["notes"] == 3


def test_note_of_a_removed_page_was_told(edited: Store, repo: GitRepo) -> None:
    """Moby's CHANGELOG is gone, what it told remains told; a removed page is no edit."""
    repo.commit({"a.md": None, "b.md": None, "README": "x"}, when=1_577_880_000 + 20 * 86400)
    sync(edited, notes_source("docs"), repo.path)
    assert len(edited.ask("notes")) == 3
    assert len(edited.ask("note-edits")) == 3


# --- queries that mean commits


def test_queries_of_commits_leave_notes_out(engine: Store) -> None:
    """Releases are those of the history; notes are no work in progress and no history of their own."""
    assert only(engine.ask("releases", project="docker"), "source release changes commits") == [
        ("docker", "v1.0.0", 1, 1), ("docker", "v1.1.0", 7, 6),
    ]  # fmt: skip
    assert [row["id"] for row in engine.ask("untagged", project="docker")] == [short("late")]
    assert {row["type"] for row in engine.ask("overlay2")} == {"commit"}
    assert [row["source"] for row in engine.ask("report-sources")] == ["docker"]
    [row] = engine.ask("new-between", project="docker", from_="1.0.0", to="1.1.0", limit=1)
    assert row["title"].startswith("No release of docker is tagged")
    [row] = engine.ask("missing-fixes", project="docker", release="1.1.0")
    assert row["fix"].startswith("No release of docker is tagged")


def test_messages_that_a_changelog_repeats_are_not_counted_as_commits(store: Store, tmp_path: Path) -> None:
    """A note with a commit's trailers is no fix, revert or backport of its own."""
    sync(store, notes_source("log", "linux"), tmp_path / "log", page="## 6.1.2\n\n- memcg: mend it\n")
    for type in ("fixes", "reverts", "stable", "backport-of"):
        write(store, "INSERT INTO refs SELECT id, ?, '123456789012', NULL FROM changes", (type,))
    assert store.ask("bugs") == store.ask("reverts") == store.ask("stable-wanted") == []
    assert store.ask("backports", project="linux") == []
