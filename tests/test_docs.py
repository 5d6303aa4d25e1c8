"""The documentation says what the program does."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import click
import pytest

from kminer import catalogue
from kminer.cli import main

TOP = Path(__file__).resolve().parent.parent
PAGES = [TOP / "README.md", TOP / "README.zh-CN.md", *sorted((TOP / "docs").glob("*.md"))]


def generator() -> ModuleType:
    """The script that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("write_docs", TOP / "scripts/write_docs.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "schema.md", "queries.md"])
def test_generated_pages_are_current(name: str) -> None:
    """A page that is generated says what its generator says now."""
    assert (TOP / "docs" / name).read_text(encoding="utf-8") == generator().PAGES[name](), "run ./run docs"


def test_schema_page_explains_every_column() -> None:
    """No column of the database goes unexplained."""
    import sqlite3

    from sqlite_utils import Database

    from kminer.store.schema import migrations

    db = sqlite3.connect(":memory:")
    migrations.apply(Database(db))
    page = (TOP / "docs/schema.md").read_text(encoding="utf-8")
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
    shown = [table for table in tables if not table.startswith(("_", "sqlite_", "changes_fts"))]
    assert len(shown) >= 10
    for table in shown:
        section = page.split(f"`{table}`\n", 1)[1].split("\n## ", 1)[0]
        for column in db.execute(f"PRAGMA table_info({table})"):
            assert re.search(rf"`{column[1]}`", section), f"{table}.{column[1]} is not explained"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link between pages or to a picture names a file that exists."""
    for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "commands.md"], ids=lambda page: page.name)
def test_commands_that_pages_show_exist(page: Path) -> None:
    """Every kminer command line in a code block names a command, options, queries and reports that exist."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in re.findall(r"^\s*kminer (.*)$", block, re.MULTILINE):
            words = shlex.split(line.split(" #")[0].split(" > ")[0].split(" >> ")[0])
            check_command(words)


def commands_of(page: str) -> list[str]:
    """The commands in a page's code blocks, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", (TOP / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_chinese_readme_shows_the_same_commands() -> None:
    """Both readmes lead through the same commands in the same order, and to the same pages."""
    assert commands_of("README.zh-CN.md") == commands_of("README.md") != []
    pages = [set(re.findall(r"\((docs/\w[\w-]*\.md)\)", (TOP / name).read_text(encoding="utf-8")))
             for name in ("README.md", "README.zh-CN.md")]  # fmt: skip
    assert pages[0] == pages[1]


def check_command(words: list[str]) -> None:
    """Parse the words as the command line would, without running them."""
    context = click.Context(main, info_name="kminer")
    rest = main.make_parser(context).parse_args(list(words))[1]
    command = main.get_command(context, rest[0])
    assert command is not None, f"there is no command {rest[0]}"
    given, _, _ = command.make_parser(click.Context(command, parent=context)).parse_args(rest[1:])
    known = {"query": catalogue.load_queries(), "report": catalogue.load_reports()}.get(rest[0])
    if known is None or not isinstance(given.get("name"), str):
        return
    assert given["name"] in known or Path(given["name"]).suffix == ".sql", f"there is no {rest[0]} {given['name']}"
    if rest[0] == "query" and given["name"] in known:
        parameters = {parameter.name for parameter in catalogue.find_query(given["name"]).parameters}
        assert {pair.split("=")[0] for pair in given.get("settings", [])} <= parameters


def test_every_command_and_option_is_described() -> None:
    """Nothing on the command line goes without help."""
    for name, command in main.commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_changelog_names_this_version() -> None:
    """The changelog speaks of the version that the package has."""
    from kminer import __version__

    assert f"## {__version__}" in (TOP / "CHANGELOG.md").read_text(encoding="utf-8")
