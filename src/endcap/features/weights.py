"""How much interest each kind of event shows, and what takes it back: one definition for all.

What is made of interest is `history.py`'s and `popularity.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import SettingsError
from endcap.schema.types import Timestamps

CART, REMOVE = KIND_CODES[Kind.CART], KIND_CODES[Kind.REMOVE]
N_CODES = 256
"""As many as a uint8 has; a code that this release does not know weighs nothing."""


class KindWeights(BaseModel):
    """How much an event of each kind says: above 0 interest, below 0 its opposite, 0 nothing.

    Only proportions count: the weightiest kind that the data has weighs 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    view: float = Field(0.3, ge=0, description="Interest that a view shows.")
    cart: float = Field(0.6, ge=0, description="Interest that putting into the cart shows.")
    purchase: float = Field(1.0, ge=0, description="Interest that a purchase shows.")
    rating: float = Field(
        1.0, ge=0, description="Interest that a rating shows; see `liked_from_stars`."
    )
    like: float = Field(1.0, ge=0, description="Interest that a like shows.")
    dislike: float = Field(
        -1.0, le=0, description="A dislike; below 0 the item is kept from this user, 0 ignores it."
    )
    impression: float = Field(
        0.0, ge=0, le=0, description="Being shown is no interest: no other value is taken."
    )
    remove: float = Field(
        -0.6, le=0, description="What taking out of the cart takes off the carts before it."
    )
    liked_from_stars: float = Field(
        0.0, ge=0, description="Ratings with fewer stars weigh as a dislike; 0 takes none for one."
    )

    @model_validator(mode="after")
    def _some_kind_counts(self) -> Self:
        if not any(self.of(kind) > 0 for kind in Kind):
            raise ValueError("no kind has a weight above 0, so there would be nothing to learn")
        return self

    def of(self, kind: Kind, value: float = float("inf")) -> float:
        """Return the weight of one event; `value` is the stars of a rating."""
        if kind is Kind.RATING and value < self.liked_from_stars:
            return self.dislike
        weight: float = getattr(self, kind.value)
        return weight

    def relative_to(self, kinds: Collection[Kind]) -> KindWeights:
        """Return the same weights on the scale on which the weightiest of some kinds counts 1.

        So only the proportions of the weights matter, and where there is one kind alone its weight
        does not.
        """
        largest = max((self.of(kind) for kind in kinds), default=0.0)
        if largest <= 0 or largest == 1:
            return self
        return self.model_copy(update={kind.value: self.of(kind) / largest for kind in Kind})


DEFAULT_WEIGHTS = KindWeights()


def interaction_weights(
    kind: NDArray[np.uint8], value: NDArray[np.float32], weights: KindWeights
) -> NDArray[np.float32]:
    """Return what each event says of interest, float32, shape (n,); see `KindWeights`.

    Args:
        kind: `columns.KIND_CODES`, shape (n,).
        value: the stars where it is a rating, shape (n,).
        weights: of the kinds.
    """
    by_code = np.zeros(N_CODES, dtype=np.float32)
    for one, code in KIND_CODES.items():
        by_code[code] = weights.of(one)
    found = by_code[kind]
    if weights.liked_from_stars > 0:
        is_bad = (kind == KIND_CODES[Kind.RATING]) & (value < weights.liked_from_stars)
        found[is_bad] = weights.dislike
    return found


def weigh(data: Dataset, weights: KindWeights, *, kinds: Collection[Kind] | None = None) -> Dataset:
    """Return the data with the weight of every interaction; none is dropped.

    The weights are those of `KindWeights.relative_to` some kinds. Any slice in time of the result
    is weighed alike.

    Args:
        data: interactions of any kinds.
        weights: of each kind.
        kinds: that set the scale; those that occur when None or none. Whoever is to know a past
            alone takes those of the past.

    Raises:
        SettingsError: there are interactions, but all weights of their kinds are 0 or below.
    """
    told = data.interactions
    present = told.kinds
    if present and not any(weights.of(kind) > 0 for kind in present):
        raise SettingsError(
            f"no kind in the data has a weight above 0: {', '.join(present)}",
            where="kinds",
            mend=f"Set ENDCAP_KINDS__{present[0].upper()}, or bring data of other kinds",
        )
    scaled = weights.relative_to(kinds or present)
    weight = interaction_weights(told.kind, told.value, scaled)
    return replace(data, interactions=replace(told, weight=weight))


