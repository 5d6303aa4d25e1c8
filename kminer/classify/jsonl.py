"""Changes to label as lines of JSON, and their labels as such."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, AnyStr

from kminer.classify.axes import AXES
from kminer.classify.stream import BATCH, WORTH_PROCESSES, classify_batches, in_batches
from kminer.records import Classification, Item


class LineError(ValueError):
    """A line is not a change: says what is wrong with it."""


def read_item(line: str) -> Item:
    """The change of one line: {"id", "title", "text", "files"}; all but the id may be missing. Raises LineError."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError(f"it is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise LineError("it is not an object")
    number = data.get("id")
    if not isinstance(number, str | int) or isinstance(number, bool):
        raise LineError("its `id` must be a text or a number")
    texts = [data.get(key) or "" for key in ("title", "text")]
    if not all(isinstance(text, str) for text in texts):
        raise LineError("its `title` and `text` must be texts")
    files = data.get("files") or []
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise LineError("its `files` must be a list of paths")
    return Item(str(number), texts[0], texts[1], tuple(files))


def label_lines(lines: Iterable[bytes], jobs: int, with_model: bool) -> Iterator[tuple[str, bool]]:
    """A line of JSON for each of `lines` that is not empty, in order, and whether it was a change."""
    waiting: deque[list[Item | str]] = deque()
    chunks = in_batches(_parsed(lines), BATCH)
    first = list(islice(chunks, WORTH_PROCESSES // BATCH))

    def batches() -> Iterator[list[Item]]:
        for chunk in chain(first, chunks):
            waiting.append(chunk)
            yield [one for one in chunk if isinstance(one, Item)]

    expected = sum(map(len, first))
    for found in classify_batches(batches(), jobs, with_model, expected):
        labelled = iter(found)
        for one in waiting.popleft():
            yield (to_line(next(labelled)), True) if isinstance(one, Item) else (one, False)


def _parsed(lines: Iterable[bytes]) -> Iterator[Item | str]:
    """Changes; in place of a line that is none, the line of output that says so."""
    for number, line in numbered(lines):
        try:
            yield read_item(line.decode("utf-8"))
        except (LineError, UnicodeDecodeError) as error:
            yield json.dumps({"id": None, "line": number, "error": str(error)}, ensure_ascii=False)


def to_line(classification: Classification) -> str:
    """The labels of one change as a line of JSON, as `kminer classify --jsonl` prints it."""
    return json.dumps(to_object(classification), ensure_ascii=False)


def to_object(classification: Classification) -> dict[str, Any]:
    """The labels of one change: null throughout, with the reason as `unknown`, where none could be given."""
    given: dict[str, dict[str, float]] = {axis: {} for axis in AXES}
    for label in classification.labels:
        given[label.axis][label.label] = label.score
    known = not classification.unknown
    facts: dict[str, Any] = {
        "id": classification.id,
        "relevant": "yes" in given["relevant"] if known else None,
        "mechanism": list(given["mechanism"]) if known else None,
        "kind": next(iter(given["kind"])) if known else None,
        "security": "security" in given["flag"] if known else None,
        "revert": "revert" in given["flag"] if known else None,
        "dimension": list(given["dimension"]) if known else None,
        "scores": given,
        "evidence": _evidence(classification, given),
    }
    return facts if known else facts | {"unknown": classification.unknown}


def _evidence(classification: Classification, given: Mapping[str, Mapping[str, float]]) -> dict[str, list[str]]:
    """By `axis label`: who voted for a label that was given, and what made them."""
    found: dict[str, list[str]] = {}
    for vote in classification.votes:
        if vote.label in given.get(vote.axis, ()) and vote.evidence:
            found.setdefault(f"{vote.axis} {vote.label}", []).append(f"{vote.voter}: {vote.evidence}")
    return found


def numbered(lines: Iterable[AnyStr]) -> Iterator[tuple[int, AnyStr]]:
    """Lines that are not empty, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())
