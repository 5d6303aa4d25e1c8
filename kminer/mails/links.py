"""What a mail's text points at: earlier mails, commits, and patches that it says were applied."""

from __future__ import annotations

import re
from urllib.parse import unquote

_ARCHIVED = re.compile(
    r"https?://(?:lore\.kernel\.org/(?:[A-Za-z0-9._-]{1,60}/)?|lkml\.kernel\.org/r/|(?:patch\.)?msgid\.link/)"
    r"([^\s/<>()\[\]\"'?#]{1,250}@[^\s/<>()\[\]\"'?#,;]{1,250})"
)
_NAMED = re.compile(r"\bMessage-ID:\s*<([^<>\s]{1,250}@[^<>\s]{1,250})>", re.IGNORECASE)
_ESCAPED_AT = re.compile(r"%40", re.IGNORECASE)
_QUOTED = re.compile(
    r"\b([0-9a-f]{7,40})[\s:,]{0,3}\(\s?(?:\"|“|'(?=\w[^()]*'\)))((?:[^\n]|\n(?!\s*\n)){1,300}?)[\"”']\s?\)"
)
_BRACKETS = re.compile(r"\[PATCH[^\]]*\]\s*")
_UPSTREAM = re.compile(
    r"^[ \t]*(?:\[\s*upstream commit:?\s+([0-9a-f]{40})\s*\]|commit\s+([0-9a-f]{40})\s+upstream\b)",
    re.MULTILINE | re.IGNORECASE,
)
_APPLIED = re.compile(
    r"^[ \t]*(?:- )?\[[^\[\]\n]{0,80}\][ \t]+(\S[^\n]{0,400})\n"
    r"[ \t]+(?:commit:?[ \t]+([0-9a-f]{7,40})|https?://\S+?/(?:c/|\?id=|commit/)([0-9a-f]{7,40})|\(no commit info\))"
    r"[ \t]*$",
    re.MULTILINE,
)
_TITLE_LIMIT = 500


def earlier_mails(own: str, key: str) -> tuple[str, ...]:
    """Message-ids other than `key` that a mail's own text links to or names, each once."""
    text = _ESCAPED_AT.sub("@", own)
    found = [(match.start(), unquote(match[1])) for match in _ARCHIVED.finditer(text)]
    found += [(match.start(), match[1]) for match in _NAMED.finditer(text)]
    ids = (name.rstrip(".,;:!") for _, name in sorted(found))
    return tuple(dict.fromkeys(name for name in ids if name != key and " " not in name))


def quoted_commits(text: str) -> tuple[tuple[str, str], ...]:
    """Commits quoted with their titles, 'commit 0123abcd ("title")', as (id, title), each once."""
    found = ((match[1], _BRACKETS.sub("", " ".join(match[2].split()))) for match in _QUOTED.finditer(text))
    return tuple(dict.fromkeys(pair for pair in found if _is_commit(*pair)))


def upstream_commits(text: str, title: str) -> tuple[tuple[str, str], ...]:
    """Commits that a backport of this title says it is of, as (id, title)."""
    return tuple(dict.fromkeys((match[1] or match[2], title) for match in _UPSTREAM.finditer(text)))


def applied_patches(own: str) -> tuple[tuple[str, str], ...]:
    """Patches listed as applied, below "[1/3] title" the commit or its address, as (title, id or "")."""
    found = ((" ".join(match[1].split()), match[2] or match[3] or "") for match in _APPLIED.finditer(own))
    return tuple(dict.fromkeys(found))


def _is_commit(name: str, title: str) -> bool:
    """Whether it can be one: no decimal number, no shortened title."""
    number = name.isdigit() and len(name) < 12
    return not number and " " in title and not title.endswith(("...", "…")) and len(title) < _TITLE_LIMIT
