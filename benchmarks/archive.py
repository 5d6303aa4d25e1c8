"""Times `kminer sync` of a mailing list's archive, as a whole process, beside what others read mails with.

    python benchmarks/archive.py ARCHIVE.git [--rounds 3]

ARCHIVE.git is a public-inbox repository (v2). The peers, on the same mails in the same run and in one process each:
`git cat-file --batch` alone, which takes the mails out of the repository and does nothing with them; and Python's own
email package with its modern policy, which decodes each mail's subject, date, sender and text and stores nothing.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from measure import Run, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", choices=["git", "email"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        {"git": take_out, "email": decode}[arguments.peer](arguments.archive)
    else:
        report(arguments.archive, arguments.rounds)


def report(archive: Path, rounds: int) -> None:
    """Medians of alternating rounds, and the ratio to each peer."""
    runs: dict[str, list[Run]] = {name: [] for name in ("kminer", "kminer, nothing new", "git", "email")}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            sync = [sys.executable, "-m", "kminer", "--db", f"{scratch}/mails.db", "-q", "sync", "cgroups-list"]
            sync += ["--from", str(archive), "--no-labels"]
            runs["kminer"].append(measure(sync))
            runs["kminer, nothing new"].append(measure(sync))
        for peer in ("git", "email"):
            runs[peer].append(measure([sys.executable, __file__, str(archive), "--peer", peer]))
    mails = len(names(archive))
    times = {name: statistics.median(run.wall for run in of_one) for name, of_one in runs.items()}
    for name, of_one in runs.items():
        spread = f"{min(run.wall for run in of_one):.1f} to {max(run.wall for run in of_one):.1f}"
        memory = max(run.memory for run in of_one)
        print(f"{name:20} {times[name]:6.1f} s  (median of {rounds}: {spread})  {memory:5.0f} MB  {mails:,} mails")
    for peer in ("git", "email"):
        print(f"kminer against {peer}: {times['kminer'] / times[peer]:.2f}")


def names(archive: Path) -> list[str]:
    """The commits that have a mail."""
    command = ["git", "--git-dir", str(archive), "rev-list", "--all"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def contents(archive: Path) -> bytes:
    """All mails, as `git cat-file --batch` prints them."""
    wanted = "".join(f"{name}:m\n" for name in names(archive))
    command = ["git", "--git-dir", str(archive), "cat-file", "--batch"]
    return subprocess.run(command, input=wanted.encode(), capture_output=True, check=True).stdout


def take_out(archive: Path) -> None:
    print(len(contents(archive)))


def decode(archive: Path) -> None:
    rest, decoded = contents(archive), 0
    start = 0
    while start < len(rest):
        head, _, _ = rest[start : start + 200].partition(b"\n")
        start += len(head) + 1
        if head.endswith(b"missing"):
            continue
        size = int(head.split()[-1])
        message = message_from_bytes(rest[start : start + size], policy=default)
        body = message.get_body(preferencelist=("plain",))
        decoded += bool(message["Subject"] and message["Date"] and message["From"] and body and body.get_content())
        start += size + 1
    print(decoded)


if __name__ == "__main__":
    main()
