"""Pull-request mails as pages of notes."""

from __future__ import annotations

import random
import re
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutating import mutated
from syncing import sample_source

from kminer.errors import NotesError
from kminer.notes.drafts import first_sentence
from kminer.notes.pullmail import parse, parse_mail
from kminer.records import Note, NotedRelease, Page, Reference

LINUX = sample_source(project="linux", repository="", repository_was=())
TIP = "0123456789abcdef0123456789abcdef01234567"
RULE = "-" * 64
OFFER = f"""\
The following changes since commit {"a" * 40}:

  Linux 6.11-rc1 (2024-07-28 14:19:55 -0700)

are available in the Git repository at:

  git://git.example.org/cgroup.git tags/cgroup-for-6.12

for you to fetch changes up to {TIP}:

  cgroup: the last change (2024-09-10 10:00:00 -1000)

"""
SHORTLOG = f"""\
Ann Example (2):
      cgroup: first change
      cgroup: second change that is so long that
         it was wrapped

Bob Example (1):
      cgroup: the last change

 kernel/cgroup/cgroup.c | 12 ++++++------
 1 file changed, 6 insertions(+), 6 deletions(-)

--{" "}
ann
"""
TITLES = [
    "cgroup: first change",
    "cgroup: second change that is so long that it was wrapped",
    "cgroup: the last change",
]


def mail(*parts: str, subject: str = "[GIT PULL] cgroup: Changes for v6.12") -> str:
    """A mail of these parts."""
    head = f"Subject: {subject}\nDate: Fri, 13 Sep 2024 22:00:00 -1000\nMessage-ID: <one@example.org>\n\n"
    return head + "\n".join(parts)


def page_of(*parts: str, subject: str = "[GIT PULL] cgroup: Changes for v6.12") -> Page:
    """The page of a mail of these parts."""
    return parse(mail(*parts, subject=subject), "mail", LINUX)


def prose(page: Page) -> list[tuple[str, str]]:
    """Form and text of the notes that are not from the shortlog."""
    return [(note.form, note.text) for note in page.notes if note.form != "shortlog"]


def listed(page: Page) -> list[str]:
    """Titles of the shortlog."""
    return [note.title for note in page.notes if note.form == "shortlog"]


def test_tag_message() -> None:
    """What stands between the rules is told, less the line that repeats the subject; the letter is not."""
    message = (
        f"{RULE}\ncgroup changes for v6.12:\n\n- First item. With more\n  to say.\n\n- Second item\n\n"
        f"  Its second paragraph.\n\n  - Nested item\n\nA closing remark.\n\n{RULE}"
    )
    page = page_of("Hi Linus,\n\nThis has been in linux-next.\n", OFFER, message, SHORTLOG)
    assert page.releases == (NotedRelease("6.12", "2024-09-14", 1),)
    assert prose(page) == [
        ("bullet", "First item. With more\nto say."),
        ("bullet", "Second item\n\nIts second paragraph."),
        ("bullet", "Nested item"),
        ("paragraph", "A closing remark."),
    ]
    assert [(note.title, note.depth, note.parent) for note in page.notes[:4]] == [
        ("First item.", 0, None), ("Second item Its second paragraph.", 0, None), ("Nested item", 1, 1),
        ("A closing remark.", 0, None),
    ]  # fmt: skip
    assert listed(page) == TITLES


def test_letter() -> None:
    """Without a tag's message the letter is told, less greetings, the plea with its address, and thanks."""
    letter = (
        "Hi Linus,\n\nPlease pull from:\n\n  git://git.example.org/vfs.git\ntags/ovl-update-6.12\n\nFixes:\n\n"
        " - Fix one thing, e.g.\nthis one\n\n - Fix another (CVE-2024-1234)\n\nAs discussed here:\n\n"
        "  https://lore.example.org/x/\n\nThanks,\nAnn\n\n---"
    )
    page = page_of(letter, SHORTLOG)
    assert prose(page) == [
        ("paragraph", "Fixes:"),
        ("bullet", "Fix one thing, e.g.\nthis one"),
        ("bullet", "Fix another (CVE-2024-1234)"),
        ("paragraph", "As discussed here:\n\nhttps://lore.example.org/x/"),
    ]
    assert listed(page) == TITLES


