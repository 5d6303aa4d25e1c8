"""Where files are: shipped with kminer, the user's own, the database, the cache."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The shipped folder `name` (data, queries or reports): inside the wheel, else in the checkout."""
    inside = _PACKAGE / "shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def own(name: str) -> Path:
    """The user's own folder `name`, read beside the shipped one; it need not exist."""
    return _base("XDG_CONFIG_HOME", ".config") / "kminer" / name


def default_database() -> Path:
    """The database when none is named; KMINER_DB in the environment names another."""
    named = os.environ.get("KMINER_DB")
    return Path(named) if named else _base("XDG_DATA_HOME", ".local/share") / "kminer" / "kminer.db"


def cache() -> Path:
    """Folder of clones and of the demo's repositories."""
    return _base("XDG_CACHE_HOME", ".cache") / "kminer"


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable)
    return Path(value) if value else Path.home() / fallback
