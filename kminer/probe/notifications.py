"""Trials of seccomp's user notifications, with a filter that allows everything in a process of its own."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from errno import EBUSY, EINVAL, ENOENT

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, INTERFACE, Answer, name_errno, unknown
from kminer.probe.forks import forked
from kminer.probe.host import Host
from kminer.probe.refusals import call, refused_by
from kminer.probe.stages import Stage

_SEND, _ADDFD, _UNUSED = 0xC0182101, 0x40182103, 0x217F
_FLAG_CONTINUE, _FLAG_UNUSED = 1, 1 << 30
_NO_SUCH_NOTIFICATION = 1 << 40
_RETURN = 0x06

Errors = tuple[int, int]


def notif_continue(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a listener may let a call go on: the flag is looked at before the notification is."""
    return _ask(stage.host, detector, "SECCOMP_USER_NOTIF_FLAG_CONTINUE", _continue)


def notif_addfd(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a listener may place a descriptor in the process that called."""
    return _ask(stage.host, detector, "SECCOMP_IOCTL_NOTIF_ADDFD", _addfd)


def _ask(host: Host, detector: str, what: str, question: Callable[[int], Errors]) -> Answer:
    try:
        error, canary = map(int, forked(lambda: _with_listener(question)).split())
    except OSError as refused:
        return _without_listener(host, detector, refused)
    name = name_errno(error)
    if canary != EINVAL:
        return unknown(detector, f"what no kernel knows answers {name_errno(canary) or 'success'}", INTERFACE, error)
    if error == ENOENT:
        return Answer(detector, AVAILABLE, f"{what} is known: it looks for the notification (ENOENT)", INTERFACE)
    if error == canary:
        return Answer(detector, ABSENT, f"{what} answers {name}, as what no kernel knows", INTERFACE, "", name)
    return unknown(detector, f"{what} answers {name or 'success'}", INTERFACE, error)


def _with_listener(question: Callable[[int], Errors]) -> str:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    allow_all = kernel.FilterProgram([(_RETURN, 0, 0, kernel.SECCOMP_RET_ALLOW)])
    flags = kernel.SECCOMP_FILTER_FLAG_NEW_LISTENER
    listener = kernel.syscall("seccomp", kernel.SECCOMP_SET_MODE_FILTER, flags, allow_all.fprog)
    error, canary = question(listener)
    os.close(listener)
    return f"{error} {canary}"


def _without_listener(host: Host, detector: str, refused: OSError) -> Answer:
    error = refused.errno or 0
    if error == EBUSY:
        return unknown(detector, "a filter with a listener is in force already", INTERFACE, error)
    answer = refused_by(host, detector, str(refused.filename), error)
    if answer is not None:
        return unknown(detector, answer.evidence, INTERFACE, error) if answer.says != ABSENT else answer
    if error == EINVAL:
        return Answer(detector, ABSENT, "seccomp does not know listeners", INTERFACE, "", "EINVAL")
    return unknown(detector, f"{refused.filename} answers {name_errno(error)}", INTERFACE, error)


def _continue(listener: int) -> Errors:
    def send(flags: int) -> int:
        packed = struct.pack("=QqiI", _NO_SUCH_NOTIFICATION, 0, 0, flags)
        return call("ioctl", listener, _SEND, ctypes.create_string_buffer(packed, len(packed)))[1]

    return send(_FLAG_CONTINUE), send(_FLAG_UNUSED)


def _addfd(listener: int) -> Errors:
    packed = struct.pack("=QIIII", _NO_SUCH_NOTIFICATION, 0, listener, 0, 0)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    return call("ioctl", listener, _ADDFD, buffer)[1], call("ioctl", listener, _UNUSED, buffer)[1]
