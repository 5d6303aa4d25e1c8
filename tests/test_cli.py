"""The command line: help, what goes where, exit codes, documents, pipes and completion."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from commandline import check_failure, command, on_a_terminal, write_history, write_source
from gitrepo import GitRepo, git
from syncing import ask

from kminer import __version__
from kminer.cli import main

Kminer = Callable[..., subprocess.CompletedProcess[str]]


def all_commands(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, the top one included."""
    yield path, group
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from all_commands(found, (*path, name))
        else:
            yield (*path, name), found


COMMANDS = dict(all_commands())


@pytest.fixture
def synced(repo: GitRepo, database: Path, kminer: Kminer, home: Path) -> Path:
    """A database that holds a small history, and a saved query `titles`."""
    folder = home / "xdg_config_home" / "kminer" / "queries"
    folder.mkdir(parents=True)
    (folder / "titles.sql").write_text("-- title: T\n-- why: W\nSELECT title, first_final FROM changes ORDER BY id\n")
    write_source()
    write_history(repo)
    assert kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    return database


def test_the_commands_of_the_design_are_there() -> None:
    """All that the issue names can be called."""
    assert {name for (name, *_) in (path for path in COMMANDS if path)} >= {
        "sync", "query", "show", "search", "sources", "releases", "report", "check", "completion",
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_everything_has_help(path: tuple[str, ...]) -> None:
    """Every command says what it does, and every option what it is for, unless its choices say it all."""
    found = COMMANDS[path]
    assert found.help
    assert found.get_short_help_str(200).strip().endswith((".", "`.")) or found.get_short_help_str(200)
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or isinstance(parameter.type, click.Choice), (path, parameter.name)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_shown(kminer: Kminer, path: tuple[str, ...]) -> None:
    """--help and -h work everywhere, fit 100 columns, and end with 0."""
    done = kminer(*path, "--help", env=os.environ | {"COLUMNS": "100"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: kminer")
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    assert done.stdout == kminer(*path, "-h", env=os.environ | {"COLUMNS": "100"}).stdout


def test_the_help_documents_exit_codes(kminer: Kminer) -> None:
    """The top help says what each exit code means."""
    shown = kminer("--help").stdout
    for code in ("0", "1", "2", "130"):
        assert code in shown.partition("Exit codes")[2]


def test_version(kminer: Kminer) -> None:
    """--version prints name and version."""
    assert kminer("--version").stdout.strip() == f"kminer, version {__version__}"


HEAVY = ("pygit2", "rich", "sqlite_utils", "jinja2", "spacy", "sqlite3", "multiprocessing", "requests", "tomllib")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["sync", "--help"], ["--version"], ["completion", "bash"], ["query", "-h"]]
)
def test_help_imports_nothing_heavy(home: Path, arguments: list[str]) -> None:
    """Help loads none of the libraries that only work needs."""
    program = (
        "import sys\nfrom kminer.cli import main\n"
        f"main({arguments!r}, prog_name='kminer', standalone_mode=False)\n"
        f"sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    assert done.returncode == 0 or not done.stderr.strip(), done.stderr
    assert done.stdout


def test_a_query_imports_neither_git_nor_templates(home: Path, synced: Path) -> None:
    """Asking a question loads no git library, no migrations and no templates."""
    program = (
        "import sys\nfrom kminer.cli import main\n"
        f"words = ['--db', {str(synced)!r}, 'query', 'titles', '--format', 'csv']\n"
        "main(words, prog_name='kminer', standalone_mode=False)\n"
        "heavy = ('pygit2', 'sqlite_utils', 'jinja2', 'multiprocessing')\n"
        "sys.exit(' '.join(name for name in heavy if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    assert not done.stderr.strip(), done.stderr
    assert "v1.0" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["--no-such-option"],
        ["sync", "--jobs", "0"],
        ["sync", "--jobs", "x"],
        ["show"],
        ["search"],
        ["query", "releases", "--format", "xml"],
        ["completion", "tcsh"],
        ["search", "--limit", "0", "x"],
    ],
)
def test_a_misused_command_line(kminer: Kminer, arguments: list[str]) -> None:
    """What the command line cannot mean ends with 2 and a hint at the help, on standard error."""
    done = kminer(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Try 'kminer" in done.stderr
    assert "Traceback" not in done.stderr


def test_quiet_prints_only_results(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """Under -q a sync is silent, a question prints its answer, and errors are still told."""
    repo.commit({"tracked/new.c": "1\n"}, "Something new\n")
    done = kminer("-q", "--db", synced, "sync", "sample")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = kminer("-q", "--db", synced, "query", "titles", "--format", "csv")
    assert done.stdout.startswith("title,")
    assert done.stderr == ""
    done = kminer("-q", "--db", synced, "search", "nothing-of-this-kind")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    check_failure(kminer("-q", "--db", synced, "show", "ffffffff"), 2, "ffffffff")
    done = kminer("-q", "--db", synced, "sync", "sample", "--full", "--json")
    assert json.loads(done.stdout)[0]["source"] == "sample"


def test_verbose_says_more(kminer: Kminer, synced: Path) -> None:
    """-v tells of the stages, on standard error."""
    usual = kminer("--db", synced, "sync", "sample", "--full").stderr
    more = kminer("-v", "--db", synced, "sync", "sample", "--full").stderr
    assert len(more.splitlines()) > len(usual.splitlines())
    assert "reading commits" in more


def test_json_documents(kminer: Kminer, synced: Path) -> None:
    """Every --json prints one document that parses, with what the table shows."""
    key = ask(synced, "SELECT key FROM changes WHERE title = 'Change it'")[0][0]
    [summary] = json.loads(kminer("--db", synced, "sync", "sample", "--full", "--json").stdout)
    assert (summary["source"], summary["read"], summary["matched"], summary["new"], summary["releases"]) == (
        "sample",
        4,
        4,
        0,
        2,
    )
    assert summary["seconds"] > 0
    [state] = json.loads(kminer("--db", synced, "sources", "--json").stdout)
    assert (state["id"], state["commits"], state["changes"]) == ("sample", 4, 4)
    found = json.loads(kminer("--db", synced, "releases", "--json").stdout)
    assert [(row["tag"], row["changes"]) for row in found] == [("v1.0", 2), ("v1.1", 2)]
    found = json.loads(kminer("--db", synced, "search", "--json", "widget").stdout)
    assert [row["title"] for row in found] == ["Speak of a widget"]
    known = json.loads(kminer("--db", synced, "show", "--json", key[:8]).stdout)
    assert known["change"]["key"] == key
    assert [row["type"] for row in known["references"]] == ["fixes"]
    assert json.loads(kminer("--db", synced, "search", "--json", "absent").stdout) == []
    rows = json.loads(kminer("--db", synced, "query", "titles", "--format", "json").stdout)
    lines = kminer("--db", synced, "query", "titles", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert len(rows) == 4


def test_a_failed_sync_still_prints_its_document(kminer: Kminer, synced: Path, tmp_path: Path) -> None:
    """With --json standard output is a document even when sources fail; the exit code tells."""
    done = kminer("--db", synced, "sync", "sample", "--json", "--repo", f"sample={tmp_path}")
    assert done.returncode == 1
    assert json.loads(done.stdout) == []


def test_piped_output_is_not_folded(kminer: Kminer, synced: Path, repo: GitRepo) -> None:
    """What goes to another program keeps a long title on its one line."""
    title = "A long title " + "of many words " * 30 + "end"
    repo.commit({"tracked/new.c": "1\n"}, title + "\n")
    assert kminer("--db", synced, "sync", "sample").returncode == 0
    key = ask(synced, "SELECT key FROM changes WHERE title LIKE 'A long%'")[0][0]
    for words in (["search", "many"], ["show", key]):
        lines = kminer("--db", synced, *words, env=os.environ | {"COLUMNS": "80"}).stdout.splitlines()
        assert any(title in line for line in lines)
    file = synced.with_name("t.sql")
    file.write_text("-- title: T\n-- why: W\nSELECT title, key FROM changes WHERE title LIKE 'A long%'\n")
    for style in ("table", "csv", "md", "jsonl"):
        lines = kminer(
            "--db", synced, "query", file, "--format", style, env=os.environ | {"COLUMNS": "80"}
        ).stdout.splitlines()
        assert any(title in line and key in line for line in lines), style


def test_piped_output_has_no_colours(kminer: Kminer, synced: Path) -> None:
    """No escape sequence goes to another program."""
    for words in (["sources"], ["search", "widget"], ["query"], ["releases"], ["show", "ffffffff"]):
        done = kminer("--db", synced, *words)
        assert "\x1b" not in done.stdout + done.stderr


def test_no_color_is_respected(synced: Path) -> None:
    """With NO_COLOR a terminal shows no colours."""
    code, written = on_a_terminal(command("--db", synced, "search", "widget"))
    assert code == 0
    assert b"\x1b[3" in written
    _, written = on_a_terminal(command("--db", synced, "search", "widget"), NO_COLOR="1")
    assert b"\x1b[3" not in written
    assert b"widget" in written


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_a_table_fits_the_terminal(synced: Path, columns: int) -> None:
    """A table on a terminal is no wider than it."""
    code, written = on_a_terminal(command("--db", synced, "releases"), columns=columns, NO_COLOR="1")
    assert code == 0
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written.decode())
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_an_answer_too_wide_for_the_terminal_is_shown_as_records(synced: Path, tmp_path: Path) -> None:
    """Each cell stands whole on a line with its column's name; empty ones are left out; a wide terminal has a table."""
    cells = ", ".join(f"'value-{number}-of-many' AS column_{number}" for number in range(12))
    file = tmp_path / "wide.sql"
    file.write_text(f"-- title: Wide\n-- why: W\nSELECT {cells}, '' AS emptied, NULL AS missing FROM changes LIMIT 2\n")
    code, written = on_a_terminal(command("--db", synced, "query", file), columns=100, NO_COLOR="1")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", written.decode())
    assert code == 0, shown
    lines = [line.rstrip() for line in shown.splitlines()]
    assert [line for line in lines if line.startswith("-- ")] == ["-- 1", "-- 2"]
    for number in range(12):
        assert sum(line.split() == ["column", str(number), f"value-{number}-of-many"] for line in lines) == 2
    assert "emptied" not in shown and "missing" not in shown and "2 rows" in shown and max(map(len, lines)) <= 100
    _, written = on_a_terminal(command("--db", synced, "query", file), columns=400, NO_COLOR="1")
    assert re.search(r"column 11 +┃", re.sub(r"\x1b\[[0-9;]*m", "", written.decode()))


@pytest.mark.parametrize(
    "words",
    [
        ["query"],
        ["releases"],
        ["search", "tracked OR widget"],
        ["sources", "--json"],
        ["query", "long", "--format", "csv"],
        ["--help"],
    ],
)
def test_a_closed_pipe(kminer: Kminer, synced: Path, home: Path, words: list[str]) -> None:
    """Whoever stops reading early (| head -1) gets his line, and no complaint follows."""
    folder = home / "xdg_config_home" / "kminer" / "queries"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "long.sql").write_text(
        "-- title: T\n-- why: W\n"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n\n"
    )
    line = " ".join(command("--db", synced, *words)).replace("tracked OR widget", "'tracked OR widget'")
    for reader in ("head -1", "true"):
        done = subprocess.run(
            ["bash", "-c", f"{line} | {reader}; echo ${{PIPESTATUS[0]}} >&2"],
            capture_output=True,
            text=True,
            check=False,
        )
        complaint, code = done.stderr.strip().rpartition("\n")[::2]
        assert complaint.strip() == "", complaint[-500:]
        assert code in ("0", "1", "141")
        assert bool(done.stdout) == (reader == "head -1")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(kminer: Kminer, tmp_path: Path, shell: str) -> None:
    """A completion script is printed for each shell, and the shell, where it is there, can parse it."""
    done = kminer("completion", shell)
    assert done.returncode == 0, done.stderr
    assert "_KMINER_COMPLETE" in done.stdout
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([shell, "-n", str(script)], check=True)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("kminer s", {"sync", "show", "search", "sources"}),
        ("kminer query --form", {"--format"}),
        ("kminer completion z", {"zsh"}),
    ],
)
def test_completion_offers(kminer: Kminer, line: str, offered: set[str]) -> None:
    """What the scripts ask for is answered: commands, options and choices."""
    words = line.split(" ")
    environment = os.environ | {
        "_KMINER_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = kminer(env=environment)
    assert {answer.partition(",")[2] for answer in done.stdout.split()} == offered


def test_the_database_of_the_environment(kminer: Kminer, synced: Path) -> None:
    """KMINER_DB names the database, --db overrides it."""
    assert "v1.0" in kminer("releases", env=os.environ | {"KMINER_DB": str(synced)}).stdout
    done = kminer("--db", synced, "releases", env=os.environ | {"KMINER_DB": "/nowhere/x.db"})
    assert "v1.0" in done.stdout


def test_show_by_prefix(kminer: Kminer, synced: Path) -> None:
    """Any prefix of an id finds the change, in capitals too, with references in both directions."""
    first, second = [
        key for (key,) in ask(synced, "SELECT key FROM changes WHERE first_final = 'v1.0' ORDER BY date, id")
    ]
    shown = kminer("--db", synced, "show", second[:7].upper()).stdout
    assert second in shown
    assert "fixes" in shown.partition("Refers to")[2]
    shown = kminer("--db", synced, "show", first).stdout
    assert second[:12] in shown.partition("Referred to by")[2]


def test_an_ambiguous_prefix(kminer: Kminer, database: Path, repo: GitRepo) -> None:
    """A prefix that several changes share is answered with those changes."""
    write_source()
    seen: dict[str, str] = {}
    number = 0
    while True:
        key = repo.commit({"tracked/a.c": f"{number}\n"}, f"Change number {number}\n")
        if key[:4] in seen:
            break
        seen[key[:4]] = key
        number += 1
    assert kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    check_failure(kminer("--db", database, "show", key[:4]), 2, key[:8], seen[key[:4]][:8])


@pytest.mark.parametrize(
    "words",
    [
        "cgroup.procs",
        "a-b",
        '"',
        "(",
        "NEAR(",
        "AND",
        "NOT",
        "*",
        "^",
        "x:",
        "title:x",
        "{x}",
        "'",
        "🙂",
        "a" * 5000,
        "-x",
        "+",
    ],
)
def test_search_survives_any_words(kminer: Kminer, synced: Path, words: str) -> None:
    """Whatever is searched for ends with an answer or a clear error."""
    done = kminer("--db", synced, "search", "--", words)
    assert "Traceback" not in done.stderr, done.stderr.splitlines()[-3:]
    assert done.returncode == 0 or (done.returncode in (1, 2) and "error: " in done.stderr)


def test_check_passes_on_what_is_shipped(kminer: Kminer) -> None:
    """`kminer check` finds every shipped file good."""
    done = kminer("check")
    assert done.returncode == 0, done.stderr
    assert "data/sources: " in done.stdout


def test_python_m_from_another_folder(home: Path, tmp_path: Path) -> None:
    """The command and `python -m kminer` are one, from whatever folder."""
    script = Path(sys.executable).with_name("kminer")
    if not script.exists():
        pytest.skip("kminer is not installed beside this Python")
    (tmp_path / "elsewhere").mkdir()
    shown = [
        subprocess.run(
            [*words, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path / "elsewhere"
        ).stdout
        for words in ([str(script)], command())
    ]
    assert shown[0] == shown[1]


def test_sync_names_the_repository_it_read(kminer: Kminer, synced: Path, repo: GitRepo, tmp_path: Path) -> None:
    """A work tree, its .git folder and a worktree of it are all read as the same history."""
    work = tmp_path / "work"
    git("clone", "--quiet", str(repo.path), str(work))
    git("-C", str(work), "worktree", "add", "--quiet", str(tmp_path / "other"), "HEAD")
    for place in (work, work / ".git", work / "tracked", tmp_path / "other"):
        done = kminer("--db", synced.with_name("new.db"), "sync", "sample", "--full", "--repo", f"sample={place}")
        assert done.returncode == 0, done.stderr
        assert ask(synced.with_name("new.db"), "SELECT count(*) FROM changes") == [(4,)]
