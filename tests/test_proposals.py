"""Series of posted patches, and what became of them: archives and histories are built here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gitrepo import GitRepo
from inbox import ANN, BEN, MAY, Inbox, day, list_source, sync_list
from syncing import ask, run_sync, sample_source

from kminer.progress import Progress
from kminer.sources import git, titles
from kminer.store.database import open_for_writing
from kminer.tying import tie_store


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "list.git")


def settle(database: Path) -> None:
    with open_for_writing(database) as db:
        tie_store(db, Progress())


def series_of(database: Path, inbox: Inbox, history: GitRepo | None = None) -> dict[str, dict[str, object]]:
    """Sync, judge, and return the series by their titles."""
    sync_list(database, inbox.path)
    if history is not None:
        run_sync(sample_source(), history.path, database)
    settle(database)
    columns = (
        "title", "key", "postings", "version", "patches", "rfc", "authors", "span_days", "people", "replies", "reviews",
        "verdict", "why", "confidence", "superseded_by", "last_word", "last_word_by", "kin", "seen_in",
    )  # fmt: skip
    rows = ask(database, f"SELECT {', '.join(columns)} FROM series")
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


def post(
    inbox: Inbox, name: str, titles: list[str], *, tag: str = "PATCH", cover: str = "", on: int = 0, by: str = ANN,
    body: str = "Say why.\n", to: tuple[str, ...] = (), files: tuple[str, ...] = ("tracked/a.c",),
) -> list[str]:  # fmt: skip
    """Post a series; returns the message-ids, the cover letter's first where there is one."""
    keys, total = [], len(titles)
    if cover:
        keys.append(inbox.send(f"{name}-0@x", f"[{tag} 0/{total}] {cover}", body, on, by=by, to=to))
    for number, title in enumerate(titles, 1):
        place = f" {number}/{total}" if cover or total > 1 else ""
        above = tuple(keys[:1]) if cover or keys else to
        keys.append(inbox.send(f"{name}-{number}@x", f"[{tag}{place}] {title}", body, on, by=by, to=above, files=files))
    return keys


def filler(inbox: Inbox, on: int = 900) -> None:
    """A late mail, so that nothing is pending."""
    inbox.send(f"late-{on}@x", "An announcement", on=on)


def old_commit(repo: GitRepo, title: str, on: int, author: str = ANN, body: str = "", path: str = "other/a.c") -> str:
    message = f"{title}\n\nSay why.\n{body}"
    return repo.commit({path: f"{title}\n"}, message, when=int(day(on).timestamp()), author=author)


def start_history(repo: GitRepo) -> None:
    old_commit(repo, "Begin the tracked part", -100, path="tracked/a.c")


def test_versions_of_a_series_are_found_by_title_and_counted(database: Path, inbox: Inbox) -> None:
    post(inbox, "v1", ["widget: add a knob", "widget: use the knob"], cover="A knob for widgets", tag="RFC PATCH")
    keys = post(inbox, "v2", ["widget: add a knob", "widget: use the knob", "widget: document it"],
                cover="A knob for widgets", tag="PATCH v2", on=30)  # fmt: skip
    doubt, praise = "On Monday, Ann wrote:\n> text\n\nNo, thanks.\n", "Reviewed-by: May Maintainer <may@example.org>\n"
    inbox.send("r1@x", "Re: [PATCH v2 1/3] widget: add a knob", doubt, 31, by=BEN, to=keys[:2])
    inbox.send("r2@x", "Re: [PATCH v2 0/3] A knob", praise, 32, by=MAY, to=keys[:1])
    filler(inbox)
    found = series_of(database, inbox)["A knob for widgets"]
    assert (found["postings"], found["version"], found["patches"], found["rfc"], found["span_days"]) == (2, 2, 3, 1, 30)
    assert (found["people"], found["replies"], found["reviews"], found["key"]) == (3, 2, 1, keys[0])
    assert found["verdict"] == "cannot tell" and found["last_word_by"] == "May Maintainer"


@pytest.mark.parametrize(("tie", "body", "to"), [
    ("link", "Changes since v1:\n- all\n\nLink: https://lore.kernel.org/all/v1-0@x/\n", ()),
    ("reply", "All new.\n", ("v1-0@x",)),
    ("token", "All new.\n---\nchange-id: 20200101-knob-0123456789ab\n", ()),
])  # fmt: skip
def test_a_version_under_a_new_title_is_known_by_what_it_names(
    database: Path, inbox: Inbox, tie: str, body: str, to: tuple[str, ...]
) -> None:
    first = "Some words.\n---\nchange-id: 20200101-knob-0123456789ab\n" if tie == "token" else "Some words.\n"
    post(inbox, "v1", ["one thing", "another thing"], cover="A knob", body=first)
    post(inbox, "v2", ["a lever", "its use"], cover="A lever instead", tag="PATCH v2", on=20, body=body, to=to)
    found = series_of(database, inbox)
    assert set(found) == {"A lever instead"} and found["A lever instead"]["postings"] == 2
    assert ask(database, "SELECT joined_by FROM postings ORDER BY date") == [("",), (tie,)]


