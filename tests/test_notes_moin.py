"""KernelNewbies' pages as pages of notes."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutating import mutated
from syncing import sample_source

from kminer.errors import NotesError
from kminer.notes.moin import parse, plain
from kminer.records import Note, NotedRelease, Page, Reference

LINUX = sample_source(project="linux", repository="", repository_was=())
ONE, TWO = "1" * 40, "2" * 12
LINK = f"[[https://git.kernel.org/linus/{ONE}|commit]]"
OTHER = f"[[https://git.kernel.org/linus/{TWO}|commit]]"
RELEASED = "Linux 6.12 was [[https://example.org/x|released]] on Sunday, 17 November 2024.\n"


def page_of(*lines: str, name: str = "Linux_6.12") -> Page:
    """The page of these lines."""
    return parse("".join(f"{line}\n" for line in lines), name, LINUX)


def test_page() -> None:
    """A page gives its version and day, its bullets and paragraphs below their headings, and the commits they link."""
    page = page_of(
        "#pragma section-numbers on", "##a comment", RELEASED, "'''Summary''': much is new. And more.", "",
        "<<TableOfContents()>>", "= Prominent features =", "== A `new` feature ==",
        "It is [[https://lwn.net/1|good]]. See it.",
        "", f"Code: {LINK}, {OTHER}", "= Core (various) =", f" * cgroup: add a thing {LINK}, {OTHER}",
        "= File systems =", " * OVERLAYFS", f"  * Nested {LINK}", "    goes on", " * BTRFS",
    )  # fmt: skip
    one, two = Reference("commit", ONE), Reference("commit", TWO)
    assert page.releases == (NotedRelease("6.12", "2024-11-17", 1),)
    features, systems = ("Prominent features", "A new feature"), ("File systems",)
    told = [(note.form, note.section, note.title, note.references, note.depth, note.parent) for note in page.notes]
    assert told == [
        ("paragraph", (), "Summary: much is new.", (), 0, None),
        ("paragraph", features, "It is good.", (Reference("link", "https://lwn.net/1"), one, two), 0, None),
        ("bullet", ("Core (various)",), "cgroup: add a thing", (one, two), 0, None),
        ("bullet", systems, "OVERLAYFS", (), 0, None),
        ("bullet", systems, "Nested goes on", (one,), 1, 3),
        ("bullet", systems, "BTRFS", (), 0, None),
    ]
    assert page.notes[1].text == f"It is [[https://lwn.net/1|good]]. See it.\n\nCode: {LINK}, {OTHER}"
    assert page.notes[4] == Note(
        "6.12", systems, "bullet", "Nested goes on", f"Nested {LINK}\ngoes on", 17, depth=1, parent=3, references=(one,)
    )


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        (f"fix it {LINK}", "fix it"),
        (f"fix it {LINK}, {OTHER}.", "fix it"),
        (f"fix it. {LINK}", "fix it."),
        (f"fix it ({LINK}, {OTHER})", "fix it"),
        (f"fix {LINK} and mend {OTHER}", "fix and mend"),
        ("fix it [[https://git.kernel.org/linus/1234567|1]], [[https://git.kernel.org/linus/2345678|2]]", "fix it"),
        ("fix it [[http://git.kernel.org/?p=a/b.git;a=commit;h=1234567|(commit)]]", "fix it"),
        ("fix it [http://git.kernel.org/linus/1234567 (commit)]", "fix it"),
        ("see [http://example.org/x an article], too", "see an article, too"),
        ("see [[https://example.org/x|an article|target=_blank]]", "see an article"),
        ("see [[https://example.org/x]]", "see"),
        ("see [[Linux_6.11]] and [:Linux_6_10:the other]", "see Linux_6.11 and the other"),
        ("'''bold''' ''slanted'' `code()` {{{more}}}", "bold slanted code() more"),
        ("keep __init__ and a*b and it's", "keep __init__ and a*b and it's"),
        ("!CamelCase, but !x", "CamelCase, but !x"),
        ("a<<BR>>b {{attachment:x.png}} [[BR]] [[Anchor(c)]] d", "a b d"),
        ("[[https://git.kernel.org/linus/1234567|commit]]", "Heading"),
    ],
)
def test_titles(markup: str, title: str) -> None:
    """A title is plain text: labels instead of links, nothing of links to commits."""
    (note,) = page_of("= Heading =", f" * {markup}").notes
    assert (note.title, note.text) == (title, markup)


@pytest.mark.parametrize(
    "address",
    [
        "https://git.kernel.org/linus/1234567",
        "https://git.kernel.org/torvalds/c/1234567",
        "http://git.kernel.org/?p=linux/kernel/git/torvalds/linux-2.6.git;a=commit;h=1234567",
        "http://git.kernel.org/?p=linux/kernel/git/torvalds/linux-2.6.git;a=commitdiff;h=1234567;hp=7654321",
        "https://git.kernel.org/cgit/linux/kernel/git/torvalds/linux.git/commit/?id=1234567",
        "https://github.com/torvalds/linux/commit/1234567",
    ],
)
def test_addresses_of_commits(address: str) -> None:
    """A link to a commit is a reference to it, in any of the addresses that pages have used."""
    for markup in (f"[[{address}|commit]]", f"[[{address}|(commit)]]", f"[{address} (commit)]", f"[{address} commit]"):
        (note,) = page_of(f" * fix it {markup}").notes
        assert note.title == "fix it"
        assert [reference for reference in note.references if reference.type == "commit"] == [
            Reference("commit", "1234567")
        ]


@pytest.mark.parametrize(
    ("name", "first", "version"),
    [
        ("Linux_6.12", "Linux 6.11 was released", "6.12"),
        ("Linux_2_6_39", "", "2.6.39"),
        ("https://kernelnewbies.org/Linux_3.1?action=raw", "", "3.1"),
        ("Linux_6.12-rc1", "", "6.12-rc1"),
        ("page", "Linux 6.11 was released", "6.11"),
        ("page", "= Linux kernel 2.6.39 =", "2.6.39"),
        ("LinuxChanges", "[[https://example.org|Linux 6.1]] was released", "6.1"),
    ],
)
def test_versions(name: str, first: str, version: str) -> None:
    """The page's name tells the version, else the first that its text names."""
    assert page_of(first, " * bullet", name=name).releases[0].version == version


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("on Sunday, 17 November 2024.", "2024-11-17"), ("on Sun, 17 Nov 2024", "2024-11-17"),
        ("on November 17, 2024", "2024-11-17"), ("on November 17th 2024", "2024-11-17"),
        ("17 November, 2024", "2024-11-17"),
        ("on the 1st of March 2024", "2024-03-01"), ("on Jan. 9, 2024", "2024-01-09"), ("(2024-11-17)", "2024-11-17"),
        ("on May 2 2024 after 3 weeks", "2024-05-02"), ("on 31 February 2024", None), ("on 17 Brumaire 2024", None),
        ("", None), ("on 2024-13-01", None), ("soon", None), ("on DATE", None),
    ],
)  # fmt: skip
def test_days(said: str, date: str | None) -> None:
    """The day of the release is read in any spelling; the sentence that tells it is no note."""
    page = page_of(
        f"Linux 6.12 was [[https://example.org/x|released]] {said}", "", "Linux 6.11 was released on 1 May 2023", " * a"
    )
    assert page.releases[0].date == date
    assert [note.title for note in page.notes] == ["a"]


