"""A fitted model as a folder: its settings as JSON, its arrays as npz, and no pickle.

Networks go beside it as safetensors; that is `two_tower.py`'s affair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from endcap.features.history import History, Refused
from endcap.schema.errors import DataError, NotFittedError

FORMAT = 1
CONFIG = "model.json"
ARRAYS = "arrays.npz"

_HISTORY = ("indptr", "items", "counts", "first_ts", "last_ts")

Config = TypeVar("Config", bound=BaseModel)


def require_fitted(model: object, attribute: str) -> None:
    """Raise `NotFittedError` unless the model has the attribute that `fit` sets."""
    if not hasattr(model, attribute):
        raise NotFittedError(
            f"{type(model).__name__} is not fitted", mend="Call fit, or load a saved one"
        )


def save_state(
    folder: Path,
    *,
    model: str,
    config: BaseModel,
    arrays: Mapping[str, NDArray[Any]],
    numbers: Mapping[str, int] | None = None,
    history: History | None = None,
) -> None:
    """Write a fitted model into an existing folder.

    Args:
        folder: where to.
        model: name of the class; `load_state` checks it.
        config: the settings it was fitted with.
        arrays: learnt arrays by name.
        numbers: learnt integers by name.
        history: what each user had, kept under names with a prefix of its own.
    """
    record = {
        "format": FORMAT,
        "model": model,
        "config": config.model_dump(mode="json"),
        "numbers": dict(numbers or {}),
    }
    (folder / CONFIG).write_text(json.dumps(record, indent=2) + "\n")
    kept = dict(arrays)
    if history is not None:
        kept |= {f"history.{name}": getattr(history, name) for name in _HISTORY}
        if history.refused is not None:
            kept["refused.indptr"] = history.refused.indptr
            kept["refused.items"] = history.refused.items
    with (folder / ARRAYS).open("wb") as file:
        np.savez(file, allow_pickle=False, **kept)


def load_state(
    folder: Path, *, model: str, config: type[Config]
) -> tuple[Config, dict[str, NDArray[Any]], dict[str, int]]:
    """Return the settings, arrays and numbers that `save_state` wrote.

    Raises:
        DataError: the folder holds no model, another model, or one of an unknown format.
    """
    try:
        record = json.loads((folder / CONFIG).read_text())
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(
            f"there is no readable model: {error}", where=str(folder), mend="Train again"
        ) from error
    if record.get("format") != FORMAT or record.get("model") != model:
        raise DataError(
            f"the folder does not hold a {model} of this version",
            where=str(folder),
            mend="Train again with this release",
        )
    try:
        settings = config.model_validate(record["config"])
    except ValidationError as error:
        raise DataError(
            f"the saved settings of {model} do not fit this release: {error}",
            where=str(folder),
            mend="Train again with this release",
        ) from error
    return settings, arrays, record["numbers"]


def saved_history(arrays: Mapping[str, NDArray[Any]]) -> History:
    """Return the history among saved arrays."""
    refused = None
    if "refused.items" in arrays:
        refused = Refused(arrays["refused.indptr"], arrays["refused.items"])
    return History(**{name: arrays[f"history.{name}"] for name in _HISTORY}, refused=refused)
