"""Trials of overlay mounts, on the empty tmpfs of a private mount namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, EPERM
from itertools import count
from pathlib import Path

from kminer.probe import kernel
from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.filesystems import unmountable
from kminer.probe.stages import Stage

LOWER = "lowerdir=a:b"
UPPER = "lowerdir=a,upperdir=u,workdir=w"

_numbers = count()


@contextmanager
def fresh_folders() -> Iterator[None]:
    """Be in a new folder with the empty folders a, b, u, w and m, on the tmpfs of a stage with private mounts."""
    folder = Path(f"{next(_numbers)}").absolute()
    for name in ("a", "b", "u", "w", "m"):
        (folder / name).mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def try_overlay(options: str) -> int:
    """The errno of an overlay mount with these options in fresh folders, 0 where it was mounted."""
    with fresh_folders():
        return mount_overlay(options)


def mount_overlay(options: str) -> int:
    """The errno of an overlay mount on the folder m with these options, 0 where it was mounted; it is taken off."""
    try:
        kernel.mount("kminer", "m", "overlay", 0, options)
    except OSError as error:
        return error.errno or -1
    kernel.umount("m", kernel.MNT_DETACH)
    return 0


def ovlmount(detector: str, options: str, stage: Stage) -> Answer:
    """Whether an overlay can be mounted with these options, among the folders a, b, u, w."""
    hindered = unmountable(detector, "overlay", stage)
    if hindered is not None:
        return hindered
    if detector.startswith("ovlmount_userns:") and not stage.inside:
        return stage.refuse(detector)
    error = try_overlay(options)
    # Data-only layers once had to be asked for together with metacopy.
    if error == EINVAL and "::" in options and "userxattr" not in options:
        error = try_overlay(f"{options},metacopy=on")
    if not error:
        return Answer(detector, AVAILABLE, f"an overlay was mounted with {options}", USE)
    control = UPPER if options == LOWER else f"{LOWER},userxattr" if "userxattr" in options else LOWER
    return _not_mounted(detector, options, error, control, stage)


def _not_mounted(detector: str, options: str, error: int, control: str, stage: Stage) -> Answer:
    name = name_errno(error)
    seen = try_overlay(control)
    why = f"an overlay with {options} answers {name}"
    if seen:
        told = f"{why}, and one with {control} {name_errno(seen)}"
        return unknown(detector, told, USE, error)
    # Options that need trusted.* attributes are refused by EPERM before they are allowed in a user namespace.
    if error == EINVAL or (error == EPERM and stage.inside and "userxattr" in options):
        return Answer(detector, ABSENT, f"{why}, while one with {control} is mounted", USE, "", name)
    # A kernel that does not know these layers answers EINVAL to their empty name.
    if error == EPERM and stage.inside and "::" in options:
        told = f"{why} in a user namespace, while one with {control} is mounted"
        return Answer(detector, BLOCKED, told, USE, "a capability", name)
    return unknown(detector, why, USE, error)


def mount_option(detector: str, option: str, stage: Stage) -> Answer:
    """Whether overlay takes an option when it is mounted: for kernels whose contexts take any parameter."""
    if not stage.mounts:
        return stage.refuse(detector)
    if option.startswith("lowerdir+="):
        why = "overlay takes any parameter until its superblock is made, so that layers cannot be appended"
        return Answer(detector, ABSENT, why, INTERFACE)
    bogus, plain, error = (try_overlay(f"{UPPER}{extra}") for extra in (",kminer_bogus", "", f",{option}"))
    name = name_errno(error)
    if plain or bogus != EINVAL:
        told = f"{name_errno(plain) or 'success'} to plain layers, {name_errno(bogus) or 'success'} to a bogus option"
        return unknown(detector, f"an overlay mount answers {told}", USE, plain or bogus)
    if not error:
        return Answer(detector, AVAILABLE, f"an overlay was mounted with {option}; a bogus option is refused", USE)
    if error == EINVAL and not stage.inside:
        return Answer(detector, ABSENT, f"an overlay refuses {option} as it does a bogus option", USE, "", name)
    if error == EPERM:
        return Answer(detector, BLOCKED, f"an overlay with {option} answers EPERM", USE, "a capability", name)
    return unknown(detector, f"an overlay with {option} answers {name}", USE, error)
