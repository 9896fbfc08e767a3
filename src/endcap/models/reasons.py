"""Why an item: what the models' explanations have in common.

What speaks for an item is each model's own affair; how it is put in words is the reader's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.features.fold_in import als_system
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores

NO_REASON = Reason("none", None, 0.0)


def popular_reason(beneath: Scores, item: int) -> Reason:
    """Return that an item stands where popularity puts it; the amount is its place in [0, 1).

    Args:
        beneath: `ranking.rank_beneath`, shape (n_items,).
        item: which.
    """
    return Reason("popular", None, 1.0 + float(beneath[item]))


def strongest_reason(seeds: ItemIdx, parts: NDArray[np.floating]) -> Reason:
    """Return which item of a history gives most, and its share of all that is given.

    The share is of the sum of the positive parts, in (0, 1]; `similar_taste` with an amount of 0
    where no part is positive. Of equal parts the first counts.

    Args:
        seeds: items of the history, shape (n_seeds,), n_seeds >= 1.
        parts: what each adds to the score, shape (n_seeds,).
    """
    best = int(parts.argmax())
    if not parts[best] > 0:
        return Reason("similar_taste", None, 0.0)
    return Reason("because_of", int(seeds[best]), float(parts[best] / parts[parts > 0].sum()))


def drop_reason(seeds: ItemIdx, drops: NDArray[np.floating]) -> Reason:
    """Return which item of a history the score would miss most, and by how much it would fall.

    `similar_taste` with an amount of 0 where the score falls without none of them.

    Args:
        seeds: items of the history, shape (n_seeds,), n_seeds >= 1.
        drops: by how much the score falls without each, shape (n_seeds,).
    """
    worst = int(drops.argmax())
    if not drops[worst] > 0:
        return Reason("similar_taste", None, 0.0)
    return Reason("because_of", int(seeds[worst]), float(drops[worst]))


def als_parts(
    target_rows: NDArray[np.float32],
    item_rows: NDArray[np.float32],
    confidence: NDArray[np.float32],
    gram: NDArray[np.float64],
    reg: float,
) -> NDArray[np.float64]:
    """Return what each item of a history adds to each score, shape (n_targets, n_seeds).

    The parts of a target add up to its inner product with `fold_in.als_user_vector`. Its rows are
    the factors of the items to explain, shape (n_targets, d); the other arguments are those of
    that function.

    Source: Hu, Koren, Volinsky 2008, section 5.
    """
    rows, sure = item_rows.astype(np.float64), confidence.astype(np.float64)
    solved = np.linalg.solve(als_system(rows, sure, gram, reg), rows.T)
    return np.asarray(target_rows.astype(np.float64) @ solved * sure)
