"""The embedded demo history."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from gitrepo import git
from syncing import ask, dump

from kminer import catalogue, places, queries, reports
from kminer.errors import CatalogueError
from kminer.progress import Progress
from kminer.sources import demo
from kminer.sources.git import Options, Summary
from kminer.store.database import open_for_reading, open_for_writing
from kminer.tying import tie_store

Kminer = Callable[..., "subprocess.CompletedProcess[str]"]
NAMES = ("linux-demo", "docker-demo")


def sync_demo(name: str, database: Path) -> Summary:
    """Sync one of the demo's two sources."""
    with open_for_writing(database) as db:
        return demo.sync(catalogue.find_source(name), db, database, Options(), Progress())


@pytest.fixture
def demo_database(database: Path) -> Path:
    """A database with the whole demo, in the test's own home."""
    for name in NAMES:
        sync_demo(name, database)
    return database


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the whole demo that tests only look at: kminer.db, and the repositories below kminer/demo."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(folder))
        environment.setenv("XDG_CONFIG_HOME", str(folder / "none"))
        for name in NAMES:
            sync_demo(name, folder / "kminer.db")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_milestone_is_one_commit_of_its_release(shown: Path, name: str) -> None:
    """Each catalogued feature with a release is a change, first released there, on a path of its mechanism's family."""
    features, releases = demo.demo_milestones(catalogue.find_source(name).project)
    tags = {release.version: release.tag for release in releases}
    rows = ask(
        shown / "kminer.db", "SELECT title, first_final, first_rc, matched_by, text FROM changes WHERE source = ?", name
    )
    assert len(features) > 10
    assert sorted(row[0] for row in rows) == sorted(f"{feature.title} (demo)" for feature in features)
    by_id = {feature.id: feature for feature in features}
    for _, final, candidate, matched, text in rows:
        feature = by_id[text.split("stands for the feature ")[1].split(" ")[0]]
        assert tags[feature.since or ""] in (final, candidate), feature.id
        assert "path" in matched
        assert "not an upstream commit" in text


@pytest.mark.parametrize("name", NAMES)
def test_releases_are_dated_and_ordered_as_they_were(shown: Path, name: str) -> None:
    """The demo's releases are those of the catalogue, each with its true day and the one before it."""
    source = catalogue.find_source(name)
    dates = [date for date in demo.demo_milestones(source.project)[1] if re.search(source.tag_pattern, date.tag)]
    rows = ask(
        shown / "kminer.db", "SELECT tag, date(date), previous FROM releases WHERE source = ? ORDER BY position", name
    )
    assert {tag: day for tag, day, _ in rows} == {release.tag: release.date for release in dates}
    assert len(rows) > 100
    for place, (tag, day, previous) in enumerate(rows):
        lower = [other for other, out, _ in rows[:place] if (out, other) < (day, tag)]
        assert previous == (lower[-1] if lower else None), tag


def test_facts_of_the_demo(shown: Path) -> None:
    """Some well-known milestones are in the demo under the releases in which they came."""
    known = {
        "linux-demo": {"cgroup namespace": "v4.6", "overlayfs": "v3.18", "time namespace": "v5.6"},
        "docker-demo": {"overlay2": "v1.12.0", "cgroup v2": "v20.10.0"},
    }
    for source, facts in known.items():
        for words, tag in facts.items():
            rows = ask(
                shown / "kminer.db",
                "SELECT 1 FROM changes WHERE source = ? AND first_final = ? AND lower(title || text) LIKE ?",
                source, tag, f"%{words}%",
            )  # fmt: skip
            assert rows, (words, tag)
    texts = ask(shown / "kminer.db", "SELECT min(demo), max(demo) FROM sources")
    assert texts == [(1, 1)]


