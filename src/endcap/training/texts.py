"""Tells models what the shop says of its items: vectors of the texts of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from endcap.ingest.item_texts import read_item_texts
from endcap.models.content.text_encoder import TextConfig, text_vectors
from endcap.schema.dataset import Dataset


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


NEED_TEXTS = frozenset({"content"})
"""Models that learn from what the shop says of its items."""


def with_wanted_texts(
    data: Dataset, names: Iterable[str], snapshot: Path, *, cache: Path
) -> Dataset:
    """Return the data with text vectors where one of the models learns from them.

    The arguments are those of `with_texts`, and the names of the models.
    """
    return with_texts(data, snapshot, cache=cache) if NEED_TEXTS & set(names) else data
