"""Labelling by hand: which changes are asked, and the conversation on the terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import check_failure, command, without_root_powers, write_source
from gitrepo import GitRepo
from labelled import Talk, label, note_line, own_labels, write_labels
from syncing import ask, run_sync, sample_source

from kminer import handlabels, labelbook
from kminer.records import TrackedPath, is_reserved
from kminer.store.database import open_for_reading

Kminer = Callable[..., subprocess.CompletedProcess[str]]

SOURCE = sample_source(
    TrackedPath("mm/", mechanisms=("cg.memory",)), TrackedPath("fs/", mechanisms=("fs.overlay",)),
    TrackedPath("misc/", mechanisms=("ns.core",)),
)  # fmt: skip
TITLES = (
    "memcg: fix leak {}", "ovl: add option {}", "misc: tidy the thing {}", "nvme: resize the namespace {}",
    "Speed up widget {}", "cgroup/rdma: charge object {}",
    "userns, ovl: check id map {}", "containers: start {} earlier",
)  # fmt: skip
PATHS = ("mm/memcontrol.c", "fs/overlayfs/dir.c", "misc/a.c", "fs/b.c", "mm/c.c", "misc/rdma.c", "fs/d.c", "misc/e.c")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 120 changes of several sorts, labelled by rules and model."""
    folder = tmp_path_factory.mktemp("prepared")
    repo = GitRepo(folder / "repo.git")
    for number in range(120):
        text = f"{TITLES[number % 8].format(number)}\n\nThe cgroup of widget {number}, or its namespace.\n"
        repo.commit({PATHS[number % 8]: f"{number}\n"}, text)
    run_sync(SOURCE, repo.path, folder / "kminer.db")
    label(folder / "kminer.db", with_model=True)
    return folder / "kminer.db"


