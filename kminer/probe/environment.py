"""The environment that a probe runs in: what explains why a feature is, or is not, usable."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from kminer.probe import kernel
from kminer.probe.hierarchies import own_place
from kminer.probe.joined import version_of
from kminer.probe.reading import why
from kminer.probe.surroundings import (
    find_chroot,
    find_container,
    find_initial_namespaces,
    find_lsms,
    find_virtualization,
)

if TYPE_CHECKING:
    from kminer.probe.host import Host

Result = TypeVar("Result")

CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip
"""Names of capabilities by number, as in include/uapi/linux/capability.h, without CAP_."""

_ONLY_PID_1 = "the root is a mount, and the root of pid 1 may not be looked at"
_NO_OWN_GROUP = "no mount of cgroup v2 shows the own group"
SECCOMP_MODES = ("disabled", "strict", "filter")


@dataclass(frozen=True, slots=True)
class Environment:
    """What is around the probe. A field is None where it could not be found out; `unknown` then says why, by field.

    `version` is the numbers of `release`. `uid` is the effective one; `capabilities` are the effective ones in lower
    case without CAP_ ("sys_admin"), a number where a name is not known. `seccomp` is disabled, strict or filter.
    `user_map` is /proc/self/uid_map: (first id inside, first id outside, count). `initial_namespaces` says of each
    kind (cgroup, ipc, mnt, net, pid, time, user, uts) whether it is the one that the system booted with; None: not
    known. `cgroup_mode` is v1, v2, hybrid or none; `controllers` says where each is bound: v2, the mount point of a
    hierarchy of v1, "v1, not mounted here", "disabled", "none". `own_cgroup` is the path on v2, `own_cgroups` those
    on v1 by controller. `own_controllers` are those that the own cgroup of v2 was given; `delegated` is whether
    this process may make groups in it. `virtualization` and `container` are "none", or what it is.
    """

    live: bool
    release: str | None
    build: str | None
    version: tuple[int, ...] | None
    machine: str | None
    distribution: str | None
    uid: int | None
    capabilities: tuple[str, ...] | None
    seccomp: str | None
    no_new_privs: bool | None
    user_map: tuple[tuple[int, int, int], ...] | None
    initial_namespaces: dict[str, bool | None]
    chroot: bool | None
    lsms: tuple[str, ...] | None
    cgroup_mode: str | None
    controllers: dict[str, str]
    own_cgroup: str | None
    own_cgroups: dict[str, str]
    own_controllers: tuple[str, ...] | None
    delegated: bool | None
    virtualization: str | None
    container: str | None
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def seccomp_filtered(self) -> bool:
        """Whether a seccomp filter may have given an answer in the kernel's place; true also where it is not known."""
        return self.seccomp != "disabled"

    def may(self, capability: str) -> bool | None:
        """Whether this process has a capability ("sys_admin") in its own user namespace; None where not known."""
        return None if self.capabilities is None else capability in self.capabilities


def read_environment(host: Host) -> Environment:
    """The environment of a host. Never raises OSError: what cannot be read is None, with the reason."""
    unknown: dict[str, str] = {}

    def ask(name: str, question: Callable[[], Result | None], reason: str = "") -> Result | None:
        try:
            answer = question()
        except (OSError, ValueError) as error:
            unknown[name] = why(error)
            return None
        if answer is None:
            unknown[name] = reason or "nothing tells of it"
        return answer

    status = ask("status", lambda: _status(host)) or {}
    no_status = unknown.pop("status", "/proc/self/status does not tell it")
    hierarchies = host.hierarchies
    no_cgroups = hierarchies.why.get("/proc/self/cgroup", "/proc/self/cgroup names no group of cgroup v2")
    no_mounts = hierarchies.why.get("/proc/self/mountinfo", "")
    release = ask("release", lambda: host.release, "neither /proc/sys/kernel/osrelease nor /proc/version can be read")
    return Environment(
        live=host.live,
        release=release,
        build=ask("build", lambda: _build(host)),
        version=ask("version", lambda: version_of(release or ""), "the release has no numbers"),
        machine=ask("machine", lambda: os.uname().machine if host.live else None, "a captured tree does not tell it"),
        distribution=ask("distribution", lambda: _distribution(host)),
        uid=ask("uid", lambda: _uid(status, host), no_status),
        capabilities=ask("capabilities", lambda: _capabilities(status), no_status),
        seccomp=ask("seccomp", lambda: _seccomp(status, host), no_status),
        no_new_privs=ask("no_new_privs", lambda: _no_new_privs(status, host), no_status),
        user_map=ask("user_map", lambda: _user_map(host)),
        initial_namespaces=(kinds := find_initial_namespaces(host, version_of(release or ""))),
        chroot=ask("chroot", lambda: find_chroot(host), no_mounts or _ONLY_PID_1),
        lsms=ask("lsms", lambda: find_lsms(host)),
        cgroup_mode=ask("cgroup_mode", lambda: _mode(host), no_mounts),
        controllers=_controllers(host),
        own_cgroup=ask("own_cgroup", lambda: (hierarchies.own or {}).get(""), no_cgroups),
        own_cgroups={name: path for name, path in (hierarchies.own or {}).items() if name},
        own_controllers=ask("own_controllers", lambda: _own_controllers(host), _NO_OWN_GROUP),
        delegated=ask("delegated", lambda: _delegated(host), _NO_OWN_GROUP),
        virtualization=ask("virtualization", lambda: find_virtualization(host)),
        container=ask("container", lambda: find_container(host, kinds)),
        unknown=unknown,
    )  # fmt: skip


