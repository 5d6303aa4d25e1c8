"""First releases: which is the earliest release that contains a commit, for every commit in one pass."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import pygit2

from kminer.errors import CatalogueError
from kminer.history.commits import read_identity, split_commit
from kminer.history.repository import Ref
from kminer.records import Release, Source

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")

NONE = 0xFFFF
"""Stands for "in no release" where positions are kept."""


def find_releases(repository: pygit2.Repository, refs: Iterable[Ref], source: Source) -> list[Release]:
    """The source's releases among the tags, sorted as versions with candidates before their final."""
    pattern, series = re.compile(source.tag_pattern), re.compile(source.series_pattern)
    found = []
    for ref in refs:
        match = pattern.search(ref.tag) if ref.tag and ref.commit else None
        if match is None:
            continue
        assert ref.tag and ref.commit
        groups = match.groupdict()
        version, pre = groups["version"], groups.get("pre")
        if not _VERSION.fullmatch(version or ""):
            raise CatalogueError(
                f"`releases.tag` takes {version!r} of the tag {ref.tag} for a version.",
                where=source.file,
                next="Let its group `version` match numbers and dots only, and a group `pre` what follows (rc1).",
            )
        line = series.search(version)
        commit = split_commit(repository.read(ref.commit)[1])
        release = Release(
            tag=ref.tag,
            version=f"{version}-{pre}" if pre else version,
            kind="rc" if pre else "final",
            series=line[0] if line else version,
            position=0,
            commit=ref.commit,
            date=read_identity(commit, "committer", "utf-8")[1],
        )
        found.append((version_key(version, pre), release))
    found.sort(key=lambda pair: (pair[0], pair[1].tag))
    return [replace(release, position=position) for position, (_, release) in enumerate(found)]


_STAGES = {"tp": 0, "alpha": 1, "beta": 2, "rc": 3}
"""Stages before a final release, in their order: technology preview, alpha, beta, candidate."""


VersionKey = tuple[tuple[int, ...], int, str, tuple[int, ...]]


def version_key(version: str, pre: str | None) -> VersionKey:
    """A key that sorts versions as versions: 2.6.9 < 2.6.10-rc1 < 2.6.10-rc10 < 2.6.10 = 2.6.10.0 < 2.6.10.1."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    if not pre:
        return tuple(numbers), len(_STAGES), "", ()
    letters = re.sub(r"[\d.]+", "", pre)
    return tuple(numbers), _STAGES.get(letters, -1), letters, tuple(int(part) for part in re.findall(r"\d+", pre))


class _State(NamedTuple):
    """What reaches a commit from its descendants: earliest final and candidate, and the nearest tags above it."""

    final: int
    rc: int
    nearest: frozenset[int]


_NOTHING = _State(NONE, NONE, frozenset())


@dataclass(slots=True)
class Lineage:
    """A history in one line, children before parents, with each commit's first releases as positions.

    `ids` holds 20 bytes a commit; `finals` and `rcs` two bytes a commit each; `previous` maps a release's
    position to that of the highest release it contains.
    """

    ids: bytearray = field(default_factory=bytearray)
    finals: array[int] = field(default_factory=lambda: array("H"))
    rcs: array[int] = field(default_factory=lambda: array("H"))
    previous: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.finals)

    def of(self, wanted: Iterable[bytes]) -> Iterator[tuple[bytes, int, int]]:
        """(id, first final, first rc) as positions or NONE, for those of `wanted` that the history holds."""
        keys = wanted if isinstance(wanted, (set, frozenset, dict)) else set(wanted)
        for index in range(len(self.finals)):
            commit = bytes(self.ids[20 * index : 20 * index + 20])
            if commit in keys:
                yield commit, self.finals[index], self.rcs[index]


def trace(history: Iterable[Sequence[bytes]], releases: Sequence[Release]) -> Lineage:
    """Give every commit its first releases.

    `history` yields [id, parent, ...], children before parents; a commit's first release is then the earliest
    among its own tags and those of its children, so one pass that remembers only the open edges is enough.
    """
    if len(releases) >= NONE:
        raise ValueError(f"{len(releases)} releases are more than {NONE - 1}")
    tagged: dict[bytes, list[Release]] = {}
    for release in releases:
        tagged.setdefault(bytes.fromhex(release.commit), []).append(release)
    lineage, open_edges = Lineage(), dict[bytes, _State]()
    for commit, *parents in history:
        state = open_edges.pop(commit, _NOTHING)
        if commit in tagged:
            state = _pass_tags(state, tagged[commit], lineage.previous)
        lineage.ids += commit
        lineage.finals.append(state.final)
        lineage.rcs.append(state.rc)
        for parent in parents:
            known = open_edges.get(parent)
            open_edges[parent] = state if known is None or known is state else _join(known, state)
    return lineage


def _join(one: _State, other: _State) -> _State:
    return _State(min(one.final, other.final), min(one.rc, other.rc), one.nearest | other.nearest)


def _pass_tags(state: _State, releases: Sequence[Release], previous: dict[int, int]) -> _State:
    here = [release.position for release in releases]
    for above in state.nearest:
        previous[above] = max(previous.get(above, -1), here[-1])
    for lower, higher in pairwise(here):
        previous[higher] = lower
    finals = [release.position for release in releases if release.kind == "final"]
    candidates = [release.position for release in releases if release.kind == "rc"]
    return _State(
        min([state.final, *finals]), min([state.rc, *candidates]), frozenset(here[:1])
    )
