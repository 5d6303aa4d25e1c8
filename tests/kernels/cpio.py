"""An archive of files in the format that the kernel unpacks as its first root file system (cpio, newc)."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO


class Archive:
    """Files, folders and links by their absolute path; folders above a file come by themselves."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes]] = {}

    def __contains__(self, path: str | Path) -> bool:
        return str(path) in self._entries

    def add_folder(self, path: str | Path, mode: int = 0o755) -> None:
        self._add(path, stat.S_IFDIR | mode, b"")

    def add_file(self, path: str | Path, content: bytes, mode: int = 0o644) -> None:
        self._add(path, stat.S_IFREG | mode, content)

    def add_link(self, path: str | Path, target: str | Path) -> None:
        self._add(path, stat.S_IFLNK | 0o777, str(target).encode())

    def _add(self, path: str | Path, mode: int, content: bytes) -> None:
        for parent in reversed(PurePosixPath(path).parents):
            self._entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        self._entries[str(path)] = (mode, content)

    def write(self, file: BinaryIO) -> None:
        """Write the archive; several, one after the other in a file, are unpacked as one."""
        for number, (path, (mode, content)) in enumerate(self._entries.items(), start=1):
            if path != "/":
                _write_entry(file, path[1:], number, mode, content)
        _write_entry(file, "TRAILER!!!", 0, 0, b"")
        file.write(bytes(-file.tell() % 512))


def _write_entry(file: BinaryIO, name: str, number: int, mode: int, content: bytes) -> None:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    file.write(head + bytes(-len(head) % 4))
    file.write(content + bytes(-len(content) % 4))
