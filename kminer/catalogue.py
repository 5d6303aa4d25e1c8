"""Loads and checks what is known beforehand: sources, features, release dates, saved queries, report templates.

The shipped folders and the user's own are read alike; a file of the user's replaces a shipped one of the same id.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kminer import places
from kminer.errors import CatalogueError, UsageError
from kminer.records import (
    Annotation,
    Claim,
    Feature,
    Homonym,
    MechanismRule,
    Parameter,
    ReleaseDate,
    Rules,
    SavedQuery,
    Source,
    Study,
    Taxonomy,
    TrackedPath,
)

T = TypeVar("T")
Table = dict[str, Any]

_SOURCE_KEYS = {
    "id", "extends", "kind", "project", "title", "homepage", "default", "clone", "download", "commit_url",
    "issue_url", "repository", "repository_was", "ignore_refs", "words", "releases", "pulls", "paths",
}  # fmt: skip
_PLAIN_TEXTS = {"homepage": "", "download": "unknown size", "commit_url": "", "issue_url": "", "repository": ""}
_PATH_KEYS = {"path", "was", "mechanisms", "about", "whole"}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def load_sources() -> dict[str, Source]:
    """All sources by id. Raises CatalogueError naming file, key and what is wrong with it."""
    tables = _tables("data/sources")
    return {table["id"]: _source(table, file) for file, table in _extended(tables)}


def find_source(name: str) -> Source:
    """The source `name`; UsageError with the known names when there is none."""
    sources = load_sources()
    if name not in sources:
        raise UsageError(
            f"There is no source named '{name}'.",
            where=f"known are {', '.join(sources)}",
            next=_meant(name, sources)
            or f"A source is one file: {places.own('data/sources')}/{name}.toml (see docs/extending.md).",
        )
    return sources[name]


@cache
def load_labels() -> Taxonomy:
    """The taxonomy of data/labels.toml."""
    file = places.shipped("data") / "labels.toml"
    table = _toml(file)
    _only(table, {"mechanisms", "kinds", "dimensions", "flags", "natural"}, file)
    return Taxonomy(**{name: _get(table, name, dict, {}, file) for name in table})


@cache
def load_rules() -> Rules:
    """The rules of data/rules/, with the terms that data/features/ holds: interface files, system calls, symbols."""
    labels, terms = load_labels(), _feature_terms()
    mechanisms, file = _rule_tables("mechanisms", {"prefixes", "terms"})
    homonyms, homonym_file = _rule_tables("homonyms", {"about", "words", "prefixes", "paths"})
    claims, claim_file = _rule_tables("kinds", {*labels.kinds, *labels.flags})
    _known(mechanisms, labels.mechanisms, file)
    return Rules(
        mechanisms={
            label: MechanismRule(_texts(row, "prefixes", file), (*_texts(row, "terms", file), *terms.get(label, ())))
            for label, row in mechanisms.items()
        },
        homonyms={
            name: Homonym(
                _required(row, "about", homonym_file),
                *(_texts(row, key, homonym_file) for key in ("words", "prefixes", "paths")),
            )
            for name, row in homonyms.items()
        },
        kinds=_claims(claims["kinds"], claim_file),
        flags=_claims(claims["flags"], claim_file),
    )


def load_studies() -> dict[str, Study]:
    """Published studies to compare shares of kinds with, by id."""
    return {table["id"]: _study(table, file) for file, table in _tables("data/studies").values()}


def _study(table: Table, file: Path) -> Study:
    shares = _get(table, "shares", dict, {}, file)
    _known(shares, load_labels().kinds, file)
    for kind, share in shares.items():
        if not isinstance(share, float) or not 0 <= share <= 1:
            raise _fault(file, f"shares.{kind}", "must be a share between 0.0 and 1.0")
    texts = {key: _required(table, key, file) for key in ("id", "title", "about", "confidence", "note")}
    return Study(**texts, patches=_get(table, "patches", int, 0, file), shares=shares)


ANNOTATION_COLUMNS = (
    "key", "annotator", "relevant", "mechanisms", "kind", "dimensions", "flags", "stratum", "weight",
)  # fmt: skip
OWN = "own"
"""The annotator of what `kminer label` writes."""
SETTLED = "settled"
"""The annotator of a third reading, which counts where two others disagreed."""


def read_annotations(file: Path) -> list[Annotation]:
    """The labels by hand of one file: tab-separated, a header, then a line a change and annotator."""
    lines = _text(file).splitlines()
    if not lines or tuple(lines[0].split("\t")) != ANNOTATION_COLUMNS:
        raise _fault(file, "header", f"must be the first line: {' '.join(ANNOTATION_COLUMNS)}, parted by tabs")
    return [_annotation(line, number, file) for number, line in enumerate(lines[1:], 2) if line]


def _annotation(line: str, number: int, file: Path) -> Annotation:
    fields, labels = line.split("\t"), load_labels()
    if len(fields) != len(ANNOTATION_COLUMNS):
        raise _fault(file, f"line {number}", f"must have {len(ANNOTATION_COLUMNS)} fields parted by tabs")
    row = dict(zip(ANNOTATION_COLUMNS, fields, strict=True))
    for key, known in (("mechanisms", labels.mechanisms), ("dimensions", labels.dimensions), ("flags", labels.flags)):
        for label in row[key].split():
            if label not in known:
                raise _fault(file, f"line {number}: {key}", f"names {label!r}, which data/labels.toml does not know")
    if row["relevant"] not in ("0", "1") or row["kind"] not in labels.kinds or not row["key"]:
        raise _fault(file, f"line {number}", "needs a key, 0 or 1 for relevant, and a kind of data/labels.toml")
    try:
        weight = float(row["weight"])
    except ValueError as error:
        raise _fault(file, f"line {number}: weight", f"must be a number, not {row['weight']!r}") from error
    lists = {key: tuple(row[key].split()) for key in ("mechanisms", "dimensions", "flags")}
    return Annotation(key=row["key"], annotator=row["annotator"], relevant=row["relevant"] == "1", kind=row["kind"],
                      stratum=row["stratum"], weight=weight, **lists)  # fmt: skip


def load_annotations() -> dict[str, list[Annotation]]:
    """All labels by hand, by the key of their change: shipped ones, then the user's own."""
    found: dict[str, list[Annotation]] = {}
    for file in _files("data/annotations", "*.tsv"):
        for note in read_annotations(file):
            found.setdefault(note.key, []).append(note)
    return found


