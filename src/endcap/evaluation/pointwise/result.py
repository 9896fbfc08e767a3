"""What an evaluation of predicted ratings found: frozen, and the same again from JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.pointwise.split import RatingCounts
from endcap.evaluation.undefined import without_nan
from endcap.schema.errors import DataError

FORMAT = 1
PARTS = ("known", "new_user", "new_item")
"""Rows whose user and item have ratings to learn from; rows of a new user; rows of a new item."""


@dataclass(frozen=True, slots=True)
class RatingResult:
    """How one model did; an error is better when it is smaller.

    per_user: means over users of each user's own error, by name of the error.
    pooled: errors of all rows together; intervals are over users.
    rmse_of: pooled RMSE of a part of the rows; NaN of none. See `PARTS`.
    versus_reference: pooled error minus that of the reference, over the same resampled users.
    """

    per_user: Mapping[str, Interval]
    pooled: Mapping[str, Interval]
    rmse_of: Mapping[str, float]
    versus_reference: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class RatingEvaluation:
    """How far models are from the ratings of one window.

    train_mean: mean of the ratings before the cut, which the global mean predicts.
    test_mean, test_deviation: mean and standard deviation of the ratings to predict: no constant
        has an RMSE below the deviation.
    """

    reference: str
    cut_us: int
    end_us: int
    train_mean: float
    test_mean: float
    test_deviation: float
    n_replicates: int
    counts: RatingCounts
    models: Mapping[str, RatingResult]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; what is undefined is null."""
        record = {"format": FORMAT, "protocol": "rating", **asdict(self)}
        cleaned: dict[str, Any] = without_nan(record)
        return cleaned

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> RatingEvaluation:
        """Return the evaluation that `to_json` wrote.

        Raises:
            DataError: it is no such record, or of another format.
        """
        try:
            record = json.loads(text)
            if record.pop("format") != FORMAT or record.pop("protocol") != "rating":
                raise ValueError("another format or protocol")
            return RatingEvaluation(
                **{
                    **record,
                    "counts": RatingCounts(**record["counts"]),
                    "models": {name: _model(part) for name, part in record["models"].items()},
                }
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"there is no readable evaluation of ratings: {error}",
                mend="Run endcap evaluate --protocol rating again",
            ) from error


def interval_of(record: Mapping[str, Any]) -> Interval:
    """Return the interval that `asdict` and JSON made this record of."""
    low, high, mean = (
        math.nan if record[name] is None else float(record[name])
        for name in ("low", "high", "mean")
    )
    return Interval(mean, low, high, int(record["n_users"]))


def _model(record: Mapping[str, Any]) -> RatingResult:
    parts = {
        name: {error: interval_of(part) for error, part in record[name].items()}
        for name in ("per_user", "pooled", "versus_reference")
    }
    rmse_of = {
        name: math.nan if value is None else value for name, value in record["rmse_of"].items()
    }
    return RatingResult(**parts, rmse_of=rmse_of)
