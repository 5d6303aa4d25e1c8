"""Release notes as a whole: pages come and change, are broken, cut and told by several sources; the store follows."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from pathlib import Path
from zlib import crc32

import pytest
from click.testing import CliRunner, Result
from commandline import command, without_root_powers
from gitrepo import Changes, Entry, GitRepo, git
from syncing import Rows, ask, check_whole
from webserver import Reply, WebServer

from kminer import datafiles, places, tying
from kminer.cli import main
from kminer.sources import notes as notes_module
from kminer.sources import web

Sections = Mapping[str, Sequence[str]]

TAG = r"""
[releases]
tag = '^v?(?P<version>\d+(?:\.\d+)+)(?:-ce)?(?:-(?P<pre>(?:rc)\.?\d+))?$'
series = '^\d+\.\d+'
"""

MEMORY = "Fix a leak of memory in `docker run --memory` [moby/moby#101](https://github.com/moby/moby/pull/101)"
CGROUP = "Add support for cgroup v2 in rootless mode [moby/moby#102](https://github.com/moby/moby/pull/102)"
OVERLAY = "overlay2: use the kernel's native diff where it is safe [moby/moby#103](https://github.com/moby/moby/pull/103)"
USERNS = "Do not map the host's root into user namespaces, CVE-2021-21284"
SECCOMP = "seccomp: allow `clone3` in the default profile"


def sync(database: Path, *arguments: str | Path, code: int = 0, labels: bool = False) -> Result:
    """Run `kminer sync` here and now; fails unless it ends with `code`."""
    words = ["--db", database, "sync", *arguments, *([] if labels else ["--no-labels"])]
    return call(*words, code=code)


def call(*words: str | Path, code: int = 0) -> Result:
    """Run kminer in this process; fails unless it ends with `code`."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    assert code or "error:" not in done.stderr
    return done


def says_nothing_new(done: Result) -> bool:
    """Whether each row of the summary ends in these words."""
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    return bool(rows) and all("nothing new" in row for row in rows)


