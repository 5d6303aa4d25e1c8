"""Notices of maintainers' scripts: a patch was added to a tree, removed from it, or merged."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUILT = re.compile(r"(\+ )?\S+\.patch (added to|removed from) \S.*")
_QUILT_TITLE = re.compile(
    r"^The (?:quilt )?patch titled[ \t]*\n\s{1,20}(?:Subject: )?(\S[^\n]*(?:\n[^\n]+){0,3}?)\n\s?(?:has been|was) ",
    re.MULTILINE,
)
_WHY = re.compile(r"\[([a-z-]+)(?: [^\[\]]*)?\]", re.IGNORECASE)
_GONE = {
    "merged": "applied", "folded-merged": "applied", "to-be-updated": "superseded", "alternative-merged": "superseded",
    "nacked": "nacked",
}  # fmt: skip
_TIP = re.compile(r"\[tip: ?[^\[\] ]+\] ", re.IGNORECASE)
_TIP_COMMIT = re.compile(r"^Commit-ID:\s+([0-9a-f]{40})\s*$", re.MULTILINE)
_DRIVERS = re.compile(r"patch \"(.+)\" (?:has been )?added to (?:the )?\S.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says (`saying`) of the patch of a title; `merged` where it is for good, as `commit` if known."""

    title: str
    saying: str
    merged: bool
    commit: str = ""

    @property
    def merges(self) -> tuple[tuple[str, str], ...]:
        """The patch that it says was merged, as (title, commit id or "")."""
        return ((self.title, self.commit),) if self.merged else ()


def read_notice(subject: str, title: str, text: str) -> Notice | None:
    """The notice that a mail with this subject and `title` (the subject without brackets) is, if it is one."""
    if _QUILT.fullmatch(title):
        return _quilt(subject, title, text)
    commit = _TIP_COMMIT.search(text) if _TIP.match(subject) else None
    if commit:
        return Notice(title, "applied", True, commit[1])
    driver = _DRIVERS.fullmatch(title)
    return Notice(driver[1], "applied", True) if driver else None


def _quilt(subject: str, title: str, text: str) -> Notice:
    named = _QUILT_TITLE.search(text)
    told = " ".join(named[1].split()) if named else title
    why = _WHY.match(subject)
    if why is None:
        return Notice(told, "applied" if title.startswith("+ ") else "dropped", False)
    word = why[1].lower()
    return Notice(told, _GONE.get(word, "dropped"), word == "merged")