@pytest.fixture
def database(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared database."""
    write_source()
    return Path(shutil.copy(prepared, tmp_path / "kminer.db"))


def queue(database: Path, size: int, source: str | None = None, seed: int = 0) -> list[dict[str, Any]]:
    """The queue of one call."""
    with open_for_reading(database) as db:
        return handlabels.queue(db, size, source, seed)


# The queue


def test_a_mix_of_reasons(database: Path) -> None:
    """The queue holds disputed, doubtful and rare changes, and one in five by chance, each once."""
    rows = queue(database, 30)
    assert len(rows) == 30
    assert len({row["key"] for row in rows}) == 30
    reasons = Counter(row["why"] for row in rows)
    assert reasons["by chance"] == 6
    assert set(reasons) == {"its voters disagree", "near the threshold", "a rare label", "by chance"}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 50])
def test_its_size(database: Path, size: int) -> None:
    """The queue is as long as asked for, while there is enough to ask."""
    assert len(queue(database, size)) == size


def test_those_near_the_threshold(database: Path) -> None:
    """The doubtful ones are those whose relevance is least sure, as far as no other reason took them."""
    rows = queue(database, 20)
    scores = dict(ask(database, "SELECT c.key, l.score FROM changes c JOIN labels l ON l.change_id = c.id"
                                " WHERE l.axis = 'relevant'"))  # fmt: skip
    doubtful = [abs(scores[row["key"]] - 0.5) for row in rows if row["why"] == "near the threshold"]
    chosen = {row["key"] for row in rows}
    others = [abs(score - 0.5) for key, score in scores.items() if key not in chosen and not key.endswith("0")]
    assert doubtful
    assert max(doubtful) <= min(others)


def test_the_reserved_are_never_asked(database: Path) -> None:
    """A change whose id ends in 0 belongs to the evaluation: however many are asked, it is not."""
    held = {key for (key,) in ask(database, "SELECT key FROM changes")}
    reserved = {key for key in held if key.endswith("0")}
    assert reserved, "the history must hold such ids"
    asked = {str(row["key"]) for seed in range(3) for row in queue(database, 1000, seed=seed)}
    assert not any(map(is_reserved, asked))
    assert asked == held - reserved


def test_what_is_labelled_by_hand_is_not_asked_again(database: Path) -> None:
    """Who labelled half of the queue is asked the rest, and who labelled all is asked nothing."""
    keys = [str(row["key"]) for row in queue(database, 1000)]
    write_labels(*map(note_line, keys[::2]))
    assert {str(row["key"]) for row in queue(database, 1000)} == set(keys[1::2])
    write_labels(*map(note_line, keys))
    assert queue(database, 10) == []


def test_chance(database: Path) -> None:
    """The same seed draws the same changes, another seed others."""
    drawn = [
        {row["key"] for row in queue(database, 30, seed=seed) if row["why"] == "by chance"} for seed in (1, 1, 2, 3, -1)
    ]
    assert drawn[0] == drawn[1]
    assert len({frozenset(some) for some in drawn}) == 4


def test_one_source(database: Path) -> None:
    """Only changes of the source that is named are asked."""
    assert {row["source"] for row in queue(database, 10, "sample")} == {"sample"}
    assert queue(database, 10, "linux") == []


def test_before_anything_is_labelled(repo: GitRepo, tmp_path: Path) -> None:
    """Without labels there is nothing to doubt: the queue holds changes by chance."""
    for number in range(12):
        repo.commit({"mm/a.c": f"{number}\n", "fs/a": "1", "misc/a": "1"}, f"Change {number}\n")
    run_sync(SOURCE, repo.path, tmp_path / "new.db")
    rows = queue(tmp_path / "new.db", 10)
    assert {row["why"] for row in rows} == {"by chance"}
    assert rows


def test_the_queue_as_a_list(kminer: Kminer, database: Path) -> None:
    """--list shows the queue with its reasons, and asks nothing; what kminer thinks is not shown."""
    done = kminer("--db", database, "label", "--list", "--count", "12")
    assert done.returncode == 0, done.stderr
    for row in queue(database, 12):
        assert str(row["key"])[:12] in done.stdout
        assert str(row["why"]) in done.stdout
    assert not own_labels().exists()
    check_failure(kminer("--db", database, "label", "--source", "no-such"), 2, "no-such")


# The conversation


@pytest.fixture
def talk(database: Path) -> Iterator[Callable[..., Talk]]:
    """Starts `kminer label` on a terminal of its own."""
    started: list[Talk] = []

    def start(count: int = 3) -> Talk:
        started.append(Talk(command("--db", database, "label", "--count", str(count))))
        return started[-1]

    yield start
    for one in started:
        if one.code is None:
            one.kill()


def answers() -> list[tuple[str, ...]]:
    """What the user's own file holds: key, relevant, mechanisms, kind, dimensions, flags."""
    return [
        (note.key, str(int(note.relevant)), " ".join(note.mechanisms), note.kind, " ".join(note.dimensions),
         " ".join(note.flags))
        for note in labelbook.read_annotations(own_labels())
    ]  # fmt: skip


def test_a_change_is_labelled(talk: Callable[..., Talk], database: Path) -> None:
    """Each answer may be the part of a name that makes it plain; the labels are in the user's own file, with why."""
    [first, second] = queue(database, 2)
    conversation = talk(2)
    shown = conversation.hear("relevant")
    assert "1 of 2" in shown
    assert str(first["key"])[:16] in shown
    assert str(first["title"]) in shown
    assert any(path in shown for path in PATHS)
    conversation.say("y")
    conversation.answer("mechanisms", "mem overlay cg.io", "kind", "perf", "dimensions", "mem disk", "flags", "sec")
    conversation.answer("relevant", "n", "kind", "maint", "flags", "")
    ending = conversation.end()
    assert "2 labelled" in ending
    assert conversation.code == 0
    assert answers() == [
        (first["key"], "1", "cg.memory fs.overlay cg.io", "performance", "memory disk-io", "security"),
        (second["key"], "0", "", "maintenance", "", ""),
    ]
    notes = labelbook.read_annotations(own_labels())
    assert {(note.annotator, note.stratum) for note in notes} <= {("own", first["why"]), ("own", second["why"])}


def test_answers_that_are_not_understood(talk: Callable[..., Talk], database: Path) -> None:
    """What is ambiguous, unknown, too much or too little is asked again, with what it may mean."""
    conversation = talk(1)
    conversation.answer("relevant", "maybe")
    conversation.hear("'maybe' is not known")
    conversation.answer("relevant", "y n")
    conversation.hear("give 1 to 1 names")
    conversation.answer("relevant", "Y", "mechanisms", "net")
    assert "ns.net, cg.net" in conversation.hear("'net' may be [^\n]*\n")
    conversation.answer("mechanisms", "cg.c")
    assert "cg.core, cg.cpu, cg.cpuset" in conversation.hear("'cg.c' may be [^\n]*\n")
    conversation.answer("mechanisms", "?")
    assert "ns.core" in conversation.hear("mgmt.runtime")
    conversation.answer("mechanisms", "CPU", "kind", "b f")
    conversation.hear("give 1 to 1 names")
    conversation.answer("kind", "b", "dimensions", "", "flags", "")
    conversation.end()
    assert [answer[1:] for answer in answers()] == [("1", "cg.cpu", "bug", "", "")]


def test_back_skip_and_quit(talk: Callable[..., Talk], database: Path) -> None:
    """One may go back and answer anew, which then counts; skip; and stop, with all answers kept."""
    rows = queue(database, 3)
    conversation = talk(3)
    conversation.answer("relevant", "n", "kind", "bug", "flags", "")
    assert "2 of 3" in conversation.hear("of 3")
    conversation.answer("relevant", "b")
    assert "1 of 3" in conversation.hear("of 3")
    conversation.answer("relevant", "b")
    assert "1 of 3" in conversation.hear("of 3"), "before the first there is none"
    conversation.answer("relevant", "n", "kind", "feature", "flags", "rev", "relevant", "s")
    assert str(rows[2]["key"])[:16] in conversation.hear(str(rows[2]["key"])[:16])
    conversation.answer("relevant", "q")
    conversation.end()
    assert conversation.code == 0
    assert [answer[0] for answer in answers()] == [rows[0]["key"]] * 2
    settled = labelbook.settled_annotations()[str(rows[0]["key"])]
    assert (settled.kind, settled.flags) == ("feature", ("revert",))
    assert not {row["key"] for row in rows[1:]} & set(labelbook.settled_annotations())


def test_killed_in_the_midst(talk: Callable[..., Talk], database: Path) -> None:
    """kill -9 while a change is asked: what was answered before is kept, and the next run goes on with the rest."""
    rows = queue(database, 3)
    conversation = talk(3)
    conversation.answer("relevant", "n", "kind", "bug", "flags", "")
    conversation.answer("relevant", "y", "mechanisms", "mem")
    conversation.hear("kind")
    conversation.kill()
    assert [answer[0] for answer in answers()] == [rows[0]["key"]]
    assert rows[0]["key"] not in {row["key"] for row in queue(database, 1000)}
    assert rows[1]["key"] in {row["key"] for row in queue(database, 1000)}


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_stopped_by_a_key(talk: Callable[..., Talk], database: Path, key: str) -> None:
    """Ctrl-C and Ctrl-D stop the conversation without a traceback; what was answered is kept."""
    conversation = talk(2)
    conversation.answer("relevant", "n", "kind", "bug", "flags", "")
    conversation.hear("relevant[^\n]*: ")
    conversation.say(key)
    ending = conversation.end()
    assert "Traceback" not in ending
    assert conversation.code != 0
    assert len(answers()) == 1


def test_what_was_answered_counts(talk: Callable[..., Talk], kminer: Kminer, database: Path) -> None:
    """`kminer classify` brings the labels by hand into the database."""
    [row] = queue(database, 1)
    conversation = talk(1)
    conversation.answer("relevant", "y", "mechanisms", "rdma", "kind", "rel", "dimensions", "ipc", "flags", "")
    conversation.end()
    done = kminer("--db", database, "classify")
    assert re.search(r"\b1 by hand", done.stderr), done.stderr
    found = ask(database, "SELECT l.axis, l.label, l.given_by FROM labels l JOIN changes c ON c.id = l.change_id"
                          " WHERE c.key = ?", row["key"])  # fmt: skip
    assert set(found) == {
        ("relevant", "yes", "hand"), ("mechanism", "cg.rdma", "hand"), ("kind", "reliability", "hand"),
        ("dimension", "ipc", "hand"),
    }  # fmt: skip


def test_what_is_shown_is_inert(repo: GitRepo, tmp_path: Path) -> None:
    """Control sequences in a change do nothing to the terminal of who labels it."""
    write_source()
    while True:
        key = repo.commit({"tracked/a\x1b[31m.c": f"{len(repo.git('rev-list', '--all'))}\n"},
                          "Change\x1b[2J it\n\nBody \x1b]0;title\x07 and \x9b31m more\n")  # fmt: skip
        if not key.endswith("0"):
            break
    run_sync(sample_source(), repo.path, tmp_path / "hostile.db")
    conversation = Talk(command("--db", tmp_path / "hostile.db", "label", "--count", "1"))
    shown = conversation.hear("relevant[^\n]*: ")
    conversation.say("q")
    conversation.end()
    assert "Change" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


def test_a_folder_that_may_not_be_written(database: Path, home: Path) -> None:
    """Where the labels cannot be written that is said, and it ends with 1."""
    folder = home / "xdg_config_home" / "kminer" / "data" / "annotations"
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    words = without_root_powers(command("--db", database, "label", "--count", "1"))
    if words is None:
        pytest.skip("root's powers cannot be laid down here")
    conversation = Talk(words)
    conversation.answer("relevant", "n", "kind", "bug", "flags", "")
    ending = conversation.end()
    folder.chmod(0o700)
    assert conversation.code == 1
    assert "cannot be written" in ending
    assert "Traceback" not in ending
