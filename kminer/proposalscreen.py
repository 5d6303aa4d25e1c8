"""Shows a proposal on the terminal: its versions, its patches and what became of them, who answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kminer.console import Terminal
    from kminer.store.proposals import Proposed
    from kminer.store.reader import Row


def show_proposed(terminal: Terminal, proposed: Proposed) -> None:
    """Nothing, of a change that is no proposal and was not found to be proposed."""
    if proposed.proposed:
        terminal.say("\nProposed as", "bold")
        for row in proposed.proposed:
            terminal.say(f"  {row['key']}  {row['date']}  by {row['found_by']} {row['confidence']:.2f}  {row['title']}")
    if proposed.series is None:
        return
    _show_series(terminal, proposed.series)
    terminal.say("\nVersions", "bold")
    for row in proposed.postings:
        joined = f"  (by {row['joined_by']})" if row["joined_by"] else ""
        shape = f"{row['patches']} of {row['total']} patches, {row['replies']} answers"
        terminal.say(f"  {'RFC ' if row['rfc'] else ''}v{row['version']}  {row['day']}  {shape}  {row['key']}{joined}")
    terminal.say("\nPatches of this version", "bold")
    for row in proposed.patches:
        terminal.say(f"  {_place(row)}  {row['title']}  {row['key']}")
        if row["found_by"]:
            found = f"merged, by {row['found_by']} in {row['found_in']}, confidence {row['confidence']:.2f}"
            terminal.say(f"       {found}  {str(row['commit_id'])[:12]}  {row['date'] or ''}", "dim")
    if proposed.answers:
        terminal.say("\nAnswers to this version", "bold")
    for row in proposed.answers:
        says = f"  [{row['says']}]" if row["says"] else ""
        terminal.say(f"  {str(row['date'])[:10]}  {row['name'] or row['email']}{says}  {row['words']}")


def _show_series(terminal: Terminal, series: Row) -> None:
    terminal.say("\nProposal", "bold")
    terminal.say(f"  {series['verdict']} (confidence {series['confidence']:.2f}): {series['why']}")
    terminal.say(f"  looked in: {series['seen_in']}", "dim")
    days = f"{str(series['first_date'])[:10]} to {str(series['last_date'])[:10]}, {series['span_days']} days"
    terminal.say(f"  posted {series['postings']} times, {days}; {series['people']} people, {series['replies']} answers")
    said = f"{str(series['last_word_date'])[:10]}  {series['last_word_by']}: {series['last_word']}"
    terminal.say(f"  last word  {said}  ({series['last_word_key']})")
    if series["superseded_by"]:
        terminal.say(f"  superseded by  {series['superseded_by']}")


def _place(row: Row) -> str:
    return "cover" if row["kind"] == "cover" else f"{row['number'] or 1:>5}"
