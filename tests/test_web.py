"""Pages over HTTP: what is kept, what is refused, what is waited for."""

from __future__ import annotations

import email.utils
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from webserver import Reply, WebServer

from kminer import __version__
from kminer.errors import NotesError
from kminer.progress import Progress
from kminer.sources import web as module
from kminer.sources.web import Fetched, Limits, Web

TOKEN = "ghp_verysecret"
JSON = "application/json; charset=utf-8"
TAGGED = {"ETag": '"one"'}
DATED = {"Last-Modified": "Wed, 01 Jul 2026 10:00:00 GMT"}
SMALL = Limits(size=1024 * 1024)
IMPATIENT = Limits(read=0.3)
HURRIED = Limits(deadline=0.6)


class Recorder(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.units = 0
        self.notes: list[str] = []

    def start(self, doing: str, total: int | None) -> None:
        self.stages.append((doing, total))

    def advance(self, units: int) -> None:
        self.units += units

    def note(self, text: str) -> None:
        self.notes.append(text)

    def detail(self, text: str) -> None:
        self.notes.append(text)


class Visits:
    """Opens a Web on the same cache as often as asked; its sleeps are kept, not slept."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.pauses: list[float] = []
        self.progress = Recorder()

    def web(self, limits: Limits = SMALL) -> Web:
        return Web("notes", self.cache, self.progress, limits, pause=self.pauses.append)

    def text(self, address: str, limits: Limits = SMALL) -> Fetched:
        with self.web(limits) as web:
            return web.get_text(address)

    def fails(self, address: str, limits: Limits = SMALL, *, releases: bool = False) -> NotesError:
        """The error of a visit; nothing of the page is kept."""
        before = self.entries()
        with self.web(limits) as web, pytest.raises(NotesError) as error:
            web.get_releases(address) if releases else web.get_text(address)
        assert self.entries() == before
        assert error.value.what.startswith("notes: ")
        assert TOKEN not in str(error.value)
        return error.value

    def entries(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.cache.glob("*")}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("GITHUB_TOKEN", "NETRC"):
            monkeypatch.delenv(name)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(tmp_path / "cache")


def listing(*names: str) -> bytes:
    return json.dumps([{"tag_name": name} for name in names]).encode()


def names(releases: list[dict[str, object]]) -> list[object]:
    return [release["tag_name"] for release in releases]


def test_a_page_is_text(server: WebServer, visits: Visits) -> None:
    """A good page comes as text, asked for under kminer's name and without authorization."""
    server.pages["/notes.md"] = Reply("\ufeff# 27.0 Grüße\n".encode(), kind="text/markdown")
    assert visits.text(f"{server.url}/notes.md") == Fetched(f"{server.url}/notes.md", "# 27.0 Grüße\n", True)
    asked = server.requests[0].headers
    assert asked["User-Agent"] == f"kminer/{__version__}"
    assert "Authorization" not in asked


@pytest.mark.parametrize("validator", [TAGGED, DATED, TAGGED | DATED])
def test_an_unchanged_page_is_not_sent_again(server: WebServer, visits: Visits, validator: dict[str, str]) -> None:
    """The server says 304 to what was kept, and the kept text is given."""
    server.pages["/a"] = Reply(b"first", headers=validator)
    assert visits.text(f"{server.url}/a").changed
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "first", False)
    assert server.statuses("/a") == [200, 304]


def test_a_changed_page_takes_the_place_of_the_kept_one(server: WebServer, visits: Visits) -> None:
    """A new ETag brings the new text, and that is kept then."""
    server.pages["/a"] = Reply(b"first", headers=TAGGED)
    visits.text(f"{server.url}/a")
    server.pages["/a"] = Reply(b"second", headers={"ETag": '"two"'})
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "second", True)
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "second", False)
    assert server.statuses("/a") == [200, 200, 304]


def test_the_same_bytes_without_validators_are_no_change(server: WebServer, visits: Visits) -> None:
    """A server without ETags sends everything again, and nothing has changed."""
    server.pages["/a"] = Reply(b"first")
    assert [visits.text(f"{server.url}/a").changed for _ in range(2)] == [True, False]


def test_a_discarded_page_is_fetched_anew(server: WebServer, visits: Visits) -> None:
    """What the caller found to be broken is not kept."""
    server.pages["/a"] = Reply(b"first", headers=TAGGED)
    with visits.web() as web:
        web.get_text(f"{server.url}/a")
        web.discard(f"{server.url}/a")
    assert visits.entries() == {}
    assert visits.text(f"{server.url}/a").changed


