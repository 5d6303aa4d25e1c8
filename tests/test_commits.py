"""Raw commit objects: headers, identities, encodings."""

from __future__ import annotations

import pytest
from gitrepo import GitRepo
from hypothesis import given
from hypothesis import strategies as st

from kminer.history.commits import Message, RawCommit, read_identity, read_message, split_commit, title_of
from kminer.records import Moment, Person

TREE = b"tree " + b"4b825dc642cb6eb9a060e54bf8d69288fbee4904" + b"\n"
WHO = b"A <a@example.org> 1577880000 +0000"


def commit(message: bytes, author: bytes = WHO, extra: bytes = b"", parents: tuple[str, ...] = ()) -> RawCommit:
    """A commit taken apart that was put together by hand."""
    lines = b"".join(b"parent " + parent.encode() + b"\n" for parent in parents)
    return split_commit(TREE + lines + b"author " + author + b"\ncommitter " + WHO + b"\n" + extra + b"\n" + message)


def bytes_of(message: Message) -> bytes:
    return message.text.encode(message.encoding)


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Grüße\n".encode(), None, "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "ISO-8859-1", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), None, "Grüße\n"),
        ("Grüße\n".encode(), "ISO-8859-1", "Grüße\n"),
        ("Привет\n".encode("koi8-r"), "KOI8-R", "Привет\n"),
        ("日本\n".encode("euc-jp"), "EUC-JP", "日本\n"),
        ("Grüße\n".encode("latin-1"), "no-such-code", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "utf-8", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "UTF-7", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "euc-jp", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "base64", "Grüße\n"),
        ("Grüße\n".encode("latin-1"), "undefined", "Grüße\n"),
        (b"a+AOk-b\n", "utf-7", "a+AOk-b\n"),
        (b"", None, ""),
        (b"\0before\0after\n", None, "\0before\0after\n"),
        (bytes(range(256)), None, bytes(range(256)).decode("latin-1")),
    ],
)
def test_messages_are_text_that_gives_its_bytes_back(data: bytes, declared: str | None, text: str) -> None:
    """UTF-8 comes first, then what is declared if it fits, then ISO 8859-1."""
    message = read_message(commit(data, extra=f"encoding {declared}\n".encode() if declared else b""))
    assert message.text == text
    assert bytes_of(message) == data


@given(
    st.binary(max_size=80),
    st.sampled_from(
        [
            "",
            "utf-8",
            "utf-7",
            "utf-16",
            "utf-32-be",
            "latin-1",
            "koi8-r",
            "gbk",
            "shift_jis",
            "idna",
            "punycode",
            "rot13",
            "unicode_escape",
            "raw_unicode_escape",
            "hex",
            "charmap",
            "mbcs",
            "cp037",
            "\0",
            "x\0y",
            "é",
        ]
    ),
)
def test_no_bytes_are_lost_whatever_is_declared(data: bytes, declared: str) -> None:
    """Any bytes under any declared encoding become text that can be stored as UTF-8 and turned back."""
    message = read_message(commit(data, extra=f"encoding {declared}\n".encode() if declared else b""))
    assert bytes_of(message) == data
    assert message.text.encode("utf-8").decode("utf-8") == message.text


def test_declared_encodings_that_give_what_utf8_cannot_hold() -> None:
    """A declared encoding that yields half a surrogate pair is not used: such text could not be stored."""
    data = b"\xff \\ud800\n"
    message = read_message(commit(data, extra=b"encoding raw_unicode_escape\n"))
    assert message.text.encode("utf-8")
    assert bytes_of(message) == data


def test_five_megabytes() -> None:
    """A message of five megabytes is read whole."""
    data = b"title\n\n" + b"x" * 5_000_000
    message = read_message(commit(data))
    assert (message.title, bytes_of(message)) == ("title", data)


def test_signatures_and_merged_tags_are_no_part_of_the_message() -> None:
    """Headers that run over several lines, with lines that look like others, are passed over."""
    tag = (
        b"mergetag object 0123456789abcdef0123456789abcdef01234567\n type commit\n tag v1\n"
        b" tagger T <t@example.org> 1 +0000\n \n encoding KOI8-R\n author X <x@example.org> 2 +0000\n"
    )
    signature = (
        b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n committer Y <y@example.org> 3 +0000\n -----END PGP SIGNATURE-----\n"
    )
    raw = commit(b"Gr\xfc\xdfe\n", extra=tag + b"encoding ISO-8859-1\n" + signature, parents=("1" * 40, "2" * 40))
    assert raw.parents == ("1" * 40, "2" * 40)
    assert raw.tree.hex() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert read_message(raw) == Message("Grüße", "Grüße\n", "ISO-8859-1")
    assert read_identity(raw, "committer", "utf-8") == (Person("committer", "A", "a@example.org"), Moment(1577880000))


