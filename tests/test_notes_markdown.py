"""Release notes in Markdown: hand-written pages, the real ones counted another way, and anything at all."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syncing import sample_source

from kminer.errors import NotesError
from kminer.notes.markdown import parse
from kminer.records import Note, Page, Source

MOBY = sample_source(id="docker-notes", repository="moby/moby", repository_was=("docker/docker", "dotcloud/docker"))
RUNC = sample_source(id="runc-notes", repository="opencontainers/runc", repository_was=())


def page_of(text: str, version: str | None = None, source: Source = MOBY) -> Page:
    return parse(text, "a page", source, version)


def notes_of(text: str, version: str | None = None, source: Source = MOBY) -> list[Note]:
    return list(page_of(text, version, source).notes)


def only(text: str) -> Note:
    """The one note below a version."""
    [note] = notes_of(f"## 1.0.0\n\n{text}\n")
    return note


def titles(text: str, version: str | None = None) -> list[str]:
    return [note.title for note in notes_of(text, version)]


@pytest.mark.parametrize(
    ("heading", "version", "date"),
    [
        ('## 27.5.1\n\n{{< release-date date="2025-01-22" >}}', "27.5.1", "2025-01-22"),
        ("## 17.06.2-ce\n2017-09-05", "17.06.2-ce", "2017-09-05"),
        ("## 1.13.1 (2017-02-08)", "1.13.1", "2017-02-08"),
        ("## 1.13.1 (2017-2-8)", "1.13.1", "2017-02-08"),
        ("## [1.1.0] - 2022-01-14", "1.1.0", "2022-01-14"),
        ("## [1.1.0](https://example.org/compare) (2022-01-14)", "1.1.0", "2022-01-14"),
        ("## [1.1.0-rc.1] - 2022-01-14 [YANKED]", "1.1.0-rc.1", "2022-01-14"),
        ("# v1.1.0", "1.1.0", None),
        ("### Docker Engine 1.1.0 ###", "1.1.0", None),
        ("## 1.0.0-rc93 {#anchor}", "1.0.0-rc93", None),
        ("## 1.13.1 (2017-02-31)", "1.13.1", None),
        ("## 1.13.1 (2017-xx-xx)", "1.13.1", None),
        ("## 1.13.1\n\n- before\n\n2017-02-08", "1.13.1", None),
    ],
)
def test_versions_and_dates(heading: str, version: str, date: str | None) -> None:
    """A heading names a version; its date is beside or below it, and is one that the calendar has."""
    page = page_of(f"Above it is no note.\n\n- Nor is this.\n\n{heading}\n\n- A note\n")
    assert [(release.version, release.date, release.line) for release in page.releases] == [(version, date, 5)]
    assert page.notes[-1].title == "A note"
    assert {note.version for note in page.notes} == {version}


def test_a_series_is_no_release() -> None:
    """A minor version that only holds patch versions is none itself, one that has notes is."""
    text = "## 27.5\n\nNotes for 27.5.\n\n### 27.5.1\n\n#### New\n\n- a\n\n## 27.4\n\n- b\n\n### 27.4.1\n\n- c\n"
    page = page_of(text)
    assert [(release.version, release.line) for release in page.releases] == [
        ("27.5.1", 5),
        ("27.4", 11),
        ("27.4.1", 15),
    ]
    assert [(note.version, note.section, note.title) for note in page.notes] == [
        ("27.5.1", ("New",), "a"),
        ("27.4", (), "b"),
        ("27.4.1", (), "c"),
    ]


def test_a_heading_that_names_no_version_is_a_section() -> None:
    """A heading as high as the versions' belongs to the version above; sections nest by their level."""
    text = (
        "## 24.0.1\n\n### Bug `fixes`:\n\n- a\n\n#### Runtime\n\n- b\n\n## Security\n\n- c\n\n"
        "### API 1.43\n\n- d\n\n### 1.43\n\n- e\n\n## 24.0.0\n\n- f\n"
    )
    assert [(note.version, note.section, note.title) for note in notes_of(text)] == [
        ("24.0.1", ("Bug fixes",), "a"),
        ("24.0.1", ("Bug fixes", "Runtime"), "b"),
        ("24.0.1", ("Security",), "c"),
        ("24.0.1", ("Security", "API 1.43"), "d"),
        ("24.0.1", ("Security", "1.43"), "e"),
        ("24.0.0", (), "f"),
    ]


