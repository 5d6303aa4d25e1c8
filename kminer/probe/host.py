"""What detectors may look at: the running system, or a captured tree with its proc, sys and boot."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from kminer.probe.environment import Environment, read_environment
from kminer.probe.hierarchies import Group, Hierarchies, read_groups, read_hierarchies
from kminer.probe.kconfig import Config, read_config
from kminer.probe.reading import MEBIBYTE, below, read_regular, why

__all__ = ["Environment", "Host"]

Result = TypeVar("Result")
KALLSYMS_LIMIT = 64 * MEBIBYTE


class Host:
    """A system to be probed. All paths are absolute and as the system itself names them; links stay inside it.

    `live` is false for a captured tree, which can be read but not asked.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """The system whose files lie below `root`; "/" is the running one."""
        resolved = str(Path(root).resolve())
        self.live = resolved == "/"
        self._root = "" if self.live else resolved

    def read(self, path: str, limit: int = MEBIBYTE) -> str:
        """The text of a file, with a sign in place of what is no UTF-8. Raises OSError; EFBIG beyond `limit` bytes."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def read_bytes(self, path: str, limit: int = MEBIBYTE) -> bytes:
        """The bytes of a regular file. Raises OSError; EFBIG beyond `limit` bytes."""
        return self._at(path, lambda place: read_regular(place, limit))

    def trouble(self, path: str) -> int:
        """0 where something is at `path`, ENOENT where nothing is, another errno where that cannot be known."""
        try:
            self._at(path, os.lstat, follow=False)
        except OSError as error:
            return errno.ENOENT if error.errno == errno.ENOTDIR else error.errno or errno.EIO
        return 0

    def exists(self, path: str) -> bool:
        """Whether something is seen at `path`; false also where looking is not allowed (see `trouble`)."""
        return self.trouble(path) == 0

    def scan(self, folder: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """The names of a folder's files, and of the folders in it. Raises OSError."""
        return self._at(folder, _scan)

    def link(self, path: str) -> str:
        """What a symbolic link says. Raises OSError."""
        return self._at(path, os.readlink, follow=False)

    def _at(self, path: str, look: Callable[[str], Result], *, follow: bool = True) -> Result:
        try:
            return look(path if self.live else below(self._root, path, follow=follow))
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        except ValueError as error:
            raise OSError(errno.EINVAL, str(error), path) from None

    @cached_property
    def proc_mounted(self) -> bool:
        """Whether /proc tells of the kernel (it may be missing, or mounted with subset=pid)."""
        return self.exists("/proc/filesystems") or self.exists("/proc/sys/kernel/ostype")

    @cached_property
    def sys_mounted(self) -> bool:
        """Whether /sys is there."""
        return any(self.exists(f"/sys/{name}") for name in ("kernel", "module", "devices"))

    @cached_property
    def environment(self) -> Environment:
        """What explains the answers: kernel, privileges, namespaces, cgroups, what is around them."""
        return read_environment(self)

    @cached_property
    def release(self) -> str | None:
        """The kernel's release ("6.1.0-50-cloud-amd64"); None where it cannot be read."""
        if self.live:
            return os.uname().release
        try:
            return self.read("/proc/sys/kernel/osrelease").strip() or None
        except OSError:
            pass
        try:
            words = self.read("/proc/version").split()
        except OSError:
            return None
        return words[2] if words[:2] == ["Linux", "version"] and len(words) > 2 else None

    @cached_property
    def kconfig(self) -> Config:
        """The configuration of the kernel that runs, with where it is from and whether it is whole."""
        return read_config(self)

    @property
    def config(self) -> dict[str, str] | None:
        """Symbols that are set, without CONFIG_, with their values (y, m, a number, a text); None: not readable."""
        return self.kconfig.symbols

    @property
    def config_from(self) -> str:
        """The file that `config` is from, or why there is none."""
        return self.kconfig.source

    @cached_property
    def filesystems(self) -> frozenset[str] | None:
        """File systems that are registered (/proc/filesystems); None where that cannot be read."""
        try:
            lines = self.read("/proc/filesystems").splitlines()
        except OSError:
            return None
        return frozenset(line.split("\t")[-1].strip() for line in lines if line.strip()) or None

    @cached_property
    def command_line(self) -> tuple[str, ...] | None:
        """The words of the kernel's command line; None where it cannot be read."""
        try:
            return tuple(self.read("/proc/cmdline").split())
        except OSError:
            return None

    @cached_property
    def hierarchies(self) -> Hierarchies:
        """Which cgroup hierarchies there are, and which controller is on which."""
        return read_hierarchies(self)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The own cgroup and some others of cgroup v2, with the names of their files."""
        return read_groups(self, self.hierarchies)

    @cached_property
    def kallsyms(self) -> bytes | str:
        """/proc/kallsyms as it is, or why it cannot be read."""
        try:
            return self.read_bytes("/proc/kallsyms", KALLSYMS_LIMIT)
        except OSError as error:
            return why(error)


def _scan(place: str) -> tuple[frozenset[str], tuple[str, ...]]:
    files, folders = set(), []
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                files.add(entry.name)
    return frozenset(files), tuple(folders)
