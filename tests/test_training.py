"""Training and evaluation: reproducible, refused where there is too little, and with figures that are right."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import check_failure
from hypothesis import given
from hypothesis import strategies as st
from labelled import labels_of, made_up_corpus, note_line, own_labels, shipped_classifier, write_corpus, write_labels
from syncing import run_sync, sample_source

from kminer.classify import evaluation as ev
from kminer.classify.classifier import Classifier
from kminer.classify.document import read_document
from kminer.classify.model import load
from kminer.classify.training import best_thresholds, folds_of, prepare, with_views
from kminer.corpus import load_corpus
from kminer.errors import ModelError, UsageError
from kminer.evaluationpage import page
from kminer.learning import evaluate_corpus, train_model
from kminer.progress import Progress
from kminer.store.database import open_for_reading

Kminer = Callable[..., subprocess.CompletedProcess[str]]


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the made-up corpus."""
    target = tmp_path_factory.mktemp("trained") / "model"
    train_model(made_up_corpus(), target, Progress())
    return target


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """An evaluation of the made-up corpus."""
    return evaluate_corpus(made_up_corpus(), ["runc", "absent"], Progress())


# Training


def test_training_is_reproducible(kminer: Kminer, trained: Path, tmp_path: Path) -> None:
    """The same labels and texts give the same model byte for byte, in another process, by the command line."""
    texts = write_corpus(made_up_corpus(), tmp_path / "texts.jsonl")
    done = kminer("train", "--texts", texts, "--out", tmp_path / "model", env=os.environ | {"PYTHONHASHSEED": "11"})
    assert done.returncode == 0, done.stderr
    assert "Trained on 60 changes (linux, runc)" in done.stderr
    assert contents(tmp_path / "model") == contents(trained)


def test_other_labels_give_another_model(trained: Path, tmp_path: Path) -> None:
    """Other labels are another model, with another version; what stood in its folder is gone."""
    corpus = made_up_corpus()
    (tmp_path / "model" / "pipeline").mkdir(parents=True)
    (tmp_path / "model" / "old").write_text("old")
    turned = [replace(one, note=replace(one.note, kind="bug" if one.note.kind == "feature" else "feature"))
              for one in corpus]  # fmt: skip
    train_model(turned, tmp_path / "model", Progress())
    axes = shipped_classifier().axes
    assert load(axes, tmp_path / "model").version != load(axes, trained).version
    assert set(contents(tmp_path / "model")) == set(contents(trained))


def test_what_a_model_was_taught(trained: Path) -> None:
    """A model of few changes labels changes of their kind as it was taught."""
    corpus, shipped = made_up_corpus(), shipped_classifier()
    taught = Classifier(shipped.axes, shipped.book, load(shipped.axes, trained), "taught")
    found = taught.classify([one.item for one in corpus])
    for axis in ("relevant", "mechanism", "kind"):
        right = [
            labels_of(one, axis) - {"no"} == set(known.note.labels(axis))
            for one, known in zip(found, corpus, strict=True)
        ]
        assert sum(right) / len(right) > 0.9, axis


def test_what_a_model_says_of_itself(trained: Path) -> None:
    """meta.json and the card state what it was trained on, when, and that its figures were not measured."""
    meta = json.loads((trained / "pipeline" / "meta.json").read_text())["kminer"]
    assert meta["examples"] == 60
    assert meta["sources"] == {"linux": 40, "runc": 20}
    assert meta["newest"] == max(one.date for one in made_up_corpus())[:10]
    assert meta["labels"]["kind"] == list(shipped_classifier().axes.labels["kind"])
    card = (trained / "README.md").read_text()
    assert "60 changes" in card
    assert "not measured" in card


@pytest.mark.slow
def test_a_card_with_figures(kminer: Kminer, figures: dict[str, Any], tmp_path: Path) -> None:
    """Figures of an evaluation are stated with the model; what holds none is refused."""
    texts = write_corpus(made_up_corpus(), tmp_path / "texts.jsonl")
    measured, nonsense = tmp_path / "figures.json", tmp_path / "nonsense.json"
    measured.write_text(json.dumps(figures))
    nonsense.write_text('{"a": 1}')
    check_failure(kminer("train", "--texts", texts, "--out", tmp_path / "m", "--figures", nonsense), 2, nonsense)
    assert not (tmp_path / "m").exists()
    train_model(made_up_corpus(), tmp_path / "m", Progress(), figures)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "held-out runc" in card
    assert "TF-IDF" in card
    assert "held-out runc" in json.loads((tmp_path / "m" / "pipeline" / "meta.json").read_text())["kminer"]["figures"]


