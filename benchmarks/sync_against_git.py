"""The whole `kminer sync` of a Linux history beside git's own passes over the same data, in one run.

    python benchmarks/sync_against_git.py /path/to/linux.git [--paths 60] [--rounds 3] [--pydriller 300]

Prints medians and the ratios kminer / git; --pydriller also lets PyDriller read that many commits with their
files (pip install pydriller) and prints commits a second for both. The clone should have no commit-graph.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from measure import Run, in_turn, measure, print_runs, ratio

SHIPPED = Path(__file__).resolve().parent.parent / "data/sources/linux.toml"
LOG = ["log", "--all", "--no-mailmap", "--full-history", "--no-merges", "--no-renames", "--raw", "--no-abbrev", "-z"]


def present(repository: str, path: str) -> bool:
    """Whether the newest commit has this path."""
    name = path.rstrip("/")
    command = ["git", "--git-dir", repository, "cat-file", "-e", f"HEAD:{name}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def entries(repository: str, wanted: int) -> list[dict[str, object]]:
    """The first `wanted` tracked paths of the shipped source that the history knows under any name; 0: all."""
    rows = tomllib.loads(SHIPPED.read_text())["paths"]
    if not wanted:
        return list(rows)
    known = [row for row in rows if any(present(repository, name) for name in [row["path"], *row.get("was", [])])]
    return (known + [row for row in rows if row not in known])[:wanted]


def own_source(rows: list[dict[str, object]], folder: Path) -> None:
    """Write a source file `linux` with just these tracked paths into the user's configuration folder."""
    text = SHIPPED.read_text().split("[[paths]]", 1)[0]
    for row in rows:
        text += "[[paths]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in row.items())
    target = folder / "kminer/data/sources/linux.toml"
    target.parent.mkdir(parents=True)
    target.write_text(text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repository")
    parser.add_argument("--paths", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pydriller", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = entries(given.repository, given.paths)
        own_source(rows, folder / "config")
        specs = [f":(glob){p}" for row in rows for p in [row["path"], *row.get("was", [])]]  # type: ignore[misc]
        git = ["git", "--git-dir", given.repository]
        print(f"{len(rows)} tracked paths, {len(specs)} pathspecs with their old names")

        def kminer() -> Run:
            database = folder / "bench.db"
            for file in folder.glob("bench.db*"):
                file.unlink()
            command = [sys.executable, "-m", "kminer", "-q", "--db", str(database)]
            environment = {"XDG_CONFIG_HOME": str(folder / "config")}
            return measure([*command, "sync", "linux", "--repo", f"linux={given.repository}"], environment)

        results = in_turn(
            {
                "git log --raw, no pathspec": lambda: measure([*git, *LOG, "--format=%H%n%B"]),
                "kminer sync, new database": kminer,
            },
            given.rounds,
        )
        # Once a round is enough for a pass that takes most of a minute.
        paths = {"git log --raw -- the paths": lambda: measure([*git, *LOG, "--format=%H", "--", *specs])}
        results |= in_turn(paths, 1)
        print_runs(results)
        against_git = ratio(results, "kminer sync, new database", "git log --raw, no pathspec")
        print(f"kminer / git, no pathspec: {against_git:.2f}")
        slow = results["git log --raw -- the paths"][0].wall
        mine = sorted(run.wall for run in results["kminer sync, new database"])[given.rounds // 2]
        print(f"kminer / git with the paths: {mine / slow:.2f}")
        if given.pydriller:
            compare_pydriller(given.repository, given.pydriller, mine)


def compare_pydriller(repository: str, commits: int, kminer_seconds: float) -> None:
    """Commits a second, of PyDriller with modified files and of kminer."""
    from pydriller import Repository

    started, seen = time.perf_counter(), 0
    for commit in Repository(repository, order="reverse").traverse_commits():
        seen += bool(commit.modified_files) or 1
        if seen >= commits:
            break
    theirs = seen / (time.perf_counter() - started)
    count = subprocess.run(
        ["git", "--git-dir", repository, "rev-list", "--all", "--count"],
        capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"},
    ).stdout  # fmt: skip
    print(f"PyDriller: {theirs:,.0f} commits/s; kminer: {int(count) / kminer_seconds:,.0f} commits/s")


if __name__ == "__main__":
    main()
