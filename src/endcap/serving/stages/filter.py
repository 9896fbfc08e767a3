"""Drop what must not be shown: unknown, unavailable, in the cart, just bought, already theirs.

What is merely too much of the same is `diversify`'s affair.
"""

from __future__ import annotations

import numpy as np

from endcap.serving.candidates import DISCOVERY, N_CODES, Candidates
from endcap.serving.gather import Context


def filter_candidates(context: Context, candidates: Candidates) -> Candidates:
    """Return the rows that may be shown, in the same order; filtering twice changes nothing."""
    bundle = context.bundle
    known = (candidates.items >= 0) & (candidates.items < bundle.n_items)
    candidates = candidates.take(known)
    may_be_shown = bundle.is_available.copy()
    may_be_shown[context.off_limits] = False
    may_be_found = may_be_shown.copy()
    may_be_found[context.seen] = False
    for_discovery = np.zeros(N_CODES, dtype=np.bool_)
    for_discovery[list(DISCOVERY)] = True
    return candidates.take(
        np.where(
            for_discovery[candidates.source],
            may_be_found[candidates.items],
            may_be_shown[candidates.items],
        )
    )
