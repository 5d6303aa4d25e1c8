"""The rules' votes: words in texts, tracked paths, title prefixes, other meanings of the same words, kinds."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled import CLEAR, MEMCG, NVME, labels_of, shipped_classifier
from syncing import sample_source

from kminer import catalogue, labelbook
from kminer.classify.document import Document, read_document
from kminer.classify.paths import PathRules
from kminer.classify.rules import RuleBook, RuleVotes, load_rule_book
from kminer.classify.words import WordFinder
from kminer.records import Homonym, Item, KindRule, MechanismRule, Rules, TrackedPath


def found_in(words: Sequence[str], text: str) -> Counter[tuple[str, int, int]]:
    """(word, start, end) of all that a finder finds, how often."""
    finder = WordFinder((word, word) for word in words)
    return Counter((word, hit.start, hit.end) for hit in finder.find(text) for word in hit.means)


def plainly_found(words: Sequence[str], text: str) -> Counter[tuple[str, int, int]]:
    """The same by one regular expression a word."""
    found: Counter[tuple[str, int, int]] = Counter()
    for word in words:
        plain = word.strip("*").lower()
        start = "" if word.startswith("*") or not re.match(r"[a-z0-9_]", plain) else r"(?<![a-z0-9_])"
        end = "" if word.endswith("*") or not re.search(r"[a-z0-9_]$", plain) else r"(?![a-z0-9_])"
        for match in re.finditer(f"(?={start}({re.escape(plain)}){end})", text):
            found[word, match.start(1), match.end(1)] += 1
    return found


@pytest.mark.parametrize(
    ("word", "text", "there"),
    [
        ("memcg", "memcg", True),
        ("MemCG", "the memcg.", True),
        ("memcg", "memcgs", False),
        ("memcg", "mem_memcg", False),
        ("memcg*", "memcgs", True),
        ("*memcg", "nonmemcg", True),
        ("*memcg*", "nonmemcgs", True),
        ("memory cgroup*", "a memory cgroups", True),
        ("memory cgroup", "memory  cgroup", False),
        ("--uts", "run --uts host", True),
        ("--uts", "x--uts", True),
        ("--uts", "--utsx", False),
        ("utsname()", "utsname()x", True),
        ("net->*", "net->ipv4", True),
        ("css", "内存css控制", True),
        ("css", "", False),
    ],
)
def test_where_a_word_stands(word: str, text: str, there: bool) -> None:
    """A word stands alone unless a star opens it; what does not begin or end with a letter needs no gap there."""
    assert bool(found_in([word], text)) is there


def test_words_within_words_are_all_found() -> None:
    """A phrase, its part, and a word that overlaps both are found, each where it stands."""
    text = "user namespace of a namespace"
    assert found_in(["user namespace", "namespace", "user*", "space"], text) == Counter(
        {("user namespace", 0, 14): 1, ("namespace", 5, 14): 1, ("namespace", 20, 29): 1, ("user*", 0, 4): 1}
    )


def test_one_word_with_several_meanings() -> None:
    """A word keeps all its meanings, and those of its open form apart from them."""
    finder = WordFinder([("css", "one"), ("css", "two"), ("css*", "open")])
    assert sorted(meaning for hit in finder.find("a css") for meaning in hit.means) == ["one", "open", "two"]
    assert [meaning for hit in finder.find("csses") for meaning in hit.means] == ["open"]


def test_no_words() -> None:
    """A finder without words finds nothing."""
    assert list(WordFinder[str]([]).find("anything")) == []


PARTS = st.sampled_from(["a", "ab", "ba", "aa", "net", "ns", "_", "-", "9", " ", "é", ".", "(", "net ns"])
WORDS = st.builds(
    lambda start, parts, end: start + "".join(parts).strip() + end,
    st.sampled_from(["", "*"]), st.lists(PARTS, min_size=1, max_size=3), st.sampled_from(["", "*"]),
).filter(lambda word: word.strip("*"))  # fmt: skip


@given(st.lists(WORDS, max_size=8, unique=True), st.lists(PARTS, max_size=16).map("".join))
def test_all_at_once_finds_what_one_by_one_finds(words: list[str], text: str) -> None:
    """One pass finds every word where a regular expression a word finds it, overlaps included."""
    assert found_in(words, text) == plainly_found(words, text)


@given(st.text(max_size=300))
def test_the_shipped_words_in_any_text(text: str) -> None:
    """The shipped terms are found in any text as plain expressions find them."""
    words = [term for rule in labelbook.load_rules().mechanisms.values() for term in rule.terms][::40]
    lowered = text.lower().replace("\n", " ") + " memcg userns "
    assert found_in(words, lowered) == plainly_found(words, lowered)


PATHS = PathRules(
    [
        sample_source(
            TrackedPath("mm/memcontrol.c", was=("mm/memcg_old.c",), mechanisms=("cg.memory",)),
            TrackedPath("kernel/cgroup/", was=("kernel/cgroup.c",), mechanisms=("cg.core",)),
            TrackedPath("kernel/cgroup/cpuset*.c", mechanisms=("cg.cpuset",)),
            TrackedPath("fs/*/namespace.c", mechanisms=("ns.mnt",)),
            TrackedPath("include/linux/two.h", mechanisms=("ns.uts", "ns.ipc")),
            project="linux",
        ),
        sample_source(
            TrackedPath("daemon/", mechanisms=("mgmt.runtime",)),
            TrackedPath("daemon/graphdriver/", mechanisms=("fs.driver",)),
            TrackedPath("kernel/", mechanisms=("sec.lsm",)),
            id="engine",
            project="docker",
        ),
    ]
)


@pytest.mark.parametrize(
    ("file", "mechanisms"),
    [
        ("mm/memcontrol.c", ("cg.memory",)),
        ("mm/memcg_old.c", ("cg.memory",)),
        ("mm/memcontrol.c.orig", ()),
        ("mm/memcontrol", ()),
        ("xmm/memcontrol.c", ()),
        ("kernel/cgroup/rstat.c", ("cg.core",)),
        ("kernel/cgroup/deep/er.c", ("cg.core",)),
        ("kernel/cgroup.c", ("cg.core",)),
        ("kernel/cgroups.c", ()),
        ("kernel/cgroup/cpuset.c", ("cg.cpuset",)),
        ("kernel/cgroup/cpuset-v1.c", ("cg.cpuset",)),
        ("kernel/cgroup/sub/cpuset.c", ("cg.core",)),
        ("fs/proc/namespace.c", ("ns.mnt",)),
        ("fs/a/b/namespace.c", ()),
        ("include/linux/two.h", ("ns.uts", "ns.ipc")),
        ("daemon/start.go", ("mgmt.runtime",)),
        ("daemon/graphdriver/overlay2/overlay.go", ("fs.driver",)),
        ("kernel/other.c", ()),
        ("kernel/", ()),
        ("", ()),
        ("/", ()),
    ],
)
def test_mechanisms_of_files(file: str, mechanisms: tuple[str, ...]) -> None:
    """The most specific tracked path counts, old names too; kernel and engine paths stay apart."""
    assert PATHS.mechanisms_of(file) == mechanisms


@pytest.mark.parametrize("source", ["linux", "docker", "runc", "containerd", "lxcfs"])
def test_every_tracked_path_belongs_to_its_mechanism(source: str) -> None:
    """Each tracked path of the shipped sources, by itself, is given the mechanisms that its file says."""
    book = load_rule_book()
    missed = []
    for path in catalogue.load_sources()[source].paths:
        if path.mechanisms and not any(character in path.path for character in "*?["):
            file = path.path + "some.c" if path.path.endswith("/") else path.path
            votes = vote(book, "t", "", file).votes
            if not any(axis == "mechanism" and voter == "path" for axis, _, voter in votes):
                missed.append(path.path)
    assert not missed


NONE = KindRule((), (), (), ())
RULES = Rules(
    mechanisms={
        "cg.memory": MechanismRule(("memcg", "mm/deep", "kmem*"), ("memcg*", "memory cgroup")),
        "ns.user": MechanismRule(("userns",), ("user namespace*", "memcg owner")),
    },
    homonyms={"nvme": Homonym("of a disk", ("nvme*",), ("nvme*",), ("drivers/nvme/",))},
    kinds={
        "feature": KindRule(("add", "make"), ("support for",), ("this adds",), ()),
        "bug": KindRule(("fix",), ("leak*",), ("crash*",), ("fixes", "cc-stable")),
    },
    flags={"security": KindRule((), ("cve-*",), ("attacker*",), ())},
)
BOOK = RuleBook(RULES, PATHS)


def vote(book: RuleBook, title: str, text: str = "", *files: str) -> RuleVotes:
    """The votes of `book` on a change."""
    return book.vote(read_document(title, text, files))


def test_votes_of_prefixes() -> None:
    """A prefix votes whole or in part, or by how it begins where a star opens it; elsewhere it does not."""
    for title in ("memcg: x", "mm/memcg: x", "mm, memcg: x", "MemCG : x", "[PATCH] [memcg] x", "mm: memcg: x"):
        assert ("mechanism", "cg.memory", "prefix") in vote(BOOK, title).votes, title
    for title in ("kmem: x", "kmemleak: x", "mm/deep: x"):
        assert ("mechanism", "cg.memory", "prefix") in vote(BOOK, title).votes, title
    for title in ("x memcg: y", "memcgs: x", "deep: x", "akmem: x", "memcg x"):
        assert ("mechanism", "cg.memory", "prefix") not in vote(BOOK, title).votes, title
    assert vote(BOOK, "mm/memcg: x").votes["mechanism", "cg.memory", "prefix"] == (1.0, "memcg")


@pytest.mark.parametrize(("times", "score"), [(1, 0.5), (2, 0.75), (3, 0.75), (4, 1.0), (50, 1.0)])
def test_votes_of_words_in_a_message(times: int, score: float) -> None:
    """The more often a message names a mechanism, the stronger the vote; what was found is its evidence."""
    votes = vote(BOOK, "x", "It is memcgs.\n" * times).votes
    assert votes["mechanism", "cg.memory", "text"] == (score, "memcg")
    assert ("mechanism", "cg.memory", "title") not in votes


def test_votes_of_words_in_a_title() -> None:
    """A word of a title is a strong vote; a prefix is not read a second time as a word."""
    votes = vote(BOOK, "limit the memory cgroup").votes
    assert votes["mechanism", "cg.memory", "title"] == (1.0, "memory cgroup")
    assert ("mechanism", "cg.memory", "title") not in vote(BOOK, "memcg: limit").votes


def test_a_phrase_over_a_line_end() -> None:
    """A phrase is found where the message breaks the line within it."""
    assert ("mechanism", "cg.memory", "text") in vote(BOOK, "x", "the memory\ncgroup").votes


def test_votes_of_paths() -> None:
    """A path's vote is the share of files that belong to the mechanism, with the first of them as evidence."""
    votes = vote(BOOK, "x", "", "README", "kernel/cgroup/a.c", "kernel/cgroup/b.c", "mm/memcontrol.c").votes
    assert votes["mechanism", "cg.core", "path"] == (0.5, "kernel/cgroup/a.c")
    assert votes["mechanism", "cg.memory", "path"] == (0.25, "mm/memcontrol.c")


