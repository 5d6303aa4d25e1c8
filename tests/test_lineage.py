"""First releases and the order of versions."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from gitrepo import GitRepo
from hypothesis import given
from hypothesis import strategies as st
from syncing import sample_source

from kminer.catalogue import load_sources
from kminer.errors import KminerError
from kminer.history.lineage import NONE, Lineage, find_releases, trace, version_key
from kminer.history.repository import list_commits, open_repository, read_refs
from kminer.records import Moment, Release

SOURCE = sample_source()
VERSIONS = [
    "v2.6.9",
    "v2.6.10-rc1",
    "v2.6.10-rc2",
    "v2.6.10-rc10",
    "v2.6.10",
    "v2.6.10.1",
    "v2.6.11-rc1",
    "v2.6.11",
    "v3.0",
    "v3.0.1",
]


def traced(repo: GitRepo) -> tuple[list[Release], Lineage, list[tuple[bytes, tuple[bytes, ...]]]]:
    """Releases, lineage and the graph itself of all that heads and tags reach."""
    repository = open_repository(repo.path)
    refs = read_refs(repository)
    releases = find_releases(repository, refs, SOURCE)
    listed = list(list_commits(repository.path, sorted({ref.commit for ref in refs if ref.commit})))
    return releases, trace(listed, releases), [(ids[0], tuple(ids[1:])) for ids in listed]


def first_releases(releases: list[Release], lineage: Lineage) -> dict[str, tuple[str | None, str | None]]:
    """{commit: (first final, first candidate)} as tags."""
    commits = [bytes(lineage.ids[start : start + 20]) for start in range(0, len(lineage.ids), 20)]
    return {
        commit.hex(): tuple(None if position == NONE else releases[position].tag for position in positions)  # type: ignore[misc]
        for commit, *positions in lineage.of(commits)
    }


def grow(repo: GitRepo, chance: random.Random, commits: int) -> list[str]:
    """A random graph: merges, branches, several roots, tags on branches, several tags on one commit."""
    made: list[str] = []
    for number in range(commits):
        near = made[-12:] if chance.random() < 0.8 else made
        count = min(len(near), chance.choice([0, 1, 1, 1, 1, 1, 2, 2, 3]) if made else 0)
        parents = chance.sample(near, count) if number % 13 else []
        made.append(repo.raw_commit(f"{number}\n".encode(), parents=parents, branch=None))
    children = {line.split()[0] for line in made}
    for commit in chance.sample(sorted(children), 4):
        repo.ref(f"refs/heads/b{commit[:6]}", commit)
    repo.ref("refs/heads/main", made[-1])
    for version in VERSIONS:
        repo.tag(version, chance.choice(made), annotated=chance.random() < 0.5)
    repo.tag("v4.0-rc1", made[-1])
    repo.tag("v4.0", made[-1])
    return made


@pytest.mark.parametrize("seed", range(5))
def test_first_releases_are_the_earliest_that_git_says_contain_a_commit(repo: GitRepo, seed: int) -> None:
    """For every commit of a random graph, the first final and candidate are the earliest of `git tag --contains`."""
    grow(repo, random.Random(seed), 40)
    releases, lineage, graph = traced(repo)
    found = first_releases(releases, lineage)
    order = [release.tag for release in releases]
    assert (
        set(found) == {commit.hex() for commit, _ in graph} == set(repo.git("rev-list", "--branches", "--tags").split())
    )
    for commit, answer in found.items():
        tags = sorted(repo.git("tag", "--contains", commit).split(), key=order.index)
        finals = [tag for tag in tags if "-rc" not in tag]
        candidates = [tag for tag in tags if "-rc" in tag]
        assert answer == (finals[0] if finals else None, candidates[0] if candidates else None), commit


@pytest.mark.parametrize("seed", range(5, 15))
def test_the_release_before(repo: GitRepo, seed: int) -> None:
    """The release before one is the highest among the nearest tagged commits below it, or a lower tag on its commit."""
    grow(repo, random.Random(seed), 60)
    releases, lineage, graph = traced(repo)
    parents = dict(graph)
    tagged: dict[bytes, list[int]] = {}
    for release in releases:
        tagged.setdefault(bytes.fromhex(release.commit), []).append(release.position)
    expected = {}
    for commit, here in tagged.items():
        expected |= {higher: lower for lower, higher in pairwise(sorted(here))}
        open_, seen, nearest = list(parents[commit]), set[bytes](), set[int]()
        while open_:
            below = open_.pop()
            if below in seen:
                continue
            seen.add(below)
            if below in tagged:
                nearest.add(max(tagged[below]))
            else:
                open_ += parents[below]
        if nearest:
            expected[min(here)] = max(nearest)
    assert lineage.previous == expected


ORDER = [
    "2.6.9", "2.6.10-rc1", "2.6.10-rc2", "2.6.10-rc10", "2.6.10", "2.6.10.1", "2.6.10.10", "2.6.11-rc1", "2.6.39",
    "3.0-rc1", "3.0",
    "3.10", "4.20", "5.0-rc1", "5.0", "6.19", "7.0",
]  # fmt: skip
DOCKER_ORDER = [
    "0.9.1", "1.12.0-rc1", "1.12.0", "1.13.0-rc1", "1.13.0", "1.13.1", "17.03.0-rc1", "17.03.0", "17.12.1", "18.06.0",
    "19.03.0-beta1", "19.03.0-beta2", "19.03.0-rc1", "19.03.0", "19.03.15", "20.10.0-tp1",
    "20.10.0-beta1", "20.10.0-rc1",
    "20.10.0",
    "23.0.0-beta.1", "23.0.0-rc.1", "23.0.0-rc.2", "23.0.0-rc.10", "23.0.0", "27.0.1", "28.0.0",
    "29.0.0-rc.1", "29.0.0",
]  # fmt: skip


@pytest.mark.parametrize("order", [ORDER, DOCKER_ORDER])
def test_versions_sort_as_versions(order: list[str]) -> None:
    """Numbers count as numbers, and every stage goes before its final release."""
    keys = [version_key(*_split(version)) for version in order]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def _split(version: str) -> tuple[str, str | None]:
    number, _, pre = version.partition("-")
    return number, pre or None


def test_releases_of_linux_and_docker(repo: GitRepo) -> None:
    """The shipped sources know their tags in every form they took, and what is no release."""
    repo.commit({"x": "1"})
    linux = ["v2.6.12-rc2", "v2.6.12", "v5.12-rc1-dontuse", "v5.12-rc2", "v5.12", "v6.1.5"]
    docker = [
        "v0.1.0",
        "v1.13.0-rc1",
        "v1.13.0",
        "v17.03.0-ce-rc1",
        "v17.03.0-ce",
        "v20.10.0-rc2",
        "v28.5.2",
        "docker-v29.0.0-rc.1",
        "docker-v29.0.0",
    ]
    others = [
        "v2.0.0-beta.1",
        "v1.0-foo",
        "next-20200101",
        "api/v1.52.0",
        "client/v0.1.0",
        "upstream/0.1.2",
        "v5",
        "vx.1",
    ]
    for name in (*linux, *docker, *others):
        repo.tag(name)
    repository = open_repository(repo.path)
    found = {}
    for name in ("linux", "docker"):
        source = load_sources()[name]
        found[name] = [
            release.tag for release in find_releases(repository, read_refs(repository, source.ignore_refs), source)
        ]
    assert [tag for tag in found["linux"] if tag in linux] == linux
    assert [tag for tag in found["docker"] if tag in docker] == docker
    assert not set(others) & set(found["docker"] + found["linux"])


def test_what_a_release_knows(repo: GitRepo) -> None:
    """Version, kind, series, commit and date come from the tag's name and its commit, not from when it was tagged."""
    commit = repo.commit({"x": "1"}, when=1_600_000_000)
    repo.tag("v3.1-rc2", annotated=True)
    repository = open_repository(repo.path)
    (release,) = find_releases(repository, read_refs(repository), SOURCE)
    assert release == Release("v3.1-rc2", "3.1-rc2", "rc", "3.1", 0, commit, Moment(1_600_000_000, "+0100"))


