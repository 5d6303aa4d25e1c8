"""Single keys from a terminal, its size, and what befalls it: a resize, a stop, its end."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from types import FrameType

RESIZED, CLOSED = "<resized>", "<closed>"
_ESCAPES = {
    b"\x1b[A": "b", b"\x1bOA": "b", b"\x1b[D": "b", b"\x1bOD": "b", b"\x1b[5~": "b",
    b"\x1b[B": " ", b"\x1bOB": " ", b"\x1b[C": " ", b"\x1bOC": " ", b"\x1b[6~": " ",
}  # fmt: skip
"""Arrow and page keys, as the keys they stand for."""

_ENDS = re.compile(rb"[\r\n]")
_USUAL_SIZE = (80, 24)
_ESCAPE_TIME = 0.1


class ClosedError(Exception):
    """The terminal is gone."""


class Keyboard:
    """A terminal from which keys are read one by one; made by `opened`, which restores the terminal at the end."""

    def __init__(self, entry: int, out: int, wake: int) -> None:
        self._entry, self._out, self._wake = entry, out, wake
        self._usual = termios.tcgetattr(entry)
        self.closed = False

    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            return _USUAL_SIZE
        return columns or _USUAL_SIZE[0], lines or _USUAL_SIZE[1]

    def write(self, text: str) -> None:
        """Show `text`. Raises ClosedError when the terminal is gone."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            raise ClosedError from error

    def key(self) -> str:
        """The next key; RESIZED after a change of size or a stop, CLOSED when there will be no more."""
        while not self.closed:
            ready, _, _ = select.select([self._entry, self._wake], [], [])
            if self._wake in ready:
                came = self._signals()
                if not self.closed and came & {signal.SIGWINCH, signal.SIGCONT}:
                    return RESIZED
            elif key := self._read_key():
                return key
        return CLOSED

    def line(self, question: str) -> str:
        """A line as the terminal lets it be edited; nothing when none was typed. Raises ClosedError at its end."""
        self._restore()
        try:
            self.write(question)
            typed = b""
            while not _ENDS.search(typed):
                chunk = self._wait_for_some()
                typed += chunk
                if not chunk:
                    break
            return " ".join(_ENDS.split(typed)[0].decode("utf-8", "replace").split())
        finally:
            # What was pasted after the first line must not be taken for keys.
            self.single_keys(termios.TCSAFLUSH)

    def _wait_for_some(self) -> bytes:
        """What was typed, at least a byte; nothing where the reader ended the line with Ctrl-D."""
        while not self.closed:
            ready, _, _ = select.select([self._entry, self._wake], [], [])
            if self._wake in ready:
                self._signals(single=False)
            elif chunk := self._take(4096):
                return chunk
            elif not self.closed:
                return b""
        raise ClosedError

    def single_keys(self, when: int = termios.TCSADRAIN) -> None:
        """Let keys come one by one, not shown."""
        with contextlib.suppress(termios.error):
            tty.setcbreak(self._entry, when)

    def _restore(self) -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._entry, termios.TCSADRAIN, self._usual)

    def _read_key(self) -> str:
        typed = self._take(1)
        if not typed:
            self.closed = True
            return CLOSED
        if typed == b"\x1b":
            return self._escape(typed)
        return "q" if typed == b"\x04" else typed.decode("ascii", "ignore")

    def _escape(self, typed: bytes) -> str:
        """The key that an escape sequence stands for; nothing for others, which are swallowed whole."""
        while select.select([self._entry], [], [], _ESCAPE_TIME)[0] and len(typed) < 32:
            more = self._take(1)
            typed += more
            if not more or typed[1:2] not in (b"[", b"O") or (len(typed) > 2 and 0x40 <= typed[-1] <= 0x7E):
                break
        return _ESCAPES.get(typed, "")

    def _take(self, most: int) -> bytes:
        try:
            return os.read(self._entry, most)
        except OSError:
            self.closed = True
            return b""

    def _signals(self, single: bool = True) -> set[int]:
        """The signals that came; after a stop the terminal is set anew for single keys, or for lines."""
        came = set(os.read(self._wake, 256))
        if signal.SIGHUP in came:
            self.closed = True
        if signal.SIGCONT in came:
            self.single_keys() if single else self._restore()
        return came


@contextlib.contextmanager
def opened() -> Iterator[Keyboard]:
    """The keyboard of standard input; whatever ends the block, the terminal is then as it was."""
    entry, out = sys.stdin.fileno(), sys.stdout.fileno()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    watched = (signal.SIGWINCH, signal.SIGCONT, signal.SIGHUP)
    before = {number: signal.signal(number, _noticed) for number in watched}
    before_wakeup = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    keyboard = Keyboard(entry, out, wake)
    try:
        keyboard.single_keys()
        yield keyboard
    finally:
        keyboard._restore()
        signal.set_wakeup_fd(before_wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(woken)


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """The wake-up pipe says it."""


def is_there() -> bool:
    """Whether keys can be read and a screen be written."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except (AttributeError, ValueError):
        return False
