"""Ties: which changes a release note speaks of, and which features changes bring or name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from gitrepo import EPOCH, GitRepo
from syncing import Rows, ask, check_whole, run_sync, sample_source

from kminer import catalogue, works
from kminer.progress import Progress
from kminer.records import Feature, Source
from kminer.sources import git, notes
from kminer.store.database import open_for_writing
from kminer.tying import LIKENESS, WINDOW, tie_store

CODE = sample_source(id="code", project="docker", repository="moby/moby", repository_was=("docker/docker",))
NOTES = Source(
    id="notes", kind="markdown", project="docker", title="Notes", repository="moby/moby",
    repository_was=("docker/docker",), tag_pattern=r"^v?(?P<version>\d+(?:\.\d+)+)(?:-(?P<pre>rc\d+))?$",
    series_pattern=r"^\d+\.\d+", file="notes.toml",
)  # fmt: skip
DAY = "2020-01-02"
"""A day after the first commits of a test's repository."""

Tie = tuple[str, str, str, float]


@dataclass(frozen=True)
class Lab:
    """A repository of code, a folder of notes, and the database they are synced into."""

    repo: GitRepo
    folder: Path
    database: Path

    def sync_code(self, source: Source = CODE, **options: Any) -> None:
        run_sync(source, self.repo.path, self.database, **options)

    def sync_notes(self, source: Source = NOTES, full: bool = False, **pages: str) -> None:
        """Sync notes of one version a page: version 1.0, of DAY, unless a page begins with a heading of its own."""
        folder = self.folder / source.id
        folder.mkdir(exist_ok=True)
        for name, text in pages.items():
            (folder / f"{name}.md").write_text(text if text.startswith("#") else f"## 1.0 ({DAY})\n\n{text}\n")
        with open_for_writing(self.database) as db:
            notes.sync(source, db, self.database, git.Options(repository=folder, full=full), Progress())

    def tie(self) -> set[Tie]:
        """Tie; returns (title of the note, title of the change, by what, score)."""
        with open_for_writing(self.database) as db:
            tie_store(db, Progress())
        return set(
            ask(
                self.database,
                """
                SELECT n.title, c.title, t.tied_by, t.score FROM ties t
                JOIN changes n ON n.id = t.note_id JOIN changes c ON c.id = t.change_id
                """,
            )
        )

    def tell(self, *bullets: str, source: Source = NOTES) -> set[Tie]:
        """Sync these bullets of 1.0 and tie."""
        self.sync_notes(source, page="\n".join(f"- {bullet}" for bullet in bullets))
        return self.tie()

    def mentions(self) -> set[tuple[str, str, str, str]]:
        """(title of the change, feature, by what, evidence)."""
        sql = "SELECT c.title, m.feature, m.mentioned_by, m.evidence FROM feature_mentions m"
        return set(ask(self.database, f"{sql} JOIN changes c ON c.id = m.change_id"))


@pytest.fixture
def lab(repo: GitRepo, tmp_path: Path, database: Path) -> Lab:
    (tmp_path / "notes").mkdir()
    return Lab(repo, tmp_path / "notes", database)


