"""Follows pages of release notes through a git history: since when each note stands there, and until when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import pygit2

from kminer.errors import NotesError
from kminer.history import repository as git
from kminer.history.commits import read_identity, split_commit
from kminer.progress import Progress
from kminer.records import Moment, Reference, Source, ToldNote
from kminer.sources.pages import Sheet, Unread
from kminer.store.notes import PlaceKey, place_key
from kminer.store.writer import storable

LIKENESS = 0.5
"""Share of words from which on a note that came in the place of another is that one, edited."""

HEAD_LIMIT = 64 * 1024
"""Bytes of a mail in which its subject is looked for."""

_PULL_SUBJECT = re.compile(rb"^Subject:[^\n]*(?:\n[ \t][^\n]*)*\bPULL\b", re.MULTILINE | re.IGNORECASE)
_MAIL_START = re.compile(rb"(?:\A|(?<=\n)\r?\n)From [^\n]*\n")
_QUOTED_START = re.compile(rb"^>(>*From )", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<?([^<>\s]+)>?", re.MULTILINE | re.IGNORECASE)

Notes = dict[PlaceKey, ToldNote]
"""Notes by where they stand."""

Tell = Callable[[str, bytes], list[ToldNote]]
"""Parses a page, by its name and bytes, and tells its notes. Raises NotesError."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of a branch's main line that changed pages: its day (UTC) and the blob of each page then."""

    commit: str
    day: str
    pages: dict[str, pygit2.Oid]


def list_revisions(repository: pygit2.Repository, source: Source, tip: str) -> list[Revision]:
    """The revisions of the source's pages on the main line that ends at the commit `tip`, oldest first.

    A page is known by its file name, so that it stays the same page when its folder moves.
    """
    found: list[Revision] = []
    walker = repository.walk(tip, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE)
    walker.simplify_first_parent()
    before: tuple[pygit2.Oid | None, ...] = ()
    for commit in walker:
        now = tuple(_entry(commit.tree, pattern) for pattern in source.files)
        if now != before:
            before = now
            pages = dict(_pages(repository, source.files, now))
            if pages != (found[-1].pages if found else {}):
                _, moment = read_identity(split_commit(commit.read_raw()), "committer", "utf-8")
                found.append(Revision(str(commit.id), (moment.utc() or "")[:10], pages))
    return found


def _fixed_part(pattern: str) -> str:
    """A file's whole path; of a glob the folder it is in."""
    return pattern.rpartition("/")[0] if "*" in pattern else pattern


def _entry(tree: pygit2.Tree, pattern: str) -> pygit2.Oid | None:
    """The file, or the folder of a glob, that stands there, level by level: a missing folder is the common case."""
    found: pygit2.Object = tree
    path = _fixed_part(pattern)
    for part in path.split("/") if path else ():
        if not isinstance(found, pygit2.Tree) or part not in found:
            return None
        found = found[part]
    fits = found.type_str == "tree" if "*" in pattern else _is_file(found)
    return found.id if fits else None


def _is_file(entry: pygit2.Object) -> bool:
    """Neither a folder, a submodule nor a symbolic link."""
    return entry.type_str == "blob" and entry.filemode != pygit2.enums.FileMode.LINK


def _pages(
    repository: pygit2.Repository, patterns: Sequence[str], entries: Sequence[pygit2.Oid | None]
) -> Iterator[tuple[str, pygit2.Oid]]:
    for pattern, identity in zip(patterns, entries, strict=True):
        name = pattern.rpartition("/")[2]
        if identity and "*" not in pattern:
            yield name, identity
        elif identity:
            tree = repository[identity]
            assert isinstance(tree, pygit2.Tree)
            files = (entry for entry in tree if entry.name and _is_file(entry))
            yield from ((storable(str(entry.name)), entry.id) for entry in files if fnmatchcase(str(entry.name), name))


