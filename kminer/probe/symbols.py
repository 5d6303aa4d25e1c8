"""Detectors that look for code in the kernel: by its configuration, by the names of its functions, by file systems."""

from __future__ import annotations

from kminer.probe.answers import ABSENT, AVAILABLE, CODE, COMPILED, INTERFACE, Answer, unknown
from kminer.probe.host import Host

# Compilers append these to the name of a function that they cloned, split or renamed.
_ENDS = (b"\n", b"\t", b".")
_FILESYSTEM_SYMBOLS = {
    "overlay": ("OVERLAY_FS",), "erofs": ("EROFS_FS",), "fuse": ("FUSE_FS",), "btrfs": ("BTRFS_FS",),
    "resctrl": ("RESCTRL_FS", "X86_CPU_RESCTRL", "X86_RESCTRL", "INTEL_RDT", "INTEL_RDT_A"),
}  # fmt: skip
_MODULES = {"OVERLAY_FS": "overlay", "EROFS_FS": "erofs", "FUSE_FS": "fuse", "BTRFS_FS": "btrfs"}


def kconfig(detector: str, argument: str, host: Host) -> Answer:
    """Whether the running kernel was built with a symbol, or with one of several parted by "|"."""
    names = [name.strip().removeprefix("CONFIG_") for name in argument.split("|")]
    config = host.kconfig
    if config.symbols is None:
        return unknown(detector, config.source, CODE)
    for name in names:
        value = config.symbols.get(name)
        if value is not None:
            return Answer(
                detector, COMPILED, f"CONFIG_{name}={value} in {config.source}{_module(name, value, host)}", CODE
            )
    plain = " and ".join(f"CONFIG_{name}" for name in names)
    if config.cut:
        return unknown(detector, f"{plain} was not found, but {config.cut}", CODE)
    return Answer(detector, ABSENT, f"{plain} {'are' if ' and ' in plain else 'is'} not set in {config.source}", CODE)


def _module(symbol: str, value: str, host: Host) -> str:
    if value != "m":
        return ""
    name = _MODULES.get(symbol)
    if name is None:
        return ", as a module"
    loaded = name in (host.filesystems or ()) or host.exists(f"/sys/module/{name}")
    return f", as a module that is {'loaded' if loaded else 'not loaded'}"


def kallsyms(detector: str, argument: str, host: Host) -> Answer:
    """Whether the kernel has a function, or one of several parted by "|". One that is missing may be inlined."""
    names = [name.strip() for name in argument.split("|") if name.strip()]
    for name in names:
        found = has_symbol(host, name)
        if found is None:
            why = host.kallsyms if isinstance(host.kallsyms, str) else "/proc/kallsyms has not the form that is known"
            return unknown(detector, why, CODE)
        if found:
            return Answer(detector, COMPILED, f"the function {name} is in /proc/kallsyms", CODE)
    plain = " or ".join(names)
    return unknown(detector, f"/proc/kallsyms has no {plain}: it is missing, or was inlined", CODE)


def has_symbol(host: Host, name: str) -> bool | None:
    """Whether /proc/kallsyms names a function; None where the file cannot be read or does not tell."""
    symbols = host.kallsyms
    if isinstance(symbols, str) or b" T " not in symbols:
        return None
    wanted = b" " + name.encode()
    start = symbols.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if symbols[end : end + 1] in _ENDS:
            return True
        start = symbols.find(wanted, end)
    return False


def filesystem(detector: str, argument: str, host: Host) -> Answer:
    """Whether a file system is registered, in the kernel as a module, or not there."""
    known = host.filesystems
    if known is None:
        return unknown(detector, "/proc/filesystems cannot be read")
    if argument in known:
        return Answer(detector, AVAILABLE, f"{argument} is registered in /proc/filesystems", INTERFACE)
    evidence = f"/proc/filesystems does not name {argument}"
    if argument.startswith("cgroup") and {"proc", "sysfs", "tmpfs"} <= known:
        return Answer(detector, ABSENT, f"{evidence}, which cannot be a module", INTERFACE)
    symbols = _FILESYSTEM_SYMBOLS.get(argument)
    if symbols is None:
        return unknown(detector, f"{evidence}; it may be a module that is not loaded")
    built = kconfig(detector, "|".join(symbols), host)
    if built.says != COMPILED:
        return Answer(detector, built.says, f"{evidence}, and {built.evidence}", built.proves)
    by = "its module is not loaded" if built.evidence.endswith("not loaded") else ""
    return Answer(detector, COMPILED, f"{evidence}, but {built.evidence}", CODE, by)
