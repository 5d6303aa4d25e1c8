"""How time and memory of a sync grow with the history.

    python benchmarks/growth.py /path/to/linux.git [--synthetic 1400000]

Syncs the first 50,000, 100,000 and 200,000 commits of a real history, then a synthetic one of today's Linux
size that `git fast-import` writes (some minutes, 1 GB of disk), and prints seconds a 10,000 commits and the peak
of private memory over all processes.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from measure import measure

SHIPPED = Path(__file__).resolve().parent.parent / "data/sources/linux.toml"


def cut(repository: str, commits: int, target: Path) -> Path:
    """A repository that borrows `repository`'s objects and ends at its `commits`-th oldest commit."""
    listed = subprocess.run(
        ["git", "--git-dir", repository, "rev-list", "--topo-order", "--reverse", "--all"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    subprocess.run(["git", "init", "-q", "--bare", str(target)], check=True)
    (target / "objects/info/alternates").write_text(f"{Path(repository).resolve()}/objects\n")
    tip = listed[min(commits, len(listed)) - 1]
    subprocess.run(["git", "--git-dir", str(target), "update-ref", "refs/heads/main", tip], check=True)
    return target


def synthetic(commits: int, target: Path) -> Path:
    """Write a history shaped like Linux: 2 % of commits touch tracked files, a tag every 10,000 commits."""
    subprocess.run(["git", "init", "-q", "--bare", str(target)], check=True)
    with subprocess.Popen(
        ["git", "--git-dir", str(target), "fast-import", "--quiet", "--depth=20"], stdin=subprocess.PIPE
    ) as process:
        assert process.stdin
        for piece in _stream(commits):
            process.stdin.write(piece)
        process.stdin.close()
    if process.returncode:
        raise RuntimeError(f"git fast-import failed with {process.returncode}")
    return target


def _stream(commits: int) -> Iterator[bytes]:
    chance = random.Random(26)
    rows = tomllib.loads(SHIPPED.read_text())["paths"]
    tracked = [row["path"] for row in rows if re.fullmatch(r"[\w/.-]+[.][ch]", row["path"])]
    others = [f"drivers/d{folder}/f{file}.c" for folder in range(60) for file in range(20)]
    for number in range(1, commits + 1):
        path = chance.choice(tracked) if chance.random() < 0.02 else chance.choice(others)
        seconds = 1_100_000_000 + 300 * number
        text = f"subsystem: change number {number} of {path}\n\n" + "Some words about what it does. " * 12
        text += "\n\nSigned-off-by: A Developer <dev@example.org>\n"
        content = f"{number}\n"
        yield (
            f"commit refs/heads/main\nmark :{number}\ncommitter A Developer <dev@example.org> {seconds} +0000\n"
            f"data {len(text)}\n{text}"
            + (f"from :{number - 1}\n" if number > 1 else "")
            + (f"merge :{number - 40}\n" if number > 50 and number % 15 == 0 else "")
            + f"M 100644 inline {path}\ndata {len(content)}\n{content}\n"
        ).encode()
        if number % 10_000 == 0:
            release = number // 10_000
            yield f"reset refs/tags/v{2 + release // 20}.{release % 20}\nfrom :{number}\n\n".encode()


def sync(repository: Path, folder: Path) -> None:
    """Sync into a new database and print a row."""
    database = folder / f"{repository.name}.db"
    command = [sys.executable, "-m", "kminer", "-q", "--db", str(database), "sync", "linux"]
    run = measure([*command, "--repo", f"linux={repository}"])
    count = subprocess.run(
        ["git", "--git-dir", str(repository), "rev-list", "--all", "--count"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    commits = int(count)
    print(f"{commits:>12,} {run.wall:8.1f} {run.wall / commits * 10_000:20.3f} {run.memory:10.0f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repository")
    parser.add_argument("--real", type=int, nargs="*", default=[50_000, 100_000, 200_000])
    parser.add_argument("--synthetic", type=int, default=1_400_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'commits':>12} {'wall s':>8} {'s / 10,000 commits':>20} {'memory MB':>10}")
        for commits in given.real:
            sync(cut(given.repository, commits, folder / f"first-{commits}.git"), folder)
        if given.synthetic:
            for commits in (given.synthetic // 7, given.synthetic):
                sync(synthetic(commits, folder / f"synthetic-{commits}.git"), folder)


if __name__ == "__main__":
    main()
