"""A report as one HTML page that needs nothing else: no script, no request, its pictures and its style inside.

The page says what the Markdown says: HTML in the Markdown is shown as text, but for the folded parts that reports
write (details and summary, each alone on its line). The same arguments give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape, unescape
from xml.etree import ElementTree

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from kminer.foreign import inert

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page's Content-Security-Policy: inline style and nothing else."""

_UNFOLDED = 15
"""Parts up to which the table of contents is unfolded."""

_LONG = 24
"""Characters from which code may be broken anywhere, for a table's sake: ids of mails, not those of commits."""

_ELEMENTS = {"svg", "title", "desc", "g", "text", "tspan", "rect", "line", "circle", "path", "polyline"}
_ATTRIBUTES = {
    "class", "cx", "cy", "d", "dx", "dy", "height", "points", "r", "role", "rx", "ry", "transform", "viewBox", "width",
    "x", "x1", "x2", "y", "y1", "y2",
}  # fmt: skip
_SUMMARY = re.compile(r"<summary>(.*)</summary>")
_SELECTORS = re.compile(r"(?<![^{}])([^{}@]+)(?=\{)")

_COLOURS = "--ink:#1f2328;--quiet:#59636e;--line:#d1d9e0;--page:#fff;--stripe:#f6f8fa;--link:#0550ae;--shade:#0003"
_COLOURS_ON_DARK = (
    "--ink:#e6edf3;--quiet:#9da7b3;--line:#3d444d;--page:#0d1117;--stripe:#161b22;--link:#6cb6ff;--shade:#fff3"
)
_STYLE = f"""
:root{{color-scheme:light dark;{_COLOURS}}}
@media screen and (prefers-color-scheme:dark){{:root{{{_COLOURS_ON_DARK}}}}}
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-padding-top:1rem}}
body{{margin:0;background:var(--page);color:var(--ink);line-height:1.55;overflow-wrap:break-word;
font-family:system-ui,-apple-system,'Segoe UI','Liberation Sans','DejaVu Sans',sans-serif}}
main{{max-width:72rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}}
h1,h2,h3,h4{{line-height:1.25;margin:2em 0 .6em;max-width:42rem;text-wrap:balance}}
h1{{font-size:1.75rem;margin-top:.5em}}
h2{{font-size:1.375rem;border-top:1px solid var(--line);padding-top:.8em;max-width:none}}
h3{{font-size:1.125rem}}
h4{{font-size:1rem}}
p,ul,ol,blockquote{{max-width:44rem}}
p.wide{{max-width:none}}
li{{margin:.25em 0}}
ul,ol{{padding-left:1.5rem}}
a{{color:var(--link);text-underline-offset:.15em}}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{{outline:2px solid var(--link);outline-offset:2px}}
code,pre{{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.875em}}
code{{background:var(--stripe);border-radius:.25em;padding:.1em .3em;
-webkit-box-decoration-break:clone;box-decoration-break:clone}}
pre{{background:var(--stripe);padding:.8em 1em;overflow-x:auto}}
pre code{{padding:0;background:none}}
a,code,li,td,th,h1,h2,h3,h4,summary{{unicode-bidi:isolate}}
blockquote{{margin:1em 0;padding:0 1em;border-left:.25em solid var(--line);color:var(--quiet)}}
details{{margin:1em 0}}
summary{{cursor:pointer;color:var(--link);padding:.25em 0}}
nav{{border:1px solid var(--line);border-radius:.4em;padding:.4em 1em;margin:1.5em 0;max-width:44rem}}
nav details{{margin:0}}
nav ul{{list-style:none;padding:0;margin:.4em 0 .6em}}
.scroll{{display:block;overflow-x:auto;margin:1em 0;
background:linear-gradient(90deg,var(--page) 30%,transparent) 0 0/2.5rem 100% no-repeat local,
linear-gradient(270deg,var(--page) 30%,transparent) 100% 0/2.5rem 100% no-repeat local,
linear-gradient(90deg,var(--shade),transparent) 0 0/.75rem 100% no-repeat scroll,
linear-gradient(270deg,var(--shade),transparent) 100% 0/.75rem 100% no-repeat scroll}}
.scroll svg{{display:block}}
table{{border-collapse:collapse;width:max-content;max-width:100%;font-size:.9375rem;line-height:1.4}}
th,td{{padding:.4em .7em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}}
table:has(tr>:nth-child(3)){{max-width:max(100%,36rem)}}
table:has(tr>:nth-child(4)){{max-width:max(100%,44rem)}}
td:has(.long){{min-width:11rem}}
td .long{{overflow-wrap:anywhere}}
th{{vertical-align:bottom;border-bottom-width:2px}}
.number{{text-align:right;font-variant-numeric:tabular-nums}}
.middle-column{{text-align:center}}
@media (max-width:40rem){{
main{{padding:1rem 1rem 3rem}}
h1{{font-size:1.5rem}}
h2{{font-size:1.25rem}}
nav li{{margin:.5em 0}}
}}
@media print{{
body{{font-size:10pt}}
main{{max-width:none;padding:0}}
nav{{display:none}}
a{{color:inherit}}
h1,h2,h3,h4{{break-after:avoid}}
tr,.scroll:has(svg){{break-inside:avoid}}
thead{{display:table-header-group}}
.scroll{{overflow:visible;background:none}}
.scroll svg{{max-width:100%;height:auto}}
table:has(tr>*){{width:auto;max-width:100%!important;font-size:8pt}}
}}
"""


