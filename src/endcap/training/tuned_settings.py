"""Tuned settings as TOML, and into the settings file: the one place where training looks."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from endcap.schema.artefacts import write_atomically
from endcap.schema.errors import SettingsError


def toml_block(model: str, params: Mapping[str, Any]) -> str:
    """Return the section of the settings file that gives a model these settings.

    A setting of None is left out, as TOML has no word for it: it must be a default.
    """
    lines = [f"{key} = {_value(value)}" for key, value in params.items() if value is not None]
    return "\n".join([_head(model), *lines]) + "\n"


def write_block(path: Path, model: str, params: Mapping[str, Any]) -> None:
    """Give a model these settings in a settings file; everything else in it stays as it is.

    A section of the model that is there already is replaced. The file is made when there is none.

    Raises:
        SettingsError: the file is not TOML, or says the settings of models in another way.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = _without(before, model).rstrip()
    after = f"{kept}\n\n{toml_block(model, params)}" if kept else toml_block(model, params)
    try:
        told = tomllib.loads(after)
        is_told = told["training"]["params"][model] == _plain(params)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise SettingsError(
            f"the settings of {model} cannot be added to the file: {error}",
            where=str(path),
            mend=f"Write there yourself: {toml_block(model, params).replace(chr(10), ' ').strip()}",
        ) from error
    if not is_told:
        raise SettingsError(
            f"the file says settings of {model} elsewhere, too", where=str(path), mend="Remove them"
        )
    write_atomically(path, after)


def _head(model: str) -> str:
    return f"[training.params.{model}]"


def _without(text: str, model: str) -> str:
    """Return the text without the section of the model, up to the next section."""
    section = re.compile(
        rf"^{re.escape(_head(model))}[^\n]*\n(?:(?!\s*\[)[^\n]*\n?)*", re.MULTILINE
    )
    return section.sub("", text)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as TOML gives them back."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value
        for key, value in params.items()
        if value is not None
    }


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = [f"{key} = {_value(part)}" for key, part in value.items() if part is not None]
        return "{ " + ", ".join(parts) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return json.dumps(value, ensure_ascii=False)