@pytest.mark.parametrize(
    "said",
    [
        "Hello, Linus.", "Hello,", "Linus,", "Dear Linus", "Thanks.", "Thank you.", "Thanks and happy new year.",
        "Thanks,\nAnn", "Best regards,\nAnn Example", "Please pull two fixes.", "Please consider pulling",
        "Hi Linus,\nPlease pull", "git://git.example.org/a.git for-6.12", f"HEAD: {TIP} a title",
        "cgroup changes for 6.12", "[1] https://example.org/x",
    ],
)  # fmt: skip
def test_what_says_nothing(said: str) -> None:
    """Courtesies, addresses and the subject once more are no notes."""
    assert prose(page_of(f"{said}\n\nOne fix.\n", OFFER, RULE, SHORTLOG)) == [("paragraph", "One fix.")]


def test_empty_tag_message() -> None:
    """A tag that only repeats the subject leaves the word to the letter."""
    page = page_of("A follow-up.\n", OFFER, f"{RULE}\ncgroup: changes for 6.12\n\n{RULE}", SHORTLOG)
    assert prose(page) == [("paragraph", "A follow-up.")]


def test_references() -> None:
    """All notes name the mail; what is said of the whole names its tip, and the addresses its footnotes stand for."""
    message = f"{RULE}\n* Fix it [1] (CVE-2024-1234)\n\n[1] https://example.org/x\n\n{RULE}"
    page = page_of(OFFER, message, SHORTLOG)
    sent = Reference("message-id", "one@example.org")
    assert page.notes[0].references == (
        Reference("cve", "CVE-2024-1234"), Reference("link", "https://example.org/x"), Reference("tip", TIP), sent,
    )  # fmt: skip
    assert {note.references for note in page.notes[1:]} == {(sent,)}


def test_lines() -> None:
    """A note's line is its first in the mail."""
    text = mail("One fix.\n", OFFER, RULE, SHORTLOG)
    lines = text.split("\n")
    for note in parse(text, "mail", LINUX).notes:
        assert note.text.split("\n")[0].startswith(lines[note.line - 1].strip())


@pytest.mark.parametrize(
    ("subject", "version"),
    [
        ("[GIT PULL] cgroup changes for v5.2-rc1", "5.2-rc1"),
        ("[GIT PULL] overlayfs update for 6.0", "6.0"),
        ("[GIT PULL] cgroup update for v5.20-rc1", "5.20-rc1"),
        ("[GIT PULL] cgroup fixes #2 for v6.0-rc2", "6.0-rc2"),
        ("[GIT PULL] overlayfs update for 6.5 - part 2", "6.5"),
        ("[GIT PULL v2] overlayfs fixes for 5.14-rc6", "5.14-rc6"),
        ("[git pull] a fix of 6.1 for 6.2", "6.2"),
        ("[GIT PULL for v4.2] namespaces", "4.2"),
        ("[GIT PULL] cgroup for 2.6.39-rc1", "2.6.39-rc1"),
        ("[GIT PULL] user namespaces", "6.12"),
        ("[PATCH] [PULL] cgroup", "6.12"),
    ],
)
def test_versions(subject: str, version: str) -> None:
    """The version is the one the subject asks a pull for, as it says it, else that of the tag or branch."""
    page = page_of("One fix.\n", OFFER, RULE, SHORTLOG, subject=subject)
    assert [release.version for release in page.releases] == [version]
    assert {note.version for note in page.notes} == {version}


def test_no_version() -> None:
    """A pull request that names no version has notes, but of no release."""
    page = page_of(
        "One fix.\n\nPlease pull\n\n  git://git.example.org/a.git for-linus\n", SHORTLOG, subject="[GIT PULL] a fix"
    )
    assert page.releases == ()
    assert {note.version for note in page.notes} == {""} and len(page.notes) == 4