def test_304_that_nobody_asked_for_is_an_error(server: WebServer, visits: Visits) -> None:
    """Without a kept page there is nothing that could be unchanged."""
    server.pages["/a"] = Reply(status=304)
    assert "304" in visits.fails(f"{server.url}/a").what


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-3]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff" * 100),
        lambda file: file.write_bytes(b"[" * 100_000),
        lambda file: file.write_bytes(b'["sha256"]'),
        lambda file: file.write_bytes(file.read_bytes().replace(b'"etag": "', b'"etag": "\\n')),
        lambda file: file.write_bytes(file.read_bytes().replace(b'"etag"', b'"tag"')),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.mkdir()),
    ],
)
@pytest.mark.parametrize("ending", ["json", "body"])
def test_a_damaged_entry_is_fetched_anew(
    server: WebServer, visits: Visits, damage: Callable[[Path], object], ending: str
) -> None:
    """Whatever happened to the cache folder, the page is right."""
    server.pages["/a"] = Reply(b"first", headers=TAGGED)
    visits.text(f"{server.url}/a")
    file = next(visits.cache.glob(f"*.{ending}"))
    before = file.read_bytes()
    damage(file)
    damaged = not file.is_file() or file.read_bytes() != before
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "first", damaged)
    assert server.statuses("/a")[-1] == (200 if damaged else 304)


def test_a_cache_that_cannot_be_written_stops_nothing(server: WebServer, tmp_path: Path) -> None:
    """The page is given; -v tells that it is not kept."""
    (tmp_path / "file").write_text("in the way")
    visits = Visits(tmp_path / "file" / "cache")
    server.pages["/a"] = Reply(b"first", headers=TAGGED)
    assert visits.text(f"{server.url}/a").text == "first"
    assert "cannot be kept" in visits.progress.notes[0]


def test_packed_pages_are_unpacked(server: WebServer, visits: Visits) -> None:
    """gzip is taken, and what is kept is unpacked."""
    server.pages["/a"] = Reply(b"notes " * 1000, packed=True, headers=TAGGED)
    assert visits.text(f"{server.url}/a").text == "notes " * 1000
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "notes " * 1000, False)


@pytest.mark.parametrize("frame", ["length", "chunks", "none"])
@pytest.mark.parametrize("damage", ["cut", "changed", "not packed"])
def test_a_damaged_gzip_stream_is_not_taken_for_whole(
    server: WebServer, visits: Visits, frame: str, damage: str
) -> None:
    """Although its frame is whole: a broken proxy packs what it got."""
    packed = gzip.compress(os.urandom(5000))
    body = {"cut": packed[:3000], "changed": packed[:2000] + b"?" + packed[2001:], "not packed": b"text"}[damage]
    headers = {"Content-Encoding": "gzip"}
    server.pages["/a"] = Reply(body, chunked=frame == "chunks", length=frame != "none", headers=headers)
    assert "packed body is cut short or damaged" in visits.fails(f"{server.url}/a").what
    assert len(server.requests) == SMALL.tries


def test_another_packing_is_refused(server: WebServer, visits: Visits) -> None:
    """Only gzip is asked for."""
    server.pages["/a"] = Reply(b"x", headers={"Content-Encoding": "br"})
    assert "packed" in visits.fails(f"{server.url}/a").what


def peak_of(visit: Callable[[], object]) -> int:
    """Bytes that Python held at the highest moment."""
    tracemalloc.start()
    try:
        visit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_stops_at_the_limit(server: WebServer, visits: Visits) -> None:
    """200 MB in 200 kB: refused, in memory of the limit's size."""
    server.pages["/a"] = Reply(BOMB, headers={"Content-Encoding": "gzip"})
    peak = peak_of(lambda: visits.fails(f"{server.url}/a"))
    assert "larger than 1,048,576 bytes" in visits.fails(f"{server.url}/a").what
    assert peak < 6 * SMALL.size


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(200)) + packer.flush()


BOMB = _bomb()


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_body_stops_at_the_limit(server: WebServer, visits: Visits, chunked: bool) -> None:
    """Reading ends at once, in memory of the limit's size."""
    server.pages["/a"] = Reply(b"x" * 65536, endless=True, chunked=chunked)
    peak = peak_of(lambda: visits.fails(f"{server.url}/a"))
    assert "larger than" in visits.fails(f"{server.url}/a").what
    assert peak < 6 * SMALL.size


def test_a_body_announced_as_too_large_is_not_read(server: WebServer, visits: Visits) -> None:
    """Content-Length of 2 GB is believed."""
    server.pages["/a"] = Reply(b"x", headers={"Content-Length": str(2 * 1024**3)}, drip=9.0)
    began = time.monotonic()
    assert "larger than" in visits.fails(f"{server.url}/a").what
    assert time.monotonic() - began < 5
    assert len(server.requests) == 1


