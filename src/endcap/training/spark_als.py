"""Factors of users and items by Spark's ALS, in the models that this machine trains by itself.

What a fitted model is, and how it is kept and served, is `models/als.py` and `rating_als.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.evaluation.pointwise.ratings import ratings_of
from endcap.models.als import ALS, ALSConfig
from endcap.models.histories import entry_rows
from endcap.models.ratings.als import RatingALS, RatingALSConfig
from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, UserIdx

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LEAST_SURE = np.float32(1e-6)
"""Spark takes a strength of 0 for an item that the user did not take."""

CHECKPOINT_EVERY = 4
"""Iterations: Spark remembers how everything came about, and a long memory overflows its stack."""


def als_on_spark(
    session: SparkSession,
    data: Dataset,
    *,
    rng: np.random.Generator,
    shared: Path,
    config: ALSConfig | None = None,
) -> ALS:
    """Return `ALS` with item factors that Spark has found; users are folded in as ever.

    Spark's confidence is 1 + alpha x strength. It is told ours less 1 as strength, and an alpha of
    1, so that the confidence of each pair is the same. Its regularisation weighs the squared length
    of a vector by how many items or users it was learnt from (Zhou et al. 2008), ours weighs all
    alike; `spark_reg` says how one is chosen for the other. So the factors are not those of a local
    training; they are as good where people differ little in how much they take.

    Args:
        session: whose workers need Java only.
        data: prepared as for `ALS.fit`.
        rng: of the first factors.
        shared: an existing folder at the same place for every worker; empty again at the end.
        config: of the model; `n_threads` says nothing here.

    Cost: the pairs go through the driver once; per iteration a shuffle of factors and 2 x nnz x d^2
    operations, shared by the workers.
    Source: Hu, Koren, Volinsky 2008; Spark MLlib's `ALS` with `implicitPrefs`.
    """
    with _checkpoints(session, shared):
        trained = _OnSpark(session, config or ALSConfig()).fit(data, rng=rng)
    model = ALS(trained.config)
    learnt = {name: value for name, value in vars(trained).items() if name != "session"}
    vars(model).update(learnt)
    return model


def rating_als_on_spark(
    session: SparkSession,
    data: Dataset,
    *,
    rng: np.random.Generator,
    shared: Path,
    config: RatingALSConfig | None = None,
) -> RatingALS:
    """Return `RatingALS` with the factors of both sides that Spark has found.

    Every setting means the same on both: the regularisation is weighed by counts here and there.
    Only the random first factors differ. `shared` is as of `als_on_spark`.
    """
    rows = ratings_of(data)
    model = RatingALS(config or RatingALSConfig())
    settings = {
        "rank": model.config.rank,
        "maxIter": model.config.iterations,
        "regParam": model.config.reg,
        "seed": int(rng.integers(2**31)),
    }
    with _checkpoints(session, shared):
        users, items = _factors(session, rows.users, rows.items, rows.stars, settings)
    model.user_factors_, model.is_known_user_ = _placed(*users, data.n_users, model.config.rank)
    model.item_factors_, model.is_known_item_ = _placed(*items, data.n_items, model.config.rank)
    model.mean_ = float(rows.stars.mean(dtype=np.float64))
    return model


def spark_reg(reg: float, confidence: sparse.csr_matrix) -> float:
    """Return Spark's regularisation that weighs all vectors together as much as ours does.

    Ours adds reg x |v|^2 for each of the users and items who took part; Spark's, for each pair,
    that of its user and that of its item.
    """
    n_users = np.count_nonzero(np.diff(confidence.indptr))
    n_items = len(np.unique(confidence.indices))
    return reg * float(n_users + n_items) / (2 * max(confidence.nnz, 1))


@contextmanager
def _checkpoints(session: SparkSession, shared: Path) -> Iterator[None]:
    """Have Spark write its intermediate results into the folder, and remove them at the end."""
    with tempfile.TemporaryDirectory(dir=shared, prefix="als-") as folder:
        session.sparkContext.setCheckpointDir(Path(folder).resolve().as_uri())
        yield


class _OnSpark(ALS):
    """`ALS`, but for where the factors come from."""

    def __init__(self, session: SparkSession, config: ALSConfig) -> None:
        super().__init__(config)
        self.session = session

    def _train(self, confidence: sparse.csr_matrix, *, seed: int) -> NDArray[np.float32]:
        size, n_items = self.config.embedding_size, confidence.shape[1]
        if confidence.nnz == 0:
            return np.zeros((n_items, size), dtype=np.float32)
        settings = {
            "implicitPrefs": True,
            "alpha": 1.0,
            "rank": size,
            "maxIter": self.config.iterations,
            "regParam": spark_reg(self.config.reg, confidence),
            "seed": seed,
        }
        users = entry_rows(confidence.indptr.astype(np.int64)).astype(np.int32)
        strength = np.maximum(confidence.data - np.float32(1), LEAST_SURE)
        _, items = _factors(self.session, users, confidence.indices, strength, settings)
        return _placed(*items, n_items, size)[0]


def _factors(
    session: SparkSession,
    users: UserIdx,
    items: ItemIdx,
    strength: NDArray[np.float32],
    settings: dict[str, Any],
) -> tuple[tuple[NDArray[np.int64], Any], tuple[NDArray[np.int64], Any]]:
    """Return the ids and factors of the users and of the items that Spark's ALS finds."""
    pa: Any = import_module("pyarrow")
    als: Any = import_module("pyspark.ml.recommendation").ALS
    table = pa.table({"user": users, "item": items.astype(np.int32), "strength": strength})
    n_blocks = max(session.sparkContext.defaultParallelism, 2)
    solver = als(
        userCol="user",
        itemCol="item",
        ratingCol="strength",
        numUserBlocks=n_blocks,
        numItemBlocks=n_blocks,
        checkpointInterval=CHECKPOINT_EVERY,
        **settings,
    )
    rows: Any = session.createDataFrame(table)
    found = solver.fit(rows)
    return _collected(found.userFactors), _collected(found.itemFactors)


def _collected(factors: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids and vectors of a table of Spark's factors."""
    table = factors.toArrow()
    ids = table["id"].to_numpy(zero_copy_only=False)
    flat = table["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return ids.astype(np.int64), flat.reshape(len(ids), -1).astype(np.float32)


def _placed(
    ids: NDArray[np.int64], vectors: NDArray[np.float32], n_rows: int, size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors in their places, zeros between them, and which places have one."""
    placed, is_known = np.zeros((n_rows, size), dtype=np.float32), np.zeros(n_rows, dtype=np.bool_)
    placed[ids], is_known[ids] = vectors, True
    return placed, is_known
