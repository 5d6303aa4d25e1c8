"""The pictures of a report: rows of saved queries, summed and drawn as charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kminer import charts, labelbook
from kminer.foreign import markdown
from kminer.markup import Markdown, table
from kminer.probe.answers import VERDICTS
from kminer.records import Feature

NO_MECHANISM = "(no mechanism)"
"""Stands in for the mechanism of a change to which no label and no path gives one."""

UNLABELLED = "(not labelled)"
"""Stands in for the kind of a change that was not labelled yet."""

UNLABELLED_FIX = "(not labelled, fix)"
"""The same, where the message gives a sign of a fix."""

_FAMILIES = {
    "ns": charts.Part("ns", "namespaces", 0),
    "cg": charts.Part("cg", "control groups", 1),
    "fs": charts.Part("fs", "overlayfs, storage drivers", 2),
    "sec": charts.Part("sec", "seccomp, capabilities, LSMs", 3),
    "mgmt": charts.Part("mgmt", "images, life cycle, orchestration", 4),
    NO_MECHANISM: charts.Part(NO_MECHANISM, "no mechanism", 7),
}
GROUPS = {
    "feature": charts.Part("feature", "features", 2),
    "bug": charts.Part("bug", "bugs mended", 3),
    UNLABELLED_FIX: charts.Part(UNLABELLED_FIX, "not labelled, with a sign of a fix", 6),
    "performance": charts.Part("performance", "performance", 1),
    "reliability": charts.Part("reliability", "reliability", 4),
    "maintenance": charts.Part("maintenance", "maintenance", 5),
    UNLABELLED: charts.Part(UNLABELLED, "not labelled", 7),
}
"""Kinds of changes, and what stands in for them, in the order in which they are shown."""

_TOLD = {
    "named": charts.Part("named", "named by a note", 2),
    "title": charts.Part("title", "likely told: titles alike", 5),
    "no": charts.Part("no", "told by no note", 7),
}
"""How release notes tell a commit: by its id, pull request, issue or CVE; perhaps, by a title like its own; not."""

_VERDICTS = {
    verdict: charts.Part(verdict, verdict, colour) for verdict, colour in zip(VERDICTS, (2, 5, 3, 1, 7, 6), strict=True)
}
_BOUNDS = {
    "namespace": charts.Part("namespace", "in a namespace of its own", 0),
    "cgroup": charts.Part("cgroup", "charged to a cgroup, or limited by one", 1),
    "partly": charts.Part("partly", "partly in a namespace, or partly charged", 4),
    "other": charts.Part("other", "limited per process, user or file system", 5),
    "host": charts.Part("host", "limited for the whole host only", 6),
    "none": charts.Part("none", "without any limit", 3),
}
"""The strongest bound of a shared resource."""

_FOLLOWED = {
    "answered": charts.Part("answered", "answered", 2),
    "being worked on": charts.Part("being worked on", "being worked on", 1),
    "silent": charts.Part("silent", "silent", 3),
    "cannot tell": charts.Part("cannot tell", "cannot tell", 7),
}
"""What has happened since a claim was made."""

_PARTS = {
    "family": _FAMILIES, "kind": GROUPS, "group": GROUPS, "told": _TOLD, "verdict": _VERDICTS | _FOLLOWED,
    "bound": _BOUNDS,
}  # fmt: skip

_MOST_EVENTS = 48

Row = dict[str, object]
Rows = Iterable[Row]


@dataclass(slots=True)
class Pictures:
    """The pictures one report has drawn, by file name. `mark` opens every title, to tell made-up data."""

    report: str
    mark: str
    drawn: dict[str, str] = field(default_factory=dict)

    def heat(
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

    def stack(
        self, slug: str, result: Rows, column: str, part: str, value: str = "", *, title: str, unit: str, axis: str = ""
    ) -> str:
        """Standing bars, one a value of `column`; `part` is a key of _PARTS: the column by which they are parted."""
        values = _sums(result, part, column, value)
        columns = _whole_years(_columns(result, column)) if column == "year" else _columns(result, column)
        if len(columns) < 2 or not values:
            return Markdown("")
        drawn = charts.stacked_bars(
            self._titled(title), columns, list(_PARTS[part].values()), values, axis=axis or _words(column), unit=unit
        )
        return self._picture(slug, title, drawn)

    def bars(
        self, slug: str, result: Rows, row: str, part: str, value: str = "", *, title: str, unit: str, axis: str = ""
    ) -> str:
        """Lying bars, one a value of `row`; `part` as in `stack`."""
        values = _sums(result, part, row, value)
        rows = in_order({key[1] for key in values})
        if not rows:
            return Markdown("")
        drawn = charts.bars(
            self._titled(title), rows, list(_PARTS[part].values()), values, axis=axis or _words(row), unit=unit
        )
        return self._picture(slug, title, drawn)

    def timeline(self, slug: str, milestones: Sequence[Row], *, title: str) -> str:
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

    def events(self, slug: str, result: Rows, lane: str, day: str, text: str, *, title: str) -> str:
        """Rows as dots by their `day`, in a lane for each value of the column `lane`; the earliest lane first."""
        lanes: dict[str, list[charts.Event]] = {}
        for row in sorted(result, key=lambda row: (str(row[day]), str(row[text]))):
            lanes.setdefault(str(row[lane]), []).append(charts.Event(str(row[day]), str(row[text])))
        if sum(map(len, lanes.values())) < 2:
            return Markdown("")
        colours = {name: index % charts.COLOURS for index, name in enumerate(lanes)}
        return self._picture(slug, title, charts.timeline(self._titled(title), lanes, colours, axis=_words(lane)))

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
        return f"{self.mark}: {title}" if self.mark else title

    def _picture(self, slug: str, title: str, drawn: str) -> Markdown:
        name = f"{self.report}-{re.sub(r'[^a-z0-9._-]+', '-', slug.lower())}.svg"
        self.drawn[name] = drawn
        return Markdown(f"![{markdown(self._titled(title))}]({name})")


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
    """Mechanisms or kinds in the order in which they are shown, unknown ones behind."""
    order = {name: index for index, name in enumerate([*labelbook.load_labels().mechanisms, NO_MECHANISM, *GROUPS])}
    return sorted(map(str, names), key=lambda name: (order.get(name, len(order)), name))


def pivot(result: Rows, row: str, column: str, value: str = "") -> Markdown:
    """A table: a line for each value of `row`, a column for each value of `column`, blank where there is none."""
    values = _sums(result, row, column, value)
    columns = in_order({key[1] for key in values})
    names = in_order(_columns(result, row)) if row == "mechanism" else _columns(result, row)
    lines = [[name, *(values.get((name, other)) for other in columns)] for name in names]
    return table([row, *columns], lines)
