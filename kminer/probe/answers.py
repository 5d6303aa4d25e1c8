"""What detectors answer, and how their answers make the verdict on a feature."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from kminer.records import Feature, Finding

AVAILABLE, COMPILED, BLOCKED, BOUND, ABSENT, UNKNOWN = (
    "available", "compiled-in", "blocked", "bound-elsewhere", "absent", "unknown",
)  # fmt: skip

VERDICTS = {
    AVAILABLE: "there, and usable by whoever asked",
    COMPILED: "in the kernel, but not seen to be usable",
    BLOCKED: "there, but something does not let it be used",
    BOUND: "its controller is bound to a cgroup v1 hierarchy",
    ABSENT: "not in this kernel",
    UNKNOWN: "could not be found out",
}
"""The verdicts, each with what it means."""

USE, INTERFACE, CODE = 3, 2, 1
"""How much an answer proves: the feature was used; its interface was met; its code is in the kernel."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one detector answers: one of VERDICTS, what it saw, who stands in the way (`by`), and an errno's name.

    `proves` is USE, INTERFACE or CODE. An error that decides nothing is UNKNOWN, never ABSENT.
    """

    detector: str
    says: str
    evidence: str
    proves: int
    by: str = ""
    errno: str = ""


def unknown(detector: str, why: str, proves: int = INTERFACE, number: int = 0) -> Answer:
    """An answer that decides nothing, and why."""
    return Answer(detector, UNKNOWN, why, proves, errno=name_errno(number))


def name_errno(number: int) -> str:
    """The name of an errno ("EPERM"); "" for 0."""
    return errno.errorcode.get(number, str(number)) if number else ""


def decide(feature: Feature, answers: Sequence[Answer]) -> Finding:
    """The verdict on a feature from what its detectors answered, in the order of the catalogue.

    Who used it knows best, then who met its interface, then who found its code. Where an interface is missing
    though the code is there, it is compiled in. Without any answer it is unknown, with all reasons.
    """
    known = [answer for answer in answers if answer.says != UNKNOWN]
    for rank in (USE, INTERFACE, CODE):
        ranked = [answer for answer in known if answer.proves == rank]
        if ranked:
            best = min(ranked, key=lambda answer: _ORDER.index(answer.says))
            best = _not_built(known) or best if best.says == BOUND else best
            return _finding(feature, best, known, answers)
    reasons = "; ".join(dict.fromkeys(answer.evidence for answer in answers)) or "the catalogue names no detector"
    first = answers[0] if answers else Answer("none", UNKNOWN, reasons, CODE)
    return Finding(feature.id, UNKNOWN, reasons, "", first.detector, first.errno, _lines(answers))


def _not_built(known: Sequence[Answer]) -> Answer | None:
    """Of what is bound elsewhere one cannot see whether it is there: a symbol that is not set tells."""
    return next((answer for answer in known if answer.proves == CODE and answer.says == ABSENT), None)


_ORDER = (AVAILABLE, BLOCKED, BOUND, COMPILED, ABSENT)


def _finding(feature: Feature, best: Answer, known: Sequence[Answer], answers: Sequence[Answer]) -> Finding:
    code = next((answer for answer in known if answer.proves < best.proves and answer.says != ABSENT), None)
    if best.says == ABSENT and code is not None:
        reason = f"{code.evidence}, but {best.evidence}"
        return Finding(feature.id, COMPILED, reason, best.by, code.detector, best.errno, _lines(answers))
    return Finding(feature.id, best.says, best.evidence, best.by, best.detector, best.errno, _lines(answers))


def _lines(answers: Sequence[Answer]) -> tuple[str, ...]:
    return tuple(
        f"{answer.detector}: {answer.says}{f' ({answer.errno})' if answer.errno else ''}: {answer.evidence}"
        for answer in answers
    )
