"""Whole syncs: every kind of clone, every kind of increment, and interruptions; each equals a fresh sync."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gitrepo import EPOCH, GitRepo, git, link, write_linear_history
from syncing import Rows, ask, check_whole, dump, run_sync, sample_source

from kminer import places
from kminer.errors import RepositoryError, UsageError
from kminer.history.walk import SHARD_SIZE
from kminer.progress import Progress
from kminer.records import Source, TrackedPath

SOURCE = sample_source()


@pytest.fixture
def history(repo: GitRepo) -> GitRepo:
    """Two releases on main, a branch that one of them left behind with a backport, a merge, references."""
    first = repo.commit({"tracked/a.c": "1", "other.c": "1"}, "Begin\n")
    repo.commit({"tracked/b.c": "1"}, "widget: add b\n\nCc: stable@vger.kernel.org\n")
    repo.tag("v1.0-rc1")
    repo.commit({"other.c": "2"}, "dull\n")
    repo.tag("v1.0", annotated=True)
    bug = repo.commit({"tracked/a.c": "2"}, f'Break a\n\nFixes: {first[:12]} ("Begin")\n')
    fix = repo.commit({"tracked/a.c": "3"}, f'Mend a\n\nFixes: {bug[:12]} ("Break a")\n')
    repo.commit(
        {"tracked/a.c": "1.1"},
        f"Mend a\n\ncommit {fix} upstream.\n",
        [repo.git("rev-parse", "v1.0^{}").strip()],
        "stable",
    )
    side = repo.commit({"tracked/c.c": "1"}, "More widgets\n", [bug], "side")
    repo.merge(side, message="Merge tag 'widget-1.1'\n\nPull widget updates.\n")
    repo.tag("v1.1-rc1")
    return repo


def fresh(repo: GitRepo | Path, source: Source = SOURCE, **options: Any) -> dict[str, Rows]:
    """What a sync into a new database gives."""
    path = repo.path if isinstance(repo, GitRepo) else repo
    database = path.parent / f"fresh{time.monotonic_ns()}.db"
    run_sync(source, path, database, **options)
    return dump(database)


def ids(database: Path) -> dict[str, int]:
    return dict(ask(database, "SELECT key, id FROM changes"))


def titles(database: Path, condition: str = "1") -> set[str]:
    return {row[0] for row in ask(database, f"SELECT title FROM changes WHERE {condition}")}


def test_a_first_sync(history: GitRepo, database: Path) -> None:
    """Candidates come in with their first releases, and the branch's fix belongs to no release yet."""
    summary = run_sync(SOURCE, history.path, database)
    assert (summary.read, summary.matched, summary.new, summary.releases) == (8, 7, 7, 3)
    rows = ask(database, "SELECT title, type, first_rc, first_final, matched_by FROM changes ORDER BY id")
    assert set(rows) == {
        ("Begin", "commit", "v1.0-rc1", "v1.0", "path"),
        ("widget: add b", "commit", "v1.0-rc1", "v1.0", "path words"),
        ("Break a", "commit", "v1.1-rc1", None, "path"),
        ("Mend a", "commit", "v1.1-rc1", None, "path"),
        ("Mend a", "commit", None, None, "path"),
        ("More widgets", "commit", "v1.1-rc1", None, "path words"),
        ("Merge tag 'widget-1.1'", "pull", "v1.1-rc1", None, "words"),
    }
    assert next(row[0] for row in rows) == "Begin", "rows are numbered from the oldest commit on"
    check_whole(database)


def test_rows_can_be_read_back_as_the_bytes_that_were_committed(repo: GitRepo, database: Path) -> None:
    """Messages in any encoding, with control characters, NUL or nothing at all, are stored as they are."""
    repo.commit({"tracked/a": "0"}, "start\n")
    messages: dict[bytes, bytes] = {
        b"": b"", b"\0nul\0\n": b"", b"\x1b[2J\x1b]0;evil\x07\n": b"",
        "Grüße\n".encode("latin-1"): b"encoding ISO-8859-1\n",
        "Привет\n".encode("koi8-r"): b"encoding KOI8-R\n", b"\xff\xfe\n": b"encoding nonsense\n",
        b"[red]<script>\n\n|a|b|\n": b"",
        b"\xff \\ud800\n": b"encoding raw_unicode_escape\n", b"big\n\n" + b"word " * 400_000: b"",
    }  # fmt: skip
    made = {}
    for number, (message, extra) in enumerate(messages.items()):
        tree = repo.tree({"tracked/a": (0o100644, bytes.fromhex(repo.raw("blob", b"%d" % (number + 1))))})
        author = [b"A <a@example.org> -5 +0000", b"No Mail 5 +0000", b"A <a@example.org> 99999999999999 +0000"][
            number % 3
        ]
        made[repo.raw_commit(message, author=author, extra=extra, tree=tree, parents=[repo.head() or ""])] = message
    run_sync(SOURCE, repo.path, database)
    stored = {
        key: text.encode(encoding) for key, text, encoding in ask(database, "SELECT key, text, encoding FROM changes")
    }
    assert {key: stored[key] for key in made} == made
    check_whole(database)


