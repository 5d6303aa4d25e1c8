"""Asks about cgroup v2 where no hierarchy of it is mounted, in a child that mounts one for itself alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import Answer
from kminer.probe.forks import CAP_SYS_ADMIN, DiedError, forked, has_capability
from kminer.probe.host import Host
from kminer.probe.passive import PASSIVE
from kminer.probe.stages import own_stage

KINDS = frozenset(["controller", "cgfile", "cgroot", "cgkey", "cgread", "cgglob"])
"""Kinds of detectors that look into a hierarchy of cgroup v2."""


def ask_detached(detectors: Sequence[str], host: Host) -> dict[str, Answer]:
    """The answers from a hierarchy that only a child of this process sees; none where it is mounted, or cannot be.

    Only files are read in it. It takes CAP_SYS_ADMIN.
    """
    if not detectors or host.hierarchies.v2 or "cgroup2" not in (host.filesystems or ()):
        return {}
    if not has_capability(CAP_SYS_ADMIN):
        return {}
    try:
        told = json.loads(forked(lambda: _ask(detectors)))
    except (OSError, DiedError):  # the detectors' own answers stay: that it is not mounted
        return {}
    return {detector: Answer(*fields) for detector, fields in told.items()}


def _ask(detectors: Sequence[str]) -> str:
    if not own_stage(Host(), as_root_too=False).mounts:
        return "{}"
    Path("cgroup2").mkdir()
    kernel.mount("kminer", "cgroup2", "cgroup2", 0, None)
    host = Host()
    answers = {}
    for detector in detectors:
        kind, _, argument = detector.partition(":")
        answers[detector] = astuple(PASSIVE[kind](detector, argument, host))
    return json.dumps(answers)
