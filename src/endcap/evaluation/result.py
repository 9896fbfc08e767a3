"""What an evaluation found, as plain data that survives JSON unchanged.

Holds no lists and no users; how it is made is in `evaluate.py`, how it is shown in `report`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from endcap.evaluation.certainty.bootstrap import Difference, Interval
from endcap.evaluation.metrics.exposure import ExposureResult
from endcap.evaluation.slices.measure import SliceResult
from endcap.evaluation.split import Fact, SplitCounts
from endcap.evaluation.undefined import without_nan
from endcap.schema.errors import DataError

FORMAT = 2

_MAY_BE_NONE = frozenset({"n_drawn_users", "n_candidates"})


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model under one view.

    metrics: by name, the mean over the users of whom the metric says something.
    catalogue: by name, one number for all lists: `coverage`, `gini`, `entropy`.
    versus_reference, versus_random: paired differences by metric, this model minus the rival.
    n_short_lists: lists of fewer than k items, one a query; the rest of such a list is a miss.
    n_cut_ties: lists whose k-th and next item had the same score, so that chance decided.
    n_cold_hits: targets in the lists that nobody had in what was learnt from: who knows nothing
        but interactions can name those by luck alone.
    """

    metrics: Mapping[str, Interval]
    catalogue: Mapping[str, float]
    versus_reference: Mapping[str, Difference]
    versus_random: Mapping[str, Difference]
    n_short_lists: int
    n_cut_ties: int
    n_cold_hits: int


@dataclass(frozen=True, slots=True)
class ViewResult:
    """All models under one view: the same users, the same targets.

    meaning: what the lists may hold, in words.
    exclude_seen: whether items that the user had before were left out of the lists.
    n_candidates: how many items could be listed, when that is not the whole catalogue.
    n_users: users with at least one target in this view; means are over these.
    n_queries: how often they were asked about: once each, but under protocols that ask of one
        user several times.
    n_targets, n_cold_targets: their targets; how many of those nobody had before the cut.
    best: what a perfect ranking scores, by metric of accuracy; recall is below 1 where users have
        more than k targets.
    expected_random: the exact expected value of a random (or constant) ranking, by metric.
    blind: metrics that cannot tell models apart here, as a perfect ranking scores no more than a
        random one.
    models: by name, `random` and the reference first.
    slices: parts of the users and targets, measured alone.
    exposure: by kind of group, then by model.
    """

    meaning: str
    exclude_seen: bool
    n_candidates: int | None
    n_users: int
    n_queries: int
    n_targets: int
    n_cold_targets: int
    best: Mapping[str, float]
    expected_random: Mapping[str, float]
    blind: tuple[str, ...]
    models: Mapping[str, ModelResult]
    slices: tuple[SliceResult, ...] = ()
    exposure: Mapping[str, Mapping[str, ExposureResult]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one evaluation.

    k: list length. n_items: size of the catalogue.
    protocol: its name; `facts` is what it chose and found.
    split_id: of `Split`; results of the same id may be compared.
    cut_us, end_us: targets are what users took in cut_us <= ts < end_us.
    counts: where every interaction and every user of the data went.
    n_drawn_users: how many test users were drawn at random; None when all were measured.
    n_seeds: how often each model was fitted, each time with another seed.
    reference: the model that the others are compared with.
    ranking_s: seconds that each model took for a thousand lists, by name.
    target_kinds: the kinds of interaction that make a target, of those in the window.
    weights: how much each kind in the data weighed, by its name; empty where that was not told.
    """

    k: int
    n_items: int
    protocol: str
    facts: Mapping[str, Fact]
    split_id: str
    cut_us: int
    end_us: int
    counts: SplitCounts
    n_drawn_users: int | None
    n_replicates: int
    n_seeds: int
    reference: str
    ranking_s: Mapping[str, float]
    views: Mapping[str, ViewResult]
    target_kinds: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under text keys; None stands for what is not defined."""
        record: dict[str, Any] = without_nan({"format": FORMAT, **asdict(self)})
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
        fields = {key: _with_nan(value, key) for key, value in record.items() if key != "format"}
        try:
            return _READER.validate_python(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DataError(
                f"the evaluation is damaged: {first['msg']}", where=place, mend="Evaluate again"
            ) from error

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


_READER = TypeAdapter(Evaluation)


def _with_nan(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_nan(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_nan(part, key) for part in value]
    return math.nan if value is None and key not in _MAY_BE_NONE else value