def test_nothing_new(history: GitRepo, database: Path) -> None:
    """A second sync reads nothing and changes nothing."""
    run_sync(SOURCE, history.path, database)
    before = dump(database, unreachable=True)
    summary = run_sync(SOURCE, history.path, database)
    assert (summary.read, summary.new, summary.notes) == (0, 0, ["nothing new"])
    assert dump(database, unreachable=True) == before


# --- increments


def new_commits(repo: GitRepo) -> None:
    for number in range(5):
        repo.commit({"tracked/new": str(number)}, f"New {number}, of widgets\n")


def new_commits_with_tags(repo: GitRepo) -> None:
    new_commits(repo)
    repo.tag("v1.1")
    new_commits(repo)
    repo.tag("v1.2-rc1", annotated=True)


def a_tag_on_an_old_commit(repo: GitRepo) -> None:
    repo.tag("v0.9", repo.git("rev-list", "--max-parents=0", "main").strip())


def a_moved_tag(repo: GitRepo) -> None:
    repo.tag("v1.0", repo.git("rev-parse", "v1.0-rc1").strip())


def an_annotated_tag_made_again(repo: GitRepo) -> None:
    commit = repo.git("rev-parse", "v1.0^{}").strip()
    again = f"object {commit}\ntype commit\ntag v1.0\ntagger U <u@example.org> {EPOCH} +0000\n\nagain\n"
    repo.ref("refs/tags/v1.0", repo.raw("tag", again.encode()))


def a_deleted_tag(repo: GitRepo) -> None:
    repo.ref("refs/tags/v1.0", None)


def all_tags_deleted(repo: GitRepo) -> None:
    for name in ("v1.0-rc1", "v1.0", "v1.1-rc1"):
        repo.ref(f"refs/tags/{name}", None)


def a_forced_head(repo: GitRepo) -> None:
    repo.commit({"tracked/forced": "1"}, "Another way\n", [repo.git("rev-parse", "main~1").strip()])


def a_forced_head_without_its_old_objects(repo: GitRepo) -> None:
    repo.ref("refs/tags/v1.1-rc1", None)
    a_forced_head(repo)
    repo.ref("refs/heads/side", None)
    repo.git("gc", "--quiet", "--prune=now")


def a_head_set_back(repo: GitRepo) -> None:
    repo.ref("refs/tags/v1.1-rc1", None)
    repo.ref("refs/heads/main", repo.git("rev-parse", "main~1").strip())


def a_deleted_branch(repo: GitRepo) -> None:
    repo.ref("refs/heads/stable", None)


def a_deleted_branch_that_was_merged(repo: GitRepo) -> None:
    repo.ref("refs/heads/side", None)


def a_new_root(repo: GitRepo) -> None:
    other = repo.commit({"tracked/imported": "1"}, "Import a widget\n", parents=[], branch="import")
    repo.merge(other, message="Merge the import of widgets\n")


def a_release_on_a_branch(repo: GitRepo) -> None:
    repo.tag("v1.0.1", repo.head("stable"))


def a_merge_of_old_branches(repo: GitRepo) -> None:
    repo.merge(repo.head("stable") or "", message="Merge the stable widgets\n")
    repo.tag("v1.1")


def dull_commits(repo: GitRepo) -> None:
    repo.commit({"other.c": "3"}, "dull\n")


def a_pull_request(repo: GitRepo) -> None:
    repo.commit({"tracked/pull": "1"}, "Of a pull request\n", branch="pr")
    repo.ref("refs/pull/7/head", repo.head("pr"))
    repo.ref("refs/heads/pr", None)


