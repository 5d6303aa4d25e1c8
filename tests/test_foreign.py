"""Text that others wrote: stored as it is, and harmless wherever it is shown."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from commandline import command, on_a_terminal, write_source
from gitrepo import GitRepo
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from syncing import ask, check_whole

from kminer.foreign import code_span, inert, markdown
from kminer.markup import table

Kminer = Callable[..., subprocess.CompletedProcess[str]]

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = [
    "\x1b[45mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x9d0;t\x9c",
    "\x1bc",
    "\x08\x08\x08",
    "\x7f",
    "\r",
    "\x00",
    "\x0e",
    "\x85",
    "[red]x[/red]",
    "[link=https://evil.example]x[/link]",
    "[/]",
    "[bold",
    ":smile:",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- ",
    "-->",
    "&lt;b&gt;",
    "&#60;",
    "<https://evil.example>",
    "[a](https://evil.example)",
    "![a](https://evil.example/p.png)",
    "[a]: https://evil.example",
    "[a][b]",
    "https://evil.example",
    "www.evil.example",
    "user@evil.example",
    "@torvalds",
    "#123",
    "| a | b |",
    "|---|",
    "\\|",
    "\\",
    "`",
    "``",
    "~~~",
    "```",
    "*x*",
    "_x_",
    "**",
    "__",
    "~~x~~",
    "# head",
    "## ",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "1) item",
    "> quote",
    "---",
    "===",
    "\t",
    "    code",
    "$x$",
    "a\nb",
    "a\n\nb",
    "  ",
    "中文",
    "é",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufeff",
    "\u200b",
    "\U000e0041",
    "👨‍👩‍👧",
    "e\u0301",
]
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(HOSTILE), max_size=8).map("".join),
    st.lists(st.sampled_from(HOSTILE), max_size=8).map(" ".join),
)


def is_harmless(text: str, keep: str = "") -> bool:
    """Whether no character of `text` moves a cursor, starts a sequence or turns the direction of text."""
    return all(c in keep or (unicodedata.category(c) not in ("Cc", "Cs") and c not in BIDI) for c in text)


@given(TEXTS)
@example("\ud800")
def test_inert_leaves_nothing_that_acts(text: str) -> None:
    """No control or direction character is left, all else stays, and doing it twice changes nothing."""
    shown = inert(text)
    assert is_harmless(shown, keep="\n\t")
    assert is_harmless(inert(text, keep=""))
    assert inert(shown) == shown
    rest = iter(shown)
    assert all(c in rest for c in text if is_harmless(c, keep="\n\t") and c not in "\ufeff\u2028\u2029")
    shown.encode()


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"))))
def test_inert_leaves_plain_text_alone(text: str) -> None:
    """Letters of every script, signs and emoji are shown as they are."""
    assert inert(text) == text


def test_inert_shows_what_was_there() -> None:
    """Each control character has a visible stand-in by which it can be told."""
    assert inert("\x1b[45m\x9b\x7f\u202e\r\n\t") == "␛[45m\\u009b\\u007f\\u202e␍\n\t"
    assert inert("a\nb", keep="") == "a␊b"


COMMON, GITHUB = MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False})
INNOCENT = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "code_inline"}


def shown_by(renderer: MarkdownIt, source: str) -> str:
    """The text a Markdown reader shows; fails when it makes anything but text of it."""
    shown = ""
    for token in renderer.parse(source):
        assert token.type in INNOCENT, (source, token)
        for part in token.children or []:
            assert part.type in INNOCENT, (source, part)
            shown += part.content if part.type != "softbreak" else "\n"
    return shown


@given(TEXTS)
@example("1) x")
@example("+ x")
@example("===")
@example("&copy; &#x3c;")
@example("http://a.example https://b.example www.c.example d@e.example")
@example("a\\")
def test_markdown_shows_the_text_as_written(text: str) -> None:
    """A Markdown reader shows exactly the words, on one line: no markup, HTML, links or images come of them."""
    source = markdown(text)
    assert "\n" not in source
    expected = " ".join(inert(text, keep=" ").replace("␊", " ").replace("␉", " ").split())
    for renderer in (COMMON, GITHUB):
        assert shown_by(renderer, source) == expected


@given(TEXTS)
@example("`")
@example(" ` ")
@example("a``b`")
def test_a_code_span_cannot_be_left(text: str) -> None:
    """All of the text stands inside one code span; only a pipe, which would end a table's cell, is replaced."""
    source = code_span(text)
    expected = " ".join(inert(text, keep=" ").split()).replace("|", "¦")
    for renderer in (COMMON, GITHUB):
        tokens = renderer.parse(source)
        if not expected:
            assert not tokens
            continue
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        assert [(part.type, part.content) for part in tokens[1].children or []] == [("code_inline", expected)]


