"""Boots the kernels that are named and prints where the probe differs from their source.

From the top of the checkout: PYTHONPATH=tests .venv/bin/python -m kernels 6.1 7.3
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kernels.boot import BootError
from kernels.build import Run
from kernels.compare import format_differences
from kernels.fetch import SUITES, CannotFetchError
from kernels.probing import RUNS, get_kernel, probe_kernel


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kernels", description="Probe real kernels in qemu.")
    parser.add_argument("series", nargs="*", help=f"of {', '.join(SUITES)}; none: all", metavar="SERIES")
    parser.add_argument("--run", action="append", choices=[run.name for run in RUNS], help="only this way to run it")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write the findings as SERIES-RUN.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.series) - SUITES.keys():
        parser.error(f"no kernel {min(unknown)}; there are {', '.join(SUITES)}")
    runs = [run for run in RUNS if not arguments.run or run.name in arguments.run]
    wrong = 0
    for series in arguments.series or SUITES:
        try:
            wrong += show(series, runs, arguments.save)
        except (CannotFetchError, BootError) as error:
            print(f"{series}: {error}", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


def show(series: str, runs: Sequence[Run], save: Path | None) -> int:
    """Probe a kernel and print what came of it; returns how much of it is wrong and not explained."""
    kernel = get_kernel(series)
    began = time.monotonic()
    judged = probe_kernel(kernel, runs)
    print(f"Linux {kernel.version} ({kernel.package}), {time.monotonic() - began:.1f} s")
    for each in judged:
        print(f"  {each.summary()}")
        for fault in each.faults:
            print(f"    {fault}")
        if save:
            save.mkdir(parents=True, exist_ok=True)
            (save / f"{series}-{each.run}.json").write_text(json.dumps(each.findings, indent=1))
    differences = [difference for each in judged for difference in each.differences]
    print(format_differences(differences) if differences else "  no difference from the source")
    return sum(len(each.faults) for each in judged) + sum(not difference.explained for difference in differences)


if __name__ == "__main__":
    sys.exit(main())