INCREMENTS = [
    new_commits, new_commits_with_tags, a_tag_on_an_old_commit, a_moved_tag, an_annotated_tag_made_again, a_deleted_tag,
    all_tags_deleted, a_forced_head, a_forced_head_without_its_old_objects, a_head_set_back, a_deleted_branch,
    a_deleted_branch_that_was_merged, a_new_root, a_release_on_a_branch, a_merge_of_old_branches,
    dull_commits, a_pull_request,
]  # fmt: skip


@pytest.mark.parametrize("step", INCREMENTS)
def test_an_increment_equals_a_fresh_sync(history: GitRepo, database: Path, step: Callable[[GitRepo], None]) -> None:
    """Whatever happens to a repository, the next sync holds what one into a new database holds, and keeps its ids."""
    run_sync(SOURCE, history.path, database)
    before = ids(database)
    step(history)
    run_sync(SOURCE, history.path, database)
    assert dump(database) == fresh(history)
    after = ids(database)
    assert {key: after[key] for key in before} == before
    check_whole(database)
    assert run_sync(SOURCE, history.path, database).notes == ["nothing new"]


@pytest.mark.parametrize("seed", range(6))
def test_increments_one_after_the_other_equal_a_fresh_sync(history: GitRepo, database: Path, seed: int) -> None:
    """The same for several such steps in any order, with a sync after each."""
    run_sync(SOURCE, history.path, database)
    steps = [
        new_commits, a_tag_on_an_old_commit, a_forced_head, a_deleted_branch_that_was_merged, a_moved_tag,
        a_release_on_a_branch, a_merge_of_old_branches, a_new_root, dull_commits, a_pull_request,
    ]  # fmt: skip
    chance = random.Random(seed)
    for step in chance.sample(steps, 6):
        step(history)
        run_sync(SOURCE, history.path, database, jobs=chance.choice([1, 2]))
    assert dump(database) == fresh(history)
    check_whole(database)


def test_what_is_no_longer_reached_is_flagged_and_comes_back(history: GitRepo, database: Path) -> None:
    """A change that no head leads to stays with a flag and without a release; when its branch returns so does it."""
    run_sync(SOURCE, history.path, database)
    before, head = dump(database, unreachable=True), history.head("stable")
    history.ref("refs/heads/stable", None)
    summary = run_sync(SOURCE, history.path, database)
    assert summary.unreachable == 1
    assert ask(database, "SELECT key, first_rc, first_final FROM changes WHERE reachable = 0") == [(head, None, None)]
    history.ref("refs/heads/stable", head)
    run_sync(SOURCE, history.path, database)
    assert dump(database, unreachable=True) == before


def test_a_fix_on_a_branch_belongs_to_the_branchs_release(history: GitRepo, database: Path) -> None:
    """A backport that only a stable branch holds is released with that branch, and names its upstream commit."""
    history.tag("v1.0.1", history.head("stable"))
    run_sync(SOURCE, history.path, database)
    backport = history.head("stable")
    assert ask(database, "SELECT first_final FROM changes WHERE key = ?", backport) == [("v1.0.1",)]
    upstream = history.git("rev-parse", "main~1").strip()
    rows = ask(database, "SELECT r.type, r.target, u.title FROM refs r JOIN changes c ON c.id = r.change_id "
               "LEFT JOIN changes u ON u.key = r.target WHERE c.key = ?", backport)  # fmt: skip
    assert rows == [("backport-of", upstream, "Mend a")]


def test_a_reference_to_what_comes_later_finds_its_target(history: GitRepo, database: Path, tmp_path: Path) -> None:
    """A fix may be seen before the commit it mends: when that comes, the reference gets its target."""
    elsewhere = GitRepo(tmp_path / "elsewhere.git")
    bug = elsewhere.commit({"tracked/late": "1"}, "Introduce\n")
    history.commit({"tracked/fix": "1"}, f'Mend early\n\nFixes: {bug[:12]} ("Introduce")\n')
    run_sync(SOURCE, history.path, database)
    assert ask(database, "SELECT target FROM refs WHERE value = ?", bug[:12]) == [(None,)]
    git("--git-dir", str(history.path), "fetch", "--quiet", str(elsewhere.path), "main:late")
    run_sync(SOURCE, history.path, database)
    assert ask(database, "SELECT target FROM refs WHERE value = ?", bug[:12]) == [(bug,)]
    assert dump(database) == fresh(history)


# --- a changed source file


def changed(**facts: Any) -> Source:
    return replace(SOURCE, **facts)


