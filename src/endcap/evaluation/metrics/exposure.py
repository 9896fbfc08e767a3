"""Which items the lists show, all lists together: how many, how evenly, and fairly to which groups.

What each list is like is in `variety.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.askers import Askers
from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.batches import Batches, Means, interval_of
from endcap.evaluation.metrics.ground import POPULARITY, Ground
from endcap.evaluation.metrics.group_shares import (
    MIN_ITEMS,
    Parts,
    count_targets,
    find_targets,
    group_exposure,
    group_recall,
    parts_of,
)
from endcap.evaluation.split import Targets
from endcap.schema.types import ItemIdx, TopK, UserIdx

Values: TypeAlias = NDArray[np.float64]

MIN_USERS = 30
_MAX_POOLED_NAMES = 20


@dataclass(frozen=True, slots=True)
class GroupRow:
    """What one group of items gets of the lists of one model.

    name: of the group; of the pooled and the unknown ones, what they are.
    n_groups: 1; of the pooled ones how many; 0 for items whose group is not known.
    n_items: candidates in the group. catalogue_share: of all candidates; rows sum to 1.
    history_share: of what users had, each item of a user once; rows sum to 1.
    exposure_share: of the exposure of a list, mean over the lists; rows sum to 1 when candidates
        alone are listed.
    hit_share: of a user's targets in the group, those listed: P(listed | relevant, in the group);
        mean over the users with such a target.
    in_parity, in_opportunity: whether the group counts in the two differences.
    """

    name: str
    n_groups: int
    n_items: int
    catalogue_share: float
    history_share: float
    exposure_share: Interval
    hit_share: Interval
    in_parity: bool
    in_opportunity: bool


@dataclass(frozen=True, slots=True)
class ExposureResult:
    """How one model's lists treat the groups of one attribute.

    rows: groups by size, popularity from the most popular down; the pooled and the unknown last.
    parity_difference: what an item of the group gets that is exposed most, minus what one of the
        group gets that is exposed least, over the sum for all groups: 0 when an item gets the same
        in every group, 1 when one group gets all. See `exposure_of_an_item`.
    opportunity_difference: largest minus smallest `hit_share` of the groups, 0 to 1.
    min_items: smaller groups are pooled, and count in neither difference.
    min_users: groups with a target of fewer users do not count in the second.
    n_pooled: how many groups are pooled. pooled: the names of the largest 20 of those.
    """

    rows: tuple[GroupRow, ...]
    parity_difference: Interval
    opportunity_difference: Interval
    min_items: int
    min_users: int
    n_pooled: int
    pooled: tuple[str, ...]


def exposure(items: ItemIdx, *, n_items: int) -> NDArray[np.int64]:
    """Return how many lists each item of the catalogue is in, shape (n_items,).

    Args:
        items: lists, shape (n_users, k), padding included; cut them to the k that is meant.
        n_items: the size of the full catalogue.
    """
    return np.bincount(items[items >= 0], minlength=n_items).astype(np.int64)


def coverage(shown: NDArray[np.int64]) -> float:
    """Return the share of the catalogue that is in at least one list; `shown` from `exposure`."""
    return float(np.count_nonzero(shown) / len(shown)) if len(shown) else math.nan


def gini(shown: NDArray[np.int64]) -> float:
    """Return the Gini coefficient of exposure over the full catalogue; NaN if nothing is shown.

    0 when every item is shown equally often, 1 - 1 / n_items when one item has it all:
    sum over items, ascending, of (2 i - n - 1) x_i / (n sum x), i from 1. Few lists over a large
    catalogue cannot come near 0, not even random ones: compare with those.

    Source: Gini 1912 in the form of Damgaard, Weiner 2000, without their n / (n - 1).
    """
    n_items, total = len(shown), int(shown.sum())
    if total == 0:
        return math.nan
    ranks = np.arange(1, n_items + 1)
    return float((2.0 * ranks - n_items - 1) @ np.sort(shown) / (n_items * total))


def entropy(shown: NDArray[np.int64]) -> float:
    """Return the Shannon entropy of exposure over that of an even one, log n_items: 0 to 1.

    1 when every item is shown equally often, 0 when one item has it all; as a quotient it has no
    base. NaN if nothing is shown, or the catalogue is a single item.

    Source: Shannon 1948; Pielou 1966 (evenness).
    """
    total = int(shown.sum())
    if total == 0 or len(shown) < 2:
        return math.nan
    shares = shown[shown > 0] / total
    # Negated as a sum, not as a factor: one item alone is to score 0.0, not -0.0.
    return float((shares * np.log(1.0 / shares)).sum() / np.log(len(shown)))


def exposure_of_an_item(exposure_shares: Values, catalogue_shares: Values) -> Values:
    """Return what an item of each group is exposed, as shares of the sum over groups.

    exposure share / catalogue share is the mean exposure of the items of a group, where 1 is that
    of the whole catalogue; demographic parity asks that it be the same for every group. Divided
    by the sum over groups it is the share of exposure that the group would get if all groups were
    equally large. NaN when no group is exposed.

    Args:
        exposure_shares: shape (..., n_groups).
        catalogue_shares: shape (n_groups,), > 0.

    Source: Singh, Joachims 2018 (demographic parity), for any number of groups.
    """
    of_item = exposure_shares / catalogue_shares
    total = of_item.sum(axis=-1, keepdims=True)
    return np.asarray(of_item / np.where(total > 0, total, np.nan))


def measure_exposure(
    lists: Mapping[str, TopK],
    targets: Targets,
    ground: Ground,
    *,
    k: int,
    n_replicates: int = 1000,
    rng: np.random.Generator,
    allowed: ItemIdx | None = None,
    min_items: int = MIN_ITEMS,
    min_users: int = MIN_USERS,
    query_users: UserIdx | None = None,
) -> dict[str, dict[str, ExposureResult]]:
    """Return by attribute, then by model, what the lists give to the groups of items.

    All per user first, then averaged; intervals are of resampled users, the same for every model.
    That of a difference is of the two groups which stand out among these users; chance alone
    makes two groups stand out, so hold a difference against that of random lists.

    Args:
        lists: by model, one for each of `targets.users`.
        targets: what they went on to take.
        ground: of the split; it holds the groups.
        k: list length.
        n_replicates: of the bootstrap over users.
        rng: where it draws from.
        allowed: the candidates, when not the whole catalogue.
        min_items: see `ExposureResult`.
        min_users: see `ExposureResult`.
        query_users: whose the queries are that `targets` name, where these are no users.

    Cost: one pass over the lists for each attribute; the bootstrap costs the same for any number
        of users. 22,000 users, 8 models and 4 attributes take about half a second at k = 10.

    Source: Singh, Joachims 2018 (exposure); Hardt, Price, Srebro 2016 (equal opportunity), for
    lists as in Zhu, Wang, Caverlee 2020, here averaged over users and not over targets.
    """
    askers = Askers.of_queries(targets.users, query_users)
    batches = Batches.of(len(askers.users), n_replicates=n_replicates, rng=rng)
    hits = [find_targets(one, targets, k=k, n_items=ground.n_items) for one in lists.values()]
    found: dict[str, dict[str, ExposureResult]] = {}
    for attribute, groups in ground.groups.items():
        by_size = attribute != POPULARITY
        parts = parts_of(groups, allowed=allowed, min_items=min_items, by_size=by_size)
        n_wanted = count_targets(targets, parts.groups)
        columns = (
            [group_exposure(one, parts.groups, k=k), group_recall(hit, n_wanted, parts.groups)]
            for one, hit in zip(lists.values(), hits, strict=True)
        )
        means = batches.means([batches.gather(askers.mean(np.hstack(pair))) for pair in columns])
        asks = askers.mean(n_wanted.astype(np.float64)) > 0
        asked = _Asked.of(parts, asks, min_items=min_items, min_users=min_users)
        history = _history_shares(parts, ground)
        found[attribute] = {
            name: _result(of_model, parts, history, asked)
            for name, of_model in zip(lists, means, strict=True)
        }
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which groups enough users have targets in, and how many users have one in any of those."""

    places: NDArray[np.intp]
    n_users: int
    min_items: int
    min_users: int

    @staticmethod
    def of(
        parts: Parts, has_target: NDArray[np.bool_], *, min_items: int, min_users: int
    ) -> _Asked:
        named = has_target[:, : parts.n_named]
        places = np.flatnonzero(named.sum(axis=0) >= min_users)
        n_users = int(named[:, places].any(axis=1).sum())
        return _Asked(places, n_users, min_items, min_users)


