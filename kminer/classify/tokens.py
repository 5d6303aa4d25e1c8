"""The tokenizer: splits kernel and engine prose where its readers would."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from spacy.vocab import Vocab

_TOKEN = re.compile(
    r"CVE-\d{4}-\d{4,}"
    r"|[A-Za-z_][A-Za-z0-9_]*(?:[-.'+][A-Za-z0-9_]+)*"  # memory.max, cgroup-v2, copy-up, don't
    r"|\d+(?:\.\d+)*[A-Za-z%]*"
    r"|->|=>|&&|\|\||--|[^\w\s]|\w+"
)


NAME = "kminer.Tokenizer.v1"
"""Its name in a pipeline's configuration."""


def split_words(text: str) -> tuple[list[str], list[bool]]:
    """The tokens of `text`, and whether white space follows each; in linear time."""
    words: list[str] = []
    spaces: list[bool] = []
    last = 0
    for match in _TOKEN.finditer(text):
        if words:
            spaces.append(match.start() > last)
        words.append(match[0])
        last = match.end()
    if words:
        spaces.append(False)
    return words, spaces


class Tokenizer:
    """Names stay whole (`memory.max`, `cgroup-v2`, `CVE-2024-21626`); operators and brackets part them.

    `CLONE_NEWUSER|CLONE_NEWNS` is three tokens, `setns(2)` four, `v1->v2` three. White space is not kept.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """A Doc of `text`; in linear time."""
        words, spaces = split_words(text)
        return Doc(self.vocab, words=words, spaces=spaces)

    def to_bytes(self, **_: object) -> bytes:
        """Nothing: it has no state."""
        return b""

    def from_bytes(self, _data: bytes, **_: object) -> Tokenizer:
        """Itself."""
        return self

    def to_disk(self, _path: Path, **_: object) -> None:
        """Nothing to write."""

    def from_disk(self, _path: Path, **_: object) -> Tokenizer:
        """Itself."""
        return self


@registry.tokenizers(NAME)  # type: ignore[untyped-decorator]
def create_tokenizer() -> Callable[[Language], Tokenizer]:
    """For the configuration of a pipeline: [nlp.tokenizer]."""
    return lambda nlp: Tokenizer(nlp.vocab)
