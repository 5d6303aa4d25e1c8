"""Labelling beside spaCy's own tokenizer and text classifier, on the changes of a database.

    python benchmarks/labels.py /path/to/kminer.db [--rounds 3]

`kminer classify --jsonl` with and without the model (start-up, reading and writing of lines included), beside a blank
English pipeline (its tokenizer alone) and one with spaCy's TextCatEnsemble (untrained: it takes as long) in one process
on the same texts; then `kminer classify` on a copy of the database, and again with nothing new.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import Run, in_turn, measure, print_runs

PEER = """
import json, sys, spacy
nlp = spacy.blank("en")
if sys.argv[2] == "ensemble":
    nlp.add_pipe("textcat_multilabel").add_label("a")
    for index in range(45):
        nlp.get_pipe("textcat_multilabel").add_label(str(index))
    nlp.initialize()
for _ in nlp.pipe((json.loads(line)["text"] for line in open(sys.argv[1])), batch_size=64):
    pass
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "changes.jsonl"
        count = _write(given.database, lines)
        kminer = [sys.executable, "-m", "kminer", "-q"]

        def stream(*options: str) -> Callable[[], Run]:
            shell = f"{' '.join(kminer)} classify --jsonl {' '.join(options)} < {lines}"
            return lambda: measure(["sh", "-c", shell])

        def store(again: bool) -> Run:
            copy = folder / "copy.db"
            if not again:
                shutil.copy(given.database, copy)
            return measure([*kminer, "--db", str(copy), "classify", *([] if again else ["--full"])])

        results = in_turn(
            {
                "kminer, rules": stream("--no-model"),
                "kminer, rules and model": stream(),
                "kminer classify, whole database": lambda: store(False),
                "kminer classify, nothing new": lambda: store(True),
                "spaCy, tokenizer alone": lambda: measure([sys.executable, "-c", PEER, str(lines), "tokens"]),
                "spaCy, TextCatEnsemble": lambda: measure([sys.executable, "-c", PEER, str(lines), "ensemble"]),
            },
            given.rounds,
        )
        print_runs(results)
        print(f"\n{count:,} changes; changes a second, start-up included, median:")
        for label, runs in results.items():
            middle = sorted(run.wall for run in runs)[len(runs) // 2]
            print(f"  {label:34} {count / middle:9,.0f}")


def _write(database: Path, lines: Path) -> int:
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    files: dict[int, list[str]] = {}
    for number, path in db.execute("SELECT change_id, path FROM change_paths"):
        files.setdefault(number, []).append(path)
    count = 0
    with lines.open("w", encoding="utf-8") as out:
        for number, key, title, text in db.execute("SELECT id, key, title, text FROM changes"):
            out.write(json.dumps({"id": key, "title": title, "text": text, "files": files.get(number, [])}) + "\n")
            count += 1
    return count


if __name__ == "__main__":
    main()
