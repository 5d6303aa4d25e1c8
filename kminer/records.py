"""The nouns of kminer as plain, immutable records."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha1

HISTORIES = ("git", "demo")
"""Kinds of source that are histories of code, with tracked paths."""

ARCHIVES = ("mailing-list", "merged-titles")
"""Kinds of source that tell what was proposed and what was merged; all that are neither are release notes."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A git timestamp: `seconds` since 1970 in UTC and the writer's `offset` as git spells it, e.g. "+0200"."""

    seconds: int
    offset: str = "+0000"

    def utc(self) -> str | None:
        """ISO 8601 in UTC ("2010-05-27T12:30:11Z"); None outside the years 1 to 9999."""
        moment = _datetime(self.seconds)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20) if moment else None

    def local(self) -> str:
        """ISO 8601 with the writer's offset; git's own "@seconds offset" where a calendar has no such date."""
        moment = _datetime(self.seconds)
        match = re.fullmatch(r"([+-])(\d\d)(\d\d)", self.offset)
        if moment is None or match is None or int(match[2]) > 23 or int(match[3]) > 59:
            return f"@{self.seconds} {self.offset}"
        shift = timedelta(hours=int(match[2]), minutes=int(match[3]))
        try:
            return moment.astimezone(timezone(-shift if match[1] == "-" else shift)).isoformat()
        except OverflowError:
            return f"@{self.seconds} {self.offset}"


def utc_now() -> str:
    """The present moment, as ISO 8601 in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _datetime(seconds: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody named by a change: `role` is author, committer, or a trailer's ("reviewed-by")."""

    role: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A tracked file (or whole folder) a commit changed.

    `change` is A (added), M (modified), D (deleted) or T (type or mode changed);
    `tracked` is the entry of the source file that covers the path.
    """

    path: str
    change: str
    tracked: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A typed pointer inside a change's text.

    `type` is fixes, reverts, backport-of, link, message-id, closes, pull-request, issue, cve or stable; in release
    notes also commit, tip (the last commit of a pull request), advisory (GHSA-...), debian-bug, part-of (the note it
    stands below) and replaces (the note it was before it was edited). `value` is what the text says; `target` is the
    full id of the change it means, where it is known.
    """

    type: str
    value: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a history yields: a commit, a merge, a maintainer's pull summary.

    `text` is the whole message as written; `encoding` is how its bytes were read, so that they can be had again.
    `matched_by` names why it is a candidate: "path", "words", or both.
    """

    type: str
    key: str
    title: str
    text: str
    encoding: str
    authored: Moment
    committed: Moment
    people: tuple[Person, ...] = ()
    paths: tuple[ChangedPath, ...] = ()
    references: tuple[Reference, ...] = ()
    matched_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that release notes say, where it stands in its page.

    `version` is written as the page writes it ("17.06.2-ce"); `upstream` is another project's version that the
    page says it belongs to (of a distribution's changelog). `section` holds the headings between the version and
    the note, outermost first. `form` is bullet, paragraph, callout (a warning set off from the text) or shortlog
    (the title of a commit that was merged). `sign` is new, changed or fixed where the page has such signs.
    `title` is one plain line without trailing references; `text` is the note as written, less its indentation.
    `line` is its first line in the page, from 1; `depth` counts the bullets it stands below, and `parent` is the
    position in the page of the nearest of these.
    """

    version: str
    section: tuple[str, ...]
    form: str
    title: str
    text: str
    line: int
    sign: str = ""
    upstream: str = ""
    depth: int = 0
    parent: int | None = None
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class NotedRelease:
    """A version that a page has notes for: `date` is ISO 8601 (a day), or None where the page gives none.

    `by` is who released it, where the page says so.
    """

    version: str
    date: str | None
    line: int
    by: Person | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What was found in one page of release notes, in the order of the page."""

    releases: tuple[NotedRelease, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a note is told: in which page, under which version (`said` as written, `version` the one that is).

    `section` holds the headings, parted by " > "; days are ISO 8601. `seen_until` is the day from which it stood
    there no longer, and `gone` why: edited, dropped, moved, page removed.
    """

    place: str
    said: str
    version: str
    upstream: str | None
    section: str
    form: str
    sign: str
    date: str | None
    line: int
    seen_from: str | None = None
    seen_until: str | None = None
    gone: str = ""


