"""Works out the series of all archives that are held, and what became of them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from kminer.errors import RepositoryError
from kminer.history.subjects import list_subjects
from kminer.progress import Progress
from kminer.proposals.kin import find_kin
from kminer.proposals.landings import EARLY, Landing, Merged, Wanted, find_applied
from kminer.proposals.letters import Letter, Posting, days_between, plain
from kminer.proposals.postings import find_postings
from kminer.proposals.verdicts import Reach, Verdict, by_titles, judge
from kminer.proposals.versions import Series, find_series, newest_letter
from kminer.store import proposals as store
from kminer.store.reader import Row

RULES = 1
"""Raised when series are made or judged by other rules."""


def settle_proposals(db: sqlite3.Connection, progress: Progress) -> None:
    """Replace series, postings and landings by those of the mails and the evidence of merging that are held now.

    Clones of histories that are still where they were read from are searched whole, also for commits that are not
    kept; of others, what is held counts. The caller's transaction commits.
    """
    files = store.read_files(db, ("patch", "cover"))
    letters = [_letter(row, files) for row in store.read_mails(db)]
    if not letters:
        store.save_series(db, [], [])
        store.save_landings(db, [])
        return
    series, judged, landings = list[Series](), list[tuple[Series, Verdict, Reach]](), list[Landing]()
    for project in sorted({letter.project for letter in letters}):
        of_project = [letter for letter in letters if letter.project == project]
        progress.start(f"series of {project}'s patches", None)
        postings = find_postings(of_project)
        series = find_series(postings)
        progress.start(f"looking for {project}'s patches among commits", None)
        found, searched = _find_landings(db, project, postings, of_project, progress)
        landings += found
        reach = _reach(db, project, of_project, searched)
        judged += _judge(series, found, reach)
    _save(db, judged, landings)


def _letter(row: Row, files: dict[int, frozenset[str]]) -> Letter:
    facts = {name: tuple(str(row[name]).split()) for name in ("thread", "earlier", "says")}
    number = row["change_id"]
    return Letter(**{**row, **facts}, files=files.get(number, frozenset()) if isinstance(number, int) else frozenset())  # type: ignore[arg-type]


def _judge(
    series: Sequence[Series], landings: Iterable[Landing], reach: Reach
) -> Iterator[tuple[Series, Verdict, Reach]]:
    of_patch = defaultdict[str, list[Landing]](list)
    for landing in landings:
        of_patch[landing.patch.key].append(landing)
    others = by_titles(series)
    for one in series:
        yield one, judge(one, of_patch, others, reach), reach


def _find_landings(
    db: sqlite3.Connection, project: str, postings: Sequence[Posting], letters: Sequence[Letter], progress: Progress
) -> tuple[list[Landing], list[Row]]:
    """Evidence for each patch, and the histories that were searched whole."""
    patches = [patch for posting in postings for patch in posting.patches]
    if not patches:
        return [], []
    wanted = Wanted(patches)
    oldest = date.fromisoformat(min(patch.date for patch in patches)[:10]) - timedelta(days=EARLY)
    landings, searched = list[Landing](), list[Row]()
    files = store.read_files(db, ("commit",))
    for history in store.read_histories(db):
        if history["project"] != project:
            continue
        commits = _search_clone(history, wanted, oldest.isoformat(), progress)
        if commits is not None and not history["since"] and not history["shallow"]:
            searched.append(history)
        held = list(_held(db, files, str(history["id"]), oldest.isoformat()))
        for merged in held if commits is None else commits:
            landings += wanted.find(merged)
        for merged in held:
            landings += wanted.find_alike(merged)
    for merged in _listed(db, project):
        landings += wanted.find(merged)
    notices = defaultdict[str, list[Letter]](list)
    for letter in letters:
        if letter.kind == "notice":
            notices[plain(letter.title)].append(letter)
    landings += find_applied(postings, notices)
    return landings, searched


def _search_clone(history: Row, wanted: Wanted, since: str, progress: Progress) -> list[Merged] | None:
    """What of a clone's commits may be a patch; None where the clone is gone or cannot be read."""
    place = str(history["location"] or "")
    if not place or not Path(place).exists():
        progress.note(f"{history['id']}: its clone is gone ({place}): patches are sought in kept commits only.")
        return None
    try:
        return [
            Merged(str(history["id"]), one.commit, one.title, one.day, "title", one.author, one.email, one.links)
            for one in list_subjects(place, since)
            if wanted.knows_title(one.title) or any(map(wanted.knows_key, one.links))
        ]
    except RepositoryError as error:
        progress.note(f"{history['id']}: patches are sought in kept commits only: {error}")
        return None


