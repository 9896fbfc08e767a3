"""Equal scores, broken at random: the fair way to measure a model that cannot choose.

`types.top_k` breaks ties by item index, which is right for serving but not for measuring: indices
often follow popularity or time, so that a model with nothing to say would score well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.chance import draws
from endcap.schema.types import NO_ITEM, TopK, UserIdx

Ask = Callable[[UserIdx, int], TopK]
"""Returns checked lists of a given length for some users."""

_WIDENING = 8
_MAX_CELLS = 1 << 21  # of one widened block: 16 MB of items and scores


@dataclass(frozen=True, slots=True)
class Settled:
    """Lists of length k without ties, and which of them had to be cut within a tie.

    is_cut: the k-th and the next item had the same score, shape (n_users,).
    """

    ranked: TopK
    is_cut: NDArray[np.bool_]


def settle_ties(ask: Ask, users: UserIdx, k: int, *, n_items: int, seed: int) -> Settled:
    """Return each user's k best items, equal scores in random order.

    The expected value of any metric over the random order is the metric with ties averaged, so a
    constant score is worth exactly as much as a random ranking. The order depends on (seed, user,
    item) alone. Where a tie reaches beyond position k, a longer list is asked for until the tie
    ends; a model whose longer list begins differently keeps its short one, ties within shuffled.

    Cost: one list of length k + 1 a user; up to n_items for the users whose tie is that long.

    Source: McSherry, Najork 2008 (metrics over tied scores).
    """
    width = min(k + 1, n_items)
    short = ask(users, width)
    is_cut = _is_cut(short, k)
    settled = _shuffle_ties(short, users, seed=seed, k=k)
    open_rows, depth = np.flatnonzero(is_cut), width
    while len(open_rows) and depth < n_items:
        # Next to the whole catalogue a list costs as much as the whole.
        depth = depth * _WIDENING if depth * _WIDENING**2 <= n_items else n_items
        block = max(1, _MAX_CELLS // depth)
        still_open = []
        for start in range(0, len(open_rows), block):
            rows = open_rows[start : start + block]
            wide = ask(users[rows], depth)
            agrees = _begins_like(wide, short, rows)
            reaches_end = agrees & _is_one_tie(wide, k) & (depth < n_items)
            done = agrees & ~reaches_end
            longer = _shuffle_ties(_take(wide, done), users[rows[done]], seed=seed, k=k)
            settled.items[rows[done]] = longer.items
            settled.scores[rows[done]] = longer.scores
            still_open.append(rows[reaches_end])
            _miss_the_tie(settled, short, rows[~agrees], k)
        open_rows = np.concatenate(still_open)
    return Settled(settled, is_cut)


def _is_cut(ranked: TopK, k: int) -> NDArray[np.bool_]:
    if ranked.k <= k:
        return np.zeros(len(ranked), dtype=np.bool_)
    is_listed = ranked.items[:, k] != NO_ITEM
    return np.asarray(is_listed & (ranked.scores[:, k] == ranked.scores[:, k - 1]))


def _is_one_tie(wide: TopK, k: int) -> NDArray[np.bool_]:
    is_listed = wide.items[:, -1] != NO_ITEM
    return np.asarray(is_listed & (wide.scores[:, -1] == wide.scores[:, k - 1]))


def _begins_like(wide: TopK, short: TopK, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    # Close, not equal: a matrix product of another shape may round differently.
    heads = wide.scores[:, : short.k]
    return np.asarray(np.isclose(heads, short.scores[rows], rtol=1e-4).all(axis=1))


def _miss_the_tie(settled: TopK, short: TopK, rows: NDArray[np.int64], k: int) -> None:
    """Take what is tied with the k-th item off some lists: who came in was not left to chance."""
    is_tied = settled.scores[rows] == short.scores[rows, k - 1][:, None]
    settled.items[rows] = np.where(is_tied, NO_ITEM, settled.items[rows])
    settled.scores[rows] = np.where(is_tied, -np.inf, settled.scores[rows])


def _shuffle_ties(ranked: TopK, users: UserIdx, *, seed: int, k: int) -> TopK:
    """Return the first k of each list, equal scores in random order."""
    items = np.full((len(ranked), k), NO_ITEM, dtype=np.int32)
    scores = np.full((len(ranked), k), -np.inf, dtype=np.float32)
    depth = min(k, ranked.k)
    items[:, :depth], scores[:, :depth] = ranked.items[:, :depth], ranked.scores[:, :depth]
    is_listed = ranked.items[:, 1:] != NO_ITEM
    is_tied = is_listed & (ranked.scores[:, 1:] == ranked.scores[:, :-1])
    rows = np.flatnonzero(is_tied.any(axis=1))  # few, where scores are numbers and not counts
    if len(rows):
        order = _random_order(_take(ranked, rows), users[rows], seed=seed)[:, :depth]
        items[rows, :depth] = np.take_along_axis(ranked.items[rows], order, axis=1)
    return TopK(items, scores)


def _random_order(ranked: TopK, users: UserIdx, *, seed: int) -> NDArray[np.int64]:
    run = np.zeros(ranked.items.shape, dtype=np.int32)
    run[:, 1:] = np.cumsum(ranked.scores[:, 1:] != ranked.scores[:, :-1], axis=1)
    return np.lexsort((draws(seed, users[:, None], ranked.items), run), axis=1)


def _take(ranked: TopK, rows: NDArray[np.bool_] | NDArray[np.int64]) -> TopK:
    return TopK(ranked.items[rows], ranked.scores[rows])
