"""Detectors of security modules and BPF: Landlock's ABI, the active modules, programs loaded and dropped at once."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EBADF, EINVAL, EOPNOTSUPP, EPERM

from kminer.probe.answers import ABSENT, AVAILABLE, CODE, COMPILED, INTERFACE, USE, Answer, name_errno, unknown
from kminer.probe.host import Host
from kminer.probe.refusals import STANDARD_DESCRIPTORS, call, refused_by

_BOOT = "the boot parameter lsm="
# By number (LSM_ID_*): the name in the list of modules and the symbol it is built by.
_MODULES = {
    101: ("selinux", "SECURITY_SELINUX"), 102: ("smack", "SECURITY_SMACK"), 103: ("tomoyo", "SECURITY_TOMOYO"),
    104: ("apparmor", "SECURITY_APPARMOR"), 105: ("yama", "SECURITY_YAMA"), 106: ("loadpin", "SECURITY_LOADPIN"),
    107: ("safesetid", "SECURITY_SAFESETID"), 108: ("lockdown", "SECURITY_LOCKDOWN_LSM"), 109: ("bpf", "BPF_LSM"),
    110: ("landlock", "SECURITY_LANDLOCK"), 111: ("ima", "IMA"), 112: ("evm", "EVM"), 113: ("ipe", "SECURITY_IPE"),
}  # fmt: skip

_PROGRAMS = {"socket_filter": 1, "cgroup_skb": 8, "cgroup_sock": 9, "cgroup_device": 15, "cgroup_sysctl": 23}
_BPF_PROG_LOAD, _NO_PROGRAM = 5, 0x7FFF
_RETURN_ONE = struct.pack("=BBhi", 0xB7, 0, 0, 1) + struct.pack("=BBhi", 0x95, 0, 0, 0)


def landlock_abi(detector: str, argument: str, host: Host) -> Answer:
    """Whether Landlock is active with this version of its ABI or a newer one."""
    wanted = int(argument)
    version, error = call("landlock_create_ruleset", None, 0, 1)
    refused = refused_by(host, detector, "landlock_create_ruleset", error, whole=wanted == 1)
    if refused is not None:
        return refused
    if error == EOPNOTSUPP:
        why = "Landlock is built in, but was not enabled at boot"
        if wanted > 1:
            return unknown(detector, f"{why}, so that it does not tell its ABI", USE, error)
        return Answer(detector, COMPILED, why, USE, _BOOT, name_errno(error))
    if error or version < 1:
        return unknown(detector, f"Landlock tells no ABI ({name_errno(error) or version})", USE, error)
    says = AVAILABLE if version >= wanted else ABSENT
    return Answer(detector, says, f"Landlock is active, with ABI {version}", USE)


def lsm(detector: str, argument: str, host: Host) -> Answer:
    """Whether a security module, by its LSM_ID_* number, is active."""
    number = int(argument, 0)
    name, symbol = _MODULES.get(number, ("", ""))
    active, why = _active_by_call()
    if not active:
        try:
            active = set(host.read("/sys/kernel/security/lsm").strip().split(",")) - {""}
        except OSError as error:
            return unknown(detector, f"{why}, and /sys/kernel/security/lsm: {error.strerror}", USE, error.errno or 0)
        if not active or not name:
            return unknown(detector, f"{why}, and /sys/kernel/security/lsm does not tell", USE)
    if {str(number), name} & active:
        return Answer(detector, AVAILABLE, f"{name or number} is among the active security modules", USE)
    return _inactive(detector, name or argument, symbol, host)


def _active_by_call() -> tuple[set[str], str]:
    """The numbers of the active modules; none, and why, where they cannot be asked for."""
    numbers = ctypes.create_string_buffer(8 * 64)
    size = ctypes.create_string_buffer(struct.pack("=I", len(numbers)), 4)
    count, error = call("lsm_list_modules", numbers, size, 0)
    # Even a kernel without any other module names the one of the capabilities.
    if error or count < 1:
        return set(), f"lsm_list_modules answers {name_errno(error) or count}"
    return {str(number) for number in struct.unpack_from(f"={count}Q", numbers)}, ""


def _inactive(detector: str, name: str, symbol: str, host: Host) -> Answer:
    why = f"{name} is not among the active security modules"
    if host.config is not None and host.config.get(symbol) == "y":
        return Answer(detector, COMPILED, f"{why}, though CONFIG_{symbol} is set", USE, _BOOT)
    if host.config is None or host.kconfig.cut or not symbol:
        return unknown(detector, f"{why}; whether it is built in is not known", USE)
    return Answer(detector, ABSENT, f"{why}, and CONFIG_{symbol} is not set", CODE)


def bpfprog(detector: str, name: str, host: Host) -> Answer:
    """Whether a program of this type can be loaded; it is attached to nothing and dropped at once."""
    if name not in _PROGRAMS:
        return unknown(detector, f"BPF programs of the type {name} are not known here")
    error = _load(_PROGRAMS[name])
    refused = refused_by(host, detector, "bpf", error)
    if refused is not None:
        return refused
    if not error:
        return Answer(detector, AVAILABLE, f"a program of the type {name} was loaded", USE)
    if error == EPERM:
        return unknown(detector, "bpf answers EPERM: loading takes CAP_BPF and CAP_NET_ADMIN", USE, error)
    if error == EINVAL and _load(_NO_PROGRAM) == EINVAL and not _load(_PROGRAMS["socket_filter"]):
        return Answer(detector, ABSENT, f"bpf does not know programs of the type {name}", INTERFACE, "", "EINVAL")
    return unknown(detector, f"loading a program of the type {name} failed", USE, error)


def _load(kind: int) -> int:
    """The errno of loading a program of two instructions, 0 where it was loaded."""
    code = ctypes.create_string_buffer(_RETURN_ONE, len(_RETURN_ONE))
    license_text = ctypes.create_string_buffer(b"Apache-2.0")
    packed = struct.pack("=IIQQIIQII", kind, 2, ctypes.addressof(code), ctypes.addressof(license_text), 0, 0, 0, 0, 0)
    attributes = ctypes.create_string_buffer(packed, len(packed))
    descriptor, error = call("bpf", _BPF_PROG_LOAD, attributes, len(packed))
    if descriptor <= STANDARD_DESCRIPTORS:
        return error or EBADF
    os.close(descriptor)
    return 0
