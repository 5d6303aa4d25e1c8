"""Which tracked paths differ between two trees, found by comparing tree ids from the top down."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import translate
from typing import NamedTuple

import pygit2

from kminer.errors import RepositoryError
from kminer.records import ChangedPath, TrackedPath

_TREE = 0o040000
_TYPE_BITS = 0o170000
_GLOB = re.compile(r"[*?\[]")
_LARGE = 4096
_LONGEST_ENTRY = 6 + 1 + 255 + 1 + 20
_SUBMODULE = 0o160000
_MODES = {b"120000": 0o120000, b"160000": _SUBMODULE} | {
    b"%o" % (0o100000 | bits): 0o100755 if bits & 0o100 else 0o100644 for bits in range(0o1000)
}
"""Modes as trees spell them, early gits' odd ones too, and what git takes them for."""


class _Node:
    """A path component that matters: tracked itself, or on the way to something tracked.

    `tracked` covers a folder that stands here, `tracked_file` a file.
    """

    __slots__ = ("_of_several", "globs", "names", "needles", "stems", "takes_submodules", "tracked", "tracked_file")

    def __init__(self) -> None:
        self.names: dict[str, _Node] = {}
        self.globs: list[tuple[str, re.Pattern[str], _Node]] = []
        self.tracked: TrackedPath | None = None
        self.tracked_file: TrackedPath | None = None
        self.takes_submodules = False
        self._of_several: dict[tuple[int, ...], _Node] = {}
        self.needles: list[_Needle] = []
        self.stems: list[bytes] = []

    def prepare(self) -> None:
        """Work out how what is tracked here stands in a tree object."""
        for name, node in self.names.items():
            self.names[name] = _merged([node, *(glob for _, pattern, glob in self.globs if pattern.match(name))])
        names = sorted(self.names.items())
        self.needles = [_Needle(name, b" " + os.fsencode(name) + b"\0", node) for name, node in names]
        self.stems = sorted({b" " + os.fsencode(_GLOB.split(glob)[0]) for glob, _, _ in self.globs})
        for node in (*self.names.values(), *(node for _, _, node in self.globs)):
            node.prepare()

    def child(self, name: str) -> _Node:
        """The node below this one for `name`, a plain name or a glob; made when missing."""
        if not _GLOB.search(name):
            return self.names.setdefault(name, _Node())
        for known, _, node in self.globs:
            if known == name:
                return node
        node = _Node()
        self.globs.append((name, re.compile(translate(name)), node))
        return node

    def takes(self, mode: int) -> bool:
        """Whether something of this mode may stand here; a submodule may take a tracked folder's place."""
        return mode == _TREE or self.tracked_file is not None or (mode == _SUBMODULE and self.takes_submodules)

    def match(self, name: str) -> _Node | None:
        """The node that speaks for `name`: its own, or that of the globs it fits."""
        if name in self.names:
            return self.names[name]
        fitting = tuple(index for index, (_, pattern, _) in enumerate(self.globs) if pattern.match(name))
        if len(fitting) < 2:
            return self.globs[fitting[0]][2] if fitting else None
        if fitting not in self._of_several:
            self._of_several[fitting] = _merged([self.globs[index][2] for index in fitting])
            self._of_several[fitting].prepare()
        return self._of_several[fitting]


def _merged(nodes: list[_Node]) -> _Node:
    """One node that tracks what all of `nodes` track; where they disagree, the first has precedence."""
    if len(nodes) == 1:
        return nodes[0]
    whole = _Node()
    for name in dict.fromkeys(name for node in nodes for name in node.names):
        whole.names[name] = _merged([node.names[name] for node in nodes if name in node.names])
    for glob, pattern in {glob: pattern for node in nodes for glob, pattern, _ in node.globs}.items():
        whole.globs.append((glob, pattern, _merged([b for node in nodes for g, _, b in node.globs if g == glob])))
    whole.tracked = next((node.tracked for node in nodes if node.tracked), None)
    whole.tracked_file = next((node.tracked_file for node in nodes if node.tracked_file), None)
    whole.takes_submodules = any(node.takes_submodules for node in nodes)
    return whole


class _Needle(NamedTuple):
    """A plain name, the bytes that stand for it behind its mode in a tree object, and its node."""

    name: str
    bytes: bytes
    node: _Node


_Entry = tuple[bytes, int, _Node]
"""Id (20 bytes), mode and node of a tree's entry."""

_Projection = dict[str, _Entry]
"""What a node tracks in one tree, by name."""


