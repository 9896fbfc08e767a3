"""The cards of one view: metrics with their intervals, and accuracy against variety."""

from __future__ import annotations

import math
from functools import partial

from endcap.evaluation.certainty.bootstrap import Interval
from endcap.evaluation.lists.rivals import RANDOM
from endcap.evaluation.metrics.texts import METRICS
from endcap.evaluation.report.protocol_text import HEADLINE_METRIC
from endcap.evaluation.report.table import heading, short, value_of
from endcap.evaluation.result import Evaluation, ModelResult, ViewResult
from endcap.figures.dots import Dot, Mean, Point, Role, labelled_points, sideways_dots
from endcap.figures.section import Section, table

PLOTTED = ("ndcg", "recall", "hit_rate", "mrr")
TRADED = {"diversity": "diversity", "coverage": "coverage", "novelty": "novelty"}
"""What accuracy is drawn against, and how it is called in a title."""


def cards(evaluation: Evaluation, view: ViewResult) -> list[Section]:
    """Return the sections of one view; none when nobody was measured."""
    if view.n_users == 0:
        return []
    found = [_metric_card(evaluation, view, metric) for metric in PLOTTED]
    found += [_trade_card(evaluation, view, against) for against in TRADED]
    return [section for section in found if section is not None]


def role_of(name: str, evaluation: Evaluation) -> Role:
    """Return how a model is drawn."""
    if name == RANDOM:
        return "chance"
    return "reference" if name == evaluation.reference else "plain"


def best_model(evaluation: Evaluation, view: ViewResult) -> str:
    """Return the model with the highest headline metric, other than the reference and chance.

    The reference where there is no other.
    """
    rivals = {
        name: model.metrics[HEADLINE_METRIC].mean
        for name, model in view.models.items()
        if role_of(name, evaluation) == "plain"
    }
    return max(rivals, key=lambda name: rivals[name], default=evaluation.reference)


def mean_of(interval: Interval) -> Mean:
    """Return an interval as it is drawn."""
    return Mean(interval.mean, interval.low, interval.high)


def _metric_card(evaluation: Evaluation, view: ViewResult, metric: str) -> Section | None:
    known = _known_means(view, metric)
    if not known:
        return None
    names = sorted(known, key=lambda name: -known[name].value)
    dots = [Dot(name, known[name], role_of(name, evaluation)) for name in names]
    label = heading(metric, evaluation)
    texts = [_with_half(dot.mean) for dot in dots]
    n_users = max(model.metrics[metric].n_users for model in view.models.values())
    return Section(
        key=metric.replace("_", "-"),
        title=f"{label} with its interval",
        says=f"{_sentence(METRICS[metric].meaning)} {_ranking(dots)} Over {n_users:,} users; "
        "lines are 95 % intervals, the dashed one is the reference.",
        plot=partial(sideways_dots, dots, measures=label, texts=texts),
        numbers=table(
            ("model", label, "95 % interval"),
            names,
            [short(dot.mean.value) for dot in dots],
            [_ends(dot.mean) for dot in dots],
        ),
    )


def _trade_card(evaluation: Evaluation, view: ViewResult, against: str) -> Section | None:
    points = [
        Point(name, x, y, role_of(name, evaluation))
        for name, model in view.models.items()
        if not math.isnan((x := _either(model, against)).value)
        and not math.isnan((y := _known_mean(view, name, HEADLINE_METRIC)).value)
    ]
    if len(points) < 2:
        return None
    label, accuracy = heading(against, evaluation), heading(HEADLINE_METRIC, evaluation)
    better = {
        "higher": "Up and to the right is better.",
        "lower": "Up and to the left is better.",
        "neither": "Up is better; to which side is the shop's to say.",
    }[METRICS[against].better]
    return Section(
        key=f"against-{against.replace('_', '-')}",
        title=f"{accuracy} against {TRADED[against]}",
        says=f"{_sentence(METRICS[against].meaning)} {better} {_extremes(points, label)}",
        plot=partial(labelled_points, points, x=label, y=accuracy),
        numbers=table(
            ("model", accuracy, label),
            [point.name for point in points],
            [_with_half(point.y) for point in points],
            [_with_half(point.x) for point in points],
        ),
    )


def _known_means(view: ViewResult, metric: str) -> dict[str, Mean]:
    means = {name: _known_mean(view, name, metric) for name in view.models}
    return {name: mean for name, mean in means.items() if not math.isnan(mean.value)}


def _known_mean(view: ViewResult, name: str, metric: str) -> Mean:
    if name == RANDOM and metric in view.expected_random:
        return Mean(view.expected_random[metric])
    found = view.models[name].metrics.get(metric)
    return Mean(math.nan) if found is None else mean_of(found)


def _either(model: ModelResult, metric: str) -> Mean:
    found = model.metrics.get(metric)
    return Mean(value_of(model, metric)) if found is None else mean_of(found)


def _ranking(dots: list[Dot]) -> str:
    best, rivals = dots[0], [dot for dot in dots[1:] if dot.role != "plain"]
    told = [f"{best.name} has most, {_with_half(best.mean)}"]
    told += [f"{dot.name} {short(dot.mean.value)}" for dot in rivals]
    return f"{'; '.join(told)}."


def _extremes(points: list[Point], label: str) -> str:
    low, high = (pick(points, key=lambda point: point.x.value) for pick in (min, max))
    return (
        f"{label} goes from {short(low.x.value)} ({low.name}) "
        f"to {short(high.x.value)} ({high.name})."
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _with_half(mean: Mean) -> str:
    if math.isnan(mean.low):
        return short(mean.value)
    return f"{short(mean.value)} ±{short((mean.high - mean.low) / 2)}"


def _ends(mean: Mean) -> str:
    return "exact" if math.isnan(mean.low) else f"{short(mean.low)} to {short(mean.high)}"
