"""Which models a Spark cluster fits, and how; the others are fitted here as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from endcap.ingest.compute.cluster import is_spark_master, spark_session
from endcap.models.als import ALS
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Recommender
from endcap.training.distributed import Network, fit_on_spark
from endcap.training.spark_als import als_on_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL = "local://"

Session: TypeAlias = "SparkSession | None"
"""A session on the cluster, or None where this machine fits the models."""


@contextmanager
def open_compute(compute: str, *, shared: Path, memory_gb: float) -> Iterator[Session]:
    """Yield what `fit_where` needs: nothing for local://, else a Spark session.

    Args:
        compute: local://, or a Spark master, as `ingest.compute` has it.
        shared: an existing folder at the same place for every worker.
        memory_gb: of the driver, and of each worker's process.

    Raises:
        SettingsError: `compute` is neither.
        StoreError: Spark does not start; see `spark_session`.
    """
    if compute == LOCAL:
        yield None
        return
    if not is_spark_master(compute):
        raise SettingsError(
            f"{compute!r} is neither {LOCAL} nor a Spark master",
            where="training.compute",
            mend="Such as spark://host:7077 or local[*]",
        )
    with spark_session(compute, scratch=shared, memory_gb=memory_gb) as session:
        yield session


def fit_where(
    session: Session, model: Recommender, data: Dataset, *, rng: np.random.Generator, shared: Path
) -> Recommender:
    """Return the model fitted on Spark, if it is ALS or a network; else fitted here.

    A network is fitted by as many processes as the workers have cores together.

    Args:
        session: as `open_compute` has it.
        model: unfitted.
        data: prepared as for `fit`.
        rng: of all that is random.
        shared: an existing folder at the same place for every worker.
    """
    if session is None:
        return model.fit(data, rng=rng)
    if type(model) is ALS:
        return als_on_spark(session, data, rng=rng, shared=shared, config=model.config)
    if isinstance(model, Network):
        n_processes = int(session.sparkContext.defaultParallelism)
        fitted = fit_on_spark(session, model, data, rng=rng, shared=shared, n_processes=n_processes)
        return cast("Recommender", fitted)
    return model.fit(data, rng=rng)
