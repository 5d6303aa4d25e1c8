"""ChangeLog files of kernel.org and its list of releases."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutating import mutated
from syncing import sample_source

from kminer.errors import NotesError
from kminer.notes.drafts import day_of
from kminer.notes.shortlog import IndexedRelease, parse, read_index
from kminer.records import Note, NotedRelease, Reference

LINUX = sample_source(project="linux", repository="", repository_was=())
ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40
UPSTREAM = "0123456789abcdef0123456789abcdef01234567"


def commit(name: str, *message: str, date: str = "Mon Aug 24 23:30:00 2026 -0400") -> str:
    """A commit as git log shows it."""
    body = "".join(f"    {line}\n" if line else "    \n" for line in message)
    return f"commit {name}\nAuthor: Ann Example <ann@example.org>\nDate:   {date}\n\n{body}\n"


RELEASE = commit(ONE, "Linux 6.12.106", "", "Tested-by: Bob <bob@example.org>")
FIX = commit(TWO, "cgroup: fix a leak", "", f"commit {UPSTREAM} upstream.", "", "It leaks. CVE-2026-1234", "",
             "Fixes: 0123456789ab (\"cgroup: add a leak\")", "Link: https://example.org/x")  # fmt: skip


def test_commits_are_notes() -> None:
    """Each commit is a note with its message and what it names; the release commit gives version and day alone."""
    page = parse(RELEASE + FIX, "ChangeLog-6.12.106", LINUX)
    assert page.releases == (NotedRelease("6.12.106", "2026-08-25", 1),)
    (note,) = page.notes
    assert (note.version, note.form, note.title, note.section) == ("6.12.106", "shortlog", "cgroup: fix a leak", ())
    assert note.line == RELEASE.count("\n") + 1
    assert note.text.startswith("cgroup: fix a leak\n\ncommit 0123") and note.text.endswith("example.org/x")
    assert note.references == (
        Reference("commit", TWO),
        Reference("fixes", "0123456789ab"),
        Reference("backport-of", UPSTREAM, UPSTREAM),
        Reference("link", "https://example.org/x"),
        Reference("cve", "CVE-2026-1234"),
    )


def test_other_ways_to_name_the_upstream_commit() -> None:
    """The bracketed form names the upstream commit as well, and a wrapped subject is one line."""
    text = commit(TWO, "a subject", "of two lines", "", f"[ Upstream commit {UPSTREAM} ]")
    page = parse(text, "ChangeLog-6.1.2", LINUX)
    assert page.notes[0].title == "a subject of two lines"
    assert Reference("backport-of", UPSTREAM, UPSTREAM) in page.notes[0].references


@pytest.mark.parametrize(
    ("text", "name", "release"),
    [
        (FIX, "ChangeLog-6.12.106", NotedRelease("6.12.106", None, 1)),
        (FIX + RELEASE, "v6.x/ChangeLog-6.12.106.txt", NotedRelease("6.12.106", "2026-08-25", 14)),
        (FIX + RELEASE, "page", NotedRelease("6.12.106", "2026-08-25", 14)),
        (RELEASE, "ChangeLog-6.12.107", NotedRelease("6.12.107", None, 1)),
        (RELEASE, "ChangeLog-2.6.12.3", NotedRelease("2.6.12.3", None, 1)),
        (commit(ONE, "Linux 6.1-rc2", date="no date"), "page", NotedRelease("6.1-rc2", None, 1)),
    ],
)
def test_versions(text: str, name: str, release: NotedRelease) -> None:
    """The name tells the version before the release commit does; another version's release commit tells no day."""
    page = parse(text, name, LINUX)
    assert page.releases == (release,)
    assert [note.title for note in page.notes] == ["cgroup: fix a leak"] * text.count("a leak\n")


def test_message_that_looks_like_a_log() -> None:
    """What stands indented in a message begins no commit; merges and carriage returns are read."""
    text = commit(ONE, "one", "", f"commit {TWO}", "Date: never").replace("Author", "Merge: 123 456\nAuthor")
    page = parse(text.replace("\n", "\r\n"), "ChangeLog-6.1.2", LINUX)
    assert [(note.title, note.text) for note in page.notes] == [("one", f"one\n\ncommit {TWO}\nDate: never")]


def test_empty_message() -> None:
    """A commit without a message is a note all the same."""
    assert parse(f"commit {ONE}\n", "ChangeLog-6.1.2", LINUX).notes == (
        Note("6.1.2", (), "shortlog", "", "", 1, references=(Reference("commit", ONE),)),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "ChangeLog-6.1.2"), ("words", "ChangeLog-6.1.2"), ("    commit " + ONE, "ChangeLog-6.1.2"),
        ("commit 123\n", "ChangeLog-6.1.2"), (f"commit {ONE}0\n", "ChangeLog-6.1.2"), (FIX, "page"),
        (FIX, "ChangeLog-x"),
        ("<html>" + FIX, "ChangeLog-6.1.2"), (FIX + "\0", "ChangeLog-6.1.2"),
    ],
)  # fmt: skip
def test_not_a_changelog(text: str, name: str) -> None:
    """What is no ChangeLog, or of no version, is an error that names the source, the page and what to do."""
    with pytest.raises(NotesError) as caught:
        parse(text, name, LINUX)
    assert name in caught.value.what and "sample" in caught.value.where and caught.value.next


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("Mon Aug 24 23:30:00 2026 -0400", "2026-08-25"), ("Mon, 24 Aug 2026 00:30:00 +0200", "2026-08-23"),
        ("24 Aug 2026 00:30:00 GMT", "2026-08-24"), ("", None), ("Mon", None), ("31 Feb 2026 00:00:00 +0000", None),
        ("9" * 5000, None), ("31 Dec 9999 23:00:00 -0500", None),
    ],
)  # fmt: skip
def test_days(date: str, day: str | None) -> None:
    """A day is that of UTC; what is no date is none."""
    assert day_of(date) == day


