"""Archives of mailing lists that grow, shrink, move, are rewritten, damaged, or another list's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from gitrepo import GitRepo
from inbox import BEN, Inbox, day, list_source, sync_list, write_mail
from syncing import ask, run_sync, sample_source

from kminer.errors import RepositoryError
from kminer.history.subjects import list_subjects
from kminer.progress import Progress
from kminer.sources import git, titles
from kminer.store.database import open_for_writing
from kminer.tying import tie_store

CHANGES = "SELECT key, source, title, text FROM changes ORDER BY key"
MAILS = "SELECT key, source, kind, change_id IS NULL FROM mails ORDER BY key, source"
SERIES = "SELECT source, key, title, postings, patches, replies, verdict, why, confidence FROM series ORDER BY key"
PATHS = "SELECT c.key, p.path FROM change_paths p JOIN changes c ON c.id = p.change_id ORDER BY 1, 2"
LANDINGS = "SELECT c.key, l.found_by, l.found_in FROM landings l JOIN changes c ON c.id = l.change_id ORDER BY 1, 2, 3"


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "list.git")


def keys(database: Path) -> list[str]:
    return [key for (key,) in ask(database, "SELECT key FROM mails ORDER BY key")]


def all_of(database: Path) -> list[list[tuple[object, ...]]]:
    """All that is to be the same however an archive came into the store."""
    with open_for_writing(database) as db:
        tie_store(db, Progress())
    return [ask(database, sql) for sql in (CHANGES, MAILS, SERIES, PATHS, LANDINGS)]


def remove(inbox: Inbox, raw: bytes) -> None:
    """Take a mail out of the archive as public-inbox does."""
    inbox.repo.commit({"m": None, "d": raw}, "rm\n")
    inbox.repo.commit({"d": None, "m": write_mail("after@x", "Something else", on=3)}, "a mail\n")


def rewritten(inbox: Inbox, path: Path, without: str) -> Inbox:
    """An archive of the same mails less one, whose commits are all others."""
    new = Inbox(path)
    for commit in inbox.repo.git("rev-list", "--reverse", "HEAD").split():
        raw = subprocess.run(["git", "-C", str(inbox.path), "show", f"{commit}:m"], capture_output=True, check=True)
        if without.encode() not in raw.stdout:
            new.add(raw.stdout, 1)
    return new


def test_a_mail_that_the_archive_removes_is_dropped(tmp_path: Path, inbox: Inbox) -> None:
    steps, whole = tmp_path / "steps.db", tmp_path / "whole.db"
    spam = write_mail("spam@x", "[PATCH] buy widgets", files=("a.c",))
    inbox.add(spam)
    inbox.send("good@x", "[PATCH] widget: one", files=("a.c",))
    sync_list(steps, inbox.path)
    assert keys(steps) == ["good@x", "spam@x"]
    remove(inbox, spam)
    again = sync_list(steps, inbox.path)
    assert again.dropped == 1 and "1 mails that the archive removed are dropped" in again.notes
    sync_list(whole, inbox.path)
    assert keys(whole) == ["after@x", "good@x"] and all_of(steps) == all_of(whole)
    inbox.add(spam, 5)
    sync_list(steps, inbox.path)
    assert "spam@x" in keys(steps)


def test_an_archive_whose_newest_commits_remove_mails_is_one(database: Path, inbox: Inbox) -> None:
    mails = [write_mail(f"m{number}@x", "Hello") for number in range(30)]
    for raw in mails:
        inbox.add(raw)
    for raw in mails[:25]:
        inbox.repo.commit({"m": None, "d": raw}, "rm\n")
    sync_list(database, inbox.path)
    assert len(keys(database)) == 5
    assert sync_list(database, inbox.path).notes == ["nothing new"]


def test_a_rewritten_archive_is_read_anew(tmp_path: Path, database: Path, inbox: Inbox) -> None:
    for number in range(4):
        inbox.send(f"m{number}@x", f"[PATCH] widget: {number}", files=("a.c",))
    sync_list(database, inbox.path)
    new = rewritten(inbox, tmp_path / "new.git", "m2@x")
    again = sync_list(database, new.path)
    assert keys(database) == ["m0@x", "m1@x", "m3@x"] and (again.new, again.dropped) == (0, 1)
    assert ask(database, "SELECT commits FROM sources") == [(3,)]
    whole = tmp_path / "whole.db"
    sync_list(whole, new.path)
    assert all_of(database) == all_of(whole)


def test_a_head_that_was_set_back_is_read_anew(database: Path, inbox: Inbox) -> None:
    inbox.send("a@x", "[PATCH] widget: one")
    first = inbox.repo.git("rev-parse", "HEAD").strip()
    inbox.send("b@x", "[PATCH] widget: two")
    sync_list(database, inbox.path)
    inbox.repo.git("update-ref", "HEAD", first)
    sync_list(database, inbox.path)
    assert keys(database) == ["a@x"]


@pytest.mark.parametrize("full", [False, True])
def test_the_archive_of_another_list_is_refused(tmp_path: Path, database: Path, inbox: Inbox, full: bool) -> None:
    inbox.send("a@x", "[PATCH] widget: one")
    inbox.send("c@x", "[PATCH] widget: two")
    inbox.send("d@x", "[PATCH] widget: three")
    sync_list(database, inbox.path)
    before = all_of(database)
    other = Inbox(tmp_path / "other.git")
    other.send("a@x", "[PATCH] widget: one")
    for number in range(3):
        other.send(f"b{number}@y", "[PATCH] gadget: one")
    with pytest.raises(RepositoryError, match="shares too few mails"):
        sync_list(database, other.path, full=full)
    assert all_of(database) == before
    assert sync_list(database, inbox.path).notes == ["nothing new"]


def test_a_moved_archive_goes_on(tmp_path: Path, database: Path, inbox: Inbox) -> None:
    inbox.send("a@x", "[PATCH] widget: one")
    sync_list(database, inbox.path)
    inbox.send("b@x", "[PATCH] widget: two")
    moved = shutil.move(inbox.path, tmp_path / "moved.git")
    again = sync_list(database, Path(moved))
    assert (again.read, again.new) == (1, 1) and keys(database) == ["a@x", "b@x"]


def test_a_second_epoch_is_found_where_the_first_was_read(tmp_path: Path, database: Path) -> None:
    folder = tmp_path / "epochs"
    folder.mkdir()
    Inbox(folder / "0.git").send("a@x", "[PATCH] widget: one")
    sync_list(database, folder)
    Inbox(folder / "1.git").send("b@x", "[PATCH] widget: two")
    assert ask(database, "SELECT location FROM sources") == [(str(folder),)]
    from kminer.sources import archive

    with open_for_writing(database) as db:
        archive.sync(list_source(), db, database, git.Options(), Progress())
    assert keys(database) == ["a@x", "b@x"]


def test_a_deepened_clone_is_read_anew(tmp_path: Path, database: Path, inbox: Inbox) -> None:
    for number in range(3):
        inbox.send(f"m{number}@x", f"[PATCH] widget: {number}")
    shallow = tmp_path / "shallow.git"
    inbox.repo.git("clone", "-q", "--bare", "--depth", "1", f"file://{inbox.path}", str(shallow))
    assert any("shallow" in note for note in sync_list(database, shallow).notes)
    assert ask(database, "SELECT shallow FROM sources") == [(1,)] and keys(database) == ["m2@x"]
    subprocess.run(["git", "-C", str(shallow), "fetch", "-q", "--unshallow"], check=True)
    sync_list(database, shallow)
    assert ask(database, "SELECT shallow FROM sources") == [(0,)] and keys(database) == ["m0@x", "m1@x", "m2@x"]


def test_a_shallow_clone_takes_nothing_from_what_is_held(tmp_path: Path, database: Path, inbox: Inbox) -> None:
    for number in range(3):
        inbox.send(f"m{number}@x", f"[PATCH] widget: {number}")
    sync_list(database, inbox.path)
    inbox.send("m3@x", "[PATCH] widget: 3")
    shallow = tmp_path / "shallow.git"
    inbox.repo.git("clone", "-q", "--bare", "--depth", "2", f"file://{inbox.path}", str(shallow))
    again = sync_list(database, shallow)
    assert keys(database) == ["m0@x", "m1@x", "m2@x", "m3@x"] and (again.new, again.dropped) == (1, 0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_clone_that_lacks_mails_is_named_and_nothing_is_changed(
    database: Path, inbox: Inbox, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kminer.sources.archive.SHARD_SIZE", 8)
    for number in range(40):
        inbox.send(f"m{number}@x", f"[PATCH] widget: {number}")
    blob = inbox.repo.git("rev-parse", "HEAD~35:m").strip()
    (inbox.path / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RepositoryError, match="an object is missing"):
        sync_list(database, inbox.path, jobs=jobs)
    assert ask(database, "SELECT count(*) FROM mails") == [(0,)]


@pytest.fixture
def crossed(tmp_path: Path) -> dict[str, Inbox]:
    """Two lists with one thread in common; the second one's copy of it has a footer."""
    found = {}
    for name in ("a", "b"):
        inbox = found[name] = Inbox(tmp_path / f"{name}.git")
        footer = "" if name == "a" else "\nTo unsubscribe from this list, think.\n"
        inbox.send("both-1@x", "[PATCH 1/2] widget: one", f"Say why.\n{footer}", files=("a.c",))
        inbox.send("both-2@x", "[PATCH 2/2] widget: two", f"Say why.\n{footer}", files=("a.c",), to=("both-1@x",))
        inbox.send(f"{name}-only@x", f"[PATCH] widget: only on {name}", on=2, files=(f"{name}.c",))
        inbox.send("r@x", "Re: [PATCH 1/2] widget: one", "Applied, thanks.\n", 3, by=BEN, to=("both-1@x",))
    return found


