"""Detectors that ask open files: namespace files and pidfds by ioctl, file systems by statfs and statx."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBADF, EINVAL, ENOTTY

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.host import Host
from kminer.probe.refusals import STANDARD_DESCRIPTORS, call, refused_by

# The request and the namespace file that it is for.
_NAMESPACE_IOCTLS = {
    "NS_GET_USERNS": (0xB701, "uts"), "NS_GET_PARENT": (0xB702, "pid"), "NS_GET_NSTYPE": (0xB703, "mnt"),
    "NS_GET_OWNER_UID": (0xB704, "user"), "NS_GET_MNTNS_ID": (0x8008B705, "mnt"),
    "NS_GET_PID_FROM_PIDNS": (0x8004B706, "pid"), "NS_GET_TGID_FROM_PIDNS": (0x8004B707, "pid"),
    "NS_GET_PID_IN_PIDNS": (0x8004B708, "pid"), "NS_GET_TGID_IN_PIDNS": (0x8004B709, "pid"),
    "NS_MNT_GET_INFO": (0x8010B70A, "mnt"), "NS_MNT_GET_NEXT": (0x8010B70B, "mnt"),
    "NS_MNT_GET_PREV": (0x8010B70C, "mnt"), "NS_GET_ID": (0x8008B70D, "mnt"),
}  # fmt: skip
_NAMESPACE_CANARY = 0xB7FE
_GIVE_A_DESCRIPTOR = ("NS_GET_USERNS", "NS_GET_PARENT", "NS_MNT_GET_NEXT", "NS_MNT_GET_PREV")

_PIDFD_IOCTLS = {
    "PIDFD_GET_CGROUP_NAMESPACE": 0xFF01, "PIDFD_GET_IPC_NAMESPACE": 0xFF02, "PIDFD_GET_MNT_NAMESPACE": 0xFF03,
    "PIDFD_GET_NET_NAMESPACE": 0xFF04, "PIDFD_GET_PID_NAMESPACE": 0xFF05, "PIDFD_GET_TIME_NAMESPACE": 0xFF07,
    "PIDFD_GET_USER_NAMESPACE": 0xFF09, "PIDFD_GET_UTS_NAMESPACE": 0xFF0A, "PIDFD_GET_INFO": 0xC040FF0B,
}  # fmt: skip
_PIDFD_CANARY = 0xFFFE

_STATX_BASIC, _STATX_BY_ALL, _STATX_UNUSED = 0x7FF, 0x1000 | 0x4000, 1 << 30


def nsioctl(detector: str, name: str, host: Host) -> Answer:
    """Whether an ioctl of namespace files is known, by its name."""
    if name not in _NAMESPACE_IOCTLS:
        return unknown(detector, f"the ioctl {name} is not known here")
    request, file = _NAMESPACE_IOCTLS[name]
    argument = os.getpid() if "PIDNS" in name else ctypes.create_string_buffer(64)
    descriptor = os.open(f"/proc/self/ns/{file}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _ioctl(host, detector, descriptor, request, argument, _NAMESPACE_CANARY, name in _GIVE_A_DESCRIPTOR)
    finally:
        os.close(descriptor)


def pidfdioctl(detector: str, name: str, host: Host) -> Answer:
    """Whether an ioctl of pidfds is known, by its name."""
    if name not in _PIDFD_IOCTLS:
        return unknown(detector, f"the ioctl {name} is not known here")
    request = _PIDFD_IOCTLS[name]
    argument = ctypes.create_string_buffer(64) if name == "PIDFD_GET_INFO" else 0
    with _own_pidfd() as (descriptor, error):
        if error:
            refused = refused_by(host, detector, "pidfd_open", error)
            return refused or unknown(detector, "pidfd_open failed", INTERFACE, error)
        return _ioctl(host, detector, descriptor, request, argument, _PIDFD_CANARY, name.endswith("_NAMESPACE"))


def _ioctl(
    host: Host,
    detector: str,
    descriptor: int,
    request: int,
    argument: kernel.Argument,
    unused: int,
    gives_descriptor: bool,
) -> Answer:
    name = detector.rpartition(":")[2]
    _, canary = call("ioctl", descriptor, unused, argument)
    value, error = call("ioctl", descriptor, request, argument)
    refused = refused_by(host, detector, "ioctl", canary) or refused_by(host, detector, "ioctl", error)
    if refused is not None:
        return refused
    told = name_errno(error)
    if canary not in (ENOTTY, EINVAL):
        said = name_errno(canary) or "success"
        return unknown(detector, f"an ioctl that no kernel knows answers {said}", INTERFACE, error)
    if error in (canary, ENOTTY):
        return Answer(detector, ABSENT, f"{name} answers {told}, as an unknown ioctl does", INTERFACE, "", told)
    if error:
        return Answer(detector, AVAILABLE, f"{name} is known: it answers {told}", INTERFACE, "", told)
    if gives_descriptor:
        os.close(value)
    return Answer(detector, AVAILABLE, f"{name} was answered", USE)


@contextmanager
def _own_pidfd() -> Iterator[tuple[int, int]]:
    """A pidfd of this process and 0, or -1 and the errno."""
    descriptor, error = call("pidfd_open", os.getpid(), 0)
    # A filter may answer success in the kernel's place: 0 is then somebody else's descriptor.
    if descriptor <= STANDARD_DESCRIPTORS:
        yield -1, error or EBADF
        return
    try:
        yield descriptor, 0
    finally:
        os.close(descriptor)


def statfs(detector: str, argument: str, host: Host) -> Answer:
    """Whether the file system of a path has the magic number: "/sys/fs/cgroup=0x63677270"."""
    path, _, magic = argument.rpartition("=")
    found = kernel.filesystem_magic(path)
    if found == int(magic, 0):
        return Answer(detector, AVAILABLE, f"{path} is of the file system {magic}", USE)
    return unknown(detector, f"{path} is of another file system ({found:#x}), which tells nothing of {magic}", USE)


def statfs_pidfd(detector: str, argument: str, host: Host) -> Answer:
    """Whether pidfds belong to the file system with this magic number (pidfs)."""
    with _own_pidfd() as (descriptor, error):
        if error:
            return refused_by(host, detector, "pidfd_open", error) or unknown(detector, "pidfd_open failed", USE, error)
        found = kernel.filesystem_magic(descriptor)
    if found == int(argument, 0):
        return Answer(detector, AVAILABLE, f"a pidfd is of the file system {argument}", USE)
    if not found:
        return unknown(detector, "a pidfd is of the file system 0, as in no kernel", USE)
    return Answer(detector, ABSENT, f"a pidfd is of the file system {found:#x}, not {argument}", USE)


def statx(detector: str, argument: str, host: Host) -> Answer:
    """Whether statx gives the field of a STATX_* bit for the root directory."""
    bit = int(argument, 0)
    buffer = ctypes.create_string_buffer(256)
    _, error = call("statx", kernel.AT_FDCWD, b"/", 0, _STATX_BASIC | bit | _STATX_UNUSED, buffer)
    if error:
        return refused_by(host, detector, "statx", error) or unknown(detector, "statx failed", USE, error)
    given = int.from_bytes(buffer.raw[:4], sys.byteorder)
    if given & _STATX_UNUSED or not given & _STATX_BASIC:
        return unknown(detector, f"statx gives the fields {given:#x}, as no kernel does", USE)
    if given & bit:
        return Answer(detector, AVAILABLE, f"statx gives the fields {given:#x}, {argument} among them", USE)
    if bit & _STATX_BY_ALL:
        return Answer(detector, ABSENT, f"statx gives the fields {given:#x} only, without {argument}", USE)
    return unknown(detector, f"the file system of / does not give {argument}", USE)