@pytest.fixture(autouse=True)
def features(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the features of the catalogue, without works that name others; none at first."""
    monkeypatch.setattr(works, "load_papers", dict)
    monkeypatch.setattr(works, "load_resources", dict)

    def set_features(*found: Feature) -> None:
        monkeypatch.setattr(catalogue, "load_features", lambda: {feature.id: feature for feature in found})

    set_features()
    return set_features


def tracked(number: int) -> Mapping[str, str]:
    return {f"tracked/{number}.c": f"{number}\n"}


# --- by what they name


@pytest.mark.parametrize("length", [40, 12, 7])
def test_by_commit_id(lab: Lab, length: int) -> None:
    """A note that names a commit, by its whole id or by the beginning of it, is tied to it."""
    commit = lab.repo.commit(tracked(1), "Free the memory\n")
    lab.repo.commit(tracked(2), "Something else\n")
    lab.sync_code()
    address = f"https://github.com/moby/moby/commit/{commit[:length]}"
    assert lab.tell(f"No more leaks, as [this commit]({address}) says", "Not tied at all") == {
        ("No more leaks, as this commit says", "Free the memory", "id", 1.0)
    }


def test_by_the_commit_it_is_a_backport_of(lab: Lab, repo: GitRepo) -> None:
    """A stable kernel's shortlog names its own commit and the one upstream: it is tied to what the store holds."""
    upstream = repo.commit(tracked(1), "memcg: fix a leak\n")
    lab.sync_code(replace(CODE, project="linux"))
    stable = replace(NOTES, id="stable", kind="kernel-changelog", project="linux")
    (lab.folder / "stable").mkdir()
    date = "Date:   Fri Nov 22 15:38:37 2024 +0100"
    text = f"commit {'b' * 40}\n{date}\n\n    memcg: mend it\n\n    commit {upstream} upstream.\n"
    (lab.folder / "stable" / "ChangeLog-6.12.1").write_text(text)
    lab.sync_notes(stable)
    assert lab.tie() == {("memcg: mend it", "memcg: fix a leak", "id", 1.0)}


def pull_request(lab: Lab, number: int = 7) -> None:
    """Two commits on a branch, merged as a pull request, and one that was squashed with its own number."""
    first = lab.repo.commit(tracked(1), "Begin\n")
    lab.repo.commit(tracked(2), "First of two\n", [first], "pr")
    second = lab.repo.commit(tracked(3), "Second of two\n", branch="pr")
    lab.repo.commit(tracked(4), "On main meanwhile\n")
    lab.repo.merge(second, message=f"Merge pull request #{number} from somebody/widget\n\nBring two widgets\n")
    lab.repo.ref("refs/heads/pr", None)
    lab.repo.commit(tracked(5), f"Squashed ({'#' + str(number + 1)})\n")


@pytest.mark.parametrize(
    "said", ["[moby/moby#7](https://github.com/moby/moby/pull/7)", "moby/moby#7", "docker/docker#7", "#7",
             "[#7](https://github.com/docker/docker/pull/7)", "[#7](https://github.com/moby/moby/issues/7)"]
)  # fmt: skip
def test_by_pull_request(lab: Lab, said: str) -> None:
    """A note that names a pull request is tied to its merge and to the commits that it brought, and no others."""
    pull_request(lab)
    lab.sync_code()
    assert lab.tell(f"Widgets, at last {said}") == {
        ("Widgets, at last", title, "pull-request", 1.0)
        for title in ("First of two", "Second of two", "Merge pull request #7 from somebody/widget")
    }


def test_by_the_number_of_a_squashed_pull_request(lab: Lab) -> None:
    """A commit whose title ends in the number of its pull request is the pull request."""
    pull_request(lab)
    lab.sync_code()
    assert lab.tell("Widgets in one [moby/moby#8](https://github.com/moby/moby/pull/8)") == {
        ("Widgets in one", "Squashed (#8)", "pull-request", 1.0)
    }


def test_by_an_issue_that_a_commit_closes(lab: Lab) -> None:
    """An issue ties to the commit that closes it, not to one that only mentions it, nor to a pull request's number."""
    lab.repo.commit(tracked(1), "Mend the widget\n\nFixes #9\n")
    lab.repo.commit(tracked(2), "Try to mend it\n\nSee #9\n")
    lab.sync_code()
    assert lab.tell("The widget works [#9](https://github.com/moby/moby/issues/9)") == {
        ("The widget works", "Mend the widget", "issue", 1.0)
    }
    assert lab.tell("The widget works [#9](https://github.com/moby/moby/pull/9)") == set(), "that is no issue"


def test_by_cve(lab: Lab) -> None:
    """A vulnerability that both name ties them, however it is spelled."""
    lab.repo.commit(tracked(1), "Do not follow links\n\nThis is CVE-2024-21626.\n")
    lab.repo.commit(tracked(2), "Something of CVE-2024-21627\n")
    lab.sync_code()
    assert lab.tell("Mend cve-2024-21626 in a hurry") == {
        ("Mend cve-2024-21626 in a hurry", "Do not follow links", "cve", 1.0)
    }


def test_the_same_number_of_another_repository(lab: Lab) -> None:
    """#7 of another repository is another pull request."""
    pull_request(lab)
    lab.sync_code()
    assert lab.tell("Widgets elsewhere [cli#7](https://github.com/docker/cli/pull/7)") == set()


# --- by title


def test_by_the_very_title(lab: Lab) -> None:
    """The same title, whatever its case, spaces and full stop, is tied with score 1."""
    lab.repo.commit(tracked(1), "Mend the widget\n")
    lab.sync_code()
    assert lab.tell("mend  the WIDGET.") == {("mend the WIDGET.", "Mend the widget", "title", 1.0)}


def test_several_with_the_very_title(lab: Lab) -> None:
    """Changes of one title share the score; if some came with the note's own release, only they do."""
    for number in range(3):
        lab.repo.commit(tracked(number), "Mend the widget\n")
        lab.repo.tag(f"v0.{number}")
    lab.sync_code()
    ties = "SELECT count(*), min(score), max(score) FROM ties"
    assert {tie[:3] for tie in lab.tell("Mend the widget")} == {("Mend the widget", "Mend the widget", "title")}
    assert ask(lab.database, ties) == [(3, pytest.approx(1 / 3), pytest.approx(1 / 3))]
    for number in range(3, 5):
        lab.repo.commit(tracked(number), "Mend the widget\n")
    lab.repo.tag("v1.0")
    lab.sync_code()
    lab.tie()
    assert ask(lab.database, ties) == [(2, 0.5, 0.5)]
    versions = "SELECT DISTINCT c.first_final FROM ties t JOIN changes c ON c.id = t.change_id"
    assert ask(lab.database, versions) == [("v1.0",)]


def test_by_a_near_title(lab: Lab) -> None:
    """A title that shares most of its telling words is tied, with its likeness as the score."""
    lab.repo.commit(tracked(1), "memcg: reclaim charges of dying widgets before OOM\n")
    for number in range(2, 20):
        lab.repo.commit(tracked(number), f"Change {number} of the charges\n")
    lab.sync_code()
    ties = lab.tell("memcg: reclaim the charges of dying widgets early, before OOM")
    assert {tie[:3] for tie in ties} == {
        ("memcg: reclaim the charges of dying widgets early, before OOM",
         "memcg: reclaim charges of dying widgets before OOM", "title")
    }  # fmt: skip
    assert all(LIKENESS <= score < 1 for *_, score in ties)
    assert lab.tell("memcg: charges of widgets are counted otherwise", "Dying widgets") == ties, "too unlike, too short"


def test_near_titles_that_are_equally_near_share(lab: Lab) -> None:
    """Two changes that are as like divide the likeness."""
    lab.repo.commit(tracked(1), "memcg: reclaim charges of dying widgets\n")
    for number in range(2, 40):
        lab.repo.commit(tracked(number), f"Change {number} of something else\n")
    lab.sync_code()
    alone = lab.tell("memcg: reclaim charges of dying widgets soon")
    assert {tie[1] for tie in alone} == {"memcg: reclaim charges of dying widgets"}
    lab.repo.commit(tracked(40), "memcg: reclaim charges, of dying widgets\n")
    lab.sync_code()
    both = lab.tie()
    assert len(both) == 2 and len({score for *_, score in both}) == 1 and all(score <= 0.5 for *_, score in both)


@pytest.mark.parametrize(
    ("days", "tied"), [(0, True), (-WINDOW[0] + 3, True), (-WINDOW[0] - 3, False), (WINDOW[1] - 3, True),
                       (WINDOW[1] + 3, False)]
)  # fmt: skip
def test_near_titles_only_in_time(lab: Lab, days: int, tied: bool) -> None:
    """A like title means no change long before the release, or well after it; the very title may be older."""
    when = EPOCH + 86_400 * (1 + days)
    lab.repo.commit(tracked(1), "memcg: reclaim charges of dying widgets\n", when=when)
    lab.repo.commit(tracked(2), "An old one of the very title\n", when=when)
    lab.sync_code()
    ties = lab.tell("memcg: reclaim charges of dying widgets soon", "An old one of the very title")
    assert {tie[1] for tie in ties} == ({"An old one of the very title"} if days < WINDOW[1] else set()) | (
        {"memcg: reclaim charges of dying widgets"} if tied else set()
    )


def test_a_merge_is_known_by_what_it_merged(lab: Lab) -> None:
    """Of a merge the line below its title counts, not the branch's name."""
    first = lab.repo.commit(tracked(1), "Begin\n")
    side = lab.repo.commit({"other.c": "1"}, "Work\n", [first], "pr")
    lab.repo.commit(tracked(2), "Go on\n")
    lab.repo.merge(side, message="Merge pull request #7 from somebody/widget\n\nShow widgets in the list\n")
    lab.sync_code()
    assert lab.tell("Show widgets in the list") == {
        ("Show widgets in the list", "Merge pull request #7 from somebody/widget", "title", 1.0)
    }


def test_a_note_that_names_something_is_not_tied_by_its_title_as_well(lab: Lab) -> None:
    """The weaker tie is sought only where there is no stronger one."""
    commit = lab.repo.commit(tracked(1), "One widget\n")
    lab.repo.commit(tracked(2), "Mend the widget\n")
    lab.sync_code()
    assert lab.tell(f"Mend the widget https://github.com/moby/moby/commit/{commit}") != set()
    assert {row[0] for row in ask(lab.database, "SELECT tied_by FROM ties")} == {"id"}


def test_a_note_without_its_sentence_is_not_tied_by_title(lab: Lab) -> None:
    """What stands for its title is only a heading."""
    lab.repo.commit(tracked(1), "Mend the widget\n")
    lab.sync_code()
    lab.sync_notes(replace(NOTES, prose=False), page=f"## 1.0 ({DAY})\n\n### Mend the widget\n\n- A secret sentence\n")
    assert lab.tie() == set()
    assert ask(lab.database, "SELECT title FROM changes WHERE type = 'note'") == [("Mend the widget",)]


def test_ties_across_projects(lab: Lab) -> None:
    """Only a whole commit id means the same in every project; all else ties within the note's own."""
    pull_request(lab)
    commit = lab.repo.commit(tracked(8), "Mend the widget\n\nCVE-2024-21626, fixes #9\n")
    lab.sync_code()
    other = replace(NOTES, id="others", project="runc", repository="opencontainers/runc")
    address = "https://github.com/opencontainers/runc/commit"
    said = ["Mend the widget", "Mend CVE-2024-21626", "See moby/moby#7", "Close moby/moby#9"]
    assert lab.tell(*said, f"Begins like it {address}/{commit[:12]}", source=other) == set()
    assert lab.tell(*said, f"Is it {address}/{commit}", source=other) == {("Is it", "Mend the widget", "id", 1.0)}


# --- features


def feature(name: str, **facts: Any) -> Feature:
    usual: dict[str, Any] = {
        "id": name, "project": "linux", "area": "widgets", "title": f"The feature {name}", "summary": "",
        "mechanisms": ("cg.core",), "since": None, "confidence": "high",
    }  # fmt: skip
    return Feature(**(usual | facts))


def test_a_feature_by_commit_and_by_note(lab: Lab, features: Callable[..., None]) -> None:
    """The commit that the catalogue names brought it, and the notes tied to that commit tell of it."""
    commit = lab.repo.commit(tracked(1), "Add widgets\n\nCVE-2024-1000\n")
    lab.repo.commit(tracked(2), "Add gadgets\n\nCVE-2024-1000\n")
    lab.sync_code()
    features(
        feature("widgets", project="docker", commits=((commit, "Add widgets"),), since="1.0"),
        feature("short", project="docker", commits=((commit[:12], ""),)),
        feature("gadgets", project="docker", commits=(("f" * 40, "elsewhere"),)),
    )
    lab.tell("Add widgets", "Add gadgets", "Mend CVE-2024-1000")
    assert lab.mentions() == {
        ("Add widgets", "widgets", "commit", commit), ("Add widgets", "widgets", "note", commit),
        ("Add widgets", "short", "commit", commit[:12]), ("Add widgets", "short", "note", commit[:12]),
    }  # fmt: skip
    sql = "SELECT c.type, m.mentioned_by FROM feature_mentions m JOIN changes c ON c.id = m.change_id"
    assert set(ask(lab.database, sql)) == {("commit", "commit"), ("note", "note")}


@pytest.mark.parametrize(
    ("term", "text", "found"),
    [
        ("userxattr", "Mount with userxattr where it is there", True),
        ("userxattr", "Mount with USERXATTR", True),
        ("userxattr", "Mount with `userxattr`, rootless", True),
        ("userxattr", "Mount with nouserxattr", False),
        ("userxattr", "Mount with userxattr_extra", False),
        ("memory.peak", "Read memory.peak of the container", True),
        ("memory.peak", "The memory peak of the container", False),
        ("memory.peak", "Read memory.peakload", False),
        ("cgroup namespace", "Speak of cgroup namespaces", True),
        ("cgroup.kill", "Use cgroup.kill, if there", True),
        ("new mount API", "Speak the new mount API of Linux", True),
        ("new mount API", "Speak the new API to mount", False),
        ('a "quoted" word', 'This is a "quoted" word', True),
    ],
)
def test_a_feature_by_name(
    lab: Lab, features: Callable[..., None], term: str, text: str, found: bool
) -> None:
    """A change of another project that holds the name, as a word, in any case, speaks of the feature."""
    lab.repo.commit(tracked(1), f"Widgets\n\n{text}\n")
    lab.sync_code()
    features(feature("it", terms=(term,)), feature("own", project="docker", terms=(term,)))
    lab.tell(f"As a note: {text}")
    expected = {("it", "name", term)} if found else set()
    assert {row[1:] for row in lab.mentions()} == expected
    assert len(lab.mentions()) == 2 * found


# --- the whole


def everything(database: Path) -> dict[str, Rows]:
    """Ties, mentions, who brought what: by key."""
    statements = {
        "ties": """
            SELECT n.key, c.source, c.key, t.tied_by, t.score, t.evidence
            FROM ties t JOIN changes n ON n.id = t.note_id JOIN changes c ON c.id = t.change_id
        """,
        "mentions": """
            SELECT c.source, c.key, m.feature, m.mentioned_by, m.evidence
            FROM feature_mentions m JOIN changes c ON c.id = m.change_id
        """,
        "brought": "SELECT c.source, c.key, b.pull, b.merge_id FROM brought_by b JOIN changes c ON c.id = b.change_id",
    }
    return {name: sorted(ask(database, sql)) for name, sql in statements.items()}


def sync_in_order(lab: Lab, database: Path, order: Sequence[str]) -> None:
    """Sync the code and two sources of notes, tying after each."""
    here = replace(lab, database=database)
    for name in order:
        if name == "code":
            here.sync_code()
        else:
            here.sync_notes(replace(NOTES, id=name))
        here.tie()


def test_the_order_of_sources_does_not_matter(lab: Lab, features: Callable[..., None]) -> None:
    """The same sources, synced in any order, with ties after each, give the same ties and mentions."""
    pull_request(lab)
    commit = lab.repo.commit(tracked(8), "Mend the widget\n")
    for number in range(9, 12):
        lab.repo.commit(tracked(number), "The same title\n")
    lab.repo.commit(tracked(12), "memcg: reclaim charges of dying widgets\n")
    features(feature("it", terms=("widget",)), feature("own", project="docker", commits=((commit, ""),)))
    text = "- Widgets #7\n- The same title\n- Mend the widget\n- memcg: reclaim charges of dying widgets soon"
    for name in ("first", "second"):
        own = {name: f"## 2.0\n\n- Only {name} says: the same title\n"}
        lab.sync_notes(replace(NOTES, id=name), False, page=text, **own)
    found = []
    for number, order in enumerate(permutations(("code", "first", "second"))):
        database = lab.database.with_name(f"{number}.db")
        sync_in_order(lab, database, order)
        found.append(everything(database))
    assert all(one == found[0] for one in found)
    assert {row[3] for row in found[0]["ties"]} == {"pull-request", "title"}
    assert len(found[0]["mentions"]) > 3
    check_whole(lab.database)


def test_ties_follow_the_notes(lab: Lab) -> None:
    """An edited note is tied by what it says now; one that is gone for good takes its ties along."""
    lab.repo.commit(tracked(1), "Mend the widget\n")
    lab.repo.commit(tracked(2), "Mend the gadget\n")
    lab.sync_code()
    assert {tie[1] for tie in lab.tell("Mend the widget")} == {"Mend the widget"}
    assert {tie[:2] for tie in lab.tell("Mend the gadget")} == {
        ("Mend the widget", "Mend the widget"), ("Mend the gadget", "Mend the gadget"),
    }, "what a page once said was said of that change"  # fmt: skip
    (lab.folder / "notes" / "page.md").write_text(f"## 1.0 ({DAY})\n\n- Nothing of the kind\n")
    lab.sync_notes(full=True)
    assert {tie[0] for tie in lab.tie()} == {"Mend the widget"}, "--full forgets what stood there, not what had gone"


def test_ties_follow_the_commits(lab: Lab) -> None:
    """A commit that comes later is tied to the notes there are; one that is dropped is so no more."""
    lab.repo.commit(tracked(1), "Begin\n")
    lab.sync_code()
    assert lab.tell("Mend the widget", "Mend the gadget") == set()
    lab.repo.commit(tracked(2), "Mend the widget\n")
    lab.repo.commit({"other.c": "1"}, "Mend the gadget\n")
    lab.sync_code()
    assert {tie[1] for tie in lab.tie()} == {"Mend the widget"}
    lab.sync_code(replace(CODE, words=("gadget",), paths=CODE.paths[:0] or sample_source("other.c").paths))
    assert {tie[1] for tie in lab.tie()} == {"Mend the gadget"}


def test_a_commit_that_nothing_leads_to(lab: Lab) -> None:
    """A commit that was forced away is no more what a title means."""
    first = lab.repo.commit(tracked(1), "Begin\n")
    lab.repo.commit(tracked(2), "Mend the widget\n")
    lab.sync_code()
    assert lab.tell("Mend the widget") != set()
    lab.repo.commit(tracked(2), "Mend the gadget\n", [first])
    lab.sync_code()
    assert lab.tie() == set()


def test_tying_twice_changes_nothing(lab: Lab) -> None:
    """All is worked out anew each time, from the store alone."""
    pull_request(lab)
    lab.sync_code()
    lab.tell("Widgets #7", "Squashed")
    before = everything(lab.database)
    lab.tie()
    assert everything(lab.database) == before
