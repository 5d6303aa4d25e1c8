"""Times `kminer probe` as a whole process, beside scripts that people run to check a kernel.

    python benchmarks/probe.py [--rounds 5] [--peer "sh check-config.sh"] ...

As root it also times the probe of an unprivileged user. A peer is any command; its output is thrown away.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

NOBODY = 65534


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="append", default=[])
    arguments = parser.parse_args()
    probe = [sys.executable, "-m", "kminer", "probe", "--json"]
    commands: dict[str, tuple[list[str], Callable[[], None] | None]] = {
        "python -c pass": ([sys.executable, "-c", "pass"], None),
        "kminer probe --passive": ([*probe, "--passive"], None),
        "kminer probe": (probe, None),
    }
    if os.geteuid() == 0:
        commands["kminer probe, as nobody"] = (probe, become_nobody)
    commands |= {peer: (shlex.split(peer), None) for peer in arguments.peer}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, (command, before) in commands.items():
            times[name].append(timed(command, before))
    ours = statistics.median(times["kminer probe"])
    for name, taken in times.items():
        median = statistics.median(taken)
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"{name:40} {median:6.2f} s  ({spread}; {median / ours:.2f} times kminer probe)")


def timed(command: list[str], before: Callable[[], None] | None) -> float:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        environment = os.environ | {"HOME": home, "XDG_CONFIG_HOME": f"{home}/config", "XDG_DATA_HOME": f"{home}/data"}
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
            env=environment, preexec_fn=before,
        )  # fmt: skip
    return time.perf_counter() - started


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


if __name__ == "__main__":
    main()
