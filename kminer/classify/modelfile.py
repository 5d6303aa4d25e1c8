"""Where the trained model lies, and which it is, without loading it."""

from __future__ import annotations

import json
from pathlib import Path

from kminer import places
from kminer.errors import ModelError

INSTEAD = "Train one with `kminer train`, label by rules alone with --no-model, or install kminer again."


def model_folder() -> Path:
    """The user's own model if there is one, else the shipped one."""
    own = places.own("data") / "model"
    return own if own.is_dir() else places.shipped("data") / "model"


def read_model_version() -> str:
    """The version of the model that `model_folder` names. Raises ModelError when there is none."""
    file = model_folder() / "pipeline" / "meta.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["kminer"]["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"There is no trained model that can be read: {error!r}."
        raise ModelError(told, where=str(file), next=INSTEAD) from error
