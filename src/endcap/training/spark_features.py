"""The features of a snapshot on Apache Spark: reckoned in parts, by the functions of `features`.

No feature is defined here; a part of the users or items gives the same bits as all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from endcap.features.point_in_time import (
    ItemFeatures,
    UserFeatures,
    item_features,
    placed_in_shop,
    totals_of,
    user_features,
)
from endcap.features.spec import FeatureSpec
from endcap.features.taste import Taste
from endcap.features.weights import KindWeights, interaction_weights
from endcap.schema.columns import KIND_CODES
from endcap.schema.dataset import Interactions, Items

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SPARK_TYPES = {
    "int8": "TINYINT",
    "int32": "INT",
    "int64": "BIGINT",
    "float32": "FLOAT",
}
_COLUMNS = ("user_idx", "item_idx", "kind", "value", "price", "ts")


@dataclass(frozen=True, slots=True)
class Moment:
    """What every part is told.

    items: the whole catalogue.
    at_us: only what happened strictly before counts.
    spec: windows, half-lives and bands.
    weights: of the kinds, relative to those that occur; None to count every event alike.
    """

    items: Items
    at_us: int
    spec: FeatureSpec
    weights: KindWeights | None = None


def features_on_spark(
    session: SparkSession,
    files: Sequence[Path],
    moment: Moment,
    *,
    n_users: int,
    n_parts: int = 16,
) -> tuple[UserFeatures, ItemFeatures]:
    """Return the features of all users and items, the same bits as on one machine.

    Args:
        session: whose workers have Python with this package; they see the files at the same place.
        files: the interactions of a snapshot.
        moment: when, and what else every part is told; `weights` are made relative here.
        n_users: users of the snapshot.
        n_parts: how many parts users and items are cut into.

    Cost: two shuffles of the interactions; the driver holds the features, not the interactions.
    """
    rows = session.read.parquet(*(path.resolve().as_uri() for path in files))
    if moment.weights is not None:
        codes = {int(code) for (code,) in rows.select("kind").distinct().collect()}
        kinds = [kind for kind, code in KIND_CODES.items() if code in codes]
        moment = replace(moment, weights=moment.weights.relative_to(kinds))
    items = _items(rows, moment, n_parts=n_parts)
    totals = totals_of(items, moment.items, spec=moment.spec)
    items = placed_in_shop(items, moment.items, totals)

    def of_users(part: Interactions, users: NDArray[np.int32]) -> UserFeatures:
        return user_features(
            part,
            moment.items,
            users=users,
            at_us=moment.at_us,
            spec=moment.spec,
            totals=totals,
        )

    blank = of_users(_interactions(None, moment), np.arange(n_users, dtype=np.int32))
    found = _by_part(rows, "user_idx", of_users, blank, moment, n_parts=n_parts)
    columns = _filled(blank, found, "user_idx")
    taste = _tastes(found["user_idx"], found["taste_code"], found["taste_share"], n_users=n_users)
    return UserFeatures(**columns, taste=taste), items


def _items(rows: DataFrame, moment: Moment, *, n_parts: int) -> ItemFeatures:
    """Return what the items' own events say."""

    def of_items(part: Interactions, item_idx: NDArray[np.int32]) -> ItemFeatures:
        return item_features(
            part, moment.items, at_us=moment.at_us, spec=moment.spec, item_idx=item_idx
        )

    everything = np.arange(len(moment.items), dtype=np.int32)
    blank = of_items(_interactions(None, moment), everything)
    found = _by_part(rows, "item_idx", of_items, blank, moment, n_parts=n_parts)
    return ItemFeatures(**_filled(blank, found, "item_idx"))


def _by_part(
    rows: DataFrame,
    key: str,
    reckon: Callable[[Interactions, NDArray[np.int32]], Any],
    blank: UserFeatures | ItemFeatures,
    moment: Moment,
    *,
    n_parts: int,
) -> dict[str, Any]:
    """Return the columns that `reckon` gives for the parts, one after another in any order."""
    schema = ", ".join(
        f"{name} {_SPARK_TYPES[values.dtype.name]}" for name, values in _arrays(blank).items()
    )
    if isinstance(blank, UserFeatures):
        schema += ", taste_code ARRAY<INT>, taste_share ARRAY<FLOAT>"

    def reckon_part(table: Any) -> Any:
        pa: Any = import_module("pyarrow")
        part = _interactions(table, moment)
        owners = part.user_idx if key == "user_idx" else part.item_idx
        made = reckon(part, np.unique(owners))
        columns = {name: pa.array(values) for name, values in _arrays(made).items()}
        if isinstance(made, UserFeatures):
            ends = pa.array(made.taste.indptr.astype(np.int32))
            columns["taste_code"] = pa.ListArray.from_arrays(ends, pa.array(made.taste.code))
            columns["taste_share"] = pa.ListArray.from_arrays(ends, pa.array(made.taste.share))
        return pa.table(columns)

    parts = rows.selectExpr(*_COLUMNS, "position", f"{key} % {n_parts} AS part")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a pandas that is not used here
        found = parts.groupBy("part").applyInArrow(reckon_part, schema=schema).toArrow()
    return {
        name: found[name].to_pylist()
        if name.startswith("taste_")
        else found[name].to_numpy(zero_copy_only=False)
        for name in found.column_names
    }


def _interactions(table: Any, moment: Moment) -> Interactions:
    """Return the rows of an Arrow table as `load_dataset` would; none for None."""
    if table is None:
        empty = {name: np.zeros(0) for name in _COLUMNS}
        columns, order = empty, np.zeros(0, dtype=np.int64)
    else:
        columns = {
            name: table[name].to_numpy(zero_copy_only=False) for name in (*_COLUMNS, "position")
        }
        order = np.lexsort((columns["position"], columns["ts"]))
    kind = columns["kind"][order].astype(np.uint8)
    value = columns["value"][order].astype(np.float32)
    return Interactions(
        user_idx=columns["user_idx"][order].astype(np.int32),
        item_idx=columns["item_idx"][order].astype(np.int32),
        kind=kind,
        value=value,
        price=columns["price"][order].astype(np.float32),
        ts=columns["ts"][order].astype(np.int64),
        weight=None if moment.weights is None else interaction_weights(kind, value, moment.weights),
    )


def _arrays(features: UserFeatures | ItemFeatures) -> dict[str, NDArray[Any]]:
    names = [part.name for part in fields(features) if part.name != "taste"]
    return {name: getattr(features, name) for name in names}


def _filled(
    blank: UserFeatures | ItemFeatures, found: dict[str, Any], key: str
) -> dict[str, NDArray[Any]]:
    """Return the columns of everybody: what was found, else what somebody without events has."""
    columns = _arrays(blank)
    for name, values in columns.items():
        values[found[key]] = found[name]
    return columns


def _tastes(
    users: NDArray[np.int32],
    codes: Sequence[Sequence[int]],
    shares: Sequence[Sequence[float]],
    *,
    n_users: int,
) -> Taste:
    n_each = np.zeros(n_users, dtype=np.int64)
    n_each[users] = [len(one) for one in codes]
    order = np.argsort(users)
    return Taste(
        indptr=np.concatenate(([0], np.cumsum(n_each))).astype(np.int64),
        code=np.array([code for row in order for code in codes[row]], dtype=np.int32),
        share=np.array([share for row in order for share in shares[row]], dtype=np.float32),
    )