@pytest.mark.parametrize("what", ["all relevant", "no flags, one kind", "two kinds"])
def test_labels_that_do_not_differ(tmp_path: Path, what: str) -> None:
    """Where a question has one answer throughout, a model can be trained, and gives that answer."""
    one_kind, two_kinds = {"kind": "reliability"}, {}
    corpus = [
        replace(one, note=replace(one.note, relevant=True, mechanisms=("cg.memory",), dimensions=("memory",)))
        for one in made_up_corpus()
    ]
    if what != "all relevant":
        corpus = [
            replace(one, note=replace(one.note, **(one_kind if what.endswith("one kind") else two_kinds
                    or {"kind": "bug" if one.note.kind == "bug" else "feature"})))
            for one in corpus
        ]  # fmt: skip
    train_model(corpus, tmp_path / "model", Progress())
    shipped = shipped_classifier()
    taught = Classifier(shipped.axes, shipped.book, load(shipped.axes, tmp_path / "model"), "taught")
    found = taught.classify([one.item for one in corpus])
    assert all(labels_of(one, "relevant") == {"yes"} for one in found)
    assert not any(labels_of(one, "flag") for one in found)
    given_kinds = {kind for one in found for kind in labels_of(one, "kind")}
    assert given_kinds <= {one.note.kind for one in corpus}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A model that cannot be written is a ModelError that names the folder."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ModelError, match="cannot be written") as caught:
        train_model(made_up_corpus(), file / "below" / "model", Progress())
    assert str(file) in caught.value.where
    assert "--out" in caught.value.next


# What is trained on


def test_too_few_texts(kminer: Kminer, tmp_path: Path) -> None:
    """With the texts of too few labelled changes at hand it says how many there are, and where to get more."""
    texts, target = write_corpus(made_up_corpus(49), tmp_path / "texts.jsonl"), tmp_path / "model"
    check_failure(kminer("train", "--out", target, "--texts", texts), 2, "only 49", "it takes 50", "--texts")
    check_failure(kminer("evaluate"), 2, "only 0")
    assert not target.exists()


