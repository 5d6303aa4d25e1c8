"""References in release notes: issues, pull requests, commits, CVEs, advisories, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from kminer.records import Reference, Source

_MARKDOWN_LINK = re.compile(
    r"\[(?P<label>[^\[\]]*)\]\(\s*<?(?P<url>https?://[^\s<>()]+(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s[^()]*)?\)"
)
_URL = re.compile(r"https?://(?:[^\s<>\"'`\[\]()|]|\([^\s<>\"'`\[\]()|]*\))+")
_FORGE = re.compile(
    r"https?://(?:www\.)?github\.com/(?P<repository>[\w.-]+/[\w.-]+)/"
    r"(?:(?P<kind>issues|pull)/(?P<number>\d+)|commit/(?P<commit>[0-9a-f]{7,40})\b)"
)
_COMMIT = re.compile(r"https?://git\.kernel\.org/.*?(?:linus/|/c/|id=|h=)(?P<commit>[0-9a-f]{7,40})\b")
_NUMBERED = re.compile(
    r"(?:(?<![\w/&#.-])(?P<repository>[\w.-]{1,39}/[\w.-]{1,100})|(?<![\w/&#]))#(?P<number>\d{1,7})\b"
)
_CVE = re.compile(r"\bCVE-(?:19|20)\d\d-\d{4,}\b", re.IGNORECASE)
_ADVISORY = re.compile(r"\bGHSA(?:-[0-9a-z]{4}){3}\b", re.IGNORECASE)


def find_note_references(text: str, source: Source) -> Iterator[Reference]:
    """References in a note, each once. A CVE counts as the text has it, not as the address behind it does."""
    seen: set[tuple[str, str]] = set()
    for reference in _all(text, source):
        if (reference.type, reference.value) not in seen:
            seen.add((reference.type, reference.value))
            yield reference


def _all(text: str, source: Source) -> Iterator[Reference]:
    """Those behind a link first: they tell an issue from a pull request."""
    known: set[str] = set()
    prose = _MARKDOWN_LINK.sub(lambda link: _label_beside(link, source), text)
    for match in _URL.finditer(text):
        reference = _of_address(match[0].rstrip(".,;:!?*_"), source)
        known.add(reference.value)
        yield reference
    prose = _URL.sub(" ", prose)
    for match in _NUMBERED.finditer(prose):
        repository = _present_name(match["repository"] or source.repository, source)
        if repository and f"{repository}#{match['number']}" not in known:
            yield Reference("issue", f"{repository}#{match['number']}")
    for match in _CVE.finditer(prose):
        yield Reference("cve", match[0].upper())
    for match in _ADVISORY.finditer(prose):
        yield Reference("advisory", match[0].upper()[:4] + match[0].lower()[4:])


def _label_beside(link: re.Match[str], source: Source) -> str:
    """What a link says besides its address: "#89" says no more than an address that ends in /pull/89."""
    label = link["label"]
    reference = _of_address(link["url"], source)
    number = label.rpartition("#")[2]
    return " " if "#" in reference.value and reference.value.endswith(f"#{number}") else f" {label} "


def _of_address(address: str, source: Source) -> Reference:
    forge = _FORGE.match(address)
    if forge and forge["number"]:
        repository = _present_name(forge["repository"], source)
        return Reference("pull-request" if forge["kind"] == "pull" else "issue", f"{repository}#{forge['number']}")
    commit = forge or _COMMIT.match(address)
    if commit:
        return Reference("commit", commit["commit"])
    return Reference("link", unquote(address) if "%" in address else address)


def _present_name(repository: str, source: Source) -> str:
    return source.repository if repository in source.repository_was else repository
