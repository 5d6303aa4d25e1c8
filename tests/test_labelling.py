"""Labels in the store: what is labelled when, what overrides what, and what becomes of earlier labels."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import SAMPLE, check_failure, command, family, wait_for, write_source
from gitrepo import GitRepo, git, write_linear_history
from labelled import label, note_line, own_labels, write_labels
from syncing import Rows, ask, run_sync, sample_source

from kminer import catalogue, handlabels, labelbook
from kminer.records import Annotation, TrackedPath
from kminer.store import labels as store
from kminer.store.database import open_for_reading, open_for_writing

Kminer = Callable[..., subprocess.CompletedProcess[str]]

SOURCE = sample_source(TrackedPath("mm/", mechanisms=("cg.memory",)), TrackedPath("fs/", mechanisms=("fs.overlay",)))
MESSAGES = (
    ("mm/memcontrol.c", "memcg: fix a use-after-free\n\nThe memcg was freed twice.\n"),
    ("fs/overlayfs/dir.c", "ovl: add a mount option\n\nThis adds an option of overlayfs.\n"),
    ("mm/memcontrol.c", "memcg: rename a helper\n\nNo functional change.\n"),
    ("other/a.c", "nvme: fix the widget of a namespace\n\nThe nvme namespace was too small.\n"),
    ("fs/overlayfs/copy_up.c", 'Revert "ovl: speed up copy up"\n\nThis reverts commit 123456789012.\n'),
)


@pytest.fixture
def synced(repo: GitRepo, database: Path) -> Path:
    """A database that holds five changes, not labelled."""
    for number, (path, message) in enumerate(MESSAGES):
        repo.commit({path: f"{number}\n"}, message)
    run_sync(SOURCE, repo.path, database)
    return database


def all_labels(database: Path) -> dict[str, Rows]:
    """All that a database holds of labels, by the keys of their changes."""
    found = {}
    for table, columns in (
        ("classifications", "t.version, t.unknown"), ("labels", "t.axis, t.label, t.score, t.given_by"),
        ("votes", "t.axis, t.label, t.voter, t.score, t.version, t.evidence"),
        ("earlier_labels", "t.axis, t.label, t.score, t.version"),
    ):  # fmt: skip
        sql = f"SELECT c.source, c.key, {columns} FROM {table} t JOIN changes c ON c.id = t.change_id"
        found[table] = sorted(ask(database, sql))
    return found


def labels_of(database: Path, title: str, given_by: str | None = None) -> set[tuple[str, str]]:
    """(axis, label) of the changes whose title begins with `title`."""
    sql = """
        SELECT l.axis, l.label FROM labels l JOIN changes c ON c.id = l.change_id
        WHERE c.title LIKE ?1 || '%' AND (?2 IS NULL OR l.given_by = ?2)
    """
    return set(ask(database, sql, title, given_by))


def key_of(database: Path, title: str) -> str:
    """The key of the change whose title begins with `title`."""
    [(key,)] = ask(database, "SELECT key FROM changes WHERE title LIKE ? || '%'", title)
    return str(key)


def test_all_is_labelled_once(synced: Path) -> None:
    """The first run labels everything; the second nothing, and changes nothing."""
    summary = label(synced)
    assert (summary.labelled, summary.known, summary.unknown, summary.by_hand) == (5, 0, 0, 0)
    assert labels_of(synced, "memcg: fix") == {
        ("relevant", "yes"), ("mechanism", "cg.memory"), ("kind", "bug"), ("dimension", "memory"),
    }  # fmt: skip
    assert labels_of(synced, "nvme") == {("relevant", "no"), ("kind", "bug")}
    before = all_labels(synced)
    summary = label(synced)
    assert (summary.labelled, summary.known) == (0, 5)
    assert all_labels(synced) == before


def test_only_what_is_new_is_labelled(synced: Path, repo: GitRepo) -> None:
    """After another sync only what it brought is labelled, and all ends as if it had been labelled at once."""
    label(synced)
    repo.commit({"mm/memcontrol.c": "new\n"}, "memcg: add a statistic\n")
    run_sync(SOURCE, repo.path, synced)
    summary = label(synced)
    assert (summary.labelled, summary.known) == (1, 5)
    assert ("kind", "feature") in labels_of(synced, "memcg: add")
    piecewise = all_labels(synced)
    assert label(synced, anew=True).labelled == 6
    assert all_labels(synced) == piecewise


def test_one_source_only(synced: Path, repo: GitRepo) -> None:
    """Labelling one source leaves the others as they are."""
    other = sample_source(TrackedPath("fs/", mechanisms=("fs.overlay",)), id="other")
    run_sync(other, repo.path, synced)
    assert label(synced, source="other").labelled == 3
    assert {row[0] for row in all_labels(synced)["classifications"]} == {"other"}
    assert label(synced).labelled == 5


def test_labelling_reads_no_git(synced: Path, repo: GitRepo) -> None:
    """Labels are made from the store alone: the repository may be gone."""
    shutil.rmtree(repo.path)
    assert label(synced).labelled == 5


def test_with_the_model(synced: Path) -> None:
    """Rules and model together give labels by votes, with the model among the voters."""
    summary = label(synced, with_model=True)
    assert summary.labelled == 5
    assert {row[5] for row in all_labels(synced)["labels"]} == {"votes"}
    assert {("relevant", "yes"), ("mechanism", "cg.memory"), ("kind", "bug")} <= labels_of(synced, "memcg: fix")
    voters = {voter for (voter,) in ask(synced, "SELECT DISTINCT voter FROM votes")}
    assert voters >= {"path", "prefix", "text", "first-word", "model"}
    assert ("flag", "revert") in labels_of(synced, "Revert")


def test_paths_that_change(repo: GitRepo, database: Path) -> None:
    """When a source tracks another path, changes get labels by it, old ones too."""
    write_source(text=_source_text(("memory/", "cg.memory")))
    repo.commit({"memory/a.c": "1\n", "others/a.c": "1\n"}, "Speak of a widget\n")
    repo.commit({"memory/a.c": "2\n"}, "Change one\n")
    run_sync(catalogue.find_source("sample"), repo.path, database)
    label(database)
    assert labels_of(database, "Speak") >= {("mechanism", "cg.memory")}
    write_source(text=_source_text(("memory/", "cg.memory"), ("others/", "cg.misc")))
    run_sync(catalogue.find_source("sample"), repo.path, database)
    assert label(database).labelled == 2
    assert {(a, b) for a, b in labels_of(database, "Speak") if a == "mechanism"} == {
        ("mechanism", "cg.memory"), ("mechanism", "cg.misc"),
    }  # fmt: skip


def _source_text(*paths: tuple[str, str]) -> str:
    head = SAMPLE.partition("[[paths]]")[0]
    return head + "".join(f'[[paths]]\npath = "{path}"\nmechanisms = ["{name}"]\n' for path, name in paths)


def test_what_a_deepened_clone_tells_anew(repo: GitRepo, database: Path, tmp_path: Path) -> None:
    """A commit at the edge of a shallow clone, whose files were not known, is labelled anew once they are."""
    repo.commit({"mm/memcontrol.c": "1\n"}, "Begin\n")
    repo.commit({"mm/memcontrol.c": "2\n"}, "Speak of a widget\n")
    shallow = tmp_path / "shallow.git"
    git("clone", "--quiet", "--bare", "--depth=1", f"file://{repo.path}", str(shallow))
    run_sync(SOURCE, shallow, database)
    label(database)
    assert ("mechanism", "cg.memory") not in labels_of(database, "Speak")
    git("--git-dir", str(shallow), "fetch", "--quiet", "--unshallow", "origin", "+refs/heads/*:refs/heads/*")
    run_sync(SOURCE, shallow, database)
    assert ask(database, "SELECT p.path FROM change_paths p JOIN changes c ON c.id = p.change_id"
                         " WHERE c.title LIKE 'Speak%'") == [("mm/memcontrol.c",)]  # fmt: skip
    label(database)
    assert ("mechanism", "cg.memory") in labels_of(database, "Speak")


def test_a_full_sync_that_changes_nothing(synced: Path, repo: GitRepo) -> None:
    """Reading everything anew without finding anything else asks for no labels anew."""
    label(synced)
    before = all_labels(synced)
    run_sync(SOURCE, repo.path, synced, full=True)
    assert label(synced).labelled == 0
    assert all_labels(synced) == before


# Labels by hand

HAND = {("relevant", "yes"), ("mechanism", "ns.time"), ("kind", "performance"), ("dimension", "time"),
        ("flag", "security")}  # fmt: skip


def by_hand(key: str, kind: str = "performance") -> str:
    return note_line(key, "own", "1", "ns.time", kind, "time", "security")


def test_a_label_by_hand_overrides(synced: Path) -> None:
    """What a person says counts, whatever rules and model say; their votes are kept beside it."""
    label(synced)
    write_labels(by_hand(key_of(synced, "memcg: fix")))
    summary = label(synced)
    assert (summary.labelled, summary.by_hand, summary.known) == (1, 1, 4)
    assert labels_of(synced, "memcg: fix") == labels_of(synced, "memcg: fix", "hand") == HAND
    votes = "SELECT v.voter FROM votes v JOIN changes c ON c.id = v.change_id WHERE c.title LIKE 'memcg: fix%'"
    assert {voter for (voter,) in ask(synced, votes)} >= {"hand", "path", "prefix"}
    assert ask(synced, "SELECT key, annotator, kind FROM annotations WHERE annotator = 'own'") == [
        (key_of(synced, "memcg: fix"), "own", "performance")
    ]


def test_a_label_by_hand_survives(synced: Path) -> None:
    """Labelled anew, by another version, or after another sync: what a person said stays."""
    write_labels(by_hand(key_of(synced, "memcg: fix")))
    for options in ({}, {"anew": True}, {"with_model": True}):
        label(synced, **options)
        assert labels_of(synced, "memcg: fix") == HAND
    assert label(synced, with_model=True).labelled == 0


def test_a_label_by_hand_that_changes_or_goes(synced: Path) -> None:
    """A label by hand that is changed is taken over; when it goes, rules and model decide again."""
    key = key_of(synced, "memcg: fix")
    label(synced)
    before = all_labels(synced)["labels"]
    write_labels(by_hand(key))
    label(synced)
    write_labels(by_hand(key), by_hand(key, "reliability"))
    assert label(synced).labelled == 1
    assert ("kind", "reliability") in labels_of(synced, "memcg: fix")
    own_labels().unlink()
    summary = label(synced)
    assert (summary.labelled, summary.by_hand) == (1, 0)
    assert all_labels(synced)["labels"] == before


def test_not_relevant_by_hand(synced: Path) -> None:
    """A person may say that a change is not relevant: it has then no mechanism."""
    write_labels(note_line(key_of(synced, "ovl: add"), "own", "0", "", "maintenance", ""))
    label(synced, with_model=True)
    assert labels_of(synced, "ovl: add") == {("relevant", "no"), ("kind", "maintenance")}


def test_the_unknown_by_hand(repo: GitRepo, database: Path) -> None:
    """What could not be labelled is marked so; a person may label it."""
    repo.commit({"tracked/a": "1\n"}, "", branch="first")
    repo.commit({"x": "1\n"}, "123 456\n")
    run_sync(sample_source(words=("123",)), repo.path, database)
    summary = label(database)
    assert (summary.labelled, summary.unknown) == (2, 1)
    assert ask(database, "SELECT unknown FROM classifications WHERE unknown <> ''") == [("its text holds no words",)]
    assert labels_of(database, "123") == set()
    assert label(database).labelled == 0
    write_labels(by_hand(key_of(database, "123")))
    summary = label(database)
    assert (summary.labelled, summary.unknown, summary.by_hand) == (1, 0, 1)
    assert labels_of(database, "123") == HAND
    assert ask(database, "SELECT DISTINCT unknown FROM classifications") == [("",)]


# Versions


def test_another_version_keeps_the_earlier_labels(synced: Path) -> None:
    """Labels of the version before stay beside the new ones, and how they differ is counted rightly."""
    first = label(synced)
    before = {(key, axis, name) for _, key, axis, name, _, _ in all_labels(synced)["labels"]}
    second = label(synced, with_model=True)
    assert first.version != second.version
    assert second.labelled == 5
    found = all_labels(synced)
    assert {(key, axis, name) for _, key, axis, name, _, _ in found["earlier_labels"]} == before
    assert {row[-1] for row in found["earlier_labels"]} == {first.version}
    after = {(key, axis, name) for _, key, axis, name, _, _ in found["labels"]}
    assert before != after, "the test needs versions that differ"
    with open_for_reading(synced) as db:
        counted = {(row["axis"], row["label"]): row for row in store.count_differences(db)}
        listed = store.list_differences(db, 100)
    assert set(counted) == {(axis, name) for _, axis, name in before ^ after}
    for (axis, name), row in counted.items():
        of_label = [{key for key, *rest in some if rest == [axis, name]} for some in (before, after)]
        assert (row["kept"], row["gained"], row["lost"]) == (
            len(of_label[0] & of_label[1]), len(of_label[1] - of_label[0]), len(of_label[0] - of_label[1])
        )  # fmt: skip
    assert {row["id"] for row in listed} == {key[:12] for key, _, _ in before ^ after}
    for row in listed:
        told = set(str(row["differs"]).split())
        assert told == {("+" if (key, axis, name) in after else "-") + name
                        for key, axis, name in before ^ after if key[:12] == row["id"]}  # fmt: skip


def test_the_same_version_again_keeps_what_was_earlier(synced: Path) -> None:
    """Labelling anew by the same version does not forget the version before."""
    label(synced)
    label(synced, with_model=True)
    before = all_labels(synced)
    label(synced, with_model=True, anew=True)
    assert all_labels(synced) == before


def test_the_difference_on_the_command_line(kminer: Kminer, synced: Path) -> None:
    """--diff tells what was gained and lost since the version before, and where most."""
    done = kminer("--db", synced, "classify", "--no-model", "--diff")
    assert (done.returncode, done.stdout) == (0, "")
    assert "No label differs" in done.stderr
    done = kminer("--db", synced, "classify", "--diff")
    assert done.returncode == 0, done.stderr
    assert "Labelled 5 changes" in done.stderr
    with open_for_reading(synced) as db:
        listed, counted = store.list_differences(db, 25), store.count_differences(db)
    assert listed
    for row in listed:
        assert str(row["id"]) in done.stdout
        assert str(row["differs"]) in done.stdout
    assert all(str(row["label"]) in done.stdout for row in counted)


# Interruptions


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that holds some 1,400 changes, not labelled."""
    folder = tmp_path_factory.mktemp("many")
    write_linear_history(folder / "repo.git", 3000)
    run_sync(sample_source(), folder / "repo.git", folder / "kminer.db")
    return folder / "kminer.db"


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_killed_in_the_midst(many: Path, tmp_path: Path, jobs: str) -> None:
    """A run that is killed (kill -9) keeps what it had labelled; the next one ends where a whole run does."""
    whole, killed = (shutil.copy(many, tmp_path / name) for name in ("whole.db", "killed.db"))
    [(total,)] = ask(whole, "SELECT count(*) FROM changes")
    words = command("--db", killed, "classify", "--no-model", "--jobs", jobs)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: _labelled(killed) >= 250, process)
    process.send_signal(signal.SIGSTOP)
    process.kill()
    process.communicate()
    done = _labelled(killed)
    assert 250 <= done < total
    limit = time.monotonic() + 20
    while family(process.pid) and time.monotonic() < limit:
        time.sleep(0.01)
    assert family(process.pid) == []
    assert ask(killed, "SELECT count(DISTINCT change_id) FROM labels") == [(done,)]
    summary = label(killed)
    assert (summary.labelled, summary.known) == (total - done, done)
    label(whole)
    assert all_labels(killed) == all_labels(whole)