def _status(host: Host) -> dict[str, str]:
    pairs = (line.partition(":") for line in host.read("/proc/self/status").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _uid(status: dict[str, str], host: Host) -> int | None:
    if host.live:
        return os.geteuid()
    return int(status["Uid"].split()[1]) if "Uid" in status else None


def _build(host: Host) -> str:
    if host.live:
        return os.uname().version
    return host.read("/proc/sys/kernel/version").strip()


def _distribution(host: Host) -> str | None:
    try:
        text = host.read("/etc/os-release")
    except OSError:
        text = host.read("/usr/lib/os-release")
    pairs = dict(line.partition("=")[::2] for line in text.splitlines())
    return (pairs.get("PRETTY_NAME") or pairs.get("NAME") or "").strip("\"'") or None


def _capabilities(status: dict[str, str]) -> tuple[str, ...] | None:
    if "CapEff" not in status:
        return None
    bits = int(status["CapEff"], 16)
    known = dict(enumerate(CAPABILITIES))
    return tuple(known.get(bit, str(bit)) for bit in range(bits.bit_length()) if bits >> bit & 1)


def _seccomp(status: dict[str, str], host: Host) -> str | None:
    if "Seccomp" in status:
        mode = int(status["Seccomp"])
    elif "nonvoluntary_ctxt_switches" in status:
        # The last line of a status that is whole: a kernel without seccomp leaves its line out.
        mode = 0
    elif host.live:
        mode = _prctl(kernel.PR_GET_SECCOMP)
    else:
        return None
    return SECCOMP_MODES[mode] if mode < len(SECCOMP_MODES) else str(mode)


def _no_new_privs(status: dict[str, str], host: Host) -> bool | None:
    if "NoNewPrivs" in status:
        return status["NoNewPrivs"] == "1"
    return bool(_prctl(kernel.PR_GET_NO_NEW_PRIVS)) if host.live else None


def _prctl(option: int) -> int:
    try:
        return kernel.prctl(option)
    except LookupError as error:
        raise ValueError(str(error)) from None


def _user_map(host: Host) -> tuple[tuple[int, int, int], ...]:
    rows = [line.split() for line in host.read("/proc/self/uid_map").splitlines()]
    return tuple((int(inside), int(outside), int(count)) for inside, outside, count in rows)


def _mode(host: Host) -> str | None:
    hierarchies = host.hierarchies
    if hierarchies.mounts is None:
        return None
    v1, v2 = bool(hierarchies.v1), bool(hierarchies.v2)
    return {(False, False): "none", (True, False): "v1", (False, True): "v2", (True, True): "hybrid"}[v1, v2]


def _controllers(host: Host) -> dict[str, str]:
    hierarchies = host.hierarchies
    own = [name for name in hierarchies.own or {} if name and "=" not in name]
    given = {name for group in host.groups for name in group.controllers or ()}
    names = sorted({*(hierarchies.rows or {}), *own, *given})
    return {name: _where(name, host, given) for name in names}


def _where(name: str, host: Host, given: set[str]) -> str:
    hierarchies = host.hierarchies
    number, enabled = (hierarchies.rows or {}).get(name, (0, True))
    if point := hierarchies.v1.get(name):
        return point
    if number or name in (hierarchies.own or {}):
        return "v1, not mounted here"
    if not enabled:
        return "disabled"
    return "v2" if name in given or (name == "blkio" and "io" in given) else "none"


def _own_controllers(host: Host) -> tuple[str, ...] | None:
    for mount in host.hierarchies.v2:
        if place := own_place(mount, host.hierarchies.own):
            return tuple(host.read(f"{place}/cgroup.controllers").split())
    return None


def _delegated(host: Host) -> bool | None:
    for mount in host.hierarchies.v2 if host.live else ():
        if place := own_place(mount, host.hierarchies.own):
            names = (place, f"{place}/cgroup.procs", f"{place}/cgroup.subtree_control")
            return all(os.access(name, os.W_OK, effective_ids=True) for name in names)
    return None
