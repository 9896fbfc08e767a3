"""Rank every test user by every model, measure the lists, and compare with the rivals.

The one protocol: one cut in time for everybody, the full catalogue, no sampled negatives. Fits no
model but the random one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.bootstrap import Difference, Resampled, resample
from endcap.evaluation.metrics import (
    MEASURES,
    coverage,
    exposure,
    find_hits,
    gini,
    measure_all,
)
from endcap.evaluation.rank import Lists, Ranker, rank_users
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult
from endcap.evaluation.rivals import RANDOM, RandomRanking, expected_metrics_of_random
from endcap.evaluation.split import VIEWS, Split, Targets, View
from endcap.schema.errors import SettingsError
from endcap.schema.types import NO_ITEM, UserIdx

EXCLUDES_SEEN: Mapping[View, bool] = {"all": False, "repeat": False, "discovery": True}
"""Whether the lists of a view leave out what the user had before the cut.

Where repeats count, a shop may show them; where only discoveries count, each would waste a
position.
"""


@dataclass(frozen=True, slots=True)
class _Terms:
    split: Split
    k: int
    reference: str
    n_replicates: int


def evaluate(
    models: Mapping[str, Ranker],
    split: Split,
    *,
    k: int = 10,
    rng: np.random.Generator,
    views: Sequence[View] = VIEWS,
    reference: str = "popular",
    n_replicates: int = 1000,
) -> Evaluation:
    """Return how well the models foresee the targets of the split, beside a random ranking.

    Each user with a target is ranked once with seen items allowed (views `all` and `repeat`) and
    once with seen items left out (view `discovery`), always over the full catalogue. Equal scores
    are put in random order; cold targets and padding are misses. Means are over the users who
    have a target in the view.

    Args:
        models: fitted on `split.train`, by name; `random` is added here.
        split: what they were fitted on and are measured by.
        k: list length.
        rng: seeds the random ranking, the order of ties and the bootstrap.
        views: which targets to report.
        reference: the model to compare with; one of `models`, by custom the popularity ranking.
        n_replicates: of the bootstrap over users.

    Raises:
        RankingError: a model's lists break its promise; nothing is reported.
        SettingsError: the reference is not among the models, or a model is called `random`.

    Cost: two lists a user and model; the rest takes seconds.
    """
    terms = _Terms(split, k, reference, n_replicates)
    entrants = _line_up(models, terms, rng=rng)
    lists = _rank_all(entrants, terms, views, seed=int(rng.integers(2**63)))
    results: dict[str, ViewResult] = {}
    for view in views:
        users = split.targets[view].users
        of_view = {name: lists[name, EXCLUDES_SEEN[view]].of(users) for name in entrants}
        results[view] = _judge(of_view, view, terms, rng=rng)
    ranking_s = dict.fromkeys(entrants, 0.0)
    for (name, _), ranked in lists.items():
        ranking_s[name] += ranked.seconds
    return Evaluation(
        k=k,
        n_items=split.train.n_items,
        cut_us=split.cut_us,
        end_us=split.end_us,
        counts=split.counts,
        n_drawn_users=split.n_drawn_users,
        n_replicates=n_replicates,
        reference=reference,
        ranking_s=ranking_s,
        views=results,
        target_kinds=tuple(kind.value for kind in split.target_kinds),
    )


def _line_up(
    models: Mapping[str, Ranker], terms: _Terms, *, rng: np.random.Generator
) -> dict[str, Ranker]:
    if terms.reference not in models or RANDOM in models:
        raise SettingsError(
            f"the models are {', '.join(models) or 'none'}; the reference is {terms.reference}",
            where="evaluate",
            mend="Name one of the models as reference, and none of them random",
        )
    entrants: dict[str, Ranker] = {RANDOM: RandomRanking().fit(terms.split.train, rng=rng)}
    entrants[terms.reference] = models[terms.reference]
    return entrants | dict(models)


def _rank_all(
    entrants: Mapping[str, Ranker], terms: _Terms, views: Sequence[View], *, seed: int
) -> dict[tuple[str, bool], Lists]:
    lists: dict[tuple[str, bool], Lists] = {}
    targets, seen = terms.split.targets, terms.split.seen
    for exclude_seen in sorted({EXCLUDES_SEEN[view] for view in views}):
        chosen = [targets[view].users for view in views if EXCLUDES_SEEN[view] == exclude_seen]
        users: UserIdx = np.unique(np.concatenate(chosen))
        for name, model in entrants.items():
            lists[name, exclude_seen] = rank_users(
                name,
                model,
                users,
                k=terms.k,
                n_items=terms.split.train.n_items,
                forbidden=seen if exclude_seen else None,
                seed=seed,
            )
    return lists


def _judge(
    lists: Mapping[str, Lists], view: View, terms: _Terms, *, rng: np.random.Generator
) -> ViewResult:
    targets, k = terms.split.targets[view], terms.k
    relevant = targets.rows()
    values = {
        name: measure_all(find_hits(of_model.ranked, relevant), k)
        for name, of_model in lists.items()
    }
    resampled = resample(values, n_replicates=terms.n_replicates, rng=rng)
    return ViewResult(
        exclude_seen=EXCLUDES_SEEN[view],
        n_users=len(targets),
        n_targets=len(targets.items),
        n_cold_targets=int(targets.is_cold.sum()),
        best_recall=_mean(np.minimum(targets.n_relevant, k) / targets.n_relevant),
        expected_random=_expect_of_random(targets, terms, exclude_seen=EXCLUDES_SEEN[view]),
        models={
            name: _model_result(name, of_model, resampled, terms)
            for name, of_model in lists.items()
        },
    )


def _model_result(
    name: str, lists: Lists, resampled: Mapping[str, Resampled], terms: _Terms
) -> ModelResult:
    def versus(rival: str) -> dict[str, Difference]:
        found = resampled[name].minus(resampled[rival]) if name != rival else []
        return dict(zip(MEASURES, found, strict=False))

    items = lists.ranked.items
    shown = exposure(items, n_items=terms.split.train.n_items)
    return ModelResult(
        metrics=dict(zip(MEASURES, resampled[name].intervals(), strict=True)),
        coverage=coverage(shown),
        gini=gini(shown),
        versus_reference=versus(terms.reference),
        versus_random=versus(RANDOM),
        n_short_lists=int((items[:, -1] == NO_ITEM).sum()),
        n_cut_ties=int(lists.is_cut.sum()),
    )


def _expect_of_random(targets: Targets, terms: _Terms, *, exclude_seen: bool) -> dict[str, float]:
    train, seen = terms.split.train, terms.split.seen
    n_seen = np.bincount(seen.rows, minlength=train.n_users)[targets.users]
    n_candidates = train.n_items - n_seen if exclude_seen else np.full_like(n_seen, train.n_items)
    expected = expected_metrics_of_random(targets.n_relevant, n_candidates, k=terms.k)
    return {name: _mean(values) for name, values in expected.items()}


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
