"""Runs commands and measures them whole: seconds, and peak private memory over the process tree."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """Seconds on the clock, and MB of anonymous memory at the highest moment."""

    wall: float
    memory: float


def measure(command: Sequence[str], env: Mapping[str, str] | None = None) -> Run:
    """Run `command`, its output thrown away; raises RuntimeError with what it complained of if it fails.

    Memory is RssAnon + RssShmem of the process and all its descendants, sampled every 20 ms: a mapped pack is
    the page cache's and does not count.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}
    ) as process:
        sampler = _Sampler(process.pid)
        sampler.start()
        _, complaints = process.communicate()
        wall = time.perf_counter() - started
        sampler.stop()
    if process.returncode:
        raise RuntimeError(f"{shlex.join(command)[:200]} ended with {process.returncode}: {complaints.decode()}")
    return Run(wall, sampler.peak)


class _Sampler(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over, self.peak = pid, threading.Event(), 0.0

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, sum(_private(pid) for pid in _family(self._pid)) / 1024)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue  # the process has just ended
            children.setdefault(parent, []).append(int(entry.name))
    family, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        family.append(pid)
        waiting += children.get(pid, [])
    return family


def _private(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # the process has just ended
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def in_turn(subjects: Mapping[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run each subject once uncounted, then all in turn `rounds` times, so that a drifting machine hits all alike."""
    results: dict[str, list[Run]] = {name: [] for name in subjects}
    for turn in range(rounds + 1):
        for name, subject in subjects.items():
            run = subject()
            if turn:
                results[name].append(run)
    return results


def print_runs(results: Mapping[str, Sequence[Run]]) -> None:
    """A row a subject: medians, and the range of the wall clock."""
    print(f"{'':34} {'wall s':>8} {'min-max':>15} {'memory MB':>10}")
    for name, runs in results.items():
        walls = [run.wall for run in runs]
        spread = f"{min(walls):.2f}-{max(walls):.2f}"
        memory = statistics.median(run.memory for run in runs)
        print(f"{name:34} {statistics.median(walls):8.2f} {spread:>15} {memory:10.0f}")


def ratio(results: Mapping[str, Sequence[Run]], one: str, other: str) -> float:
    """Median over the rounds of wall(one) / wall(other)."""
    pairs = zip(results[one], results[other], strict=True)
    return statistics.median(first.wall / second.wall for first, second in pairs)
