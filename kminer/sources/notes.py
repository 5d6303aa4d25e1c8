"""Release notes as a source: get the pages, store what they say, and since when and until when they said it."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kminer import catalogue
from kminer.errors import NotesError, UsageError
from kminer.notes.telling import Teller, Versions
from kminer.progress import Progress
from kminer.records import Place, Reference, Source, ToldNote, utc_now
from kminer.sources.getting import Getter, Got
from kminer.sources.git import Options, Summary
from kminer.sources.revisions import find_edited
from kminer.store import notes as store
from kminer.store import reader, ties, writer
from kminer.store.labels import save_classifications

READER_VERSION = "1"
"""Part of a source's definition: raised when pages are read differently, so that all are read anew."""

LEAST_SHARE = 0.5
"""A page that has lost more than this share of its notes at once looks cut short: what was stored of it stays."""

FEW = 10
"""A page that had no more notes than this may lose them all."""


def sync(source: Source, db: sqlite3.Connection, database: Path, options: Options, progress: Progress) -> Summary:
    """Bring the store up to what the source's pages say now.

    Pages that cannot be had or parsed are told in the summary's `failures`; what was stored of them stays. Raises
    NotesError or RepositoryError when there is no page at all; the store is then as it was.
    """
    started = time.monotonic()
    if options.since is not None:
        raise UsageError(f"--since is for histories of code; '{source.id}' has release notes.")
    row, cursor = reader.get_cursor(db, source.id)
    aliases = catalogue.load_version_aliases().get(source.project, {})
    definition = _definition(source, aliases)
    anew = row is None or options.full or row["definition"] != definition
    known = {} if anew else {name: digest for name, (digest, _) in cursor.items()}
    versions = Versions(source, aliases)
    teller = Teller(source, versions, _days(source.project))
    before = str(row["location"]) if row and row["location"] else None
    progress.start(f"{source.id}: getting pages", None)
    got = Getter(source, known, teller, options, progress).get(before)
    if not anew:
        _refuse_cut_pages(source, got, known, store.count_standing(db, source.id))
    if got.unread and not got.read and not got.notes and not known:
        raise next(iter(got.unread.values()))
    summary = Summary(source.id, got.location, failures=[str(error) for error in got.unread.values()])
    cursor_now = got.cursor if got.complete or got.history else known | got.cursor
    if not anew and known == cursor_now and before == got.location:
        summary.notes.append("nothing new")
    else:
        progress.start(f"{source.id}: storing", None)
        facts: dict[str, object] = {
            "location": got.location, "definition": definition, "since": None, "shallow": 0,
            "commits": len(cursor_now), "synced_at": utc_now(),
        }  # fmt: skip
        with writer.transaction(db):
            ties.set_tied(db, ties.STALE)
            writer.save_source(db, source)
            _store(source, db, definition, anew, got, versions, options, summary)
            writer.save_cursor(db, source.id, ((name, digest, None) for name, digest in cursor_now.items()), facts)
            store.save_newest(db, source.id)
            writer.optimise(db)
    summary.seconds = time.monotonic() - started
    return summary


def _refuse_cut_pages(source: Source, got: Got, known: Mapping[str, str], standing: Mapping[str, int]) -> None:
    """Take out pages that have lost most of their notes at once; they stay as they are `known`."""
    if got.history:
        held = sum(standing.values())
        if held > FEW and len(got.notes) < held * LEAST_SHARE:
            raise _cut(source, f"This history of '{source.id}'", len(got.notes), held, got.location)
        return
    now = Counter(note.place.place for note in got.notes)
    for name in sorted(got.read):
        before = standing.get(name, 0)
        if before > FEW and now[name] < before * LEAST_SHARE:
            got.read.discard(name)
            got.notes = [note for note in got.notes if note.place.place != name]
            got.cursor[name] = known.get(name, "")
            page = f"A page of '{source.id}'"
            got.unread[name] = _cut(source, page, now[name], before, f"{got.location} {name}")


def _cut(source: Source, what: str, now: int, before: int, where: str) -> NotesError:
    return NotesError(
        f"{what} has {now} notes where it had {before}: it looks cut short.",
        where=where,
        next=f"If that is right, take it over with --full: kminer sync {source.id} --full.",
    )


