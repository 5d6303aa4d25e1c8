"""Reading: the list and its order, the marks that outlive everything, and the conversation on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import check_failure, command, without_root_powers, write_history, write_source
from gitrepo import GitRepo
from labelled import Talk, label, own_labels
from markdown_it import MarkdownIt
from syncing import ask, run_sync, sample_source

from kminer import catalogue, labelbook, marks, queries, reading, readscreen, readtalk, reports
from kminer.errors import UsageError
from kminer.foreign import inert
from kminer.marks import Mark
from kminer.reading import Progress, Wanted
from kminer.records import TrackedPath, is_reserved
from kminer.store.database import open_for_reading, open_for_writing
from kminer.store.reader import get_change

Kminer = Callable[..., subprocess.CompletedProcess[str]]
SOURCE = sample_source(
    TrackedPath("mm/", mechanisms=("cg.memory",)), TrackedPath("ns/", mechanisms=("ns.pid",)),
    TrackedPath("misc/", mechanisms=("cg.core",)),
)  # fmt: skip
LONG = "\n".join(f"line {number} of a long message" for number in range(1, 61))
HISTORY = (
    ("memcg: one", "mm/a.c", ""),
    ("pid: two", "ns/a.c", ""),
    ("v1.0", "", ""),
    ("memcg: three", "mm/b.c", LONG),
    ("v1.1-rc1", "", ""),
    ("pid: four", "ns/b.c", "Fixes: ONE"),
    ("v1.1", "", ""),
    ("memcg: five", "mm/c.c", ""),
    ("cgroup: six", "misc/a.c", ""),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of six changes in two releases, labelled by rules; no id ends in 0, so that all may be labelled."""
    folder = tmp_path_factory.mktemp("prepared")
    repo, first = GitRepo(folder / "repo.git"), ""
    for title, path, text in HISTORY:
        if not path:
            repo.tag(title)
            continue
        for number in range(99):
            message = f"{title}\n\n{text.replace('ONE', first[:12]) or 'Body of it.'}\n\nTry {number}.\n"
            head = repo.head("main")
            key = repo.commit({path: title}, message, branch=None, parents=[head] if head else [])
            if not is_reserved(key):
                repo.repository.references.create("refs/heads/main", key, force=True)
                break
        first = first or key
    run_sync(SOURCE, repo.path, folder / "kminer.db")
    label(folder / "kminer.db")
    return folder / "kminer.db"


@pytest.fixture
def database(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared database."""
    write_source()
    return Path(shutil.copy(prepared, tmp_path / "kminer.db"))


def titles(database: Path, **wanted: object) -> list[str]:
    """Titles of the list."""
    with open_for_reading(database) as db:
        return [entry.title for entry in reading.build(db, Wanted(**wanted))]  # type: ignore[arg-type]


def key_of(database: Path, title: str) -> str:
    """The id of a change."""
    [(key,)] = ask(database, "SELECT key FROM changes WHERE title = ?", title)
    return str(key)


def kept() -> list[tuple[str, str]]:
    """Marks and notes of the user's own file, in its order."""
    return [(mark.mark, mark.note) for mark in marks.load().marks]


EVERY = ["memcg: one", "pid: two", "memcg: three", "pid: four", "memcg: five", "cgroup: six"]


# The list


def test_release_order(database: Path) -> None:
    """Release by release, oldest first; what is in no release comes last."""
    assert titles(database) == EVERY
    with open_for_reading(database) as db:
        entries = reading.build(db, Wanted())
    assert [entry.release for entry in entries] == ["v1.0"] * 2 + ["v1.1"] * 2 + [reading.NO_RELEASE] * 2


def test_position_goes_before_date(database: Path) -> None:
    """An older line's release that came later is read where its version stands."""
    with open_for_writing(database) as db:
        db.execute("UPDATE changes SET date = '2030-01-01T00:00:00Z' WHERE title = 'memcg: one'")
    assert titles(database) == ["pid: two", "memcg: one", *EVERY[2:]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"mechanism": "cg.memory"}, ["memcg: one", "memcg: three", "memcg: five"]),
        ({"mechanism": "ns.%"}, ["pid: two", "pid: four"]),
        ({"since": "v1.0"}, EVERY[2:]),
        ({"since": "1.0"}, EVERY[2:]),
        ({"since": "v1.1-rc1"}, EVERY[3:]),
        ({"since": "v1.0", "until": "v1.1"}, EVERY[2:4]),
        ({"until": "v1.1-rc1"}, EVERY[:3]),
        ({"since": "2020-01-01"}, EVERY),
        ({"since": "2999-01-01"}, []),
        ({"until": "2020-01-01"}, EVERY),
        ({"source": "sample", "project": "sample"}, EVERY),
        ({"project": "other"}, []),
        ({"types": ("merge", "note")}, []),
        ({"mechanism": "fs.overlay"}, []),
    ],
)  # fmt: skip
def test_filters(database: Path, wanted: dict[str, object], expected: list[str]) -> None:
    """A tag of --since leaves out what is in it, one of --until is the last; so do days, that of --since included."""
    assert titles(database, **wanted) == expected


