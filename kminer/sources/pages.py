"""Gets pages of release notes: from files and folders, from this host, from their addresses."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from kminer.errors import KminerError, NotesError
from kminer.records import Person, Source
from kminer.store.writer import storable

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes of a file, unpacked, that are read: the largest changelog seen has 4 MB."""

_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_ANY = ("*.md", "*.txt", "*.eml", "*.mbox", "*.json", "*.moin", "*.gz", "*changelog*", "ChangeLog*", "Linux_*")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page as it was got: `name` within its source, the `address` or path to name in errors, its bytes.

    `version`, `day` and `by` are what is known of it from elsewhere: the tag that a message belongs to.
    """

    name: str
    address: str
    content: bytes
    version: str | None = None
    day: str | None = None
    by: Person | None = None

    @property
    def digest(self) -> str:
        """A fingerprint of all of it."""
        facts = repr((self.version, self.day, self.by)).encode()
        return hashlib.sha256(facts + self.content).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Unread:
    """A page that could not be got, and why."""

    name: str
    error: KminerError


def read_folder(source: Source, place: Path) -> Iterator[Sheet | Unread]:
    """The pages of a folder, sorted by name, or the one file that `place` is."""
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.is_file() and _fits(source, file))
        if not files:
            raise NotesError(
                f"There are no pages of '{source.id}' in this folder.",
                where=str(place),
                next=f"Their names are like {', '.join(_names(source))}.",
            )
        for file in files:
            yield _read(source, file.relative_to(place).as_posix(), file)
    else:
        yield _read(source, place.name, place)


def _fits(source: Source, file: Path) -> bool:
    return any(fnmatchcase(file.name, pattern) for pattern in _names(source))


def _names(source: Source) -> tuple[str, ...]:
    """What pages in a folder are called: as in the clone; those of a host, collected elsewhere, have any name."""
    return tuple(Path(pattern).name for pattern in source.files) if source.clone and source.files else _ANY


def read_host(source: Source) -> Iterator[Sheet | Unread]:
    """The pages that are on this host, by the source's `files`, sorted by name."""
    files = sorted({file for pattern in source.files for file in Path("/").glob(pattern.lstrip("/"))})
    if not files:
        raise NotesError(
            f"Nothing of '{source.id}' is installed on this host.",
            where=", ".join(source.files),
            next=f"Give a file or folder: kminer sync {source.id} --from PATH.",
        )
    for file in files:
        yield _read(source, "/".join(file.parts[-2:]), file)


def _read(source: Source, path: str, file: Path) -> Sheet | Unread:
    name = storable(path.removesuffix(".gz"))
    try:
        return Sheet(name, str(file), _unpacked(file))
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = getattr(error, "strerror", None) or error
        return Unread(
            name,
            NotesError(
                f"A page of '{source.id}' cannot be read: {reason}.",
                where=str(file),
                next="Check its permissions, or get it again; what was stored of it stays.",
            ),
        )


def _unpacked(file: Path) -> bytes:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        content = stream.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise OSError(f"it is larger than {SIZE_LIMIT // 1024 // 1024} MB")
    return content


def decode(source: Source, sheet: Sheet) -> str:
    """A page's text. Raises NotesError when it is not UTF-8."""
    try:
        return sheet.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotesError(
            f"A page of '{source.id}' is not UTF-8 text: byte 0x{sheet.content[error.start]:02x} at {error.start:,}.",
            where=sheet.address,
            next="Save it as UTF-8, or get it again; what was stored of it stays.",
        ) from error


def open_listings(source: Source, sheets: Iterable[Sheet | Unread]) -> Iterator[Sheet | Unread]:
    """The releases in files of JSON, as the API of a code host lists them."""
    for sheet in sheets:
        if isinstance(sheet, Unread):
            yield sheet
            continue
        try:
            entries = json.loads(decode(source, sheet))
            yield from read_releases(source, entries if isinstance(entries, list) else [entries])
        except (ValueError, RecursionError) as error:
            wrong = _not_releases(source, sheet.address, f"it is not JSON ({error})")
            yield Unread(sheet.name, wrong)
        except NotesError as error:
            yield Unread(sheet.name, error)


def read_releases(source: Source, entries: Sequence[object]) -> Iterator[Sheet]:
    """The published releases of a listing whose tags are versions of the source, one sheet each.

    Raises NotesError when the entries are no releases.
    """
    pattern = re.compile(source.tag_pattern)
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("tag_name"), str):
            raise _not_releases(source, ", ".join(source.pages), "an entry has no tag_name")
        tag, body, day = entry["tag_name"], entry.get("body"), entry.get("published_at")
        if not entry.get("draft") and pattern.search(tag):
            author = entry.get("author")
            login = _bytes(author.get("login")).decode() if isinstance(author, dict) else ""
            yield Sheet(
                name=tag, address=str(entry.get("html_url") or tag), version=tag, content=_bytes(body),
                day=day[:10] if isinstance(day, str) and _DAY.match(day) else None,
                by=Person("publisher", login, "") if login else None,
            )  # fmt: skip


def _bytes(value: object) -> bytes:
    """A text of JSON as UTF-8, which cannot hold a lone surrogate; nothing for what is no text."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _not_releases(source: Source, address: str, reason: str) -> NotesError:
    return NotesError(
        f"This is no list of releases of '{source.id}': {reason}.",
        where=address,
        next="Save what the code host's API answers for /repos/OWNER/NAME/releases, then run again.",
    )
