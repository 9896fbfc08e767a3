"""Metrics that cannot tell models apart, whatever the models are.

A denominator or a set of candidates can fix what a metric says before any model is asked. Such a
number is worth nothing, however good it looks, and has to be called by its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

SMALLEST_SPAN = 0.02
"""Of what a perfect ranking scores: a smaller distance to a random one is no room for a model."""


def is_blind(best: float, expected_random: float) -> bool:
    """Return whether a metric cannot tell a perfect ranking from a random one.

    Args:
        best: what a perfect ranking scores.
        expected_random: what a random one scores on average, on the same users and candidates.
    """
    if math.isnan(best) or math.isnan(expected_random):
        return True
    return best - expected_random <= SMALLEST_SPAN * abs(best)


def blind_metrics(
    best: Mapping[str, float], expected_random: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the metrics, of those of which both are known, that are blind; see `is_blind`."""
    return tuple(
        name
        for name, value in best.items()
        if name in expected_random and is_blind(value, expected_random[name])
    )