def page(title: str, markdown_text: str, pictures: Mapping[str, str]) -> str:
    """The whole HTML page of a report. `pictures` holds SVG documents by the names under which the text shows them.

    `title` names the page where the text has no heading of the first level. Raises ValueError for a picture that is
    no SVG, or holds more than shapes and text.
    """
    reader, state = _Reader(pictures), {"unfolded": 0}
    tokens = reader.parse(inert(markdown_text), state)
    anchors = _give_anchors(tokens)
    _mend_links(tokens, {name for _, name, _ in anchors})
    _dress_blocks(tokens)
    shown = reader.renderer.render(_with_contents(tokens, anchors), reader.options, state)
    shown += "</details>\n" * state["unfolded"]
    first = next((text for level, _, text in anchors if level == 1), "") or inert(title, keep="")
    return (
        '<!DOCTYPE html>\n<html lang="en" dir="ltr">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(first, quote=False)}</title>\n<style>{_STYLE}{reader.drawn.style()}</style>\n</head>\n"
        f"<body>\n<main>\n{shown}</main>\n</body>\n</html>\n"
    )


class _Reader(MarkdownIt):
    """A parser of Markdown that follows links to the web and within the page, and shows only the given pictures."""

    def __init__(self, pictures: Mapping[str, str]) -> None:
        super().__init__("commonmark", {"html": False})
        self.pictures = pictures
        self.drawn = _Drawn()
        self.enable("table")
        self.block.ruler.before("table", "fold", _fold, {"alt": ["paragraph", "reference", "blockquote"]})
        self.add_render_rule("image", lambda _, tokens, index, *__: self._image(tokens[index]))
        self.add_render_rule("table_open", _constant('<div class="scroll">\n<table>\n'))
        self.add_render_rule("table_close", _constant("</table>\n</div>\n"))

    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Whether a link or picture may point there."""
        return bool(re.match(r"https?://[^/]|#.", url)) or url in self.pictures

    def _image(self, token: Token) -> str:
        name = str(token.attrGet("src"))
        if name not in self.pictures:
            return escape(_text(token.children))
        return f'<span class="scroll">{self.drawn.inline(self.pictures[name])}</span>'


def _constant(html: str) -> Callable[..., str]:
    return lambda *_: html


def _fold(state: StateBlock, line: int, _: int, silent: bool) -> bool:
    """The block rule of folded parts: <details>, <summary>text</summary> and </details>, each alone on its line."""
    if state.level or state.is_code_block(line):
        return False
    text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
    unfolded = state.env["unfolded"]
    summary = _SUMMARY.fullmatch(text)
    if summary and unfolded:
        html = f"<summary>{escape(unescape(summary[1]), quote=False)}</summary>"
    elif text == "<details>" or (text == "</details>" and unfolded):
        html = text
    else:
        return False
    if not silent:
        state.env["unfolded"] += {"<details>": 1, "</details>": -1}.get(html, 0)
        token = state.push("html_block", "", 0)
        token.content, token.map = html + "\n", [line, line + 1]
        state.line = line + 1
    return True


def _give_anchors(tokens: Sequence[Token]) -> list[tuple[int, str, str]]:
    """Give each heading an id made from its words, as code hosts do; returns level, id and text of all."""
    anchors: list[tuple[int, str, str]] = []
    taken: set[str] = set()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _text(tokens[index + 1].children)
            slug = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") or "part"
            name = next(name for name in _numbered(slug) if name not in taken)
            taken.add(name)
            token.attrSet("id", name)
            anchors.append((int(token.tag[1:]), name, text))
    return anchors


def _numbered(slug: str) -> Iterable[str]:
    yield slug
    number = 0
    while True:
        number += 1
        yield f"{slug}-{number}"


def _text(tokens: Iterable[Token] | None) -> str:
    """What inline Markdown says, without its markup."""
    return "".join(
        _text(token.children) if token.type == "image" else " " if token.type.endswith("break") else token.content
        for token in tokens or ()
    )


def _mend_links(tokens: Sequence[Token], anchors: set[str]) -> None:
    """Links to the web tell nothing of the page; those within it lead somewhere, or are none."""
    for token in tokens:
        _mend_links(token.children or (), anchors)
        if token.type == "link_open":
            address = str(token.attrs.pop("href"))
            if re.match(r"https?://", address):
                token.attrs |= {"href": address, "rel": "noopener noreferrer"}
            elif address[1:] in anchors:
                token.attrs["href"] = address


def _dress_blocks(tokens: Sequence[Token]) -> None:
    """Columns get a class for their alignment, long code its own, and a paragraph with a picture all the room."""
    names = {"text-align:right": "number", "text-align:center": "middle-column"}
    for token, inside in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in ("th_open", "td_open") and (name := names.get(str(token.attrs.pop("style", "")))):
            token.attrs["class"] = name
        if token.type == "paragraph_open" and inside and any(child.type == "image" for child in inside.children or ()):
            token.attrs["class"] = "wide"
        for child in token.children or ():
            if child.type == "code_inline" and len(child.content) > _LONG:
                child.attrs["class"] = "long"


def _with_contents(tokens: Sequence[Token], anchors: Sequence[tuple[int, str, str]]) -> list[Token]:
    """The page's blocks, with a table of contents before the first picture or part where there are over three parts."""
    parts = [(name, text) for level, name, text in anchors if level == 2]
    if len(parts) <= 3:
        return list(tokens)
    items = "".join(f'<li><a href="#{escape(name)}">{escape(text)}</a></li>\n' for name, text in parts)
    unfolded = " open" if len(parts) <= _UNFOLDED else ""
    html = (
        f'<nav aria-label="Contents">\n<details{unfolded}>\n<summary>Contents: {len(parts)} parts</summary>\n'
        f"<ul>\n{items}</ul>\n</details>\n</nav>\n"
    )
    first = next(index for index, token in enumerate(tokens) if token.tag == "h2" or token.attrGet("class") == "wide")
    return [*tokens[:first], Token("html_block", "", 0, content=html), *tokens[first:]]


