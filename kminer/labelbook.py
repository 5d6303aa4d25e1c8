"""Loads and checks what labels are made from: the taxonomy, rules, labels by hand, and studies to compare with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from kminer import places
from kminer.datafiles import (
    Table,
    check_keys,
    fault,
    find_files,
    get,
    get_required,
    get_texts,
    read_tables,
    read_text,
    read_toml,
)
from kminer.records import Annotation, Homonym, KindRule, MechanismRule, Rules, Study, Taxonomy


@cache
def load_labels() -> Taxonomy:
    """The taxonomy of data/labels.toml."""
    file = places.shipped("data") / "labels.toml"
    table = read_toml(file)
    check_keys(table, {"mechanisms", "kinds", "dimensions", "flags", "natural"}, file)
    return Taxonomy(**{name: get(table, name, dict, {}, file) for name in table})


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
            label: MechanismRule(
                get_texts(row, "prefixes", file), (*get_texts(row, "terms", file), *terms.get(label, ()))
            )
            for label, row in mechanisms.items()
        },
        homonyms={
            name: Homonym(
                get_required(row, "about", homonym_file),
                *(get_texts(row, key, homonym_file) for key in ("words", "prefixes", "paths")),
            )
            for name, row in homonyms.items()
        },
        kinds=_claims(claims["kinds"], claim_file),
        flags=_claims(claims["flags"], claim_file),
    )


def load_studies() -> dict[str, Study]:
    """Published studies to compare shares of kinds with, by id."""
    return {table["id"]: _study(table, file) for file, table in read_tables("data/studies").values()}


def _study(table: Table, file: Path) -> Study:
    shares = get(table, "shares", dict, {}, file)
    _known(shares, load_labels().kinds, file)
    for kind, share in shares.items():
        if not isinstance(share, float) or not 0 <= share <= 1:
            raise fault(file, f"shares.{kind}", "must be a share between 0.0 and 1.0")
    texts = {key: get_required(table, key, file) for key in ("id", "title", "about", "confidence", "note")}
    return Study(**texts, patches=get(table, "patches", int, 0, file), shares=shares)


ANNOTATION_COLUMNS = (
    "key", "annotator", "relevant", "mechanisms", "kind", "dimensions", "flags", "stratum", "weight",
)  # fmt: skip
OWN = "own"
"""The annotator of what `kminer label` writes."""
SETTLED = "settled"
"""The annotator of a third reading, which counts where two others disagreed."""


def read_annotations(file: Path) -> list[Annotation]:
    """The labels by hand of one file: tab-separated, a header, then a line a change and annotator."""
    lines = read_text(file).splitlines()
    if not lines or tuple(lines[0].split("\t")) != ANNOTATION_COLUMNS:
        raise fault(file, "header", f"must be the first line: {' '.join(ANNOTATION_COLUMNS)}, parted by tabs")
    return [_annotation(line, number, file) for number, line in enumerate(lines[1:], 2) if line]


def _annotation(line: str, number: int, file: Path) -> Annotation:
    fields, labels = line.split("\t"), load_labels()
    if len(fields) != len(ANNOTATION_COLUMNS):
        raise fault(file, f"line {number}", f"must have {len(ANNOTATION_COLUMNS)} fields parted by tabs")
    row = dict(zip(ANNOTATION_COLUMNS, fields, strict=True))
    for key, known in (("mechanisms", labels.mechanisms), ("dimensions", labels.dimensions), ("flags", labels.flags)):
        for label in row[key].split():
            if label not in known:
                raise fault(file, f"line {number}: {key}", f"names {label!r}, which data/labels.toml does not know")
    if row["relevant"] not in ("0", "1") or row["kind"] not in labels.kinds or not row["key"]:
        raise fault(file, f"line {number}", "needs a key, 0 or 1 for relevant, and a kind of data/labels.toml")
    try:
        weight = float(row["weight"])
    except ValueError as error:
        raise fault(file, f"line {number}: weight", f"must be a number, not {row['weight']!r}") from error
    lists = {key: tuple(row[key].split()) for key in ("mechanisms", "dimensions", "flags")}
    return Annotation(key=row["key"], annotator=row["annotator"], relevant=row["relevant"] == "1", kind=row["kind"],
                      stratum=row["stratum"], weight=weight, **lists)  # fmt: skip


def load_annotations() -> dict[str, list[Annotation]]:
    """All labels by hand, by the key of their change: shipped ones, then the user's own."""
    found: dict[str, list[Annotation]] = {}
    for file in find_files("data/annotations", "*.tsv"):
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


def get_mechanisms(table: Table, file: Path) -> tuple[str, ...]:
    """The mechanisms a table names; CatalogueError for one that the taxonomy lacks."""
    names, known = get_texts(table, "mechanisms", file), load_labels().mechanisms
    for name in names:
        if name not in known:
            raise fault(file, "mechanisms", f"names {name!r}, which data/labels.toml does not know")
    return names


def _rule_tables(name: str, keys: set[str]) -> tuple[dict[str, Table], Path]:
    """The tables of data/rules/`name`.toml by their names, and the file."""
    file = next(file for file in find_files("data/rules", f"{name}.toml"))
    tables = read_toml(file)
    for label, row in tables.items():
        if not isinstance(row, dict):
            raise fault(file, label, "must be a table")
        check_keys(row, keys, file, f"{label}.")
    return tables, file


def _known(labels: Iterable[str], known: Iterable[str], file: Path) -> None:
    for label in set(labels) - set(known):
        raise fault(file, label, "is not a label of data/labels.toml")


_CLAIM_KEYS = ("first", "titles", "terms", "trailers")


def _claims(table: Table, file: Path) -> dict[str, KindRule]:
    for label, row in table.items():
        check_keys(row, set(_CLAIM_KEYS), file, f"{label}.")
    return {label: KindRule(*(get_texts(row, key, file) for key in _CLAIM_KEYS)) for label, row in table.items()}


_TERM = re.compile(r"[A-Za-z_][\w.+-]{4,}")
_NAMING = {"cgfile", "cgread", "cgkey", "kallsyms", "syscall", "nsioctl", "unshare", "cg2feat", "pidfdioctl"}


def _feature_terms() -> dict[str, list[str]]:
    """What the catalogue's features are called in code, by mechanism: symbols, interface files, calls, flags."""
    terms: dict[str, list[str]] = {}
    for file, table in read_tables("data/features").values():
        names = get_texts(table, "marker", file)[1:]
        for detector in get_texts(table, "detect", file):
            kind, _, name = detector.partition(":")
            names = (*names, name.split(":")[0]) if kind in _NAMING else names
        for label in get_mechanisms(table, file)[:1]:
            named = (name for name in names if "_" in name or "." in name or not name.islower())
            terms.setdefault(label, []).extend(name for name in named if _TERM.fullmatch(name))
    return {label: list(dict.fromkeys(names)) for label, names in terms.items()}
