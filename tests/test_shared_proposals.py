"""The real archives of ../shared: counts against git's own, verdicts that hang together, ids that open."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from gitrepo import git
from labelled import label
from syncing import ask, check_whole

from kminer import queries
from kminer.catalogue import load_sources
from kminer.progress import Progress
from kminer.sources import find_sync
from kminer.sources.git import Options
from kminer.store import catalogued, reader
from kminer.store.database import open_for_reading, open_for_writing
from kminer.tying import tie_store

pytestmark = [pytest.mark.shared, pytest.mark.slow]

LISTS = {"cgroups-list": 36_139, "unionfs-list": 8_480}
GAPS: dict[str, dict[str, str | int]] = {
    "claims-silent": {}, "claims-answered": {}, "claims-followed": {}, "proposals-unmerged": {}, "proposals": {},
    "unused-features": {"undated": 0}, "unbounded-resources": {}, "untouched-pairs": {"type": "patch"},
    "performance-signals": {}, "trends": {"type": "patch"}, "gaps": {"limit": -1},
}  # fmt: skip
IDS = ("id", "newest_id", "feature_id", "proposal_id", "hit_id", "mechanism_id", "other_id", "complaint_id", "mend_id")


@pytest.fixture(scope="module")
def database(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both lists, lists of merged titles, pull requests and runc's notes, labelled by rules."""
    folder = tmp_path_factory.mktemp("lists")
    path, sources, merged = folder / "k.db", load_sources(), folder / "merged"
    merged.mkdir()
    for name in ("pull_request_titles", "commit_titles"):
        (merged / f"{name}.tsv.gz").symlink_to(shared / "facts" / f"{name}.tsv.gz")
    (merged / "cves.jsonl.gz").symlink_to(shared / "real" / "linux_cves.jsonl.gz")
    places = {"linux-merged": merged, "cgroup-pulls": shared / "real" / "notes" / "gitpull",
              "runc-notes": shared / "real" / "notes" / "runc" / "CHANGELOG.md"}  # fmt: skip
    for name in LISTS:
        places[name] = folder / f"{name}.git"
        git("clone", "--quiet", "--bare", str(shared / "real" / f"{name}.bundle"), str(places[name]))
    with open_for_writing(path) as db:
        for name, place in places.items():
            find_sync(sources[name].kind)(sources[name], db, path, Options(repository=place, jobs=2), Progress())
        tie_store(db, Progress())
    label(path, jobs=2)
    return path


def test_all_mails_are_read_but_those_without_a_subject(database: Path) -> None:
    check_whole(database)
    for name, mails in LISTS.items():
        held = ask(database, "SELECT count(*) FROM mails WHERE source = ?", name)[0][0]
        assert mails * 0.98 < held <= mails
        assert ask(database, "SELECT commits FROM sources WHERE id = ?", name) == [(mails,)]


def test_each_patch_belongs_to_one_series(database: Path) -> None:
    lost = "SELECT count(*) FROM mails WHERE kind IN ('patch', 'cover') AND posting_id IS NULL"
    assert ask(database, lost) == [(0,)]
    assert ask(database, "SELECT count(*) FROM changes WHERE type IN ('patch', 'cover')")[0][0] > 13_000
    verdicts = dict(ask(database, "SELECT verdict, count(*) FROM series GROUP BY verdict"))
    assert set(verdicts) == {
        "merged", "merged in another form", "superseded", "never merged", "pending", "cannot tell",
    }  # fmt: skip
    assert sum(verdicts.values()) > 2_000 and verdicts["merged"] > 700


def test_shortlogs_find_the_patches_they_name(database: Path, shared: Path) -> None:
    """A patch whose title a pull request's shortlog has, within two years after it was posted, was merged."""
    with gzip.open(shared / "facts" / "pull_request_titles.tsv.gz", "rt", encoding="utf-8") as file:
        titles = {line.rstrip("\n").split("\t")[2]: line.split("\t")[1] for line in file}
    posted = ask(database, "SELECT id, title, date(date) FROM changes WHERE type = 'patch' AND source = 'cgroups-list'")
    found = {row[0] for row in ask(database, "SELECT change_id FROM landings")}
    named = [number for number, title, day in posted
             if title in titles and day <= titles[title] and int(titles[title][:4]) - int(day[:4]) < 2]  # fmt: skip
    assert len(named) > 500 and not set(named) - found


@pytest.mark.parametrize("name", GAPS)
def test_every_id_of_a_gap_opens(database: Path, name: str) -> None:
    db = open_for_reading(database)
    answer = queries.run(db, queries.find(name), GAPS[name])
    ids = {str(row[column]) for row in answer.dicts() for column in IDS if row.get(column)}
    assert ids or name == "claims-silent"
    for one in sorted(ids)[:400]:
        assert catalogued.find_catalogued(db, one) is not None or reader.find_change(db, one)