@given(
    st.lists(
        st.tuples(TEXTS, TEXTS, st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))),
        min_size=1,
        max_size=4,
    )
)
def test_a_markdown_table_keeps_its_shape(rows: list[tuple[object, ...]]) -> None:
    """Whatever the cells hold, the table has its rows and columns, and its cells are plain text."""
    tokens = GITHUB.parse(table(("a", "b", "c"), rows))
    assert [token.type for token in tokens].count("tr_open") == len(rows) + 1
    assert [token.type for token in tokens].count("td_open") == 3 * len(rows)
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    for token in tokens:
        assert {part.type for part in token.children or []} <= INNOCENT, token


@given(TEXTS)
def test_markdown_has_no_mentions_or_bare_addresses(text: str) -> None:
    """What a code host would make a mention, an issue or a link of is broken by an escape."""
    source = markdown(text)
    assert not re.search(r"(?<!\\)[@#]\w", source)
    assert not re.search(r"(?i)https?://|\bwww\.", source)


SEQUENCE = re.compile(
    rb"\x1b\[(?:0|1|2|3|32|33|36|1;31|2;3|1;2|3;2)m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\r(?=\n)|\r(?=\x1b\[)"
)
"""What rich sends of its own for kminer: its few colours (no background, 45), cursor on, off and up, clear line."""


def check_terminal(written: bytes) -> str:
    """The text on a terminal; fails when any sequence reached it that is not rich's own."""
    rest = SEQUENCE.sub(b"", written).decode()
    bad = sorted({hex(ord(c)) for c in rest if not is_harmless(c, keep="\n\t")})
    assert not bad, (bad, rest[:500])
    return rest


@dataclass(frozen=True)
class Case:
    """A commit message as bytes, its encoding header, and something of it that must be seen."""

    name: str
    message: bytes
    seen: str
    encoding: str | None = None
    author: bytes = b"A <a@example.org> 1577880000 +0000"