ROW = {"version": "6.1.2", "moniker": "longterm", "iseol": True, "released": {"isodate": "2026-08-24"},
       "changelog": "https://cdn.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.2"}  # fmt: skip


def test_index() -> None:
    """The list tells of each release what there is of it."""
    other = {"version": "6.2-rc1", "moniker": "mainline", "iseol": False, "released": None, "changelog": None}
    assert read_index(json.dumps({"releases": [ROW, other, {"version": "next-1"}]}), "releases.json", LINUX) == [
        IndexedRelease("longterm", "6.1.2", True, "2026-08-24", str(ROW["changelog"])),
        IndexedRelease("mainline", "6.2-rc1", False, None, None),
        IndexedRelease("", "next-1", False, None, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "1", '{"releases": {}}', '{"releases": [1]}', '{"releases": [{}]}',
        '{"releases": [{"version": 6.1}]}',
        "[" * 100_000, "1" * 10_000, "<!doctype html>", "\0",
    ],
)  # fmt: skip
def test_not_an_index(text: str) -> None:
    """A list of another form is an error that names the source, the page and what to do."""
    with pytest.raises(NotesError) as caught:
        read_index(text, "releases.json", LINUX)
    assert "releases.json" in caught.value.what and "sample" in caught.value.where and caught.value.next


def test_index_leaves_out_what_is_odd() -> None:
    """A day or an address that is none is left out."""
    odd = ROW | {"released": {"isodate": "soon"}, "changelog": "file:///etc/passwd", "moniker": None}
    assert read_index(json.dumps({"releases": [odd]}), "x", LINUX) == [IndexedRelease("", "6.1.2", True, None, None)]


@pytest.mark.shared
def test_real_index(shared: Path) -> None:
    """The releases of December 2020."""
    text = (shared / "real/notes/kernel.org/releases-2020-12-14.excerpt.json").read_text()
    address = "https://cdn.kernel.org/pub/linux/kernel/v5.x/ChangeLog-5.10.1"
    assert read_index(text, "releases.json", LINUX) == [
        IndexedRelease("mainline", "5.10", False, "2020-12-13", None),
        IndexedRelease("stable", "5.10.1", False, "2020-12-14", address),
    ]


PIECES = [
    RELEASE, FIX, f"commit {ONE}\n", f"commit {ONE}", "commit ", "Author: A <a@b>\n",
    "Date:   Mon Aug 24 23:30:00 2026 -0400\n",
    "Date: ", "Merge: 1 2\n", "\n", "    ", "    Linux 6.1.2\n", "    subject\n", "\r\n", "\0", "\ud800", "\u2028", "é",
    "\x1b[m",
    f"commit {UPSTREAM} upstream.", "[ Upstream commit ", "Fixes: 123456789\n", "CVE-2020-1234",
    '{"releases": [', "]}", "{}",
    '"version": "6.1"', ",", ":", "null", "<html>", "9" * 30,
]  # fmt: skip


def check(text: str) -> None:
    """Parse, and hold what every page must keep to."""
    for name in ("ChangeLog-6.1.2", "page"):
        try:
            page = parse(text, name, LINUX)
        except NotesError:
            continue
        lines = text.split("\n")
        assert len(page.releases) == 1 and page.releases[0].version
        assert all(note.references[0].value in lines[note.line - 1] for note in page.notes)
    with suppress(NotesError):
        assert all(release.version for release in read_index(text, "releases.json", LINUX))


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
@example(f"commit {ONE}\n    \n")
def test_whatever_the_text(text: str) -> None:
    """No text makes the parsers fail otherwise than with NotesError, and what they find stands in the text."""
    check(text)


@pytest.mark.slow
def test_many_texts() -> None:
    """Nor do many mutated ones."""
    random_source = random.Random(2026)
    for _ in range(6_000):
        text = "".join(random_source.choices(PIECES, k=random_source.randrange(12)))
        check(mutated(text, random_source))


def test_floods() -> None:
    """Long lines and very many commits are read in time that grows with their size alone."""
    start = time.perf_counter()
    for flood in (f"commit {ONE}\n", "commit ", "    a\n", "    \n", "Date:", "    Linux 6.1\n", " ", "\n", "a", FIX):
        parse(f"commit {ONE}\n    {flood * (500_000 // len(flood))}\nend", "ChangeLog-6.1.2", LINUX)
    assert time.perf_counter() - start < 20
