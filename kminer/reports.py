"""Writes a report: a template's Markdown with the answers of saved queries, and the pictures beside it.

A template sees the database only through saved queries, so that each number in a report can be had again with
`kminer query`. Whatever it interpolates is passed through foreign.markdown(), unless a function or filter of this
module made it: text that others wrote cannot become markup by an oversight. The same database gives the same bytes.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from html import escape
from pathlib import Path
from urllib.parse import quote

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kminer import catalogue, charts, places, queries
from kminer.errors import CatalogueError, KminerError, UsageError
from kminer.foreign import code_span, inert, markdown
from kminer.records import Feature, SavedQuery, Source

WORDS_ONLY = "(words only)"
"""Stands in for the mechanism of a change that speaks of one, and touches none of its tracked files."""

MECHANISMS = {
    "ns.core": "what all namespaces share",
    "ns.mnt": "mount namespace",
    "ns.uts": "UTS namespace",
    "ns.ipc": "IPC namespace",
    "ns.pid": "PID namespace",
    "ns.net": "network namespace",
    "ns.user": "user namespace, id maps",
    "ns.cgroup": "cgroup namespace",
    "ns.time": "time namespace",
    "cg.core": "the cgroup hierarchy itself",
    "cg.cpu": "cpu controller, bandwidth, cpuacct",
    "cg.cpuset": "cpuset",
    "cg.memory": "memory controller (memcg)",
    "cg.io": "block I/O controller",
    "cg.pids": "pids controller",
    "cg.devices": "devices controller",
    "cg.freezer": "freezer",
    "cg.hugetlb": "hugetlb controller",
    "cg.rdma": "rdma controller",
    "cg.perf": "perf_event controller",
    "cg.net": "net_cls, net_prio, network policy per cgroup",
    "cg.misc": "misc, dmem, debug and other controllers",
    "cg.psi": "pressure stall information",
    "fs.overlay": "overlayfs",
    "fs.driver": "the engine's layer storage",
    "sec.seccomp": "seccomp filters",
    "sec.caps": "capabilities",
    "sec.lsm": "security modules as used for containers",
    "mgmt.image": "images: build, pull, push, store",
    "mgmt.orchestration": "services and scheduling over hosts",
    "mgmt.runtime": "container life cycle and configuration",
    WORDS_ONLY: "named in the message, no tracked file touched",
}
"""The mechanisms in the order of the taxonomy (LABELS.md), and what each is."""

_FAMILIES = {
    "ns": charts.Part("ns", "namespaces", 0),
    "cg": charts.Part("cg", "control groups", 1),
    "fs": charts.Part("fs", "overlayfs, storage drivers", 2),
    "sec": charts.Part("sec", "seccomp, capabilities, LSMs", 3),
    "mgmt": charts.Part("mgmt", "images, life cycle, orchestration", 4),
    WORDS_ONLY: charts.Part(WORDS_ONLY, "named in the message only", 7),
}
_EVIDENCE = {
    "cve": charts.Part("cve", "name a CVE", 3),
    "fix": charts.Part("fix", "mend a named commit, or are meant for stable", 1),
    "revert": charts.Part("revert", "revert a commit", 4),
    "other": charts.Part("other", "the other changes", 5),
}
_WIDE = {"ns.core", "cg.core", "mgmt.runtime"}
_PARTS = {"family": _FAMILIES, "evidence": _EVIDENCE}
_MOST_EVENTS = 48
_DEMO = "Demo data"

Row = dict[str, object]
Rows = Iterable[Row]


class ReportError(KminerError):
    """A report cannot be written (exit code 1)."""


class Markdown(str):
    """Text that is Markdown already: made here, never what others wrote."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer as a template sees it: rows as dictionaries; `name` and `settings` ask it again."""

    name: str
    settings: tuple[tuple[str, str | int], ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def describe(template: Path) -> str:
    """One line on why one would want this report. Raises CatalogueError when the template's head is not understood."""
    return _head(template).why


def write(db: sqlite3.Connection, template: Path, settings: Mapping[str, str], out: Path) -> Path:
    """Write the report as NAME.md, and its pictures as NAME-*.svg beside it, into `out`; returns the .md's path.

    Raises UsageError for a setting that is missing, unknown or means nothing here, CatalogueError for a template that
    is wrong, QueryError for a query that fails, ReportError when `out` cannot be written. Nothing is written then.
    """
    head = _head(template)
    report = _Report(db, head.name)
    values = _bind(head, settings)
    with _template_errors(template):
        text = _environment(report, template).get_template(template.name).render(values)
    target = out / f"{head.name}.md"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, content in {**report.pictures, target.name: _tidy(text)}.items():
            _replace(out / file, content)
    except OSError as error:
        raise ReportError(
            f"The report cannot be written: {error.strerror or error}.",
            where=str(error.filename or target),
            next="Name a folder you may write to with --out, and check free disk space.",
        ) from error
    return target


def _head(template: Path) -> SavedQuery:
    """Title, why and parameters: the same lines as in a query's head, inside the comment that opens the template."""
    head = catalogue.read_query(template)
    return SavedQuery(template.name.removesuffix(".md.j2"), head.title, head.why, head.parameters, "", str(template))


def _bind(head: SavedQuery, settings: Mapping[str, str]) -> dict[str, object]:
    known = {parameter.name: parameter for parameter in head.parameters}
    for name in settings:
        if name not in known:
            raise UsageError(
                f"Report '{head.name}' has no parameter '{name}'.",
                where=head.file,
                next=f"Its parameters: {', '.join(known) or 'none'}.",
            )
    values: dict[str, object] = {}
    for name, parameter in known.items():
        value: str | int | None = settings.get(name, parameter.default)
        if value is None:
            raise UsageError(
                f"Report '{head.name}' needs --set {name}=...: {parameter.about}.",
                next=f"kminer report {head.name} "
                + " ".join(f"--set {p.name}={p.default or '...'}" for p in head.parameters if p.default is None),
            )
        if isinstance(parameter.default, int) and isinstance(value, str):
            if not re.fullmatch(r"\d{1,9}", value):
                raise UsageError(f"--set {name}={value}: this must be a whole number ({parameter.about}).")
            value = int(value)
        values[name] = value
    return values


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


def show(value: object) -> str:
    """Any value as Markdown: what this module made as it is, all else inert on one line, nothing for None."""
    if isinstance(value, Markdown):
        return value
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else markdown(str(value))


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

    db: sqlite3.Connection
    name: str
    pictures: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, tuple[tuple[str, str | int], ...]], Result] = field(default_factory=dict)

    def functions(self) -> dict[str, object]:
        """Functions of a template, and one table, by name."""
        return {
            "query": self.query,
            "command": command,
            "table": table,
            "pivot": pivot,
            "link": link,
            "demo": self.demo,
            "milestones_of": self.milestones_of,
            "new_features": new_features,
            "in_short": in_short,
            "missing": missing,
            "evidence_names": {part.key: part.name for part in _EVIDENCE.values()},
            "span": self.span,
            "upgrade": self.upgrade,
            "source_of": self.source_of,
            "chart_heat": self.chart_heat,
            "chart_stack": self.chart_stack,
            "chart_bars": self.chart_bars,
            "chart_timeline": self.chart_timeline,
        }

    def query(self, name: str, **settings: str | int) -> Result:
        """The answer of a saved query."""
        key = (name, tuple(sorted(settings.items())))
        if key not in self.known:
            answer = queries.run(self.db, queries.find(name), settings)
            self.known[key] = Result(name, key[1], answer.columns, tuple(answer.dicts()))
        return self.known[key]

    def demo(self) -> bool:
        """Whether the database holds the demo."""
        return any(row["demo"] for row in self.query("report-sources"))

    def source_of(self, project: str, *names: str) -> str | None:
        """The source that holds the project's releases `names`, else one of the project; None if there is none."""
        sources = [str(row["source"]) for row in self.query("report-sources") if row["project"] == project]
        for source in sources:
            releases = self.query("report-release-dates", source=source)
            known = {row[column] for row in releases for column in ("tag", "version")}
            if known.issuperset(names):
                return source
        return next((source for source in sources if self.query("report-release-dates", source=source)), None)

    def span(self, source: str, old: str, new: str) -> dict[str, Row]:
        """The releases of `source` that the settings `from` and `to` mean, by tag or version.

        Raises UsageError with the nearest tags for one that is unknown, and when `to` is not the later one.
        """
        ends = {"old": self._release(source, "from", old), "new": self._release(source, "to", new)}
        if int(str(ends["old"]["position"])) >= int(str(ends["new"]["position"])):
            raise UsageError(
                f"{ends['new']['tag']} does not come after {ends['old']['tag']}.",
                where=f"--set from={ends['old']['tag']} --set to={ends['new']['tag']}",
                next="Give the older release as from, the newer one as to.",
            )
        return ends

    def _release(self, source: str, setting: str, name: str) -> Row:
        releases = self.query("report-release-dates", source=source).rows
        for column in ("tag", "version"):
            for row in releases:
                if row[column] == name:
                    return row
        near = _nearest(name, [str(row["tag"]) for row in releases])
        raise UsageError(
            f"'{inert(name, keep='')}' is not a release of {source} in this database.",
            where=f"--set {setting}={inert(name, keep='')}",
            next=f"Nearest are {', '.join(near)}; `kminer releases {source} --rc` lists all.",
        )

    def milestones_of(self, project: str, source: str) -> list[Row]:
        """The catalogue's features of `project` that `source` has reached, in the order of their releases."""
        released = {row["version"]: row for row in self.query("report-release-dates", source=source)}
        newest = max((_version(str(version)) for version in released), default=())
        dates = {date.version: date for date in catalogue.load_release_dates().get(project, [])}
        rows = []
        for feature in _features(project):
            version = str(feature.since)
            if newest and _version(version) <= newest:
                found, listed = released.get(version), dates.get(version)
                rows.append(
                    {
                        "release": found["tag"] if found else version,
                        "date": found["date"] if found else listed.date if listed else None,
                        "in_store": found is not None,
                        "feature": feature,
                    }
                )
        return rows

    def upgrade(self, project: str, source: str, old: str, new: str) -> list[Row]:
        """What new-between answers, each change once: with its narrowest `mechanism` and the others as `also`, its
        `evidence` (cve, fix, revert, other; pull or merge for those) and what it points at, its `release_line`.
        """
        between = self.query("new-between", project=project, **{"from": old, "to": new})
        signs = {row["id"]: row for row in self.query("report-evidence", source=source)}
        texts = {row["id"]: row["text"] for row in self.query("report-summaries", source=source)}
        lines = {row["tag"]: row["series"] for row in self.query("report-release-dates", source=source)}
        rows: dict[object, Row] = {}
        for row in between:
            first, *others = _narrowest_first(str(row["mechanisms"] or WORDS_ONLY).split(", "))
            sign = signs.get(row["id"], {})
            rows.setdefault(row["id"], row | {
                "mechanism": first,
                "also": " ".join(others),
                "evidence": sign.get("evidence", "other") if row["type"] == "commit" else row["type"],
                "release_line": lines.get(row["release"], row["release"]),
                "text": texts.get(row["id"]),
                **{name: sign.get(name) for name in ("cves", "fixes", "reverts")},
            })  # fmt: skip
        return list(rows.values())

    def chart_heat(
        self, slug: str, result: Rows, row: str, column: str, value: str = "", *, title: str, unit: str
    ) -> str:
        """A heat map of at least two columns, as an image's Markdown; else nothing."""
        values = _sums(result, row, column, value)
        rows, columns = in_order({key[0] for key in values}), _columns(result, column)
        columns = _whole_years(columns) if column == "year" else columns
        if len(columns) < 2 or not values:
            return Markdown("")
        drawn = charts.heat_map(
            self._titled(title), rows, columns, values, row_axis=row, column_axis=_words(column), unit=unit
        )
        return self._picture(slug, title, drawn)

    def chart_stack(
        self, slug: str, result: Rows, column: str, part: str, value: str = "", *, title: str, unit: str
    ) -> str:
        """Standing bars, one a value of `column`; `part` is family (of mechanism) or evidence."""
        values = _sums(result, part, column, value)
        columns = _whole_years(_columns(result, column)) if column == "year" else _columns(result, column)
        if len(columns) < 2 or not values:
            return Markdown("")
        drawn = charts.stacked_bars(
            self._titled(title), columns, list(_PARTS[part].values()), values, axis=_words(column), unit=unit
        )
        return self._picture(slug, title, drawn)

    def chart_bars(
        self, slug: str, result: Rows, row: str, part: str, value: str = "", *, title: str, unit: str
    ) -> str:
        """Lying bars, one a value of `row`; `part` is family (of mechanism) or evidence."""
        values = _sums(result, part, row, value)
        rows = in_order({key[1] for key in values})
        if not rows:
            return Markdown("")
        drawn = charts.bars(self._titled(title), rows, list(_PARTS[part].values()), values, axis=_words(row), unit=unit)
        return self._picture(slug, title, drawn)

    def chart_timeline(self, slug: str, milestones: Sequence[Row], *, title: str) -> str:
        """Milestones by date, in a lane for each mechanism; a picture for each family where one would grow too high."""
        dated = [(row["feature"], str(row["date"])) for row in milestones if row["date"]]
        lanes: dict[str, list[charts.Event]] = {}
        for feature, day in dated:
            assert isinstance(feature, Feature)
            lanes.setdefault(narrowest(feature), []).append(charts.Event(day, feature.title))
        if len(dated) < 2:
            return Markdown("")
        if len(dated) <= _MOST_EVENTS:
            return self._timeline(slug, lanes, title)
        families = dict.fromkeys(_family(lane) for lane in in_order(lanes))
        return Markdown(
            "\n\n".join(
                self._timeline(
                    f"{slug}-{family}",
                    {lane: lanes[lane] for lane in lanes if _family(lane) == family},
                    f"{title}, {_FAMILIES[family].name if family in _FAMILIES else family}",
                )
                for family in families
            )
        )

    def _timeline(self, slug: str, lanes: Mapping[str, Sequence[charts.Event]], title: str) -> Markdown:
        colours = {lane: _FAMILIES[family].colour for lane in lanes if (family := _family(lane)) in _FAMILIES}
        drawn = charts.timeline(
            self._titled(title),
            {lane: lanes[lane] for lane in in_order(lanes)},
            dict.fromkeys(lanes, charts.COLOURS - 1) | colours,
            axis="mechanism",
        )
        return self._picture(slug, title, drawn)

    def _titled(self, title: str) -> str:
        return f"{_DEMO}: {title}" if self.demo() else title

    def _picture(self, slug: str, title: str, drawn: str) -> Markdown:
        name = f"{self.name}-{re.sub(r'[^a-z0-9._-]+', '-', slug.lower())}.svg"
        self.pictures[name] = drawn
        return Markdown(f"![{markdown(self._titled(title))}]({name})")