class Follower:
    """Follows the notes of one branch from revision to revision."""

    def __init__(self, repository: pygit2.Repository, tell: Tell, label: str, progress: Progress) -> None:
        self._repository, self._tell, self._label, self._progress = repository, tell, label, progress
        self._told: Notes = {}
        self._standing: dict[str, Notes] = {}
        self._blobs: dict[str, pygit2.Oid] = {}
        self.unread: dict[str, NotesError] = {}

    def follow(self, revisions: Sequence[Revision]) -> list[ToldNote]:
        """The notes that ever stood in these pages, with their days.

        A revision that cannot be parsed counts as unchanged; `unread` holds the pages whose newest cannot.
        """
        for revision in revisions:
            came, went = Notes(), Notes()
            for name in sorted(self._blobs.keys() - revision.pages.keys()):
                went |= self._standing.pop(name, {})
                del self._blobs[name]
                self.unread.pop(name, None)
            removed = set(went)
            for name, blob in sorted(revision.pages.items()):
                if self._blobs.get(name) != blob:
                    self._blobs[name] = blob
                    self._turn(name, blob, came, went)
            self._close(revision.day, came, went, removed)
            self._open(revision.day, came)
            self._progress.advance(1)
        return list(self._told.values())

    def _turn(self, name: str, blob: pygit2.Oid, came: Notes, went: Notes) -> None:
        """Replace what stands in a page by what its new blob says."""
        found = self._repository[blob]
        assert isinstance(found, pygit2.Blob)
        try:
            notes = self._tell(f"{self._label}{name}", found.data)
        except NotesError as error:
            self.unread[name] = error
            return
        self.unread.pop(name, None)
        now, before = {place_key(note): note for note in notes}, self._standing.get(name, {})
        self._standing[name] = now
        came |= {key: note for key, note in now.items() if key not in before}
        went |= {key: note for key, note in before.items() if key not in now}
        for key in now.keys() & before.keys():
            kept = self._told[key].place
            references = dict.fromkeys((*now[key].references, *self._told[key].references))
            place = replace(now[key].place, seen_from=kept.seen_from)
            self._told[key] = replace(now[key], references=tuple(references), place=place)

    def _close(self, day: str, came: Notes, went: Notes, removed: set[PlaceKey]) -> None:
        alive = {key[0] for page in self._standing.values() for key in page}
        successors = find_edited(came.values(), [note for note in went.values() if note.key not in alive])
        for key in went:
            why = "page removed" if key in removed else "dropped"
            why = "moved" if key[0] in alive else "edited" if key[0] in successors else why
            note = self._told[key]
            self._told[key] = replace(note, place=replace(note.place, seen_until=day, gone=why))
        for old, new in successors.items():
            key = place_key(new)
            reference = Reference("replaces", old[:12], old)
            came[key] = replace(came[key], references=(*came[key].references, reference))

    def _open(self, day: str, came: Notes) -> None:
        for key, note in came.items():
            since = self._told[key].place.seen_from if key in self._told else day
            self._told[key] = replace(note, place=replace(note.place, seen_from=since))


def find_edited(came: Iterable[ToldNote], went: Iterable[ToldNote]) -> dict[str, ToldNote]:
    """Notes that went, by key, with the one that came in their place: the likest of the same version.

    Commits' titles in a shortlog are alike by nature, and never an edit of each other.
    """
    fresh: dict[str, list[tuple[set[str], ToldNote]]] = {}
    for note in came:
        if note.place.form == "shortlog":
            continue
        fresh.setdefault(note.place.version, []).append((_words(note), note))
    edited, taken = dict[str, ToldNote](), set[str]()
    for old in went:
        words = _words(old)
        candidates = [(_likeness(words, other), new) for other, new in fresh.get(old.place.version, ())]
        free = [(likeness, new.key, new) for likeness, new in candidates if new.key not in taken | {old.key}]
        likeness, key, new = max(free, key=lambda one: one[:2], default=(0.0, "", old))
        if likeness >= LIKENESS:
            edited[old.key] = new
            taken.add(key)
    return edited


def _words(note: ToldNote) -> set[str]:
    return set(note.text.lower().split())


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / (len(one | other) or 1)


def read_tags(repository: pygit2.Repository, source: Source) -> Iterator[tuple[str, str, str]]:
    """(tag, day of tagging, message) of the annotated tags that are versions of the source."""
    pattern = re.compile(source.tag_pattern)
    for ref in git.read_refs(repository, source.ignore_refs):
        if ref.tag and pattern.search(ref.tag):
            tag = repository[ref.object_id]
            if isinstance(tag, pygit2.Tag):
                moment = Moment(tag.tagger.time if tag.tagger else 0)
                yield ref.tag, (moment.utc() or "")[:10] if tag.tagger else "", tag.message or ""


def read_mails(repository: pygit2.Repository, tips: Sequence[str], known: Sequence[str]) -> Iterator[Sheet]:
    """Pull requests among the mails of a public-inbox archive, oldest first; none that `known` tips lead to.

    A mail is the file `m` of a commit.
    """
    commits = [ids[0] for ids in git.list_commits(repository.path, tips, known)]
    for raw in reversed(commits):
        commit = repository[pygit2.Oid(raw=raw)]
        assert isinstance(commit, pygit2.Commit)
        if "m" in commit.tree and isinstance(commit.tree["m"], pygit2.Blob):
            content = commit.tree["m"].data
            if _PULL_SUBJECT.search(content[:HEAD_LIMIT]):
                yield Sheet(_mail_name(content, str(commit.id)), f"{repository.path} {commit.id}", content)


def open_mailboxes(sheets: Iterable[Sheet | Unread]) -> Iterator[Sheet | Unread]:
    """The mails in files; of a mailbox (mboxrd) with several, the pull requests, named as in an archive."""
    for sheet in sheets:
        mails = _MAIL_START.split(sheet.content) if isinstance(sheet, Sheet) else []
        if isinstance(sheet, Unread) or len(mails) < 3:
            yield sheet
            continue
        for number, mail in enumerate(mails[1:], 1):
            if _PULL_SUBJECT.search(mail[:HEAD_LIMIT]):
                name = _mail_name(mail, f"{sheet.name} {number}")
                yield Sheet(name, f"{sheet.address} {name}", _QUOTED_START.sub(rb"\1", mail))


def _mail_name(content: bytes, otherwise: str) -> str:
    found = _MESSAGE_ID.search(content[:HEAD_LIMIT])
    return found[1].decode("utf-8", "replace") if found else otherwise
