"""The lists of all users on Apache Spark: a saved model, opened by every worker, asked in parts.

How an item gets into a list is the model's affair; a user has the list of one machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Persistent, Recommender
from endcap.schema.types import NO_ITEM, ItemIdx, UserIdx

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = "user_id STRING, item_id STRING, rank INT, score FLOAT"


def lists_on_spark(
    session: SparkSession,
    model: type[Persistent],
    folder: Path,
    out: Path,
    *,
    user_ids: Sequence[str],
    item_ids: Sequence[str],
    k: int,
    users: UserIdx | None = None,
    exclude_seen: bool = True,
    allowed: ItemIdx | None = None,
    n_parts: int = 16,
) -> int:
    """Return how many rows were written: one an item of a list, as Parquet files.

    Their columns are user_id, item_id, rank (from 1) and score; padding is left out, and the order
    of the rows means nothing. The lists are those of `recommend`, bit by bit.

    Args:
        session: whose workers have Python with this package.
        model: the class of the saved model.
        folder: where it was saved, at the same place for every worker.
        out: a folder that is not there yet, at the same place for every worker.
        user_ids: of all users, by index.
        item_ids: of all items, by index.
        k: list length.
        users: for whom; everybody when None.
        exclude_seen: as of `Recommender.recommend`.
        allowed: the items that may be shown; all when None.
        n_parts: how many parts the users are cut into; a worker asks for one after another.

    Raises:
        SettingsError: there is something at `out` already.

    Cost: each worker process opens the model once, and holds one part of the lists.
    """
    if out.exists():
        raise SettingsError(
            "there is something already", where=str(out), mend="Name a folder that is not there"
        )
    pa: Any = import_module("pyarrow")
    asked = np.arange(len(user_ids), dtype=np.int32) if users is None else users
    named = pa.table({"user": asked, "user_id": [user_ids[user] for user in asked.tolist()]})
    names = session.sparkContext.broadcast(list(item_ids))
    how: Any = {"k": k, "exclude_seen": exclude_seen, "allowed": allowed}
    where = (model.__module__, model.__qualname__, str(folder.resolve()))

    def write(batches: Iterator[Any]) -> Iterator[Any]:
        recommender = _opened(*where)
        for batch in batches:
            yield _rows(recommender, batch, names.value, **how)

    rows: Any = session.createDataFrame(named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a pandas that is not used here
        lists = rows.repartition(n_parts).mapInArrow(write, SCHEMA)
    lists.write.parquet(out.resolve().as_uri())
    return int(session.read.parquet(out.resolve().as_uri()).count())


@lru_cache(maxsize=1)
def _opened(module: str, name: str, folder: str) -> Recommender:
    """Return the saved model; a worker process keeps it for its next part."""
    model: Recommender = getattr(import_module(module), name).load(Path(folder))
    return model


def _rows(
    model: Recommender,
    batch: Any,
    item_ids: Sequence[str],
    *,
    k: int,
    exclude_seen: bool,
    allowed: ItemIdx | None,
) -> Any:
    """Return the lists of the users of a batch, an item a row, as an Arrow batch."""
    pa: Any = import_module("pyarrow")
    users = batch["user"].to_numpy(zero_copy_only=False).astype(np.int32)
    ranked = model.recommend(users, k, exclude_seen=exclude_seen, allowed=allowed)
    row, place = np.nonzero(ranked.items != NO_ITEM)
    items: NDArray[np.int32] = ranked.items[row, place]
    return pa.RecordBatch.from_pydict(
        {
            "user_id": batch["user_id"].take(pa.array(row)),
            "item_id": pa.array([item_ids[item] for item in items.tolist()], type=pa.string()),
            "rank": pa.array((place + 1).astype(np.int32)),
            "score": pa.array(ranked.scores[row, place].astype(np.float32)),
        }
    )
