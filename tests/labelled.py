"""What the tests of labelling share: clear-cut changes, classifiers, files of labels by hand, made-up corpora."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from kminer import labelbook
from kminer.classify.classifier import Classifier, load_classifier
from kminer.corpus import LabelledText
from kminer.labelling import LabelSummary, label_store
from kminer.progress import Progress
from kminer.records import Annotation, Classification, Item
from kminer.store.database import open_for_writing

SHIPPED_MODEL = Path(__file__).resolve().parents[1] / "data" / "model"

MEMCG = Item(
    "memcg",
    "memcg: fix use-after-free in mem_cgroup_css_free",
    "A race lets the memcg be freed twice, and the kernel oopses in mem_cgroup_charge().\n\n"
    'Fixes: 123456789012 ("memcg: charge")\nSigned-off-by: A U Thor <a@example.org>\n',
    ("mm/memcontrol.c",),
)
OVERLAY = Item(
    "overlay",
    'Revert "ovl: cache whiteouts"',
    "This reverts commit 123456789012.\n\noverlayfs fails to copy up the lower directory since.\n",
    ("fs/overlayfs/dir.c",),
)
CPUSET = Item(
    "cpuset",
    "cgroup/cpuset: Add cpuset.cpus.isolated",
    "Add a new interface file that shows the isolated partition's CPUs to users.\n",
    ("kernel/cgroup/cpuset.c",),
)
USERNS = Item(
    "userns",
    "[PATCH v2 1/3] userns: allow unshare(CLONE_NEWUSER)",
    "Let an unprivileged user make a user namespace; uid_map says which ids it holds.\n",
    ("kernel/user_namespace.c",),
)
NVME = Item(
    "nvme",
    "nvme: rename the namespace's size",
    "The nvme namespace is a part of the disk. No functional change.\n",
    ("drivers/nvme/host/core.c",),
)
CLEAR = (MEMCG, OVERLAY, CPUSET, USERNS, NVME)


@cache
def shipped_classifier(with_model: bool = True) -> Classifier:
    """The shipped rules and model, loaded once a test process."""
    return load_classifier(with_model)


def labels_of(found: Classification, axis: str) -> set[str]:
    """The labels given on one axis."""
    return {label.label for label in found.labels if label.axis == axis}


def label(database: Path, with_model: bool = False, jobs: int = 1, **options: object) -> LabelSummary:
    """Bring the labels of a database up to date, in this process; by rules alone unless asked otherwise."""
    with open_for_writing(database) as db:
        return label_store(db, jobs, with_model, Progress(), **options)  # type: ignore[arg-type]


def note_line(
    key: str, annotator: str = "own", relevant: str = "1", mechanisms: str = "cg.memory", kind: str = "bug",
    dimensions: str = "memory", flags: str = "", stratum: str = "", weight: str = "1",
) -> str:  # fmt: skip
    """A line of a file of labels by hand."""
    return "\t".join((key, annotator, relevant, mechanisms, kind, dimensions, flags, stratum, weight))


def own_labels() -> Path:
    """Where the user's own labels by hand are."""
    return Path(os.environ["XDG_CONFIG_HOME"]) / "kminer" / "data" / "annotations" / "own.tsv"


def write_labels(*lines: str, file: Path | None = None) -> Path:
    """Write a file of labels by hand, by default the user's own."""
    target = file or own_labels()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(["\t".join(labelbook.ANNOTATION_COLUMNS), *lines]) + "\n", encoding="utf-8")
    return target


_TOPICS = (
    ("memcg", "cg.memory", "memory", "mm/memcontrol.c", "memory cgroup's charge"),
    ("ovl", "fs.overlay", "filesystem", "fs/overlayfs/dir.c", "overlayfs copy up"),
    ("cpuset", "cg.cpuset", "cpu", "kernel/cpuset.c", "cpuset partition"),
    ("nvme", "", "", "drivers/nvme/host.c", "nvme namespace of a disk"),
)
_KINDS = (
    ("fix a crash of", "bug"), ("add support for", "feature"), ("clean up", "maintenance"),
    ("speed up", "performance"), ("check for errors of", "reliability"),
)  # fmt: skip


def made_up_corpus(count: int = 60) -> list[LabelledText]:
    """Changes with labels that their words tell; a third from runc, ten a year."""
    corpus = []
    for number in range(count):
        prefix, mechanism, dimension, file, what = _TOPICS[number % 4]
        words, kind = _KINDS[number % 5]
        item = Item(f"{number:039x}1", f"{prefix}: {words} thing {number}", f"The {what} is {number}.", (file,))
        mechanisms, dimensions = ((mechanism,), (dimension,)) if mechanism else ((), ())
        note = Annotation(item.id, "first", bool(mechanism), mechanisms, kind, dimensions, ())
        source, date = ("runc" if number % 3 == 0 else "linux"), f"{2000 + number // 10}-0{1 + number % 9}-01T00:00:00Z"
        corpus.append(LabelledText(item, note, source, date))
    return corpus


def write_corpus(corpus: Iterable[LabelledText], texts: Path) -> Path:
    """Write `corpus` as the user would have it: labels among his own, and a file of texts; returns that file."""
    corpus = list(corpus)
    write_labels(
        *(
            note_line(one.item.id, "own", str(int(one.note.relevant)), " ".join(one.note.mechanisms), one.note.kind,
                      " ".join(one.note.dimensions))
            for one in corpus
        )
    )  # fmt: skip
    lines = [
        json.dumps({"id": one.item.id, "title": one.item.title, "text": one.item.text, "files": one.item.files,
                    "source": one.source, "date": one.date})
        for one in corpus
    ]  # fmt: skip
    texts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return texts


class Talk:
    """A conversation with a program on a pseudo-terminal."""

    def __init__(self, words: list[str]) -> None:
        self.child, self._terminal = pty.fork()
        if self.child == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background is started with it ignored
            os.environ.update({"TERM": "dumb", "COLUMNS": "200", "LINES": "50"})
            os.execvp(words[0], words)
        self._unread = ""
        self.code: int | None = None

    def hear(self, pattern: str) -> str:
        """All that is written up to and with the first match of `pattern`; fails when the program ends before."""
        limit = time.monotonic() + 60
        while True:
            found = re.search(pattern, self._unread)
            if found:
                heard, self._unread = self._unread[: found.end()], self._unread[found.end() :]
                return heard
            assert time.monotonic() < limit, f"waited in vain for {pattern!r}: {self._unread!r}"
            assert self._read(1.0) is not False, f"it ended before {pattern!r}: {self._unread!r}"

    def say(self, line: str) -> None:
        """Type a line."""
        os.write(self._terminal, line.encode() + b"\n")

    def answer(self, *pairs: str) -> None:
        """Wait for a question, type what answers it, and so on: question, answer, question, answer."""
        for question, line in zip(pairs[::2], pairs[1::2], strict=True):
            self.hear(re.escape(question) + r"[^\n]*: ")
            self.say(line)

    def end(self) -> str:
        """Wait until the program ends, keep its exit code as `code`; returns what it still wrote."""
        limit = time.monotonic() + 60
        while self._read(1.0) is not False:
            if time.monotonic() > limit:
                os.kill(self.child, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        os.close(self._terminal)
        return self._unread

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.child, signal.SIGKILL)
        self.end()

    def _read(self, seconds: float) -> bool | None:
        """False at the end, None when nothing came."""
        if not select.select([self._terminal], [], [], seconds)[0]:
            return None
        try:
            chunk = os.read(self._terminal, 1 << 16)
        except OSError:
            return False
        self._unread += chunk.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(chunk)