CASES = [
    Case("ansi", b"\x1b[45mred widget\x1b[0m\n\n\x1b[2J\x1b]0;owned\x07\n", "[45mred widget"),
    Case("osc 8", b"widget \x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\\n", "]8;;https://evil.example"),
    Case("c1", "widget \x9b31mred \x9d0;owned\x9c\n".encode(), "\\u009b31mred"),
    Case(
        "rich markup",
        b"[red]widget[/red] [link=https://evil.example]x[/link] [/] [bold :smile:\n",
        "x[/link] [/] [bold :smile:",
    ),
    Case(
        "html",
        b"<script>alert('widget')</script><img src=x onerror=alert(1)> &lt;b&gt;\n",
        "<script>alert('widget')</script>",
    ),
    Case(
        "markdown",
        b"widget [a](https://evil.example) ![b](https://evil.example/p.png) @torvalds #1 | x |`y`\n",
        "[a](https://evil.example)",
    ),
    Case("latin-1", b"widget caf\xe9 undeclared\n", "café undeclared"),
    Case("declared", "widget café déclaré €\n".encode("iso-8859-15"), "déclaré €", encoding="ISO-8859-15"),
    Case("euc-jp", "widget 日本語 declared\n".encode("euc-jp"), "日本語", encoding="EUC-JP"),
    Case("lying", b"widget \xff\xfe lying\n", "lying", encoding="UTF-8"),
    Case("no codec", b"widget \xe9 codec\n", "é codec", encoding="no-such-codec"),
    Case("surrogate", b"widget \xe9\\ud800 surrogate\n", "surrogate", encoding="raw_unicode_escape"),
    Case("codec with NUL", b"widget \xe9 nul codec\n", "nul codec", encoding="latin\x001"),
    Case("no text codec", b"widget \xe9 hex codec\n", "hex codec", encoding="hex"),
    Case("nul", b"widget before\x00after\n\nbody\x00more\n", "before␀after"),
    Case("cr", b"widget one\rtwo\r\n\r\nbody\rmore\r\n", "two"),
    Case("bidi", "widget \u202etxet desrever\u202c \u2066isolated\u2069\n".encode(), "\\u202etxet desrever"),
    Case("chinese", "widget 容器隔离的命名空间\n".encode(), "容器隔离的命名空间"),
    Case("emoji", "widget 👨‍👩‍👧 e\u0301 \u200bzero\n".encode(), "zero"),
    Case("long word", b"widget " + b"x" * 20_000 + b"\n", "x" * 40),
    Case("blanks", b"\n\n\n  \n", "(no title)"),
    Case("empty", b"", "(no title)"),
    Case("no end", b"widget without a line end", "widget without a line end"),
    Case("trailer of spaces", b"widget\n\nAcked-by:" + b" " * 200_000 + b"x\nCc:" + b" " * 200_000 + b"\n", "widget"),
    Case("lines", b"widget lines\n" + b"\n" * 500_000 + b"end", "widget lines"),
    Case("5 MB", b"widget of five megabytes\n\n" + b"0123456789abcde\n" * 327_680, "widget of five megabytes"),
    Case("long title", b"widget " + b"word " * 60_000, "widget word"),
    Case("1901", b"widget of 1901\n", "widget of 1901", author=b"A <a@example.org> -2177452800 +0000"),
    Case("2150", b"widget of 2150\n", "widget of 2150", author=b"A <a@example.org> 5680281600 -1200"),
    Case("year 0", b"widget of no year\n", "widget of no year", author=b"A <a@example.org> -99999999999999 +0000"),
    Case("far", b"widget of far off\n", "widget of far off", author=b"A <a@example.org> 99999999999999999 +9999"),
    Case(
        "many digits", b"widget of digits\n", "widget of digits", author=b"A <a@example.org> " + b"9" * 6000 + b" +0000"
    ),
    Case("no date", b"widget without date\n", "widget without date", author=b"A <a@example.org>"),
    Case("no mail", b"widget without mail\n", "widget without mail", author=b"nobody"),
    Case(
        "hostile author",
        b"widget by a stranger\n",
        "widget by a stranger",
        author="\x1b[5m[red]<\x1b]0;t\x07\u202e> 1577880000 +0000".encode(),
    ),
    Case(
        "author in latin-1", b"widget by latin\n", "widget by latin", author=b"Jos\xe9 <j@example.org> 1577880000 +0000"
    ),
]

NAMES = [
    b"esc\x1b[45m.c",
    b"latin\xe9.c",
    b"new\nline.c",
    b"tab\t.c",
    b"[red]x[/red].c",
    b"<b>.c",
    b"pipe|`tick`.c",
    b"\xe4\xb8\xad.c",
    b"-rf",
    "bidi\u202ec.txt".encode(),
    b'quote".c',
    b"bs\\.c",
    b" ",
    b"x" * 250,
]


