"""A report's HTML page: it says what the Markdown says, needs nothing else, and foreign text stays text in it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import browser as chromium
import pytest
from browser import Browser
from test_reports import BOTH, HOSTILE, UPGRADE, fill, linux_changes

from kminer import catalogue, charts, reports
from kminer.foreign import markdown
from kminer.htmlpage import POLICY, page
from kminer.markup import code, table
from kminer.store.database import open_for_reading

EMPTY = {"meta", "br", "hr", "rect", "circle", "line"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "h4", "p", "a", "ul", "ol", "li",
    "code", "pre", "strong", "em", "blockquote", "details", "summary", "nav", "div", "span", "hr", "br",
    "table", "thead", "tbody", "tr", "th", "td", "svg", "desc", "text", "rect", "circle", "line",
}  # fmt: skip
PICTURE = charts.timeline("Days & nights", {"a": [charts.Event("2020-01-01", "one")]}, {"a": 1}, axis="lane")
RAW = """\
# <script>alert(1)</script> & [x](javascript:alert(2))

</details>

<img src=x onerror=alert(3)> <svg onload=alert(4)></svg> <!-- hidden --> &lt;b&gt;

<details>
<summary></summary><script>alert(5)</script><b>bold</b></summary>

## <iframe src="{address}"></iframe>

</style><style>*{display:none}</style>

![<b>picture</b>]({address}/p.png) <{address}/auto> [data](data:text/html,x) [file](../x.html) [in](#nowhere)

| <td onclick=alert(6)> | `</code><script>alert(7)</script>` |
| --- | ---: |
| </table><script>alert(8)</script> | \x1b[31mred\x07 \u202egnp.exe\u2066 \x00 |

```
</pre><script>alert(9)</script>
```

<script src="{address}/s.js"></script>

    </code></pre><script>alert(10)</script>
"""


class Elements(HTMLParser):
    """A page's elements with their attributes, its text, and whether each that is opened is closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.opened = "", list[str]()
        self.feed(html)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.opened.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.found if name in attributes]

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}


def checked(html: str) -> Elements:
    """The page's elements, after what holds for every page was checked."""
    elements = Elements(html)
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    assert elements.tags() <= ALLOWED
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert not elements.values("src") and not elements.values("style") and "url(" not in html.split("</head>")[0]
    for tag, attributes in elements.found:
        if "href" in attributes:
            address = str(attributes["href"])
            assert tag == "a" and (address.startswith("#") or re.match("https?://", address))
            assert (attributes.get("rel") == "noopener noreferrer") != address.startswith("#")
            assert not address.startswith("#") or address[1:] in ids
    assert {i for labels in elements.values("aria-labelledby") for i in labels.split()} <= set(ids)
    assert [a.get("content") for _, a in elements.found if a.get("http-equiv") == "Content-Security-Policy"] == [POLICY]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", html)
    return elements


def made(file: Path, name: str, settings: dict[str, str] | None = None, out: str = "out") -> Path:
    """The page of a report."""
    with open_for_reading(file) as db:
        md = reports.write(db, catalogue.find_report(name), settings or {}, file.parent / out, as_html=True)
    return md.with_suffix(".html")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    fill(tmp_path / "k.db", changes=linux_changes())
    return tmp_path / "k.db"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    fill(tmp_path / "k.db", changes=linux_changes(hostile=True))
    return tmp_path / "k.db"


REPORTS = [*BOTH, ("resources", {}), ("papers", {}), ("gaps", {})]


@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_same_database_gives_the_same_page(store, name, settings):
    """Two writes agree byte for byte, with the Markdown and the pictures as without a page, under 2 MB."""
    first, second = made(store, name, settings, "one"), made(store, name, settings, "two")
    with open_for_reading(store) as db:
        plain = reports.write(db, catalogue.find_report(name), settings, store.parent / "plain")
    assert not plain.with_suffix(".html").exists()
    for file in plain.parent.iterdir():
        assert file.read_bytes() == (first.parent / file.name).read_bytes() == (second.parent / file.name).read_bytes()
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) < 2_000_000