@pytest.mark.parametrize(
    "source",
    [
        changed(words=()),
        changed(words=("widget*", "dull")),
        changed(paths=(TrackedPath("tracked/a.c", mechanisms=("cg.cpu",)),)),
        changed(paths=(TrackedPath("tracked/", mechanisms=("cg.cpu",)), TrackedPath("other.c"))),
        changed(tag_pattern=r"^v(?P<version>\d+(?:\.\d+)*)$"),
        changed(pull_title=""),
        changed(title="Renamed", commit_url="https://example.com/{id}"),
        changed(repository="", repository_was=()),
        changed(ignore_refs=("refs/heads/stable",)),
    ],
)
@pytest.mark.parametrize("more", [False, True])
def test_a_changed_source_file(history: GitRepo, database: Path, source: Source, more: bool) -> None:
    """After its file changed a source holds what a fresh sync holds; what stays keeps its id."""
    run_sync(SOURCE, history.path, database)
    before = ids(database)
    if more:
        new_commits_with_tags(history)
    run_sync(source, history.path, database)
    expected = fresh(history, source)
    if source.title != SOURCE.title and not more:
        expected["sources"] = dump(database)["sources"]
    assert dump(database) == expected
    after = ids(database)
    assert all(before[key] == after[key] for key in before.keys() & after.keys())
    check_whole(database)


def test_a_file_that_changes_in_name_only_costs_no_reading(history: GitRepo, database: Path) -> None:
    """What does not bear on reading, such as a title, is no reason to read the history anew."""
    run_sync(SOURCE, history.path, database)
    assert run_sync(changed(title="Renamed"), history.path, database).read == 0


def test_full(history: GitRepo, database: Path) -> None:
    """--full reads everything, and changes nothing where nothing has changed."""
    run_sync(SOURCE, history.path, database)
    before, known = dump(database, unreachable=True), ids(database)
    summary = run_sync(SOURCE, history.path, database, full=True)
    assert (summary.read, summary.new) == (8, 0)
    assert (dump(database, unreachable=True), ids(database)) == (before, known)


# --- --since


@pytest.mark.parametrize("since", ["v1.0", "2020-01-02"])
def test_since_and_then_increments(history: GitRepo, database: Path, since: str) -> None:
    """What is in a tag, or older than a day, is left out at first and later; releases still hold for the rest."""
    for number in range(3):
        history.commit({"tracked/day": str(number)}, f"Day {number}\n", when=EPOCH + 86400 + number)
    run_sync(SOURCE, history.path, database, since=since)
    left_out = (
        {"Begin", "widget: add b"}
        if since == "v1.0"
        else {"Begin", "widget: add b", "Break a", "Mend a", "More widgets"}
    )
    assert not titles(database) & left_out
    assert {"Day 0", "Day 1", "Day 2"} <= titles(database)
    history.commit({"tracked/day": "9"}, "Later\n", when=EPOCH + 90000)
    history.tag("v1.2")
    run_sync(SOURCE, history.path, database)
    assert dump(database) == fresh(history, since=since)
    assert run_sync(SOURCE, history.path, database, since=since).notes == ["nothing new"]


def test_since_is_given_up_by_full(history: GitRepo, database: Path) -> None:
    """--full without --since brings in what was left out."""
    run_sync(SOURCE, history.path, database, since="v1.0")
    run_sync(SOURCE, history.path, database, full=True)
    assert dump(database) == fresh(history)


def test_since_with_a_changed_source_file(history: GitRepo, database: Path) -> None:
    """A source of which only the newer part was read, too, drops what no longer matches."""
    run_sync(SOURCE, history.path, database, since="v1.0")
    run_sync(changed(words=()), history.path, database)
    assert dump(database) == fresh(history, changed(words=()), since="v1.0")


def test_a_wrong_clock_hides_nothing_from_since(repo: GitRepo, database: Path) -> None:
    """A commit dated long ago is left out by its day, but the newer ones that it or its branch follow are not."""
    repo.commit({"tracked/a": "1"}, "old\n", when=EPOCH)
    fork = repo.commit({"tracked/a": "2"}, "young one\n", when=EPOCH + 10 * 86400)
    wrong = repo.commit({"tracked/b": "1"}, "wrong clock\n", [fork], "side", when=5)
    for number in range(8):
        repo.commit({"tracked/a": f"m{number}"}, f"young {number}\n", when=EPOCH + 11 * 86400 + number)
    repo.merge(wrong, message="merge of widgets\n")
    repo.commit({"tracked/a": "9"}, "newest\n", when=EPOCH + 12 * 86400)
    run_sync(SOURCE, repo.path, database, since="2020-01-05")
    expected = {"young one", *(f"young {number}" for number in range(8)), "newest"}
    assert titles(database) - {"merge of widgets"} == expected