def test_unreleased_is_no_release() -> None:
    """What stands below "Unreleased" is kept, but there is no such release."""
    page = page_of("## [Unreleased]\n\n- a\n\n## [Unreleased 1.1.z]\n\n- b\n\n## [1.1.0] - 2022-01-14\n\n- c\n")
    assert [release.version for release in page.releases] == ["1.1.0"]
    assert [note.version for note in page.notes] == ["unreleased", "unreleased", "1.1.0"]


def test_a_version_that_stands_twice_is_one_release() -> None:
    """A version is released once, however often a page has its heading."""
    page = page_of("## 1.0.0 (2020-01-01)\n\n- a\n\n## 1.0.0\n\n- b\n")
    assert [(release.version, release.date) for release in page.releases] == [("1.0.0", "2020-01-01")]
    assert [note.title for note in page.notes] == ["a", "b"]


def test_versions_in_code_and_comments_are_none() -> None:
    """Code and comments hold no headings; code that is never closed ends with its version."""
    text = (
        "## 2.0.0\n\n- a\n\n  ```\n  ## 1.9.0\n  ```\n\n- b\n\n```console\n## 1.8.0\n```\n\n<!--\n## 1.7.0\n-->\n\n"
        "- c\n\n<!--\n<!--\n\n## 1.6.0\n\n- d\n\n```\nnever closed\n\n## 1.0.0\n\n- e\n"
    )
    page = page_of(text)
    assert [release.version for release in page.releases] == ["2.0.0", "1.6.0", "1.0.0"]
    assert [note.title for note in page.notes] == ["a", "b", "c", "d", "e"]


def test_code_in_a_bullet_ends_with_it() -> None:
    """Code that a bullet leaves open hides none of the versions that follow."""
    page = page_of("## 2.0.0\n\n- a\n  ```\n  code\n\n## 1.0.0\n\n- b\n\n- c\n  ```\n  code\n  ```\n")
    assert [(note.version, note.title) for note in page.notes] == [("2.0.0", "a"), ("1.0.0", "b"), ("1.0.0", "c")]


def test_nested_bullets() -> None:
    """Each bullet is a note with its line, depth and parent; what is nested is not in its parent's text."""
    text = (
        "## 1.0.0\n\n* Outer\n  goes on\n    - Inner one\n    - Inner two,\n      wrapped\n\n      1. Deepest\n\n"
        "  The end of the outer one\n+ Another\n"
    )
    assert [(note.line, note.depth, note.parent, note.title) for note in notes_of(text)] == [
        (3, 0, None, "Outer goes on"),
        (5, 1, 0, "Inner one"),
        (6, 1, 0, "Inner two, wrapped"),
        (9, 2, 2, "Deepest"),
        (12, 0, None, "Another"),
    ]
    outer, _, two, *_ = notes_of(text)
    assert outer.text == "Outer\ngoes on\n\nThe end of the outer one"
    assert two.text == "Inner two,\nwrapped"


def test_parents_are_positions_in_the_page() -> None:
    """A parent is counted from the start of the page, in whatever version it stands."""
    notes = notes_of("## 1.1.0\n\n- a\n- b\n\n## 1.0.0\n\n- c\n  - d\n")
    assert [(note.title, note.parent) for note in notes] == [("a", None), ("b", None), ("c", None), ("d", 2)]


def test_a_bullet_that_only_holds_others_is_none() -> None:
    """An empty bullet says nothing; what stands below it counts as if it were not there."""
    assert [(note.title, note.depth, note.parent) for note in notes_of("## 1.0.0\n\n-\n- - a\n")] == [("a", 0, None)]


