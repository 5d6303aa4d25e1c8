"""Labels of changes by rules and model together, whatever the change, and what becomes of a broken model."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import check_failure, write_history, write_source
from gitrepo import GitRepo
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import (
    CLEAR,
    CPUSET,
    MEMCG,
    NVME,
    OVERLAY,
    SHIPPED_MODEL,
    USERNS,
    labels_of,
    shipped_classifier,
)
from syncing import ask

from kminer import labelbook
from kminer.classify.axes import AXES, Axes
from kminer.classify.classifier import load_classifier, load_version
from kminer.classify.combine import VOTERS, Ballot, Combination, count_votes, logit
from kminer.classify.model import load
from kminer.classify.modelfile import model_folder
from kminer.classify.rules import RuleVotes
from kminer.errors import ModelError
from kminer.records import Classification, Item

Kminer = Callable[..., subprocess.CompletedProcess[str]]
BOTH = pytest.mark.parametrize("with_model", [True, False], ids=["model", "rules"])


def check_sound(found: Classification) -> None:
    """Fail unless the labels of one change agree with each other and with its votes."""
    axes = shipped_classifier().axes
    if found.unknown:
        assert not found.labels
        return
    names = [(label.axis, label.label) for label in found.labels]
    assert len(set(names)) == len(names)
    assert len(labels_of(found, "kind")) == 1
    assert len(labels_of(found, "relevant")) == 1
    for label in found.labels:
        assert 0 <= label.score <= 1
        assert label.label in (*axes.labels[label.axis], *(["no"] if label.axis == "relevant" else []))
    if labels_of(found, "relevant") == {"no"}:
        assert not labels_of(found, "mechanism") | labels_of(found, "dimension")
    for vote in found.votes:
        assert 0 <= vote.score <= 1
        vote.evidence.encode()
    votes = [(vote.axis, vote.label, vote.voter) for vote in found.votes]
    assert len(set(votes)) == len(votes)


@pytest.mark.parametrize(
    ("item", "mechanism", "kind", "dimension", "flags"),
    [
        (MEMCG, "cg.memory", "bug", "memory", set()),
        (OVERLAY, "fs.overlay", "bug", "filesystem", {"revert"}),
        (CPUSET, "cg.cpuset", "feature", "cpu", set()),
        (USERNS, "ns.user", "feature", "identity", set()),
    ],
    ids=lambda value: value.id if isinstance(value, Item) else None,
)
def test_clear_cut_changes(item: Item, mechanism: str, kind: str, dimension: str, flags: set[str]) -> None:
    """A change that nobody could mistake has the labels that anybody would give it."""
    [found] = shipped_classifier().classify([item])
    check_sound(found)
    assert labels_of(found, "relevant") == {"yes"}
    assert mechanism in labels_of(found, "mechanism")
    assert labels_of(found, "kind") == {kind}
    assert dimension in labels_of(found, "dimension")
    assert flags <= labels_of(found, "flag")


@pytest.mark.parametrize(
    "item",
    [
        NVME,
        Item("acpi", "ACPI: walk the namespace", "The ACPI namespace holds devices.", ("drivers/acpi/scan.c",)),
        Item("symbols", "usb: use EXPORT_SYMBOL_NS", "Move the symbols into a symbol namespace.", ("drivers/usb/a.c",)),
        Item("container_of", "rtc: use container_of", "Use container_of instead of a cast.", ("drivers/rtc/a.c",)),
        Item("vxlan", "libnetwork/drivers/overlay: fix vxlan id", "The overlay network's vxlan id was wrong.",
             ("libnetwork/drivers/overlay/ov_network.go",)),
        Item("suspend", "PM: fix hibernation", "Tasks stay in the refrigerator of suspend.",
             ("kernel/power/process.c",)),
        Item("edac", "edac: memory controller of a chipset", "The memory controller's DIMMs.", ("drivers/edac/a.c",)),
    ],
    ids=lambda item: item.id,
)  # fmt: skip
def test_other_meanings_of_the_same_words(item: Item) -> None:
    """NVMe's and ACPI's namespaces, a network's overlay, suspend's freezer and their like are not relevant."""
    [found] = shipped_classifier().classify([item])
    assert labels_of(found, "relevant") == {"no"}
    assert any(vote.axis == "homonym" for vote in found.votes)


@BOTH
def test_every_label_says_why(with_model: bool) -> None:
    """Each mechanism given was voted for, with evidence; the model's votes say which words made them."""
    for found in shipped_classifier(with_model).classify(CLEAR):
        check_sound(found)
        for label in labels_of(found, "mechanism"):
            votes = [vote for vote in found.votes if (vote.axis, vote.label) == ("mechanism", label)]
            assert any(vote.evidence for vote in votes)
            assert {vote.voter for vote in votes} <= {*VOTERS, "model"}
            assert ("model" in {vote.voter for vote in votes}) is with_model


