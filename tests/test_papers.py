"""Works and their claims: what the follow-up makes of them, rule by rule, and the commands that show it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_queries import Row, Store, change, key_of, release, short

from kminer.progress import Progress
from kminer.records import Classification, Feature, Label, Paper, PaperClaim, Regime, Resource
from kminer.store import labels, ties, works, writer
from kminer.store.database import open_for_writing
from kminer.tying import tie_store

LATE = 3300  # days after the beginning of 2010: in January 2019
RELEASES = [release(0, "v1.0", "1.0", None, 10), release(1, "v2.0", "2.0", "v1.0", LATE)]
CLAIM = PaperClaim(
    "p-2012.1", "Memory leaks from group to group.", "gap", "memory", ("cg.memory",), ("ghost pages", "leaky_charge"),
    "partly", "high",
)  # fmt: skip
KNOB = Feature("knob", "linux", "cgroup", "A knob", "It turns.", ("cg.memory",), "2.0", "high")


def paper(*claims: PaperClaim, **facts: Any) -> Paper:
    """A work of 2012."""
    usual: dict[str, Any] = {
        "id": "p-2012", "kind": "paper", "title": "Ghosts", "authors": ("A. One", "B. Two"), "venue": "CONF",
        "year": 2012, "summary": "Ghosts.", "confidence": "high", "source": "seen", "claims": claims or (CLAIM,),
    }  # fmt: skip
    return Paper(**(usual | facts))


class Shelf(Store):
    """A store of Linux that was read into 2019, and a work of 2012 with one claim."""

    def read(self, *names: tuple[str, float], releases: list[Any] = RELEASES, project: str = "linux") -> None:
        """Read a history with these commits (name, day), by which each is titled."""
        rows = [(change(name.partition(":")[0], day, name), None, "v2.0") for name, day in names]
        self.fill(releases, rows, project)
        self.write("UPDATE sources SET synced_at = '2026-01-01T00:00:00Z'")

    def mark(self, name: str, kind: str, mechanism: str = "cg.memory", dimension: str = "memory") -> None:
        """Label a commit."""
        given = (("relevant", "yes"), ("kind", kind), ("mechanism", mechanism), ("dimension", dimension))
        with open_for_writing(self.path) as db, writer.transaction(db):
            number = db.execute("SELECT id FROM changes WHERE key = ?", (key_of(name),)).fetchone()[0]
            found = Classification(str(number), "1", "", tuple(Label(axis, label, 0.9) for axis, label in given), ())
            labels.save_classifications(db, [found], {}, "votes", {})

    def hold(self, *papers: Paper, features: tuple[Feature, ...] = (), day: str = "2019-01-13") -> None:
        """Take over works, and features that were released on that day."""
        with open_for_writing(self.path) as db, writer.transaction(db):
            ties.save_features(db, features, {("linux", "2.0"): day} if day else {})
            works.save_papers(db, papers)
            works.find_claim_changes(db)

    def write(self, sql: str, *values: object) -> None:
        with open_for_writing(self.path) as db, writer.transaction(db):
            db.execute(sql, values)

    def verdict(self, claim: PaperClaim = CLAIM, features: tuple[Feature, ...] = (), **facts: Any) -> tuple[str, str]:
        """Verdict and rule on a claim."""
        settings = {key: facts.pop(key) for key in ("years", "reach") if key in facts}
        day = facts.pop("day", "2019-01-13")
        self.hold(paper(claim, **facts), features=features, day=day)
        [row] = self.ask("claims-followed", **settings)
        return row["verdict"], row["rule"]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "k.db")


@pytest.fixture
def quiet(shelf: Shelf) -> Shelf:
    """A history that was read into 2019 and in which nothing bears on the claim."""
    shelf.read(("other: mount things", LATE))
    shelf.mark("other", "feature", "ns.mnt", "filesystem")
    return shelf


# --- verdicts


def test_silent_says_where_it_was_looked_for(quiet: Shelf) -> None:
    """Read for long enough, and nothing there: the rule names the source and the time."""
    verdict, rule = quiet.verdict()
    assert verdict == "silent", rule
    assert rule.endswith("as far as this tells: linux (commits of 2012-12-31 to 2019-01-14)")
    [row] = quiet.ask("claims-silent")
    assert (row["id"], row["read_days"], row["no_hit_of"]) == ("p-2012.1", 2205, "ghost pages, leaky_charge")


def test_silent_only_when_read_for_long_enough(quiet: Shelf) -> None:
    """As many days as asked for just do, one more does not."""
    assert quiet.verdict(reach=2205)[0] == "silent"
    verdict, rule = quiet.verdict(reach=2206)
    assert (verdict, rule) == (
        "cannot tell", "what was read and shows cg.memory goes on for 2205 days after the work, not 2206",
    )  # fmt: skip
    assert quiet.ask("claims-silent", reach=2206) == []


def test_a_history_that_was_read_in_part_is_no_silence(quiet: Shelf) -> None:
    """Of what came before the commits that were read, nothing is known, whatever releases there were."""
    for part in ("since = '2018-01-01'", "since = NULL, shallow = 1"):
        quiet.write(f"UPDATE sources SET {part}")
        assert quiet.verdict() == (
            "cannot tell",
            "what was read and shows cg.memory goes on for 0 days after the work, not 365",
        )


def test_a_history_without_the_mechanism_is_no_silence(quiet: Shelf) -> None:
    """What neither tracks a mechanism nor has it in its changes says nothing of it."""
    verdict, rule = quiet.verdict(replace(CLAIM, mechanisms=("cg.memory", "ns.time"), dimension="time"))
    assert (verdict, rule) == (
        "cannot tell",
        "what was read and shows ns.time goes on for 0 days after the work, not 365",
    )


def test_an_engine_does_not_answer_for_the_kernel(shelf: Shelf) -> None:
    """A claim about the kernel, and only an engine's history: nothing was read."""
    shelf.read(("engine", LATE), project="docker")
    shelf.mark("engine", "feature")
    verdict, rule = shelf.verdict()
    assert (verdict, rule.partition(" (")[0]) == ("cannot tell", "nothing was read of a project that could answer it")
    assert shelf.verdict(replace(CLAIM, mechanisms=("fs.driver",)))[0] == "silent"


