"""Detectors of cgroup controllers and of the files of cgroup v2, looked at where they are mounted."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, BOUND, COMPILED, INTERFACE, Answer, unknown
from kminer.probe.files import kconfig_value, no_pressure
from kminer.probe.hierarchies import V1_NAMES, Group, own_place
from kminer.probe.host import Host
from kminer.probe.reading import why

_CORE = frozenset(["cpu.stat", "cpu.stat.local"])
# Files that are there only where swap is accounted for, with one as old as swap accounting itself.
_SWAP = ("memory.swap.", "memory.zswap.")
_SWAP_SIBLING = "memory.swap.current"
# Before this release /proc/cgroups could name a controller that had no half on cgroup v2.
_ALL_ON_V2 = (5, 6)
_LATE_ON_V2 = frozenset(["cpu", "cpuset", "hugetlb"])
_V1_SYMBOLS = {"memory": "MEMCG_V1", "cpuset": "CPUSETS_V1"}


def v1_controller(detector: str, argument: str, host: Host) -> Answer:
    """Whether a controller can be used on cgroup v1, by /proc/cgroups."""
    rows = host.hierarchies.rows
    if rows is None:
        return unknown(detector, host.hierarchies.why.get("/proc/cgroups", "/proc/cgroups cannot be read"))
    words = host.command_line or ()
    if any(word.startswith("cgroup_v1_proc") for word in words) and argument in rows:
        value = kconfig_value(host, _V1_SYMBOLS.get(argument, "CGROUPS"))
        if not value:
            return unknown(detector, "cgroup_v1_proc makes /proc/cgroups name controllers that are not on v1")
    if argument not in rows:
        if not rows:
            return unknown(detector, "/proc/cgroups names no controller")
        return Answer(detector, ABSENT, f"/proc/cgroups does not name {argument}", INTERFACE)
    number, enabled = rows[argument]
    if not enabled:
        return _disabled(detector, argument, host)
    if number:
        return Answer(detector, AVAILABLE, f"{argument} is on the {host.hierarchies.bound(argument)}", INTERFACE)
    if by := next((word for word in words if _forbids(word, argument)), ""):
        return Answer(detector, BLOCKED, f"{argument} is kept from v1 by {by}", INTERFACE, by)
    return Answer(detector, COMPILED, f"{argument} is in /proc/cgroups, but on no hierarchy of v1", INTERFACE)


def _forbids(word: str, controller: str) -> bool:
    name, _, value = word.partition("=")
    return name == "cgroup_no_v1" and bool({"all", controller} & set(value.split(",")))


def _disabled(detector: str, controller: str, host: Host) -> Answer:
    word = next((word for word in host.command_line or () if word.startswith("cgroup_disable=")), "the kernel's boot")
    return Answer(detector, BLOCKED, f"/proc/cgroups says that {controller} is not enabled", INTERFACE, word)


def controller(detector: str, argument: str, host: Host) -> Answer:
    """Whether a controller (by its name on v2) is there for cgroup v2, or on which hierarchy of v1 it is."""
    hierarchies = host.hierarchies
    for group in host.groups:
        if argument in (group.controllers or ()):
            return Answer(detector, AVAILABLE, f"{argument} is in {group.path}/cgroup.controllers", INTERFACE)
    if by := hierarchies.bound(argument):
        return _bound(detector, argument, by, host)
    number, enabled = (hierarchies.rows or {}).get(V1_NAMES.get(argument, argument), (-1, True))
    if not enabled:
        return _disabled(detector, argument, host)
    if hierarchies.own is None and hierarchies.rows is None:
        return unknown(detector, "/proc does not tell which controllers are bound to cgroup v1")
    if not host.groups:
        return unknown(detector, no_groups(host))
    root = next((group for group in host.groups if group.is_root and group.controllers is not None), None)
    if root is None:
        if number == 0:
            evidence = f"{argument} is on no cgroup v1, and not in {host.groups[0].path}/cgroup.controllers"
            return Answer(detector, BLOCKED, evidence, INTERFACE, "it was not delegated to this cgroup")
        return unknown(detector, f"{argument} is in no cgroup.controllers that can be read; the root cannot be seen")
    if host.command_line is None or any(word.startswith("cgroup_disable=") for word in host.command_line):
        return unknown(detector, f"{argument} is not in {root.path}/cgroup.controllers; it may be disabled by boot")
    return Answer(detector, ABSENT, f"{argument} is not in {root.path}/cgroup.controllers of the root", INTERFACE)


def _bound(detector: str, name: str, by: str, host: Host) -> Answer:
    evidence = f"the {name} controller is bound to a {by}" if by.startswith("cgroup") else f"{name} is bound to {by}"
    version = host.environment.version
    if name in _LATE_ON_V2 and (version is None or version < _ALL_ON_V2):
        return unknown(detector, f"{evidence}; whether this kernel has it on v2 cannot be seen")
    return Answer(detector, BOUND, evidence, INTERFACE, by)


def no_groups(host: Host) -> str:
    """Why no cgroup of version 2 can be looked at."""
    hierarchies = host.hierarchies
    if hierarchies.mounts is None:
        return hierarchies.why.get("/proc/self/mountinfo", "/proc/self/mountinfo cannot be read")
    if not hierarchies.v2:
        return "cgroup v2 is not mounted"
    return f"no cgroup can be read at {hierarchies.v2[0].point}"


def group_file(detector: str, argument: str, host: Host) -> Answer:
    """Whether cgroups of version 2 have a file ("memory.peak"), looked for in the own one and some others."""
    return _in_groups(detector, argument, lambda name: name == argument, host)


def group_glob(detector: str, argument: str, host: Host) -> Answer:
    """Whether cgroups of version 2 have a file of a pattern ("hugetlb.*.rsvd.max")."""
    return _in_groups(detector, argument, lambda name: fnmatchcase(name, argument), host)


def _in_groups(detector: str, wanted: str, match: Callable[[str], bool], host: Host) -> Answer:
    for group in host.groups:
        for name in group.files:
            if match(name):
                return Answer(detector, AVAILABLE, f"{group.path}/{name} is there", INTERFACE)
    below = [group for group in host.groups if not group.is_root]
    if wanted.endswith(".pressure"):
        shown = any("cpu.pressure" in group.files for group in host.groups)
        explained = no_pressure(detector, wanted, host, shown=shown)
        if explained is not None or not shown:
            return explained or unknown(detector, f"no cgroup shows {wanted}")
        below = [group for group in host.groups if "cpu.pressure" in group.files]
    if is_core(wanted):
        return _core_missing(detector, wanted, below, host)
    return _controller_missing(detector, wanted, below, host)


def is_core(name: str) -> bool:
    """Whether a file of a cgroup is there without any controller."""
    return name.startswith("cgroup.") or name.endswith(".pressure") or name in _CORE


def _core_missing(detector: str, name: str, below: list[Group], host: Host) -> Answer:
    whole = [group for group in below if {"cgroup.procs", "cgroup.subtree_control"} <= group.files]
    if whole:
        return Answer(detector, ABSENT, f"{whole[0].path} has no {name}, though other files of cgroups", INTERFACE)
    if host.groups:
        return unknown(detector, f"there is no cgroup below {host.groups[0].path}, and its root has no {name}")
    return unknown(detector, no_groups(host))


def _controller_missing(detector: str, name: str, below: list[Group], host: Host) -> Answer:
    prefix = name.split(".")[0]
    enabled = [group for group in below if _has_files(group, prefix)]
    if not enabled:
        found = controller(detector, prefix, host)
        if found.says != AVAILABLE:
            return found
        return unknown(detector, f"the {prefix} controller is enabled in no cgroup that can be read")
    if name.startswith(_SWAP) and name != _SWAP_SIBLING:
        counted = [group for group in enabled if _SWAP_SIBLING in group.files]
        if not counted:
            return _no_swap(detector, name, enabled[0], host)
        enabled = counted
    evidence = f"{enabled[0].path} has no {name}, though the {prefix} controller is enabled in it"
    return Answer(detector, ABSENT, evidence, INTERFACE)


def _has_files(group: Group, prefix: str) -> bool:
    start = f"{prefix}."
    return any(file.startswith(start) and not is_core(file) for file in group.files)


def _no_swap(detector: str, name: str, group: Group, host: Host) -> Answer:
    evidence = f"{group.path} has no {_SWAP_SIBLING}: swap is not accounted for"
    if kconfig_value(host, "SWAP") == "":
        return Answer(detector, ABSENT, f"{evidence}, and CONFIG_SWAP is not set", INTERFACE)
    if name == "memory.swap.max" and kconfig_value(host, "MEMCG_SWAP"):
        return Answer(detector, BLOCKED, f"{evidence}, though CONFIG_MEMCG_SWAP is set", INTERFACE, "swapaccount=")
    return unknown(detector, evidence)


def root_file(detector: str, argument: str, host: Host) -> Answer:
    """Whether the root of cgroup v2 has a file. A container may see a group of its own in the place of the root."""
    root = next((group for group in host.groups if group.is_root), None)
    if root is None:
        return unknown(detector, "the root of cgroup v2 cannot be seen from here" if host.groups else no_groups(host))
    if argument in root.files:
        return Answer(detector, AVAILABLE, f"{root.path}/{argument} is there", INTERFACE)
    prefix = argument.split(".")[0]
    if not is_core(argument) and prefix not in (root.controllers or ()):
        found = controller(detector, prefix, host)
        return found if found.says != AVAILABLE else unknown(detector, f"{root.path} does not show {prefix}")
    evidence = f"{root.path} has no {argument}, though cgroup.controllers"
    return Answer(detector, ABSENT, evidence, INTERFACE)


def group_key(detector: str, argument: str, host: Host) -> Answer:
    """Whether a file of a cgroup has a line of this key ("cpu.stat:nice_usec")."""
    name, _, key = argument.partition(":")
    for group in host.groups:
        if name not in group.files:
            continue
        try:
            keys = [line.split()[0] for line in host.read(f"{group.path}/{name}").splitlines() if line.strip()]
        except OSError:
            continue
        if key in keys:
            return Answer(detector, AVAILABLE, f"{group.path}/{name} has {key}", INTERFACE)
        if keys:
            return Answer(detector, ABSENT, f"{group.path}/{name} has {keys[0]}, but no {key}", INTERFACE)
    return unknown(detector, f"no {name} can be read" if host.groups else no_groups(host))


def group_read(detector: str, argument: str, host: Host) -> Answer:
    """Whether a file of a cgroup can be read, in the own one first."""
    own = [place for mount in host.hierarchies.v2 if (place := own_place(mount, host.hierarchies.own))]
    reason = no_groups(host)
    for place in dict.fromkeys([*own, *(group.path for group in host.groups)]):
        try:
            words = " ".join(host.read(f"{place}/{argument}").split())
        except OSError as error:
            reason = why(error)
            continue
        return Answer(detector, AVAILABLE, f"{place}/{argument} says '{words[:80]}'", INTERFACE)
    return unknown(detector, reason)


def v2_feature(detector: str, argument: str, host: Host) -> Answer:
    """Whether /sys/kernel/cgroup/features names an option of cgroup v2."""
    path = "/sys/kernel/cgroup/features"
    try:
        words = host.read(path).split()
    except OSError as error:
        return unknown(detector, why(error), INTERFACE, error.errno or 0)
    if argument in words:
        return Answer(detector, AVAILABLE, f"{path} names {argument}", INTERFACE)
    if "nsdelegate" not in words:
        return unknown(detector, f"{path} is not whole")
    return Answer(detector, ABSENT, f"{path} names {words[0]}, but not {argument}", INTERFACE)
