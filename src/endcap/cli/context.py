"""What every command needs first: the settings in force, and the training rooms if installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from endcap.schema.errors import SettingsError
from endcap.settings import Settings, load_settings

TRAINING_PACKAGES = frozenset(
    {
        *("backports", "cryptography", "duckdb", "implicit", "isal", "matplotlib", "onnx"),
        *("lightgbm", "optuna", "safetensors", "scipy", "sklearn", "torch"),
    }
)

Models = Annotated[
    str, typer.Option(help="Models to fit, separated by commas; the configured ones when empty.")
]
ColumnPairs = Annotated[
    list[str] | None,
    typer.Option("--map", help="Our column = the file's column, such as user_id=reviewerID."),
]
CatalogueFile = Annotated[
    Path | None, typer.Option(help="A second file with the catalogue: item_id, name, …")
]
KCore = Annotated[
    int, typer.Option(min=0, help="Keep users and items with this many interactions; 0: all.")
]
SampleUsers = Annotated[
    int | None, typer.Option(min=1, help="Keep only this many users, chosen by their id.")
]
Engine = Annotated[
    str | None,
    typer.Option(help="local://, or a Spark master such as spark://host:7077 or local[*]."),
]
SnapshotName = Annotated[str, typer.Option(help="A snapshot id, its folder, or `latest`.")]


def settings_with(flags: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Return the settings, with what flags said on top; a flag left out (None) says nothing."""
    said = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in (flags or {}).items()
    }
    return load_settings(overrides={section: values for section, values in said.items() if values})


@contextmanager
def training_libraries() -> Iterator[None]:
    """Turn the failed import of a training library, inside the block, into advice.

    Raises:
        SettingsError: this is a serving install, which lacks them by design.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in TRAINING_PACKAGES:
            raise
        raise SettingsError(
            f"this command needs {error.name}, which a serving install leaves out",
            mend="pip install 'endcap[train]'",
        ) from error


def model_names(models: str, settings: Settings) -> tuple[str, ...]:
    """Return the models that a flag names, or the configured ones."""
    return split_names(models) or settings.training.models


def split_names(text: str) -> tuple[str, ...]:
    """Return the names of a flag, separated by commas; none when it is empty."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
