"""What becomes of the neighbours of items when more has happened: the same as a fit, for less.

Only sums over the users who did something are worked out. As rows are cut off, a pair beyond the
end of one is known by a bound alone; where the bound reaches into the part of the row that is
used, the whole row is worked out anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.features.history import History
from endcap.models.histories import entry_keys, entry_rows
from endcap.models.neighbours.cooccurrence import Nearness, Neighbours, Takers, no_neighbours
from endcap.schema.types import DAY_US, NO_ITEM

MAX_SHARE = 0.03
"""Where more of a fit's work is about users who did something since, a fit is the cheaper way."""

ROUNDING = 1e-5
"""By what part two similarities may differ that are meant to be equal."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who took what, up to a moment from which ages are counted, in microseconds."""

    history: History
    now_us: int


def update_neighbours(
    found: Neighbours,
    before: Known,
    after: Known,
    *,
    n_items: int,
    n_exact: int,
    nearness: Nearness,
) -> Neighbours:
    """Return the neighbours after more has happened; those given are left as they were.

    The first `n_exact` of each row, and all of a row that was never cut off, are those of
    `nearest_items` on the later history, with the same similarities; both but for rounding, so
    that the order of nearly equal ones may differ. Of the others some may be missing, and `beyond`
    says how near those can be.

    Args:
        found: the neighbours as of `before`, at least `n_exact` columns; the more there are beyond
            these, the fewer rows are worked out anew.
        before: what they were found from.
        after: what is known now; users and items keep their numbers, new ones come after them.
        n_items: size of the catalogue now.
        n_exact: how many of each row are used.
        nearness: what they were found by.

    Cost: where less than a thirtieth of a fit's work is about users who did something since, for
    each of them how much that was times how many items they had, a few passes over all neighbours,
    and the rows to work out anew; elsewhere that of a fit, and every row is exact.
    """
    faded = 2.0 ** (-(after.now_us - before.now_us) / (DAY_US * nearness.half_life_days))
    history = _with_users(before.history, after.history.n_users)
    old = Takers(history, n_items, nearness=nearness, now_us=before.now_us)
    new = Takers(after.history, n_items, nearness=nearness, now_us=after.now_us)
    changes = _changes(old, new, history, after.history)
    result = no_neighbours(n_items, found.items.shape[1])
    work = new.n_each.astype(np.float64) ** 2
    if work[np.diff(changes.indptr) > 0].sum() > MAX_SHARE * work.sum():
        new.fill(result, np.arange(n_items, dtype=np.int32))
        return result
    gained = _gains(old, new, changes, faded)
    n_old = len(found.items)
    result.items[:n_old] = found.items
    result.sims[:n_old] = found.sims * np.float32(faded)
    result.beyond[:n_old] = found.beyond * np.float32(faded * _slack(old.sizes, new.sizes))
    _resize(result, old, new)
    doubtful = _add(result, gained, new, n_exact=n_exact)
    doubtful |= (result.beyond > 0) & (result.beyond > result.sims[:, n_exact - 1])
    new.fill(result, np.flatnonzero(doubtful).astype(np.int32), label="item_knn, anew")
    return result


def _with_users(history: History, n_users: int) -> History:
    """Return the history with more users, who have none."""
    more = np.full(n_users - history.n_users, history.indptr[-1])
    return replace(history, indptr=np.concatenate([history.indptr, more]))


def _changes(old: Takers, new: Takers, before: History, after: History) -> sparse.csr_array:
    """Return which entries of users and items are no longer what they were, as ones."""
    keys, new_keys = entry_keys(before)[old.kept], entry_keys(after)[new.kept]
    places = np.searchsorted(keys, new_keys)
    same = np.flatnonzero(places < len(keys))
    same = same[keys[places[same]] == new_keys[same]]
    same = same[old.taken.data[places[same]] == new.taken.data[same]]
    if np.isfinite(new.nearness.half_life_days):
        ts, new_ts = before.last_ts[old.kept], after.last_ts[new.kept]
        same = same[ts[places[same]] == new_ts[same]]
    changed = np.concatenate([np.delete(keys, places[same]), np.delete(new_keys, same)])
    changed = np.unique(changed)
    ones = np.ones(len(changed), dtype=np.float32)
    return sparse.csr_array((ones, (changed >> 32, changed & 0xFFFFFFFF)), shape=new.taken.shape)


