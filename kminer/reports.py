"""Writes a report: a template's Markdown with the answers of saved queries, and the pictures beside it.

A template sees the database only through saved queries, so that each number in a report can be had again with
`kminer query`. Whatever it interpolates is passed through foreign.markdown(), unless a function or filter of this
module made it: text that others wrote cannot become markup by an oversight. The same database gives the same bytes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kminer import catalogue, labelbook, places, queries
from kminer.errors import CatalogueError, KminerError
from kminer.foreign import markdown
from kminer.markup import (
    Markdown,
    code,
    command,
    first_paragraph,
    html,
    link,
    number,
    rows_table,
    short_title,
    show,
)
from kminer.pictures import (
    GROUPS,
    NO_MECHANISM,
    Pictures,
    Row,
    in_order,
    narrowest,
    pivot,
)
from kminer.records import SavedQuery, Source
from kminer.reporthost import Hosts
from kminer.reportquery import Asker, Result
from kminer.reportreleases import Releases
from kminer.store.reader import holds_demo

_HOSTED = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")


class ReportError(KminerError):
    """A report cannot be written (exit code 1)."""


def describe(template: Path) -> str:
    """One line on why one would want this report. Raises CatalogueError when the template's head is not understood."""
    return _head(template).why


def write(
    db: sqlite3.Connection, template: Path, settings: Mapping[str, str], out: Path, as_html: bool = False
) -> Path:
    """Write the report as NAME.md, and its pictures as NAME-*.svg beside it, into `out`; returns the .md's path.

    With `as_html` also NAME.html, one page that holds all of it.

    Raises UsageError for a setting that is missing, unknown or means nothing here, CatalogueError for a template that
    is wrong, QueryError for a query that fails, ReportError when `out` cannot be written. Nothing is written then.
    """
    head = _head(template)
    report = _Report(Asker(db), Pictures(head.name, "Demo data" if holds_demo(db) else ""))
    values = queries.bind(head, settings, "report", r"\d{1,9}")
    with _template_errors(template):
        text = _environment(report, template).get_template(template.name).render(values)
    target, drawn = out / f"{head.name}.md", report.pictures.drawn
    files = {**drawn, target.name: _tidy(text + _also_asked(report.asker, text))}
    if as_html:
        from kminer.htmlpage import page

        files[f"{head.name}.html"] = page(head.title, files[target.name], drawn)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            _replace(out / file, content)
    except OSError as error:
        raise ReportError(
            f"The report cannot be written: {error.strerror or error}.",
            where=str(error.filename or target),
            next="Name a folder you may write to with --out, and check free disk space.",
        ) from error
    return target


def _also_asked(asker: Asker, text: str) -> str:
    """The questions that the text rests on and does not name, so that each number can be had again."""
    asked = {command(result.name, **dict(result.settings)) for result in asker.known.values()}
    named = {_as_set(code) for code in re.findall(r"`kminer query ([^`]+)`", text)}
    rest = sorted(one for one in asked if _as_set(one.strip("`").removeprefix("kminer query ")) not in named)
    told = "\n".join(f"- {one}" for one in rest)
    return f"\n\n## Also asked\n\nBeside the questions named above, this report rests on:\n\n{told}\n" if rest else ""


def _as_set(line: str) -> tuple[str, ...]:
    """A query's name and settings, whatever the order of the latter."""
    name, *settings = line.split(" --set ")
    return (name, *sorted(settings))


def _head(template: Path) -> SavedQuery:
    """Title, why and parameters: the same lines as in a query's head, inside the comment that opens the template."""
    head = catalogue.read_query(template)
    return SavedQuery(template.name.removesuffix(".md.j2"), head.title, head.why, head.parameters, "", str(template))


@contextmanager
def _template_errors(template: Path) -> Iterator[None]:
    try:
        yield
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        line = f":{error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
        raise CatalogueError(
            f"This report's template is wrong: {error}.",
            where=f"{template}{line}",
            next="Mend it; docs/extending.md says what a template can use.",
        ) from error


