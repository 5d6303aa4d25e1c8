"""Where changes come from: one module a kind of source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kminer.sources.git import Summary

KINDS = (
    "git", "demo", "markdown", "tags", "github-releases", "kernel-changelog", "kernelnewbies", "debian-changelog",
    "pull-mail",
)  # fmt: skip
"""Kinds of source: histories of code, then kinds of release notes."""


def find_sync(kind: str) -> Callable[..., Summary]:
    """How a kind of source is synced; modules that only release notes need are loaded only for them."""
    if kind == "git":
        from kminer.sources.git import sync
    elif kind == "demo":
        from kminer.sources.demo import sync
    else:
        from kminer.sources.notes import sync
    return sync
