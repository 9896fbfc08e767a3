"""Whether a metric can tell a perfect model from a random one at all, on the rows it is given.

`blind.py` asks the same of expected values; here both are measured, on a sample of users, and a
distance that another sample might not show again counts for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.blind import SMALLEST_SPAN


@dataclass(frozen=True, slots=True)
class Room:
    """What a metric gives the worst and the best of models: all others lie in between.

    Where that leaves no room, the metric says nothing about any model, however good its value
    looks: a fixed denominator or a fixed set of candidates has decided it before.

    random: of scores that know nothing, the mean of several draws if there are several.
    oracle: of scores that order or predict everything right.
    """

    random: Interval
    oracle: Interval

    @property
    def span(self) -> float:
        """How far a perfect model is from a random one, whichever end is better; >= 0."""
        return abs(self.oracle.mean - self.random.mean)

    @property
    def noise(self) -> float:
        """The larger half width of the two intervals: what other users would change."""
        return max((found.high - found.low) / 2 for found in (self.random, self.oracle))

    @property
    def is_blind(self) -> bool:
        """Whether the span is within the noise, or within 2 % of the larger value, or unknown."""
        if math.isnan(self.span) or math.isnan(self.noise):
            return True
        largest = max(abs(self.oracle.mean), abs(self.random.mean))
        return self.span <= max(self.noise, SMALLEST_SPAN * largest)
