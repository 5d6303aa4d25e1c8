"""Runs trials in batched children, so that a hang or a crash loses one trial, and nothing outlives the probe."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from typing import NoReturn

from kminer.probe import kernel
from kminer.probe.answers import USE, Answer, unknown
from kminer.probe.forks import CAP_SYS_ADMIN, DiedError, die_with, dump_no_core, has_capability, how_it_ended
from kminer.probe.host import Host
from kminer.probe.refusals import filtered
from kminer.probe.stages import Stage, own_stage, user_stage
from kminer.probe.trials import OWN, TRIALS, USER, place_of

_PATIENCE = 3
# Seconds: what hangs in the kernel cannot be killed, and is not waited for any longer.
_MERCY = 1.0
_OPEN_FILES = 4096
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
    batches = [
        _Batch(place, pending, host, timeout, as_root_too and privileged)
        for place in (OWN, USER)
        if (pending := [each for each in dict.fromkeys(detectors) if place_of(each, privileged) == place])
    ]
    try:
        # The second works while the first is listened to.
        for batch in batches:
            batch.start()
        for batch in batches:
            batch.run()
    finally:
        for batch in batches:
            batch.end()
    return {detector: answer for batch in batches for detector, answer in batch.answers.items()}


@dataclass(slots=True)
class _Batch:
    """Trials of one place: those that wait, their answers, and the child that is at them."""

    place: str
    pending: list[str]
    host: Host
    timeout: float
    as_root_too: bool
    answers: dict[str, Answer] = field(default_factory=dict)
    child: _Child | None = None
    lost: int = 0

    def start(self) -> None:
        """Start a child on what waits; where none can be started, that is the answer of all."""
        try:
            with _signals_held():
                self.child = _start(self)
        except OSError as error:
            self._answer(len(self.pending), f"no child process could be started: {error.strerror}")

    def run(self) -> None:
        """Listen to the child until nothing waits, with a new one after each loss."""
        while self.child:
            child = self.child
            why = _collect(child, self)
            status = self.end()
            if self.pending:
                self._lose(why or how_it_ended(status), child.started)
            if self.pending:
                self.start()

    def end(self) -> int:
        """Kill the child with all that it started; its wait status, 0 where there is none."""
        with _signals_held():
            if self.child is None:
                return 0
            child, self.child = self.child, None
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            os.close(child.reader)
            return _reap(child.pid)

    def _lose(self, why: str, started: bool) -> None:
        self.lost += 1
        if not started:
            return self._answer(len(self.pending), f"the child {why} before its trials")
        first = self.pending[0]
        self._answer(1, f"it {why}")
        if self.lost >= _PATIENCE:
            self._answer(len(self.pending), f"given up after {_PATIENCE} lost trials ({first} {why})")
        return None

    def _answer(self, count: int, why: str) -> None:
        self.answers |= {each: unknown(each, why, USE) for each in self.pending[:count]}
        del self.pending[:count]


def _reap(pid: int) -> int:
    """The wait status of a killed process; 0 where it does not end, since the kernel holds it in a call."""
    deadline = time.monotonic() + _MERCY
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.0005)
    return 0


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back: between a fork and the moment when its process is known."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(batch: _Batch) -> _Child:
    reader, writer = os.pipe()
    mother = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if not pid:
        _live(batch, writer, mother)
    os.close(writer)
    # The child does the same: whoever comes first.
    with suppress(OSError):
        os.setpgid(pid, pid)
    return _Child(pid, reader)


def _collect(child: _Child, batch: _Batch) -> str:
    """Take answers off the pipe until it ends; why it was given up, or ""."""
    deadline = time.monotonic() + batch.timeout
    poll = select.poll()
    poll.register(child.reader, select.POLLIN)
    while batch.pending:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return f"hung for {batch.timeout:g} s"
        got = os.read(child.reader, 65536)
        if not got:
            return ""
        for line in _lines(child, got):
            deadline = time.monotonic() + batch.timeout
            if line == _READY:
                child.started = True
                continue
            answer = Answer(*json.loads(line))
            batch.answers[answer.detector] = answer
            batch.pending.remove(answer.detector)
    return ""


def _lines(child: _Child, got: bytes) -> Iterator[bytes]:
    *lines, child.rest = (child.rest + got).split(b"\n")
    yield from lines


def _live(batch: _Batch, writer: int, mother: int) -> NoReturn:
    """What the child does: prepares its stage, tries all detectors in turn, and ends."""
    status = 1
    try:
        os.setpgid(0, 0)
        for each in (*_SIGNALS, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with(mother)
        dump_no_core()
        # Collecting would copy the pages that this process shares with its mother.
        gc.disable()
        # A process that has changed its user does not own its files in /proc, and could not map its users.
        if os.geteuid():
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        _be_quiet(writer)
        os.chdir("/")
        stage = (own_stage if batch.place == OWN else user_stage)(batch.host, batch.as_root_too)
        os.write(writer, _READY + b"\n")
        for detector in batch.pending:
            os.write(writer, json.dumps(astuple(_try(detector, stage))).encode() + b"\n")
        status = 0
    finally:
        os._exit(status)


def _be_quiet(writer: int) -> None:
    """Let go of all that was open but the pipe: it may be a file that nobody is not to have."""
    with suppress(OSError):
        nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
    os.closerange(3, writer)
    os.closerange(writer + 1, _OPEN_FILES)


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
