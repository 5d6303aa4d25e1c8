"""Trials of namespaces: each kind is unshared in a process of its own; file systems are mounted in a user namespace."""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, EPERM
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, UNKNOWN, USE, Answer, name_errno
from kminer.probe.causes import EMPTY_MOUNTS, refused_namespace
from kminer.probe.filesystems import unasked
from kminer.probe.forks import become_nobody, error_of, forked
from kminer.probe.stages import Stage

_KINDS = {
    "CLONE_NEWCGROUP": kernel.CLONE_NEWCGROUP, "CLONE_NEWIPC": kernel.CLONE_NEWIPC, "CLONE_NEWNET": kernel.CLONE_NEWNET,
    "CLONE_NEWNS": kernel.CLONE_NEWNS, "CLONE_NEWPID": kernel.CLONE_NEWPID, "CLONE_NEWTIME": kernel.CLONE_NEWTIME,
    "CLONE_NEWUSER": kernel.CLONE_NEWUSER, "CLONE_NEWUTS": kernel.CLONE_NEWUTS,
    "UNSHARE_EMPTY_MNTNS": EMPTY_MOUNTS | kernel.CLONE_NEWNS,
}  # fmt: skip


def unshare(detector: str, name: str, stage: Stage) -> Answer:
    """Whether a namespace of this kind (CLONE_NEW*) can be made."""
    flag = _KINDS[name]
    error = error_of(lambda: kernel.unshare(flag))
    if error:
        return but_for(stage, refused_namespace(detector, flag, error, stage.host))
    return Answer(detector, AVAILABLE, f"unshare({name}) made one{_where(stage)}", USE)


def but_for(stage: Stage, answer: Answer) -> Answer:
    """The answer, with the stage's own trouble as its cause where a lack of rights is what it came to."""
    if answer.errno not in ("EPERM", "EACCES") or stage.inside or not stage.cause.by:
        return answer
    by, why = stage.cause.by, stage.cause.why
    return Answer(answer.detector, answer.says, f"{answer.evidence}; {why}", answer.proves, by, answer.errno)


def _where(stage: Stage) -> str:
    return ", in a user namespace" if stage.inside else ""


def unshare_as_nobody(detector: str, name: str, stage: Stage) -> Answer:
    """Whether a user without rights can make a user namespace, and is root in it."""
    nobody = os.geteuid() == 0

    def attempt(flags: tuple[int, ...]) -> None:
        if nobody:
            become_nobody()
        for each in flags:
            kernel.unshare(each)

    flag = _KINDS[name]
    error = error_of(lambda: attempt((flag,)))
    who = "nobody" if nobody else f"the user {os.geteuid()}"
    if error:
        told = forked(lambda: _refusal_told_to_nobody(detector, flag, error, stage, nobody))
        says, evidence, by = told.split("\0")
        return Answer(detector, says, f"{evidence}, as {who}", USE, by, name_errno(error))
    # Where a security module lets the namespace be made, but gives no rights in it, this fails.
    error = error_of(lambda: attempt((flag, kernel.CLONE_NEWUTS)))
    if error in (EPERM, EACCES):
        cause = forked(lambda: _rightless_cause(stage, nobody))
        why = f"{who} can make one, but has no rights in it: unshare(CLONE_NEWUTS) answers {name_errno(error)}"
        return Answer(detector, BLOCKED, why, USE, cause, name_errno(error))
    return Answer(detector, AVAILABLE, f"unshare({name}) made one, as {who}", USE)


def _refusal_told_to_nobody(detector: str, flag: int, error: int, stage: Stage, nobody: bool) -> str:
    if nobody:
        become_nobody()
    answer = refused_namespace(detector, flag, error, stage.host)
    return f"{answer.says}\0{answer.evidence}\0{answer.by}"


def _rightless_cause(stage: Stage, nobody: bool) -> str:
    if nobody:
        become_nobody()
    return refused_namespace("", kernel.CLONE_NEWUSER, EPERM, stage.host).by or "perhaps a security module"


def mount_userns(detector: str, kind: str, stage: Stage) -> Answer:
    """Whether a file system can be mounted by root of a user namespace, or refuses for want of arguments only."""
    not_asked = unasked(detector, kind, stage.host)
    if not_asked is not None:
        return not_asked
    if not stage.inside or (not stage.mounts and kind != "tmpfs"):
        return stage.refuse(detector)
    if kind == "tmpfs":
        return _tmpfs(detector, stage)
    Path(f"in-{kind}").mkdir()
    error = error_of(lambda: _mount(kind, f"in-{kind}"))
    name = name_errno(error)
    if not error:
        return Answer(detector, AVAILABLE, f"{kind} was mounted in a user namespace", USE)
    if error == EINVAL:
        return Answer(detector, AVAILABLE, f"{kind} may be mounted, and lacks arguments only (EINVAL)", USE)
    if error == EPERM:
        return _not_permitted(detector, kind, stage)
    by = "perhaps a security module" if error == EACCES else ""
    return Answer(detector, UNKNOWN, f"mounting {kind} in a user namespace answers {name}", USE, by, name)


def _mount(kind: str, place: str) -> None:
    if kind == "cgroup2":
        kernel.unshare(kernel.CLONE_NEWCGROUP)
    kernel.mount("kminer", place, kind)


def _tmpfs(detector: str, stage: Stage) -> Answer:
    if stage.mounts:
        return Answer(detector, AVAILABLE, "a tmpfs was mounted in a user namespace", USE)
    return stage.refuse(detector)


def _not_permitted(detector: str, kind: str, stage: Stage) -> Answer:
    parameter = f"/sys/module/{kind}/parameters/permit_mounts_in_userns"
    try:
        permitted = stage.host.read(parameter).strip()
    except OSError:
        permitted = ""
    if permitted == "N":
        return Answer(detector, BLOCKED, f"EPERM: {parameter} is N", USE, parameter, "EPERM")
    # The tmpfs of the stage went through the same mount namespace: there is no lack of rights as such.
    why = f"mounting {kind} in a user namespace answers EPERM, while a tmpfs is mounted"
    return Answer(detector, ABSENT, why, USE, "", "EPERM")