def test_since_what_is_not_there(history: GitRepo, database: Path) -> None:
    """A --since that is neither a day nor a tag is refused, and the database stays as it was."""
    with pytest.raises(UsageError, match=r"v9\.9"):
        run_sync(SOURCE, history.path, database, since="v9.9")
    assert ask(database, "SELECT count(*) FROM changes") == [(0,)]


# --- kinds of clones


def without(tables: dict[str, Rows], *left_out: str) -> dict[str, Rows]:
    return {name: rows for name, rows in tables.items() if name not in left_out}


def as_plain_clone(repo: GitRepo, folder: Path) -> Path:
    git("clone", "--quiet", str(repo.path), str(folder))
    return folder


def as_folder_below_a_clone(repo: GitRepo, folder: Path) -> Path:
    return as_plain_clone(repo, folder) / "tracked"


def as_worktree(repo: GitRepo, folder: Path) -> Path:
    as_plain_clone(repo, folder.with_name("main-clone"))
    git("-C", str(folder.with_name("main-clone")), "worktree", "add", "--quiet", "--detach", str(folder))
    return folder


def as_alternates(repo: GitRepo, folder: Path) -> Path:
    git("clone", "--quiet", "--bare", "--shared", str(repo.path), str(folder))
    return folder


def with_commit_graph(repo: GitRepo, folder: Path) -> Path:
    git("clone", "--quiet", "--bare", str(repo.path), str(folder))
    git("--git-dir", str(folder), "commit-graph", "write", "--reachable", "--changed-paths")
    return folder


def as_mirror(repo: GitRepo, folder: Path) -> Path:
    repo.commit({"tracked/pull": "1"}, "Of a pull request\n", branch="pr")
    repo.ref("refs/pull/7/head", repo.head("pr"))
    repo.ref("refs/heads/pr", None)
    git("clone", "--quiet", "--mirror", str(repo.path), str(folder))
    return folder


def without_blobs(repo: GitRepo, folder: Path) -> Path:
    repo.git("config", "uploadpack.allowFilter", "true")
    git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{repo.path}", str(folder))
    missing = git("--git-dir", str(folder), "rev-list", "--objects", "--all", "--missing=print")
    assert sum(line.startswith("?") for line in missing.splitlines()) > 0
    return folder


def with_packed_refs(repo: GitRepo, folder: Path) -> Path:
    git("clone", "--quiet", "--bare", str(repo.path), str(folder))
    git("--git-dir", str(folder), "pack-refs", "--all")
    git("--git-dir", str(folder), "gc", "--quiet")
    return folder


def with_replaced_objects(repo: GitRepo, folder: Path) -> Path:
    git("clone", "--quiet", "--bare", str(repo.path), str(folder))
    git("--git-dir", str(folder), "replace", "main", "main~1")
    return folder


@pytest.mark.parametrize(
    "make",
    [
        as_plain_clone, as_folder_below_a_clone, as_worktree, as_alternates, with_commit_graph, as_mirror,
        without_blobs, with_packed_refs, with_replaced_objects,
    ],
)  # fmt: skip
def test_every_kind_of_clone_gives_the_same(
    history: GitRepo, database: Path, tmp_path: Path, make: Callable[[GitRepo, Path], Path]
) -> None:
    """Bare or not, worktree, alternates, commit-graph, blobless, packed: the same changes and releases."""
    clone = make(history, tmp_path / "clone")
    written = _files(tmp_path / "clone")
    run_sync(SOURCE, clone, database, jobs=2)
    assert without(dump(database), "source_refs") == without(fresh(history), "source_refs")
    assert _files(tmp_path / "clone") == written, "a user's clone is not written to"


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def test_a_stale_commit_graph(history: GitRepo, database: Path) -> None:
    """Commits that came after a commit-graph was written are seen."""
    history.git("commit-graph", "write", "--reachable")
    run_sync(SOURCE, history.path, database)
    new_commits_with_tags(history)
    run_sync(SOURCE, history.path, database)
    history.git("commit-graph", "write", "--reachable")
    assert dump(database) == fresh(history)
    assert "New 4, of widgets" in titles(database)