@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_a_page_is_whole(store, name, settings):
    """Every heading, picture and table of the Markdown is there; nothing lies outside."""
    html = made(store, name, settings)
    text = html.with_suffix(".md").read_text()
    elements = checked(html.read_text())
    tags = [tag for tag, _ in elements.found]
    assert tags.count("svg") == len(re.findall(r"^!\[", text, re.MULTILINE))
    assert tags.count("h2") == len(re.findall(r"^## ", text, re.MULTILINE))
    assert tags.count("table") == len(re.findall(r"^\|(?: -+:? \|)+$", text, re.MULTILINE))
    assert tags.count("details") - tags.count("nav") == text.count("<details>")
    assert "<details>" not in elements.text


@pytest.mark.parametrize(("name", "settings"), [("timeline", {}), ("upgrade", {**UPGRADE, "to": "v2.6.28-rc1"})])
def test_hostile_reports_stay_text(hostile, name, settings):
    """Titles, names and texts of others show as written, in the page and in its pictures."""
    elements = checked(made(hostile, name, settings).read_text())
    assert "<script>alert(1)</script> [x](javascript:1)" in elements.text


def test_raw_hostile_markdown_stays_text():
    """Even where a template would forget to escape, no HTML, script, picture or control character gets through."""
    elements = checked(page("<b>title</b>", RAW.replace("{address}", "http://127.0.0.1:9"), {}))
    for number in range(1, 11):
        assert f"alert({number})" in elements.text
    assert "hidden" in elements.text and "\\u202egnp.exe" in elements.text and "␛[31mred" in elements.text
    assert {"a", "details"} <= elements.tags() and not elements.tags() & {"script", "img", "iframe", "b", "svg"}


def test_hostile_headings_code_and_pictures_stay_text():
    """What kminer escaped is shown as it was written, as heading, cell, code and title of a picture."""
    drawn = charts.bars(HOSTILE, [HOSTILE], [charts.Part("k", HOSTILE, 1)], {("k", HOSTILE): 3}, axis=HOSTILE, unit="u")
    cells = table([HOSTILE, "code"], [[HOSTILE, code(HOSTILE)]])
    text = f"# {markdown(HOSTILE)}\n\n## {markdown(HOSTILE)}\n\n{cells}\n![{markdown(HOSTILE)}](p.svg)\n"
    elements = checked(page(HOSTILE, text, {"p.svg": drawn}))
    assert elements.text.count("<script>alert(1)</script> [x](javascript:1)") >= 8
    assert elements.values("href") == []


def test_titles_and_contents():
    """The first heading names the page, else the title; over three parts make a table of contents."""
    assert "<title>t &lt;i&gt;</title>" in page("t <i>", "text\n", {})
    html = page("t", "# A *b* `c`\n\nintro\n\n" + "## Same\n\n### Deep & down\n\n" * 4, {})
    assert "<title>A b c</title>" in html
    assert re.findall(r'<h[23] id="([^"]*)"', html) == [
        "same", "deep--down", "same-1", "deep--down-1", "same-2", "deep--down-2", "same-3", "deep--down-3",
    ]  # fmt: skip
    assert re.findall(r'<li><a href="#([^"]*)">', html) == ["same", "same-1", "same-2", "same-3"]
    assert html.index("intro") < html.index("<nav") < html.index("<h2")
    assert "<nav" not in page("t", "## a\n\n## b\n\n## c\n", {})
    checked(html)


def test_anchors_never_meet():
    """Headings that look like other headings' anchors, or hold no word, get anchors of their own."""
    elements = checked(page("t", "## a\n\n## a\n\n## a-1\n\n## picture.1.title\n\n## ☃\n\n## !\n\n[to](#a-1-1)\n", {}))
    assert elements.values("id") == ["a", "a-1", "a-1-1", "picture1title", "part", "part-1"]
    assert elements.values("href")[-1] == "#a-1-1"