def test_the_model_says_what_made_it_vote() -> None:
    """The evidence of the model's vote names features of the change with what they add to its log-odds."""
    [found] = shipped_classifier().classify([MEMCG])
    [vote] = [v for v in found.votes if (v.axis, v.label, v.voter) == ("mechanism", "cg.memory", "model")]
    assert vote.score > 0.5
    assert "+" in vote.evidence
    assert "mem" in vote.evidence
    assert vote.version != found.version


@BOTH
def test_order_and_ids(with_model: bool) -> None:
    """Labels come in the order of the changes, under their ids, those of unknown ones in their places."""
    items = [Item("none", "", ""), MEMCG, Item("1", "!!!", "123"), MEMCG, Item("", "", "", ())]
    found = shipped_classifier(with_model).classify(items)
    assert [one.id for one in found] == ["none", "memcg", "1", "memcg", ""]
    assert [bool(one.unknown) for one in found] == [True, False, True, False, True]
    assert replace(found[1]) == found[3]
    assert shipped_classifier(with_model).classify([]) == []


@BOTH
def test_company_does_not_matter(with_model: bool) -> None:
    """A change is labelled the same alone and among others."""
    classifier = shipped_classifier(with_model)
    together = classifier.classify([*CLEAR, Item("x", "", "")])
    alone = [classifier.classify([item])[0] for item in (*CLEAR, Item("x", "", ""))]
    for one, other in zip(together, alone, strict=True):
        assert [(a.axis, a.label) for a in one.labels] == [(b.axis, b.label) for b in other.labels]
        for a, b in zip(one.labels, other.labels, strict=True):
            assert a.score == pytest.approx(b.score, abs=2e-4)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (Item("a", "", ""), "no text"),
        (Item("a", " \n", "\t\n\0"), "no text"),
        (Item("a", "123 456", "+-*/ 0x \n 99".replace("x", "0")), "no words"),
        (Item("a", "\x01\x02", "\x1b[1;31m".replace("m", "")), "no words"),
    ],
)
@BOTH
def test_what_is_unknown(item: Item, why: str, with_model: bool) -> None:
    """What has nothing to go by is marked unknown, with the reason, and has no labels."""
    [found] = shipped_classifier(with_model).classify([item])
    assert why in found.unknown
    assert (found.labels, found.votes) == ((), ())


def test_files_alone_are_enough() -> None:
    """A change without a text is labelled by its files."""
    [found] = shipped_classifier().classify([Item("a", "", "", ("mm/memcontrol.c",))])
    assert not found.unknown
    assert labels_of(found, "mechanism") == {"cg.memory"}


