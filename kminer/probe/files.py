"""Detectors that look whether a file of /proc or /sys is there, and what stands in it."""

from __future__ import annotations

import errno
import re

from kminer.probe.answers import ABSENT, AVAILABLE, BLOCKED, CODE, COMPILED, INTERFACE, Answer, name_errno, unknown
from kminer.probe.host import Host
from kminer.probe.reading import why
from kminer.probe.symbols import has_symbol

# Names that every kernel of the last ten years has in a folder: where they are seen, what is not seen is not there.
_SIBLINGS = {
    "/proc": ("version", "filesystems", "stat", "meminfo"),
    "/proc/self": ("status", "stat", "maps", "mountinfo"),
    "/proc/self/ns": ("mnt", "uts"),
    "/proc/pressure": ("cpu", "io", "memory"),
    "/proc/sys": ("kernel/ostype", "kernel/osrelease", "vm/overcommit_memory", "fs/file-max"),
    "/proc/sys/kernel": ("ostype", "osrelease", "pid_max", "threads-max"),
    "/proc/sys/net/ipv4": ("ip_forward", "ip_default_ttl"),
    "/proc/sys/user": ("max_uts_namespaces", "max_mnt_namespaces"),
    "/proc/sys/vm": ("overcommit_memory", "swappiness", "dirty_ratio"),
    "/sys/kernel": ("mm", "fscaps"),
    "/sys/kernel/cgroup": ("delegate",),
    "/sys/kernel/mm": ("transparent_hugepage",),
    "/sys/kernel/security/apparmor/features": ("policy",),
    "/sys/kernel/security/apparmor/features/namespaces": ("profile",),
    "/sys/module/overlay/parameters": ("redirect_dir",),
}
# Folders that came with the files in them, or that an option or a security module brings.
_CAME_LATER = frozenset(["/proc/sys/kernel/yama", "/proc/sys/user", "/sys/kernel/cgroup", "/sys/kernel/mm/lru_gen"])
_NAMESPACES = frozenset(f"/proc/self/ns/{kind}" for kind in "cgroup ipc mnt net pid time user uts".split())  # noqa: SIM905
_BOOT = "the boot parameter lsm="


def file(detector: str, argument: str, host: Host) -> Answer:
    """Whether a file or folder is there. A kind of namespace is compiled in where it has its file."""
    number = host.trouble(argument)
    if number == errno.ENOENT:
        return missing(detector, argument, host)
    if number:
        return unknown(detector, f"{argument} cannot be looked at", INTERFACE, number)
    if argument in _NAMESPACES:
        return Answer(detector, COMPILED, f"{argument} is there", CODE)
    cover = host.hierarchies.mount_of(argument)
    if cover is not None and cover.point == argument and argument.startswith(("/proc/", "/sys/")):
        return Answer(detector, BLOCKED, f"{argument} is covered", INTERFACE, f"a mount of {cover.kind} over it")
    return Answer(detector, AVAILABLE, f"{argument} is there", INTERFACE)


def sysctl(detector: str, argument: str, host: Host) -> Answer:
    """Whether a sysctl ("kernel.io_uring_disabled") is there, with its value as evidence.

    With a value ("net.ipv4.ip_forward=1") it is blocked where it has another.
    """
    name, _, wanted = argument.partition("=")
    path = "/proc/sys/" + name.replace(".", "/")
    number = host.trouble(path)
    if number == errno.ENOENT:
        return missing(detector, path, host)
    if number:
        return unknown(detector, f"{path} cannot be looked at", INTERFACE, number)
    try:
        value = host.read(path).strip()[:60]
    except OSError as error:
        evidence = f"{name} is there, but may not be read"
        if wanted:
            return unknown(detector, evidence, INTERFACE, error.errno or 0)
        return Answer(detector, AVAILABLE, evidence, INTERFACE, "", name_errno(error.errno or 0))
    if wanted and value != wanted:
        return Answer(detector, BLOCKED, f"{name} = {value}, not {wanted}", INTERFACE, f"the sysctl {name}")
    return Answer(detector, AVAILABLE, f"{name} = {value}", INTERFACE)