def test_a_short_limit_is_waited_out_with_a_countdown(server: WebServer, visits: Visits) -> None:
    """403 with a limit that soon ends: seconds are counted, then the page comes."""
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 20)}
    server.pages["/a"] = [Reply(status=403, headers=limited), Reply(b"first")]
    assert visits.text(f"{server.url}/a").text == "first"
    assert 19 <= len(visits.pauses) <= 22
    assert set(visits.pauses) == {1.0}
    countdown = visits.progress.stages[1]
    assert re.fullmatch(r"notes: waiting for the server until \d\d:\d\d:\d\d UTC", countdown[0])
    assert countdown[1] == len(visits.pauses) == visits.progress.units
    assert "403 Forbidden; waiting" in visits.progress.notes[0]


def test_a_long_limit_is_told(server: WebServer, visits: Visits) -> None:
    """403 with a limit that ends in 40 minutes: an error with its end, the token and what running again does."""
    reset = int(time.time()) + 2400
    limited = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    server.pages["/a"] = Reply(status=403, headers=limited)
    error = visits.fails(f"{server.url}/a", releases=True)
    found = re.search(r"until (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", error.what)
    assert found
    told = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S")) - time.timezone
    assert abs(told - reset) <= 3
    assert "GITHUB_TOKEN" in error.next
    assert "goes on where it stopped" in error.next
    assert visits.pauses == []
    assert len(server.requests) == 1


def test_a_token_is_recommended_only_where_it_would_help(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for text pages, and not to those who have one."""
    server.pages["/a"] = Reply(status=429, headers={"Retry-After": "3600"})
    assert "GITHUB_TOKEN" not in visits.fails(f"{server.url}/a").next
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    assert "GITHUB_TOKEN" not in visits.fails(f"{server.url}/a", releases=True).next


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept_to(server: WebServer, visits: Visits, status: int, form: str) -> None:
    """In seconds or as a date, by the server's own clock."""
    ahead = time.time() + 10_000
    after = "7" if form == "seconds" else email.utils.formatdate(ahead + 7, usegmt=True)
    slow = Reply(status=status, headers={"Retry-After": after, "Date": email.utils.formatdate(ahead, usegmt=True)})
    server.pages["/a"] = [slow, Reply(b"first")]
    assert visits.text(f"{server.url}/a").text == "first"
    assert sum(visits.pauses) == 7
    server.pages["/b"] = Reply(status=status, headers={"Retry-After": "91"})
    assert "takes no more requests until" in visits.fails(f"{server.url}/b").what


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining": "12", "x-ratelimit-reset": "1"},
        {"x-ratelimit-remaining": "0"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 15},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"},
        {"Retry-After": "-1"},
        {"Retry-After": "Wed, 99 Foo 2026"},
        {"Retry-After": "²"},
    ],
)
def test_a_plain_403_is_an_error_at_once(server: WebServer, visits: Visits, headers: dict[str, str]) -> None:
    """Where the server does not say until when, there is nothing to wait for."""
    server.pages["/a"] = Reply(status=403, headers=headers)
    assert "403 Forbidden" in visits.fails(f"{server.url}/a").what
    assert len(server.requests) == 1


def test_a_server_that_always_asks_to_wait_is_left(server: WebServer, visits: Visits) -> None:
    """Waits count as tries."""
    server.pages["/a"] = Reply(status=429, headers={"Retry-After": "0"})
    assert "429" in visits.fails(f"{server.url}/a").what
    assert len(server.requests) == SMALL.tries
    assert sum(visits.pauses) == SMALL.tries - 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: WebServer, visits: Visits, status: int) -> None:
    """After a pause, and only the page's text is seen."""
    server.pages["/a"] = [Reply(b"<html>oops", status), Reply(b"first")]
    assert visits.text(f"{server.url}/a").text == "first"
    assert len(visits.pauses) == 1


def test_a_lasting_failure_is_given_up(server: WebServer, visits: Visits) -> None:
    """After four tries with pauses that double, give or take half; the error names all."""
    server.pages["/a"] = Reply(status=500)
    error = visits.fails(f"{server.url}/a")
    assert error.what == "notes: no good answer in 4 tries; the last: the server answered 500 Internal Server Error."
    assert error.where == f"{server.url}/a"
    assert error.next
    assert all(0.5 * 2**n <= pause <= 1.5 * 2**n for n, pause in enumerate(visits.pauses))
    assert len(visits.pauses) == 3


