"""What an evaluation found, as plain data that survives JSON unchanged.

Holds no lists and no users; how it is made is in `evaluate.py`, how it is shown in `report.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from endcap.evaluation.bootstrap import Difference, Interval
from endcap.evaluation.split import SplitCounts
from endcap.schema.errors import DataError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model under one view.

    metrics: by name of `metrics.MEASURES`, the mean over users.
    coverage, gini: of the exposure over the full catalogue; see `metrics`.
    versus_reference, versus_random: paired differences by metric, this model minus the rival.
    n_short_lists: users who were given fewer than k items; the rest of such a list is a miss.
    n_cut_ties: users whose k-th and next item had the same score, so that chance decided.
    """

    metrics: Mapping[str, Interval]
    coverage: float
    gini: float
    versus_reference: Mapping[str, Difference]
    versus_random: Mapping[str, Difference]
    n_short_lists: int
    n_cut_ties: int


@dataclass(frozen=True, slots=True)
class ViewResult:
    """All models under one view: the same users, the same targets.

    exclude_seen: whether items that the user had before the cut were left out of the lists.
    n_users: users with at least one target in this view; the denominator of every mean.
    n_targets, n_cold_targets: their targets; how many of those nobody had before the cut.
    best_recall: the recall of a perfect list; below 1 where users have more than k targets.
    expected_random: the exact expected value of a random (or constant) ranking, by metric.
    models: by name, `random` and the reference first.
    """

    exclude_seen: bool
    n_users: int
    n_targets: int
    n_cold_targets: int
    best_recall: float
    expected_random: Mapping[str, float]
    models: Mapping[str, ModelResult]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one evaluation.

    k: list length. n_items: size of the catalogue that was ranked, all of it.
    cut_us, end_us: targets are what users took in cut_us <= ts < end_us.
    counts: where every interaction and every user of the data went.
    n_drawn_users: how many test users were drawn at random; None when all were measured.
    reference: the model that the others are compared with.
    ranking_s: seconds each model took to rank, by name.
    target_kinds: the kinds of interaction that make a target, of those in the window.
    weights: how much each kind in the data weighed, by its name; empty where that was not told.
    """

    k: int
    n_items: int
    cut_us: int
    end_us: int
    counts: SplitCounts
    n_drawn_users: int | None
    n_replicates: int
    reference: str
    ranking_s: Mapping[str, float]
    views: Mapping[str, ViewResult]
    target_kinds: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under text keys; None stands for what is not defined."""
        record: dict[str, Any] = _without_nan({"format": FORMAT, **asdict(self)})
        return record

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> Evaluation:
        """Return the evaluation that `to_dict` described.

        Raises:
            DataError: it is not an evaluation, or of another format.
        """
        if record.get("format") != FORMAT:
            raise DataError(
                "this is not an evaluation of a known format", mend="Evaluate with this release"
            )
        fields = {key: value for key, value in record.items() if key != "format"}
        try:
            fields["counts"] = SplitCounts(**record["counts"])
            fields["views"] = {name: _view(view) for name, view in record["views"].items()}
            fields["target_kinds"] = tuple(record.get("target_kinds", ()))
            return Evaluation(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f"the evaluation is damaged: {error}") from error

    @staticmethod
    def from_json(text: str) -> Evaluation:
        """Return the evaluation that `to_json` wrote.

        Raises:
            DataError: it is not one.
        """
        try:
            record = json.loads(text)
        except ValueError as error:
            raise DataError("the evaluation is not JSON") from error
        return Evaluation.from_dict(record if isinstance(record, dict) else {})


def _view(record: Mapping[str, Any]) -> ViewResult:
    expected = {name: _number(value) for name, value in record["expected_random"].items()}
    changed = {
        "best_recall": _number(record["best_recall"]),
        "expected_random": expected,
        "models": {name: _model(model) for name, model in record["models"].items()},
    }
    return ViewResult(**{**record, **changed})


def _model(record: Mapping[str, Any]) -> ModelResult:
    changed = {
        "metrics": {name: Interval(*_three(part)) for name, part in record["metrics"].items()},
        "coverage": _number(record["coverage"]),
        "gini": _number(record["gini"]),
    }
    for rival in ("versus_reference", "versus_random"):
        changed[rival] = {name: Difference(*_three(part)) for name, part in record[rival].items()}
    return ModelResult(**{**record, **changed})


def _three(record: Mapping[str, float | None]) -> tuple[float, float, float]:
    return _number(record["mean"]), _number(record["low"]), _number(record["high"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
