"""Random numbers by name: each depends on a seed, a user and a counter, and on nothing else.

So a result does not change with the order, the block size or the company in which users are
asked. Good for shuffles and draws; not for cryptography.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def draws(
    seed: int, users: NDArray[np.integer], counters: NDArray[np.integer]
) -> NDArray[np.uint64]:
    """Return one uniform 64-bit number for each (user, counter); the two broadcast.

    Args:
        seed: 0 <= seed < 2**63.
        users: any whole numbers.
        counters: any whole numbers; they tell apart the draws of one user.

    Source: Steele, Lea, Flood 2014 (SplitMix64), its finaliser applied to each of the three.
    """
    stream = _mix(_mix(np.array([seed], dtype=np.uint64)) + users.astype(np.uint64) * _STEP)
    return _mix(stream + (counters.astype(np.uint64) + np.uint64(1)) * _STEP)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