class _Layout:
    """Where the names that a node tracks stand in a tree object, and which of them it lacks."""

    __slots__ = ("_absent", "_entries", "_length", "_names", "_spans")

    def __init__(self, node: _Node, raw: bytes, entries: _Projection) -> None:
        self._length = len(raw)
        self._absent = [needle for name, needle, _ in node.needles if name not in entries]
        self._entries: list[tuple[str, int, int, _Node]] = []
        self._spans: list[tuple[int, int]] = []
        for name, needle, child in node.needles:
            if name in entries:
                entry_id, mode, _ = entries[name]
                start = raw.index(needle + entry_id)
                self._entries.append((name, start + len(needle), mode, child))
                self._spans.append((max(0, start - len("100644")), start + len(needle)))
        self._names = b"".join([raw[start:end] for start, end in self._spans])

    def read(self, raw: bytes) -> _Projection | None:
        """What is tracked in a tree object laid out alike; None if this one is not."""
        if len(raw) != self._length or b"".join([raw[start:end] for start, end in self._spans]) != self._names:
            return None
        for needle in self._absent:
            if needle in raw:
                return None
        return {name: (raw[place : place + 20], mode, node) for name, place, mode, node in self._entries}


class TrackedPaths:
    """Finds changes of a source's tracked paths between trees of one repository.

    What was read of a tree is remembered as long as this lives: neighbouring commits share most trees.
    """

    def __init__(self, repository: pygit2.Repository, paths: tuple[TrackedPath, ...]) -> None:
        self._repository = repository
        self._odb = repository.odb
        self._root = _build(paths)
        self._seen: dict[tuple[_Node, bytes], _Projection] = {}
        self._last: dict[_Node, tuple[bytes, _Projection]] = {}
        self._layouts: dict[_Node, _Layout] = {}

    def present(self, tree: bytes) -> int:
        """How many tracked paths (current or old names) exist in `tree`."""
        return sum(1 for _ in self._walk(self._root, tree))

    def _walk(self, node: _Node, tree: bytes) -> Iterator[_Entry]:
        for entry in self._project(node, tree).values():
            if entry[2].tracked is not None:
                yield entry
            else:
                yield from self._walk(entry[2], entry[0])

    def changes(self, old: bytes | None, new: bytes) -> list[ChangedPath]:
        """Tracked files that differ from tree `old` (None: the empty tree) to tree `new`, sorted by path."""
        found: list[ChangedPath] = []
        self._compare(self._root, "", old, new, found)
        return found

    def _compare(
        self, node: _Node, prefix: str, old: bytes | None, new: bytes | None, found: list[ChangedPath]
    ) -> None:
        before = self._project(node, old) if old else {}
        after = self._project(node, new) if new else {}
        if before == after:
            return
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name), after.get(name)
            if was == now:
                continue
            child = (was or now)[2]  # type: ignore[index]
            if child.tracked is not None:
                found.extend(self._describe(prefix + name, child, was, now))
            else:
                self._compare(child, f"{prefix}{name}/", was and was[0], now and now[0], found)

    def _project(self, node: _Node, tree_id: bytes) -> _Projection:
        key = (node, tree_id)
        if key not in self._seen:
            self._seen[key] = self._read(node, self._raw_tree(tree_id))
        return self._seen[key]

    def _read(self, node: _Node, raw: bytes) -> _Projection:
        """Neighbouring commits' folders differ in a few bytes: of a large one only what differs is searched."""
        if len(raw) < _LARGE:
            return self._read_small(node, raw)
        last, known = self._last.get(node, (b"", {}))
        start, old_end, new_end = _difference(last, raw)
        if 2 * max(old_end, new_end) - 2 * start > len(raw):
            entries = _entries(node, raw)
        else:
            start = max(0, start - _LONGEST_ENTRY)
            entries = known.copy()
            for name in _entries(node, last[start : old_end + _LONGEST_ENTRY]):
                entries.pop(name, None)
            entries.update(_entries(node, raw[start : new_end + _LONGEST_ENTRY]))
        self._last[node] = (raw, entries)
        return entries

    def _read_small(self, node: _Node, raw: bytes) -> _Projection:
        """Most commits change ids, not names: the names are then where they were in the last tree."""
        layout = self._layouts.get(node)
        if layout is not None and (known := layout.read(raw)) is not None:
            return known
        entries = _entries(node, raw)
        if not node.stems:
            self._layouts[node] = _Layout(node, raw, entries)
        return entries

    def _raw_tree(self, tree_id: bytes) -> bytes:
        try:
            return self._odb.read(tree_id.hex())[1]
        except (KeyError, pygit2.GitError) as error:
            raise RepositoryError(
                f"Tree {tree_id.hex()} cannot be read: it is missing or corrupt ({error}).",
                where=self._repository.path,
                next="A partial clone must keep its trees: clone with --filter=blob:none (not tree:0); "
                "if it does, run `git fsck` there.",
            ) from error

    def _describe(self, path: str, node: _Node, was: _Entry | None, now: _Entry | None) -> Iterator[ChangedPath]:
        assert node.tracked is not None
        if node.tracked.whole:
            yield ChangedPath(path + "/", _letter(was, now), node.tracked.path)
            return
        old_folder, new_folder = _as_tree(was), _as_tree(now)
        old_file, new_file = (None if old_folder else was), (None if new_folder else now)
        if old_file or new_file:
            yield ChangedPath(path, _letter(old_file, new_file), (node.tracked_file or node.tracked).path)
        if old_folder or new_folder:
            for letter, name in self._diff(old_folder, new_folder):
                yield ChangedPath(f"{path}/{name}", letter, self._owner(node, name).path)

    def _owner(self, node: _Node, relative: str) -> TrackedPath:
        owner = node.tracked
        assert owner is not None
        here: _Node | None = node
        *folders, name = relative.split("/")
        for part in folders:
            here = here.match(part) if here else None
            owner = here.tracked if here and here.tracked else owner
        here = here.match(name) if here else None
        return here.tracked_file if here and here.tracked_file else owner

    def _diff(self, old: bytes | None, new: bytes | None) -> Iterator[tuple[str, str]]:
        if old is None or new is None:
            only = old or new
            assert only is not None
            diff = self._tree(only).diff_to_tree(swap=old is None)
        else:
            diff = self._tree(old).diff_to_tree(self._tree(new), flags=pygit2.enums.DiffOption.INCLUDE_TYPECHANGE)
        for delta in diff.deltas:
            old_file, new_file = delta.old_file, delta.new_file
            if old_file.id != new_file.id or _canonical(old_file.mode) != _canonical(new_file.mode):
                yield delta.status_char(), delta.new_file.path or delta.old_file.path

    def _tree(self, tree_id: bytes) -> pygit2.Tree:
        self._raw_tree(tree_id)
        tree = self._repository[tree_id.hex()]
        assert isinstance(tree, pygit2.Tree)
        return tree


