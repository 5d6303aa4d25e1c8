"""Bytes of mails as text, in whatever encoding they turn out to be."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "ascii": "utf-8", "iso8859-1": "cp1252", "shift_jis": "cp932"}
"""Encodings whose name mailers give to a wider one."""

_NOT_OF_MAILS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}
"""Python's encodings that no mail is in; some of them take minutes."""

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def decode(octets: bytes, declared: str) -> str:
    """Text in the encoding it declares, else UTF-8, else Latin-1; never fails.

    What is nearly all UTF-8, or in a declared encoding of several bytes a letter, has only its bad bytes replaced.
    """
    name = _known(declared)
    for charset in _candidates(name):
        try:
            return _without_surrogates(octets.decode(charset))
        except ValueError:
            continue
    text = octets.decode("utf-8", "replace")
    bad = text.count(_REPLACED)
    if sum(letter > "\x7f" for letter in text) > 2 * bad:
        return text
    wide = name not in ("", "utf-8", "ascii")
    return _without_surrogates(octets.decode(name, "replace")) if wide else octets.decode("latin-1")


def _known(declared: str) -> str:
    """Python's own name of an encoding of text; empty for one that it does not know."""
    try:
        name = codecs.lookup(declared).name
        b"".decode(name)
    except (LookupError, ValueError):
        return ""
    return "" if name in _NOT_OF_MAILS else name


def _candidates(name: str) -> Iterator[str]:
    if name:
        yield name
    if name in _WIDER:
        yield _WIDER[name]
    yield "utf-8"


def _without_surrogates(text: str) -> str:
    """The text as UTF-8 can hold it: UTF-7 can name half a letter."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
