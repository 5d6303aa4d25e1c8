"""Which pull request brought a commit, on histories of every shape, and against a definition by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gitrepo import GitRepo
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from syncing import ask, run_sync, sample_source

from kminer.history.pulls import find_brought
from kminer.history.repository import list_commits, open_repository

Brought = dict[str, tuple[str, str]]
"""By commit: the number of its pull request, and the merge."""


def brought(repo: GitRepo, *branches: str) -> Brought:
    """What find_brought says of the whole history of `branches`."""
    tips = [repo.head(branch) or "" for branch in branches or ("main",)]
    found = list(find_brought(open_repository(repo.path), list_commits(str(repo.path), tips)))
    assert len({commit for commit, _, _ in found}) == len(found), "each commit once"
    return {commit.hex(): (number, merge.hex()) for commit, number, merge in found}


def pull(repo: GitRepo, number: int, *others: str, branch: str = "main") -> str:
    """Merge a pull request into a branch."""
    return repo.merge(*others, message=f"Merge pull request #{number} from somebody/branch\n\nTitle\n", branch=branch)


def commits(repo: GitRepo, count: int, branch: str, start: str | None = None) -> list[str]:
    """A few commits on a branch, which begins at `start`."""
    made = [repo.commit({f"{branch}.c": "0"}, f"{branch} 0\n", [start] if start else None, branch)]
    return made + [repo.commit({f"{branch}.c": str(n)}, f"{branch} {n}\n", branch=branch) for n in range(1, count)]


def test_a_plain_pull_request(repo: GitRepo) -> None:
    """Its commits came by it; the merge itself, and what is on main, by none."""
    base = repo.commit()
    own = commits(repo, 3, "pr", base)
    repo.commit()
    merge = pull(repo, 7, own[-1])
    repo.commit()
    assert brought(repo) == dict.fromkeys(own, ("7", merge))


def test_pull_requests_one_after_the_other(repo: GitRepo) -> None:
    """A branch that begins after an earlier pull request was merged is not mixed up with it."""
    one = commits(repo, 2, "one", repo.commit())
    first = pull(repo, 1, one[-1])
    two = commits(repo, 2, "two", first)
    second = pull(repo, 2, two[-1])
    assert brought(repo) == dict.fromkeys(one, ("1", first)) | dict.fromkeys(two, ("2", second))


def test_main_merged_into_a_pull_request(repo: GitRepo) -> None:
    """What a branch took over from main was on main before; the merge that did so came by the pull request."""
    own = commits(repo, 1, "pr", repo.commit())
    on_main = repo.commit()
    repo.commit()
    update = repo.merge(on_main, message="Merge branch 'main' into pr\n", branch="pr")
    last = repo.commit({"pr.c": "last"}, branch="pr")
    merge = pull(repo, 7, last)
    assert brought(repo) == dict.fromkeys([*own, update, last], ("7", merge))


def test_a_pull_request_within_a_pull_request(repo: GitRepo) -> None:
    """What was merged into the branch of another came to main by the outer one, like all of that branch."""
    base = repo.commit()
    outer = commits(repo, 2, "outer", base)
    inner = commits(repo, 2, "inner", outer[0])
    inside = pull(repo, 8, inner[-1], branch="outer")
    last = repo.commit({"outer.c": "last"}, branch="outer")
    merge = pull(repo, 7, last)
    assert brought(repo) == dict.fromkeys([*outer, *inner, inside, last], ("7", merge))


def test_two_pull_requests_that_share_commits(repo: GitRepo) -> None:
    """Commits of two branches came by the one that was merged first."""
    base = repo.commit()
    shared = commits(repo, 2, "one", base)
    more = commits(repo, 2, "two", shared[-1])
    first = pull(repo, 1, shared[-1])
    second = pull(repo, 2, more[-1])
    assert brought(repo) == dict.fromkeys(shared, ("1", first)) | dict.fromkeys(more, ("2", second))


def test_the_same_branch_merged_twice(repo: GitRepo) -> None:
    """A branch that went on after its merge brings by the second what was new then."""
    own = commits(repo, 2, "pr", repo.commit())
    first = pull(repo, 1, own[-1])
    later = commits(repo, 2, "pr")
    second = pull(repo, 2, later[-1])
    assert brought(repo) == dict.fromkeys(own, ("1", first)) | dict.fromkeys(later, ("2", second))


def test_a_release_branch(repo: GitRepo) -> None:
    """A release branch has pull requests of its own; what it shares with main came as it came to main."""
    own = commits(repo, 2, "pr", repo.commit())
    merge = pull(repo, 1, own[-1])
    repo.ref("refs/heads/release", merge)
    backport = commits(repo, 2, "backport", merge)
    on_release = pull(repo, 2, backport[-1], branch="release")
    direct = repo.commit({"release.c": "1"}, branch="release")
    repo.commit()
    expected = dict.fromkeys(own, ("1", merge)) | dict.fromkeys(backport, ("2", on_release))
    assert brought(repo, "main", "release") == expected
    assert direct not in expected
    repo.merge(repo.head("release") or "", message="Merge branch 'release'\n")
    assert brought(repo) == expected, "a plain merge of the release branch makes it a part of the main line"


def test_an_octopus(repo: GitRepo) -> None:
    """A pull request that merges several branches at once brings them all."""
    base = repo.commit()
    one, two = commits(repo, 2, "one", base), commits(repo, 2, "two", base)
    merge = pull(repo, 7, one[-1], two[-1])
    assert brought(repo) == dict.fromkeys([*one, *two], ("7", merge))


def test_what_no_pull_request_brought(repo: GitRepo) -> None:
    """Commits pushed directly, squashed ones, and those of a merge that names no pull request."""
    base = repo.commit()
    repo.commit({"a": "1"}, "Squash (#12)\n\n* one\n* two\n")
    side = commits(repo, 2, "side", base)
    repo.merge(side[-1], message="Merge branch 'side'\n")
    other = commits(repo, 2, "other", base)
    repo.merge(other[-1], message="Merge tag 'x' of\n\nMerge pull request #9 from somebody/in-the-text\n")
    assert brought(repo) == {}


def test_a_branch_that_still_stands(repo: GitRepo) -> None:
    """A branch that was merged whole is no main line of its own; one that has gone on is."""
    own = commits(repo, 2, "pr", repo.commit())
    merge = pull(repo, 7, own[-1])
    assert brought(repo, "main", "pr") == dict.fromkeys(own, ("7", merge))
    repo.commit({"pr.c": "more"}, branch="pr")
    assert brought(repo, "main", "pr") == {}
    assert brought(repo) == dict.fromkeys(own, ("7", merge))


def test_a_message_that_is_no_text(repo: GitRepo) -> None:
    """A merge whose message is bytes of any kind is read like any other."""
    base = repo.commit()
    own = commits(repo, 1, "pr", base)
    head = repo.raw_commit(b"Merge pull request #7 from caf\xe9/x\n", parents=[base, own[-1]])
    assert brought(repo) == {own[0]: ("7", head)}


def test_a_sync_stores_who_brought_what(repo: GitRepo, database: Path) -> None:
    """The store has the repository's name beside the number."""
    base = repo.commit({"tracked/a.c": "1"}, "Begin\n")
    own = repo.commit({"tracked/a.c": "2"}, "Own\n", [base], "pr")
    merge = pull(repo, 7, own)
    repo.ref("refs/heads/pr", None)
    run_sync(sample_source(), repo.path, database)
    rows = ask(database, "SELECT c.key, b.pull, b.merge_id FROM brought_by b JOIN changes c ON c.id = b.change_id")
    assert rows == [(own, "owner/sample#7", merge)]


