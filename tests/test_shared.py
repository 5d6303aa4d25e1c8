"""Real history: the Linux and moby bundles in ../shared, against git's own answers."""

from __future__ import annotations

import random
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from gitrepo import git
from syncing import ask, check_whole, dump, pathspecs, run_sync

from kminer.catalogue import load_sources
from kminer.history.lineage import NONE, find_releases, trace
from kminer.history.repository import list_commits, open_repository, read_refs
from kminer.records import Source

pytestmark = pytest.mark.shared

Pairs = dict[str, set[tuple[str, str]]]
HISTORIES = ["linux", "docker"]


@pytest.fixture(scope="module")
def places_of(linux26: Path, moby: Path) -> dict[str, Path]:
    """Where each source's history is."""
    return {"linux": linux26, "docker": moby}


@pytest.fixture(scope="module")
def databases(places_of: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A database for each source, synced by two processes."""
    folder, sources = tmp_path_factory.mktemp("databases"), load_sources()
    for name, where in places_of.items():
        run_sync(sources[name], where, folder / f"{name}.db", jobs=2)
    return {name: folder / f"{name}.db" for name in places_of}


def tips(where: Path, source: Source) -> list[str]:
    """The heads and tags that are history, by what git lists."""
    listed = git("--git-dir", str(where), "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").split()
    return [name for name in listed if not any(fnmatchcase(name, pattern) for pattern in source.ignore_refs)]


def as_git_finds(where: Path, source: Source) -> Pairs:
    """{commit: {(path, status)}} of the commits without several parents that change the source's paths."""
    found: Pairs = defaultdict(set)
    commit = ""
    told = git(
        "--git-dir", str(where), "-c", "core.quotePath=false", "log", "--no-mailmap", "--full-history", "--no-merges",
        "--no-renames", "--raw", "--no-abbrev", "--format=%H", "--stdin",
        input="\n".join([*tips(where, source), "--", *pathspecs(source.paths)]),
    )  # fmt: skip
    for line in told.splitlines():
        if line.startswith(":"):
            status, path = line.split(" ", 4)[4].split("\t", 1)
            found[commit].add((path, status))
        elif line:
            commit = line
    return dict(found)


@pytest.mark.parametrize("name", HISTORIES)
def test_commits_that_change_tracked_paths_are_those_of_git(
    places_of: dict[str, Path], databases: dict[str, Path], name: str
) -> None:
    """The single-parent commits that change tracked paths, and what they change, are git's: none missing or extra."""
    source = load_sources()[name]
    expected = as_git_finds(places_of[name], source)
    assert len(expected) > 1000
    rows = ask(databases[name], "SELECT key FROM changes WHERE type = 'commit' AND matched_by LIKE '%path%'")
    found = {row[0] for row in rows}
    assert sorted(expected.keys() - found) == [], "missing"
    assert sorted(found - expected.keys()) == [], "extra"
    whole = tuple(
        folder for path in source.paths if path.whole for folder in (path.path, *path.was) if folder.endswith("/")
    )
    pairs: Pairs = defaultdict(set)
    sql = "SELECT c.key, p.path, p.change FROM change_paths p JOIN changes c ON c.id = p.change_id"
    for key, path, status in ask(databases[name], sql):
        if not path.startswith(whole or ("\0",)):
            pairs[key].add((path, status))
    plain = {
        key: {(path, status) for path, status in changed if not path.startswith(whole or ("\0",))}
        for key, changed in expected.items()
    }
    assert dict(pairs) == {key: changed for key, changed in plain.items() if changed}


@pytest.mark.parametrize("name", HISTORIES)
def test_first_releases_of_random_commits_are_those_of_git(
    places_of: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """The first final and candidate of 500 random commits are the earliest by version of `git tag --contains`."""
    source, where = load_sources()[name], places_of[name]
    repository = open_repository(where)
    refs = read_refs(repository, source.ignore_refs)
    releases = find_releases(repository, refs, source)
    lineage = trace(list_commits(repository.path, sorted({ref.commit for ref in refs if ref.commit})), releases)
    quick = tmp_path / "with-graph.git"
    git("clone", "--quiet", "--bare", "--shared", str(where), str(quick))
    git("--git-dir", str(quick), "commit-graph", "write", "--reachable")
    chosen = random.Random(2026).sample(range(len(lineage)), 500)
    commits = [bytes(lineage.ids[20 * index : 20 * index + 20]) for index in chosen]
    order = {release.tag: release for release in releases}
    in_none = 0
    for commit, final, rc in lineage.of(commits):
        tags = git("--git-dir", str(quick), "tag", "--contains", commit.hex()).split()
        holding = sorted((order[tag] for tag in tags if tag in order), key=lambda release: release.position)
        first = {kind: next((r.tag for r in holding if r.kind == kind), None) for kind in ("final", "rc")}
        assert (None if final == NONE else releases[final].tag) == first["final"], commit.hex()
        assert (None if rc == NONE else releases[rc].tag) == first["rc"], commit.hex()
        in_none += first["final"] is None
    assert in_none < 250


@pytest.mark.parametrize("name", HISTORIES)
def test_stored_first_releases_are_those_of_git(
    places_of: dict[str, Path], databases: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """The same for what the database says of 60 random changes."""
    quick = tmp_path / "with-graph.git"
    git("clone", "--quiet", "--bare", "--shared", str(places_of[name]), str(quick))
    git("--git-dir", str(quick), "commit-graph", "write", "--reachable")
    order = {
        tag: (position, kind)
        for tag, position, kind in ask(databases[name], "SELECT tag, position, kind FROM releases")
    }
    rows = ask(databases[name], "SELECT key, first_final, first_rc FROM changes ORDER BY key")
    for key, final, rc in random.Random(7).sample(rows, 60):
        tags = git("--git-dir", str(quick), "tag", "--contains", key).split()
        holding = sorted((tag for tag in tags if tag in order), key=lambda tag: order[tag][0])
        assert final == next((tag for tag in holding if order[tag][1] == "final"), None)
        assert rc == next((tag for tag in holding if order[tag][1] == "rc"), None)


@pytest.mark.parametrize("name", HISTORIES)
def test_every_message_is_stored_as_it_was(places_of: dict[str, Path], databases: dict[str, Path], name: str) -> None:
    """Of 2,000 random changes the stored text gives the bytes that were committed, and git's own subject."""
    repository = open_repository(places_of[name])
    rows = ask(databases[name], "SELECT key, text, encoding FROM changes ORDER BY key")
    for key, text, encoding in random.Random(3).sample(rows, 2000):
        assert text.encode(encoding) == repository.odb.read(key)[1].partition(b"\n\n")[2], key


@pytest.mark.parametrize("name", HISTORIES)
def test_databases_of_real_history_are_sound(databases: dict[str, Path], name: str) -> None:
    """SQLite finds no fault; every change has an author, every previous release exists, none precedes itself."""
    database = databases[name]
    check_whole(database)
    assert ask(
        database, "SELECT count(*) FROM changes WHERE id NOT IN (SELECT change_id FROM people WHERE role = 'author')"
    ) == [(0,)]
    tags = {row[0] for row in ask(database, "SELECT tag FROM releases")}
    assert all(row[0] in tags for row in ask(database, "SELECT previous FROM releases WHERE previous IS NOT NULL"))
    assert ask(database, "SELECT tag FROM releases WHERE previous = tag") == []
    used = {row[0] for row in ask(database, "SELECT first_final FROM changes UNION SELECT first_rc FROM changes")} - {
        None
    }
    assert used <= tags


def test_facts_of_linux(databases: dict[str, Path]) -> None:
    """What is known of early Linux is found: 2.6.24 brought cgroups, 2.6.12 is the oldest final release."""
    database = databases["linux"]
    rows = ask(
        database,
        "SELECT first_final, first_rc FROM changes WHERE title = 'Task Control Groups: basic task cgroup framework'",
    )
    assert rows == [("v2.6.24", "v2.6.24-rc1")]
    finals = [row[0] for row in ask(database, "SELECT tag FROM releases WHERE kind = 'final' ORDER BY position")]
    assert finals[0] == "v2.6.12"
    assert finals[-1] == "v2.6.35"
    assert ask(database, "SELECT previous FROM releases WHERE tag = 'v2.6.30-rc1'") == [("v2.6.29",)]
    assert not ask(database, "SELECT 1 FROM releases WHERE tag LIKE '%-tree'")


def test_facts_of_docker(databases: dict[str, Path]) -> None:
    """Docker's tags of every form are in the order of their versions, and the old name of the repository is gone."""
    database = databases["docker"]
    tags = [row[0] for row in ask(database, "SELECT tag FROM releases WHERE kind = 'final' ORDER BY position")]
    known = [
        "v0.1.0",
        "v1.12.0",
        "v1.13.0",
        "v17.03.0-ce",
        "v19.03.0",
        "v20.10.0",
        "v23.0.0",
        "v28.0.0",
        "docker-v29.0.0",
    ]
    assert [tag for tag in tags if tag in known] == known
    assert not ask(database, "SELECT 1 FROM refs WHERE value LIKE 'docker/docker#%' OR value LIKE 'dotcloud/docker#%'")
    assert ask(database, "SELECT count(*) > 1000 FROM refs WHERE type = 'pull-request'") == [(1,)]


@pytest.mark.parametrize("name", HISTORIES)
def test_increments_of_real_history_equal_a_fresh_sync(
    places_of: dict[str, Path], databases: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """A history that comes in three parts, as of two releases and of today, ends like one that comes whole."""
    source, growing, database = load_sources()[name], tmp_path / "growing.git", tmp_path / "growing.db"
    steps = {"linux": ["v2.6.20", "v2.6.33"], "docker": ["v1.12.0", "v20.10.0"]}[name]
    git("init", "--quiet", "--bare", str(growing))
    for step in steps:
        tags = git("--git-dir", str(places_of[name]), "tag", "--merged", step).split()
        wanted = "\n".join(f"+refs/tags/{tag}:refs/tags/{tag}" for tag in tags)
        git("--git-dir", str(growing), "fetch", "--quiet", "--no-tags", "--stdin", str(places_of[name]), input=wanted)
        run_sync(source, growing, database, jobs=2)
    git(
        "--git-dir",
        str(growing),
        "fetch",
        "--quiet",
        str(places_of[name]),
        "+refs/heads/*:refs/heads/*",
        "+refs/tags/*:refs/tags/*",
    )
    run_sync(source, growing, database, jobs=2)
    assert dump(database) == dump(databases[name])