def test_a_shallow_clone_and_its_deepening(history: GitRepo, database: Path, tmp_path: Path) -> None:
    """Of a shallow clone what is there is read; when it is deepened and made whole, so is the database."""
    shallow = tmp_path / "shallow.git"
    git("clone", "--quiet", "--bare", "--depth=2", "--no-single-branch", f"file://{history.path}", str(shallow))
    summary = run_sync(SOURCE, shallow, database)
    assert "Begin" not in titles(database)
    assert any("shallow" in note for note in summary.notes)
    for step in ("--deepen=1", "--unshallow"):
        git("--git-dir", str(shallow), "fetch", "--quiet", step, "origin", "+refs/heads/*:refs/heads/*")
        run_sync(SOURCE, shallow, database)
        assert dump(database) == fresh(shallow)
    assert without(dump(database), "source_refs") == without(fresh(history), "source_refs")


def test_tags_on_trees_and_blobs_are_passed_over(history: GitRepo, database: Path) -> None:
    """Tags that name no commit neither stop a sync nor count; a tag of a tag counts."""
    expected = fresh(history)
    history.tag("a-tree", history.tree({}), annotated=True, kind="tree")
    history.tag("v0.1", history.raw("blob", b"x"))
    run_sync(SOURCE, history.path, database)
    assert without(dump(database), "source_refs") == without(expected, "source_refs")
    nested = history.tag("inner", annotated=True)
    history.tag("v1.1", nested, annotated=True, kind="tag")
    run_sync(SOURCE, history.path, database)
    assert dump(database) == fresh(history)
    assert ask(database, "SELECT commit_id FROM releases WHERE tag = 'v1.1'") == [(history.head(),)]


