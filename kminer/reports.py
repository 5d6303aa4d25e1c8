"""Writes a report: a template's Markdown with the answers of saved queries, and the pictures beside it.

A template sees the database only through saved queries, so that each number in a report can be had again with
`kminer query`. Whatever it interpolates is passed through foreign.markdown(), unless a function or filter of this
module made it: text that others wrote cannot become markup by an oversight. The same database gives the same bytes.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kminer import catalogue, labelbook, places, queries
from kminer.errors import CatalogueError, KminerError, UsageError
from kminer.foreign import inert, markdown
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
    UNLABELLED,
    UNLABELLED_FIX,
    Pictures,
    Row,
    in_order,
    narrowest,
    pivot,
)
from kminer.probe.answers import VERDICTS
from kminer.records import ARCHIVES, HISTORIES, Feature, SavedQuery, Source
from kminer.store.reader import holds_demo

_WIDE = {"ns.core", "cg.core", "mgmt.runtime"}
_EVIDENCE = {
    "cve": "name a CVE",
    "fix": "mend a named commit, or are meant for stable",
    "revert": "revert a commit",
}
_HOSTED = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")


class ReportError(KminerError):
    """A report cannot be written (exit code 1)."""


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
    report = _Report(db, Pictures(head.name, "Demo data" if holds_demo(db) else ""))
    values = queries.bind(head, settings, "report", r"\d{1,9}")
    with _template_errors(template):
        text = _environment(report, template).get_template(template.name).render(values)
    target = out / f"{head.name}.md"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, content in {**report.pictures.drawn, target.name: _tidy(text)}.items():
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

    db: sqlite3.Connection
    pictures: Pictures
    known: dict[tuple[str, tuple[tuple[str, str | int], ...]], Result] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=catalogue.load_sources)

    def functions(self) -> dict[str, object]:
        """Functions of a template, and one table, by name."""
        return {
            "query": self.query,
            "command": command,
            "table": _table,
            "pivot": pivot,
            "link": link,
            "change": change,
            "demo": self.demo,
            "milestones_of": self.milestones_of,
            "new_features": new_features,
            "in_short": in_short,
            "missing": missing,
            "note_sources": self.note_sources,
            "homepage": self.homepage,
            "evidence_names": _EVIDENCE,
            "group_names": {part.key: part.name for part in GROUPS.values()},
            "span": self.span,
            "upgrade": self.upgrade,
            "source_of": self.source_of,
            "release_of": self.release_of,
            "release_commits": self.release_commits,
            "release_notes": self.release_notes,
            "features_of": features_of,
            "host_of": self.host_of,
            "host_features": self.host_features,
            "first_uses": self.first_uses,
            "by_release": by_release,
            "verdicts": VERDICTS,
            "chart_heat": self.pictures.heat,
            "chart_stack": self.pictures.stack,
            "chart_bars": self.pictures.bars,
            "chart_timeline": self.pictures.timeline,
            "chart_events": self.pictures.events,
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
        return bool(self.pictures.mark)

    def source_of(self, project: str, *names: str) -> str | None:
        """The history that holds the project's releases `names`, else one of the project; None if there is none."""
        sources = self._histories(project)
        for source in sources:
            releases = self.query("report-release-dates", source=source)
            known = {row[column] for row in releases for column in ("tag", "version")}
            if known.issuperset(names):
                return source
        return next((source for source in sources if self.query("report-release-dates", source=source)), None)

    def _histories(self, project: str) -> list[str]:
        return [str(row["source"]) for row in self.query("report-sources") if row["project"] == project]

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
        found = _find(releases, name)
        if found is None:
            raise _unknown(name, setting, source, releases, f"`kminer releases {source} --rc` lists all")
        return found

    def release_of(self, project: str, name: str) -> Row | None:
        """The release that the setting `release` means, by tag or version, with the history that holds it as `source`.

        `source` is None for one that only release notes speak of. None when nothing is known of any release of the
        project; raises UsageError with the nearest for one that is unknown among others.
        """
        for source in self._histories(project):
            if found := _find(self.query("report-release-dates", source=source).rows, name):
                return found | {"source": source}
        noted = self.query("report-note-versions", project=project)
        if found := _find(noted.rows, name):
            kind = "rc" if "-" in str(found["version"]) else "final"
            return found | {"source": None, "tag": found["version"], "kind": kind, "series": found["line"]}
        history = self.source_of(project)
        releases = self.query("report-release-dates", source=history).rows if history else ()
        if not releases and not noted:
            return None
        known = {row["version"] for row in releases}
        others = [row | {"tag": row["version"]} for row in noted if row["version"] not in known]
        every = sorted([*releases, *others], key=lambda row: _version(str(row["version"])))
        lists = [f"`kminer releases {history} --rc`"] if history else []
        lists += [command("report-note-versions", project=project)] if noted else []
        where = history or f"the notes of {project}"
        raise _unknown(name, "release", where, every, f"{' and '.join(lists)} list{'' if lists[1:] else 's'} all")

    def release_commits(self, source: str, tag: str) -> list[Row]:
        """What report-release-note-commits answers, each with its narrowest `mechanism`, the others as `also`, its
        `group` (its kind, or what stands in for one), whether it is a `security` matter, and whether notes of the
        release itself tell it (`told_here`). What concerns security comes first, then kind by kind, then by date.
        """
        version = next(r["version"] for r in self.query("report-release-dates", source=source) if r["tag"] == tag)
        found = self.query("report-release-note-commits", source=source, release=tag)
        rows = [
            row | _grouped(row, bool(row["mends"]), row["cves"]) | {
                "told_here": any(f"{told}-".startswith(f"{version}-") for told in str(row["told_in"] or "").split())
            }
            for row in found
        ]  # fmt: skip
        return sorted(rows, key=lambda row: (not row["security"], list(GROUPS).index(str(row["group"]))))

    def release_notes(self, project: str, version: str, source: str | None) -> list[Row]:
        """What report-release-notes answers, grouped as commits are, with the changes each is tied to as `ties`, one
        item a piece of evidence; `beyond` are the pull requests and issues of other repositories than `source`'s own.
        """
        asked = {"project": project, "version": version}
        ties: dict[object, list[Row]] = {}
        for row in self.query("report-release-note-ties", **asked):
            ties.setdefault(row["note"], []).append(row)
        history = self.sources.get(source or "")
        own = {history.repository, *history.repository_was} if history else set()
        return [
            row | _grouped(row, False, row["cves"]) | {
                "ties": _by_evidence(ties.get(row["id"], ())),
                "beyond": [pull for pull in str(row["pulls"] or "").split() if pull.split("#")[0] not in own],
            }
            for row in self.query("report-release-notes", **asked)
        ]  # fmt: skip

    def note_sources(self, project: str) -> list[str]:
        """The sources of the project's release notes that the database does not hold, those that anybody can get
        before those of a host's own files; none in the demo's.
        """
        held = {row["source"] for row in self.query("report-note-sources")}
        lacking = [
            source for source in self.sources.values()
            if source.project == project and source.kind not in (*HISTORIES, *ARCHIVES) and source.id not in held
        ]  # fmt: skip
        lacking.sort(key=lambda source: (not (source.clone or source.pages), source.id))
        return [] if self.demo() else [source.id for source in lacking]

    def homepage(self, source: str) -> str:
        """Where a source can be read by people, as the catalogue says; empty if it does not."""
        return self.sources[source].homepage if source in self.sources else ""

    def host_of(self, name: str) -> Row:
        """What report-host answers on the saved host `name`, its `environment` as a dictionary.

        What is not known of it is None there. Raises UsageError that names those there are when it is none of them.
        """
        found = self.query("report-host", host=name).rows
        if not found:
            raise _unknown_host(name, [str(row["host"]) for row in self.query("hosts")])
        known = json.loads(str(found[0]["environment"]))
        return found[0] | {"environment": defaultdict(lambda: None, known)}

    def host_features(self, host: Row) -> list[Row]:
        """What report-host-findings answers, and features that only the catalogue knows, by area.

        Each with its `summary`, and with `first`: its first release, how sure that is, or that it is not known.
        """
        known = {feature.id: feature for feature in catalogue.load_kernel_features().values()}
        days = {date.version: date.date for date in catalogue.load_release_dates().get("linux", [])}
        running = _version(str(host["kernel"]))
        rows = list(self.query("report-host-findings", host=str(host["host"])))
        unheard = [{"feature": name, "listed": 0} for name in known.keys() - {row["feature"] for row in rows}]
        rows = [_completed(row, known.get(str(row["feature"])), days, running) for row in [*rows, *unheard]]
        return sorted(rows, key=lambda row: (str(row["area"]), str(row["feature"])))

    def first_uses(self) -> dict[str, list[Row]]:
        """By feature of the kernel, each `engine` that names it, with the first such `release` and its `date`.

        By the histories in the database; where these name no feature, and in the demo's, by the catalogue.
        """
        uses: dict[str, list[Row]] = {}
        for row in [] if self.demo() else self.query("adoption-lag", unmentioned=0):
            named = [(str(row[f"{by}_date"]), str(row[release])) for by, release in _NAMED_BY if row[f"{by}_date"]]
            if named:
                date, release = min(named)
                use = {"engine": row["engine"], "release": re.sub(r"^\D+", "", release), "date": date}
                uses.setdefault(str(row["feature"]), []).append(use)
        return uses or {
            feature.id: [{"engine": name, "release": at, "date": None} for name, at in feature.used_by]
            for feature in catalogue.load_kernel_features().values()
            if feature.used_by
        }

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
        `evidence` (cve, fix, revert, other; pull or merge for those) and what it points at, its `group` (its kind, or
        what stands in for one), whether it is a `security` matter, its `release_line`.
        """
        between = self.query("new-between", project=project, **{"from": old, "to": new})
        signs = {row["id"]: row for row in self.query("report-evidence", source=source)}
        texts = {row["id"]: row["text"] for row in self.query("report-summaries", source=source)}
        lines = {row["tag"]: row["series"] for row in self.query("report-release-dates", source=source)}
        rows: dict[object, Row] = {}
        for row in between:
            sign = signs.get(row["id"], {})
            evidence = sign.get("evidence", "other") if row["type"] == "commit" else row["type"]
            rows.setdefault(row["id"], row | _grouped(row, evidence in _EVIDENCE, sign.get("cves")) | {
                "evidence": evidence,
                "release_line": lines.get(row["release"], row["release"]),
                "text": texts.get(row["id"]),
                **{name: sign.get(name) for name in ("cves", "fixes", "reverts")},
            })  # fmt: skip
        return list(rows.values())


def _grouped(row: Row, mends: bool, cves: object) -> Row:
    """Under what a change or note is shown: `mechanism` (its narrowest), `also`, `group` and `security`."""
    first, *others = _narrowest_first(str(row["mechanisms"] or NO_MECHANISM).split(", "))
    return {
        "mechanism": first,
        "also": " ".join(others),
        "group": row["kind"] or (UNLABELLED_FIX if mends else UNLABELLED),
        "security": bool(cves) or "security" in str(row["flags"]).split(", "),
    }


def _by_evidence(ties: Iterable[Row]) -> list[Row]:
    """A note's ties, one item for each pull request, CVE or title that ties it; merges only where nothing else is."""
    found: dict[object, list[Row]] = {}
    for tie in ties:
        found.setdefault((tie["tied_by"], tie["evidence"]), []).append(tie)
    return [
        {name: of_it[0][name] for name in ("tied_by", "evidence", "score")}
        | {"changes": [tie for tie in of_it if tie["type"] != "merge"] or of_it}
        for of_it in found.values()
    ]


