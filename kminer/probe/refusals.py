"""Tells the kernel's own answers from those of a seccomp filter, which look like an older kernel or a missing right.

A filter answers ENOSYS or EPERM in the kernel's place; the kernel's symbols then tell whether a system call is there.
"""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EINVAL, ENOSYS, EPERM

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, BLOCKED, INTERFACE, Answer, name_errno, unknown
from kminer.probe.host import Host

FILTER = "a seccomp filter"
"""Who stands in the way, as an answer names it."""

STANDARD_DESCRIPTORS = 2
"""The highest descriptor that a call which opens one is not believed to have opened."""

# These look at the caller's capabilities before anything else.
_RIGHT_FIRST = ("fsopen", "fspick", "fsmount", "move_mount")
_CAPABILITY_VERSION, _CAP_SYS_ADMIN = 0x20080522, 21


def call(name: str, *arguments: kernel.Argument) -> tuple[int, int]:
    """What a call returned and its errno; (-1, errno) or (result, 0)."""
    try:
        return kernel.syscall(name, *arguments), 0
    except OSError as error:
        return -1, error.errno or ENOSYS


def filtered() -> bool:
    """Whether a seccomp filter is in force on this process, or stands before the question."""
    mode, error = call("prctl", kernel.PR_GET_SECCOMP)
    # A kernel that was built without seccomp answers EINVAL; all else is a filter's answer.
    return mode != 0 if not error else error != EINVAL


def forbidding() -> str:
    """Who answers EPERM to a call that takes CAP_SYS_ADMIN: its lack, or else something that this cannot tell."""
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    sets = ctypes.create_string_buffer(24)
    _, error = call("capget", head, sets)
    effective = struct.unpack_from("=I", sets)[0]
    if not error and not effective & 1 << _CAP_SYS_ADMIN:
        return "CAP_SYS_ADMIN"
    return "a security module or the owner of the namespace"


def _is_implemented(name: str, host: Host) -> bool | None:
    """Whether the kernel's symbols have the entry of a system call; None where they cannot tell."""
    prefix = {"x86_64": b"__x64_sys_", "aarch64": b"__arm64_sys_"}.get(os.uname().machine)
    # A weak (W) entry is the stub of a call that was left out of the build.
    symbols = host.kallsyms
    if prefix is None or isinstance(symbols, str) or b" T " + prefix + b"openat\n" not in symbols:
        return None
    return b" T " + prefix + name.encode() + b"\n" in symbols


def refused_by(host: Host, detector: str, name: str, error: int, *, whole: bool = False) -> Answer | None:
    """What follows from ENOSYS, or from a seccomp filter's EPERM; None where the kernel itself answered.

    `whole` says that the system call is all that was asked for, not something of it.
    """
    if error not in (ENOSYS, EPERM):
        return None
    told = name_errno(error)
    if not filtered():
        return Answer(detector, ABSENT, f"{name} answers ENOSYS", INTERFACE, "", told) if error == ENOSYS else None
    there = _is_implemented(name, host)
    if there is False:
        why = f"{name} answers {told} under a seccomp filter, and the kernel's symbols do not have it"
        return Answer(detector, ABSENT, why, INTERFACE, "", told)
    if there and whole:
        why = f"{name} answers {told} under a seccomp filter, and the kernel's symbols have it"
        lacking = error == EPERM and name in _RIGHT_FIRST and forbidding() == "CAP_SYS_ADMIN"
        by = f"{FILTER} or the lack of CAP_SYS_ADMIN" if lacking else FILTER
        return Answer(detector, BLOCKED, why, INTERFACE, by, told)
    return unknown(detector, f"{name} answers {told}, which may be the seccomp filter's answer", INTERFACE, error)