def _environment(report: _Report, template: Path) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([template.parent, places.shipped("reports")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=show,
    )
    environment.globals = report.functions()
    environment.filters.update(_FILTERS)
    return environment


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _replace(file: Path, content: str) -> None:
    """Write so that a reader of `file` sees the old content or the new, never half of it."""
    beside = file.with_name(file.name + ".part")
    try:
        beside.write_text(content, encoding="utf-8", newline="\n")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


@dataclass(slots=True)
class _Report:
    """What one report asks and draws: the functions its template may call."""

    asker: Asker
    pictures: Pictures
    sources: Mapping[str, Source] = field(default_factory=catalogue.load_sources)

    def functions(self) -> dict[str, object]:
        """Functions of a template, and one table, by name."""
        asker, demo = self.asker, self.demo()
        return {
            **Releases(asker.query, self.sources, demo).functions(),
            **Hosts(asker.query, demo).functions(),
            "query": asker.query,
            "command": command,
            "table": _table,
            "pivot": pivot,
            "link": link,
            "change": change,
            "demo": self.demo,
            "in_short": in_short,
            "missing": missing,
            "homepage": self.homepage,
            "group_names": {part.key: part.name for part in GROUPS.values()},
            "chart_heat": self.pictures.heat,
            "chart_stack": self.pictures.stack,
            "chart_bars": self.pictures.bars,
            "chart_timeline": self.pictures.timeline,
            "chart_events": self.pictures.events,
        }

    def demo(self) -> bool:
        """Whether the database holds the demo."""
        return bool(self.pictures.mark)

    def homepage(self, source: str) -> str:
        """Where a source can be read by people, as the catalogue says; empty if it does not."""
        return self.sources[source].homepage if source in self.sources else ""


def change(row: Row) -> str:
    """A change's id as a link to it."""
    return link(code(row["id"]), row.get("link"))


def pull_links(values: str | Sequence[str] | None) -> Markdown:
    """Pull requests and issues ("owner/name#1 owner/name#2") as links to their code host."""
    names = values.split() if isinstance(values, str) else values or ()
    return Markdown(", ".join(link(name, _pull_address(name)) for name in names))


def _pull_address(name: str) -> str:
    match = _HOSTED.fullmatch(name)
    return f"https://github.com/{match[1]}/issues/{match[2]}" if match else ""


def _table(result: Result | Sequence[Row], *columns: str) -> Markdown:
    """A template's table of the named columns, or of all."""
    rows = list(result)
    known = result.columns if isinstance(result, Result) else tuple(rows[0] if rows else ())
    return rows_table(rows, columns or known)


def _about(mechanism: str) -> str:
    if mechanism == NO_MECHANISM:
        return "no label and no path gives one"
    return labelbook.load_labels().mechanisms.get(mechanism, "")


def in_short(result: Result, by: str, name: str, value: str) -> dict[str, str]:
    """Rows in short, by the value of `by`: "name (value), name (value)"."""
    short: dict[str, list[str]] = {}
    for row in result:
        short.setdefault(str(row[by]), []).append(f"{row[name]} ({row[value]})")
    return {key: ", ".join(parts) for key, parts in short.items()}


def missing(held: Result) -> list[Source]:
    """The sources read by default whose project the database holds nothing of; none in the demo's."""
    projects = {row["project"] for row in held}
    defaults = [source for source in catalogue.load_sources().values() if source.default]
    return [] if any(row["demo"] for row in held) else [s for s in defaults if s.project not in projects]


_FILTERS: dict[str, Callable[..., object]] = {
    "md": lambda value: Markdown(markdown(str(value))),
    "code": code,
    "number": number,
    "first_paragraph": first_paragraph,
    "short_title": short_title,
    "in_order": in_order,
    "narrowest": narrowest,
    "about": _about,
    "html": html,
    "pull_links": pull_links,
    "words": str.split,
}
