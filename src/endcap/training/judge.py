"""Fit models on the past of a data set and measure them on its future.

The protocols and the measuring are `evaluation`'s; this file only supplies the fitted models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from endcap.evaluation.evaluate import Measured, evaluate
from endcap.evaluation.judge_view import Terms, UserAttributes
from endcap.evaluation.kept import EVALUATION, keep, open_kept
from endcap.evaluation.leaks import Leak, find_leaks
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.lists.saved import SavedLists
from endcap.evaluation.protocols.cold_items import COLD_ITEMS
from endcap.evaluation.protocols.config import Part
from endcap.evaluation.protocols.leave_one_out import LEAVE_ONE_OUT
from endcap.evaluation.protocols.random_rows import RANDOM_ROWS
from endcap.evaluation.protocols.registry import split_by
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import TEMPORAL, Split, days_before_end
from endcap.features.sessions import session_ids
from endcap.features.weights import DEFAULT_WEIGHTS, KindWeights, interest, weigh
from endcap.ingest.lists import GivenLists
from endcap.models import registry
from endcap.models.blend.by_rank import Blend
from endcap.models.popular import Popular, PopularConfig
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.protocols import Recommender, TakesHistory
from endcap.telemetry import console
from endcap.training.blend import BLEND, FLOOR, blends
from endcap.training.config import EvaluationConfig, TrainingConfig
from endcap.training.run import fit_models, model_rng

__all__ = ["Part", "Setup", "judge", "load_evaluation", "save_evaluation", "split_for"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What was measured, with the models it was measured on.

    models: of the first fit, told whom they are asked about, and lists of others, by name.
    """

    measured: Measured
    split: Split
    models: Mapping[str, Ranker]

    @property
    def evaluation(self) -> Evaluation:
        """The numbers alone."""
        return self.measured.evaluation


REFERENCE = "popular"
AT_ANY_TIME = (LEAVE_ONE_OUT, RANDOM_ROWS)
"""Protocols under which users end at any time, so that popularity has to be of all time."""
OF_ALL_TIME_DAYS = 1e6
DEFAULT = EvaluationConfig()


def judge(
    data: Dataset,
    names: Sequence[str],
    *,
    config: TrainingConfig,
    weights: KindWeights = DEFAULT_WEIGHTS,
    on: Part = "test",
    asking: EvaluationConfig = DEFAULT,
    attributes: UserAttributes | None = None,
    given: Mapping[str, GivenLists] | None = None,
) -> Judged:
    """Return how well models that know only the past foresee what comes after it.

    Args:
        data: a whole snapshot.
        names: models to fit; the popularity ranking joins them if it is not among them, and so
            does their `blend`, learnt on what comes before the question; where it is ranked by
            trees, also its floor, `blend_rrf`.
        config: length of the windows, list length, seed, kinds that make a target.
        weights: of each kind of interaction.
        on: `test`, the last `test_days` of the data, to report; `validation`, as many days
            before those, to choose settings on.
        asking: the protocol and its choices, and with how many seeds.
        attributes: of users, to slice by.
        given: lists of other systems, by the name under which they are reported.

    Raises:
        SettingsError: a model, or a list that was given, cannot answer the protocol; or a list is
            called what a model is called.
    """
    _check_names(given or {}, names)
    for name in names:
        registry.model_class(name)  # before anything is fitted
    split = split_for(data, config=config, weights=weights, on=on, asking=asking)
    console.print(
        f"  {len(split.train.interactions):,} interactions to learn from, "
        f"{split.counts.n_targets:,} targets of {split.counts.n_test_users:,} users"
    )
    others = {name: _saved(lists, split) for name, lists in (given or {}).items()}
    before = _before(data, config=config, weights=weights, on=on, asking=asking)
    seeds = (config.model_copy(update={"seed": config.seed + n}) for n in range(asking.n_seeds))
    fits = _comparable(
        {**_models(split, names, seeded, validation=before), **others} for seeded in seeds
    )
    measured = evaluate(
        fits[0],
        split,
        rng=model_rng(config.seed, "evaluation"),
        terms=Terms(
            k=config.k,
            reference=REFERENCE,
            n_replicates=config.bootstrap_replicates,
            exact_auc=asking.exact_auc,
            attributes=attributes or {},
        ),
        further_fits=fits[1:],
    )
    return Judged(_with_terms(measured, data, weights), split, fits[0])