def test_the_same_patches_under_another_cover_are_a_version(database: Path, inbox: Inbox) -> None:
    post(inbox, "v1", ["widget: one", "widget: two"], cover="Improve widgets")
    post(inbox, "v2", ["widget: one", "widget: two", "widget: three"], cover="Widgets, improved", on=10)
    assert series_of(database, inbox)["Widgets, improved"]["postings"] == 2


@pytest.mark.parametrize(("title", "tag", "postings"), [
    ("widget: let the knobs be turned", "PATCH v2", 2),
    ("widget: let the knobs be turned", "PATCH v3", 1),
    ("widget: add another thing", "PATCH v2", 1),
])  # fmt: skip
def test_the_next_version_of_a_patch_is_known_by_its_files_and_a_word(
    database: Path, inbox: Inbox, title: str, tag: str, postings: int
) -> None:
    post(inbox, "v1", ["widget: turn knobs"])
    post(inbox, "v2", [title], tag=tag, on=9)
    assert series_of(database, inbox)[title]["postings"] == postings


def test_a_link_to_another_series_makes_no_version_of_it(database: Path, inbox: Inbox) -> None:
    """Only the next version, or one that is akin, is meant by a link."""
    post(inbox, "v1", ["one thing", "another thing"], cover="A knob")
    body = "On top of https://lore.kernel.org/all/v1-0@x/\n"
    post(inbox, "v6", ["a lever", "its use"], cover="A lever", tag="PATCH v6", on=20, body=body)
    assert set(series_of(database, inbox)) == {"A knob", "A lever"}


def test_others_with_the_same_short_title_are_other_series(database: Path, inbox: Inbox) -> None:
    post(inbox, "a", ["fix a typo"])
    post(inbox, "b", ["fix a typo"], by=BEN, on=3)
    sync_list(database, inbox.path)
    settle(database)
    assert ask(database, "SELECT count(*) FROM series") == [(2,)]


def test_patches_without_threading_that_come_before_their_cover_are_one_posting(database: Path, inbox: Inbox) -> None:
    inbox.send("p2@x", "[PATCH 2/3] two", files=("a",))
    inbox.send("p3@x", "[PATCH 3/3] three", files=("a",))
    inbox.send("p1@x", "[PATCH 1/3] one", files=("a",))
    inbox.send("p0@x", "[PATCH 0/3] All three")
    found = series_of(database, inbox)
    assert set(found) == {"All three"} and found["All three"]["patches"] == 3


def test_a_single_patch_below_a_series_mends_it(database: Path, inbox: Inbox) -> None:
    keys = post(inbox, "s", ["one", "two"], cover="Both")
    inbox.send("fix@x", "[PATCH v2] two", on=1, to=(keys[0], keys[2]), files=("a",))
    found = series_of(database, inbox)
    assert set(found) == {"Both"} and (found["Both"]["postings"], found["Both"]["patches"]) == (1, 3)


def test_merged_by_message_id_in_a_commit_that_is_not_kept(database: Path, inbox: Inbox, repo: GitRepo) -> None:
    start_history(repo)
    keys = post(inbox, "v1", ["make it so"], files=("other/a.c",))
    commit = old_commit(repo, "Do it quite otherwise", 9, BEN, f"\nLink: https://patch.msgid.link/{keys[0]}\n")
    filler(inbox)
    found = series_of(database, inbox, repo)["make it so"]
    assert (found["verdict"], found["confidence"]) == ("merged", 1.0)
    assert ask(database, "SELECT found_by, commit_id, title FROM landings") == [
        ("message-id", commit, "Do it quite otherwise")
    ]


@pytest.mark.parametrize(("author", "title", "by", "verdict"), [
    (ANN, "widget: add a knob for all", "author and title", "merged"),
    (BEN, "widget: add a knob for all", "title", "merged"),
    (BEN, "sub: widgets: add a knob for all", "ending", "merged in another form"),
])  # fmt: skip
def test_merged_by_title_says_how_sure_that_is(
    database: Path, inbox: Inbox, repo: GitRepo, author: str, title: str, by: str, verdict: str
) -> None:
    start_history(repo)
    post(inbox, "v1", ["widget: add a knob for all"])
    old_commit(repo, title, 40, author)
    filler(inbox)
    found = series_of(database, inbox, repo)["widget: add a knob for all"]
    assert found["verdict"] == verdict and f"by {by} in sample" in str(found["why"])