def test_pictures_keep_to_themselves():
    """Each showing of a picture has its own ids; styles are there once, and every rule is for pictures only."""
    other = PICTURE.replace("<style>", "<style>text,.odd{fill:red}")
    html = page("t", "![a](a.svg)\n\ntext ![b](b.svg) text\n\n![a](a.svg)\n", {"a.svg": PICTURE, "b.svg": other})
    elements = checked(html)
    assert [a["class"] for tag, a in elements.found if tag == "svg"] == ["drawn-1", "drawn-2", "drawn-1"]
    assert html.count("<style>") == 1
    style = html.partition("<style>")[2].partition("</style>")[0]
    drawn = style[style.index(".drawn-1") :]
    selectors = [one for rule in re.findall(r"([^{}]+)\{", drawn) if "@" not in rule for one in rule.split(",")]
    assert len(selectors) > 60 and all(re.match(r"\s*\.drawn-[12] \S", selector) for selector in selectors)
    assert ".drawn-2 text,.drawn-2 .odd{fill:red}" in drawn
    assert drawn.count("@media screen and (prefers-color-scheme:dark){.drawn-") == 2


def test_a_text_like_an_id_stays():
    """What a picture says is not taken for its own markup."""
    lanes = {'class="title"': [charts.Event("2020-01-01", "x")]}
    drawn = charts.timeline('id="title" <style>', lanes, dict.fromkeys(lanes, 1), axis="a")
    elements = checked(page("t", "![a](a.svg)\n", {"a.svg": drawn}))
    assert 'id="title" <style>' in elements.text and 'class="title"' in elements.text