def settled_annotations() -> dict[str, Annotation]:
    """The one set of labels that counts for each change: the user's own, else the third reading, else the first."""
    found = {}
    for key, notes in load_annotations().items():
        own = [note for note in notes if note.annotator == OWN]
        settled = [note for note in notes if note.annotator == SETTLED]
        found[key] = (own[-1:] or settled or notes)[0]
    return found


def load_features() -> dict[str, Feature]:
    """The kernel's and the engines' features by id."""
    return {table["id"]: _feature(table, file) for file, table in _tables("data/features").values()}


def load_release_dates() -> dict[str, list[ReleaseDate]]:
    """Release dates by project, in the order of their files."""
    dates: dict[str, list[ReleaseDate]] = {}
    for file, table in _tables("data/releases", key="project").values():
        dates[table["project"]] = [_release_date(table["project"], row, file) for row in _rows(table, "releases", file)]
    return dates


def load_queries() -> dict[str, SavedQuery]:
    """Saved queries by name."""
    return {file.stem: read_query(file) for file in _files("queries", "*.sql")}


def find_query(name: str) -> SavedQuery:
    """The saved query `name`; UsageError with what is nearest when there is none."""
    return _pick(load_queries(), name, "query", "kminer query")


def load_reports() -> dict[str, Path]:
    """Report templates by name."""
    return {file.name.removesuffix(".md.j2"): file for file in _files("reports", "*.md.j2")}