def test_a_commit_older_than_the_patch_is_not_it(database: Path, inbox: Inbox, repo: GitRepo) -> None:
    start_history(repo)
    old_commit(repo, "widget: mend the knob", -30)
    post(inbox, "v1", ["widget: mend the knob"])
    filler(inbox)
    old_commit(repo, "widget: something else", 800)
    found = series_of(database, inbox, repo)["widget: mend the knob"]
    assert (found["verdict"], found["confidence"]) == ("never merged", 0.95)


def test_never_merged_is_less_sure_without_the_whole_history(database: Path, inbox: Inbox) -> None:
    post(inbox, "v1", ["widget: mend the knob"])
    filler(inbox)
    found = series_of(database, inbox)["widget: mend the knob"]
    assert found["confidence"] == 0.6 and "not the whole history" in str(found["why"])


def test_nothing_is_guessed_of_a_reviewed_series_without_the_whole_history(
    database: Path, inbox: Inbox, repo: GitRepo
) -> None:
    keys = post(inbox, "v1", ["widget: mend the knob"])
    praise = "Reviewed-by: Ben Builder <ben@example.org>\n"
    inbox.send("r@x", "Re: [PATCH] widget: mend the knob", praise, 2, by=BEN, to=keys)
    filler(inbox)
    assert series_of(database, inbox)["widget: mend the knob"]["verdict"] == "cannot tell"
    start_history(repo)
    old_commit(repo, "widget: something else", 800)
    assert series_of(database, inbox, repo)["widget: mend the knob"]["verdict"] == "never merged"


def test_a_part_of_the_series_was_merged(database: Path, inbox: Inbox, repo: GitRepo) -> None:
    start_history(repo)
    post(inbox, "v1", ["widget: first thing", "widget: second thing", "widget: third thing"], cover="Three")
    old_commit(repo, "widget: second thing", 20)
    filler(inbox)
    found = series_of(database, inbox, repo)["Three"]
    assert found["verdict"] == "merged in another form" and str(found["why"]).startswith("1 of 3 patches")


def test_an_earlier_version_was_merged(database: Path, inbox: Inbox, repo: GitRepo) -> None:
    start_history(repo)
    post(inbox, "v1", ["widget: first thing", "widget: second thing"], cover="Two")
    old_commit(repo, "widget: first thing", 5)
    post(inbox, "v2", ["widget: rest of it", "widget: documents"], cover="Two", tag="PATCH v2", on=10)
    filler(inbox)
    found = series_of(database, inbox, repo)["Two"]
    assert found["verdict"] == "merged in another form" and "patches of version 1" in str(found["why"])


def test_a_commit_by_the_author_that_changes_the_same_files_is_another_form(
    database: Path, inbox: Inbox, repo: GitRepo
) -> None:
    start_history(repo)
    post(inbox, "v1", ["widget: let knobs turn both ways"], files=("tracked/a.c",))
    old_commit(repo, "widget: let knobs turn freely both ways", 30, path="tracked/a.c")
    filler(inbox)
    found = series_of(database, inbox, repo)["widget: let knobs turn both ways"]
    assert found["verdict"] == "merged in another form" and "likeness" in str(found["why"])
    assert found["confidence"] == 0.6


def test_applied_counts_when_another_says_so_and_for_what_it_answers(database: Path, inbox: Inbox) -> None:
    keys = post(inbox, "s", ["widget: one", "widget: two"], cover="Both of them")
    inbox.send("a@x", "Re: [PATCH 0/2] Both of them", "Applied to widgets/for-next, thanks.\n", 3, by=MAY, to=keys[:1])
    one = post(inbox, "t", ["gadget: one", "gadget: two", "gadget: three"], cover="Gadgets", on=1)
    inbox.send("b@x", "Re: [PATCH 1/3] gadget: one", "Applied, thanks.\n", 4, by=MAY, to=one[:2])
    own = post(inbox, "u", ["alone"], on=1)
    inbox.send("c@x", "Re: [PATCH] alone", "Applied locally, works.\n", 4, by=ANN, to=own)
    filler(inbox)
    found = series_of(database, inbox)
    assert found["Both of them"]["verdict"] == "merged"
    assert found["Gadgets"]["verdict"] == "merged in another form"
    assert found["alone"]["verdict"] == "never merged"


