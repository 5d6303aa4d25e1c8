"""Runs the probe in a kernel in every way that the tests ask for, and judges what it said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.boot import Outcome, boot
from kernels.build import Run
from kernels.compare import Difference, catalogued, compare, count_verdicts, read_explanations
from kernels.fetch import Kernel, cache_folder, get
from kminer.catalogue import load_kernel_features
from kminer.records import Feature

COMMAND = ("/usr/bin/python3", "-m", "kminer", "probe", "--json")
NOBODY = 65534
RUNS = (
    Run("bare", modules=False),
    Run("root"),
    Run("root-too", options=("--as-root-too",)),
    Run("user", uid=NOBODY),
    Run("eperm", filtered="EPERM"),
    Run("enosys", filtered="ENOSYS"),
    Run("user-eperm", uid=NOBODY, filtered="EPERM"),
)
"""Root without modules loaded, root, root with all trials, nobody, and both below filters of system calls."""

TESTED = tuple(run for run in RUNS if run.name not in ("root", "user-eperm"))
"""The ways that the tests have time for: those left out said what others said on every kernel."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one run of the probe came to: its findings, where they differ from the source, and what went wrong else."""

    run: str
    seconds: float
    probing: float
    findings: list[dict[str, Any]]
    differences: list[Difference]
    faults: list[str]

    def summary(self) -> str:
        """One line: how long it took (and the probe alone), and how many features have which verdict."""
        return (
            f"{self.run}: {self.seconds:.1f} s ({self.probing:.1f} s); {count_verdicts(self.findings) or 'no findings'}"
        )


def get_kernel(series: str) -> Kernel:
    """The kernel of a series in the version that the catalogue knows, else the newest; CannotFetchError."""
    known = catalogued(load_kernel_features().values())
    return get(series, cache_folder(), [known[series]] if series in known else [])


def probe_kernel(kernel: Kernel, runs: Sequence[Run] = RUNS) -> list[Judged]:
    """Boot the kernel, run the probe in each way, and judge it; BootError when the guest gave no answers."""
    features = load_kernel_features()
    outcomes = boot(kernel, COMMAND, runs)
    return [_judge(kernel, name, outcome, features) for name, outcome in outcomes.items()]


def _judge(kernel: Kernel, name: str, outcome: Outcome, features: Mapping[str, Feature]) -> Judged:
    faults = [f"left behind: {line}" for line in outcome.left]
    said: dict[str, Any] = {"findings": [], "seconds": 0.0}
    if outcome.code:
        faults.append(f"it ended with {outcome.code}: {outcome.said or outcome.out}")
    else:
        said = json.loads(outcome.out)
        missing = features.keys() - {finding["feature"] for finding in said["findings"]}
        faults += [f"no finding on {feature}" for feature in sorted(missing)]
    differences = compare(kernel, name, said["findings"], features, read_explanations())
    return Judged(name, outcome.seconds, said["seconds"], said["findings"], differences, faults)
