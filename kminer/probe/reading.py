"""Reads files that may be anything: no more than asked for, no pipe, no device, nothing outside a captured tree."""

from __future__ import annotations

import errno
import os
import stat

MEBIBYTE = 1 << 20
_LINKS = 40
_CHUNK = 1 << 16


def why(error: OSError | ValueError) -> str:
    """What an error of reading says, in words: the path that was asked for and the system's message."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def below(root: str, path: str, *, follow: bool = True) -> str:
    """Where `path` lies below `root` (without a slash at its end), every link resolved as if `root` were "/".

    With `follow` false a link at the end of the path stays one. Raises OSError (ELOOP) for too many links.
    """
    parts = [part for part in reversed(path.split("/")) if part]
    done: list[str] = []
    links = 0
    while parts:
        part = parts.pop()
        if part in (".", ".."):
            del done[len(done) - (part == "..") :]
            continue
        place = "/".join((root, *done, part))
        if not (parts or follow) or not os.path.islink(place):  # noqa: PTH114 - a Path costs more than the look
            done.append(part)
            continue
        links += 1
        if links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(place)  # noqa: PTH115
        done = [] if target.startswith("/") else done
        parts += [step for step in reversed(target.split("/")) if step]
    return "/".join((root, *done)) or "/"


def read_regular(place: str, limit: int) -> bytes:
    """The bytes of a regular file. Raises OSError: EISDIR, EINVAL for pipes and devices, EFBIG beyond `limit` bytes."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is no regular file")
        return _drain(descriptor, limit)
    finally:
        os.close(descriptor)


def _drain(descriptor: int, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := os.read(descriptor, _CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise OSError(errno.EFBIG, f"is larger than {limit} bytes")
    return b"".join(pieces)