def _nearest(name: str, tags: Sequence[str]) -> list[str]:
    """Candidates of the version first, then what lies below it, then what is spelt alike; the newest if nothing is."""
    wanted = _version(name)
    same = [tag for tag in tags if wanted and _version(tag)[: len(wanted)] == wanted][-3:]
    below = [tag for tag in tags if wanted and _version(tag) < wanted][-1:]
    near = list(dict.fromkeys([*same, *below, *get_close_matches(name[:100], tags, 3, 0.6)]))[:5]
    return near or list(tags[-1:])


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text))


def _features(project: str) -> list[Feature]:
    known = [f for f in catalogue.load_features().values() if f.project == project and f.since]
    return sorted(known, key=lambda f: (_version(str(f.since)), f.id))


def new_features(project: str, after: str, until: str) -> list[Feature]:
    """The catalogue's features of `project` whose first release lies after version `after`, up to `until`."""
    return [f for f in _features(project) if _version(after) < _version(str(f.since)) <= _version(until)]


def _narrowest_first(mechanisms: Iterable[str]) -> list[str]:
    return sorted(mechanisms, key=lambda name: (name in _WIDE, name))


def narrowest(feature: Feature) -> str:
    """The mechanism a feature is shown under: the first that its file names."""
    return feature.mechanisms[0] if feature.mechanisms else "other"


