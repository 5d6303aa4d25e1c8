"""Times `kminer probe` as a whole process, beside scripts that people run to check a kernel.

    python benchmarks/probe.py [--rounds 5] [--peer "sh check-config.sh"] ...

As root it also times the probe of an unprivileged user. A peer is any command; its output is thrown away.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="append", default=[])
    arguments = parser.parse_args()
    probe = [sys.executable, "-m", "kminer", "probe", "--json"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "kminer probe --passive": [*probe, "--passive"],
        "kminer probe": probe,
    }
    if os.geteuid() == 0 and shutil.which("setpriv"):
        commands["kminer probe, as nobody"] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *probe]
    commands |= {peer: shlex.split(peer) for peer in arguments.peer}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            times[name].append(timed(command))
    ours = statistics.median(times["kminer probe"])
    for name, taken in times.items():
        median = statistics.median(taken)
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"{name:40} {median:6.2f} s  ({spread}; {median / ours:.2f} times kminer probe)")


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        environment = os.environ | {"HOME": home, "XDG_CONFIG_HOME": f"{home}/config", "XDG_DATA_HOME": f"{home}/data"}
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False,
            env=environment,
        )  # fmt: skip
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
