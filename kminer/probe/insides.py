"""Trials of what namespaces isolate, looked at from inside new ones."""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENODEV, EPERM
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.causes import refused_namespace
from kminer.probe.filesystems import unmountable
from kminer.probe.forks import forked
from kminer.probe.namespaces import but_for
from kminer.probe.refusals import refused_by
from kminer.probe.stages import Stage

_AHEAD = 1_000_000
"""By how many seconds the boot time of a new time namespace is set off."""

_NOT_NAMESPACED = "/proc/sys/kernel/threads-max"


def mqueue_in_new_ipcns(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether two IPC namespaces have two file systems of message queues."""
    hindered = unmountable(detector, "mqueue", stage)
    if hindered is not None:
        return hindered

    def compare() -> str:
        devices = []
        for place in ("queues-1", "queues-2"):
            kernel.unshare(kernel.CLONE_NEWIPC)
            Path(place).mkdir()
            kernel.mount("kminer", place, "mqueue")
            devices.append(Path(place).stat().st_dev)
        return "two" if devices[0] != devices[1] else "one"

    try:
        found = forked(compare)
    except OSError as error:
        if error.errno == ENODEV:
            return Answer(detector, ABSENT, "there is no file system mqueue", USE, "", "ENODEV")
        if error.filename == "unshare":
            return but_for(stage, refused_namespace(detector, kernel.CLONE_NEWIPC, error.errno or 0, stage.host))
        raise
    if found == "two":
        return Answer(detector, AVAILABLE, "each of two new IPC namespaces has an mqueue of its own", USE)
    return Answer(detector, ABSENT, "two new IPC namespaces share one mqueue", USE)


def pid_max_in_pidns(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether pid_max belongs to the PID namespace, so that root of a user namespace may open it for writing."""
    place = "/proc/sys/kernel/pid_max"
    if not stage.inside:
        return stage.refuse(detector)
    outside = stage.host.read(place).strip()
    if os.access(_NOT_NAMESPACED, os.W_OK, effective_ids=True):
        return unknown(detector, f"{_NOT_NAMESPACED} may be written, too, which is the host's", USE)

    def look() -> str:
        kernel.unshare(kernel.CLONE_NEWPID)
        return forked(lambda: _open_for_writing(place))

    try:
        inside = forked(look)
    except OSError as error:
        if error.filename == "unshare":
            return refused_namespace(detector, kernel.CLONE_NEWPID, error.errno or 0, stage.host)
        if error.errno in (EACCES, EPERM):
            why = f"{place} is not a file of the PID namespace's owner ({name_errno(error.errno)})"
            return Answer(detector, ABSENT, why, INTERFACE, "", name_errno(error.errno))
        raise
    why = f"root of a user namespace may write {place} in its PID namespace ({inside} there, {outside} outside)"
    return Answer(detector, AVAILABLE, why, USE)


def _open_for_writing(path: str) -> str:
    # Nothing is written: on kernels without the feature it would be the host's.
    os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    return Path(path).read_text().strip()


def setns_pidfd(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether setns takes a pidfd and several kinds of namespaces at once."""

    def join() -> str:
        kernel.unshare(kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
        kernel.setns(kernel.syscall("pidfd_open", os.getpid()), kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC)
        return ""

    try:
        forked(join)
    except OSError as error:
        number, call = error.errno or 0, str(error.filename)
        if call == "unshare":
            answer = refused_namespace(detector, kernel.CLONE_NEWUTS, number, stage.host)
            return but_for(stage, unknown(detector, answer.evidence, USE, number))
        refused = refused_by(stage.host, detector, call, number)
        if refused is not None:
            return refused
        if call == "setns" and number == EINVAL:
            return Answer(detector, ABSENT, "setns does not take a pidfd", USE, "", "EINVAL")
        return unknown(detector, f"{call} answers {name_errno(number)}", USE, number)
    return Answer(detector, AVAILABLE, "setns joined two namespaces by a pidfd", USE)


def self_cgroup_in_cgroupns(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether /proc/self/cgroup is shown relative to a new cgroup namespace."""
    before = _cgroup_paths()

    def look() -> str:
        kernel.unshare(kernel.CLONE_NEWCGROUP)
        return "\n".join(_cgroup_paths())

    try:
        after = forked(look).splitlines()
    except OSError as error:
        if error.filename != "unshare":
            raise
        return but_for(stage, refused_namespace(detector, kernel.CLONE_NEWCGROUP, error.errno or 0, stage.host))
    changed = [path for path, now in zip(before, after, strict=False) if now == "/" != path]
    if changed:
        return Answer(detector, AVAILABLE, f"{changed[0]} is shown as / in a new cgroup namespace", USE)
    if any(path != "/" for path in before):
        return Answer(detector, ABSENT, "/proc/self/cgroup shows the same in a new cgroup namespace", USE)
    return unknown(detector, "this process is in the root of every hierarchy it sees: there is nothing to hide", USE)


def _cgroup_paths() -> list[str]:
    return [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]


def uptime_in_timens(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether /proc/uptime tells the boot time of a new time namespace."""
    outside = _uptime()

    def look() -> str:
        kernel.unshare(kernel.CLONE_NEWTIME)
        Path("/proc/self/timens_offsets").write_text(f"boottime {_AHEAD} 0\n")
        return forked(lambda: str(_uptime()))

    try:
        inside = float(forked(look))
    except OSError as error:
        if error.filename != "unshare":
            raise
        return but_for(stage, refused_namespace(detector, kernel.CLONE_NEWTIME, error.errno or 0, stage.host))
    ahead = round(inside - outside)
    if ahead >= _AHEAD:
        return Answer(detector, AVAILABLE, f"/proc/uptime is {ahead} s ahead in a time namespace set off so", USE)
    return Answer(detector, ABSENT, "/proc/uptime is the host's in a time namespace that was set off", USE)


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])
