"""Where changes come from: one module a kind of source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kminer.sources.git import Summary

KINDS = (
    "git", "demo", "markdown", "tags", "github-releases", "kernel-changelog", "kernelnewbies", "debian-changelog",
    "pull-mail", "mailing-list", "merged-titles",
)  # fmt: skip
"""Kinds of source: histories of code, kinds of release notes, archives of patches, lists of what was merged."""


def find_sync(kind: str) -> Callable[..., Summary]:
    """How a kind of source is synced; modules that only release notes need are loaded only for them."""
    if kind == "git":
        from kminer.sources.git import sync
    elif kind == "demo":
        from kminer.sources.demo import sync
    elif kind == "mailing-list":
        from kminer.sources.archive import sync
    elif kind == "merged-titles":
        from kminer.sources.titles import sync
    else:
        from kminer.sources.notes import sync
    return sync
