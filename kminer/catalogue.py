"""Loads and checks what is known beforehand: sources, features, release dates, saved queries, report templates.

The shipped folders and the user's own are read alike; a file of the user's replaces a shipped one of the same id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from kminer import places
from kminer.datafiles import (
    T,
    Table,
    check_keys,
    fault,
    find_files,
    get,
    get_required,
    get_rows,
    get_texts,
    read_tables,
    read_text,
)
from kminer.errors import CatalogueError, UsageError
from kminer.labelbook import get_mechanisms
from kminer.records import HISTORIES, Feature, Parameter, ReleaseDate, SavedQuery, Source, TrackedPath

_SOURCE_KEYS = {
    "id", "extends", "kind", "project", "title", "homepage", "default", "clone", "download", "commit_url",
    "issue_url", "repository", "repository_was", "ignore_refs", "words", "words_of", "releases", "pulls", "paths",
    "pages", "files", "branches", "packages", "leave_out", "prose",
}  # fmt: skip
_PLAIN_TEXTS = {"homepage": "", "download": "unknown size", "commit_url": "", "issue_url": "", "repository": ""}
_PATH_KEYS = {"path", "was", "mechanisms", "about", "whole"}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def load_sources() -> dict[str, Source]:
    """All sources by id. Raises CatalogueError naming file, key and what is wrong with it."""
    tables = read_tables("data/sources")
    return {table["id"]: _source(table, file) for file, table in _with_words(tables, _extended(tables))}


def find_source(name: str) -> Source:
    """The source `name`; UsageError with the known names when there is none."""
    sources = load_sources()
    if name not in sources:
        raise UsageError(
            f"There is no source named '{name}'.",
            where=f"known are {', '.join(sources)}",
            next=meant(name, sources)
            or f"A source is one file: {places.own('data/sources')}/{name}.toml (see docs/extending.md).",
        )
    return sources[name]


def load_features() -> dict[str, Feature]:
    """The kernel's and the engines' features by id."""
    return {table["id"]: _feature(table, file) for file, table in read_tables("data/features").values()}


def load_kernel_features() -> dict[str, Feature]:
    """The kernel's features by id."""
    return {name: feature for name, feature in load_features().items() if feature.project == "linux"}


def load_release_dates() -> dict[str, list[ReleaseDate]]:
    """Release dates by project, in the order of their files."""
    dates: dict[str, list[ReleaseDate]] = {}
    for file, table in read_tables("data/releases", key="project").values():
        rows = get_rows(table, "releases", file)
        dates[table["project"]] = [_release_date(table["project"], row, file) for row in rows]
    return dates


def load_version_aliases() -> dict[str, dict[str, str]]:
    """By project: versions that were announced under a number, and the number they were released under."""
    return {
        table["project"]: {
            get_required(row, "said", file): get_required(row, "version", file)
            for row in get_rows(table, "aliases", file)
        }
        for file, table in read_tables("data/releases", key="project").values()
    }


def load_queries() -> dict[str, SavedQuery]:
    """Saved queries by name."""
    return {file.stem: read_query(file) for file in find_files("queries", "*.sql")}


def find_query(name: str) -> SavedQuery:
    """The saved query `name`; UsageError with what is nearest when there is none."""
    return _pick(load_queries(), name, "query", "kminer query")


def load_reports() -> dict[str, Path]:
    """Report templates by name."""
    return {file.name.removesuffix(".md.j2"): file for file in find_files("reports", "*.md.j2")}


def find_report(name: str) -> Path:
    """The report template `name`; UsageError when there is none."""
    return _pick(load_reports(), name, "report", "kminer report")


def _pick(known: dict[str, T], name: str, noun: str, command: str) -> T:
    if name in known:
        return known[name]
    raise UsageError(f"There is no {noun} named '{name}'.", next=meant(name, known) or f"`{command}` lists them.")