def _sums(result: Rows, first: str, second: str, value: str) -> dict[tuple[str, str], int]:
    """Sums of `value` by the pair of columns; the column `family` is taken from the mechanism."""
    sums: dict[tuple[str, str], int] = {}
    for row in result:
        key = (_key(row, first), _key(row, second))
        sums[key] = sums.get(key, 0) + (int(str(row[value])) if value else 1)
    return {key: count for key, count in sums.items() if count}


def _key(row: Row, column: str) -> str:
    return _family(str(row["mechanism"])) if column == "family" else str(row[column])


def _family(mechanism: str) -> str:
    return mechanism.split(".")[0]


def _columns(result: Rows, column: str) -> list[str]:
    return list(dict.fromkeys(str(row[column]) for row in result))


def _whole_years(years: Sequence[str]) -> list[str]:
    """Years without gaps, unless a wrong date far off makes them too many."""
    first, last = int(min(years, default="1")), int(max(years, default="0"))
    return [str(year) for year in range(first, last + 1)] if last - first < 40 else list(years)


def _words(column: str) -> str:
    return column.replace("_", " ")


def in_order(names: Iterable[object]) -> list[str]:
    """Mechanisms in the order of the taxonomy, unknown ones behind."""
    order = {name: index for index, name in enumerate(MECHANISMS)}
    return sorted(map(str, names), key=lambda name: (order.get(name, len(order)), name))


