"""Finds a source's words in commit messages, fast enough for every message of a large history."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")


class Words:
    """Words and phrases to look for, whatever their case.

    A word stands alone (letters, digits and "_" are word characters); "*" at either end stands for any of
    them; a space matches any run of white space.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [
            (_normal(word.strip("*").encode()), word.startswith("*"), word.endswith("*")) for word in words
        ]

    def found_in(self, messages: Sequence[bytes]) -> set[int]:
        """Which of `messages`, by index, hold any of the words.

        All messages are searched as one text, a word at a time: many times faster than a message at a time.
        """
        texts = [_normal(message) for message in messages]
        starts = [0, *accumulate(len(text) + 1 for text in texts)]
        joined = b"\0".join(texts)
        return {index for word in self._words for index in _holding(joined, starts, *word)}


def _normal(text: bytes) -> bytes:
    return b" ".join(text.lower().split())


def _holding(joined: bytes, starts: Sequence[int], word: bytes, open_start: bool, open_end: bool) -> Iterator[int]:
    """Indices of the texts in which `word` stands."""
    found = joined.find(word)
    while found >= 0:
        end = found + len(word)
        begins = open_start or found == 0 or joined[found - 1] not in _WORD_BYTES
        ends = open_end or end == len(joined) or joined[end] not in _WORD_BYTES
        if begins and ends:
            index = bisect_right(starts, found) - 1
            yield index
            found = joined.find(word, starts[index + 1])
        else:
            found = joined.find(word, found + 1)
