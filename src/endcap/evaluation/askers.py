"""The users behind the queries of a view: a mean is over users, however often each was asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.split import Split, View
from endcap.schema.types import UserIdx


@dataclass(frozen=True, slots=True)
class Askers:
    """Whose the queries of a view are.

    users: ascending, distinct, shape (n_users,).
    of_query: the place among `users` of whoever each query is of, shape (n_queries,).
    """

    users: UserIdx
    of_query: NDArray[np.int64]

    @staticmethod
    def of(split: Split, view: View) -> Askers:
        """Return the users of a view; where queries are users, each of them once."""
        return Askers.of_queries(split.targets[view].users, split.query_users)

    @staticmethod
    def of_queries(queries: UserIdx, query_users: UserIdx | None) -> Askers:
        """Return the users of some queries."""
        asked = queries if query_users is None else query_users[queries]
        users, of_query = np.unique(asked, return_inverse=True)
        return Askers(users, of_query)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each user's mean over the queries for which there is a value, NaN without any.

        Args:
            values: one row a query, shape (n_queries, n_columns).
        """
        if len(self.users) == len(self.of_query):
            return values[np.argsort(self.of_query)]
        is_known = ~np.isnan(values)
        totals, n_known = np.zeros((2, len(self.users), values.shape[1]))
        np.add.at(totals, self.of_query, np.where(is_known, values, 0.0))
        np.add.at(n_known, self.of_query, is_known)
        return totals / np.where(n_known > 0, n_known, np.nan)
