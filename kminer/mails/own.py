"""A mail's own words: what stands there that is neither quoted, signature, greeting nor diff."""

from __future__ import annotations

import re
from collections.abc import Sequence

_QUOTED = re.compile(r"\s{0,3}(?:[A-Za-z]{0,3}[>»]|\|\s?>)")
_ATTRIBUTION = re.compile(
    r".*(?:\b(?:wrote|writes|said|schrieb|écrit)|写道)(?: on [^:]{1,60})?\s?[:：]\s*", re.IGNORECASE
)
_ATTRIBUTION_START = re.compile(r"\s{0,2}(?:On|At|In|Am|Le|El|On:|\*|在|于|[0-9]{4}[-/年])", re.IGNORECASE)
_LONGEST_ATTRIBUTION = 4
_END = re.compile(
    r"--\s*$|-{2,}\s*(?:Original|Forwarded|Reply|原始邮件|Ursprüngliche)[^\n]*-{2,}|_{20,}\s*$"
    r"|[-\s]{2,}(?:8<|>8)|Begin forwarded message:|From:\s.*<\S+@\S+>\s*$",
    re.IGNORECASE,
)
_DIFF = re.compile(r"diff --git |diff -\S+ |Index: \S+$|--- a/")
_IN_DIFF = re.compile(r"[ +@\\-]|index [0-9a-f]|new file|deleted file|rename |similarity |old mode|new mode|diff |$")
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings)\b[^.?;]{0,40}[.!,:]?"
    r"|[A-Z][\w.]*(?: [A-Z][\w.]*)?,",
    re.IGNORECASE,
)
_TRAILER = re.compile(r"[A-Z][A-Za-z]*(?:-[A-Za-z]+)+:\s?\S.*|(?:Cc|Fixes|Link|Closes):\s.*", re.IGNORECASE)
_COURTESY = re.compile(r"(?:many )?(?:thanks|thank you|thx)[\w ]{0,30}[.,!]?", re.IGNORECASE)
_NOTHING = re.compile(
    r"\W*|\W*(?:snip|cut|skip(?:ped)?|trimm?(?:ed|ing)?|top[- ]?post\w*|\+?cc\b.{0,200}|adding\b.{0,60}\bcc)\W*",
    re.IGNORECASE,
)
_LONGEST_WORDS = 200


def own_lines(text: str) -> list[str]:
    """Lines that the sender wrote below, between or above what is quoted, an empty one for each piece left out.

    Nothing from a signature, a forwarded mail or scissors on, and neither the names of whom is quoted nor diffs.
    """
    own: list[str] = []
    in_diff = False
    for line in text.split("\n"):
        if in_diff and _IN_DIFF.match(line):
            continue
        in_diff = bool(_DIFF.match(line))
        if in_diff or _QUOTED.match(line):
            own.append("")
        elif _END.match(line) and (own or not line.startswith("From:")):
            break
        elif len(line) < 400 and _ATTRIBUTION.fullmatch(line):
            _drop_attribution(own)
        else:
            own.append(line.rstrip())
    return own


def _drop_attribution(own: list[str]) -> None:
    """Remove the beginning of a line "On ... wrote:" that was wrapped, whose end was just seen."""
    for back in range(1, _LONGEST_ATTRIBUTION):
        if back > len(own) or not own[-back].strip():
            break
        if _ATTRIBUTION_START.match(own[-back]):
            del own[-back:]
            break
    own.append("")


def first_words(own: Sequence[str]) -> str:
    """The first line that says something, at most 200 characters: thanks or a trailer only where there is no other."""
    said = [line.strip() for line in own]
    said = [line for line in said if not _NOTHING.fullmatch(line[:300]) and not _GREETING.fullmatch(line[:300])]
    telling = (line for line in said if not _COURTESY.fullmatch(line[:300]) and not _TRAILER.fullmatch(line))
    line = next(telling, next(iter(said), ""))
    return " ".join(line.split())[:_LONGEST_WORDS]