def test_kinds(database: Path) -> None:
    """Only changes labelled with the kind; together the kinds make the whole list."""
    by_kind = {kind: titles(database, kind=kind) for kind in labelbook.load_labels().kinds}
    assert sorted(title for of_kind in by_kind.values() for title in of_kind) == sorted(EVERY)
    with open_for_writing(database) as db:
        db.execute("UPDATE labels SET label = 'performance' WHERE axis = 'kind' AND change_id = 3")
    assert titles(database, kind="performance") == [title for (title,) in ask(
        database, "SELECT title FROM changes WHERE id = 3")]  # fmt: skip


@pytest.mark.parametrize("wanted", [{"mechanism": "cg.nothing"}, {"kind": "fun"}, {"since": "v9"}, {"until": "soon"}])
def test_filters_that_mean_nothing(database: Path, wanted: dict[str, object]) -> None:
    """They are told, not taken for an empty list."""
    with pytest.raises(UsageError):
        titles(database, **wanted)


def test_what_does_not_count_is_left_out(database: Path) -> None:
    """Off topic or unreachable changes are not in the list."""
    with open_for_writing(database) as db:
        db.execute("UPDATE changes SET reachable = 0 WHERE title = 'pid: two'")
        db.execute("UPDATE labels SET label = 'no' WHERE axis = 'relevant' AND change_id ="
                   " (SELECT id FROM changes WHERE title = 'pid: four')")  # fmt: skip
    assert titles(database) == [title for title in EVERY if title not in ("pid: two", "pid: four")]


def test_progress(database: Path) -> None:
    """In all, of the release and of the mechanism, as a whole sentence; a change counts once."""
    with open_for_reading(database) as db:
        entries = reading.build(db, Wanted())
    progress = Progress(entries, marks.standing([Mark("sample", entries[0].key, "read")]))
    assert progress.told() == "1 of 6 read"
    progress.count(entries[2])
    progress.count(entries[2])
    assert progress.told(entries[3]) == "2 of 6 read | v1.1: 1 of 2 | ns.pid: 0 of 2"


# The marks


def test_marks_are_kept_in_order() -> None:
    """Each mark is a line of JSON that a person can read."""
    marks.append(Mark("linux", "a" * 40, "interesting"))
    marks.append(Mark("linux", "a" * 40, "idea", 'ütf-8 "quoted"\tand a tab'))
    lines = marks.own_file().read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["mark"] for line in lines] == ["interesting", "idea"]
    assert "ütf-8" in lines[1]
    assert kept() == [("interesting", ""), ("idea", 'ütf-8 "quoted"\tand a tab')]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", marks.load().marks[0].marked_at)


def test_every_broken_end_is_survived() -> None:
    """Cut anywhere in its last line, the file gives all earlier marks, tells the loss, and takes new marks whole."""
    marks.append(Mark("linux", "a" * 40, "read"))
    begin = marks.own_file().stat().st_size
    marks.append(Mark("linux", "b" * 40, "note", "ä note"))
    whole = marks.own_file().read_bytes()
    for length in range(begin, len(whole)):
        marks.own_file().write_bytes(whole[:length])
        book = marks.load()
        complete = length >= len(whole) - 1
        assert len(book.marks) == 1 + complete
        assert bool(book.faults) == (begin < length < len(whole) - 1)
        marks.append(Mark("linux", "c" * 40, "read"))
        assert [mark.key[0] for mark in marks.load().marks] == ["a", *(["b"] if complete else []), "c"]


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"1", b'{"source": "a"}', b'{"source":"a","key":"b","mark":"loved"}', b"\xff", b"[" * 100_000,
     b'{"source":"a","key":"b","mark":"read","note":1}', b'{"source":"","key":"b","mark":"read"}'],
)  # fmt: skip
def test_lines_that_are_no_marks(line: bytes) -> None:
    """They are told with their number, and skipped."""
    marks.append(Mark("linux", "a" * 40, "read"))
    with marks.own_file().open("ab") as file:
        file.write(line + b"\n")
    marks.append(Mark("linux", "c" * 40, "read"))
    book = marks.load()
    assert [mark.key[0] for mark in book.marks] == ["a", "c"]
    [fault] = book.faults
    assert ":2 " in fault


def test_halves_of_characters(database: Path) -> None:
    """What JSON can name and no database can keep does no harm."""
    marks.own_file().parent.mkdir(parents=True)
    marks.own_file().write_text('{"source":"sample","key":"b","mark":"note","note":"\\ud800x"}\n')
    marks.append(Mark("sample", "c", "note", "\udcffy"))
    with open_for_writing(database) as db:
        assert reading.mirror(db) == 2


