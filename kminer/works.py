"""Loads and checks the works with their claims, and the resources of the kernel that containers share."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from kminer import catalogue, places
from kminer.datafiles import Table, check_keys, fault, get, get_required, get_rows, get_texts, read_tables
from kminer.errors import UsageError
from kminer.labelbook import get_mechanisms, load_labels
from kminer.records import Observation, Paper, PaperClaim, Regime, Resource

_PAPER_KEYS = {
    "id", "kind", "title", "authors", "venue", "year", "followed_from", "doi", "url", "layer", "in_note", "checked",
    "summary",
    "confidence", "source", "unverified", "note", "claims",
}  # fmt: skip
_CLAIM_KEYS = {
    "id", "statement", "kind", "dimension", "mechanisms", "terms", "answer", "answer_note", "confidence", "figure",
    "measured_on", "answered_by", "open_while",
}  # fmt: skip
_RESOURCE_KEYS = {
    "id", "title", "area", "kind", "counted_by", "limited", "at_exhaustion", "look", "leak", "leak_note", "papers",
    "recalled", "terms", "confidence", "source", "namespaced", "charged", "observed",
}  # fmt: skip
_NAMESPACES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
_LIMITS = (
    "process", "user", "userns", "namespace", "cgroup", "filesystem", "project-quota", "resctrl-group", "global",
    "none",
)  # fmt: skip
_WORDS = {
    "paper.kind": ("survey", "paper", "system", "note"),
    "paper.layer": ("", "all", "container instance", "container management", "kernel resource"),
    "claim.kind": ("gap", "cost", "praise", "design"),
    "claim.answer": ("yes", "partly", "no", "unknown", "not applicable"),
    "resource.kind": ("quantity", "lock", "rate-or-time", "setting", "view"),
    "resource.leak": ("yes", "no", "partly"),
    "namespaced.value": ("no", "partly", *_NAMESPACES),
    "charged.value": ("yes", "partly", "no"),
    "confidence": ("high", "medium", "low"),
}


def load_papers() -> dict[str, Paper]:
    """All works by id. Raises CatalogueError naming file, key and what is wrong with it."""
    features = catalogue.load_features()
    return {table["id"]: _paper(table, file, features) for file, table in read_tables("data/papers").values()}


def find_paper(name: str) -> Paper:
    """The work `name`; UsageError with what is nearest when there is none."""
    papers = load_papers()
    if name not in papers:
        raise UsageError(
            f"There is no work named '{name}'.",
            next=catalogue.meant(name, papers)
            or f"A work is one file: {places.own('data/papers')}/{name}.toml (see docs/extending.md).",
        )
    return papers[name]


def load_resources() -> dict[str, Resource]:
    """All shared resources by id. Raises CatalogueError naming file, key and what is wrong with it."""
    papers = load_papers()
    return {table["id"]: _resource(table, file, papers) for file, table in read_tables("data/resources").values()}


def _paper(table: Table, file: Path, features: Collection[str]) -> Paper:
    check_keys(table, _PAPER_KEYS, file)
    claims = tuple(_claim(row, file, features) for row in get_rows(table, "claims", file))
    _check_claim_ids([claim.id for claim in claims], table["id"], file)
    return Paper(
        id=_own_id(table, file),
        kind=_word(table, "kind", "paper.kind", file),
        title=get_required(table, "title", file),
        authors=get_texts(table, "authors", file),
        venue=get(table, "venue", str, "", file),
        year=_year(table, file),
        followed_from=_day(table, file),
        summary=get_required(table, "summary", file),
        confidence=_word(table, "confidence", "confidence", file),
        source=get_required(table, "source", file),
        claims=claims,
        doi=_shaped(table, "doi", r"10\.\d{4,9}/\S+", file),
        url=_shaped(table, "url", r"https?://\S+", file),
        layer=_word(table, "layer", "paper.layer", file),
        in_note=get(table, "in_note", bool, False, file),
        checked=get(table, "checked", bool, False, file),
        unverified=get_texts(table, "unverified", file),
        note=get(table, "note", str, "", file),
    )


def _claim(row: Table, file: Path, features: Collection[str]) -> PaperClaim:
    check_keys(row, _CLAIM_KEYS, file, "claims.")
    if row.get("dimension") not in tuple(load_labels().dimensions):
        raise fault(file, "claims.dimension", f"must be one of data/labels.toml, not {row.get('dimension')!r}")
    return PaperClaim(
        id=get_required(row, "id", file),
        statement=get_required(row, "statement", file),
        kind=_word(row, "kind", "claim.kind", file, "claims."),
        dimension=row["dimension"],
        mechanisms=_some(get_mechanisms(row, file), "claims.mechanisms", file),
        terms=_some(get_texts(row, "terms", file), "claims.terms", file),
        answer=_word(row, "answer", "claim.answer", file, "claims."),
        confidence=_word(row, "confidence", "confidence", file, "claims."),
        answered_by=_names(row, "answered_by", features, "data/features", file, "claims."),
        open_while=_names(row, "open_while", features, "data/features", file, "claims."),
        answer_note=get(row, "answer_note", str, "", file),
        figure=get(row, "figure", str, "", file),
        measured_on=get(row, "measured_on", str, "", file),
    )


def _check_claim_ids(ids: list[str], paper: str, file: Path) -> None:
    if not ids:
        raise fault(file, "claims", "must hold at least one claim: [[claims]]")
    for position, name in enumerate(ids):
        if not name.startswith(f"{paper}.") or name in ids[:position]:
            raise fault(file, "claims.id", f"must be {paper}. and what no other claim has, not {name!r}")


def _resource(table: Table, file: Path, papers: Collection[str]) -> Resource:
    check_keys(table, _RESOURCE_KEYS, file)
    return Resource(
        id=_own_id(table, file),
        title=get_required(table, "title", file),
        area=get_required(table, "area", file),
        kind=_word(table, "kind", "resource.kind", file),
        counted_by=get_required(table, "counted_by", file),
        namespaced=_regime(table, "namespaced", file),
        charged=_regime(table, "charged", file),
        limited=_some(_names(table, "limited", _LIMITS, ", ".join(_LIMITS), file), "limited", file),
        at_exhaustion=get_required(table, "at_exhaustion", file),
        leak=_word(table, "leak", "resource.leak", file),
        confidence=_word(table, "confidence", "confidence", file),
        source=get_required(table, "source", file),
        leak_note=get(table, "leak_note", str, "", file),
        look=get_texts(table, "look", file),
        papers=_names(table, "papers", papers, "data/papers", file),
        recalled=_names(table, "recalled", papers, "data/papers", file),
        terms=_some(get_texts(table, "terms", file), "terms", file),
        observed=_observation(get(table, "observed", dict, {}, file), file),
    )


def _regime(table: Table, name: str, file: Path) -> Regime:
    row = get(table, name, dict, {}, file)
    check_keys(row, {"value", "since", "commit", "note"} | ({"key"} if name == "charged" else set()), file, f"{name}.")
    return Regime(
        value=_word(row, "value", f"{name}.value", file, f"{name}."),
        since=_shaped(row, "since", r"\d+(\.\d+)+", file, f"{name}."),
        commit=_shaped(row, "commit", r"[0-9a-f]{12,40}", file, f"{name}."),
        key=get(row, "key", str, "", file),
        note=get(row, "note", str, "", file),
    )


def _observation(row: Table, file: Path) -> Observation | None:
    if not row:
        return None
    check_keys(row, {"kernel", "path", "same_in_new_namespaces"}, file, "observed.")
    if "same_in_new_namespaces" not in row:
        raise fault(file, "observed.same_in_new_namespaces", "must be there, true or false")
    same = get(row, "same_in_new_namespaces", bool, False, file)
    return Observation(get_required(row, "kernel", file), get_required(row, "path", file), same)


def _own_id(table: Table, file: Path) -> str:
    if table["id"] != file.stem:
        raise fault(file, "id", f"must be the file's name, not {table['id']!r}")
    return file.stem


def _day(table: Table, file: Path) -> str:
    day = get(table, "followed_from", str, "", file)
    if day and ("year" in table or not re.fullmatch(r"\d{4}-\d\d-\d\d", day)):
        raise fault(file, "followed_from", "must be a day such as \"2019-12-31\", of a work whose year is not known")
    return day


def _year(table: Table, file: Path) -> int:
    year = get(table, "year", int, 0, file)
    if "year" in table and not 1900 < year < 2100:
        raise fault(file, "year", f"must be a year such as 2016, not {year!r}; leave it out where it is not known")
    return year


def _word(table: Table, key: str, words: str, file: Path, inside: str = "") -> str:
    value, allowed = table.get(key, ""), _WORDS[words]
    if value not in allowed:
        raise fault(file, inside + key, f"must be one of {', '.join(filter(None, allowed))}, not {value!r}")
    return str(value)


def _shaped(table: Table, key: str, shape: str, file: Path, inside: str = "") -> str:
    value = get(table, key, str, "", file)
    if value and not re.fullmatch(shape, value):
        raise fault(file, inside + key, f"is not well-formed: {value!r}")
    return value


def _some(values: tuple[str, ...], key: str, file: Path) -> tuple[str, ...]:
    if not values:
        raise fault(file, key, "must hold at least one")
    return values


def _names(table: Table, key: str, known: Collection[str], where: str, file: Path, inside: str = "") -> tuple[str, ...]:
    names = get_texts(table, key, file)
    for name in names:
        if name not in known:
            raise fault(file, inside + key, f"names {name!r}, which is not among {where}")
    return names


_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", **{sign: f"\\{sign}" for sign in "#$%&_"},
}  # fmt: skip
_VENUE_FIELDS = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}


def bibtex(paper: Paper) -> str:
    """The work as a BibTeX entry under its id: what has no venue or stands in arXiv is @misc.

    A note says where nobody compared the bibliography with a public text.
    """
    kind = _entry_kind(paper.venue)
    fields = {
        "title": f"{{{_escape(paper.title)}}}",
        "author": " and ".join(_author(name) for name in paper.authors),
        _VENUE_FIELDS[kind]: _escape(paper.venue),
        "year": str(paper.year or ""),
        "doi": _verbatim(paper.doi),
        "url": _verbatim(paper.url),
        "note": "" if paper.checked else "bibliography not checked",
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@{kind}{{{paper.id},\n{''.join(lines)}}}\n"


def _entry_kind(venue: str) -> str:
    if not venue or venue.startswith("arXiv"):
        return "misc"
    return "article" if re.search(r"\d\(\d+\)", venue) else "inproceedings"


def _author(name: str) -> str:
    if name == "et al.":
        return "others"
    whole = "(" in name or re.search(r"\sand\s", name)
    return f"{{{_escape(name)}}}" if whole else _escape(name)


def _escape(text: str) -> str:
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return "".join(_ESCAPES.get(sign, sign) for sign in " ".join(plain.split()))


def _verbatim(text: str) -> str:
    return re.sub(r"[{}\\]", lambda match: f"%{ord(match[0]):02X}", text)