HOSTILE = {
    "binary": bytes(range(256)).decode("latin-1"),
    "chinese": "内存控制组的修复 memcg\n",
    "control sequences": "\x1b[31m\x07\x1b]0;title\x07 memcg\r",
    "lone surrogates": "\udc80 \ud800memcg ",
    "nul": "\0",
    "words": "memcg of a namespace\n",
    "one word": "memcg_",
    "slashes": "a/",
    "brackets": "[",
    "colons": "a: ",
    "trailers": "Reported-by: A <a@example.org>\n",
    "diffs": "diff --git a/mm/memcontrol.c b/mm/memcontrol.c\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@BOTH
def test_five_megabytes_of_anything(piece: str, with_model: bool) -> None:
    """A change of 5 MB, in title, text or file names, is labelled or unknown, in well under a second."""
    huge = piece * (5_000_000 // len(piece))
    items = [Item("1", huge, huge), Item("2", "", huge), Item("3", "ovl: fix", huge), Item("4", "", "", (huge,) * 500)]
    classifier = shipped_classifier(with_model)
    started = time.process_time()
    for found in classifier.classify(items):
        check_sound(found)
    assert time.process_time() - started < 3.0


ANY = st.text(st.characters(exclude_categories=()), max_size=200)


@settings(max_examples=150)
@given(ANY, ANY, st.lists(ANY, max_size=4))
def test_any_change_can_be_labelled(title: str, text: str, files: list[str]) -> None:
    """No title, text or file name, lone surrogates among them, makes labelling fail or contradict itself."""
    item = Item("1", title, text, tuple(files))
    for with_model in (True, False):
        [found] = shipped_classifier(with_model).classify([item])
        check_sound(found)


def test_versions() -> None:
    """The version is known without loading a model, and tells rules alone from rules with a model."""
    assert load_version() == shipped_classifier().version
    assert load_version(with_model=False) == shipped_classifier(with_model=False).version
    assert load_version() != load_version(with_model=False)


def test_a_users_own_model_has_a_version_of_its_own(own_model: Path) -> None:
    """A model in the user's folder is used instead of the shipped one; other weights are another version."""
    assert model_folder() == own_model
    before = load_version()
    assert before == shipped_classifier().version
    meta = json.loads((own_model / "pipeline" / "meta.json").read_text())
    meta["kminer"]["version"] = "other"
    (own_model / "pipeline" / "meta.json").write_text(json.dumps(meta))
    assert load_version() != before


def test_a_users_own_rules_are_another_version(home: Path) -> None:
    """A source file of the user's, with paths of its own, makes another version: what it tracks is a rule."""
    before = load_version(with_model=False)
    write_source()
    assert load_version(with_model=False) != before


def test_loading_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is loaded where not even a socket can be made."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked for")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    assert load_classifier().classify([MEMCG])[0].labels


# The combination


@pytest.fixture(scope="module")
def axes() -> Axes:
    return Axes.of(labelbook.load_labels())


def shipped_combination() -> Combination:
    return Combination.from_json(json.loads((SHIPPED_MODEL / "combination.json").read_text()))


def ballot(axes: Axes, votes: list[RuleVotes], chance: float = 0.02, **model: dict[str, float]) -> Ballot:
    """Rules' votes, and a model that gives `chance` to all but what `model` names: mechanism={"cg.io": 0.9}."""
    scores = {axis: np.full((len(votes), len(axes.labels[axis])), chance, np.float32) for axis in AXES}
    for axis, given_to in model.items():
        for label, score in given_to.items():
            scores[axis][:, axes.labels[axis].index(label)] = score
    return count_votes(axes, votes, scores, [True] * len(votes), [True] * len(votes))


def test_counting_votes(axes: Axes) -> None:
    """Each vote lands at its label and voter, other meanings are counted, facts are kept."""
    one, other = RuleVotes(), RuleVotes()
    one.add("mechanism", "cg.io", "prefix", 0.5, "io")
    one.add("homonym", "nvme", "text", 1.0, "nvme")
    one.add("homonym", "acpi", "text", 1.0, "acpi")
    other.add("kind", "bug", "first-word", 1.0, "fix")
    scores = {axis: np.zeros((2, len(axes.labels[axis])), np.float32) for axis in AXES}
    counted = count_votes(axes, [one, other], scores, [True, False], [False, True])
    assert counted.rules["mechanism"][0, axes.labels["mechanism"].index("cg.io"), VOTERS.index("prefix")] == 0.5
    assert counted.rules["kind"][1, axes.labels["kind"].index("bug"), VOTERS.index("first-word")] == 1.0
    assert sum(float(values.sum()) for values in counted.rules.values()) == 1.5
    assert counted.facts.tolist() == [[2, 1, 0], [0, 0, 1]]


def test_more_votes_make_a_label_likelier(axes: Axes) -> None:
    """A label that a path, a prefix and the title vote for is likelier than one that nobody does."""
    full, empty = RuleVotes(), RuleVotes()
    for voter in ("path", "prefix", "title"):
        full.add("mechanism", "cg.memory", voter, 1.0, "memcg")
    decided = shipped_combination().decide(axes, ballot(axes, [empty, full]))
    place = axes.labels["mechanism"].index("cg.memory")
    assert decided["mechanism"][1, place] > decided["mechanism"][0, place] + 0.3
    assert decided["relevant"][1, 0] > decided["relevant"][0, 0] + 0.1
    memory = axes.labels["dimension"].index("memory")
    assert decided["dimension"][1, memory] > decided["dimension"][0, memory]


def test_probabilities(axes: Axes) -> None:
    """What is decided are probabilities, and those of the kinds add up to one."""
    votes = [RuleVotes() for _ in range(3)]
    for chance in (0.0, 1e-9, 0.5, 1.0):
        decided = shipped_combination().decide(axes, ballot(axes, votes, chance))
        for axis in AXES:
            assert decided[axis].shape == (3, len(axes.labels[axis]))
            assert np.isfinite(decided[axis]).all()
            assert ((decided[axis] >= 0) & (decided[axis] <= 1)).all()
        assert decided["kind"].sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("relevant", "mechanism", "given_labels"),
    [
        (0.9, {"cg.io": 0.7, "cg.cpu": 0.6, "ns.user": 0.4}, ["cg.cpu", "cg.io"]),
        (0.9, {"cg.io": 0.4, "cg.cpu": 0.3}, ["cg.io"]),
        (0.9, {"cg.io": 0.2}, []),
        (0.4, {"cg.io": 0.9}, []),
    ],
)
def test_which_labels_are_given(
    axes: Axes, relevant: float, mechanism: dict[str, float], given_labels: list[str]
) -> None:
    """Labels from their threshold on; else the likeliest mechanism alone; none for what is not relevant."""
    combination = Combination(
        {}, {"relevant": 0.5, "mechanism": 0.5, "only mechanism": 0.25, "dimension": 0.5, "flag": 0.5}
    )
    decided = {axis: np.zeros((1, len(axes.labels[axis])), np.float32) for axis in AXES}
    decided["relevant"][:] = relevant
    decided["kind"][0, axes.labels["kind"].index("performance")] = 0.3
    decided["flag"][0, axes.labels["flag"].index("revert")] = 0.8
    for label, score in mechanism.items():
        decided["mechanism"][0, axes.labels["mechanism"].index(label)] = score
    found = combination.given(axes, decided, 0)
    assert sorted(found["mechanism"]) == given_labels
    assert found["relevant"] == (["yes"] if relevant >= 0.5 else [])
    assert (found["kind"], found["flag"], found["dimension"]) == (["performance"], ["revert"], [])


