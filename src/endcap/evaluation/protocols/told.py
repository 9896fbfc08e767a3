"""Chosen rows as data again: for everybody, or told to queries as if those were users."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.protocols.runs import Rows
from endcap.schema.dataset import Dataset, Interactions


def rows_of(data: Dataset, rows: NDArray[np.bool_]) -> Dataset:
    """Return the data with some of its interactions.

    Raises:
        ValueError: refusals were told apart already, so that they cannot be cut like the rest.
    """
    if data.refusals is not None:
        raise ValueError("cut first, tell interest and refusals apart afterwards")
    return replace(data, interactions=data.interactions.take(rows))


def queries_of(data: Dataset, rows: Rows, queries: Rows, *, n_queries: int) -> Dataset:
    """Return a data set whose users are queries; a row may be told to many.

    Args:
        data: where the rows are from.
        rows: indices into its interactions, shape (n,), in any order.
        queries: whom each row is told to, shape (n,).
        n_queries: how many there are, those who are told nothing included.
    """
    order = np.lexsort((queries, rows))  # rows are in time order
    told = take(data.interactions, rows[order])
    told = replace(told, user_idx=queries[order].astype(np.int32))
    return replace(data, interactions=told, refusals=None, n_users=n_queries)


def take(interactions: Interactions, rows: Rows) -> Interactions:
    """Return entries by index, in ascending order; one may be named several times."""
    return Interactions(
        user_idx=interactions.user_idx[rows],
        item_idx=interactions.item_idx[rows],
        kind=interactions.kind[rows],
        value=interactions.value[rows],
        price=interactions.price[rows],
        ts=interactions.ts[rows],
        weight=None if interactions.weight is None else interactions.weight[rows],
    )