@pytest.mark.parametrize(
    ("line", "name", "email", "moment"),
    [
        (b"A B <a@example.org> 1577880000 +0130", "A B", "a@example.org", Moment(1577880000, "+0130")),
        (b"A B <> 5 -0000", "A B", "", Moment(5, "-0000")),
        (b"<a@example.org> 5 +0000", "", "a@example.org", Moment(5)),
        (b" <> 5 +0000", "", "", Moment(5)),
        (b"A <a@example.org>", "A", "a@example.org", Moment(0)),
        (b"A <a@example.org> 5", "A", "a@example.org", Moment(5)),
        (b"A <a@example.org> soon", "A", "a@example.org", Moment(0)),
        (b"A <a@example.org> -86400 -0800", "A", "a@example.org", Moment(-86400, "-0800")),
        (b"A <a@example.org> 7258118400 +0000", "A", "a@example.org", Moment(7258118400)),
        (b"A <a@example.org> 3093527980800 +0000", "A", "a@example.org", Moment(3093527980800)),
        (b"A <a@example.org> 5 +051800", "A", "a@example.org", Moment(5, "+051800")),
        (b"A <a@example.org> 5 -7500", "A", "a@example.org", Moment(5, "-7500")),
        (b"No address 5 +0000", "No address 5 +0000", "", Moment(0)),
        (b"", "", "", Moment(0)),
        ("Jürgen <j@example.org> 5 +0000".encode(), "Jürgen", "j@example.org", Moment(5)),
        ("Jürgen <j@example.org> 5 +0000".encode("latin-1"), "Jürgen", "j@example.org", Moment(5)),
    ],
)
def test_identities(line: bytes, name: str, email: str, moment: Moment) -> None:
    """Names, addresses and times are read as far as they are there."""
    assert read_identity(commit(b"x", author=line), "author", "utf-8") == (Person("author", name, email), moment)


def test_a_name_is_read_with_the_declared_encoding_though_the_message_is_ascii() -> None:
    """The declared encoding holds for the names too, whatever the message's bytes need."""
    raw = commit(b"plain\n", author="Андрей <a@example.org> 5 +0000".encode("koi8-r"), extra=b"encoding KOI8-R\n")
    person, _ = read_identity(raw, "author", read_message(raw).encoding)
    assert person.name == "Андрей"


@pytest.mark.parametrize("filling", [b"1", b" ", b"<", b">", b"-", b"1 ", b"+1"])
def test_an_identity_line_of_megabytes_ends(filling: bytes) -> None:
    """A hostile author line costs no more than its length: reading it comes to an end."""
    line = b"A <a@example.org> " + filling * (2_000_000 // len(filling)) + b"x"
    person, _ = read_identity(commit(b"x", author=line), "author", "utf-8")
    assert person.name == "A"


def test_a_date_of_thousands_of_digits() -> None:
    """A time that no clock could show is read as a number or as none, without an error."""
    line = b"A <a@example.org> " + b"9" * 5000 + b" +0000"
    person, moment = read_identity(commit(b"x", author=line), "author", "utf-8")
    assert person.email == "a@example.org"
    assert moment.utc() is None or moment == Moment(0)


@pytest.mark.parametrize(
    ("seconds", "offset", "utc", "local"),
    [
        (0, "+0000", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00"),
        (-1, "+0000", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59+00:00"),
        (1577880000, "-0830", "2020-01-01T12:00:00Z", "2020-01-01T03:30:00-08:30"),
        (7258118400, "+0200", "2200-01-01T00:00:00Z", "2200-01-01T02:00:00+02:00"),
        (-62000000000, "+0000", "0005-04-19T09:46:40Z", "0005-04-19T09:46:40+00:00"),
        (3093527980800, "+0000", None, "@3093527980800 +0000"),
        (-99999999999999, "+0000", None, "@-99999999999999 +0000"),
        (5, "+051800", "1970-01-01T00:00:05Z", "@5 +051800"),
        (5, "-7500", "1970-01-01T00:00:05Z", "@5 -7500"),
        (253402300799, "+0001", "9999-12-31T23:59:59Z", "@253402300799 +0001"),
    ],
)
def test_moments(seconds: int, offset: str, utc: str | None, local: str) -> None:
    """Times are ISO 8601 from the year 1 to 9999, and git's own spelling where no calendar helps."""
    assert (Moment(seconds, offset).utc(), Moment(seconds, offset).local()) == (utc, local)


@given(st.integers(), st.text("+-0123456789", max_size=7))
def test_any_moment_can_be_told(seconds: int, offset: str) -> None:
    """No time and no offset makes the telling fail."""
    moment = Moment(seconds, offset)
    assert moment.utc() is None or len(moment.utc() or "") == 20
    assert moment.local()


MESSAGES = [
    "title\n", "title", "title\n\nbody\n", "\n\n  title\n\nbody\n", "two\nlines\n\nbody\n",
    "title  \n  \nbody after blanks\n",
    "title\r\n\r\nbody of a Windows user\r\n", " \n\t\ntitle after blank lines\n\nbody", "", "\n\n\n",
    "   ", "a\tb\n\nc",
    "title\n\n\nbody", "title\x0bstill\n\nbody", "title\u2028still title\n\nbody",
]  # fmt: skip


def test_titles_are_those_of_git(repo: GitRepo) -> None:
    """The title is the subject that `git log` shows, but for the space around and between its lines."""
    for message in MESSAGES:
        made = repo.raw_commit(message.encode())
        subject = repo.git("log", "-1", "--format=%s", made)
        assert title_of(message).split() == subject.split(), repr(message)
