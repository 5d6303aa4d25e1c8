"""Detectors of what a container is shown of its host: told apart only where its own limits are below the host's."""

from __future__ import annotations

import os
import re
import struct
from ctypes import create_string_buffer

from kminer.probe import kernel
from kminer.probe.answers import AVAILABLE, BLOCKED, USE, Answer, unknown
from kminer.probe.hierarchies import own_place
from kminer.probe.host import Host
from kminer.probe.reading import why

_V1_FILES = {
    "memory.max": ("memory", "memory.limit_in_bytes"),
    "cpuset.cpus.effective": ("cpuset", "cpuset.effective_cpus"),
}
# struct sysinfo: uptime, three loads, six sizes of which the first is that of all memory, ..., the unit of sizes.
_SYSINFO = struct.Struct("@l3L6LHHLLI")


def compare(detector: str, argument: str, host: Host) -> Answer:
    """Whether a view ("/proc/meminfo:memory.max", "sysinfo") tells of the host more than the own cgroup allows."""
    view, _, limit = argument.partition(":")
    cover = host.hierarchies.mount_of(view)
    if cover is not None and cover.point == view:
        return Answer(detector, BLOCKED, f"{view} is covered", USE, f"a mount of {cover.kind} over it")
    try:
        if view == "/proc/stat":
            shown, unit = _count_cpus(host), "cpus"
        else:
            shown, unit = _sysinfo(host) if view == "sysinfo" else _total(host), "bytes"
        least = _own_limits(host, limit or "memory.max")
    except (OSError, ValueError, LookupError) as error:
        return unknown(detector, why(error) if isinstance(error, OSError | ValueError) else str(error), USE)
    if not least:
        return unknown(detector, f"the own cgroup has no {limit or 'memory.max'} to compare {view} with", USE)
    if min(least) >= shown:
        return unknown(
            detector, f"the own cgroup allows all {shown} {unit} that {view} shows: nothing to tell apart", USE
        )
    return Answer(detector, AVAILABLE, f"{view} shows {shown} {unit}, the own cgroup allows {min(least)}", USE)


def _total(host: Host) -> int:
    match = re.search(r"^MemTotal:\s*(\d+) kB", host.read("/proc/meminfo"), re.MULTILINE)
    if match is None:
        raise ValueError("/proc/meminfo: has no MemTotal")
    return int(match[1]) * 1024


def _count_cpus(host: Host) -> int:
    count = len(re.findall(r"^cpu\d+ ", host.read("/proc/stat", 64 << 20), re.MULTILINE))
    if not count:
        raise ValueError("/proc/stat: names no cpu")
    return count


def _sysinfo(host: Host) -> int:
    if not host.live:
        raise ValueError("a captured host cannot be asked by sysinfo(2)")
    buffer = create_string_buffer(256)
    kernel.syscall("sysinfo", buffer)
    fields: tuple[int, ...] = _SYSINFO.unpack_from(buffer)
    return fields[4] * max(fields[-1], 1)


def _own_limits(host: Host, name: str) -> list[int]:
    """What the own cgroup and the visible ones above it allow: bytes, or a number of cpus."""
    found = []
    for folder, file in _own_files(host, name):
        try:
            text = host.read(os.path.join(folder, file)).strip()  # noqa: PTH118 - paths of the host, not of this system
        except OSError:
            continue
        if file.startswith("cpuset."):
            found += [count] if (count := _count_list(text)) else []
        elif text.isdecimal():
            found.append(int(text))
    return found


def _own_files(host: Host, name: str) -> list[tuple[str, str]]:
    hierarchies = host.hierarchies
    folders = [(mount.point, place, name) for mount in hierarchies.v2 if (place := own_place(mount, hierarchies.own))]
    controller, old = _V1_FILES.get(name, ("", ""))
    point, path = hierarchies.v1.get(controller), (hierarchies.own or {}).get(controller)
    if point and path and "/.." not in path:
        folders.append((point, point + path.rstrip("/"), old))
    files = []
    for top, place, file in folders:
        while len(place) >= len(top):
            files.append((place, file))
            place = place.rpartition("/")[0]
    return files


def _count_list(text: str) -> int:
    ranges = [part.partition("-") for part in text.split(",") if part]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)
