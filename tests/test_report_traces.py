"""Each number of a report can be had again: every question that a shipped report asks stands in it, as a command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from test_gap_queries import write
from test_gaps import fill
from test_queries import Store
from test_reports import written

from kminer import catalogue, queries, reportquery
from kminer.store.database import open_for_reading

SETTINGS = {
    "upgrade": {"project": "linux", "from": "v1.0", "to": "v2.0"}, "release": {"project": "linux", "release": "v2.0"},
    "host": {"host": "here"}, "mechanism": {"mechanism": "cg.memory"}, "lag": {"project": "docker"},
}  # fmt: skip
"""What reports are given where they must be."""

Asked = tuple[str, frozenset[str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    filled = fill(Store(tmp_path / "k.db"))
    write(filled, "INSERT INTO hosts VALUES (?, '2026-01-01T00:00:00Z', '6.1.0', '{}')", ("here",))
    write(filled, "INSERT INTO findings VALUES ('here', ?, 'absent', '', '', '', '', '', '')", ("cg.knob",))
    return filled


def commands_in(text: str) -> set[Asked]:
    """The questions that a report names: name and settings."""
    lines = [shlex.split(line) for line in re.findall(r"`kminer query ([^`]+)`", text)]
    return {(words[0], frozenset(word for word in words[1:] if word != "--set")) for words in lines}


@pytest.mark.parametrize("name", sorted(catalogue.load_reports()))
def test_every_question_stands_in_the_report(store: Store, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Asked again as it stands there, a question gives the figures that the report was made of."""
    answers: dict[Asked, queries.Answer] = {}
    run = queries.run

    def listen(db, query, settings):  # type: ignore[no-untyped-def]
        answer = run(db, query, settings)
        answers[query.name, frozenset(f"{key}={value}" for key, value in settings.items())] = answer
        return answer

    monkeypatch.setattr(reportquery.queries, "run", listen)
    text, _ = written(store.path, name, SETTINGS.get(name, {}))
    monkeypatch.undo()
    assert answers and set(answers) <= commands_in(text)
    for asked, settings in commands_in(text):
        given = dict(pair.split("=", 1) for pair in settings)
        again = run(open_for_reading(store.path), queries.find(asked), given)
        assert again == answers.get((asked, settings), again)
