"""What a user does every day, beside the start-up of the interpreter and of kminer.

    python benchmarks/everyday.py /path/to/linux.git [--rounds 5]

A second sync with nothing new, one with 500 new commits, `kminer --help`, and saved queries on that database.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from growth import cut
from measure import in_turn, measure, print_runs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repository")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = cut(given.repository, 10**9, folder / "linux.git")
        git = ["git", "--git-dir", str(whole)]
        tags = subprocess.run(
            ["git", "--git-dir", given.repository, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        for line in tags:
            identity, ref = line.split()
            subprocess.run([*git, "update-ref", ref, identity], check=True)
        kminer = [sys.executable, "-m", "kminer", "-q"]
        full, before = folder / "full.db", folder / "before.db"
        tip = subprocess.run([*git, "rev-parse", "main"], capture_output=True, text=True, check=True).stdout.strip()
        older = subprocess.run(
            [*git, "rev-list", "--topo-order", "--skip=500", "-1", "main"], capture_output=True, text=True, check=True
        ).stdout.strip()
        subprocess.run([*git, "update-ref", "refs/heads/main", older], check=True)
        subprocess.run([*kminer, "--db", str(before), "sync", "linux", "--repo", f"linux={whole}"], check=True)
        subprocess.run([*git, "update-ref", "refs/heads/main", tip], check=True)
        shutil.copy(before, full)
        subprocess.run([*kminer, "--db", str(full), "sync", "linux"], check=True)

        def increment():  # type: ignore[no-untyped-def]
            copy = folder / "copy.db"
            for file in folder.glob("copy.db*"):
                file.unlink()
            shutil.copy(before, copy)
            return measure([*kminer, "--db", str(copy), "sync", "linux"])

        query = [*kminer, "--db", str(full), "query"]
        results = in_turn(
            {
                "python -c pass": lambda: measure([sys.executable, "-c", "pass"]),
                "kminer --help": lambda: measure([sys.executable, "-m", "kminer", "--help"]),
                "kminer query --sql (start-up)": lambda: measure([*query, "mechanisms", "--sql"]),
                "kminer query mechanisms": lambda: measure([*query, "mechanisms", "--format", "csv"]),
                "kminer query people": lambda: measure([*query, "people", "--format", "csv"]),
                "kminer query bug-lifetimes": lambda: measure([*query, "bug-lifetimes", "--format", "csv"]),
                "kminer sync, nothing new": lambda: measure([*kminer, "--db", str(full), "sync", "linux"]),
                "kminer sync, 500 new commits": increment,
            },
            given.rounds,
        )
        print_runs(results)


if __name__ == "__main__":
    main()
