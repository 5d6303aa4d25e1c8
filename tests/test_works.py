"""The catalogue of works and of shared resources: every file loads, and what is wrong is told by file and key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kminer import catalogue, places, works
from kminer.errors import CatalogueError, UsageError
from kminer.labelbook import load_labels
from kminer.records import Paper, Resource

# What the reading note names, by the id that it has here.
NOTED = (
    "wu-survey-2019", "wu-zhixue-2017", "skyport-2014", "openlambda-2016", "xavier-2013", "xavier-2015", "ibs-2007",
    "ruan-2016", "slacker-2016", "docker-compose", "kubernetes", "docker-swarm", "omega-2013", "borg-2015",
    "mesos-2011", "twotier-2015", "lxcfs", "sock-2018", "chroot-to-namespaces", "note-docker-overlay2",
)  # fmt: skip

PAPER = """
id = "mine-2026"
kind = "paper"
title = "Mine"
authors = ["A. Person", "B. Person"]
venue = "A Journal 1(2):3-4"
year = 2026
doi = "10.1234/mine.2026"
url = "https://example.org/mine"
layer = "kernel resource"
in_note = false
checked = true
summary = "What it is about."
confidence = "high"
source = "seen"
unverified = ["pages"]

[[claims]]
id = "mine-2026.1"
statement = "One thing is missing."
kind = "gap"
dimension = "memory"
mechanisms = ["cg.memory"]
terms = ["memory.peak"]
answer = "partly"
answer_note = "It is there since."
confidence = "high"
figure = "76 %"
answered_by = ["memory.peak"]
open_while = ["memory.reclaim"]

[[claims]]
id = "mine-2026.2"
statement = "Another is slow."
kind = "cost"
dimension = "cpu"
mechanisms = ["cg.cpu"]
terms = ["cpu.max"]
answer = "unknown"
confidence = "low"
"""

RESOURCE = """
id = "vfs.mine"
title = "My table"
area = "vfs"
kind = "quantity"
counted_by = "fs.mine-max"
limited = ["user", "global"]
at_exhaustion = "ENFILE."
look = ["/proc/sys/fs/mine-max"]
leak = "yes"
leak_note = "Host-wide."
papers = ["demons-2021"]
recalled = ["kit-2023"]
terms = ["mine-max"]
confidence = "high"
source = "fs/mine.c"

[namespaced]
value = "user"
since = "4.9"
commit = "dbec28460a89"
note = "Per user."

[charged]
value = "partly"
key = "memory: slab"

[observed]
kernel = "6.18.44"
path = "/proc/sys/fs/mine-max"
same_in_new_namespaces = true
"""


def own(folder: str, name: str, text: str) -> Path:
    """Write a file into the user's own folder."""
    file = places.own(folder) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def papers() -> dict[str, Paper]:
    return works.load_papers()


@pytest.fixture(scope="module")
def resources() -> dict[str, Resource]:
    return works.load_resources()


# --- what is shipped


@pytest.mark.parametrize("name", NOTED)
def test_every_work_of_the_note_is_there_with_a_claim(papers: dict[str, Paper], name: str) -> None:
    """The reading note names it, so it is known, marked as such, and says something."""
    assert papers[name].in_note
    assert papers[name].claims


def test_the_note_names_no_other_work(papers: dict[str, Paper]) -> None:
    """What is marked as named by the note is what the note names."""
    assert {name for name, paper in papers.items() if paper.in_note} == set(NOTED)


def test_shipped_claims(papers: dict[str, Paper]) -> None:
    """A claim has two to six terms that are phrases of words; ids are unique over all works."""
    claims = [claim for paper in papers.values() for claim in paper.claims]
    assert len({claim.id for claim in claims}) == len(claims) >= 110
    for claim in claims:
        assert 2 <= len(claim.terms) <= 6, claim.id
        assert len(set(claim.terms)) == len(claim.terms), claim.id
        assert all(re.search(r"\w", term) and '"' not in term for term in claim.terms), claim.id
        assert claim.answer not in ("yes", "partly") or claim.answered_by or claim.answer_note, claim.id


