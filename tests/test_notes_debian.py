"""Debian changelogs as pages of notes."""

from __future__ import annotations

import gzip
import random
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutating import mutated
from syncing import sample_source

from kminer.errors import NotesError
from kminer.notes.debian import parse
from kminer.records import Note, NotedRelease, Page, Person, Reference, Source

LINUX = sample_source(project="linux", repository="", repository_was=())
DOCKER = sample_source(project="docker", repository="moby/moby", repository_was=("docker/docker",))
TRAILER = " -- Ann Example <ann@example.org>  Wed, 20 Jul 2005 22:16:04 -0400\n"


def page_of(*lines: str, version: str = "6.12.107-1", source: Source = LINUX) -> Page:
    """The page of one upload with these lines."""
    body = "".join(f"{line}\n" for line in lines)
    return parse(f"linux ({version}) unstable; urgency=high\n\n{body}\n{TRAILER}", "changelog", source)


def notes_of(*lines: str, version: str = "6.12.107-1", source: Source = LINUX) -> list[Note]:
    """The notes of one upload with these lines."""
    return list(page_of(*lines, version=version, source=source).notes)


def titles(notes: list[Note]) -> list[str]:
    """Their titles."""
    return [note.title for note in notes]


def test_upload() -> None:
    """An upload is a release with its version, its day in UTC, and who uploaded it."""
    page = page_of("  * A change")
    person = Person("uploader", "Ann Example", "ann@example.org")
    assert page.releases == (NotedRelease("6.12.107-1", "2005-07-21", 1, person),)
    assert page.notes == (Note("6.12.107-1", (), "bullet", "A change", "A change", 3),)


@pytest.mark.parametrize(
    ("trailer", "date", "email"),
    [
        (" -- A B <a@b>  Sun,  4 Nov 2007 17:35:51 +0100", "2007-11-04", "a@b"),
        (" -- A B <a@b>  Thu, 01 Jan 2026 00:30:00 +0100", "2025-12-31", "a@b"),
        (" -- A B <a@b>  Thu, 31 Feb 2026 00:30:00 +0100", None, "a@b"),
        (" -- A B <a@b>", None, "a@b"),
        (" -- A B", None, None),
        (" --", None, None),
        ("", None, None),
    ],
)
def test_trailers(trailer: str, date: str | None, email: str | None) -> None:
    """A trailer that tells no day or nobody leaves these open, and the upload stands."""
    text = f"linux (1-1) sid; urgency=low\n\n  * A\n\n{trailer}\n\nlinux (0-1) sid\n\n  * B\n{TRAILER}"
    page = parse(text, "changelog", LINUX)
    assert [release.version for release in page.releases] == ["1-1", "0-1"]
    assert page.releases[0].date == date
    assert (page.releases[0].by.email if page.releases[0].by else None) == email
    assert [(note.version, note.title) for note in page.notes] == [("1-1", "A"), ("0-1", "B")]


def test_nesting_and_continuation() -> None:
    """Bullets nest as they are indented; a line belongs to the nearest bullet that it is indented deeper than."""
    notes = notes_of(
        "  * outer", "    goes on", "    - inner", "      goes on", "      + innermost", "    (Ann Example)",
        "  * next",
    )  # fmt: skip
    assert [(note.text, note.depth, note.parent) for note in notes] == [
        ("outer\ngoes on\n(Ann Example)", 0, None),
        ("inner\ngoes on", 1, 0),
        ("innermost", 2, 1),
        ("next", 0, None),
    ]
    assert [note.line for note in notes] == [3, 5, 7, 9]


def test_packages() -> None:
    """A changelog of another package than the source is of is an error; the names may be globs."""
    text = f"linux-tools (4.5-1) sid\n\n  * A\n\n{TRAILER}"
    assert parse(text, "changelog", sample_source(project="linux", packages=("linux*",))).notes
    with pytest.raises(NotesError, match="linux-tools"):
        parse(text, "changelog", sample_source(project="linux", packages=("docker.io",)))


def test_careless_indentation() -> None:
    """A dash not indented below its star is below it all the same; a star at the margin is outermost."""
    notes = notes_of("  * outer", "  - inner", "  goes on", "   * outermost", "   - inner")
    assert [(note.title, note.depth, note.parent) for note in notes] == [
        ("outer goes on", 0, None), ("inner", 1, 0), ("outermost", 0, None), ("inner", 1, 2),
    ]  # fmt: skip


