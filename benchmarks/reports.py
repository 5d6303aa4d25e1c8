"""Times all reports on a database, each with its HTML page, as whole processes.

    python benchmarks/reports.py DATABASE [--host NAME] [--rounds 3]

DATABASE holds histories, notes and patch archives with labels; --host names a host whose probe was saved in it. The
peer, in the same run: one `kminer query mechanisms`, which is the start-up and one question.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from measure import Run, measure

SETTINGS = {
    "timeline": [], "gaps": [], "papers": [], "lag": [], "resources": [], "notebook": [],
    "mechanism": ["mechanism=cg.memory"], "release": ["project=docker", "release=28.0.0"],
    "upgrade": ["project=docker", "from=v27.0.1", "to=v28.0.0"],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("--host")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    settings = SETTINGS | ({"host": [f"host={arguments.host}"]} if arguments.host else {})
    runs: dict[str, list[Run]] = {name: [] for name in ("(one query)", *settings)}
    sizes: dict[str, int] = {}
    kminer = [sys.executable, "-m", "kminer", "-q", "--db", str(arguments.database)]
    for _ in range(arguments.rounds):
        runs["(one query)"].append(measure([*kminer, "query", "mechanisms"]))
        with tempfile.TemporaryDirectory() as out:
            for name, pairs in settings.items():
                given = [word for pair in pairs for word in ("--set", pair)]
                runs[name].append(measure([*kminer, "report", name, *given, "--out", out, "--html"]))
                sizes[name] = (Path(out) / f"{name}.html").stat().st_size
    show(runs, sizes)


def show(runs: dict[str, list[Run]], sizes: dict[str, int]) -> None:
    """Medians, the ratio to the peer, the size of the page, and what all took together."""
    times = {name: statistics.median(run.wall for run in of_one) for name, of_one in runs.items()}
    for name, of_one in runs.items():
        ratio = times[name] / times["(one query)"]
        memory = max(run.memory for run in of_one)
        size = sizes.get(name, 0) / 1000
        print(f"{name:12} {times[name]:6.2f} s  {ratio:5.1f}  {memory:5.0f} MB  page {size:6.0f} kB")
    print(f"all reports  {sum(times[name] for name in sizes):6.2f} s")


if __name__ == "__main__":
    main()
