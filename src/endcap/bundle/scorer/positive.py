"""Cut from a ranking what has no evidence behind it.

A score of zero is what an item gets about which nothing is known.
"""

from __future__ import annotations

import numpy as np

from endcap.schema.types import TopK


def positive_part(ranked: TopK) -> TopK:
    """Return a ranking of one row without scores of zero or less, and without padding."""
    n_kept = int(np.count_nonzero(ranked.scores[0] > 0))
    return TopK(ranked.items[:, :n_kept], ranked.scores[:, :n_kept])
