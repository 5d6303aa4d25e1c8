"""Shows works, what has happened since, shared resources, and other entries of the catalogue on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kminer.console import Terminal
    from kminer.records import Paper, PaperClaim, Regime, Resource
    from kminer.store.catalogued import Catalogued
    from kminer.store.followed import FollowUp
    from kminer.store.reader import Row


def show_paper(terminal: Terminal, paper: Paper) -> None:
    """A work with its claims, as the catalogue has it."""
    show_bibliography(terminal, paper)
    for claim in paper.claims:
        terminal.say(f"\n{claim.id}", "bold")
        _say_claim(terminal, claim)


def _undated(paper: Paper) -> str:
    return "year not known" + (f", followed from {paper.followed_from}" if paper.followed_from else "")


def show_bibliography(terminal: Terminal, paper: Paper) -> None:
    """Who wrote a work, where it appeared, and how sure that is."""
    terminal.say(f"{paper.id}: {paper.title}", "bold")
    terminal.say(f"  {', '.join(paper.authors)}")
    terminal.say(f"  {paper.venue or 'no venue'}, {paper.year or _undated(paper)}")
    seen = "compared with a public text" if paper.checked else "not compared with a public text"
    _facts(
        terminal,
        {
            "doi": paper.doi,
            "address": paper.url,
            "kind": paper.kind + (f", layer: {paper.layer}" if paper.layer else ""),
            "about": paper.summary,
            "record": f"{seen}; confidence {paper.confidence}; from {paper.source}",
            "not verified": ", ".join(paper.unverified),
            "note": paper.note,
        },
    )


def _say_claim(terminal: Terminal, claim: PaperClaim) -> None:
    terminal.say(f"  {claim.statement}")
    taken_on = f" (on {claim.measured_on})" if claim.measured_on else ""
    judged = f"{claim.answer}: {claim.answer_note}" if claim.answer_note else claim.answer
    _facts(
        terminal,
        {
            "kind": f"{claim.kind}; confidence {claim.confidence}",
            "figure": claim.figure + taken_on if claim.figure else "",
            "concerns": f"{', '.join(claim.mechanisms)}; {claim.dimension}",
            "answered": f"{judged} (the catalogue's judgement)",
            "by": ", ".join(claim.answered_by),
            "open while": ", ".join(f"{feature} is missing" for feature in claim.open_while),
            "terms": ", ".join(claim.terms),
        },
    )


def show_follow_up(terminal: Terminal, paper: Paper, followed: FollowUp) -> None:
    """What has happened since a work, claim by claim, and up to where that was read."""
    show_bibliography(terminal, paper)
    claims = {claim.id: claim for claim in paper.claims}
    for row in followed.claims:
        terminal.say(f"\n{row['id']}: {row['verdict']}", "bold")
        _facts(terminal, {"because": row["rule"]})
        _say_claim(terminal, claims[str(row["id"])])
        _say_terms(terminal, row, followed.of("terms", row["id"]))
        for what, (title, columns) in _TABLES.items():
            _table(terminal, title, _only(columns, followed.of(what, row["id"])))
    terminal.say("")
    _table(terminal, "Read up to here; of what came later nothing can be said", _only(_READ, followed.read))


_TABLES = {
    "features": ("Features", "id role release date days commit_id title"),
    "years": (
        "Changes by year and kind, of its mechanisms and dimension",
        "year feature performance reliability bug maintenance commits notes patches",
    ),
    "changes": ("Newest commits and notes", "id date kind source found_by title"),
    "proposals": ("Newest proposals", "id date verdict postings author title"),
}
"""Parts of a follow-up, each with the title and columns of its table."""

_READ = "id project what release first_day last_day changes labelled"


def _only(columns: str, rows: Iterable[Row]) -> list[Row]:
    return [{name: row[name] for name in columns.split()} for row in rows]


def _say_terms(terminal: Terminal, claim: Row, terms: Sequence[Row]) -> None:
    """How often each term was met since, the silent ones with what was read in vain."""
    met = [f"{row['term']} {row['hits']:,} (newest {row['newest_id']})" for row in terms if row["hits"]]
    silent = [str(row["term"]) for row in terms if not row["hits"]]
    if met:
        terminal.say(f"  {'met since':<13} {'; '.join(met)}")
    if silent:
        read = claim["read_to"] or "nothing that could answer it"
        terminal.say(f"  {'not met':<13} {', '.join(silent)}: no evidence in the data read ({read})")


def show_verdicts(terminal: Terminal, rows: Sequence[Row]) -> None:
    """All claims with their verdicts, a line each."""
    _table(terminal, "", _only("id year kind verdict rule", rows))


def show_resource(terminal: Terminal, resource: Resource) -> None:
    """A shared resource, as the catalogue has it."""
    terminal.say(f"{resource.id}: {resource.title}", "bold")
    _facts(
        terminal,
        {
            "kind": f"{resource.kind} ({resource.area})",
            "counted by": resource.counted_by,
            "namespaced": _regime(resource.namespaced),
            "charged": _regime(resource.charged),
            "limited by": ", ".join(resource.limited),
            "at the end": resource.at_exhaustion,
            "leaks": resource.leak + (f": {resource.leak_note}" if resource.leak_note else ""),
            "look at": ", ".join(resource.look),
            "works": ", ".join(resource.papers),
            "from memory": ", ".join(resource.recalled),
            "terms": ", ".join(resource.terms),
            "record": f"confidence {resource.confidence}; from {resource.source}",
        },
    )


def _regime(regime: Regime) -> str:
    by = " ".join(part for part in (regime.key, f"since {regime.since}" if regime.since else "", regime.commit) if part)
    return regime.value + (f" ({by})" if by else "") + (f": {regime.note}" if regime.note else "")


def show_catalogued(terminal: Terminal, known: Catalogued) -> None:
    """An entry of the catalogue as the store holds it, and what points to it."""
    terminal.say(f"{known.noun} {known.entry['id']}", "bold")
    _facts(terminal, {name.replace("_", " "): value for name, value in known.entry.items() if name != "id"})
    for what, rows in known.related.items():
        _table(terminal, what.capitalize(), rows)


def _facts(terminal: Terminal, facts: Mapping[str, object]) -> None:
    for name, value in facts.items():
        if value not in ("", None):
            terminal.say(f"  {name:<13} {value}")


def _table(terminal: Terminal, title: str, rows: Iterable[Row]) -> None:
    """Nothing where there are no rows."""
    rows = list(rows)
    if rows:
        terminal.table(tuple(rows[0]), [tuple(row.values()) for row in rows], title=title)