def test_ignored_references(history: GitRepo, database: Path) -> None:
    """Heads and tags that the source says to ignore bring nothing."""
    source = changed(ignore_refs=("refs/heads/st*", "refs/tags/v1.0"))
    run_sync(source, history.path, database)
    backport = history.head("stable")
    assert ask(database, "SELECT count(*) FROM changes WHERE key = ?", backport) == [(0,)]
    assert ask(database, "SELECT tag FROM releases ORDER BY position") == [("v1.0-rc1",), ("v1.1-rc1",)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_more_than_one_shard(tmp_path: Path, database: Path, jobs: int) -> None:
    """A history of several shards is whole, whether one process reads it or two."""
    where = tmp_path / "long.git"
    write_linear_history(where, 9000, tag_every=2000)
    summary = run_sync(SOURCE, where, database, jobs=jobs)
    assert (summary.read, summary.matched, summary.releases) == (9000, 9000 // 3 + 9000 // 5 - 9000 // 15, 4)
    keys = [row[0] for row in ask(database, "SELECT key FROM changes ORDER BY id")]
    listed = git("--git-dir", str(where), "rev-list", "--reverse", "main").split()
    wanted = set(keys)
    assert [key for key in listed if key in wanted] == keys
    numbers = [number for number in range(1, 9001) if number % 3 == 0 or number % 5 == 0]
    expected = Counter(f"v1.{(number + 1999) // 2000}" if number <= 8000 else None for number in numbers)
    assert Counter(dict(ask(database, "SELECT first_final, count(*) FROM changes GROUP BY 1"))) == expected


def test_a_link_that_becomes_a_file(history: GitRepo, database: Path) -> None:
    """A link in a tracked folder is a change like any other, and so is its becoming a file."""
    history.commit({"tracked/link": link("a.c")}, "Link\n")
    history.commit({"tracked/link": "a file\n"}, "No link\n")
    run_sync(SOURCE, history.path, database)
    rows = ask(
        database,
        "SELECT c.title, p.change FROM change_paths p JOIN changes c ON c.id = p.change_id WHERE path = 'tracked/link'",
    )
    assert sorted(rows) == [("Link", "A"), ("No link", "T")]


def test_another_history_is_refused(history: GitRepo, database: Path, tmp_path: Path) -> None:
    """A clone of something else, or of a rewritten history, is not mixed into what the database holds."""
    run_sync(SOURCE, history.path, database)
    before = dump(database, unreachable=True)
    other = GitRepo(tmp_path / "other.git")
    other.commit({"nothing/of": "it"})
    with pytest.raises(RepositoryError, match="does not look like"):
        run_sync(SOURCE, other.path, database)
    other.commit({"tracked/a.c": "else"})
    with pytest.raises(RepositoryError, match="shares no commit"):
        run_sync(SOURCE, other.path, database)
    assert dump(database, unreachable=True) == before


# --- kminer's own clone


@pytest.fixture
def origin(history: GitRepo) -> Source:
    """A source whose address is the history, served as a host serves it."""
    history.git("config", "uploadpack.allowFilter", "true")
    return changed(clone=(f"file://{history.path}",))


def own_clone(source: Source) -> Path:
    return places.cache() / "clones" / f"{source.id}.git"


def test_kminers_own_clone(history: GitRepo, origin: Source, database: Path) -> None:
    """Without a clone of the user's, kminer makes one without file contents, and later fetches what is new or gone."""
    run_sync(origin, None, database)
    assert dump(database) == fresh(history, origin)
    assert git("--git-dir", str(own_clone(origin)), "config", "remote.origin.partialclonefilter").strip() == "blob:none"
    new_commits_with_tags(history)
    history.ref("refs/heads/side", None)
    history.ref("refs/tags/v1.0-rc1", None)
    history.tag("v1.1-rc1", history.git("rev-parse", "main~2").strip())
    a_forced_head(history)
    run_sync(origin, None, database)
    assert dump(database) == fresh(history, origin)
    assert run_sync(origin, None, database).notes == ["nothing new"]


def test_an_interrupted_clone_is_started_over(history: GitRepo, origin: Source, database: Path) -> None:
    """What an interrupted clone left behind is not taken for whole."""
    unfinished = own_clone(origin).with_name(own_clone(origin).name + ".unfinished")
    unfinished.mkdir(parents=True)
    git("init", "--quiet", "--bare", str(unfinished))
    (unfinished / "packed-refs").write_text("0123456789012345678901234567890123456789 refs/heads/main\n")
    run_sync(origin, None, database)
    assert dump(database) == fresh(history, origin)
    assert not unfinished.exists()


def test_the_second_address_serves_when_the_first_does_not(history: GitRepo, origin: Source, database: Path) -> None:
    """Addresses are tried in turn; when none answers, the error tells what each said and nothing is left behind."""
    gone = f"file://{history.path.parent}/gone.git"
    with pytest.raises(RepositoryError, match=r"gone\.git"):
        run_sync(replace(origin, clone=(gone,)), None, database)
    assert not own_clone(origin).exists()
    run_sync(replace(origin, clone=(gone, *origin.clone)), None, database)
    assert dump(database) == fresh(history, origin)


def test_the_clone_of_last_time_is_used_again(history: GitRepo, database: Path, tmp_path: Path) -> None:
    """Without a path the clone of last time is read; when it is gone that is said, not another one made."""
    run_sync(SOURCE, history.path, database)
    new_commits(history)
    assert run_sync(SOURCE, None, database).new == 5
    history.path.rename(tmp_path / "elsewhere.git")
    with pytest.raises(RepositoryError, match="is gone"):
        run_sync(SOURCE, None, database)
    assert run_sync(SOURCE, tmp_path / "elsewhere.git", database).notes == ["nothing new"]


# --- interruptions

COMMITS = 9_000
SYNC = [sys.executable, "-m", "kminer", "-q"]
TOML = """
id = "sample"
kind = "git"
project = "sample"
title = "A sample"
words = ["widget*"]

[releases]
tag = '^v(?P<version>\\d+(?:\\.\\d+)*)(?:-(?P<pre>rc\\d+))?$'
series = '^\\d+\\.\\d+'

[[paths]]
path = "tracked/"
mechanisms = ["cg.core"]
"""


@pytest.fixture(scope="module")
def long_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of several shards that takes a second or more to read."""
    where = tmp_path_factory.mktemp("long") / "long.git"
    write_linear_history(where, COMMITS)
    return where


@pytest.fixture(scope="module")
def uninterrupted(long_history: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Rows], float]:
    """What the database holds after a sync that nobody interrupts, and how many seconds that took."""
    folder = tmp_path_factory.mktemp("whole")
    started = time.monotonic()
    _start(folder, long_history, folder / "kminer.db").wait()
    return dump(folder / "kminer.db", unreachable=True), time.monotonic() - started


def _start(folder: Path, where: Path, database: Path, name: str = "sample") -> subprocess.Popen[bytes]:
    """Begin a sync by the command line in a session of its own."""
    config = folder / "config" / "kminer" / "data" / "sources"
    config.mkdir(parents=True, exist_ok=True)
    (config / "sample.toml").write_text(TOML)
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder / "config"), "HOME": str(folder)}
    command = [*SYNC, "--db", str(database), "sync", name, "--repo", f"{name}={where}", "--jobs", "2"]
    return subprocess.Popen(command, env=environment, start_new_session=True, cwd=folder)


def _processes_of(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, sid = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except (OSError, ValueError):
                continue
            if int(sid) == session and state != "Z":
                found.append(int(entry.name))
    return found


def _kill_and_finish(folder: Path, where: Path, delay: float, name: str = "sample") -> dict[str, Rows]:
    """Kill a sync after `delay` seconds, see its workers end, sync once more; what the database then holds."""
    database = folder / "kminer.db"
    process = _start(folder, where, database, name)
    try:
        process.wait(timeout=delay)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    for _ in range(200):
        if not _processes_of(process.pid):
            break
        time.sleep(0.1)
    assert _processes_of(process.pid) == [], "workers outlive a sync that was killed"
    assert _start(folder, where, database, name).wait() == 0
    assert not Path(f"{database}.sync").exists()
    check_whole(database)
    return dump(database, unreachable=True)


class Interrupting(Progress):
    """Presses Ctrl-C when a given number of commits has been read; remembers in what steps they were."""

    def __init__(self, after: int) -> None:
        self.after, self.steps = after, list[int]()

    def advance(self, units: int) -> None:
        """Count, and interrupt when it is enough."""
        self.steps.append(units)
        if sum(self.steps) >= self.after:
            raise KeyboardInterrupt


def test_an_interrupted_sync_goes_on_where_it_stopped(long_history: Path, database: Path) -> None:
    """Shards that were read before an interruption are not read again, and until the end the database is untouched."""
    with pytest.raises(KeyboardInterrupt):
        run_sync(SOURCE, long_history, database, Interrupting(after=SHARD_SIZE))
    assert ask(database, "SELECT count(*) FROM changes") == ask(database, "SELECT count(*) FROM sources") == [(0,)]
    second = Interrupting(after=10 * COMMITS)
    summary = run_sync(SOURCE, long_history, database, second)
    assert second.steps == [SHARD_SIZE, SHARD_SIZE, COMMITS - 2 * SHARD_SIZE]
    assert (summary.read, summary.new) == (COMMITS, summary.matched)
    assert dump(database) == fresh(long_history)
    assert not Path(f"{database}.sync").exists()


def test_what_an_interrupted_sync_left_does_not_outlive_a_change(
    history: GitRepo, long_history: Path, database: Path
) -> None:
    """What was read for one plan is not used for another: after the source's file changed all is read anew."""
    with pytest.raises(KeyboardInterrupt):
        run_sync(SOURCE, long_history, database, Interrupting(after=SHARD_SIZE))
    source = changed(words=())
    run_sync(source, long_history, database)
    assert dump(database) == fresh(long_history, source)


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment(
    long_history: Path, uninterrupted: tuple[dict[str, Rows], float], tmp_path: Path, moment: int
) -> None:
    """A sync that was killed outright and run once more ends where an uninterrupted one ends, and leaves no process."""
    whole, seconds = uninterrupted
    delay = seconds * (moment + random.Random(moment).random()) / 12
    assert _kill_and_finish(tmp_path, long_history, delay) == whole


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(50))
def test_killed_at_fifty_moments(
    long_history: Path, uninterrupted: tuple[dict[str, Rows], float], tmp_path: Path, moment: int
) -> None:
    """The same at fifty moments."""
    whole, seconds = uninterrupted
    delay = seconds * (moment + random.Random(100 + moment).random()) / 50
    assert _kill_and_finish(tmp_path, long_history, delay) == whole


def test_killed_again_and_again(
    long_history: Path, uninterrupted: tuple[dict[str, Rows], float], tmp_path: Path
) -> None:
    """Kill upon kill, each sync going on where the last one stopped, and the end is the same."""
    whole, seconds = uninterrupted
    database = tmp_path / "kminer.db"
    for share in (0.4, 0.6, 0.5):
        process = _start(tmp_path, long_history, database)
        try:
            process.wait(timeout=share * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert _kill_and_finish(tmp_path, long_history, 0.3 * seconds) == whole
