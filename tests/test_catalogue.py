"""The catalogue: every shipped file loads, and what is wrong in a file is told by file and key."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gitrepo import GitRepo
from syncing import ask

from kminer import catalogue, places
from kminer.checks import CHECKS
from kminer.errors import CatalogueError, UsageError
from kminer.records import HISTORIES
from kminer.sources import KINDS

Kminer = Callable[..., "subprocess.CompletedProcess[str]"]

GOOD = """
id = "mine"
kind = "git"
project = "mine"
title = "My own"
words = ["gadget*"]

[releases]
tag = '^v(?P<version>\\d+(?:\\.\\d+)*)$'
series = '^\\d+'

[pulls]
title = '^Merge tag'

[[paths]]
path = "src/"
was = ["source/", "lib/*.c"]
mechanisms = ["cg.core"]
about = "all of it"
"""

MECHANISMS = {
    *(["ns.core", "ns.mnt", "ns.uts", "ns.ipc", "ns.pid", "ns.net", "ns.user", "ns.cgroup", "ns.time"]),
    *(
        [
            "cg.core",
            "cg.cpu",
            "cg.cpuset",
            "cg.memory",
            "cg.io",
            "cg.pids",
            "cg.devices",
            "cg.freezer",
            "cg.hugetlb",
            "cg.rdma",
            "cg.perf",
            "cg.net",
        ]
    ),
    *(
        [
            "cg.misc",
            "cg.psi",
            "fs.overlay",
            "fs.driver",
            "sec.seccomp",
            "sec.caps",
            "sec.lsm",
            "mgmt.image",
            "mgmt.orchestration",
            "mgmt.runtime",
        ]
    ),
}


def own_source(text: str, name: str = "mine.toml") -> Path:
    """Write a source file into the user's own folder."""
    file = places.own("data/sources") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


FAULTS = [
    ("title = ", "titel = ", "titel"),
    ('title = "My own"', "", "title"),
    ('title = "My own"', "title = 5", "title"),
    ('title = "My own"', 'title = ""', "title"),
    ('kind = "git"', "", "kind"),
    ('project = "mine"', "project = true", "project"),
    ('id = "mine"', 'id = "yours"', "id"),
    ('id = "mine"', "", "id"),
    ('id = "mine"', "id = 3", "id"),
    ('words = ["gadget*"]', 'words = "gadget"', "words"),
    ('words = ["gadget*"]', "words = [1]", "words"),
    ('words = ["gadget*"]', 'words = [""]', "words"),
    ('words = ["gadget*"]', 'words = ["*"]', "words"),
    ('words = ["gadget*"]', 'words = ["  "]', "words"),
    ('words = ["gadget*"]', 'default = "yes"', "default"),
    ('words = ["gadget*"]', "clone = [3]", "clone"),
    ('words = ["gadget*"]', 'extends = "nothing"', "extends"),
    ('words = ["gadget*"]', 'extends = "linux-stable"', "extends"),
    ('words = ["gadget*"]', 'extends = "mine"', "extends"),
    ("\\d+(?:\\.\\d+)*", "\\d+(", "tag"),
    ("?P<version>", "?P<number>", "tag"),
    ("tag = ", "tags = ", "releases.tags"),
    ("series = '^\\d+'", "", "series"),
    ("series = '^\\d+'", "series = '['", "series"),
    ("[releases]", "[release]", "release"),
    ("title = '^Merge tag'", "title = '(?P<x'", "title"),
    ("title = '^Merge tag'", "titles = '^Merge tag'", "pulls.titles"),
    ('path = "src/"', "", "paths.path"),
    ('path = "src/"', 'path = "/src/"', "paths.path"),
    ('path = "src/"', 'path = "../src/"', "paths.path"),
    ('path = "src/"', 'path = "src//x"', "paths.path"),
    ('path = "src/"', 'path = "src/**/x"', "paths.path"),
    ('path = "src/"', 'path = "./src"', "paths.path"),
    ('path = "src/"', 'path = "/"', "paths.path"),
    ('path = "src/"', "path = 7", "path"),
    ('path = "src/"', 'path = "source/"', "paths.path"),
    ('was = ["source/", "lib/*.c"]', 'was = ["src/"]', "paths.path"),
    ('was = ["source/", "lib/*.c"]', 'was = "source/"', "was"),
    ('was = ["source/", "lib/*.c"]', 'whole = "no"', "whole"),
    ("mechanisms", "mechanism", "paths.mechanism"),
    ('mechanisms = ["cg.core"]', 'mechanisms = ["cg.cor"]', "mechanisms"),
    ("[[paths]]", "[[path]]", "path"),
    ("[[paths]]", "[paths]", "paths"),
]


