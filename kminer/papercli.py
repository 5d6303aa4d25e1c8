"""The commands about works and shared resources: papers, resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kminer.command import open_store, terminal_of
from kminer.errors import UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from kminer.records import Paper
    from kminer.store.followed import FollowUp
    from kminer.store.reader import Row

NEWEST = 8
"""Changes, and proposals, that a follow-up shows of each claim."""


@click.group(invoke_without_command=True)
@click.option("--note", "in_note", is_flag=True, help="Only works that the reading note behind kminer names.")
@click.option("--layer", help="Only this layer: container instance, container management, kernel resource, all.")
@click.option("--search", "words", metavar="WORDS", help="Only works with all these words in title, authors or claims.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.option("--bibtex", "as_bibtex", is_flag=True, help="Print them as BibTeX.")
@click.pass_context
def papers(
    context: click.Context, in_note: bool, layer: str | None, words: str | None, as_json: bool, as_bibtex: bool
) -> None:
    """List the works of the catalogue; `show` one, or tell by `follow-up` what has happened since."""
    if context.invoked_subcommand is not None:
        return
    from kminer import works

    found = [
        paper
        for paper in works.load_papers().values()
        if (paper.in_note or not in_note) and layer in (None, paper.layer) and _has_words(paper, words or "")
    ]
    if as_json or as_bibtex:
        _print(context, found, as_bibtex)
        return
    rows = [(paper.id, paper.year or None, paper.layer, paper.title, len(paper.claims)) for paper in found]
    terminal_of(context).table(("paper", "year", "layer", "title", "claims"), rows, note=f"{len(rows):,} works")


def _has_words(paper: Paper, words: str) -> bool:
    text = " ".join((paper.id, paper.title, *paper.authors, *(claim.statement for claim in paper.claims))).lower()
    return all(word in text for word in words.lower().split())


def _print(context: click.Context, found: Sequence[Paper], as_bibtex: bool) -> None:
    from dataclasses import asdict

    from kminer import works

    if as_bibtex:
        terminal_of(context).document("\n\n".join(works.bibtex(paper).strip() for paper in found) + "\n")
    else:
        terminal_of(context).json([asdict(paper) for paper in found])


@papers.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option("--bibtex", "as_bibtex", is_flag=True, help="Print it as BibTeX.")
@click.pass_context
def show_paper(context: click.Context, name: str, as_json: bool, as_bibtex: bool) -> None:
    """Show all that the catalogue says of the work ID and its claims."""
    from kminer import paperscreen, works

    paper = works.find_paper(name)
    if as_json or as_bibtex:
        _print(context, [paper], as_bibtex)
    else:
        paperscreen.show_paper(terminal_of(context), paper)


@papers.command("follow-up")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="All claims with their verdicts, a line each.")
@click.option("--years", type=click.IntRange(min=0), default=3, show_default=True,
              help="Being worked on means in the last so many years of what was read.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def follow_up(context: click.Context, name: str | None, everything: bool, years: int, as_json: bool) -> None:
    """Tell what has happened since the work ID: features, changes, notes and proposals on each of its claims.

    The verdict on a claim is answered, being worked on, silent or cannot tell, with the rule that gave it; what was
    not read never counts as silence.
    """
    if everything == (name is not None):
        raise UsageError("Give the id of a work, or --all.", next="`kminer papers` lists them.")
    from kminer import paperscreen, works

    terminal = terminal_of(context)
    if name is None:
        rows = _ask(open_store(context), "claims-followed", {"years": str(years)})
        terminal.json(rows) if as_json else paperscreen.show_verdicts(terminal, rows)
        return
    paper = works.find_paper(name)
    followed = _follow(open_store(context), paper, years)
    if as_json:
        terminal.json(_as_json(paper, followed))
    else:
        paperscreen.show_follow_up(terminal, paper, followed)


def _follow(db: sqlite3.Connection, paper: Paper, years: int) -> FollowUp:
    from kminer.store import followed

    claims = _ask(db, "claims-followed", {"paper": paper.id, "years": str(years)})
    if {claim.id for claim in paper.claims} != {row["id"] for row in claims}:
        raise UsageError(
            f"The database does not hold the claims of '{paper.id}' as the catalogue has them.",
            next="Run `kminer sync` once: it takes the works over from the catalogue.",
        )
    return followed.FollowUp(
        claims,
        {
            "features": followed.list_bearing(db, paper.id),
            "years": _ask(db, "paper-years", {"paper": paper.id}),
            "changes": followed.list_newest(db, paper.id, NEWEST),
            "proposals": followed.list_claim_proposals(db, paper.id, NEWEST),
            "terms": followed.count_terms(db, paper.id),
        },
        _ask(db, "read-to", {}),
    )


def _ask(db: sqlite3.Connection, name: str, values: dict[str, str]) -> list[Row]:
    from kminer import queries

    return list(queries.run(db, queries.find(name), values).dicts())


def _as_json(paper: Paper, followed: FollowUp) -> object:
    from dataclasses import asdict

    claims = [
        {"claim": row, **{part: followed.of(part, row["id"]) for part in followed.parts}} for row in followed.claims
    ]
    return {"paper": asdict(paper), "claims": claims, "read_to": followed.read}


@click.group(invoke_without_command=True)
@click.option("--area", help="Only this area, e.g. memory, net, vfs or view.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def resources(context: click.Context, area: str | None, as_json: bool) -> None:
    """List what of the kernel containers share: is it in a namespace, charged to a cgroup, limited? `show` one."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import asdict

    from kminer import works

    found = [one for one in works.load_resources().values() if area in (None, one.area)]
    if as_json:
        terminal_of(context).json([asdict(one) for one in found])
        return
    rows = [
        (one.id, one.kind, one.title, one.namespaced.value, one.charged.value, " ".join(one.limited), one.leak)
        for one in found
    ]
    columns = ("resource", "kind", "what", "namespaced", "charged", "limited", "leaks")
    terminal_of(context).table(columns, rows, note=f"{len(rows):,} resources")


@resources.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def show_resource(context: click.Context, name: str, as_json: bool) -> None:
    """Show all that the catalogue says of the resource ID."""
    from dataclasses import asdict

    from kminer import paperscreen, works

    found = works.load_resources()
    if name not in found:
        raise UsageError(f"There is no resource '{name}'.", next="`kminer resources` lists them.")
    if as_json:
        terminal_of(context).json(asdict(found[name]))
    else:
        paperscreen.show_resource(terminal_of(context), found[name])
