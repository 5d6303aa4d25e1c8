"""The labels by hand that are shipped, and the files that hold labels by hand."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import check_failure
from labelled import note_line, own_labels, write_labels

from kminer import labelbook, places
from kminer.errors import CatalogueError
from kminer.records import Annotation, is_reserved

Kminer = Callable[..., subprocess.CompletedProcess[str]]
FILES = sorted((places.shipped("data") / "annotations").glob("*.tsv"))


@pytest.fixture(scope="module")
def notes() -> dict[str, list[Annotation]]:
    """All shipped labels by hand, by change."""
    found: dict[str, list[Annotation]] = {}
    for file in FILES:
        for note in labelbook.read_annotations(file):
            found.setdefault(note.key, []).append(note)
    return found


def test_how_many(notes: dict[str, list[Annotation]]) -> None:
    """At least 1,500 changes are labelled, at least 400 of them by two annotators."""
    alone = [{note.annotator for note in some} - {labelbook.SETTLED, labelbook.OWN} for some in notes.values()]
    assert len(alone) >= 1500
    assert sum(len(annotators) >= 2 for annotators in alone) >= 400
    assert all(annotators for annotators in alone)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_reserved(file: Path) -> None:
    """No commit's id ends in 0, and no message-id whose SHA-1, angle brackets included, does."""
    keys = {note.key for note in labelbook.read_annotations(file)}
    assert keys
    for key in keys:
        assert re.fullmatch(r"[0-9a-f]{40}|<[^<>\s]+@[^<>\s]+>", key), key
        digest = key if "@" not in key else hashlib.sha1(key.encode()).hexdigest()
        assert not digest.endswith("0"), key


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_texts(file: Path) -> None:
    """The files hold ids and labels only: no column is a text, and no field holds prose."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == [
        "key", "annotator", "relevant", "mechanisms", "kind", "dimensions", "flags", "stratum", "weight",
    ]  # fmt: skip
    labels = labelbook.load_labels()
    known = {*labels.mechanisms, *labels.dimensions, *labels.flags}
    for line in lines[1:]:
        key, annotator, relevant, mechanisms, kind, dimensions, flags, stratum, weight = line.split("\t")
        assert " " not in key + annotator + stratum + weight
        assert relevant in ("0", "1")
        assert kind in labels.kinds
        assert {*mechanisms.split(), *dimensions.split(), *flags.split()} <= known
        assert float(weight) > 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_annotator_once_a_change(file: Path) -> None:
    """No annotator labelled a change twice, and what is not relevant has no mechanism and no dimension."""
    read = labelbook.read_annotations(file)
    names = [(note.key, note.annotator) for note in read]
    assert len(set(names)) == len(names)
    assert not [note.key for note in read if not note.relevant and (note.mechanisms or note.dimensions)]
    for labels in (labels for note in read for labels in (note.mechanisms, note.dimensions, note.flags)):
        assert len(set(labels)) == len(labels)


def test_a_third_reading_settles_disagreements_only(notes: dict[str, list[Annotation]]) -> None:
    """A third reading is there only where two annotators had read the change."""
    for key, some in notes.items():
        annotators = {note.annotator for note in some}
        if labelbook.SETTLED in annotators:
            assert len(annotators) == 3, key


def test_what_agreement_is_reported() -> None:
    """Agreement is over the changes that two annotators read, kappa by axis, and beyond chance on the chief ones."""
    from kminer.learning import agreement

    found = agreement()
    assert found["changes"] >= 400
    for axis in ("relevant", "mechanism", "kind", "dimension", "flag"):
        assert 0 < found[axis] <= 1
        assert all(-1 <= value <= 1 for value in found["labels"][axis].values())
    assert found["relevant"] > 0.4


def test_which_labels_count(home: Path, tmp_path: Path) -> None:
    """The user's own last labels count before a third reading, that before the first annotator's."""
    key, other = "a" * 39 + "1", "b" * 39 + "1"
    write_labels(
        note_line(key, "first", kind="bug"), note_line(key, "second", kind="feature"),
        note_line(key, "settled", kind="reliability"), note_line(other, "first", kind="feature"),
        note_line(other, "second", kind="bug"),
    )  # fmt: skip
    assert labelbook.settled_annotations()[key].kind == "reliability"
    assert labelbook.settled_annotations()[other].kind == "feature"
    with own_labels().open("a", encoding="utf-8") as handle:
        for kind in ("performance", "maintenance"):
            handle.write(note_line(key, "own", kind=kind) + "\n")
    assert labelbook.settled_annotations()[key].kind == "maintenance"


def test_a_line_as_it_is_read(tmp_path: Path) -> None:
    """Labels are parted by spaces; an empty field is none."""
    key = "a" * 39 + "1"
    file = write_labels(note_line(key, "first", "1", "cg.io cg.core", "bug", "", "security", "p+t-", "2.5"), "",
                        file=tmp_path / "x.tsv")  # fmt: skip
    assert labelbook.read_annotations(file) == [
        Annotation(key, "first", True, ("cg.io", "cg.core"), "bug", (), ("security",), "p+t-", 2.5)
    ]


KEY = "a" * 39 + "1"
GOOD = note_line(KEY)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (GOOD + "\tmore", "9 fields"),
        (GOOD.replace("\t", " "), "9 fields"),
        (note_line(KEY, mechanisms="cg.memory cg.none"), "cg.none"),
        (note_line(KEY, dimensions="none"), "none"),
        (note_line(KEY, flags="secure"), "secure"),
        (note_line(KEY, kind="chore"), "kind"),
        (note_line(KEY, kind=""), "kind"),
        (note_line(KEY, relevant="yes"), "relevant"),
        (note_line(KEY, relevant=""), "relevant"),
        (note_line(""), "key"),
        (note_line(KEY, weight="much"), "much"),
        (note_line(KEY, weight=""), "weight"),
    ],
)
def test_a_malformed_line(tmp_path: Path, line: str, told: str) -> None:
    """What a line has wrong is told with its file and its number."""
    file = write_labels(GOOD, line, file=tmp_path / "x.tsv")
    with pytest.raises(CatalogueError) as caught:
        labelbook.read_annotations(file)
    assert caught.value.where == str(file)
    assert "line 3" in caught.value.what
    assert told in caught.value.what
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "header"),
        (GOOD.encode(), "header"),
        (b"key\tannotator\n", "header"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_malformed_file(tmp_path: Path, content: bytes, told: str) -> None:
    """A file without its header, or that is no text, is refused by name."""
    file = tmp_path / "x.tsv"
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=told) as caught:
        labelbook.read_annotations(file)
    assert caught.value.where == str(file)


def test_check_tells_of_malformed_labels(kminer: Kminer) -> None:
    """`kminer check` finds a malformed file of the user's own labels."""
    file = write_labels(GOOD, note_line(KEY, kind="chore"))
    check_failure(kminer("check"), 2, file, "line 3")
    write_labels(GOOD)
    assert kminer("check").returncode == 0


@pytest.mark.parametrize(
    ("key", "reserved"),
    [
        ("a" * 39 + "0", True),
        ("a" * 39 + "1", False),
        ("0" * 39 + "f", False),
        ("<1@example.org>", True),
        ("<2@example.org>", False),
        ("<0@example.org>", False),
    ],
)
def test_what_is_reserved(key: str, reserved: bool) -> None:
    """A commit by its id's last digit, a mail by that of the SHA-1 of its message-id."""
    assert is_reserved(key) is reserved
