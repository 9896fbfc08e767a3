"""Which two models are compared: found by name among the kept evaluations, and held to one split.

What the comparison shows is in `compare.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endcap.evaluation.kept import LATEST, Kept, open_kept
from endcap.evaluation.per_user import PerUser
from endcap.schema.errors import DataError, SettingsError

_TOLD = ("k", "protocol", "facts", "cut_us", "end_us", "n_items", "target_kinds", "n_drawn_users")


@dataclass(frozen=True, slots=True)
class Side:
    """One model of one kept evaluation."""

    kept: Kept
    model: str

    @property
    def name(self) -> str:
        """Its evaluation and its model, as `find_side` takes it."""
        return f"{self.kept.name}:{self.model}"


def find_side(root: Path, text: str) -> Side:
    """Return the model that `MODEL` (of the latest evaluation) or `EVALUATION:MODEL` names.

    Args:
        root: the folder of kept evaluations.
        text: an evaluation goes by its name, a beginning that no other has, or `latest`.

    Raises:
        DataError: there is no such evaluation, more than one, or it is damaged.
        SettingsError: the evaluation has no such model.
    """
    evaluation, colon, model = text.rpartition(":")
    kept = open_kept(root, evaluation if colon else LATEST)
    models = [name for view in kept.evaluation.views.values() for name in view.models]
    if model not in models:
        raise SettingsError(
            f"the evaluation has no model {model!r}",
            where=f"{kept.name}, from {text!r}",
            mend=f"It has {', '.join(dict.fromkeys(models))}",
        )
    return Side(kept, model)


def values_of_both(first: Side, second: Side, *, view: str | None) -> tuple[str, PerUser, PerUser]:
    """Return the name of the view, and what each evaluation measured of its users.

    Args:
        first: one model.
        second: another.
        view: the headline, which is the first one, when None.

    Raises:
        DataError: the two were measured on different users or targets; says what differs.
        SettingsError: there is no such view.
    """
    require_comparable(first, second)
    views = list(first.kept.per_user)
    chosen = views[0] if view is None and views else view
    if chosen is None or chosen not in views:
        raise SettingsError(
            f"there is no view {chosen!r}",
            where=first.kept.name,
            mend=f"Its views are {', '.join(views) or 'none'}",
        )
    return chosen, first.kept.per_user[chosen], second.kept.per_user[chosen]


def require_comparable(first: Side, second: Side) -> None:
    """Accept two models that were measured on the same users and targets, with lists as long.

    Raises:
        DataError: they were not; names what differs.
    """
    one, other = first.kept.evaluation, second.kept.evaluation
    if one.split_id != other.split_id or one.k != other.k:
        differing = list(_differing(first, second)) or ["the users or their targets"]
        raise DataError(
            f"what differs is not the models alone: {'; '.join(differing)}",
            where=f"{first.kept.name} and {second.kept.name}",
            mend="Evaluate both on the same snapshot, with the same protocol and settings",
        )
    for view, per_user in first.kept.per_user.items():
        if not np.array_equal(per_user.users, second.kept.per_user[view].users):
            raise DataError(
                f"one split, but not the same users in view {view}",
                where=f"{first.kept.name} and {second.kept.name}",
                mend="One of them is damaged; evaluate again",
            )


def shared_metrics(first: PerUser, second: PerUser, asked: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics that are asked for; all that both sides have when none is.

    Raises:
        SettingsError: a side has no such metric.
    """
    shared = tuple(name for name in first.metrics if name in second.metrics)
    if unknown := [name for name in asked if name not in shared]:
        raise SettingsError(
            f"there is no metric {', '.join(unknown)}",
            where="--metric",
            mend=f"There are {', '.join(shared)}",
        )
    return tuple(dict.fromkeys(asked)) or shared


def _differing(first: Side, second: Side) -> Iterator[str]:
    one, other = first.kept.evaluation, second.kept.evaluation
    for field in _TOLD:
        mine, theirs = getattr(one, field), getattr(other, field)
        if mine != theirs:
            yield f"{field} is {mine} and {theirs}"
    if one.counts != other.counts:
        yield "the interactions or users that were counted"
