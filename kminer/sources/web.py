"""Pages over HTTP: kept under their ETags, bounded in time and size; rate limits are waited out or told."""

from __future__ import annotations

import codecs
import email.utils
import gzip
import http.client
import io
import ipaddress
import json
import math
import os
import random
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from requests.utils import parse_header_links, requote_uri

from kminer import __version__
from kminer.errors import MissingPageError, NotesError
from kminer.progress import Progress
from kminer.sources.webcache import KeptPage, PageCache, plain_line

TOKENS = ("KMINER_GITHUB_TOKEN", "GITHUB_TOKEN")
"""Environment variables that may hold a token for the API of a code host; the first that is set counts.

The second is GitHub's by its name: it is sent to GITHUB_API only, whatever address a source's file names.
"""

GITHUB_API = "api.github.com"
"""The host that GITHUB_TOKEN is for."""

MOST_REDIRECTS = 5
"""So many redirects are followed for one page."""

MOST_PAGES = 100
"""So many pages are read of one listing."""

BACKOFF = 1.0
"""Seconds before the second try, give or take half; they double with each further try."""

_PIECE = 16 * 1024
_YEAR = 366 * 86400
_SNIFFED = 4096
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (429, 500, 502, 503, 504)
_LIMITED = (403, 429, 503)
_HTML = ("text/html", "application/xhtml+xml")
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)<(?:!doctype\s+html|html|head)\b", re.I | re.S
)
_KINDS = ("application/json", "application/octet-stream")
_ENCODINGS = ("utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-16-le", "utf-16-be")
_TEXT = "text/plain, text/markdown, */*;q=0.1"
_JSON = "application/vnd.github+json"
_TRANSIENT = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)

