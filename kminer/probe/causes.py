"""Why a namespace was refused: a limit, a sysctl, a filter, a security module, a chroot or a missing capability."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, BLOCKED, UNKNOWN, USE, Answer, name_errno, unknown
from kminer.probe.forks import CAP_SYS_ADMIN, has_capability
from kminer.probe.host import Host
from kminer.probe.refusals import FILTER

EMPTY_MOUNTS = 0x100000
"""UNSHARE_EMPTY_MNTNS: with CLONE_NEWNS, a mount namespace without mounts."""

# CLONE_VFORK, which means nothing to unshare.
_UNUSED_FLAG = 0x4000

FILES = {
    kernel.CLONE_NEWCGROUP: "cgroup", kernel.CLONE_NEWIPC: "ipc", kernel.CLONE_NEWNET: "net", kernel.CLONE_NEWNS: "mnt",
    kernel.CLONE_NEWPID: "pid", kernel.CLONE_NEWTIME: "time", kernel.CLONE_NEWUSER: "user", kernel.CLONE_NEWUTS: "uts",
}  # fmt: skip
"""The name of each kind of namespace: of its file in /proc/self/ns and of its limit."""

_GATES = {"kernel.unprivileged_userns_clone": "0", "kernel.apparmor_restrict_unprivileged_userns": "1"}
_MODULES_THAT_REFUSE = ("apparmor", "selinux", "smack", "tomoyo", "bpf")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something was refused, who refused it ("" where that is not known), and the errno."""

    why: str
    by: str = ""
    error: int = 0


NO_CAUSE = Cause("")


def refused_namespace(detector: str, flag: int, error: int, host: Host) -> Answer:
    """What follows from an errno of unshare with a CLONE_NEW* flag, in a process with a single thread."""
    file = FILES.get(flag & ~EMPTY_MOUNTS)
    there = host.exists(f"/proc/self/ns/{file}") and not flag & EMPTY_MOUNTS
    canary = _errno_of(flag | _UNUSED_FLAG)
    told = f"unshare answers {name_errno(error)}"
    if canary != errno.EINVAL:
        cause = Cause(f"{told}, and {name_errno(canary) or 'success'} to a flag that no kernel takes", FILTER, error)
    elif error == errno.EINVAL:
        if there:
            return unknown(detector, f"{told}, though the kernel shows such a namespace", USE, error)
        return Answer(detector, ABSENT, f"{told}, as to a flag that no kernel takes", USE, "", name_errno(error))
    else:
        cause = _cause(flag, error, host)
    if not there:
        return Answer(detector, UNKNOWN, cause.why, USE, cause.by, name_errno(error))
    return Answer(detector, BLOCKED, cause.why, USE, cause.by, name_errno(error))


def user_namespace_cause(host: Host, error: OSError | kernel.UnknownSyscall) -> Cause:
    """Why no user namespace could be made, or not be used once it was made."""
    if isinstance(error, kernel.UnknownSyscall):
        return Cause(str(error))
    number = error.errno or 0
    if error.filename != "unshare":
        if number == errno.ENOENT:
            return Cause(f"a user namespace was made, but {error.filename} is missing to map its users", "", number)
        by = _forbidding_sysctl(host)
        return Cause(f"a user namespace was made, but {error.filename}: {error.strerror}", by, number)
    if _errno_of(kernel.CLONE_NEWUSER | _UNUSED_FLAG) != errno.EINVAL:
        return Cause(f"no user namespace: unshare answers {name_errno(number)} whatever the flags", FILTER, number)
    cause = _cause(kernel.CLONE_NEWUSER, number, host)
    return Cause(f"no user namespace: {cause.why}", cause.by, number)


def _cause(flag: int, error: int, host: Host) -> Cause:
    if error in (errno.ENOSPC, errno.EUSERS):
        limit = f"user.max_{FILES[flag & ~EMPTY_MOUNTS]}_namespaces"
        value = _read_sysctl(host, limit)
        shown = f"the sysctl {limit}{f' = {value}' if value else ''}"
        return Cause(f"{shown} allows no more", shown, error)
    if flag == kernel.CLONE_NEWUSER and error in (errno.EPERM, errno.EACCES):
        return _refused_user(host, error)
    told = f"unshare answers {name_errno(error)}"
    if error == errno.EPERM and not has_capability(CAP_SYS_ADMIN):
        return Cause(f"{told}: it takes CAP_SYS_ADMIN", "a capability", error)
    return Cause(told, _module(host) if error in (errno.EPERM, errno.EACCES) else "", error)


def _refused_user(host: Host, error: int) -> Cause:
    told = f"unshare answers {name_errno(error)} to a user namespace"
    by = _forbidding_sysctl(host)
    if by and not has_capability(CAP_SYS_ADMIN):
        return Cause(f"{told}: {by}", by, error)
    if host.environment.chroot:
        return Cause(f"{told}: this process is in a chroot", "a chroot", error)
    return Cause(told, _module(host), error)


def _forbidding_sysctl(host: Host) -> str:
    """The sysctl that keeps users without rights from user namespaces, with its value; "" where none does."""
    for name, forbids in _GATES.items():
        if _read_sysctl(host, name) == forbids:
            return f"the sysctl {name} = {forbids}"
    return ""


def _read_sysctl(host: Host, name: str) -> str:
    """The value of a sysctl; "" where it cannot be read."""
    try:
        return host.read(f"/proc/sys/{name.replace('.', '/')}").strip()
    except OSError:
        return ""


def _module(host: Host) -> str:
    """A security module that may have refused; "" where none is known to be active."""
    found = [name for name in host.environment.lsms or () if name in _MODULES_THAT_REFUSE]
    return f"perhaps a security module ({', '.join(found)})" if found else ""


def _errno_of(flags: int) -> int:
    try:
        kernel.unshare(flags)
    except OSError as error:
        return error.errno or 0
    return 0