def test_what_stands() -> None:
    """Of interesting and not relevant the later counts; taking back leaves the change read."""
    given = [("interesting", ""), ("idea", "x"), ("not relevant", ""), ("note", "y")]
    here = marks.standing(Mark("s", "k", mark, note) for mark, note in given)["s", "k"]
    assert [mark.mark for mark in here.marks] == ["not relevant", "idea", "note"]
    again = marks.standing(Mark("s", "k", mark, note) for mark, note in [*given, ("taken back", "")])
    assert again["s", "k"].marks == []
    assert [mark.mark for mark in marks.lasting(again)] == ["read"]


def test_marks_outlive_the_database(kminer: Kminer, database: Path) -> None:
    """A database made anew has them after the next classify; so has one that holds more sources."""
    marks.append(Mark("sample", key_of(database, "pid: two"), "idea", "freezer of pids"))
    marks.append(Mark("linux", "f" * 40, "note", "elsewhere"))
    for _ in range(2):
        done = kminer("--db", database, "classify", "--no-model", "--jobs", "1")
        assert done.returncode == 0, done.stderr
        assert sorted(ask(database, "SELECT mark, note FROM marks WHERE mark <> 'read'")) == [
            ("idea", "freezer of pids"), ("note", "elsewhere")]  # fmt: skip
        with open_for_writing(database) as db:
            db.execute("DELETE FROM marks")


def test_a_sync_brings_the_marks(kminer: Kminer, repo: GitRepo, tmp_path: Path) -> None:
    """A database that is made from nothing has them at once."""
    write_source()
    keys = write_history(repo)
    marks.append(Mark("sample", keys[0], "idea", "kept"))
    done = kminer("--db", tmp_path / "new.db", "sync", "sample", "--repo", repo.path, "--no-labels")
    assert done.returncode == 0, done.stderr
    assert [row["note"] for row in query(tmp_path / "new.db", "marks")] == ["kept"]


def test_marks_of_the_demo_stay_there(database: Path) -> None:
    """They are on changes that never were."""
    demo = next(source.id for source in catalogue.load_sources().values() if source.demo)
    marks.append(Mark(demo, "d" * 40, "idea", "of the demo"))
    marks.append(Mark("sample", "e" * 40, "idea", "real"))
    with open_for_writing(database) as db:
        reading.mirror(db)
        assert db.execute("SELECT DISTINCT source FROM marks").fetchall() == [("sample",)]
        db.execute("UPDATE sources SET demo = 1")
        reading.mirror(db)
        assert db.execute("SELECT DISTINCT source FROM marks").fetchall() == [(demo,)]


# Queries and the report


@pytest.fixture
def marked(database: Path) -> Path:
    """A database that holds some marks."""
    for title, mark, note in (
        ("memcg: one", "interesting", ""), ("memcg: one", "idea", "Try the Freezer <b>here</b> `x`"),
        ("pid: two", "read", ""), ("memcg: three", "not relevant", ""), ("cgroup: six", "note", "a race, perhaps"),
    ):  # fmt: skip
        marks.append(Mark("sample", key_of(database, title), mark, note))
    with open_for_writing(database) as db:
        reading.mirror(db)
    return database


def query(database: Path, name: str, **settings: str) -> list[dict[str, object]]:
    """A shipped query's rows."""
    with open_for_reading(database) as db:
        return list(queries.run(db, queries.find(name), settings).dicts())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"interesting", "idea", "not relevant", "note"}),
        ({"words": "freezer TRY"}, {"idea"}),
        ({"words": "freezer race"}, set()),
        ({"words": "%race%"}, {"note"}),
        ({"words": "of a long message"}, {"not relevant"}),
        ({"mark": "idea"}, {"idea"}),
        ({"mark": "read"}, {"read"}),
        ({"mechanism": "cg.memory"}, {"interesting", "idea", "not relevant"}),
        ({"mechanism": "cg.%", "words": "perhaps"}, {"note"}),
        ({"project": "linux"}, set()),
        ({"words": "' OR 1 --"}, set()),
    ],
)  # fmt: skip
def test_marks_are_searched(marked: Path, settings: dict[str, str], expected: set[str]) -> None:
    """By words of note, title and message, all of which must be there; by mechanism, mark, project."""
    rows = query(marked, "marks", **settings)
    assert {row["mark"] for row in rows} == expected
    if settings.get("mark") == "read":
        assert [row["title"] for row in rows] == ["pid: two"], "what was marked otherwise was not only read"


def test_a_mark_on_what_is_not_held(database: Path) -> None:
    """It is listed, without a title."""
    marks.append(Mark("linux", "f" * 40, "idea", "elsewhere"))
    with open_for_writing(database) as db:
        reading.mirror(db)
    [row] = query(database, "marks")
    assert (row["id"], row["note"], row["link"]) == ("f" * 12, "elsewhere", None)
    assert "does not hold" in str(row["title"])


