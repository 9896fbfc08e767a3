"""What one view shows of every model: its users measured one by one, then resampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.askers import Askers
from endcap.evaluation.certainty.bootstrap import Difference, Resampled, resample, resample_seeds
from endcap.evaluation.certainty.significance import differences_from
from endcap.evaluation.lists.entrants import exact_auc
from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.lists.rankings import Rankings
from endcap.evaluation.lists.rivals import RANDOM, expected_metrics_of_random
from endcap.evaluation.metrics.accuracy import MEASURES, Hits, find_hits, measure_all
from endcap.evaluation.metrics.blind import blind_metrics
from endcap.evaluation.metrics.exposure import (
    ExposureResult,
    coverage,
    entropy,
    exposure,
    gini,
    measure_exposure,
)
from endcap.evaluation.metrics.ground import Ground
from endcap.evaluation.metrics.variety import VARIETY, measure_variety
from endcap.evaluation.per_user import Columns, PerUser
from endcap.evaluation.result import ModelResult, ViewResult
from endcap.evaluation.slices.measure import SliceResult, measure_slices, slices_of
from endcap.evaluation.split import Targets, View
from endcap.schema.types import NO_ITEM, ItemIdx

COLUMNS = (*MEASURES, *VARIETY)
"""The metrics of every user, in the order of the columns of `PerUser`."""

TESTED = ("ndcg",)
"""The metrics that verdicts are given for; times the models of a view they are one family."""

UserAttributes: TypeAlias = Mapping[str, Sequence[str | None]]
"""What is known of each user, by the name of the attribute, in the order of the indices."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the models are measured.

    k: list length.
    reference: the model to compare with; one of the models, by custom the popularity ranking.
    n_replicates: of the bootstrap over users.
    exact_auc: whether to score the whole catalogue for the AUC, which costs another ranking; it
        is not reported otherwise.
    slices: whether parts of the users and of the targets are measured alone, too.
    attributes: of users, to slice by.
    """

    k: int = 10
    reference: str = "popular"
    n_replicates: int = 1000
    exact_auc: bool = True
    slices: bool = True
    attributes: UserAttributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Court:
    """All that views are judged by.

    is_cold: whether nobody had the item in what was learnt from, shape (n_items,).
    """

    rankings: Rankings
    terms: Terms
    ground: Ground
    is_cold: NDArray[np.bool_]
    rng: np.random.Generator

    def judge(self, view: View) -> tuple[ViewResult, PerUser]:
        """Return what one view shows of every model, and of every user."""
        split = self.rankings.split
        targets, rule = split.targets[view], split.rules[view]
        fits = [self.rankings.of(view, fit=fit) for fit in range(len(self.rankings.fits))]
        relevant = targets.rows()
        hits = [
            {name: find_hits(lists.ranked, relevant) for name, lists in of_fit.items()}
            for of_fit in fits
        ]
        askers = Askers.of(split, view)
        values = {
            name: np.stack(
                [askers.mean(of_fit) for of_fit in self._measure(name, view, fits, hits)]
            )
            for name in self.rankings.names
        }
        resampled = self._resample(values)
        versus = {rival: self._versus(rival, resampled) for rival in (self.terms.reference, RANDOM)}
        expected, best = self._expect(view, askers)
        result = ViewResult(
            meaning=rule.meaning,
            exclude_seen=rule.exclude_seen,
            n_candidates=None if rule.allowed is None else len(rule.allowed),
            n_users=len(askers.users),
            n_queries=len(targets),
            n_targets=len(targets.items),
            n_cold_targets=int(targets.is_cold.sum()),
            best=best,
            expected_random=expected,
            blind=blind_metrics(best, expected) if len(targets) else (),
            models={
                name: self._model(
                    [of_fit[name] for of_fit in fits],
                    hits[0][name],
                    resampled[name],
                    {rival: found.get(name, {}) for rival, found in versus.items()},
                    allowed=rule.allowed,
                )
                for name in self.rankings.names
            },
            slices=self._slices(view, fits[0]),
            exposure=self._exposure(view, fits[0]),
        )
        means = {name: of_model.mean(axis=0) for name, of_model in values.items()}
        return result, PerUser(askers.users, COLUMNS, means, _fit_means(values))

    def _measure(
        self,
        name: str,
        view: View,
        fits: Sequence[Mapping[str, Lists]],
        hits: Sequence[Mapping[str, Hits]],
    ) -> list[Columns]:
        """Return the columns of one model for each fit, shape (n_queries, n_columns)."""
        split, k = self.rankings.split, self.terms.k
        targets, rule = split.targets[view], split.rules[view]
        columns: list[Columns] = []
        for fit, of_fit in enumerate(fits):
            accuracy = measure_all(hits[fit][name], k)
            if self.terms.exact_auc:
                accuracy[:, list(MEASURES).index("auc")] = exact_auc(
                    self.rankings.fits[fit][name],
                    targets,
                    allowed=rule.allowed,
                    forbidden=self.rankings.seen if rule.exclude_seen else None,
                    n_items=split.train.n_items,
                )
            lists = of_fit[name].ranked
            variety = measure_variety(lists, hits[fit][name], targets.users, self.ground, k=k)
            columns.append(np.hstack([accuracy, variety]))
        return columns

    def _resample(self, values: Mapping[str, NDArray[np.float64]]) -> Mapping[str, Resampled]:
        n_replicates = self.terms.n_replicates
        if len(self.rankings.fits) > 1:
            return resample_seeds(values, n_replicates=n_replicates, rng=self.rng)
        single = {name: of_model[0] for name, of_model in values.items()}
        return resample(single, n_replicates=n_replicates, rng=self.rng)

    def _versus(
        self, rival: str, resampled: Mapping[str, Resampled]
    ) -> dict[str, dict[str, Difference]]:
        """Return what each model differs by from a rival, by metric; only `TESTED` are tested."""
        tested = [COLUMNS.index(metric) for metric in TESTED]
        found = differences_from(rival, resampled, columns=tested, rng=self.rng)
        return {
            name: dict(zip(COLUMNS, differences, strict=True))
            for name, differences in found.items()
        }

    def _model(
        self,
        fits: Sequence[Lists],
        hits: Hits,
        resampled: Resampled,
        versus: Mapping[str, Mapping[str, Difference]],
        *,
        allowed: ItemIdx | None,
    ) -> ModelResult:
        items, n_items = fits[0].ranked.items, len(self.is_cold)
        shown = [exposure(lists.ranked.items, n_items=n_items) for lists in fits]
        if allowed is not None:
            shown = [of_all[allowed] for of_all in shown]
        return ModelResult(
            metrics=dict(zip(COLUMNS, resampled.intervals(), strict=True)),
            catalogue={
                "coverage": float(np.mean([coverage(one) for one in shown])),
                "gini": float(np.mean([gini(one) for one in shown])),
                "entropy": float(np.mean([entropy(one) for one in shown])),
            },
            versus_reference=versus[self.terms.reference],
            versus_random=versus[RANDOM],
            n_short_lists=int((items[:, -1] == NO_ITEM).sum()),
            n_cut_ties=int(fits[0].is_cut.sum()),
            n_cold_hits=int((hits.is_hit & self.is_cold[items]).sum()),
        )

    def _slices(self, view: View, lists: Mapping[str, Lists]) -> tuple[SliceResult, ...]:
        if not self.terms.slices:
            return ()
        return tuple(
            measure_slices(
                lists,
                slices_of(self.rankings.split, view, attributes=self.terms.attributes),
                k=self.terms.k,
                reference=self.terms.reference,
                query_users=self.rankings.split.query_users,
            )
        )

    def _exposure(
        self, view: View, lists: Mapping[str, Lists]
    ) -> Mapping[str, Mapping[str, ExposureResult]]:
        split = self.rankings.split
        return measure_exposure(
            {name: of_model.ranked for name, of_model in lists.items()},
            split.targets[view],
            self.ground,
            k=self.terms.k,
            n_replicates=self.terms.n_replicates,
            rng=self.rng,
            allowed=split.rules[view].allowed,
            query_users=split.query_users,
        )

    def _n_free(self, view: View) -> NDArray[np.int64]:
        """Return how many items could be listed for each user of a view, shape (n_users,)."""
        split = self.rankings.split
        targets, rule = split.targets[view], split.rules[view]
        n_candidates = split.train.n_items if rule.allowed is None else len(rule.allowed)
        free = np.full(len(targets), n_candidates, dtype=np.int64)
        if not rule.exclude_seen:
            return free
        seen = self.rankings.seen
        rows = seen.rows if rule.allowed is None else seen.rows[np.isin(seen.items, rule.allowed)]
        return free - np.bincount(rows, minlength=split.known.n_users)[targets.users]

    def _expect(self, view: View, askers: Askers) -> tuple[dict[str, float], dict[str, float]]:
        """Return what a random ranking and a perfect one score, by metric of accuracy."""
        targets, n_free = self.rankings.split.targets[view], self._n_free(view)
        random = expected_metrics_of_random(targets.n_relevant, n_free, k=self.terms.k)
        perfect = measure_all(perfect_hits(targets, n_free, self.terms.k), self.terms.k)
        # Of all scores, as the models' is; a list of k cannot hold more than k targets.
        perfect[:, list(MEASURES).index("auc")] = np.where(n_free > targets.n_relevant, 1.0, np.nan)
        chance = np.stack([random[name] for name in MEASURES], axis=1)
        expected, best = (
            dict(zip(MEASURES, map(_mean, askers.mean(columns).T), strict=True))
            for columns in (chance, perfect)
        )
        return expected, best


def _fit_means(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Columns]:
    """Return the mean of each fit, by model; none of models that were fitted once."""
    found: dict[str, Columns] = {}
    for name, of_model in values.items():
        if len(of_model) > 1:
            is_out = np.isnan(of_model).any(axis=0)
            n_users = np.where(is_out.all(axis=0), np.nan, (~is_out).sum(axis=0))
            found[name] = np.where(is_out, 0.0, of_model).sum(axis=1) / n_users
    return found


def perfect_hits(targets: Targets, n_free: NDArray[np.int64], k: int) -> Hits:
    """Return the hits of a perfect ranking.

    Args:
        targets: of the users.
        n_free: how many items could be listed for each, shape (n_users,).
        k: list length.
    """
    n_listed = np.minimum(targets.n_relevant, k)
    return Hits(np.arange(k)[None, :] < n_listed[:, None], targets.n_relevant, n_free)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
