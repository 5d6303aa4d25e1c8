"""Words and phrases in messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kminer.history.words import Words


def plainly_found(words: Sequence[str], messages: Sequence[bytes]) -> set[int]:
    """The same by one regular expression a word, message by message."""
    expressions = []
    for word in words:
        text = rb"[ \t\n\r\f\v]+".join(re.escape(part.lower().encode()) for part in word.strip("*").split())
        start = b"" if word.startswith("*") else rb"(?<![a-z0-9_])"
        end = b"" if word.endswith("*") else rb"(?![a-z0-9_])"
        expressions.append(re.compile(start + text + end))
    return {i for i, message in enumerate(messages) if any(e.search(message.lower()) for e in expressions)}


@pytest.mark.parametrize(
    ("word", "message", "there"),
    [
        ("psi", "psi", True),
        ("psi", "PSI: add", True),
        ("PSI", "psi: add", True),
        ("psi", "(psi)", True),
        ("psi", "epsilon", False),
        ("psi", "psi_group", False),
        ("psi", "_psi", False),
        ("psi", "psi2", False),
        ("psi", "psi-2", True),
        ("psi", "psi\0", True),
        ("psi", "aépsiéa", True),
        ("cgroup*", "cgroups", True),
        ("cgroup*", "cgroup", True),
        ("cgroup*", "memcgroup", False),
        ("*cgroup*", "memcgroup2", True),
        ("*user_ns", "in_user_ns", True),
        ("*user_ns", "user_nsx", False),
        ("memory limit*", "memory limits", True),
        ("memory limit*", "memory\nlimit", True),
        ("memory limit*", "memory \t\r\n  limit", True),
        ("memory limit*", "memorylimit", False),
        ("memory limit*", "memory-limit", False),
        ("memory limit*", "inmemory limit", False),
        ("ns net", "net ns net", True),
        ("net ns net_ns", "net ns net ns net_ns", True),
        ("copy-up", "copy-ups", False),
        ("/proc/*", "in /proc/self", True),
        ("CVE-*", "cve-2019-1", True),
        ("*aa", "aaa", True),
        ("aba*", "xababa-aba", True),
        ("psi", "", False),
    ],
)
def test_where_a_word_stands(word: str, message: str, there: bool) -> None:
    """A word stands alone unless a star opens it, whatever its case; a space is any white space."""
    assert Words([word]).found_in([message.encode()]) == ({0} if there else set())


def test_words_do_not_run_over_from_one_message_to_the_next() -> None:
    """Messages that are searched as one text stay messages: no phrase spans two, none hides another's end."""
    messages = [b"mount", b"namespace", b"x mount namespace", b"mount\0namespace", b"", b"psi", b"psi"]
    assert Words(["mount namespace", "psi"]).found_in(messages) == {2, 5, 6}


def test_words_with_a_common_part() -> None:
    """Words that share a part are each found by their own rule."""
    words = ["*net_ns", "net namespace*", "init_net", "net", "*netns*", "pernet", "ns", "namespace of net"]
    messages = [
        b"get_net_ns",
        b"net namespaces",
        b"init_netx",
        b"subnet",
        b"xnetnsx",
        b"pernetx",
        b"a ns b",
        b"namespace of  net",
    ]
    assert Words(words).found_in(messages) == plainly_found(words, messages) == {0, 1, 4, 6, 7}


def test_no_words() -> None:
    """A source without words finds none."""
    assert Words([]).found_in([b"anything"]) == set()
    assert Words(["x"]).found_in([]) == set()


PARTS = st.sampled_from(["a", "ab", "ba", "aa", "net", "ns", "net_ns", "_", "-", "a-b", "9", "memory"])
WORDS = st.builds(
    lambda start, parts, end: start + " ".join(parts) + end,
    st.sampled_from(["", "*"]), st.lists(PARTS, min_size=1, max_size=3), st.sampled_from(["", "*"]),
)  # fmt: skip
MESSAGES = st.lists(
    st.sampled_from(
        ["a", "b", "ab", "A", "net", "ns", "NET_NS", "_", "-", "9", " ", "  ", "\n", "\t ", "\r\n", "memory", ".", "é"]
    ),
    max_size=14,
).map(lambda parts: "".join(parts).encode())


@given(st.lists(WORDS, max_size=6), st.lists(MESSAGES, max_size=8))
def test_all_at_once_finds_what_one_by_one_finds(words: list[str], messages: list[bytes]) -> None:
    """Searching many messages for many words together gives what a plain expression a word gives for each."""
    assert Words(words).found_in(messages) == plainly_found(words, messages)