def test_lists_of_merged_titles_are_evidence(database: Path, inbox: Inbox, tmp_path: Path) -> None:
    post(inbox, "a", ["widget: told in a list"])
    post(inbox, "b", ["widget: told in a record"])
    post(inbox, "c", ["widget: told before it was posted"], on=50)
    inbox.send("q@x", "Re: something", 'Fixes: 0123456789ab ("widget: told before it was posted")\n', 10, by=BEN)
    filler(inbox)
    folder = tmp_path / "titles"
    folder.mkdir()
    (folder / "t.tsv").write_text("1.2\t2020-02-01\twidget: told in a list\nnonsense\n", encoding="utf-8")
    record = {"id": "CVE-2020-1", "title": "widget: told in a record", "dyad": [f"1.0:{'a' * 40}:1.2:{'b' * 40}"]}
    (folder / "c.jsonl").write_text(json.dumps(record) + "\n{broken\n", encoding="utf-8")
    source = list_source(id="sample-merged", kind="merged-titles")
    with open_for_writing(database) as db:
        summary = titles.sync(source, db, database, git.Options(repository=folder), Progress())
    assert len(summary.failures) == 2 and "c.jsonl:2" in summary.failures[0] and "t.tsv:2" in summary.failures[1]
    found = series_of(database, inbox)
    assert found["widget: told in a list"]["verdict"] == found["widget: told in a record"]["verdict"] == "merged"
    assert found["widget: told before it was posted"]["verdict"] == "never merged"
    assert "sample-merged: 2 titles" in str(found["widget: told in a list"]["seen_in"])


def test_superseded_by_anothers_series(database: Path, inbox: Inbox) -> None:
    post(inbox, "a", ["widget: add a knob to it", "widget: use that knob"], cover="A knob")
    keys = post(inbox, "b", ["widget: clean up first", "widget: add a knob to it", "widget: use that knob"],
                cover="Knobs and levers", by=BEN, on=60)  # fmt: skip
    filler(inbox)
    found = series_of(database, inbox)
    assert (found["A knob"]["verdict"], found["A knob"]["superseded_by"]) == ("superseded", keys[0])
    assert found["Knobs and levers"]["verdict"] == "never merged"


def test_pending_until_some_months_have_passed(database: Path, inbox: Inbox) -> None:
    post(inbox, "a", ["widget: old"], on=0)
    post(inbox, "b", ["widget: new"], on=150)
    filler(inbox, 200)
    found = series_of(database, inbox)
    assert (found["widget: old"]["verdict"], found["widget: new"]["verdict"]) == ("never merged", "pending")


def test_a_refusal_is_named(database: Path, inbox: Inbox) -> None:
    keys = post(inbox, "a", ["widget: dubious idea"])
    nack = "Nacked-by: May Maintainer <may@example.org>\n"
    inbox.send("n@x", "Re: [PATCH] widget: dubious idea", nack, 2, by=MAY, to=keys)
    filler(inbox)
    assert "NAK by May Maintainer" in str(series_of(database, inbox)["widget: dubious idea"]["why"])


def test_requests_by_several_people_for_much_the_same_are_kin(database: Path, inbox: Inbox) -> None:
    mine = post(inbox, "a", ["widget: one"], cover="Per-widget throttling of knobs", tag="RFC PATCH")
    theirs = post(inbox, "b", ["widget: other"], cover="Throttling of knobs per widget", tag="RFC PATCH", by=BEN, on=90)
    post(inbox, "c", ["gadget: colour"], cover="Colours for gadgets", tag="RFC PATCH", by=MAY, on=95)
    filler(inbox)
    found = series_of(database, inbox)
    assert found["Per-widget throttling of knobs"]["kin"] == theirs[0]
    assert found["Throttling of knobs per widget"]["kin"] == mine[0]
    assert found["Colours for gadgets"]["kin"] == ""


def test_new_mails_lead_where_one_whole_run_leads(tmp_path: Path, inbox: Inbox) -> None:
    halves, whole = tmp_path / "halves.db", tmp_path / "whole.db"
    post(inbox, "v1", ["widget: one", "widget: two"], cover="Both")
    first = sync_list(halves, inbox.path)
    settle(halves)
    post(inbox, "v2", ["widget: one", "widget: two"], cover="Both", tag="PATCH v2", on=9)
    second = sync_list(halves, inbox.path)
    settle(halves)
    assert (first.read, second.read, second.new) == (3, 3, 3)
    assert sync_list(halves, inbox.path).notes == ["nothing new"]
    sync_list(whole, inbox.path)
    settle(whole)
    for table in ("mails", "series", "postings", "landings", "changes"):
        rows = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert ask(halves, rows) == ask(whole, rows)
    assert ask(whole, "SELECT postings FROM series") == [(2,)]