def test_a_combination_as_json(axes: Axes) -> None:
    """Written and read again, a combination decides alike."""
    combination = shipped_combination()
    again = Combination.from_json(json.loads(json.dumps(combination.to_json())))
    votes = ballot(axes, [RuleVotes()], 0.3)
    for axis in AXES:
        assert (again.decide(axes, votes)[axis] == combination.decide(axes, votes)[axis]).all()
    assert again.thresholds == combination.thresholds


def test_logits_are_bounded() -> None:
    """Certainty is no infinity."""
    assert np.abs(logit(np.array([0.0, 1.0, 0.5], np.float32))).max() < 10
    assert logit(np.array([0.5], np.float32))[0] == pytest.approx(0)


# A missing, damaged or ill-fitting model


@pytest.fixture
def own_model(home: Path) -> Path:
    """A copy of the shipped model as the user's own."""
    target = home / "xdg_config_home" / "kminer" / "data" / "model"
    shutil.copytree(SHIPPED_MODEL, target)
    return target


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _garble(file: Path) -> None:
    file.write_bytes(b"\x00\xff{garbage" * 20)


def _delete(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [_truncate, _garble, _delete, _empty], ids=lambda f: f.__name__[1:])
@pytest.mark.parametrize(
    "file",
    [
        "combination.json", "pipeline/meta.json", "pipeline/config.cfg", "pipeline/textcat/model",
        "pipeline/textcat/cfg", "pipeline/textcat_multilabel/model",
    ],
)  # fmt: skip
def test_a_damaged_model(own_model: Path, file: str, damage: Callable[[Path], None]) -> None:
    """A file of the model that is cut short, garbled, empty or gone is a ModelError of one line that says what next."""
    damage(own_model / file)
    with pytest.raises(ModelError) as caught:
        load_classifier().classify([MEMCG])
    assert "\n" not in caught.value.what
    assert str(own_model) in caught.value.where
    assert "kminer train" in caught.value.next
    assert caught.value.exit_code == 1


def test_a_combination_without_an_axis(own_model: Path) -> None:
    """A combination that lacks the weights of an axis, or has too few, is refused when it is loaded."""
    file = own_model / "combination.json"
    whole = json.loads(file.read_text())
    lacking = whole | {"weights": {axis: weights for axis, weights in whole["weights"].items() if axis != "kind"}}
    short = whole | {"weights": whole["weights"] | {"kind": whole["weights"]["kind"][:-3]}}
    for broken in (lacking, short, whole | {"thresholds": {}}):
        file.write_text(json.dumps(broken))
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_classifier()