_NAMED_BY = (("commit", "commit_release"), ("note", "note_version"))
_CATALOGUED = ("area", "title", "since", "confidence")
_FOUND = ("verdict", "reason", "blocked_by", "detector", "errno", "remark", "differs", "built_in")


def _completed(row: Row, feature: Feature | None, days: Mapping[str, str], running: tuple[int, ...]) -> Row:
    """A row of report-host-findings with what the catalogue knows of its feature, where the database does not."""
    row = dict.fromkeys(_FOUND) | row
    if feature and not row["listed"]:
        row |= {name: getattr(feature, name) for name in _CATALOGUED}
        later = bool(running and feature.since) and _version(str(feature.since)) > running
        row |= {"date": days.get(str(feature.since)), "later": int(later)}
    row["area"] = row["area"] or "(no area)"
    sure = f" ({row['confidence']} confidence)" if row["confidence"] not in (None, "high") else ""
    first = f"{row['since']}{sure}" if row["since"] else "not known"
    return row | {"summary": feature.summary if feature else "", "first": first}


def by_release(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Features by their first release, the oldest release first."""
    releases: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: _version(str(row["since"]))):
        releases.setdefault(str(row["since"]), []).append(row)
    return list(releases.items())


def _unknown_host(name: str, saved: Sequence[str]) -> UsageError:
    near = dict.fromkeys([*get_close_matches(name[:100], saved, 3, 0.6), *saved])
    listed = ", ".join(inert(one, keep="") for one in list(near)[:10])
    more = f" and {len(saved) - 10} more" if len(saved) > 10 else ""
    return UsageError(
        f"'{inert(name, keep='')}' is not a host that was saved in this database.",
        where=f"--set host={inert(name, keep='')}",
        next=f"Saved are {listed}{more}; `kminer query hosts` lists all." if saved
        else "None is; `kminer probe --save NAME` saves this one.",
    )  # fmt: skip


def _find(releases: Iterable[Row], name: str) -> Row | None:
    """The release of this tag, or of this version with or without a "v"."""
    for column, wanted in (("tag", name), ("version", name), ("version", name.removeprefix("v"))):
        for row in releases:
            if row[column] == wanted:
                return row
    return None


def _unknown(name: str, setting: str, where: str, releases: Iterable[Row], listed: str) -> UsageError:
    near = _nearest(name, [str(row["tag"]) for row in releases])
    return UsageError(
        f"'{inert(name, keep='')}' is not a release of {where} in this database.",
        where=f"--set {setting}={inert(name, keep='')}",
        next=f"Nearest are {', '.join(near)}; {listed}.",
    )


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


def features_of(project: str, version: str) -> list[Feature]:
    """The catalogue's features of `project` that came with `version` itself (20.10.0 is 20.10)."""
    return [f for f in _features(project) if _shortest(str(f.since)) == _shortest(version)]


def _shortest(version: str) -> str:
    return re.sub(r"(?:\.0+)+$", "", version)


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


def _narrowest_first(mechanisms: Iterable[str]) -> list[str]:
    return sorted(mechanisms, key=lambda name: (name in _WIDE, name))


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
