"""`kminer classify --jsonl`: lines of changes in, lines of labels out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from commandline import check_failure, command
from labelled import CLEAR, MEMCG, NVME, shipped_classifier

from kminer.classify.jsonl import LineError, label_lines, read_item, to_object
from kminer.classify.stream import BATCH, WORTH_PROCESSES
from kminer.records import Item

Kminer = Callable[..., subprocess.CompletedProcess[str]]

FIELDS = ["id", "relevant", "mechanism", "kind", "security", "revert", "dimension", "scores", "evidence"]


def as_line(item: Item, **others: Any) -> str:
    """The line of a change."""
    return json.dumps({"id": item.id, "title": item.title, "text": item.text, "files": item.files} | others)


def labelled(lines: Iterable[str | bytes], with_model: bool = False) -> list[dict[str, Any]]:
    """What comes out for `lines`, by rules alone unless asked otherwise, in this process."""
    raw = [line.encode() if isinstance(line, str) else line for line in lines]
    return [json.loads(line) for line, _ in label_lines(raw, 1, with_model)]


def test_what_a_line_holds() -> None:
    """A line has the change's id, a value for each question, the scores of the labels, and their evidence."""
    [found] = labelled([as_line(MEMCG)], with_model=True)
    assert list(found) == FIELDS
    assert found["id"] == "memcg"
    assert (found["relevant"], found["kind"], found["revert"]) == (True, "bug", False)
    assert "cg.memory" in found["mechanism"]
    assert "memory" in found["dimension"]
    assert set(found["scores"]["mechanism"]) == set(found["mechanism"])
    assert set(found["scores"]["kind"]) == {"bug"}
    assert 0.5 < found["scores"]["mechanism"]["cg.memory"] <= 1
    why = found["evidence"]["mechanism cg.memory"]
    assert "path: mm/memcontrol.c" in why
    assert "prefix: memcg" in why
    assert any(line.startswith("model: ") for line in why)


def test_a_change_that_is_not_relevant() -> None:
    """It has a kind, and no mechanism and no dimension."""
    [found] = labelled([as_line(NVME)], with_model=True)
    assert list(found) == FIELDS
    assert (found["relevant"], found["mechanism"], found["dimension"], found["kind"]) == (False, [], [], "maintenance")
    assert set(found["scores"]["relevant"]) == {"no"}


def test_a_change_that_is_unknown() -> None:
    """Where nothing could be labelled all is null, and the reason is said."""
    [found] = labelled(['{"id": "x", "title": "", "text": "123"}'])
    assert list(found) == [*FIELDS, "unknown"]
    assert [found[name] for name in FIELDS[1:7]] == [None] * 6
    assert "no words" in found["unknown"]


def test_security_and_revert() -> None:
    """Flags are told as true or false."""
    [found] = labelled([as_line(Item("1", 'Revert "memcg: fix CVE-2024-12345"', "An attacker could escape."))])
    assert (found["security"], found["revert"]) == (True, True)


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ('{"id": "a"}', Item("a", "", "")),
        ('{"id": 7, "title": null, "files": null}', Item("7", "", "")),
        ('{"files": ["x"], "text": "T", "title": "t", "id": "", "more": 1}', Item("", "t", "T", ("x",))),
        ('{"id": "\\ud800", "title": "\\u0000"}', Item("\ud800", "\0", "")),
    ],
)
def test_lines_that_are_changes(line: str, item: Item) -> None:
    """All but the id may be missing or null, and more may be there."""
    assert read_item(line) == item


BAD = {
    "not json": "not JSON",
    "{": "not JSON",
    '{"id": "a"} x': "not JSON",
    "[1, 2]": "not an object",
    '"text"': "not an object",
    "null": "not an object",
    "{}": "`id`",
    '{"id": null}': "`id`",
    '{"id": true}': "`id`",
    '{"id": 1.5}': "`id`",
    '{"id": ["a"]}': "`id`",
    '{"id": "a", "title": 3}': "`title`",
    '{"id": "a", "text": ["x"]}': "`text`",
    '{"id": "a", "files": "x"}': "`files`",
    '{"id": "a", "files": [1]}': "`files`",
    '{"id": "a", "files": {"x": 1}}': "`files`",
    "[" * 100_000: "not JSON",
    '{"id": ' + "9" * 5000 + "}": "not JSON",
}


@pytest.mark.parametrize(("line", "told"), BAD.items(), ids=range(len(BAD)))
def test_lines_that_are_none(line: str, told: str) -> None:
    """What is no change is refused with what is wrong with it."""
    with pytest.raises(LineError, match=told):
        read_item(line)