def test_no_claim_of_an_unchecked_work_is_sure(papers: dict[str, Paper]) -> None:
    """Where nobody compared a work with a public text, neither it nor its claims have high confidence."""
    for paper in papers.values():
        if not paper.checked:
            assert paper.confidence != "high", paper.id
            assert all(claim.confidence != "high" and not claim.figure for claim in paper.claims), paper.id


def test_slackers_figure(papers: dict[str, Paper]) -> None:
    """The share of the start that fetching takes is kept with what it was measured on."""
    claim = papers["slacker-2016"].claims[0]
    assert "76%" in claim.statement and "76%" in claim.figure and "HelloBench" in claim.measured_on


def test_shipped_resources(resources: dict[str, Resource]) -> None:
    """A resource has one to four terms; what is charged says by which key, and a file to look at is below / ."""
    for resource in resources.values():
        assert 1 <= len(resource.terms) <= 4, resource.id
        assert len(set(resource.terms)) == len(resource.terms), resource.id
        assert resource.charged.value == "no" or resource.charged.key, resource.id
        assert all(path.startswith("/") for path in resource.look), resource.id
        assert not set(resource.papers) & set(resource.recalled), resource.id


# --- against the facts


def facts(shared: Path, name: str) -> Any:
    return json.loads((shared / "facts" / name).read_text())


@pytest.mark.shared
def test_counts(shared: Path, papers: dict[str, Paper], resources: dict[str, Resource]) -> None:
    """Every work and resource of the facts is there, and two works of the note beside."""
    known = {row["id"] for row in facts(shared, "papers.json")}
    assert set(papers) == known | {"chroot-to-namespaces", "note-docker-overlay2"}
    assert set(resources) == {row["id"] for row in facts(shared, "resources.json")["resources"]}
    checked = {row["id"]: row for row in facts(shared, "claims.json")["works"]}
    assert {name for name, paper in papers.items() if paper.checked} == set(checked)
    for name, row in checked.items():
        assert [claim.id for claim in papers[name].claims] == [claim["id"] for claim in row["claims"]]


@pytest.mark.shared
def test_corrections(shared: Path, papers: dict[str, Paper]) -> None:
    """A checked work has the corrected title, authors, venue, year and DOI."""
    first = {row["id"]: row for row in facts(shared, "papers.json")}
    for row in facts(shared, "claims.json")["works"]:
        right, paper = first[row["id"]] | row["corrections"], papers[row["id"]]
        assert paper.doi == (right["doi"] if right["doi_status"] == "verified" else ""), paper.id
        assert paper.title == right["title"], paper.id
        assert list(paper.authors) == right["authors"], paper.id
        assert paper.venue in (right["venue"], ""), paper.id
        assert paper.year in (right["year"], 0), paper.id
        assert set(row["unverified"]) <= set(paper.unverified), paper.id


@pytest.mark.shared
def test_no_unverified_doi_is_given(shared: Path, papers: dict[str, Paper]) -> None:
    """A DOI that nobody saw stands neither as one nor in an address."""
    unverified = {row["doi_unverified"] for row in facts(shared, "papers.json")} - {None}
    assert len(unverified) == 5
    for paper in papers.values():
        assert not any(doi == paper.doi or doi in paper.url for doi in unverified), paper.id


@pytest.mark.shared
def test_claims_are_those_of_the_facts(shared: Path, papers: dict[str, Paper]) -> None:
    """Statement, kind, mechanisms, answer and confidence were carried over; a recalled figure was not."""
    for row in facts(shared, "claims.json")["works"]:
        for claim, fact in zip(papers[row["id"]].claims, row["claims"], strict=True):
            assert claim.statement == fact["statement"]
            assert (claim.kind, claim.answer, claim.confidence) == (fact["kind"], fact["answer"], fact["confidence"])
            assert list(claim.mechanisms) == fact["mechanisms"]
            assert claim.dimension == fact["dimension"].replace("image", "filesystem")
            recalled = "recalled" in (fact["figure"] or "")
            assert claim.figure == ("" if recalled else fact["figure"] or "")
            assert set(fact["still_open_marker"]) == set(claim.open_while)