def test_a_tag_pattern_that_lets_through_what_is_no_version(repo: GitRepo) -> None:
    """A source file whose tag pattern catches words for a version is told so, naming the tag."""
    repo.commit({"x": "1"})
    repo.tag("vfirst.light")
    repository = open_repository(repo.path)
    source = sample_source(tag_pattern=r"^v(?P<version>.+)$", file="mine.toml")
    with pytest.raises(KminerError, match=r"(?s)vfirst\.light.*mine\.toml"):
        find_releases(repository, read_refs(repository), source)


def test_tags_on_trees_blobs_and_tags(repo: GitRepo) -> None:
    """A tag on a tree or a blob is no release; a tag of a tag counts for the commit at its end."""
    commit = repo.commit({"x": "1"})
    repo.tag("v1.0", repo.tree({}), annotated=True, kind="tree")
    repo.tag("v1.1", repo.raw("blob", b"x"))
    nested = repo.tag("inner", commit, annotated=True)
    repo.tag("v1.2", repo.tag("middle", nested, annotated=True, kind="tag"), annotated=True, kind="tag")
    releases, lineage, _ = traced(repo)
    assert [(release.tag, release.commit) for release in releases] == [("v1.2", commit)]
    assert first_releases(releases, lineage) == {commit: ("v1.2", None)}