def document(versions: Mapping[str, Sections | Sequence[str]], title: str = "Docker Engine release notes") -> str:
    """A page in Markdown: headings of versions, headings of sections, bullets."""
    lines = [f"# {title}", ""]
    for version, sections in versions.items():
        lines += [f"## {version}", ""]
        for heading, notes in (sections if isinstance(sections, Mapping) else {"": sections}).items():
            lines += [f"### {heading}", ""] if heading else []
            lines += [*(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def write(folder: Path, **pages: str | bytes) -> Path:
    """Write pages, name=content, as name.md."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pages.items():
        (folder / f"{name}.md").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_source(name: str, text: str) -> Path:
    """Write a source of the user's own; `text` lacks id, title and, unless it is there, the pattern of versions."""
    file = Path(os.environ["XDG_CONFIG_HOME"]) / "kminer" / "data" / "sources" / f"{name}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    pattern = "" if "[releases]" in text else TAG
    file.write_text(f'id = "{name}"\ntitle = "The notes {name}"\n{text}\n{pattern}', encoding="utf-8")
    return file


def titles(database: Path, where: str = "p.seen_until IS NULL", *parameters: object) -> set[str]:
    """Titles of notes by a condition on their places."""
    sql = f"SELECT DISTINCT c.title FROM changes c JOIN note_places p ON p.change_id = c.id WHERE {where}"
    return {row[0] for row in ask(database, sql, *parameters)}


def story(database: Path, source: str = "docker-notes") -> set[tuple[str, ...]]:
    """(title, version as said, section, seen from, seen until, why gone) of each place of a source."""
    rows = ask(
        database,
        """
        SELECT c.title, p.said, p.section, coalesce(p.seen_from, ''), coalesce(p.seen_until, ''), p.gone
        FROM note_places p JOIN changes c ON c.id = p.change_id WHERE p.source = ?
        """,
        source,
    )
    return set(rows)


def keys(database: Path) -> dict[str, tuple[str, int]]:
    """Key and number of each note by its title."""
    return {title: (key, number) for title, key, number in ask(database, "SELECT title, key, id FROM changes")}


def replaced(database: Path) -> set[tuple[str, str]]:
    """(new title, old title) of notes that took the place of others."""
    return set(
        ask(
            database,
            """
            SELECT n.title, o.title FROM refs r JOIN changes n ON n.id = r.change_id
            JOIN changes o ON o.key = r.target WHERE r.type = 'replaces'
            """,
        )
    )


def content(database: Path) -> dict[str, Rows]:
    """All that the store holds of notes, by key: no row ids, no times of syncing, no places on this machine."""
    return {name: sorted(ask(database, sql), key=repr) for name, sql in _CONTENT.items()}


_CONTENT = {
    "sources": "SELECT id, kind, project, title, definition, commits, newest FROM sources",
    "refs read": "SELECT * FROM source_refs",
    "changes": """
        SELECT source, type, key, date, title, text, author, author_email, author_date, committer_date, matched_by,
               first_rc, first_final, reachable, definition FROM changes
    """,
    "refs": "SELECT c.key, r.type, r.value, r.target FROM refs r JOIN changes c ON c.id = r.change_id",
    "places": """
        SELECT c.key, p.source, p.place, p.said, p.version, p.upstream, p.section, p.form, p.sign, p.date, p.line,
               p.seen_from, p.seen_until, p.gone FROM note_places p JOIN changes c ON c.id = p.change_id
    """,
    "releases": "SELECT source, tag, version, kind, series, position, date FROM releases",
    "ties": """
        SELECT n.key, c.key, t.tied_by, t.score, t.evidence
        FROM ties t JOIN changes n ON n.id = t.note_id JOIN changes c ON c.id = t.change_id
    """,
    "mentions": """
        SELECT c.key, m.feature, m.mentioned_by, m.evidence
        FROM feature_mentions m JOIN changes c ON c.id = m.change_id
    """,
    "withheld": "SELECT c.key FROM withheld w JOIN changes c ON c.id = w.change_id",
}


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the day on which syncs take place from then on."""

    def set_day(today: str) -> None:
        monkeypatch.setattr(notes_module, "utc_now", lambda: f"{today}T12:00:00Z")

    set_day("2024-01-01")
    return set_day


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pages of Docker's notes."""
    return write(
        tmp_path / "pages",
        **{
            "27": document(
                {
                    "27.0.3 (2024-07-01)": {"Bug fixes": [MEMORY, OVERLAY]},
                    "27.0.2 (2024-06-26)": {"New": [CGROUP], "Security": [USERNS]},
                }
            ),
            "26": document({"26.1.0 (2024-04-22)": {"Bug fixes": [SECCOMP]}}),
        },
    )


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _catalogue_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped files are parsed once a test run: each sync here reads them all."""
    shipped = places.shipped("data")
    monkeypatch.setattr(
        datafiles, "read_toml", lambda file: _parsed_once(file) if file.is_relative_to(shipped) else _parsed(file)
    )


_parsed = datafiles.read_toml
_parsed_once = cache(_parsed)


# --- a folder of pages


def test_a_folder_of_pages(folder: Path, database: Path) -> None:
    """Each bullet is a note with its version, day, section and place; each version is a release."""
    sync(database, "docker-notes", "--from", folder)
    found = ask(database, "SELECT title, version, date, section, place, line, seen_from, gone FROM notes ORDER BY line")
    assert set(found) == {
        ("seccomp: allow clone3 in the default profile", "26.1.0", "2024-04-22", "Bug fixes", "26.md", 7, None, ""),
        ("Fix a leak of memory in docker run --memory", "27.0.3", "2024-07-01", "Bug fixes", "27.md", 7, None, ""),
        ("overlay2: use the kernel's native diff where it is safe", "27.0.3", "2024-07-01", "Bug fixes", "27.md", 8,
         None, ""),
        ("Add support for cgroup v2 in rootless mode", "27.0.2", "2024-06-26", "New", "27.md", 14, None, ""),
        ("Do not map the host's root into user namespaces, CVE-2021-21284", "27.0.2", "2024-06-26", "Security",
         "27.md", 18, None, ""),
    }  # fmt: skip
    releases = ask(database, "SELECT tag, version, kind, series, date FROM releases ORDER BY position")
    assert releases == [
        ("26.1.0", "26.1.0", "final", "26.1", "2024-04-22T00:00:00Z"),
        ("27.0.2", "27.0.2", "final", "27", "2024-06-26T00:00:00Z"),
        ("27.0.3", "27.0.3", "final", "27", "2024-07-01T00:00:00Z"),
    ]
    assert set(ask(database, "SELECT type, value FROM refs")) == {
        ("pull-request", "moby/moby#101"), ("pull-request", "moby/moby#102"), ("pull-request", "moby/moby#103"),
        ("cve", "CVE-2021-21284"),
    }  # fmt: skip
    firsts = ask(database, "SELECT first_final, date, type, matched_by FROM changes WHERE title LIKE 'Add support%'")
    assert firsts == [("27.0.2", "2024-06-26T00:00:00Z", "note", "all")]
    check_whole(database)


def test_a_second_sync_writes_nothing(folder: Path, database: Path) -> None:
    """Where no page has changed, a sync says so, and does not even touch the day of the last one."""
    sync(database, "docker-notes", "--from", folder)
    with sqlite3.connect(database) as db:
        db.execute("UPDATE sources SET synced_at = '2000-01-01T00:00:00Z'")
    before = content(database)
    for arguments in (["--from", str(folder)], []):
        assert says_nothing_new(sync(database, "docker-notes", *arguments))
    assert content(database) == before
    assert ask(database, "SELECT synced_at FROM sources") == [("2000-01-01T00:00:00Z",)]


def test_an_edited_note(folder: Path, database: Path, day: Callable[[str], None]) -> None:
    """A note that came in the place of another names it; the old one stays, with the day and the reason."""
    sync(database, "docker-notes", "--from", folder, labels=True)
    before, labels = keys(database), ask(database, "SELECT * FROM classifications ORDER BY change_id")
    day("2024-02-02")
    page = (folder / "27.md").read_text()
    write(folder, **{"27": page.replace("in rootless mode", "in rootless mode, without systemd")})
    sync(database, "docker-notes")
    old = "Add support for cgroup v2 in rootless mode"
    new = f"{old}, without systemd"
    assert {row for row in story(database) if row[0] in (old, new)} == {
        (old, "27.0.2", "New", "", "2024-02-02", "edited"), (new, "27.0.2", "New", "2024-02-02", "", ""),
    }  # fmt: skip
    assert replaced(database) == {(new, old)}
    after = keys(database)
    assert {title: after[title] for title in before} == before, "keys and numbers stay"
    assert ask(database, "SELECT * FROM classifications ORDER BY change_id") == labels, "what stayed keeps its labels"
    sync(database, "docker-notes", labels=True)
    assert len(ask(database, "SELECT * FROM classifications")) == len(labels) + 1


def test_a_note_keeps_what_it_replaced(folder: Path, database: Path, day: Callable[[str], None]) -> None:
    """That a note replaced another is known for good: other changes to its page, and --full, do not undo it."""
    sync(database, "docker-notes", "--from", folder)
    page = (folder / "27.md").read_text().replace("a leak of memory", "a large leak of memory")
    write(folder, **{"27": page})
    sync(database, "docker-notes")
    told = replaced(database)
    assert told == {
        ("Fix a large leak of memory in docker run --memory", "Fix a leak of memory in docker run --memory")
    }
    day("2024-03-03")
    write(folder, **{"27": page.replace(USERNS, f"{USERNS}\n- {SECCOMP}")})
    sync(database, "docker-notes")
    assert replaced(database) == told
    sync(database, "docker-notes", "--full")
    assert replaced(database) == told


def test_a_dropped_a_moved_and_a_returned_note(folder: Path, database: Path, day: Callable[[str], None]) -> None:
    """A note that is told no more is `dropped`, in another section `moved`; one that returns stands again."""
    page = (folder / "27.md").read_text()
    sync(database, "docker-notes", "--from", folder)
    day("2024-02-02")
    write(folder, **{"27": page.replace(f"- {OVERLAY}\n", "").replace("### Security", "### Other")})
    sync(database, "docker-notes")
    overlay = "overlay2: use the kernel's native diff where it is safe"
    assert {row[2:] for row in story(database) if row[0] == overlay} == {("Bug fixes", "", "2024-02-02", "dropped")}
    assert {row[2:] for row in story(database) if row[0].startswith("Do not map")} == {
        ("Security", "", "2024-02-02", "moved"), ("Other", "2024-02-02", "", ""),
    }  # fmt: skip
    assert replaced(database) == set()
    day("2024-03-03")
    write(folder, **{"27": page})
    sync(database, "docker-notes")
    assert {row[2:] for row in story(database) if row[0] == overlay} == {("Bug fixes", "2024-03-03", "", "")}
    assert titles(database) == {row[0] for row in story(database)}


def test_a_note_under_another_version(folder: Path, database: Path) -> None:
    """The same words about another version are another note."""
    sync(database, "docker-notes", "--from", folder)
    page = (folder / "27.md").read_text().replace("27.0.2", "27.0.1")
    write(folder, **{"27": page})
    sync(database, "docker-notes")
    rows = ask(database, "SELECT version, gone FROM notes WHERE title LIKE 'Add support%' ORDER BY version")
    assert rows == [("27.0.1", ""), ("27.0.2", "dropped")]


def test_what_is_not_yet_released(folder: Path, database: Path) -> None:
    """A note under no version belongs to no release; when it gets one, it leaves no trace of the time before."""
    write(folder, **{"28": document({"Unreleased": ["Coming soon"], "27.9.0": ["An old one"]})})
    sync(database, "docker-notes", "--from", folder)
    assert ask(database, "SELECT said FROM notes WHERE title = 'Coming soon'") == [("unreleased",)]
    assert ask(database, "SELECT first_final FROM changes WHERE title = 'Coming soon'") == [(None,)]
    write(folder, **{"28": document({"28.0.0": ["Coming soon"], "27.9.0": ["An old one"]})})
    sync(database, "docker-notes")
    assert ask(database, "SELECT said, gone FROM notes WHERE title = 'Coming soon'") == [("28.0.0", "")]
    assert "unreleased" not in {row[0] for row in ask(database, "SELECT tag FROM releases")}


def test_a_page_that_is_gone_and_a_new_one(folder: Path, database: Path, day: Callable[[str], None]) -> None:
    """Notes of a page that was removed end with it; those of a new page begin on the day they were first read."""
    sync(database, "docker-notes", "--from", folder)
    (folder / "26.md").unlink()
    write(folder, **{"28": document({"28.0.0 (2025-02-20)": ["Something new"]})})
    day("2024-02-02")
    sync(database, "docker-notes")
    assert {row for row in story(database) if row[1] in ("26.1.0", "28.0.0")} == {
        ("seccomp: allow clone3 in the default profile", "26.1.0", "Bug fixes", "", "2024-02-02", "page removed"),
        ("Something new", "28.0.0", "", "2024-02-02", "", ""),
    }  # fmt: skip
    assert says_nothing_new(sync(database, "docker-notes"))


def test_a_page_under_another_name(folder: Path, database: Path, day: Callable[[str], None]) -> None:
    """A page that was renamed still tells its notes: they have moved."""
    sync(database, "docker-notes", "--from", folder)
    before = keys(database)
    day("2024-02-02")
    (folder / "26.md").rename(folder / "26.1.md")
    sync(database, "docker-notes")
    assert {row[3:] for row in story(database) if row[1] == "26.1.0"} == {
        ("", "2024-02-02", "moved"), ("2024-02-02", "", ""),
    }  # fmt: skip
    assert keys(database) == before


def test_full_removes_what_another_way_of_reading_had_found(folder: Path, database: Path) -> None:
    """--full takes pages as they are now: what they do not tell leaves no trace, what stays keeps its number."""
    sync(database, "docker-notes", "--from", folder)
    before = keys(database)
    write(folder, **{"27": (folder / "27.md").read_text().replace(f"- {OVERLAY}\n", "")})
    sync(database, "docker-notes", "--full")
    after = keys(database)
    assert before.keys() - after.keys() == {"overlay2: use the kernel's native diff where it is safe"}
    assert {title: before[title] for title in after} == after
    assert all(not gone for *_, gone in story(database))


def test_names_that_are_no_utf8(folder: Path, database: Path) -> None:
    """A page whose file name is in another encoding is read like any other."""
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text(document({"25.0.0": ["A note of old"]}))
    sync(database, "docker-notes", "--from", folder)
    assert "A note of old" in titles(database)
    assert says_nothing_new(sync(database, "docker-notes"))


# --- pages that are broken


def broken_gzip() -> bytes:
    whole = gzip.compress(random.Random(1).randbytes(4000))
    return whole[: len(whole) // 2]


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "a web page": ("27.md", b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
    "latin-1": ("27.md", "## 27.0.3\n\n- Größe\n".encode("latin-1"), "not UTF-8"),
    "binary": ("27.md", b"## 27.0.3\n\0\1\2", "binary"),
    "no versions": ("27.md", b"Nothing to see here.\n", "names no version"),
    "half a gzip": ("27.md.gz", broken_gzip(), "cannot be read"),
    "no gzip": ("27.md.gz", b"## 27.0.3\n\n- plain\n", "cannot be read"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_page_among_good_ones(folder: Path, database: Path, tmp_path: Path, how: str) -> None:
    """It is named with source, page, reason and what to do; the rest is stored, and what was stored of it stays."""
    name, damage, reason = BROKEN[how]
    if name.endswith(".gz"):
        good = (folder / "27.md").read_bytes()
        (folder / "27.md").unlink()
        (folder / name).write_bytes(gzip.compress(good))
    source = write_source("own", 'kind = "markdown"\nproject = "docker"\nrepository = "moby/moby"')
    others = write(tmp_path / "others", moby=document({"1.0": ["A note of another source"]}))
    arguments = ("own", "docker-notes", "--from", f"own={folder}", "--from", f"docker-notes={others}")
    sync(database, *arguments)
    before = titles(database)
    (folder / name).write_bytes(damage)
    write(folder, **{"26": document({"26.1.0": {"Bug fixes": [SECCOMP, "A new good note"]}})})
    write(others, moby=document({"1.0": ["A note of another source", "One more"]}))
    for _ in range(2):
        done = sync(database, *arguments, code=1)
        for part in ("error: ", "own", "27.md", reason, "where:", "next:"):
            assert part in done.stderr, (part, done.stderr)
        assert titles(database) == before | {"A new good note", "One more"}
        assert {row[5] for row in story(database, "own")} == {""}
    fresh = database.with_name("fresh.db")
    sync(fresh, *arguments, code=1)
    assert titles(fresh) == {"seccomp: allow clone3 in the default profile", "A new good note", "One more",
                             "A note of another source"}  # fmt: skip
    assert source.exists()
    check_whole(database)


def test_a_broken_page_is_taken_up_again_when_it_is_mended(folder: Path, database: Path) -> None:
    """After the page is whole again nothing reminds of it."""
    page = (folder / "27.md").read_text()
    write(folder, **{"27": "<html>"})
    sync(database, "docker-notes", "--from", folder, code=1)
    write(folder, **{"27": page})
    sync(database, "docker-notes")
    fresh = database.with_name("fresh.db")
    sync(fresh, "docker-notes", "--from", folder)
    assert titles(database) == titles(fresh)
    assert says_nothing_new(sync(database, "docker-notes"))


def test_only_broken_pages(folder: Path, database: Path) -> None:
    """A source of which nothing can be read is not taken for synced, and its stored notes stay."""
    for page in folder.iterdir():
        page.rename(folder.parent / page.name)
        page.write_bytes(b"<html>")
    sync(database, "docker-notes", "--from", folder, code=1)
    assert ask(database, "SELECT count(*) FROM sources") == [(0,)]
    for page in folder.iterdir():
        (folder.parent / page.name).rename(page)
    sync(database, "docker-notes", "--from", folder)
    before = content(database)
    for page in folder.iterdir():
        page.write_bytes(b"<html>")
    for options in ([], ["--full"]):
        sync(database, "docker-notes", *options, code=1)
        assert [content(database)[name] for name in ("changes", "places", "refs")] == [
            before[name] for name in ("changes", "places", "refs")
        ]


@pytest.mark.parametrize("alone", [False, True])
def test_a_page_that_was_cut_short(database: Path, tmp_path: Path, alone: bool) -> None:
    """A page that lost more than half of its notes is refused until --full says that this is right."""
    notes = [f"Note {n} of {n} thousand" for n in range(20)]
    folder = write(tmp_path / "pages", **{"27": document({"27.0.3": notes})})
    if not alone:
        write(folder, **{"26": document({"26.0.0": ["A note of another page"]})})
    place = folder / "27.md" if alone else folder
    sync(database, "docker-notes", "--from", place)
    before = content(database)
    write(folder, **{"27": document({"27.0.3": notes[:9]})})
    for _ in range(2):
        done = sync(database, "docker-notes", code=1)
        assert "27.md" in done.stderr and "9 notes where it had 20" in done.stderr and "--full" in done.stderr
        assert [content(database)[name] for name in ("changes", "places")] == [before["changes"], before["places"]]
    sync(database, "docker-notes", "--full")
    assert titles(database, "place = '27.md'") == set(notes[:9])
    write(folder, **{"27": document({"27.0.3": notes[:2]})})
    sync(database, "docker-notes")
    assert titles(database, "place = '27.md' AND seen_until IS NULL") == set(notes[:2]), "few notes may all go"


# --- pages in a git history

OLD, NEW, NEWEST = "engine/release-notes", "content/engine/release-notes", "content/manuals/engine/release-notes"
JULY = 1_719_835_200
"""Noon of 2024-07-01, UTC."""


def on(day: int) -> int:
    """The time of a commit: noon of that day of July 2024."""
    return JULY + (day - 1) * 86_400


def move(repo: GitRepo, old: str, new: str, pages: Mapping[str, str], when: int) -> None:
    repo.commit({f"{old}/{name}": None for name in pages} | {f"{new}/{name}": text for name, text in pages.items()},
                "Move the notes\n", when=when)  # fmt: skip


@pytest.fixture
def manual(repo: GitRepo) -> GitRepo:
    """Docker's manual: its notes change on nearly every day of July 2024, and their folder moves."""
    first = document({"27.0.2 (2024-06-26)": {"New": [CGROUP], "Bug fixes": [MEMORY, OVERLAY]}})
    old = document({"26.1.0 (2024-04-22)": {"Bug fixes": [SECCOMP]}})
    repo.commit({"README.md": "# The manual\n"}, "Begin\n", when=on(1))
    repo.commit({f"{OLD}/27.md": first, f"{OLD}/26.md": old}, "Add notes\n", when=on(2))
    repo.commit({f"{OLD}/27.md": (first := first.replace("a leak", "a large leak"))}, "Edit\n", when=on(3))
    move(repo, OLD, NEW, {"27.md": first, "26.md": old}, on(4))
    repo.commit({f"{NEW}/27.md": "<html>\n"}, "Spoil it\n", when=on(5))
    repo.commit({f"{NEW}/27.md": (first := first.replace(f"- {OVERLAY}\n", ""))}, "Drop one\n", when=on(6))
    repo.commit({f"{NEW}/27.md": (first := first.replace("### New", "### Rootless"))}, "Move one\n", when=on(7))
    repo.commit({f"{NEW}/26.md": None}, "Remove a page\n", when=on(8))
    head = repo.head() or ""
    side = repo.commit({f"{NEW}/27.md": first + f"- {USERNS}\n"}, "On a branch\n", [head], "side", when=on(9))
    repo.commit({"README.md": "# The manual of Docker\n"}, "Elsewhere\n", when=on(10))
    heads = [repo.head() or "", side]
    repo.commit({f"{NEW}/27.md": first + f"- {USERNS}\n"}, "Merge side\n", heads, when=on(11))
    return repo


STORY = {
    ("Add support for cgroup v2 in rootless mode", "27.0.2", "New", "2024-07-02", "2024-07-07", "moved"),
    ("Add support for cgroup v2 in rootless mode", "27.0.2", "Rootless", "2024-07-07", "", ""),
    ("Fix a leak of memory in docker run --memory", "27.0.2", "Bug fixes", "2024-07-02", "2024-07-03", "edited"),
    ("Fix a large leak of memory in docker run --memory", "27.0.2", "Bug fixes", "2024-07-03", "", ""),
    ("overlay2: use the kernel's native diff where it is safe", "27.0.2", "Bug fixes", "2024-07-02", "2024-07-06",
     "dropped"),
    ("seccomp: allow clone3 in the default profile", "26.1.0", "Bug fixes", "2024-07-02", "2024-07-08", "page removed"),
    ("Do not map the host's root into user namespaces, CVE-2021-21284", "27.0.2", "Bug fixes", "2024-07-11", "", ""),
}  # fmt: skip


def test_a_history_of_pages(manual: GitRepo, database: Path) -> None:
    """Notes come and go on the days of the main line's commits, whatever folder their page is in."""
    sync(database, "docker-notes", "--from", manual.path)
    assert story(database) == STORY
    assert replaced(database) == {
        ("Fix a large leak of memory in docker run --memory", "Fix a leak of memory in docker run --memory")
    }
    assert {row[0] for row in ask(database, "SELECT DISTINCT place FROM note_places")} == {"26.md", "27.md"}
    check_whole(database)
    before = content(database)
    assert says_nothing_new(sync(database, "docker-notes"))
    sync(database, "docker-notes", "--full")
    assert content(database) == before


def test_new_commits_equal_a_fresh_sync(manual: GitRepo, database: Path) -> None:
    """After new commits the store holds what one sync of all of them gives, and what stays keeps its number."""
    sync(database, "docker-notes", "--from", manual.path)
    page = manual.git("show", f"main:{NEW}/27.md")
    newer = document({"28.0.0 (2025-02-20)": ["New one"]})
    steps: list[Changes] = [
        {f"{NEW}/27.md": (page := page.replace("rootless mode", "rootless mode, without systemd"))},
        {"README.md": "# Once more\n"},
        {f"{NEW}/27.md": None, f"{NEWEST}/27.md": page, f"{NEWEST}/28.md": newer},
        {f"{NEWEST}/27.md": page + f"- {OVERLAY}\n"},
        {f"{NEWEST}/27.md": "no version at all\n"},
        {f"{NEWEST}/27.md": None, f"{NEWEST}/28.md": None},
    ]
    for number, changes in enumerate(steps):
        manual.commit(changes, f"Step {number}\n", when=on(12 + number))
        before = keys(database)
        sync(database, "docker-notes", code=int("no version" in str(changes)))
        fresh = database.with_name(f"fresh{number}.db")
        sync(fresh, "docker-notes", "--from", manual.path, code=int("no version" in str(changes)))
        assert content(database) == content(fresh), number
        after = keys(database)
        assert {title: after[title] for title in before} == before
    assert {row[5] for row in story(database) if row[1] == "28.0.0"} == {"page removed"}
    assert titles(database) == set()


def test_a_page_whose_newest_revision_is_broken(manual: GitRepo, database: Path) -> None:
    """It is told at each sync, until it is mended; what its last good revision said stays."""
    page = manual.git("show", f"main:{NEW}/27.md")
    manual.commit({f"{NEW}/27.md": "<html>\n"}, "Spoil it again\n", when=on(12))
    for _ in range(2):
        done = sync(database, "docker-notes", "--from", manual.path, code=1)
        for part in ("error: ", "docker-notes", "27.md", "HTML", "next:"):
            assert part in done.stderr, done.stderr
        assert story(database) == STORY
    manual.commit({f"{NEW}/27.md": page}, "Mend it\n", when=on(13))
    sync(database, "docker-notes")
    assert story(database) == STORY
    assert says_nothing_new(sync(database, "docker-notes"))


def test_a_repository_without_these_pages(repo: GitRepo, database: Path) -> None:
    """It is refused with its path and the names of the pages."""
    repo.commit({"README.md": "# Something else\n"})
    done = sync(database, "docker-notes", "--from", repo.path, code=1)
    for part in ("There are no pages of 'docker-notes'", repo.path, "release-notes/*.md", "next:"):
        assert str(part) in done.stderr
    assert ask(database, "SELECT count(*) FROM sources") == [(0,)]


def test_a_repository_without_commits(repo: GitRepo, database: Path) -> None:
    """An empty repository is refused."""
    done = sync(database, "docker-notes", "--from", repo.path, code=1)
    assert "empty" in done.stderr and str(repo.path) in done.stderr


def test_a_history_that_was_cut_short(repo: GitRepo, database: Path, tmp_path: Path) -> None:
    """Another repository that tells few of the notes that are known is refused, until --full says that it is right."""
    notes = [f"Note {n} of {n} thousand" for n in range(20)]
    repo.commit({"CHANGELOG.md": document({"1.0.0": notes})}, when=on(1))
    repo.commit({"CHANGELOG.md": document({"1.0.0": notes[:1]})}, when=on(2))
    sync(database, "docker-notes-moby", "--from", repo.path)
    assert len(titles(database)) == 1 and len(titles(database, "1")) == 20, "a history may lose what it likes"
    repo.commit({"CHANGELOG.md": document({"1.0.0": notes})}, when=on(3))
    sync(database, "docker-notes-moby")
    other = GitRepo(tmp_path / "other.git")
    other.commit({"CHANGELOG.md": document({"1.0.0": notes[:9]})}, when=on(1))
    before = content(database)
    done = sync(database, "docker-notes-moby", "--from", other.path, code=1)
    assert "9 notes where it had 20" in done.stderr and "--full" in done.stderr and str(other.path) in done.stderr
    assert content(database) == before
    sync(database, "docker-notes-moby", "--from", other.path, "--full")
    assert titles(database, "1") == set(notes[:9])


def test_a_folder_where_a_page_should_be(repo: GitRepo, database: Path) -> None:
    """A folder, a submodule or a link in the place of a page is no page, whenever that was."""
    page = document({"1.0.0 (2014-06-09)": [SECCOMP]})
    first = repo.commit({"CHANGELOG.md/part.md": page}, when=on(1))
    repo.commit({"CHANGELOG.md": page}, when=on(2))
    repo.commit({"CHANGELOG.md": Entry(first, 0o160000)}, when=on(3))
    repo.commit({"CHANGELOG.md": page}, when=on(4))
    sync(database, "docker-notes-moby", "--from", repo.path)
    rows = story(database, "docker-notes-moby")
    assert {row[3:] for row in rows} == {("2024-07-02", "", "")}


def test_file_names_in_a_history_that_are_no_utf8(repo: GitRepo, database: Path) -> None:
    """A page whose name is in another encoding is read like any other."""
    repo.commit({f"{OLD}/{os.fsdecode(b'caf' + bytes([0xE9]))}.md": document({"1.0.0": [SECCOMP]})})
    sync(database, "docker-notes", "--from", repo.path)
    assert titles(database) == {"seccomp: allow clone3 in the default profile"}


@pytest.fixture
def branches(repo: GitRepo) -> GitRepo:
    """docker-ce: a branch a release line, each with the whole CHANGELOG of before, and a master that is not read."""
    base = document({"17.06.0-ce (2017-06-28)": {"Runtime": [MEMORY]}}, "Changelog")
    root = repo.commit({"CHANGELOG.md": base}, "Begin\n", branch="17.06", when=on(1))
    later = base.replace("## 17.06.0", f"## 17.06.1-ce (2017-08-15)\n\n- {SECCOMP}\n\n## 17.06.0")
    repo.commit({"CHANGELOG.md": later}, "A fix\n", branch="17.06", when=on(3))
    top = base.replace("## 17.06.0", f"## 17.07.0-ce (2017-08-29)\n\n- {OVERLAY}\n\n## 17.06.0")
    repo.commit({"CHANGELOG.md": top}, "A feature\n", [root], "17.07", when=on(2))
    repo.commit({"CHANGELOG.md": top.replace(MEMORY, USERNS)}, "Drop\n", [root], "master", when=on(4))
    return repo


def test_branches(branches: GitRepo, database: Path) -> None:
    """The branches that the source names are read, each with its own days; a note of several is one note."""
    sync(database, "docker-notes-ce", "--from", branches.path)
    rows = ask(database, "SELECT substr(title, 1, 7), place, said, version, seen_from, gone FROM notes")
    assert set(rows) == {
        ("Fix a l", "17.06:CHANGELOG.md", "17.06.0-ce", "17.06.0", "2024-07-01", ""),
        ("Fix a l", "17.07:CHANGELOG.md", "17.06.0-ce", "17.06.0", "2024-07-01", ""),
        ("seccomp", "17.06:CHANGELOG.md", "17.06.1-ce", "17.06.1", "2024-07-03", ""),
        ("overlay", "17.07:CHANGELOG.md", "17.07.0-ce", "17.07.0", "2024-07-02", ""),
    }
    assert ask(database, "SELECT count(*) FROM changes") == [(3,)]
    before = ask(database, "SELECT id, key FROM changes ORDER BY id")
    page = branches.git("show", "17.07:CHANGELOG.md")
    branches.commit({"CHANGELOG.md": page.replace("native diff", "own diff")}, "Edit\n", branch="18.09", when=on(5),
                    parents=[branches.head("17.07") or ""])  # fmt: skip
    sync(database, "docker-notes-ce")
    fresh = database.with_name("fresh.db")
    sync(fresh, "docker-notes-ce", "--from", branches.path)
    assert content(database) == content(fresh)
    assert ask(database, "SELECT id, key FROM changes ORDER BY id")[:3] == before
    branches.ref("refs/heads/18.09", None)
    sync(database, "docker-notes-ce")
    assert ask(database, "SELECT id, key FROM changes ORDER BY id") == before


def test_no_such_branches(repo: GitRepo, database: Path) -> None:
    """A repository without the branches is refused with their names."""
    repo.commit({"CHANGELOG.md": document({"17.06.0-ce": [MEMORY]})})
    done = sync(database, "docker-notes-ce", "--from", repo.path, code=1)
    assert "none of the branches" in done.stderr and "[0-9][0-9].[0-9][0-9]" in done.stderr


def test_a_clone_of_ones_own_without_file_contents(manual: GitRepo, database: Path, home: Path) -> None:
    """kminer's own clone holds no contents but those of the pages' revisions, and is fetched into at each sync."""
    manual.git("config", "uploadpack.allowFilter", "true")
    manual.git("config", "uploadpack.allowAnySHA1InWant", "true")
    manual.commit({"large.bin": "a large file\n" * 1000}, "Something large\n", when=on(11))
    files = ", ".join(f'"{folder}/*.md"' for folder in (NEWEST, NEW, OLD))
    write_source(
        "own", f'kind = "markdown"\nproject = "docker"\nrepository = "moby/moby"\nfiles = [{files}]\n'
        f'clone = ["file://{manual.path}"]',
    )  # fmt: skip
    done = sync(database, "own")
    assert "Cloning file://" in done.stderr and "Fetching 7 revisions of pages" in done.stderr
    assert story(database, "own") == STORY
    clone = home / "xdg_cache_home" / "kminer" / "clones" / "own.git"
    large = manual.git("rev-parse", "main:large.bin").strip()
    there = git("--git-dir", str(clone), "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    assert large not in there and there.count("blob") == 7
    assert says_nothing_new(sync(database, "own"))
    page = manual.git("show", f"main:{NEW}/27.md")
    manual.commit({f"{NEW}/27.md": page.replace("large leak", "huge leak")}, "Edit\n", when=on(12))
    sync(database, "own")
    assert "Fix a huge leak of memory in docker run --memory" in titles(database)
    fresh = database.with_name("fresh.db")
    sync(fresh, "own", "--from", manual.path)
    assert content(database) == content(fresh)


def test_a_clone_of_ones_own_behind_a_link(
    manual: GitRepo, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that is a link elsewhere is kminer's own all the same: new commits are fetched."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link"))
    write_source(
        "own", f'kind = "markdown"\nproject = "docker"\nfiles = ["{NEW}/*.md"]\nclone = ["file://{manual.path}"]'
    )
    sync(database, "own")
    manual.commit({f"{NEW}/28.md": document({"28.0.0": ["New one"]})}, "New\n", when=on(12))
    sync(database, "own")
    assert "New one" in titles(database)


# --- one note, several sources


def tell_by_three(tmp_path: Path) -> dict[str, Path]:
    """The same notes of 17.06.0, told by Docker's manual, moby's CHANGELOG and docker-ce's, each in its own way."""
    docs = write(
        tmp_path / "docs", **{"17.06": document({"17.06.0-ce (2017-06-28)": {"Runtime": [MEMORY, CGROUP, USERNS]}})}
    )
    moby, ce = GitRepo(tmp_path / "moby.git"), GitRepo(tmp_path / "ce.git")
    plain = [
        MEMORY.replace("`", "").replace("[moby/moby#101]", "[#101]").replace("/moby/moby/", "/docker/docker/"),
        CGROUP.replace("[moby/moby#102](https://github.com/moby/moby/pull/102)", "#102"),
    ]
    notes = document({"17.06.0-ce (2017-06-28)": {"Runtime": [*plain, OVERLAY]}})
    moby.commit({"CHANGELOG.md": document({"17.06.0 (2017-06-27)": {"Core": [plain[0], OVERLAY]}})}, when=on(1))
    ce.commit({"CHANGELOG.md": notes}, branch="17.06", when=on(2))
    return {"docker-notes": docs, "docker-notes-moby": moby.path, "docker-notes-ce": ce.path}


@pytest.mark.parametrize("order", list(permutations(("docker-notes", "docker-notes-moby", "docker-notes-ce"))))
def test_one_note_in_three_sources(tmp_path: Path, database: Path, order: Sequence[str]) -> None:
    """It is one change with three places, which is the first source's; the order of syncing does not matter."""
    where = tell_by_three(tmp_path)
    for name in order:
        sync(database, name, "--from", where[name])
    rows = ask(
        database,
        """
        SELECT c.source, c.text, c.date, c.first_final, group_concat(p.source || ' ' || p.said)
        FROM changes c JOIN note_places p ON p.change_id = c.id WHERE c.title LIKE 'Fix a leak%' GROUP BY c.id
        """,
    )
    assert rows == [
        ("docker-notes", MEMORY, "2017-06-28T00:00:00Z", "17.06.0-ce",
         "docker-notes 17.06.0-ce,docker-notes-ce 17.06.0-ce,docker-notes-moby 17.06.0")
    ]  # fmt: skip
    assert dict(ask(database, "SELECT source, count(*) FROM changes GROUP BY source")) == {
        "docker-notes": 3, "docker-notes-ce": 1,
    }  # fmt: skip
    usual = database.with_name("usual.db")
    sync(usual, *where, *(word for name, path in where.items() for word in ("--from", f"{name}={path}")))
    assert content(database) == content(usual)
    for name in order:
        sync(database, name, "--full")
    assert content(database) == content(usual)
    check_whole(database)


def test_a_source_that_drops_a_note_that_others_tell(tmp_path: Path, database: Path) -> None:
    """The note stands on in the others, and is known to have stood in the first."""
    where = tell_by_three(tmp_path)
    sync(database, *where, *(word for name, path in where.items() for word in ("--from", f"{name}={path}")))
    write(where["docker-notes"], **{"17.06": document({"17.06.0-ce (2017-06-28)": {"Runtime": [CGROUP, USERNS]}})})
    sync(database, "docker-notes")
    rows = ask(database, "SELECT source, gone FROM notes WHERE title LIKE 'Fix a leak%' ORDER BY source")
    assert rows == [("docker-notes", "dropped"), ("docker-notes-ce", ""), ("docker-notes-moby", "")]


def test_a_source_that_lets_go_of_a_note(tmp_path: Path, database: Path) -> None:
    """Read anew without it, the first source hands the note to the next, which then tells it in its own words."""
    where = tell_by_three(tmp_path)
    sync(database, *where, *(word for name, path in where.items() for word in ("--from", f"{name}={path}")))
    before = keys(database)
    write(where["docker-notes"], **{"17.06": document({"17.06.0-ce (2017-06-28)": {"Runtime": [CGROUP, USERNS]}})})
    sync(database, "docker-notes", "--full")
    found = ask(database, "SELECT source, first_final FROM changes WHERE title LIKE 'Fix a leak%'")
    assert found == [("docker-notes-ce", "17.06.0-ce")], "it has been handed over"
    sync(database, "docker-notes-ce", "docker-notes-moby")
    fresh = database.with_name("fresh.db")
    sync(fresh, *where, *(word for name, path in where.items() for word in ("--from", f"{name}={path}")))
    assert content(database) == content(fresh)
    assert keys(database) == before
    assert says_nothing_new(sync(database, *where))


@pytest.mark.parametrize("order", [("open", "secret"), ("secret", "open")])
@pytest.mark.parametrize("first", ["open", "secret"])
def test_one_note_with_and_without_its_sentence(
    tmp_path: Path, database: Path, order: Sequence[str], first: str
) -> None:
    """The first of the sources by name says whether its sentence is kept, whatever the order of syncing."""
    names = {kind: ("a-" if kind == first else "b-") + kind for kind in order}
    folder = write(tmp_path / "pages", page=document({"1.0": {"Memory": [MEMORY, "memcg: one more sentence"]}}))
    for kind, name in names.items():
        prose = str(kind == "open").lower()
        write_source(name, f'kind = "markdown"\nproject = "docker"\nrepository = "moby/moby"\nprose = {prose}')
    for kind in order:
        sync(database, names[kind], "--from", folder)
    shown = {"secret": ("Memory", "Memory"), "open": ("Fix a leak of memory in docker run --memory",) * 2}
    rows = ask(database, "SELECT title FROM changes ORDER BY title")
    assert rows[0][0] == shown[first][0] and len(rows) == 2
    assert ask(database, "SELECT count(*) FROM withheld") == [(2 * (first == "secret"),)]
    sync(database, names[order[0]], "--full")
    assert ask(database, "SELECT title FROM changes ORDER BY title") == rows
    assert ask(database, "SELECT count(*) FROM withheld") == [(2 * (first == "secret"),)]
    labelled = "SELECT count(*) FROM classifications k JOIN withheld w ON w.change_id = k.change_id"
    assert ask(database, labelled) == [(2 * (first == "secret"),)]


# --- what a source's file says


SENTENCES = (
    "Memory control groups learned to reclaim on demand, which administrators had long asked for",
    "Overlayfs can now be mounted inside of user namespaces by anybody at all",
)
NEWBIES = f"""#language en
Linux 6.12 was [[https://lkml.org/x|released]] on 17 November 2024.

= Prominent features =
== Memory ==
 * {SENTENCES[0]} [[https://git.kernel.org/linus/94968384dde15d48263bfc59d280cb71b1259d8c|commit]]
= File systems =
 * OVERLAY
  * {SENTENCES[1]} [[https://git.kernel.org/linus/459c7c565ac36ba09ffbf24231147f408fde4203|commit]]
"""


def test_pages_whose_sentences_may_not_be_kept(database: Path, tmp_path: Path) -> None:
    """Of such a page the database holds headings, references and labels, and not a word of its sentences."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "Linux_6.12").write_text(NEWBIES)
    sync(database, "linux-kernelnewbies", "--from", folder, labels=True)
    written = b"".join(file.read_bytes() for file in database.parent.glob(f"{database.name}*") if file.is_file())
    for sentence in SENTENCES:
        words = sentence.encode().split()
        for start in range(len(words) - 3):
            assert b" ".join(words[start : start + 4]) not in written
    notes = ask(database, "SELECT id, title, text, section FROM notes ORDER BY line")
    assert [row[1:] for row in notes] == [
        ("Memory", "94968384dde15d48263bfc59d280cb71b1259d8c", "Prominent features > Memory"),
        ("File systems", "459c7c565ac36ba09ffbf24231147f408fde4203", "File systems"),
    ]
    labels = ask(database, "SELECT label FROM labels WHERE change_id = ? AND axis = 'mechanism'", notes[0][0])
    assert ("cg.memory",) in labels
    before = ask(database, "SELECT * FROM labels ORDER BY 1, 2, 3"), ask(database, "SELECT * FROM classifications")
    call("--db", database, "classify", "--full")
    after = ask(database, "SELECT * FROM labels ORDER BY 1, 2, 3"), ask(database, "SELECT * FROM classifications")
    assert before == after, "they cannot be labelled without their sentences, so what they were given stays"


def test_a_page_without_prose_is_labelled_whatever_is_asked(database: Path, tmp_path: Path) -> None:
    """--no-labels leaves labelling for later, which for these notes cannot be: they are labelled at once."""
    (tmp_path / "Linux_6.12").write_text(NEWBIES)
    sync(database, "linux-kernelnewbies", "--from", tmp_path / "Linux_6.12")
    assert ask(database, "SELECT count(*) FROM classifications") == [(2,)]


CHANGELOG = """commit {id}
Author: Greg Kroah-Hartman <gregkh@linuxfoundation.org>
Date:   {date}

    {title}
{body}
"""


def changelog(version: str, *entries: str, date: str = "Fri Nov 22 15:38:37 2024 +0100") -> str:
    """A ChangeLog as kernel.org keeps it."""
    found = [CHANGELOG.format(id="f" * 40, date=date, title=f"Linux {version}", body="")]
    for number, title in enumerate(entries):
        body = f"    \n    commit {crc32(title.encode()):040x} upstream.\n"
        found.append(CHANGELOG.format(id=f"{number + 1000:040x}", date=date, title=title, body=body))
    return "\n".join(found)


def test_words(database: Path, tmp_path: Path) -> None:
    """Of a source with words only notes that hold one of them are kept; the release is there all the same."""
    (tmp_path / "pages").mkdir()
    text = changelog("6.12.1", "memcg: fix a leak of charges", "drm: fix a colour", "ovl: fix a whiteout")
    (tmp_path / "pages" / "ChangeLog-6.12.1").write_text(text)
    (tmp_path / "pages" / "ChangeLog-6.12.2").write_text(changelog("6.12.2", "drm: fix another colour"))
    sync(database, "linux-changelogs", "--from", tmp_path / "pages")
    assert titles(database) == {"memcg: fix a leak of charges", "ovl: fix a whiteout"}
    assert ask(database, "SELECT DISTINCT matched_by FROM changes") == [("words",)]
    assert ask(database, "SELECT tag, date FROM releases ORDER BY position") == [
        ("6.12.1", "2024-11-22T00:00:00Z"), ("6.12.2", "2024-11-22T00:00:00Z"),
    ]  # fmt: skip
    refs = ask(database, "SELECT DISTINCT type FROM refs ORDER BY 1")
    assert refs == [("backport-of",), ("commit",)]


def mail(subject: str, bullets: Sequence[str], number: int = 1, day: int = 1) -> bytes:
    """A pull request as a maintainer sends it."""
    body = "\n".join(f"- {bullet}" for bullet in bullets)
    return (
        f"From: Tejun Heo <tj@kernel.org>\nTo: Linus Torvalds <torvalds@linux-foundation.org>\n"
        f"Subject: {subject}\nDate: Mon, {day:2} Aug 2022 08:00:00 +0000\nMessage-ID: <pull{number}@kernel.org>\n\n"
        "Hello,\n\nThe following changes since commit 1111111111111111111111111111111111111111:\n\n  Linux 5.19\n\n"
        "are available in the Git repository at:\n\n  git://git.kernel.org/x tags/cgroup\n\n"
        f"for you to fetch changes up to {number:040x}:\n\n  x\n\n"
        f"----------------------------------------------------------------\n{body}\n\n"
        "----------------------------------------------------------------\n"
    ).encode()


def test_aliases(database: Path, tmp_path: Path) -> None:
    """What was announced for 5.20 came with 6.0: it belongs there, and what was said is kept and shown."""
    (tmp_path / "pull.eml").write_bytes(mail("[GIT PULL] cgroup changes for v5.20-rc1", ["Reclaim on demand"]))
    sync(database, "cgroup-pulls", "--from", tmp_path / "pull.eml")
    rows = ask(database, "SELECT title, said, version FROM notes")
    assert rows == [("Reclaim on demand", "5.20-rc1", "6.0-rc1")]
    assert ask(database, "SELECT tag, version, kind, series FROM releases") == [("5.20-rc1", "6.0-rc1", "rc", "6.0")]
    key = ask(database, "SELECT key FROM changes")[0][0]
    assert "6.0-rc1 (as 5.20-rc1)" in call("--db", database, "show", key[:12]).stdout
    (tmp_path / "pull.eml").write_bytes(mail("[GIT PULL] cgroup changes for v6.0-rc1", ["Reclaim on demand"]))
    sync(database, "cgroup-pulls", "--full")
    assert ask(database, "SELECT key FROM changes") == [(key,)], "the same note, however its version is called"


def tag(repo: GitRepo, name: str, message: str, when: int) -> None:
    """An annotated tag with this message on the head."""
    text = f"object {repo.head()}\ntype commit\ntag {name}\ntagger T <t@example.org> {when} +0000\n\n{message}\n"
    repo.ref(f"refs/tags/{name}", repo.raw("tag", text.encode()))


def test_annotated_tags(repo: GitRepo, database: Path, day: Callable[[str], None]) -> None:
    """The message of a tag that is a version holds its notes; its day is the tagger's."""
    repo.commit({"a": "1"})
    said = " * cgroup2: fix a hang of freeze\n * seccomp: new profile"
    tag(repo, "v1.0.0", f"runc 1.0.0 -- a wizard is never late\n\n{said}", on(1))
    tag(repo, "v1.1.0-rc.1", "## v1.1.0-rc.1\n\n### Added\n\n- rootless cgroups (#7)\n", on(2))
    tag(repo, "nonsense", "Not a version\n\n * no note\n", on(3))
    repo.tag("v0.9.0")
    sync(database, "runc-tags", "--from", repo.path)
    rows = ask(database, "SELECT title, version, said, date, section FROM notes")
    assert set(rows) == {
        ("cgroup2: fix a hang of freeze", "1.0.0", "v1.0.0", "2024-07-01", ""),
        ("seccomp: new profile", "1.0.0", "v1.0.0", "2024-07-01", ""),
        ("rootless cgroups", "1.1.0-rc.1", "v1.1.0-rc.1", "2024-07-02", "Added"),
    }
    before = keys(database)
    day("2024-08-08")
    tag(repo, "v1.1.0", "## v1.1.0\n\n- The first of its line\n", on(4))
    tag(repo, "v1.0.0", "runc 1.0.0\n\n * cgroup2: fix a hang of freeze\n", on(1))
    repo.ref("refs/tags/v1.1.0-rc.1", None)
    sync(database, "runc-tags")
    assert {row[0]: row[5] for row in story(database, "runc-tags")} == {
        "cgroup2: fix a hang of freeze": "", "seccomp: new profile": "dropped", "rootless cgroups": "page removed",
        "The first of its line": "",
    }  # fmt: skip
    after = keys(database)
    assert {title: after[title] for title in before} == before
    assert says_nothing_new(sync(database, "runc-tags"))


def test_an_archive_of_mails(repo: GitRepo, database: Path) -> None:
    """Pull requests among the mails of a public-inbox archive; a second sync reads only what is new."""
    repo.commit({"m": mail("[GIT PULL] cgroup changes for v6.1-rc1", ["Reclaim on demand"], 1)}, when=on(1))
    repo.commit({"m": mail("Re: [GIT PULL] cgroup changes for v6.1-rc1", ["No pull"], 2)}, when=on(2))
    repo.commit({"m": mail("[PATCH] cgroup: fix", ["No pull"], 3)}, when=on(3))
    repo.commit({"d": "deleted"}, when=on(4))
    sync(database, "cgroup-pulls", "--from", repo.path)
    assert ask(database, "SELECT title, version, place FROM notes") == [
        ("Reclaim on demand", "6.1-rc1", "pull1@kernel.org")
    ]
    assert says_nothing_new(sync(database, "cgroup-pulls"))
    repo.commit({"d": None, "m": mail("[GIT PULL] cgroup fixes for v6.1-rc3", ["Fix a leak"], 4, 2)}, when=on(5))
    repo.commit({"m": b"Subject: [GIT PULL] a broken mail\n\n\0\0\0"}, when=on(6))
    done = sync(database, "cgroup-pulls", code=1)
    assert "binary" in done.stderr
    assert titles(database) == {"Reclaim on demand", "Fix a leak"}
    fresh = database.with_name("fresh.db")
    sync(fresh, "cgroup-pulls", "--from", repo.path, code=1)
    left_out = ("places",)
    assert {name: rows for name, rows in content(database).items() if name not in left_out} == {
        name: rows for name, rows in content(fresh).items() if name not in left_out
    }
    assert ask(database, "SELECT title, seen_until FROM notes") == ask(fresh, "SELECT title, seen_until FROM notes")


def test_a_mailbox(database: Path, tmp_path: Path) -> None:
    """A file of several mails is read mail by mail, packed or not, and tells what an archive of them does."""
    said = ["Reclaim on demand", "From now on charges are counted"]
    mails = [
        mail("[GIT PULL] cgroup changes for v6.1-rc1", said, 1), mail("Re: [GIT PULL] for v6.1-rc1", ["No pull"], 2),
        mail("[GIT PULL] cgroup changes for v6.2-rc1", ["Another"], 3),
    ]  # fmt: skip
    box = b"\n".join(b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + one for one in mails)
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "t.mbox.gz").write_bytes(gzip.compress(box))
    sync(database, "cgroup-pulls", "--from", folder)
    rows = ask(database, "SELECT title, version, place FROM notes")
    assert set(rows) == {
        (said[0], "6.1-rc1", "pull1@kernel.org"), (said[1], "6.1-rc1", "pull1@kernel.org"),
        ("Another", "6.2-rc1", "pull3@kernel.org"),
    }  # fmt: skip
    assert says_nothing_new(sync(database, "cgroup-pulls"))


DEBIAN = """linux (6.1.9-2) unstable; urgency=medium

  * [amd64] memcg: enable MEMCG (Closes: #123456)

 -- Ben Hutchings <benh@debian.org>  Thu, 02 Feb 2023 12:00:00 +0100

linux (6.1.9-1) unstable; urgency=medium

  * New upstream stable update:
    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.1.9
    - overlayfs: fix a leak of the lower directory
    - drm: fix a colour

 -- Ben Hutchings <benh@debian.org>  Wed, 01 Feb 2023 12:00:00 +0100
"""


def test_a_changelog_of_this_host(database: Path, tmp_path: Path, day: Callable[[str], None]) -> None:
    """Files of this host are found anew at each sync, packed or not."""
    host = tmp_path / "usr" / "linux-image-6.1"
    host.mkdir(parents=True)
    (host / "changelog.Debian.gz").write_bytes(gzip.compress(DEBIAN.encode()))
    shipped = (places.shipped("data") / "sources" / "debian-linux.toml").read_text()
    facts = f'kind = "debian-changelog"\nproject = "linux"\nfiles = ["{tmp_path}/usr/*/changelog*"]'
    write_source("own", f'{facts}\npackages = ["linux"]\n' + shipped[shipped.index("[releases]") :])
    sync(database, "own")
    rows = ask(database, "SELECT title, said, version, upstream, date, place FROM notes WHERE title LIKE '%: %'")
    assert ("overlayfs: fix a leak of the lower directory", "6.1.9-1", "6.1.9", "6.1.9", "2023-02-01",
            "linux-image-6.1/changelog.Debian") in rows  # fmt: skip
    assert ask(database, "SELECT tag FROM releases ORDER BY position") == [("6.1.9-1",), ("6.1.9-2",)]
    assert says_nothing_new(sync(database, "own")), "a second sync finds them as well"
    day("2024-02-02")
    other = tmp_path / "usr" / "linux-image-6.2"
    host.rename(other)
    (other / "changelog.Debian.gz").write_bytes(gzip.compress(DEBIAN.replace("a colour", "two colours").encode()))
    sync(database, "own")
    assert "drm: fix two colours" in titles(database) and "drm: fix a colour" not in titles(database)
    shutil.rmtree(other)
    done = sync(database, "own", code=1)
    assert "Nothing of 'own' is installed" in done.stderr and "--from PATH" in done.stderr
    assert "drm: fix two colours" in titles(database)


def test_a_changelog_of_another_host(database: Path, tmp_path: Path) -> None:
    """--from gives a changelog that was got elsewhere; the uploader is kept."""
    (tmp_path / "linux.changelog").write_text(DEBIAN)
    sync(database, "debian-linux", "--from", tmp_path / "linux.changelog")
    rows = ask(database, "SELECT title, author, author_email FROM changes")
    assert ("overlayfs: fix a leak of the lower directory", "Ben Hutchings", "benh@debian.org") in rows
    assert "drm: fix a colour" not in titles(database), "the source has words"
    assert says_nothing_new(sync(database, "debian-linux"))


# --- over HTTP


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed requests are tried again at once."""
    monkeypatch.setattr(web, "BACKOFF", 0.001)


def serve(server: WebServer, path: str, body: str, kind: str = "text/plain; charset=utf-8") -> None:
    """Let a page be there, with an ETag of its own."""
    server.pages[path] = Reply(body.encode(), headers={"ETag": f'"{hash(body)}"'}, kind=kind)


def serve_kernels(server: WebServer, pages: Mapping[str, str]) -> None:
    """kernel.org's index, and the ChangeLogs that it names."""
    rows = [
        {"moniker": "stable", "version": version, "iseol": False, "released": {"isodate": "2024-11-22"},
         "changelog": f"{server.url}/v6.x/ChangeLog-{version}"}
        for version in pages
    ]  # fmt: skip
    rows.append({"moniker": "mainline", "version": "6.13-rc1", "iseol": False, "released": {}, "changelog": None})
    serve(server, "/releases.json", json.dumps({"releases": rows}), "application/json")
    for version, text in pages.items():
        serve(server, f"/v6.x/ChangeLog-{version}", text)


def serve_newbies(server: WebServer, pages: Mapping[str, str]) -> None:
    """KernelNewbies' pages, as they were written."""
    for version, text in pages.items():
        serve(server, f"/Linux_{version}?action=raw", text)


def serve_releases(server: WebServer, pages: Mapping[str, str]) -> None:
    """Releases of a code host, of which each body is a page."""
    rows = [
        {"tag_name": f"v{version}", "body": text, "published_at": "2024-11-22T10:00:00Z", "draft": False,
         "html_url": f"https://example.org/v{version}", "author": {"login": "somebody"}}
        for version, text in pages.items()
    ]  # fmt: skip
    serve(server, "/releases", json.dumps(rows), "application/json")


def kernel_page(*said: str) -> str:
    return changelog("6.12.1", *said)


def newbies_page(*said: str) -> str:
    return "= Features =\n" + "".join(f" * {text}\n" for text in said)


def release_page(*said: str) -> str:
    return "".join(f"* {text}\n" for text in said)


Kind = tuple[str, Callable[[WebServer, Mapping[str, str]], None], Callable[..., str], str]
KINDS: dict[str, Kind] = {
    "kernel-changelog": ("/releases.json", serve_kernels, kernel_page, "/v6.x/ChangeLog-6.12"),
    "kernelnewbies": ("/Linux_{version}?action=raw", serve_newbies, newbies_page, "/Linux_6.12?action=raw"),
    "github-releases": ("/releases", serve_releases, release_page, "/releases"),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, server: WebServer) -> Kind:
    """A kind of notes that is got over HTTP, and a source `own` of that kind, of versions 6.11 and 6.12."""
    address = KINDS[request.param][0]
    write_source("own", f'kind = "{request.param}"\nproject = "own"\npages = ["{server.url}{address}"]')
    dates = Path(os.environ["XDG_CONFIG_HOME"]) / "kminer" / "data" / "releases" / "own.toml"
    dates.parent.mkdir(parents=True)
    dates.write_text(
        'project = "own"\nsource = "a test"\n'
        + "".join(
            f'[[releases]]\nversion = "{version}"\ntag = "v{version}"\ndate = {day}\nconfidence = "high"\n'
            for version, day in (("6.11", "2024-09-15"), ("6.12", "2024-11-17"), ("9.9", "2999-01-01"))
        )
    )
    return KINDS[request.param]


def test_pages_over_http(kind: Kind, server: WebServer, database: Path, day: Callable[[str], None]) -> None:
    """They come in, are asked for by their ETags, and of a change only what has changed is stored."""
    _, serve_pages, page, _ = kind
    pages = {"6.11": page("memcg: fix a leak", "ovl: fix a hang"), "6.12": page("userns: fix a hole")}
    serve_pages(server, pages)
    sync(database, "own")
    assert titles(database) == {"memcg: fix a leak", "ovl: fix a hang", "userns: fix a hole"}
    assert {row[0] for row in ask(database, "SELECT version FROM notes")} == {"6.11", "6.12"}
    before = keys(database)
    asked = len(server.requests)
    assert says_nothing_new(sync(database, "own"))
    assert {request.status for request in server.requests[asked:]} == {304}
    day("2024-12-12")
    serve_pages(server, pages | {"6.11": page("memcg: fix a leak", "seccomp: fix a filter")})
    sync(database, "own")
    assert {row[0]: (row[3], row[4], row[5]) for row in story(database, "own")} == {
        "memcg: fix a leak": ("", "", ""), "userns: fix a hole": ("", "", ""),
        "ovl: fix a hang": ("", "2024-12-12", "dropped"), "seccomp: fix a filter": ("2024-12-12", "", ""),
    }  # fmt: skip
    after = keys(database)
    assert {title: after[title] for title in before} == before
    check_whole(database)


@pytest.mark.parametrize("trouble", ["a 500 that stays", "a web page"])
def test_a_page_that_cannot_be_had(kind: Kind, server: WebServer, database: Path, trouble: str) -> None:
    """The address and the reason are told at each sync; what was stored stays, and the end is 1."""
    _, serve_pages, page, broken = kind
    pages = {"6.11": page("memcg: fix a leak"), "6.12": page("userns: fix a hole")}
    serve_pages(server, pages)
    sync(database, "own")
    stored = titles(database)
    serve_pages(server, pages | {"6.11": page("memcg: fix a leak", "ovl: fix a hang")})
    bad = Reply(b"broken", 500) if "500" in trouble else Reply(b"<!DOCTYPE html><html>Hello", kind="text/html")
    server.pages[broken] = bad
    alone = broken == "/releases"
    for _ in range(2):
        done = sync(database, "own", code=1)
        for part in ("own", f"{server.url}{broken.partition('?')[0]}", "500" if "500" in trouble else "HTML", "next:"):
            assert part in done.stderr, done.stderr
        assert titles(database) == (stored if alone else stored | {"ovl: fix a hang"})
    fresh = database.with_name("fresh.db")
    sync(fresh, "own", code=1)
    assert titles(fresh) == (set() if alone else {"memcg: fix a leak", "ovl: fix a hang"})
    serve_pages(server, pages)
    sync(database, "own")
    assert titles(database) == stored
    assert says_nothing_new(sync(database, "own"))


def test_an_index_that_is_gone(server: WebServer, database: Path) -> None:
    """Without the index there is nothing to read, and what was stored stays."""
    write_source("own", f'kind = "kernel-changelog"\nproject = "own"\npages = ["{server.url}/releases.json"]')
    serve_kernels(server, {"6.12.1": kernel_page("memcg: fix a leak")})
    sync(database, "own")
    before = content(database)
    del server.pages["/releases.json"]
    done = sync(database, "own", code=1)
    assert "404" in done.stderr and "/releases.json" in done.stderr
    assert content(database) == before


# --- interruptions


@pytest.mark.parametrize("moment", ["while the server is slow", "at any moment"])
def test_a_sync_that_is_killed(server: WebServer, database: Path, moment: str, home: Path) -> None:
    """The database is as it was, or whole; the next sync ends as an undisturbed one would."""
    notes = [f"memcg: fix leak number {n} of the charges in group {n * n}" for n in range(400)]
    serve_kernels(server, {"6.12.1": kernel_page(*notes[:200]), "6.12.2": changelog("6.12.2", *notes[200:])})
    write_source("own", f'kind = "kernel-changelog"\nproject = "own"\npages = ["{server.url}/releases.json"]')
    whole = database.with_name("whole.db")
    sync(whole, "own")
    chance = random.Random(7)
    slow = moment == "while the server is slow"
    for number in range(1 if slow else 3):
        if slow:
            page = server.reply("/v6.x/ChangeLog-6.12.2")
            server.pages["/v6.x/ChangeLog-6.12.2"] = Reply(page.body, drip=0.01)
            server.sent.clear()
        process = subprocess.Popen(
            command("--db", database, "sync", "own", "--no-labels"), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, cwd=home,
        )  # fmt: skip
        if slow:
            assert server.sent.wait(60)
            _wait_for_requests(server, "/v6.x/ChangeLog-6.12.2", 2)
        else:
            _wait_for_requests(server, "/v6.x/ChangeLog-6.12.2", 2 + number)
            time.sleep(chance.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if database.exists():
            held = ask(database, "SELECT count(*) FROM sqlite_master WHERE name = 'note_places'")[0][0]
            assert not held or ask(database, "SELECT count(*) FROM note_places")[0][0] in (0, 400)
    serve_kernels(server, {"6.12.1": kernel_page(*notes[:200]), "6.12.2": changelog("6.12.2", *notes[200:])})
    sync(database, "own")
    assert content(database) == content(whole)
    check_whole(database)


def test_a_sync_that_is_interrupted_before_the_ties(
    folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes that are stored and not yet tied are tied by the next sync, though it reads nothing new."""
    write(folder, **{"26": document({"26.1.0": ["Mount overlay2 with userxattr when rootless"]})})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tying, "tie_store", interrupt)
        sync(database, "docker-notes", "--from", folder, code=130)
    sync(database, "docker-notes")
    assert ("ovl.userxattr",) in ask(database, "SELECT feature FROM feature_mentions")


def _wait_for_requests(server: WebServer, path: str, count: int) -> None:
    limit = time.monotonic() + 60
    while len(server.statuses(path)) < count:
        assert time.monotonic() < limit
        time.sleep(0.002)


# --- where pages are read from


def test_the_forms_of_from(folder: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SOURCE=PATH, PATH alone with one source, a path from here, one with "=" in it; it is remembered."""
    odd = folder.with_name("pages=27")
    shutil.copytree(folder, odd)
    monkeypatch.chdir(folder.parent)
    forms = [f"docker-notes={folder}", str(folder), "pages", f"docker-notes={odd}", str(odd), "pages=27", "./pages"]
    for number, form in enumerate(forms):
        database = database.with_name(f"{number}.db")
        sync(database, "docker-notes", "--from", form)
        expected = str(odd if "27" in form else folder)
        assert ask(database, "SELECT location FROM sources") == [(expected,)]
        monkeypatch.chdir("/")
        assert says_nothing_new(sync(database, "docker-notes")), form
        monkeypatch.chdir(folder.parent)


def test_auto(folder: Path, manual: GitRepo, database: Path) -> None:
    """`auto` goes back from a folder of one's own to the source's own address."""
    write_source(
        "own", f'kind = "markdown"\nproject = "docker"\nfiles = ["{NEW}/*.md"]\nclone = ["file://{manual.path}"]'
    )
    sync(database, "own", "--from", folder)
    for form in ("own=auto", "auto"):
        sync(database, "own", "--from", form)
        assert ask(database, "SELECT DISTINCT place FROM note_places") == [("26.md",), ("27.md",)]
        assert "clones/own.git" in ask(database, "SELECT location FROM sources")[0][0]
    assert says_nothing_new(sync(database, "own"))


@pytest.mark.parametrize(
    ("form", "code", "says"),
    [
        ("docker-notes=/no/such/place", 1, ("docker-notes", "/no/such/place", "next:", "--from PATH")),
        ("/no/such/place", 1, ("docker-notes", "/no/such/place", "next:")),
        ("/no/such=place", 2, ("--from", "/no/such")),
        ("docker-notes=", 2, ("SOURCE=PATH",)),
        ("docker-notes-ce=/tmp", 2, ("'docker-notes-ce'", "not among the sources")),
    ],
)
def test_forms_of_from_that_do_not_work(database: Path, form: str, code: int, says: Sequence[str]) -> None:
    """Each says what is wrong with it; nothing is stored."""
    done = sync(database, "docker-notes", "--from", form, code=code)
    for part in says:
        assert part in done.stderr, done.stderr
    assert not database.exists() or ask(database, "SELECT count(*) FROM sources") == [(0,)]


def test_a_path_alone_with_two_sources(folder: Path, database: Path) -> None:
    """Which of them it is for has to be said."""
    done = sync(database, "docker-notes", "docker-notes-ce", "--from", folder, code=2)
    assert "SOURCE=PATH" in done.stderr


def test_an_empty_folder(tmp_path: Path, database: Path) -> None:
    """A folder without pages is refused with what pages are called."""
    (tmp_path / "empty").mkdir()
    done = sync(database, "docker-notes", "--from", tmp_path / "empty", code=1)
    assert "no pages" in done.stderr and "*.md" in done.stderr and str(tmp_path / "empty") in done.stderr


def test_a_folder_that_is_gone_later(folder: Path, database: Path) -> None:
    """The message says where they were, how to say where they are now, and what is stored stays."""
    sync(database, "docker-notes", "--from", folder)
    before = content(database)
    folder.rename(folder.with_name("moved"))
    done = sync(database, "docker-notes", code=1)
    for part in (folder, "docker-notes", "--from PATH", "auto"):
        assert str(part) in done.stderr
    assert content(database) == before
    sync(database, "docker-notes", "--from", folder.with_name("moved"))
    assert [content(database)[name] for name in ("changes", "places")] == [before["changes"], before["places"]]


def test_a_folder_behind_a_closed_one(folder: Path, database: Path) -> None:
    """A folder that may not be entered is an error about that folder, not about the database."""
    words = without_root_powers(command("--db", database, "sync", "docker-notes", "--from", folder))
    if words is None:
        pytest.skip("permissions cannot be made to hold for this user")
    closed = folder.rename(folder.with_name("closed"))
    words[-1] = str(closed / "pages")
    closed.chmod(0)
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    finally:
        closed.chmod(0o755)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert str(closed) in done.stderr and "database" not in done.stderr, done.stderr


# --- looking at them


@pytest.fixture
def looked_at(folder: Path, repo: GitRepo, database: Path) -> Path:
    """A database with Docker's notes, and with commits that they speak of."""
    write_source(
        "code", 'kind = "git"\nproject = "docker"\nrepository = "moby/moby"\ncommit_url = "https://example.org/{id}"\n'
        f'{TAG}\n[[paths]]\npath = "daemon/"\nmechanisms = ["cg.core"]\nabout = "the daemon"'
    )  # fmt: skip
    first = repo.commit({"daemon/a.go": "1"}, "Begin\n")
    side = repo.commit({"daemon/a.go": "2"}, "daemon: free the memory of a container\n", [first], "pr")
    repo.merge(side, message="Merge pull request #101 from somebody/leak\n\nFix the leak of memory\n")
    repo.ref("refs/heads/pr", None)
    repo.commit({"daemon/b.go": "2"}, "seccomp: allow clone3 in the default profile of all\n", when=on(-80))
    repo.tag("v26.1.0")
    for name, place in (("code", repo.path), ("docker-notes", folder)):
        sync(database, name, "--from", f"{name}={place}")
    return database


def test_show_tells_both_sides(looked_at: Path) -> None:
    """A note shows where it is told and what it speaks of; a commit shows the notes that speak of it."""
    found = keys(looked_at)
    note = call("--db", looked_at, "show", found["Fix a leak of memory in docker run --memory"][0][:12]).stdout
    assert "Told in" in note and "docker-notes  27.md:7  27.0.3  Bug fixes" in note
    assert "Speaks of" in note and "daemon: free the memory of a container" in note and "pull-request" in note
    assert "27.0.3  2024-07-01" in note
    commit = call("--db", looked_at, "show", found["daemon: free the memory of a container"][0][:12]).stdout
    assert "Release notes" in commit and "Fix a leak of memory in docker run --memory" in commit
    assert "brought by" in commit and "moby/moby#101" in commit
    near = call("--db", looked_at, "show", found["seccomp: allow clone3 in the default profile"][0][:12]).stdout
    score = ask(looked_at, "SELECT score FROM ties WHERE tied_by = 'title'")
    assert len(score) == 1 and f"title {score[0][0]:.2f}" in near
    facts = json.loads(call("--db", looked_at, "show", found[USERNS.replace("`", "")][0][:12], "--json").stdout)
    assert facts["places"][0]["place"] == "27.md" and facts["ties"] == []


def test_search_sources_and_releases(looked_at: Path) -> None:
    """Notes are found by their words; their source and its releases are listed."""
    done = call("--db", looked_at, "search", "cgroup", "rootless")
    assert "docker-notes" in done.stdout and "27.0.2" in done.stdout
    assert "Nothing found" in call("--db", looked_at, "search", "nonsense", "--source", "docker-notes").stderr
    rows = {row["id"]: row for row in json.loads(call("--db", looked_at, "sources", "--json").stdout)}
    assert (rows["docker-notes"]["changes"], rows["docker-notes"]["newest_release"]) == (5, "27.0.3")
    listed = json.loads(call("--db", looked_at, "releases", "docker-notes", "--json").stdout)
    assert [(row["tag"], row["date"], row["changes"]) for row in listed] == [
        ("26.1.0", "2024-04-22", 1), ("27.0.2", "2024-06-26", 2), ("27.0.3", "2024-07-01", 2),
    ]  # fmt: skip