def test_votes_on_the_kind() -> None:
    """First word, title, message and trailers each claim a kind; words that count in one do not in the other."""
    votes = vote(BOOK, "memcg: Fix support for leaks", "It crashed. This adds x.\n\nCc: stable@x.org\n").votes
    assert {key[1:] for key in votes if key[0] == "kind"} == {
        ("bug", "first-word"), ("feature", "title"), ("bug", "title"), ("bug", "text"), ("feature", "text"),
        ("bug", "trailer"),
    }  # fmt: skip
    votes = vote(BOOK, "crash", "support for leaks; fix").votes
    assert not [key for key in votes if key[0] == "kind"]


def test_votes_of_other_meanings() -> None:
    """Another meaning is voted for by a word, a prefix, and the folder of the first file."""
    assert ("homonym", "nvme", "text") in vote(BOOK, "x", "an nvme namespace").votes
    assert ("homonym", "nvme", "prefix") in vote(BOOK, "nvme-tcp: x").votes
    assert ("homonym", "nvme", "path") in vote(BOOK, "x", "", "drivers/nvme/a.c", "mm/a.c").votes
    assert ("homonym", "nvme", "path") not in vote(BOOK, "x", "", "mm/a.c", "drivers/nvme/a.c").votes


def test_the_highest_vote_of_a_voter_stays() -> None:
    """Two reasons of one voter for one label are one vote: the stronger."""
    votes = RuleVotes()
    for score in (0.4, 0.9, 0.2):
        votes.add("mechanism", "cg.core", "path", score, str(score))
    assert votes.votes == {("mechanism", "cg.core", "path"): (0.9, "0.9")}


