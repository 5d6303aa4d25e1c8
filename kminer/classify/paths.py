"""Which mechanism a file belongs to, by the tracked paths of the sources."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

from kminer.records import Source

KERNEL_FOLDERS = frozenset(
    {
        "arch", "block", "certs", "crypto", "Documentation", "drivers", "fs", "include", "init", "io_uring", "ipc",
        "kernel", "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound", "tools", "usr", "virt",
    }
)  # fmt: skip
"""Top folders of a Linux tree: a file there is the kernel's, elsewhere an engine's."""


class PathRules:
    """Mechanisms of files; where tracked paths overlap, the most specific one counts.

    A file whose first folder is one of a Linux tree is held against the kernel's paths only, others against the rest.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._exact: dict[tuple[bool, str], tuple[str, ...]] = {}
        self._globs: dict[bool, list[tuple[int, re.Pattern[str], tuple[str, ...]]]] = {True: [], False: []}
        for source in sources:
            for path in source.paths:
                for name in (path.path, *path.was):
                    self._add(source.project == "linux", name, path.mechanisms)
        for globs in self._globs.values():
            globs.sort(key=lambda entry: -entry[0])
        self.mechanisms_of = lru_cache(maxsize=200_000)(self._mechanisms_of)

    def _add(self, kernel: bool, name: str, mechanisms: tuple[str, ...]) -> None:
        if any(character in name for character in "*?["):
            fixed = len(re.split(r"[*?\[]", name)[0])
            pattern = translate(name).removesuffix(r"\Z").removesuffix(r"\z").replace(".*", "[^/]*") + r"(?:/.*)?\Z"
            self._globs[kernel].append((fixed, re.compile(pattern), mechanisms))
        else:
            known = self._exact.get((kernel, name.rstrip("/")), ())
            self._exact[kernel, name.rstrip("/")] = tuple(dict.fromkeys((*known, *mechanisms)))

    def _mechanisms_of(self, file: str) -> tuple[str, ...]:
        kernel = file.split("/", 1)[0] in KERNEL_FOLDERS
        exact: tuple[str, ...] = ()
        length = 0
        for end in [len(file), *(match.start() for match in reversed(list(re.finditer("/", file))))]:
            found = self._exact.get((kernel, file[:end]))
            if found is not None:
                exact, length = found, end
                break
        for fixed, pattern, mechanisms in self._globs[kernel]:
            if fixed < length:
                break
            if pattern.match(file):
                return mechanisms
        return exact