def test_text_is_as_written() -> None:
    """The text keeps its markup, wrapped lines and code, less the bullet and what it is indented by."""
    note = only(" *  Use **overlay2**\n    by `default`:\n\n    ```console\n    $ docker\n      info\n    ```")
    assert note.text == "Use **overlay2**\nby `default`:\n\n```console\n$ docker\n  info\n```"
    assert note.title == "Use overlay2 by default:"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Fix a [leak](https://example.org) [moby/moby#1](https://github.com/moby/moby/pull/1)", "Fix a leak"),
        ("Fix it. [a/b#1](https://github.com/a/b/pull/1), [#2](https://github.com/a/b/issues/2)", "Fix it."),
        ("Fix a leak (#1, #2).", "Fix a leak"),
        ("Fix a leak (#1,\n  #2) and more (#3)", "Fix a leak (#1, #2) and more"),
        ("Fix a leak #1 #2", "Fix a leak"),
        ("Fix a leak, fixes #1 [moby/moby#2](https://github.com/moby/moby/pull/2)", "Fix a leak"),
        ("Fix a leak moby/moby#1 and [moby/moby#2](https://github.com/moby/moby/pull/2)", "Fix a leak"),
        ("Fix a leak [#1](https://github.com/a/b/pull/1) (ref [#2](https://github.com/a/b/pull/2)", "Fix a leak"),
        ("Fix memory issue fixes [#1](https://github.com/a/b/pull/1)", "Fix memory issue fixes"),
        ("Partial backport of #1", "Partial backport of #1"),
        ("Reverts moby/moby#1", "Reverts moby/moby#1"),
        ("[moby/moby#1](https://github.com/moby/moby/pull/1)", "moby/moby#1"),
        ("#1, #2", "#1, #2"),
        ("First sentence (#1). Second one (#2).", "First sentence"),
        ("Update to v1.2.3. Packagers, see e.g. Debian.", "Update to v1.2.3."),
        ("Use e.g. Debian", "Use e.g. Debian"),
        ("Drop `a. B` messages", "Drop a. B messages"),
        ("*Fix* __the__ `--a=<b|c>` of snake_case &amp; \\*that\\*", "Fix the --a=<b|c> of snake_case & *that*"),
        ("Keep <name>, drop <br>tags<!-- and this -->", "Keep <name>, drop tags"),
        ("![picture](a.png)", "![picture](a.png)"),
        ("[CVE-2019-5736](https://example.org)", "CVE-2019-5736"),
        ("two\x1b[31mcolours\x07", "two [31mcolours"),
        ("word " * 100, ("word " * 39).strip() + "…"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)  # fmt: skip
def test_titles(text: str, title: str) -> None:
    """A title is one plain line: the first sentence without markup and last references, never empty, at most 200."""
    note = only(f"- {text}")
    assert note.title == title
    assert len(note.title) <= 200


def test_paragraphs() -> None:
    """Prose below a version is a note; dates, boilerplate, shortcodes, code, pictures and markup are none."""
    text = (
        '## 27.5.1\n\n{{< release-date date="2025-01-22" >}}\n\n'
        "For a full list of pull requests and changes in this release, refer to the relevant GitHub milestones:\n\n"
        "- [moby/moby, 27.5.1 milestone](https://example.org)\n\n"
        "{{< experimental >}}\nThis is prose,\nin two lines. And more.\n{{< /experimental >}}\n\n"
        "```console\n$ docker info\n```\n\n![picture](a.png)\n\n<script src='x'></script>\n\n<!-- a comment -->\n\n"
        "| CVE | Component |\n| --- | --- |\n| CVE-2024-21626 | runc |\n"
    )
    notes = notes_of(text)
    assert [(note.form, note.title) for note in notes] == [
        ("bullet", "moby/moby, 27.5.1 milestone"),
        ("paragraph", "This is prose, in two lines."),
        ("paragraph", "CVE | Component"),
    ]
    assert notes[1].text == "This is prose,\nin two lines. And more."
    assert [(reference.type, reference.value) for reference in notes[2].references] == [("cve", "CVE-2024-21626")]


@pytest.mark.parametrize(
    "text",
    [
        "> [!IMPORTANT]\n>\n> Stop **all** containers.\n> And more.",
        "> [!IMPORTANT]\n> Stop all containers.",
        "> [!NOTE]: Stop all\n> containers.",
        "> **Note**: Stop all containers.",
        "> **Known issue**\n>\n> Stop all containers.",
        "> NOTE: Stop all containers.",
        "**IMPORTANT**: Stop all containers.",
        "IMPORTANT: Stop all containers.",
    ],
)
def test_callouts(text: str) -> None:
    """A warning set off from the text is a callout, whose title is what it warns of."""
    note = only(text)
    assert (note.form, note.title, note.line) == ("callout", "Stop all containers.", 3)
    assert ">" not in note.text


def test_callouts_and_bullets() -> None:
    """A callout stands below the bullet it is in; the bullets in it are notes of their own."""
    text = "## 1.0.0\n\n- a\n\n  > [!NOTE]\n  > Take care:\n  > - b\n  >   goes on\n\n> [!NOTE]\n>\n> - c\n"
    assert [(note.form, note.title, note.depth, note.parent) for note in notes_of(text)] == [
        ("bullet", "a", 0, None),
        ("callout", "Take care:", 1, 0),
        ("bullet", "b goes on", 1, 0),
        ("bullet", "c", 0, None),
    ]


def test_an_epigraph_is_no_note() -> None:
    """A quotation that opens a version is there for its own sake; further below it is prose."""
    text = "## 1.0.0\n\n> To be, or not to be.\n\n### Fixed\n\n> Quoted prose.\n"
    assert [(note.form, note.title) for note in notes_of(text)] == [("paragraph", "Quoted prose.")]


def test_signs() -> None:
    """Marks are signs in pages that have "+" beside others; nested ones where they differ among themselves."""
    text = "## 1.0.0\n\n+ a\n- b\n* c\n  - d\n  - e\n* f\n  - g\n  * h\n1. i\n"
    assert [note.sign for note in notes_of(text)] == [
        "new",
        "fixed",
        "changed",
        "",
        "",
        "changed",
        "fixed",
        "changed",
        "",
    ]
    assert {note.sign for note in notes_of("## 1.0.0\n\n- a\n\n* b\n")} == {""}
    assert {note.sign for note in notes_of("## 1.0.0\n\n+ a\n+ b\n")} == {""}


def test_signs_of_keep_a_changelog() -> None:
    """The headings Added, Fixed and Changed are signs, of whatever mark the bullets are."""
    text = "## [1.0.0]\n\n### Added ###\n- a\n### Fixed\n* b\n### Changed:\n+ c\n### Removed\n- d\n"
    text += "### Fixed\n#### API\n- e\n"
    assert [note.sign for note in notes_of(text)] == ["new", "fixed", "changed", "fixed", "fixed"]
    assert [note.sign for note in notes_of(text.replace("+ c", "- c"))] == ["new", "fixed", "changed", "", "fixed"]


def test_details_and_html() -> None:
    """Bullets inside of HTML that folds them are notes."""
    text = "<details><summary>12 commits</summary>\n<p>\n- a\n</p>\n</details>\n\n<details>\n\n* b\n\n</details>\n"
    assert titles(f"## 1.0.0\n\n{text}") == ["a", "b"]


FRONT_MATTER = "---\n# a comment\ntitle: Notes\nbuild:\n  render: {}\ntags:\n- Release notes\n---\n"


def test_front_matter_is_cut() -> None:
    """Front matter holds no notes, and lines are counted from the top of the page all the same."""
    [note] = notes_of(FRONT_MATTER.format("always") + "## 1.0.0\n\n- a\n")
    assert (note.title, note.line) == ("a", 11)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(end: str) -> None:
    """Any end of line does, and a byte order mark is none of the text; a form feed ends no line."""
    [note] = notes_of(f"\ufeff## 1.0.0 (2020-01-01){end}\f{end}- a{end}  b{end}")
    assert (note.version, note.text, note.line) == ("1.0.0", "a\nb", 3)


def test_link_definitions_are_resolved() -> None:
    """References by way of a definition count; one in the version's own text goes before the page's first."""
    text = (
        "## [1.1.0] - 2022-01-14\n\n"
        "- a [#1] [CVE-2020-1111][] [the\n  docs][Docs] [code][1] [none][nowhere] [unknown]\n\n"
        "[docs]: https://example.org/here\n\n"
        "## [1.0.0]\n\n- b [DOCS]\n\n[1.1.0]: https://example.org/compare\n[1.0.0]: https://example.org/1\n"
        "[#1]: https://github.com/moby/moby/pull/1\n[CVE-2020-1111]: <https://github.com/a/b/security/advisories/GHSA-aaaa-bbbb-cccc>\n"
        '[DOCS]: https://example.org/there "title"\n[1]:\n  https://example.org/2\n'
    )
    first, second = notes_of(text)
    assert [(reference.type, reference.value) for reference in first.references] == [
        ("pull-request", "moby/moby#1"),
        ("link", "https://github.com/a/b/security/advisories/GHSA-aaaa-bbbb-cccc"),
        ("link", "https://example.org/here"),
        ("link", "https://example.org/2"),
        ("cve", "CVE-2020-1111"),
    ]
    assert first.title == "a #1 CVE-2020-1111 the docs code [none][nowhere] [unknown]"
    assert "[#1] [CVE-2020-1111][]" in first.text
    assert [(reference.type, reference.value) for reference in second.references] == [
        ("link", "https://example.org/there")
    ]
    assert second.text == "b [DOCS]"


def test_a_version_is_read_anew_when_a_definition_changes() -> None:
    """Of two pages that differ in a definition only, each gets its own references."""
    for number in "12":
        [note] = notes_of(f"## 2.0.0\n\n- a [x]\n\n## 1.0.0\n\n[x]: https://github.com/moby/moby/pull/{number}\n")
        assert [reference.value for reference in note.references] == [f"moby/moby#{number}"]


def test_body_of_a_release() -> None:
    """With a version given all of the text belongs to it; headings that repeat the version are no sections."""
    text = (
        "## 28.0.0\n\nFor a full list of pull requests, see elsewhere:\n\n- milestone\n\n"
        "### New\n\n- a\n\n## v28.0.0\n\n- b\n\n"
        "## 27.0.0\n\n- c\n\n## New Contributors\n\n* @someone made a first contribution in #1\n\n"
        "**Full Changelog**: https://github.com/moby/moby/compare/a...b\n"
    )
    for version in ("28.0.0", "v28.0.0", "docker-v28.0.0"):
        page = page_of(text, version)
        assert [(release.version, release.date, release.line) for release in page.releases] == [(version, None, 1)]
        assert [(note.version, note.section, note.title) for note in page.notes] == [
            (version, (), "milestone"),
            (version, ("New",), "a"),
            (version, (), "b"),
            (version, ("27.0.0",), "c"),
        ]


TAG_MESSAGE = """runc v1.3.0 -- "A motto. Not a note."

This is prose about the release. It is long.

Fixed:

 * One thing that is
   wrapped. (#1, #2)
 + Another.

Changed:
 * A third.

Thanks to the following contributors for making this release possible:

 * Ann Example <ann@example.org>
 * Bob Example <bob@example.org>

Vote: +5 -0 %2
Signed-off-by: Ann Example <ann@example.org>
-----BEGIN PGP SIGNATURE-----

iHUEABYKAB0WIQS2TklVsp+j1GPyqQYol/rSt+lEbwUCaBBXEwAKCRAol/rSt+lE
- looks like a bullet
-----END PGP SIGNATURE-----
"""


@pytest.mark.parametrize("version", ["v1.3.0", "1.3.0"])
def test_message_of_a_tag(version: str) -> None:
    """Lines that end in a colon are headings; motto, contributors, sign-offs and signature are no notes."""
    notes = notes_of(TAG_MESSAGE, version, RUNC)
    assert [(note.version, note.section, note.form, note.sign, note.title) for note in notes] == [
        (version, (), "paragraph", "", "This is prose about the release."),
        (version, ("Fixed",), "bullet", "fixed", "One thing that is wrapped."),
        (version, ("Fixed",), "bullet", "fixed", "Another."),
        (version, ("Changed",), "bullet", "changed", "A third."),
    ]
    assert [reference.value for reference in notes[1].references] == ["opencontainers/runc#1", "opencontainers/runc#2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<!DOCTYPE html>\n<html><body>Log in</body></html>", "HTML"),
        ("\ufeff\n  <html lang='en'>", "HTML"),
        ("## 1.0.0\n\n- a\0b", "binary"),
        ("# Changelog\n\nNothing here.\n", "no version"),
        ("---\ntitle: Notes\n---\n\nNothing here.\n", "no version"),
        ("## 1.0.0\n" + "- a\n" * 60_000, "too large"),
        ("[" * 10_000_000, "too large"),
    ],
)
def test_what_is_no_release_notes(text: str, what: str) -> None:
    """HTML, binary data, too large a text and one without versions are refused, saying which page and what next."""
    with pytest.raises(NotesError, match=what) as caught:
        page_of(text)
    assert "a page" in caught.value.what
    assert "docker-notes" in caught.value.where
    assert caught.value.next


