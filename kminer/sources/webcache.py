"""Keeps pages that were fetched, each under its address with what its server recognises it by."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A good answer: its last `address`, Content-Type, validators, address of the next page ("" for none), body."""

    address: str
    kind: str
    etag: str
    modified: str
    next: str
    body: bytes


class PageCache:
    """A folder with two files a page, named by the hash of its address; the body's hash tells whether they fit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, address: str) -> KeptPage | None:
        """The page, or None where there is none, or a damaged one."""
        try:
            facts = json.loads(self._file(address, "json").read_text(encoding="ascii"))
            body = self._file(address, "body").read_bytes()
            digest = facts.pop("sha256")
            page = KeptPage(**facts, body=body)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        sound = all(isinstance(value, str) and plain_line(value) == value for value in facts.values())
        return page if sound and digest == hashlib.sha256(body).hexdigest() else None

    def save(self, address: str, page: KeptPage) -> None:
        """Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = asdict(page) | {"sha256": hashlib.sha256(page.body).hexdigest()}
        del facts["body"]
        self._write(self._file(address, "body"), page.body)
        self._write(self._file(address, "json"), json.dumps(facts, indent=1).encode("ascii"))

    def drop(self, address: str) -> None:
        """Forget a page."""
        for ending in ("json", "body"):
            with suppress(OSError):
                self._file(address, ending).unlink()

    def _file(self, address: str, ending: str) -> Path:
        return self._folder / f"{hashlib.sha256(address.encode('utf-8', 'replace')).hexdigest()[:32]}.{ending}"

    def _write(self, file: Path, content: bytes) -> None:
        unfinished = file.with_name(f"{file.name}.unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(file)


def plain_line(text: str) -> str:
    """`text` if it can be sent as a header, else nothing."""
    return text if text.isascii() and text.isprintable() else ""