def test_every_shipped_prefix_can_vote() -> None:
    """Each prefix of data/rules is one that a title can have: it votes for what it stands for."""
    book, rules = load_rule_book(), labelbook.load_rules()
    owners = [("mechanism", name, rule.prefixes) for name, rule in rules.mechanisms.items()]
    owners += [("homonym", name, rule.prefixes) for name, rule in rules.homonyms.items()]
    missed = [
        prefix for axis, name, prefixes in owners for prefix in prefixes
        if (axis, name, "prefix") not in vote(book, f"{prefix.rstrip('*')}: x").votes
    ]  # fmt: skip
    assert not missed


def test_every_shipped_word_can_vote() -> None:
    """Each term of data/rules, and of the features, votes where a message or title holds it."""
    book, rules = load_rule_book(), labelbook.load_rules()
    owners = [("mechanism", name, word) for name, rule in rules.mechanisms.items() for word in rule.terms]
    owners += [("homonym", name, word) for name, rule in rules.homonyms.items() for word in rule.words]
    owners += [(axis, name, word) for axis, claims in (("kind", rules.kinds), ("flag", rules.flags))
               for name, claim in claims.items() for word in claim.terms]  # fmt: skip
    missed = [
        word for axis, name, word in owners
        if (axis, name, "text") not in vote(book, "t", f"say {word.strip('*')} here").votes
    ]  # fmt: skip
    assert not missed
    assert len(owners) > 1000


