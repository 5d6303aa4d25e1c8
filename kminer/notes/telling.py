"""Turns what a parser found in a page into notes as they are stored: keyed, placed, tied to their versions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from kminer.history.lineage import VersionKey, version_key
from kminer.history.words import Words
from kminer.markup import with_prefix, without_links
from kminer.records import Item, Note, Page, Person, Place, Reference, Source, ToldNote

_LISTED_COMMIT = re.compile(r"[0-9a-f]{7,40} \S")
_WORD = re.compile(r"[^\W_]+")
_KEY_LIMIT = 2000
"""Characters of a note that its key is made of: long enough for all, short enough for a page that is one line."""


def key_of(project: str, version: str, text: str) -> str:
    """The key of a note: the same for the same words about the same version, however links and marks are written."""
    words = _WORD.findall(without_links(text[: 2 * _KEY_LIMIT]).lower()[:_KEY_LIMIT]) or text.split()
    return hashlib.sha1(f"{project}\n{version}\n{' '.join(words)}".encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the source's pattern reads it: `kind` is final or rc, `series` its release line."""

    said: str
    version: str
    kind: str
    series: str
    order: VersionKey


class Versions:
    """Reads versions as a source's pages say them; `aliases` maps numbers that were said to those released."""

    def __init__(self, source: Source, aliases: Mapping[str, str]) -> None:
        self._tag, self._series = re.compile(source.tag_pattern), re.compile(source.series_pattern)
        self._aliases = aliases
        self._known: dict[str, Version | None] = {}

    def read(self, said: str) -> Version | None:
        """The version that is; None where the text names none ("unreleased")."""
        if said not in self._known:
            self._known[said] = self._read(said)
        return self._known[said]

    def _read(self, said: str) -> Version | None:
        match = self._tag.search(said)
        if match is None:
            return None
        groups = match.groupdict()
        number, pre = self.resolve(groups["version"]), groups.get("pre")
        line = self._series.search(number)
        version = f"{number}-{pre}" if pre else number
        return Version(said, version, "rc" if pre else "final", line[0] if line else number, version_key(number, pre))

    def resolve(self, number: str) -> str:
        """The number under which `number` was released."""
        return self._aliases.get(number, number)

    def sort(self, said: Iterable[str]) -> list[Version]:
        """The versions among these, lowest first; "6.1.9-2" before "6.1.9-10"."""
        found = (version for text in said if (version := self.read(text)))
        return sorted(found, key=lambda version: (version.order, _natural(version.said)))


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)
    )


class Teller:
    """Tells the notes of a source's pages, keeping what it has worked out: histories tell the same again and again."""

    def __init__(self, source: Source, versions: Versions, days: Mapping[str, str]) -> None:
        self._source, self._versions, self._days = source, versions, days
        self._words = Words(source.words) if source.words else None
        self._keys: dict[tuple[str, str], str] = {}

    def tell(self, page: Page, place: str) -> list[ToldNote]:
        """The notes of a page that the source wants, in the order of the page."""
        keys = [self._key(note) for note in page.notes]
        releases = {release.version: release for release in page.releases}
        told = []
        for index in sorted(self._wanted(page)):
            note = page.notes[index]
            release = releases.get(note.version)
            stands = self._place(note, place, release.date if release else None)
            above = keys[note.parent] if note.parent is not None else None
            told.append(self._told(note, keys[index], above, stands, release.by if release else None))
        return told

    def is_released(self, said: str) -> bool:
        """Whether the text names a version: "unreleased" does not."""
        return self._versions.read(said) is not None

    def _wanted(self, page: Page) -> set[int]:
        kept = {index for index, note in enumerate(page.notes) if not self._left_out(note)}
        return kept if self._words is None else kept & self._worded(page, self._words)

    def _left_out(self, note: Note) -> bool:
        """Whether it stands in a generated list: by its heading or, where git took headings for comments, its look."""
        patterns = self._source.leave_out
        headed = (fnmatchcase(heading.lower(), pattern.lower()) for heading in note.section for pattern in patterns)
        return bool(patterns) and (_LISTED_COMMIT.match(note.title) is not None or any(headed))

    def _worded(self, page: Page, words: Words) -> set[int]:
        texts = [f"{note.text}\n{' '.join(note.section)}".encode("utf-8", "replace") for note in page.notes]
        return words.found_in(texts)

    def _key(self, note: Note) -> str:
        known = self._keys.get((note.version, note.text))
        if known is None:
            version = self._versions.read(note.version)
            known = key_of(self._source.project, version.version if version else note.version, note.text)
            self._keys[note.version, note.text] = known
        return known

    def _place(self, note: Note, place: str, day: str | None) -> Place:
        version = self._versions.read(note.version)
        number = version.version if version else note.version
        upstream = self._versions.resolve(note.upstream) if note.upstream else None
        return Place(
            place=place, said=note.version, version=number, upstream=upstream, section=" > ".join(note.section),
            form=note.form, sign=note.sign, date=day or self._days.get(number), line=note.line,
        )  # fmt: skip

    def _told(self, note: Note, key: str, above: str | None, place: Place, by: Person | None) -> ToldNote:
        references = note.references
        if above is not None and above != key:
            references += (Reference("part-of", above[:12], above),)
        kept = ToldNote(
            key=key, title=note.title, text=note.text, place=place, references=references, by=by,
            matched_by="words" if self._words else "all",
        )  # fmt: skip
        return kept if self._source.prose else _without_prose(kept)


def _without_prose(note: ToldNote) -> ToldNote:
    """The note as its headings and references; what it is to be labelled by goes beside it and is not stored."""
    heading = note.place.section.rpartition(" > ")[2] or f"Release {note.place.said}"
    item = Item(note.key, with_prefix(note.place.section, note.title), without_links(note.text))
    text = "\n".join(reference.value for reference in note.references if reference.type != "part-of")
    return replace(note, title=heading, text=text, withheld=True, item=item)