def _labelled(database: Path) -> int:
    try:
        [(count,)] = ask(database, "SELECT count(*) FROM classifications")
    except sqlite3.OperationalError:
        return 0
    return int(count)


def test_processes_make_no_difference(many: Path, tmp_path: Path) -> None:
    """Two processes give the labels that one gives."""
    alone, together = (shutil.copy(many, tmp_path / name) for name in ("alone.db", "together.db"))
    label(alone)
    label(together, jobs=2)
    assert all_labels(together) == all_labels(alone)


# The command line


@pytest.fixture
def cloned(repo: GitRepo) -> GitRepo:
    """The repository of the source `sample`, whose file is the user's own."""
    write_source(text=_source_text(("mm/", "cg.memory"), ("fs/", "fs.overlay")))
    for number, (path, message) in enumerate(MESSAGES):
        repo.commit({path: f"{number}\n"}, message)
    return repo


def test_a_sync_labels_what_it_brought(kminer: Kminer, database: Path, cloned: GitRepo) -> None:
    """A sync labels by itself, says so, and does not label again what was; with --no-labels it does not."""
    words = ["--db", database, "sync", "sample", "--repo", f"sample={cloned.path}"]
    done = kminer(*words, "--no-labels")
    assert done.returncode == 0, done.stderr
    assert "Labelled" not in done.stderr
    assert ask(database, "SELECT count(*) FROM classifications") == [(0,)]
    done = kminer(*words)
    assert "Labelled 5 changes" in done.stderr
    assert {("mechanism", "cg.memory"), ("kind", "bug")} <= labels_of(database, "memcg: fix", "votes")
    cloned.commit({"mm/memcontrol.c": "new\n"}, "memcg: add a statistic\n")
    assert "Labelled 1 changes" in kminer(*words).stderr


