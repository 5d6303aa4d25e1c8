"""What an answer says of a patch: applied, reviewed, acked, tested, nacked, superseded, dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kminer.records import Person

ORDER = ("applied", "reviewed", "acked", "tested", "nacked", "superseded", "dropped")
"""All that can be said, in the order in which it is told."""

_LEAD = (
    r"(?:(?:ok(?:ay)?|great|many thanks|thanks(?: (?:a lot|everyone|all|again|for [^.!,]{1,40}))?|thx|sure|nice|"
    r"cool|thank you(?: [^.!,]{1,30})?|right|good|perfect|makes sense|lgtm|fair enough|sounds good|alright|yes|yeah|"
    r"yep|done|fixed up|fixed|looks (?:good|great|fine|sane)(?: to me)?|seems fine(?: to me)?|acked|reviewed)"
    r"[^\w\n?]{1,4}){0,3}"
)
_WHAT = (
    r"(?:the |these |this |both |all |whole |entire |remaining |first |last |other |updated )*"
    r"(?:patch(?:es|set)?|series|set|this|these|them|both|all|everything|it|[0-9]+(?:st|nd|rd|th)?|v[0-9]+)"
    r"(?:,? ?(?:-|,|&|and|to|through|/) ?[0-9]+)*"
)
_TREE = (
    r"(?:(?:my|our|the|his|block|mm|net|vfs|bpf|drm|cgroup|wq|slab)[\s'\w./-]{0,30}\b(?:tree|branch|queue)\b"
    r"|(?:the )?[\w.-]+/[\w.-]*[a-z][\w./-]*|for-[\w./-]+|v?[3-9]\.[0-9]{1,2}(?!\w|\.\w)(?:-rc[0-9])?|mm-\w+"
    r"|vfs[.\w-]+|[#@]?[\w-]+-(?:next|fixes|misc)\b|linux-\w+ next\b|(?:linux-)?next\b|mainline|upstream|-?stable\b"
    r"|(?:the )?(?:bpf|net|drm|block|vfs|mm|slab|cgroup)\b)"
)
_DID = r"(?:applied|queued(?: it)?(?: up)?|picked(?: it)?(?: up)?|merged|pushed|committed|taken|staged)"
_END = r"(?:\s*[-–—(]|\s*[.!,;](?!\w)| thanks\b| now\b)"
_APPLIED = re.compile(
    rf"{_LEAD}(?!(?-i:QUEUED|APPLIED))"
    rf"(?:now |also |both |all |series |{_WHAT} (?:is |are |was |were |has been |have been |now |both |all )*)?"
    rf"(?:(?:applied\s*$|{_DID}{_END})(?!.*\bin v[0-9])"
    rf"|{_DID}(?: {_WHAT})?(?: (?:up|as-is|now))?,? (?:to|for|into|in|on|onto|via|through) (?:the )?{_TREE}"
    rf"|(?:applied|queued|applying|queuing) {_WHAT}(?:{_END}|\s*$| with\b)"
    rf"|(?:applied|queued) (?:with\b|w/|after\b|cgroup/)"
    rf"|(?:applying|queuing|queueing)(?: {_WHAT})? (?:to|for) {_TREE})",
    re.IGNORECASE,
)
_BY_ME = re.compile(
    rf"{_LEAD}(?:so |and |but |anyway,? )?"
    rf"(?:(?:i|we)(?:'ve|’ve| have)?(?: (?:now|just|already|also|went ahead and))*|already|just) "
    rf"{_DID}(?: {_WHAT})?(?: (?:up|as-is|now|manually|by hand))?"
    rf"(?: (?:to|for|into|in|onto|via|through) (?:the )?{_TREE}|\s?[.!](?!\w)|,? thanks\b)",
    re.IGNORECASE,
)
_BY_BOT = re.compile(
    r"(?:this|the) (?:patch|series|pull request)(?: you sent on [^\n]*)? (?:was|were|has been) (?:applied|merged)"
    r"(?: (?:to|into) \S*/\S*)?|has been merged into \S+/\S+",
    re.IGNORECASE,
)
_NOT_APPLIED = re.compile(
    r"\?\s*$|\b(?:not|cannot|if|when|once|unless|before|until|should|could|would|might|locally|cleanly|fuzz|"
    r"on top of|your (?:suggestions?|comments?|changes?|feedback)|suggestions?|in v[0-9]+|next version|conflicts?|"
    r"for testing|to test|(?:usual|same) branch|kernel [0-9v]|my (?:machine|kernel|system|box))\b",
    re.IGNORECASE,
)
_DROPPED = re.compile(
    rf"{_LEAD}(?:(?:so |and |ok(?:ay)?,? )?(?:i'll|i will|i've|i have|i(?:'m| am)?|we(?:'ll|'ve| will| have)?|let's)"
    rf"(?: (?:just|now|then|going to|also))* (?:dropped|dropping|drop|withdraw|withdrawing) "
    rf"(?:the |this |these |both )(?:whole |entire )?(?:patch(?:es|set)?|(?:patch )?series)"
    rf"(?: (?:then|for now))?(?:{_END}|\s*$)"
    rf"|(?:dropped|dropping)(?: (?:it|{_WHAT}|from [\w./ -]+))?{_END}"
    rf"|(?:please |pls )(?:just )?(?:drop|ignore|disregard|discard) (?:the |this |these |that |both |my |all |v[0-9])"
    rf"(?:[\w' ]{{0,24}}\b(?:patch(?:es|set)?|series|version|mail|email|thread|one|posting|set))?(?:{_END}|\s*$))",
    re.IGNORECASE,
)
_SUPERSEDED = re.compile(
    r"(?:(?:the |this |these )?(?:patch(?:es|set)?|series|version|thread|one|it|v[0-9]+)?,? ?"
    r"(?:is |was |has been |have been |are )?(?:now |already )?)superseded (?:by|with)\b|superseded\s*[.!]?\s*$",
    re.IGNORECASE,
)
_NACKED = re.compile(
    r"(?i:(?:(?:so|sorry|well|no|but|and|thus|then|still|also|ok(?:ay)?|as is|hence|therefore)[,:.!-]*\s+)*"
    r"(?:(?:that's|that is|it's|it is|this is|consider this|here's|so)(?: (?:still|then))? ?(?:a |an |my |very )?)?"
    r"(?:(?:(?:big|strong|hard|firm|clear|definite|huge|obvious|soft|friendly|temporary|total|self|auto)[- ]?)*))"
    r"(?:NAC?K(?:ED)?\b(?!['’]|-?ed-by|s\b)(?! (?:if|unless|packet|to me\?|or)))(?![^\n]*\?\s*$)"
    r"|I(?:'m| am| have to| must|'ll| will)?(?: (?:going to|strongly|still))? NAC?K(?:ing)?\b(?! if)",
)
_GIVEN = re.compile(r"((?:[A-Za-z]+-and-)*(?:reviewed|acked|tested|nacked|nak(?:ed)?))-by:?\s+(\S.*)", re.IGNORECASE)
_GIVES = {
    "reviewed": "reviewed", "acked": "acked", "tested": "tested",
    "nacked": "nacked", "naked": "nacked", "nak": "nacked",
}  # fmt: skip
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!;])\s+(?=\S)|\s+[-–—]\s+")
_ENDED = (".", "!", ":", ",", "?", ";", ")")
_LONGEST = 400


def sayings_of(own: Sequence[str], sender: Person) -> tuple[str, ...]:
    """What a mail's own lines say; reviews and the like only where they are the sender's."""
    said = {saying for sentence in _sentences(own) for saying in _read(sentence)}
    said.update(saying for line in own for saying in _given(line.strip()[:_LONGEST], sender))
    return tuple(saying for saying in ORDER if saying in said)


def _sentences(own: Sequence[str]) -> Iterator[str]:
    """Sentences that begin on a line or within it; lines that go on a sentence of the line above do not begin one."""
    above = ""
    for line in own:
        said = line.strip()
        if said and len(line) - len(line.lstrip()) < 4:
            begins = not above or above.endswith(_ENDED) or said[0].isupper()
            _, *others = _SENTENCE.split(said[:_LONGEST])
            if begins:
                yield said[:_LONGEST]
            yield from others
        above = said


def _read(sentence: str) -> Iterator[str]:
    by_me = _APPLIED.match(sentence) or _BY_ME.match(sentence)
    if _BY_BOT.match(sentence) or (by_me and not _NOT_APPLIED.search(sentence)):
        yield "applied"
    if _DROPPED.match(sentence):
        yield "dropped"
    if _SUPERSEDED.match(sentence):
        yield "superseded"
    if _NACKED.match(sentence):
        yield "nacked"


def _given(line: str, sender: Person) -> Iterator[str]:
    """What a trailer gives, where it names the sender."""
    found = _GIVEN.fullmatch(line)
    if found and _names(found[2].lower(), sender):
        for role in found[1].lower().split("-and-"):
            if role in _GIVES:
                yield _GIVES[role]


def _names(said: str, sender: Person) -> bool:
    """Whether it names the sender: by all words of the name, in whatever order, or by the address before its "@"."""
    local, words = sender.email.lower().partition("@")[0], set(_WORD.findall(sender.name.lower()))
    by_address = "@" in sender.email and (sender.email.lower() in said or (len(local) > 3 and f"{local}@" in said))
    return by_address or bool(words and words <= set(_WORD.findall(said)))