def test_how_much_was_read(marked: Path) -> None:
    """Per mechanism and release, as `kminer read` counts it."""
    rows = query(marked, "reading", project="sample")
    counts = {(row["mechanism"], row["release"]): (row["read"], row["changes"], row["unread"]) for row in rows}
    assert counts["(all)", "(all)"] == (4, 6, 2)
    assert counts["cg.memory", "(all)"] == (2, 3, 1)
    assert counts["cg.memory", "v1.1"] == (1, 1, 0)
    assert counts["(all)", reading.NO_RELEASE] == (1, 2, 1)
    with open_for_reading(marked) as db:
        entries = reading.build(db, Wanted())
    assert Progress(entries, marks.standing(marks.load().marks)).told() == "4 of 6 read"
    begun = query(marked, "reading", project="sample", begun="1")
    assert all(row["read"] for row in begun) and len(begun) < len(rows)


def test_notebook(marked: Path, tmp_path: Path) -> None:
    """Marks by mechanism with what was written, shown as written; its numbers' queries exist."""
    with open_for_reading(marked) as db:
        text = reports.write(db, catalogue.find_report("notebook"), {"project": "sample"}, tmp_path).read_text()
    assert "## Ideas" in text and "### cg.memory" in text
    rendered = MarkdownIt().render(text)
    assert "Try the Freezer &lt;b&gt;here&lt;/b&gt; `x`" in rendered
    assert "| (all) | 6 | 4 | 2 |" in text
    for name in re.findall(r"kminer query ([\w-]+)", text):
        assert name in catalogue.load_queries()


def test_an_empty_notebook(database: Path, tmp_path: Path) -> None:
    """It says how to begin."""
    with open_for_reading(database) as db:
        text = reports.write(db, catalogue.find_report("notebook"), {}, tmp_path).read_text()
    assert "Nothing was marked yet" in text


# Markdown


def test_print(kminer: Kminer, marked: Path) -> None:
    """What is unread, as Markdown with links, why, message and references; nothing is marked by it."""
    before = marks.own_file().read_bytes()
    done = kminer("--db", marked, "read", "--print")
    assert done.returncode == 0, done.stderr
    assert "4 of 6 read" in done.stdout
    assert re.findall(r"(?m)^### (.*)$", done.stdout) == ["pid: four", "memcg: five"]
    assert re.findall(r"(?m)^## (.*)$", done.stdout) == ["sample v1.1", "sample no release yet"]
    assert f"https://example.org/{key_of(marked, 'pid: four')}" in done.stdout
    assert "why: ns.pid" in done.stdout and "memcg: one" in done.stdout.split("Refers to:")[1]
    assert marks.own_file().read_bytes() == before
    every = kminer("--db", marked, "read", "--print", "--all", "--limit", "2", "--mechanism", "cg.memory")
    assert re.findall(r"(?m)^### (.*)$", every.stdout) == ["memcg: one", "memcg: three"]
    assert "1 more do not" in every.stdout
    assert LONG in every.stdout, "a message stands as it was written"


HOSTILE = (
    "memcg: <script>alert(1)</script> [x](javascript:1) \x1b[2J\u202e `c` **b** \x9b31m @me",
    "```\n</pre><script>alert(2)</script>\n# head\n````` text\n~~~\n[l](http://evil.example/)\n\x1b]0;t\x07\r\x1b[31m\n"
    + "    indented\n- list\nFixes: 123456789012 (\"<b>\")\nLink: https://evil.example/<script>\n",
)  # fmt: skip


@pytest.fixture
def hostile(repo: GitRepo, tmp_path: Path) -> Path:
    """A database whose one change means harm."""
    write_source()
    repo.commit({"mm/\x1b[31m`<b>.c": "1"}, "\n\n".join(HOSTILE), author="\x1b[31mEve <b> <e@example.org>")
    run_sync(SOURCE, repo.path, tmp_path / "hostile.db")
    return tmp_path / "hostile.db"


def test_markdown_is_inert(kminer: Kminer, hostile: Path) -> None:
    """No HTML, link, heading or control sequence of a message becomes one."""
    done = kminer("--db", hostile, "read", "--print")
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(done.stdout)
    inner = [child for token in tokens for child in token.children or []]
    assert not [token for token in [*tokens, *inner] if token.type.startswith("html")]
    assert len([token for token in tokens if token.type == "heading_open"]) == 3
    assert {str(token.attrGet("href")).split("/")[2] for token in inner if token.type == "link_open"} == {"example.org"}
    [fence] = [token for token in tokens if token.type == "fence"]
    assert "# head" in fence.content and "````` text" in fence.content


