"""Between which settings `endcap tune` looks for the best ones of each model.

What stands here decides most of how a model behaves. Everything else keeps the value that is set.
A setting of a nested group has a dot: `loop.learning_rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from endcap.schema.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Real:
    """A number between two, ends included; `log` looks alike at each order of magnitude."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two, ends included."""

    low: int
    high: int
    log: bool = True


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few values."""

    options: tuple[str | float | bool | None, ...]


Range: TypeAlias = Real | Whole | OneOf
Space: TypeAlias = Mapping[str, Range]

DAYS = Real(1, 3000)
"""Half-lives: from a day to what forgets nothing in the life of a shop."""

SPACES: Mapping[str, Space] = {
    "popular": {"half_life_days": DAYS},
    "trending": {"half_life_days": Real(0.2, 30)},
    "repeat": {
        "half_life_days": DAYS,
        "frequency_power": Real(0, 1.5, log=False),
        "popularity_half_life_days": DAYS,
    },
    "item_knn": {
        "n_neighbours": Whole(20, 1000),
        "shrink": Real(0.5, 500),
        "popularity_power": Real(0.2, 0.9, log=False),
        "pair_half_life_days": DAYS,
        "half_life_days": DAYS,
        "user_power": Real(0, 1, log=False),
        "visit_power": Real(0, 2, log=False),
        "min_users": Whole(1, 10),
    },
    "ease": {
        "reg": Real(5, 5000),
        "tau": Real(0.5, 100),
        "backward": Real(0, 1, log=False),
        "n_near": Whole(100, 1000),
    },
    "als": {
        "embedding_size": Whole(16, 256),
        "iterations": Whole(5, 30),
        "reg": Real(0.01, 300),
        "alpha": Real(0.1, 100),
        "half_life_days": DAYS,
    },
    "session_knn": {
        "k": Whole(50, 2000),
        "sample_size": Whole(200, 5000),
        "decay": OneOf(("linear", "exponential")),
        "reach": Real(0.5, 20),
    },
    "two_tower": {
        "embedding_size": Whole(32, 256),
        "dropout": Real(0, 0.6, log=False),
        "temperature": Real(0.03, 0.3),
        "half_life_days": DAYS,
        "popularity_weight": Real(0, 1.5, log=False),
        "repeat_weight": Real(0, 1, log=False),
    },
    "ncf": {
        "embedding_size": Whole(16, 128),
        "dropout": Real(0, 0.6, log=False),
        "half_life_days": DAYS,
        "n_negatives": Whole(2, 16),
    },
    "content": {
        "embedding_size": Whole(64, 256),
        "tau": Real(0.5, 20),
        "id_dropout": Real(0.1, 0.9, log=False),
        "input_dropout": Real(0, 0.7, log=False),
        "loop.learning_rate": Real(5e-4, 1e-2),
    },
    "sequence": {
        "embedding_size": Whole(32, 192),
        "n_blocks": Whole(1, 3, log=False),
        "dropout": Real(0.1, 0.7, log=False),
        "low_pass_share": Real(0, 1, log=False),
        "smoothing": Real(0, 0.3, log=False),
        "loop.learning_rate": Real(2e-4, 5e-3),
        "loop.weight_decay": Real(1e-4, 0.3),
    },
}
"""By the name of the model."""


def space_of(model: str) -> Space:
    """Return the search space of a model, by the name of the setting.

    Raises:
        SettingsError: there is none.
    """
    if model not in SPACES:
        raise SettingsError(
            f"there is nothing to tune of {model!r}",
            where="endcap tune",
            mend=f"Known: {', '.join(SPACES)}",
        )
    return SPACES[model]


def contains(space: Range, value: object) -> bool:
    """Return whether a value lies within a range; None lies in none but a list that names it."""
    if isinstance(space, OneOf):
        return value in space.options
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return space.low <= value <= space.high
