"""User namespaces with a map of their own, each held by a process that sleeps."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, EPERM

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, INTERFACE, UNKNOWN, USE, Answer, name_errno, unknown
from kminer.probe.causes import user_namespace_cause
from kminer.probe.forks import die_with
from kminer.probe.stages import Stage, write_file


@contextmanager
def child_in_user_namespace() -> Iterator[int]:
    """The pid of a process in a new user namespace without a map, ended afterwards. Raises OSError."""
    reader, writer = os.pipe()
    mother = os.getpid()
    pid = os.fork()
    if not pid:
        _sleep_in_user_namespace(writer, mother)
    try:
        os.close(writer)
        number = int(os.read(reader, 16) or -1)
        if number:
            raise OSError(number, os.strerror(number), "unshare")
        yield pid
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _sleep_in_user_namespace(writer: int, mother: int) -> None:
    try:
        die_with(mother)
        number = 0
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
            die_with(mother)
        except OSError as error:
            number = error.errno or -1
        os.write(writer, b"%d" % number)
        signal.pause()
    finally:
        os._exit(1)


def uid_map_6_lines(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a user namespace takes more than five lines in its map."""
    try:
        error, five = (_errno_of_map(lines) for lines in (6, 5))
    except OSError as refused:
        cause = user_namespace_cause(stage.host, refused)
        return Answer(detector, UNKNOWN, cause.why, USE, cause.by, name_errno(cause.error))
    name = name_errno(error)
    if not error:
        return Answer(detector, AVAILABLE, "a user namespace took six lines in its map", USE)
    if error == EINVAL and five != EINVAL:
        return Answer(detector, ABSENT, "a user namespace takes five lines in its map, not six", USE, "", name)
    # Lines are counted before rights are looked at.
    if error == EPERM and five == EPERM and _errno_of_map(341) == EINVAL:
        why = "six lines in a map are refused for want of rights only (EPERM), 341 lines by their number (EINVAL)"
        return Answer(detector, BLOCKED, why, INTERFACE, "a capability", name)
    return unknown(detector, f"a map of six lines answers {name}, one of five {name_errno(five) or 'success'}", USE)


def _errno_of_map(lines: int) -> int:
    text = "".join(f"{line} {line} 1\n" for line in range(lines)).encode()
    with child_in_user_namespace() as pid:
        try:
            write_file(f"/proc/{pid}/uid_map", text)
        except OSError as error:
            return error.errno or -1
    return 0
