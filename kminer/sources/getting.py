"""The kinds of release notes: how the pages of each are got and parsed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

import pygit2

from kminer import catalogue, places
from kminer.errors import KminerError, MissingPageError, NotesError, RepositoryError
from kminer.history import repository as git
from kminer.history.clone import fetch_blobs, update_clone
from kminer.notes import debian, markdown, moin, pullmail, shortlog
from kminer.notes.telling import Teller
from kminer.progress import Progress
from kminer.records import NotedRelease, Page, Source, ToldNote
from kminer.sources.git import Options
from kminer.sources.pages import Sheet, Unread, decode, open_listings, read_folder, read_host, read_releases
from kminer.sources.revisions import Follower, list_revisions, open_mailboxes, read_mails, read_tags
from kminer.sources.web import Web


@dataclass(slots=True)
class Got:
    """What was got of a source.

    `cursor` gives the fingerprint of each page (or branch) there is; `notes` are those of the pages in `read`, which
    replace what is stored of these pages. `unread` names pages that could not be had or parsed. Of a `history`,
    the notes bring the days of their coming and going, and replace all that is stored. `complete` means that a
    page which is not in `cursor` is there no more; `days` are the days of versions without notes.
    """

    location: str
    cursor: dict[str, str] = field(default_factory=dict)
    notes: list[ToldNote] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    unread: dict[str, KminerError] = field(default_factory=dict)
    history: bool = False
    complete: bool = False
    days: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Getter:
    """Gets what is new of one source: `known` are the fingerprints of the pages as they are stored."""

    source: Source
    known: Mapping[str, str]
    teller: Teller
    options: Options
    progress: Progress

    def get(self, before: str | None) -> Got:
        """What there is at the place that the options name, or where it was found `before`, or at its own.

        Raises NotesError or RepositoryError when nothing can be had.
        """
        place = self.options.repository
        if place is None and before is not None and not self.options.own_clone and not _is_address(before):
            place = Path(before)
        if place is not None and place.resolve() != self._own_clone.resolve():
            return self._from_place(place.expanduser().absolute())
        if self.source.clone:
            contents = self.source.kind == "pull-mail"
            return self._from_history(update_clone(self.source, self._own_clone, self.progress, contents))
        if self.source.pages:
            with Web(self.source.id, places.cache() / "pages", self.progress) as web:
                got = self._from_sheets(self._from_web(web), self.source.pages[0], discard=web.discard)
            if not got.cursor:
                raise NotesError(
                    f"There is no page of '{self.source.id}' at any of its addresses.",
                    where=", ".join(self.source.pages),
                    next=f"Check the addresses in {self.source.file}, or give a folder of pages with --from.",
                )
            return got
        return self._from_sheets(read_host(self.source), f"this host: {', '.join(self.source.files)}", complete=True)

    @property
    def _own_clone(self) -> Path:
        return places.cache() / "clones" / f"{self.source.id}.git"

    def _from_place(self, place: Path) -> Got:
        if not os.access(place, os.R_OK):
            raise NotesError(
                f"The pages of '{self.source.id}' are not there, or may not be read.",
                where=str(place),
                next=f"Say where they are: kminer sync {self.source.id} --from PATH (`auto`: their own address).",
            )
        if self.source.kind in _IN_HISTORIES and place.is_dir() and _is_repository(place):
            return self._from_history(place)
        sheets = read_folder(self.source, place)
        if self.source.kind == "github-releases":
            sheets = open_listings(self.source, sheets)
        elif self.source.kind == "pull-mail":
            sheets = open_mailboxes(sheets)
        return self._from_sheets(sheets, str(place), complete=self.source.kind == "markdown" and place.is_dir())

    def _from_sheets(
        self, sheets: Iterable[Sheet | Unread], location: str, complete: bool = False,
        discard: Callable[[str], None] = lambda _: None,
    ) -> Got:  # fmt: skip
        """Parse the pages that are new or changed; `discard` is told the address of one that is broken."""
        got = Got(location, complete=complete)
        for sheet in sheets:
            if isinstance(sheet, Unread):
                got.unread[sheet.name] = sheet.error
                continue
            got.cursor[sheet.name] = sheet.digest
            if self.known.get(sheet.name) == sheet.digest:
                continue
            self.progress.detail(f"{self.source.id}: reading {sheet.address}")
            try:
                page = _parse(self.source, sheet)
            except NotesError as error:
                got.unread[sheet.name] = error
                discard(sheet.address)
                continue
            got.read.add(sheet.name)
            got.notes += self.teller.tell(page, sheet.name)
            got.days |= {release.version: release.date for release in page.releases}
        for name in got.unread:
            got.cursor[name] = self.known.get(name, "")
        return got

    def _from_history(self, place: Path) -> Got:
        repository = git.open_repository(place)
        if self.source.kind == "tags":
            return self._from_sheets(_tagged(repository, self.source), repository.path, complete=True)
        if self.source.kind == "pull-mail":
            return self._from_archive(repository)
        branches = _branches(repository, self.source)
        cursor = {name: str(tip) for name, tip in branches.items()}
        got = Got(repository.path, cursor)
        if dict(self.known) != cursor:
            self._follow(repository, branches, got)
        return got

    def _follow(self, repository: pygit2.Repository, branches: Mapping[str, pygit2.Oid], got: Got) -> None:
        """Read the pages of all branches through their history."""
        got.history = True
        self.progress.start(f"{self.source.id}: listing revisions", None)
        revisions = {name: list_revisions(repository, self.source, str(tip)) for name, tip in branches.items()}
        blobs = {blob for of_branch in revisions.values() for one in of_branch for blob in one.pages.values()}
        if not blobs:
            raise NotesError(
                f"There are no pages of '{self.source.id}' in this repository, now or ever.",
                where=repository.path,
                next=f"Check the path; {self.source.file} names the pages: {', '.join(self.source.files)}.",
            )
        fetch_blobs(self.source, repository, blobs, self.progress)
        self.progress.start(f"{self.source.id}: reading revisions", sum(len(one) for one in revisions.values()))
        for name, of_branch in revisions.items():
            follower = Follower(repository, self._tell, "" if len(branches) == 1 else f"{name}:", self.progress)
            told = follower.follow(of_branch)
            got.notes += [n for n in told if not n.place.seen_until or self.teller.is_released(n.place.said)]
            got.unread |= follower.unread
            if follower.unread:
                got.cursor[name] = ""
        if not got.notes:
            raise NotesError(
                f"No revision of the pages of '{self.source.id}' in this repository can be read as release notes.",
                where=repository.path,
                next="Are its file contents the project's own? Give a clone of the original.",
            )

    def _tell(self, name: str, content: bytes) -> list[ToldNote]:
        page = _parse(self.source, Sheet(name, name, content))
        return self.teller.tell(page, name)

    def _from_archive(self, repository: pygit2.Repository) -> Got:
        """The pull requests among the mails of a public-inbox archive that are new in it."""
        heads = {ref.name: ref.commit for ref in git.read_refs(repository, self.source.ignore_refs) if ref.commit}
        known = [tip for tip in self.known.values() if tip in repository]
        got = self._from_sheets(read_mails(repository, list(heads.values()), known), repository.path)
        got.cursor = heads
        return got

    def _from_web(self, web: Web) -> Iterator[Sheet | Unread]:
        """The pages at the source's addresses, each from the server or, unchanged, from the cache."""
        if self.source.kind == "github-releases":
            entries = web.get_releases(self.source.pages[0]).releases
            yield from read_releases(self.source, entries)
            return
        for address in self._addresses(web):
            name = urlsplit(address).path.rpartition("/")[2]
            self.progress.advance(1)
            try:
                yield Sheet(name, address, web.get_text(address).text.encode())
            except MissingPageError as error:
                if any("{version}" in page for page in self.source.pages):
                    self.progress.detail(f"{self.source.id}: there is no page {address} yet")
                else:
                    yield Unread(name, error)
            except NotesError as error:
                yield Unread(name, error)

    def _addresses(self, web: Web) -> Iterator[str]:
        """The addresses of the pages there are: a template stands for a page a version, an index for those it lists."""
        for address in self.source.pages:
            if "{version}" in address:
                yield from (address.replace("{version}", name) for name in _page_names(self.source.project))
            elif self.source.kind == "kernel-changelog" and address.endswith(".json"):
                index = web.get_text(address)
                listed = shortlog.read_index(index.text, address, self.source)
                yield from (one.changelog for one in listed if one.changelog)
            else:
                yield address


