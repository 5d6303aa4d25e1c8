"""Times `kminer sync` of a folder of release notes, as whole processes, beside parsers that others wrote.

    python benchmarks/notes.py FOLDER [--rounds 3]

FOLDER holds docker-docs/, docker-ce/, moby/, runc/, gitpull/ and debian/, as the pages are published. The peers, on
the same files in the same run: markdown-it-py rendering the Markdown pages, python-debian (pip install python-debian)
parsing the changelogs. Neither finds notes, versions, references or labels, nor stores anything.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCES = {
    "docker-notes": "docker-docs", "docker-notes-moby": "moby/CHANGELOG.md", "docker-notes-ce": "docker-ce",
    "runc-notes": "runc/CHANGELOG.md", "cgroup-pulls": "gitpull", "debian-linux": "debian",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", choices=["markdown", "debian"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        {"markdown": render_markdown, "debian": parse_debian}[arguments.peer](arguments.folder)
        return
    report(arguments.folder, arguments.rounds)


def report(folder: Path, rounds: int) -> None:
    """Medians of alternating rounds, and the ratio to the peer."""
    peers = ["markdown"] + (["debian"] if importlib.util.find_spec("debian") else [])
    ours: dict[str, list[float]] = {source: [] for source in SOURCES}
    theirs: dict[str, list[float]] = {peer: [] for peer in peers}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            for source, place in SOURCES.items():
                command = ["--db", f"{scratch}/notes.db", "-q", "sync", source, "--from", str(folder / place)]
                ours[source].append(timed([sys.executable, "-m", "kminer", *command, "--no-labels"]))
        for peer in peers:
            theirs[peer].append(timed([sys.executable, __file__, str(folder), "--peer", peer]))
    for name, times in (ours | theirs).items():
        spread = f"{min(times):.2f} to {max(times):.2f}"
        print(f"{name:20} {statistics.median(times):6.2f} s  (median of {rounds}: {spread})")
    whole = sum(statistics.median(times) for times in ours.values())
    print(f"{'all sources':20} {whole:6.2f} s")
    markdown = sum(statistics.median(ours[s]) for s in ours if s.startswith(("docker", "runc")))
    print(f"Markdown sources against markdown-it-py alone: {markdown / statistics.median(theirs['markdown']):.2f}")
    if "debian" in theirs:
        ratio = statistics.median(ours["debian-linux"]) / statistics.median(theirs["debian"])
        print(f"debian-linux against python-debian alone: {ratio:.2f}")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {largest:.0f} MB")


def timed(command: list[str]) -> float:
    """Seconds of a whole process; a page of another package in the folder is an error of one page, not of the run."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        sys.exit(done.stderr)
    return time.perf_counter() - started


def render_markdown(folder: Path) -> None:
    from markdown_it import MarkdownIt

    parser = MarkdownIt()
    for page in sorted([*folder.glob("docker-*/*.md"), *folder.glob("moby/*.md"), *folder.glob("runc/*.md")]):
        parser.render(page.read_text(encoding="utf-8"))


def parse_debian(folder: Path) -> None:
    from debian.changelog import Changelog

    for page in sorted(folder.glob("debian/linux*.gz")):
        len(Changelog(gzip.decompress(page.read_bytes()), strict=False, allow_empty_author=True))


if __name__ == "__main__":
    main()