def test_what_only_looks_like_a_bullet() -> None:
    """A dash without a space, an option or an arrow belongs to the text above."""
    assert len(notes_of("  * text", "    ->pointer", "    --option", "    -suffix", "    -- dashes", "    *.glob")) == 1


def test_people_and_versions_in_brackets() -> None:
    """Who changed something is no note; a version in brackets is a heading until the next outermost bullet."""
    notes = notes_of(
        "  [ Ann Example ]", "  * A", "", "  [Bob]", "  * B", "    [ 27.5.0 (2025-01-13) ]", "    * C", "  * D",
        "  [ Eve [", "  * E", version="28.5.2+dfsg4-5", source=DOCKER,
    )  # fmt: skip
    assert [(note.title, note.section) for note in notes] == [
        ("A", ()), ("B", ()), ("C", ("27.5.0 (2025-01-13)",)), ("D", ()), ("E", ()),
    ]  # fmt: skip
    assert notes[2].parent == 1


def test_lines_without_bullets_are_paragraphs() -> None:
    """What stands below no bullet is not lost."""
    notes = notes_of("    First release.", "    It works.", "  * A")
    assert [(note.form, note.text) for note in notes] == [
        ("paragraph", "First release.\nIt works."), ("bullet", "A"),
    ]  # fmt: skip


def test_stable_updates() -> None:
    """Below the address of a ChangeLog, bullets belong to its version; other bullets to none."""
    notes = notes_of(
        "  * New upstream stable update:",
        "    https://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.12.106",
        "    - one",
        "     http://www.kernel.org/pub/linux/kernel/v6.x/ChangeLog-6.12.107",
        "    - two",
        "",
        "  [ Ann Example ]",
        "  * [rt] Update",
        "    - three",
    )
    assert [(note.title, note.upstream) for note in notes[1:]] == [
        ("one", "6.12.106"), ("two", "6.12.107"), ("[rt] Update", ""), ("three", ""),
    ]  # fmt: skip
    assert notes[0].upstream == "6.12.107"
    assert notes[0].text.count("\n") == 2


@pytest.mark.parametrize(
    ("bullet", "upstream"),
    [
        ("New upstream release: https://kernelnewbies.org/Linux_6.1", "6.1"),
        ("New upstream release see http://kernelnewbies.org/Linux_2_6_26", "2.6.26"),
        ("New upstream:\n    https://kernelnewbies.org/Linux_5.1\n    https://kernelnewbies.org/Linux_5.2", "5.2"),
        ("New upstream release candidate", "6.3"),
        ("New upstream release (closes: #1)", "6.3"),
        ("New upstream version (2.6.31.2).", "2.6.31.2"),
        ("New stable update:\n    https://example.org/ChangeLog-3.16.7-ckt9", "3.16.7-ckt9"),
        ("Add stable release 2.6.12.3:", "2.6.12.3"),
        ("Add stable Release 2.6.12.3 - minus one fix", "2.6.12.3"),
        ("Add stable tree 2.6.12.3 fixes", "2.6.12.3"),
        ("Add stable 3.0.5 and 3.0.6, including:", "3.0.6"),
        ("Add 2.6.12.1 (Ann Example)", "2.6.12.1"),
        ("Added patch-2.6.12.1:", "2.6.12.1"),
        ("Hand-picked from stable release 2.6.16.38:", "2.6.16.38"),
        ("Add drm and sfc changes from stable 2.6.33.4", "2.6.33.4"),
        ("Add stable release 2.6.22.12-rc1:", "2.6.22.12-rc1"),
        ("Add 2.6.22 patches from another tree", ""),
        ("Add patches out of stable queue 2.6.18", ""),
        ("Add drm changes from 2.6.32.24+drm33.11", ""),
        ("See https://example.org/ChangeLog-6.1.2", ""),
        ("Drop what was in 6.1", ""),
    ],
)
def test_announced_versions(bullet: str, upstream: str) -> None:
    """Bullets below one that announces an upstream version belong to that version, however it is written."""
    notes = notes_of(f"  * {bullet}", "    - below", "  * other", version="6.3~rc3-1~exp1")
    assert [note.upstream for note in notes] == [upstream, upstream, ""]


