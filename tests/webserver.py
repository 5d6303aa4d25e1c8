"""A real HTTP server on this machine that answers, path by path, as a test says; also a proxy that records."""

from __future__ import annotations

import gzip
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. With an ETag or Last-Modified among `headers`, a request that holds the same gets 304.

    `wait` seconds pass before the first byte and `drip` seconds between single bytes of the body (with `drip_headers`
    of headers that never end); the connection is closed after `cut` bytes of the body; an `endless` body repeats
    until the reader hangs up; `length` False sends neither Content-Length nor chunks.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = PLAIN
    wait: float = 0.0
    drip: float = 0.0
    drip_headers: bool = False
    cut: int | None = None
    chunked: bool = False
    packed: bool = False
    endless: bool = False
    length: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the path with its query (the whole address at a proxy), the headers, the status answered."""

    path: str
    headers: Message
    status: int


class WebServer:
    """Answers `pages[path]`: one reply, or several that are used in turn, the last of them for ever."""

    def __init__(self) -> None:
        self.pages: dict[str, Reply | list[Reply]] = {}
        self.requests: list[Request] = []
        self.sent = threading.Event()
        self.closing = threading.Event()
        self._turns: dict[str, int] = defaultdict(int)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def statuses(self, path: str) -> list[int]:
        """What was answered to requests for `path`."""
        return [request.status for request in self.requests if request.path == path]

    def reply(self, path: str) -> Reply:
        """The reply whose turn it is."""
        found = self.pages.get(path, Reply(b"no such page", 404))
        if isinstance(found, Reply):
            return found
        turn = self._turns[path]
        self._turns[path] += 1
        return found[min(turn, len(found) - 1)]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                reply = server.reply(self.path)
                same = _has_same(reply, self.headers)
                server.requests.append(Request(self.path, self.headers, 304 if same else reply.status))
                with suppress(OSError):
                    _answer(self, reply, same, server)

            def do_CONNECT(self) -> None:
                server.requests.append(Request(self.path, self.headers, 403))
                self.send_error(403)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def _has_same(reply: Reply, asked: Message) -> bool:
    etag, modified = reply.headers.get("ETag"), reply.headers.get("Last-Modified")
    if "If-None-Match" in asked:
        return etag is not None and asked["If-None-Match"] == etag
    return modified is not None and asked["If-Modified-Since"] == modified


def _answer(handler: BaseHTTPRequestHandler, reply: Reply, same: bool, server: WebServer) -> None:
    server.closing.wait(reply.wait)
    body = gzip.compress(reply.body) if reply.packed else reply.body
    if reply.drip_headers:
        _drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, reply.drip, server)
        return
    handler.send_response_only(304 if same else reply.status)
    _send_headers(handler, reply, len(body), same)
    if same:
        return
    for piece in _pieces(reply, body):
        if server.closing.wait(reply.drip):
            return
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)
        handler.wfile.flush()
        server.sent.set()
    if reply.cut is not None or reply.endless or not reply.length:
        handler.close_connection = True
    elif reply.chunked:
        handler.wfile.write(b"0\r\n\r\n")


def _send_headers(handler: BaseHTTPRequestHandler, reply: Reply, size: int, same: bool) -> None:
    headers = {"Content-Type": reply.kind} if reply.kind else {}
    if reply.packed:
        headers["Content-Encoding"] = "gzip"
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.length and not reply.endless and not same:
        headers["Content-Length"] = str(size)
    for name, value in {**headers, **reply.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _pieces(reply: Reply, body: bytes) -> Iterator[bytes]:
    while reply.endless:
        yield body
    body = body[: reply.cut]
    size = 1 if reply.drip else 64 * 1024
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _drip(handler: BaseHTTPRequestHandler, content: bytes, seconds: float, server: WebServer) -> None:
    for start in range(len(content)):
        if server.closing.wait(seconds):
            return
        handler.wfile.write(content[start : start + 1])
        handler.wfile.flush()
