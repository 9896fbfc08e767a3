"""What the two-tower model knows of each item: attributes, price band, text, popularity.

Histories and baskets are `learning/baskets.py`'s affair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.popularity import decayed_counts, last_price
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.vectors import unit_rows
from endcap.schema.dataset import Dataset, Items

SMOOTHING = 0.5
MIN_LOG_Q = -5.0

POPULARITY_SHARE = 0.3
"""Length of the part of an item's vector that carries popularity; the whole has length one."""
SIMILARITY_SHARE = float(np.sqrt(1 - POPULARITY_SHARE**2))


@dataclass(frozen=True, slots=True)
class TowerInputs:
    """What the item tower sees of each item, and how popular it was when.

    ids: int64, shape (n_items,); 0 for items without an embedding of their own.
    codes: int64, shape (n_items, n_columns); 0 where unknown.
    columns: int64, shape (n_columns,): which of department, category, brand and price band they
        are; one that is the same for all items says nothing and is left out.
    known: int64, shape (n_known,): the items from which uniform negatives are drawn.
    log_q: float32, shape (n_items,): log of how much more often than a known item an item is drawn
        as a target.
    """

    ids: NDArray[np.int64]
    codes: NDArray[np.int64]
    columns: NDArray[np.int64]
    known: NDArray[np.int64]
    log_q: NDArray[np.float32]

    def n_codes(self) -> list[int]:
        """Return the size of each attribute's table."""
        return [int(n) + 1 for n in self.codes.max(axis=0, initial=0)]


def build_inputs(
    data: Dataset,
    config: TwoTowerConfig,
    *,
    target_weight: NDArray[np.float64],
    before: TowerInputs | None = None,
) -> TowerInputs:
    """Return the inputs of the item tower, from the data of the fit alone.

    Args:
        data: what is fitted.
        config: of the model.
        target_weight: how often each item is drawn as a target, but for a factor; (n_items,).
        before: those of an earlier fit: what had an embedding keeps its number, what is new comes
            after it, and the attributes are the same.
    """
    n_events = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    ids = np.zeros(data.n_items, dtype=np.int64)
    if before is not None:
        ids[: len(before.ids)] = before.ids
    is_new = (n_events >= config.min_events) & (ids == 0)
    ids[is_new] = ids.max(initial=0) + np.arange(1, np.count_nonzero(is_new) + 1)
    codes = _attributes(data, config)
    columns = np.flatnonzero((codes != codes[:1]).any(axis=0))
    if before is not None:
        columns = before.columns
    known = np.flatnonzero(n_events)
    share = target_weight * (len(known) / max(target_weight.sum(), 1e-9))
    log_q = np.log(np.maximum(share, np.exp(MIN_LOG_Q))).astype(np.float32)
    return TowerInputs(
        ids=ids,
        codes=codes[:, columns],
        columns=columns.astype(np.int64),
        known=known.astype(np.int64),
        log_q=log_q,
    )


def _attributes(data: Dataset, config: TwoTowerConfig) -> NDArray[np.int64]:
    attributes = [data.items.department, data.items.category, data.items.brand]
    columns = [codes.astype(np.int64) + 1 for codes in attributes]
    columns.append(price_bands(data, n_bands=config.n_price_bands))
    return np.stack(columns, axis=1)


def price_bands(data: Dataset, *, n_bands: int) -> NDArray[np.int64]:
    """Return the price band of each item within its category, from 1 (cheap); 0 if unknown.

    Prices are those last paid in the data of the fit, so nothing later is seen. Within the fit an
    early basket meets the band of a later price: harmless, a band seldom changes.
    """
    bands = np.zeros(data.n_items, dtype=np.int64)
    price, category = last_price(data.interactions, data.n_items), data.items.category
    priced = np.flatnonzero(np.isfinite(price))
    if n_bands == 0 or len(priced) == 0:
        return bands
    order = priced[np.lexsort((price[priced], category[priced]))]
    codes = category[order]
    is_first = np.append(True, codes[1:] != codes[:-1])
    starts = np.flatnonzero(is_first)
    sizes = np.diff(np.append(starts, len(order)))
    run = np.cumsum(is_first) - 1
    bands[order] = 1 + (np.arange(len(order)) - starts[run]) * n_bands // sizes[run]
    return bands


def text_inputs(items: Items) -> NDArray[np.float32] | None:
    """Return the items' text vectors at length one, shape (n_items, d); None where there are none.

    Zeros where an item has no text.
    """
    return None if items.text is None else unit_rows(items.text)


def log_popularity(data: Dataset, *, half_life_days: float) -> NDArray[np.float32]:
    """Return the log of each item's decayed count at the end of the data, shape (n_items,)."""
    counts = decayed_counts(
        data.interactions.item_idx,
        data.interactions.ts,
        n_items=data.n_items,
        half_life_days=half_life_days,
        origin_us=data.end_us,
        weights=data.interactions.weight,
    )
    return np.log(counts + SMOOTHING).astype(np.float32)


def add_popularity(
    vectors: NDArray[np.float32],
    popularity: NDArray[np.float32],
    *,
    weight: float,
    temperature: float,
) -> tuple[NDArray[np.float32], float]:
    """Return item vectors that carry popularity too, and what a user's vector must pull on it.

    With a = `SIMILARITY_SHARE` and a user vector (u, pull, 0), the inner product with
    (a v, height, rest) is a times u.v + temperature * weight * (popularity - its minimum): the
    logits of the training plus weight * popularity, but for a factor and a constant. `rest` only
    makes the length one, so that cosine and inner product rank alike.

    Args:
        vectors: of length one, shape (n_items, d).
        popularity: `log_popularity`, shape (n_items,).
        weight: of it among the logits.
        temperature: by which the cosine is divided among the logits.

    Returns:
        vectors of length one, shape (n_items, d + 2), and the pull.
    """
    lowest = popularity.min(initial=np.inf)
    span = float(popularity.max(initial=-np.inf) - lowest)
    if weight == 0 or not span > 0:
        height, pull = np.zeros(len(vectors)), 0.0
    else:
        height = POPULARITY_SHARE * (popularity.astype(np.float64) - lowest) / span
        pull = SIMILARITY_SHARE * temperature * weight * span / POPULARITY_SHARE
    rest = np.sqrt(np.maximum(POPULARITY_SHARE**2 - height**2, 0.0))
    whole = np.concatenate([SIMILARITY_SHARE * vectors, np.stack([height, rest], axis=1)], axis=1)
    return whole.astype(np.float32), float(pull)
