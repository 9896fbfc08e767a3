"""Models as somebody published them, trained to be looked at and not to be served.

A preset is a function from data to the table of its own protocol; a new one needs one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.features.weights import KindWeights
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError
from endcap.training.config import TrainingConfig
from endcap.training.judge_seeds import NEAR_HALF, judge_seed_1

DENSE_IDS = 50_000
"""With more users and items than this, the published network takes sparse steps."""


def seed_1_network(data: Dataset, config: TrainingConfig, weights: KindWeights) -> SeedEvaluation:
    """Return what the two towers of `seed-1`, trained as published, come to by its protocol."""
    is_large = data.n_users + data.n_items > DENSE_IDS
    return judge_seed_1(data, config=config, sparse=is_large, weights=weights)


Preset = Callable[[Dataset, TrainingConfig, KindWeights], SeedEvaluation]

PRESETS: Mapping[tuple[str, str], Preset] = {("two_tower", "seed-1"): seed_1_network}
"""By the names of the model and of the preset."""


def preset_of(model: str, name: str) -> Preset:
    """Return what trains a model as it was published.

    Raises:
        SettingsError: the model has no such preset.
    """
    if (model, name) not in PRESETS:
        known = ", ".join(f"endcap train {one} --preset {other}" for one, other in PRESETS)
        raise SettingsError(
            f"the model {model!r} has no preset {name!r}", where="--preset", mend=f"Known: {known}"
        )
    return PRESETS[model, name]


def where_predictions_lie(evaluation: SeedEvaluation) -> str:
    """Return in a few sentences how near to 0.5 the network's predictions lie; else nothing."""
    facts = evaluation.facts
    if "network_share_at_half" not in facts:
        return ""
    return (
        f"To {facts['network_share_at_half']:.1%} of the held-out rows the network says 0.5, "
        f"{NEAR_HALF} more or less, and up to {facts['network_most_prediction']:.4f} to the "
        f"others. It cannot say less than 0.5; the mean label is {facts['mean_label']:.4f}. Its "
        f"training error by epoch: {facts['network_train_mse_by_epoch']}; that of the constant "
        f"0.5: {facts['constant_half_train_mse']:.4f}, where it ends when it has rows enough."
    )