def find_report(name: str) -> Path:
    """The report template `name`; UsageError when there is none."""
    return _pick(load_reports(), name, "report", "kminer report")


def _pick(known: dict[str, T], name: str, noun: str, command: str) -> T:
    if name in known:
        return known[name]
    raise UsageError(f"There is no {noun} named '{name}'.", next=_meant(name, known) or f"`{command}` lists them.")


def _meant(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _files(folder: str, pattern: str) -> list[Path]:
    found = {file.name: file for base in (_shipped(folder), places.own(folder)) for file in sorted(base.glob(pattern))}
    return [found[name] for name in sorted(found)]


def _shipped(folder: str) -> Path:
    top, _, rest = folder.partition("/")
    return places.shipped(top) / rest


def _tables(folder: str, key: str = "id") -> dict[str, tuple[Path, Table]]:
    tables: dict[str, tuple[Path, Table]] = {}
    for file in _files(folder, "*.toml"):
        table = _toml(file)
        if not isinstance(table.get(key), str):
            raise _fault(file, key, "must be there, a text")
        tables[table[key]] = (file, table)
    return tables


def _toml(file: Path) -> Table:
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(
            f"This file is not valid TOML: {error}.", where=str(file), next="Mend the line it names, then run again."
        ) from error


def _text(file: Path) -> str:
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


def _fault(file: Path, key: str, wrong: str) -> CatalogueError:
    return CatalogueError(f"`{key}` {wrong}.", where=str(file), next="Mend it; docs/extending.md describes every key.")


def _get(table: Table, key: str, kind: type[T], default: T, file: Path) -> T:
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise _fault(file, key, f"must be {_KINDS[kind]}, not {value!r}")
    return value


_KINDS: dict[type, str] = {
    int: "a whole number", str: "a text", bool: "true or false", list: "a list of texts", dict: "a table",
}  # fmt: skip


def _rows(table: Table, key: str, file: Path) -> list[Table]:
    rows = _get(table, key, list, [], file)
    if not all(isinstance(row, dict) for row in rows):
        raise _fault(file, key, f"must be tables: [[{key}]]")
    return rows


def _texts(table: Table, key: str, file: Path) -> tuple[str, ...]:
    values = _get(table, key, list, [], file)
    if not all(isinstance(value, str) and value for value in values):
        raise _fault(file, key, "must be a list of texts that are not empty")
    return tuple(values)


def _mechanisms(table: Table, file: Path) -> tuple[str, ...]:
    names, known = _texts(table, "mechanisms", file), load_labels().mechanisms
    for name in names:
        if name not in known:
            raise _fault(file, "mechanisms", f"names {name!r}, which data/labels.toml does not know")
    return names


def _only(table: Table, allowed: set[str], file: Path, inside: str = "") -> None:
    for key in sorted(table.keys() - allowed):
        raise _fault(file, inside + key, f"is not a key of this file (known are {', '.join(sorted(allowed))})")


def _extended(tables: dict[str, tuple[Path, Table]]) -> Iterator[tuple[Path, Table]]:
    for name in sorted(tables):
        file, table = tables[name]
        parent = table.get("extends")
        if parent is None:
            yield file, table
        elif isinstance(parent, str) and parent in tables and "extends" not in tables[parent][1]:
            yield file, tables[parent][1] | {"default": False} | table
        else:
            raise _fault(file, "extends", f"must name a source that itself extends none, not {parent!r}")


def _source(table: Table, file: Path) -> Source:
    _only(table, _SOURCE_KEYS, file)
    for key in ("id", "kind", "project", "title"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise _fault(file, key, "must be there, a text")
    if not _NAME.fullmatch(table["id"]) or table["id"] != file.stem:
        raise _fault(file, "id", "must be the file's name, of small letters, digits, '.', '_' and '-'")
    for word in _texts(table, "words", file):
        if not word.strip("* \t\n"):
            raise _fault(file, "words", f"must hold words, not {word!r}")
    releases, pulls = _get(table, "releases", dict, {}, file), _get(table, "pulls", dict, {}, file)
    _only(releases, {"tag", "series"}, file, "releases.")
    _only(pulls, {"title"}, file, "pulls.")
    return Source(
        id=table["id"],
        kind=table["kind"],
        project=table["project"],
        title=table["title"],
        demo=table["kind"] == "demo",
        default=_get(table, "default", bool, False, file),
        clone=_texts(table, "clone", file),
        ignore_refs=_texts(table, "ignore_refs", file),
        words=_texts(table, "words", file),
        repository_was=_texts(table, "repository_was", file),
        tag_pattern=_pattern(releases, "tag", file, needs="version"),
        series_pattern=_pattern(releases, "series", file),
        pull_title=_pattern(pulls, "title", file) if pulls else "",
        paths=_tracked(table, file),
        file=str(file),
        **{
            key: _get(table, key, str, default, file)
            for key, default in _PLAIN_TEXTS.items()
        },
    )


def _pattern(table: Table, key: str, file: Path, needs: str | None = None) -> str:
    text = _get(table, key, str, "", file)
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise _fault(file, key, f"is not a regular expression: {error}") from error
    if not text or (needs and needs not in compiled.groupindex):
        raise _fault(file, key, "must be a regular expression" + (f" with a group named {needs}" if needs else ""))
    return text


def _tracked(table: Table, file: Path) -> tuple[TrackedPath, ...]:
    paths, seen = [], set()
    for row in _get(table, "paths", list, [], file):
        if not isinstance(row, dict):
            raise _fault(file, "paths", "must be tables: [[paths]]")
        _only(row, _PATH_KEYS, file, "paths.")
        path = TrackedPath(
            path=_get(row, "path", str, "", file),
            was=_texts(row, "was", file),
            mechanisms=_mechanisms(row, file),
            about=_get(row, "about", str, "", file),
            whole=_get(row, "whole", bool, False, file),
        )
        for name in (path.path, *path.was):
            if not name or name.startswith("/") or "//" in name or {".", ".."} & set(name.split("/")) or "**" in name:
                raise _fault(file, "paths.path", f"must be a path below the top of the repository, not {name!r}")
            if name in seen:
                raise _fault(file, "paths.path", f"{name!r} stands twice")
            seen.add(name)
        paths.append(path)
    if not paths:
        raise _fault(file, "paths", "must hold at least one tracked path")
    return tuple(paths)


def _feature(table: Table, file: Path) -> Feature:
    return Feature(
        id=_required(table, "id", file),
        project=_required(table, "project", file),
        area=_required(table, "area", file),
        title=_required(table, "title", file),
        summary=_required(table, "summary", file),
        mechanisms=_mechanisms(table, file),
        since=_get(table, "since", str, "", file) or None,
        confidence=_required(table, "confidence", file),
        commits=tuple((_required(row, "id", file), row.get("title") or "") for row in _rows(table, "commits", file)),
        note=_get(table, "note", str, "", file),
    )


def _rule_tables(name: str, keys: set[str]) -> tuple[dict[str, Table], Path]:
    """The tables of data/rules/`name`.toml by their names, and the file."""
    file = next(file for file in _files("data/rules", f"{name}.toml"))
    tables = _toml(file)
    for label, row in tables.items():
        if not isinstance(row, dict):
            raise _fault(file, label, "must be a table")
        _only(row, keys, file, f"{label}.")
    return tables, file


def _known(labels: Iterable[str], known: Iterable[str], file: Path) -> None:
    for label in set(labels) - set(known):
        raise _fault(file, label, "is not a label of data/labels.toml")


_CLAIM_KEYS = ("first", "titles", "terms", "trailers")


def _claims(table: Table, file: Path) -> dict[str, Claim]:
    for label, row in table.items():
        _only(row, set(_CLAIM_KEYS), file, f"{label}.")
    return {label: Claim(*(_texts(row, key, file) for key in _CLAIM_KEYS)) for label, row in table.items()}


_TERM = re.compile(r"[A-Za-z_][\w.+-]{4,}")
_NAMING = {"cgfile", "cgread", "cgkey", "kallsyms", "syscall", "nsioctl", "unshare", "cg2feat", "pidfdioctl"}


def _feature_terms() -> dict[str, list[str]]:
    """What the catalogue's features are called in code, by mechanism: symbols, interface files, calls, flags."""
    terms: dict[str, list[str]] = {}
    for file, table in _tables("data/features").values():
        names = _texts(table, "marker", file)[1:]
        for detector in _texts(table, "detect", file):
            kind, _, name = detector.partition(":")
            names = (*names, name.split(":")[0]) if kind in _NAMING else names
        mechanisms = _mechanisms(table, file)[:1]
        for name in names:
            if _TERM.fullmatch(name) and ("_" in name or "." in name or not name.islower()):
                terms.setdefault(mechanisms[0], []).append(name)
    return {label: list(dict.fromkeys(names)) for label, names in terms.items()}


def _required(table: Table, key: str, file: Path) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _fault(file, key, "must be there, a text")
    return value


def _release_date(project: str, row: Table, file: Path) -> ReleaseDate:
    if not hasattr(row.get("date"), "isoformat"):
        raise _fault(file, "releases.date", f"must be a date such as 2006-11-29, not {row.get('date')!r}")
    version, tag = _required(row, "version", file), _required(row, "tag", file)
    return ReleaseDate(project, version, tag, row["date"].isoformat(), _required(row, "confidence", file))


_HEAD = re.compile(r"--\s*(title|why|param)\b[: ]\s*(.*)")
_PARAMETER = re.compile(r"(?P<name>[a-z_]+)\s*(?:=\s*(?P<default>[^:]*?)\s*)?:\s*(?P<about>.+)")


def read_query(file: Path) -> SavedQuery:
    """A saved query from its file. Raises CatalogueError when its head lacks title or why, or misspells a param."""
    text = _text(file)
    facts: dict[str, str] = {}
    parameters = []
    for line in text.splitlines():
        match = _HEAD.match(line)
        if match and match[1] == "param":
            parameters.append(_parameter(match[2], file))
        elif match and match[1] not in facts:
            facts[match[1]] = match[2].strip()
    for key in ("title", "why"):
        if not facts.get(key):
            raise CatalogueError(
                f"The head has no `-- {key}: ...` line.", where=str(file), next="Add it; see docs/extending.md."
            )
    return SavedQuery(file.stem, facts["title"], facts["why"], tuple(parameters), text.strip(), str(file))


def _parameter(text: str, file: Path) -> Parameter:
    match = _PARAMETER.fullmatch(text.strip())
    if match is None:
        raise CatalogueError(
            f"`-- param {text}` is not understood.",
            where=str(file),
            next="Write `-- param name = default: what it is`, or `-- param name: what it is` if it must be given.",
        )
    default = match["default"]
    number = default is not None and re.fullmatch(r"-?\d+", default)
    return Parameter(match["name"], int(default) if number else default, match["about"])


def load_report_heads() -> dict[str, SavedQuery]:
    """Heads of the report templates by name."""
    return {name: read_query(file) for name, file in load_reports().items()}


CHECKS: dict[str, Callable[[], Sized]] = {
    "data/labels.toml": lambda: load_labels().mechanisms,
    "data/sources": load_sources,
    "data/rules": lambda: load_rules().mechanisms,
    "data/studies": load_studies,
    "data/annotations": load_annotations,
    "data/features": load_features,
    "data/releases": load_release_dates,
    "queries": load_queries,
    "reports": load_report_heads,
}
"""What `kminer check` loads, folder by folder."""