def test_a_history_read_to_the_work_only(shelf: Shelf) -> None:
    """Commits read to before the work's end say nothing; the catalogue's judgement is told beside."""
    shelf.read(("ghost pages", 100), releases=RELEASES[:1])
    shelf.mark("ghost pages", "feature")
    answered = replace(CLAIM, answer="yes", answered_by=("knob",))
    assert shelf.verdict(answered, (KNOB,)) == (
        "cannot tell",
        "linux was read to 2010-04-11, not beyond the work (2012-12-31); the catalogue by itself judges: yes",
    )
    assert shelf.ask("claims-answered")[0]["feature_id"] == "knob"


def test_the_last_day_of_the_work_is_not_beyond_it(shelf: Shelf) -> None:
    """One day later is."""
    shelf.read(("other", 1095), releases=RELEASES[:1])
    shelf.mark("other", "bug", "ns.mnt", "filesystem")
    assert shelf.verdict()[1].startswith("linux was read to 2012-12-31, not beyond")
    shelf.read(("later", 1096), releases=RELEASES[:1])
    assert shelf.verdict()[1].startswith("what was read and shows cg.memory goes on for 1 days")


def test_changes_without_labels_are_no_silence(shelf: Shelf) -> None:
    """Nothing can be said of mechanisms before anything is labelled."""
    shelf.read(("other", LATE))
    assert shelf.verdict() == ("cannot tell", "no change of linux is labelled: `kminer classify` does it")
    shelf.mark("other", "bug", "ns.mnt", "filesystem")
    assert shelf.verdict()[0] == "silent"


def test_without_works_or_sources(shelf: Shelf) -> None:
    """An empty store says so, and never that claims are silent."""
    with open_for_writing(shelf.path):
        pass
    for name in ("claims-followed", "claims-silent", "claims-answered"):
        assert shelf.ask(name)[0]["statement"].startswith("No works are in this database")
    assert shelf.verdict()[0] == "cannot tell"
    assert shelf.ask("claims-silent") == []


