"""Holds what the probe found in a kernel against what the catalogue says is in that kernel's source."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.fetch import Kernel
from kminer.records import Feature

EXPLAINED = Path(__file__).resolve().parent / "explained.toml"
THERE = ("available", "compiled-in", "blocked", "bound-elsewhere")
"""Verdicts that say that a feature is in the kernel."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A verdict that the source of the kernel contradicts; `explained` says why it is right all the same."""

    series: str
    run: str
    feature: str
    wrong: str
    verdict: str
    reason: str
    explained: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a verdict on a feature may differ from the source: in these series and runs (none named: in all)."""

    feature: str
    reason: str
    verdict: str
    series: tuple[str, ...]
    runs: tuple[str, ...]

    def covers(self, difference: Difference) -> bool:
        return (
            (self.feature, self.verdict) == (difference.feature, difference.verdict)
            and (not self.series or difference.series in self.series)
            and (not self.runs or difference.run in self.runs)
        )


def read_explanations(file: Path = EXPLAINED) -> list[Explanation]:
    """The differences that are explained; each row must give a reason."""
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("difference", [])
    return [
        Explanation(
            row["feature"], row["reason"], row["verdict"], tuple(row.get("series", ())), tuple(row.get("runs", ()))
        )
        for row in rows
    ]


def catalogued(features: Iterable[Feature]) -> dict[str, str]:
    """The kernels whose source the catalogue knows, by their series: {"6.1": "6.1.192"}."""
    return {_series(version): version for feature in features for version, _ in feature.presence}


def compare(
    kernel: Kernel, run: str, findings: Sequence[Mapping[str, Any]], features: Mapping[str, Feature],
    explanations: Sequence[Explanation],
) -> list[Difference]:  # fmt: skip
    """Verdicts that are false by the source of the kernel: there though it has no such feature, absent though it has.

    A feature that was seen in older kernels as a backport may be there; one that this kernel was built without may
    be absent.
    """
    symbols = _set_symbols(kernel)
    return [
        _explain(difference, explanations)
        for finding in findings
        if (feature := features.get(finding["feature"])) is not None
        for difference in _judge(kernel, run, finding, feature, symbols)
    ]


def _judge(
    kernel: Kernel, run: str, finding: Mapping[str, Any], feature: Feature, symbols: Collection[str]
) -> Iterator[Difference]:
    present = {_series(version): there for version, there in feature.presence}.get(kernel.series)
    verdict = finding["verdict"]
    if present is False and verdict in THERE and kernel.series not in map(_series, feature.backports):
        explained = "the filter answers before the kernel could" if _is_filtered(finding) else ""
        yield Difference(kernel.series, run, feature.id, f"false {verdict}", verdict, finding["reason"], explained)
    if present is True and verdict == "absent":
        without = [symbol for symbol in feature.kconfig if symbol not in symbols]
        explained = f"built without CONFIG_{without[0]}" if without else ""
        yield Difference(kernel.series, run, feature.id, "false absent", verdict, finding["reason"], explained)


def _is_filtered(finding: Mapping[str, Any]) -> bool:
    return finding["verdict"] == "blocked" and "seccomp" in finding["by"]


def _explain(difference: Difference, explanations: Sequence[Explanation]) -> Difference:
    for explanation in explanations:
        if not difference.explained and explanation.covers(difference):
            return Difference(
                difference.series, difference.run, difference.feature, difference.wrong, difference.verdict,
                difference.reason, explanation.reason,
            )  # fmt: skip
    return difference


def _set_symbols(kernel: Kernel) -> set[str]:
    return set(re.findall(r"^CONFIG_(\w+)=", kernel.config.read_text(encoding="utf-8"), re.MULTILINE))


def _series(version: str) -> str:
    return ".".join(version.split(".")[:2])


def format_differences(differences: Iterable[Difference]) -> str:
    """A table of differences, those without an explanation first; the runs that say the same share a row."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for each in sorted(differences, key=lambda each: (bool(each.explained), each.series, each.feature)):
        why = f"explained: {each.explained}" if each.explained else each.reason
        runs.setdefault((each.series, each.feature, each.wrong, why), []).append(each.run)
    rows: list[tuple[str, ...]] = [("kernel", "feature", "wrong", "why and in which runs")]
    rows += [(*row, f"{why} ({', '.join(names)})") for (*row, why), names in runs.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*map(str.ljust, row[:3], widths), row[3]]) for row in rows)


def count_verdicts(findings: Iterable[Mapping[str, Any]]) -> str:
    """How many features have which verdict: "available 120, unknown 3"."""
    counted = Counter(finding["verdict"] for finding in findings)
    return ", ".join(f"{verdict} {number}" for verdict, number in counted.most_common())