def _history_shares(parts: Parts, ground: Ground) -> Values:
    codes = parts.groups.codes
    is_candidate = codes >= 0
    had = np.bincount(
        codes[is_candidate], weights=ground.n_users_who_had[is_candidate], minlength=len(parts)
    )
    return np.asarray(had / (had.sum() or np.nan))


def _result(means: Means, parts: Parts, history: Values, asked: _Asked) -> ExposureResult:
    n_groups, n_named, shares = len(parts), parts.n_named, parts.catalogue_shares
    rows = tuple(
        GroupRow(
            name=name,
            n_groups=1 if place < n_named else len(parts.pooled) * (place == n_named),
            n_items=int(parts.n_items[place]),
            catalogue_share=float(shares[place]),
            history_share=float(history[place]),
            exposure_share=means.interval(place),
            hit_share=means.interval(n_groups + place),
            in_parity=place < n_named,
            in_opportunity=place in asked.places,
        )
        for place, name in enumerate(parts.groups.names)
    )
    of_items, replicates_of_items = (
        exposure_of_an_item(part[..., :n_named], shares[:n_named])
        for part in (means.mean, means.replicates)
    )
    hit_columns = n_groups + asked.places
    return ExposureResult(
        rows=rows,
        parity_difference=_spread(
            of_items, replicates_of_items, n_users=int(means.n_users[:n_groups].max(initial=0))
        ),
        opportunity_difference=_spread(
            means.mean[hit_columns], means.replicates[:, hit_columns], n_users=asked.n_users
        ),
        min_items=asked.min_items,
        min_users=asked.min_users,
        n_pooled=len(parts.pooled),
        pooled=parts.pooled[:_MAX_POOLED_NAMES],
    )


def _spread(values: Values, replicates: Values, *, n_users: int) -> Interval:
    """Return the largest minus the smallest value; its interval is of that pair of columns."""
    if len(values) < 2 or np.isnan(values).any():
        return Interval(math.nan, math.nan, math.nan, n_users)
    most, least = int(values.argmax()), int(values.argmin())
    return interval_of(
        float(values[most] - values[least]),
        replicates[:, most] - replicates[:, least],
        n_users=n_users,
    )