@pytest.mark.parametrize("status", [400, 404, 410, 418, 204, 206, 300, 501])
def test_other_statuses_are_errors_at_once(server: WebServer, visits: Visits, status: int) -> None:
    """The error has the status; nothing is tried again."""
    server.pages["/a"] = Reply(status=status)
    assert str(status) in visits.fails(f"{server.url}/a").what
    assert len(server.requests) == 1


def test_a_refused_connection_is_told(visits: Visits) -> None:
    """Nothing listens there: the reason is in the error, after four tries."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a?token={TOKEN}"
        error = visits.fails(address)
    assert "Connection refused" in error.what
    assert error.where == address.replace(TOKEN, "…")
    assert len(visits.pauses) == 3


def test_a_name_that_nobody_knows_is_told(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's words are in the error."""

    def unknown(*args: object, **options: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in visits.fails("https://nowhere.invalid/a").what


@pytest.mark.parametrize("length", ["5, 6", "-5"])
def test_an_answer_that_contradicts_itself_is_no_crash(server: WebServer, visits: Visits, length: str) -> None:
    """A header that makes no sense ends in an error, or counts as absent."""
    server.pages["/a"] = Reply(b"first", headers={"Content-Length": length}, cut=5)
    if length == "-5":
        assert visits.text(f"{server.url}/a").text == "first"
    else:
        assert "malformed (InvalidHeader)" in visits.fails(f"{server.url}/a").what


def test_a_silent_server_is_not_waited_for(server: WebServer, visits: Visits) -> None:
    """No byte within the time: the next try, which is answered."""
    server.pages["/a"] = [Reply(b"late", wait=5.0), Reply(b"first")]
    assert visits.text(f"{server.url}/a", IMPATIENT).text == "first"
    assert "silent for 0.3 s" in visits.progress.notes[0]


@pytest.mark.parametrize("reply", [
    Reply(b"x" * 10_000, drip=0.05),
    Reply(b"x" * 10_000, drip=0.05, chunked=True),
    Reply(drip=0.05, drip_headers=True),
], ids=["body", "chunks", "headers"])  # fmt: skip
def test_a_dripping_page_ends_at_the_deadline(server: WebServer, visits: Visits, reply: Reply) -> None:
    """Each byte comes in time, the page does not: it is given up, and not tried again."""
    server.pages["/a"] = reply
    began = time.monotonic()
    assert "was not there after 0.6 s" in visits.fails(f"{server.url}/a", HURRIED).what
    assert 0.5 < time.monotonic() - began < 5
    assert len(server.requests) == 1


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_a_body_cut_short_is_tried_again(server: WebServer, visits: Visits, chunked: bool, packed: bool) -> None:
    """A part of a page is never taken for a page."""
    cut = Reply(b"# 27.0\n" * 100, chunked=chunked, packed=packed, cut=20)
    server.pages["/a"] = [cut, Reply(b"whole")]
    assert visits.text(f"{server.url}/a").text == "whole"
    server.pages["/b"] = cut
    assert "the body was cut short" in visits.fails(f"{server.url}/b").what


def test_redirects_are_followed(server: WebServer, visits: Visits) -> None:
    """Relative and absolute ones; the address where the page was is told, and it is kept under the first."""
    server.pages["/a"] = Reply(status=301, headers={"Location": "b?x=1#top"})
    server.pages["/b?x=1"] = Reply(status=307, headers={"Location": f"{server.url}/Gr%C3%BC%C3%9Fe"})
    server.pages["/Gr%C3%BC%C3%9Fe"] = Reply(b"first", headers=TAGGED)
    page = Fetched(f"{server.url}/Gr%C3%BC%C3%9Fe", "first", True)
    assert visits.text(f"{server.url}/a") == page
    assert visits.text(f"{server.url}/a") == Fetched(page.address, "first", False)


def test_redirects_in_a_circle_end(server: WebServer, visits: Visits) -> None:
    """After five of them."""
    server.pages["/a"] = Reply(status=302, headers={"Location": "/b"})
    server.pages["/b"] = Reply(status=302, headers={"Location": "/a"})
    assert "more than 5 times" in visits.fails(f"{server.url}/a").what
    assert len(server.requests) == 6


def test_five_redirects_are_not_too_many(server: WebServer, visits: Visits) -> None:
    """The sixth would be."""
    for number in range(6):
        server.pages[f"/{number}"] = Reply(status=302, headers={"Location": f"/{number + 1}"})
    server.pages["/6"] = Reply(b"first")
    assert visits.text(f"{server.url}/1").text == "first"
    assert "more than 5 times" in visits.fails(f"{server.url}/0").what


def test_the_body_of_a_redirect_is_not_read(server: WebServer, visits: Visits) -> None:
    """It may be endless."""
    server.pages["/a"] = Reply(b"x" * 65536, 302, {"Location": "/b"}, endless=True)
    server.pages["/b"] = Reply(b"first")
    assert visits.text(f"{server.url}/a").text == "first"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://127.0.0.1/a", "no http or https address"),
        ("file:///etc/passwd", "no http or https address"),
        ("http://[::1/a", "no address"),
        ("http://127.0.0.1:99999/a", "no http or https address"),
        ("http://:80/a", "no host"),
        ("http://me:secret@127.0.0.1/a", "user name or a password"),
    ],
)
def test_a_redirect_to_somewhere_else_is_refused(server: WebServer, visits: Visits, location: str, reason: str) -> None:
    """Only http and https, without passwords."""
    server.pages["/a"] = Reply(status=302, headers={"Location": location})
    error = visits.fails(f"{server.url}/a")
    assert reason in error.what
    assert "secret" not in str(error)