GRAPHS = st.integers(1, 14).flatmap(
    lambda size: st.tuples(
        st.tuples(
            *(st.sets(st.integers(0, max(0, number - 1)), max_size=3 if number else 0) for number in range(size))
        ),
        st.lists(
            st.tuples(st.sampled_from(VERSIONS), st.integers(0, size - 1)), max_size=8, unique_by=lambda pair: pair[0]
        ),
    )
)


@given(GRAPHS)
def test_first_releases_in_any_graph(drawn: tuple[tuple[set[int], ...], list[tuple[str, int]]]) -> None:
    """In any graph, a commit's first releases are the lowest among those of the commits that reach it."""
    parents, tags = drawn
    names = [number.to_bytes(20, "big") for number in range(len(parents))]
    order = sorted(tags, key=lambda pair: VERSIONS.index(pair[0]))
    releases = [
        Release(tag, tag[1:], "rc" if "-rc" in tag else "final", "", position, names[at].hex(), Moment(0))
        for position, (tag, at) in enumerate(order)
    ]
    history = [
        [names[number], *(names[parent] for parent in sorted(parents[number]))]
        for number in reversed(range(len(parents)))
    ]
    found = {commit: (final, rc) for commit, final, rc in trace(history, releases).of(names)}
    above: list[set[int]] = [{number} for number in range(len(parents))]
    for number in reversed(range(len(parents))):
        for parent in parents[number]:
            above[parent] |= above[number]
    for number, name in enumerate(names):
        holding = [release for release in releases if int(release.commit, 16) in above[number]]
        expected = tuple(
            min([release.position for release in holding if release.kind == kind], default=NONE)
            for kind in ("final", "rc")
        )
        assert found[name] == expected


def test_a_pattern_of_series_that_does_not_fit(repo: GitRepo) -> None:
    """A version to which the series pattern has nothing to say is a series of its own."""
    repo.commit({"x": "1"})
    repo.tag("v7")
    repository = open_repository(repo.path)
    (release,) = find_releases(repository, read_refs(repository), SOURCE)
    assert re.search(SOURCE.series_pattern, "7") is None
    assert release.series == "7"
