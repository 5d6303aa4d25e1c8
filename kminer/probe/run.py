"""Probes a host: reads, then calls with invalid arguments, then trials in children that leave nothing behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass

from kminer import __version__
from kminer.probe.answers import ABSENT, USE, Answer, decide, unknown
from kminer.probe.calls import CALLS
from kminer.probe.child import run_trials
from kminer.probe.detached import KINDS as IN_HIERARCHIES
from kminer.probe.detached import ask_detached
from kminer.probe.forks import DiedError, forked
from kminer.probe.host import Environment, Host
from kminer.probe.passive import PASSIVE
from kminer.probe.refusals import filtered
from kminer.probe.trials import TRIALS
from kminer.records import Feature, Finding, utc_now

SCHEMA = 1
"""Version of the JSON that a probe prints; raised when a key changes its meaning or goes."""

KINDS = frozenset([*PASSIVE, *CALLS, *TRIALS])
"""The kinds of detectors there are: what stands before the colon in a feature's `detect`."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found: when (UTC), on what, in how many seconds, and a finding for each feature asked for."""

    taken_at: str
    environment: Environment
    findings: tuple[Finding, ...]
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The documented form: {"schema", "kminer", "taken_at", "seconds", "environment", "findings"}."""
        return {
            "schema": SCHEMA, "kminer": __version__, "taken_at": self.taken_at, "seconds": round(self.seconds, 3),
            "environment": asdict(self.environment), "findings": [asdict(finding) for finding in self.findings],
        }  # fmt: skip


def probe(
    features: Iterable[Feature], host: Host, *, only_passive: bool = False, as_root_too: bool = False,
    timeout: float = 2.0,
) -> Probed:  # fmt: skip
    """Ask `host` for each feature. A captured host is only read; `timeout` is that of one trial, in seconds."""
    started = time.monotonic()
    wanted = list(features)
    detectors = list(dict.fromkeys(detector for feature in wanted for detector in feature.detectors))
    answers = {detector: _ask(detector, host) for detector in detectors if _kind(detector) in PASSIVE}
    if host.live and not only_passive:
        answers |= ask_detached([detector for detector in detectors if _kind(detector) in IN_HIERARCHIES], host)
        ask = _ask_apart if filtered() else _ask
        answers |= {detector: ask(detector, host) for detector in detectors if _kind(detector) in CALLS}
        trials = [detector for detector in detectors if _kind(detector) in TRIALS]
        answers |= run_trials(trials, host, timeout=timeout, as_root_too=as_root_too)
    findings = tuple(decide(feature, _of(feature, answers, host)) for feature in wanted)
    moment = utc_now()
    return Probed(moment, host.environment, findings, time.monotonic() - started)


def _kind(detector: str) -> str:
    return detector.partition(":")[0]


def _ask(detector: str, host: Host) -> Answer:
    kind, _, argument = detector.partition(":")
    return (PASSIVE.get(kind) or CALLS[kind])(detector, argument.strip(), host)


def _ask_apart(detector: str, host: Host) -> Answer:
    """Ask in a process of its own: a seccomp filter may kill who makes a call."""
    try:
        return Answer(*json.loads(forked(lambda: json.dumps(astuple(_ask(detector, host))))))
    except DiedError as error:
        return unknown(detector, f"the process that asked {error}")
    except OSError as error:
        return unknown(detector, f"no process could be made to ask: {error.strerror}", number=error.errno or 0)


def _of(feature: Feature, answers: Mapping[str, Answer], host: Host) -> Sequence[Answer]:
    """The answers of a feature's detectors, and of the symbols it is built by those that are not set.

    A symbol that is set does not tell of a feature that came to the same code later.
    """
    found = [answers.get(detector) or _unasked(detector, host) for detector in feature.detectors]
    asked = {detector for detector in feature.detectors if _kind(detector) == "kconfig"}
    symbols = [f"kconfig:{symbol}" for symbol in feature.kconfig if f"kconfig:{symbol}" not in asked]
    built_by = [PASSIVE["kconfig"](symbol, symbol.partition(":")[2], host) for symbol in symbols]
    return [*found, *(answer for answer in built_by if answer.says == ABSENT)]


def _unasked(detector: str, host: Host) -> Answer:
    if _kind(detector) not in KINDS:
        return unknown(detector, f"'{_kind(detector)}' is no kind of detector")
    why = "a passive probe was asked for" if host.live else "a captured host can only be read"
    return unknown(detector, f"not tried: {why}", USE)
