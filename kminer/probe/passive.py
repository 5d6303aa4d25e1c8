"""The kinds of detectors that only read: they change nothing, and can be asked of a captured tree too."""

from __future__ import annotations

from collections.abc import Callable

from kminer.probe import cgroups, files, symbols
from kminer.probe.answers import ABSENT, AVAILABLE, INTERFACE, Answer, unknown
from kminer.probe.environment import CAPABILITIES
from kminer.probe.host import Host
from kminer.probe.reading import why
from kminer.probe.surroundings import INITIAL_INODES, namespace_inode
from kminer.probe.views import compare

Detector = Callable[[str, str, Host], Answer]


def _capability(detector: str, argument: str, host: Host) -> Answer:
    try:
        number, last = int(argument), int(host.read("/proc/sys/kernel/cap_last_cap"))
    except (OSError, ValueError) as error:
        return unknown(detector, why(error))
    name = f"cap_{CAPABILITIES[number]}" if 0 <= number < len(CAPABILITIES) else str(number)
    says = AVAILABLE if number <= last else ABSENT
    return Answer(detector, says, f"the last capability of this kernel is {last}; {name} is {number}", INTERFACE)


def _fixed_inode(detector: str, argument: str, host: Host) -> Answer:
    kinds = dict.fromkeys([argument, *INITIAL_INODES])
    for kind in kinds:
        inode = namespace_inode(host, kind)
        if inode is not None and inode == INITIAL_INODES.get(kind):
            return Answer(detector, AVAILABLE, f"/proc/self/ns/{kind} has the inode {inode:#x}", INTERFACE)
    return unknown(detector, "no namespace of this process can be told to be an initial one")


def _none(detector: str, argument: str, host: Host) -> Answer:
    return unknown(detector, argument or "nothing tells it apart")


PASSIVE: dict[str, Detector] = {
    "kconfig": symbols.kconfig, "kallsyms": symbols.kallsyms, "fs": symbols.filesystem,
    "file": files.file, "sysctl": files.sysctl, "grep": files.grep,
    "proccgroups": cgroups.v1_controller, "controller": cgroups.controller, "cgfile": cgroups.group_file,
    "cgglob": cgroups.group_glob, "cgroot": cgroups.root_file, "cgkey": cgroups.group_key,
    "cgread": cgroups.group_read, "cg2feat": cgroups.v2_feature,
    "compare": compare, "capbit": _capability, "nsino": _fixed_inode, "none": _none,
}  # fmt: skip
"""Detectors by kind. Each gets the detector as the catalogue writes it, its argument, and the host."""
