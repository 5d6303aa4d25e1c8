"""The sharded walk: what candidates say, and that it does not matter who runs the shards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gitrepo import GitRepo
from syncing import sample_source

from kminer.errors import RepositoryError
from kminer.history.repository import list_commits, open_repository, read_refs
from kminer.history.walk import Shard, walk, walk_shard
from kminer.records import Change, ChangedPath, Moment, Person, Reference, Source

SOURCE = sample_source()


def shards_of(where: Path, source: Source = SOURCE, size: int = 7) -> list[Shard]:
    """A history cut into small shards."""
    repository = open_repository(where)
    refs = read_refs(repository, source.ignore_refs)
    commits = b"".join(ids[0] for ids in list_commits(repository.path, sorted({r.commit for r in refs if r.commit})))
    return [Shard(repository.path, commits[at : at + 20 * size], source) for at in range(0, len(commits), 20 * size)]


def walked(shards: list[Shard], jobs: int, executor: Executor | None = None) -> list[tuple[int, list[Change]]]:
    """What each shard gave, in the order in which it came."""
    came: list[tuple[int, list[Change]]] = []
    walk(shards, jobs, lambda index, changes: came.append((index, changes)), executor)
    return came


def only(repo: GitRepo, source: Source = SOURCE) -> dict[str, Change]:
    """All candidates of a history by commit."""
    return {change.key: change for shard in shards_of(repo.path, source) for change in walk_shard(shard)}


@pytest.fixture
def history(repo: GitRepo) -> GitRepo:
    """Some sixty commits with branches and merges, of which many are candidates."""
    for number in range(60):
        if number % 10 == 9:
            side = repo.commit({f"tracked/{number}": "side"}, parents=[repo.head() or ""], branch=f"side{number}")
            repo.commit({"other": str(number)})
            repo.merge(side, message=f"Merge tag 'widget-{number}'\n")
        else:
            repo.commit(
                {("tracked/a" if number % 3 else "other"): str(number)},
                f"Change {number} {'widget' if number % 4 else ''}\n",
            )
    repo.tag("v1.0")
    return repo


class Slow(ThreadPoolExecutor):
    """Runs what it is given in the order in which it is asked for, and counts what it was given at most at once."""

    def __init__(self) -> None:
        super().__init__(max_workers=3)
        self.open, self.most = 0, 0

    def submit(self, *arguments: Any, **named: Any) -> Any:  # type: ignore[override]
        future = super().submit(*arguments, **named)
        self.open += 1
        self.most = max(self.most, self.open)
        result = future.result

        def taken(*given: Any) -> Any:
            self.open -= 1
            return result(*given)

        future.result = taken  # type: ignore[method-assign]
        return future


def test_who_runs_the_shards_does_not_matter(history: GitRepo) -> None:
    """One process, two, and an executor of threads give the same changes of the same shards in the same order."""
    shards = shards_of(history.path)
    alone = walked(shards, 1)
    assert [index for index, _ in alone] == list(range(len(shards)))
    assert sum(len(changes) for _, changes in alone) > 40
    assert walked(shards, 2) == alone
    with ThreadPoolExecutor(3) as threads:
        assert walked(shards, 2, threads) == alone


def test_shards_in_flight_are_bounded(history: GitRepo) -> None:
    """No more shards are handed out than four a job, so that memory does not grow with the history."""
    with Slow() as executor:
        walked(shards_of(history.path, size=2), 1, executor)
    assert executor.most == 4


def test_the_size_of_a_shard_does_not_matter(history: GitRepo) -> None:
    """Shards of one commit, of seven and of all give the same candidates."""
    found = [
        [change for shard in shards_of(history.path, size=size) for change in walk_shard(shard)]
        for size in (1, 7, 1000)
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("run", [partial(walked, jobs=1), partial(walked, jobs=2)])
def test_a_missing_commit_is_an_error(history: GitRepo, run: Callable[[list[Shard]], object]) -> None:
    """A commit that is not there stops the walk with its id, whoever runs it."""
    shards = shards_of(history.path)
    broken = Shard(shards[0].path, b"\x01" * 20, SOURCE)
    with pytest.raises(RepositoryError, match="01" * 20):
        run([*shards, broken])


def test_a_failing_store_stops_the_walk(history: GitRepo) -> None:
    """When a result cannot be kept, the walk ends with that error and takes no further shard."""
    kept = []

    def store(index: int, changes: list[Change]) -> None:
        kept.append(index)
        if index == 2:
            raise OSError("disk full")

    for jobs in (1, 2):
        with pytest.raises(OSError, match="disk full"):
            walk(shards_of(history.path), jobs, store)
    assert kept == [0, 1, 2, 0, 1, 2]


def test_what_a_candidate_says(repo: GitRepo) -> None:
    """A candidate carries its people, dates with offsets, whole text, paths, references and why it was taken."""
    first = repo.commit({"tracked/a.c": "1"})
    text = (
        f'widget: mend it (#77)\n\nBody.\n\nFixes: {first[:12]} ("x")\nFixes: 0123456789ab ("gone")\n'
        "Reviewed-by: Rev Iewer <rev@example.org>\nCVE-2020-1234\n"
    )
    made = repo.commit({"tracked/a.c": "2", "tracked/b.c": "1", "other": "1"}, text, when=1_600_000_000)
    assert only(repo)[made] == Change(
        type="commit",
        key=made,
        title="widget: mend it (#77)",
        text=text,
        encoding="utf-8",
        authored=Moment(1_600_000_000, "+0100"),
        committed=Moment(1_600_000_000, "+0100"),
        people=(
            Person("author", "A U Thor", "author@example.org"),
            Person("committer", "C O Mitter", "committer@example.org"),
            Person("reviewed-by", "Rev Iewer", "rev@example.org"),
        ),
        paths=(ChangedPath("tracked/a.c", "M", "tracked/"), ChangedPath("tracked/b.c", "A", "tracked/")),
        references=(
            Reference("fixes", first[:12], first),
            Reference("fixes", "0123456789ab", None),
            Reference("cve", "CVE-2020-1234"),
            Reference("pull-request", "owner/sample#77"),
        ),
        matched_by=("path", "words"),
    )


def test_why_commits_are_candidates(repo: GitRepo) -> None:
    """A commit is taken for its path, for a word, or not at all."""
    path = repo.commit({"tracked/a.c": "1"}, "dull\n")
    word = repo.commit({"other": "1"}, "dull\n\nbut the\nwidgets here\n")
    neither = repo.commit({"other": "2"}, "dull\n")
    found = only(repo)
    assert {key: change.matched_by for key, change in found.items()} == {path: ("path",), word: ("words",)}
    assert neither not in found


def test_targets_are_commits_that_the_repository_knows(repo: GitRepo) -> None:
    """An id resolves to a commit only: not to a tree, not when two objects begin with it, but a backport's always."""
    tree = repo.tree({})
    first = repo.commit({"tracked/a": "1"})
    unknown = "f" * 40
    made = repo.commit(
        {"tracked/a": "2"},
        f"x\n\nFixes: {tree[:12]}\nFixes: {first}\nThis reverts commit {first[:7]}.\ncommit {unknown} upstream.\n",
    )
    assert {(r.type, r.value, r.target) for r in only(repo)[made].references} == {
        ("fixes", tree[:12], None),
        ("fixes", first, first),
        ("reverts", first[:7], first),
        ("backport-of", unknown, unknown),
    }


def test_merges_pulls_and_octopuses(repo: GitRepo) -> None:
    """A merge counts for what it says, a subsystem's pull by its title; it has no paths of its own."""
    base = repo.commit({"x": "1"})
    sides = [repo.commit({f"tracked/{n}": "1"}, parents=[base], branch=f"side{n}") for n in range(4)]
    pull = repo.merge(sides[0], message="Merge tag 'widget-for-1.0' of somewhere\n\nPull widget updates.\n")
    merge = repo.merge(sides[1], message="Merge branch 'x'\n\nwidgets all over\n")
    octopus = repo.merge(
        sides[2], sides[3], message="Merge branches 'side2' and 'side3'\n", changes={"tracked/evil": "1"}
    )
    found = only(repo)
    assert {key: (found[key].type, found[key].paths, found[key].matched_by) for key in (pull, merge)} == {
        pull: ("pull", (), ("words",)),
        merge: ("merge", (), ("words",)),
    }
    assert octopus not in found
    assert set(sides) < set(found)
