"""Builds small, real git repositories with fixed dates, object by object."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2

EPOCH = 1_577_880_000
"""The first commit's time: noon of 2020-01-01, UTC."""

FILE, EXECUTABLE, LINK, FOLDER, SUBMODULE = 0o100644, 0o100755, 0o120000, 0o040000, 0o160000


@dataclass(frozen=True)
class Entry:
    """What stands at a path: `content` of a file or link, or the commit id of a submodule."""

    content: str | bytes
    mode: int = FILE


def executable(content: str) -> Entry:
    return Entry(content, EXECUTABLE)


def link(target: str) -> Entry:
    return Entry(target, LINK)


def submodule(commit: str) -> Entry:
    return Entry(commit, SUBMODULE)


Changes = Mapping[str, str | bytes | Entry | None]
"""What a commit does: content by path; None removes a file or a folder."""

_Snapshot = dict[str, tuple[int, bytes]]


class GitRepo:
    """A bare repository that grows by `commit`, `merge`, `tag`; everything in it is dated and reproducible."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = pygit2.init_repository(str(path), bare=True, initial_head="main")
        self._snapshots: dict[str, _Snapshot] = {}
        self._count = 0

    def commit(
        self,
        changes: Changes | None = None,
        message: str | bytes = "Change something\n",
        parents: Sequence[str] | None = None,
        branch: str | None = "main",
        when: int | None = None,
        author: str = "A U Thor <author@example.org>",
        encoding: str | None = None,
    ) -> str:
        """Commit `changes` on top of `parents` (default: the head of `branch`), move `branch` there; returns the id."""
        if parents is None:
            head = self.head(branch) if branch else None
            parents = [head] if head else []
        snapshot = dict(self._snapshots[parents[0]]) if parents else {}
        for path, change in (changes or {}).items():
            self._apply(snapshot, path, change)
        moment = EPOCH + 60 * self._count if when is None else when
        lines = [f"tree {self.tree(snapshot)}", *(f"parent {parent}" for parent in parents)]
        lines += [f"author {author} {moment} +0100", f"committer C O Mitter <committer@example.org> {moment} +0100"]
        lines += [f"encoding {encoding}"] if encoding else []
        body = message if isinstance(message, bytes) else message.encode(encoding or "utf-8")
        made = self.raw("commit", "\n".join(lines).encode() + b"\n\n" + body)
        self._count += 1
        self._snapshots[made] = snapshot
        if branch:
            self.ref(f"refs/heads/{branch}", made)
        return made

    def merge(
        self, *others: str, message: str = "Merge a branch\n", branch: str = "main", changes: Changes | None = None
    ) -> str:
        """Merge the commits `others` into `branch`; where files differ the merged side's win."""
        head = self.head(branch)
        assert head
        own = self._snapshots[head]
        self._snapshots[head] = {
            path: entry for side in (head, *others) for path, entry in self._snapshots[side].items()
        }
        made = self.commit(changes, message, [head, *others], branch)
        self._snapshots[head] = own
        return made

    def raw(self, kind: str, data: bytes) -> str:
        """Write an object as it is, unchecked; returns its id."""
        kinds = {
            "commit": pygit2.enums.ObjectType.COMMIT, "tree": pygit2.enums.ObjectType.TREE,
            "blob": pygit2.enums.ObjectType.BLOB, "tag": pygit2.enums.ObjectType.TAG,
        }  # fmt: skip
        return str(self.repository.odb.write(kinds[kind], data))

    def raw_commit(
        self, message: bytes, author: bytes = b"A <a@example.org> 1577880000 +0000", committer: bytes | None = None,
        extra: bytes = b"", tree: str | None = None, parents: Sequence[str] = (), branch: str | None = "main",
    ) -> str:  # fmt: skip
        """A commit object of exactly these bytes; `extra` are header lines, each with its line end."""
        header = b"tree " + (tree or self.tree({})).encode() + b"\n"
        header += b"".join(b"parent " + parent.encode() + b"\n" for parent in parents)
        header += b"author " + author + b"\ncommitter " + (committer or author) + b"\n" + extra
        made = self.raw("commit", header + b"\n" + message)
        if branch:
            self.ref(f"refs/heads/{branch}", made)
        return made

    def tree(self, snapshot: _Snapshot) -> str:
        """Write the tree of a snapshot {path: (mode, id)}; returns its id."""
        here: dict[bytes, tuple[int, bytes]] = {}
        below: dict[str, _Snapshot] = {}
        for path, entry in snapshot.items():
            name, _, rest = path.partition("/")
            if rest:
                below.setdefault(name, {})[rest] = entry
            else:
                here[os.fsencode(name)] = entry
        for name, part in below.items():
            here[os.fsencode(name)] = (FOLDER, bytes.fromhex(self.tree(part)))
        order = sorted(here, key=lambda name: name + (b"/" if here[name][0] == FOLDER else b""))
        return self.raw("tree", b"".join(b"%o %s\0%s" % (here[name][0], name, here[name][1]) for name in order))

    def ref(self, name: str, target: str | None) -> None:
        """Set a reference, or delete it with None."""
        if target is None:
            self.repository.references.delete(name)
        else:
            self.repository.references.create(name, target, force=True)

    def tag(self, name: str, target: str | None = None, annotated: bool = False, kind: str = "commit") -> str:
        """Tag `target` (default: the head of main), with a tag object if `annotated`; returns what the tag names."""
        named = target or self.head("main")
        assert named
        if annotated:
            text = f"object {named}\ntype {kind}\ntag {name}\ntagger T <t@example.org> {EPOCH} +0000\n\n{name}\n"
            named = self.raw("tag", text.encode())
        self.ref(f"refs/tags/{name}", named)
        return named

    def head(self, branch: str = "main") -> str | None:
        """The commit at the head of `branch`."""
        found = self.repository.references.get(f"refs/heads/{branch}")
        return str(found.target) if found else None

    def git(self, *arguments: str, input: str | None = None) -> str:
        """Run git here; returns what it prints."""
        return git("--git-dir", str(self.path), *arguments, input=input)

    def _apply(self, snapshot: _Snapshot, path: str, change: str | bytes | Entry | None) -> None:
        parts = path.split("/")
        for above in range(1, len(parts)):
            if change is not None:
                snapshot.pop("/".join(parts[:above]), None)
        for below in [known for known in snapshot if known.startswith(path + "/")]:
            del snapshot[below]
        if change is None:
            snapshot.pop(path, None)
            return
        entry = change if isinstance(change, Entry) else Entry(change)
        content = entry.content.encode() if isinstance(entry.content, str) else entry.content
        made = content.decode() if entry.mode == SUBMODULE else self.raw("blob", content)
        snapshot[path] = (entry.mode, bytes.fromhex(made))


