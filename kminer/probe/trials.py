"""Detectors that use what they ask for, in a child process: by kind, and where each is to be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from kminer.probe import idmap, insides, namespaces, notifications, options, overlay, processes, usermaps
from kminer.probe.answers import USE, Answer, unknown
from kminer.probe.stages import Stage

Trial: TypeAlias = Callable[[str, str, Stage], Answer]

OWN, USER = "own", "user"
"""Where a trial runs: with this process's own rights, or in a user namespace."""

_FUNCTIONS: Mapping[str, Trial] = {
    "cgroup_user_xattr": processes.cgroup_user_xattr, "clone3_pidfd": processes.clone3_pidfd,
    "clone_into_cgroup": processes.clone_into_cgroup, "idmap_mount": idmap.idmap_mount,
    "mqueue_in_new_ipcns": insides.mqueue_in_new_ipcns, "notif_addfd": notifications.notif_addfd,
    "notif_continue": notifications.notif_continue, "nsfs_handle": processes.nsfs_handle,
    "ovl_idmapped_lower": idmap.ovl_idmapped_lower, "ovl_mount_idmap": idmap.ovl_mount_idmap,
    "pid_max_in_pidns": insides.pid_max_in_pidns, "self_cgroup_in_cgroupns": insides.self_cgroup_in_cgroupns,
    "setns_pidfd": insides.setns_pidfd, "uid_map_6_lines": usermaps.uid_map_6_lines,
    "uptime_in_timens": insides.uptime_in_timens,
}  # fmt: skip

_ALWAYS_INSIDE = ("mount_userns", "ovlmount_userns", "func:pid_max_in_pidns")
_NEEDS_NO_RIGHTS = (
    "unshare:CLONE_NEWUSER", "unshare_as_nobody", "func:cgroup_user_xattr", "func:clone3_pidfd",
    "func:clone_into_cgroup", "func:notif_addfd", "func:notif_continue", "func:nsfs_handle", "func:uid_map_6_lines",
)  # fmt: skip


def _func(detector: str, argument: str, stage: Stage) -> Answer:
    name, _, rest = argument.partition(":")
    if name not in _FUNCTIONS:
        return unknown(detector, f"no trial is called {name}", USE)
    return _FUNCTIONS[name](detector, rest, stage)


TRIALS: Mapping[str, Trial] = {
    "fsopen": options.fsopen, "fsopen_native": options.fsopen_native, "fsopt": options.fsopt,
    "fsoptfd": options.fsoptfd, "func": _func, "mount_userns": namespaces.mount_userns, "ovlmount": overlay.ovlmount,
    "ovlmount_userns": overlay.ovlmount, "unshare": namespaces.unshare,
    "unshare_as_nobody": namespaces.unshare_as_nobody,
}  # fmt: skip
"""The detectors by kind: each takes the detector, what stands after its colon, and the stage it is tried on."""


def place_of(detector: str, privileged: bool) -> str:
    """OWN or USER; without CAP_SYS_ADMIN what needs it is tried in a user namespace."""
    if _is_one_of(detector, _ALWAYS_INSIDE):
        return USER
    return OWN if privileged or _is_one_of(detector, _NEEDS_NO_RIGHTS) else USER


def _is_one_of(detector: str, names: tuple[str, ...]) -> bool:
    return any(detector == name or detector.startswith(f"{name}:") for name in names)