def test_a_redirect_from_https_to_http_is_refused(visits: Visits) -> None:
    """What was asked for in safety does not come without it."""
    answer = module._Answer("https://notes.example/a", 302, {"Location": "http://notes.example/a"}, b"")
    with visits.web() as web, pytest.raises(NotesError, match="from https to http"):
        web._target(answer)
    with visits.web() as web:
        assert web._target(module._Answer("http://notes.example/a", 302, {"Location": "https://x.example/"}, b""))


@pytest.mark.parametrize("address", ["", "notes.md", "/etc/passwd", "file:///etc/passwd", "http://", "http://u:p@x/a"])
def test_what_is_no_address_is_not_fetched(visits: Visits, address: str) -> None:
    """The error says so."""
    assert "address" in visits.fails(address).what


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html; charset=utf-8", b"Sign in"),
        ("application/xhtml+xml", b"Sign in"),
        ("text/plain", b"\xef\xbb\xbf \r\n<!DOCTYPE html><title>Sign in"),
        ("application/json", b"<html lang=de>"),
        ("", b"\n\n<HEAD><title>"),
        ("text/plain", b"<?xml version='1.0'?>\n<!-- portal -->\n<!doctype HTML>\xff"),
    ],
)
@pytest.mark.parametrize("releases", [True, False])
def test_an_html_page_is_no_notes(server: WebServer, visits: Visits, kind: str, body: bytes, releases: bool) -> None:
    """A captive portal answers 200: the error says what came and where it was in the end."""
    server.pages["/a"] = Reply(status=302, headers={"Location": "/portal"})
    server.pages["/portal"] = Reply(body, kind=kind)
    error = visits.fails(f"{server.url}/a", releases=releases)
    assert "an HTML page came back with status 200" in error.what
    assert error.where == f"{server.url}/portal"
    assert "sign-in page" in error.next


def test_a_portal_does_not_cost_the_kept_page(server: WebServer, visits: Visits) -> None:
    """Behind it, the page is still unchanged."""
    server.pages["/a"] = [Reply(b"first", headers=TAGGED), Reply(b"<html>"), Reply(b"first", headers=TAGGED)]
    visits.text(f"{server.url}/a")
    visits.fails(f"{server.url}/a")
    assert not visits.text(f"{server.url}/a").changed


@pytest.mark.parametrize("kind", ["text/plain", "text/x-rst", "application/octet-stream", "application/json", ""])
def test_kinds_of_text_are_taken(server: WebServer, visits: Visits, kind: str) -> None:
    """Servers call notes many things; a `<header>` in them is no page."""
    server.pages["/a"] = Reply(b"<header> is a word", kind=kind)
    assert visits.text(f"{server.url}/a").text == "<header> is a word"


def test_many_comments_take_no_time(server: WebServer, visits: Visits) -> None:
    """Markdown may begin with any number of them."""
    server.pages["/a"] = Reply(b"<!---->" * 2000 + b"notes")
    began = time.monotonic()
    assert visits.text(f"{server.url}/a").text.endswith("notes")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "multipart/mixed; boundary=x", "nonsense"])
