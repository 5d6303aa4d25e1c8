"""Tracked paths: what the comparison of trees finds is what git itself finds."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from gitrepo import EXECUTABLE, FILE, LINK, SUBMODULE, Entry, GitRepo, executable, git, link, submodule
from hypothesis import given, settings
from hypothesis import strategies as st
from syncing import pathspecs, sample_source

from kminer.history.repository import list_commits, open_repository, read_refs, shallow_boundary
from kminer.history.tracked import TrackedPaths
from kminer.history.walk import Shard, walk_shard
from kminer.records import ChangedPath, TrackedPath

Found = dict[str, set[tuple[str, str]]]
COMMIT = "1234567890123456789012345678901234567890"


def tracked(*names: str) -> tuple[TrackedPath, ...]:
    """Tracked paths; "new|old|older" gives one its old names."""
    return tuple(TrackedPath(name.split("|")[0], tuple(name.split("|")[1:])) for name in names)


def as_git_finds(where: Path, paths: Iterable[TrackedPath]) -> Found:
    """{commit: {(path, status)}} of all commits with one parent or none that change the paths."""
    found: Found = defaultdict(set)
    commit = ""
    told = git(
        "--git-dir", str(where), "-c", "core.quotePath=false", "log", "--branches", "--tags", "--full-history",
        "--no-merges", "--no-renames", "--raw", "--no-abbrev", "--root", "--format=%H", "--", *pathspecs(paths),
    )  # fmt: skip
    for line in told.splitlines():
        if line.startswith(":"):
            status, path = line.split(" ")[4].split("\t", 1)
            found[commit].add((path, status))
        elif line:
            commit = line
    return dict(found)


def as_kminer_finds(where: Path, paths: tuple[TrackedPath, ...]) -> Found:
    """The same from kminer's walk."""
    return {key: {(path.path, path.change) for path in changed} for key, changed in changed_paths(where, paths).items()}


def changed_paths(where: Path, paths: tuple[TrackedPath, ...]) -> dict[str, tuple[ChangedPath, ...]]:
    """{commit: what it changed} for all candidates of a history, walked as one shard."""
    repository = open_repository(where)
    tips = sorted({ref.commit for ref in read_refs(repository) if ref.commit})
    commits = b"".join(ids[0] for ids in list_commits(repository.path, tips))
    source = sample_source(*paths, words=())
    changes = walk_shard(Shard(repository.path, commits, source, shallow_boundary(repository)))
    assert all(change.matched_by == ("path",) for change in changes)
    assert all(len({(p.path, p.change) for p in change.paths}) == len(change.paths) for change in changes)
    return {change.key: change.paths for change in changes}


NAMES = [
    "kernel/cgroup.c", "kernel/cgroup/cgroup.c", "kernel/cgroup/cpuset.c", "kernel/cgroup/sub/deep.c", "kernel/cgroup",
    "kernel/cgroups.c", "kernel/cgroup-x/y.c", "kernel/pid.c", "kernel/pid_namespace.c", "kernel/pid/x.c", "kernel/pi",
    "fs/overlayfs/super.c", "fs/overlayfs/a/b/c.c", "fs/overlayfs", "fs/overlayfs.c", "fs/overlay", "mm/memcontrol.c",
    "mm/memcontrol-v1.c", "mm/memcontrol", "mm/memcontrol.c/odd.c", "tools/a/ns/x.c", "tools/ab/ns/y.c",
    "tools/ab/ns/x.c",
    "tools/ns", "tools/a/ns", "tools/ans/ns/x.c", "tools/.hidden/ns/x.c", "top.c", "Top.c", "top", "a", "a/b", "a/b/c",
    "a.b", "a-b",
]  # fmt: skip
TRACKED = [
    "kernel/cgroup/|kernel/cgroup.c", "kernel/cgroup/cpuset.c", "kernel/cgroup/sub/", "kernel/pid*", "kernel/pid.c",
    "kernel/pid_*.c", "fs/overlayfs", "fs/overlayfs/a/", "fs/overlayfs/super.c", "mm/memcontrol*.c|mm/memcontrol",
    "tools/*/ns/", "tools/a*/ns/x.c", "tools/ab/ns/y.c", "tools/[a-b]/ns", "top.c", "a/", "a/b", "?.b", "*",
]  # fmt: skip
ENTRIES = st.sampled_from([(FILE, "1"), (FILE, "2"), (EXECUTABLE, "1"), (LINK, "1"), (LINK, "3"), (SUBMODULE, COMMIT)])
SNAPSHOTS = st.dictionaries(st.sampled_from(NAMES), ENTRIES, max_size=12)
CHOSEN = st.lists(st.sampled_from(TRACKED), min_size=1, max_size=6, unique=True)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    """A repository that examples share: objects only ever come to it."""
    return GitRepo(tmp_path_factory.mktemp("trees") / "repo.git")


