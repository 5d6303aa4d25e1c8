"""Joins verdicts with releases: what is there before its time, what is missing after it, what later kernels bring."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kminer.probe.answers import ABSENT, BOUND, UNKNOWN
from kminer.records import Feature, Finding

EARLY = "newer than this kernel's version: a backport or a vendor's patch"
KNOWN_BACKPORT = "newer than this kernel's version: a backport that the catalogue knows of"
MISSING = "this kernel is new enough: configuration or policy"
LATER = "comes with a later kernel"
UNDATED = "the catalogue does not know its first release"


@dataclass(frozen=True, slots=True)
class Joined:
    """A finding beside its feature: `remark` says where verdict and version disagree, "" where they agree."""

    feature: Feature
    finding: Finding
    remark: str


def version_of(release: str) -> tuple[int, ...] | None:
    """Numbers of a kernel release ("6.12.107-amd64" gives (6, 12, 107)); None where it has none."""
    match = re.match(r"\d+(?:\.\d+)+", release)
    return tuple(int(part) for part in match[0].split(".")) if match else None


def join(features: Iterable[Feature], findings: Sequence[Finding], release: str | None) -> list[Joined]:
    """Each finding with its feature and what the kernel's version lets one expect of it."""
    by_id = {feature.id: feature for feature in features}
    running = version_of(release or "")
    return [
        Joined(by_id[finding.feature], finding, _remark(by_id[finding.feature], finding, running))
        for finding in findings
        if finding.feature in by_id
    ]


def _remark(feature: Feature, finding: Finding, running: tuple[int, ...] | None) -> str:
    since = version_of(feature.since or "")
    if finding.verdict == UNKNOWN or running is None:
        return ""
    if since is None:
        return UNDATED
    old_enough = running >= since
    if finding.verdict == ABSENT:
        return MISSING if old_enough else LATER
    if old_enough or finding.verdict == BOUND:  # that its controller is elsewhere does not say that it is there
        return ""
    line = ".".join(str(part) for part in running[:2])
    known = any(version.startswith((f"{line}.", f"{line} ")) or version == line for version in feature.backports)
    return KNOWN_BACKPORT if known else EARLY