def git(*arguments: str, input: str | None = None, cwd: Path | None = None) -> str:
    """Run git and return what it prints; fails loudly."""
    done = subprocess.run(
        ["git", *arguments], input=input, cwd=cwd, capture_output=True, text=True, errors="surrogateescape", check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def write_linear_history(path: Path, commits: int, tag_every: int = 1000) -> None:
    """A bare repository of `commits` commits in a line, by `git fast-import`; a tag v1.<n> every `tag_every`.

    One commit in three changes a file in tracked/, one in five speaks of a "widget".
    """
    git("init", "--bare", "--quiet", "--initial-branch=main", str(path))
    done = subprocess.run(
        ["git", "--git-dir", str(path), "fast-import", "--quiet"],
        input=b"".join(_stream(commits, tag_every)), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()


def _stream(commits: int, tag_every: int) -> Iterator[bytes]:
    for number in range(1, commits + 1):
        title = f"Change {number}" + (" of a widget" if number % 5 == 0 else "")
        text = f"{title}\n\nWhy {number} was needed.\n\nSigned-off-by: A U Thor <author@example.org>\n".encode()
        folder = "tracked" if number % 3 == 0 else "other"
        content = f"{number}\n".encode()
        yield b"commit refs/heads/main\nmark :%d\n" % number
        yield b"author A U Thor <author@example.org> %d +0000\n" % (EPOCH + 60 * number)
        yield b"committer A U Thor <author@example.org> %d +0000\n" % (EPOCH + 60 * number)
        yield b"data %d\n%s\n" % (len(text), text)
        yield b"M 100644 inline %s/file%d.c\ndata %d\n%s\n" % (folder.encode(), number % 50, len(content), content)
        if number % tag_every == 0:
            yield b"reset refs/tags/v1.%d\nfrom :%d\n\n" % (number // tag_every, number)
