"""What the model sees of a change: its words and pairs of words, and facts beside them, each as a 64-bit key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.strings import get_string_id as hash_string
from spacy.tokens import Doc

from kminer.classify.document import Document
from kminer.classify.rules import RuleVotes
from kminer.classify.tokens import split_words

WORD_LIMIT = 400
"""Words of a body that the model reads."""
FILES_READ = 60

Keys = NDArray[np.uint64]
_TITLE, _PAIR, _FIRST, _TITLE_PAIR = (np.uint64(salt) for salt in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F,
                                                                   0x165667B19E3779F9, 0x27D4EB2F165667C5))  # fmt: skip
_MULTIPLIER = np.uint64(0x100000001B3)
_SPLIT = re.compile(r"[_.\-'+]")
_DOCUMENTATION = (".md", ".rst", ".txt")


def make_doc(nlp: Language, document: Document, votes: RuleVotes) -> Doc:
    """A change as the pipeline takes it: title and body as text, and `doc.user_data["keys"]`, which the model reads."""
    title, _ = split_words(document.title)
    body, _ = split_words(document.body[: WORD_LIMIT * 12])
    doc = Doc(nlp.vocab, words=title + body[:WORD_LIMIT])
    _read(doc, [word.lower() for word in title + body[:WORD_LIMIT]], len(title), list(_facts(document, votes)))
    return doc


def keys_of(doc: Doc) -> Keys:
    """The features of a doc, ascending; one that `make_doc` did not make is read as a message without a title."""
    if "keys" not in doc.user_data:
        _read(doc, [token.lower_ for token in doc], 0, [])
    keys: Keys = doc.user_data["keys"]
    return keys


def _read(doc: Doc, words: list[str], title: int, facts: list[str]) -> None:
    keep = [word[:1].isalnum() or word[:1] == "_" for word in words]
    doc.user_data["facts"] = facts
    doc.user_data["words"] = [word for word, kept in zip(words, keep, strict=True) if kept]
    doc.user_data["title"] = sum(keep[:title])
    keys = [*_word_keys(doc), np.array([hash_string(fact) for fact in facts], dtype=np.uint64)]
    doc.user_data["keys"] = np.unique(np.concatenate(keys))


def _word_keys(doc: Doc) -> list[Keys]:
    """Keys of words, parts of words, words of the title, its first, pairs, pairs of the title; `texts` mirrors it."""
    words, title = doc.user_data["words"], doc.user_data["title"]
    codes = np.array([_code(word) for word in words], dtype=np.uint64)
    parts = np.array([code for word in words for code in _part_codes(word)], dtype=np.uint64)
    top = codes[:title]
    with np.errstate(over="ignore"):
        pairs, top_pairs = (
            (some[:-1] * _MULTIPLIER) ^ some[1:] ^ salt for some, salt in ((codes, _PAIR), (top, _TITLE_PAIR))
        )
    return [codes, parts, top ^ _TITLE, top[:1] ^ _FIRST, pairs, top_pairs]


def texts(doc: Doc) -> dict[int, str]:
    """What each key of `doc` stands for, in words a person can find in the change."""
    known: dict[int, str] | None = doc.user_data.get("texts")
    if known is None:
        known = doc.user_data["texts"] = _spelled(doc)
    return known


def _spelled(doc: Doc) -> dict[int, str]:
    words, title = doc.user_data["words"], doc.user_data["title"]
    top = words[:title]
    spelled = [
        words,
        [piece for word in words for piece in _pieces(word)],
        [f"title: {word}" for word in top],
        [f"title begins: {word}" for word in top[:1]],
        [f"{first} {second}" for first, second in pairwise(words)],
        [f"title: {first} {second}" for first, second in pairwise(top)],
    ]
    known = {hash_string(fact): fact for fact in doc.user_data["facts"]}
    for keys, names in zip(_word_keys(doc), spelled, strict=True):
        known.update(zip(keys.tolist(), names, strict=True))
    return known


_codes: dict[str, int] = {}
_parts: dict[str, tuple[int, ...]] = {}
_REMEMBERED = 200_000


def _code(word: str) -> int:
    code = _codes.get(word)
    if code is None:
        if len(_codes) > _REMEMBERED:
            _codes.clear()
        code = _codes[word] = hash_string("0" if word.isdigit() else word)
    return code


def _part_codes(word: str) -> tuple[int, ...]:
    found = _parts.get(word)
    if found is None:
        if len(_parts) > _REMEMBERED:
            _parts.clear()
        found = _parts[word] = tuple(hash_string("part " + piece) for piece in _pieces(word))
    return found


def _pieces(word: str) -> list[str]:
    pieces = [piece for piece in _SPLIT.split(word) if len(piece) > 2]
    return pieces if len(pieces) > 1 else []


def _facts(document: Document, votes: RuleVotes) -> Iterator[str]:
    yield from (f"prefix {prefix}" for prefix in document.prefixes)
    yield from (f"trailer {trailer}" for trailer in document.trailers)
    yield from (f"tag {re.sub(r'[0-9]+', '0', word)}" for tag in document.tags for word in tag.split())
    yield from _file_facts(document.files)
    for axis, label, voter in votes.votes:
        yield f"rule {axis} {label}"
        yield f"rule {axis} {label} {voter}"
    yield f"length {len(document.body).bit_length()}"


def _file_facts(files: Sequence[str]) -> Iterator[str]:
    yield f"files {len(files).bit_length()}"
    for file in files[:FILES_READ]:
        folder, _, name = file.rpartition("/")
        yield f"file {file}"
        yield f"name {name}"
        yield f"ending {name.rpartition('.')[2]}"
        while folder:
            yield f"folder {folder}"
            folder = folder.rpartition("/")[0]
    if files:
        yield f"tops {min(4, len({file.partition('/')[0] for file in files}))}"
        kinds = [(_is_test(file), _is_documentation(file), "vendor/" in file) for file in files]
        yield from (
            f"only {kind}"
            for kind, all_of in zip(("tests", "documentation", "vendor"), zip(*kinds, strict=True), strict=True)
            if all(all_of)
        )
        if all(any(kind) for kind in kinds):
            yield "no code"


def _is_test(file: str) -> bool:
    return "test" in file


def _is_documentation(file: str) -> bool:
    return file.startswith(("Documentation/", "docs/", "man/")) or file.endswith(_DOCUMENTATION)