def test_lines_fit_any_terminal(hostile: Path) -> None:
    """However narrow, each line fits, loses nothing, and is inert."""
    with open_for_reading(hostile) as db:
        [entry] = reading.build(db, Wanted())
        lines = list(readscreen.content(entry, get_change(db, entry.id, entry.key), None))
    assert all(inert(line, keep="") == line for line in lines)
    wide = "界" * 100
    for columns in (1, 2, 3, 10, 79, 1000):
        folded = readscreen.folded([*lines, wide, "x" * 500], columns)
        assert all(sum(map(readscreen._width, text)) <= max(columns, 2) for _, text in folded)
        assert "".join(text for (number, _), text in folded if number == len(lines)) == wide


# The conversation


class Reader(Talk):
    """Somebody who reads on a terminal."""

    def __init__(self, words: list[str], rows: int = 40, columns: int = 100, **environment: str) -> None:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        super().__init__(["sh", "-c", f'stty rows {rows} cols {columns}; exec "$@"', "sh", *words])
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    def press(self, keys: str) -> None:
        """Type keys, without a newline."""
        os.write(self._terminal, keys.encode())

    def at(self, place: int, count: int) -> str:
        """Wait until the change at `place` is shown whole; returns what was heard until then."""
        return self.hear(rf"--- {place} of {count},") + self.hear("q quit")

    def resize(self, rows: int, columns: int) -> None:
        """Another size; the kernel tells the program."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[object]:
        """How the terminal is set."""
        return termios.tcgetattr(self._terminal)

    def hang_up(self) -> int:
        """Close the terminal as a lost connection does; returns the exit code of the program."""
        os.close(self._terminal)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        return self.code


@pytest.fixture
def reader(database: Path) -> Iterator[Callable[..., Reader]]:
    """Starts `kminer read` on a terminal of its own."""
    started: list[Reader] = []

    def start(*options: str, rows: int = 40, columns: int = 100, **environment: str) -> Reader:
        words = command("--db", database, "read", *options)
        started.append(Reader(words, rows, columns, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.code is None:
            one.kill()


def test_reading_goes_on(reader: Callable[..., Reader], database: Path) -> None:
    """One change after another, with all that is known; the next time it begins behind them."""
    talk = reader()
    shown = talk.at(1, 6)
    for part in ("memcg: one", key_of(database, "memcg: one")[:12], "v1.0", "Body of it.", "cg.memory",
                 "https://example.org/", "0 of 6 read", "unread", "Referred to by", "pid: four"):  # fmt: skip
        assert part in shown, part
    talk.press("n")
    assert "1 of 6 read | v1.0: 1 of 2 | ns.pid: 0 of 2" in talk.at(2, 6)
    assert kept() == [("read", "")], "it is kept before the next is shown"
    talk.press(" ")
    talk.at(3, 6)
    talk.press("q")
    ending = talk.end()
    assert talk.code == 0 and "2 of 6 read" in ending and str(marks.own_file()) in re.sub(r"\n", "", ending)
    assert ask(database, "SELECT count(*) FROM marks") == [(2,)]
    again = reader()
    assert "memcg: three" in again.at(1, 4)
    again.press("q")
    again.end()
    whole = reader("--all")
    assert "memcg: three" in whole.at(3, 6), "with --all it begins at the first unread"
    whole.press("b")
    assert "pid: two" in whole.at(2, 6)
    whole.press("q")
    whole.end()


def test_every_mark(reader: Callable[..., Reader], database: Path) -> None:
    """Interesting, an idea, a note, taken back, not relevant: in the file, on the screen and in the database."""
    talk = reader()
    talk.at(1, 6)
    talk.press("i")
    assert re.search(r"marked +interesting", talk.at(1, 6))
    talk.press("d")
    talk.hear("Idea")
    talk.say("a gap  in freezing, ärger")
    assert "idea: a gap in freezing, ärger" in talk.at(1, 6)
    talk.press("w")
    talk.hear("Note")
    talk.say("")
    talk.hear("nothing is kept")
    talk.press("n")
    talk.at(2, 6)
    talk.press("x")
    talk.hear("Its kind")
    talk.press("p")
    assert "labelled by hand" in talk.at(3, 6)
    talk.press("x")
    talk.hear("Its kind")
    talk.press("z")
    assert "Not marked" in talk.at(3, 6)
    talk.press("q")
    assert "3 marks kept" in talk.end()
    assert kept() == [("interesting", ""), ("idea", "a gap in freezing, ärger"), ("not relevant", "")]
    [note] = labelbook.read_annotations(own_labels())
    assert (note.key, note.relevant, note.kind, note.stratum) == (
        key_of(database, "pid: two"), False, "performance", "kminer read")  # fmt: skip
    assert sorted(ask(database, "SELECT mark FROM marks")) == [
        ("idea",), ("interesting",), ("not relevant",), ("read",), ("read",)]  # fmt: skip


def test_taken_back(reader: Callable[..., Reader], database: Path) -> None:
    """The marks are gone, and the label by hand with them; other labels of the file stay."""
    talk = reader("--mechanism", "ns.%")
    talk.at(1, 2)
    talk.press("x")
    talk.hear("Its kind")
    talk.press("\n")
    talk.at(2, 2)
    with own_labels().open("a") as file:
        file.write("\t".join(("f" * 40, "own", "1", "", "bug", "", "", "by chance", "1")) + "\n")
    talk.press("b")
    assert "not relevant" in talk.at(1, 2)
    talk.press("u")
    assert "taken back" in talk.at(1, 2)
    assert [note.stratum for note in labelbook.read_annotations(own_labels())] == ["by chance"]
    talk.press("u")
    talk.hear("no mark to take back")
    talk.press("q")
    talk.end()
    assert [mark for mark, _ in kept()] == ["not relevant", "taken back"]
    assert ask(database, "SELECT mark FROM marks") == [("read",)]


def test_a_reserved_change_gets_no_label(repo: GitRepo, tmp_path: Path) -> None:
    """What belongs to the evaluation is marked, and not labelled by somebody who saw kminer's labels."""
    write_source()
    while not is_reserved(repo.commit({"mm/a.c": str(len(repo.git("rev-list", "--all")))}, "memcg: it\n")):
        pass
    run_sync(SOURCE, repo.path, tmp_path / "r.db")
    count = len(titles(tmp_path / "r.db"))
    talk = Reader(command("--db", tmp_path / "r.db", "read"))
    for place in range(1, count):
        talk.at(place, count)
        talk.press("s")
    talk.at(count, count)
    talk.press("x")
    assert "reserved for the evaluation" in talk.at(count, count)
    talk.press("q")
    talk.end()
    assert [mark for mark, _ in kept()] == ["not relevant"]
    assert not own_labels().exists()


