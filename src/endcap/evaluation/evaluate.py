"""Rank every test user by every model, measure the lists, and compare with the rivals.

Whatever the protocol: all candidates are ranked, none sampled. Fits no model but the random one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.evaluation.check_split import check_split
from endcap.evaluation.judge_view import Court, Terms
from endcap.evaluation.lists.rank import Lists, Ranker
from endcap.evaluation.lists.rankings import Rankings
from endcap.evaluation.lists.rivals import RANDOM, RandomRanking
from endcap.evaluation.metrics.ground import ground_of
from endcap.evaluation.per_user import PerUser
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import Split, View, warm_items
from endcap.schema.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Measured:
    """An evaluation with what it was made from.

    per_user: by view.
    lists: by view, then by model; of the first fit of each.
    """

    evaluation: Evaluation
    per_user: Mapping[View, PerUser]
    lists: Mapping[View, Mapping[str, Lists]]


def evaluate(
    models: Mapping[str, Ranker],
    split: Split,
    *,
    rng: np.random.Generator,
    terms: Terms | None = None,
    further_fits: Sequence[Mapping[str, Ranker]] = (),
) -> Measured:
    """Return how well the models foresee the targets of the split, beside a random ranking.

    Each user with a target is ranked once for every rule of the views, over all items that the
    rule allows. Equal scores are put in random order; cold targets and padding are misses. Means
    are over those users of a view of whom the metric says something.

    Args:
        models: fitted on `split.train`, and told `split.history` if there is one, by name;
            `random` is added here.
        split: what they were fitted on and are measured by.
        rng: seeds the random ranking, the order of ties and the bootstrap.
        terms: how to measure.
        further_fits: the same models fitted with other seeds, one entry a seed.

    Raises:
        RankingError: a model's lists break its promise; nothing is reported.
        SettingsError: the reference is not among the models, or a model is called `random`.
        DataError: the split is faulty: a user twice, or an answer among what is known.

    Cost: for each model and rule one list a user, and one pass over all scores for the AUC.
    """
    terms = terms or Terms()
    check_split(split)
    fits = [_line_up(some, split, terms, rng=rng) for some in (models, *further_fits)]
    rankings = Rankings(split, fits, terms.k, int(rng.integers(2**63)), split.seen)
    court = Court(rankings, terms, ground_of(split), ~warm_items(split.train), rng)
    judged = {view: court.judge(view) for view in split.targets}
    evaluation = Evaluation(
        k=terms.k,
        n_items=split.train.n_items,
        protocol=split.protocol,
        facts=split.facts,
        split_id=split.split_id,
        cut_us=split.cut_us,
        end_us=split.end_us,
        counts=split.counts,
        n_drawn_users=split.n_drawn_users,
        n_replicates=terms.n_replicates,
        n_seeds=len(fits),
        reference=terms.reference,
        ranking_s=rankings.seconds_of_a_thousand(),
        views={view: result for view, (result, _) in judged.items()},
        target_kinds=tuple(kind.value for kind in split.target_kinds),
    )
    return Measured(
        evaluation,
        per_user={view: per_user for view, (_, per_user) in judged.items()},
        lists={view: rankings.of(view) for view in split.targets},
    )


def _line_up(
    models: Mapping[str, Ranker], split: Split, terms: Terms, *, rng: np.random.Generator
) -> dict[str, Ranker]:
    if terms.reference not in models or RANDOM in models:
        raise SettingsError(
            f"the models are {', '.join(models) or 'none'}; the reference is {terms.reference}",
            where="evaluate",
            mend="Name one of the models as reference, and none of them random",
        )
    entrants: dict[str, Ranker] = {RANDOM: RandomRanking().fit(split.known, rng=rng)}
    entrants[terms.reference] = models[terms.reference]
    return entrants | dict(models)
