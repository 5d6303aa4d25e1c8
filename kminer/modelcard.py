"""The card that goes with a trained model: what it is made from, how right it is, and where not to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kminer.evaluationpage import summaries

Facts = Mapping[str, Any]


def card(facts: Facts, figures: Facts | None) -> str:
    """The card in Markdown; `figures` are those of `kminer evaluate --format json`."""
    sources = ", ".join(f"{name} {count:,}" for name, count in facts["sources"].items())
    labels = ", ".join(f"{len(names)} of {axis}" for axis, names in facts["labels"].items() if axis != "relevant")
    return f"""# Model card: kminer's labels

**What it does.** Scores for one change (a commit, a posted patch, a release note), from its title, message, trailers
and files, whether it is about container isolation, and its labels: {labels}. kminer's rules vote beside it, and a
combination decides.

**What it is.** A spaCy pipeline: kminer's tokenizer, a `textcat_multilabel` and a `textcat` whose architecture is a
linear layer over {facts["features"]:,} weighted features (words, pairs and parts of words, title words, prefixes,
trailers, paths, rules that hit). Method: {facts["method"]}. Seed: none is needed, the fit is convex.

**Trained on** {facts["examples"]:,} changes labelled by hand ({sources}),
the newest of {facts["newest"] or "unknown date"}. Ids that end in 0 are reserved for evaluation and are not among them.
`python scripts/collect_texts.py` gathers their texts, `kminer train --texts texts.jsonl` fits the same model again.

{_figures(figures)}
**Limits.**

- The annotators were language models that read alone and followed the guide; they are of one kind, not independent
  experts. What they get wrong alike, the model has learnt.
- `ns.time`, `ns.cgroup`, `cg.perf`, `cg.pids`, `cg.net` and `cg.rdma` have few examples: there the rules decide.
- `reliability` and `performance` are the least sure kinds; the edge of what an engine's change has to do with isolation
  (tests, documentation, dependency updates) is the least sure relevance.
- A project that it was not trained on: relevance and kind hold, mechanisms that are an engine's own (`mgmt.*`,
  `fs.driver`) do not; see the held-out projects above.
- Messages in English; Linux of 2005 to 2010 and posted patches of 2019 to 2026. What lies between was not seen.
- A message is read up to 20,000 characters, its body up to 400 words.
"""


def _figures(figures: Facts | None) -> str:
    if figures is None:
        return "**Figures** were not measured for this model: `kminer evaluate` does.\n"
    parts = ["**Figures** of the same recipe, trained on one part and tested on the other (F1 in per cent):\n"]
    for split in figures["splits"]:
        parts.append(f"{split['name']}: {split['about']}.\n")
        parts.append(summaries("labeller", [(one["labeller"], one) for one in split["labellers"]]))
    return "\n".join(parts)