def interest(data: Dataset) -> Dataset:
    """Return what models may learn from: interest as the interactions, refusals beside them.

    An interaction of the result has a weight above 0: a cart that was taken back later has what
    the removal left of it, or is gone. Refusals are what weighs below 0, removals aside, and was
    the user's last word on the item. What weighs 0 is dropped. Cut in time before: neither a
    removal nor a refusal may reach back over the cut.

    Args:
        data: as `weigh` returns it, or a slice of that; data without weights comes back as it is.

    Cost: a few passes; a sort of the removals.
    """
    told = data.interactions
    if told.weight is None:
        return data
    keys = pair_keys(told)
    left = take_back(keys, told.kind, told.weight, told.ts)
    is_refusal = (told.weight < 0) & (told.kind != REMOVE)
    is_refusal[is_refusal] = _stand(keys[is_refusal], told.ts[is_refusal], keys, told.ts, left)
    wanted = replace(told, weight=left)
    if not np.all(left > 0):
        wanted = wanted.take(left > 0)
    if np.all(wanted.weights == 1):
        wanted = replace(wanted, weight=None)
    return replace(
        data,
        interactions=wanted,
        refusals=told.take(is_refusal) if is_refusal.any() else None,
    )


def pair_keys(interactions: Interactions) -> NDArray[np.int64]:
    """Return one number for each user and item, ascending by user, then item; shape (n,)."""
    # Both halves are int32 by type, so it cannot overflow.
    return (interactions.user_idx.astype(np.int64) << 32) | interactions.item_idx


def take_back(
    keys: NDArray[np.integer],
    kind: NDArray[np.uint8],
    weight: NDArray[np.float32],
    ts: Timestamps,
) -> NDArray[np.float32]:
    """Return the weights once removals have taken off what they take, shape (n,).

    A removal takes its weight off every cart of the same key up to its own time, but at most all
    of it; that several removals follow a cart makes no difference, nor does the order of the
    entries. Everything else keeps its weight.

    Args:
        keys: tells users and items apart, shape (n,).
        kind: of each event, the same shape, as are the others.
        weight: of each event.
        ts: of each event, in microseconds.
    """
    removals = np.flatnonzero((kind == REMOVE) & (weight < 0))
    if len(removals) == 0:
        return weight
    removals = removals[np.lexsort((ts[removals], keys[removals]))]
    is_last = np.append(keys[removals][1:] != keys[removals][:-1], True)
    removals = removals[is_last]
    carts = np.flatnonzero(kind == CART)
    place = np.minimum(np.searchsorted(keys[removals], keys[carts]), len(removals) - 1)
    by = removals[place]
    is_removed = (keys[by] == keys[carts]) & (ts[by] >= ts[carts])
    carts, by = carts[is_removed], by[is_removed]
    left = weight.copy()
    left[carts] = np.maximum(weight[carts] + weight[by], 0)
    return left


def _stand(
    refused: NDArray[np.int64],
    refused_ts: Timestamps,
    keys: NDArray[np.int64],
    ts: Timestamps,
    weight: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return which refusals no interest in the same item follows, shape (n_refused,)."""
    some = np.unique(refused)
    rows = np.flatnonzero(weight > 0)
    rows = rows[np.isin(keys[rows], some)]
    last_us = np.full(len(some), np.iinfo(np.int64).min)
    np.maximum.at(last_us, np.searchsorted(some, keys[rows]), ts[rows])
    return refused_ts >= last_us[np.searchsorted(some, refused)]
