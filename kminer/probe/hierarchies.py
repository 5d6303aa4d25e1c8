"""Which cgroup hierarchies a host has, which controller is on which, and what files its groups have."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kminer.probe.reading import why

if TYPE_CHECKING:
    from kminer.probe.host import Host

Result = TypeVar("Result")

V1_NAMES = {"io": "blkio"}
"""Controllers of cgroup v2 that had another name on v1."""

_GROUPS = 32
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo: `root` is what of the file system is mounted, `options` are the file system's."""

    id: int
    parent: int
    root: str
    point: str
    kind: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A cgroup of version 2: where it is seen, its files, whether it is the root of all, which controllers it has."""

    path: str
    files: frozenset[str]
    is_root: bool
    controllers: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """What was read of mounts and cgroups; None where it could not be, and then `why` says why, by file.

    `rows` are those of /proc/cgroups: the id of the hierarchy (0: cgroup v2 or none), whether it is enabled.
    `own` gives the path of the own cgroup by controller of v1, by name=... and by "" for v2.
    """

    mounts: tuple[Mount, ...] | None
    rows: dict[str, tuple[int, bool]] | None
    own: dict[str, str] | None
    why: dict[str, str]

    @property
    def v2(self) -> tuple[Mount, ...]:
        """Mounts of cgroup v2."""
        return tuple(mount for mount in self.mounts or () if mount.kind == "cgroup2")

    @property
    def v1(self) -> dict[str, str]:
        """Where the hierarchies of v1 are mounted, by controller and by name=..."""
        mounts = [mount for mount in self.mounts or () if mount.kind == "cgroup"]
        return {option: mount.point for mount in reversed(mounts) for option in mount.options}

    def bound(self, controller: str) -> str:
        """The hierarchy of v1 that a controller (by its name on v2) is bound to; "" where it is bound to none."""
        name = V1_NAMES.get(controller, controller)
        if point := self.v1.get(name):
            return f"cgroup v1 hierarchy at {point}"
        number = (self.rows or {}).get(name, (0, True))[0]
        if number or name in (self.own or {}):
            return "a cgroup v1 hierarchy that is not mounted here"
        return ""

    def mount_of(self, path: str) -> Mount | None:
        """The mount that a path lies on; None where mounts cannot be read."""
        mounts = self.mounts or ()
        above = [mount for mount in mounts if f"{path}/".startswith(mount.point.rstrip("/") + "/")]
        # Of mounts at the same point the last one covers the others.
        return max(reversed(above), key=lambda mount: len(mount.point)) if above else None


def read_hierarchies(host: Host) -> Hierarchies:
    """What the host's /proc says of mounts and cgroups."""
    reasons: dict[str, str] = {}

    def ask(path: str, parse: Callable[[str], Result]) -> Result | None:
        try:
            return parse(host.read(path, 16 << 20))
        except (OSError, ValueError) as error:
            reasons[path] = why(error)
            return None

    mounts = ask("/proc/self/mountinfo", _mounts)
    rows = ask("/proc/cgroups", _rows)
    return Hierarchies(mounts, rows, ask("/proc/self/cgroup", _own), reasons)


def _mounts(text: str) -> tuple[Mount, ...]:
    found = []
    for line in text.split("\n"):
        before, separator, after = line.partition(" - ")
        head, tail = before.split(" "), after.split(" ")
        if separator and len(head) > 5 and head[0].isdecimal() and head[1].isdecimal():
            options = tuple(tail[2].split(",")) if len(tail) > 2 else ()
            found.append(Mount(int(head[0]), int(head[1]), _plain(head[3]), _plain(head[4]), tail[0], options))
    if not found:
        raise ValueError("/proc/self/mountinfo: names no mount")
    return tuple(found)


def _plain(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def _rows(text: str) -> dict[str, tuple[int, bool]]:
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    if not text.startswith("#subsys_name"):
        raise ValueError("/proc/cgroups: has not the form that is known")
    return {row[0]: (int(row[1]), row[3] == "1") for row in rows if len(row) == 4 and row[1].isdecimal()}


def _own(text: str) -> dict[str, str]:
    paths: dict[str, str] = {}
    for line in text.splitlines():
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number.isdecimal() and path.startswith("/"):
            paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def read_groups(host: Host, hierarchies: Hierarchies) -> tuple[Group, ...]:
    """The own cgroup first, then others of every mounted tree of cgroup v2, from the top down; a few dozen at most."""
    places = [place for mount in hierarchies.v2 if (place := own_place(mount, hierarchies.own))]
    waiting = deque((mount.point, 0) for mount in hierarchies.v2)
    seen: dict[str, Group] = {}
    for place in places:
        _look(host, place, seen)
    while waiting and len(seen) < _GROUPS:
        place, depth = waiting.popleft()
        folders = _look(host, place, seen)
        if depth < _DEPTH:
            waiting += [(f"{place.rstrip('/')}/{folder}", depth + 1) for folder in folders[:_GROUPS]]
    return tuple(seen.values())


def own_place(mount: Mount, own: dict[str, str] | None) -> str:
    """Where a mount of cgroup v2 shows the own cgroup; "" where it does not."""
    path = (own or {}).get("", "")
    root = mount.root.rstrip("/")
    if not path or "/.." in path or not f"{path}/".startswith(f"{root}/"):
        return ""
    return (mount.point.rstrip("/") + path[len(root) :]).rstrip("/")


def _look(host: Host, place: str, seen: dict[str, Group]) -> tuple[str, ...]:
    try:
        files, folders = host.scan(place)
    except OSError:
        return ()
    if place not in seen and "cgroup.procs" in files:
        seen[place] = Group(place, files, _is_root(files), _controllers(host, place))
    return folders


def _is_root(files: frozenset[str]) -> bool:
    # These two stand in every cgroup but the root, whatever a cgroup namespace makes of the paths.
    return {"cgroup.controllers", "cgroup.subtree_control"} <= files and not {"cgroup.events", "cgroup.type"} & files


def _controllers(host: Host, place: str) -> frozenset[str] | None:
    try:
        return frozenset(host.read(f"{place}/cgroup.controllers").split())
    except OSError:
        return None
