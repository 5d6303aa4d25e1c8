"""Where trials run: a private mount namespace with an empty tmpfs as working directory, or why there is none."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOSYS, EPERM
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import UNKNOWN, USE, Answer, name_errno
from kminer.probe.causes import NO_CAUSE, Cause, user_namespace_cause
from kminer.probe.forks import CAP_SYS_ADMIN, become_nobody, die_with, has_capability
from kminer.probe.host import Host
from kminer.probe.refusals import FILTER, filtered

_PLACES = ("/mnt", "/srv", "/media", "/opt", "/tmp", "/run", "/var", "/home", "/boot", "/root", "/etc")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a trial runs.

    `mounts`: mounts are private to the child, and its working directory is an empty tmpfs. `inside`: it is in a user
    namespace of its own. `cause` says why one of them is not so.
    """

    host: Host
    mounts: bool
    inside: bool
    as_root_too: bool = False
    cause: Cause = NO_CAUSE

    def refuse(self, detector: str) -> Answer:
        """The answer of a trial that cannot be made here."""
        return Answer(detector, UNKNOWN, self.cause.why, USE, self.cause.by, name_errno(self.cause.error))


def own_stage(host: Host, as_root_too: bool) -> Stage:
    """This process with the rights it has; its mounts are private where it may have them so."""
    if not has_capability(CAP_SYS_ADMIN):
        return Stage(host, False, False, as_root_too, Cause("it takes CAP_SYS_ADMIN", "a capability"))
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        _cover()
    except (OSError, kernel.UnknownSyscall) as error:
        return Stage(host, False, False, as_root_too, _mount_cause(error))
    return Stage(host, True, False, as_root_too)


def user_stage(host: Host, as_root_too: bool) -> Stage:
    """This process in a new user and mount namespace, as root there; it gives up being root outside before."""
    # Where nobody has no number in this user namespace, root it is that makes the next one.
    with suppress(OSError):
        if os.geteuid() == 0:
            become_nobody()
    try:
        enter_user_namespace()
    except (OSError, kernel.UnknownSyscall) as error:
        return Stage(host, False, False, as_root_too, user_namespace_cause(host, error))
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        _cover()
    except OSError as error:
        return Stage(host, False, True, as_root_too, _mount_cause(error))
    return Stage(host, True, True, as_root_too)


def enter_user_namespace() -> None:
    """Become root in a new user namespace. Raises OSError."""
    user, group, mother = os.geteuid(), os.getegid(), os.getppid()
    kernel.unshare(kernel.CLONE_NEWUSER)
    die_with(mother)
    # Kernels before 3.19 have no such file and ask for nothing of the kind.
    with suppress(FileNotFoundError):
        write_file("/proc/self/setgroups", b"deny")
    write_file("/proc/self/uid_map", b"0 %d 1" % user)
    write_file("/proc/self/gid_map", b"0 %d 1" % group)


def write_file(path: str, text: bytes) -> None:
    """Write to an existing file in one go. Raises OSError with the path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


def _cover() -> None:
    # Without this, what is mounted from here on could be seen by the whole host.
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    place = next((place for place in _PLACES if Path(place).is_dir()), _PLACES[0])
    kernel.mount("kminer", place, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=0700")
    os.chdir(place)


def _mount_cause(error: OSError | kernel.UnknownSyscall) -> Cause:
    if isinstance(error, kernel.UnknownSyscall):
        return Cause(str(error))
    told = f"a private mount namespace could not be made ({error.filename}: {error.strerror})"
    by = f"perhaps {FILTER}" if error.errno in (EPERM, ENOSYS) and filtered() else ""
    return Cause(told, by, error.errno or 0)