def command(name: str, **settings: str | int) -> Markdown:
    """The command line that asks a saved query, as code."""
    parts = [f"kminer query {name}", *(f"--set {shlex.quote(f'{key}={value}')}" for key, value in settings.items())]
    return Markdown(code_span(" ".join(parts)))


def link(text: object, address: object) -> str:
    """`text` as a link, if `address` is one of the web; `text` alone otherwise."""
    shown, target = show(text), str(address or "")
    if not re.match(r"https?://[\w.-]+/", target):
        return Markdown(shown)
    return Markdown(f"[{shown}]({quote(target, safe=':/?&=%#~@+,;.-_')})")


def table(result: Result | Sequence[Row], *columns: str) -> Markdown:
    """A Markdown table of the named columns (all, if none); a column `id` becomes a link where rows have a `link`."""
    rows = list(result)
    names = columns or (result.columns if isinstance(result, Result) else tuple(rows[0] if rows else ()))
    names = tuple(name for name in names if name != "link")
    return _markdown_table(names, [[_cell(row, name) for name in names] for row in rows])


def _cell(row: Row, name: str) -> object:
    if name == "id":
        return link(Markdown(code_span(str(row["id"]))), row.get("link"))
    return row[name]


def _markdown_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> Markdown:
    numeric = [all(isinstance(row[index], int | float | None) for row in rows) for index in range(len(names))]
    lines = [
        "| " + " | ".join(show(_words(name)) for name in names) + " |",
        "|" + "|".join(" ---: " if right else " --- " for right in numeric) + "|",
        *("| " + " | ".join(show(value) for value in row) + " |" for row in rows),
    ]
    return Markdown("\n".join(lines) + "\n")