@pytest.mark.parametrize("words", [["train", "--out", "m"], ["evaluate"]])
def test_without_scikit_learn(home: Path, words: list[str]) -> None:
    """Where scikit-learn is not installed, it says how to install it."""
    program = (
        "import sys\nsys.modules['sklearn'] = None\nfrom kminer.cli import main\n"
        f"main({words!r}, prog_name='kminer')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    check_failure(done, 1, "scikit-learn", "pip install 'kminer[train]'")
    assert not (home / "m").exists()


@pytest.mark.parametrize(
    ("line", "told"), [("nonsense", "not JSON"), ('{"title": "x"}', "`id`"), ("[]", "not an object")]
)
def test_a_text_that_is_none(tmp_path: Path, line: str, told: str) -> None:
    """A line of texts that is no change is told by file and number."""
    texts = write_corpus(made_up_corpus(3), tmp_path / "texts.jsonl")
    with texts.open("a") as handle:
        handle.write(f"\n{line}\n")
    with pytest.raises(UsageError, match=rf"Line 5 .*{told}") as caught:
        load_corpus(None, [texts])
    assert caught.value.where == str(texts)


def test_a_file_of_texts_that_is_none(tmp_path: Path) -> None:
    """A file that is no text is refused by name."""
    texts = tmp_path / "texts.jsonl"
    texts.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        load_corpus(None, [texts])
    assert caught.value.where == str(texts)


def test_which_texts_are_trained_on(tmp_path: Path) -> None:
    """Labelled changes whose texts are at hand, in the order of their ids; never those that are reserved."""
    corpus = made_up_corpus(6)
    reserved = [replace(corpus[4], item=replace(corpus[4].item, id="a" * 39 + "0")),
                replace(corpus[5], item=replace(corpus[5].item, id="<1@example.org>"))]  # fmt: skip
    unlabelled = replace(corpus[3], item=replace(corpus[3].item, id="e" * 40))
    texts = write_corpus([*corpus[3::-1], *reserved, unlabelled], tmp_path / "texts.jsonl")
    lines = own_labels().read_text().splitlines()
    write_labels(*[line for line in lines[1:] if not line.startswith("e" * 40)], note_line("f" * 40))
    found = load_corpus(None, [texts])
    assert [one.item for one in found] == [one.item for one in corpus[:4]]
    assert [one.note.kind for one in found] == [one.note.kind for one in corpus[:4]]
    assert [(one.source, one.date) for one in found] == [(one.source, one.date) for one in corpus[:4]]


def test_texts_of_the_database(repo: Any, tmp_path: Path) -> None:
    """Texts that the database holds are read from there, with their files, sources and dates."""
    keys = [repo.commit({f"tracked/{n}.c": "1\n"}, f"Change {n}\n\nWhy {n}.\n") for n in range(3)]
    run_sync(sample_source(), repo.path, tmp_path / "kminer.db")
    kept = [key for key in keys if not key.endswith("0")]
    write_labels(*map(note_line, keys))
    with open_for_reading(tmp_path / "kminer.db") as db:
        found = load_corpus(db, [])
    assert [one.item.id for one in found] == sorted(kept)
    for one in found:
        number = keys.index(one.item.id)
        assert one.item.title == f"Change {number}"
        assert one.item.files == (f"tracked/{number}.c",)
        assert one.source == "sample"
        assert one.date.startswith("2020-01-01T1")


def test_other_views_of_a_change(trained: Path) -> None:
    """Changes are also trained on as they look where fewer files are known, with the same labels and in their group."""
    corpus, shipped = made_up_corpus(20), shipped_classifier()
    model = load(shipped.axes, trained)
    documents = [read_document(one.item.title, one.item.text, (*one.item.files, "README")) for one in corpus]
    plain = prepare(model.nlp, shipped.book, shipped.axes, documents, [one.note for one in corpus])
    more = with_views(model.nlp, shipped.book, shipped.axes, plain)
    assert len(more) > len(plain)
    assert more.documents[: len(plain)] == plain.documents
    for row in range(len(plain), len(more)):
        document = more.documents[row]
        origin = next(r for r in range(len(plain)) if plain.documents[r].title == document.title)
        assert more.groups[row] == plain.groups[origin]
        assert set(document.files) < set(plain.documents[origin].files)
        assert all((more.truth[axis][row] == plain.truth[axis][origin]).all() for axis in more.truth)
    assert any(not document.files for document in more.documents)


# Splits


def test_one_title_is_one_group(trained: Path) -> None:
    """Cherry-picks and re-posted versions, which have the same title, are one group, whatever tags and case."""
    shipped = shipped_classifier()
    titles = ("memcg: fix a leak", "[PATCH v2] memcg: Fix  a leak", "ovl: fix a leak", "memcg: fix two leaks", "", "")
    documents = [read_document(title, "", ("a.c",)) for title in titles]
    notes = [one.note for one in made_up_corpus(len(titles))]
    groups = prepare(load(shipped.axes, trained).nlp, shipped.book, shipped.axes, documents, notes).groups.tolist()
    assert groups[0] == groups[1] != groups[3]
    assert groups[4] != groups[5]


ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 8)), min_size=4, max_size=60)


@given(ROWS)
def test_no_group_straddles_a_split(rows: list[tuple[str, int, int]]) -> None:
    """Whatever sources, dates and groups, no group is both trained and tested on, and what is tested is newer."""
    sources = [source for source, _, _ in rows]
    dates = [f"20{year:02}" if year else "" for _, year, _ in rows]
    groups = np.array([group for _, _, group in rows])
    splits = [ev.split_by_time(dates, sources, groups)]
    splits += [ev.split_by_project(sources, name, groups) for name in set(sources)]
    for split in splits:
        train, test = split.train.tolist(), split.test.tolist()
        assert not set(groups[train]) & set(groups[test])
        assert not set(train) & set(test)
    time = splits[0]
    assert all(dates[row] for row in time.test)
    for source in set(sources):
        tested = [dates[row] for row in time.test if sources[row] == source]
        older = [dates[row] for row in time.train if sources[row] == source and dates[row]]
        assert not tested or not older or min(tested) >= max(older)
        own = [row for row in time.test if sources[row] == source]
        assert len(own) <= round(0.25 * sources.count(source))
    for split in splits[1:]:
        name = split.name.removeprefix("held-out ")
        assert {sources[row] for row in split.test} <= {name}
        assert name not in {sources[row] for row in split.train}


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1))
def test_no_group_straddles_a_fold(groups: list[int]) -> None:
    """In cross-validation every row is tried once, by what was trained without its group."""
    array = np.array(groups)
    tried: Counter[int] = Counter()
    for train, held in folds_of(array):
        assert not set(array[train]) & set(array[held])
        tried.update(held.tolist())
    assert tried == Counter(range(len(groups)))


# Figures


def cells(*rows: Sequence[int]) -> ev.Bools:
    return np.array(rows, dtype=bool)