def test_a_branch_that_was_known_before_it_was_merged(repo: GitRepo, database: Path) -> None:
    """The merge of a pull request whose branch an earlier sync had read brings its commits all the same."""
    base = repo.commit({"tracked/a.c": "1"}, "Begin\n")
    own = repo.commit({"tracked/a.c": "2"}, "Own\n", [base], "pr")
    run_sync(sample_source(), repo.path, database)
    merge = pull(repo, 7, own)
    repo.ref("refs/heads/pr", None)
    run_sync(sample_source(), repo.path, database)
    sql = "SELECT c.key, b.pull, b.merge_id FROM brought_by b JOIN changes c ON c.id = b.change_id"
    assert ask(database, sql) == [(own, "owner/sample#7", merge)]
    repo.ref("refs/heads/main", own)
    run_sync(sample_source(), repo.path, database)
    assert ask(database, sql) == [], "now it is on the main line itself"


# --- the definition


@dataclass(frozen=True)
class Drawn:
    """A history drawn at random: parents and pull request of each commit, oldest first; the commits with branches."""

    parents: tuple[tuple[int, ...], ...]
    pulls: tuple[bool, ...]
    tips: tuple[int, ...]


@st.composite
def histories(draw: st.DrawFn, shape: str = "any") -> Drawn:
    """Histories of up to 14 commits. `flat`: one branch, each merge a pull request into it, of branches of commits."""
    count = draw(st.integers(3, 14))
    parents: list[tuple[int, ...]] = [()]
    main = {0}
    for number in range(1, count):
        if shape == "any":
            found = draw(st.lists(st.integers(0, number - 1), min_size=1, max_size=3, unique=True))
            parents.append(tuple(found))
            continue
        side = [n for n in range(number) if n not in main]
        if draw(st.booleans()):
            others = draw(st.lists(st.sampled_from(side), max_size=2, unique=True)) if side else []
            parents.append((max(main), *others))
            main.add(number)
        else:
            parents.append((draw(st.integers(0, number - 1)),))
    if shape == "flat":
        return Drawn(tuple(parents), tuple(len(found) > 1 for found in parents), (max(main),))
    pulls = tuple(len(found) > 1 and draw(st.booleans()) for found in parents)
    extra = draw(st.lists(st.integers(0, count - 1), max_size=1))
    return Drawn(tuple(parents), pulls, tuple(sorted({count - 1, *extra})))


