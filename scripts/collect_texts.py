"""Writes the texts of all changes labelled by hand as lines of JSON, for `kminer train` and `kminer evaluate`.

    python scripts/collect_texts.py --git linux=PATH --git docker=PATH --git runc=PATH \
        --archive cgroups-list=PATH --archive unionfs-list=PATH > texts.jsonl

--git names a clone, whose commits carry their upstream ids, or PATH:IDS with a file of "id there, upstream id" lines.
--archive names a public-inbox (v2) repository: a mail a commit, in the file m. Files of a commit are those that differ
from its first parent; of a merge none are given. What is not found is counted on standard error.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygit2

from kminer import labelbook
from kminer.history.commits import read_message, split_commit

DIFF = re.compile(r"^diff --git a/(\S+) b/", re.MULTILINE)


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--git", action="append", default=[], metavar="SOURCE=PATH[:IDS]")
    parser.add_argument("--archive", action="append", default=[], metavar="SOURCE=PATH")
    given = parser.parse_args()
    wanted, found = set(labelbook.load_annotations()), 0
    for text, read in [(one, commits) for one in given.git] + [(one, mails) for one in given.archive]:
        source, _, place = text.partition("=")
        for row in read(place, wanted):
            print(json.dumps(row | {"source": source}, ensure_ascii=False))
            wanted.discard(row["id"])
            found += 1
    print(f"{found} texts found, {len(wanted)} missing", file=sys.stderr)
    return 0 if found else 1


def commits(place: str, wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Those of the wanted commits that a clone holds."""
    path, _, ids = place.partition(":")
    repository = pygit2.Repository(path)
    for upstream, here in sorted(_ids(ids, wanted).items()):
        if here in repository:
            commit = repository[here]
            if isinstance(commit, pygit2.Commit):
                message = read_message(split_commit(repository.odb.read(here)[1]))
                yield {"id": upstream, "title": message.title, "text": message.text, "files": _files(commit),
                       "date": _day(commit)}  # fmt: skip


def _ids(file: str, wanted: set[str]) -> dict[str, str]:
    if not file:
        return {key: key for key in wanted if re.fullmatch("[0-9a-f]{40}", key)}
    opener = gzip.open if file.endswith(".gz") else open
    with opener(file, "rt") as lines:
        pairs = (line.split() for line in lines if not line.startswith("#"))
        return {pair[1]: pair[0] for pair in pairs if len(pair) == 2 and pair[1] in wanted}


def _day(commit: pygit2.Commit) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(commit.commit_time, UTC).date().isoformat()


def _files(commit: pygit2.Commit) -> list[str]:
    if len(commit.parents) > 1:
        return []
    tree = commit.tree
    diff = commit.parents[0].tree.diff_to_tree(tree) if commit.parents else tree.diff_to_tree(swap=True)
    return sorted({delta.new_file.path or delta.old_file.path for delta in diff.deltas})


def mails(place: str, wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Those of the wanted mails that an archive holds."""
    repository = pygit2.Repository(place)
    for commit in repository.walk(repository.head.target):
        tree = commit.tree
        if "m" not in tree:
            continue
        mail = email.message_from_bytes(tree["m"].data, policy=email.policy.default)
        key = str(mail["Message-ID"]).strip()
        if key not in wanted:
            continue
        body = mail.get_content() if not mail.is_multipart() else tree["m"].data.decode("utf-8", "replace")
        yield {"id": key, "title": " ".join(str(mail["Subject"]).split()), "text": body,
               "files": list(dict.fromkeys(DIFF.findall(body))), "date": _day(commit)}  # fmt: skip


if __name__ == "__main__":
    if not Path("data/annotations").is_dir():
        sys.exit("run this in a checkout of kminer")
    sys.exit(main())
