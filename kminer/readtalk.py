"""The conversation of `kminer read`: shows one change after another and keeps each mark before the next is shown."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Callable, Sequence

import click

from kminer import handlabels, keyboard, labelbook, marks
from kminer.keyboard import CLOSED, RESIZED, Keyboard
from kminer.marks import Identity, Mark, Standing
from kminer.reading import Entry, Progress
from kminer.readscreen import Line, address, content, fit, folded
from kminer.records import Annotation, is_reserved
from kminer.store.reader import Known, get_change

STRATUM = "kminer read"
"""By what a label by hand is known to come from here: it was given with kminer's own labels in sight."""

KEYS = (
    ("n", "the next change; this one counts as read"),
    ("space", "more of the message, then the next change; so do Enter and the keys down, right and page down"),
    ("b", "back: to the beginning of a long message, then to the change before; so do up, left and page up"),
    ("s", "skip: the next change, this one stays unread"),
    ("i", "mark as interesting"),
    ("x", "not relevant: kept as a label by hand as well (it asks for the kind), then the next change"),
    ("d", "an idea: asks for one line"),
    ("w", "a note: asks for one line"),
    ("u", "take the marks of this change back, and the label that x gave"),
    ("o", "open the link; where there is no desktop, show it"),
    ("?", "this help"),
    ("q", "quit; so do Ctrl-D and Ctrl-C. Every mark is kept already"),
)
BEGIN = (0, 0)
"""The first line of what is shown."""

_SHORT_HELP = "n next  b back  i interesting  x irrelevant  d idea  o open  ? help  q quit"