@pytest.mark.parametrize(
    ("kind", "verdict"), [("design", "cannot tell"), ("praise", "cannot tell"), ("cost", "silent")]
)
def test_praise_and_designs_without_an_answer_name_no_gap(quiet: Shelf, kind: str, verdict: str) -> None:
    """A cost does, whatever the answer."""
    assert quiet.verdict(replace(CLAIM, kind=kind, answer="not applicable"))[0] == verdict
    assert quiet.verdict(replace(CLAIM, kind=kind, answer="no"))[0] == "silent"


def test_a_work_without_a_year(quiet: Shelf) -> None:
    """Nothing is known to have come since."""
    assert quiet.verdict(year=0)[1].startswith("the year of the work is not known")


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2013-01-01", "the first since the work is knob in 2.0 (2013-01-01), 1 days after"),
        ("2012-12-31", "knob in 2.0 (2012-12-31) was there before, 0 days"),
    ],
)
def test_answered_tells_by_what_and_when(quiet: Shelf, day: str, told: str) -> None:
    """A feature of the day after the work came since, one of its last day was there."""
    answered = replace(CLAIM, answer="yes", answered_by=("knob",))
    assert quiet.verdict(answered, (KNOB,), day=day) == ("answered", f"yes by the catalogue, features: 1; {told}")


def test_not_answered_without_a_released_feature(quiet: Shelf) -> None:
    """Neither a judgement nor an unreleased feature is an answer; and a partial one is none."""
    answered = replace(CLAIM, answer="yes", answered_by=("knob",))
    assert quiet.verdict(answered, (replace(KNOB, since=None),))[0] == "silent"
    partly = replace(answered, answer="partly")
    assert quiet.verdict(partly, (KNOB,))[0] == "being worked on"


def test_the_day_of_a_feature_comes_from_tags_where_the_catalogue_has_none(quiet: Shelf) -> None:
    """And is not known where neither has it."""
    answered = replace(CLAIM, answer="yes", answered_by=("knob",))
    assert "knob in 2.0 (2019-01-14)" in quiet.verdict(answered, (KNOB,), day="")[1]
    assert "the day of none of them is known" in quiet.verdict(answered, (replace(KNOB, since="9.9"),))[1]


def test_worked_on_by_a_feature_that_landed_lately(quiet: Shelf) -> None:
    """Within the years before the end of what was read, but not a day earlier."""
    claim = replace(CLAIM, answered_by=("knob",))
    assert quiet.verdict(claim, (KNOB,), day="2016-01-14")[0] == "being worked on"
    verdict, rule = quiet.verdict(claim, (KNOB,), day="2016-01-13")
    assert (verdict, rule.partition("; ")[2]) == (
        "cannot tell", "features that bear on it landed: 1, the last on 2016-01-13",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["feature", "performance", "reliability"])
def test_worked_on_by_a_change_that_adds_speeds_up_or_hardens(quiet: Shelf, kind: str) -> None:
    """The rule names the newest, and how many have the claim's terms."""
    quiet.read(("other", LATE), ("step", LATE - 1000), ("near: ghost pages are gone", LATE - 1200))
    quiet.mark("step", kind)
    quiet.mark("near", kind)
    verdict, rule = quiet.verdict()
    assert verdict == "being worked on"
    assert rule == (
        "in the 3 years before 2019-01-14, the end of what was read; changes that add, speed up or harden: 2, with its "
        f"terms 1, the last {short('step')} of 2016-04-19"
    )
    assert quiet.verdict(years=2)[0] == "cannot tell"


@pytest.mark.parametrize(("kind", "mechanism", "dimension"), [
    ("bug", "cg.memory", "memory"), ("feature", "cg.memory", "cpu"), ("feature", "cg.cpu", "memory"),
])  # fmt: skip
def test_not_worked_on_by_other_changes(quiet: Shelf, kind: str, mechanism: str, dimension: str) -> None:
    """A bug's fix is no step, and what has another mechanism or dimension does not bear on the claim."""
    quiet.read(("other", LATE), ("change", LATE - 10))
    quiet.mark("change", kind, mechanism, dimension)
    verdict, rule = quiet.verdict()
    assert verdict == ("cannot tell" if kind == "bug" else "silent")
    assert kind != "bug" or rule.endswith("changes: 1, the last of 2019-01-04, none that adds, speeds up or hardens")


