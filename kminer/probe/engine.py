"""Which container engine is installed on the host."""

from __future__ import annotations

import re
import shutil
import subprocess

PATIENCE = 2.0
"""Seconds that an engine may take to say its version."""

_VERSION = re.compile(r"version v?(\d+(?:\.\d+)+)")


def find_engine() -> tuple[str, str] | None:
    """("docker", version) of the engine's daemon, or of its client where there is no daemon; None: none is found.

    The version is that of the program on the disk; no daemon is asked.
    """
    for program in ("dockerd", "docker"):
        path = shutil.which(program)
        if path and (version := _version_of(path)):
            return "docker", version
    return None


def _version_of(path: str) -> str | None:
    try:
        said = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=PATIENCE, check=False,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said)
    return match[1] if match else None