def test_f1() -> None:
    """Two right, one wrong, one missed: precision, recall and F1 are two thirds; the interval holds it."""
    truth, given_labels = cells([1, 0], [1, 1], [0, 0], [0, 0]), cells([1, 0], [1, 0], [0, 1], [0, 0])
    found = ev.score(truth, given_labels)
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert found.positives == 3
    assert 0 <= found.low < found.f1 < found.high <= 1
    assert ev.score(truth, given_labels) == found
    by_label = ev.per_label(truth, given_labels)
    assert [(one.f1, one.positives) for one in by_label] == [(1.0, 2), (0.0, 1)]


def test_the_edges_of_f1() -> None:
    """All right is 1, all wrong and nothing at all are 0; an interval of certainty is a point."""
    some, none = cells(*[[1], [1], [0]] * 20), cells(*[[0], [0], [0]] * 20)
    right, wrong, nothing = ev.score(some, some), ev.score(some, ~some), ev.score(none, none)
    assert (right.f1, right.low, right.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)
    assert (wrong.f1, wrong.low, wrong.high) == (0.0, 0.0, 0.0)
    assert nothing.f1 == 0.0
    assert ev.score(np.zeros((0, 3), bool), np.zeros((0, 3), bool)).f1 == 0.0


def test_a_larger_sample_has_a_narrower_interval() -> None:
    """The bootstrap's interval shrinks with the number of changes."""
    truth, given_labels = cells([1], [1], [1], [0]), cells([1], [0], [1], [1])
    widths = []
    for times in (5, 50):
        found = ev.score(np.tile(truth, (times, 1)), np.tile(given_labels, (times, 1)))
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


def test_macro_f1_is_over_labels_with_enough_positives() -> None:
    """A label with nine positives does not count, one with ten does."""
    truth = np.zeros((30, 3), bool)
    truth[:10, 0] = truth[:9, 1] = truth[:20, 2] = True
    given_labels = truth.copy()
    given_labels[:, 1] = False
    given_labels[:10, 2] = False
    assert ev.macro_f1(truth, given_labels) == pytest.approx((1 + 2 / 3) / 2)
    assert ev.macro_f1(truth[:, [1]], given_labels[:, [1]]) == 0.0


def test_accuracy_and_confusion() -> None:
    """Three of four kinds right; the confusion says which was taken for which."""
    truth, given_labels = cells([1, 0], [1, 0], [0, 1], [0, 1]), cells([1, 0], [0, 1], [0, 1], [0, 1])
    assert ev.accuracy(truth, given_labels) == 0.75
    assert ev.confusion(truth, given_labels).tolist() == [[1, 1], [0, 2]]


def test_calibration() -> None:
    """Ten labels claimed at .85 of which six were right, ten at .15 of which none was: the error is .2."""
    truth = np.array([[True]] * 6 + [[False]] * 14)
    claimed = np.array([[0.85]] * 10 + [[0.15]] * 10, np.float32)
    every = np.ones((20, 1), bool)
    bins = ev.calibration(truth, every, claimed)
    assert [(one.low, one.high, one.count) for one in bins] == [(0.1, 0.2, 10), (0.8, 0.9, 10)]
    assert [one.right for one in bins] == [0.0, 0.6]
    assert ev.calibration_error(bins) == pytest.approx((0.25 + 0.15) / 2)
    only = every & (claimed > 0.5)
    assert ev.calibration_error(ev.calibration(truth, only, claimed)) == pytest.approx(0.25)
    assert ev.calibration_error([]) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [
        ("yyyyynnnnn", "yyyyynnnnn", 1.0),
        ("yyyyynnnnn", "nnnnnyyyyy", -1.0),
        ("yyyynnnnyn", "yyyynnnnny", 0.6),
        ("yyyyyyyyyy", "yyyyyyyyyy", 1.0),
        ("ynynynynyn", "yynnyynnyn", 0.2),
        ("abcabc", "abcabc", 1.0),
        ("aabbcc", "aabbca", 0.75),
    ],
)
def test_kappa(first: str, second: str, kappa: float) -> None:
    """Agreement beyond chance, for two or more answers."""
    assert ev.kappa(list(first), list(second)) == pytest.approx(kappa)
    assert ev.kappa(list(second), list(first)) == pytest.approx(kappa)


def test_thresholds() -> None:
    """The threshold of an axis is one with which F1 is best."""
    truth = {axis: cells([1], [1], [0], [0]) for axis in ("relevant", "mechanism", "dimension", "flag")}
    chances = {axis: np.array([[0.6], [0.5], [0.4], [0.3]], np.float32) for axis in truth}
    chances["flag"] = 1 - chances["flag"]
    found = best_thresholds(chances, truth)
    assert 0.4 < found["mechanism"] <= 0.5
    assert found["only mechanism"] == pytest.approx(found["mechanism"] / 2, abs=0.01)
    assert found["flag"] <= 0.4