def test_the_demo_is_the_same_every_time(demo_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written twice, at different times and places, the demo has the same commit ids; synced again nothing is new."""
    heads = {
        name: git("--git-dir", str(places.cache() / "demo" / f"{name}.git"), "rev-parse", "main") for name in NAMES
    }
    assert [sync_demo(name, demo_database).notes for name in NAMES] == [["nothing new"]] * 2
    before = dump(demo_database)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other cache"))
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    second = tmp_path / "second.db"
    for name in NAMES:
        sync_demo(name, second)
    assert {
        name: git("--git-dir", str(places.cache() / "demo" / f"{name}.git"), "rev-parse", "main") for name in NAMES
    } == heads
    assert dump(second) == before


def test_the_demo_is_a_sound_repository(shown: Path) -> None:
    """Git itself finds no fault in what kminer writes."""
    for name in NAMES:
        git("--git-dir", str(shown / "kminer" / "demo" / f"{name}.git"), "fsck", "--strict", "--no-dangling")
        assert not ask(shown / "kminer.db", "SELECT 1 FROM changes WHERE source = ? AND reachable = 0", name)


def test_a_corrected_catalogue_mends_the_demo(demo_database: Path) -> None:
    """When a feature's file is corrected the demo is written anew, and the next sync holds the correction."""
    feature = next(f for f in catalogue.load_features().values() if f.project == "linux" and f.since and f.mechanisms)
    file = places.own("data/features") / f"{feature.id}.toml"
    file.parent.mkdir(parents=True)
    shipped = places.shipped("data") / "features" / f"{feature.id}.toml"
    text = shipped.read_text()
    assert f'title = "{feature.title}"' in text
    file.write_text(text.replace(f'title = "{feature.title}"', 'title = "A corrected title"'))
    sync_demo("linux-demo", demo_database)
    rows = ask(demo_database, "SELECT title FROM changes WHERE source = 'linux-demo' AND reachable = 1")
    titles = [row[0] for row in rows]
    assert "A corrected title (demo)" in titles
    assert f"{feature.title} (demo)" not in titles


def test_a_feature_of_a_release_without_a_date_is_refused() -> None:
    """The demo can't date what the catalogue doesn't: the error names the feature, the release and the file."""
    feature = next(f for f in catalogue.load_features().values() if f.project == "linux" and f.since)
    file = places.own("data/features") / f"{feature.id}.toml"
    file.parent.mkdir(parents=True)
    text = (places.shipped("data") / "features" / f"{feature.id}.toml").read_text()
    file.write_text(text.replace(f'since = "{feature.since}"', 'since = "6.20"'))
    with pytest.raises(CatalogueError, match=r"6\.20") as caught:
        demo.demo_milestones("linux")
    assert feature.id in caught.value.what
    assert "linux.toml" in caught.value.where


def test_the_demo_by_the_command_line(kminer: Kminer) -> None:
    """`kminer sync demo` fills a database of its own, and everything that shows it calls it a demo."""
    done = kminer("sync", "demo")
    assert done.returncode == 0, done.stderr
    assert "demo.db" in done.stdout + done.stderr
    assert not places.default_database().exists()
    listed = kminer("--db", places.default_database().with_name("demo.db"), "sources")
    assert "demo" in (listed.stdout + listed.stderr).lower()


def test_demo_and_real_history_do_not_mix(demo_database: Path, kminer: Kminer, tmp_path: Path) -> None:
    """A database that holds the demo takes no real history."""
    done = kminer("--db", demo_database, "sync", "linux", "--repo", f"linux={tmp_path}")
    assert done.returncode == 2
    assert "demo" in done.stderr


def test_paths_of_the_demo_are_tracked(shown: Path) -> None:
    """A milestone's file is covered by a tracked path, of the feature's own mechanism where there is one."""
    source = catalogue.find_source("linux-demo")
    own = {mechanism for path in source.paths for mechanism in path.mechanisms}
    features = {f.id: f for f in demo.demo_milestones("linux")[0]}
    rows = ask(shown / "kminer.db",
               "SELECT c.text, m.mechanism FROM changes c JOIN change_mechanisms m ON m.change_id = c.id "
               "WHERE c.source = 'linux-demo'")  # fmt: skip
    found: dict[str, set[str]] = {}
    for text, mechanism in rows:
        found.setdefault(text.split("stands for the feature ")[1].split(" ")[0], set()).add(mechanism)
    for name, feature in features.items():
        if feature.mechanisms and feature.mechanisms[0] in own:
            assert feature.mechanisms[0] in found[name], name


def test_a_demo_without_its_words_is_still_the_demo(database: Path) -> None:
    """The demo is found by its paths alone: none of its milestones depends on a word."""
    source = replace(catalogue.find_source("docker-demo"), words=())
    with open_for_writing(database) as db:
        summary = demo.sync(source, db, database, Options(), Progress())
    assert summary.matched == len(demo.demo_milestones("docker")[0])


def test_the_readmes_show_what_the_demo_makes(demo_database: Path, tmp_path: Path) -> None:
    """Their table and two pictures are those of the demo's store: made anew when the catalogue changes."""
    top = Path(__file__).parent.parent
    with open_for_writing(demo_database) as db:
        tie_store(db, Progress())
    with closing(open_for_reading(demo_database)) as db:
        for report, picture in (("resources", "bounds"), ("gaps", "landings")):
            reports.write(db, catalogue.find_report(report), {}, tmp_path)
            kept = top / "docs" / "pictures" / f"demo-{report}-{picture}.svg"
            made = tmp_path / f"{report}-{picture}.svg"
            assert made.read_text() == kept.read_text(), f"make demo, then copy demo/reports/{made.name}"
        rows = list(queries.run(db, queries.find("unbounded-resources"), {}).dicts())[:6]
    for readme in ("README.md", "README.zh-CN.md"):
        text = (top / readme).read_text(encoding="utf-8")
        for row in rows:
            cells = (row["title"], row["limited"], row["at_exhaustion"], row["papers"] or "none")
            assert f"| {' | '.join(map(str, cells))} |" in text