def test_several_epochs_are_one_archive(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "list" / "git"
    folder.mkdir(parents=True)
    old, new = Inbox(folder / "0.git"), Inbox(folder / "1.git")
    keys = post(old, "v1", ["widget: across epochs"])
    new.send("r@x", "Re: [PATCH] widget: across epochs", "Why?\n", 5, by=BEN, to=keys)
    assert sync_list(database, tmp_path / "list").read == 2
    settle(database)
    assert ask(database, "SELECT replies FROM series") == [(1,)]
    assert sync_list(database, tmp_path / "list").notes == ["nothing new"]


def test_patches_for_other_projects_are_left_out(database: Path, inbox: Inbox) -> None:
    post(inbox, "a", ["test the widget"], tag="PATCH otherproject")
    post(inbox, "b", ["widget: one"])
    assert set(series_of(database, inbox)) == {"widget: one"}


def test_broken_mails_are_counted_and_named(database: Path, inbox: Inbox) -> None:
    said: list[str] = []

    class Talk(Progress):
        def detail(self, text: str) -> None:
            said.append(text)

    inbox.add(b"From: x@example.org\nSubject: [PATCH] no id\n\ntext\n")
    bad = inbox.add(b"Message-ID: <big@x>\nSubject: [PATCH] big\n\n" + b"x" * 10_000_000)
    inbox.add(b"\0\1\2 no mail at all")
    post(inbox, "ok", ["widget: good"])
    inbox.repo.commit({"m": None, "d": "gone\n"}, "remove a mail\n")
    from kminer.sources import archive

    with open_for_writing(database) as db:
        summary = archive.sync(list_source(), db, database, git.Options(repository=inbox.path), Talk())
    assert summary.new == 1 and sum(int(note.split()[0]) for note in summary.notes) == 3
    assert any(bad in line and "too large" in line for line in said)


def test_show_opens_a_patch_with_its_proposal(database: Path, inbox: Inbox, kminer) -> None:  # type: ignore[no-untyped-def]
    keys = post(inbox, "V1", ["widget: one"], cover="A Knob")
    inbox.send("r@x", "Re: [PATCH 0/1] A Knob", "Please measure it first.\n", 3, by=BEN, to=keys[:1])
    filler(inbox)
    series_of(database, inbox)
    shown = kminer("--db", database, "show", keys[0])
    assert shown.returncode == 0, shown.stderr
    for text in ("A Knob", "never merged", "Please measure it first.", "Ben Builder", keys[1]):
        assert text in shown.stdout
    told = json.loads(kminer("--db", database, "show", keys[1], "--json").stdout)
    assert told["proposal"]["series"]["verdict"] == "never merged" and len(told["proposal"]["patches"]) == 2


def test_the_queries_on_proposals(database: Path, inbox: Inbox, kminer) -> None:  # type: ignore[no-untyped-def]
    for number in range(1, 4):
        tag = "PATCH" if number == 1 else f"PATCH v{number}"
        post(inbox, f"v{number}", ["widget: wanted badly"], tag=tag, on=number * 10)
    post(inbox, "once", ["widget: tried once"], on=5)
    filler(inbox)
    series_of(database, inbox)

    def rows(*words: str) -> list[dict[str, object]]:
        done = kminer("--db", database, "query", *words, "--set", "project=sample", "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    again = rows("proposals-unmerged")
    assert [(row["title"], row["postings"], row["id"]) for row in again] == [("widget: wanted badly", 3, "v3-1@x")]
    assert {row["title"] for row in rows("proposals", "--set", "verdict=never merged")} == {
        "widget: wanted badly", "widget: tried once",
    }  # fmt: skip
    assert [(row["series"], row["never_merged"]) for row in rows("proposals-by-mechanism")] == [(2, 2)]


def test_an_id_is_found_by_its_whole_in_brackets_and_search_gives_it_whole(
    database: Path, inbox: Inbox, kminer
) -> None:  # type: ignore[no-untyped-def]
    inbox.send("Part@x", "[PATCH] widget: one", files=("a",))
    inbox.send("Part@xy", "[PATCH] widget: two", files=("a",))
    series_of(database, inbox)
    assert "widget: one" in kminer("--db", database, "show", "<Part@x>").stdout
    assert "Part@xy" in kminer("--db", database, "search", "two").stdout
