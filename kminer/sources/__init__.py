"""Where changes come from: one module a kind of source."""

from __future__ import annotations

from kminer.sources import demo, git

KINDS = {"git": git.sync, "demo": demo.sync}
"""How each kind of source is synced."""
