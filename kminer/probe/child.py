"""Runs trials in batched children, so that a hang or a crash loses one trial, and nothing outlives the probe."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from typing import NoReturn

from kminer.probe import kernel
from kminer.probe.answers import USE, Answer, unknown
from kminer.probe.forks import CAP_SYS_ADMIN, DiedError, die_with, dump_no_core, has_capability, how_it_ended
from kminer.probe.host import Host
from kminer.probe.refusals import filtered
from kminer.probe.stages import Stage, own_stage, user_stage
from kminer.probe.trials import OWN, TRIALS, USER, place_of

_PATIENCE = 3
_READY = b"ready"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(slots=True)
class _Child:
    pid: int
    reader: int
    started: bool = False
    rest: bytes = b""


def run_trials(
    detectors: Sequence[str], host: Host, *, timeout: float = 2.0, as_root_too: bool = False
) -> dict[str, Answer]:
    """The answer of each detector, tried in children of this process: with its own rights and in a user namespace.

    `timeout` (seconds) is that of one trial. Without `as_root_too` no trial touches what is not its own. Leaves
    nothing behind, whatever ends this process.
    """
    privileged = has_capability(CAP_SYS_ADMIN)
    # Read here, since in a namespace of a child they would be others.
    _ = host.environment, host.filesystems, host.config
    if filtered():
        _ = host.kallsyms
    answers: dict[str, Answer] = {}
    for place in (OWN, USER):
        batch = [detector for detector in dict.fromkeys(detectors) if place_of(detector, privileged) == place]
        try:
            answers |= _run(batch, place, host, timeout, as_root_too and privileged)
        except OSError as error:
            why = f"no child process could be started: {error.strerror}"
            answers |= {each: unknown(each, why, USE, error.errno or 0) for each in batch if each not in answers}
    return answers


def _run(batch: list[str], place: str, host: Host, timeout: float, as_root_too: bool) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    pending = list(batch)
    lost = 0
    while pending:
        with _signals_held():
            child = _start(pending, place, host, as_root_too)
        try:
            why = _collect(child, pending, answers, timeout)
        finally:
            status = _end(child)
        if not pending:
            break
        lost += 1
        why = why or how_it_ended(status)
        given_up = pending if not child.started or lost >= _PATIENCE else pending[:1]
        answers |= {each: unknown(each, _lost(why, each, pending[0], child.started), USE) for each in given_up}
        del pending[: len(given_up)]
    return answers


def _lost(why: str, detector: str, first: str, started: bool) -> str:
    if not started:
        return f"the child {why} before its trials"
    return f"it {why}" if detector == first else f"given up after {_PATIENCE} lost trials ({first} {why})"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back: between a fork and the moment when its process is known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(pending: Sequence[str], place: str, host: Host, as_root_too: bool) -> _Child:
    reader, writer = os.pipe()
    mother = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if not pid:
        _live(pending, place, host, as_root_too, writer, mother)
    os.close(writer)
    # The child does the same: whoever comes first.
    with suppress(OSError):
        os.setpgid(pid, pid)
    return _Child(pid, reader)


def _end(child: _Child) -> int:
    """The wait status of the child, which is killed with all that it started, and reaped."""
    with suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    os.close(child.reader)
    return os.waitpid(child.pid, 0)[1]


def _collect(child: _Child, pending: list[str], answers: dict[str, Answer], timeout: float) -> str:
    """Take answers off the pipe until it ends; why it was given up, or ""."""
    deadline = time.monotonic() + timeout
    poll = select.poll()
    poll.register(child.reader, select.POLLIN)
    while pending:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return f"hung for {timeout:g} s"
        got = os.read(child.reader, 65536)
        if not got:
            return ""
        for line in _lines(child, got):
            deadline = time.monotonic() + timeout
            if line == _READY:
                child.started = True
                continue
            answer = Answer(*json.loads(line))
            answers[answer.detector] = answer
            pending.remove(answer.detector)
    return ""


def _lines(child: _Child, got: bytes) -> Iterator[bytes]:
    *lines, child.rest = (child.rest + got).split(b"\n")
    yield from lines


def _live(pending: Sequence[str], place: str, host: Host, as_root_too: bool, writer: int, mother: int) -> NoReturn:
    """What the child does: prepares its stage, tries all detectors in turn, and ends."""
    status = 1
    try:
        os.setpgid(0, 0)
        for each in (*_SIGNALS, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with(mother)
        dump_no_core()
        # A process that has changed its user does not own its files in /proc, and could not map its users.
        if os.geteuid():
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        _be_quiet()
        os.chdir("/")
        stage = (own_stage if place == OWN else user_stage)(host, as_root_too)
        os.write(writer, _READY + b"\n")
        for detector in pending:
            os.write(writer, json.dumps(astuple(_try(detector, stage))).encode() + b"\n")
        status = 0
    finally:
        os._exit(status)


def _be_quiet() -> None:
    with suppress(OSError):
        nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)


def _try(detector: str, stage: Stage) -> Answer:
    kind, _, argument = detector.partition(":")
    try:
        return TRIALS[kind](detector, argument, stage)
    except kernel.UnknownSyscall as error:
        return unknown(detector, str(error), USE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return unknown(detector, f"{where}{error.strerror}", USE, error.errno or 0)
    except DiedError as error:
        return unknown(detector, f"its process {error}", USE)
