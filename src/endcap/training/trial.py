"""How good one setting of a model is, on the validation part alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from endcap.evaluation.askers import Askers
from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.lists.rankings import Rankings
from endcap.evaluation.metrics.accuracy import find_hits, ndcg
from endcap.evaluation.split import Split
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights
from endcap.models import registry
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import TakesHistory
from endcap.training.config import EvaluationConfig, TrainingConfig
from endcap.training.judge import split_for
from endcap.training.run import model_rng

SAMPLE_SHARE = 0.25
"""Of all users; what is poor for a quarter of them is not tried on the rest."""

MIN_SAMPLED = 500
"""Users with a target in the sample; of fewer the quality says too little to give up on."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What settings are tried on: a split whose targets are of the validation.

    seen: what lists of new items leave out.
    k: list length.
    """

    split: Split
    seen: Pairs
    k: int

    @staticmethod
    def of(split: Split, *, k: int) -> Bench:
        """Return the bench of a split."""
        return Bench(split, split.seen, k)

    @property
    def n_users(self) -> int:
        """Users who are measured."""
        return len(Askers.of(self.split, self._view).users)

    @property
    def _view(self) -> str:
        return next(iter(self.split.targets))

    def quality(self, model: str, params: Mapping[str, Any], *, seed: int) -> float:
        """Return the mean NDCG@k of the headline view with the model fitted so.

        Args:
            model: its name.
            params: settings that differ from its defaults.
            seed: of the fit.

        Raises:
            SettingsError: the protocol asks with other histories, which the model cannot take.
        """
        fitted = registry.create(model, params).fit(self.split.train, rng=model_rng(seed, model))
        ranker: Ranker = fitted
        if self.split.history is not None:
            if not isinstance(fitted, TakesHistory):
                raise SettingsError(
                    f"{model} cannot be asked with other histories, as {self.split.protocol} does",
                    where="--protocol",
                    mend="Take the protocol temporal",
                )
            ranker = fitted.with_history(self.split.history)
        rankings = Rankings(self.split, [{model: ranker}], self.k, seed, self.seen)
        lists = rankings.of(self._view)[model]
        hits = find_hits(lists.ranked, self.split.targets[self._view].rows())
        values = Askers.of(self.split, self._view).mean(ndcg(hits, self.k)[:, np.newaxis])
        return float(np.nanmean(values))

    def sampled(self, share: float, *, rng: np.random.Generator) -> Bench | None:
        """Return the same for a share of all users, as if there were no others.

        None where too few would have a target.
        """
        split = self.split
        is_drawn = rng.random(split.train.n_users) < share
        targets = {}
        for view, of_view in split.targets.items():
            users = of_view.users if split.query_users is None else split.query_users[of_view.users]
            targets[view] = of_view.take(np.flatnonzero(is_drawn[users]))
        train = split.train
        kept = train.interactions.take(is_drawn[train.interactions.user_idx])
        part = replace(split, targets=targets, train=replace(train, interactions=kept))
        bench = Bench.of(part, k=self.k)
        return bench if bench.n_users >= MIN_SAMPLED else None


def validation_bench(
    data: Dataset,
    *,
    config: TrainingConfig,
    asking: EvaluationConfig,
    weights: KindWeights = DEFAULT_WEIGHTS,
) -> Bench:
    """Return the validation part of a data set under a protocol; the test part is left out of it.

    Args:
        data: a whole snapshot.
        config: length of the windows, list length, seed, kinds that make a target.
        asking: the protocol and its choices.
        weights: of each kind of interaction.

    Raises:
        DataError: nobody took anything in the validation.
    """
    split = split_for(data, config=config, weights=weights, on="validation", asking=asking)
    return Bench.of(split, k=config.k)