@pytest.mark.parametrize(
    ("version", "upstream"),
    [
        ("28.5.2+dfsg4-5", "28.5.2"), ("1.13.1~ds3-4", "1.13.1"), ("20.10.0~rc1+dfsg3-2", "20.10.0"),
        ("1:1.6.0-1", "1.6.0"), ("1.6.0", "1.6.0"), ("18.09.1+dfsg1-7.1", "18.09.1"),
    ],
)  # fmt: skip
def test_other_packages_are_of_the_version_they_package(version: str, upstream: str) -> None:
    """All bullets of another package than linux belong to the version that was packaged."""
    notes = notes_of("  * A", "    - New upstream stable update", "  * B", version=version, source=DOCKER)
    assert [note.upstream for note in notes] == [upstream] * 3


@pytest.mark.parametrize(
    ("bullet", "title"),
    [
        ("[arm64] ASoC: fix it (CVE-2026-80583)", "ASoC: fix it"),
        ("[powerpc/powerpc64,ppc64*] fix it", "fix it"),
        ("[x86] [amd64] fix it", "fix it"),
        ("[!x86] fix it", "fix it"),
        ("[/kirkwood] fix it", "fix it"),
        ("[s390/s390-tape]: fix it", "fix it"),
        ("[media] cx88: fix it", "[media] cx88: fix it"),
        ("[SECURITY] fix it", "[SECURITY] fix it"),
        ("[rt] fix it", "[rt] fix it"),
        ("fix it\n      (CVE-2026-1000, CVE-2026-1001)", "fix it"),
        ("fix it (CVE-2026-1000)\n      (Closes: #12, #13).", "fix it"),
        ("fix it (closes: #12; thanks to Ann)", "fix it"),
        ("fix it, closes: #12", "fix it"),
        ("fix it. Closes: #12, #13.", "fix it."),
        ("fix CVE-2026-1000 and (CVE-2026-1001) twice", "fix CVE-2026-1000 and (CVE-2026-1001) twice"),
        ("fix f() (again)", "fix f() (again)"),
        ("(Closes: #12)", "(Closes: #12)"),
        ("[arm64]", "[arm64]"),
        ("\xa0[arm64] fix\xa0it", "fix it"),
    ],
)
def test_titles(bullet: str, title: str) -> None:
    """A title is one line without the architectures before it and the bugs and CVEs behind it; the text keeps them."""
    (note,) = notes_of(f"  * {bullet}")
    assert note.title == title
    assert "".join(note.text.split()) == "".join(bullet.split())


@pytest.mark.parametrize(
    ("bullet", "references"),
    [
        ("fix it (CVE-2026-1000,\n      cve-2026-1001)", [("cve", "CVE-2026-1000"), ("cve", "CVE-2026-1001")]),
        ("fix it (CAN-2005-1913)", [("cve", "CVE-2005-1913")]),
        ("fix it (CAN-2005-1913, CVE-2005-1913)", [("cve", "CVE-2005-1913")]),
        ("fix it (Closes: #12,\n      #13)", [("debian-bug", "12"), ("debian-bug", "13")]),
        ("fix it (closes: 378542)", [("debian-bug", "378542")]),
        ("fix it, Closes: bug#12", [("debian-bug", "12")]),
        ("see #12, try #4", []),
        ("see docker/docker#12", [("issue", "moby/moby#12")]),
        ("see https://github.com/moby/moby/pull/12", [("pull-request", "moby/moby#12")]),
        ("fix GHSA-V23V-6JW2-98FQ", [("advisory", "GHSA-v23v-6jw2-98fq")]),
        ("fix XCAN-2005-1913", []),
    ],
)
def test_references(bullet: str, references: list[tuple[str, str]]) -> None:
    """CVEs, also by their old name, and Debian's bugs are references; a bare number is no issue of the project's."""
    (note,) = notes_of(f"  * {bullet}", source=DOCKER)
    assert list(note.references) == [Reference(*reference) for reference in references]


def test_bad_headers_do_not_stop() -> None:
    """Bullets below a header that is none are notes, though of no version; the next upload is read."""
    text = f"Old entries follow\n\n  * lost\n\nlinux [6.1-1] unstable\n\n  * B\n{TRAILER}\nlinux (1-1) sid\n  * C\n"
    page = parse(text, "c", LINUX)
    assert [(note.version, note.title) for note in page.notes] == [("", "lost"), ("", "B"), ("1-1", "C")]
    assert [release.version for release in page.releases] == ["1-1"]