def pivot(result: Rows, row: str, column: str, value: str = "") -> Markdown:
    """A table: a line for each value of `row`, a column for each value of `column`, blank where there is none."""
    values = _sums(result, row, column, value)
    columns = in_order({key[1] for key in values})
    names = in_order(_columns(result, row)) if row == "mechanism" else _columns(result, row)
    lines = [[name, *(values.get((name, other)) for other in columns)] for name in names]
    return _markdown_table([row, *columns], lines)


def first_paragraph(text: object, length: int = 320) -> str:
    """What a maintainer's message says first, without its title and, in old merges, without git's own line."""
    parts = [part for part in re.split(r"\n\s*\n", str(text or "").strip()[:20000])[1:] if part.strip()]
    if len(parts) > 1 and re.fullmatch(r"\s*Pull .+ from .+:\s*", parts[0], re.DOTALL):
        parts = parts[1:]
    lines = [line.strip() for line in (parts[0] if parts else "").splitlines()]
    if lines and re.match(r"\* .*:(?: \(\d+ commits\))?$", lines[0]):
        line = "; ".join(line for line in lines[1:] if line)
    else:
        line = " ".join(lines)
    return line if len(line) <= length else line[:length].rsplit(" ", 1)[0].rstrip(" ;,.") + " …"


def short_title(title: object) -> str:
    """A merge's title without the address it was pulled from."""
    return re.sub(r"(?: of| from) \S+://\S+", "", str(title))


def _code(value: object) -> Markdown:
    return Markdown(code_span(str(value)))


def _number(value: int) -> Markdown:
    return Markdown(f"{value:,}")


def _about(mechanism: str) -> str:
    return MECHANISMS.get(mechanism, "")


def _html(value: object) -> Markdown:
    """Text inside an HTML element, where Markdown's own escapes would show."""
    return Markdown(escape(" ".join(inert(str(value), keep=" ").split())))


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
    "code": _code,
    "number": _number,
    "first_paragraph": first_paragraph,
    "short_title": short_title,
    "in_order": in_order,
    "narrowest": narrowest,
    "about": _about,
    "html": _html,
}