@dataclass(frozen=True, slots=True)
class ToldNote:
    """A release note as it is stored, with one place where it is told.

    `key` is the same wherever a project tells the note of the same version. `by` is who released the version.
    `matched_by` is "words", or "all" where the source keeps every note. `withheld`: the licence of its page does
    not let its sentences be kept, so `title` and `text` hold headings, links and ids only, and `item` what it is to
    be labelled by.
    """

    key: str
    title: str
    text: str
    place: Place
    references: tuple[Reference, ...] = ()
    by: Person | None = None
    matched_by: str = "all"
    withheld: bool = False
    item: Item | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of a kernel mailing list.

    `key` is its message-id without <>, as are those of `in_reply_to`, `thread` (References, oldest first) and
    `earlier` (mails that its own text links to). `kind` is patch, cover (letter of a series), reply, backport (of a
    stable kernel, with its cover letters), notice (a maintainer's script tells of a tree) or other. `moment` is when
    it was sent; with `date_mended` that is not what the mail says. `author` is whom a patch's text names, else the
    sender. `title` is the subject without marks of answers and brackets, of a notice the patch's; `prefix` the words
    of the brackets less version, place and the list's name. A series' patch is `number` of `total`, its cover letter
    number 0. `change_token` is b4's change-id, the same for all versions of a series.

    `text` is a patch's or cover letter's without diff and diffstat, and the whole of other mails, quotes included.
    `files` are those of diffs, `trailers` those of a patch's message. `says` is what a reply or notice says of a
    patch: applied, reviewed, acked, tested, nacked, superseded, dropped; `words` a reply's first line that says
    something, at most 200 characters. `quotes` are commits as (id, title) that it quotes or is a backport of;
    `merged` are patches as (title, commit id or "") that it says were applied.
    """

    key: str
    kind: str
    moment: Moment
    date_mended: bool
    sender: Person
    author: Person
    title: str
    prefix: str
    version: int
    number: int | None
    total: int | None
    rfc: bool
    in_reply_to: str
    thread: tuple[str, ...]
    earlier: tuple[str, ...]
    change_token: str
    text: str
    files: tuple[str, ...]
    trailers: tuple[Person, ...]
    says: tuple[str, ...]
    words: str
    quotes: tuple[tuple[str, str], ...]
    merged: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TrackedPath:
    """A file, folder (ends in "/") or glob a source watches, with its old names and the mechanisms it belongs to.

    `whole` records a change of the folder as one row instead of a row a file.
    """

    path: str
    was: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    about: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One place changes come from, as its file in data/sources/ describes it.

    `repository` is its owner/name on a code host, where `#n` in a message means an issue or pull request of
    its own; `repository_was` are names it had before.

    Of release notes: `pages` are their addresses; `files` are paths or globs in the clone or folder they are read
    from (of a source without `clone`: on this host), `branches` the branches of the clone (none: its head).
    `packages` are names of packages, or globs, whose changelogs they are; `leave_out` are headings, or globs, of
    lists that were generated and say nothing that somebody thought worth saying (of commits, their bullets too).
    `prose` is false where a page's licence does not let its sentences be kept.
    """

    id: str
    kind: str
    project: str
    title: str
    homepage: str = ""
    default: bool = False
    demo: bool = False
    clone: tuple[str, ...] = ()
    download: str = "unknown size"
    commit_url: str = ""
    issue_url: str = ""
    repository: str = ""
    repository_was: tuple[str, ...] = ()
    ignore_refs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    tag_pattern: str = ""
    series_pattern: str = ""
    pull_title: str = ""
    paths: tuple[TrackedPath, ...] = ()
    pages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    prose: bool = True
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Release:
    """A named version: `kind` is final or rc, `position` its rank among the source's releases, oldest version 0.

    `previous` is the tag of the highest release that this one contains.
    """

    tag: str
    version: str
    kind: str
    series: str
    position: int
    commit: str
    date: Moment
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """A kernel or engine capability of the catalogue: what it is, and since which release.

    `terms` are names by which others speak of it ("userxattr"), and by which they speak of nothing else. `detectors`
    are questions to a kernel, best first ("cgfile:memory.peak"); `kconfig` the symbols it is built by; `privilege`
    what it takes to use it: none, userns (a user namespace or root), root. `presence` says of kernels whose source
    was searched whether they have it; `backports` are releases older than `since` that were seen to have it.
    `used_by` are engines, each with its first release whose notes or commits name the feature.
    """

    id: str
    project: str
    area: str
    title: str
    summary: str
    mechanisms: tuple[str, ...]
    since: str | None
    confidence: str
    commits: tuple[tuple[str, str], ...] = ()
    note: str = ""
    terms: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    kconfig: tuple[str, ...] = ()
    privilege: str = ""
    presence: tuple[tuple[str, bool], ...] = ()
    backports: tuple[str, ...] = ()
    used_by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of a probe on a feature: available, compiled-in, blocked, bound-elsewhere, absent or unknown.

    `reason` says why in words, `by` what blocks or binds it, `detector` and `errno` what decided; `evidence` holds
    every detector's answer.
    """

    feature: str
    verdict: str
    reason: str
    by: str
    detector: str
    errno: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseDate:
    """When the catalogue says a version was released: `date` is ISO 8601 (a day)."""

    project: str
    version: str
    tag: str
    date: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The labels there are, in the order in which they are shown, each with what it means.

    `natural` gives the dimension that a mechanism brings with it.
    """

    mechanisms: dict[str, str]
    kinds: dict[str, str]
    dimensions: dict[str, str]
    flags: dict[str, str]
    natural: dict[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """A change as it is handed over to be labelled; `files` are the paths it touches, as far as they are known."""

    id: str
    title: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vote:
    """What one voter says of one label: `score` in 0..1, and the piece of the change that made it say so."""

    axis: str
    label: str
    voter: str
    score: float
    version: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Label:
    """A label that was given, with its probability. The axis `relevant` has `yes` and `no`."""

    axis: str
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Classification:
    """The labels of one change and the votes that led to them; `unknown` says why there are none."""

    id: str
    version: str
    unknown: str
    labels: tuple[Label, ...] = ()
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class Annotation:
    """Labels given by hand to the change whose upstream commit id or message-id is `key`."""

    key: str
    annotator: str
    relevant: bool
    mechanisms: tuple[str, ...]
    kind: str
    dimensions: tuple[str, ...]
    flags: tuple[str, ...]
    stratum: str = ""
    weight: float = 1.0

    def labels(self, axis: str) -> tuple[str, ...]:
        """Its labels on one axis; `yes` for a relevant change on the axis `relevant`."""
        return {
            "relevant": ("yes",) if self.relevant else (),
            "mechanism": self.mechanisms,
            "kind": (self.kind,),
            "dimension": self.dimensions,
            "flag": self.flags,
        }[axis]


def is_reserved(key: str) -> bool:
    """Whether a change belongs to the evaluation: its id, or the SHA-1 of its message-id, ends in 0."""
    return (sha1(key.encode()).hexdigest() if "@" in key else key).endswith("0")


@dataclass(frozen=True, slots=True)
class Study:
    """A published study whose changes were labelled with the same kinds: `shares` of them in 0..1, where known."""

    id: str
    title: str
    about: str
    patches: int
    confidence: str
    note: str
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class MechanismRule:
    """What names a mechanism: title prefixes and terms ("*" at either end stands for more of a word)."""

    prefixes: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Homonym:
    """Another meaning of the same words, and what it is known by."""

    about: str
    words: tuple[str, ...]
    prefixes: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KindRule:
    """What claims a kind or a flag: first words of titles, words in titles, terms in messages, trailers."""

    first: tuple[str, ...]
    titles: tuple[str, ...]
    terms: tuple[str, ...]
    trailers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of data/rules/, by label."""

    mechanisms: dict[str, MechanismRule]
    homonyms: dict[str, Homonym]
    kinds: dict[str, KindRule]
    flags: dict[str, KindRule]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a saved query: `default` None means it must be given; a whole number stays one."""

    name: str
    default: str | int | None
    about: str


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """One question in SQL with its head: title, why one would ask it, parameters."""

    name: str
    title: str
    why: str
    parameters: tuple[Parameter, ...]
    sql: str
    file: str


@dataclass(frozen=True, slots=True)
class PaperClaim:
    """One statement of a work that the history can confirm or refute.

    `kind` is gap (something is missing), cost (something is slow), praise (it works) or design (a method is
    proposed). `terms` are words to search changes for, as `kminer search` takes them. `answered_by` and `open_while`
    are features: what bears on the claim, and what would have to be there for it to be settled. `answer` is how far the
    former answer it by the catalogue's judgement: yes, partly, no, unknown or not applicable. `figure` is the headline
    figure as published, `measured_on` what it was taken on; empty where none was seen.
    """

    id: str
    statement: str
    kind: str
    dimension: str
    mechanisms: tuple[str, ...]
    terms: tuple[str, ...]
    answer: str
    confidence: str
    answered_by: tuple[str, ...] = ()
    open_while: tuple[str, ...] = ()
    answer_note: str = ""
    figure: str = ""
    measured_on: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A published work or system, with its claims.

    `kind` is survey, paper, system or note (a remark that nobody published). `year` is 0 where it is not known; what
    has happened is then counted from the day `followed_from`, on which another work named it.
    `layer` is the one of the survey it belongs to: container instance, container management, kernel resource, all, or
    empty where nobody placed it. `in_note`: the reading note behind kminer names it. `checked`: bibliography and claims
    were compared with a public text; `unverified` says what was not seen in one. `doi` is empty unless it was verified.
    """

    id: str
    kind: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    summary: str
    confidence: str
    source: str
    claims: tuple[PaperClaim, ...]
    doi: str = ""
    url: str = ""
    layer: str = ""
    in_note: bool = False
    checked: bool = False
    unverified: tuple[str, ...] = ()
    followed_from: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Regime:
    """How a resource is namespaced, or charged: the `value`, since which release, by which commit, and what to know.

    `value` of being namespaced is no, partly or the type of namespace; of being charged yes, partly or no. `key` is the
    cgroup controller or file that charges it.
    """

    value: str
    since: str = ""
    commit: str = ""
    key: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a running `kernel` showed: whether `path` read the same in fresh namespaces of every type."""

    kernel: str
    path: str
    same_in_new_namespaces: bool


@dataclass(frozen=True, slots=True)
class Resource:
    """Something of the kernel that containers share.

    `kind` is quantity, lock, rate-or-time, setting or view. `limited` lists what bounds it: process, user, userns,
    namespace, cgroup, filesystem, project-quota, resctrl-group, global or none. `leak` says whether a container sees
    the host's value: yes, no or partly. `look` are files that show it; `papers` works that speak of it, `recalled`
    those that are linked from memory only. `terms` are words to search changes for. `observed` is what was seen
    where it was tried.
    """

    id: str
    title: str
    area: str
    kind: str
    counted_by: str
    namespaced: Regime
    charged: Regime
    limited: tuple[str, ...]
    at_exhaustion: str
    leak: str
    confidence: str
    source: str
    leak_note: str = ""
    look: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    observed: Observation | None = None