@pytest.mark.parametrize(
    ("axis", "labels", "told"),
    [
        ("mechanism", lambda known: (*known, "cg.new"), "mechanism cg.new"),
        ("dimension", lambda known: known[1:], "dimension cpu"),
        ("kind", lambda known: (*known[:-1], "chore"), "chore"),
        ("mechanism", lambda known: known[::-1], "their order"),
    ],
)
def test_a_model_of_other_labels(
    axes: Axes, axis: str, labels: Callable[[tuple[str, ...]], tuple[str, ...]], told: str
) -> None:
    """A model that was trained for another set of labels is refused, and which labels differ is said."""
    other = Axes(axes.labels | {axis: labels(axes.labels[axis])}, axes.natural)
    with pytest.raises(ModelError, match="does not fit the taxonomy") as caught:
        load(other, SHIPPED_MODEL)
    assert told in caught.value.what
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("what", ["empty", "damaged"])
def test_a_broken_model_on_the_command_line(kminer: Kminer, own_model: Path, what: str) -> None:
    """Without a model that can be read, labelling ends with 1 and one line of what, where and what next."""
    if what == "empty":
        shutil.rmtree(own_model)
        own_model.mkdir()
    else:
        _truncate(own_model / "pipeline" / "textcat" / "model")
    done = kminer("classify", "--jsonl", input=json.dumps({"id": "1", "title": "memcg: fix"}) + "\n")
    check_failure(done, 1, "error: ", own_model, "--no-model")
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 3, done.stderr
    done = kminer("classify", "--jsonl", "--no-model", input=json.dumps({"id": "1", "title": "memcg: fix"}) + "\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["mechanism"] == ["cg.memory"]


def test_a_sync_with_a_broken_model(kminer: Kminer, own_model: Path, repo: GitRepo, database: Path) -> None:
    """What a sync brought is stored even where it cannot be labelled; the exit code tells."""
    write_source()
    write_history(repo)
    _delete(own_model / "combination.json")
    done = kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}")
    check_failure(done, 1, "stored but not labelled", own_model)
    assert ask(database, "SELECT count(*) FROM changes") == [(4,)]
    assert ask(database, "SELECT count(*) FROM labels") == [(0,)]


# What is imported


def test_no_spacy_unless_to_label(kminer: Kminer, repo: GitRepo, database: Path) -> None:
    """Commands that label nothing import neither spaCy nor thinc nor numpy."""
    write_source()
    key = write_history(repo)[0]
    done = kminer("--db", database, "sync", "sample", "--no-labels", "--repo", f"sample={repo.path}")
    assert done.returncode == 0, done.stderr
    lines = [["--help"], ["query"], ["query", "releases", "--format", "csv"], ["show", key], ["search", "widget"],
             ["classify", "--help"], ["train", "--help"], ["label", "--list"], ["sources"]]  # fmt: skip
    program = (
        "import sys\nfrom kminer.cli import main\n"
        f"for words in {lines!r}:\n"
        f"    main(['--db', {str(database)!r}, *words], prog_name='kminer', standalone_mode=False)\n"
        "    print('HEAVY', words[0], [name for name in ('spacy', 'thinc', 'numpy', 'sklearn', 'ahocorasick')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = [line for line in done.stdout.splitlines() if line.startswith("HEAVY")]
    assert heavy == [f"HEAVY {words[0]} []" for words in lines]
    assert key in done.stdout


def test_nothing_imports_spacy_where_nothing_is_new(kminer: Kminer, repo: GitRepo, database: Path) -> None:
    """A second run that finds all labelled does not load spaCy: it costs no more than its start."""
    write_source()
    write_history(repo)
    assert kminer("--db", database, "sync", "sample", "--repo", f"sample={repo.path}").returncode == 0
    words = ["--db", str(database), "classify", "--json"]
    program = (
        f"import sys\nfrom kminer.cli import main\nmain({words!r}, prog_name='kminer', standalone_mode=False)\n"
        "print([name for name in ('spacy', 'thinc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert '"known": 4' in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_shipped_model_is_small() -> None:
    """The model takes at most 8 MB, and comes with a card."""
    files = [file for file in SHIPPED_MODEL.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 8_000_000
    assert (SHIPPED_MODEL / "README.md").read_text().startswith("# Model card")
    assert os.access(SHIPPED_MODEL, os.R_OK)
