"""All settings in one place: flags > ENDCAP_SECTION__KEY > endcap.toml > defaults.

Only `cli.py` reads this; rooms are handed values. A misspelt name is an error, never ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from endcap.evaluation.verdicts.config import GateConfig
from endcap.features.weights import KindWeights
from endcap.ingest.config import IngestConfig
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.schema.errors import SettingsError
from endcap.serving.config import ServingConfig
from endcap.stores.config import StoresConfig
from endcap.training.config import EvaluationConfig, TrainingConfig

PREFIX = "ENDCAP_"
DEFAULT_FILE = Path("endcap.toml")
NOT_SETTINGS = frozenset({"ENDCAP_CONFIG", "ENDCAP_TEST_DATA", "ENDCAP_REQUIRE_SERVICES"})
"""Variables with our prefix that say where settings or test data lie, not what they are."""


class Settings(BaseSettings):
    """Every setting of Endcap; a section belongs to the room of its name, `kinds` to features."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    var: Path = Field(
        Path("./var"), description="Folder for snapshots, models, bundles and downloads."
    )
    stores: StoresConfig = StoresConfig()
    ingest: IngestConfig = IngestConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    kinds: KindWeights = KindWeights()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    gate: GateConfig = GateConfig()
    serving: ServingConfig = ServingConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, strongest first; a `.env` file is not one of them."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_file())
        return init_settings, env_settings, file_secret_settings, toml


def load_settings(*, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings in force.

    Args:
        overrides: what flags said, by section: `{"serving": {"port": 9000}}`.

    Raises:
        SettingsError: a name is unknown or a value is wrong; names the setting and its source.
    """
    _refuse_unknown_variables()
    try:
        return Settings(**dict(overrides or {}))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{_file()} is not TOML: {error}", where=str(_file())) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting {name}: {first['msg']}",
            where=f"flags, {PREFIX}{name.upper().replace('.', '__')} or {_file()}",
            mend="See docs/reference/settings.md for every name and its meaning",
        ) from error


def _file() -> Path:
    named = os.environ.get("ENDCAP_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(
            "the settings file does not exist",
            where=f"ENDCAP_CONFIG={named}",
            mend="Name an existing TOML file or unset the variable",
        )
    return Path(named) if named else DEFAULT_FILE


def _refuse_unknown_variables() -> None:
    # pydantic-settings ignores ENDCAP_SERVNG__PORT in silence, even with extra="forbid".
    sections = {name.upper() for name in Settings.model_fields}
    for variable in sorted(os.environ):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS:
            continue
        section = variable.removeprefix(PREFIX).split("__")[0]
        if section not in sections:
            raise SettingsError(
                f"environment variable {variable} matches no setting",
                where=f"section {section}",
                mend=f"Sections: {', '.join(sorted(sections))}",
            )
