"""Tells models what the shop says of its items: vectors of the texts of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from endcap.ingest.item_texts import read_item_texts
from endcap.models import registry
from endcap.models.content.text_config import TextConfig
from endcap.models.content.text_encoder import text_vectors
from endcap.schema.dataset import Dataset
from endcap.training.config import TrainingConfig

NEED_TEXTS = frozenset({"content"})
"""Models that always learn from what the shop says of its items."""

MAY_READ_TEXTS = frozenset({"two_tower"})
"""Models that do where their setting `texts` says so."""


def with_texts(
    data: Dataset, snapshot: Path, config: TextConfig | None = None, *, cache: Path | None = None
) -> Dataset:
    """Return the data whose items have text vectors, `Items.text`.

    Args:
        data: of the snapshot.
        snapshot: its folder.
        config: how texts become vectors; the defaults when None.
        cache: a folder that keeps the vectors, so that the next time only new texts are encoded.

    Raises:
        SettingsError, DownloadError, DataError: as `text_vectors` does.
    """
    vectors = text_vectors(read_item_texts(snapshot), config, cache=cache)
    return replace(data, items=data.items.with_text(vectors))


def with_wanted_texts(
    data: Dataset,
    names: Iterable[str],
    snapshot: Path,
    *,
    cache: Path,
    config: TrainingConfig | None = None,
) -> Dataset:
    """Return the data with text vectors where one of the models learns from them.

    Args:
        data: of the snapshot.
        names: of the models.
        snapshot: its folder.
        cache: as of `with_texts`.
        config: how texts become vectors, and the settings of the models; the defaults when None.

    Raises:
        SettingsError, DownloadError, DataError: as `text_vectors` and `registry.create` do.
    """
    config = config or TrainingConfig()
    if not any(_reads_texts(name, config) for name in names):
        return data
    return with_texts(data, snapshot, config.texts, cache=cache)


def _reads_texts(name: str, config: TrainingConfig) -> bool:
    if name not in MAY_READ_TEXTS:
        return name in NEED_TEXTS
    return bool(registry.params(registry.create(name, config.params.get(name)))["texts"])