def _gains(old: Takers, new: Takers, changes: sparse.csr_array, faded: float) -> sparse.csr_array:
    """Return by how much the sum over users has grown, for each pair of items."""
    users = np.flatnonzero(np.diff(changes.indptr))
    taken, lately = old.taken[users], new.lately[users]
    changed = changes[users]
    more_taken = (new.taken[users] - taken).multiply(changed).tocsr()
    more_lately = (lately - old.lately[users] * np.float32(faded)).multiply(changed).tocsr()
    gained: sparse.csr_array = (more_taken.T @ lately + taken.T @ more_lately).tocsr()
    gained.data[gained.indices == entry_rows(gained.indptr)] = 0.0
    gained.eliminate_zeros()
    return gained


def _slack(sizes: NDArray[np.float64], new_sizes: NDArray[np.float64]) -> float:
    """Return how much nearer a pair can have come because fewer took one of its items, >= 1."""
    lost = np.flatnonzero((new_sizes < sizes) & (new_sizes > 0))
    # To the powers of a seed and of a neighbour, which add up to one.
    return float((sizes[lost] / new_sizes[lost]).max(initial=1.0))


def _resize(result: Neighbours, old: Takers, new: Takers) -> None:
    """Divide by the sizes as they are now, and put rows in order again."""
    is_resized = old.sizes != new.sizes
    listed = result.items != NO_ITEM
    rows = np.flatnonzero(is_resized | (is_resized[result.items] & listed).any(axis=1))
    items, seeds, listed = result.items[rows], rows[:, np.newaxis], listed[rows]
    sims = np.zeros_like(result.sims[rows])
    below = old.below(seeds, items), new.below(seeds, items)
    np.divide(result.sims[rows] * below[0], below[1], out=sims, where=listed & (below[1] > 0))
    result.sims[rows] = sims
    astray = np.flatnonzero((np.diff(sims, axis=1) > 0).any(axis=1))
    order = np.argsort(-sims[astray], axis=1, kind="stable")
    result.items[rows[astray]] = np.take_along_axis(items[astray], order, axis=1)
    result.sims[rows[astray]] = np.take_along_axis(sims[astray], order, axis=1)


def _add(
    result: Neighbours, gained: sparse.csr_array, new: Takers, *, n_exact: int
) -> NDArray[np.bool_]:
    """Add what pairs have gained; those beyond the end of a row raise its bound.

    Returns which rows are left as they were, as they have to be worked out anew, shape (n_items,):
    where the bound reaches the part that is to be exact, or next to nothing is left of a sum, so
    that what is left may be rounding.
    """
    doubtful = np.zeros(len(result.items), dtype=np.bool_)
    for row in np.flatnonzero(np.diff(gained.indptr)).tolist():
        part = slice(gained.indptr[row], gained.indptr[row + 1])
        others = gained.indices[part]
        below = new.below(np.full(len(others), row), others)
        is_positive = below > 0  # else nobody has the other any longer
        others, more = others[is_positive], gained.data[part][is_positive] / below[is_positive]
        n_listed = int((result.items[row] != NO_ITEM).sum())
        listed = result.items[row, :n_listed].copy()
        before = result.sims[row, :n_listed]
        place, is_listed = _places(listed, others)
        total = before.astype(np.float64)
        total[place[is_listed]] += more[is_listed]
        bound = float(result.beyond[row])
        if bound > 0:
            bound += float(more[~is_listed].max(initial=0.0))
        is_rounding = bool((total < ROUNDING * before).any()) or not is_positive.all()
        doubtful[row] = is_rounding or _reaches(bound, total, n_exact)
        if not doubtful[row]:
            if bound == 0:
                listed = np.concatenate([listed, others[~is_listed]])
                total = np.concatenate([total, more[~is_listed]])
            result.put(row, listed, total)
            result.beyond[row] = max(bound, float(result.beyond[row]))
    return doubtful


def _places(
    listed: NDArray[np.int32], others: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where each of the others is listed, and whether it is."""
    order = np.argsort(listed)
    place = np.searchsorted(listed, others, sorter=order)
    found = np.append(order, 0)[np.minimum(place, len(listed))]
    is_listed = np.append(listed, NO_ITEM)[found] == others if len(listed) else place < 0
    return found, is_listed


def _reaches(bound: float, sims: NDArray[np.float64], n_exact: int) -> bool:
    """Return whether what is not listed can be among the nearest of a row."""
    if bound <= 0 or len(sims) < n_exact:
        return bound > 0
    return bound > float(np.partition(sims, -n_exact)[-n_exact])