def _page_names(project: str) -> Iterator[str]:
    """Names of a kernel's pages at KernelNewbies, 2_6_39 and 6.12, of the versions that are out."""
    today = datetime.now(UTC).date().isoformat()
    for release in catalogue.load_release_dates().get(project, []):
        if release.date <= today:
            yield release.version.replace(".", "_") if release.version.startswith("2.") else release.version


def _is_address(location: str) -> bool:
    """Whether the pages are where the source's file says: at an address, or on this host."""
    return not location.startswith("/")


def _is_repository(place: Path) -> bool:
    return (place / ".git").exists() or ((place / "HEAD").exists() and (place / "objects").exists())


def _branches(repository: pygit2.Repository, source: Source) -> dict[str, pygit2.Oid]:
    """The tips to follow, by name: the head's, or those of the branches that the source names."""
    if not source.branches:
        if repository.head_is_unborn:
            raise RepositoryError(
                "This repository is empty, or its clone was never finished.",
                where=repository.path,
                next="Clone it again, or name another with --from.",
            )
        return {"head": repository.head.peel(pygit2.Commit).id}
    found = {}
    for ref in git.read_refs(repository):
        name = re.sub(r"^refs/(?:heads|remotes/[^/]+)/", "", ref.name)
        if ref.commit and not ref.tag and any(fnmatchcase(name, pattern) for pattern in source.branches):
            found[name] = pygit2.Oid(hex=ref.commit)
    if not found:
        raise NotesError(
            f"This repository has none of the branches that '{source.id}' is read from.",
            where=repository.path,
            next=f"They are {', '.join(source.branches)}: fetch them, or give a folder of pages.",
        )
    return found