def test_long_messages(reader: Callable[..., Reader]) -> None:
    """A message is paged to the terminal's height; nothing of it is left out."""
    talk = reader("--since", "v1.0", rows=20)
    heard = talk.at(1, 4)
    assert "-- more: " in heard and heard.count("\n") <= 21
    for _ in range(12):
        talk.press(" ")
        heard += talk.hear(r"q quit")
        if "--- 2 of 4" in heard:
            break
    seen = set(re.findall(r"line (\d+) of a long", heard))
    assert seen == {str(number) for number in range(1, 61)}
    talk.press("\x1b[D\x1b[D\x1b[D")
    talk.at(1, 4)
    talk.press("q")
    talk.end()


def test_a_line_longer_than_the_screen(reader: Callable[..., Reader], database: Path) -> None:
    """It is paged too, piece by piece, whatever becomes of the terminal's size meanwhile."""
    with open_for_writing(database) as db:
        words = " ".join(f"w{number}" for number in range(1500))
        db.execute("UPDATE changes SET text = ? WHERE title = 'memcg: one'", (f"memcg: one\n\n{words}",))
    talk = reader(rows=12, columns=90)
    heard = talk.at(1, 6)
    for page in range(40):
        if page == 5:
            talk.resize(14, 130)
            heard += talk.hear("q quit")
        talk.press(" ")
        heard += talk.hear("q quit")
        if "--- 2 of 6" in heard:
            break
    assert {int(number) for number in re.findall(r"\bw(\d+)\b", heard)} == set(range(1500))
    assert "--- 2 of 6" in heard
    talk.press("q")
    talk.end()


def test_skip_ends_and_help(reader: Callable[..., Reader]) -> None:
    """Skipped changes stay unread; both ends of the list are told; the help names every key; others do nothing."""
    talk = reader("--mechanism", "cg.core")
    talk.at(1, 1)
    talk.press("b")
    assert "This is the first" in talk.at(1, 1)
    talk.press("s")
    assert "This was the last" in talk.at(1, 1)
    talk.press("ZJ\x1b[20~\x1b\xff?")
    assert "take the marks" in talk.hear("any key goes on")
    talk.press("z")
    talk.at(1, 1)
    talk.press("q")
    talk.end()
    assert kept() == []


def test_the_link(reader: Callable[..., Reader], database: Path, tmp_path: Path) -> None:
    """Without a desktop the address is shown whole; with one it is opened there."""
    address = f"https://example.org/{key_of(database, 'memcg: one')}"
    talk = reader(columns=30, DISPLAY="", WAYLAND_DISPLAY="")
    talk.hear("--- 1 of 6")
    talk.press("o")
    assert address in talk.hear("any key goes on")
    talk.press(" q")
    talk.end()
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened.part && mv {tmp_path}/opened.part {tmp_path}/opened\n')
    opener.chmod(0o755)
    talk = reader(DISPLAY=":7", PATH=f"{opener.parent}:{os.environ['PATH']}")
    talk.at(1, 6)
    talk.press("o")
    talk.hear("Opened https")
    talk.press("q")
    talk.end()
    assert (tmp_path / "opened").read_text().strip() == address


