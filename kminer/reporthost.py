"""What a report knows of a probed host: its findings, beside what the catalogue knows of each feature."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from kminer import catalogue
from kminer.errors import UsageError
from kminer.foreign import inert
from kminer.pictures import Row
from kminer.probe.answers import VERDICTS
from kminer.records import Feature
from kminer.reportquery import Query
from kminer.reportreleases import version_of

_NAMED_BY = (("commit", "commit_release"), ("note", "note_version"))
_CATALOGUED = ("area", "title", "since", "confidence")
_FOUND = ("verdict", "reason", "blocked_by", "detector", "errno", "remark", "differs", "built_in")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The functions of a template that speak of probed hosts. `demo` tells that the database holds the demo."""

    query: Query
    demo: bool

    def functions(self) -> dict[str, object]:
        """Functions of a template, and one table, by name."""
        return {
            "by_release": by_release,
            "first_uses": self.first_uses,
            "host_features": self.host_features,
            "host_of": self.host_of,
            "verdicts": VERDICTS,
        }

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
        running = version_of(str(host["kernel"]))
        rows = list(self.query("report-host-findings", host=str(host["host"])))
        unheard = [{"feature": name, "listed": 0} for name in known.keys() - {row["feature"] for row in rows}]
        rows = [_completed(row, known.get(str(row["feature"])), days, running) for row in [*rows, *unheard]]
        return sorted(rows, key=lambda row: (str(row["area"]), str(row["feature"])))

    def first_uses(self) -> dict[str, list[Row]]:
        """By feature of the kernel, each `engine` that names it, with the first such `release` and its `date`.

        By the histories in the database; where these name no feature, and in the demo's, by the catalogue.
        """
        uses: dict[str, list[Row]] = {}
        for row in [] if self.demo else self.query("adoption-lag", unmentioned=0):
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


def _completed(row: Row, feature: Feature | None, days: Mapping[str, str], running: tuple[int, ...]) -> Row:
    """A row of report-host-findings with what the catalogue knows of its feature, where the database does not."""
    row = dict.fromkeys(_FOUND) | row
    if feature and not row["listed"]:
        row |= {name: getattr(feature, name) for name in _CATALOGUED}
        later = bool(running and feature.since) and version_of(str(feature.since)) > running
        row |= {"date": days.get(str(feature.since)), "later": int(later)}
    row["area"] = row["area"] or "(no area)"
    sure = f" ({row['confidence']} confidence)" if row["confidence"] not in (None, "high") else ""
    first = f"{row['since']}{sure}" if row["since"] else "not known"
    return row | {"summary": feature.summary if feature else "", "first": first}


def by_release(rows: Iterable[Row]) -> list[tuple[str, list[Row]]]:
    """Features by their first release, the oldest release first."""
    releases: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: version_of(str(row["since"]))):
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
