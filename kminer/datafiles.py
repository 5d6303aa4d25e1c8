"""Reads the files of data/, queries/ and reports/, shipped and the user's own, and says what is wrong with them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from kminer import places
from kminer.errors import CatalogueError

T = TypeVar("T")
Table = dict[str, Any]


def find_files(folder: str, pattern: str) -> list[Path]:
    """Files of a folder, shipped and the user's own: one of the user's replaces a shipped one of the same name."""
    found = {file.name: file for base in (_shipped(folder), places.own(folder)) for file in _list(base, pattern)}
    return [found[name] for name in sorted(found)]


def _list(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError as error:
        raise CatalogueError(
            f"This folder cannot be read: {error.strerror}.",
            where=str(folder),
            next="Check its permissions; HOME or XDG_CONFIG_HOME says where your own files are.",
        ) from error


def _shipped(folder: str) -> Path:
    top, _, rest = folder.partition("/")
    return places.shipped(top) / rest


def read_tables(folder: str, key: str = "id") -> dict[str, tuple[Path, Table]]:
    """The TOML files of a folder by their `key`, each with where it stands."""
    tables: dict[str, tuple[Path, Table]] = {}
    for file in find_files(folder, "*.toml"):
        table = read_toml(file)
        if not isinstance(table.get(key), str):
            raise fault(file, key, "must be there, a text")
        tables[table[key]] = (file, table)
    return tables


def read_toml(file: Path) -> Table:
    """A TOML file; CatalogueError when it is not one."""
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(
            f"This file is not valid TOML: {error}.", where=str(file), next="Mend the line it names, then run again."
        ) from error


def read_text(file: Path) -> str:
    """A file's text; CatalogueError when it is not UTF-8 or cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CatalogueError(
            f"This file is not UTF-8 text: {error}.", where=str(file), next="Save it as UTF-8, then run again."
        ) from error
    except OSError as error:
        raise CatalogueError(
            f"This file cannot be read: {error.strerror}.", where=str(file), next="Check its permissions, or remove it."
        ) from error


def fault(file: Path, key: str, wrong: str) -> CatalogueError:
    """What to raise when `key` of `file` is `wrong`."""
    return CatalogueError(f"`{key}` {wrong}.", where=str(file), next="Mend it; docs/extending.md describes every key.")


def get(table: Table, key: str, kind: type[T], default: T, file: Path) -> T:
    """`table[key]`, or `default` where there is none; CatalogueError when it is not of `kind`."""
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise fault(file, key, f"must be {_KINDS[kind]}, not {value!r}")
    return value


_KINDS: dict[type, str] = {
    int: "a whole number", str: "a text", bool: "true or false", list: "a list of texts", dict: "a table",
}  # fmt: skip


def get_rows(table: Table, key: str, file: Path) -> list[Table]:
    """A list of tables; CatalogueError when it is none."""
    rows = get(table, key, list, [], file)
    if not all(isinstance(row, dict) for row in rows):
        raise fault(file, key, f"must be tables: [[{key}]]")
    return rows


def get_texts(table: Table, key: str, file: Path) -> tuple[str, ...]:
    """A list of texts that are not empty; CatalogueError when it is none."""
    values = get(table, key, list, [], file)
    if not all(isinstance(value, str) and value for value in values):
        raise fault(file, key, "must be a list of texts that are not empty")
    return tuple(values)


def check_keys(table: Table, allowed: set[str], file: Path, inside: str = "") -> None:
    """CatalogueError when `table` has a key that is not `allowed`."""
    for key in sorted(table.keys() - allowed):
        raise fault(file, inside + key, f"is not a key of this file (known are {', '.join(sorted(allowed))})")


def get_required(table: Table, key: str, file: Path) -> str:
    """A text that must be there; CatalogueError when it is not."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise fault(file, key, "must be there, a text")
    return value
