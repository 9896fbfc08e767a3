"""What cutting off large weights does to an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from endcap.evaluation.off_policy.feedback import Floats
from endcap.schema.errors import DataError

Direction: TypeAlias = Literal["none", "too low", "too high", "unknown"]


@dataclass(frozen=True, slots=True)
class Clipping:
    """How many weights were cut to a largest one, and what that does.

    largest: what weights were cut to; inf: none was.
    n_clipped, clipped_share: rounds whose weight was above.
    lost_share: of all weight, what was cut away. With rewards from 0 to 1 plain weighting is too
        low by at most the mean weight times this.
    ips_bias: where it moves inverse propensity scoring. Self-normalised weights lean towards
        rounds of small weight instead, and doubly robust estimates towards the direct method.
    """

    largest: float
    n_clipped: int
    clipped_share: float
    lost_share: float
    ips_bias: Direction


def clipped(weight: Floats, reward: Floats, *, largest: float) -> tuple[Floats, Clipping]:
    """Return the weights cut to the largest allowed, with what that did.

    Raises:
        DataError: the largest allowed weight is not above 0.

    Source: truncated importance sampling, Ionides 2008.
    """
    if not largest > 0:
        raise DataError(f"weights cannot be clipped to {largest:g}", mend="Clip to more than 0")
    is_above = weight > largest
    cut = np.minimum(weight, largest)
    total = float(weight.sum())
    told = Clipping(
        largest=largest,
        n_clipped=int(is_above.sum()),
        clipped_share=float(is_above.mean()),
        lost_share=float((weight - cut).sum()) / total if total > 0 else 0.0,
        ips_bias=_direction(reward[is_above], reward),
    )
    return cut, told


def _direction(cut_rewards: Floats, rewards: Floats) -> Direction:
    if len(cut_rewards) == 0:
        return "none"
    if (rewards >= 0).all():
        return "too low"
    return "too high" if (rewards <= 0).all() else "unknown"
