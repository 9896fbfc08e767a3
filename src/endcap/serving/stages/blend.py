"""Make one ranking of several, whose scores cannot be compared, by their ranks.

The weights come from the bundle: training chose them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from endcap.features.fusion import RRF_K, fuse_ranks
from endcap.serving.candidates import N_CODES, SOURCE_NAMES, Candidates


def blend(
    candidates: Candidates, weights: Mapping[str, float], *, rrf_k: int = RRF_K
) -> Candidates:
    """Return one row an item, best first, by weighted reciprocal-rank fusion.

    Each source ranks its items by (score, then smaller item); see `features.fusion`. The row names
    the source that gave most. The order of the rows that come in does not matter.

    Args:
        candidates: at most one row an item and source.
        weights: of each source by its name in lower case; 1 where it is not named, and a source
            with weight 0 is left out.
        rrf_k: the larger, the less the first ranks stand out.
    """
    by_code = np.zeros(N_CODES)
    for code, name in SOURCE_NAMES.items():
        by_code[code] = max(weights.get(name, 1.0), 0.0)
    candidates = candidates.take(by_code[candidates.source] > 0)
    order = np.lexsort((candidates.items, -candidates.scores, candidates.source))
    candidates = candidates.take(order)
    starts = np.flatnonzero(np.diff(candidates.source, prepend=0))
    sources = candidates.source[starts]
    fused = fuse_ranks(
        np.split(candidates.items, starts[1:]) if len(starts) else [],
        by_code[sources].tolist(),
        rrf_k=rrf_k,
    )
    return Candidates(fused.items, fused.scores, sources[fused.strongest])
