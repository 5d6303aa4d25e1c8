"""Runs kminer as its users do, in processes of its own, and judges how it fails."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gitrepo import GitRepo

SAMPLE = r"""
id = "sample"
kind = "git"
project = "sample"
title = "A sample"
commit_url = "https://example.org/{id}"
repository = "owner/sample"
words = ["widget*"]
clone = [CLONE]
download = "about 1 kB"

[releases]
tag = '^v(?P<version>\d+(?:\.\d+)*)(?:-(?P<pre>rc\d+))?$'
series = '^\d+\.\d+'

[[paths]]
path = "tracked/"
mechanisms = ["cg.core"]
about = "what is tracked"
"""


def write_source(*addresses: str | Path, text: str = SAMPLE, name: str = "sample") -> Path:
    """Write a source file into the user's own folder; `addresses` are where it may be cloned from."""
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "kminer" / "data" / "sources" / f"{name}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    clone = ", ".join(f'"{address}"' for address in addresses)
    file.write_text(text.replace("CLONE", clone).replace('"sample"\nkind', f'"{name}"\nkind'), encoding="utf-8")
    return file


def write_history(repo: GitRepo) -> list[str]:
    """Four commits, the second and fourth tagged v1.0 and v1.1; returns the ids."""
    first = repo.commit({"tracked/a.c": "1\n", "other/a.c": "1\n"}, "Begin the tracked part\n")
    second = repo.commit({"tracked/a.c": "2\n"}, f'Change it\n\nFixes: {first[:12]} ("Begin the tracked part")\n')
    repo.tag("v1.0")
    third = repo.commit({"other/a.c": "2\n"}, "Speak of a widget\n")
    fourth = repo.commit({"tracked/b.c": "1\n"}, "Add a file\n")
    repo.tag("v1.1")
    return [first, second, third, fourth]


def command(*arguments: str | Path) -> list[str]:
    """The command line as a list of words."""
    return [sys.executable, "-m", "kminer", *map(str, arguments)]


def without_root_powers(words: list[str]) -> list[str] | None:
    """`words` run so that file permissions hold even for root; None where this cannot be had."""
    if os.geteuid() != 0:
        return words
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        return None
    return [*prefix, *words]


def check_failure(done: subprocess.CompletedProcess[str], code: int, *says: str | Path) -> None:
    """Fail unless the process ended with `code`, a message that holds all of `says`, and no traceback."""
    assert "Traceback" not in done.stderr, done.stderr.splitlines()[-3:]
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.startswith(("error: ", "Usage: ")) or "\nerror: " in done.stderr, done.stderr
    for part in says:
        assert str(part) in done.stderr, (part, done.stderr)


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[Any] | None = None) -> None:
    """Wait until `condition` holds; fail when `process` ends before, or after two minutes (it hangs)."""
    limit = time.monotonic() + 120
    while not condition():
        assert process is None or process.poll() is None, f"it ended too early, with {process.returncode}"
        assert time.monotonic() < limit, "it never came about"
        time.sleep(0.002)


def family(session: int) -> list[int]:
    """Processes of a session that still run."""
    alive = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            alive.append(int(folder.name))
    return alive


def start_and_hold(words: list[str], database: Path) -> subprocess.Popen[str]:
    """Start a sync in a session of its own and stop it (SIGSTOP) while it reads, the database's lock in its hands."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    staging = Path(f"{database}.sync")
    wait_for(lambda: staging.exists() and any(staging.glob("*/*/*.jsonl")), process)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    return process


def on_a_terminal(words: list[str], columns: int = 100, **environment: str) -> tuple[int, bytes]:
    """Run `words` on a pseudo-terminal; returns the exit code and all that was written to it."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"} | environment)
        os.execvp(words[0], words)
    written = b""
    while select.select([terminal], [], [], 120)[0]:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not chunk:
            break
        written += chunk
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), written