@pytest.mark.parametrize(("right", "wrong", "key"), FAULTS)
def test_a_fault_in_a_source_file_is_told_by_file_and_key(right: str, wrong: str, key: str) -> None:
    """Each way to get a key wrong gives an error of exit code 2 that names the file, the key and what to do."""
    assert right in GOOD
    file = own_source(GOOD.replace(right, wrong))
    with pytest.raises(CatalogueError) as caught:
        catalogue.load_sources()
    assert caught.value.where == str(file)
    assert f"`{key}`" in caught.value.what
    assert caught.value.next
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "data",
    [b'id = "mine', b"id = mine", b"[releases\n", b'id = "mine"\nid = "mine"\n', b'id = "\0"'],
)
def test_broken_toml(data: bytes) -> None:
    """A file that is not TOML is told with its name and the parser's reason."""
    file = own_source("")
    file.write_bytes(data)
    with pytest.raises(CatalogueError, match="not valid TOML") as caught:
        catalogue.load_sources()
    assert caught.value.where == str(file)


def test_a_file_that_is_not_utf8() -> None:
    """A file in another encoding is told with its name."""
    file = own_source("")
    file.write_bytes('title = "Grüße"'.encode("latin-1"))
    with pytest.raises(CatalogueError, match="UTF-8") as caught:
        catalogue.load_sources()
    assert caught.value.where == str(file)


def test_a_file_that_cannot_be_read() -> None:
    """A source that is a folder, or a link to nothing, is told with its name."""
    file = own_source("")
    file.unlink()
    file.mkdir()
    with pytest.raises(CatalogueError) as caught:
        catalogue.load_sources()
    assert caught.value.where == str(file)


def test_the_command_line_shows_a_fault_without_a_traceback(kminer: Kminer) -> None:
    """A source file with a typo ends every command that needs it with exit code 2 and three plain lines."""
    file = own_source(GOOD.replace("title = ", "titel = "))
    for arguments in (("sync", "mine"), ("sources",), ("check",)):
        done = kminer(*arguments)
        assert done.returncode == 2
        assert "titel" in done.stderr
        assert file.name in done.stderr.replace("\n", "")
        assert "Traceback" not in done.stderr


def test_one_file_suffices_for_a_new_repository(repo: GitRepo, kminer: Kminer, database: Path) -> None:
    """A user's own file in the configuration folder makes a repository listed, synced and asked about."""
    own_source(GOOD)
    repo.commit({"src/a.c": "1"}, "Begin\n")
    repo.commit({"doc": "1"}, "About gadgets\n")
    repo.commit({"doc": "2"}, "dull\n")
    repo.tag("v1")
    done = kminer("--db", database, "sync", "mine", "--repo", f"mine={repo.path}")
    assert done.returncode == 0, done.stderr
    assert ask(database, "SELECT title, first_final FROM changes ORDER BY id") == [
        ("Begin", "v1"),
        ("About gadgets", "v1"),
    ]
    assert ask(database, "SELECT path, mechanism, about FROM tracked_paths") == [("src/", "cg.core", "all of it")]
    listed = kminer("--db", database, "sources")
    assert "mine" in listed.stdout
    assert "mine: " not in kminer("check").stderr


def test_a_users_file_takes_the_place_of_a_shipped_one() -> None:
    """A file of the same name in the user's folder counts instead of the shipped one; the others stay."""
    before = catalogue.load_sources()
    own_source(GOOD.replace('"mine"', '"runc"'), "runc.toml")
    after = catalogue.load_sources()
    assert after["runc"].title == "My own"
    assert {name: source for name, source in after.items() if name != "runc"} == {
        name: source for name, source in before.items() if name != "runc"
    }


def test_two_files_with_one_id() -> None:
    """A second file that claims a known id is refused: an id is its file's name."""
    file = own_source(GOOD.replace('"mine"', '"linux"'))
    with pytest.raises(CatalogueError) as caught:
        catalogue.load_sources()
    assert caught.value.where == str(file)


def test_a_source_that_extends_another() -> None:
    """What a source does not say itself it has from the one it extends, except that it is synced unasked."""
    own_source('id = "mine"\nextends = "linux"\ntitle = "Mine"\nclone = []\n')
    sources = catalogue.load_sources()
    assert sources["mine"].paths == sources["linux"].paths
    assert sources["mine"].words == sources["linux"].words
    assert (sources["mine"].title, sources["mine"].clone, sources["mine"].default) == ("Mine", (), False)


def test_an_unknown_source() -> None:
    """Asking for a source that is not there tells what is near, or else how one is added."""
    with pytest.raises(UsageError, match="linus") as near:
        catalogue.find_source("linus")
    assert "linux" in str(near.value)
    with pytest.raises(UsageError) as far:
        catalogue.find_source("zzzz")
    assert "zzzz.toml" in str(far.value)


# --- what is shipped


def test_every_shipped_folder_loads() -> None:
    """All that is shipped is well-formed, and there is something in every folder."""
    for folder, load in CHECKS.items():
        assert load(), folder


def test_shipped_sources() -> None:
    """Linux and Docker are synced unasked, runc, containerd, lxcfs and linux-stable only when named; all are whole."""
    sources = catalogue.load_sources()
    assert {"linux", "docker", "runc", "containerd", "lxcfs", "linux-stable", "linux-demo", "docker-demo"} <= set(
        sources
    )
    assert {name for name, source in sources.items() if source.default} == {"linux", "docker"}
    assert {name for name, source in sources.items() if source.demo} == {"linux-demo", "docker-demo"}
    for source in sources.values():
        assert re.compile(source.tag_pattern).groupindex["version"]
        assert all(address.startswith("https://") for address in source.clone + source.pages)
        if source.kind in HISTORIES:
            assert source.words
            assert source.demo or ("{id}" in source.commit_url and source.clone)
        else:
            assert source.kind in KINDS
            assert source.clone or source.pages or source.files or source.kind == "merged-titles"
    assert len(sources["linux"].paths) >= 60
    assert len(sources["docker"].paths) >= 25


