"""The blend of fitted models: learnt on what came before the question, asked like any model.

How it ranks is told in `models/blend/ranked.py`; this file supplies what it learns from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import PROTOCOLS, split_by
from endcap.evaluation.split import Split
from endcap.models.blend.lessons import Lesson
from endcap.models.blend.ranked import RankedBlend, learn_together
from endcap.models.blend.rule import Rule
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError
from endcap.schema.protocols import Recommender, TakesHistory
from endcap.telemetry import console
from endcap.training.blend_config import BlendSettings
from endcap.training.config import TrainingConfig
from endcap.training.run import fit_models

BLEND = "blend"
FLOOR = "blend_rrf"
IMPERSONAL = ("popular", "trending")
"""Models that list the same for everybody, so that a blend gains nothing from them by default."""


def blends(
    models: Mapping[str, Recommender],
    split: Split,
    *,
    config: TrainingConfig,
    settings: BlendSettings,
    validation: Split | None = None,
) -> dict[str, RankedBlend]:
    """Return the blend of the models by name, and beside it its floor where the two differ.

    `blend` is ranked by trees where cross-validation on the validation targets proved them better,
    by reciprocal-rank fusion with learnt weights if not; `blend_rrf` is always the latter.

    Args:
        models: fitted on `split.train`, by name.
        split: what they will be asked about; nothing of its targets is looked at.
        config: seed, length of the windows, settings of the models.
        settings: of the blend.
        validation: the split to learn from; the same protocol on `split.train` when None.

    Returns:
        nothing when fewer than two of the members are there.

    Cost: the members are fitted once more for each window that is learnt from, unless it is of the
    same training data.
    """
    taking_part = {
        name: model
        for name, model in models.items()
        if (name in settings.members if settings.members else name not in IMPERSONAL)
    }
    if len(taking_part) < 2:
        return {}
    known = validation or earlier(split, config)
    rules = None
    if known is not None:
        rules = learn_rules(taking_part, split, known, config=config, settings=settings)
    told = {name: _told(model, split) for name, model in taking_part.items()}
    blend = RankedBlend.of(
        told, learnt=split.train, told=split.known, rules=rules, config=settings.of(tuple(told))
    )
    return {BLEND: blend, FLOOR: blend.floor()} if blend.has_trees else {BLEND: blend}


def learn_rules(
    models: Mapping[str, Recommender],
    split: Split,
    validation: Split,
    *,
    config: TrainingConfig,
    settings: BlendSettings,
) -> dict[bool, Rule]:
    """Return how the lists of the models are best blended, by the targets of the validation.

    Where everybody is asked about one window of time, so many windows before it are learnt from as
    the settings say and the data have.

    The arguments are those of `blends`.
    """
    taught = []
    for known in _windows(validation, config=config, n=settings.n_windows):
        if _is_same(known.train, split.train):
            fitted = dict(models)
        else:
            console.print("  blend: the members once more, on what comes before the validation")
            fitted, _ = fit_models(
                known.train, tuple(models), seed=config.seed, params=config.params
            )
        told = {name: _told(model, known) for name, model in fitted.items()}
        blend = RankedBlend.of(
            told, learnt=known.train, told=known.known, config=settings.of(tuple(told))
        )
        taught.append((blend, lessons_of(known)))
    return learn_together(taught, seed=config.seed)


def _windows(validation: Split, *, config: TrainingConfig, n: int) -> Iterator[Split]:
    """Yield the validation, and where it has a window of time, those before it: n at most."""
    yield validation
    if PROTOCOLS[validation.protocol].train_ends_at_cut:
        for _ in range(n - 1):
            before = earlier(validation, config)
            if before is None:
                return
            yield (validation := before)


def lessons_of(split: Split) -> list[Lesson]:
    """Return what the targets of a split teach, one lesson for each kind of list it asks for.

    Views that allow only some items teach nothing: lists of the whole catalogue are blended.
    """
    lessons: dict[bool, Lesson] = {}
    for view, targets in split.targets.items():
        rule = split.rules[view]
        if rule.allowed is None and len(targets) and rule.exclude_seen not in lessons:
            lessons[rule.exclude_seen] = Lesson(
                targets.users, targets.indptr, targets.items, rule.exclude_seen
            )
    return list(lessons.values())


def earlier(split: Split, config: TrainingConfig) -> Split | None:
    """Return what the protocol of a split asks of the data that may be learnt from alone.

    None where too little comes before, or the protocol needs more than the data.
    """
    if PROTOCOLS[split.protocol].needs_sessions:
        return None
    choices = ProtocolConfig(
        seed=config.seed, test_days=config.test_days, validation_days=config.test_days
    )
    try:
        return split_by(
            split.protocol, split.train, choices=choices, target_kinds=split.target_kinds
        )
    except DataError as error:
        console.print(f"  blend: nothing more to learn from, for {error.what}")
        return None


def _told(model: Recommender, split: Split) -> Recommender:
    if split.history is None or not isinstance(model, TakesHistory):
        return model
    return model.with_history(split.history)


def _is_same(one: Dataset, other: Dataset) -> bool:
    """Return whether two data sets tell the same, event by event."""
    mine, theirs = one.interactions, other.interactions
    return len(mine) == len(theirs) and all(
        np.array_equal(getattr(mine, name), getattr(theirs, name))
        for name in ("user_idx", "item_idx", "ts", "weights")
    )