@pytest.mark.parametrize(
    "subject",
    [
        "Re: [GIT PULL] cgroup changes for v5.2-rc1",
        "[PATCH] cgroup: fix",
        "a mess (Was: [GIT PULL] fixes for 5.14-rc6)",
        "pull",
    ],
)
def test_other_mails(subject: str) -> None:
    """A reply or a patch is no pull request: an empty page."""
    assert page_of("One fix.\n", SHORTLOG, subject=subject) == Page((), ())


def test_old_form() -> None:
    """A letter with the tip after HEAD, and a shortlog without rules."""
    page = page_of(f"Linus,\n\nOne fix.\n\n   HEAD: {TIP} a title\n", SHORTLOG)
    assert prose(page) == [("paragraph", "One fix.")] and listed(page) == TITLES
    assert Reference("tip", TIP) in page.notes[0].references


@pytest.mark.parametrize(
    "text", ["", "words\n", "Date: today\n\nSubject: x", "<html>Subject: [GIT PULL] x", "Subject: x\n\0"]
)
def test_not_a_mail(text: str) -> None:
    """What is no mail is an error that names the source, the page and what to do."""
    for read in (lambda: parse(text, "the-mail", LINUX), lambda: parse_mail(text.encode(), "the-mail", LINUX)):
        with pytest.raises(NotesError) as caught:
            read()
        assert "the-mail" in caught.value.what and "sample" in caught.value.where and caught.value.next


def test_first_sentence() -> None:
    """A sentence ends before a capital letter, not at an abbreviation or a number."""
    assert first_sentence("One, e.g. this\none. Two.") == "One, e.g. this one."
    assert first_sentence("Two fixes: 1. Fix it") == "Two fixes: 1. Fix it"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-2"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_encoded_mails(charset: str, encoding: str) -> None:
    """A mail is read as it was meant, whatever it was sent in, and with an attachment."""
    message = EmailMessage()
    message["Subject"] = "[GIT PULL] Koutný's changes for v6.12"
    message["From"] = "Ann <ann@example.org>"
    message["Date"] = "Fri, 13 Sep 2024 22:00:00 -1000"
    message["Message-ID"] = "<one@example.org>"
    body = mail("By Michal Koutný.\n", OFFER, RULE, SHORTLOG).split("\n\n", 1)[1]
    message.set_content(body, charset=charset, cte=encoding)
    message.add_attachment("+a patch", filename="a.patch")
    page = parse_mail(b"From ann@example.org Fri Sep 13\n" + message.as_bytes(), "mail", LINUX)
    assert page.releases == (NotedRelease("6.12", "2024-09-14", 1),)
    assert prose(page) == [("paragraph", "By Michal Koutný.")] and listed(page) == TITLES
    assert Reference("message-id", "one@example.org") in page.notes[0].references


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"Content-Type: text/plain; charset=unheard-of", "caf\u00e9"),
        (b"Content-Type: text/plain; charset=us-ascii", "caf\u00e9"),
        (b"Content-Type: text/plain; charset=hex", "caf\u00e9"),
        (b"Content-Type: nonsense", "caf\u00e9"),
        (b"Message-ID: <<<<", "caf\u00e9"),
        (b"Message-ID: " + b"(" * 100_000, "caf\u00e9"),
    ],
)
def test_wrongly_labelled_mails(header: bytes, said: str) -> None:
    """A mail whose headers are wrong is read as UTF-8."""
    page = parse_mail(b"Subject: [GIT PULL] for v6.12\n" + header + b"\n\n* caf\xc3\xa9\n", "mail", LINUX)
    assert [note.text for note in page.notes] == [said]


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: text/html\n\n<p>x",
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\nx",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1500)),
    ],
)  # fmt: skip
def test_mails_without_text(raw: bytes) -> None:
    """A pull request without plain text is an error."""
    with pytest.raises(NotesError):
        parse_mail(b"Subject: [GIT PULL] for v6.12\n" + raw, "mail", LINUX)