@settings(max_examples=300)
@given(before=SNAPSHOTS, after=SNAPSHOTS, names=CHOSEN)
def test_two_trees_differ_as_git_says(
    workshop: GitRepo, before: dict[str, tuple[int, str]], after: dict[str, tuple[int, str]], names: list[str]
) -> None:
    """For any two trees and any tracked paths, the files that differ and how are those of `git diff-tree`."""
    old, new = _written(workshop, before), _written(workshop, after)
    paths = tracked(*names)
    told = workshop.git(
        "diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", old, new, "--", *pathspecs(paths)
    ).splitlines()
    expected = sorted((line.split("\t")[1], line.split(" ")[4][0]) for line in told)
    found = TrackedPaths(workshop.repository, paths).changes(bytes.fromhex(old), bytes.fromhex(new))
    assert sorted((change.path, change.change) for change in found) == expected


def _written(repo: GitRepo, content: dict[str, tuple[int, str]]) -> str:
    """Write a tree in which of a file and a folder of one name the later stands."""
    snapshot: dict[str, tuple[int, bytes]] = {}
    for path, (mode, text) in content.items():
        repo._apply(snapshot, path, Entry(text, mode))
    return repo.tree(snapshot)


@pytest.mark.parametrize("seed", range(8))
def test_random_histories(repo: GitRepo, seed: int) -> None:
    """Over a random history with branches, merges, swaps of files and folders, the candidates are those of git."""
    chance = random.Random(seed)
    _grow(repo, chance, 70)
    for _ in range(4):
        paths = tracked(*chance.sample(TRACKED[:-1], chance.randint(1, 9)))
        expected = as_git_finds(repo.path, paths)
        assert as_kminer_finds(repo.path, paths) == expected


def _grow(repo: GitRepo, chance: random.Random, commits: int) -> None:
    repo.commit({name: name for name in NAMES[::3]}, "first")
    for number in range(commits):
        branch = chance.choice(["main", "main", "side"])
        if branch == "side" and repo.head("side") is None:
            repo.ref("refs/heads/side", repo.head("main"))
        if number % 17 == 16:
            repo.merge(repo.head("side") or "", changes=_random_changes(chance, number) if number % 2 else None)
        elif number % 23 == 22:
            repo.commit(_random_changes(chance, number), "another root", parents=[], branch=f"root{number}")
        else:
            repo.commit(_random_changes(chance, number), branch=branch)


def _random_changes(chance: random.Random, number: int) -> dict[str, str | Entry | None]:
    makes = (str, str, executable, link, lambda text: submodule(f"{number:040x}"), lambda text: None)
    return {chance.choice(NAMES): chance.choice(makes)(f"{number % 5}") for _ in range(chance.randint(1, 4))}  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(4))