def _with_terms(measured: Measured, data: Dataset, weights: KindWeights) -> Measured:
    """Return the evaluation with what it does not know of: weights, and which popularity it was."""
    kinds = data.interactions.kinds
    in_force = weights.relative_to(kinds)
    evaluation = measured.evaluation
    facts = dict(evaluation.facts)
    if evaluation.protocol in AT_ANY_TIME:
        facts["popular"] = "of all time"
    told = {kind.value: in_force.of(kind) for kind in kinds}
    return replace(measured, evaluation=replace(evaluation, weights=told, facts=facts))


def split_for(
    data: Dataset,
    *,
    config: TrainingConfig,
    on: Part,
    weights: KindWeights = DEFAULT_WEIGHTS,
    asking: EvaluationConfig = DEFAULT,
) -> Split:
    """Return the split of one part, with at most `max_test_users` test users."""
    told = data.interactions
    n_windows = 2 if on == "validation" or not asking.refit else 1
    past = data.between(None, days_before_end(data, n_windows * config.test_days))
    split = split_by(
        asking.protocol,
        weigh(data, weights, kinds=past.interactions.kinds),
        choices=asking.choices(config, on=on),
        prepare=interest,
        target_kinds=config.target_kinds,
        session_of=session_ids(told.user_idx, told.ts, gap_s=asking.session_gap_s),
    )
    return split.sample(config.max_test_users, rng=np.random.default_rng(config.seed))


def leaks_of(
    data: Dataset,
    names: Sequence[str],
    *,
    config: TrainingConfig,
    weights: KindWeights = DEFAULT_WEIGHTS,
    on: Part = "test",
    asking: EvaluationConfig = DEFAULT,
) -> list[Leak]:
    """Return for each model whether what happens after the cut changes what it lists."""

    def cut(whole: Dataset) -> Split:
        return split_for(whole, config=config, weights=weights, on=on, asking=asking)

    def pipeline(whole: Dataset) -> Mapping[str, Ranker]:
        before = _before(whole, config=config, weights=weights, on=on, asking=asking)
        return _models(cut(whole), names, config, validation=before)

    split = cut(data)
    return find_leaks(pipeline, data, split, k=config.k, rng=model_rng(config.seed, "leaks"))


@dataclass(frozen=True, slots=True)
class Setup:
    """What an evaluation was of: two that differ in any of it are kept apart.

    params: the settings of each model by name, as JSON values.
    weights: of each kind of interaction.
    given: the lists that other systems made: name and what they hold, as a hash.
    """

    snapshot_id: str
    params: Mapping[str, Mapping[str, Any]]
    config: TrainingConfig
    on: Part = "test"
    weights: KindWeights = DEFAULT_WEIGHTS
    asking: EvaluationConfig = DEFAULT
    given: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        names: Sequence[str],
        *,
        snapshot_id: str,
        config: TrainingConfig,
        weights: KindWeights = DEFAULT_WEIGHTS,
        on: Part = "test",
        asking: EvaluationConfig = DEFAULT,
        given: Mapping[str, GivenLists] | None = None,
    ) -> Setup:
        """Return the setup of models as `judge` fits them."""
        params = {
            name: registry.params(registry.create(name, config.params.get(name)))
            for name in _with_reference(names)
        }
        hashes = {name: lists.digest for name, lists in (given or {}).items()}
        return Setup(snapshot_id, params, config, on, weights, asking, hashes)

    @property
    def name(self) -> str:
        """The name of its folder: snapshot, protocol, part, and a hash of all the rest."""
        rest = {
            "params": {name: dict(params) for name, params in self.params.items()},
            "config": self.config.model_dump(mode="json", exclude={"models", "params"}),
            "weights": self.weights.model_dump(mode="json"),
            "asking": self.asking.model_dump(mode="json", exclude={"exact_auc"}),
            "given": dict(self.given),
        }
        digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
        return f"{self.snapshot_id}-{self.asking.protocol}-{self.on}-{digest[:8]}"