class Talk:
    """One sitting. `entries` are shown in turn; `standing` is kept up to date with each mark."""

    def __init__(
        self, db: sqlite3.Connection, terminal: Keyboard, entries: Sequence[Entry], progress: Progress,
        standing: dict[Identity, Standing],
    ) -> None:  # fmt: skip
        self.db, self.terminal, self.entries, self.progress, self.standing = db, terminal, entries, progress, standing
        self.place, self.kept = 0, 0
        self.top = self._next_top = BEGIN
        self.said = ""
        self._known: tuple[int, Known] | None = None
        self._more = False
        self._clears = os.environ.get("TERM", "dumb") not in ("", "dumb")
        self._doing: dict[str, Callable[[], None]] = {
            "n": self._next, " ": self._on, "\n": self._on, "\r": self._on, "b": self._back, "s": self._skip,
            "i": self._interesting, "x": self._not_relevant, "d": self._idea, "w": self._note, "u": self._take_back,
            "o": self._open, "?": self._help, "h": self._help,
        }  # fmt: skip

    @property
    def entry(self) -> Entry:
        """The change that is shown."""
        return self.entries[self.place]

    def begin_at(self, place: int) -> None:
        """Show the change at `place` first."""
        self.place = min(max(place, 0), len(self.entries) - 1)

    def run(self) -> None:
        """Until the reader quits. Raises keyboard.ClosedError when the terminal is gone."""
        while True:
            self._draw()
            key = self.terminal.key()
            while key not in self._doing and key not in (RESIZED, CLOSED, "q"):
                key = self.terminal.key()
            if key == CLOSED:
                raise keyboard.ClosedError
            if key == "q":
                return
            if key == RESIZED:
                self.top = (self.top[0], 0)  # what was in this piece of the line may now be in another
            else:
                self.said = ""
                self._doing[key]()

    # --- the screen

    def known(self) -> Known:
        """All that the store knows of the change that is shown."""
        if self._known is None or self._known[0] != self.entry.id:
            self._known = (self.entry.id, get_change(self.db, self.entry.id, self.entry.key))
        return self._known[1]

    def _draw(self) -> None:
        columns, rows = self.terminal.size()
        lines = folded(content(self.entry, self.known(), self.standing.get(self.entry.identity)), columns - 1)
        room = max(rows - 5, 1)
        begin = next((at for at, line in enumerate(lines) if line[0] >= self.top), 0)
        shown = lines[begin : begin + room]
        self._more = begin + room < len(lines)
        self._next_top = lines[begin + room][0] if self._more else BEGIN
        self.terminal.write(self._screen(shown, len(lines) - begin - len(shown), columns, room))

    def _screen(self, shown: Sequence[Line], left: int, columns: int, room: int) -> str:
        here = "read" if self.entry.identity in self.standing else "unread"
        head = f"--- {self.place + 1:,} of {len(self.entries):,}, {here}"
        more = f"-- more: {left:,} lines --" if left else ""
        padding = [""] * (room - len(shown)) if self._clears else []
        foot = [more or self.said, self.progress.told(self.entry), _SHORT_HELP]
        if more and self.said:
            foot[0] = f"{self.said} {more}"
        body = [fit(head, columns), *(text for _, text in shown), *padding, *(fit(line, columns) for line in foot)]
        return ("\x1b[H\x1b[2J" if self._clears else "\n") + "\n".join(body) + "\n"

    # --- what keys do

    def _on(self) -> None:
        if self._more:
            self.top = self._next_top
        else:
            self._next()

    def _next(self) -> None:
        if self.entry.identity not in self.standing:
            self._keep(marks.READ)
        self._skip()

    def _skip(self) -> None:
        if self.place + 1 == len(self.entries):
            self.said = "This was the last change of the list. q quits, b goes back."
        else:
            self.place, self.top = self.place + 1, BEGIN

    def _back(self) -> None:
        if self.top > BEGIN:
            self.top = BEGIN
        elif self.place:
            self.place -= 1
        else:
            self.said = "This is the first change of the list."

    def _interesting(self) -> None:
        self._withdraw()
        self._keep(marks.INTERESTING)

    def _not_relevant(self) -> None:
        told = self._label() if not is_reserved(self.entry.key) else (
            "Marked; no label was written: ids that end in 0 are reserved for the evaluation.")  # fmt: skip
        if told is None:
            self.said = "Not marked."
            return
        self._keep(marks.NOT_RELEVANT)
        self._skip()
        self.said = " ".join(filter(None, (told, self.said)))

    def _label(self) -> str | None:
        """Keep a label by hand; None when the reader thought better of it."""
        kinds = {name[0]: name for name in labelbook.load_labels().kinds}
        usual = next((str(row["label"]) for row in self.known().labels if row["axis"] == "kind"), "maintenance")
        asked = ", ".join(f"{letter} {name}" for letter, name in kinds.items())
        self.terminal.write(f"Not relevant. Its kind? {asked}; Enter: {usual}; any other key: do not mark it. ")
        key = self.terminal.key()
        while key == RESIZED:
            key = self.terminal.key()
        kind = usual if key in ("\n", "\r") else kinds.get(key)
        if kind is None:
            return None
        handlabels.append(Annotation(self.entry.key, labelbook.OWN, False, (), kind, (), (), STRATUM))
        return "The one before was marked as not relevant, and labelled by hand."

    def _idea(self) -> None:
        self._write(marks.IDEA, "Idea")

    def _note(self) -> None:
        self._write(marks.NOTE, "Note")

    def _write(self, mark: str, question: str) -> None:
        typed = self.terminal.line(f"{question} (one line; empty: none): ")
        if typed:
            self._keep(mark, typed)
        else:
            self.said = "Nothing was typed, nothing is kept."

    def _take_back(self) -> None:
        here = self.standing.get(self.entry.identity)
        if not here or not here.marks:
            self.said = "There is no mark to take back."
            return
        self._withdraw()
        self._keep(marks.TAKEN_BACK)

    def _withdraw(self) -> None:
        here = self.standing.get(self.entry.identity)
        if here and here.verdict and here.verdict.mark == marks.NOT_RELEVANT:
            handlabels.withdraw(self.entry.key, STRATUM)

    def _keep(self, mark: str, note: str = "") -> None:
        """The mark is on the disk when this returns, and nothing else was shown before."""
        kept = marks.append(Mark(self.entry.source, self.entry.key, mark, note))
        marks.add(self.standing, kept)
        self.progress.count(self.entry)
        self.kept += 1
        self.said = "" if mark == marks.READ else f"Kept: {mark}."

    def _open(self) -> None:
        target = address(self.entry, self.known())
        sound = re.fullmatch(r"https?://[\w.-]+/[!-~]*", target)
        if sound and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
            click.launch(target)
            self.said = f"Opened {target}"
        else:
            about = "There is no desktop to open it on; the address is" if sound else "No web address is known of it."
            self._wait([about, "", ascii(target)[1:-1]])

    def _help(self) -> None:
        lines = [f"{key:<6} {about}" for key, about in KEYS]
        self._wait([*lines, "", f"Your marks: {marks.own_file()}"])

    def _wait(self, lines: Sequence[str]) -> None:
        """Show lines until a key is pressed; an address is not cut, so that it can be copied."""
        self.terminal.write(("\x1b[H\x1b[2J" if self._clears else "\n") + "\n".join(lines) + "\n\nany key goes on\n")
        while self.terminal.key() == RESIZED:
            pass
