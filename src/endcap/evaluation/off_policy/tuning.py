"""Chooses how far to believe large weights, from the log alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import t as student

from endcap.evaluation.off_policy.estimators import Parts

CANDIDATES = (10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0, np.inf)
"""For tau of `switch_dr` and lam of `shrunk_dr`, as in Saito et al. 2021."""

DELTA = 0.05
_SLACK = np.sqrt(6.0) - 1.0


def chosen_by_slope(candidates: Mapping[float, Parts]) -> float:
    """Return the setting with the narrowest interval that all wider ones still agree with.

    Candidates are taken from the widest to the narrowest interval, for as long as each lies within
    its own half-width plus sqrt(6) - 1 times that of all before it. Where that stops, narrower ones
    are paid for with bias.

    Args:
        candidates: by setting, what each round says with it; at least one.

    Source: SLOPE of Su, Srinath, Krishnamurthy 2020, in the form of Tucker, Lee 2021, with half of
        a Student interval as width.
    """
    values = {setting: parts.value for setting, parts in candidates.items()}
    widths = {setting: _half_width(parts) for setting, parts in candidates.items()}
    order = sorted(candidates, key=lambda setting: (widths[setting], setting), reverse=True)
    kept: list[float] = []
    for setting in order:
        width = widths[setting]
        if any(
            abs(values[setting] - values[wider]) > width + _SLACK * widths[wider] for wider in kept
        ):
            break
        kept.append(setting)
    return kept[-1]


def _half_width(parts: Parts) -> float:
    rewards = parts.contributions()
    n = len(rewards)
    if n < 2:
        return float("inf")
    return float(np.sqrt(rewards.var() / (n - 1)) * student.ppf(1.0 - DELTA, n - 1))
