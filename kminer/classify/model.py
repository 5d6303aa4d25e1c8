"""The trained spaCy pipeline with its combination: kept in a folder, loaded without a network."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from kminer.classify import bag, tokens
from kminer.classify.axes import AXES, Axes
from kminer.classify.combine import Combination, Floats, count_votes
from kminer.classify.features import texts
from kminer.classify.modelfile import INSTEAD
from kminer.classify.rules import RuleVotes, fingerprint
from kminer.errors import ModelError

_MANY, _KIND = "textcat_multilabel", "textcat"
_CONFIG = {"@architectures": "kminer.Bag.v1"}
_MORE = 0.15
"""A feature that adds less than this to a label's log-odds explains nothing."""


@dataclass(frozen=True, slots=True)
class Model:
    """A pipeline whose textcat_multilabel scores `axis label` and whose textcat scores kinds, and the combination."""

    nlp: Language
    combination: Combination
    axes: Axes
    meta: dict[str, Any]

    @property
    def version(self) -> str:
        """Changes when its weights do."""
        return str(self.meta["kminer"]["version"])

    def predict(self, docs: Sequence[Doc]) -> dict[str, Floats]:
        """Probabilities by axis, (docs, labels)."""
        many, kind = (_pipe(self.nlp, name).model.predict(docs) for name in (_MANY, _KIND))
        found, start = {}, 0
        for axis in AXES:
            if axis == "kind":
                found[axis] = kind
            else:
                size = len(self.axes.labels[axis])
                found[axis] = many[:, start : start + size]
                start += size
        return found

    def explain(self, doc: Doc, axis: str, label: str, most: int = 3) -> str:
        """The features of `doc` that speak most for a label, strongest first, with what they add to its log-odds."""
        name = _KIND if axis == "kind" else _MANY
        pipe = _pipe(self.nlp, name)
        place = pipe.labels.index(label if axis == "kind" else f"{axis} {label}")
        keys, added = bag.contributions(pipe.model, doc, place)
        best = [row for row in np.argsort(-added)[:most] if added[row] > _MORE]
        spelled = texts(doc) if best else {}
        return ", ".join(f"{spelled[int(keys[row])]} +{added[row]:.1f}" for row in best)


def build(axes: Axes) -> Language:
    """An untrained pipeline for these axes."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": tokens.NAME}}})
    many, kinds = _many_labels(axes), list(axes.labels["kind"])
    for name, exclusive in ((_MANY, False), (_KIND, True)):
        nlp.add_pipe(name, config={"model": _CONFIG | {"exclusive_classes": exclusive}})
    example = Example.from_dict(nlp.make_doc("empty"), {"cats": dict.fromkeys([*many, *kinds], 0.0)})
    for name, labels in ((_MANY, many), (_KIND, kinds)):
        _pipe(nlp, name).initialize(lambda: [example], nlp=nlp, labels=labels)
    return nlp


def _many_labels(axes: Axes) -> list[str]:
    """Labels of textcat_multilabel, in the order of its scores."""
    return [f"{axis} {label}" for axis in AXES if axis != "kind" for label in axes.labels[axis]]


def _pipe(nlp: Language, name: str) -> Any:
    return nlp.get_pipe(name)


def fill(nlp: Language, keys: Any, scale: Floats, weights: dict[str, Floats], bias: dict[str, Floats]) -> None:
    """Put trained weights (by axis) into a pipeline that `build` made."""
    order = [axis for axis in AXES if axis != "kind"]
    many, kind = _pipe(nlp, _MANY), _pipe(nlp, _KIND)
    bag.fill(many.model, keys, scale, np.concatenate([weights[axis] for axis in order], axis=1),
             np.concatenate([bias[axis] for axis in order]))  # fmt: skip
    bag.fill(kind.model, keys, scale, weights["kind"], bias["kind"])


def save(folder: Path, nlp: Language, combination: Combination, facts: dict[str, Any], card: str) -> None:
    """Write a model with its `card`; `facts` go into meta.json. What stood in the folder before is replaced.

    Raises ModelError when the folder cannot be written.
    """
    nlp.meta.update({"name": "kminer_labels", "version": "1", "description": "Labels of container isolation changes",
                     "license": "Apache-2.0", "sources": []})  # fmt: skip
    weights = [_pipe(nlp, name).model.layers[0].get_param("linear") for name in (_MANY, _KIND)]
    version = fingerprint(*(array.tobytes() for array in weights), combination.to_json())
    nlp.meta["kminer"] = facts | {"version": version}
    text = json.dumps(combination.to_json(), indent=1) + "\n"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            new = Path(made) / "model"
            new.mkdir()
            _set_precision(nlp, np.float16)
            nlp.to_disk(new / "pipeline", exclude=["vocab"])
            _set_precision(nlp, np.float32)
            (new / "combination.json").write_text(text, encoding="utf-8")
            (new / "README.md").write_text(card, encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
    except OSError as error:
        raise ModelError(
            f"The model cannot be written: {error.strerror}.",
            where=str(folder),
            next="Check permissions and free space, or name another folder with --out.",
        ) from error


def _set_precision(nlp: Language, kind: Any) -> None:
    for name in (_MANY, _KIND):
        layer = _pipe(nlp, name).model.layers[0]
        layer.set_param("linear", layer.get_param("linear").astype(kind))


def load(axes: Axes, folder: Path) -> Model:
    """The model in `folder`. Raises ModelError when it is missing or damaged, or was trained for other labels."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*\[W095\]")  # trained with another spaCy of the pinned range
            nlp = spacy.load(folder / "pipeline")
        combination = Combination.from_json(json.loads((folder / "combination.json").read_text(encoding="utf-8")))
        model = Model(nlp, combination, axes, nlp.meta)
        _set_precision(nlp, np.float32)
        _check_fits(model, folder)
        _check_decides(model)
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = (str(error).splitlines() or [repr(error)])[0]
        raise ModelError(f"The trained model cannot be loaded: {told}.", where=str(folder), next=INSTEAD) from error
    return model


def _check_fits(model: Model, folder: Path) -> None:
    wanted = [_many_labels(model.axes), list(model.axes.labels["kind"])]
    pipes: list[Any] = [_pipe(model.nlp, name) if name in model.nlp.pipe_names else None for name in (_MANY, _KIND)]
    have = [list(pipe.labels) if pipe else [] for pipe in pipes]
    if have != wanted:
        odd = set(chain(*wanted)) ^ set(chain(*have))
        differ = ", ".join(sorted(odd)[:6]) or "their order"
        raise ModelError(
            f"The trained model does not fit the taxonomy of data/labels.toml (different: {differ}).",
            where=str(folder),
            next=INSTEAD,
        )


def _check_decides(model: Model) -> None:
    """KeyError or ValueError unless the combination can decide on a change without votes."""
    even = {axis: np.full((1, len(model.axes.labels[axis])), 0.5, np.float32) for axis in AXES}
    decided = model.combination.decide(model.axes, count_votes(model.axes, [RuleVotes()], even, [True], [True]))
    model.combination.given(model.axes, decided, 0)
    if "only mechanism" not in model.combination.thresholds:
        raise ValueError("its combination has no threshold `only mechanism`")
