"""The tiny shop as a bundle, by plain numpy: no training library is needed.

`import shops` works in every test, because this folder holds the conftest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from endcap.bundle.format import BundleParts
from endcap.bundle.write import publish, write_bundle
from endcap.features.history import build_history
from endcap.features.popularity import decayed_counts, first_seen
from endcap.schema.types import DAY_US
from endcap.testing.shop import SHOP_END_US, TinyShop, tiny_shop

SIZE = 12
N_NEIGHBOURS = 20
SHIFT_US = 5 * 365 * DAY_US
"""The bundle's clock shift: wall time of the tests = data time + this."""

WALL_NOW_US = SHOP_END_US + SHIFT_US
"""The wall time at which the data of the tiny shop ends: a good `now` for tests."""


def make_shop() -> TinyShop:
    return tiny_shop(np.random.default_rng(11))


def shop_parts(shop: TinyShop, *, with_tower: bool = False, **changes: Any) -> BundleParts:
    """Return the parts of the shop's bundle; `changes` replaces single fields."""
    data = shop.data
    events = data.interactions
    taken = np.zeros((data.n_users, data.n_items), dtype=np.float32)
    np.add.at(taken, (events.user_idx, events.item_idx), 1.0)
    neighbour_items, neighbour_sims = cosine_neighbours(np.minimum(taken, 1.0))
    _, singular, right = np.linalg.svd(np.log1p(taken), full_matrices=False)
    factors = np.ascontiguousarray((right[:SIZE] * np.sqrt(singular[:SIZE, None])).T)
    vectors = factors / np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-9)
    counts = {
        half_life_days: decayed_counts(
            events.item_idx,
            events.ts,
            n_items=data.n_items,
            half_life_days=half_life_days,
            origin_us=data.end_us,
        )
        for half_life_days in (7.0, 90.0)
    }
    values: dict[str, Any] = {
        "user_ids": shop.user_ids,
        "item_ids": shop.item_ids,
        "catalogue": shop.catalogue,
        "department": data.items.department,
        "department_names": data.items.department_names,
        "category": data.items.category,
        "category_names": data.items.category_names,
        "price": shop.price,
        "is_available": shop.is_available,
        "history": build_history(events, data.n_users),
        "popular_counts": counts[90.0],
        "popular_half_life_days": 90.0,
        "trending_counts": counts[7.0],
        "trending_half_life_days": 7.0,
        "decay_origin_us": data.end_us,
        "data_end_us": data.end_us,
        "clock_shift_us": SHIFT_US,
        "first_seen_us": first_seen(events.item_idx, events.ts, data.n_items),
        "neighbour_items": neighbour_items,
        "neighbour_sims": neighbour_sims,
        "als_item_factors": factors.astype(np.float32),
        "blend_weights": {"item_knn": 1.0, "als": 1.0, "two_tower": 1.0},
    }
    if with_tower:
        values["tower_item_vectors"] = vectors.astype(np.float32)
        values["user_tower_onnx"] = mean_tower(SIZE)
    return BundleParts(**{**values, **changes})


def write_shop(parts: BundleParts, root: Path) -> Path:
    """Write the parts as a bundle, make it the current one, and return its folder."""
    folder = write_bundle(
        parts,
        root,
        snapshot={"snapshot_id": "tiny"},
        commit=None,
        models={"item_knn": {"n_neighbours": N_NEIGHBOURS}},
        evaluation={},
    )
    publish(folder, root)
    return folder


def cosine_neighbours(taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbours of each item by the cosine of their users, padded with -1."""
    norms = np.maximum(np.linalg.norm(taken, axis=0), 1e-9)
    sims = (taken.T @ taken) / np.outer(norms, norms)
    np.fill_diagonal(sims, 0.0)
    order = np.argsort(-sims, axis=1, kind="stable")[:, :N_NEIGHBOURS]
    near = np.take_along_axis(sims, order, axis=1)
    items = np.where(near > 0, order, -1).astype(np.int32)
    return items, np.where(near > 0, near, 0).astype(np.float32)


def mean_tower(size: int) -> bytes:
    """Return the smallest user tower: the weighted sum of the history's vectors, normalised."""
    from onnx import TensorProto, checker, helper

    def tensor(name: str, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = [
        helper.make_node("Unsqueeze", ["history_weights", "axis"], ["column"]),
        helper.make_node("Mul", ["history_vectors", "column"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "length_axis"], ["total"], keepdims=0),
        helper.make_node("LpNormalization", ["total"], ["user_vector"], axis=-1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "mean_tower",
        [
            tensor("history_vectors", ["batch", "length", size]),
            tensor("history_weights", ["batch", "length"]),
        ],
        [tensor("user_vector", ["batch", size])],
        initializer=[
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
            helper.make_tensor("length_axis", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return model.SerializeToString()