def test_the_summary_as_json(kminer: Kminer, synced: Path) -> None:
    """--json prints what was done as one document."""
    write_labels(by_hand(key_of(synced, "memcg: fix")))
    summary = json.loads(kminer("--db", synced, "classify", "--no-model", "--json").stdout)
    assert summary.pop("seconds") > 0
    version = summary.pop("version")
    assert version.startswith("rules-")
    assert summary == {"labelled": 5, "unknown": 0, "by_hand": 1, "known": 0}
    summary = json.loads(kminer("--db", synced, "classify", "--no-model", "--json", "--full").stdout)
    assert (summary["labelled"], summary["known"], summary["version"]) == (5, 0, version)


def test_show_says_why(kminer: Kminer, synced: Path) -> None:
    """`kminer show` tells each label with its probability, who voted for it and why, and what was not given."""
    write_labels(by_hand(key_of(synced, "ovl: add")))
    label(synced, with_model=True)
    shown = kminer("--db", synced, "show", key_of(synced, "memcg: fix")).stdout
    labels = shown.partition("\nLabels\n")[2]
    for part in ("relevant", "cg.memory", "bug", "path 1.00  mm/memcontrol.c", "prefix 1.00  memcg", "model 0."):
        assert part in labels, (part, labels)
    assert "mechanism cg.memory" not in labels.partition("not given")[2]
    shown = kminer("--db", synced, "show", key_of(synced, "ovl: add")).stdout
    labels = shown.partition("\nLabels\n")[2]
    given, _, against = labels.partition("not given, though voted for:")
    assert "ns.time" in given
    assert "by hand" in given
    assert "fs.overlay" in against
    known = json.loads(kminer("--db", synced, "show", "--json", key_of(synced, "memcg: fix")).stdout)
    assert ("mechanism", "cg.memory") in {(row["axis"], row["label"]) for row in known["labels"]}
    assert {"path", "prefix", "model"} <= {row["voter"] for row in known["votes"] if row["label"] == "cg.memory"}


