"""System calls by number, for those that Python and older C libraries do not offer, and the constants they take."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from ctypes import Array, c_char
from typing import TypeAlias

Argument: TypeAlias = "int | bytes | Array[c_char] | None"

# From here on all architectures share their numbers.
_SHARED = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435, "close_range": 436,
    "openat2": 437, "pidfd_getfd": 438, "mount_setattr": 442, "quotactl_fd": 443, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446, "memfd_secret": 447, "process_mrelease": 448,
    "cachestat": 451, "fchmodat2": 452, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460, "lsm_list_modules": 461, "setxattrat": 463, "open_tree_attr": 467,
    "file_getattr": 468, "file_setattr": 469, "listns": 470, "fchroot": 472,
}  # fmt: skip
_X86_64 = _SHARED | {
    "ioctl": 16, "mincore": 27, "clone": 56, "sysinfo": 99, "syslog": 103, "capget": 125, "capset": 126,
    "statfs": 137, "fstatfs": 138, "pivot_root": 155, "prctl": 157, "chroot": 161, "mount": 165, "umount2": 166,
    "mq_open": 240, "unshare": 272, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
    "sched_setattr": 314, "sched_getattr": 315, "seccomp": 317, "memfd_create": 319, "bpf": 321, "execveat": 322,
    "statx": 332,
}  # fmt: skip
_GENERIC = _SHARED | {
    "ioctl": 29, "umount2": 39, "mount": 40, "pivot_root": 41, "statfs": 43, "fstatfs": 44, "chroot": 51,
    "capget": 90, "capset": 91, "unshare": 97, "syslog": 116, "prctl": 167, "sysinfo": 179, "mq_open": 180,
    "clone": 220, "mincore": 232, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
    "sched_setattr": 274, "sched_getattr": 275, "seccomp": 277, "memfd_create": 279, "bpf": 280, "execveat": 281,
    "statx": 291,
}  # fmt: skip
_TABLES = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC, "loongarch64": _GENERIC}

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000

CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000
CLONE_PIDFD, CLONE_INTO_CGROUP = 0x1000, 0x200000000

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2

FSOPEN_CLOEXEC, OPEN_TREE_CLONE, OPEN_TREE_NAMESPACE, OPEN_TREE_CLOEXEC = 1, 1, 2, os.O_CLOEXEC
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_SET_FD = 0, 1, 5
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_SET_GROUP, MOVE_MOUNT_BENEATH = 4, 0x100, 0x200
MOUNT_ATTR_IDMAP = 0x100000

PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP = 1, 3, 4, 21, 22
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 39, 47
PR_CAP_AMBIENT_IS_SET = 1

SECCOMP_MODE_FILTER, SECCOMP_SET_MODE_FILTER, SECCOMP_GET_ACTION_AVAIL = 2, 1, 2
SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 8, 0x20
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x50000


class UnknownSyscall(LookupError):  # noqa: N818 - it is no error of the kernel's
    """This machine's number of a system call is not known here; no statement about the kernel."""


def number(name: str) -> int | None:
    """The number of a system call on this machine; None where it is not known.

    Source: arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl of the kernel.
    """
    return _numbers().get(name)


def _numbers() -> dict[str, int]:
    # A 32-bit Python on a 64-bit kernel calls by other numbers than the machine's name says.
    return _TABLES.get(os.uname().machine, {}) if sys.maxsize > 1 << 32 else {}


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(name: str, *arguments: Argument) -> int:
    """What a system call returns; arguments that are not given are 0.

    bytes are passed as a zero-terminated string, buffers (ctypes.create_string_buffer) by their address.
    Raises OSError with its errno, UnknownSyscall where the machine's number of it is not known.
    """
    place = number(name)
    if place is None:
        raise UnknownSyscall(f"the number of the system call {name} is not known on {os.uname().machine}")
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    ctypes.set_errno(0)
    result = int(_libc.syscall(ctypes.c_long(place), *(_convert(argument) for argument in padded)))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return result