def test_other_kinds_are_refused(server: WebServer, visits: Visits, kind: str) -> None:
    """The error names the kind."""
    server.pages["/a"] = Reply(b"text", kind=kind)
    assert f"is {kind.split(';')[0]}, not text" in visits.fails(f"{server.url}/a").what


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain; charset=ISO-8859-1", "Grüße".encode("latin-1")),
        ('text/plain; charset="windows-1252"', "Grüße".encode("latin-1")),
        ("text/plain; charset=utf-16", "Grüße".encode("utf-16")),
        ("text/plain; charset=no-such-code", "Grüße".encode()),
        ("text/plain; charset=base64", "Grüße".encode()),
        ("text/plain", "Grüße".encode()),
    ],
)
def test_the_declared_charset_counts(server: WebServer, visits: Visits, kind: str, body: bytes) -> None:
    """If it is one of text; else the page is UTF-8."""
    server.pages["/a"] = Reply(body, kind=kind)
    assert visits.text(f"{server.url}/a").text == "Grüße"


def test_a_wrong_encoding_is_told(server: WebServer, visits: Visits) -> None:
    """With the byte and its place."""
    server.pages["/a"] = Reply("Grüße".encode("latin-1"), kind="text/plain")
    assert "is not UTF-8 text: byte 0xfc at 2" in visits.fails(f"{server.url}/a").what


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{broken", "is not whole JSON"),
        (listing("v1", "v2")[:-10], "is not whole JSON"),
        (b"", "is not whole JSON"),
        (b"[" * 200_000, "is not whole JSON"),
        (b"[" + b"9" * 5000 + b"]", "is not whole JSON"),
        (b'{"message": "Not what you asked for"}', "is not a JSON list of objects"),
        (b'[{"tag_name": "v1"}, 7]', "is not a JSON list of objects"),
        (b"null", "is not a JSON list of objects"),
    ],
)
def test_a_listing_that_is_none_is_an_error(server: WebServer, visits: Visits, body: bytes, reason: str) -> None:
    """Broken, cut, too deep or of another shape."""
    server.pages["/a"] = Reply(body, kind=JSON)
    assert reason in visits.fails(f"{server.url}/a", releases=True).what


