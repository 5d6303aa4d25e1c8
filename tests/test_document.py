"""What of a change is read: title, prefixes, prose, trailers, files."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kminer.classify.document import FILE_LIMIT, PATH_LIMIT, TEXT_LIMIT, read_document, split_title


@pytest.mark.parametrize(
    ("title", "prefixes", "tags", "rest"),
    [
        ("fix a leak", (), (), "fix a leak"),
        ("memcg: fix a leak", ("memcg",), (), "fix a leak"),
        ("mm/memcg: fix", ("mm/memcg", "mm", "memcg"), (), "fix"),
        ("mm: memcontrol: fix", ("mm", "memcontrol"), (), "fix"),
        ("cgroup, memcg: fix", ("cgroup, memcg", "cgroup", "memcg"), (), "fix"),
        ("cgroup & memcg: fix", ("cgroup & memcg", "cgroup", "memcg"), (), "fix"),
        ("  OVL:   Fix   it ", ("ovl",), (), "Fix it"),
        ("[PATCH v2] mm/memcg: fix", ("mm/memcg", "mm", "memcg"), ("patch v2",), "fix"),
        ("Re: [RFC PATCH 1/3] ovl: fix", ("ovl",), ("rfc patch 1/3",), "fix"),
        ("[PATCH] [NETNS]: Fix", ("netns",), ("patch",), "Fix"),
        ("[NET][IPV6]: Fix", ("net", "ipv6"), (), "Fix"),
        ("[PATCH -mm 0/2] memcg: fix", ("memcg",), ("patch -mm 0/2",), "fix"),
        ("a: b: c: d: e", ("a", "b", "c"), (), "d: e"),
        ("see http://example.org", (), (), "see http://example.org"),
        ("std::string in use", (), (), "std::string in use"),
        ("[PATCH]", (), ("patch",), ""),
        ("", (), (), ""),
    ],
)
def test_titles(title: str, prefixes: tuple[str, ...], tags: tuple[str, ...], rest: str) -> None:
    """Prefixes are had whole and in parts, bracketed tags of a posted patch stand apart, the rest is the title."""
    assert split_title(title) == (prefixes, tags, rest)


def test_a_message_with_and_without_its_title_on_top() -> None:
    """A commit's message begins with its title, a note's does not; both read alike."""
    title, body = "memcg: charge pages", "Pages were not charged.\n\nNow they are."
    plain = read_document(title, body, ())
    assert plain.body == body
    assert read_document(title, f"{title}\n\n{body}\n", ()) == plain
    assert read_document("", f"{title}\n\n{body}\n", ()) == plain
    assert read_document("", f"\n\n  \n{title}\n{body}\n", ()).body == body


def test_a_title_that_runs_over_several_lines() -> None:
    """A folded title is taken from the text as a whole."""
    text = "memcg: charge pages that\nnobody has charged before\n\nThe reason.\n"
    document = read_document("memcg: charge pages that nobody has charged before", text, ())
    assert (document.title, document.body) == ("charge pages that nobody has charged before", "The reason.")


def test_trailers_are_no_prose() -> None:
    """Trailers are counted by name, and their values are not read; a colon in prose makes no trailer."""
    text = (
        "The reason: it leaked.\n\nFixes: 123456789012 (\"memcg: secretword\")\nCc: stable@vger.kernel.org\n"
        "Cc: Secretname <x@example.org>\nReported-by: A <a@example.org>\nReported-by: B <b@example.org>\n"
        "Link: https://example.org/secretword\n"
    )  # fmt: skip
    document = read_document("t", text, ())
    assert document.body == "The reason: it leaked."
    assert document.trailers == ("fixes", "cc-stable", "cc", "reported-by", "reported-by", "link")


def test_what_is_quoted_or_machine_made_is_no_prose() -> None:
    """Quotations, the headers of a mail, diffs and their statistics are left out."""
    text = (
        "From: A U Thor <a@example.org>\nDate: today\n\nThe reason.\n> a quotation\n a.c | 12 ++--\n"
        " 1 file changed, 2 insertions(+)\n create mode 100644 b.c\nThe end.\n---\n"
        "diff --git a/mm/memcontrol.c b/mm/memcontrol.c\n+int secretword;\n"
    )
    document = read_document("t", text, ())
    assert document.body.split() == ["The", "reason.", "The", "end.", "---"]
    assert document.files == ("mm/memcontrol.c",)


def test_files_that_are_given_count_before_those_of_the_diff() -> None:
    """A posted patch's own diff tells its files only where nothing else does; a file stands once."""
    text = "diff --git a/a.c b/a.c\n+1\ndiff --git a/b.c b/b.c\n+1\ndiff --git a/a.c b/a.c\n"
    assert read_document("t", text, ()).files == ("a.c", "b.c")
    assert read_document("t", text, ("given.c",)).files == ("given.c",)


