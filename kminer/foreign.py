"""Makes text that others wrote harmless to show: on a terminal, in Markdown, in SVG."""

from __future__ import annotations

import re
import unicodedata

# What opens markup anywhere; an underscore at a word's edge; what opens a list or underlines a heading.
_MARKDOWN = re.compile(r"([\\`*{}\[\]#|<>~$^@]|(?<![^\W_])_|_(?![^\W_])|^[-+=])")
_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")


def short_id(key: object) -> str:
    """A change's id as it is shown: twelve digits of a commit's, the whole of a message-id."""
    text = str(key)
    return text if "@" in text else text[:12]


def inert(text: str, keep: str = "\n\t") -> str:
    """`text` with control and text-direction characters made visible; those in `keep` stay.

    A terminal then neither moves its cursor nor changes its title; nothing that can be read is lost.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in keep or not _dangerous(character) else _visible(character) for character in text
    )


def _dangerous(character: str) -> bool:
    return character in _DIRECTION or unicodedata.category(character) in ("Cc", "Cs")


def _visible(character: str) -> str:
    code = ord(character)
    return chr(0x2400 + code) if code < 0x20 else f"\\u{code:04x}"


def markdown(text: str) -> str:
    """`text` as one line of Markdown that shows it as written: no markup, no HTML, no links, no mentions."""
    line = " ".join(inert(text, keep=" ").replace("␊", " ").replace("␉", " ").split())
    escaped = _MARKDOWN.sub(r"\\\1", line).replace("&", "&amp;")
    return re.sub(r"(?i)\b(https?|ftp|www)(:|\.)", r"\1\\\2", re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped))


def code_span(text: str) -> str:
    """`text` as a Markdown code span that no content can leave, safe inside a table cell."""
    line = " ".join(inert(text, keep=" ").split()).replace("|", "¦")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""