@pytest.mark.shared
def test_resources_are_those_of_the_facts(shared: Path, resources: dict[str, Resource]) -> None:
    """The verdicts, releases, commits and links of each resource were carried over."""
    for fact in facts(shared, "resources.json")["resources"]:
        resource = resources[fact["id"]]
        for regime, row in ((resource.namespaced, fact["namespaced"]), (resource.charged, fact["charged"])):
            assert (regime.value, regime.since or None, regime.commit or None) == (
                row["value"], row["since"], row["commit"]
            )  # fmt: skip
            assert (row["note"] or "").lower().rstrip(".") in regime.note.lower()
        assert resource.charged.key == (fact["charged"]["key"] or "")
        assert (resource.kind, resource.leak, resource.confidence) == (
            fact["kind"], fact["leak"]["value"], fact["confidence"]
        )  # fmt: skip
        assert list(resource.limited) == fact["limited"]
        assert (list(resource.papers), list(resource.recalled)) == (fact["papers"], fact["papers_from_memory"])
        same = resource.observed.same_in_new_namespaces if resource.observed else None
        assert same == fact["observed_same_in_new_namespaces"]


# --- files of one's own, and broken ones


def test_a_users_own_files_are_read_beside_the_shipped_ones(papers: dict[str, Paper]) -> None:
    """A work and a resource of one's own are added; a file of a shipped name takes the place of that one."""
    own("data/papers", "mine-2026.toml", PAPER)
    own("data/resources", "vfs.mine.toml", RESOURCE)
    own("data/papers", "kit-2023.toml", PAPER.replace("mine-2026", "kit-2023"))
    known = works.load_papers()
    assert set(known) == set(papers) | {"mine-2026"}
    assert known["kit-2023"].title == "Mine"
    mine = works.load_resources()["vfs.mine"]
    assert (mine.namespaced.since, mine.charged.key, mine.recalled) == ("4.9", "memory: slab", ("kit-2023",))
    assert mine.observed and mine.observed.same_in_new_namespaces
    assert works.find_paper("mine-2026").claims[0].answered_by == ("memory.peak",)


def test_an_unknown_work() -> None:
    """Asking for a work that is not there tells what is near, or else how one is added."""
    with pytest.raises(UsageError, match="slacker-2015") as near:
        works.find_paper("slacker-2015")
    assert "slacker-2016" in str(near.value)
    with pytest.raises(UsageError) as far:
        works.find_paper("zzzz")
    assert "zzzz.toml" in str(far.value)