def test_line_ends_and_nul() -> None:
    """CRLF is a line end, NUL is a space."""
    assert read_document("t", "one\r\ntwo\0three\r\n\r\nFixes: x\r\n", ()).body == "one\ntwo three"


@pytest.mark.parametrize(
    ("title", "text", "files", "empty"),
    [
        ("", "", (), True),
        (" \t", "\n \n", (), True),
        ("\0", "\0\0", (), True),
        ("", "", ("a.c",), False),
        ("t", "", (), False),
        ("", "t", (), False),
    ],
)
def test_nothing_to_go_by(title: str, text: str, files: tuple[str, ...], empty: bool) -> None:
    """A change without words and files is empty."""
    assert read_document(title, text, files).empty is empty


@given(st.text(), st.text(), st.lists(st.text(max_size=30), max_size=4))
def test_any_text_can_be_read(title: str, text: str, files: list[str]) -> None:
    """Whatever the text, reading gives prefixes that are small and not empty, and no word that was not there."""
    document = read_document(title, text, files)
    assert all(prefix == prefix.lower() and prefix.strip() for prefix in document.prefixes)
    assert len(set(document.prefixes)) == len(document.prefixes)
    written = f"{title}\n{text}".replace("\0", " ").replace("\r\n", "\n")
    assert set(document.body.split("\n")) <= {*written.split("\n"), *(line.strip() for line in written.split("\n")), ""}
    assert len(document.files) == len(files) or (not files and "diff --git " in text)


PIECES = st.sampled_from(
    [
        "[", "]", "[PATCH", "v2", "1/3]", "re:", "Fwd: ", "memcg", "mm/memcg:", ": ", ":", ",", "&", " + ", "/", "x",
        "é", " ",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=20).map("".join))
def test_any_title_can_be_split(title: str) -> None:
    """Splitting a title loses and invents no letter, and is done when it is done."""
    prefixes, tags, rest = split_title(title)
    assert title.replace(" ", "").endswith(rest.replace(" ", ""))
    told = "".join(prefixes) + "".join(tags) + rest.lower()
    assert set(told) <= set(title.lower()) | {" "}
    if not prefixes and not tags:
        assert rest.replace(" ", "") in title.replace(" ", "")


@pytest.mark.parametrize(
    "piece",
    ["word memcg \n", "\x00\xff\x80", "内存控制组", "\x1b[31m\x07", "\udc80\ud800 x", "a:", "\n", "[", "]", " ", "A",
     "Aa-", " | ", " a | 1 +", "diff --git a/x b/", "Signed-off-by: ", "> ", "re: [", "A-", "/"],
)  # fmt: skip
def test_five_megabytes_are_read_in_bounded_time(piece: str) -> None:
    """A message, a title and file names of 5 MB cost no more than a screen of text, whatever they repeat."""
    huge = piece * (5_000_000 // len(piece))
    started = time.process_time()
    for title, text in ((huge, huge), ("", huge), ("t", huge)):
        document = read_document(title, text, (huge,) * 1000)
        assert len(document.body) <= TEXT_LIMIT
        assert len(document.files) == FILE_LIMIT
        assert max(map(len, document.files)) <= PATH_LIMIT
        document.title.encode()
        document.body.encode()
    assert time.process_time() - started < 1.5
