"""Which models a Spark cluster fits, and how; the others are fitted here as ever."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from endcap.models.als import ALS
from endcap.models.ratings.als import RatingALS
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Recommender
from endcap.training.distributed import Network, fit_on_spark, n_slots
from endcap.training.spark_als import als_on_spark, rating_als_on_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Spark cluster that fits models.

    session: on it.
    shared: an existing folder at the same place for every worker.
    """

    session: SparkSession
    shared: Path

    @property
    def master(self) -> str:
        """The master, as the session was told it."""
        return str(self.session.sparkContext.master)

    def takes(self, model: Recommender) -> bool:
        """Return whether the cluster fits the model: it is ALS, or a network."""
        return type(model) is ALS or isinstance(model, Network)

    def fit(
        self,
        model: Recommender,
        data: Dataset,
        *,
        rng: np.random.Generator,
        keep_in: Path | None = None,
    ) -> Recommender:
        """Return the model fitted by the cluster if it takes it, else fitted here.

        A network is fitted by as many processes as the workers have cores together.

        Args:
            model: unfitted.
            data: prepared as for `fit`.
            rng: of all that is random.
            keep_in: where a network keeps the state of its training; a shared place.
        """
        if type(model) is ALS:
            return als_on_spark(
                self.session, data, rng=rng, shared=self.shared, config=model.config
            )
        if not isinstance(model, Network):
            return model.fit(data, rng=rng)
        fitted = fit_on_spark(
            self.session,
            model,
            data,
            rng=rng,
            shared=self.shared,
            n_processes=n_slots(self.session),
            training=keep_in,
        )
        return cast("Recommender", fitted)

    def fit_ratings(
        self, model: RatingALS, data: Dataset, *, rng: np.random.Generator
    ) -> RatingALS:
        """Return a model of those settings, fitted by the cluster on the stars of the data."""
        return rating_als_on_spark(
            self.session, data, rng=rng, shared=self.shared, config=model.config
        )