def _definition(source: Source, aliases: Mapping[str, str]) -> str:
    facts = (READER_VERSION, source.kind, source.words, source.tag_pattern, source.series_pattern, source.repository,
             source.repository_was, source.files, source.branches, source.packages, source.leave_out, source.prose,
             sorted(aliases.items()))  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _days(project: str) -> dict[str, str]:
    """Days of the project's versions by the catalogue, for pages that give none."""
    return {release.version: release.date for release in catalogue.load_release_dates().get(project, [])}


def _store(
    source: Source, db: sqlite3.Connection, definition: str, anew: bool, got: Got, versions: Versions,
    options: Options, summary: Summary,
) -> None:  # fmt: skip
    notes = got.notes
    if got.history:
        store.forget_places(db, source.id)
    else:
        notes = _compare(source, db, anew, got, versions)
    summary.read, summary.matched = len(got.read) or len(got.cursor), len(notes)
    summary.new, numbers = store.save_notes(db, source.id, definition, notes)
    summary.dropped = store.drop_untold(db, source.id)
    _label_withheld(db, notes, numbers, options)
    days = ({} if got.history else store.read_releases(db, source.id)) | got.days
    days |= {said: day or days.get(said) for said, day in store.read_versions(db, source.id).items()}
    releases = versions.sort(days)
    store.save_note_releases(
        db, source.id,
        [(v.said, v.version, v.kind, v.series, position, days[v.said]) for position, v in enumerate(releases)],
    )  # fmt: skip
    summary.releases = len(releases)


def _compare(
    source: Source, db: sqlite3.Connection, anew: bool, got: Got, versions: Versions
) -> list[ToldNote]:
    """Set what stood in the pages before against what stands there now; returns the notes with their days.

    What stood under no version yet and is gone leaves no trace, as in a history.
    """
    today = utc_now()[:10]
    before = store.read_places(db, source.id)
    told = {store.place_key(note): note for note in got.notes}
    first = not before
    came = {key: note for key, note in told.items() if key not in before or before[key]["seen_until"]}
    went = {
        key: row for key, row in before.items()
        if key not in told and not row["seen_until"]
        and (key[1] in got.read or (got.complete and key[1] not in got.cursor))
    }  # fmt: skip
    if anew:
        store.delete_places(db, source.id, went)
        edited: dict[str, ToldNote] = {}
    else:
        edited = find_edited(came.values(), [_as_told(key, row) for key, row in went.items()])
        store.delete_places(db, source.id, [key for key in went if versions.read(key[2]) is None])
        store.end_places(db, source.id, [(key, today, _why(key, told, edited, got)) for key in went])
    old = {store.place_key(new): key for key, new in edited.items()}
    return [
        _dated(note, None if first else today, old.get(key)) if key in came else note for key, note in told.items()
    ]


def _as_told(key: store.PlaceKey, row: reader.Row) -> ToldNote:
    place = Place(key[1], key[2], str(row["version"]), None, key[3], str(row["form"]), "", None, 0)
    return ToldNote(key[0], str(row["title"]), str(row["text"]), place)


def _why(key: store.PlaceKey, told: Mapping[store.PlaceKey, ToldNote], edited: Mapping[str, ToldNote], got: Got) -> str:
    if any(other[0] == key[0] for other in told):
        return "moved"
    if key[0] in edited:
        return "edited"
    return "dropped" if key[1] in got.read else "page removed"


def _dated(note: ToldNote, since: str | None, replaced: str | None) -> ToldNote:
    references = (Reference("replaces", replaced[:12], replaced),) if replaced else ()
    return replace(note, references=note.references + references, place=replace(note.place, seen_from=since))


def _label_withheld(
    db: sqlite3.Connection, notes: Sequence[ToldNote], numbers: Mapping[str, int], options: Options
) -> None:
    """Label notes whose sentences are not kept, now that they are at hand."""
    items = {note.item.id: note.item for note in notes if note.item}
    if items and options.label:
        found = [replace(one, id=str(numbers[one.id])) for one in options.label(list(items.values()))]
        save_classifications(db, found, {}, "votes", {})