def sync_both(database: Path, crossed: dict[str, Inbox], order: str, **options: object) -> None:
    for name in order:
        sync_list(database, crossed[name].path, list_source(id=f"{name}-list"), **options)


def test_lists_that_share_mails_lead_to_the_same_in_any_order(tmp_path: Path, crossed: dict[str, Inbox]) -> None:
    found = []
    for order in ("ab", "ba"):
        database = tmp_path / f"{order}.db"
        sync_both(database, crossed, order)
        found.append(all_of(database))
    assert found[0] == found[1]
    assert [(key, source) for key, source, *_ in found[0][0] if "both" in str(key)] == [
        ("both-1@x", "a-list"), ("both-2@x", "a-list"),
    ]  # fmt: skip
    changes, mails, series, *_ = found[0]
    assert (len(changes), len(series)) == (4, 3) and all(row[3] == 0 for row in mails if row[2] == "patch")


@pytest.mark.parametrize("again", ["a", "b", "ab", "ba"])
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_reading_a_list_anew_loses_no_shared_patch(
    database: Path, crossed: dict[str, Inbox], order: str, again: str
) -> None:
    sync_both(database, crossed, order)
    before = all_of(database)
    sync_both(database, crossed, again, full=True)
    assert all_of(database) == before


def test_a_shared_mail_that_one_list_removes_stays_with_the_other(database: Path, crossed: dict[str, Inbox]) -> None:
    sync_both(database, crossed, "ab")
    raw = subprocess.run(["git", "-C", str(crossed["a"].path), "show", "HEAD~3:m"], capture_output=True, check=True)
    remove(crossed["a"], raw.stdout)
    sync_both(database, crossed, "a")
    assert ask(database, "SELECT source, change_id IS NULL FROM mails WHERE key = 'both-1@x'") == [("b-list", 0)]
    assert ask(database, "SELECT source FROM changes WHERE key = 'both-1@x'") == [("b-list",)]


