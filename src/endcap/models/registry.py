"""Models by name, imported only when asked for: a run without the network needs no torch.

A new model needs one line here; see CONTRIBUTING for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Recommender

MODELS = {
    "popular": ("endcap.models.popular", "Popular"),
    "trending": ("endcap.models.trending", "Trending"),
    "repeat": ("endcap.models.repeat", "Repeat"),
    "item_knn": ("endcap.models.neighbours.item_knn", "ItemKNN"),
    "ease": ("endcap.models.ease.model", "EASE"),
    "session_knn": ("endcap.models.neighbours.session_knn", "SessionKNN"),
    "als": ("endcap.models.als", "ALS"),
    "two_tower": ("endcap.models.two_tower.model", "TwoTower"),
    "ncf": ("endcap.models.ncf.model", "NCF"),
    "content": ("endcap.models.content.model", "Content"),
    "sequence": ("endcap.models.sequence.model", "Sequence"),
}
NAMES = tuple(MODELS)


def model_class(name: str) -> Any:
    """Return the class behind a name.

    Raises:
        SettingsError: there is no model of that name, or its library is not installed.
    """
    if name not in MODELS:
        raise SettingsError(
            f"there is no model {name!r}", where="models", mend=f"Known: {', '.join(NAMES)}"
        )
    module, attribute = MODELS[name]
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "endcap":
            raise  # a slip of ours, not a missing library
        raise SettingsError(
            f"the model {name!r} needs {error.name}, which is not installed",
            where="models",
            mend="pip install 'endcap[train]'",
        ) from error


def create(name: str, params: Mapping[str, Any] | None = None) -> Recommender:
    """Return an unfitted model of that name.

    Args:
        name: of the model.
        params: settings by name that differ from the defaults.

    Raises:
        SettingsError: a setting is unknown or its value wrong, or `model_class` says so.
    """
    model = model_class(name)()
    if not params:
        return cast("Recommender", model)
    config = getattr(model, "config", None)
    if not isinstance(config, BaseModel):
        raise SettingsError(f"the model {name!r} has no settings", where=f"training.params.{name}")
    try:
        settings = type(config).model_validate(_merged(config, params))
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{setting}: {first['msg']}",
            where=f"training.params.{name}",
            mend=f"Known: {', '.join(type(config).model_fields)}",
        ) from error
    return cast("Recommender", type(model)(settings))


def load(name: str, folder: Path) -> Recommender:
    """Return the model of that name as it was saved into the folder."""
    return cast("Recommender", model_class(name).load(folder))


def params(model: Recommender) -> dict[str, Any]:
    """Return the settings of a model as JSON values; empty for one without a pydantic `config`."""
    config = getattr(model, "config", None)
    return config.model_dump(mode="json") if isinstance(config, BaseModel) else {}


def _merged(config: BaseModel, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings with those that differ; within a group too, what is not named stays."""
    whole = config.model_dump(exclude_unset=True)  # what nobody set may follow from the data
    for name, value in params.items():
        group = getattr(config, name, None)
        if isinstance(group, BaseModel) and isinstance(value, Mapping):
            whole[name] = _merged(group, value)
        else:
            whole[name] = value
    return whole
