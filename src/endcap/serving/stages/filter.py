"""Drop what must not be shown: unknown, unavailable, in the cart, just bought, already theirs.

What is merely too much of the same is `diversify`'s affair.
"""

from __future__ import annotations

import numpy as np

from endcap.serving.candidates import DISCOVERY, Candidates
from endcap.serving.gather import Context


def filter_candidates(context: Context, candidates: Candidates) -> Candidates:
    """Return the rows that may be shown, in the same order; filtering twice changes nothing."""
    bundle = context.bundle
    known = (candidates.items >= 0) & (candidates.items < bundle.n_items)
    candidates = candidates.take(known)
    kept = bundle.is_available[candidates.items]
    kept &= ~np.isin(candidates.items, context.off_limits)
    for_discovery = np.isin(candidates.source, np.array(DISCOVERY, dtype=np.uint8))
    kept &= ~(for_discovery & np.isin(candidates.items, context.seen))
    return candidates.take(kept)