def meant(name: str, known: Iterable[str]) -> str:
    """The question whether one of the `known` names was meant that are near `name`; empty where none is."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def _extended(tables: dict[str, tuple[Path, Table]]) -> Iterator[tuple[Path, Table]]:
    for name in sorted(tables):
        file, table = tables[name]
        parent = table.get("extends")
        if parent is None:
            yield file, table
        elif isinstance(parent, str) and parent in tables and "extends" not in tables[parent][1]:
            yield file, tables[parent][1] | {"default": False} | table
        else:
            raise fault(file, "extends", f"must name a source that itself extends none, not {parent!r}")


def _with_words(
    tables: dict[str, tuple[Path, Table]], sources: Iterable[tuple[Path, Table]]
) -> Iterator[tuple[Path, Table]]:
    for file, table in sources:
        other = table.get("words_of")
        if other is None:
            yield file, table
        elif other in tables and "words" in tables[other][1] and "words" not in table:
            yield file, table | {"words": tables[other][1]["words"]}
        else:
            raise fault(file, "words_of", f"must name a source that has words, instead of `words`, not {other!r}")


def _source(table: Table, file: Path) -> Source:
    check_keys(table, _SOURCE_KEYS, file)
    for key in ("id", "kind", "project", "title"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise fault(file, key, "must be there, a text")
    if not _NAME.fullmatch(table["id"]) or table["id"] != file.stem:
        raise fault(file, "id", "must be the file's name, of small letters, digits, '.', '_' and '-'")
    for word in get_texts(table, "words", file):
        if not word.strip("* \t\n"):
            raise fault(file, "words", f"must hold words, not {word!r}")
    releases, pulls = get(table, "releases", dict, {}, file), get(table, "pulls", dict, {}, file)
    check_keys(releases, {"tag", "series"}, file, "releases.")
    check_keys(pulls, {"title"}, file, "pulls.")
    return Source(
        id=table["id"],
        kind=table["kind"],
        project=table["project"],
        title=table["title"],
        demo=table["kind"] == "demo",
        default=get(table, "default", bool, False, file),
        clone=get_texts(table, "clone", file),
        ignore_refs=get_texts(table, "ignore_refs", file),
        words=get_texts(table, "words", file),
        repository_was=get_texts(table, "repository_was", file),
        tag_pattern=_pattern(releases, "tag", file, needs="version"),
        series_pattern=_pattern(releases, "series", file),
        pull_title=_pattern(pulls, "title", file) if pulls else "",
        paths=_tracked(table, file) if table["kind"] in HISTORIES else (),
        pages=get_texts(table, "pages", file),
        files=get_texts(table, "files", file),
        branches=get_texts(table, "branches", file),
        packages=get_texts(table, "packages", file),
        leave_out=get_texts(table, "leave_out", file),
        prose=get(table, "prose", bool, True, file),
        file=str(file),
        **{
            key: get(table, key, str, default, file)
            for key, default in _PLAIN_TEXTS.items()
        },
    )


def _pattern(table: Table, key: str, file: Path, needs: str | None = None) -> str:
    text = get(table, key, str, "", file)
    try:
        compiled = re.compile(text)
    except re.error as error:
        raise fault(file, key, f"is not a regular expression: {error}") from error
    if not text or (needs and needs not in compiled.groupindex):
        raise fault(file, key, "must be a regular expression" + (f" with a group named {needs}" if needs else ""))
    return text


def _tracked(table: Table, file: Path) -> tuple[TrackedPath, ...]:
    paths, seen = [], set()
    for row in get(table, "paths", list, [], file):
        if not isinstance(row, dict):
            raise fault(file, "paths", "must be tables: [[paths]]")
        check_keys(row, _PATH_KEYS, file, "paths.")
        path = TrackedPath(
            path=get(row, "path", str, "", file),
            was=get_texts(row, "was", file),
            mechanisms=get_mechanisms(row, file),
            about=get(row, "about", str, "", file),
            whole=get(row, "whole", bool, False, file),
        )
        for name in (path.path, *path.was):
            if not name or name.startswith("/") or "//" in name or {".", ".."} & set(name.split("/")) or "**" in name:
                raise fault(file, "paths.path", f"must be a path below the top of the repository, not {name!r}")
            if name in seen:
                raise fault(file, "paths.path", f"{name!r} stands twice")
            seen.add(name)
        paths.append(path)
    if not paths:
        raise fault(file, "paths", "must hold at least one tracked path")
    return tuple(paths)


def _feature(table: Table, file: Path) -> Feature:
    return Feature(
        id=get_required(table, "id", file),
        project=get_required(table, "project", file),
        area=get_required(table, "area", file),
        title=get_required(table, "title", file),
        summary=get_required(table, "summary", file),
        mechanisms=get_mechanisms(table, file),
        since=get(table, "since", str, "", file) or None,
        confidence=get_required(table, "confidence", file),
        commits=tuple(
            (get_required(row, "id", file), row.get("title") or "") for row in get_rows(table, "commits", file)
        ),
        note=get(table, "note", str, "", file),
        terms=get_texts(table, "terms", file),
        detectors=get_texts(table, "detect", file),
        kconfig=get_texts(table, "kconfig", file),
        privilege=get(table, "privilege", str, "", file),
        presence=tuple(get(table, "presence", dict, {}, file).items()),
        backports=get_texts(table, "seen_before_since", file),
        used_by=_engines(get(table, "used_by", dict, {}, file), file),
    )


def _engines(table: Table, file: Path) -> tuple[tuple[str, str], ...]:
    return tuple((engine, get_required(table, engine, file)) for engine in sorted(table))


def _release_date(project: str, row: Table, file: Path) -> ReleaseDate:
    if not hasattr(row.get("date"), "isoformat"):
        raise fault(file, "releases.date", f"must be a date such as 2006-11-29, not {row.get('date')!r}")
    version, tag = get_required(row, "version", file), get_required(row, "tag", file)
    return ReleaseDate(project, version, tag, row["date"].isoformat(), get_required(row, "confidence", file))


_HEAD = re.compile(r"--\s*(title|why|param)\b[: ]\s*(.*)")
_PARAMETER = re.compile(r"(?P<name>[a-z_]+)\s*(?:=\s*(?P<default>[^:]*?)\s*)?:\s*(?P<about>.+)")


def read_query(file: Path) -> SavedQuery:
    """A saved query from its file. Raises CatalogueError when its head lacks title or why, or misspells a param."""
    text = read_text(file)
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
