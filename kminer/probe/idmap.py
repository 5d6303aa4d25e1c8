"""Trials of idmapped mounts: on detached copies of mounts, which are gone with their descriptor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBADF, EINVAL, EPERM
from functools import cache

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, COMPILED, INTERFACE, UNKNOWN, USE, Answer, name_errno, unknown
from kminer.probe.filesystems import unmountable
from kminer.probe.host import Host
from kminer.probe.overlay import LOWER, fresh_folders, mount_overlay
from kminer.probe.refusals import refused_by
from kminer.probe.stages import Stage, write_file
from kminer.probe.usermaps import child_in_user_namespace

_NOT_OPEN = 1 << 20
_NEEDS_FLAG = "needs --as-root-too"


def idmap_mount(detector: str, what: str, stage: Stage) -> Answer:
    """Whether a mount can be idmapped: of a new tmpfs ("tmpfs"), or of the file system of a path ("/")."""
    known = _flag(stage.host, detector)
    if known.says != AVAILABLE:
        return known
    if what != "tmpfs":
        if not stage.as_root_too:
            why = f"{known.evidence}; whether the file system of {what} takes it {_NEEDS_FLAG}"
            return Answer(detector, COMPILED, why, INTERFACE)
        error = _errno_of_idmap(what)
        if error == EINVAL:
            why = f"{known.evidence}, but the file system of {what} does not take it"
            return Answer(detector, COMPILED, why, USE, "the file system", "EINVAL")
        return _tried(detector, what, error)
    if not stage.mounts:
        return stage.refuse(detector)
    return _tried(detector, what, _errno_of_idmap("."))


def _tried(detector: str, what: str, error: int) -> Answer:
    name = name_errno(error)
    if not error:
        return Answer(detector, AVAILABLE, f"a detached copy of {what} was idmapped", USE)
    if error == EINVAL:
        return Answer(detector, ABSENT, f"{what} cannot be idmapped, though mount_setattr knows how", USE, "", name)
    return unknown(detector, f"idmapping {what} answers {name}", USE, error)


def ovl_idmapped_lower(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether an overlay takes an idmapped mount as its lower layer."""
    hindered = unmountable(detector, "overlay", stage)
    if hindered is not None:
        return hindered
    if _flag(stage.host, detector).says == ABSENT:
        return Answer(detector, ABSENT, "mount_setattr does not know idmapped mounts", INTERFACE)
    # On kernels where a tmpfs cannot be idmapped it takes a real file system.
    for place in ("w", "/")[: 2 if stage.as_root_too else 1]:
        with fresh_folders():
            if _place_idmapped(place, "a"):
                continue
            plain, error = mount_overlay("lowerdir=b:u"), mount_overlay(LOWER)
        name = name_errno(error)
        if not error:
            return Answer(detector, AVAILABLE, "an overlay was mounted on an idmapped lower layer", USE)
        if error == EINVAL and not plain and not stage.inside:
            return Answer(detector, ABSENT, "an overlay refuses an idmapped lower layer", USE, "", name)
        return unknown(detector, f"an overlay on an idmapped lower layer answers {name}", USE, error)
    more = "nor the file system of /" if stage.as_root_too else f"and / {_NEEDS_FLAG}"
    return unknown(detector, f"a tmpfs cannot be idmapped here, to be a layer, {more}", USE)


def ovl_mount_idmap(detector: str, argument: str, stage: Stage) -> Answer:
    """Whether the mount of an overlay can be idmapped itself."""
    hindered = unmountable(detector, "overlay", stage)
    if hindered is not None:
        return hindered
    known = _flag(stage.host, detector)
    if known.says != AVAILABLE:
        return known
    with fresh_folders():
        kernel.mount("kminer", "m", "overlay", 0, LOWER)
        error = _errno_of_idmap("m")
        kernel.umount("m", kernel.MNT_DETACH)
    if error == EINVAL and stage.inside:
        return unknown(detector, "an overlay of a user namespace cannot be idmapped; others may be", USE, error)
    return _tried(detector, "an overlay", error)


def _flag(host: Host, detector: str) -> Answer:
    """Whether mount_setattr knows MOUNT_ATTR_IDMAP: it then looks for the user namespace's descriptor."""
    try:
        tree = kernel.open_tree("/", 0)
        try:
            kernel.mount_setattr(tree, kernel.MOUNT_ATTR_IDMAP, _NOT_OPEN)
        finally:
            os.close(tree)
    except OSError as error:
        number, call = error.errno or 0, str(error.filename)
        if number == EBADF:
            return Answer(detector, AVAILABLE, "mount_setattr knows MOUNT_ATTR_IDMAP", INTERFACE)
        refused = refused_by(host, detector, call, number)
        if refused is not None:
            return refused
        if number == EINVAL and call == "mount_setattr":
            return Answer(detector, ABSENT, "mount_setattr does not know MOUNT_ATTR_IDMAP", INTERFACE, "", "EINVAL")
        by = "a capability" if number == EPERM else ""
        return Answer(detector, UNKNOWN, f"{call} answers {name_errno(number)}", INTERFACE, by, name_errno(number))
    return unknown(detector, "mount_setattr takes a descriptor that is not open", INTERFACE)


@contextmanager
def _idmapped(path: str) -> Iterator[int]:
    """A detached copy of the mount of a path, idmapped. Raises OSError."""
    tree = kernel.open_tree(path, kernel.OPEN_TREE_CLONE)
    try:
        kernel.mount_setattr(tree, kernel.MOUNT_ATTR_IDMAP, _user_namespace())
        yield tree
    finally:
        os.close(tree)


@cache
def _user_namespace() -> int:
    """The descriptor of a user namespace that maps one user and one group, made once a child. Raises OSError."""
    with child_in_user_namespace() as pid:
        write_file(f"/proc/{pid}/uid_map", b"0 0 1")
        write_file(f"/proc/{pid}/setgroups", b"deny")
        write_file(f"/proc/{pid}/gid_map", b"0 0 1")
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _errno_of_idmap(path: str) -> int:
    """The errno of idmapping a copy of a path's mount; 0 where it was done. Raises OSError of all before that."""
    try:
        with _idmapped(path):
            return 0
    except OSError as error:
        if error.filename != "mount_setattr":
            raise
        return error.errno or -1


def _place_idmapped(path: str, target: str) -> int:
    try:
        with _idmapped(path) as tree:
            kernel.move_mount(tree, target)
    except OSError as error:
        if error.filename != "mount_setattr":
            raise
        return error.errno or -1
    return 0