def test_bad_lines_stand_in_their_places() -> None:
    """A line that is no change has a line with its number and what is wrong; those around it are labelled."""
    lines = [as_line(MEMCG), "nonsense", "", "  ", as_line(NVME), "\xff".encode("latin-1"), "{}", as_line(MEMCG)]
    found = labelled(lines)
    assert [one["id"] for one in found] == ["memcg", None, "nvme", None, None, "memcg"]
    assert [one.get("line") for one in found] == [None, 2, None, 6, 7, None]
    assert "not JSON" in found[1]["error"]
    assert "utf-8" in found[3]["error"]


def test_bad_lines_only() -> None:
    """A batch without any change is no trouble."""
    assert all("error" in one for one in labelled(["x"] * (BATCH + 1)))


def test_many_lines_keep_their_order() -> None:
    """Over the edges of batches, good and bad lines come out in the order they went in."""
    lines = [as_line(CLEAR[n % 5], id=n) if n % 7 else "bad" for n in range(1, 3 * BATCH)]
    found = labelled(lines)
    assert [one["id"] for one in found] == [str(n) if n % 7 else None for n in range(1, 3 * BATCH)]
    plain = [to_object(one) for one in shipped_classifier(with_model=False).classify(CLEAR)]
    for number, one in enumerate(found, 1):
        if number % 7:
            assert one | {"id": ""} == plain[number % 5] | {"id": ""}


def test_the_filter(kminer: Kminer, home: Path) -> None:
    """It reads standard input and writes standard output, and makes neither a database nor anything else."""
    before = sorted(home.rglob("*"))
    done = kminer("classify", "--jsonl", input=as_line(MEMCG) + "\n\n" + as_line(NVME))
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["memcg", "nvme"]
    assert sorted(home.rglob("*")) == before


def test_bad_lines_are_told(kminer: Kminer) -> None:
    """With a line that is no change the exit code is 1, and standard error says how many there were."""
    done = kminer("classify", "--jsonl", "--no-model", input=f"x\n{as_line(MEMCG)}\n\n[]\n")
    check_failure(done, 1, "2 lines were not changes")
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [True, False, True]


def test_no_lines(kminer: Kminer) -> None:
    """Nothing in, nothing out."""
    done = kminer("classify", "--jsonl", "--no-model", input="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("words", [["linux"], ["--full"], ["--diff"], ["--json"]])
def test_what_the_filter_does_not_go_with(kminer: Kminer, words: list[str]) -> None:
    """What concerns the database is refused beside --jsonl."""
    check_failure(kminer("classify", "--jsonl", *words, input=""), 2, "--jsonl")


def test_over_processes(kminer: Kminer) -> None:
    """Many lines, labelled by several processes, give what one process gives, in the same order."""
    count = WORTH_PROCESSES + BATCH + 1
    lines = "".join(
        as_line(CLEAR[n % 5], id=str(n), title=f"{CLEAR[n % 5].title} {n}") + "\n" if n % 11 else "bad\n"
        for n in range(count)
    )
    alone, together = (
        kminer("classify", "--jsonl", "--no-model", "--jobs", jobs, input=lines) for jobs in ("1", "2")
    )
    assert (alone.returncode, together.returncode) == (1, 1)
    assert together.stdout == alone.stdout
    ids = [json.loads(line)["id"] for line in together.stdout.splitlines()]
    assert ids == [str(n) if n % 11 else None for n in range(count)]


def test_hostile_lines(kminer: Kminer) -> None:
    """Lone surrogates, 5 MB, binary and Chinese go through; what comes out is UTF-8 and JSON, and says the same ids."""
    items = [
        Item("\ud800", "memcg: \udc80", "\ud800 memcg", ("\udcff.c",)),
        Item("内存", "内存控制组", "修复" * 10_000),
        Item("big", "memcg: fix", "memcg " * 900_000),
        Item("binary", bytes(range(256)).decode("latin-1"), "\0" * 1000),
        Item("\x1b[31m", "\x1b[31m", "\x07"),
    ]
    done = kminer("classify", "--jsonl", input="".join(as_line(item) + "\n" for item in items), encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [item.id for item in items]
    assert "\x1b" not in done.stdout


def test_a_reader_that_stops_early() -> None:
    """Whoever reads no further (| head -1) gets his line, and no complaint follows."""
    lines = "".join(as_line(MEMCG, id=n) + "\n" for n in range(900))
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(command('classify', '--jsonl', '--no-model'))} | head -1"],
        input=lines, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["id"] == "0"
    assert done.stderr == ""
