"""The embedded demo: a small git history that kminer writes from its catalogue, then reads as any other."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from kminer import catalogue, places
from kminer.errors import CatalogueError, RepositoryError
from kminer.history.lineage import VersionKey, version_key
from kminer.progress import Progress
from kminer.records import Feature, ReleaseDate, Source, TrackedPath
from kminer.sources import git

AUTHOR = ("kminer demo", "demo@kminer.invalid")
NOON = 12 * 3600


def sync(
    source: Source, db: sqlite3.Connection, database: Path, options: git.Options, progress: Progress
) -> git.Summary:
    """Write the demo history of the source's project into the cache folder and sync from there."""
    target = places.cache() / "demo" / f"{source.id}.git"
    features, releases = demo_milestones(source.project)
    progress.detail(f"Writing {len(features)} milestones and {len(releases)} releases into {target}.")
    try:
        write_history(source, features, releases, target)
    except (OSError, pygit2.GitError) as error:
        raise RepositoryError(
            f"The demo's history cannot be written: {error}.",
            where=str(target),
            next="Check permissions and free space of that folder; XDG_CACHE_HOME names another.",
        ) from error
    return git.sync(source, db, database, replace(options, repository=target), progress)


def demo_milestones(project: str) -> tuple[list[Feature], list[ReleaseDate]]:
    """The project's features with a known first release, and its releases by date.

    Raises CatalogueError for a feature whose release has no date.
    """
    releases = sorted(catalogue.load_release_dates().get(project, []), key=lambda release: (release.date, release.tag))
    dated = {release.version for release in releases}
    features = [f for f in catalogue.load_features().values() if f.project == project and f.since]
    for feature in features:
        if feature.since not in dated:
            raise CatalogueError(
                f"Feature '{feature.id}' is since {feature.since}, a release without a date.",
                where=f"data/releases/{project}.toml",
                next="Add the release there.",
            )
    return features, releases


def write_history(source: Source, features: Sequence[Feature], releases: Sequence[ReleaseDate], target: Path) -> None:
    """Write a bare repository at `target`: a commit for each feature, a commit and a tag for each release.

    A release follows the highest lower version that was out by then, so that a late maintenance release does not
    hold what a higher one brought. The same catalogue gives the same commit ids. What stood at `target` is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        history, written = _History(Path(folder) / "demo.git"), list[tuple[VersionKey, str]]()
        for release in releases:
            version, _, pre = release.version.partition("-")
            key = version_key(version, pre or None)
            place = bisect_left(written, (key, ""))
            history.go_on_from(written[place - 1][1] if place else None)
            written.insert(place, (key, release.tag))
            new = sorted((f for f in features if f.since == release.version), key=lambda feature: feature.id)
            moment = _noon(release.date)
            for index, feature in enumerate(new):
                path = _path_for(feature, source.paths)
                history.commit(path, feature.id, _message(feature), moment - 60 * (len(new) - index))
            history.commit("VERSION", release.version, f"Release {release.version} (demo)\n", moment)
            history.tag(release.tag)
        history.set_main(written[-1][1])
        shutil.rmtree(target, ignore_errors=True)
        (Path(folder) / "demo.git").rename(target)


class _History:
    """A history in a new bare repository, in which releases follow one another."""

    def __init__(self, path: Path) -> None:
        self._repository = pygit2.init_repository(str(path), bare=True, initial_head="main")
        self._index = pygit2.Index()
        self._contents: dict[str, str] = {}
        self._head: pygit2.Oid | None = None
        self._tagged: dict[str | None, tuple[pygit2.Oid | None, dict[str, str]]] = {None: (None, {})}

    def go_on_from(self, tag: str | None) -> None:
        """Let the next commit follow the release tagged `tag`; None: nothing."""
        self._head, contents = self._tagged[tag]
        self._contents = dict(contents)
        self._index.clear()
        if self._head:
            commit = self._repository[self._head]
            assert isinstance(commit, pygit2.Commit)
            self._index.read_tree(commit.tree)

    def commit(self, path: str, line: str, message: str, seconds: int) -> None:
        """Add a line to the file at `path` and commit it."""
        self._contents[path] = self._contents.get(path, "") + line + "\n"
        blob = self._repository.create_blob(self._contents[path].encode())
        self._index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
        who = pygit2.Signature(*AUTHOR, seconds, 0)
        tree, parents = self._index.write_tree(self._repository), [self._head] if self._head else []
        self._head = self._repository.create_commit(None, who, who, message, tree, parents)

    def tag(self, name: str) -> None:
        """Tag the newest commit."""
        assert self._head
        self._repository.create_reference(f"refs/tags/{name}", self._head, force=True)
        self._tagged[name] = self._head, self._contents

    def set_main(self, tag: str) -> None:
        """Let the head be the release tagged `tag`."""
        head, _ = self._tagged[tag]
        assert head
        self._repository.create_reference("refs/heads/main", head)


def _noon(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) + NOON


def _message(feature: Feature) -> str:
    return "\n".join(_lines(feature)) + "\n"


def _lines(feature: Feature) -> Iterator[str]:
    yield f"{feature.title} (demo)"
    yield ""
    yield feature.summary
    yield ""
    yield f"This commit stands for the feature {feature.id} of kminer's catalogue, first released in {feature.since}"
    yield f"(confidence: {feature.confidence}). It is not an upstream commit."
    for commit, title in feature.commits:
        yield f"Upstream: {commit[:12]}" + (f' ("{title}")' if title else "")


def _path_for(feature: Feature, paths: Sequence[TrackedPath]) -> str:
    """A tracked file that the feature's mechanism owns, else one of the same family (ns, cg, fs, ...)."""
    wanted = feature.mechanisms[0] if feature.mechanisms else ""
    family = wanted.split(".")[0] + "."
    fitting = [path for path in paths if wanted in path.mechanisms] or [
        path for path in paths if any(mechanism.startswith(family) for mechanism in path.mechanisms)
    ]
    path = (fitting or list(paths))[0].path.replace("*", "demo")
    return f"{path}{feature.id}" if path.endswith("/") else path