@dataclass(frozen=True)
class Hostile:
    """A database made of hostile commits by the real command line."""

    database: Path
    keys: dict[str, str]
    names: str


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """Commits whose messages, authors and file names are hostile, synced once for the module."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            patch.setenv(name, str(folder))
        write_source()
        repo, keys = GitRepo(folder / "hostile.git"), {}
        parents: list[str] = []
        blob, top = repo.raw("blob", b"1\n"), ""
        for index, case in enumerate(CASES):
            inner = repo.raw("tree", b"100644 a.c\0" + bytes.fromhex(repo.raw("blob", b"%d\n" % index)))
            top = repo.raw("tree", b"40000 tracked\0" + bytes.fromhex(inner))
            extra = f"encoding {case.encoding}\n".encode() if case.encoding else b""
            keys[case.name] = repo.raw_commit(case.message, case.author, extra=extra, tree=top, parents=parents)
            parents = [keys[case.name]]
        entries = b"".join(b"100644 %s\0%s" % (name, bytes.fromhex(blob)) for name in sorted(NAMES))
        inner = repo.raw("tree", entries)
        top = repo.raw("tree", b"40000 tracked\0" + bytes.fromhex(inner))
        names = repo.raw_commit(b"widget of hostile names\n", tree=top, parents=parents)
        repo.tag("v1.0", keys["bidi"])
        database = folder / "kminer.db"
        done = subprocess.run(
            command("--db", database, "sync", "sample", "--repo", f"sample={repo.path}", "--jobs", "1"),
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return Hostile(database, keys, names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_messages_are_stored_as_they_are(hostile: Hostile, case: Case) -> None:
    """The bytes of a message can be had again from its text and its encoding."""
    [(text, encoding)] = ask(
        hostile.database, "SELECT text, encoding FROM changes WHERE key = ?", hostile.keys[case.name]
    )
    assert text.encode(encoding) == case.message


def test_dates_beyond_the_usual(hostile: Hostile) -> None:
    """Dates before 1970 and after 2100 are kept with their offset; one that no calendar holds stays as git has it."""
    dates: dict[str, str] = dict(ask(hostile.database, "SELECT key, author_date FROM changes"))
    assert dates[hostile.keys["1901"]] == "1901-01-01T00:00:00+00:00"
    assert dates[hostile.keys["2150"]] == "2149-12-31T12:00:00-12:00"
    assert dates[hostile.keys["year 0"]] == "@-99999999999999 +0000"
    assert dates[hostile.keys["far"]] == "@99999999999999999 +9999"


def test_file_names_are_stored_recoverably(hostile: Hostile) -> None:
    """Every file of the hostile names is a row of its own, bytes that are no UTF-8 as escapes."""
    sql = "SELECT path FROM change_paths p JOIN changes c ON c.id = p.change_id WHERE c.key = ? AND change = 'A'"
    stored = {path for (path,) in ask(hostile.database, sql, hostile.names)}
    expected = {"tracked/" + name.decode("utf-8", "backslashreplace") for name in NAMES}
    assert stored == expected


def test_the_database_is_sound(hostile: Hostile) -> None:
    """SQLite finds the database and its full-text index sound, and holds every commit."""
    check_whole(hostile.database)
    assert ask(hostile.database, "SELECT count(*) FROM changes") == [(len(CASES) + 1,)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_show_is_inert_on_a_terminal(hostile: Hostile, case: Case) -> None:
    """`show` on a terminal sends no sequence but its own, and shows the text as written."""
    code, written = on_a_terminal(command("--db", hostile.database, "show", hostile.keys[case.name]), columns=300)
    assert code == 0, written[-500:]
    shown = check_terminal(written)
    assert case.seen in shown.replace("\n", "") or case.seen in shown


def test_show_of_hostile_names_is_inert(hostile: Hostile) -> None:
    """File names with control characters are shown on their own lines, harmless."""
    code, written = on_a_terminal(command("--db", hostile.database, "show", hostile.names), columns=300)
    shown = check_terminal(written)
    assert code == 0
    for part in ("esc␛[45m.c", "new␊line.c", "[red]x[/red].c", "latin\\xe9.c", "中.c", "bidi\\u202ec.txt"):
        assert part in shown


@pytest.mark.parametrize("arguments", [["search", "--limit", "100", "widget"], ["sources"], ["releases"]])
def test_lists_are_inert_on_a_terminal(hostile: Hostile, arguments: list[str]) -> None:
    """Search, sources and releases on a terminal send no sequence but their own."""
    for more in ([], ["--json"]):
        code, written = on_a_terminal(command("--db", hostile.database, *arguments, *more))
        assert code == 0
        shown = check_terminal(written)
        assert "widget" in shown or arguments[0] != "search"


QUERY = (
    "-- title: [red]T[/red] \x1b[45m\n-- why: W\n"
    + """
SELECT key, title, author, author_email, text FROM changes WHERE length(text) < 100000 ORDER BY id
"""
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A query that returns foreign text, and a name of columns that is foreign too."""
    file = tmp_path / "all.sql"
    file.write_text(QUERY.replace("author_email", 'author_email AS "[red]\x1b[45m"'))
    return file