def test_large_folders(repo: GitRepo, seed: int) -> None:
    """In folders of hundreds of files, of which only the differing stretch is searched, nothing is missed."""
    chance = random.Random(seed)
    there = [f"big/{stem}{number:03}{'x' * (number % 7)}.c" for stem in ("a", "file") for number in range(120)]
    repo.commit(dict.fromkeys([*there, "big/0first", "big/zlast", f"big/{'long' * 50}"], "0"), "first")
    watched = [*chance.sample(there, 25), "big/0first", "big/zlast", "big/first", f"big/{'long' * 50}"]
    paths = tracked(*watched[::2], "big/file00*", "big/*9.c", "big/zz*", "big/sub/", "big/a1")
    for number in range(120):
        name = chance.choice(
            [*watched, *watched, *there, "big/0", "big/zz", "big/sub/x", "big/sub", "big/a1", "big/a1.c", "big/zzz/y"]
        )
        step = chance.choice(["write", "write", "remove", "rename", "mode", "several", "folder"])
        changes: dict[str, str | Entry | None] = {name: str(number)}
        if step == "remove":
            changes = {name: None}
        elif step == "rename":
            changes = {
                name: None,
                chance.choice([*watched, name + chance.choice(["x", "yy", ""]), "big/" + name[5:]]): str(number),
            }
        elif step == "mode":
            changes = {name: executable("0")}
        elif step == "several":
            changes = {chance.choice(there): str(number) for _ in range(chance.randint(2, 30))} | {name: None}
        elif step == "folder":
            changes = {name + "/inside": str(number)}
        repo.commit(changes)
    assert as_kminer_finds(repo.path, paths) == as_git_finds(repo.path, paths)


def test_renames_within_a_large_folder(repo: GitRepo) -> None:
    """A file that takes another name, and keeps its content, has left the one and come to the other."""
    names = [f"big/name{number:03}.c" for number in range(400)]
    repo.commit(dict.fromkeys(names[::2], "the same"))
    for old, new in ((0, 1), (100, 101), (198, 199), (199, 197), (1, 0)):
        repo.commit({names[old]: None, names[new]: "the same"})
    for paths in (tracked(*names), tracked("big/*.c"), tracked(*names[::2], "big/*[13579].c")):
        assert as_kminer_finds(repo.path, paths) == as_git_finds(repo.path, paths)


def test_a_large_folder_with_a_glob_read_back_and_forth(repo: GitRepo) -> None:
    """Trees of a large folder come in any order: what was remembered of the last one never stands for the next."""
    repo.commit({f"big/name{number:03}": "0" for number in range(200)})
    trees = []
    for number in (0, 1, 100, 198, 199):
        repo.commit({f"big/name{number:03}": "changed"})
        trees.append(_tree_of(repo))
        repo.commit({f"big/name{number:03}": None})
        trees.append(_tree_of(repo))
    paths = tracked("big/name000", "big/name19*", "big/name100")
    one = TrackedPaths(repo.repository, paths)
    chance = random.Random(7)
    for _ in range(60):
        old, new = chance.choice(trees), chance.choice(trees)
        told = repo.git("diff-tree", "-r", "--raw", "--no-renames", old, new, "--", *pathspecs(paths)).splitlines()
        expected = [(line.split("\t")[1], line.split(" ")[4][0]) for line in told]
        assert [(c.path, c.change) for c in one.changes(bytes.fromhex(old), bytes.fromhex(new))] == expected
        if chance.random() < 0.2:
            one = TrackedPaths(repo.repository, paths)


def _tree_of(repo: GitRepo) -> str:
    return repo.git("rev-parse", "main^{tree}").strip()


