#!/usr/bin/python3 -IS
"""The first process of the guest: makes it ready, runs what it was ordered to, sends the answers, powers off."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import json
import os
import subprocess
import sys
import time
import traceback
import tty
import zlib
from pathlib import Path

sys.path.insert(0, "/lib/guest")

LIBC = ctypes.CDLL(None, use_errno=True)
CGROUPS = Path("/sys/fs/cgroup")
ANSWERS = "/dev/ttyS1"
MOUNTS = (
    ("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("cgroup2", str(CGROUPS)),
    ("securityfs", "/sys/kernel/security"), ("tmpfs", "/run"), ("tmpfs", "/tmp"),
)  # fmt: skip
FINIT_MODULE = 313
POWER_OFF = 0x4321FEDC
LIMITS = {"memory.max": "512M", "cpuset.cpus": "0"}
"""What the command's cgroup is held to, so that it can be seen whether /proc shows it."""

SECONDS = 60


def main() -> None:
    for kind, place in MOUNTS:
        if LIBC.mount(kind.encode(), place.encode(), kind.encode(), 0, None):
            print(f"guest: {place} cannot be mounted: {os.strerror(ctypes.get_errno())}")
    Path("/tmp").chmod(0o1777)
    Path("/run").chmod(0o755)
    Path("/run/modprobe").touch()
    os.environ["PATH"] = "/usr/bin:/bin:/sbin"
    orders = json.loads(Path("/etc/orders.json").read_text())
    answers = {"release": os.uname().release, "booted": time.monotonic(), "runs": {}}
    for run in orders["runs"]:
        if run["modules"]:
            load(orders["modules"])
        answers["runs"][run["name"]] = execute(run, orders)
    send(answers)


def load(modules: list[str]) -> None:
    """Load modules that are not loaded."""
    for module in modules:
        with Path(module).open("rb") as file:
            if LIBC.syscall(FINIT_MODULE, file.fileno(), b"", 0) and ctypes.get_errno() != errno.EEXIST:
                print(f"guest: {module}: {os.strerror(ctypes.get_errno())}")


def execute(run: dict, orders: dict) -> dict:
    """Run the command in a cgroup of its own, and see what it leaves behind."""
    own = make_cgroup(run)
    before = look()
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONPATH": orders["home"], "LANG": "C.UTF-8", "TERM": "dumb",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(
        [*orders["command"], *run["options"]], cwd="/tmp", env=environment, preexec_fn=lambda: become(run, own),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    try:
        out, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
        said += f"\nguest: it was killed after {SECONDS} s"
    seconds = time.monotonic() - began
    reap()
    left = [f"{what}: {line}" for what, lines in look().items() for line in sorted(lines - before[what])]
    return {"out": out, "said": said[-4000:], "code": process.returncode, "seconds": seconds, "left": left}


def make_cgroup(run: dict) -> Path:
    """A leaf below a cgroup with every controller enabled, both given to the run's user, as a service manager does."""
    top = CGROUPS / run["name"]
    leaf = top / "session"
    controllers = (CGROUPS / "cgroup.controllers").read_text().split()
    for parent, made in ((CGROUPS, top), (top, leaf)):
        for controller in controllers:
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        made.mkdir()
        for place in (made, *(made / f"cgroup.{name}" for name in ("procs", "threads", "subtree_control"))):
            os.chown(place, run["uid"], run["uid"])
    for name, value in LIMITS.items():
        with contextlib.suppress(OSError):
            (leaf / name).write_text(value)
    return leaf


def become(run: dict, cgroup: Path) -> None:
    """In the child: enter its cgroup, put itself below its filter while it may, be its user."""
    (cgroup / "cgroup.procs").write_text(str(os.getpid()))
    if run["filtered"]:
        import filtered

        filtered.install(getattr(errno, run["filtered"]))
    if run["uid"]:
        os.setgroups([])
        os.setgid(run["uid"])
        os.setuid(run["uid"])


def look() -> dict[str, set[str]]:
    """What a command could leave behind."""
    return {
        "mount": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "process": {text for text in map(process_of, Path("/proc").iterdir()) if text},
        "cgroup": {str(path) for path in CGROUPS.rglob("*") if path.is_dir()},
        "file": {str(path) for folder in ("/tmp", "/run", "/root", "/etc", "/opt") for path in Path(folder).rglob("*")},
        "module": {line.split()[0] for line in Path("/proc/modules").read_text().splitlines()},
        "module asked for": {f"{n}: {line}" for n, line in enumerate(Path("/run/modprobe").read_text().splitlines())},
        "setting": {f"{path}={read(path)}" for path in Path("/proc/sys/user").iterdir()},
    }


def process_of(folder: Path) -> str:
    """A process's number and command; empty for the kernel's own, for zombies, and for what is no process."""
    command = read(folder / "cmdline") if folder.name.isdigit() else ""
    return f"{folder.name} {command}" if command else ""


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def send(answers: dict) -> None:
    """Send the answers over the second serial port, where the kernel's messages do not come between."""
    packed = base64.encodebytes(zlib.compress(json.dumps(answers).encode()))
    with Path(ANSWERS).open("wb", buffering=0) as port:
        tty.setraw(port.fileno())
        port.write(b"=== answers\n" + packed + b"=== end\n")


def power_off() -> None:
    os.sync()
    LIBC.reboot(POWER_OFF)


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        power_off()