def test_release_told_amid_text() -> None:
    """A paragraph that tells more than the release is a note."""
    page = page_of(f"Linux 6.12 has been released on 17 Nov 2024. {'It is good. ' * 12}", "", " * a")
    assert page.releases[0].date == "2024-11-17"
    assert [note.form for note in page.notes] == ["paragraph", "bullet"]


def test_verbatim_text() -> None:
    """What stands between triple braces is text, even where it looks like a bullet or a heading."""
    page = page_of(
        " * bullet", "{{{", " * no bullet", "= no heading =", "}}}", " * {{{code}}} and {{{", "  * text}}}", " * last"
    )
    assert [(note.form, note.text) for note in page.notes] == [
        ("bullet", "bullet"),
        ("paragraph", "{{{\n * no bullet\n= no heading =\n}}}"),
        ("bullet", "{{{code}}} and {{{\n  * text}}}"),
        ("bullet", "last"),
    ]


def test_lists_and_breaks() -> None:
    """Numbered lists are bullets; a rule, a blank line and a heading end a paragraph; sections nest and end."""
    page = page_of(
        "= A =", "== B ==", " 1. one", "text", "----", "more", "=== C ===", "under", "= D =", " * x", "", "  * y"
    )
    told = [(note.form, note.text, note.section, note.depth) for note in page.notes]
    assert told == [
        ("bullet", "one", ("A", "B"), 0), ("paragraph", "text", ("A", "B"), 0), ("paragraph", "more", ("A", "B"), 0),
        ("paragraph", "under", ("A", "B", "C"), 0), ("bullet", "x", ("D",), 0), ("bullet", "y", ("D",), 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "Linux_6.12"), ("words only\n", "Linux_6.12"), ("* not indented\n", "Linux_6.12"), (" * bullet\n", "page"),
        ("<!DOCTYPE HTML PUBLIC>\n<html>", "Linux_6.12"), ("= A =\n\0", "Linux_6.12"),
    ],
)  # fmt: skip
def test_not_a_page(text: str, name: str) -> None:
    """What is no page, or of no version, is an error that names the source, the page and what to do."""
    with pytest.raises(NotesError) as caught:
        parse(text, name, LINUX)
    assert name in caught.value.what and "sample" in caught.value.where and caught.value.next