PAPER_FAULTS = [
    ('title = "Mine"', "", "title"),
    ('title = "Mine"', 'titel = "Mine"', "titel"),
    ('id = "mine-2026"\n', 'id = "yours"\n', "claims.id"),
    ('kind = "paper"', 'kind = "book"', "kind"),
    ('kind = "paper"', 'kind = ["paper"]', "kind"),
    ('kind = "paper"', "", "kind"),
    ('"B. Person"', "3", "authors"),
    ("year = 2026", 'year = "2026"', "year"),
    ("year = 2026", "year = 26", "year"),
    ("year = 2026", "year = true", "year"),
    ("10.1234/mine.2026", "doi.org/10.1234", "doi"),
    ("https://example.org/mine", "javascript:alert(1)", "url"),
    ('layer = "kernel resource"', 'layer = "kernel"', "layer"),
    ("checked = true", 'checked = "yes"', "checked"),
    ('summary = "What it is about."', "", "summary"),
    ('confidence = "high"\nsource', 'confidence = "sure"\nsource', "confidence"),
    ('source = "seen"', "", "source"),
    ('["pages"]', '"pages"', "unverified"),
    ("[[claims]]", "[[claim]]", "claim"),
    ('"mine-2026.1"', '"mine.1"', "claims.id"),
    ('"mine-2026.1"', '"mine-2026.2"', "claims.id"),
    ('statement = "One thing is missing."', "", "statement"),
    ('statement = "One thing is missing."', 'said = "x"', "claims.said"),
    ('kind = "gap"', 'kind = "hole"', "claims.kind"),
    ('dimension = "memory"', 'dimension = "image"', "claims.dimension"),
    ('dimension = "memory"', 'dimension = ["memory"]', "claims.dimension"),
    ('dimension = "memory"', "", "claims.dimension"),
    ('["cg.memory"]', '["cg.memmory"]', "mechanisms"),
    ('mechanisms = ["cg.memory"]', "", "claims.mechanisms"),
    ('terms = ["memory.peak"]', "terms = []", "claims.terms"),
    ('terms = ["memory.peak"]', 'terms = [""]', "terms"),
    ('answer = "partly"', 'answer = "perhaps"', "claims.answer"),
    ('answer = "partly"', "", "claims.answer"),
    ('confidence = "high"\nfigure', 'confidence = 1\nfigure', "claims.confidence"),
    ('figure = "76 %"', "figure = 76", "figure"),
    ('answered_by = ["memory.peak"]', 'answered_by = ["memory.top"]', "claims.answered_by"),
    ('open_while = ["memory.reclaim"]', 'open_while = ["ns-cpu-rfc"]', "claims.open_while"),
]  # fmt: skip
RESOURCE_FAULTS = [
    ('title = "My table"', "", "title"),
    ('area = "vfs"', "", "area"),
    ('id = "vfs.mine"', 'id = "vfs.other"', "id"),
    ('kind = "quantity"', 'kind = "number"', "kind"),
    ('counted_by = "fs.mine-max"', "count = 1", "count"),
    ('["user", "global"]', '["everybody"]', "limited"),
    ('limited = ["user", "global"]', "", "limited"),
    ('leak = "yes"', 'leak = "maybe"', "leak"),
    ('papers = ["demons-2021"]', 'papers = ["angels-2021"]', "papers"),
    ('recalled = ["kit-2023"]', 'recalled = ["kit"]', "recalled"),
    ('terms = ["mine-max"]', "", "terms"),
    ('confidence = "high"', 'confidence = "none"', "confidence"),
    ("[namespaced]", "[namespace]", "namespace"),
    ('value = "user"', 'value = "yes"', "namespaced.value"),
    ('value = "user"', "", "namespaced.value"),
    ('since = "4.9"', 'since = "v4.9"', "namespaced.since"),
    ('since = "4.9"', "since = 4.9", "since"),
    ("dbec28460a89", "dbec", "namespaced.commit"),
    ('note = "Per user."', 'key = "memory"', "namespaced.key"),
    ('value = "partly"', 'value = "user"', "charged.value"),
    ('key = "memory: slab"', "key = 1", "key"),
    ("same_in_new_namespaces = true", "", "observed.same_in_new_namespaces"),
    ("same_in_new_namespaces = true", 'same_in_new_namespaces = "yes"', "same_in_new_namespaces"),
    ('kernel = "6.18.44"', "", "kernel"),
    ('kernel = "6.18.44"', 'host = "x"', "observed.host"),
]


@pytest.mark.parametrize(("right", "wrong", "key"), PAPER_FAULTS)
def test_a_fault_in_a_work_is_told_by_file_and_key(right: str, wrong: str, key: str) -> None:
    """Each way to get a key of a work or claim wrong names the file, the key and what to do."""
    assert right in PAPER
    refused(works.load_papers, own("data/papers", "mine-2026.toml", PAPER.replace(right, wrong, 1)), key)


@pytest.mark.parametrize(("right", "wrong", "key"), RESOURCE_FAULTS)
def test_a_fault_in_a_resource_is_told_by_file_and_key(right: str, wrong: str, key: str) -> None:
    """Each way to get a key of a resource wrong names the file, the key and what to do."""
    assert right in RESOURCE
    refused(works.load_resources, own("data/resources", "vfs.mine.toml", RESOURCE.replace(right, wrong, 1)), key)