def test_changes_of_the_years_before_do_not_count(quiet: Shelf) -> None:
    """The day after the work does, its last day does not."""
    quiet.read(("other", LATE), ("before: ghost pages", 1095))
    quiet.mark("before", "feature")
    assert quiet.verdict()[0] == "silent"
    quiet.read(("after: ghost pages", 1096))
    quiet.mark("after", "feature")
    assert quiet.verdict()[0] == "cannot tell"


def test_a_hit_of_a_term_is_no_silence(quiet: Shelf) -> None:
    """Whatever its labels are; a change that was found to be about something else is none."""
    quiet.read(("hit: mention leaky_charge", LATE - 5))
    verdict, rule = quiet.verdict()
    assert (verdict, rule.partition("; ")[2]) == (
        "cannot tell", "nothing on its mechanism and dimension, but changes with its terms: 1",
    )  # fmt: skip
    quiet.label("hit", "feature", relevant=False)
    assert quiet.verdict()[0] == "silent"


def test_terms_are_phrases(quiet: Shelf) -> None:
    """Words of a term in another order, or apart, are no hit."""
    quiet.read(("apart: pages of a ghost", LATE - 5))
    assert quiet.verdict()[0] == "silent"


def _propose(shelf: Shelf, day: str, title: str = "memcg: count", mechanism: str = "cg.memory") -> None:
    """A patch of that day on a list of Linux, as a series of its own."""
    with open_for_writing(shelf.path) as db, writer.transaction(db):
        db.execute(
            "INSERT INTO sources (id, kind, project, title, demo, commit_url, issue_url, newest, synced_at)"
            " VALUES ('list', 'mailing-list', 'linux', 'A list', 0, '', '', ?, '2026-01-01')", (f"{day}T00:00:00Z",),
        )  # fmt: skip
        db.execute(
            "INSERT INTO changes SELECT 9, 'list', 'patch', 'Key@x', ?, ?, ?, encoding, author, author_email,"
            " author_date, committer, committer_email, committer_date, 'all', NULL, NULL, 1, '' FROM changes LIMIT 1",
            (f"{day}T00:00:00Z", title, title),
        )
        given = (("relevant", "yes"), ("kind", "feature"), ("mechanism", mechanism), ("dimension", "memory"))
        found = Classification("9", "1", "", tuple(Label(axis, label, 0.9) for axis, label in given), ())
        labels.save_classifications(db, [found], {}, "votes", {})
        db.execute(
            "INSERT INTO series VALUES (1, 'list', 'Key@x', 9, ?, 'Ann', '', 1, 1, 1, 0, 1, ?, ?, 0, 1, 0, 0, '', '',"
            " '', '', 'pending', '', '', 0.5, NULL, '')", (title, day, day),
        )  # fmt: skip
        db.execute("INSERT INTO postings VALUES (1, 1, 'Key@x', 9, 1, 0, ?, 'Ann', 1, 1, 0, '')", (day,))
        db.execute(
            "INSERT INTO mails VALUES ('Key@x', 'list', 9, 'patch', ?, 'Ann', '', ?, 'PATCH', 1, NULL, NULL, '', '',"
            " '', '', '', '', 1)", (day, title),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("day", "title", "mechanism", "verdict"),
    [
        ("2018-05-01", "memcg: count", "cg.memory", "being worked on"),
        ("2018-05-01", "mm: ghost pages", "ns.mnt", "being worked on"),
        ("2018-05-01", "mm: other", "ns.mnt", "silent"),
        ("2014-05-01", "memcg: count", "cg.memory", "cannot tell"),
        ("2012-05-01", "memcg: count", "cg.memory", "silent"),
    ],
)
def test_worked_on_by_a_proposal(quiet: Shelf, day: str, title: str, mechanism: str, verdict: str) -> None:
    """By its labels or by a term, of the last years; its id is a message-id as it was written."""
    _propose(quiet, day, title, mechanism)
    found, rule = quiet.verdict()
    assert found == verdict
    assert verdict != "being worked on" or rule.endswith(f"the last Key@x of {day}")


