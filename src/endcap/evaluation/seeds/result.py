"""What a published protocol gives models, and what it gives scores that know nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.metrics.discern import Room
from endcap.evaluation.pointwise.result import interval_of
from endcap.evaluation.split import Fact
from endcap.evaluation.undefined import without_nan

FORMAT = 1
RANDOM, ORACLE = "random", "oracle"
Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class SeedEvaluation:
    """The table of one published protocol.

    protocol: `seed-1` or `seed-2`.
    facts: what the protocol made of the data: counts, seeds, what was dropped.
    better: by metric, in the order of the columns, which end is better.
    trivial: rows that know nothing of users and items, or, the oracle, everything.
    rows: by row and metric; NaN where a row has no such number (a ranking predicts no label).
    n_draws: how many draws the row `random` is the mean of.
    """

    protocol: str
    facts: Mapping[str, Fact]
    better: Mapping[str, Better]
    trivial: tuple[str, ...]
    rows: Mapping[str, Mapping[str, Interval]]
    n_draws: int
    n_replicates: int

    def room(self, metric: str) -> Room:
        """Return what a metric leaves between random and perfect scores."""
        return Room(self.rows[RANDOM][metric], self.rows[ORACLE][metric])

    @property
    def blind(self) -> tuple[str, ...]:
        """The metrics that cannot tell models apart on these rows, whatever the models are."""
        return tuple(metric for metric in self.better if self.room(metric).is_blind)

    def best_trivial(self, metric: str) -> str:
        """Return the row that knows nothing and has the best value; the oracle is none."""
        sign = 1.0 if self.better[metric] == "lower" else -1.0
        contenders = [name for name in self.trivial if name != ORACLE]
        return min(contenders, key=lambda name: sign * self.rows[name][metric].mean)

    def behind(self, metric: str) -> tuple[str, ...]:
        """Return the models that are no better than the best of the rows that know nothing."""
        bar = self.rows[self.best_trivial(metric)][metric].mean
        sign = 1.0 if self.better[metric] == "lower" else -1.0
        return tuple(
            name
            for name, row in self.rows.items()
            if name not in self.trivial and sign * (row[metric].mean - bar) >= 0
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values, with what the rows show; undefined is null."""
        record = {"format": FORMAT, **asdict(self), "blind": self.blind}
        cleaned: dict[str, Any] = without_nan(record)
        return cleaned

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> SeedEvaluation:
        """Return the evaluation that `to_dict` wrote."""
        rows = {
            name: {metric: interval_of(part) for metric, part in row.items()}
            for name, row in record["rows"].items()
        }
        known = {key: value for key, value in record.items() if key not in ("format", "blind")}
        return SeedEvaluation(**{**known, "rows": rows, "trivial": tuple(record["trivial"])})
