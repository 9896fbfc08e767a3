"""What is known before any list is made: how popular items are, their groups, who likes what.

The measures that need it are in `variety.py` and `exposure.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs, pair_set
from endcap.evaluation.split import Split
from endcap.schema.dataset import Dataset, Items

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]

ATTRIBUTES = ("department", "category", "brand")
POPULARITY = "popularity"
N_TENTHS = 10
TENTHS = (
    "most popular 10 %",
    *(f"{10 * tenth}-{10 * tenth + 10} %" for tenth in range(1, N_TENTHS - 1)),
    "least popular 10 %",
)
HAD_BY_NOBODY = "had by nobody"


@dataclass(frozen=True, slots=True)
class Groups:
    """Each item's group under one attribute.

    names: by code.
    codes: int32, shape (n_items,); -1 where the group is not known.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Taste:
    """What share of each query's history falls to each group; items of unknown group left out.

    attribute: which groups they are. of_items: the group of each item, -1 unknown.
    indptr: int64, shape (n_queries + 1,); query q owns indptr[q]:indptr[q + 1] of the others.
    codes: groups, ascending within a query. shares: as many, > 0, summing to 1 within a query.
    """

    attribute: str
    n_groups: int
    of_items: NDArray[np.int32]
    indptr: Counts
    codes: Counts
    shares: Shares


@dataclass(frozen=True, slots=True)
class Ground:
    """What lists are held against.

    n_items: size of the catalogue.
    n_users: users who had something in what was learnt from.
    n_users_who_had: how many of them had each item, shape (n_items,).
    percentile: share of the catalogue that fewer users had, equals counting half: 0 to 1 and
        never either, 1 the most popular, shape (n_items,).
    tenth: int8, shape (n_items,): 0 for the most popular tenth of the items that anybody had, to
        9; -1 for those that nobody had. Items that equally many had share a tenth, so some are
        larger than others and some may be empty.
    groups: by attribute that is known of some item, `popularity` always and last.
    history_percentile: mean percentile of the items of each query's history; NaN without one,
        shape (n_queries,).
    taste: by category, or by department where no category is known; None without either.
    """

    n_items: int
    n_users: int
    n_users_who_had: Counts
    percentile: Shares
    tenth: NDArray[np.int8]
    groups: Mapping[str, Groups]
    history_percentile: Shares
    taste: Taste | None

    @property
    def attributes(self) -> list[Groups]:
        """The groups that the catalogue names, not those by popularity."""
        return [groups for name, groups in self.groups.items() if name != POPULARITY]


def ground_of(split: Split) -> Ground:
    """Return what is known of items from `split.train`, and of queries from `split.known`.

    Only interest counts, refusals do not; who had an item twice had it once.

    Cost: two sorts of the interactions, O(n log n).
    """
    learnt = had_pairs(split.train)
    known = learnt if split.history is None else had_pairs(split.history)
    n_users_who_had = np.bincount(learnt.items, minlength=split.train.n_items)
    percentile, tenth = percentiles(n_users_who_had), tenths(n_users_who_had)
    groups = _groups_of(split.train.items)
    return Ground(
        n_items=split.train.n_items,
        n_users=len(np.unique(learnt.rows)),
        n_users_who_had=n_users_who_had,
        percentile=percentile,
        tenth=tenth,
        groups=groups | {POPULARITY: _groups_of_tenths(tenth)},
        history_percentile=_mean_of_rows(known, percentile, n_rows=split.known.n_users),
        taste=next(
            (
                _taste_of(known, name, groups[name], n_queries=split.known.n_users)
                for name in ("category", "department")
                if name in groups
            ),
            None,
        ),
    )


def had_pairs(data: Dataset) -> Pairs:
    """Return the distinct (user, item) pairs of the interactions that show interest."""
    told = data.interactions
    shows = told.weights > 0
    return pair_set(told.user_idx[shows], told.item_idx[shows], stride=data.n_items)


def percentiles(amounts: Counts) -> Shares:
    """Return what share of the amounts lies below each, equals (itself too) counting half."""
    below, up_to = _neighbours(amounts)
    return np.asarray((below + up_to) / (2 * max(len(amounts), 1)))


def tenths(amounts: Counts) -> NDArray[np.int8]:
    """Return the tenth of each amount above 0 among those, 0 the largest to 9; -1 for a 0.

    Whole numbers only, so that no rounding decides; see `Ground.tenth` for equals.
    """
    some = amounts > 0
    below, up_to = _neighbours(amounts[some])
    twice = 2 * max(int(some.sum()), 1)
    found = np.full(len(amounts), -1, dtype=np.int8)
    found[some] = N_TENTHS * (twice - below - up_to) // twice
    return found


def _neighbours(amounts: Counts) -> tuple[Counts, Counts]:
    """Return how many are below each amount, and how many are not above it."""
    ascending = np.sort(amounts)
    return (
        np.searchsorted(ascending, amounts, side="left"),
        np.searchsorted(ascending, amounts, side="right"),
    )


def _groups_of(items: Items) -> dict[str, Groups]:
    found: dict[str, Groups] = {}
    for name in ATTRIBUTES:
        codes: NDArray[np.int32] = getattr(items, name)
        names: tuple[str, ...] = getattr(items, f"{name}_names")
        highest = int(codes.max(initial=-1))
        if highest >= 0:
            nameless = tuple(f"{name} {code}" for code in range(len(names), highest + 1))
            found[name] = Groups((*names, *nameless), codes)
    return found


def _groups_of_tenths(tenth: NDArray[np.int8]) -> Groups:
    codes = np.where(tenth < 0, N_TENTHS, tenth).astype(np.int32)
    return Groups((*TENTHS, HAD_BY_NOBODY), codes)


def _mean_of_rows(pairs: Pairs, of_item: Shares, *, n_rows: int) -> Shares:
    n_each = np.bincount(pairs.rows, minlength=n_rows)
    totals = np.bincount(pairs.rows, weights=of_item[pairs.items], minlength=n_rows)
    return np.asarray(totals / np.where(n_each > 0, n_each, np.nan))


def _taste_of(known: Pairs, attribute: str, groups: Groups, *, n_queries: int) -> Taste:
    n_groups = len(groups.names)
    codes = groups.codes[known.items]
    keys = known.rows[codes >= 0] * n_groups + codes[codes >= 0]
    distinct, n_each = np.unique(keys, return_counts=True)
    queries = distinct // n_groups
    totals = np.bincount(queries, weights=n_each, minlength=n_queries)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(queries, minlength=n_queries))])
    shares = n_each / totals[queries]
    return Taste(attribute, n_groups, groups.codes, indptr, distinct % n_groups, shares)
