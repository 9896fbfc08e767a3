"""The lists of all users as one Parquet file, made on this machine or by a Spark cluster.

Both ways it has the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from endcap.ingest.engine import connect
from endcap.ingest.snapshot import Ids
from endcap.schema.artefacts import scratch_folder
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.protocols import Persistent, Recommender
from endcap.schema.types import NO_ITEM
from endcap.telemetry import track

if TYPE_CHECKING:
    from endcap.training.on_spark import Cluster

USERS_AT_ONCE = 4096
_MAKE = "CREATE TABLE ranked (user_idx INTEGER, item_idx INTEGER, rank INTEGER, score FLOAT)"
_NAMED = """
    COPY (
        SELECT user_id::VARCHAR AS user_id, item_id::VARCHAR AS item_id, rank, score
        FROM ranked JOIN users USING (user_idx) JOIN items USING (item_idx)
        ORDER BY user_id, rank
    ) TO ? (FORMAT parquet, COMPRESSION zstd)
"""
_MERGED = """
    COPY (
        SELECT user_id, item_id, rank, score FROM read_parquet(?) ORDER BY user_id, rank
    ) TO ? (FORMAT parquet, COMPRESSION zstd)
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What lists are asked for.

    k: list length.
    exclude_seen: whether they leave out what a user has had.
    """

    k: int
    exclude_seen: bool = True


def write_lists(
    out: Path,
    model: Recommender,
    *,
    folder: Path,
    ids: Ids,
    wish: Wish,
    cluster: Cluster | None = None,
) -> int:
    """Return how many rows were written: one an item of a list, by user and rank.

    Their columns are user_id, item_id, rank (from 1) and score; short lists have fewer rows. The
    file is there once it is whole.

    Args:
        out: a Parquet file that is not there yet.
        model: fitted.
        folder: where it was saved; a shared place, where there is a cluster.
        ids: of the snapshot that it was fitted on.
        wish: what lists are asked for.
        cluster: asks the model; this machine does when None.

    Raises:
        SettingsError: there is something at `out` already, or its name says no Parquet.
        DataError: the model cannot be opened by a cluster.

    Cost: the lists of 4096 users in memory at a time, and the disk for a sort of the rest.
    """
    check_place(out)
    with scratch_folder(out.parent) as scratch:
        written = scratch / "lists.parquet"
        if cluster is None:
            n_rows = _here(written, model, ids, wish)
        else:
            n_rows = _on_cluster(written, model, ids, wish, folder=folder, cluster=cluster)
        check_place(out)  # it may have come meanwhile
        written.replace(out)
    return n_rows


def check_place(out: Path) -> None:
    """Raise `SettingsError` unless lists can be written there."""
    if out.exists():
        raise SettingsError(
            "there is something already", where=str(out), mend="Name a file that is not there"
        )
    if out.suffix != ".parquet":
        raise SettingsError(
            "lists are written as Parquet", where=str(out), mend="Name a file that ends in .parquet"
        )


def _here(written: Path, model: Recommender, ids: Ids, wish: Wish) -> int:
    """Write what the model says on this machine, and return how many rows that is."""
    n_rows = 0
    with connect(written.parent) as db:
        db.execute(_MAKE)
        for rows in _parts(model, len(ids.users.ids), wish):
            db.register("part", rows)
            db.execute("INSERT INTO ranked SELECT user_idx, item_idx, rank, score FROM part")
            db.unregister("part")
            n_rows += len(rows["rank"])
        for name, known in (("user", ids.users.ids), ("item", ids.items.ids)):
            # Of no name, no type could be told.
            texts = np.array([*known, ""], dtype=object)
            numbers = np.arange(len(texts), dtype=np.int32)
            db.register(f"{name}s", {f"{name}_idx": numbers, f"{name}_id": texts})
        db.execute(_NAMED, [str(written)])
    return n_rows


def _parts(model: Recommender, n_users: int, wish: Wish) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the columns of the rows of some users after others."""
    with track("lists", n_users, unit="users") as task:
        for start in range(0, n_users, USERS_AT_ONCE):
            users = np.arange(start, min(start + USERS_AT_ONCE, n_users), dtype=np.int32)
            ranked = model.recommend(users, wish.k, exclude_seen=wish.exclude_seen)
            row, place = np.nonzero(ranked.items != NO_ITEM)
            yield {
                "user_idx": users[row],
                "item_idx": ranked.items[row, place],
                "rank": (place + 1).astype(np.int32),
                "score": ranked.scores[row, place].astype(np.float32),
            }
            task.advance(len(users))


def _on_cluster(
    written: Path, model: Recommender, ids: Ids, wish: Wish, *, folder: Path, cluster: Cluster
) -> int:
    """Write what the cluster's processes say, and return how many rows that is."""
    from endcap.training.spark_lists import lists_on_spark

    if not isinstance(model, Persistent):
        raise DataError(f"{type(model).__name__} cannot be saved, so no worker can open it")
    parts = cluster.shared / "lists"
    n_rows = lists_on_spark(
        cluster.session,
        type(model),
        folder,
        parts,
        user_ids=ids.users.ids,
        item_ids=ids.items.ids,
        k=wish.k,
        exclude_seen=wish.exclude_seen,
    )
    with connect(written.parent) as db:
        db.execute(_MERGED, [str(parts / "*.parquet"), str(written)])
    return n_rows