def test_a_work_without_claims_or_under_another_name() -> None:
    """A work must say something, and its id is its file's name."""
    refused(works.load_papers, own("data/papers", "mine-2026.toml", PAPER.partition("[[claims]]")[0]), "claims")
    (places.own("data/papers") / "mine-2026.toml").unlink()
    refused(works.load_papers, own("data/papers", "slacker-2016.toml", PAPER), "id")


def refused(load: Callable[[], object], file: Path, key: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load()
    assert caught.value.where == str(file)
    assert f"`{key}`" in caught.value.what
    assert caught.value.next


# --- BibTeX


def test_bibtex_of_all_works(papers: dict[str, Paper]) -> None:
    """Each entry is whole, under a key of its own; only a verified DOI is in it, and what is unchecked says so."""
    text = "\n".join(works.bibtex(paper) for paper in papers.values())
    entries = {key: (kind, fields) for kind, key, fields in read_bibtex(text)}
    assert list(entries) == list(papers)
    for name, (_, fields) in entries.items():
        assert fields.get("doi", "") == papers[name].doi
        assert ("not checked" in fields.get("note", "")) != papers[name].checked
        assert fields["title"]
    assert {kind for kind, _ in entries.values()} == {"article", "inproceedings", "misc"}
    assert [entries[name][0] for name in ("wu-survey-2019", "slacker-2016", "docker-swarm", "kernel-locks-2025")] == [
        "article", "inproceedings", "misc", "misc"
    ]  # fmt: skip
    assert entries["slacker-2016"][1]["author"].count(" and ") == 4
    assert entries["registry-2018"][1]["author"].endswith(" and others")
    assert "year" not in entries["lxcfs"][1]


HOSTILE = (
    "100% of {braces} & more", "}}}", "{{{", "a \\ b", "\\}", "$x_1^2$ #1 ~ %", "two\nlines\x00and\x1b[31m",
    '"quoted" @misc{x, title = {y}}', "Ünïcödé 操作系统", "}\n@article{evil,",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_bibtex_of_hostile_texts(papers: dict[str, Paper], text: str) -> None:
    """Whatever a title, author or venue holds, the entry stays one entry of the same fields."""
    usual = papers["slacker-2016"]
    hostile = replace(
        usual, title=text, authors=(text, "A and B", text), venue=text, url=f"https://example.org/{{{text}"
    )
    ((_, key, fields),) = read_bibtex(works.bibtex(hostile))
    assert key == usual.id
    assert set(fields) == {"title", "author", "booktitle", "year", "url"}
    assert not re.search(r"(?<!\\)[#$%&_^~]", fields["title"])
    assert fields["author"].count(" and ") >= 2 and "{A and B}" in fields["author"]


def read_bibtex(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The entries of a text by BibTeX's own rule: a value ends where its braces are balanced, escaped or not."""
    position = 0
    while match := re.compile(r"\s*@(\w+)\{([^,\s{}]+),").match(text, position):
        fields, position = {}, match.end()
        while field := re.compile(r"\s*(\w+) = \{").match(text, position):
            end = closing(text, field.end())
            assert field[1] not in fields
            fields[field[1]] = text[field.end() : end]
            position = end + 1 + text[end + 1 :].startswith(",")
        assert re.compile(r"\s*\}\n").match(text, position), text[position : position + 80]
        position = text.index("}", position) + 1
        yield match[1], match[2], fields
    assert not text[position:].strip(), text[position:]


def closing(text: str, start: int) -> int:
    depth = 1
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise AssertionError("a brace is not closed")


def test_every_feature_and_label_named_by_a_claim_is_known(papers: dict[str, Paper]) -> None:
    """What claims refer to is in the catalogue: asked once more without the loader's own check."""
    features, labels = set(catalogue.load_features()), load_labels()
    for paper in papers.values():
        for claim in paper.claims:
            assert {*claim.answered_by, *claim.open_while} <= features
            assert set(claim.mechanisms) <= set(labels.mechanisms)
            assert claim.dimension in labels.dimensions
