"""Make one ranking of several, whose scores cannot be compared, by their ranks.

The weights come from the bundle: training chose them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from endcap.serving.candidates import N_CODES, SOURCE_NAMES, Candidates

RRF_K = 20


def blend(
    candidates: Candidates, weights: Mapping[str, float], *, rrf_k: int = RRF_K
) -> Candidates:
    """Return one row an item, best first, by weighted reciprocal-rank fusion.

    score = sum over sources of weight / (rrf_k + rank), rank from 1 by (score, then smaller item)
    within the source. The row names the source that gave most. The order of the rows that come in
    does not matter.

    Args:
        candidates: at most one row an item and source.
        weights: of each source by its name in lower case; 1 where it is not named, and a source
            with weight 0 is left out.
        rrf_k: the larger, the less the first ranks stand out.

    Source: Cormack, Clarke, Buettcher 2009, with weights.
    """
    by_code = np.zeros(N_CODES)
    for code, name in SOURCE_NAMES.items():
        by_code[code] = max(weights.get(name, 1.0), 0.0)
    candidates = candidates.take(by_code[candidates.source] > 0)
    order = np.lexsort((candidates.items, -candidates.scores, candidates.source))
    candidates = candidates.take(order)
    n_rows = len(candidates)
    if n_rows == 0:
        return candidates
    starts = np.flatnonzero(np.diff(candidates.source, prepend=0))
    lengths = np.diff(starts, append=n_rows)
    ranks = np.arange(n_rows) - np.repeat(starts, lengths) + 1
    parts = by_code[candidates.source] / (rrf_k + ranks)
    items, row_of = np.unique(candidates.items, return_inverse=True)
    fused = np.bincount(row_of, weights=parts)
    # Rows of an item from its largest part to its smallest: the first one names the source.
    by_part = np.lexsort((candidates.source, -parts, row_of))
    first = by_part[np.flatnonzero(np.diff(row_of[by_part], prepend=-1))]
    best = np.lexsort((items, -fused))
    return Candidates(items[best], fused[best].astype(np.float32), candidates.source[first][best])
