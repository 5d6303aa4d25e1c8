"""Makes wrong texts out of right ones."""

from __future__ import annotations

import random


def mutated(text: str, random_source: random.Random) -> str:
    """The text with pieces cut out, repeated, or replaced by any character."""
    for _ in range(random_source.randrange(4)):
        start = random_source.randrange(len(text) + 1)
        end = min(len(text), start + random_source.randrange(20))
        piece = random_source.choice(["", text[start:end] * 3, chr(random_source.randrange(0x11000))])
        text = text[:start] + piece + text[end:]
    return text