def test_stars_stand_at_an_end_only() -> None:
    """A star within a term would be taken as it stands, and never be met."""
    rules = labelbook.load_rules()
    terms = [term for rule in rules.mechanisms.values() for term in (*rule.terms, *rule.prefixes)]
    terms += [term for rule in rules.homonyms.values() for term in (*rule.words, *rule.prefixes)]
    terms += [term for claims in (rules.kinds, rules.flags) for claim in claims.values()
              for term in (*claim.first, *claim.titles, *claim.terms, *claim.trailers)]  # fmt: skip
    assert not [term for term in terms if "*" in term.strip("*")]


@pytest.mark.parametrize("item", CLEAR, ids=lambda item: item.id)
def test_the_evidence_of_a_vote_is_in_the_change(item: Item) -> None:
    """What made a rule vote can be found in the change."""
    votes = vote(load_rule_book(), item.title, item.text, *item.files).votes
    written = " ".join([item.title, item.text, *item.files]).lower().replace("\n", " ")
    assert votes
    for (axis, label, voter), (score, evidence) in votes.items():
        assert 0 < score <= 1
        known = "cc: " if evidence == "cc-stable" else evidence.lower()
        assert known in written, (axis, label, voter, evidence)


def test_by_rules_alone() -> None:
    """Without a model the firm votes decide, and words do not count where another meaning was met."""
    [memcg, nvme] = shipped_classifier(with_model=False).classify([MEMCG, NVME])
    assert labels_of(memcg, "relevant") == {"yes"}
    assert labels_of(memcg, "mechanism") == {"cg.memory"}
    assert labels_of(memcg, "dimension") == {"memory"}
    assert labels_of(memcg, "kind") == {"bug"}
    assert labels_of(nvme, "relevant") == {"no"}
    assert not labels_of(nvme, "mechanism") | labels_of(nvme, "dimension")


def test_rules_are_fast() -> None:
    """The rules' votes on 3,000 changes take no more than a second: 15,000 a second are wanted on two processors."""
    book = load_rule_book()
    documents: list[Document] = [read_document(item.title, item.text, item.files) for item in CLEAR]
    started = time.process_time()
    for _ in range(600):
        for document in documents:
            book.vote(document)
    assert time.process_time() - started < 1.0
