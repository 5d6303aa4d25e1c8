"""The report `release`, and what `timeline` says of release notes: what was told beside what was done."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from gitrepo import GitRepo
from labelled import label
from syncing import run_sync
from test_reports import HOSTILE, fill, linux_changes, shown, written

from kminer import catalogue, queries
from kminer.errors import UsageError
from kminer.progress import Progress
from kminer.sources import notes
from kminer.sources.git import Options
from kminer.store.database import open_for_reading, open_for_writing
from kminer.tying import tie_store

DRIVER, IMAGES = "daemon/graphdriver/overlay2/overlay.go", "daemon/images/store.go"
PAGE = """# Docker Engine release notes

## 1.13.0 (2020-01-18)

### Runtime

+ overlay2: use the native diff of the kernel [#102](https://github.com/docker/docker/pull/102)
* overlay2: check the quota of each storage driver
- Fix CVE-2016-9962 of user namespaces
+ Add support for cgroup v2 to `docker run --memory` [docker/cli#7](https://github.com/docker/cli/pull/7)

## 1.12.0 (2019-12-28)

### Storage

+ New overlay2 storage driver [#101](https://github.com/docker/docker/pull/101)
"""


def pull(repo: GitRepo, number: int, title: str, *commits: tuple[str, str]) -> list[str]:
    """A pull request of commits (file, message), merged as the engine does; returns the commits' ids."""
    base = repo.head()
    assert base
    made = [base]
    for file, message in commits:
        made.append(repo.commit({file: message}, message, [made[-1]], branch=None))
    repo.merge(made[-1], message=f"Merge pull request #{number} from someone/branch\n\n{title}\n")
    return made[1:]


def history(repo: GitRepo, hostile: str = "") -> dict[str, str]:
    """An engine of two releases; returns the ids of its commits by a short name."""
    ids = {"start": repo.commit({"README": "x", IMAGES: "x"}, "Start\n")}
    (ids["driver"],) = pull(repo, 101, "overlay2", (DRIVER, "Add separate overlay2 storage driver\n"))
    repo.tag("v1.12.0")
    ids["diff"], ids["tests"] = pull(
        repo, 102, "diff", (DRIVER, "overlay2: native diff of the storage driver\n"),
        (DRIVER, f"overlay2: clean up the storage driver {hostile}\n"),
    )  # fmt: skip
    ids["quota"] = repo.commit({DRIVER: "q"}, "overlay2: check the quota of each storage driver on XFS\n")
    repo.tag("v1.13.0-rc1")
    ids["untold"] = repo.commit({DRIVER: "u"}, "overlay2: fix crash of the storage driver when a layer is missing\n")
    ids["cve"] = repo.commit({DRIVER: "c"}, "overlay2: drop the mount\n\nThis is CVE-2016-9999.\n")
    ids["added"] = repo.commit({DRIVER: "a"}, "overlay2: add support for quota of the storage driver\n")
    ids["cleaned"] = repo.commit({IMAGES: "i"}, "images: clean up the layer store of the storage driver\n")
    repo.tag("v1.13.0")
    return ids


def sync_history(repo: GitRepo, database: Path) -> None:
    """Sync it as the engine's, which tracks more paths than these."""
    engine = catalogue.load_sources()["docker"]
    paths = tuple(path for path in engine.paths if path.path in ("daemon/graphdriver/", "daemon/images/"))
    run_sync(replace(engine, paths=paths), repo.path, database)


def tell(database: Path, source: str = "docker-notes", **pages: str) -> None:
    """Sync pages of release notes, name=text, from real files; tie and label as `kminer sync` does."""
    folder = database.parent / source
    folder.mkdir()
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    with open_for_writing(database) as db:
        notes.sync(catalogue.load_sources()[source], db, database, Options(repository=folder), Progress())
        tie_store(db, Progress())
    label(database)


@dataclass(frozen=True)
class Made:
    """Databases of an engine, with its notes and without; its commits; the report on its release 1.13.0."""

    noted: Path
    bare: Path
    ids: dict[str, str]
    text: str
    pictures: dict[str, str]


_MADE: list[Made] = []


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """What is made once for all tests, in the home folder of the first."""
    if not _MADE:
        folder = tmp_path_factory.mktemp("release")
        repo = GitRepo(folder / "repo.git")
        ids = history(repo)
        sync_history(repo, folder / "noted.db")
        shutil.copy(folder / "noted.db", folder / "bare.db")
        label(folder / "bare.db")
        tell(folder / "noted.db", prior=PAGE)
        _MADE.append(Made(folder / "noted.db", folder / "bare.db", ids, *report(folder / "noted.db")))
    return _MADE[0]


@pytest.fixture
def store(made: Made, tmp_path: Path) -> Path:
    """The database with notes."""
    return Path(shutil.copy(made.noted, tmp_path / "k.db"))


@pytest.fixture
def bare(made: Made, tmp_path: Path) -> Path:
    """The database without notes."""
    return Path(shutil.copy(made.bare, tmp_path / "k.db"))


@pytest.fixture
def ids(made: Made) -> dict[str, str]:
    """The commits by a short name."""
    return made.ids


@pytest.fixture
def text(made: Made) -> str:
    """The report on release 1.13.0."""
    return made.text


def report(
    database: Path, release: str = "v1.13.0", project: str = "docker", out: str = "out", **settings: str
) -> tuple[str, dict[str, str]]:
    """The report on one release and its pictures."""
    return written(database, "release", {"project": project, "release": release, **settings}, out)


def ask(database: Path, name: str, **settings: str) -> list[dict[str, object]]:
    """A saved query's answer."""
    return list(queries.run(open_for_reading(database), queries.find(name), settings).dicts())


def part(text: str, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def in_short(text: str) -> dict[str, str]:
    """The table at the top."""
    lines = [line.strip("| ").split(" | ") for line in part(text, "In short").splitlines() if line.startswith("|")]
    return {line[0].strip("*· "): line[1].strip("*") for line in lines if len(line) == 2}


def line_of(text: str, words: str) -> str:
    """The one list item that holds `words`."""
    (found,) = [line for line in text.splitlines() if line.startswith("- ") and words in line]
    return found


def linked(commit: str) -> str:
    """A commit as the report links it."""
    return f"[`{commit[:12]}`](https://github.com/moby/moby/commit/{commit})"


def test_numbers_are_those_of_the_queries(store, text):
    """The figures at the top are counted from what the named queries answer."""
    found = in_short(text)
    commits = ask(store, "report-release-note-commits", source="docker", release="v1.13.0")
    told = [row["told"] for row in commits]
    said = [row["tied"] for row in ask(store, "report-release-notes", project="docker", version="1.13.0")]
    assert len(told) == 7 and len(said) == 4
    assert found["commits about isolation"] == "7" and found["notes about isolation"] == "4"
    assert found["named by a note"] == f"{told.count('named')} (28.6 %)" and told.count("named") == 2
    assert found["likely told: only titles are alike"] == str(told.count("title")) == "1"
    assert found["told by no note"] == str(told.count("no")) == "4"
    assert found["that name a change held here"] == str(said.count("named")) == "1"
    assert found["tied to one by its title only"] == str(said.count("title")) == "1"
    assert found["tied to none"] == str(said.count("no")) == "2"
    assert found["date of the tag's commit"] == "2020-01-01" and found["release line"] == "1.13"
    assert found["comes after"] == "v1.12.0, 0 days before" and found["CVEs named by notes or commits"] == "2"


def test_a_note_stands_with_its_sign_section_and_commits(store, text, ids):
    """By pull request with every commit of it; by title with its likeness; or tied to none, with what it names."""
    body = part(text, "What its notes say")
    by_pull = line_of(body, "use the native diff")
    assert re.match(r"- \*\*new:\*\* overlay2: use the native diff of the kernel · \w+ · Runtime · `", by_pull)
    assert "by [moby/moby\\#102](https://github.com/moby/moby/issues/102): " in by_pull
    assert linked(ids["diff"]) in by_pull and linked(ids["tests"]) in by_pull and "Merge" not in by_pull
    by_title = line_of(body, "**changed:**")
    score = next(row["score"] for row in ask(store, "report-release-notes", version="1.13.0") if row["tied"] == "title")
    assert f"titles alike ({score:.2f}): {linked(ids['quota'])} overlay2: check the quota of each" in by_title
    loose = line_of(body, "cgroup v2")
    assert "tied to no commit, names [docker/cli\\#7](https://github.com/docker/cli/issues/7)" in loose
    assert re.findall(r"^### (\S+?):", body, re.MULTILINE)[:2] == ["ns.user", "cg.memory"]


def test_commits_no_note_mentions_come_by_interest(text, ids):
    """What concerns security first, then features, bugs and the rest; none that a note tells."""
    body = part(text, "Commits that no note mentions")
    listed = re.findall(r"^- \[`(\w+)`\]", body, re.MULTILINE)
    assert listed == [ids[name][:12] for name in ("cve", "added", "untold", "cleaned")]
    assert "4 of 7 commits about isolation" in body and body.count("**security:**") == 1
    assert "--set told=no`" in body


def test_long_lists_are_cut_with_what_is_left(store, ids):
    """`most` cuts each list; the rest is counted, and the command that lists all is named."""
    body = part(report(store, most="1")[0], "Commits that no note mentions")
    assert linked(ids["cve"]) in body and linked(ids["untold"]) not in body
    assert "… and 3 more (1 feature, 1 bug, 1 maintenance): `kminer query report-release-note-commits " in body


def test_untied_notes_are_listed_by_what_they_name(text):
    """A pull request of another repository, or nothing at all."""
    body = part(text, "Notes tied to no commit")
    assert "2 of 4 notes" in body and "1 name a pull request or an issue of another repository" in body
    assert body.index("**Of another repository**") < body.index("cgroup v2") < body.index("**Naming none**")


def test_cves_of_notes_and_commits(text, ids):
    """Each CVE once, with the note or the commit that names it, and a link."""
    rows = [line for line in part(text, "CVEs").splitlines() if line.startswith("| [CVE")]
    assert [row.split("]")[0][3:] for row in rows] == ["CVE-2016-9962", "CVE-2016-9999"]
    assert "Fix CVE-2016-9962 of user namespaces |  |  |" in rows[0] and linked(ids["cve"]) in rows[1]
    assert "https://www.cve.org/CVERecord?id=CVE-2016-9962" in rows[0]


def test_features_of_the_catalogue(store, text):
    """Those whose first release it is, and no others."""
    assert "The overlay2 storage driver" in part(report(store, "v1.12.0")[0], "Features that came with it")
    assert "## Features" not in text


def test_features_that_notes_are_tied_to_or_name(store, ids):
    """A feature's own note is named; so are features of the kernel that the notes speak of."""
    with open_for_writing(store) as db:
        (note,) = db.execute("SELECT id FROM changes WHERE type = 'note' AND title LIKE 'New overlay2%'").fetchone()
        db.execute("INSERT INTO feature_mentions VALUES (?, 'docker.overlay2', 'note', 'x')", (note,))
        db.execute("INSERT INTO feature_mentions VALUES (?, 'cg1.memory', 'name', 'memcg')", (note,))
    text = report(store, "v1.12.0")[0]
    row = next(line for line in part(text, "Features that came with it").splitlines() if "overlay2" in line)
    assert "| New overlay2 storage driver | high |" in row
    assert "New overlay2 storage driver |" in part(text, "Features of others that it names")


def test_pictures_are_the_ones_linked_and_tell_the_counts(made, text):
    """Told and untold, by mechanism and by kind; each picture written is shown."""
    assert {address for address in shown(text).addresses if address.endswith(".svg")} == set(made.pictures)
    assert set(made.pictures) == {"release-told.svg", "release-kinds.svg"}
    drawn = made.pictures["release-told.svg"]
    assert "fs.driver, named by a note: 2" in drawn and "fs.driver, told by no note: 4" in drawn


def test_tag_and_version_mean_the_same(made, store):
    """A release can be named either way."""
    assert report(store, "1.13.0") == (made.text, made.pictures)


def test_unknown_release_names_the_nearest(store):
    """An error with what there is near it; control characters are shown, and nothing is written."""
    with pytest.raises(UsageError, match=r"'v1\.13\.7' is not a release of docker") as error:
        report(store, "v1.13.7")
    assert "v1.13.0" in error.value.next and "`kminer releases docker --rc` and `kminer query" in error.value.next
    with pytest.raises(UsageError) as error:
        report(store, "\x1b[31m\u202e' OR 1=1 --")
    assert not re.search("[\x1b\u202e]", str(error.value))
    assert not (store.parent / "out").exists()


def test_candidate_and_final(store, ids):
    """A candidate holds what came first with it; the final release that and the rest."""
    text = report(store, "v1.13.0-rc1")[0]
    assert in_short(text)["commits about isolation"] == "3" and "a candidate" in text
    assert ids["untold"][:12] not in text and "No note about isolation of this release" in text


def test_notes_of_candidates_belong_to_the_final(bare):
    """As its commits do; each says under which version it stands."""
    tell(bare, prior=PAGE.replace("## 1.12.0", "## 1.13.0-rc1 (2020-01-02)\n\n- Mend the overlay2 driver\n\n## 1.12.0"))
    assert "· 1.13.0-rc1 · `" in line_of(part(report(bare)[0], "What its notes say"), "Mend the overlay2")
    assert in_short(report(bare, "v1.13.0-rc1", out="rc")[0])["notes about isolation"] == "1"


def test_what_two_pages_tell_counts_once(store, text):
    """The note names both sources that tell it."""
    before = in_short(text)
    tell(store, "docker-notes-ce", **{"CHANGELOG-17.06": PAGE.replace("1.12.0 (2019-12-28)", "1.11.0 (2019-12-01)")})
    after = report(store, out="two")[0]
    assert in_short(after) == before
    assert "told by `docker-notes`, `docker-notes-ce`" in after


def test_without_notes(bare, ids):
    """One sentence says which sources bring them; commits are all there, nothing is called untold."""
    text, pictures = report(bare)
    assert "**No release notes.**" in text and "`kminer sync docker-notes" in text
    assert all(linked(commit) in text for name, commit in ids.items() if name not in ("start", "driver"))
    assert "told" not in " ".join(in_short(text)) and "Commits that no note mentions" not in text
    assert set(pictures) == {"release-mechanisms.svg"}


def test_without_notes_of_this_release(store):
    """A release of which the pages say nothing is told so."""
    with open_for_writing(store) as db:
        db.execute("DELETE FROM note_places WHERE version = '1.13.0'")
    text, _ = report(store)
    assert "No note about isolation of this release is in the database" in text
    assert in_short(text)["notes about isolation"] == "0" and "**No release notes.**" not in text


def test_without_the_history(tmp_path):
    """Where only notes are held they are shown, with how to get the history; the nearest go by the notes."""
    tell(tmp_path / "k.db", prior=PAGE)
    text, pictures = report(tmp_path / "k.db", "v1.13.0")
    assert "**Missing: the history of docker 1.13.0.**" in text and "`kminer sync docker`" in text
    assert "use the native diff" in part(text, "What its notes say") and "tied to no commit" not in text
    assert set(pictures) == {"release-notes.svg"}
    with pytest.raises(UsageError, match="not a release of the notes of docker") as error:
        report(tmp_path / "k.db", "1.13.9")
    assert "1.13.0" in error.value.next


def test_empty_store(tmp_path):
    """Nothing at all: what is missing, and what the catalogue says."""
    with open_for_writing(tmp_path / "k.db"):
        pass
    text, pictures = report(tmp_path / "k.db", "1.12.0")
    assert "`kminer sync docker`" in text and "The overlay2 storage driver" in text and not pictures


def test_linux_shows_what_maintainers_said(tmp_path):
    """A release of Linux: the summaries of its pulls; a demo misses no notes."""
    fill(tmp_path / "k.db", changes=linux_changes())
    text, _ = report(tmp_path / "k.db", "v2.6.28-rc1", "linux")
    body = shown(part(text, "What maintainers said of their pulls"))
    assert "plain is what it brings." in body.text and "git://" not in body.text
    fill(tmp_path / "demo.db", "linux-demo", linux_changes())
    text, pictures = report(tmp_path / "demo.db", "v2.6.26", "linux", out="demo")
    assert "**Demo data.**" in text and "No release notes" not in text
    assert all("Demo data: " in svg for svg in pictures.values())


def hostile_page() -> str:
    """Notes whose words try to be markup, in titles, sections and code."""
    bad = HOSTILE.replace("|", "\\|")
    page = PAGE
    for old, new in (
        ("### Runtime", f"### Runtime {bad}"), ("Fix CVE", f"Fix \u202e\x1b[31m {bad} CVE"),
        ("## 1.12.0", f"- <details><img src=x onerror=alert(1)> overlay2 [x](javascript:1) {bad}\n\n## 1.12.0"),
    ):  # fmt: skip
        page = page.replace(old, new)
    return page


def test_hostile_text_is_inert(tmp_path):
    """Markup, links, pictures, control and direction characters of notes and commits show as written."""
    repo = GitRepo(tmp_path / "repo.git")
    history(repo, HOSTILE)
    sync_history(repo, tmp_path / "k.db")
    tell(tmp_path / "k.db", prior=hostile_page())
    said, drawn = report(tmp_path / "k.db")
    assert shown(said).text.count("<script>alert(1)</script>") > 3
    for text, pictures in ((said, drawn), written(tmp_path / "k.db", "timeline")):
        page = shown(text)
        assert page.tags <= {
            "h1", "h2", "h3", "p", "a", "img", "ul", "li", "code", "strong", "em", "details", "summary", "blockquote",
            "table", "thead", "tbody", "tr", "th", "td",
        }  # fmt: skip
        ours = re.compile(
            r"https://(?:github\.com/[\w./-]+|docs\.docker\.com/[\w/-]+|www\.cve\.org/CVERecord\?id=[\w-]+)$|[\w-]+\.svg$"
        )
        assert [address for address in page.addresses if not ours.match(address)] == []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text + "".join(pictures.values()))
        for svg in pictures.values():
            assert not {tag.tag.split("}")[1] for tag in ElementTree.fromstring(svg).iter()} & {"script", "image", "a"}


def test_settings_are_inert(bare):
    """What a user gives as a project shows as written."""
    with open_for_writing(bare) as db:
        db.execute("DELETE FROM note_places")
    text, _ = report(bare, HOSTILE, HOSTILE)
    assert not shown(text).tags & {"script", "img", "a", "comment"}


@pytest.mark.parametrize("name", ["release", "timeline"])
def test_same_database_gives_the_same_bytes(store, name):
    """Two writes agree, and neither the clock nor the folders of a sync show."""
    settings = {"project": "docker", "release": "v1.13.0"} if name == "release" else {}
    before = written(store, name, settings, "one")
    with open_for_writing(store) as db:
        db.execute("UPDATE sources SET synced_at = 'later', location = '/elsewhere'")
    assert written(store, name, settings, "two") == before


def commands_of(text: str) -> Sequence[str]:
    """The `kminer query` lines a report names."""
    return sorted(set(re.findall(r"`kminer query ([^`]+)`", text)))


def test_every_named_command_works(store, text):
    """Each `kminer query` that the reports name can be run as it stands."""
    for line in [*commands_of(text), *commands_of(written(store, "timeline")[0])]:
        asked, *pairs = line.split(" --set ")
        ask(store, asked, **dict(pair.split("=", 1) for pair in pairs))


def test_sources_are_named_with_head_and_dates(store, text):
    """What the figures were drawn from: pages and versions of the notes, head and newest change of the history."""
    body = part(text, "What it is made of")
    (head,) = ask(store, "report-note-heads")
    assert f"main [`{head['id']}`]" in body and "| 2020-01-18 | 1.12.0 – 1.13.0 |" in body


def test_timeline_sets_notes_beside_commits(store):
    """Notes by mechanism, the share of commits that they name, by year and by line, as the queries count them."""
    text, pictures = written(store, "timeline")
    shares = ask(store, "report-note-shares", source="docker")
    count = [sum(int(row["commits"]) for row in shares if row["told"] == told) for told in ("named", "title", "no")]
    assert count == [3, 1, 5]
    assert "of 9 commits about isolation that a final release contains, notes name 3 (33.3 %), and 1 more (11.1" in text
    assert "5 notes about isolation, 2019 to 2020, told by `docker-notes`; 3 of them (60.0 %)" in text
    assert "timeline-docker-notes.svg" in pictures
    assert "| 1.12 | 1 | 2 | 1 | 0 | 1 | 50.0 % |" in text and "| 1.13 | 4 | 7 | 2 | 1 | 4 | 28.6 % |" in text


def test_timeline_draws_told_and_untold_by_year(store):
    """Standing bars where releases lie in more than one year."""
    with open_for_writing(store) as db:
        db.execute("UPDATE releases SET date = '2017-01-18T00:00:00Z' WHERE tag = 'v1.13.0'")
        db.execute("UPDATE releases SET date = '2015-07-28T00:00:00Z' WHERE tag = 'v1.12.0'")
    _, pictures = written(store, "timeline")
    assert "2017, told by no note: 4" in pictures["timeline-docker-told.svg"]
    assert "2015, named by a note: 1" in pictures["timeline-docker-told.svg"]
    assert ">2016</text>" in pictures["timeline-docker-told.svg"], "a year without releases has its place"


def test_timeline_without_notes_says_how_to_get_them(bare):
    """One sentence, and no picture."""
    text, pictures = written(bare, "timeline")
    assert text.count("holds no release notes of docker") == 1 and "Get them with `kminer sync docker-notes`" in text
    assert not [name for name in pictures if "told" in name or "notes" in name]
