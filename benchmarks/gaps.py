"""Times the gap queries on a database, beside the plain search of the history they are asked instead of.

    python benchmarks/gaps.py DATABASE CLONE.git [--rounds 5]

DATABASE holds histories, notes and patch archives with labels; CLONE.git is a clone of Linux. The peer, in the same
run: `git log --all --grep=cgroup` on that clone, which finds commits by one word and says nothing of them.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from pathlib import Path

from kminer import queries
from kminer.store.database import open_for_reading

ASKED: tuple[tuple[str, dict[str, str | int]], ...] = (
    ("claims-silent", {}), ("claims-answered", {}), ("claims-followed", {}), ("proposals-unmerged", {}),
    ("keeps-breaking", {}), ("reverts-abandoned", {}), ("unused-features", {}), ("adoption-lag", {}),
    ("unbounded-resources", {}), ("untouched-pairs", {}), ("performance-signals", {}),
    ("silent-changes", {"project": "docker", "release": "docker-v29%"}), ("trends", {}), ("gaps", {}),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    peer = [search(arguments.clone) for _ in range(arguments.rounds)]
    print(f"{'git log --grep':22} {statistics.median(peer):6.2f} s")
    for name, settings in ASKED:
        times, rows = zip(*(ask(arguments.database, name, settings) for _ in range(arguments.rounds)), strict=True)
        median = statistics.median(times)
        ratio = median / statistics.median(peer)
        print(f"{name:22} {median:6.2f} s  (longest {max(times):.2f})  {rows[0]:5} rows  {ratio:.2f} of the peer")


def ask(database: Path, name: str, settings: dict[str, str | int]) -> tuple[float, int]:
    """Seconds of one question on a freshly opened database, and its rows."""
    db = open_for_reading(database)
    started = time.perf_counter()
    answer = queries.run(db, queries.find(name), settings)
    seconds = time.perf_counter() - started
    db.close()
    return seconds, len(answer.rows)


def search(clone: Path) -> float:
    command = ["git", "--git-dir", str(clone), "log", "--all", "--grep=cgroup", "--format=%h %s"]
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