# An evaluation


def test_labellers_and_splits(figures: dict[str, Any]) -> None:
    """kminer stands beside three baselines on each split: by time, and a project held out; absent ones are left out."""
    assert [split["name"] for split in figures["splits"]] == ["time", "held-out runc"]
    for split in figures["splits"]:
        names = [one["labeller"] for one in split["labellers"]]
        assert names == ["path rules", "keywords", "TF-IDF + LR", "kminer"]
        assert split["trained_on"] + split["tested_on"] == 60
        assert {one["changes"] for one in split["labellers"]} == {split["tested_on"]}
    assert figures["splits"][1]["tested_on"] == 20
    assert set(figures["splits"][0]["by_source"]) == {"linux", "runc"}


def test_the_figures_of_what_is_easy(figures: dict[str, Any]) -> None:
    """Where the words tell all, kminer is right; path rules know mechanisms and no kinds."""
    for split in figures["splits"]:
        known = {one["labeller"]: one for one in split["labellers"]}
        assert known["kminer"]["relevance"]["f1"] > 0.95
        assert known["kminer"]["mechanism"]["f1"] > 0.95
        assert known["kminer"]["kind_accuracy"] > 0.9
        assert known["path rules"]["mechanism"]["f1"] == pytest.approx(1.0)
        assert known["path rules"]["kind_accuracy"] == pytest.approx(0.2, abs=0.07)
        assert sum(map(sum, split["confusion"])) == split["tested_on"]
        for axis, error in split["calibration_error"].items():
            assert 0 <= error <= 1, axis
            bins = split["calibration"][axis]
            total = sum(one["count"] for one in bins)
            assert error == pytest.approx(
                sum(one["count"] * abs(one["claimed"] - one["right"]) for one in bins) / max(1, total)
            )


@pytest.mark.slow
def test_labels_that_cannot_be_learnt() -> None:
    """Where labels have nothing to do with the words, an evaluation says so: no labeller knows the kind."""
    corpus = made_up_corpus()
    shuffled = [
        replace(one, note=replace(one.note, kind=corpus[(number * 37 + 11) * (number // 7 + 1) % 60].note.kind))
        for number, one in enumerate(corpus)
    ]
    [split] = [one for one in evaluate_corpus(shuffled, [], Progress())["splits"] if one["name"] == "time"]
    ours = split["labellers"][-1]
    assert ours["kind_accuracy"] < 0.6
    assert ours["mechanism"]["f1"] > 0.9


def test_nothing_to_hold_out() -> None:
    """Without dates and without another project nothing can be tested on: that is said."""
    corpus = [replace(one, date="", source="linux") for one in made_up_corpus()]
    with pytest.raises(UsageError, match="held out"):
        evaluate_corpus(corpus, ["runc"], Progress())
    undated = [replace(one, date="") for one in made_up_corpus()]
    assert [split["name"] for split in evaluate_corpus(undated, ["runc"], Progress())["splits"]] == ["held-out runc"]


def test_the_page(kminer: Kminer, figures: dict[str, Any], tmp_path: Path) -> None:
    """`kminer evaluate` prints a page with the same figures as in this process; as JSON, the figures themselves."""
    texts = write_corpus(made_up_corpus(), tmp_path / "texts.jsonl")
    done = kminer("evaluate", "--texts", texts, "--project", "runc", "--project", "absent")
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    assert shown == page(figures)
    assert shown.startswith("# How right the labels are\n")
    for part in ("## Split: time", "## Split: held-out runc", "## Agreement", "path rules", "keywords", "TF-IDF + LR",
                 "kminer", "Expected calibration error", "mechanism cg.memory", "linux 40, runc 20"):  # fmt: skip
        assert part in shown, part
    assert not re.search(r"\bnan\b", shown)
    json.loads(json.dumps(figures, allow_nan=False))


@pytest.mark.slow
def test_the_figures_as_json(kminer: Kminer, tmp_path: Path) -> None:
    """--format json prints one document that `kminer train --figures` takes."""
    texts = write_corpus(made_up_corpus(), tmp_path / "texts.jsonl")
    found = json.loads(kminer("evaluate", "--texts", texts, "--format", "json").stdout)
    assert [split["name"] for split in found["splits"]] == ["time", "held-out runc"]
    assert found["examples"] == 60
    assert found["agreement"]["changes"] >= 400


