"""The data that models learn from, as plain arrays.

A `Dataset` is what a snapshot looks like in memory; slices of it by time are again `Dataset`s,
which is how an evaluation hides the future from a model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.types import ItemIdx, Timestamps, UserIdx


@dataclass(frozen=True, slots=True)
class Interactions:
    """What happened, one entry an event, in time order.

    All arrays have shape (n,). `kind` holds `columns.KIND_CODES`; `value` is a quantity for
    purchases, the stars for ratings, 1 otherwise; `price` is the unit price paid, NaN if unknown.
    `weight` is how much interest each entry shows, None where each shows the same; it is set by
    `features.weights.weigh`.
    """

    user_idx: UserIdx
    item_idx: ItemIdx
    kind: NDArray[np.uint8]
    value: NDArray[np.float32]
    price: NDArray[np.float32]
    ts: Timestamps
    weight: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self._columns()}
        if len(lengths) != 1:
            raise ValueError(f"interaction columns differ in length: {sorted(lengths)}")
        if np.any(self.ts[1:] < self.ts[:-1]):
            raise ValueError("interactions must be sorted by ts")

    def __len__(self) -> int:
        return len(self.ts)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        columns = (self.user_idx, self.item_idx, self.kind, self.value, self.price, self.ts)
        return columns if self.weight is None else (*columns, self.weight)

    @property
    def weights(self) -> NDArray[np.float32]:
        """The weight of each entry, 1 where none is set."""
        return np.ones(len(self), dtype=np.float32) if self.weight is None else self.weight

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that occur, in the order of their codes."""
        present = set(np.unique(self.kind).tolist())
        return tuple(kind for kind, code in KIND_CODES.items() if code in present)

    def take(self, rows: slice | NDArray[np.bool_]) -> Interactions:
        """Return the chosen entries; a slice shares memory with this one."""
        return Interactions(
            user_idx=self.user_idx[rows],
            item_idx=self.item_idx[rows],
            kind=self.kind[rows],
            value=self.value[rows],
            price=self.price[rows],
            ts=self.ts[rows],
            weight=None if self.weight is None else self.weight[rows],
        )

    def between(self, start_us: int | None, end_us: int | None) -> Interactions:
        """Return the entries with start_us <= ts < end_us; None leaves that side open."""
        low = 0 if start_us is None else int(np.searchsorted(self.ts, start_us, side="left"))
        high = len(self) if end_us is None else int(np.searchsorted(self.ts, end_us, side="left"))
        return self.take(slice(low, max(low, high)))


@dataclass(frozen=True, slots=True)
class Items:
    """Catalogue attributes that models may use, as codes; shape (n_items,), -1 where unknown.

    `*_names[code]` gives the text of a code. Only attributes that were known before any
    interaction belong here: a price learnt from sales is a feature, computed at a point in time.
    `text` says what each item is in words, as a vector: float32, shape (n_items, d), rows of zeros
    where there are none; None where nobody has read the words. It is set by `with_text`.
    """

    department: NDArray[np.int32]
    category: NDArray[np.int32]
    brand: NDArray[np.int32]
    department_names: tuple[str, ...] = field(default=())
    category_names: tuple[str, ...] = field(default=())
    brand_names: tuple[str, ...] = field(default=())
    text: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.text is not None and (self.text.ndim != 2 or len(self.text) != len(self)):
            raise ValueError(f"{len(self)} items, but text vectors of shape {self.text.shape}")

    def __len__(self) -> int:
        return len(self.department)

    def with_text(self, vectors: NDArray[np.float32] | None) -> Items:
        """Return the same attributes with other text vectors, shape (n_items, d), or without.

        Raises:
            ValueError: there are vectors of another number of items.
        """
        return replace(self, text=vectors)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Interactions with the sizes and the catalogue of the snapshot they come from.

    `n_users` and `n_items` count every known id, also those without an interaction in this slice.
    `refusals` are entries that say the opposite of interest, told apart by
    `features.weights.interest`; None before that, and where there are none.
    """

    interactions: Interactions
    n_users: int
    n_items: int
    items: Items
    refusals: Interactions | None = None

    def __post_init__(self) -> None:
        if len(self.items) != self.n_items:
            raise ValueError(f"{self.n_items} items, but attributes of {len(self.items)}")

    def between(self, start_us: int | None, end_us: int | None) -> Dataset:
        """Return the same catalogue with only the interactions in start_us <= ts < end_us."""
        refusals = self.refusals
        return replace(
            self,
            interactions=self.interactions.between(start_us, end_us),
            refusals=None if refusals is None else refusals.between(start_us, end_us),
        )

    @property
    def end_us(self) -> int:
        """One microsecond after the last interaction or refusal; 0 when there is none."""
        parts = [part for part in (self.interactions, self.refusals) if part is not None]
        return max((int(part.ts[-1]) + 1 for part in parts if len(part)), default=0)
