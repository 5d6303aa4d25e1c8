"""The tokenizer, the features of a change, and the model's architecture."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from kminer.classify.document import read_document
from kminer.classify.features import keys_of, make_doc, texts
from kminer.classify.rules import RuleVotes
from kminer.classify.tokens import NAME, split_words


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": NAME}}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CLONE_NEWUSER|CLONE_NEWNS", ["CLONE_NEWUSER", "|", "CLONE_NEWNS"]),
        ("setns(2)", ["setns", "(", "2", ")"]),
        ("setns(2", ["setns", "(", "2"]),
        ("cgroup-v2", ["cgroup-v2"]),
        ("v1->v2", ["v1", "->", "v2"]),
        ("memory.max=10ms, cpu.max.", ["memory.max", "=", "10ms", ",", "cpu.max", "."]),
        ("CVE-2024-21626!", ["CVE-2024-21626", "!"]),
        ("don't copy-up", ["don't", "copy-up"]),
        ("css->cgroup && !x || --userns", ["css", "->", "cgroup", "&&", "!", "x", "||", "--", "userns"]),
        ("/proc/self/ns", ["/", "proc", "/", "self", "/", "ns"]),
        ("-ENOMEM 50% 2.6.36", ["-", "ENOMEM", "50%", "2.6.36"]),
        ("内存 控制", ["内存", "控制"]),
        ("\x1b[31m", ["\x1b", "[", "31m"]),
        (" \n\t", []),
        ("", []),
    ],
)
def test_words(nlp: Language, text: str, words: list[str]) -> None:
    """Names of files, flags, calls and versions are split as their readers would, in the pipeline too."""
    assert split_words(text)[0] == words
    assert [token.text for token in nlp.make_doc(text)] == words


@given(st.text())
def test_no_character_is_lost(text: str) -> None:
    """The words of any text hold all its characters but white space, in order, and know where white space was."""
    words, spaces = split_words(text)
    assert "".join(words) == "".join(text.split())
    assert all(words)
    parted = "".join(word + " " * space for word, space in zip(words, spaces, strict=True))
    assert parted.split() == text.split()


@given(st.text())
def test_the_tokenizer_of_the_pipeline(text: str) -> None:
    """A Doc of any text has the words that split_words gives."""
    blank = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": NAME}}}) if not _NLP else _NLP[0]
    _NLP[:] = [blank]
    assert [token.text for token in blank.make_doc(text)] == split_words(text)[0]


_NLP: list[Language] = []


def spelled(nlp: Language, title: str, text: str, *files: str, votes: RuleVotes | None = None) -> set[str]:
    """The features of a change, in words."""
    doc = make_doc(nlp, read_document(title, text, files), votes or RuleVotes())
    known = texts(doc)
    return {known[int(key)] for key in keys_of(doc)}


def test_features_of_words(nlp: Language) -> None:
    """A change's words, their parts and pairs, and those of its title, are features, whatever their case."""
    found = spelled(nlp, "memcg: Charge swap_cache pages", "The LIMIT rose, again.")
    assert found >= {
        "charge", "swap_cache", "swap", "cache", "limit", "title: charge", "title begins: charge", "charge swap_cache",
        "title: swap_cache pages", "the limit", "rose again", "prefix memcg",
    }  # fmt: skip
    assert not found & {"title: limit", "title begins: swap_cache", "memcg", ",", "LIMIT", "pages limit"}


def test_features_beside_the_words(nlp: Language) -> None:
    """Files with their folders and endings, trailers, tags, rules' votes and lengths are features."""
    votes = RuleVotes()
    votes.add("mechanism", "cg.memory", "path", 1.0, "mm/memcontrol.c")
    found = spelled(nlp, "[PATCH v12] x", "Why.\n\nReported-by: A <a@b.c>\n", "mm/a/memcontrol.c", votes=votes)
    assert found >= {
        "file mm/a/memcontrol.c", "name memcontrol.c", "ending c", "folder mm/a", "folder mm", "tops 1", "files 1",
        "trailer reported-by", "tag patch", "tag v0", "rule mechanism cg.memory", "rule mechanism cg.memory path",
        "length 3",
    }  # fmt: skip
    assert not found & {"no code", "only tests"}


@pytest.mark.parametrize(
    ("files", "expected", "absent"),
    [
        (("docs/a.md", "b.rst"), {"only documentation", "no code"}, {"only tests"}),
        (("tests/a.sh", "x_test.go"), {"only tests", "no code"}, {"only documentation"}),
        (("vendor/a/b.go",), {"only vendor", "no code"}, {"only tests"}),
        (("vendor/a.go", "docs/x.md"), {"no code", "tops 2"}, {"only vendor", "only documentation"}),
        (("mm/a.c", "docs/x.md"), {"tops 2"}, {"no code", "only documentation"}),
        ((), {"files 0"}, {"no code", "only tests", "tops 0"}),
    ],
)
def test_what_kind_of_files(nlp: Language, files: tuple[str, ...], expected: set[str], absent: set[str]) -> None:
    """Changes of tests, documentation or vendored code alone are told from those of code."""
    found = spelled(nlp, "t", "x", *files)
    assert expected <= found
    assert not absent & found


def test_numbers_are_alike(nlp: Language) -> None:
    """A number is a number: which one it is tells nothing."""
    one, other = (make_doc(nlp, read_document(f"fix {n} leaks", "", ()), RuleVotes()) for n in (12, 99999))
    assert keys_of(one).tolist() == keys_of(other).tolist()


@given(st.text(max_size=200), st.text(max_size=400), st.lists(st.text(max_size=40), max_size=5))
def test_every_key_can_be_spelled(title: str, text: str, files: list[str]) -> None:
    """The keys of any change are ascending, each once, and each stands for something that can be shown."""
    nlp = _NLP[0] if _NLP else spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": NAME}}})
    _NLP[:] = [nlp]
    doc = make_doc(nlp, read_document(title, text, files), RuleVotes())
    keys = keys_of(doc).tolist()
    assert keys == sorted(set(keys))
    assert set(keys) == set(texts(doc))


def test_features_do_not_depend_on_the_process(kminer: object, nlp: Language) -> None:
    """The key of a feature is the same in every process and on every run: a model outlives them."""
    import subprocess
    import sys

    program = (
        "import spacy\nfrom kminer.classify import tokens, features, document, rules\n"
        "nlp = spacy.blank('en', config={'nlp': {'tokenizer': {'@tokenizers': tokens.NAME}}})\n"
        "doc = features.make_doc(nlp, document.read_document('memcg: fix a swap_cache', 'Why 1.', ['mm/x.c']),"
        " rules.RuleVotes())\nprint(features.keys_of(doc).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          env={"PYTHONHASHSEED": "7"})  # fmt: skip
    doc = make_doc(nlp, read_document("memcg: fix a swap_cache", "Why 1.", ["mm/x.c"]), RuleVotes())
    assert done.stdout.strip() == str(keys_of(doc).tolist())