def test_rendered_page() -> None:
    """Of a page as it is shown, the error says how to get it as it was written."""
    with pytest.raises(NotesError, match=r"action=raw"):
        parse("\n<html><body> * bullet", "Linux_6.12", LINUX)


@pytest.mark.shared
def test_real_outline(shared: Path) -> None:
    """The outline of a real page has its headings, and all its bullets."""
    text = (shared / "real/notes/kernelnewbies/format-skeleton.moin").read_text()
    page = parse(text, "Linux_6.12", LINUX)
    assert sum(note.form == "bullet" for note in page.notes) == len(re.findall(r"^ +\* ", text, re.MULTILINE))
    assert page.notes[-1].section == ("File systems",) and page.notes[-1].depth == 1
    assert ("Prominent features", "Feature title") in {note.section for note in page.notes}


PIECES = [
    RELEASED, "= A =\n", "== B ==\n", "=== C ===\n", "=", "==", " * bullet", "  * nested", "   * deeper", " 1. one",
    "\n", "\n\n",
    "   more", "paragraph", LINK, OTHER, "[[", "]]", "|", "[", "]", "(commit)", ", ", ",", ".", "(", ")",
    "[http://a.b/c ",
    "[:Page:", "<<BR>>", "<<", ">>", "{{{", "}}}", "{{", "}}", "''", "'''", "`", "!Camel", "#pragma x\n", "##x\n",
    "#1\n", "----\n",
    "Linux 6.1 ", "released on ", "1 May 2020", "Code: ", "CVE-2020-1234", "\r\n", "\r", "\0", "\ud800", "\u2028",
    "\u0664", "é",
    "\x1b[m", "<html>", "9" * 30, "\ufeff",
]  # fmt: skip


def check(text: str) -> None:
    """Parse, and hold what every page must keep to."""
    plain(text)
    for name in ("Linux_6.12", "page"):
        try:
            page = parse(text, name, LINUX)
        except NotesError:
            continue
        lines = text.removeprefix("\ufeff").split("\n")
        for place, note in enumerate(page.notes):
            assert note.title and note.title == " ".join(note.title.split())
            assert note.text.split("\n")[0].rstrip("\r") in lines[note.line - 1]
            assert (note.parent is None) == (note.depth == 0)
            assert note.parent is None or (note.parent < place and page.notes[note.parent].depth == note.depth - 1)
        assert len(page.releases) == 1 and page.releases[0].version


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
@example(" * {{{\n\n}}}")
@example(" * [[BR]]\n")
def test_whatever_the_text(text: str) -> None:
    """No text makes the parser fail otherwise than with NotesError, and what it finds stands in the text."""
    check(text)
    check(f" * x\n{text}")


@pytest.mark.slow
def test_many_texts() -> None:
    """Nor do many mutated ones."""
    random_source = random.Random(2026)
    for _ in range(6_000):
        text = "".join(random_source.choices(PIECES, k=random_source.randrange(30)))
        check(mutated(text, random_source))


FLOODS = [
    " * a\n", "[[", "]]", "[", "{{{", "}}}", "{{", "<<", "'", "=", "= a =\n", " ", "\n", ", ", ",", "( , ",
    "[http://a:b ",
    "[http://a   ", "[:a:", "Code: x\n\n", "a\n\n", "!A", "`", "#x\n", "Linux 6.1 released ", "1.", LINK, "[[a|b",
]  # fmt: skip


def test_floods() -> None:
    """Long lines, deep nesting and very many bullets are read in time that grows with their size alone."""
    start = time.perf_counter()
    for head in ("", " * ", "text "):
        for flood in FLOODS:
            parse(f"= A =\n{head}{flood * (60_000 // len(flood))}\nend", "Linux_6.12", LINUX)
    deep = "".join(f"{' ' * depth}* a\n" for depth in range(1, 1500))
    assert parse(deep, "Linux_6.12", LINUX).notes[-1].depth == 1498
    assert time.perf_counter() - start < 30