def test_show_of_what_is_not_labelled_or_unknown(kminer: Kminer, repo: GitRepo, database: Path) -> None:
    """`kminer show` says that a change is not yet labelled, and why one could not be."""
    repo.commit({"tracked/a": "1\n"}, "", branch="first")
    repo.commit({"x": "1\n"}, "123 456\n")
    run_sync(sample_source(words=("123",)), repo.path, database)
    assert "\nLabels\n" not in kminer("--db", database, "show", key_of(database, "123")).stdout
    label(database)
    assert "unknown: its text holds no words" in kminer("--db", database, "show", key_of(database, "123")).stdout


def test_show_is_inert(kminer: Kminer, repo: GitRepo, database: Path) -> None:
    """Control sequences and markup in what voted are shown inert."""
    repo.commit({"mm/a\x1b[31m[red].c": "1\n"}, "memcg\x1b[2J: [bold]fix\x07 a leak\n\nmemcg\x1b]0;x\x07\n")
    repo.commit({"mm/b.c": "1\n"}, b"memcg: \xff\xfe binary\n\n\x80\x81\n")
    run_sync(SOURCE, repo.path, database)
    assert label(database, with_model=True).labelled == 2
    for (key,) in ask(database, "SELECT key FROM changes"):
        shown = kminer("--db", database, "show", key)
        assert shown.returncode == 0
        assert not {"\x1b", "\x07"} & set(shown.stdout)
    assert "[red]" in kminer("--db", database, "show", key_of(database, "memcg\x1b")).stdout