def save_evaluation(measured: Measured, setup: Setup, *, root: Path) -> Path:
    """Keep the evaluation under the name of its setup, and return its folder."""
    return keep(measured, root=root, name=setup.name)


def load_evaluation(setup: Setup, *, root: Path) -> Evaluation | None:
    """Return the kept evaluation of exactly this setup; None when there is none.

    Raises:
        DataError: it is damaged.
    """
    if not (root / setup.name / EVALUATION).is_file():
        return None
    return open_kept(root, setup.name).evaluation


def _before(
    data: Dataset,
    *,
    config: TrainingConfig,
    weights: KindWeights,
    on: Part,
    asking: EvaluationConfig,
) -> Split | None:
    """Return the validation split that comes before a test; None where none is needed."""
    if on == "validation" or config.blend.as_served:
        return None
    try:
        return split_for(data, config=config, on="validation", weights=weights, asking=asking)
    except DataError:
        return None  # too short a past: what can be learnt from it is the blend's affair


def _models(
    split: Split, names: Sequence[str], config: TrainingConfig, *, validation: Split | None
) -> dict[str, Ranker]:
    """Return the models by name, fitted and told whom they will be asked about."""
    fitted, _ = fit_models(
        split.train, _with_reference(names), seed=config.seed, params=config.params
    )
    blended: Mapping[str, Ranker] = {}
    if not config.blend.as_served:
        blended = blends(fitted, split, config=config, settings=config.blend, validation=validation)
    if split.protocol in AT_ANY_TIME:
        fitted[REFERENCE] = Popular(PopularConfig(half_life_days=OF_ALL_TIME_DAYS)).fit(
            split.train, rng=model_rng(config.seed, REFERENCE)
        )
    models = {name: _told(name, model, split) for name, model in fitted.items()}
    if config.blend.as_served and sum(config.blend_weights.get(name, 0) > 0 for name in models) > 1:
        blended = {BLEND: Blend(models, config.blend_weights)}
    return {**models, **blended}


def _comparable(fits: Iterable[dict[str, Ranker]]) -> list[dict[str, Ranker]]:
    """Return the fits without what not all of them have: with one seed trees may not have paid."""
    every = list(fits)
    return [
        {name: model for name, model in fit.items() if all(name in other for other in every)}
        for fit in every
    ]


def _told(name: str, model: Recommender, split: Split) -> Recommender:
    if split.history is None:
        return model
    if not isinstance(model, TakesHistory):
        raise SettingsError(
            f"{name} can be asked only about users as it learnt them, and the protocol "
            f"{split.protocol} asks with other histories",
            where="--protocol",
            mend=f"Give it with_history, leave it out with --models, or take {TEMPORAL}",
        )
    return model.with_history(split.history)


def _check_names(given: Mapping[str, GivenLists], names: Sequence[str]) -> None:
    """Refuse lists that would stand in a model's place, above all in that of the reference."""
    models = {RANDOM, BLEND, FLOOR, *_with_reference(names)}
    if taken := [name for name in given if name in models]:
        raise SettingsError(
            f"lists are called {', '.join(taken)}, as a model is",
            where="--lists",
            mend="Give them another name",
        )


def _saved(given: GivenLists, split: Split) -> Ranker:
    if split.history is not None or split.protocol in {COLD_ITEMS, RANDOM_ROWS}:
        raise SettingsError(
            f"lists of users cannot answer the protocol {split.protocol}, which asks with other "
            "histories, or hides what is drawn here from models that are fitted here",
            where="--lists",
            mend=f"Take a protocol that asks about users as they are, such as {TEMPORAL}",
        )
    return SavedLists.of(
        given.users, given.items, given.scores, n_users=split.train.n_users, seen=split.seen
    )


def _with_reference(names: Sequence[str]) -> list[str]:
    return [REFERENCE, *(name for name in names if name != REFERENCE)]