PIECES: list[str] = [
    "Subject: [GIT PULL] for v6.12\n", "Subject: ", "[GIT PULL] ", "Date: Fri, 13 Sep 2024 22:00:00 -1000\n",
    "Message-ID: <",
    ">\n", "Content-Type: text/plain; charset=", "utf-8\n", "Content-Type: multipart/mixed; boundary=b\n", "--b\n",
    "\n", "\n\n",
    "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n", OFFER, SHORTLOG, RULE,
    "---\n",
    "\n- bullet", "\n  - nested", "\n1. one", "\n  more", "paragraph", "Hi Linus,\n", "Thanks,\n", "Please pull",
    "[1] https://a\n",
    "[1]", f"changes up to {TIP}", "Name (1):\n", "      title\n", "git://a.b/c tags/v6.1\n", "=?utf-8?q?", "?=",
    "=C3", "\r\n",
    "\r", "\0", "\ud800", "\u2028", "\u0664", "é", "\x1b[m", "<", ">", "(", '"', "<html>", "-- \n",
    "are available in the git ",
    "-----BEGIN PGP SIGNED MESSAGE-----\n", " a | 3 +\n", "CVE-2020-1234", "From x\n", "Re: ", ":", ";", "=", "9" * 30,
]  # fmt: skip


def check(text: str) -> None:
    """Parse as text and as a mail, and hold what every page must keep to."""
    for read in (
        lambda: parse(text, "mail", LINUX),
        lambda: parse_mail(text.encode("utf-8", "surrogatepass"), "mail", LINUX),
    ):
        try:
            page = read()
        except NotesError:
            continue
        for place, note in enumerate(page.notes):
            assert note.title and note.text and note.title == " ".join(note.title.split())
            assert (note.parent is None) == (note.depth == 0)
            assert note.parent is None or (note.parent < place and page.notes[note.parent].depth == note.depth - 1)
        assert all(release.version for release in page.releases)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
@example("Subject: [GIT PULL] for v6.12\n\n-  \u2028\n")
def test_whatever_the_text(text: str) -> None:
    """No text makes the parsers fail otherwise than with NotesError."""
    check(text)
    check("Subject: [GIT PULL] for v6.12\n" + text)


@pytest.mark.slow
def test_many_texts() -> None:
    """Nor do many mutated ones."""
    random_source = random.Random(2026)
    for _ in range(6_000):
        text = "Subject: [GIT PULL] for v6.12\n" + "".join(random_source.choices(PIECES, k=random_source.randrange(20)))
        check(mutated(text, random_source))


FLOODS = [
    "- a\n", "Hi\n", "Hi ", "Thanks\n", "Name (1):\n      title\n", "      t\n", "git://a b\n\n", "git://a", "http://",
    "a:\n\n",
    "[1] http://a\n", "[1] ", "1.", "(", " ", "\n", "---\n", " a | ", "x (1 ", "changes up to ", "a", "- ", "for 1.1.",
]  # fmt: skip


