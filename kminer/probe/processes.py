"""Trials that need no namespace: new processes, handles of namespace files, attributes of cgroups."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from errno import E2BIG, EBADF, EINVAL, ENODATA, EOPNOTSUPP
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.host import Host
from kminer.probe.refusals import refused_by
from kminer.probe.stages import Stage

_NOT_OPEN = 1 << 20
_UNUSED_FLAG = 1 << 60
_NSFS_HANDLE_SIZE = 128


def clone_into_cgroup(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether clone3 starts a process in a cgroup given by descriptor: here in the one that this process is in."""
    canary = _errno_of_clone3(_UNUSED_FLAG, 0)
    error = _errno_of_clone3(kernel.CLONE_INTO_CGROUP, _NOT_OPEN)
    refused = refused_by(stage.host, detector, "clone3", error)
    if refused is not None:
        return refused
    name = name_errno(error)
    if canary in (EINVAL, E2BIG) and error in (EINVAL, E2BIG):
        return Answer(detector, ABSENT, f"clone3 refuses CLONE_INTO_CGROUP ({name})", INTERFACE, "", name)
    if error != EBADF or canary != EINVAL:
        return unknown(detector, f"clone3 answers {name}, {name_errno(canary)} to an unknown flag", INTERFACE, error)
    known = "clone3 knows CLONE_INTO_CGROUP: it looks for the descriptor (EBADF)"
    group = _own_cgroup(stage.host)
    if group is None:
        return Answer(detector, AVAILABLE, known, INTERFACE)
    descriptor = os.open(group, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        error = _errno_of_clone3(kernel.CLONE_INTO_CGROUP, descriptor)
    finally:
        os.close(descriptor)
    if not error:
        return Answer(detector, AVAILABLE, f"a process was started in {group} by its descriptor", USE)
    told = f"{known}; starting one in {group} answers {name_errno(error)}"
    return Answer(detector, AVAILABLE, told, INTERFACE, "", name_errno(error))


def _errno_of_clone3(flags: int, cgroup: int) -> int:
    try:
        pid = kernel.clone3(flags, signal.SIGCHLD, cgroup)
    except OSError as error:
        return error.errno or -1
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return 0


def _own_cgroup(host: Host) -> str | None:
    """The directory of the own cgroup of v2; None where it cannot be seen."""
    try:
        own = next(line[3:] for line in host.read("/proc/self/cgroup").splitlines() if line.startswith("0::"))
        mounts = [line.split(" ") for line in host.read("/proc/self/mountinfo").splitlines() if " - cgroup2 " in line]
    except (OSError, StopIteration):
        return None
    for fields in mounts:
        root, place = fields[3].rstrip("/"), fields[4]
        if own == root or own.startswith(f"{root}/"):
            found = f"{place}{own[len(root) :]}".rstrip("/")
            if Path(found, "cgroup.procs").exists():
                return found
    return None


def clone3_pidfd(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether clone gives a pidfd: kernels without it leave the place for it as it was."""
    place = ctypes.create_string_buffer(struct.pack("=i", -1), 4)
    pid = kernel.syscall("clone", kernel.CLONE_PIDFD | signal.SIGCHLD, 0, place)
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    pidfd = int.from_bytes(place.raw, sys.byteorder, signed=True)
    # An older kernel that takes CLONE_PIDFD for nothing leaves -1.
    if pidfd < 0:
        return Answer(detector, ABSENT, "clone takes no notice of CLONE_PIDFD", USE)
    os.close(pidfd)
    return Answer(detector, AVAILABLE, "clone gave a pidfd", USE)


def nsfs_handle(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a namespace file has a handle, by which it can be opened again."""
    descriptor = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    handle = ctypes.create_string_buffer(struct.pack("=Ii", _NSFS_HANDLE_SIZE, 0), 8 + _NSFS_HANDLE_SIZE)
    number = ctypes.create_string_buffer(8)
    try:
        kernel.syscall("name_to_handle_at", descriptor, b"", handle, number, kernel.AT_EMPTY_PATH)
        os.close(kernel.syscall("open_by_handle_at", descriptor, handle, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return _without_handle(stage.host, detector, str(error.filename), error.errno or 0)
    finally:
        os.close(descriptor)
    return Answer(detector, AVAILABLE, "a namespace file was opened again by its handle", USE)


def _without_handle(host: Host, detector: str, call: str, error: int) -> Answer:
    name = name_errno(error)
    if call == "open_by_handle_at":
        why = f"a namespace file has a handle, but opening it answers {name}"
        return Answer(detector, AVAILABLE, why, INTERFACE, "", name)
    if error == EOPNOTSUPP:
        return Answer(detector, ABSENT, "namespace files have no handles (EOPNOTSUPP)", USE, "", name)
    return refused_by(host, detector, call, error) or unknown(detector, f"{call} answers {name}", USE, error)


def cgroup_user_xattr(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether the directory of a cgroup may have user.* attributes: one that is not there is asked for."""
    group = _own_cgroup(stage.host)
    if group is None:
        return unknown(detector, "no directory of cgroup v2 can be seen", INTERFACE)
    try:
        os.getxattr(group, "user.kminer")
        error = 0
    except OSError as failed:
        error = failed.errno or -1
    name = name_errno(error)
    if error in (0, ENODATA):
        return Answer(detector, AVAILABLE, f"{group} knows user.* attributes ({name or 'set'})", INTERFACE, "", name)
    if error == EOPNOTSUPP:
        return Answer(detector, ABSENT, f"{group} has no user.* attributes ({name})", INTERFACE, "", name)
    return unknown(detector, f"asking {group} for an attribute answers {name}", INTERFACE, error)
