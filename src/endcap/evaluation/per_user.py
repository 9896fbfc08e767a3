"""What was measured of every user: what means are made of, and what paired comparisons need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import UserIdx

Columns: TypeAlias = NDArray[np.float64]
"""One row a user, one column a metric; NaN where the metric says nothing of the user."""


@dataclass(frozen=True, slots=True)
class PerUser:
    """One value for each model, metric and user of a view.

    users: ascending, shape (n_users,).
    metrics: what the columns are.
    values: by model, shape (n_users, n_metrics); the mean over the fits of a model when it was
        fitted several times.
    fit_means: by model, the mean over the users of each fit, shape (n_fits, n_metrics); over
        those for whom the metric is defined under every fit. Empty where models were fitted once.
    """

    users: UserIdx
    metrics: tuple[str, ...]
    values: Mapping[str, Columns]
    fit_means: Mapping[str, Columns] = field(default_factory=dict)

    def of(self, model: str, metric: str) -> NDArray[np.float64]:
        """Return the values of one model by one metric, shape (n_users,)."""
        return self.values[model][:, self.metrics.index(metric)]

    def under_each_fit(self, model: str, metrics: Sequence[str]) -> NDArray[np.float64]:
        """Return the values of one model, shape (n_fits, n_users, n_metrics).

        What another fit changes is taken to be the same for every user: its mean.
        """
        chosen = [self.metrics.index(metric) for metric in metrics]
        values = self.values[model][:, chosen]
        if model not in self.fit_means:
            return values[None]
        means = self.fit_means[model][:, chosen]
        return np.asarray(values[None] + (means - means.mean(axis=0))[:, None, :])