def test_floods() -> None:
    """Long lines, very many bullets and absurd headers are read in time that grows with their size alone."""
    start = time.perf_counter()
    for flood in FLOODS:
        much = flood * (60_000 // len(flood))
        for text in (
            mail(much),
            mail(OFFER, RULE, much),
            mail(subject=f"[GIT PULL] {much.strip()}"),
            mail(f"a:\n\n{much}"),
        ):
            parse(text, "mail", LINUX)
    for header in (
        b"Content-Type: ",
        b"Content-Disposition: ",
        b"Content-Transfer-Encoding: ",
        b"Message-ID: ",
        b"Date: ",
    ):
        for octets in (b'"', b"<", b"a/b;", b"=?utf-8?q?a?= ", b"a@b "):
            raw = b"Subject: [GIT PULL] for v6.12\n" + header + octets * 20_000 + b"\n\nOne fix.\n"
            try:
                parse_mail(raw, "mail", LINUX)
            except NotesError:
                continue
    assert time.perf_counter() - start < 30


@pytest.fixture(scope="module")
def real(shared: Path) -> list[tuple[str, str, Page]]:
    """Real mails: name, text and page."""
    files = sorted((shared / "real/notes/gitpull").glob("*.txt"))
    texts = [(file.name, file.read_bytes().decode("utf-8", "replace")) for file in files]
    return [(name, text, parse(text, name, LINUX)) for name, text in texts]


@pytest.mark.shared
def test_real_versions(real: list[tuple[str, str, Page]]) -> None:
    """The version of every pull request is the one in its subject; a reply is none."""
    for name, text, page in real:
        subject = text.split("\n")[0].removeprefix("Subject: ")
        wanted = re.findall(r"for v?(\d\S*)$", subject.removesuffix(" - part 2"))
        if not subject.lower().startswith("[git pull"):
            assert page == Page((), ()), name
        else:
            assert [release.version for release in page.releases] == wanted, name
            assert all(release.date for release in page.releases)
    assert sum(len(page.releases) for _, _, page in real) == len(real) - 3


@pytest.mark.shared
def test_real_shortlogs(real: list[tuple[str, str, Page]]) -> None:
    """As many titles as the authors' counts say, and those that stand there."""
    for name, text, page in real:
        counted = sum(int(count) for count in re.findall(r"^\S.* \((\d+)\):$", text, re.MULTILINE))
        assert len(listed(page)) == counted, name
        written = re.findall(r"^ {6}(\S.*)$", text, re.MULTILINE)[:counted]
        assert all(title.startswith(line) for title, line in zip(listed(page), written, strict=True)), name


@pytest.mark.shared
def test_real_bullets(real: list[tuple[str, str, Page]]) -> None:
    """The bullets between the rules, or of the letter where there are none, are told."""
    wanted = told = 0
    for _, text, page in real:
        if not page.notes:
            continue
        between = re.search(r"^for you to fetch.*?^-{9,}$(.*?)^-{9,}$", text, re.MULTILINE | re.DOTALL)
        letter = re.split(r"^(?:The following changes|-{3,}$)", text, maxsplit=1, flags=re.MULTILINE)[0]
        told += sum(note.form == "bullet" for note in page.notes)
        wanted += len(re.findall(r"^ *[-*] \S", between[1] if between else letter, re.MULTILINE))
    assert wanted > 200
    assert 0.995 * wanted <= told <= 1.005 * wanted


@pytest.mark.shared
def test_real_mails_are_told(real: list[tuple[str, str, Page]]) -> None:
    """No note is a greeting, thanks, a diffstat or an offer, and every note names its mail."""
    for name, text, page in real:
        sent = re.findall(r"^Message-ID: <(.*)>$", text, re.MULTILINE)[0]
        for note in page.notes:
            assert not re.match(r"(?:hi|hello|thanks|please pull|git:|the following changes)\b", note.text.lower()), (
                name
            )
            assert "insertions(+)" not in note.text and not re.search(r" \| +\d", note.text)
            assert Reference("message-id", sent) in note.references


@pytest.mark.shared
def test_real_mails_as_sent(shared: Path, real: list[tuple[str, str, Page]]) -> None:
    """Read as mails they give the same pages."""
    for name, _, page in real:
        assert parse_mail((shared / "real/notes/gitpull" / name).read_bytes(), name, LINUX) == page, name


def test_notes_are_notes() -> None:
    """A title of the shortlog is a note of that form, with its line."""
    note = page_of("One fix.\n", OFFER, RULE, SHORTLOG).notes[1]
    assert note == Note(
        "6.12", (), "shortlog", TITLES[0], TITLES[0], 22, references=(Reference("message-id", "one@example.org"),)
    )
