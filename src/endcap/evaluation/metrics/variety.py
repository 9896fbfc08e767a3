"""What lists are like apart from being right: novel, popular, surprising, varied, true to taste.

One value a user; NaN where a measure says nothing of the user. Measures of all lists together are
in `exposure.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from endcap.evaluation.metrics.accuracy import Hits, Values
from endcap.evaluation.metrics.calibration import calibration
from endcap.evaluation.metrics.ground import Ground, Groups
from endcap.evaluation.per_user import Columns
from endcap.schema.types import ItemIdx, TopK, UserIdx

VARIETY = ("novelty", "popularity_bias", "serendipity", "diversity", "calibration")
"""What `measure_variety` measures, in the order of its columns."""

_BLOCK_CELLS = 1 << 18  # of lists at once: 2 MB of float64, stays in the cache


def measure_variety(
    ranked: TopK,
    hits: Hits,
    users: UserIdx,
    ground: Ground,
    *,
    k: int,
    vectors: NDArray[np.floating] | None = None,
) -> Columns:
    """Return every one of `VARIETY` for the first k items of each list, shape (n_users, 5).

    Args:
        ranked: one list a user, no item twice in one.
        hits: of these lists; see `accuracy.find_hits`.
        users: who they are for: rows of the history that `ground` was made of.
        ground: of the split.
        k: list length; a shorter list counts as padded.
        vectors: of the items, to take diversity from; from what the catalogue says when None.

    Cost: O(n_users k log k); memory does not grow with the number of users.
    """
    columns = np.empty((len(ranked), len(VARIETY)))
    block = max(1, _BLOCK_CELLS // max(k, 1))
    for start in range(0, len(ranked), block):
        rows = slice(start, start + block)
        items, of = ranked.items[rows, :k], users[rows]
        columns[rows] = np.stack(
            [
                novelty(items, ground),
                popularity_bias(items, of, ground),
                serendipity(items, Hits(hits.is_hit[rows], hits.n_relevant[rows]), ground, k=k),
                diversity(items, ground.attributes)
                if vectors is None
                else diversity_of_vectors(items, vectors),
                calibration(items, of, ground.taste),
            ],
            axis=1,
        )
    return columns


def novelty(items: ItemIdx, ground: Ground) -> Values:
    """Return the mean surprise of each list's items in bits, 0 to log2(n_users), shape (n_users,).

    The surprise of an item is -log2 of the share of users who had it. An item that nobody had
    counts as had by one: it is as surprising as the rarest, not infinitely so. NaN for an empty
    list.

    Source: Vargas, Castells 2011 (popularity-based item novelty), without discount.
    """
    share = np.maximum(ground.n_users_who_had, 1) / max(ground.n_users, 1)
    return _mean_of_lists(items, -np.log2(share))


def popularity_bias(items: ItemIdx, users: UserIdx, ground: Ground) -> Values:
    """Return how much more popular each list is than its user's history, between -1 and 1.

    The mean percentile of popularity of the list's items minus that of the items of the history;
    above 0 the list is the more popular. NaN for an empty list and without a history.

    Source: Abdollahpouri et al. 2019 (group average popularity), with percentiles for counts, as
    a few best sellers would outweigh all other counts, and as a difference for each user.
    """
    return _mean_of_lists(items, ground.percentile) - ground.history_percentile[users]


def serendipity(items: ItemIdx, hits: Hits, ground: Ground, *, k: int) -> Values:
    """Return the mean over k positions of how unexpected each hit is, 0 to 1.

    A hit counts max(0, p - q): p = 1 - position / n_items, position from 0, is how strongly the
    list puts the item forward, q = 1 - (rank - 1) / n_items how strongly popularity would, rank
    from 1 and equals sharing their mean rank. So the popularity ranking scores 0. Never above
    precision. NaN where nothing is relevant.

    Source: Murakami, Mori, Orihara 2008 (unexpectedness against a primitive method), here
    popularity, without their weighing by rank; reviewed in Kaminskas, Bridge 2016.
    """
    each = hits.each(items.shape[1])
    put_forward = 1.0 - each.positions / ground.n_items
    expected = ground.percentile[items[each.users, each.positions]] + 0.5 / ground.n_items
    total = each.total(np.maximum(put_forward - expected, 0.0))
    return np.where(hits.n_relevant > 0, total / k, np.nan)


def diversity(items: ItemIdx, attributes: Sequence[Groups]) -> Values:
    """Return the mean distance between two items of each list, 0 to 1, shape (n_users,).

    Under one attribute the distance is 0 where both items have the same value and 1 where not;
    the mean is over the pairs of items whose value is known, then over the attributes with such
    a pair. Where everything is known this is the mean over pairs of the share of attributes in
    which they differ. NaN where no pair can be compared.

    Source: Ziegler et al. 2005 (intra-list similarity), as a distance; one attribute alone gives
    Simpson 1949's unbiased index, which is how it is computed: O(k log k), not O(k^2).
    """
    total, n_comparable = np.zeros(len(items)), np.zeros(len(items))
    for groups in attributes:
        n_equal, n_pairs = _equal_pairs(np.append(groups.codes, np.int32(-1))[items])
        is_comparable = n_pairs > 0
        total += np.where(is_comparable, 1.0 - n_equal / np.maximum(n_pairs, 1), 0.0)
        n_comparable += is_comparable
    return np.asarray(total / np.where(n_comparable > 0, n_comparable, np.nan))


def diversity_of_vectors(items: ItemIdx, vectors: NDArray[np.floating]) -> Values:
    """Return the mean cosine distance between two items of each list, 0 to 2, shape (n_users,).

    A vector of zeros is at distance 1 from every other. NaN for a list of fewer than two items.

    Args:
        items: shape (n_users, k), padded.
        vectors: of all items, shape (n_items, n_dimensions).

    Source: Smyth, McClave 2001. The sum over pairs is (|sum v|^2 - sum |v|^2) / 2, so that no
    pair is formed.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    units = vectors / np.where(lengths > 0, lengths, 1.0)[:, None]
    is_listed = items >= 0
    n_listed = is_listed.sum(axis=1)
    indptr = np.concatenate([[0], np.cumsum(n_listed)])
    chosen = items[is_listed]
    shape = (len(items), len(vectors))
    sums = csr_array((np.ones(len(chosen)), chosen, indptr), shape=shape) @ units
    own = np.append(lengths > 0, False)[items].sum(axis=1)
    n_pairs = n_listed * (n_listed - 1)
    similar = np.einsum("ij,ij->i", sums, sums) - own
    return np.asarray(1.0 - similar / np.where(n_pairs > 0, n_pairs, np.nan))


def _mean_of_lists(items: ItemIdx, of_item: Values) -> Values:
    n_listed = (items >= 0).sum(axis=1)
    # Padding is -1 and takes the last entry.
    total = np.append(of_item, 0.0)[items].sum(axis=1)
    return np.asarray(total / np.where(n_listed > 0, n_listed, np.nan))


def _equal_pairs(codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many pairs in each row are equal, and how many there are, a code of -1 in none."""
    ascending = np.sort(codes, axis=1)
    place = np.arange(codes.shape[1])
    begins = np.ones(codes.shape, dtype=np.bool_)
    begins[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    run_start = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    n_before = np.where(ascending >= 0, place - run_start, 0)
    n_known = (codes >= 0).sum(axis=1)
    return n_before.sum(axis=1), n_known * (n_known - 1) // 2
