"""How long work tells of itself; the console shows it, others keep silent."""

from __future__ import annotations


class Progress:
    """Receives what long work says of itself. This one says nothing."""

    def start(self, doing: str, total: int | None) -> None:
        """A stage begins: `doing` in a few words, of `total` units (None: unknown)."""

    def advance(self, units: int) -> None:
        """So many more units are done."""

    def note(self, text: str) -> None:
        """Something worth knowing whether or not a bar is shown, e.g. what will be downloaded."""

    def detail(self, text: str) -> None:
        """Something only those want who asked for more (-v)."""
