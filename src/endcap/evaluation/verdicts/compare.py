"""Two models side by side, user by user: which is better at what, and how sure that is.

As plain data; `compare_text.py` says it in words, `sides.py` finds the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from endcap.evaluation.certainty.bootstrap import Difference, Resampled, resample_seeds
from endcap.evaluation.certainty.effect import Effect, effect
from endcap.evaluation.certainty.power import smallest_difference, users_needed
from endcap.evaluation.certainty.significance import differences_from
from endcap.evaluation.metrics.texts import METRICS
from endcap.evaluation.verdicts.sides import Side, shared_metrics, values_of_both

Finding: TypeAlias = Literal["first", "second", "neither", "unmeasured"]
"""Which of the two is shown to be better (or higher, where neither end is better)."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models by one metric.

    better: which end of the metric is better: "higher", "lower" or "neither".
    first, second: their means over users for whom both are defined.
    difference: first minus second, tested together with all other metrics of the comparison.
    effect: how large it is, and for how many users the first is higher.
    smallest_difference: what the test would find 4 times in 5, at this spread and correction.
    n_users_needed: how many users would make it find, as often, the difference that was seen.
    """

    metric: str
    better: str
    first: float
    second: float
    difference: Difference
    effect: Effect
    smallest_difference: float
    n_users_needed: int | None

    @property
    def finding(self) -> Finding:
        """Which is shown to be better, after correction for the number of metrics."""
        if self.difference.n_users == 0:
            return "unmeasured"
        shown = self.difference.verdict
        if shown == "not shown to differ from":
            return "neither"
        return "first" if (shown == "better than") != (self.better == "lower") else "second"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models by all metrics that were asked for, which are one family of comparisons.

    first, second: as `sides.find_side` takes them.
    n_comparisons: the size of the family: metrics that are defined for anybody.
    n_seeds: how many training seeds intervals and tests allow for; see `bootstrap.Difference`.
    """

    first: str
    second: str
    view: str
    meaning: str
    protocol: str
    split_id: str
    k: int
    n_users: int
    n_seeds: int
    n_comparisons: int
    rows: tuple[Compared, ...]


def compare(
    first: Side,
    second: Side,
    *,
    metrics: Sequence[str] = (),
    view: str | None = None,
    n_replicates: int = 1000,
    rng: np.random.Generator,
) -> Comparison:
    """Return what the first model does better or worse than the second, for the same users.

    The metrics together are one family (Holm): ask for one, and it stands alone; ask for all, and
    each needs more to be shown.

    Args:
        first: one model.
        second: the one that it is compared with.
        metrics: of the users; all that both have when empty.
        view: of the targets; the headline when None.
        n_replicates: of the bootstrap over users.
        rng: where bootstrap and tests draw from.

    Raises:
        DataError: they were measured on different users or targets; says what differs.
        SettingsError: there is no such metric or view.
    """
    view, one, other = values_of_both(first, second, view=view)
    chosen = shared_metrics(one, other, metrics)
    values = {
        "first": one.under_each_fit(first.model, chosen),
        "second": other.under_each_fit(second.model, chosen),
    }
    resampled = resample_seeds(values, n_replicates=n_replicates, rng=rng)
    differences = differences_from("second", resampled, rng=rng)["first"]
    n_comparisons = sum(found.n_users > 0 for found in differences)
    evaluation = first.kept.evaluation
    return Comparison(
        first=first.name,
        second=second.name,
        view=view,
        meaning=evaluation.views[view].meaning,
        protocol=evaluation.protocol,
        split_id=evaluation.split_id,
        k=evaluation.k,
        n_users=len(one.users),
        n_seeds=min(found.n_seeds for found in resampled.values()),
        n_comparisons=n_comparisons,
        rows=tuple(
            _compared(metric, column, resampled, differences[column], n_comparisons)
            for column, metric in enumerate(chosen)
        ),
    )


def _compared(
    metric: str,
    column: int,
    resampled: Mapping[str, Resampled],
    difference: Difference,
    n_comparisons: int,
) -> Compared:
    mine, theirs = (resampled[side].of_users[:, column] for side in ("first", "second"))
    apart = mine - theirs
    both = ~np.isnan(apart)
    n_family = max(n_comparisons, 1)
    return Compared(
        metric=metric,
        better=METRICS[metric].better if metric in METRICS else "neither",
        first=float(mine[both].mean()) if both.any() else float("nan"),
        second=float(theirs[both].mean()) if both.any() else float("nan"),
        difference=difference,
        effect=effect(mine, theirs),
        smallest_difference=smallest_difference(apart, n_comparisons=n_family),
        n_users_needed=users_needed(difference.mean, apart, n_comparisons=n_family),
    )