@pytest.mark.parametrize("style", ["table", "csv", "json", "jsonl", "md"])
def test_queries_are_inert_on_a_terminal(hostile: Hostile, saved: Path, style: str) -> None:
    """A query in every format sends no sequence to a terminal but its own."""
    code, written = on_a_terminal(command("--db", hostile.database, "query", saved, "--format", style), columns=200)
    assert code == 0, written[-500:]
    assert "red widget" in " ".join(check_terminal(written).split())


def test_the_text_of_a_query_is_inert_on_a_terminal(hostile: Hostile, saved: Path) -> None:
    """`query --sql` shows a file that somebody else may have written."""
    code, written = on_a_terminal(command("--db", hostile.database, "query", saved, "--sql"))
    assert code == 0
    assert "SELECT" in check_terminal(written)


def test_documents_carry_the_text_itself(hostile: Hostile, saved: Path, kminer: Kminer) -> None:
    """CSV and JSON that go to another program hold the stored text, whole."""
    sql = "SELECT key, title, author, text FROM changes WHERE length(text) < 100000 ORDER BY id"
    stored = [(key, title, author, text) for key, title, author, text in ask(hostile.database, sql)]
    documents = {
        style: subprocess.run(
            command("--db", hostile.database, "query", saved, "--format", style), capture_output=True, check=True
        ).stdout.decode()
        for style in ("csv", "json", "jsonl")
    }
    rows = [tuple(row.values()) for row in json.loads(documents["json"])]
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == stored
    assert [tuple(json.loads(line).values()) for line in documents["jsonl"].split("\n") if line] == rows
    csv.field_size_limit(10_000_000)
    rows_of_csv = list(csv.reader(io.StringIO(documents["csv"], newline="")))
    assert [(row[0], row[1], row[2], row[4]) for row in rows_of_csv[1:]] == stored


def test_markdown_of_a_query_is_plain(hostile: Hostile, saved: Path, kminer: Kminer) -> None:
    """The Markdown of a query holds one table, and no HTML tag, link or image of foreign origin."""
    done = kminer("--db", hostile.database, "query", saved, "--format", "md")
    tokens = GITHUB.parse(done.stdout)
    assert [token.type for token in tokens].count("table_open") == 1
    assert tokens[-1].type == "table_close"
    for token in tokens:
        assert {part.type for part in token.children or []} <= INNOCENT, token
    page = GITHUB.render(done.stdout)
    assert not re.findall(r"<(?!/?(?:table|thead|tbody|tr|th|td)\b)", page)
    assert "evil.example" in page


def test_hostile_names_of_queries_and_sources(kminer: Kminer, hostile: Hostile) -> None:
    """What the user's own words repeat in an error is shown inert as well."""
    evil = "\x1b[45m[red]\u202e"
    for arguments in (
        ["query", evil],
        ["report", evil],
        ["sync", evil],
        ["show", evil],
        ["--db", evil + "/x", "show", "abcdef"],
        ["search", '"' + evil],
    ):
        words = command(*(arguments if arguments[0] == "--db" else ["--db", hostile.database, *arguments]))
        _, written = on_a_terminal(words)
        assert "red" in check_terminal(written) or arguments[0] == "search"


def test_a_terminal_that_knows_few_letters(hostile: Hostile) -> None:
    """Where standard output can take only ASCII or Latin-1, letters are replaced; nothing crashes."""
    for encoding in ("ascii", "latin-1"):
        for arguments in (
            ["show", hostile.keys["chinese"]],
            ["search", "widget"],
            ["sources"],
            ["show", "--json", hostile.keys["chinese"]],
        ):
            done = subprocess.run(
                ["env", f"PYTHONIOENCODING={encoding}", *command("--db", hostile.database, *arguments)],
                capture_output=True,
                check=False,
            )
            assert b"Traceback" not in done.stderr, done.stderr.decode()[-400:]
            assert done.returncode == 0
            assert done.stdout


def test_python_here_judges_terminals_rightly() -> None:
    """The judge itself: sequences of rich pass, others do not."""
    assert check_terminal(b"\x1b[1;31mx\x1b[0m\r\n") == "x\n"
    for bad in (b"\x1b]0;t\x07", b"\x1b[2J", b"\x1b[45mx", b"\xc2\x9b31m", b"a\rb", "\u202e".encode(), b"\x1b[3;4H"):
        with pytest.raises(AssertionError):
            check_terminal(bad)
