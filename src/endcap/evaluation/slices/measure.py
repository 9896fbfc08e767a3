"""How well each model does on parts of the users and of the targets, and where it does worse.

Parts are small and many, so intervals come from Student's t, not from resampling: hundreds of
comparisons need p-values far below what a thousand replicates can tell apart, and for means of
these metrics over users the two agree (Smucker, Allan, Carterette 2007).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from endcap.evaluation.askers import Askers
from endcap.evaluation.certainty.bootstrap import CONFIDENCE, Difference, Interval
from endcap.evaluation.certainty.significance import holm
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.metrics.accuracy import Hits, Values, ndcg
from endcap.evaluation.slices.ways import Slice, slices_of
from endcap.schema.types import UserIdx

__all__ = [
    "MIN_USERS",
    "SliceResult",
    "Worse",
    "measure_slices",
    "slices_of",
    "worse_than_reference",
]

MIN_USERS = 30
"""Below it nothing is claimed: a mean of so few skewed values is not near a normal one."""


@dataclass(frozen=True, slots=True)
class SliceResult:
    """All models on one slice.

    by, label: see `ways.Slice`.
    n_users, n_targets: who has a target in it, and how many they have.
    ndcg: by model; low and high are NaN below `MIN_USERS` users.
    versus_reference: by model but the reference and `random`, paired by user, this model minus
        the reference; `p_adjusted` is Holm's over all slices and models that were measured
        together, so `Difference.verdict` holds for all of them at once.
    """

    by: str
    label: str
    n_users: int
    n_targets: int
    ndcg: Mapping[str, Interval]
    versus_reference: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Worse:
    """A slice on which a model's interval lies below the reference; of so many users."""

    model: str
    by: str
    label: str
    n_users: int
    difference: Difference

    @property
    def is_sure(self) -> bool:
        """Whether chance is ruled out for all comparisons together."""
        return self.difference.verdict == "worse than"


def measure_slices(
    lists: Mapping[str, Lists],
    slices: Sequence[Slice],
    *,
    k: int,
    reference: str,
    query_users: UserIdx | None = None,
) -> list[SliceResult]:
    """Return the NDCG@k of every model on every slice, in the order of the slices.

    Only the targets of the slice are relevant in it: a listed item that the user took but that
    belongs to another slice is a miss here, and the ideal list is one of the slice's targets.

    Args:
        lists: by model, of at least the users of the slices.
        slices: of one view, which the lists are made for.
        k: list length.
        reference: the model to compare with, one of `lists`.
        query_users: whose the queries are that the slices name, where these are no users.

    Cost: a binary search for each listed item, slice and model; 20,000 users, 8 models and 50
    slices of 7 ways take about half a second.
    """
    measured = [
        _measure(one, lists, k=k, reference=reference, query_users=query_users) for one in slices
    ]
    p_values = [[one.p_value for one in result.versus_reference.values()] for result in measured]
    return [
        replace(result, versus_reference=_adjusted(result.versus_reference, row))
        for result, row in zip(measured, holm(np.array(p_values)), strict=True)
    ]


def worse_than_reference(results: Sequence[SliceResult]) -> list[Worse]:
    """Return where a model's interval lies below the reference: the sure ones, the worst first."""
    return sorted(_below(results), key=lambda one: (not one.is_sure, one.difference.mean))


def _below(results: Sequence[SliceResult]) -> Iterator[Worse]:
    for result in results:
        for model, difference in result.versus_reference.items():
            if difference.high < 0:
                yield Worse(model, result.by, result.label, result.n_users, difference)


def _measure(
    one: Slice,
    lists: Mapping[str, Lists],
    *,
    k: int,
    reference: str,
    query_users: UserIdx | None,
) -> SliceResult:
    values = _ndcg_of(one, lists, k=k)
    if query_users is not None:
        askers = Askers.of_queries(one.targets.users, query_users)
        values = {name: askers.mean(own[:, None])[:, 0] for name, own in values.items()}
    rivals = [name for name in lists if name not in (reference, RANDOM)]
    return SliceResult(
        by=one.by,
        label=one.label,
        n_users=len(values[reference]),
        n_targets=len(one.targets.items),
        ndcg={name: _interval(of_model) for name, of_model in values.items()},
        versus_reference={name: _difference(values[name] - values[reference]) for name in rivals},
    )


def _adjusted(
    differences: Mapping[str, Difference], p_values: NDArray[np.float64]
) -> dict[str, Difference]:
    return {
        name: replace(difference, p_adjusted=float(p_adjusted))
        for (name, difference), p_adjusted in zip(differences.items(), p_values, strict=True)
    }


def _ndcg_of(one: Slice, lists: Mapping[str, Lists], *, k: int) -> dict[str, Values]:
    targets = one.targets
    rows = np.arange(len(targets))
    stride = int(targets.items.max(initial=0)) + 1
    relevant = pair_set(np.repeat(rows, targets.n_relevant), targets.items, stride=stride)
    found = {}
    for name, of_model in lists.items():
        items = of_model.of(targets.users).ranked.items[:, :k]
        is_hit = relevant.contain(rows[:, None], items)
        found[name] = ndcg(Hits(is_hit, targets.n_relevant), k)
    return found


def _interval(values: Values) -> Interval:
    mean, half, _ = _student(values)
    low, high = max(mean - half, 0.0), min(mean + half, 1.0)
    if math.isnan(half):
        low = high = math.nan
    return Interval(mean, low, high, n_users=len(values))


def _difference(values: Values) -> Difference:
    mean, half, p_value = _student(values)
    return Difference(mean, mean - half, mean + half, n_users=len(values), p_value=p_value)


def _student(values: Values) -> tuple[float, float, float]:
    """Return mean, half of the interval, and the p-value of no difference from 0."""
    n_users, mean = len(values), float(values.mean())
    if n_users < MIN_USERS:
        return mean, math.nan, math.nan
    error = float(values.std(ddof=1)) / math.sqrt(n_users)
    half = float(special.stdtrit(n_users - 1, 0.5 + CONFIDENCE / 2)) * error
    if error == 0:
        return mean, half, 1.0 if mean == 0 else 0.0
    return mean, half, float(2.0 * special.stdtr(n_users - 1, -abs(mean) / error))
