"""Opens a git repository for reading, and runs git where libgit2 has no answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pygit2

from kminer.errors import RepositoryError

REF_PREFIXES = ("refs/heads/", "refs/remotes/", "refs/tags/")
OWN_FORMATS = "kminer reads SHA-1 repositories whose references are files"


@dataclass(frozen=True, slots=True)
class Ref:
    """A head or tag: the object it names and the commit that peels to (None for a tag on a tree or blob)."""

    name: str
    object_id: str
    commit: str | None

    @property
    def tag(self) -> str | None:
        """The tag's name, or None for a head."""
        return self.name.removeprefix("refs/tags/") if self.name.startswith("refs/tags/") else None


def open_repository(path: Path | str) -> pygit2.Repository:
    """Open the repository at `path` (bare or not, shallow, partial, with alternates) for reading.

    Raises RepositoryError where there is none, or where its format cannot be read.
    """
    where = Path(path).expanduser()
    tune_libgit2()
    try:
        found = pygit2.discover_repository(str(where)) if where.exists() else None
    except (OSError, pygit2.GitError) as error:
        raise RepositoryError(
            f"This place cannot be read: {error}.",
            where=str(where),
            next="Check its permissions, or give another clone.",
        ) from error
    if found is None:
        raise RepositoryError(
            "There is no git repository here.",
            where=str(where),
            next="Give the path of a clone, bare or not, e.g. --repo linux=/path/to/linux.",
        )
    _refuse_foreign_format(Path(found))
    return reopen_repository(found)


def reopen_repository(where: str) -> pygit2.Repository:
    """Open a git folder that `open_repository` has found good, in another process."""
    tune_libgit2()
    try:
        return pygit2.Repository(where)
    except (pygit2.GitError, KeyError, ValueError) as error:
        raise RepositoryError(
            f"libgit2 cannot open this repository: {error}.",
            where=where,
            next="Run `git fsck` there; a fresh `git clone --bare --filter=blob:none` always works.",
        ) from error


def tune_libgit2() -> None:
    """Trade libgit2's caches and re-hashing for speed: every object is read once, and git verified it on arrival."""
    pygit2.settings.enable_strict_hash_verification(False)
    pygit2.settings.enable_caching(False)
    pygit2.settings.owner_validation = False
    pygit2.settings.set_extensions(["partialclone", "worktreeconfig", "relativeworktrees", "preciousobjects"])


def _refuse_foreign_format(git_dir: Path) -> None:
    common = git_dir / "commondir"
    config = (git_dir / common.read_text().strip() if common.exists() else git_dir) / "config"
    for key, allowed in (("extensions.objectformat", "sha1"), ("extensions.refstorage", "files")):
        value = _config_value(config, key)
        if value and value.lower() != allowed:
            raise RepositoryError(
                f"This repository has {key} = {value}, which libgit2 cannot read ({OWN_FORMATS}).",
                where=str(git_dir),
                next="Clone it again in the usual format: git clone --bare --filter=blob:none ADDRESS.",
            )


def _config_value(config: Path, key: str) -> str | None:
    if not config.exists():
        return None
    command = [git_program(), "config", "--file", str(config), "--get", key]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def git_program() -> str:
    """Path of the git command; RepositoryError where there is none."""
    found = shutil.which("git")
    if found is None:
        raise RepositoryError(
            "The git command is not installed.", where="PATH", next="Install git, e.g. apt install git."
        )
    return found


def git_environment() -> dict[str, str]:
    """The environment for git: no prompts, no translation, no lazy fetches, no replaced objects, no locks."""
    settings = {
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")} | settings


def read_refs(repository: pygit2.Repository, ignore: Sequence[str] = ()) -> list[Ref]:
    """All heads, remote heads and tags, sorted by name; `ignore` holds globs of names to leave out."""
    refs = []
    for reference in repository.references.iterator():
        name = reference.name
        if not name.startswith(REF_PREFIXES) or any(fnmatchcase(name, pattern) for pattern in ignore):
            continue
        if isinstance(reference.target, str):
            continue
        refs.append(Ref(name, str(reference.target), _peel(reference, repository)))
    return sorted(refs, key=lambda ref: ref.name)


def _peel(reference: pygit2.Reference, repository: pygit2.Repository) -> str | None:
    try:
        target = reference.peel()
    except (pygit2.GitError, KeyError) as error:
        raise RepositoryError(
            f"{reference.name} points at {reference.target}, which is not in this repository ({error}).",
            where=repository.path,
            next="Run `git fsck` there, then fetch again or delete that reference.",
        ) from error
    return str(target.id) if isinstance(target, pygit2.Commit) else None


def shallow_boundary(repository: pygit2.Repository) -> frozenset[bytes]:
    """Ids of the commits at which a shallow clone was cut; empty for a whole history."""
    file = Path(repository.path) / "shallow"
    common = Path(repository.path) / "commondir"
    if common.exists():
        file = Path(repository.path) / common.read_text().strip() / "shallow"
    if not file.exists():
        return frozenset()
    return frozenset(bytes.fromhex(line) for line in file.read_text().split())


def list_commits(
    path: str, tips: Sequence[str], exclude: Sequence[str] = (), after: str | None = None
) -> Iterator[list[bytes]]:
    """Commits reachable from `tips` and not from `exclude`, children before parents; none committed before day `after`.

    Yields [id, parent, ...] as 20-byte ids. Raises RepositoryError when git cannot read the history.
    """
    command = ["rev-list", "--topo-order", "--parents", "--stdin"]
    # git's own --since takes all that a commit with a wrong clock follows for old as well.
    oldest = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp() if after else None
    command += ["--timestamp"] if after else []
    wanted = "\n".join([*tips, *(f"^{commit}" for commit in exclude)]) + "\n"
    unhex = bytes.fromhex
    for line in list_lines(path, command, wanted):
        parts = line.decode("ascii").split()
        if oldest is None or int(parts.pop(0)) >= oldest:
            yield [unhex(part) for part in parts]


def list_lines(path: str, arguments: Sequence[str], given: str = "") -> Iterator[bytes]:
    """The lines that git prints of the repository at `path`, with `given` as its input.

    Raises RepositoryError when git cannot read the history.
    """
    command = [git_program(), "-c", f"safe.directory={path}", "--git-dir", path, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=git_environment()
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(given.encode())
            process.stdin.close()
        yield from process.stdout
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise RepositoryError(
            f"git cannot list this history: {complaint or f'exit status {process.returncode}'}.",
            where=path,
            next="Run `git fsck` there; if objects are missing, clone it again.",
        )