@pytest.mark.parametrize(
    "text",
    ["", "words\n", "  * bullet\n", "<!DOCTYPE html>\n<p>", "\n <html>linux (1-1) sid\n", "linux (1-1) sid\n\0"],
)
def test_not_a_changelog(text: str) -> None:
    """What is no changelog is an error that names the source, the page and what to do."""
    with pytest.raises(NotesError) as caught:
        parse(text, "the-page", LINUX)
    assert "the-page" in caught.value.what and "sample" in caught.value.where and caught.value.next


PIECES = [
    "linux (1-1) sid; urgency=low\n", "linux (2~rc1-1~exp1) sid\n", "linux (", ") ", TRAILER, " -- ", " -- A <", ">  ",
    "Wed, 20 Jul 2005 17:16:04 -0400\n", "99 Jan 99999 99:99:99 +9999\n", "  * ", "    - ", "      + ", "   * ", "\t- ",
    "  *\n", "\n", "\n\n", " ", "  [ Ann ]\n", "    [ 1.2.3 (2020) ]\n", "New upstream stable update:\n",
    "    https://kernel.org/ChangeLog-6.1.2\n", "New upstream release: https://kernelnewbies.org/Linux_2_6_1\n",
    "Add stable 1.2.3 and 1.2.4", "[x86] ", "[arm64,", "(CVE-2020-1234)", "(Closes: #1, #2)", "closes: ",
    "CAN-2005-1234",
    "#1", "a/b#1", "(", ")", "[", "]", ",", ".", "word", "é", "\u2028", "\x85", "\x0b", "\r\n", "\r", "\x1b[31m", "\0",
    "\ud800", "\u0664", "<html>", "https://github.com/a/b/pull/1", "\ufeff", "9" * 30,
]  # fmt: skip


def check(text: str) -> None:
    """Parse, and hold what every page must keep to."""
    try:
        page = parse(text, "changelog", LINUX)
    except NotesError:
        return
    lines = text.split("\n")
    for place, note in enumerate(page.notes):
        assert note.title and note.text.split("\n")[0] in lines[note.line - 1].removeprefix("\ufeff")
        assert note.title == " ".join(note.title.split())
        assert (note.parent is None) == (note.depth == 0)
        assert note.parent is None or page.notes[note.parent].depth == note.depth - 1
        assert note.parent is None or note.parent < place
    assert all(release.version for release in page.releases)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
@example("linux (1-1) sid\n  * (CVE-2020-1)(Closes: #1)")
def test_whatever_the_text(text: str) -> None:
    """No text makes the parser fail otherwise than with NotesError, and what it finds stands in the text."""
    check(text)


@pytest.mark.slow
def test_many_texts() -> None:
    """Nor do many mutated ones."""
    random_source = random.Random(2026)
    for _ in range(6_000):
        check(mutated("".join(random_source.choices(PIECES, k=random_source.randrange(40))), random_source))


FLOODS = [
    "  * a\n", "- ", "(CVE-2020-1234)", "closes: #1, ", "[x86] ", "[", "(", " ", "\t", "\n", "1", "1.",
    " -- a <b>  c\n", "  [ A ]\n", "https://a", "Add stable 1.1 and 1.2 ", "New upstream 1.", "linux (1-1) sid\n",
    "word and ",
    "#1 ", "é",
]  # fmt: skip


def test_floods() -> None:
    """Long lines, deep nesting and very many bullets are read in time that grows with their size alone."""
    start = time.perf_counter()
    for head in ("", "  * ", "    "):
        for flood in FLOODS:
            parse(f"linux (1-1) sid\n{head}{flood * (120_000 // len(flood))}\nend", "changelog", LINUX)
    deep = "".join(f"{' ' * depth}- a\n" for depth in range(4, 1500))
    assert parse(f"linux (1-1) sid\n{deep}", "changelog", LINUX).notes[-1].depth == 1495
    assert time.perf_counter() - start < 30


FILES = {
    "linux_6.1.176-1.changelog.gz": LINUX, "linux_6.12.107-1.changelog.gz": LINUX,
    "linux_6.12.107-1.changelog.old.gz": LINUX, "docker.io.changelog.gz": DOCKER,
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(FILES))
def real(request: pytest.FixtureRequest, shared: Path) -> tuple[str, list[str], Page]:
    """A real changelog: its name, lines and page."""
    text = gzip.decompress((shared / "real/notes/debian" / request.param).read_bytes()).decode()
    return request.param, text.split("\n"), parse(text, request.param, FILES[request.param])


