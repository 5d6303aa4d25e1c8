"""The commands about labels: classify, label, train, evaluate."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from kminer.command import check_known, completes, database_of, open_store, terminal_of
from kminer.errors import KminerError, UsageError

if TYPE_CHECKING:
    import sqlite3

    from kminer.console import Terminal
    from kminer.corpus import LabelledText

_FILES = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("source", required=False, shell_complete=completes("source"))
@click.option("--jsonl", "stream", is_flag=True,
              help="Label lines of JSON from standard input instead; no database is used.")  # fmt: skip
@click.option("--no-model", is_flag=True, help="By rules alone: ten times faster, and less right.")
@click.option("--full", is_flag=True, help="Label anew what this version has labelled already.")
@click.option("--diff", is_flag=True, help="Then show how the labels differ from those of the version before.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Processes.  [default: one a processor]")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def classify(
    context: click.Context, source: str | None, stream: bool, no_model: bool, full: bool, diff: bool,
    jobs: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Label the changes that the database holds, of SOURCE or of all: what is new, or labelled by another version.

    With --jsonl it is a filter: a line {"id", "title", "text", "files"} in, a line with its labels, their scores and
    the evidence out, in the same order. A line that is no change gives a line with `error`, and exit code 1.
    """
    from dataclasses import asdict

    from kminer.labelling import label_store
    from kminer.reading import mirror
    from kminer.store.database import exists, open_for_writing
    from kminer.workers import default_jobs

    jobs, terminal = jobs or default_jobs(), terminal_of(context)
    if stream:
        if source or full or diff or as_json:
            raise UsageError("--jsonl goes with --no-model and --jobs only.")
        context.exit(_filter(sys.stdin.buffer, jobs, not no_model, terminal))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not exists(database_of(context)):
        open_store(context)
    with open_for_writing(database_of(context)) as db:
        check_known(db, source)
        with terminal.progress() as progress:
            summary = label_store(db, jobs, not no_model, progress, full, source)
        mirror(db)
        if as_json:
            terminal.json(asdict(summary))
        else:
            terminal.note(
                f"Labelled {summary.labelled:,} changes in {summary.seconds:.1f} s (version {summary.version}): "
                f"{summary.by_hand:,} by hand, {summary.unknown:,} unknown; {summary.known:,} were up to date."
            )
        if diff:
            _show_differences(db, terminal)


def _show_differences(db: sqlite3.Connection, terminal: Terminal) -> None:
    from kminer.store import labels

    counted = labels.count_differences(db)
    if not counted:
        terminal.note("No label differs from the version before.")
        return
    for rows, title in ((counted, "Labels gained and lost since the version before"),
                        (labels.list_differences(db, 25), "Changes that differ most")):  # fmt: skip
        terminal.table(tuple(rows[0]), [tuple(row.values()) for row in rows], title=title)


def _filter(lines: IO[bytes], jobs: int, with_model: bool, terminal: Terminal) -> int:
    """Label lines of JSON; what cannot be read gets a line that says so. Returns the exit code."""
    from kminer.classify.jsonl import label_lines

    bad = 0
    for line, good in label_lines(lines, jobs, with_model):
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
        bad += not good
    sys.stdout.buffer.flush()
    if bad:
        terminal.fail(f"{bad:,} lines were not changes; each has a line with `error` in the output.")
    return int(bad > 0)


@click.command()
@click.option("--source", help="Only changes of this source.", shell_complete=completes("source"))
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, help="Changes to show at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another number draws other changes by chance.")
@click.option("--list", "only_list", is_flag=True, help="Show the queue instead of asking.")
@click.pass_context
def label(context: click.Context, source: str | None, count: int, seed: int, only_list: bool) -> None:
    """Label changes by hand, one after another; each answer is kept at once, and overrides rules and model.

    The queue holds changes on which the voters disagree, that are near the threshold, that have a rare label, and one
    in five by chance. What kminer thinks is not shown, so that your labels are your own. Ids that end in 0 are
    reserved for the evaluation and never asked. `kminer classify` brings your labels into the database.
    """
    from kminer import handlabels

    terminal = terminal_of(context)
    db = open_store(context)
    check_known(db, source)
    rows = handlabels.queue(db, count, source, seed)
    if not rows:
        terminal.note("There is nothing to label: sync and classify first, or all was labelled.")
    elif only_list:
        terminal.table(("id", "source", "why", "title"),
                       [(str(r["key"])[:12], r["source"], r["why"], r["title"]) for r in rows])  # fmt: skip
    else:
        done = handlabels.ask_all(db, rows, terminal.say)
        terminal.note(f"{done} labelled, in {handlabels.own_file()}. `kminer classify` brings them into the database.")


