"""The questions asked of a change and the labels that answer them, in the order of the arrays of their scores."""

from __future__ import annotations

from dataclasses import dataclass

from kminer.records import Taxonomy

AXES = ("relevant", "mechanism", "kind", "dimension", "flag")


@dataclass(frozen=True, slots=True)
class Axes:
    """Labels by axis. `relevant` has the one label `yes`; `natural` gives the dimension a mechanism brings with it."""

    labels: dict[str, tuple[str, ...]]
    natural: dict[str, str]

    @staticmethod
    def of(taxonomy: Taxonomy) -> Axes:
        """The axes of a taxonomy."""
        return Axes(
            {
                "relevant": ("yes",),
                "mechanism": tuple(taxonomy.mechanisms),
                "kind": tuple(taxonomy.kinds),
                "dimension": tuple(taxonomy.dimensions),
                "flag": tuple(taxonomy.flags),
            },
            taxonomy.natural,
        )

    def index(self) -> dict[tuple[str, str], int]:
        """Place of each label within its axis."""
        return {(axis, label): place for axis in AXES for place, label in enumerate(self.labels[axis])}
