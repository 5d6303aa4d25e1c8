"""Trials of mount options as a dry run: a context of the file system takes a parameter or refuses it."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, EPERM

from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, COMPILED, INTERFACE, Answer, name_errno, unknown
from kminer.probe.filesystems import Told, configure, context, unasked
from kminer.probe.overlay import mount_option
from kminer.probe.refusals import refused_by
from kminer.probe.stages import Stage

_BOGUS = "kminer_bogus"
# Takes any key, as it always did, but checks the values of those that it knows.
_VALUES_CHECKED = {("bpf", "delegate_cmds"), ("bpf", "delegate_maps"), ("bpf", "delegate_progs")}


def fsopen(detector: str, kind: str, stage: Stage) -> Answer:
    """Whether a file system opens a context."""
    not_asked = unasked(detector, kind, stage.host)
    if not_asked is not None:
        return not_asked
    try:
        with context(kind):
            return Answer(detector, AVAILABLE, f"fsopen opens a context of {kind}", INTERFACE)
    except OSError as error:
        return _not_opened(detector, kind, error.errno or 0, stage)


def fsopen_native(detector: str, kind: str, stage: Stage) -> Answer:
    """Whether a file system checks each parameter when it is given, not all of them when the superblock is made."""
    not_asked = unasked(detector, kind, stage.host)
    if not_asked is not None:
        return not_asked
    try:
        told = configure(kind, _BOGUS)
    except OSError as error:
        refused = refused_by(stage.host, detector, "fsopen", error.errno or 0)
        return refused or _not_opened(detector, kind, error.errno or 0, stage)
    if told.is_unknown:
        return Answer(detector, AVAILABLE, f"{kind} answers at once: {told.log}", INTERFACE)
    if not told.error:
        return Answer(detector, ABSENT, f"{kind} takes any parameter until its superblock is made", INTERFACE)
    return _refused(detector, told)


def fsopt(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a file system takes an option: "overlay:index=on"."""
    kind, _, option = argument.partition(":")
    key, equals, value = option.rpartition("=") if "+=" in option else option.partition("=")
    not_asked = unasked(detector, kind, stage.host)
    if not_asked is not None:
        return not_asked
    try:
        canary = configure(kind, _BOGUS)
        told = configure(kind, key, value if equals else None)
    except OSError as error:
        if error.errno == ENOSYS and kind == "overlay":
            return mount_option(detector, option, stage)
        return _not_opened(detector, kind, error.errno or 0, stage)
    if not canary.error:
        if kind == "overlay":
            return mount_option(detector, option, stage)
        return _by_value(detector, kind, key, told)
    if not canary.is_unknown:
        return _refused(detector, canary)
    return _by_log(detector, kind, option, told, stage)


def fsoptfd(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether a file system takes an option as an open file: "overlay:lowerdir+"."""
    kind, _, key = argument.partition(":")
    not_asked = unasked(detector, kind, stage.host)
    if not_asked is not None:
        return not_asked
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        canary = configure(kind, _BOGUS, descriptor=folder)
        told = configure(kind, key, descriptor=folder)
    except OSError as error:
        return _not_opened(detector, kind, error.errno or 0, stage)
    finally:
        os.close(folder)
    if canary.error != EINVAL or told.error not in (0, EINVAL):
        return _refused(detector, told if told.error else canary)
    if told.error:
        why = f"{kind} does not take {key} as an open file: {told.log or 'EINVAL'}"
        return Answer(detector, ABSENT, why, INTERFACE, "", "EINVAL")
    return Answer(detector, AVAILABLE, f"{kind} takes {key} as an open file, but no unknown parameter", INTERFACE)


def _by_log(detector: str, kind: str, option: str, told: Told, stage: Stage) -> Answer:
    name = name_errno(told.error)
    if not told.error:
        return Answer(detector, AVAILABLE, f"{kind} takes {option}, but no unknown parameter", INTERFACE)
    if told.error != EINVAL and told.error != EPERM:
        return _refused(detector, told)
    if told.is_unknown or (told.is_bad_value and "=" in option):
        return Answer(detector, ABSENT, f"{kind} answers: {told.log}", INTERFACE, "", name)
    if not told.log and told.error == EINVAL:
        return _refused(detector, told)
    why = f"{kind} knows {option}, but refuses it: {told.log or name}"
    if stage.inside:
        return Answer(detector, BLOCKED, f"{why} (in a user namespace)", INTERFACE, "a capability", name)
    return Answer(detector, COMPILED, why, INTERFACE, "", name)


def _by_value(detector: str, kind: str, key: str, told: Told) -> Answer:
    """For a file system that takes any key: whether it looks at the value of this one."""
    if (kind, key) not in _VALUES_CHECKED:
        return unknown(detector, f"{kind} takes any parameter, also one that no kernel knows")
    canary = configure(kind, key, _BOGUS)
    if not canary.error:
        return Answer(detector, ABSENT, f"{kind} does not look at {key}: it takes any value", INTERFACE)
    if canary.error not in (EINVAL, EPERM) or told.error not in (0, EPERM):
        return _refused(detector, told if told.error else canary)
    if told.error:
        why = f"{kind} knows {key}, and answers EPERM"
        return Answer(detector, BLOCKED, why, INTERFACE, "a capability", "EPERM")
    return Answer(detector, AVAILABLE, f"{kind} takes this value of {key}, and refuses a bogus one", INTERFACE)


def _refused(detector: str, told: Told) -> Answer:
    why = f"fsconfig answers {name_errno(told.error)}{f': {told.log}' if told.log else ''}"
    return unknown(detector, f"{why}, which does not tell whether it is known", INTERFACE, told.error)


def _not_opened(detector: str, kind: str, error: int, stage: Stage) -> Answer:
    """Why a context could not be opened: an older kernel has no contexts, but it may have what was asked for."""
    if error == ENOSYS:
        return unknown(detector, f"fsopen answers ENOSYS: nothing can be asked of {kind} this way", INTERFACE, error)
    refused = refused_by(stage.host, detector, "fsopen", error)
    if refused is not None:
        return unknown(detector, refused.evidence, INTERFACE, error)
    if error == EPERM and stage.cause.why:
        return stage.refuse(detector)
    return unknown(detector, f"fsopen of {kind} answers {name_errno(error)}", INTERFACE, error)