def build(drawn: Drawn, repo: GitRepo) -> list[str]:
    """The history as a repository, a branch a tip; returns the ids of its commits."""
    made: list[str] = []
    for number, (parents, is_pull) in enumerate(zip(drawn.parents, drawn.pulls, strict=True)):
        title = f"Merge pull request #{number} from x/y\n" if is_pull else f"Commit {number}\n"
        made.append(repo.raw_commit(title.encode(), parents=[made[parent] for parent in parents], branch=None))
    for number, tip in enumerate(drawn.tips):
        repo.ref(f"refs/heads/tip{number}", made[tip])
    return made


def reach(drawn: Drawn, starts: Sequence[int], among: set[int] | None = None, only_line: bool = False) -> set[int]:
    """Commits that `starts` lead to, in the way of `git rev-list`; `only_line`: not into pull requests."""
    found: set[int] = set()
    waiting = list(starts)
    while waiting:
        commit = waiting.pop()
        if commit not in found and (among is None or commit in among):
            found.add(commit)
            parents = drawn.parents[commit]
            waiting += parents[:1] if only_line and drawn.pulls[commit] else parents
    return found


def define(drawn: Drawn, starts: Sequence[int], among: set[int], order: Sequence[int]) -> dict[int, int]:
    """By brute force: the merge of a pull request that brought a commit.

    `starts` are heads that no other commit leads to. The main line is what is reached without going into pull
    requests. Of those merged into it the oldest takes all that its other parents lead to and its first does not
    (`git rev-list P2 ^P1`), then the next takes of what is left. `order` lists the commits, children first.
    """
    line = reach(drawn, starts, among, only_line=True)
    left = among - line
    found: dict[int, int] = {}
    for merge in [commit for commit in reversed(order) if commit in line and drawn.pulls[commit]]:
        first, *others = drawn.parents[merge]
        taken = (reach(drawn, others) - reach(drawn, [first])) & left
        left -= taken
        found |= dict.fromkeys(taken, merge)
    return found


@given(drawn=histories())
@hypothesis_settings(max_examples=100)
def test_as_defined(drawn: Drawn) -> None:
    """On any history, with any merges, find_brought gives what the definition gives."""
    with TemporaryDirectory() as folder:
        repo = GitRepo(Path(folder) / "repo.git")
        made = build(drawn, repo)
        tips = [made[tip] for tip in drawn.tips]
        order = [made.index(ids[0].hex()) for ids in list_commits(str(repo.path), tips)]
        found = brought(repo, *(f"tip{number}" for number in range(len(tips))))
        heads = [tip for tip in drawn.tips if all(tip not in reach(drawn, drawn.parents[other]) for other in order)]
        expected = define(drawn, heads, reach(drawn, heads), order)
        assert found == {made[commit]: (str(merge), made[merge]) for commit, merge in expected.items()}


@given(drawn=histories())
@hypothesis_settings(max_examples=40)
def test_only_what_git_says_that_a_merge_took_in(drawn: Drawn) -> None:
    """What came by a merge is among what `git rev-list` says that its other parents have and its first has not."""
    with TemporaryDirectory() as folder:
        repo = GitRepo(Path(folder) / "repo.git")
        made = build(drawn, repo)
        found = brought(repo, *(f"tip{number}" for number in range(len(drawn.tips))))
        for merge in {merge for _, merge in found.values()}:
            first, *others = drawn.parents[made.index(merge)]
            taken = repo.git("rev-list", *(made[other] for other in others), f"^{made[first]}").split()
            assert {commit for commit, (_, by) in found.items() if by == merge} <= set(taken)


@given(drawn=histories(shape="flat"))
@hypothesis_settings(max_examples=40)
def test_flat_histories_as_git_says(drawn: Drawn) -> None:
    """Where each merge is one of a pull request into main, it brought just what `git rev-list P2 ^P1` says."""
    with TemporaryDirectory() as folder:
        repo = GitRepo(Path(folder) / "repo.git")
        made = build(drawn, repo)
        expected: Brought = {}
        for number, (parents, is_pull) in enumerate(zip(drawn.parents, drawn.pulls, strict=True)):
            if is_pull and number in reach(drawn, drawn.tips):
                taken = repo.git("rev-list", *(made[other] for other in parents[1:]), f"^{made[parents[0]]}").split()
                expected |= dict.fromkeys(taken, (str(number), made[number]))
        assert brought(repo, "tip0") == expected


@pytest.mark.slow
def test_a_long_history(tmp_path: Path) -> None:
    """Thousands of pull requests, each of a few commits, cost no more than reading them."""
    repo = GitRepo(tmp_path / "long.git")
    head = repo.raw_commit(b"Begin\n")
    expected: Brought = {}
    for number in range(1, 1501):
        own = repo.raw_commit(b"Own %d\n" % number, parents=[head], branch=None)
        last = repo.raw_commit(b"Last %d\n" % number, parents=[own], branch=None)
        head = repo.raw_commit(b"Merge pull request #%d from x/y\n" % number, parents=[head, last])
        expected |= dict.fromkeys((own, last), (str(number), head))
    assert brought(repo) == expected