def test_what_was_read_is_told_per_kind_of_source(quiet: Shelf) -> None:
    """Release and day of a history, day of a list; `read-to` has both."""
    _propose(quiet, "2018-05-01")
    quiet.verdict()
    assert (
        quiet.ask("claims-followed")[0]["read_to"] == "linux commits to v2.0 (2019-01-14); linux patches to 2018-05-01"
    )
    columns = ("id", "what", "last_day", "changes", "labelled")
    assert [tuple(row[column] for column in columns) for row in quiet.ask("read-to")] == [
        ("linux", "commits", "2019-01-14", 1, 1),
        ("list", "patches", "2018-05-01", 1, 1),
    ]


def test_a_clock_of_the_future_reaches_nowhere(quiet: Shelf) -> None:
    """What was read ends on the day it was read, whatever a commit claims."""
    quiet.read(("future", 40_000))
    assert quiet.ask("read-to")[0]["last_day"] == "2026-01-01"


# --- what else is asked


def test_years_and_hits_of_a_work(quiet: Shelf) -> None:
    """Years have kinds and an id; a claim without a hit says what was read in vain."""
    quiet.read(("one", 1500), ("two: leaky_charge", 1501))
    quiet.mark("one", "bug")
    quiet.mark("two", "feature")
    second = replace(CLAIM, id="p-2012.2", terms=("nowhere said",), mechanisms=("ns.mnt",))
    quiet.hold(paper(CLAIM, second))
    columns = ("claim", "year", "feature", "bug", "commits", "newest_id", "step_id")
    assert [tuple(row[column] for column in columns) for row in quiet.ask("paper-years", paper="p-2012")] == [
        ("p-2012.1", 2014, 1, 1, 2, short("two"), short("two"))
    ]
    none, hit = quiet.ask("paper-changes", paper="p-2012")
    assert (none["claim_id"], none["title"]) == (
        "p-2012.2", "no evidence in the data read (linux up to v2.0, 2019-01-14)",
    )  # fmt: skip
    assert (hit["claim_id"], hit["id"], hit["terms"], hit["on_subject"]) == (
        "p-2012.1",
        short("two"),
        "leaky_charge",
        1,
    )


def test_resources_find_changes_by_their_terms(quiet: Shelf) -> None:
    """Saving them again replaces them, with all that was found."""
    thing = Resource(
        "net.thing", "Things", "net", "quantity", "nothing", Regime("no"), Regime("yes", key="memory"), ("none",),
        "It ends.", "no", "high", "seen", papers=("p-2012",), recalled=("q",), terms=("mount things",),
    )  # fmt: skip
    with open_for_writing(quiet.path) as db, writer.transaction(db):
        for _ in range(2):
            works.save_resources(db, [thing])
            works.find_resource_changes(db, [thing])
        assert db.execute("SELECT resource, term FROM resource_changes").fetchall() == [("net.thing", "mount things")]
        assert db.execute("SELECT paper, recalled FROM resource_papers ORDER BY paper").fetchall() == [
            ("p-2012", 0),
            ("q", 1),
        ]


# --- commands

Kminer = Callable[..., subprocess.CompletedProcess[str]]
OWN = """
id = "ghosts-2012"
kind = "paper"
title = "Ghosts"
authors = ["A. One"]
year = 2012
summary = "Ghosts."
confidence = "high"
source = "seen"

[[claims]]
id = "ghosts-2012.1"
statement = "Memory leaks from group to group."
kind = "gap"
dimension = "memory"
mechanisms = ["cg.memory"]
terms = ["ghost pages", "leaky_charge"]
answer = "partly"
answered_by = ["memory.peak"]
confidence = "high"
figure = "2 GB"
"""


@pytest.fixture
def own(quiet: Shelf) -> Shelf:
    """The catalogue's works and one of the user's own, tied to a history that names it."""
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "kminer" / "data" / "papers" / "ghosts-2012.toml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN, encoding="utf-8")
    quiet.read(("step: sweep ghost pages", LATE - 3))
    quiet.mark("step", "performance")
    with open_for_writing(quiet.path) as db:
        tie_store(db, Progress())
    return quiet