def test_a_kept_page_that_no_longer_reads_is_dropped(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the server's 304 would keep it for ever."""
    server.pages["/a"] = Reply(b"text", headers=TAGGED)
    visits.text(f"{server.url}/a")
    with visits.web() as web, pytest.raises(NotesError):
        web.get_releases(f"{server.url}/a")
    assert visits.entries() == {}


def paged(server: WebServer, *pages: bytes, link: str = "{url}/r?per_page=100&page={page}") -> str:
    """The address of a listing on these pages, each with an ETag of its own."""
    for number, body in enumerate(pages, 1):
        headers = {"ETag": f'W/"{hash(body)}"'}
        if number < len(pages):
            following = link.format(url=server.url, page=number + 1)
            headers["Link"] = f'<{server.url}/r?page=1>; rel="first", <{following}>; rel="next"'
        path = "/r?per_page=100" + (f"&page={number}" if number > 1 else "")
        server.pages[path] = Reply(body, kind=JSON, headers=headers)
    return f"{server.url}/r?per_page=100"


def test_all_pages_of_a_listing_are_read(server: WebServer, visits: Visits) -> None:
    """Three pages, each asked for again under its ETag; a changed one in the middle is seen."""
    address = paged(server, listing("v5", "v4"), listing("v3"), listing("v2", "v1"))
    with visits.web() as web:
        first, again = web.get_releases(address), web.get_releases(address)
    assert names(first.releases) == ["v5", "v4", "v3", "v2", "v1"]
    assert again.releases == first.releases
    assert (first.changed, again.changed) == (True, False)
    assert [request.status for request in server.requests] == [200] * 3 + [304] * 3
    paged(server, listing("v5", "v4"), listing("v3.1"), listing("v2", "v1"))
    with visits.web() as web:
        third = web.get_releases(address)
    assert names(third.releases) == ["v5", "v4", "v3.1", "v2", "v1"]
    assert third.changed
    assert [request.status for request in server.requests[6:]] == [304, 200, 304]


def test_a_page_that_is_added_behind_unchanged_ones_is_read(server: WebServer, visits: Visits) -> None:
    """The last page is as it was, but says now that another follows."""
    address = paged(server, listing("v3"), listing("v2"))
    with visits.web() as web:
        web.get_releases(address)
    paged(server, listing("v3"), listing("v2"), listing("v1"))
    with visits.web() as web:
        grown, again = web.get_releases(address), web.get_releases(address)
    assert names(grown.releases) == names(again.releases) == ["v3", "v2", "v1"]
    assert (grown.changed, again.changed) == (True, False)
    assert [request.status for request in server.requests[2:]] == [304, 304, 200, 304, 304, 304]


def test_an_interrupted_listing_goes_on_where_it_stopped(server: WebServer, visits: Visits) -> None:
    """The limit is reached at the third page; the next run pays for that one alone."""
    address = paged(server, listing("v3"), listing("v2"), listing("v1"))
    whole = server.pages["/r?per_page=100&page=3"]
    server.pages["/r?per_page=100&page=3"] = Reply(status=403, headers={"Retry-After": "3000"})
    with visits.web() as web, pytest.raises(NotesError, match="until"):
        web.get_releases(address)
    server.pages["/r?per_page=100&page=3"] = whole
    with visits.web() as web:
        assert names(web.get_releases(address).releases) == ["v3", "v2", "v1"]
    assert [request.status for request in server.requests] == [200, 200, 403, 304, 304, 200]


def test_a_discarded_listing_is_forgotten_whole(server: WebServer, visits: Visits) -> None:
    """With all its pages."""
    address = paged(server, listing("v3"), listing("v2"), listing("v1"))
    with visits.web() as web:
        web.get_releases(address)
        assert len(visits.entries()) == 6
        web.discard(address)
    assert visits.entries() == {}


def test_a_listing_does_not_lead_to_another_host(server: WebServer, visits: Visits) -> None:
    """A link to another host is an error."""
    address = paged(server, listing("v2"), listing("v1"), link="http://localhost:1/r?page={page}")
    with visits.web() as web, pytest.raises(NotesError, match="goes on at another host"):
        web.get_releases(address)


def test_a_listing_that_leads_nowhere_is_an_error(server: WebServer, visits: Visits) -> None:
    """A link that is no address."""
    server.pages["/r"] = Reply(listing("v1"), kind=JSON, headers={"Link": '<http://[::1/r>; rel="next"'})
    assert "no address" in visits.fails(f"{server.url}/r", releases=True).what


def test_a_listing_in_a_circle_ends(server: WebServer, visits: Visits) -> None:
    """A page that was read before is not read again."""
    server.pages["/r"] = Reply(listing("v1"), kind=JSON, headers={"Link": '</r?page=2>; rel="next"'})
    server.pages["/r?page=2"] = Reply(listing("v1"), kind=JSON, headers={"Link": '</r>; rel="next"'})
    with visits.web() as web, pytest.raises(NotesError, match="in a circle"):
        web.get_releases(f"{server.url}/r")
    assert len(server.requests) == 2


def test_a_listing_without_end_ends(server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a highest number of pages."""
    monkeypatch.setattr(module, "MOST_PAGES", 3)
    for number in range(5):
        link = {"Link": f'<?page={number + 1}>; rel="next"'}
        server.pages[f"/r?page={number}"] = Reply(listing("v1"), kind=JSON, headers=link)
    with visits.web() as web, pytest.raises(NotesError, match="more than 3 pages"):
        web.get_releases(f"{server.url}/r?page=0")
    assert len(server.requests) == 3


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", "KMINER_GITHUB_TOKEN"])
def test_the_token_goes_to_the_api_alone(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """To every page of the listing, and to no page of text."""
    monkeypatch.setenv("GITHUB_TOKEN", "another")
    monkeypatch.setenv(variable, f"{TOKEN}\n")
    address = paged(server, listing("v2"), listing("v1"))
    server.pages["/a"] = Reply(b"first")
    with visits.web() as web:
        web.get_releases(address)
        web.get_text(f"{server.url}/a")
    assert [request.headers["Authorization"] for request in server.requests] == [f"Bearer {TOKEN}"] * 2 + [None]
    assert TOKEN not in repr((visits.progress.stages, visits.progress.notes, visits.entries()))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_redirect_does_not_take_the_token_along(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Not to another host, and not to another port of the same; on the same host it goes along."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with WebServer() as other:
        server.pages["/r"] = Reply(status=301, headers={"Location": "/moved"})
        server.pages["/moved"] = Reply(status=302, headers={"Location": f"http://{host}:{other.port}/r"})
        other.pages["/r"] = Reply(listing("v1"), kind=JSON)
        with visits.web() as web:
            assert names(web.get_releases(f"{server.url}/r").releases) == ["v1"]
        assert [request.headers["Authorization"] for request in server.requests] == [f"Bearer {TOKEN}"] * 2
        assert [request.headers["Authorization"] for request in other.requests] == [None]


def test_the_token_needs_https(monkeypatch: pytest.MonkeyPatch, visits: Visits) -> None:
    """Anyone on the way could read it; on this machine there is no way."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with visits.web() as web:
        for address, sent in [
            ("https://api.github.com/r", True),
            ("https://api.github.com:443/r", True),
            ("http://api.github.com/r", False),
            ("http://[::1]:8000/r", True),
        ]:
            assert bool(web._token_for(address, web._origin(address))) is sent
        assert not web._token_for("https://api.github.com.evil.example/r", web._origin("https://api.github.com/r"))


def test_a_refused_token_is_told(server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """401: which variable holds it, and not what it is; without a token it is a status like others."""
    server.pages["/r"] = Reply(status=401)
    assert "401 Unauthorized" in visits.fails(f"{server.url}/r", releases=True).what
    monkeypatch.setenv("KMINER_GITHUB_TOKEN", TOKEN)
    error = visits.fails(f"{server.url}/r", releases=True)
    assert "refused the token" in error.what
    assert "KMINER_GITHUB_TOKEN" in error.next


def test_a_token_that_is_none_is_not_sent(server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token with a line break in it would be a header of its own; the error does not show it."""
    monkeypatch.setenv("GITHUB_TOKEN", f"{TOKEN}\nX-Other: 1")
    assert "no token has" in visits.fails(f"{server.url}/r", releases=True).what
    assert server.requests == []


def test_passwords_in_netrc_stay_there(
    server: WebServer, visits: Visits, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would send them, also after a redirect."""
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    server.pages["/a"] = Reply(status=302, headers={"Location": f"http://localhost:{server.port}/b"})
    server.pages["/b"] = Reply(b"[]", kind=JSON)
    visits.text(f"{server.url}/a")
    with visits.web() as web:
        web.get_releases(f"{server.url}/a")
    assert [request.headers["Authorization"] for request in server.requests] == [None] * 4


def test_the_proxy_of_the_environment_is_used(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the whole address, and its password; NO_PROXY goes past it."""
    with WebServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        proxy.pages["http://notes.example/a"] = Reply(b"first")
        assert visits.text("http://notes.example/a").text == "first"
        assert proxy.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        server.pages["/a"] = Reply(b"direct")
        assert visits.text(f"{server.url}/a").text == "direct"
        assert len(proxy.requests) == 1


def test_a_proxy_that_refuses_is_told(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """https goes through a tunnel; what the proxy says is told, its password not."""
    with WebServer() as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        error = visits.fails("https://notes.example/a")
        assert "the proxy: Tunnel connection failed: 403" in error.what
        assert "pass@" not in str(error)
        assert proxy.requests[0].path == "notes.example:443"


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:port", "http://", "nonsense://x", "socks5://127.0.0.1:1"])
def test_a_proxy_setting_that_is_none_is_told(visits: Visits, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """It ends in an error that can be acted on."""
    monkeypatch.setenv("http_proxy", proxy)
    visits.fails("http://notes.example/a")


def test_what_is_shown_of_an_address_holds_no_secrets() -> None:
    """No user, password, query values or fragment; the page stays."""
    shown = module._shown("https://me:pw@h.example:8443/a/b?page=2&access_token=abc&x#frag")
    assert shown == "https://h.example:8443/a/b?page=2&access_token=…&x=…"
    assert module._shown("http://[::1]:80/a") == "http://[::1]:80/a"


DOWNLOAD = """
import sys
from pathlib import Path
from kminer.progress import Progress
from kminer.sources.web import Web
with Web("notes", Path(sys.argv[1]), Progress()) as web:
    web.get_text(sys.argv[2])
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_process_leaves_no_half_page(server: WebServer, visits: Visits, end: signal.Signals) -> None:
    """kill -9 or Ctrl-C in mid-download: it ends at once, and the next run fetches the page whole."""
    server.pages["/a"] = Reply(b"x" * 1000, drip=0.05, headers=TAGGED)
    command = [sys.executable, "-c", DOWNLOAD, str(visits.cache), f"{server.url}/a"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.sent.wait(20)
    process.send_signal(end)
    _, said = process.communicate(timeout=5)
    assert process.returncode == -end
    assert end == signal.SIGKILL or said.rstrip().endswith("KeyboardInterrupt")
    assert visits.entries() == {}
    server.pages["/a"] = Reply(b"x" * 1000, headers=TAGGED)
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "x" * 1000, True)


def test_a_save_cut_between_its_two_files_is_fetched_anew(
    server: WebServer, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new body with the old ETag would be a page that never was."""
    server.pages["/a"] = [Reply(b"first", headers=TAGGED), Reply(b"second", headers={"ETag": '"two"'})]
    visits.text(f"{server.url}/a")
    real = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "replace", killed)
        visits.text(f"{server.url}/a")
    assert visits.text(f"{server.url}/a") == Fetched(f"{server.url}/a", "second", True)
    assert server.statuses("/a") == [200, 200, 200]
