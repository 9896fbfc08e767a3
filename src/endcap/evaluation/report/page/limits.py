"""What an evaluation did not do: the sentences that keep its numbers from being overread."""

from __future__ import annotations

from collections.abc import Iterator

from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import TEMPORAL


def limits(evaluation: Evaluation) -> list[str]:
    """Return what these numbers do not show, the general first."""
    return [
        "Nobody was shown these lists. What users would have taken, had they seen them, is not "
        "known: an item that is useful and was not found counts as a miss. An experiment on live "
        "visitors decides; this says what is worth one.",
        "What users took was shaped by what the shop showed them then. Models that resemble the "
        "shop of that time are favoured by it.",
        *_of_time(evaluation),
        *_of_chance(evaluation),
        *_of_users(evaluation),
        "Slices and metrics are many. Marks in the table of slices count all of its comparisons; "
        "an interval that is looked at alone counts only itself.",
    ]


def _of_time(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.protocol == TEMPORAL:
        yield (
            "One window of time was measured. Intervals say what other users of the same shop in "
            "the same window would give, not what another season would."
        )
    else:
        yield (
            f"The protocol is {evaluation.protocol}, not one cut in time for everybody: compare "
            "these numbers with others of the same protocol only."
        )


def _of_chance(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.n_seeds == 1:
        yield (
            "Each model was fitted once. How much another training seed would change is not in "
            "the intervals."
        )
    else:
        yield (
            f"Each model was fitted {evaluation.n_seeds} times; slices, exposure and the examples "
            "are of the first fit."
        )


def _of_users(evaluation: Evaluation) -> Iterator[str]:
    counts = evaluation.counts
    if counts.n_silent_users:
        yield (
            f"{counts.n_silent_users:,} users with a history took nothing that was asked for. "
            "Nothing here is about them, though a shop shows them a page, too."
        )
    if counts.n_cold_targets:
        yield (
            f"{counts.n_cold_targets:,} of {counts.n_targets:,} targets are items that nobody had "
            "in what was learnt from. They count as misses of models that know items by "
            "interactions alone."
        )