def test_the_most_specific_entry_owns_a_file(repo: GitRepo) -> None:
    """Of several entries that cover a file, that which goes deepest owns it; a plain name goes before a glob."""
    paths = tracked(
        "kernel/cgroup/|kernel/cgroup.c", "kernel/cgroup/cpuset.c", "kernel/cgroup/v1/", "kernel/cg*", "fs/*/x.c", "fs/"
    )
    made = repo.commit(
        {
            name: "1"
            for name in (
                "kernel/cgroup/cgroup.c",
                "kernel/cgroup/cpuset.c",
                "kernel/cgroup/v1/old.c",
                "kernel/cgroup.c",
                "kernel/cgfs.c",
                "kernel/cgdir/file.c",
                "fs/a/x.c",
                "fs/a/y.c",
                "kernel/other.c",
            )
        }
    )
    owners = {path.path: path.tracked for path in changed_paths(repo.path, paths)[made]}
    assert owners == {
        "kernel/cgroup/cgroup.c": "kernel/cgroup/",
        "kernel/cgroup/cpuset.c": "kernel/cgroup/cpuset.c",
        "kernel/cgroup/v1/old.c": "kernel/cgroup/v1/",
        "kernel/cgroup.c": "kernel/cgroup/",
        "kernel/cgfs.c": "kernel/cg*",
        "kernel/cgdir/file.c": "kernel/cg*",
        "fs/a/x.c": "fs/*/x.c",
        "fs/a/y.c": "fs/",
    }


def test_a_whole_folder_is_one_row(repo: GitRepo) -> None:
    """Of a vendored folder a change is one row that says whether it came, changed or went."""
    paths = (TrackedPath("vendor/runc/", ("vendor/src/runc/",), whole=True),)
    came = repo.commit({"vendor/runc/a.go": "1", "vendor/runc/b.go": "1", "other": "1"})
    changed = repo.commit({"vendor/runc/a.go": "2", "vendor/runc/c/d.go": "2"})
    repo.commit({"other": "2"})
    went = repo.commit({"vendor/runc": None, "vendor/src/runc/a.go": "2"})
    found = changed_paths(repo.path, paths)
    assert {key: [(p.path, p.change, p.tracked) for p in rows] for key, rows in found.items()} == {
        came: [("vendor/runc/", "A", "vendor/runc/")],
        changed: [("vendor/runc/", "M", "vendor/runc/")],
        went: [("vendor/runc/", "D", "vendor/runc/"), ("vendor/src/runc/", "A", "vendor/runc/")],
    }


def test_odd_modes(repo: GitRepo) -> None:
    """Modes that early gits wrote are read as git reads them today."""
    blob, other = (bytes.fromhex(repo.raw("blob", text)) for text in (b"1", b"2"))
    for mode, content in (
        (b"100644", blob),
        (b"100664", blob),
        (b"100664", other),
        (b"100775", other),
        (b"100755", other),
    ):
        folder = bytes.fromhex(repo.raw("tree", mode + b" x.c\0" + content))
        tree = repo.raw("tree", b"40000 kernel\0" + folder)
        repo.raw_commit(b"x", tree=tree, parents=[repo.head()] if repo.head() else [])  # type: ignore[list-item]
    for names in (["kernel/x.c"], ["kernel/"], ["kernel/x*"]):
        assert as_kminer_finds(repo.path, tracked(*names)) == as_git_finds(repo.path, tracked(*names))


@pytest.mark.parametrize(
    "name", ["ünï.c", "with space.c", 'quo"te.c', "tab\t.c", "new\nline.c", "40000 x", "-dash", ":(glob)x", "x" * 255]
)
def test_odd_names(repo: GitRepo, name: str) -> None:
    """Names with any characters are found and told as they are."""
    repo.commit({f"tracked/{name}": "1", f"{name}": "1"})
    made = repo.commit({f"tracked/{name}": "2", f"{name}": "2"})
    for paths in (tracked("tracked/"), tracked("tracked/*"), tracked(f"tracked/{name}")):
        found = changed_paths(repo.path, paths)
        assert len(found) == 2
        assert [(p.path, p.change) for p in found[made]] == [(f"tracked/{name}", "M")]