NOTES = """
id = "mine"
kind = "markdown"
project = "mine"
title = "My own notes"
files = ["NEWS.md"]
words_of = "linux"
prose = false

[releases]
tag = '^v(?P<version>\\d+(?:\\.\\d+)*)$'
series = '^\\d+'
"""


def test_a_source_of_notes(home: Path) -> None:
    """It needs no tracked paths, and may take the words of another."""
    folder = places.own("data/sources")
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(NOTES)
    source = catalogue.find_source("mine")
    assert (source.files, source.prose, source.paths) == (("NEWS.md",), False, ())
    assert source.words == catalogue.find_source("linux").words
    for wrong, message in (
        (NOTES.replace('"linux"', '"nothing"'), "words_of"),
        (NOTES.replace("words_of", 'words = ["a"]\nwords_of'), "words_of"),
        (NOTES.replace("prose = false", "prose = 1"), "`prose` must be true or false"),
    ):
        (folder / "mine.toml").write_text(wrong)
        with pytest.raises(CatalogueError, match=message):
            catalogue.load_sources()


def test_mechanisms_are_those_of_the_taxonomy() -> None:
    """Each mechanism in the data is a label of the taxonomy, and every tracked path of a source says what it is."""
    used = {m for feature in catalogue.load_features().values() for m in feature.mechanisms}
    for source in catalogue.load_sources().values():
        for path in source.paths:
            assert path.about, (source.id, path.path)
            used |= set(path.mechanisms)
    assert used <= MECHANISMS, sorted(used - MECHANISMS)


def test_the_taxonomys_labels_are_those_of_the_shared_text(shared: Path) -> None:
    """The labels this test goes by are those that LABELS.md lists."""
    section = (shared / "LABELS.md").read_text().split("## 2.")[1].split("## 3.")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    assert {label for row in rows for label in re.findall(r"`([a-z]+\.[a-z]+)`", row)} == MECHANISMS


def test_shipped_features() -> None:
    """A feature says since when only with a release that has a date; its commits are whole ids."""
    dates = catalogue.load_release_dates()
    versions = {project: {release.version for release in releases} for project, releases in dates.items()}
    features = catalogue.load_features()
    assert len(features) >= 200
    for feature in features.values():
        assert feature.since is None or feature.since in versions[feature.project], feature.id
        assert all(re.fullmatch(r"[0-9a-f]{12,40}", commit) for commit, _ in feature.commits), feature.id
        assert feature.confidence in {"high", "medium", "low"}, feature.id


def test_release_dates_fit_the_versions() -> None:
    """No release is dated twice; and there is no Linux 5.20, 6.20, 4.21 or 3.20, nor a tag of one."""
    for project, releases in catalogue.load_release_dates().items():
        assert len({release.version for release in releases}) == len(releases), project
        assert len({release.tag for release in releases}) == len(releases), project
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", release.date) for release in releases), project
    linux = {release.version for release in catalogue.load_release_dates()["linux"]}
    assert {"2.6.12", "4.20", "5.19", "6.0", "6.19", "7.0"} <= linux
    assert not linux & {"3.20", "4.21", "5.20", "6.20"}


@pytest.mark.parametrize(
    ("folder", "name", "text", "key"),
    [
        ("data/features", "x.toml", 'id = "x"\nproject = "linux"\n', "area"),
        ("data/features", "x.toml", 'project = "linux"\n', "id"),
        ("data/releases", "x.toml", 'project = "x"\n[[releases]]\nversion = "1"\ntag = "v1"\n', "releases.date"),
        ("data/releases", "x.toml", 'project = "x"\nreleases = 3\n', "releases"),
        ("data/features", "x.toml",
         'id="x"\nproject="p"\narea="a"\ntitle="t"\nsummary="s"\nconfidence="low"\ncommits=["x"]\n', "commits"),
    ],
)  # fmt: skip
def test_faults_in_other_files(folder: str, name: str, text: str, key: str) -> None:
    """Features and release dates are checked like sources: what is missing or malformed is told by file and key."""
    file = places.own(folder) / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        CHECKS[folder]()
    assert caught.value.where == str(file)
    assert f"`{key}`" in caught.value.what


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- why: because\nSELECT 1\n", "title"),
        ("-- title: One\nSELECT 1\n", "why"),
        ("-- title: One\n-- why: because\n-- param Bad Name\nSELECT 1\n", "param"),
    ],
)
def test_faults_in_queries(text: str, said: str) -> None:
    """A query whose head is incomplete is told by its file."""
    file = places.own("queries") / "broken.sql"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(CatalogueError, match=said) as caught:
        catalogue.load_queries()
    assert caught.value.where == str(file)