def test_the_terminal_is_restored(reader: Callable[..., Reader]) -> None:
    """Whatever ends it, keys are shown and lines edited as before."""
    for stop in ("q", "\x03", "\x04", "SIGTERM"):
        talk = reader()
        before = talk.modes()
        talk.at(1, 6)
        assert talk.modes() != before
        if stop == "SIGTERM":
            os.kill(talk.child, signal.SIGTERM)
        else:
            talk.press(stop)
        talk.hear(r"own\.jsonl" if stop in "q\x04" else "interrupted")
        assert talk.modes() == before
        assert "Traceback" not in talk.end()
        assert talk.code == (0 if stop in "q\x04" else 130)


@pytest.mark.parametrize("columns", [3, 20, 79, 300])
def test_a_resize(reader: Callable[..., Reader], columns: int) -> None:
    """The screen is drawn anew at its new size, as small as it may be; no mark is lost."""
    talk = reader()
    talk.at(1, 6)
    talk.press("i")
    talk.at(1, 6)
    for rows in (1, 2, 5, 50):
        talk.resize(rows, columns)
        shown = talk.hear("\n" + re.escape(readscreen.fit(readtalk._SHORT_HELP, columns)) + "\n")
        assert all(len(line) <= columns for line in shown.split("\n")), shown
        assert shown.count("\n") <= max(rows, 6) + 1
    talk.resize(24, 80)
    talk.at(1, 6)
    talk.press("n")
    talk.at(2, 6)
    talk.press("q")
    talk.end()
    assert kept() == [("interesting", "")]


def test_a_resize_while_a_note_is_typed(reader: Callable[..., Reader]) -> None:
    """The half of a note that was typed is not lost."""
    talk = reader()
    talk.at(1, 6)
    talk.press("d")
    talk.hear("Idea")
    talk.press("half ")
    talk.resize(30, 90)
    talk.resize(30, 85)
    talk.say("whole")
    assert "half whole" in talk.at(1, 6)
    talk.press("q")
    talk.end()
    assert kept() == [("idea", "half whole")]


def test_pasted_lines_are_no_keys(reader: Callable[..., Reader]) -> None:
    """Of a text that is pasted as a note, the first line is kept; the rest marks nothing."""
    talk = reader()
    talk.at(1, 6)
    talk.press("d")
    talk.hear("Idea")
    talk.press("first\nixn\nnnn\n")
    talk.at(1, 6)
    talk.press("q")
    talk.end()
    assert kept() == [("idea", "first")]


@pytest.mark.parametrize("moment", ["shown", "marked", "typing", "asked"])
def test_killed(reader: Callable[..., Reader], database: Path, moment: str) -> None:
    """kill -9 at any moment: every mark that was shown as kept is kept, and the next run goes on with the rest."""
    talk = reader()
    talk.at(1, 6)
    talk.press("n")
    talk.at(2, 6)
    talk.press("i")
    talk.at(2, 6)
    if moment == "marked":
        talk.press("n")
        talk.at(3, 6)
    elif moment in ("typing", "asked"):
        talk.press({"typing": "d", "asked": "x"}[moment])
        talk.hear("Idea|Its kind")
        talk.press("half a th" if moment == "typing" else "")
    talk.kill()
    assert kept() == [("read", ""), ("interesting", "")]
    again = reader()
    assert "memcg: three" in again.at(1, 4)
    again.press("q")
    again.end()
    assert ask(database, "SELECT count(*) FROM marks") == [(3,)], "read twice, interesting once"


def test_a_broken_last_line_is_told(reader: Callable[..., Reader], database: Path) -> None:
    """What a kill or a full disk left is said; the other marks count, and new ones are whole."""
    marks.append(Mark("sample", key_of(database, "memcg: one"), "interesting"))
    with marks.own_file().open("ab") as file:
        file.write(b'{"source": "sample", "key": "abc')
    talk = reader()
    assert "not a mark and was skipped" in talk.at(1, 5)
    talk.press("n")
    talk.at(2, 5)
    talk.press("q")
    talk.end()
    assert kept() == [("interesting", ""), ("read", "")]


@pytest.mark.parametrize("typing", [False, True])
def test_a_closed_terminal(reader: Callable[..., Reader], database: Path, typing: bool) -> None:
    """A lost connection: it ends by itself, with all marks in the file and in the database."""
    talk = reader()
    talk.at(1, 6)
    talk.press("i")
    talk.at(1, 6)
    talk.press("n")
    talk.at(2, 6)
    if typing:
        talk.press("d")
        talk.hear("Idea")
        talk.press("half a th")
    assert talk.hang_up() == 0
    assert kept() == [("interesting", "")]
    assert sorted(ask(database, "SELECT mark FROM marks")) == [("interesting",), ("read",)]
    again = reader()
    assert "pid: two" in again.at(1, 5)
    again.press("q")
    again.end()


