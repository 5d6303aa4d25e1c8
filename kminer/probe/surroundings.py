"""What a process is inside of: namespaces of its own, a changed root, a container, a virtual machine."""

from __future__ import annotations

import os
import re
import struct
from ctypes import create_string_buffer
from typing import TYPE_CHECKING

from kminer.probe import kernel

if TYPE_CHECKING:
    from kminer.probe.host import Host

INITIAL_INODES = {
    "ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE, "user": 0xEFFFFFFD, "pid": 0xEFFFFFFC, "cgroup": 0xEFFFFFFB,
    "time": 0xEFFFFFFA, "net": 0xEFFFFFF9, "mnt": 0xEFFFFFF8,
}  # fmt: skip
"""Inode numbers of the namespaces that the system booted with (include/uapi/linux/nsfs.h)."""

_ALL_FIXED = (6, 18)
_FIXED_LATE = ("net", "mnt")


def namespace_inode(host: Host, kind: str, pid: str = "self") -> int | None:
    """The inode number of a process's namespace; None where the kernel has not the kind or does not tell."""
    try:
        match = re.fullmatch(r"\w+:\[(\d+)\]", host.link(f"/proc/{pid}/ns/{kind}"))
    except OSError:
        return None
    return int(match[1]) if match else None


def find_initial_namespaces(host: Host, version: tuple[int, ...] | None) -> dict[str, bool | None]:
    """Whether each kind of namespace is the one that the system booted with; None where that cannot be told."""
    own = {kind: namespace_inode(host, kind) for kind in sorted(INITIAL_INODES)}
    in_initial_pid = own["pid"] == INITIAL_INODES["pid"]
    return {kind: _is_initial(host, kind, inode, version, in_initial_pid) for kind, inode in own.items()}


def _is_initial(
    host: Host, kind: str, inode: int | None, version: tuple[int, ...] | None, in_initial_pid: bool
) -> bool | None:
    if inode is None:
        return None
    if inode == INITIAL_INODES[kind]:
        return True
    if kind not in _FIXED_LATE or (version or ()) >= _ALL_FIXED:
        return False
    first = namespace_inode(host, kind, "1")
    return inode == first if in_initial_pid and first is not None else None


def find_chroot(host: Host) -> bool | None:
    """Whether the root is another than that of the mount namespace; None where that cannot be told.

    A chroot onto a mount point looks like the root of a namespace; only pid 1 tells them apart.
    """
    mounts = host.hierarchies.mounts
    if mounts is None:
        return None
    roots = [mount for mount in mounts if mount.point == "/"]
    if not roots:
        return True
    # The first mount ever made, rootfs, has the id 1; what is mounted on it is the root of the system.
    if roots[0].parent in (1, roots[0].id):
        return False
    mine, first = namespace_inode(host, "mnt"), namespace_inode(host, "mnt", "1")
    if not host.live or mine is None or mine != first:
        return None
    here, there = os.stat("/"), os.stat("/proc/1/root")  # noqa: PTH116 - two looks, no path work
    return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


_LSMS = {
    100: "capability", 101: "selinux", 102: "smack", 103: "tomoyo", 104: "apparmor", 105: "yama", 106: "loadpin",
    107: "safesetid", 108: "lockdown", 109: "bpf", 110: "landlock", 111: "ima", 112: "evm", 113: "ipe",
}  # fmt: skip


def find_lsms(host: Host) -> tuple[str, ...]:
    """Names of the security modules that are active (LSM_ID_* of include/uapi/linux/lsm.h where a call names them).

    Raises OSError where neither securityfs nor the system call tells.
    """
    try:
        return tuple(name for name in host.read("/sys/kernel/security/lsm").strip().split(",") if name)
    except OSError:
        if not host.live:
            raise
        numbers = _lsm_numbers()
        if not numbers:
            raise
        return tuple(_LSMS.get(number, str(number)) for number in numbers)


def _lsm_numbers() -> tuple[int, ...]:
    numbers = create_string_buffer(8 * 64)
    try:
        count = kernel.syscall("lsm_list_modules", numbers, create_string_buffer(struct.pack("=I", 8 * 64), 4), 0)
    except (OSError, LookupError):
        return ()
    return struct.unpack_from(f"={max(count, 0)}Q", numbers)


_MACHINES = {
    "amazon ec2": "amazon", "bhyve": "bhyve", "bochs": "bochs", "firecracker": "firecracker", "google": "google",
    "innotek gmbh": "virtualbox", "kvm": "kvm", "openstack": "kvm", "parallels": "parallels", "qemu": "qemu",
    "virtual machine": "hyperv", "virtualbox": "virtualbox", "vmware": "vmware", "xen": "xen",
}  # fmt: skip
_CLOCKS = {"kvm-clock": "kvm", "hyperv_clocksource": "hyperv", "xen": "xen", "vmi-timer": "vmware"}


def find_virtualization(host: Host) -> str | None:
    """The kind of virtual machine, "none" on bare metal; None where nothing tells.

    Sources: /sys/hypervisor, the DMI names, the clock sources and the processor's flag for a hypervisor.
    """
    if kind := _first_line(host, "/sys/hypervisor/type"):
        return kind
    names = [_first_line(host, f"/sys/class/dmi/id/{name}").lower() for name in ("sys_vendor", "product_name")]
    for part, machine in _MACHINES.items():
        if any(part in name for name in names):
            return machine
    clocks = _first_line(host, "/sys/devices/system/clocksource/clocksource0/available_clocksource").split()
    for clock, machine in _CLOCKS.items():
        if clock in clocks:
            return machine
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", host.read("/proc/cpuinfo", 64 << 20), re.MULTILINE)
    if flags is not None and "hypervisor" in flags[1].split():
        return "a virtual machine of unknown kind"
    return "none" if any(names) else None


_NAMES_IN_PATHS = re.compile(r"\b(docker|libpod|kubepods|crio|containerd|lxc|garden|buildkit|nspawn|machine)\b")


def find_container(host: Host, initial: dict[str, bool | None]) -> str | None:
    """The kind of container, "none" outside of one; None where nothing tells.

    Files such as /.dockerenv are left over where an image was unpacked into a virtual machine: a process in the
    mount and pid namespaces that the system booted with is in no container.
    """
    if initial["pid"] and initial["mnt"]:
        return "none"
    marks = [mark for mark in _marks(host) if mark]
    if marks:
        return marks[0]
    if initial["pid"] is False or initial["user"] is False:
        return "namespaces of unknown purpose"
    return "none" if initial["pid"] else None


def _marks(host: Host) -> list[str]:
    told = _first_line(host, "/run/systemd/container") or (os.environ.get("container", "") if host.live else "")  # noqa: SIM112 - its name
    own = " ".join((host.hierarchies.own or {}).values())
    found = _NAMES_IN_PATHS.search(own)
    return [
        told,
        "docker" if host.exists("/.dockerenv") else "",
        "podman" if host.exists("/run/.containerenv") else "",
        "openvz" if host.exists("/proc/vz") and not host.exists("/proc/bc") else "",
        "wsl" if "microsoft" in (host.release or "").lower() else "",
        found[1] if found else "",
    ]


def _first_line(host: Host, path: str) -> str:
    try:
        return host.read(path).strip("\0\n ").partition("\n")[0]
    except OSError:
        return ""