@pytest.mark.parametrize(
    "inside",
    ["<script/>", "<a href='https://x.org/'/>", "<rect onclick='x'/>", "<image/>", "<svg/>", "<text style='x'/>",
     "<style>&lt;/style></style>", "<foreignObject/>", "<p xmlns='http://www.w3.org/1999/xhtml'/>", "<"],
)  # fmt: skip
def test_a_picture_holds_shapes_and_text_only(inside):
    """Anything that could act, fetch or lead away makes no page."""
    with pytest.raises(ValueError, match="a picture"):
        page("t", "![a](a.svg)\n", {"a.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'})


def test_a_page_adds_little():
    """Beside its text and pictures a page weighs some kilobytes, and each row of a table some bytes."""
    text = "# t\n\n" + table(["a", "b"], [["word", index] for index in range(10_000)])
    assert len(page("t", text, {})) < 4 * len(text) + 8000


def test_the_command_prints_both_paths(kminer, home, database):
    """`kminer report NAME --html` writes the page beside the Markdown."""
    fill(database, changes=linux_changes())
    done = kminer("--db", database, "report", "timeline", "--html", "--out", home / "out")
    assert done.stdout.split() == [str(home / "out" / "timeline.md"), str(home / "out" / "timeline.html")]
    checked((home / "out" / "timeline.html").read_text())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium; tests that need one are skipped where none is found."""
    program = chromium.find()
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(chromium.NAMES)} is on PATH, and KMINER_CHROMIUM is not set")
    with chromium.started(program, tmp_path_factory.mktemp("chromium") / "profile") as running:
        yield running


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine that keeps what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours as getComputedStyle tells them."""
    lights = sorted(_light(re.findall(r"\d+(?:\.\d+)?", colour)[:3]) for colour in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(channels: Sequence[str]) -> float:
    parts = [int(channel) / 255 for channel in channels]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


COLOURS = """(() => {
  const of = (query, kind) => [...document.querySelectorAll(query)].map(one => getComputedStyle(one)[kind]);
  return {page: of('body', 'backgroundColor')[0], code: of('code', 'backgroundColor')[0],
          text: [...of('p,li,th,td,h1,h2,h3,summary,a', 'color'), ...of('svg>text:not([class*="n"])', 'fill')],
          small: of('code', 'color')};
})()"""
SMALLEST = "Math.min(...[...document.querySelectorAll('p,li,td')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
OWN_SIZE = "[...document.querySelectorAll('svg')].every(e => Math.abs(e.getScreenCTM().a - 1) < 0.01)"
SCROLLING = """[...document.querySelectorAll('.scroll')].every(
  e => e.clientWidth <= 390 && getComputedStyle(e).overflowX === 'auto')"""
FILLS = "[...document.querySelectorAll('svg')].map(e => getComputedStyle(e.querySelector('text')).fill)"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("name", "settings"), REPORTS)
def test_readable_at_phone_width(browser, store, name, settings, dark):
    """No complaint, no request, no page wider than the window; large letters in strong contrast; wide parts scroll."""
    html = made(store, name, settings)
    browser.open(html, 390, dark)
    assert browser.complaints() == [] and browser.requests() == [html.as_uri()]
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    browser.ask("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.ask("document.documentElement.scrollWidth") <= 390
    assert browser.ask(SMALLEST) >= 14
    assert browser.ask(OWN_SIZE) and browser.ask(SCROLLING)
    colours = browser.ask(COLOURS)
    assert (_light(re.findall(r"\d+", colours["page"])) < 0.1) == dark
    assert all(contrast(colour, colours["page"]) >= 4.5 for colour in set(colours["text"]))
    assert all(contrast(colour, colours["code"]) >= 4.5 for colour in set(colours["small"]))


@pytest.mark.slow
def test_hostile_text_stays_text_in_a_browser(browser, hostile, tmp_path):
    """No script runs, no element is made, nothing is asked for, whatever titles, names and texts hold."""
    pages = [made(hostile, "timeline"), made(hostile, "upgrade", {**UPGRADE, "to": "v2.6.28-rc1"})]
    with listening() as (address, asked):
        raw = tmp_path / "raw.html"
        raw.write_text(page("t", RAW.replace("{address}", address), {}))
        for html in [*pages, raw]:
            browser.open(html)
            assert browser.complaints() == [] and browser.requests() == [html.as_uri()]
            assert set(browser.ask("[...document.querySelectorAll('*')].map(e => e.localName)")) <= ALLOWED
            assert browser.ask("document.scripts.length + document.images.length + document.styleSheets.length") == 1
            assert "alert(1)</script>" in browser.ask("document.body.textContent")
            links = browser.ask("[...document.links].map(e => e.href)")
            assert all(re.match(r"https?://|file://[^#]*/\w+\.html#.", link) for link in links)
        assert asked == []


@pytest.mark.slow
def test_the_policy_holds_in_a_browser(browser, tmp_path):
    """Should markup get in by a fault nobody knows, it neither runs nor asks for anything."""
    with listening() as (address, asked):
        bad = f"<img src='{address}/i' onerror='window.ran=1'><script>window.ran=1</script>"
        bad += f"<iframe src='{address}'></iframe><link rel=stylesheet href='{address}/c'>"
        html = tmp_path / "bad.html"
        text = page("t", "text\n", {}).replace("<main>", f"<main>{bad}")
        html.write_text(text)
        browser.open(html)
        assert browser.ask("window.ran === undefined") is True
        assert asked == [] and browser.complaints(), "the browser says what it refused"
        html.write_text(text.replace(POLICY, ""))
        browser.open(html)
        assert browser.ask("window.ran") == 1 and {"/i", "/", "/c"} <= set(asked), "it would, without the policy"


@pytest.mark.slow
def test_a_style_of_a_picture_reaches_nothing_else(browser, tmp_path):
    """One picture's style is neither another's nor the page's; in dark mode each has its own dark colours."""
    loud = PICTURE.replace("<style>", "<style>text,h1,p{fill:#010203!important;color:#010203!important}")
    html = tmp_path / "two.html"
    html.write_text(page("t", "# head\n\n![a](a.svg)\n\n![b](b.svg)\n", {"a.svg": PICTURE, "b.svg": loud}))
    browser.open(html, dark=True)
    assert browser.ask(FILLS) == ["rgb(230, 237, 243)", "rgb(1, 2, 3)"]
    assert browser.ask("getComputedStyle(document.querySelector('h1')).color") == "rgb(230, 237, 243)"


@pytest.mark.slow
def test_contents_lead_to_their_parts(browser, store):
    """Each entry of the table of contents brings its heading to the top."""
    browser.open(made(store, "gaps"), 390)
    for link in browser.ask("[...document.querySelectorAll('nav a')].map(e => e.hash)"):
        browser.ask(f"location.hash = '{link}'")
        top, room = browser.ask(
            f"[document.getElementById('{link[1:]}').getBoundingClientRect().top,"
            " document.documentElement.scrollHeight - scrollY - innerHeight]"
        )
        assert -1 <= top <= 60 or room <= 1