def test_stopped_and_continued(reader: Callable[..., Reader]) -> None:
    """After Ctrl-Z and fg, whatever the shell did to the terminal meanwhile, single keys work and all is drawn."""
    talk = reader()
    before = talk.modes()
    talk.at(1, 6)
    os.kill(talk.child, signal.SIGSTOP)
    os.waitpid(talk.child, os.WUNTRACED)
    termios.tcsetattr(talk._terminal, termios.TCSANOW, before)
    os.kill(talk.child, signal.SIGCONT)
    talk.at(1, 6)
    talk.press("n")
    talk.at(2, 6)
    talk.press("q")
    talk.end()


def test_what_is_shown_is_inert(hostile: Path) -> None:
    """Control sequences of a change do nothing to the reader's terminal; a note is shown inert too."""
    talk = Reader(command("--db", hostile, "read"))
    shown = talk.at(1, 1)
    talk.press("w")
    talk.hear("Note")
    talk.say("pasted \u202e\x16\x1b[2J note")
    talk.hear("--- 1 of 1")  # what came before is the terminal's own echo
    shown += talk.hear("q quit")
    talk.press("q")
    shown += talk.end()
    assert "script" in shown and "note: pasted" in shown
    assert not {"\x07", "\x9b", "\u202e", "\x1b"} & set(shown)


# Where it cannot be had


def test_not_a_terminal(kminer: Kminer, database: Path) -> None:
    """It says to use --print."""
    check_failure(kminer("--db", database, "read", stdin=subprocess.DEVNULL), 2, "--print")


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--mechanism", "x"), "cg.memory"), (("--kind", "x"), "feature"), (("--since", "v7"), "v7"),
     (("--source", "no-such"), "sample"), (("--project", "no-such"), "sample"), (("--limit", "0"), "0")],
)  # fmt: skip
def test_options_that_are_not_understood(kminer: Kminer, database: Path, options: tuple[str, ...], says: str) -> None:
    """Exit code 2, with what is known."""
    check_failure(kminer("--db", database, "read", "--print", *options), 2, says)


def test_without_a_database(kminer: Kminer, tmp_path: Path) -> None:
    """It says to sync, and makes none."""
    check_failure(kminer("--db", tmp_path / "no.db", "read", "--print"), 1, "kminer sync")
    talk = Reader(command("--db", tmp_path / "no.db", "read"))
    assert "kminer sync" in talk.end()
    assert talk.code == 1 and not (tmp_path / "no.db").exists()


def test_nothing_left_to_read(reader: Callable[..., Reader], database: Path) -> None:
    """It says so, and how to see it again."""
    marks.append(Mark("sample", key_of(database, "cgroup: six"), "read"))
    talk = reader("--mechanism", "cg.core")
    assert "--all" in talk.end()
    assert talk.code == 0
    talk = reader("--mechanism", "fs.overlay")
    assert "nothing to read" in talk.end()


def test_while_another_kminer_writes(reader: Callable[..., Reader], database: Path) -> None:
    """Reading goes on; that the database does not have the marks yet is said, and the next run brings them."""
    with open_for_writing(database):
        talk = reader()
        talk.hear("cannot be given your marks now")
        talk.at(1, 6)
        talk.press("i")
        talk.at(1, 6)
        talk.press("q")
        ending = talk.end()
        assert "cannot be given your marks now" in ending and talk.code == 0
    assert ask(database, "SELECT count(*) FROM marks") == [(0,)]
    with open_for_writing(database) as db:
        reading.mirror(db)
    assert ask(database, "SELECT count(*) FROM marks") == [(2,)]


def test_a_change_that_went_away(reader: Callable[..., Reader], database: Path) -> None:
    """Where a sync took a change away while one reads, that is said; the marks are kept."""
    talk = reader()
    talk.at(1, 6)
    with open_for_writing(database) as db:
        db.execute("DELETE FROM changes WHERE title = 'pid: two'")
    talk.press("in")
    ending = talk.end()
    assert talk.code == 1 and "changed meanwhile" in ending and "Traceback" not in ending
    assert kept() == [("interesting", "")]


def test_a_folder_that_may_not_be_written(database: Path, home: Path) -> None:
    """A mark that cannot be kept is said at once, ends it, and is not shown as kept."""
    folder = home / "xdg_config_home" / "kminer" / "data" / "marks"
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    words = without_root_powers(command("--db", database, "read"))
    if words is None:
        pytest.skip("root's powers cannot be laid down here")
    talk = Reader(words)
    talk.at(1, 6)
    before = talk.modes()
    talk.press("i")
    ending = talk.end()
    folder.chmod(0o700)
    assert talk.code == 1 and before
    assert "cannot be kept" in ending and "Traceback" not in ending
    assert kept() == []


def test_an_older_database_is_brought_up_to_date(reader: Callable[..., Reader], database: Path) -> None:
    """A database without the table of marks gets it."""
    with sqlite3.connect(database) as db:
        db.execute("DROP TABLE marks")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007_marks'")
    talk = reader()
    talk.at(1, 6)
    talk.press("nq")
    talk.end()
    assert ask(database, "SELECT mark FROM marks") == [("read",)]
