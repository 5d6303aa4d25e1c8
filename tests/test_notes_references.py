"""References in release notes."""

from __future__ import annotations

import time

import pytest
from syncing import sample_source

from kminer.notes.references import find_note_references

MOBY = sample_source(repository="moby/moby", repository_was=("docker/docker", "dotcloud/docker"))
NOBODY = sample_source(repository="", repository_was=())


def found(text: str, source: object = MOBY) -> list[tuple[str, str]]:
    """(type, value) of the references, in the order in which they are found."""
    return [(reference.type, reference.value) for reference in find_note_references(text, source)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A [moby/moby#1](https://github.com/moby/moby/pull/1)", [("pull-request", "moby/moby#1")]),
        ("A [moby/moby#1](https://github.com/moby/moby/issues/1)", [("issue", "moby/moby#1")]),
        ("A [docker/docker#1](https://github.com/docker/docker/pull/1)", [("pull-request", "moby/moby#1")]),
        ("A [#89](https://github.com/docker/docker-ce/pull/89)", [("pull-request", "docker/docker-ce#89")]),
        ("A [docker/cli#1\n](https://github.com/docker/cli/pull/1)", [("pull-request", "docker/cli#1")]),
        ("A https://github.com/docker/cli/pull/1.", [("pull-request", "docker/cli#1")]),
        ("A (#1,\n#2)", [("issue", "moby/moby#1"), ("issue", "moby/moby#2")]),
        ("A docker/docker#1 and docker/engine#2", [("issue", "moby/moby#1"), ("issue", "docker/engine#2")]),
        ("A #1, #1 and moby/moby#1", [("issue", "moby/moby#1")]),
        ("see https://github.com/moby/moby/commit/0123456789ab", [("commit", "0123456789ab")]),
        ("see https://git.kernel.org/linus/0123456789ab", [("commit", "0123456789ab")]),
        ("see [this](https://example.org/a%20b)", [("link", "https://example.org/a b")]),
        ("see https://example.org/wiki/A_(b), (https://example.org/c).", [
            ("link", "https://example.org/wiki/A_(b)"), ("link", "https://example.org/c"),
        ]),
        ("fix cve-2019-5736 and CVE-2019-5736", [("cve", "CVE-2019-5736")]),
        ("fix ghsa-vwm3-crmr-XFXW", [("advisory", "GHSA-vwm3-crmr-xfxw")]),
        ("&#123; a#1 ##2 https://example.org/#3", [("link", "https://example.org/#3")]),
    ],
)  # fmt: skip
def test_each_kind(text: str, expected: list[tuple[str, str]]) -> None:
    """A reference is found once, with its type and the present name of its repository."""
    assert found(text) == expected


def test_the_text_counts_not_the_address_behind_it() -> None:
    """A CVE in a link's address alone is no CVE of the note: addresses are often those of another."""
    text = "[CVE-2020-1111](https://cve.example.org/CVE-2020-2222)"
    assert [value for kind, value in found(text) if kind == "cve"] == ["CVE-2020-1111"]


def test_a_label_that_differs_from_its_address_is_kept() -> None:
    """Of a link whose label and address name different numbers, both are found."""
    text = "[moby/moby#36130](https://github.com/moby/moby/pull/36160)"
    assert found(text) == [("pull-request", "moby/moby#36160"), ("issue", "moby/moby#36130")]


def test_numbers_mean_nothing_without_a_repository() -> None:
    """Where a source has no repository, "#1" is no issue, but owner/name#1 is."""
    assert found("A #1 and moby/moby#2", NOBODY) == [("issue", "moby/moby#2")]


@pytest.mark.parametrize(
    "piece",
    ["[", "[x](http://a(", "[x](http://a", "http://", "a/", "a/b#", "(#1, #2) ", "https://git.kernel.org/", "("],
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    """A long line of anything is searched in time that grows with its length only."""
    start = time.monotonic()
    found(piece * (100_000 // len(piece)))
    assert time.monotonic() - start < 5
