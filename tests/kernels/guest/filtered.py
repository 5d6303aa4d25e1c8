"""A seccomp filter over the system calls that container runtimes keep from containers (x86-64)."""

from __future__ import annotations

import ctypes
import struct

_CLONE, _NAMESPACES = 56, 0x7E020000
_REFUSED = (
    103, 134, 155, 163, 164, 165, 166, 167, 168, 169, 170, 172, 173, 174, 175, 176, 177, 179, 180, 212,
    237, 238, 239, 246, 248, 249, 250, 256, 272, 279, 298, 303, 304, 308, 310, 311, 312, 313, 320, 321, 323, 425, 426,
    427, 428, 429, 430, 431, 432, 433, 435, 442, 443,
)  # fmt: skip
"""syslog, mount and its kin, modules, keys, setns, unshare, bpf, io_uring, the new mount API, clone3."""

_FIRST_UNKNOWN = 444
"""System calls from this number on are newer than the filter."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(number: int) -> None:
    """Have this process and its children get errno `number` for what is refused; OSError when it cannot be had."""
    code = b"".join(_code(number))
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the seccomp filter cannot be installed")


def _code(number: int) -> list[bytes]:
    refused = len(_REFUSED)
    return [
        _one(_LOAD, 0),
        _one(_AT_LEAST, _FIRST_UNKNOWN, refused + 4, 0),
        *(_one(_EQUAL, call, refused - place + 3, 0) for place, call in enumerate(_REFUSED)),
        _one(_EQUAL, _CLONE, 0, 2),
        _one(_LOAD, 16),
        _one(_ANY_BIT, _NAMESPACES, 1, 0),
        _one(_RETURN, _ALLOW),
        _one(_RETURN, _ERRNO | number),
    ]


def _one(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
