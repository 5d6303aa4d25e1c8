"""Contexts of file systems (fsopen), their log, and whether asking for a file system would load a module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, CODE, COMPILED, INTERFACE, Answer, unknown
from kminer.probe.host import Host
from kminer.probe.stages import Stage

_SYMBOLS = {
    "overlay": "OVERLAY_FS", "fuse": "FUSE_FS", "binfmt_misc": "BINFMT_MISC", "tmpfs": "TMPFS", "proc": "PROC_FS",
    "cgroup2": "CGROUPS", "bpf": "BPF_SYSCALL", "mqueue": "POSIX_MQUEUE",
}  # fmt: skip
_NEVER_MODULES = frozenset({"tmpfs", "proc", "cgroup2", "bpf", "mqueue"})


def unasked(detector: str, kind: str, host: Host) -> Answer | None:
    """Why a file system is not asked for: it is not registered, so that asking could load its module. Else None."""
    if host.filesystems is None:
        if kind in _NEVER_MODULES:
            return None
        return unknown(detector, f"/proc/filesystems cannot be read, and asking for {kind} could load a module")
    if kind in host.filesystems:
        return None
    symbol = _SYMBOLS.get(kind, "")
    value = host.config.get(symbol, "n") if host.config is not None and symbol else ""
    if value == "n":
        return Answer(detector, ABSENT, f"{kind} is not registered, and CONFIG_{symbol} is not set", CODE)
    if value == "m" and detector == f"fsopen:{kind}":
        return Answer(detector, COMPILED, f"the module of {kind} is there, but not loaded", CODE)
    return unknown(detector, f"the module of {kind} is not loaded, and asking would load it", INTERFACE)


def unmountable(detector: str, kind: str, stage: Stage) -> Answer | None:
    """Why a file system is not mounted on this stage: it is not asked for, or mounts are not private. Else None."""
    return unasked(detector, kind, stage.host) or (None if stage.mounts else stage.refuse(detector))



@dataclass(frozen=True, slots=True)
class Told:
    """What fsconfig answered to a parameter: an errno or 0, and the last line of the context's log."""

    error: int
    log: str

    @property
    def is_unknown(self) -> bool:
        """Whether the file system says that it has no such parameter."""
        return bool(self.error) and "nknown parameter" in self.log

    @property
    def is_bad_value(self) -> bool:
        """Whether the file system says that the parameter takes no such value."""
        log = self.log.lower()
        return bool(self.error) and any(words in log for words in ("bad value", "invalid value", "unsupported value"))


@contextmanager
def context(kind: str) -> Iterator[int]:
    """A context of a file system, dropped afterwards; no superblock is made. Raises OSError."""
    descriptor = kernel.fsopen(kind)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def configure(kind: str, key: str, value: str | None = None, descriptor: int | None = None) -> Told:
    """Give a fresh context one parameter: a flag, a text, or an open file. Raises OSError from fsopen."""
    command = kernel.FSCONFIG_SET_FLAG if value is None else kernel.FSCONFIG_SET_STRING
    if descriptor is not None:
        command = kernel.FSCONFIG_SET_FD
    with context(kind) as opened:
        try:
            kernel.fsconfig(opened, command, key, value, descriptor or 0)
        except OSError as error:
            return Told(error.errno or -1, _log(opened))
        return Told(0, "")


def _log(opened: int) -> str:
    lines: list[str] = []
    # A context without anything more to say answers ENODATA.
    with suppress(OSError):
        while len(lines) < 16:
            lines.append(os.read(opened, 1024).decode("utf-8", "replace").strip())
    return lines[-1].removeprefix("e ").removeprefix("w ") if lines else ""
