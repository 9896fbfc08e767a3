"""What a candidate may not cost beside the live model: variety, fairness, time, whole lists.

What it must show of accuracy is in `gate.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from endcap.evaluation.result import ModelResult, ViewResult
from endcap.evaluation.verdicts.config import EXPOSURE_BY, GateConfig, Guardrail
from endcap.evaluation.verdicts.sides import Side


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a gate looked at.

    value: what the candidate shows; None when there is no number, or none is known.
    limit: what it is held to.
    reason: why it passed or did not, in words.
    """

    name: str
    value: float | None
    limit: float | None
    passed: bool
    reason: str


def guardrails(
    candidate: Side, live: Side, view: str, config: GateConfig
) -> Mapping[Guardrail, tuple[Check, ...]]:
    """Return the checks of each guardrail; one that lacks a number is a check that fails."""
    mine, theirs = (_of_model(side, view) for side in (candidate, live))
    keeps = 1.0 - config.max_coverage_loss, 1.0 - config.max_diversity_loss
    return {
        "coverage": (_at_least("coverage", _coverage(mine), _coverage(theirs), keeps[0]),),
        "diversity": (_at_least("diversity", _diversity(mine), _diversity(theirs), keeps[1]),),
        "exposure": tuple(_exposure(candidate, live, view, config)),
        "ranking time": (_ranking_time(candidate, live, config),),
        "short lists": (_short_lists(candidate, live, view, config),),
    }


def known(number: float) -> float | None:
    """Return the number, None in place of NaN."""
    return None if math.isnan(number) else number


def _exposure(candidate: Side, live: Side, view: str, config: GateConfig) -> Iterator[Check]:
    mine, theirs = _view(candidate, view).exposure, _view(live, view).exposure
    if not mine and not theirs:
        yield _missing("exposure", math.nan, math.nan)
    for group in dict.fromkeys([*mine, *theirs]):
        parity = [
            groups[group][side.model].parity_difference.mean
            if side.model in groups.get(group, {})
            else math.nan
            for side, groups in ((candidate, mine), (live, theirs))
        ]
        yield _at_most(
            f"{EXPOSURE_BY}{group}",
            parity[0],
            parity[1] + config.max_parity_rise,
            f"parity difference, {parity[1]:.4f} for the live model",
        )


def _ranking_time(candidate: Side, live: Side, config: GateConfig) -> Check:
    taken_ms, of_live_ms = _ranking_ms(candidate), _ranking_ms(live)
    limit_ms = config.max_ranking_ratio * of_live_ms
    if limit_ms < config.fast_enough_ms:
        limit_ms = config.fast_enough_ms
    what = f"ms a list, {of_live_ms:.3f} for the live model"
    return _at_most("ranking time", taken_ms, limit_ms, what)


def _short_lists(candidate: Side, live: Side, view: str, config: GateConfig) -> Check:
    share, of_live = (
        _of_model(side, view).n_short_lists / max(_view(side, view).n_queries, 1)
        for side in (candidate, live)
    )
    what = f"of the lists, {of_live:.4f} for the live model"
    return _at_most("short lists", share, of_live + config.max_short_lists_rise, what)


def _at_least(name: str, value: float, of_live: float, share: float) -> Check:
    limit = share * of_live
    if math.isnan(value) or math.isnan(limit):
        return _missing(name, value, limit)
    passed = value >= limit
    reason = (
        f"{name} is {value:.4f}, {of_live:.4f} for the live model; "
        f"{'at least' if passed else 'it must be at least'} {limit:.4f}"
    )
    return Check(name, value, limit, passed, reason)


def _at_most(name: str, value: float, limit: float, what: str) -> Check:
    if math.isnan(value) or math.isnan(limit):
        return _missing(name, value, limit)
    passed = value <= limit
    reason = (
        f"{name} is {value:.4f} {what}; {'at most' if passed else 'it must be at most'} {limit:.4f}"
    )
    return Check(name, value, limit, passed, reason)


def _missing(name: str, value: float, limit: float) -> Check:
    reason = (
        f"{name} is not known of both models; what is not known passes only when it is waived: "
        f"gate.waived = ['{name}']"
    )
    return Check(name, known(value), known(limit), False, reason)


def _coverage(model: ModelResult) -> float:
    return model.catalogue.get("coverage", math.nan)


def _diversity(model: ModelResult) -> float:
    return model.metrics["diversity"].mean if "diversity" in model.metrics else math.nan


def _ranking_ms(side: Side) -> float:
    # Seconds for a thousand lists are milliseconds for one.
    taken_ms = side.kept.evaluation.ranking_s.get(side.model, math.nan)
    return taken_ms if taken_ms > 0 else math.nan


def _of_model(side: Side, view: str) -> ModelResult:
    return _view(side, view).models[side.model]


def _view(side: Side, view: str) -> ViewResult:
    return side.kept.evaluation.views[view]
