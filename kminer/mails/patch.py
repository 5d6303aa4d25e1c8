"""What a mail carries of a patch: message, files, trailers, author, and b4's token of the series."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kminer.mails.headers import person
from kminer.records import Person

_DIFF = re.compile(r"^(?:diff --git |diff -[a-zA-Z]+ \S|Index: \S+\n=+$|--- \S+[^\n]*\n\+\+\+ \S)", re.MULTILINE)
_DIFF_GIT = re.compile(r"^diff --git (\S.*)$", re.MULTILINE)
_DIFF_FILE = re.compile(r"^--- \S[^\n]*\n\+\+\+ [ab]/([^\s]+)", re.MULTILINE)
_PAIR = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|(\S.*?)) (?:"((?:[^"\\]|\\.)*)"|([a-z]/.*))')
_ESCAPE = re.compile(r'\\([0-7]{3}|[abfnrtv"\\])')
_NAMED = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, '"': 34, "\\": 92}
_DIFFSTAT = re.compile(
    r" \S[^|\n]* \| +(?:[0-9]+(?: [+-]+)?|Bin\b.*)\s*| [0-9]+ files? changed(?:, .*)?|"
    r" (?:create|delete) mode [0-7]{6} .*| mode change [0-7]{6} => .*| (?:rename|copy|rewrite) \S.* \([0-9]+%\)"
)
_SIGNATURE = re.compile(r"^--[ \t]*\n(?:[^\n]*\n){0,12}[^\n]*\Z|^-- ?\n[0-9]+\.[0-9.]+[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_TOKEN = re.compile(r"^change-id: ([0-9]{8}-\S{1,200})[ \t]*$", re.MULTILINE)
_FIRST_FROM = re.compile(
    r"\s*From:[ \t]*([^\n]*<[^<>\s]+@[^<>\s]+>)[ \t]*\n(?:(?:Subject|Date):[^\n]*\n(?:[ \t]+\S[^\n]*\n)*)*\s*"
)


def message_of(text: str) -> str:
    """A patch's text without diff, diffstat, signature and the headers within its body."""
    return _tidy(_without_sender(_before_diff(text)))


def commit_message(message: str) -> str:
    """What of it git takes into the commit: all above the first "---"."""
    return _RULE.split(message, maxsplit=1)[0]


def named_author(text: str) -> Person | None:
    """The author whom the first line of the body names."""
    found = _FIRST_FROM.match(text)
    named = person(found[1]) if found else None
    return named if named and named.email else None


def token_of(text: str) -> str:
    """b4's token of the series, the same for all its versions; empty where there is none."""
    found = _TOKEN.search(text)
    return found[1] if found else ""


def files_of(text: str) -> tuple[str, ...]:
    """Files of its diffs, each once: the new name, of renamed files both."""
    names = [name for line in _DIFF_GIT.findall(text) for name in _names(line)]
    return tuple(dict.fromkeys(names or _DIFF_FILE.findall(text)))


def _before_diff(text: str) -> str:
    found = _DIFF.search(text)
    return text[: found.start()] if found else text


def _without_sender(text: str) -> str:
    found = _FIRST_FROM.match(text)
    return text[found.end() :] if found else text


def _tidy(text: str) -> str:
    lines = _SIGNATURE.sub("", text).split("\n")
    kept = [line for line in lines if not (line.startswith(" ") and _DIFFSTAT.fullmatch(line))]
    while kept and kept[-1].strip() in ("", "---"):
        kept.pop()
    return "\n".join(kept).strip("\n") + "\n"


def _names(line: str) -> Iterator[str]:
    """The new and, where it differs, the old name of "a/x b/x"."""
    middle = len(line) // 2
    if len(line) % 2 and line[middle] == " " and line[1:middle] == line[middle + 2 :] and line[1:2] == "/":
        yield line[2:middle]
        return
    found = _PAIR.fullmatch(line.rstrip())
    if found:
        old, new = _unquoted(found[1], found[2]), _unquoted(found[3], found[4])
        yield from dict.fromkeys(name[2:] if name[1:2] == "/" else name for name in (new, old))


def _unquoted(quoted: str | None, plain: str | None) -> str:
    if quoted is None:
        return plain or ""
    octets = bytearray()
    end = 0
    for escape in _ESCAPE.finditer(quoted):
        octets += quoted[end : escape.start()].encode()
        octets.append(_NAMED.get(escape[1]) or int(escape[1], 8) & 0xFF)
        end = escape.end()
    return (octets + quoted[end:].encode()).decode("utf-8", "replace")
