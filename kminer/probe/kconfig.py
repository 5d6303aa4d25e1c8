"""The configuration that the running kernel was built with."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kminer.probe.reading import MEBIBYTE, why

if TYPE_CHECKING:
    from kminer.probe.host import Host

PLACES = (
    "/boot/config-RELEASE", "/lib/modules/RELEASE/config", "/lib/modules/RELEASE/build/.config",
    "/usr/lib/kernel/config-RELEASE", "/usr/lib/ostree-boot/config-RELEASE", "/usr/src/linux-headers-RELEASE/.config",
)  # fmt: skip
"""Where distributions put the configuration of a kernel, beside /proc/config.gz."""

_LIMIT = 16 * MEBIBYTE
_SET = re.compile(rb"^CONFIG_(\w+)=(.*)$", re.MULTILINE)
_UNSET = re.compile(rb"^# CONFIG_\w+ is not set$", re.MULTILINE)
_HEAD = re.compile(rb"^# Linux/\S+ (\d+\.\d+(?:\.\d+)?)\S* Kernel Configuration", re.MULTILINE)
_FEWEST = 300
"""A configuration that says less than this is not whole: make tinyconfig writes more."""
_MAY_HANG = frozenset(["autofs", "ceph", "cifs", "nfs", "nfs4", "smb3"])


@dataclass(frozen=True, slots=True)
class Config:
    """`symbols` that are set (None: no configuration was found), `source` the file, or why there is none.

    `cut` says why it is not whole: a symbol missing from it may be set all the same.
    """

    symbols: dict[str, str] | None
    source: str
    cut: str = ""


def read_config(host: Host) -> Config:
    """The configuration of the host's kernel from the first file that has it."""
    release = host.release
    files = ["/proc/config.gz"]
    if release and "/" not in release:
        files += [place.replace("RELEASE", release) for place in PLACES]
    reasons = []
    cut: Config | None = None
    for file in files:
        try:
            config = _parse(file, _plain(host, file), release)
        except (OSError, ValueError) as error:
            reasons.append(why(error))
            continue
        if not config.cut:
            return config
        cut = cut or config
    return cut or Config(None, "no configuration of this kernel can be read: " + "; ".join(reasons))


def _plain(host: Host, file: str) -> tuple[bytes, str]:
    """The text of a configuration and why it is cut short. Raises OSError, ValueError where nothing can be had."""
    if file.endswith(".gz"):
        return _unpack(file, host.read_bytes(file, _LIMIT))
    mount = host.hierarchies.mount_of(file)
    if mount is not None and mount.point != "/" and (mount.kind in _MAY_HANG or mount.kind.startswith("fuse")):
        raise ValueError(f"{file}: not read, since it lies on {mount.kind}, which may hang")
    text = host.read_bytes(file, _LIMIT)
    return text, "" if text.endswith(b"\n") else f"{file} is cut short"


def _unpack(file: str, packed: bytes) -> tuple[bytes, str]:
    unpacker = zlib.decompressobj(wbits=31)
    pieces, size = [], 0
    try:
        for start in range(0, len(packed), 4096):
            pieces.append(unpacker.decompress(packed[start : start + 4096], _LIMIT))
            size += len(pieces[-1])
            if size > _LIMIT:
                raise ValueError(f"{file}: unpacks to more than {_LIMIT} bytes")
    except zlib.error:
        if not size:
            raise ValueError(f"{file}: is not compressed by gzip") from None
    return b"".join(pieces), "" if unpacker.eof else f"{file} is cut short"


def _parse(file: str, found: tuple[bytes, str], release: str | None) -> Config:
    text, cut = found
    head = _HEAD.search(text)
    written = head[1].decode() if head else ""
    if written and release and file != "/proc/config.gz" and not _is_of(written, release):
        raise ValueError(f"{file}: is of another kernel, {written}")
    if cut:
        text = text[: text.rfind(b"\n") + 1]
    rows = _SET.findall(text)
    if not rows:
        raise ValueError(f"{file}: holds no CONFIG_ symbols")
    symbols = {name.decode(): value.decode("utf-8", "replace").strip().strip('"') for name, value in rows}
    if not cut and len(symbols) + len(_UNSET.findall(text)) < _FEWEST:
        cut = f"{file} holds fewer symbols than any kernel has"
    return Config({name: value for name, value in symbols.items() if value != "n"}, file, cut)


def _is_of(written: str, release: str) -> bool:
    """Whether a configuration's version can be the release's: Debian's 6.1.0-50 is built from 6.1.192."""
    return release.split(".")[:2] == written.split(".")[:2]