def test_papers_are_listed_searched_and_shown(own: Shelf, kminer: Kminer) -> None:
    """As a table, as JSON and as BibTeX."""
    found = json.loads(kminer("papers", "--search", "MEMORY leaks ghosts", "--json").stdout)
    assert [one["id"] for one in found] == ["ghosts-2012"]
    assert "ghosts-2012" in kminer("papers").stdout
    assert "ghosts-2012" not in kminer("papers", "--note").stdout
    assert kminer("papers", "--search", "ghosts leaks", "--bibtex").stdout.startswith("@misc{ghosts-2012,\n")
    shown = kminer("papers", "show", "ghosts-2012").stdout
    assert "partly" in shown
    assert "2 GB" in shown
    assert kminer("papers", "show", "nothing").returncode == 2


def test_follow_up_on_the_screen_and_as_json(own: Shelf, kminer: Kminer) -> None:
    """Verdict, rule, features, years, changes, terms in vain, and up to where sources were read."""
    done = kminer("--db", own.path, "papers", "follow-up", "ghosts-2012")
    assert done.returncode == 0, done.stderr
    for part in (
        "ghosts-2012.1: being worked on", "with its terms 1", "memory.peak", "ghost pages 1", short("step"),
        "leaky_charge: no evidence in the data read (linux commits to v2.0 (2019-01-14))", "Read up to here",
    ):  # fmt: skip
        assert part in done.stdout, (part, done.stdout)
    told = json.loads(kminer("--db", own.path, "papers", "follow-up", "ghosts-2012", "--json").stdout)
    [claim] = told["claims"]
    assert claim["claim"]["verdict"] == "being worked on"
    assert [row["id"] for row in claim["changes"]] == [short("step")]
    assert told["read_to"][0]["last_day"] == "2019-01-14"


def test_follow_up_of_all_and_of_none(own: Shelf, kminer: Kminer) -> None:
    """--all has a line a claim; a store that was tied before says what to do."""
    rows = json.loads(kminer("--db", own.path, "papers", "follow-up", "--all", "--json").stdout)
    assert {row["verdict"] for row in rows} <= {"answered", "being worked on", "silent", "cannot tell"}
    assert "ghosts-2012.1" in kminer("--db", own.path, "papers", "follow-up", "--all").stdout
    assert kminer("--db", own.path, "papers", "follow-up").returncode == 2
    own.write("DELETE FROM papers")
    done = kminer("--db", own.path, "papers", "follow-up", "ghosts-2012")
    assert (done.returncode, "kminer sync" in done.stderr) == (2, True)


def test_resources_are_listed_and_shown(kminer: Kminer) -> None:
    """From the catalogue alone: no database is needed."""
    listed: list[Row] = json.loads(kminer("resources", "--json").stdout)
    name = str(listed[0]["id"])
    assert name in kminer("resources", "--area", str(listed[0]["area"])).stdout
    assert str(listed[0]["title"]) in kminer("resources", "show", name).stdout
    assert json.loads(kminer("resources", "show", name, "--json").stdout) == listed[0]
    assert kminer("resources", "show", "nothing").returncode == 2


def test_show_knows_the_ids_of_the_catalogue(own: Shelf, kminer: Kminer) -> None:
    """A work, a claim, a feature, a resource; with what points to each."""

    def show(name: str) -> Any:
        return json.loads(kminer("--db", own.path, "show", name, "--json").stdout)

    assert [row["id"] for row in show("ghosts-2012")["related"]["claims"]] == ["ghosts-2012.1"]
    assert [row["id"] for row in show("ghosts-2012.1")["related"]["newest changes"]] == [short("step")]
    assert "ghosts-2012.1" in [row["id"] for row in show("memory.peak")["related"]["claims"]]
    assert show("cpu.irq")["noun"] == "resource"
    assert "claim ghosts-2012.1" in kminer("--db", own.path, "show", "ghosts-2012.1").stdout
    assert kminer("--db", own.path, "show", "nothing-1999").returncode == 2


def test_show_takes_message_ids_with_capitals(quiet: Shelf, kminer: Kminer) -> None:
    """And commit ids however they are written."""
    _propose(quiet, "2018-05-01")
    for given, key in (("Key@x", "Key@x"), ("Key@", "Key@x"), (short("other").upper(), key_of("other"))):
        assert json.loads(kminer("--db", quiet.path, "show", given, "--json").stdout)["change"]["key"] == key