def grep(detector: str, argument: str, host: Host) -> Answer:
    """Whether a word stands in a file ("/proc/self/status:NSpid")."""
    path, _, word = argument.rpartition(":")
    try:
        text = host.read(path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return missing(detector, path, host)
        return unknown(detector, why(error), INTERFACE, error.errno or 0)
    if re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", text):
        return Answer(detector, AVAILABLE, f"{path} tells {word}", INTERFACE)
    cut = path.endswith("/status") and not ("TracerPid:" in text and "ctxt_switches:" in text)
    if cut or "\0" in text or not text.strip():
        return unknown(detector, f"{path} is not whole")
    return Answer(detector, ABSENT, f"{path} does not tell {word}", INTERFACE)


def missing(detector: str, path: str, host: Host) -> Answer:
    """What follows from a file that is not there: absent only where its siblings are seen."""
    explained = _explain(detector, path, host)
    if explained is not None:
        return explained
    folder = path.rpartition("/")[0]
    while folder in _CAME_LATER and not host.exists(folder):
        folder = folder.rpartition("/")[0]
    siblings = _SIBLINGS.get(folder, ())
    if siblings and all(host.exists(f"{folder}/{name}") for name in siblings):
        return Answer(detector, ABSENT, f"{path} is missing, though {folder}/{siblings[0]} is there", INTERFACE)
    return unknown(detector, f"{path} is missing, and so is what would show that it could be seen")


def _explain(detector: str, path: str, host: Host) -> Answer | None:
    """Why a file may be missing other than by the kernel's age; None where there is no other reason."""
    if path.startswith("/proc/self"):
        if not host.exists("/proc/self/status"):
            return unknown(detector, "/proc is not mounted, or shows no processes")
    elif path.startswith("/proc/") and not host.proc_mounted:
        return unknown(detector, "/proc is not mounted, or shows only processes")
    elif path.startswith("/sys/") and not host.sys_mounted:
        return unknown(detector, "/sys is not mounted")
    if path.startswith("/proc/pressure/"):
        return no_pressure(detector, path, host, shown=host.exists("/proc/pressure/cpu"))
    if path.startswith("/proc/sys/kernel/seccomp/"):
        return unknown(detector, f"{path} is missing, which came later than seccomp")
    if path.startswith("/sys/module/"):
        return _not_loaded(detector, path, host)
    if path.startswith("/proc/sys/kernel/yama/"):
        return _inactive(detector, path, "yama", host)
    if "apparmor" in path:
        return _inactive(detector, path, "apparmor", host)
    return None


def no_pressure(detector: str, path: str, host: Host, *, shown: bool) -> Answer | None:
    """Why a pressure file is missing, where it is not by the kernel's age; `shown`: others of them are there."""
    if shown:
        if "irq.pressure" not in path and not path.endswith("/irq"):
            return None
        accounted = has_symbol(host, "psi_account_irqtime")
        if accounted:
            evidence = f"{path} is missing, but the kernel can account for interrupts"
            return Answer(detector, COMPILED, evidence, INTERFACE, "no accounting of interrupt time on this machine")
        known = accounted is False and has_symbol(host, "psi_task_change")
        return None if known else unknown(detector, f"{path} is missing; whether the kernel could show it is not known")
    set_to = kconfig_value(host, "PSI")
    if set_to is None:
        return unknown(detector, f"{path} is missing; whether the kernel was built with CONFIG_PSI is not known")
    if not set_to:
        return Answer(detector, ABSENT, f"CONFIG_PSI is not set in {host.config_from}", CODE)
    evidence = f"{path} is missing, though CONFIG_PSI is set"
    if "irq" in path or "cgroup.pressure" in path:
        return unknown(detector, f"{evidence}: pressure is not measured")
    return Answer(detector, COMPILED, evidence, INTERFACE, "psi=0 or CONFIG_PSI_DEFAULT_DISABLED")


def kconfig_value(host: Host, symbol: str) -> str | None:
    """The value of a symbol; "" where it is certainly not set, None where that is not known."""
    config = host.kconfig
    if config.symbols is None:
        return None
    return config.symbols.get(symbol, None if config.cut else "")


def _not_loaded(detector: str, path: str, host: Host) -> Answer | None:
    module = path.split("/")[3]
    if host.exists(f"/sys/module/{module}/parameters"):
        return None
    if module in (host.filesystems or ()):
        return unknown(detector, f"{module} is loaded or built in, but /sys/module does not show its parameters")
    return unknown(detector, f"the module {module} is not loaded, so that its parameters are not shown")


def _inactive(detector: str, path: str, module: str, host: Host) -> Answer | None:
    symbol = f"SECURITY_{module.upper()}"
    built = kconfig_value(host, symbol)
    if built == "":
        return Answer(detector, ABSENT, f"CONFIG_{symbol} is not set in {host.config_from}", CODE)
    active = host.environment.lsms
    if active is None:
        return unknown(detector, f"{path} is missing; whether {module} is active is not known")
    if module in active:
        in_view = path.startswith("/proc/") or host.exists("/sys/kernel/security/apparmor")
        return None if in_view else unknown(detector, f"{path} is missing: securityfs is not mounted")
    evidence = f"{module} is not among the active security modules"
    if built and module == "yama":
        return Answer(detector, COMPILED, f"{evidence}, though CONFIG_{symbol} is set", INTERFACE, _BOOT)
    return unknown(detector, evidence)