def _held(
    db: sqlite3.Connection, files: Mapping[int, frozenset[str]], source: str, since: str
) -> Iterator[Merged]:
    for row in store.read_commits(db, source, since):
        links = tuple(str(row["links"] or "").split())
        yield Merged(source, str(row["key"]), str(row["title"]), str(row["day"]), "title", str(row["author"]),
                     str(row["email"]), links, files.get(int(str(row["id"])), frozenset()))  # fmt: skip


def _listed(db: sqlite3.Connection, project: str) -> Iterator[Merged]:
    for rows, by in ((store.read_note_titles(db), "notes"), (store.read_merged_titles(db), "titles")):
        for row in rows:
            if row["project"] == project:
                yield Merged(str(row["source"]), str(row.get("commit_id") or ""), str(row["title"]),
                             str(row["day"] or ""), by)  # fmt: skip


def _reach(db: sqlite3.Connection, project: str, letters: Sequence[Letter], searched: Sequence[Row]) -> Reach:
    """How far the evidence of merging goes, in words."""
    parts = []
    whole = {history["id"] for history in searched}
    for history in store.read_histories(db):
        if history["project"] == project:
            extent = "whole history" if history["id"] in whole else "kept commits"
            parts.append(f"{history['id']}: {extent} to {history['release'] or 'no release'} ({history['newest']})")
    for row in store.read_extents(db):
        if row["project"] != project:
            continue
        if row["kind"] not in ("git", "demo", "mailing-list", "merged-titles"):
            parts.append(f"{row['id']}: notes to {row['newest']}")
        elif row["titles"]:
            parts.append(f"{row['id']}: {row['titles']} titles")
    searched_to = max((str(one["newest"]) for one in searched if one["newest"]), default="")
    return Reach(max(letter.date for letter in letters)[:10], searched_to, "; ".join(parts) or "nothing but answers")


def _save(
    db: sqlite3.Connection, judged: Sequence[tuple[Series, Verdict, Reach]], landings: Sequence[Landing]
) -> None:
    ordered = sorted(judged, key=lambda one: (one[0].postings[0].date, one[0].postings[0].root.key))
    kin = find_kin([one for one, _, _ in ordered])
    series_rows, posting_rows, members = list[Row](), list[Row](), list[tuple[int, str]]()
    for series_id, (series, verdict, reach) in enumerate(ordered, 1):
        series_rows.append(_series_row(series_id, series, verdict, reach, kin.get(series.newest.root.key, ())))
        for posting in series.postings:
            posting_rows.append(_posting_row(len(posting_rows) + 1, series_id, posting))
            members += [(len(posting_rows), letter.key) for letter in (*posting.letters(), *posting.answers)]
    store.save_series(db, series_rows, posting_rows)
    store.save_membership(db, members)
    store.save_landings(db, [
        (one.patch.change_id, one.found_by, one.found_in, one.commit, one.title, one.date or None, one.confidence)
        for one in landings if one.patch.change_id is not None
    ])  # fmt: skip


def _series_row(number: int, series: Series, verdict: Verdict, reach: Reach, kin: Sequence[str]) -> Row:
    root, last = series.newest.root, newest_letter(series)
    answers = [answer for posting in series.postings for answer in posting.answers]
    others = [answer for posting in series.postings for answer in posting.by_others()]
    dates = [posting.date for posting in series.postings]
    authors = {posting.root.email for posting in series.postings}
    return {
        "id": number, "source": root.source, "key": root.key, "change_id": root.change_id, "title": root.title,
        "author": root.name, "author_email": root.email, "postings": len(series.postings),
        "version": max(posting.root.version for posting in series.postings),
        "patches": len(series.newest.patches), "rfc": sum(posting.root.rfc for posting in series.postings),
        "authors": len(authors), "first_date": dates[0], "last_date": dates[-1],
        "span_days": days_between(dates[0], dates[-1]),
        "people": len(authors | {answer.email for answer in answers}), "replies": len(others),
        "reviews": sum(bool({"reviewed", "acked", "tested"} & set(answer.says)) for answer in others),
        "last_word_key": last.key, "last_word_date": last.date, "last_word_by": last.name or last.email,
        "last_word": last.words or last.title, "verdict": verdict.word, "why": verdict.why, "seen_in": reach.told,
        "confidence": verdict.confidence, "superseded_by": verdict.superseded_by or None,
        "kin": " ".join(kin),
    }  # fmt: skip


def _posting_row(number: int, series_id: int, posting: Posting) -> Row:
    root = posting.root
    return {
        "id": number, "series_id": series_id, "key": root.key, "change_id": root.change_id, "version": root.version,
        "rfc": int(root.rfc), "date": posting.date, "author": root.name or root.email,
        "patches": len(posting.patches), "total": root.total or 1, "replies": len(posting.by_others()),
        "joined_by": posting.joined_by,
    }  # fmt: skip
