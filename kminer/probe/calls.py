"""Detectors that call the kernel from this process, with arguments that are invalid or do no harm."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from errno import EFAULT, EINVAL, EOPNOTSUPP, EPERM

from kminer.probe import descriptors, kernel, securitycalls
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.host import Host
from kminer.probe.refusals import FILTER, call, forbidding, refused_by

_ALL = 0xFFFFFFFF
_UNUSED_FLAG = 1 << 30

# Refused by every kernel that has the call, before anything is done.
_INVALID: dict[str, tuple[kernel.Argument, ...]] = {
    "clone3": (None, 0), "fchroot": (-1, _ALL), "fsconfig": (-1, _ALL, None, None, 0),
    "fsmount": (-1, _ALL, 0), "fsopen": (None, _ALL), "fspick": (-1, None, _ALL), "listmount": (None, None, 0, _ALL),
    "listns": (None, None, 0, _ALL), "lsm_list_modules": (None, None, _ALL), "mount_setattr": (-1, None, _ALL, None, 0),
    "move_mount": (-1, None, -1, None, _ALL), "open_tree": (-1, None, _ALL),
    "open_tree_attr": (-1, None, _ALL, None, 0), "openat2": (-1, None, None, 0), "pidfd_getfd": (-1, -1, _ALL),
    "pidfd_open": (-1, _ALL), "pidfd_send_signal": (-1, 0, None, _ALL), "seccomp": (_ALL, 0, None),
    "setns": (-1, 0), "statmount": (None, None, 0, _ALL),
}  # fmt: skip

# The arguments before the flags, which name nothing that exists, and flags that all kernels with the call know.
_FLAGGED: dict[str, tuple[tuple[kernel.Argument, ...], int]] = {
    "move_mount": ((-1, b"x", -1, b"x"), 1),
    "open_tree": ((-1, b"x"), kernel.OPEN_TREE_CLOEXEC),
    "statmount": ((None, None, 0), 0),
}
_FLAGS = {
    "MOVE_MOUNT_SET_GROUP": kernel.MOVE_MOUNT_SET_GROUP, "MOVE_MOUNT_BENEATH": kernel.MOVE_MOUNT_BENEATH,
    "OPEN_TREE_NAMESPACE": kernel.OPEN_TREE_NAMESPACE, "STATMOUNT_BY_FD": 1,
}  # fmt: skip


def _syscall(detector: str, name: str, host: Host) -> Answer:
    if name not in _INVALID:
        return unknown(detector, f"no harmless arguments are known for {name}")
    _, error = call(name, *_INVALID[name])
    refused = refused_by(host, detector, name, error, whole=True)
    if refused is not None:
        return refused
    if not error:
        return unknown(detector, f"{name} takes arguments that no kernel takes: something answers in its place")
    if error == EPERM:
        return Answer(detector, BLOCKED, f"{name} is there and answers EPERM", INTERFACE, forbidding(), "EPERM")
    return Answer(detector, AVAILABLE, f"{name} answers {name_errno(error)} to invalid arguments", INTERFACE)


def _syscallflag(detector: str, argument: str, host: Host) -> Answer:
    name, _, flag = argument.partition(":")
    if name not in _FLAGGED:
        return unknown(detector, f"no harmless arguments are known for {name}")
    before, good = _FLAGGED[name]
    return _flag(host, detector, name, before, good, _FLAGS[flag] if flag in _FLAGS else int(flag, 0))


def _seccomp_flag(detector: str, argument: str, host: Host) -> Answer:
    flag = int(argument, 0)
    if flag == kernel.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV:
        flag |= kernel.SECCOMP_FILTER_FLAG_NEW_LISTENER
    return _flag(host, detector, "seccomp", (kernel.SECCOMP_SET_MODE_FILTER,), 0, flag, (None,))


def _flag(
    host: Host, detector: str, name: str, before: tuple[kernel.Argument, ...], good: int, flag: int,
    after: tuple[kernel.Argument, ...] = (),
) -> Answer:  # fmt: skip
    """Whether a flag is refused as one is that no kernel knows, or gets as far as one that all know."""
    known, canary, error = (call(name, *before, flags, *after)[1] for flags in (good, _UNUSED_FLAG, flag))
    for each in (known, canary, error):
        refused = refused_by(host, detector, name, each)
        if refused is not None:
            return refused
    told = name_errno(error)
    if known in (0, EINVAL) or canary != EINVAL or not error:
        by_right = ": it takes CAP_SYS_ADMIN to be asked" if EPERM in (known, canary) else ""
        seen = f"{_said(known)} to a flag that all kernels know, {_said(canary)} to one that none knows"
        return unknown(detector, f"{name} answers {seen}{by_right}", INTERFACE, error)
    if error == EINVAL:
        return Answer(detector, ABSENT, f"{name} refuses the flag as it does an unknown one", INTERFACE, "", told)
    if error == EPERM and known != EPERM:
        return Answer(detector, BLOCKED, f"{name} knows the flag, and answers EPERM", INTERFACE, forbidding(), told)
    return Answer(detector, AVAILABLE, f"{name} knows the flag ({told}; EINVAL to an unknown one)", INTERFACE)


def _said(error: int) -> str:
    return name_errno(error) or "success"


def _seccomp_action(detector: str, argument: str, host: Host) -> Answer:
    action = int(argument, 0)
    error, canary = (_action(each) for each in (action, 0x12340000))
    for each in (error, canary):
        refused = refused_by(host, detector, "seccomp", each)
        if refused is not None:
            return refused
    told = name_errno(error)
    if error == EINVAL and canary == EINVAL and action == kernel.SECCOMP_RET_ALLOW:
        return Answer(detector, ABSENT, "seccomp does not know SECCOMP_GET_ACTION_AVAIL", INTERFACE, "", told)
    if canary != EOPNOTSUPP or error not in (0, EOPNOTSUPP):
        why = f"{_said(error)} to the action, {_said(canary)} to one that no kernel knows"
        return unknown(detector, f"seccomp answers {why}", INTERFACE, error)
    if error:
        return Answer(detector, ABSENT, f"seccomp does not know the action {argument}", INTERFACE, "", told)
    return Answer(detector, AVAILABLE, f"seccomp says that the action {argument} is available", INTERFACE)


def _action(action: int) -> int:
    asked = ctypes.create_string_buffer(struct.pack("=I", action), 4)
    return call("seccomp", kernel.SECCOMP_GET_ACTION_AVAIL, 0, asked)[1]


def _prctl(detector: str, name: str, host: Host) -> Answer:
    if name == "PR_GET_SECCOMP":
        return _filter_mode(detector, host)
    asked = {
        "PR_CAP_AMBIENT": (kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_IS_SET),
        "PR_GET_NO_NEW_PRIVS": (kernel.PR_GET_NO_NEW_PRIVS,),
    }
    if name not in asked:
        return unknown(detector, f"no harmless arguments are known for {name}")
    value, error = call("prctl", *asked[name])
    canary, good = call("prctl", 0x4B4D0000)[1], call("prctl", kernel.PR_GET_DUMPABLE)[1]
    refused = refused_by(host, detector, "prctl", error) or refused_by(host, detector, "prctl", canary)
    if refused is not None:
        return refused
    if canary != EINVAL or good or error not in (0, EINVAL):
        why = f"{name_errno(error) or value} to {name}, {_said(canary)} to what no kernel knows"
        return unknown(detector, f"prctl answers {why}", INTERFACE, error)
    if error:
        return Answer(detector, ABSENT, f"prctl does not know {name}", INTERFACE, "", name_errno(error))
    return Answer(detector, AVAILABLE, f"prctl({name}) answers {value}", INTERFACE)


def _filter_mode(detector: str, host: Host) -> Answer:
    """PR_GET_SECCOMP is older than filters: only a filter that cannot be read (EFAULT) tells of them."""
    mode, error = call("prctl", kernel.PR_GET_SECCOMP)
    tried = call("prctl", kernel.PR_SET_SECCOMP, kernel.SECCOMP_MODE_FILTER, None)[1]
    if not error and tried == EFAULT:
        return Answer(detector, AVAILABLE, f"filters are taken; this process is in seccomp mode {mode}", INTERFACE)
    if mode == kernel.SECCOMP_MODE_FILTER:
        why = f"a filter is in force here, and answers {_said(tried)} to another one"
        return Answer(detector, BLOCKED, why, USE, FILTER, name_errno(tried))
    refused = refused_by(host, detector, "prctl", error) or refused_by(host, detector, "prctl", tried)
    if refused is not None:
        return refused
    if EINVAL in (error, tried):
        return Answer(detector, ABSENT, "prctl does not know seccomp filters", INTERFACE, "", "EINVAL")
    return unknown(detector, f"prctl answers {_said(tried)} to an unreadable filter", INTERFACE, tried)


def _guarded(ask: Callable[[str, str, Host], Answer]) -> Callable[[str, str, Host], Answer]:
    def guarded(detector: str, argument: str, host: Host) -> Answer:
        try:
            return ask(detector, argument, host)
        except kernel.UnknownSyscall as error:
            return unknown(detector, str(error))
        except OSError as error:
            return unknown(detector, f"{error.filename or detector}: {error.strerror}", INTERFACE, error.errno or 0)
        except ValueError:
            return unknown(detector, f"'{argument}' is not understood")

    return guarded


CALLS: dict[str, Callable[[str, str, Host], Answer]] = {
    kind: _guarded(ask)
    for kind, ask in {
        "syscall": _syscall, "syscallflag": _syscallflag, "prctl": _prctl, "seccomp_action": _seccomp_action,
        "seccomp_flag": _seccomp_flag, "nsioctl": descriptors.nsioctl, "pidfdioctl": descriptors.pidfdioctl,
        "statfs": descriptors.statfs, "statfs_pidfd": descriptors.statfs_pidfd, "statx": descriptors.statx,
        "landlock_abi": securitycalls.landlock_abi, "lsm": securitycalls.lsm, "bpfprog": securitycalls.bpfprog,
    }.items()
}  # fmt: skip
"""The detectors by kind: each takes the detector, what stands after its colon, and the host; none raises OSError."""
