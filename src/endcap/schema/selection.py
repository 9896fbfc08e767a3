"""The largest of many scores, exactly and quickly, with one rule for ties.

`types.top_k` is the usual door; what a score means is the caller's affair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 4 << 20  # of scores that are looked at together: what stays in a cache
_GROUPS_A_PLACE = 8  # more of them leave fewer survivors, and cost a longer selection
_LOWEST = np.finfo(np.float32).min  # below it are only -inf and NaN, which may not be shown
_NOBODY = np.int64(0x7F800000FFFFFFFF)  # sorts last, and reads as column -1 with a score of -inf


@dataclass(frozen=True, slots=True)
class Best:
    """Columns with their scores, one row a query, best first, -1 and -inf padded.

    columns: int32, shape (n_rows, width).
    scores: float32, the same shape.
    """

    columns: NDArray[np.int32]
    scores: NDArray[np.float32]


def best_columns(scores: NDArray[np.float32], k: int) -> Best:
    """Return the k best-scored columns of each row, width k; equal scores: the smaller column.

    A score of -inf or NaN never comes back. The array is not changed.

    Args:
        scores: shape (n_rows, n_columns).
        k: how many, >= 1.

    Cost: three passes over the scores in cache, and O(k log k) a row for the order.
    """
    keys = np.full((len(scores), k), _NOBODY, dtype=np.int64)
    for rows in _chunks(scores):
        found = _survivors(scores[rows], _floor(scores[rows], k), 2 * k)
        found.sort(axis=1)
        keys[rows, : found.shape[1]] = found[:, :k]
    return _read(keys)


def contenders(
    scores: NDArray[np.float32], k: int, *, slack: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Return the columns of each row that may be among its k best, in no certain order.

    These are the k best and those that are worse than the k-th by no more than the slack, of
    which the best 2 k + 50 are kept, so that a long tie stays bounded. int32, -1 padded, as wide
    as the longest row and at least k.

    Args:
        scores: as in `best_columns`.
        k: how many, >= 1.
        slack: for each row, shape (n_rows,), >= 0.
    """
    parts, limit = [], 2 * k + 50
    for rows in _chunks(scores):
        floor = _floor(scores[rows], k)
        keys = _survivors(scores[rows], floor - slack[rows], limit)
        keys.sort(axis=1)
        parts.append(_columns(keys[:, : _n_contenders(keys, k, slack[rows])]))
    width = max([k, *(part.shape[1] for part in parts)])
    columns = np.full((len(scores), width), -1, dtype=np.int32)
    for rows, part in zip(_chunks(scores), parts, strict=True):
        columns[rows, : part.shape[1]] = part
    return columns


def ranked(columns: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> Best:
    """Return the k best of a few columns a row, by these scores; equal ones: the smaller column.

    Args:
        columns: shape (n_rows, n), each distinct within its row, -1 padded.
        scores: the same shape; under a -1 anything will do.
        k: how many, at most n.
    """
    keys = np.where(columns < 0, _NOBODY, _key(scores, columns))
    keys.sort(axis=1)
    return _read(keys[:, :k])


def places(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return where each column stands in the whole order of its row, 0 for the best.

    The order is that of `best_columns`. Shape as the scores, none of which is NaN.

    Cost: one sort a row.
    """
    found = np.empty(scores.shape, dtype=np.int32)
    columns = np.arange(scores.shape[1], dtype=np.int32)
    for row, own in enumerate(scores):
        keys = _key(own, columns)
        keys.sort()
        found[row, _columns(keys)] = columns
    return found


def _chunks(scores: NDArray[np.float32]) -> list[slice]:
    """Return blocks of rows, all of which together are the rows."""
    n_rows, n_columns = scores.shape
    step = max(1, _CHUNK_BYTES // (4 * max(n_columns, 1)))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def _survivors(
    scores: NDArray[np.float32], floor: NDArray[np.float32], limit: int
) -> NDArray[np.int64]:
    """Return the keys of all scores that reach the floor of their row, or of the best of them.

    They are in no certain order, padded, at least the best `limit` of a row.
    """
    n_rows, n_columns = scores.shape
    places = _places(scores >= np.maximum(floor, _LOWEST)[:, np.newaxis])
    starts = np.searchsorted(places, np.arange(n_rows + 1) * n_columns)
    counts = np.diff(starts)
    columns = places - np.repeat(np.arange(n_rows) * n_columns, counts)
    keys = np.full((n_rows, int(counts.max(initial=0))), _NOBODY, dtype=np.int64)
    own = np.arange(len(places)) + np.repeat(
        np.arange(n_rows) * keys.shape[1] - starts[:-1], counts
    )
    keys.ravel()[own] = _key(scores.ravel()[places], columns)
    if keys.shape[1] > 2 * limit:
        return np.partition(keys, limit, axis=1)[:, :limit]
    return keys


def _places(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the flat places of the few marks, ascending: `flatnonzero`, eight marks at a time."""
    packed = np.packbits(marks)
    octets = np.flatnonzero(packed != 0)
    bits = np.flatnonzero(np.unpackbits(packed[octets]).view(np.bool_))
    return np.asarray((octets[bits >> 3] << 3) + (bits & 7))


def _n_contenders(keys: NDArray[np.int64], k: int, slack: NDArray[np.float32]) -> int:
    """Return how many of the ascending keys of the longest row are within the slack of its k-th."""
    if keys.shape[1] <= k:
        return int(keys.shape[1])
    scores = _scores(keys[:, k - 1 :])
    is_near = scores >= np.maximum(scores[:, 0] - slack, _LOWEST)[:, np.newaxis]
    return min(k - 1 + int(is_near.sum(axis=1).max(initial=1)), 2 * k + 50)


def _floor(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return for each row a number that at least k of its scores reach, often few more than that.

    Each of k groups has a score as large as the k-th largest maximum of a group. It spares the
    selection most of the columns. A group is every n-th column: neighbours are often alike.
    """
    n_rows, n_columns = scores.shape
    n_groups = min(_GROUPS_A_PLACE * k, n_columns // 2)
    if n_groups < k:
        return np.full(n_rows, -np.inf, dtype=np.float32)
    depth = n_columns // n_groups
    grouped = scores[:, : depth * n_groups].reshape(n_rows, depth, n_groups)
    maxima = np.fmax.reduce(grouped, axis=1)
    maxima[np.isnan(maxima)] = -np.inf
    return np.asarray(np.partition(maxima, n_groups - k, axis=1)[:, n_groups - k])


def _key(
    scores: NDArray[np.float32], columns: NDArray[np.int32] | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return one whole number a pair, the smaller the better: the score, then the column."""
    # Adding zero makes -0.0 the 0.0 that it equals.
    bits = (scores + np.float32(0)).view(np.int32)
    rising = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return ((~rising).astype(np.int64) << 32) | columns


def _read(keys: NDArray[np.int64]) -> Best:
    """Return what the keys were made of."""
    return Best(_columns(keys), _scores(keys))


def _columns(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    return keys.astype(np.uint32).view(np.int32)


def _scores(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    rising = ~(keys >> 32).astype(np.int32)
    return (rising ^ ((rising >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