@pytest.mark.shared
def test_real_uploads_and_days(real: tuple[str, list[str], Page]) -> None:
    """Every line at the margin is an upload, and every upload has the day and the mail of its trailer."""
    _, lines, page = real
    heads = [(number, line.split("(")[1].split(")")[0]) for number, line in enumerate(lines, 1) if line[:1].strip()]
    assert [(release.line, release.version) for release in page.releases] == heads
    signed = [line for line in lines if line.startswith(" -- ")]
    moments = [datetime.strptime(line.split(">  ")[1], "%a, %d %b %Y %H:%M:%S %z") for line in signed]
    assert [release.date for release in page.releases] == [str(moment.astimezone(UTC).date()) for moment in moments]
    mails = [line.split("<")[1].split(">")[0] for line in signed]
    assert [release.by.email if release.by else None for release in page.releases] == mails


@pytest.mark.shared
def test_real_bullets(real: tuple[str, list[str], Page]) -> None:
    """All lines that begin with an indented mark are bullets, and no word of the file is lost."""
    _, lines, page = real
    marked = [number for number, line in enumerate(lines, 1) if re.match(r"^ +[*+-]\s+\S", line)]
    assert [note.line for note in page.notes if note.form == "bullet"] == marked
    told = sum(len(note.text.split()) for note in page.notes)
    headings = re.compile(r"  \[[^\]]*?[\[\]]?|    \[ [0-9.]+ \(.*\) \]")
    detail = [line.rstrip() for line in lines if line.startswith("  ") and not headings.fullmatch(line.rstrip())]
    assert told == sum(len(re.sub(r"^ +[*+-]\s", "", line).split()) for line in detail)


@pytest.mark.shared
def test_real_cves_and_bugs(real: tuple[str, list[str], Page]) -> None:
    """Each upload's CVEs and closed bugs are those that a search through its lines finds."""
    _, lines, page = real
    text = re.sub(r"\n +(?![*+-] )", " ", "\n".join(lines))
    cves = {cve.upper().replace("CAN", "CVE") for cve in re.findall(r"\b(?:CVE|CAN)-\d{4}-\d{4,}", text)}
    found = {r.value for note in page.notes for r in note.references if r.type == "cve"}
    assert found == cves
    bugs = {n for closed in re.findall(r"(?i)closes: *((?:#?\d+[, ]*)+)", text) for n in re.findall(r"\d+", closed)}
    told = {r.value for note in page.notes for r in note.references if r.type == "debian-bug"}
    assert len(told & bugs) >= 0.99 * len(told | bugs)


@pytest.mark.shared
def test_real_upstream_versions(real: tuple[str, list[str], Page]) -> None:
    """The bullets between a ChangeLog's address and the next outermost bullet or address belong to its version."""
    name, lines, page = real
    if name.startswith("docker"):
        assert all(note.upstream and note.version.startswith(note.upstream) for note in page.notes)
        return
    upstream, wanted = "", {}
    for number, line in enumerate(lines, 1):
        address = re.match(r"^ +https?://www\.kernel\.org/\S*ChangeLog-(\S+)$", line)
        if address:
            upstream = address[1]
        elif re.match(r"^ ? ? ?[^ ]", line):
            upstream = ""
        elif upstream and re.match(r"^ +- ", line):
            wanted[number] = upstream
    got = {note.line: note.upstream for note in page.notes}
    assert len(wanted) > 15_000
    assert [number for number, version in wanted.items() if got[number] != version] == []


@pytest.mark.shared
def test_real_titles_are_upstreams_own(shared: Path) -> None:
    """Of a stable update's bullets, titles carry no marks of architectures and no CVEs behind them."""
    name = "linux_6.12.107-1.changelog.gz"
    page = parse(gzip.decompress((shared / "real/notes/debian" / name).read_bytes()).decode(), name, LINUX)
    titled = [note.title for note in page.notes if note.upstream]
    assert not [title for title in titled if re.match(r"\[(x86|arm64|armhf|amd64)", title)]
    assert not [title for title in titled if re.search(r"\(CVE-[^)]*\)$", title)]


@pytest.mark.shared
def test_real_speed(shared: Path) -> None:
    """66,000 lines take less than 1.5 seconds of processor time."""
    text = gzip.decompress((shared / "real/notes/debian/linux_6.12.107-1.changelog.gz").read_bytes()).decode()
    start = time.process_time()
    parse(text, "changelog", LINUX)
    assert time.process_time() - start < 1.5