@click.command()
@click.option("--texts", "files", type=_FILES, multiple=True,
              help="Lines of JSON with the texts of labelled changes that the database does not hold.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for the model.  [default: data/model in kminer's configuration folder]")  # fmt: skip
@click.option("--figures", type=_FILES,
              help="State these figures, of `kminer evaluate --format json`, in the model's card.")  # fmt: skip
@click.pass_context
def train(context: click.Context, files: tuple[Path, ...], out: Path | None, figures: Path | None) -> None:
    """Train the model from all labels by hand whose texts are at hand; the same data give the same model.

    Needs scikit-learn: pip install 'kminer[train]'. The new model is used at once; `kminer classify --diff` then
    shows what it labels otherwise.
    """
    from kminer import places

    _need_training()
    from kminer.learning import train_model

    terminal = terminal_of(context)
    target = out or places.own("data") / "model"
    corpus = _corpus(context, files)
    with terminal.progress() as progress:
        facts = train_model(corpus, target, progress, _figures(figures))
    told = f"Trained on {facts['examples']:,} changes ({', '.join(facts['sources'])})"
    terminal.note(f"{told}; the model is in {target}.")


@click.command()
@click.option("--texts", "files", type=_FILES, multiple=True, help="As for train.")
@click.option("--project", "projects", multiple=True, default=["runc"], show_default=True,
              help="A source to hold out whole.")  # fmt: skip
@click.option("--format", "style", type=click.Choice(["md", "json"]), default="md", show_default=True,
              help="How to print the figures.")  # fmt: skip
@click.pass_context
def evaluate(context: click.Context, files: tuple[Path, ...], projects: tuple[str, ...], style: str) -> None:
    """Measure labels against those by hand: on the newest changes, and on a project that was not trained on.

    Beside kminer stand path rules alone, keywords, and TF-IDF with a logistic regression, in the same run.
    Needs scikit-learn: pip install 'kminer[train]'.
    """
    _need_training()
    from kminer.evaluationpage import page
    from kminer.learning import evaluate_corpus

    terminal = terminal_of(context)
    corpus = _corpus(context, files)
    with terminal.progress() as progress:
        figures = evaluate_corpus(corpus, projects, progress)
    if style == "json":
        terminal.json(figures)
    else:
        terminal.document(page(figures))


def _figures(file: Path | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if "splits" not in found:
            raise ValueError("it has no `splits`")
    except ValueError as error:
        raise UsageError(f"This file does not hold the figures of an evaluation: {error}.", where=str(file)) from error
    return found


def _need_training() -> None:
    if find_spec("sklearn") is None:
        raise KminerError("Training needs scikit-learn, which is not installed.",
                          next="Install it: pip install 'kminer[train]'.")  # fmt: skip


def _corpus(context: click.Context, files: tuple[Path, ...]) -> list[LabelledText]:
    from kminer.corpus import load_corpus
    from kminer.store.database import exists

    db = open_store(context) if exists(database_of(context)) else None
    with contextlib.closing(db) if db else contextlib.nullcontext():
        corpus = load_corpus(db, files)
    titles = len({one.item.title for one in corpus})
    if titles < MANY_ENOUGH:
        raise UsageError(
            f"The texts of only {titles} labelled changes with different titles are at hand; it takes {MANY_ENOUGH}.",
            next="Sync the sources they come from, or name files of texts with --texts (see docs/classification.md).",
        )
    return corpus


MANY_ENOUGH = 50