def _convert(argument: Argument) -> object:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_char_p(argument) if isinstance(argument, bytes) else argument


def prctl(option: int, *arguments: int) -> int:
    """prctl(2). Raises OSError."""
    return syscall("prctl", option, *arguments)


def unshare(flags: int) -> None:
    """unshare(2) with CLONE_NEW* flags. Raises OSError."""
    syscall("unshare", flags)


def setns(descriptor: int, kind: int = 0) -> None:
    """setns(2) into the namespace file, or by pidfd into the kinds (CLONE_NEW*) of its process. Raises OSError."""
    syscall("setns", descriptor, kind)


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """mount(2) with MS_* flags. Raises OSError."""
    syscall("mount", _text(source), os.fsencode(target), _text(kind), flags, _text(data))


def umount(target: str, flags: int = 0) -> None:
    """umount2(2). Raises OSError."""
    syscall("umount2", os.fsencode(target), flags)


def fsopen(kind: str) -> int:
    """The descriptor of a new context of a file system. May load the file system's module. Raises OSError."""
    return syscall("fsopen", os.fsencode(kind), FSOPEN_CLOEXEC)


def fsconfig(context: int, command: int, key: str | None = None, value: str | None = None, extra: int = 0) -> None:
    """fsconfig(2) with a FSCONFIG_* command; `extra` is a descriptor or 0. Raises OSError."""
    syscall("fsconfig", context, command, _text(key), _text(value), extra)


def open_tree(path: str, flags: int = OPEN_TREE_CLONE, directory: int = AT_FDCWD) -> int:
    """The descriptor of a mount, or of a detached copy of it (OPEN_TREE_CLONE). Raises OSError."""
    return syscall("open_tree", directory, os.fsencode(path), flags | OPEN_TREE_CLOEXEC)


def move_mount(tree: int, target: str, flags: int = 0) -> None:
    """Places the mount of a descriptor onto a path. Raises OSError."""
    syscall("move_mount", tree, b"", AT_FDCWD, os.fsencode(target), flags | MOVE_MOUNT_F_EMPTY_PATH)


def mount_setattr(tree: int, set_attributes: int, user_namespace: int = 0, flags: int = 0) -> None:
    """Sets MOUNT_ATTR_* on the mount of a descriptor, the map of a user namespace's file with it. Raises OSError."""
    attributes = struct.pack("=4Q", set_attributes, 0, 0, user_namespace)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    syscall("mount_setattr", tree, b"", flags | AT_EMPTY_PATH, buffer, len(attributes))


def clone3(flags: int, exit_signal: int, cgroup: int = 0) -> int:
    """The pid of a new child process; 0 in the child, which is to end by os._exit and to start no threads.

    `cgroup` is the descriptor of a cgroup's directory, for CLONE_INTO_CGROUP. Raises OSError.
    """
    packed = struct.pack("=11Q", flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup)
    return syscall("clone3", ctypes.create_string_buffer(packed, len(packed)), len(packed))


def filesystem_magic(place: str | int) -> int:
    """The magic number (statfs(2) f_type) of the file system of a path or a descriptor. Raises OSError."""
    buffer = ctypes.create_string_buffer(256)
    if isinstance(place, int):
        syscall("fstatfs", place, buffer)
    else:
        syscall("statfs", os.fsencode(place), buffer)
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)


class FilterProgram:
    """A classic BPF program of (code, jump if true, jump if false, constant), as seccomp(2) takes it.

    `fprog` is the buffer to be passed; it stays valid as long as this object lives.
    """

    def __init__(self, instructions: Sequence[tuple[int, int, int, int]]) -> None:
        """Lays the instructions out in memory."""
        packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
        self._code = ctypes.create_string_buffer(packed, len(packed))
        head = struct.pack("@HP", len(instructions), ctypes.addressof(self._code))
        self.fprog: Array[c_char] = ctypes.create_string_buffer(head, len(head))


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)