class _Drawn:
    """The pictures that a page shows: each one's ids are its own, and its style reaches no farther than itself."""

    def __init__(self) -> None:
        self._styles: dict[str, str] = {}
        self._count = 0

    def inline(self, svg: str) -> str:
        """An SVG document as an element of the page."""
        root = _parsed(svg)
        self._count += 1
        style = "".join(text for element in root.findall(".//style") for text in element.itertext())
        names: dict[str, str] = {}
        for element in root.iter():
            for child in element.findall("style"):
                element.remove(child)
            if old := element.attrib.pop("id", ""):
                names[old] = f"picture.{self._count}.{old}"
                element.set("id", names[old])
        labels = " ".join(names[name] for name in root.attrib.pop("aria-labelledby", "").split() if name in names)
        if labels:
            root.set("aria-labelledby", labels)
        root.set("class", self._styles.setdefault(style, f"drawn-{len(self._styles) + 1}"))
        return ElementTree.tostring(root, encoding="unicode").strip()

    def style(self) -> str:
        """The style of all of them; every rule names the pictures it is for."""
        return "\n".join(_SELECTORS.sub(_scoped(name), style) for style, name in self._styles.items()) + "\n"


def _scoped(name: str) -> Callable[[re.Match[str]], str]:
    return lambda found: ",".join(f".{name} {selector.strip()}" for selector in found[1].split(","))


def _parsed(svg: str) -> ElementTree.Element:
    """The picture's element, without namespaces. Raises ValueError if it holds more than shapes and text."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"a picture is no XML: {error}") from error
    for element in root.iter():
        element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
        known = _ATTRIBUTES | {"id"} | ({"aria-labelledby"} if element is root else set())
        odd = {element.tag} - _ELEMENTS - {"style"} | set(element.attrib) - known
        if element.tag == "style" and "<" in "".join(element.itertext()):
            odd.add("markup in its style")
        if odd or (element is root) != (element.tag == "svg"):
            raise ValueError(f"a picture holds {', '.join(sorted(odd)) or element.tag}, which no page shows")
        element.text = inert(element.text) if element.text else element.text
        element.tail = inert(element.tail) if element.tail else element.tail
    return root