@pytest.mark.parametrize(
    "text", ["", "\n \n", "---\ntitle: Notes\n---\n", FRONT_MATTER.format("never") + "\nSome words.\n"]
)
def test_empty_pages(text: str) -> None:
    """A page without text, or one that is never shown, is empty."""
    assert page_of(text) == Page((), ())


def test_an_empty_body_is_a_release_without_notes() -> None:
    """With a version given, that version is released even if nothing is said of it."""
    page = page_of("", "1.0.0")
    assert ([release.version for release in page.releases], page.notes) == (["1.0.0"], ())


class Sample(NamedTuple):
    """A real file with what it is parsed with."""

    name: str
    text: str
    version: str | None
    source: Source


@pytest.fixture(scope="module")
def samples(shared: Path) -> list[Sample]:
    """The real Markdown files and tag messages."""
    files = [
        file
        for folder in ("docker-docs", "docker-ce", "moby", "runc")
        for file in sorted((shared / "real" / "notes" / folder).iterdir())
        if file.suffix in (".md", ".txt")
    ]
    assert len(files) == 44
    return [
        Sample(
            f"{file.parent.name}/{file.name}",
            file.read_text(encoding="utf-8"),
            match[1] if (match := re.fullmatch(r"tag-v(.*)\.txt", file.name)) else None,
            RUNC if file.parent.name == "runc" else MOBY,
        )
        for file in files
    ]