def test_names_that_are_not_utf8(repo: GitRepo) -> None:
    """A file name of other bytes than UTF-8 is found; its bytes are not lost."""
    repo.commit({"tracked/\udcff\udcfe.c": "1"})
    made = repo.commit({"tracked/\udcff\udcfe.c": "2"})
    for paths in (tracked("tracked/"), tracked("tracked/*.c")):
        (path,) = changed_paths(repo.path, paths)[made]
        assert path.path.encode("utf-8", "surrogateescape") == b"tracked/\xff\xfe.c"


def test_where_a_shallow_clone_was_cut_nothing_counts_as_changed(repo: GitRepo, tmp_path: Path) -> None:
    """The commits at a shallow clone's boundary do not seem to add every file."""
    for number in range(6):
        repo.commit({f"tracked/{number}": "1"})
    shallow = tmp_path / "shallow.git"
    git("clone", "--quiet", "--bare", "--depth=3", f"file://{repo.path}", str(shallow))
    found = as_kminer_finds(shallow, tracked("tracked/"))
    newest = repo.git("rev-list", "-2", "main").split()
    assert found == {newest[0]: {("tracked/5", "A")}, newest[1]: {("tracked/4", "A")}}


def test_a_merge_changes_nothing_itself(repo: GitRepo) -> None:
    """What a merge brings in, or mends on the way, is not counted as its own change of paths."""
    base = repo.commit({"tracked/x": "1"})
    side = repo.commit({"tracked/y": "1"}, parents=[base], branch="side")
    own = repo.commit({"tracked/x": "2"})
    repo.merge(side, changes={"tracked/x": "evil"})
    assert set(as_kminer_finds(repo.path, tracked("tracked/"))) == {base, side, own}


def test_how_many_tracked_paths_exist(repo: GitRepo) -> None:
    """A tree is known by how many tracked paths, new names or old, exist in it."""
    repo.commit({"kernel/cgroup.c": "1", "fs/overlayfs/super.c": "1", "kernel/pid_a.c": "1"})
    one = TrackedPaths(
        repo.repository, tracked("kernel/cgroup/|kernel/cgroup.c", "fs/overlayfs/", "kernel/pid_a.c", "mm/x.c")
    )
    assert one.present(bytes.fromhex(_tree_of(repo))) == 3


def test_sequences_are_sorted_by_path(repo: GitRepo) -> None:
    """Changes come in the order of their paths, so that the same history gives the same rows."""
    names: Sequence[str] = ["tracked/b", "tracked/a/x", "tracked/a.c", "tracked/a-c", "kernel/z", "zeta"]
    made = repo.commit(dict.fromkeys(names, "1"))
    found = [path.path for path in changed_paths(repo.path, tracked("tracked/", "kernel/", "zeta"))[made]]
    assert found == sorted(found, key=lambda name: [part.encode() for part in name.split("/")]) or found == sorted(
        found
    )
    assert found == [path.path for path in changed_paths(repo.path, tracked("zeta", "kernel/", "tracked/"))[made]]


def test_folders_laid_out_alike(tmp_path: Path) -> None:
    """A tracked name that takes an untracked one's place leaves every other byte of the folder where it was."""
    repo = GitRepo(tmp_path / "r.git")
    repo.commit({"aa/x": "1", "bb.c": "1", "other": "1", "zz.c": "1"}, "start")
    repo.commit({"aa/x": "2", "zz.c": "2"}, "only ids differ")
    repo.commit({"other": "2"}, "an untracked one only")
    repo.commit({"other": None, "wants": "2"}, "takes its place")
    repo.commit({"wants": None, "other": "2"}, "and gives it back")
    repo.commit({"bb.c": executable("1")}, "another mode")
    repo.commit({"bb.c": None, "bb.c/y": "1"}, "a folder instead")
    paths = tracked("aa/", "bb.c", "wants", "zz.c", "zz.d")
    found = as_kminer_finds(repo.path, paths)
    assert found == as_git_finds(repo.path, paths)
    assert len(found) == 6
