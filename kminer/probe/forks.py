"""Forked processes that die with their mother, dump no core and hand back one short text."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from kminer.probe import kernel

CAP_SYS_ADMIN = 21
NOBODY = 65534
_CAPABILITIES_V3 = 0x20080522


class DiedError(Exception):
    """A forked process ended without an answer; the text says how."""


def forked(task: Callable[[], str]) -> str:
    """What `task` returns in a forked process, which ends after it. Raises the task's OSError, and DiedError."""
    reader, writer = os.pipe()
    mother = os.getpid()
    pid = os.fork()
    if not pid:
        _run(task, writer, mother)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        told = answers.read()
    _, status = os.waitpid(pid, 0)
    if not told:
        raise DiedError(how_it_ended(status))
    number, text = json.loads(told)
    if number:
        raise OSError(number, os.strerror(number), text)
    return str(text)


def error_of(task: Callable[[], object]) -> int:
    """The errno of `task` in a forked process; 0 where it succeeded. Raises DiedError."""

    def quietly() -> str:
        task()
        return ""

    try:
        forked(quietly)
    except OSError as error:
        return error.errno or 0
    return 0


def how_it_ended(status: int) -> str:
    """A process's end, from its wait status: "died of SIGSYS: a seccomp filter kills"."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with status {code}"
    why = ": a seccomp filter kills" if -code == signal.SIGSYS else ""
    return f"died of {signal.Signals(-code).name}{why}"


def _run(task: Callable[[], str], writer: int, mother: int) -> NoReturn:
    status = 1
    try:
        die_with(mother)
        try:
            told: tuple[int, str] = (0, task())
        except OSError as error:
            told = (error.errno or -1, str(error.filename or ""))
        os.write(writer, json.dumps(told).encode())
        status = 0
    finally:
        os._exit(status)


def die_with(mother: int) -> None:
    """Have this process killed when its mother ends. To be called again after each change of user."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    # 0: the mother is outside this PID namespace.
    if os.getppid() not in (mother, 0):
        os._exit(1)


def dump_no_core() -> None:
    """Forbid core files, and cores that are piped to a program."""
    # A limit of 0 does not hold back a core_pattern that is a pipe; 1 does (core(5)).
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def become_nobody() -> None:
    """Give up root for good, and keep /proc/self owned by this process. Raises OSError where that cannot be."""
    mother = os.getppid()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    die_with(mother)


def has_capability(bit: int) -> bool:
    """Whether this process has a capability (CAP_*) in effect; by its user id where that cannot be asked."""
    head = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITIES_V3, 0), 8)
    sets = ctypes.create_string_buffer(24)
    try:
        kernel.syscall("capget", head, sets)
    except (OSError, kernel.UnknownSyscall):
        return os.geteuid() == 0
    effective = struct.unpack("=6I", sets.raw)
    return bool((effective[0] | effective[3] << 32) >> bit & 1)