def test_changes_that_are_deleted_take_their_labels_along(synced: Path, repo: GitRepo) -> None:
    """When a source no longer matches a change, neither its labels nor its votes stay behind."""
    label(synced)
    label(synced, with_model=True)
    tables = ("classifications", "labels", "votes", "earlier_labels")
    before = {table: {row[0] for row in ask(synced, f"SELECT DISTINCT change_id FROM {table}")} for table in tables}
    assert all(len(ids) == 5 for ids in before.values())
    run_sync(sample_source(TrackedPath("mm/", mechanisms=("cg.memory",)), words=()), repo.path, synced)
    kept = {row[0] for row in ask(synced, "SELECT id FROM changes")}
    assert len(kept) == 2
    for table in tables:
        assert {row[0] for row in ask(synced, f"SELECT DISTINCT change_id FROM {table}")} == kept


def test_what_is_known_beside_the_labels(synced: Path) -> None:
    """The store holds the labels by hand of the changes it holds, no others, and the published studies whole."""
    [(key,)] = ask(synced, "SELECT key FROM changes WHERE key NOT LIKE '%0' ORDER BY key LIMIT 1")
    handlabels.append(Annotation(key, labelbook.OWN, True, ("cg.io",), "feature", (), ("security",)))
    label(synced)
    assert ask(synced, "SELECT * FROM annotations") == [(key, "own", 1, "cg.io", "feature", "", "security")]
    rows = ask(synced, "SELECT id, kind, share FROM studies")
    for name, study in labelbook.load_studies().items():
        assert {kind: share for one, kind, share in rows if one == name and share is not None} == study.shares


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [(["classify", "no-such"], 2, "no-such"), (["classify", "--jobs", "0"], 2, "--jobs")],
)
def test_a_misused_command_line(
    kminer: Kminer, synced: Path, words: list[str], code: int, says: str
) -> None:
    """An unknown source and nonsense options are refused."""
    done = kminer("--db", synced, *words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database(kminer: Kminer, database: Path) -> None:
    """Where nothing was synced there is nothing to label: that is said, and no database is made."""
    for words in (["classify"], ["label"], ["label", "--list"]):
        check_failure(kminer("--db", database, *words), 1, "no database", database)
    assert not database.exists()


def test_while_another_writes(kminer: Kminer, synced: Path) -> None:
    """Labelling waits for nobody: while another kminer writes, it says so and ends with 1."""
    with open_for_writing(synced):
        check_failure(kminer("--db", synced, "classify", "--no-model"), 1, "Another kminer", str(os.getpid()))


def test_a_damaged_source_of_labels(kminer: Kminer, synced: Path) -> None:
    """A malformed file of labels by hand stops labelling with its name and line; the labels stay as they were."""
    label(synced)
    before = all_labels(synced)
    file = write_labels("nonsense")
    check_failure(kminer("--db", synced, "classify", "--no-model", "--full"), 2, file, "line 2")
    assert all_labels(synced) == before


