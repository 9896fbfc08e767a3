"""The sentences without which the numbers of an evaluation mean nothing."""

from __future__ import annotations

from collections.abc import Iterator

from endcap.evaluation.protocols.registry import PROTOCOLS
from endcap.evaluation.report.table import heading, short
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import TEMPORAL
from endcap.figures.wording import minute
from endcap.schema.types import DAY_US

HEADLINE_METRIC = "ndcg"


def protocol(evaluation: Evaluation) -> list[str]:
    """Return what was asked, of whom, over what, and what the signs mean."""
    counts, k, views = evaluation.counts, evaluation.k, evaluation.views
    best = ", ".join(f"{name} {short(view.best['recall'])}" for name, view in views.items())
    chance = ", ".join(
        f"{name} {view.expected_random[HEADLINE_METRIC]:.2g}"
        for name, view in views.items()
        if view.n_users
    )
    return [
        _asked(evaluation),
        *_facts(evaluation),
        *_kinds(evaluation),
        f"Ranked: {_who(evaluation)}, k = {k}, {_candidates(evaluation)}, no sampled negatives, "
        "equal scores in random order.",
        "Denominators: users with a target of the kind; the row 'users' says how many each column "
        f"counts. {_before_draw(evaluation)}Not measured: {counts.n_silent_users:,} users with a "
        "history who took nothing that was asked for. Measured: "
        f"{counts.n_cold_users:,} test users {_strangers(evaluation)}, and "
        f"{counts.n_cold_targets:,} cold targets ({counts.n_cold_items:,} items that nobody had in "
        "what was learnt from), as misses where a model cannot know them.",
        f"Recall divides by all targets of a user, also by more than {k}; best possible: {best}. "
        "Coverage and Gini are over the catalogue; random shows what so few lists allow.",
        "±: half the width of the 95 % percentile bootstrap interval over users"
        f"{_seeds(evaluation)} ({evaluation.n_replicates:,} replicates); differences are paired by "
        "user. Verdicts: sign-flip test, two-sided at 5 %, Holm's correction for the models of "
        "the view. Bold: best of the column, random aside. Random: exact expected values, which a "
        f"constant score shares ({heading(HEADLINE_METRIC, evaluation)}: {chance or 'none'}); "
        "coverage and Gini of one draw.",
        *_of_first_fit(evaluation),
        *_remarks(evaluation),
    ]


def _strangers(evaluation: Evaluation) -> str:
    return "without a history" if evaluation.protocol == TEMPORAL else "of whom nothing was learnt"


def _before_draw(evaluation: Evaluation) -> str:
    return "" if evaluation.n_drawn_users is None else "Of all test users, drawn or not. "


def _asked(evaluation: Evaluation) -> str:
    counts = evaluation.counts
    days = (evaluation.end_us - evaluation.cut_us) / DAY_US
    if evaluation.protocol != TEMPORAL:
        text, facts = PROTOCOLS[evaluation.protocol], evaluation.facts
        n_told, n_hidden = (int(facts.get(name, 0)) for name in ("n_history_only", "n_held_back"))
        told = f" and are told {n_told:,} more when they are asked" if n_told else ""
        return (
            f"Protocol {evaluation.protocol}: {text.asks}. A model knows of the future: "
            f"{text.leaks}. Models learn from {counts.n_train - n_told - n_hidden:,} interactions"
            f"{told}; {counts.n_targets:,} targets are taken from {counts.n_window:,} interactions "
            f"({counts.n_after:,} later ones unused)."
        )
    return (
        f"Protocol: one cut in time for everybody, {minute(evaluation.cut_us)}. Models know the "
        f"{counts.n_train:,} interactions before it. Targets are each user's distinct items in the "
        f"{days:.1f} days up to {minute(evaluation.end_us)}: {counts.n_targets:,} from "
        f"{counts.n_window:,} interactions ({counts.n_after:,} later ones unused)."
    )


def _of_first_fit(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.n_seeds > 1:
        yield (
            "Slices, exposure, coverage of single lists and examples are of the first fit of each "
            "model: what another seed changes is not in their intervals."
        )


def _facts(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.facts:
        told = ", ".join(f"{name} {_fact(value)}" for name, value in evaluation.facts.items())
        yield f"Chosen and found: {told}."


def _fact(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else value


def _who(evaluation: Evaluation) -> str:
    n_users = evaluation.counts.n_test_users
    if evaluation.n_drawn_users is None:
        return f"all {n_users:,} test users"
    return f"{evaluation.n_drawn_users:,} of {n_users:,} test users, drawn at random"


def _candidates(evaluation: Evaluation) -> str:
    whole = f"the full catalogue of {evaluation.n_items:,} items"
    some = [
        f"{view.n_candidates:,} candidates for {name}"
        for name, view in evaluation.views.items()
        if view.n_candidates is not None
    ]
    return f"{whole} ({', '.join(some)})" if some else whole


def _seeds(evaluation: Evaluation) -> str:
    if evaluation.n_seeds == 1:
        return ", of one fit of each model: how much another seed would change is not in it"
    return f" and {evaluation.n_seeds} training seeds"


def _kinds(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.target_kinds:
        return
    counts = evaluation.counts
    sentence = f"Kinds that make a target: {', '.join(evaluation.target_kinds)}"
    if counts.n_window_unused:
        sentence += f" ({counts.n_window_unused:,} interactions of the window make none)"
    if evaluation.weights:
        weights = ", ".join(f"{kind} {weight:.3g}" for kind, weight in evaluation.weights.items())
        sentence += f". Weights of what is learnt from: {weights}"
    if counts.n_train_unused:
        sentence += f" ({counts.n_train_unused:,} interactions before the cut are no interest)"
    yield sentence + "."


def _remarks(evaluation: Evaluation) -> Iterator[str]:
    found = {
        f"Lists with fewer than {evaluation.k} items, the rest a miss": "n_short_lists",
        "Lists that end within equal scores, where chance decides": "n_cut_ties",
        "Hits on targets that nobody had in what was learnt from": "n_cold_hits",
    }
    for what, field in found.items():
        told = [
            f"{name} {getattr(model, field):,} on {view_name}"
            for view_name, view in evaluation.views.items()
            for name, model in view.models.items()
            if getattr(model, field)
        ]
        if told:
            yield f"{what}: {', '.join(told)}."
    for view_name, view in evaluation.views.items():
        if view.blind:
            labels = ", ".join(heading(name, evaluation) for name in view.blind)
            yield (
                f"On {view_name} these cannot tell models apart, as a perfect ranking scores no "
                f"more than a random one: {labels}."
            )
