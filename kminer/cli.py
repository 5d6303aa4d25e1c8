"""The command line: each function parses, calls and prints. Heavy imports stay inside the functions."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kminer import __version__, labelcli, papercli, probecli, readcli
from kminer.command import Group, check_known, completes, database_of, open_store, terminal_of
from kminer.errors import KminerError, NotesError, UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from kminer.console import Terminal
    from kminer.records import Classification, Item, Source
    from kminer.sources.git import Options, Summary

EPILOG = """\b
Exit codes: 0 done, 1 it failed (the message says what, where and what next),
2 the command line or a file of yours is not understood, 130 interrupted.
"""


@click.group(
    cls=Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="kminer")
@click.option("-v", "--verbose", count=True, help="Say more of what is done.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors.")
@click.option("--db", type=click.Path(path_type=Path, dir_okay=False), envvar="KMINER_DB",
              help="The database file.  [default: kminer.db in the user's data folder]")  # fmt: skip
def main(verbose: int, quiet: bool, db: Path | None) -> None:
    """Read every Linux and Docker change about container isolation, and ask where the research is.

    \b
    Begin with:  kminer sync demo          a small made-up history, no network
                 kminer sync linux docker  the real ones
                 kminer query              what can be asked
    """


@main.command()
@click.argument("names", metavar="[SOURCE]...", nargs=-1, shell_complete=completes("source"))
@click.option("--from", "--repo", "repos", metavar="[SOURCE=]PATH", multiple=True,
              help="Read SOURCE from a clone, folder or file that you have (only read); PATH `auto` means from its "
                   "own address.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Processes.  [default: one a processor]")
@click.option("--full", is_flag=True, help="Read the whole history anew.")
@click.option("--since", metavar="TAG|DAY",
              help="Leave out commits that are in TAG, or older than DAY (YYYY-MM-DD).")  # fmt: skip
@click.option("--no-labels", is_flag=True, help="Do not label what it brought; `kminer classify` does it later.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def sync(
    context: click.Context, names: tuple[str, ...], repos: tuple[str, ...], jobs: int | None, full: bool,
    since: str | None, no_labels: bool, as_json: bool,
) -> None:  # fmt: skip
    """Bring the database up to date with SOURCEs.

    Without a SOURCE: those marked as default (linux, docker). `demo` stands for the embedded demo history, which
    has a database of its own. Without --repo, kminer keeps a bare clone without file contents in its cache folder.
    An interrupted sync goes on where it stopped; the database changes only when a source was read whole.
    """
    from kminer.store.database import open_for_writing
    from kminer.workers import default_jobs

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = terminal_of(context)
    sources = _chosen(names)
    places_of = _places(repos, [source.id for source in sources])
    database = database_of(context)
    if context.find_root().params.get("db") is None and all(source.demo for source in sources):
        database = database.with_name("demo.db")
    summaries, failed = [], 0
    with open_for_writing(database) as db:
        for source in sources:
            try:
                options = _options(source, places_of, jobs, full, since)
                summaries.append(_sync_one(source, db, database, options, terminal))
                for failure in summaries[-1].failures:
                    failed = max(failed, NotesError.exit_code)
                    terminal.fail(failure)
            except KminerError as error:
                failed = max(failed, error.exit_code)
                terminal.fail(str(error))
        if summaries:
            _tie(db, terminal)
        if summaries and not no_labels:
            failed = max(failed, _label_new(db, jobs or default_jobs(), terminal))
    _show_summaries(terminal, summaries, database, as_json)
    context.exit(failed)


def _tie(db: sqlite3.Connection, terminal: Terminal) -> None:
    from kminer.reading import mirror
    from kminer.tying import tie_store

    with terminal.progress() as progress:
        tie_store(db, progress)
    mirror(db)


def _label_new(db: sqlite3.Connection, jobs: int, terminal: Terminal) -> int:
    """Label what the store holds and has not labelled; returns the exit code."""
    from kminer.labelling import label_store

    try:
        with terminal.progress() as progress:
            summary = label_store(db, jobs, True, progress)
    except KminerError as error:
        terminal.fail(f"The changes are stored but not labelled: {error}")
        return error.exit_code
    if summary.labelled:
        terminal.note(f"Labelled {summary.labelled:,} changes in {summary.seconds:.1f} s.")
    return 0


def _chosen(names: tuple[str, ...]) -> list[Source]:
    from kminer import catalogue

    sources = catalogue.load_sources()
    chosen: list[Source] = []
    for name in names or [source.id for source in sources.values() if source.default]:
        chosen += [s for s in sources.values() if s.demo] if name == "demo" else [catalogue.find_source(name)]
    if len({source.demo for source in chosen}) > 1:
        raise UsageError("The demo has a database of its own.", next="Sync it alone: kminer sync demo.")
    return list(dict.fromkeys(chosen))


def _places(pairs: tuple[str, ...], chosen: list[str]) -> dict[str, str]:
    """Where to read each source from: SOURCE=PATH, or PATH alone where one source is to be synced."""
    found = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        alone = not equals or (name not in chosen and Path(pair).expanduser().exists())
        if len(chosen) == 1 and alone:
            name, path = chosen[0], pair
        if not name or not path:
            raise UsageError(f"--from {pair}: write SOURCE=PATH, e.g. --from linux=/path/to/linux.")
        if name not in chosen:
            raise UsageError(f"--from names '{name}', which is not among the sources to sync.")
        found[name] = path
    return found


def _options(source: Source, repos: dict[str, str], jobs: int | None, full: bool, since: str | None) -> Options:
    from kminer.sources.git import Options
    from kminer.workers import default_jobs

    where = repos.get(source.id)
    return Options(
        repository=Path(where).expanduser() if where and where != "auto" else None,
        own_clone=where == "auto",
        jobs=jobs or default_jobs(),
        full=full,
        since=since,
        label=None if source.prose else _label,
    )


def _label(items: Sequence[Item]) -> list[Classification]:
    """Label notes while their sentences are at hand."""
    from kminer.classify.classifier import load_classifier

    return load_classifier(True).classify(items)


def _sync_one(source: Source, db: sqlite3.Connection, database: Path, options: Options, terminal: Terminal) -> Summary:
    from kminer.sources import KINDS, find_sync
    from kminer.store import reader

    if source.kind not in KINDS:
        known = ", ".join(KINDS)
        raise UsageError(f"Source '{source.id}' is of kind '{source.kind}'; known are {known}.", where=source.file)
    demo = reader.holds_demo(db)
    if demo is not None and demo != source.demo:
        held, other = ("the demo", "real history") if demo else ("real history", "the demo")
        raise UsageError(f"This database holds {held}; {other} has one of its own.", where=str(database),
                         next="Name another file with --db.")  # fmt: skip
    with terminal.progress() as progress:
        return find_sync(source.kind)(source, db, database, options, progress)


def _show_summaries(terminal: Terminal, summaries: list[Summary], database: Path, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        terminal.json([asdict(summary) for summary in summaries])
        return
    if terminal.verbosity < 0 or not summaries:
        return
    terminal.table(
        ("source", "read", "matched", "new", "releases", "seconds", "per second", "notes"),
        [
            (s.source, f"{s.read:,}", f"{s.matched:,}", f"{s.new:,}", s.releases, f"{s.seconds:.1f}",
             f"{s.read / s.seconds:,.0f}" if s.read else "", "; ".join(s.notes))
            for s in summaries
        ],
    )  # fmt: skip
    terminal.note(f"Database: {database}")


@main.command()
@click.argument("name", required=False, shell_complete=completes("query"))
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Give a parameter its value.")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json", "jsonl", "md"]), default="table",
              show_default=True, help="How to print the answer.")  # fmt: skip
@click.option("--sql", "only_sql", is_flag=True, help="Show the query instead of running it.")
@click.pass_context
def query(context: click.Context, name: str | None, settings: tuple[str, ...], style: str, only_sql: bool) -> None:
    """List the saved queries, or run the one called NAME (or the .sql file NAME).

    Your own queries live in the folder queries/ of kminer's configuration folder. The database is only read.
    """
    from kminer import catalogue, queries

    if name is None:
        from kminer.console import show_queries

        show_queries(terminal_of(context), catalogue.load_queries().values())
        return
    saved = queries.find(name)
    if only_sql:
        terminal_of(context).document(saved.sql + "\n")
        return
    values = _settings(settings)
    queries.bind(saved, values)
    if style != "table":
        terminal_of(context).document(queries.render(queries.run(open_store(context), saved, values), style))
        return
    terminal = terminal_of(context)
    answer = queries.run(open_store(context), saved, values)
    title = f"Demo data: {saved.title}" if context.find_root().obj else saved.title
    terminal.table(answer.columns, answer.rows, title=title, note=f"{len(answer.rows):,} rows")


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--set {pair}: write KEY=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


@main.command()
@click.argument("prefix", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def show(context: click.Context, prefix: str, as_json: bool) -> None:
    """Show all that is known of the change whose id begins with ID, with references in both directions.

    Of a work, claim, resource or feature of the catalogue, with this very id, show what points to it.
    """
    from dataclasses import asdict

    from kminer.console import show_change
    from kminer.paperscreen import show_catalogued
    from kminer.proposalscreen import show_proposed
    from kminer.store import catalogued, proposals, reader

    terminal, db = terminal_of(context), open_store(context)
    entry = catalogued.find_catalogued(db, prefix.strip())
    if entry is not None:
        terminal.json(asdict(entry)) if as_json else show_catalogued(terminal, entry)
        return
    known = reader.find_change(db, prefix)
    proposed = proposals.describe(db, known.change["id"])
    if as_json:
        terminal.json(asdict(known) | {"proposal": asdict(proposed)})
    else:
        show_change(terminal, known)
        show_proposed(terminal, proposed)


@main.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--source", help="Only this source.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Hits at most.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
@click.pass_context
def search(context: click.Context, words: tuple[str, ...], source: str | None, limit: int, as_json: bool) -> None:
    """Search titles and messages for WORDS, best hits first.

    All words must occur; OR, NOT, prefix*, "a phrase" and NEAR(a b) work as in SQLite's FTS5.
    """
    from kminer.console import show_search
    from kminer.store import reader

    terminal = terminal_of(context)
    db = open_store(context)
    check_known(db, source)
    rows = reader.search(db, " ".join(words), source, limit)
    if as_json:
        terminal.json(rows)
    elif rows:
        show_search(terminal, rows)
    else:
        terminal.note("Nothing found.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def sources(context: click.Context, as_json: bool) -> None:
    """List the sources and the state of each."""
    from kminer import catalogue
    from kminer.console import show_sources
    from kminer.store import reader
    from kminer.store.database import exists

    terminal, states = terminal_of(context), {}
    if exists(database_of(context)):
        states = {str(row["id"]): row for row in reader.list_sources(open_store(context))}
    if as_json:
        terminal.json(list(states.values()))
    else:
        show_sources(terminal, catalogue.load_sources().values(), states)


@main.command()
@click.argument("source", required=False, shell_complete=completes("source"))
@click.option("--rc", is_flag=True, help="Release candidates too.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.pass_context
def releases(context: click.Context, source: str | None, rc: bool, as_json: bool) -> None:
    """List releases, of SOURCE or of all, with the number of changes each was the first to hold."""
    from kminer.store import reader

    terminal = terminal_of(context)
    db = open_store(context)
    check_known(db, source)
    rows = reader.list_releases(db, source, rc)
    if as_json:
        terminal.json(rows)
    else:
        columns = ("source", "tag", "date", "changes", "previous")
        terminal.table(columns, [[row[column] for column in columns] for row in rows])


@main.command()
@click.argument("name", required=False, shell_complete=completes("report"))
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Give a parameter its value.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("reports/out"),
              show_default=True, help="Folder to write to.")  # fmt: skip
@click.option("--html", "as_html", is_flag=True, help="Write it as one self-contained HTML page too.")
@click.pass_context
def report(context: click.Context, name: str | None, settings: tuple[str, ...], out: Path, as_html: bool) -> None:
    """List the reports, or write the one called NAME as Markdown with SVG pictures."""
    from kminer import catalogue, reports

    terminal = terminal_of(context)
    if name is None:
        rows = [(known, reports.describe(file)) for known, file in catalogue.load_reports().items()]
        terminal.table(("report", "why"), rows)
        return
    written = reports.write(open_store(context), catalogue.find_report(name), _settings(settings), out, as_html)
    terminal.say(str(written))
    if as_html:
        terminal.say(str(written.with_suffix(".html")))


@main.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Load every file of data/, queries/ and reports/, shipped and your own, and say what is wrong."""
    from kminer.checks import CHECKS

    terminal, failed = terminal_of(context), 0
    for folder, load in CHECKS.items():
        try:
            loaded = load()
        except KminerError as error:
            failed = error.exit_code
            terminal.fail(str(error))
        else:
            terminal.say(f"{folder}: {len(loaded)} good")
    context.exit(failed)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL; e.g. kminer completion bash >> ~/.bashrc."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "kminer", "_KMINER_COMPLETE").source())


main.add_command(labelcli.classify)
main.add_command(labelcli.label)
main.add_command(labelcli.train)
main.add_command(labelcli.evaluate)
main.add_command(probecli.probe)
main.add_command(probecli.features)
main.add_command(papercli.papers)
main.add_command(papercli.resources)
main.add_command(readcli.read)