def test_a_list_without_patches_has_a_newest_day(database: Path, inbox: Inbox) -> None:
    inbox.send("a@x", "An announcement", on=4)
    sync_list(database, inbox.path)
    assert all_of(database)[2] == []
    assert ask(database, "SELECT date(newest) FROM sources") == [(day(4).date().isoformat(),)]


def test_a_list_of_titles_is_read_with_all_that_is_odd_in_it(tmp_path: Path, database: Path, inbox: Inbox) -> None:
    inbox.send("a@x", "[PATCH] widget: one", files=("a.c",))
    sync_list(database, inbox.path)
    file = tmp_path / "titles.tsv"
    odd = ["2020-02-31\twidget: one", '{"title": "half a letter \\ud800"}', '{"a":' * 100_000, *["nonsense"] * 30]
    file.write_text("\ufeff" + "\n".join(odd) + "\r\n", encoding="utf-8")
    source = list_source(id="sample-merged", kind="merged-titles")
    with open_for_writing(database) as db:
        summary = titles.sync(source, db, database, git.Options(repository=file), Progress())
    assert summary.matched == 2 and len(summary.failures) == 11 and summary.failures[-1].startswith("21 more lines")
    assert all_of(database)[2][0][6] == "merged"
    assert ask(database, "SELECT date FROM merged_titles WHERE title = 'widget: one'") == [("",)]


def test_lists_of_titles_are_read_anew_by_a_newer_reader(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "titles.tsv"
    file.write_text("1.0\twidget: one\n", encoding="utf-8")
    source = list_source(id="sample-merged", kind="merged-titles")
    notes = []
    for version in ("1", "1", "next"):
        monkeypatch.setattr(titles, "READER_VERSION", version)
        with open_for_writing(database) as db:
            notes.append(titles.sync(source, db, database, git.Options(repository=file), Progress()).notes)
    assert notes == [[], ["nothing new"], []]


def test_subjects_have_sound_days_and_folded_links(repo: GitRepo) -> None:
    folded = "widget: one\n\nWhy.\n\nLink: https://lore.kernel.org/all/\n  m1@x/\n"
    folded += "Link: https://lore.kernel.org/r/m2@x\n"
    repo.commit({"a.c": "1\n"}, folded, when=int(day(0).timestamp()))
    repo.commit({"a.c": "2\n"}, "widget: late\n", when=260_000_000_000)
    found = {one.title: one for one in list_subjects(str(repo.path), "2000-01-01")}
    assert "m2@x" in found["widget: one"].links and found["widget: one"].day == "2020-01-01"
    assert found["widget: late"].day == ""


def test_mails_without_sender_or_title_are_nobodys_and_nothings(database: Path, inbox: Inbox, repo: GitRepo) -> None:
    inbox.add(write_mail("n1@x", "[PATCH 1/2] widget: one thing", by="", files=("a.c",)))
    inbox.add(write_mail("n2@x", "[PATCH 2/2] gadget: another thing", by="", files=("b.c",)))
    inbox.add(write_mail("n3@x", "[PATCH] ???", files=("b.c",)))
    repo.commit({"tracked/a.c": "1\n"}, "!!!\n", when=int(day(3).timestamp()))
    sync_list(database, inbox.path)
    run_sync(sample_source(), repo.path, database)
    found = all_of(database)
    assert [row[3:5] for row in found[2]] == [(1, 1), (1, 1), (1, 1)] and found[4] == []