_T = TypeVar("_T")
_Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page may cost.

    `size` bytes after unpacking; seconds to `connect`, of silence (`read`), of one page with all its tries (`deadline`,
    waits not counted), of the longest `wait` that a server may ask for; `tries` at one page.
    """

    size: int = 64 * 1024 * 1024
    connect: float = 10.0
    read: float = 30.0
    deadline: float = 300.0
    wait: float = 90.0
    tries: int = 4


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as text, without byte order mark.

    `changed` False: the text is that of the last fetch that was kept (which need not have reached the database).
    """

    address: str
    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages of a listing of releases, in the server's order; `changed` as in Fetched, for any of its pages.

    One published while the pages were read may stand in it twice.
    """

    address: str
    releases: list[dict[str, object]]
    changed: bool


@dataclass(frozen=True, slots=True)
class _Ask:
    """What to ask for: the page that was kept before, if any; `home` is the only place that may see the token."""

    address: str
    accept: str
    kept: KeptPage | None
    home: _Origin | None

    @property
    def validators(self) -> dict[str, str]:
        page = self.kept
        found = {"If-None-Match": page.etag, "If-Modified-Since": page.modified} if page else {}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class _Answer:
    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class _TransientError(Exception):
    """Worth another try, after `wait` seconds where the server told how long."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class Web:
    """Fetches the pages of one source; a context manager.

    It tells of itself through `progress`, with stages of its own. `pause` sleeps so many seconds.
    All methods raise NotesError, which names the source, the address and the reason.
    """

    def __init__(
        self, source: str, cache: Path, progress: Progress, limits: Limits | None = None,
        *, pause: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._source = source
        self._cache = PageCache(cache)
        self._progress = progress
        self._limits = limits or Limits()
        self._pause = pause
        self._token_name = next((name for name in TOKENS if os.environ.get(name)), "")
        self._token = os.environ.get(self._token_name, "").strip()
        self._session = _Session()
        self._session.headers.update({"User-Agent": f"kminer/{__version__}", "Accept-Encoding": "gzip"})

    def __enter__(self) -> Web:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def get_text(self, address: str) -> Fetched:
        """A page of text, in the charset it declares, else UTF-8. No token is sent."""
        page, text, changed = self._get(address, _TEXT, None, lambda _, text: text)
        return Fetched(page.address, text, changed)

    def get_releases(self, address: str) -> Listing:
        """All pages of a listing in the form of GitHub's releases API: JSON lists, with `Link: <...>; rel="next"`.

        The first token of TOKENS is sent to this address's host, and only there, over https or on this machine.
        """
        home = self._origin(address)
        following, seen = address, set[str]()
        releases: list[dict[str, object]] = []
        any_changed = False
        while following:
            seen.add(following)
            page, found, changed = self._get(following, _JSON, home, self._objects)
            releases += found
            any_changed |= changed
            following = self._next(page, seen)
        return Listing(address, releases, any_changed)

    def discard(self, address: str) -> None:
        """Forget what was kept of `address`, and of the pages that follow it in a listing: they are broken."""
        while address:
            page = self._cache.load(address)
            self._cache.drop(address)
            address = page.next if page else ""

    def _get(
        self, address: str, accept: str, home: _Origin | None, read: Callable[[KeptPage, str], _T]
    ) -> tuple[KeptPage, _T, bool]:
        """A page, what `read` makes of its text, and whether it changed; kept once it has been read."""
        self._origin(address)
        kept = self._cache.load(address)
        answer = self._fetch(_Ask(address, accept, kept, home))
        if answer.status == 304 and kept is not None:
            return self._unchanged(address, kept, answer), self._read_kept(address, kept, read), False
        page = self._page_of(answer)
        result = read(page, self._text(page))
        self._keep(address, page)
        return page, result, kept is None or kept.body != page.body

    def _unchanged(self, address: str, kept: KeptPage, answer: _Answer) -> KeptPage:
        """The kept page; a listing may have got a further page although this one is as it was."""
        following = self._following(answer) if "Link" in answer.headers else kept.next
        if following == kept.next:
            return kept
        page = replace(kept, next=following)
        self._keep(address, page)
        return page

    def _following(self, answer: _Answer) -> str:
        links = parse_header_links(answer.headers.get("Link", ""))
        found = next((link["url"] for link in links if link.get("rel") == "next"), "")
        return requote_uri(self._joined(answer, found)) if found else ""

    def _page_of(self, answer: _Answer) -> KeptPage:
        return KeptPage(
            address=answer.address,
            kind=plain_line(answer.headers.get("Content-Type", "")),
            etag=plain_line(answer.headers.get("ETag", "")),
            modified=plain_line(answer.headers.get("Last-Modified", "")),
            next=self._following(answer),
            body=answer.body,
        )

    def _read_kept(self, address: str, page: KeptPage, read: Callable[[KeptPage, str], _T]) -> _T:
        try:
            return read(page, self._text(page))
        except NotesError:
            self._cache.drop(address)
            raise

    def _keep(self, address: str, page: KeptPage) -> None:
        try:
            self._cache.save(address, page)
        except OSError as error:
            self._progress.detail(f"{self._source}: {_shown(address)} cannot be kept: {error.strerror}")

    def _next(self, page: KeptPage, seen: set[str]) -> str:
        if not page.next:
            return ""
        if self._origin(page.next) != self._origin(page.address):
            raise self._error("the listing goes on at another host", page.next)
        if page.next in seen or len(seen) == MOST_PAGES:
            raise self._error(f"the listing goes in a circle, or has more than {MOST_PAGES} pages", page.next)
        return page.next

    def _fetch(self, ask: _Ask) -> _Answer:
        left = self._limits.deadline
        for number in range(1, self._limits.tries + 1):
            began = time.monotonic()
            try:
                return self._attempt(ask, left)
            except _TransientError as error:
                last = error
            left -= time.monotonic() - began
            if number < self._limits.tries:
                self._wait(last, number)
        raise self._error(
            f"no good answer in {self._limits.tries} tries; the last: {last.reason}",
            ask.address,
            "Check the connection, or run again later: pages already fetched are kept.",
        ) from last

    def _attempt(self, ask: _Ask, seconds: float) -> _Answer:
        self._progress.start(f"{self._source}: fetching {_shown(ask.address)}", None)
        abandoned = threading.Event()
        try:
            answer = _within(seconds, lambda: self._follow(ask, abandoned))
        except TimeoutError as error:
            raise self._error(
                f"the page was not there after {self._limits.deadline:g} s",
                ask.address,
                "The server is very slow: run again later; pages already fetched are kept.",
            ) from error
        finally:
            abandoned.set()
        if answer.status == 200 or (answer.status == 304 and ask.validators):
            return answer
        raise self._refusal(answer, ask)

    def _follow(self, ask: _Ask, abandoned: threading.Event) -> _Answer:
        address = ask.address
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._send(address, ask, abandoned)
            if answer.status not in _REDIRECTS or "Location" not in answer.headers:
                return answer
            address = self._target(answer)
        raise self._error(f"the server redirects more than {MOST_REDIRECTS} times", address)

    def _target(self, answer: _Answer) -> str:
        address = self._joined(answer, answer.headers["Location"])
        if self._origin(address)[0] == "http" and answer.address.lower().startswith("https:"):
            raise self._error("the server redirects from https to http, which anyone on the way could change", address)
        return address

    def _joined(self, answer: _Answer, reference: str) -> str:
        try:
            return urljoin(answer.address, reference.encode("latin-1", "replace").decode("utf-8", "replace"))
        except ValueError as error:
            raise self._error("the server points to something that is no address", answer.address) from error

    def _send(self, address: str, ask: _Ask, abandoned: threading.Event) -> _Answer:
        try:
            with self._session.get(
                address,
                headers={"Accept": ask.accept, **ask.validators},
                auth=_Authorization(self._token_for(address, ask.home)),
                timeout=(self._limits.connect, self._limits.read),
                stream=True,
                allow_redirects=False,
            ) as response:
                body = self._body(response, abandoned)
                return _Answer(response.url, response.status_code, response.headers, body)
        except (requests.exceptions.RequestException, ValueError) as error:
            raise self._failure(error, address) from error

    def _failure(self, error: Exception, address: str) -> Exception:
        """What to raise for a request that brought no answer."""
        reason = _reason(error, self._limits)
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
            next = "Does a proxy stand in between? REQUESTS_CA_BUNDLE in the environment names its certificate."
            return self._error(reason, address, next)
        if isinstance(error, _TRANSIENT):
            return _TransientError(reason)
        return self._error(reason, address, "Check the address and the proxy settings.")

    def _token_for(self, address: str, home: _Origin | None) -> str:
        if home is None or self._origin(address) != home or not (home[0] == "https" or _is_loopback(home[1])):
            return ""
        if self._token_name == TOKENS[1] and home[1] != GITHUB_API and not _is_loopback(home[1]):
            return ""
        if self._token and not re.fullmatch(r"[!-~]+", self._token):
            raise self._error("the token holds characters that no token has", address, f"Mend {self._token_name}.")
        return self._token

    def _body(self, response: requests.Response, abandoned: threading.Event) -> bytes:
        if response.status_code != 200:
            return response.content if response.status_code == 304 else b""
        packed = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("", "identity", "gzip", "x-gzip"):
            raise self._error("the page came packed in a way that was not asked for", response.url)
        if (_number(response.headers.get("Content-Length")) or 0) > self._limits.size:
            raise self._too_large(response.url)
        body = self._raw(response, abandoned)
        return self._unpacked(body, response.url) if "gzip" in packed else body

    def _raw(self, response: requests.Response, abandoned: threading.Event) -> bytes:
        # urllib3 would unpack by itself, and take a gzip stream that was cut for a whole one.
        response.raw.headers.pop("Content-Encoding", None)
        body = bytearray()
        for piece in response.iter_content(_PIECE):
            body += piece
            if len(body) > self._limits.size:
                raise self._too_large(response.url)
            if abandoned.is_set():
                break
        return bytes(body)

    def _unpacked(self, body: bytes, address: str) -> bytes:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
                unpacked = file.read(self._limits.size + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _TransientError("the packed body is cut short or damaged") from error
        if len(unpacked) > self._limits.size:
            raise self._too_large(address)
        return unpacked

    def _refusal(self, answer: _Answer, ask: _Ask) -> Exception:
        """What to raise for a status that is no page."""
        wait = _told_wait(answer.headers) if answer.status in _LIMITED else None
        if wait is not None and wait > self._limits.wait:
            return self._limit_error(answer, ask, wait)
        status = f"the server answered {answer.status} {http.client.responses.get(answer.status, '')}".rstrip()
        if wait is not None or answer.status in _PASSING:
            return _TransientError(status, wait)
        if answer.status == 401 and self._token_for(answer.address, ask.home):
            return self._error(
                "the server refused the token (401)",
                answer.address,
                f"Put a valid token into the environment variable {self._token_name}, or unset it.",
            )
        kind = MissingPageError if answer.status in (404, 410) else NotesError
        next = "Check the address in the source's file."
        return kind(f"{self._source}: {status}.", where=_shown(answer.address), next=next)

    def _limit_error(self, answer: _Answer, ask: _Ask, wait: float) -> NotesError:
        end = _end(wait).strftime("%Y-%m-%d %H:%M:%S UTC")
        next = "Run again after that time: it goes on where it stopped, pages already fetched cost nothing."
        if ask.home and not self._token:
            next = f"A token in the environment variable {TOKENS[1]} raises the limit. {next}"
        what = f"the server takes no more requests until {end} (status {answer.status})"
        return self._error(what, answer.address, next)

    def _wait(self, error: _TransientError, number: int) -> None:
        if error.wait is None:
            seconds = BACKOFF * 2 ** (number - 1) * random.uniform(0.5, 1.5)
            self._progress.detail(f"{self._source}: {error.reason}; the next try in {seconds:.1f} s")
            self._pause(seconds)
            return
        seconds = math.ceil(error.wait)
        end = f"{_end(seconds):%H:%M:%S} UTC"
        self._progress.note(f"{self._source}: {error.reason}; waiting {seconds} s, until {end}")
        self._progress.start(f"{self._source}: waiting for the server until {end}", seconds)
        for _ in range(seconds):
            self._pause(1.0)
            self._progress.advance(1)

    def _text(self, page: KeptPage) -> str:
        kind = page.kind.partition(";")[0].strip().lower()
        if kind in _HTML or _HTML_START.match(page.body[:_SNIFFED]):
            raise self._error(
                "an HTML page came back with status 200 where text was asked for",
                page.address,
                "Open the address in a browser: is it a sign-in page of the network, or has the page moved?",
            )
        if kind and not kind.startswith("text/") and not kind.endswith("+json") and kind not in _KINDS:
            raise self._error(f"the page is {kind}, not text", page.address, "Check the address in the source's file.")
        encoding = _encoding(page.kind)
        try:
            return page.body.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            what = f"is not {encoding.upper()} text: byte 0x{page.body[error.start]:02x} at {error.start}"
            raise self._error(f"the page {what}", page.address) from error

    def _objects(self, page: KeptPage, text: str) -> list[dict[str, object]]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
            raise self._error(f"the page is not whole JSON: {reason}", page.address, "Run again later.") from error
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._error("the page is not a JSON list of objects", page.address, "Check the source's address.")
        return found

    def _origin(self, address: str) -> _Origin:
        """Where `address` points; raises NotesError where it is none that is fetched."""
        try:
            parts = urlsplit(address)
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        except (ValueError, KeyError) as error:
            raise self._error("this is no http or https address", address) from error
        if not parts.hostname:
            raise self._error("this address names no host", address)
        if parts.username is not None or parts.password is not None:
            raise self._error("an address with a user name or a password is not fetched", address)
        return parts.scheme, parts.hostname, port

    def _too_large(self, address: str) -> NotesError:
        return self._error(f"the page is larger than {self._limits.size:,} bytes", address)

    def _error(self, reason: str, address: str, next: str = "") -> NotesError:
        return NotesError(f"{self._source}: {reason}.", where=_shown(address), next=next)


class _Session(requests.Session):
    """Leaves redirects alone: requests reads their bodies without a limit and takes passwords from ~/.netrc."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Authorization(AuthBase):
    """Sends the token, or nothing; being there, it keeps requests from sending what ~/.netrc says."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """What `work` returns or raises; TimeoutError if that takes longer, whatever it hangs in: names, headers, body.

    The thread is then left behind; it ends with its connection, or with the process.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  it is raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="kminer-web", daemon=True).start()
    return future.result(max(0.0, seconds))


def _told_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server takes requests again, by its own clock; None where it does not say."""
    now = _moment(headers.get("Date")) or time.time()
    after, reset = headers.get("Retry-After"), _number(headers.get("x-ratelimit-reset"))
    wait: float | None = _number(after)
    if wait is None and (end := _moment(after)) is not None:
        wait = end - now
    if wait is None and reset is not None and headers.get("x-ratelimit-remaining") == "0":
        wait = reset + 1 - now
    return None if wait is None or wait > _YEAR else max(wait, 1.0)


def _end(wait: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=wait)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,15}", text) else None


def _moment(text: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return email.utils.parsedate_to_datetime(text or "").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _encoding(kind: str) -> str:
    match = re.search(r"charset\s*=\s*[\"']?([^\s;\"']+)", kind, re.I)
    try:
        name = codecs.lookup(match[1]).name if match else "utf-8"
    except LookupError:
        return "utf-8"
    return name if name in _ENCODINGS else "utf-8"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(address: str) -> str:
    """`address` without user, password, fragment and values of its query; the page number stays."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "(an address that cannot be read)"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    values = "&".join(f"{name}={value if name in ('page', 'per_page') else '…'}" for name, value in query)
    return f"{parts.scheme}://{host}{port}{parts.path}{'?' if values else ''}{values}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what led to it, outermost first."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _reason(error: BaseException, limits: Limits) -> str:
    """Why a request failed, in words that hold nothing of the address: requests' own quote it with its query."""
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {limits.connect:g} s"
    if any(isinstance(cause, TimeoutError | requests.exceptions.Timeout) for cause in causes):
        return f"the server was silent for {limits.read:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the body was cut short"
    via = "the proxy: " if isinstance(error, requests.exceptions.ProxyError) else ""
    system = [cause for cause in causes if isinstance(cause, OSError)]
    system = [cause for cause in system if not isinstance(cause, requests.exceptions.RequestException)]
    if system:
        return via + (system[-1].strerror or str(system[-1]))
    return f"{via}the address or the server's answer is malformed ({type(error).__name__})"
