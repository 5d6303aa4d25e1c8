"""Says of each series what became of it, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kminer.proposals.landings import Landing
from kminer.proposals.letters import Letter, Posting, days_between, plain
from kminer.proposals.versions import Series

WAITING = 120
"""Days after its newest version within which a series may still be merged."""

WHOLE = 0.8
"""Share of the newest version's patches that were merged from which on the series was."""

PARTLY = 0.5
"""The same, where not the whole history was read: what was merged is then not always seen."""

_PRAISE = {"reviewed", "acked", "tested"}
"""What answers say of a patch that is ready to be merged."""

REPLACED = 0.5
"""Share of patches that another series must have taken over."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a series: merged, merged in another form, superseded, never merged, pending or cannot tell."""

    word: str
    why: str
    confidence: float
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the evidence goes: the day up to which each project's histories, notes and lists of titles were read.

    `until` is the newest day of the archives; `history` the newest day of the whole history of the project, empty
    where none was read. `told` names all evidence in words.
    """

    until: str
    history: str
    told: str


def judge(
    series: Series, landings: Mapping[str, Sequence[Landing]], others: Mapping[str, Sequence[Series]], reach: Reach
) -> Verdict:
    """The verdict on a series; `landings` are evidence by the patch's message-id, `others` series by their titles.

    What somebody said to have applied, and was posted anew later, was not kept.
    """
    newest = series.newest
    landed = _landed(newest.patches, landings)
    share = WHOLE if _covered(newest, reach) else PARTLY
    if newest.patches and len(landed) >= share * len(newest.patches):
        return _merged(newest, landed)
    if landed:
        why = f"{len(landed)} of {len(newest.patches)} patches of the newest version: {_told(landed)}"
        return Verdict("merged in another form", why, _mean(landed))
    for posting in reversed(series.postings[:-1]):
        landed = [one for one in _landed(posting.patches, landings) if one.found_by != "applied"]
        if landed:
            why = f"{len(landed)} of {len(posting.patches)} patches of version {posting.root.version}: {_told(landed)}"
            return Verdict("merged in another form", why, _mean(landed))
    return _unmerged(series, landings, others, reach)


def _landed(patches: Sequence[Letter], landings: Mapping[str, Sequence[Landing]]) -> list[Landing]:
    """The surest evidence for each patch that has any."""
    found = [max(landings[patch.key], key=_sureness) for patch in patches if landings.get(patch.key)]
    return sorted(found, key=lambda landing: landing.patch.key)


def _sureness(landing: Landing) -> tuple[float, str, str]:
    return landing.confidence, landing.commit, landing.found_in


def _merged(newest: Posting, landed: Sequence[Landing]) -> Verdict:
    loose = all(landing.found_by == "likeness" for landing in landed)
    renamed = loose or all(landing.found_by == "ending" for landing in landed)
    word = "merged in another form" if renamed else "merged"
    titles = f", as \"{landed[0].title}\"" if renamed else ""
    why = f"{len(landed)} of {len(newest.patches)} patches: {_told(landed)}{titles}"
    return Verdict(word, why, _mean(landed))


def _told(landed: Sequence[Landing]) -> str:
    counted = Counter((landing.found_by, _place(landing)) for landing in landed)
    return "; ".join(f"{count} by {by} in {place}" for (by, place), count in sorted(counted.items()))


def _place(landing: Landing) -> str:
    return "answers" if landing.found_by == "applied" else landing.found_in


def _mean(landed: Sequence[Landing]) -> float:
    return round(sum(landing.confidence for landing in landed) / len(landed), 2)


def _unmerged(
    series: Series, landings: Mapping[str, Sequence[Landing]], others: Mapping[str, Sequence[Series]], reach: Reach
) -> Verdict:
    taken = _taken_over(series, others)
    if taken is not None:
        root = taken.newest.root
        fate = "merged" if any(landings.get(patch.key) for patch in taken.newest.patches) else "not merged either"
        why = f"its patches stand in \"{root.title}\" of {root.date[:10]}, {fate}"
        return Verdict("superseded", why, 0.8, root.key)
    said = [answer for posting in series.postings for answer in posting.answers if "superseded" in answer.says]
    if said:
        return Verdict("superseded", f"{said[-1].name or said[-1].email} says so: {said[-1].key}", 0.6)
    last = series.newest.date
    waited = days_between(last, reach.until)
    if waited < WAITING:
        return Verdict("pending", f"posted {waited} days before the archive's newest mail", 0.5)
    nacks = [answer for posting in series.postings for answer in posting.by_others() if "nacked" in answer.says]
    nacked = f"; NAK by {nacks[-1].name or nacks[-1].email}" if nacks else ""
    if _covered(series.newest, reach):
        return Verdict("never merged", f"no patch was found in what was read{nacked}", 0.95)
    why = "no patch was found in what was read, which is not the whole history"
    reviewers = {answer.email for answer in series.newest.by_others() if _PRAISE & set(answer.says)}
    if reviewers and not nacks:
        return Verdict("cannot tell", f"{why}, and the newest version was reviewed ({len(reviewers)} people)", 0.5)
    return Verdict("never merged", why + nacked, 0.7 if nacks else 0.6)


def _covered(posting: Posting, reach: Reach) -> bool:
    """Whether the whole history was read, to a day late enough for a posting to be in it."""
    return bool(reach.history) and days_between(posting.date, reach.history) >= WAITING


def _taken_over(series: Series, others: Mapping[str, Sequence[Series]]) -> Series | None:
    """The series, newer than this one's newest version, that holds most of its patches."""
    titles, last = series.newest.titles(), series.newest.date
    counted: dict[int, tuple[int, Series]] = defaultdict(lambda: (0, series))
    for title in sorted(titles):
        for other in others.get(title, ()):
            if other is not series and other.newest.date > last and len(title.split()) > 2:
                counted[id(other)] = (counted[id(other)][0] + 1, other)
    count, found = max(counted.values(), key=lambda one: (one[0], one[1].newest.root.key), default=(0, None))
    return found if titles and count >= REPLACED * len(titles) else None


def by_titles(series: Sequence[Series]) -> dict[str, list[Series]]:
    """Series by the titles of their newest version's patches as they are compared."""
    found: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        for title in sorted({plain(patch.title) for patch in one.newest.patches}):
            found[title].append(one)
    return found
