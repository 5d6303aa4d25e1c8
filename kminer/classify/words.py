"""Finds many words and phrases in a text at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import ahocorasick

T = TypeVar("T", bound=Hashable)
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A word that was found: what it `means`, and where it stands: text[start:end]."""

    means: tuple[T, ...]
    start: int
    end: int


class WordFinder(Generic[T]):
    """Words as sources' files spell them, each with meanings; "*" at either end stands for more letters, digits, "_".

    A text is read once, whatever the number of words. Case does not matter; a space stands for one space or line end.
    """

    def __init__(self, words: Iterable[tuple[str, T]]) -> None:
        entries: dict[str, dict[tuple[bool, bool], list[T]]] = {}
        for word, means in words:
            text, ends = word.strip("*").lower(), (word[:1] == "*", word[-1:] == "*")
            entries.setdefault(text, {}).setdefault(ends, []).append(means)
        self._machine = ahocorasick.Automaton()
        for text, meanings in entries.items():
            self._machine.add_word(text, (len(text), [(*ends, tuple(found)) for ends, found in meanings.items()]))
        self._machine.make_automaton()

    def find(self, text: str) -> Iterator[Hit[T]]:
        """Every word in `text`, which must be lower-case, its line ends spaces. Overlapping words are all found."""
        if not len(self._machine):
            return
        last = len(text)
        for at, (size, meanings) in self._machine.iter(text):
            start, end = at - size + 1, at + 1
            begins = start == 0 or text[start - 1] not in _LETTERS or text[start] not in _LETTERS
            ends = end == last or text[end] not in _LETTERS or text[at] not in _LETTERS
            for open_start, open_end, means in meanings:
                if (begins or open_start) and (ends or open_end):
                    yield Hit(means, start, end)
