"""Boots a kernel in qemu, with a root file system from build.py, and returns what the guest answered."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.build import Run, write_image
from kernels.fetch import Kernel

QEMU = "qemu-system-x86_64"
SECONDS = 100
_CONSOLE_LINES = 40


class BootError(Exception):
    """The guest gave no answers; the text holds the end of its console."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run in the guest; `left` names what it left behind: mounts, processes, cgroups, files."""

    out: str
    said: str
    code: int
    seconds: float
    left: list[str]


def boot(kernel: Kernel, command: Sequence[str], runs: Sequence[Run], seconds: float = SECONDS) -> dict[str, Outcome]:
    """Boot the kernel, run `command` as each of `runs` says, and return the outcomes by the runs' names.

    KMINER_KVM=1 in the environment has qemu use /dev/kvm: that it can be opened does not say that it works, and where
    it does not, guests hang. Raises BootError when it has not answered after `seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="kminer-guest-") as folder:
        image, answers = Path(folder) / "root.cpio", Path(folder) / "answers"
        write_image(kernel, image, command, runs)
        console = _run_qemu(kernel, image, answers, seconds)
        sent = _decode(answers.read_text(errors="replace") if answers.exists() else "")
    if sent is None:
        raise BootError(f"Linux {kernel.version} gave no answers:\n" + "\n".join(console[-_CONSOLE_LINES:]))
    return {name: Outcome(**outcome) for name, outcome in sent["runs"].items()}


def _run_qemu(kernel: Kernel, image: Path, answers: Path, seconds: float) -> list[str]:
    """Run the guest until it powers off; returns the lines of its console."""
    fast = ["-enable-kvm", "-cpu", "host"] if os.environ.get("KMINER_KVM") == "1" else ["-cpu", "max"]
    command = [
        QEMU, *fast, "-m", "1024", "-smp", "2", "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
        "-kernel", str(kernel.image), "-initrd", str(image), "-append", "console=ttyS0 quiet panic=-1",
        "-serial", "stdio", "-serial", f"file:{answers}",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[0] + f"\nkilled after {seconds} s"
    return said.splitlines()


def _decode(sent: str) -> Any:
    found = re.search(r"=== answers\s(.*?)=== end", sent, re.DOTALL)
    if found is None:
        return None
    try:
        return json.loads(zlib.decompress(base64.b64decode(found[1])))
    except (binascii.Error, zlib.error):
        return None


def has_qemu() -> bool:
    return shutil.which(QEMU) is not None
