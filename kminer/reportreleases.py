"""What a report knows of releases: which are meant, what is new in them, what their notes say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from kminer import catalogue
from kminer.errors import UsageError
from kminer.foreign import inert
from kminer.markup import command
from kminer.pictures import GROUPS, NO_MECHANISM, UNLABELLED, UNLABELLED_FIX, Row
from kminer.records import ARCHIVES, HISTORIES, Feature, Source
from kminer.reportquery import Query

_WIDE = {"ns.core", "cg.core", "mgmt.runtime"}
EVIDENCE = {
    "cve": "name a CVE",
    "fix": "mend a named commit, or are meant for stable",
    "revert": "revert a commit",
}
"""What signs of a fix a message gives, by the name of the sign."""


@dataclass(frozen=True, slots=True)
class Releases:
    """The functions of a template that speak of releases. `demo` tells that the database holds the demo."""

    query: Query
    sources: Mapping[str, Source]
    demo: bool

    def functions(self) -> dict[str, object]:
        """Functions of a template, and one table, by name."""
        return {
            "evidence_names": EVIDENCE,
            "features_of": features_of,
            "milestones_of": self.milestones_of,
            "new_features": new_features,
            "note_sources": self.note_sources,
            "release_commits": self.release_commits,
            "release_notes": self.release_notes,
            "release_of": self.release_of,
            "source_of": self.source_of,
            "span": self.span,
            "upgrade": self.upgrade,
        }

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
        every = sorted([*releases, *others], key=lambda row: version_of(str(row["version"])))
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
        return [] if self.demo else [source.id for source in lacking]

    def milestones_of(self, project: str, source: str) -> list[Row]:
        """The catalogue's features of `project` that `source` has reached, in the order of their releases."""
        released = {row["version"]: row for row in self.query("report-release-dates", source=source)}
        newest = max((version_of(str(version)) for version in released), default=())
        dates = {date.version: date for date in catalogue.load_release_dates().get(project, [])}
        rows = []
        for feature in _features(project):
            version = str(feature.since)
            if newest and version_of(version) <= newest:
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
            rows.setdefault(row["id"], row | _grouped(row, evidence in EVIDENCE, sign.get("cves")) | {
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
    wanted = version_of(name)
    same = [tag for tag in tags if wanted and version_of(tag)[: len(wanted)] == wanted][-3:]
    below = [tag for tag in tags if wanted and version_of(tag) < wanted][-1:]
    near = list(dict.fromkeys([*same, *below, *get_close_matches(name[:100], tags, 3, 0.6)]))[:5]
    return near or list(tags[-1:])


def version_of(text: str) -> tuple[int, ...]:
    """The numbers of a version, to be compared."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text))


def _features(project: str) -> list[Feature]:
    known = [f for f in catalogue.load_features().values() if f.project == project and f.since]
    return sorted(known, key=lambda f: (version_of(str(f.since)), f.id))


def new_features(project: str, after: str, until: str) -> list[Feature]:
    """The catalogue's features of `project` whose first release lies after version `after`, up to `until`."""
    return [f for f in _features(project) if version_of(after) < version_of(str(f.since)) <= version_of(until)]


def features_of(project: str, version: str) -> list[Feature]:
    """The catalogue's features of `project` that came with `version` itself (20.10.0 is 20.10)."""
    return [f for f in _features(project) if _shortest(str(f.since)) == _shortest(version)]


def _shortest(version: str) -> str:
    return re.sub(r"(?:\.0+)+$", "", version)


def _narrowest_first(mechanisms: Iterable[str]) -> list[str]:
    return sorted(mechanisms, key=lambda name: (name in _WIDE, name))