def _build(paths: tuple[TrackedPath, ...]) -> _Node:
    root = _Node()
    for tracked in paths:
        for path in (tracked.path, *tracked.was):
            node = root
            for part in path.rstrip("/").split("/"):
                node = node.child(part)
            if path.endswith("/"):
                node.tracked = tracked
                node.takes_submodules = not _GLOB.search(path)
            else:
                node.tracked_file = tracked
                node.tracked = node.tracked or tracked
    root.prepare()
    return root


def _entries(node: _Node, raw: bytes) -> _Projection:
    """What `node` tracks in a tree object, or in a stretch of one that may begin and end within an entry.

    The raw bytes are searched, since making an object of an entry costs ten times more; a name counts only
    behind one of git's modes, so that an id's bytes are never taken for one.
    """
    entries: _Projection = {}
    position, find = 0, raw.find
    for name, needle, child in node.needles:
        found = find(needle, position)
        if found < 0 and position:
            found = find(needle)
        while found >= 0 and not (mode := _mode_before(raw, found)):
            found = find(needle, found + 1)
        if found < 0:
            continue
        position = found + len(needle)
        entry_id = raw[position : position + 20]
        if child.takes(mode) and len(entry_id) == 20:
            entries[name] = (entry_id, mode, child)
    for stem in node.stems:
        entries.update(_glob_entries(node, raw, stem))
    return entries


def _glob_entries(node: _Node, raw: bytes, needle: bytes) -> Iterator[tuple[str, _Entry]]:
    found = raw.find(needle)
    while found >= 0:
        mode, end = _mode_before(raw, found), raw.find(b"\0", found)
        if mode and 0 <= end <= len(raw) - 21:
            name = os.fsdecode(raw[found + 1 : end])
            child = None if name in node.names else node.match(name)
            if child is not None and child.takes(mode):
                yield name, (raw[end + 1 : end + 21], mode, child)
            found = end + 20
        found = raw.find(needle, found + 1)


def _canonical(mode: int) -> int:
    return _MODES.get(b"%o" % mode, mode)


def _mode_before(raw: bytes, position: int) -> int:
    """The mode that ends at `position`, or 0 where no entry has its name there."""
    if raw[position - 5 : position] == b"40000":
        return _TREE
    return _MODES.get(raw[position - 6 : position], 0)


def _difference(old: bytes, new: bytes) -> tuple[int, int, int]:
    """Where two byte strings differ: first place, end of it in `old`, end of it in `new`."""
    shorter = min(len(old), len(new))
    same, most = 0, shorter
    while same < most:
        middle = (same + most + 1) // 2
        if old[same:middle] == new[same:middle]:
            same = middle
        else:
            most = middle - 1
    tail, most = 0, shorter - same
    while tail < most:
        middle = (tail + most + 1) // 2
        if old[len(old) - middle : len(old) - tail] == new[len(new) - middle : len(new) - tail]:
            tail = middle
        else:
            most = middle - 1
    return same, len(old) - tail, len(new) - tail


def _as_tree(entry: _Entry | None) -> bytes | None:
    return entry[0] if entry and entry[1] == _TREE else None


def _letter(was: _Entry | None, now: _Entry | None) -> str:
    if was is None:
        return "A"
    if now is None:
        return "D"
    return "M" if was[1] & _TYPE_BITS == now[1] & _TYPE_BITS else "T"