@pytest.fixture(scope="module")
def pages(samples: list[Sample]) -> list[tuple[Sample, Page]]:
    """The real files, parsed."""
    return [(sample, parse(sample.text, sample.name, sample.source, sample.version)) for sample in samples]


class Bullet(NamedTuple):
    """A bullet as a reader of lines sees it."""

    version: str
    section: str
    line: int
    text: str


VERSION_LINE = re.compile(r"#{2,3} \[?(\d+\.\d+\.\d+[\w.-]*|Unreleased)\]?(?: .*)?$")


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside front matter and code, by their number."""
    lines = text.split("\n")
    top = lines.index("---", 1) + 1 if lines[0] == "---" else 0
    code = False
    for number, line in enumerate(lines[top:], top + 1):
        if re.match(r"[\s>]*(?:```|~~~)", line):
            code = not code
        elif not code:
            yield number, line


def bullets_of(sample: Sample) -> list[Bullet]:
    """The bullets of a file, told by their first character; those of contributors do not count."""
    found: list[Bullet] = []
    version, section, last = sample.version or "", "", 0
    for number, line in numbered_lines(sample.text):
        if match := VERSION_LINE.match(line):
            version, section = match[1].lower() if match[1] == "Unreleased" else match[1], ""
        elif match := re.match(r"#+ +(.*?)[ #:]*$", line):
            section = match[1].replace("`", "")
        elif sample.version and re.fullmatch(r"[A-Z][a-z]+(?: [a-z]+)?:", line):
            section = line[:-1]
        elif re.match(r"[\s>]*(?:[-+*]|\d+\.)\s+\S", line) and version and not re.search(r" <\S+@\S+>$", line):
            found.append(Bullet(version, section, number, line))
        elif found and line.strip() and last == number - 1 and not line.startswith((">", "[", "|")):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
        else:
            continue
        last = number
    return found


def section_of(note: Note) -> str:
    return re.sub(r" \(tracking issue\)$", "", note.section[-1]) if note.section else ""


@pytest.mark.shared
def test_real_bullets_are_all_found(pages: list[tuple[Sample, Page]]) -> None:
    """By version, by section and by line, the bullets are those that counting lines finds."""
    total = 0
    for sample, page in pages:
        expected = bullets_of(sample)
        found = [note for note in page.notes if note.form == "bullet"]
        assert Counter(note.version for note in found) == Counter(bullet.version for bullet in expected), sample.name
        assert Counter((note.version, section_of(note)) for note in found) == Counter(
            (bullet.version, bullet.section) for bullet in expected
        ), sample.name
        assert [note.line for note in found] == [bullet.line for bullet in expected], sample.name
        total += len(expected)
    assert total > 12_500


@pytest.mark.shared
def test_real_versions_and_dates(pages: list[tuple[Sample, Page]]) -> None:
    """All versions are found, each with the first date that follows its name."""
    for sample, page in pages:
        expected: dict[str, str | None] = {sample.version: None} if sample.version else {}
        lines = sample.text.split("\n")
        for number, line in enumerate(lines):
            if (match := VERSION_LINE.match(line)) and match[1] != "Unreleased":
                until = next((at for at in range(number + 1, len(lines)) if lines[at].startswith("#")), len(lines))
                day = re.search(r"\d{4}-\d\d-\d\d", "\n".join([line, *lines[number + 1 : min(until, number + 4)]]))
                expected[match[1]] = day[0] if day else None
        assert {release.version: release.date for release in page.releases} == expected, sample.name
    undated = {
        release.version for sample, page in pages for release in page.releases if not (sample.version or release.date)
    }
    assert undated == {"27.0.0"}, "which was never released"


def expected_references(bullet: Bullet, source: Source) -> Iterator[tuple[str, str]]:
    """(kind, value) of what looks like a reference in a bullet."""
    for url in re.findall(r"https?://[^\s)\]>\"'`]+", bullet.text):
        numbered = re.match(r"https://github\.com/([^/]+/[^/]+)/(?:pull|issues)/(\d+)", url)
        value = f"{numbered[1]}#{numbered[2]}" if numbered else unquote(url).rstrip(".,:*")
        yield "url", value.replace("docker/docker#", "moby/moby#")
    prose = re.sub(r"\]\([^)]*\)|https?://\S+", "]", bullet.text)
    for repository, number in re.findall(r"(?<![\w/])([\w.-]+/[\w.-]+)?#(\d+)", prose):
        if repository or "[#" not in prose:
            yield "number", f"{repository or source.repository}#{number}".replace("docker/docker#", "moby/moby#")
    for cve in re.findall(r"CVE-\d{4}-\d{4,}", prose):
        yield "cve", cve


@pytest.mark.shared
def test_real_references_are_found(pages: list[tuple[Sample, Page]]) -> None:
    """Of the addresses, numbers and CVEs that the bullets show, at least 99 in 100 are references."""
    expected: Counter[str] = Counter()
    missing: list[tuple[str, str, str, int]] = []
    for sample, page in pages:
        values = {note.line: {reference.value for reference in note.references} for note in page.notes}
        for bullet in bullets_of(sample):
            for kind, value in expected_references(bullet, sample.source):
                expected[kind] += 1
                if value not in values[bullet.line]:
                    missing.append((kind, value, sample.name, bullet.line))
    assert all(expected[kind] > 100 for kind in ("url", "number", "cve")), expected
    for kind, count in Counter(kind for kind, *_ in missing).items():
        assert count <= expected[kind] / 100, [row for row in missing if row[0] == kind]


@pytest.mark.shared
def test_real_titles_are_plain(pages: list[tuple[Sample, Page]]) -> None:
    """Titles are one line of at most 200 characters, and few have markup left."""
    notes = [note for _, page in pages for note in page.notes]
    assert all(note.title and note.title == " ".join(note.title.split()) and len(note.title) <= 200 for note in notes)
    marked = [note.title for note in notes if re.search(r"\]\(|\*\*\w|#\d+\W*$", note.title)]
    assert len(marked) <= len(notes) / 200, marked


@pytest.mark.shared
def test_real_files_are_parsed_fast(samples: list[Sample]) -> None:
    """All samples take a few seconds; one that has only a line more than before takes next to nothing."""
    start = time.monotonic()
    for sample in samples:
        parse(sample.text, sample.name, sample.source, sample.version)
    assert time.monotonic() - start < 3
    moby = next(sample for sample in samples if sample.name == "moby/CHANGELOG.md")
    start = time.monotonic()
    for count in range(10):
        parse("\n" * count + moby.text, moby.name, moby.source)
    assert time.monotonic() - start < 2


FRAGMENTS = [
    "## 1.0.0 (2020-01-01)\n", "### 1.0.1\n", "## [Unreleased]\n", "## Security\n", "# v2.0\n2017-09-05\n",
    "#### API\n", "---\n", "title: x\n", '{{< release-date date="2025-01-22" >}}\n', "- a bullet (#1, #2)\n",
    "  - nested\n", "    goes on\n", "* star [moby/moby#1](https://github.com/moby/moby/pull/1)\n", "+ plus\n",
    "1. one\n", "- ", "> ", "> [!NOTE]\n> take care\n", "```", "~~~~\n", "`", "**", "_", "[x][y]", "[x]",
    "[x]: https://example.org\n", "[y]:\n", "](", "<details>\n", "<!--", "-->", "| a | b |\n", "\n", "\n\n", " ",
    "    ", "\t", "\r\n", "\r", "\f", "\x1b[31m", "\u2028", "\u202e", "\ud800", "é", "漢字", "\\", "&amp;", "Fixed:\n",
    "Thanks to all\n", " * A B <a@b.c>\n", "Signed-off-by: A <a@b.c>\n", "-----BEGIN PGP SIGNATURE-----\n",
    "CVE-2020-1234", "**IMPORTANT**: stop\n", "prose. More prose\n", "===\n", "* * *\n", "<html>", "{:.note}\n",
    "0000-00-00\n", ">" * 1000 + "\n", "- " * 1000 + "\n", "[" * 200, "a" * 300, "#" * 7, "\0",
]  # fmt: skip


def check(text: str, version: str | None) -> None:
    """The text parses or is refused, and what it parses into is sound."""
    try:
        page = page_of(text, version)
    except NotesError:
        return
    for position, note in enumerate(page.notes):
        assert note.title and note.title == " ".join(note.title.split()) and len(note.title) <= 200
        assert note.text and note.form in ("bullet", "paragraph", "callout")
        assert note.parent is None or page.notes[note.parent].depth == note.depth - 1
        assert note.parent is None or note.parent < position
        assert (note.parent is None) == (note.depth == 0)
    lines = [note.line for note in page.notes]
    assert lines == sorted(lines)
    assert not lines or (lines[0] > 0 and lines[-1] <= text.count("\n") + text.count("\r") + 1)


@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=30), st.sampled_from([None, None, "1.0.0", ""])
)
@settings(max_examples=300)
def test_any_text_is_parsed_or_refused(pieces: list[str], version: str | None) -> None:
    """No text makes the parser fail but with a NotesError."""
    check("".join(pieces), version)


@pytest.mark.slow
def test_very_many_texts_are_parsed_or_refused() -> None:
    """Nor do 25,000 texts that are made of pieces, cut and repeated."""
    chance = random.Random(1)
    for _ in range(8_000):
        pieces = chance.choices(FRAGMENTS[:-1], k=chance.randrange(12))
        text = "".join(piece * chance.choice((1, 1, 1, 2)) for piece in pieces)
        start = chance.randrange(len(text) + 1) if chance.random() < 0.2 else 0
        text = (
            text[start:] if chance.random() < 0.9 else f"{text[start:]}{chr(chance.randrange(1, 0x3000))}{text[:start]}"
        )
        check(chance.choice(("", "## 1.0.0\n", "- ")) + text, chance.choice((None, "1.0.0")))


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["[", "![", "* ", "_a ", "`", "[a]: ", "#1 ", "http://a(", "<!--"])
def test_hostile_text_takes_no_time(mark: str) -> None:
    """A million marks of any kind take seconds at most, on one line, on long lines and on short ones."""
    for line in (mark * 1_000_000, f"- {mark * (1500 // len(mark))}\n", f"- {mark}\n"):
        lines = min(49_000, 990_000 // len(line))
        start = time.monotonic()
        check(f"## 1.0.0\n\n{(line * max(lines, 1))[:990_000]}", None)
        assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{'  ' * depth}- a\n" for depth in range(900)),
        "".join(f"[a{number}]: https://example.org/{number}\n" for number in range(20_000)),
        "".join(f"{'`' * length}a\n" for length in range(1200, 3, -1)),
        "> - > - a\n" * 10_000,
        "> " * 1000 + "a\n" + "- " * 1000 + "a\n",
    ],
    ids=["stairs", "definitions", "fences", "mixture", "nested"],
)
def test_hostile_lines_take_no_time(text: str) -> None:
    """Nor do lines each of which is a little different."""
    start = time.monotonic()
    check(f"## 1.0.0\n\n{text}", None)
    assert time.monotonic() - start < 5
