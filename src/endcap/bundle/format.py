"""What a bundle holds, stated once for the writer and the reader.

How it lies on disk is `write.py`'s and `read.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from endcap.features.history import History
from endcap.features.unsettled import Unsettled
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights
from endcap.schema.errors import BundleError
from endcap.schema.types import NO_ITEM, Timestamps

FORMAT = 2
MANIFEST = "manifest.json"
CATALOGUE = "catalogue.jsonl"
USER_TOWER = "user_tower.onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleParts:
    """Everything that serving needs to know, as arrays and text.

    Times are data time: UTC microseconds on the timeline of the interactions. What a bundle was
    made without is None, and serving copes.

    catalogue: aligned with item indices; the keys item_id, name, department, category, brand,
        price, currency, image_url, is_available; any value but item_id may be None.
    department, category: codes into `*_names`, -1 where unknown; price: NaN where unknown.
    history, unsettled: what each user is interested in, as `features.unsettled.settle` parts it.
    kinds, kind_weights: the kinds of interaction that were learnt from, and what an event of each
        kind weighs, there and live.
    history_kind_verb: what most interactions are: "bought", "reviewed", "viewed".
    told: those of them that the verb is true of, each counting one: what is told to a visitor;
        None where that is the history itself.
    bought: the purchases, each counting one, where the verb is another one and there are some.
    popular_counts, trending_counts: `features.popularity.decayed_counts` with `decay_origin_us`.
    first_seen_us: `features.popularity.first_seen`.
    neighbour_items, neighbour_sims: shape (n_items, n_neighbours), best first, -1 and 0 padded.
    user_tower_onnx: inputs `history_vectors` (batch, length, d) and `history_weights`
        (batch, length) and, where the network sees it, `user_context` (batch, n_context); output
        `user_vector` (batch, d).
    blend_weights: weight of each source in the rank fusion of "Recommended for you".
    clock_shift_us: wall time minus data time; what was last week in the data is last week live.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    catalogue: Sequence[Mapping[str, Any]] = field(repr=False)
    department: NDArray[np.int32]
    department_names: Sequence[str]
    category: NDArray[np.int32]
    category_names: Sequence[str]
    price: NDArray[np.float32]
    is_available: NDArray[np.bool_]
    history: History = field(repr=False)
    popular_counts: NDArray[np.float64]
    popular_half_life_days: float
    decay_origin_us: int
    data_end_us: int
    clock_shift_us: int
    unsettled: Unsettled | None = field(default=None, repr=False)
    kinds: Sequence[str] = ()
    kind_weights: KindWeights = DEFAULT_WEIGHTS
    told: History | None = field(default=None, repr=False)
    bought: History | None = field(default=None, repr=False)
    history_kind_verb: str = "bought"
    repeat_half_life_days: float = 60.0  # where `repeat` was not trained, as its default
    repeat_frequency_power: float = 1.0
    trending_counts: NDArray[np.float64] | None = None
    trending_half_life_days: float = 7.0
    first_seen_us: Timestamps | None = None
    neighbour_items: NDArray[np.int32] | None = None
    neighbour_sims: NDArray[np.float32] | None = None
    knn_half_life_days: float = 30.0
    knn_visit_power: float = 0.0  # as bundles of earlier releases were trained
    als_item_factors: NDArray[np.float32] | None = None
    als_reg: float = 0.1
    als_alpha: float = 1.0
    als_half_life_days: float = 90.0
    tower_item_vectors: NDArray[np.float32] | None = None
    user_tower_onnx: bytes | None = field(default=None, repr=False)
    tower_half_life_days: float = 30.0
    tower_max_history: int = 100
    blend_weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_users(self) -> int:
        """How many users the history knows."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """How many items the catalogue has, available or not."""
        return len(self.item_ids)

    @property
    def told_history(self) -> History:
        """The interactions of the kind that `history_kind_verb` names, each counting one."""
        return self.history if self.told is None else self.told

    @property
    def bought_history(self) -> History | None:
        """The purchases of each user, each counting one; None where there are none."""
        return self.told_history if self.history_kind_verb == "bought" else self.bought


class ArraySpec(NamedTuple):
    """One array of a bundle: where it is, its type, and the names of its dimensions."""

    path: str
    dtype: str
    dims: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return self.path.replace(".", "_") + ".npy"

    def of(self, parts: BundleParts) -> NDArray[Any] | None:
        """Return the array itself; None where the bundle is made without it."""
        part: Any = parts
        for name in self.path.split("."):
            part = getattr(part, name) if part is not None else None
        array: NDArray[Any] | None = part
        return array


def _history_specs(name: str, n_pairs: str) -> tuple[ArraySpec, ...]:
    return (
        ArraySpec(f"{name}.indptr", "int64", ("n_users + 1",)),
        ArraySpec(f"{name}.items", "int32", (n_pairs,)),
        ArraySpec(f"{name}.counts", "float32", (n_pairs,)),
        ArraySpec(f"{name}.first_ts", "int64", (n_pairs,)),
        ArraySpec(f"{name}.last_ts", "int64", (n_pairs,)),
    )


HISTORIES = ("history", "told", "bought")
UNSETTLED = (
    ArraySpec("unsettled.indptr", "int64", ("n_users + 1",)),
    ArraySpec("unsettled.items", "int32", ("n_unsettled",)),
    ArraySpec("unsettled.kinds", "uint8", ("n_unsettled",)),
    ArraySpec("unsettled.weights", "float32", ("n_unsettled",)),
    ArraySpec("unsettled.ts", "int64", ("n_unsettled",)),
)
ARRAYS = (
    ArraySpec("department", "int32", ("n_items",)),
    ArraySpec("category", "int32", ("n_items",)),
    ArraySpec("price", "float32", ("n_items",)),
    ArraySpec("is_available", "bool", ("n_items",)),
    *(spec for name in HISTORIES for spec in _history_specs(name, f"n_{name}_pairs")),
    *UNSETTLED,
    ArraySpec("popular_counts", "float64", ("n_items",)),
    ArraySpec("trending_counts", "float64", ("n_items",)),
    ArraySpec("first_seen_us", "int64", ("n_items",)),
    ArraySpec("neighbour_items", "int32", ("n_items", "n_neighbours")),
    ArraySpec("neighbour_sims", "float32", ("n_items", "n_neighbours")),
    ArraySpec("als_item_factors", "float32", ("n_items", "als_size")),
    ArraySpec("tower_item_vectors", "float32", ("n_items", "tower_size")),
)
"""The arrays that training hands over."""

DERIVED = (
    ArraySpec("name_code", "int32", ("n_items",)),
    ArraySpec("shoppers_indptr", "int64", ("n_items + 1",)),
    ArraySpec("shoppers_users", "int32", ("n_told_pairs",)),
    ArraySpec("shoppers_last_ts", "int64", ("n_told_pairs",)),
    ArraySpec("catalogue_offsets", "int64", ("n_items + 1",)),
)
"""What the writer works out once, so that opening a bundle stays quick; see `read.Bundle`."""

TEXTS = ("user_ids", "item_ids", "department_names", "category_names")
"""Lists of text, one JSON file each."""

SCALARS = (
    "popular_half_life_days",
    "decay_origin_us",
    "data_end_us",
    "kinds",
    "kind_weights",
    "history_kind_verb",
    "repeat_half_life_days",
    "repeat_frequency_power",
    "trending_half_life_days",
    "knn_half_life_days",
    "knn_visit_power",
    "als_reg",
    "als_alpha",
    "als_half_life_days",
    "tower_half_life_days",
    "tower_max_history",
    "blend_weights",
)
"""Single values, under `parameters` in the manifest (`clock_shift_us` has its own place there)."""

EARLIER_SCALARS = {"knn_visit_power": 0.0}
"""What bundles of earlier releases do not say of themselves, and was so in them."""


def check_parts(parts: BundleParts) -> None:
    """Raise `BundleError` unless all parts fit together; it names the part that does not.

    Cost: one pass over the index arrays.
    """
    _check_shapes(parts)
    for name in ("user_ids", "item_ids"):
        ids = getattr(parts, name)
        if len(set(ids)) != len(ids):
            raise BundleError("an id occurs twice", where=name, mend="Give each id one index")
    if len(parts.catalogue) != parts.n_items:
        raise BundleError(
            f"{len(parts.catalogue)} entries for {parts.n_items} items", where="catalogue"
        )
    for index, (entry, item_id) in enumerate(zip(parts.catalogue, parts.item_ids, strict=True)):
        if entry.get("item_id") != item_id:
            raise BundleError(
                f"entry {index} is of {entry.get('item_id')!r}, not of {item_id!r}",
                where="catalogue",
                mend="Order the catalogue by item index",
            )
    _check_codes("department", parts.department, len(parts.department_names))
    _check_codes("category", parts.category, len(parts.category_names))
    _check_histories(parts)
    if parts.neighbour_items is not None:
        _check_codes("neighbour_items", parts.neighbour_items, parts.n_items)
    for one, other in (
        ("neighbour_items", "neighbour_sims"),
        ("tower_item_vectors", "user_tower_onnx"),
    ):
        if (getattr(parts, one) is None) != (getattr(parts, other) is None):
            raise BundleError(f"{one} and {other} come together or not at all", where=one)


def _check_histories(parts: BundleParts) -> None:
    for spec in ARRAYS:
        items = spec.of(parts) if spec.path.endswith(".items") else None
        if items is not None:
            _check_codes(spec.path, items, parts.n_items, lowest=0)
    if parts.history.refused is not None:
        raise BundleError(
            "refusals are among the unsettled events, not in the history",
            where="history",
            mend="Make both with features.unsettled.settle",
        )


def _check_shapes(parts: BundleParts) -> None:
    sizes = {
        "n_items": parts.n_items,
        "n_items + 1": parts.n_items + 1,
        "n_users + 1": parts.n_users + 1,
    }
    for spec in ARRAYS:
        array = spec.of(parts)
        if array is None:
            continue
        if array.dtype != spec.dtype:
            raise BundleError(f"{array.dtype} where {spec.dtype} belongs", where=spec.path)
        if array.ndim != len(spec.dims):
            raise BundleError(f"{array.ndim} dimensions, not {len(spec.dims)}", where=spec.path)
        for dim, size in zip(spec.dims, array.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise BundleError(f"{dim} is {size}, elsewhere {sizes[dim]}", where=spec.path)


def _check_codes(name: str, codes: NDArray[np.int32], end: int, *, lowest: int = NO_ITEM) -> None:
    if codes.size and not (lowest <= codes.min() and codes.max() < end):
        raise BundleError(
            f"codes run from {codes.min()} to {codes.max()}, but only {end} are known", where=name
        )