def _tagged(repository: pygit2.Repository, source: Source) -> Iterator[Sheet]:
    for tag, day, message in read_tags(repository, source):
        yield Sheet(tag, f"{repository.path} {tag}", message.encode("utf-8", "replace"), version=tag, day=day or None)


def _parse(source: Source, sheet: Sheet) -> Page:
    page = _PARSERS[source.kind](source, sheet)
    if sheet.version is None:
        return page
    return replace(page, releases=(NotedRelease(sheet.version, sheet.day, 1, sheet.by),))


def _parse_markdown(source: Source, sheet: Sheet) -> Page:
    return markdown.parse(decode(source, sheet), sheet.name, source, sheet.version)


def _parse_message(source: Source, sheet: Sheet) -> Page:
    """A tag's message; one that stands in a file has the tag in the file's name."""
    said = sheet.version or Path(sheet.name).name.removeprefix("tag-").removesuffix(".txt").removesuffix(".md")
    return markdown.parse(decode(source, sheet), sheet.name, source, said)


_PARSERS: dict[str, Callable[[Source, Sheet], Page]] = {
    "markdown": _parse_markdown,
    "tags": _parse_message,
    "github-releases": _parse_markdown,
    "kernel-changelog": lambda source, sheet: shortlog.parse(decode(source, sheet), sheet.name, source),
    "kernelnewbies": lambda source, sheet: moin.parse(decode(source, sheet), sheet.name, source),
    "debian-changelog": lambda source, sheet: debian.parse(decode(source, sheet), sheet.name, source),
    "pull-mail": lambda source, sheet: pullmail.parse_mail(sheet.content, sheet.name, source),
}

_IN_HISTORIES = ("markdown", "tags", "pull-mail")
