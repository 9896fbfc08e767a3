"""Users to look at in a report: two models side by side, in the names of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from endcap.evaluation.report.page.cards import best_model
from endcap.evaluation.report.page.example import Example, draw_users, example_of
from endcap.evaluation.result import Evaluation
from endcap.ingest.snapshot import read_catalogue
from endcap.schema.protocols import Explains, Reason
from endcap.training.judge import Judged
from endcap.training.run import model_rng

N_EXAMPLES = 6


def examples_of(
    judged: Judged, snapshot: Path, *, seed: int = 0, compared: Sequence[str] = ()
) -> list[Example]:
    """Return some users, drawn at random, with what two models would have shown them, and why.

    Args:
        judged: what was measured, and on which models.
        snapshot: where the names of the items are; an item without one goes by its id.
        seed: draws the users.
        compared: the models to show; the best of the first view and the reference when empty.
    """
    split, view = judged.split, next(iter(judged.split.targets))
    names = [row["name"] or row["item_id"] for row in read_catalogue(snapshot)]
    lists = judged.measured.lists[view]
    chosen = tuple(compared) or _best_and_reference(judged.evaluation, view)
    users = draw_users(split, view, n=N_EXAMPLES, rng=model_rng(seed, "examples"))
    return [
        example_of(
            split,
            view,
            user,
            user_label=f"User {place}",
            lists={name: lists[name] for name in chosen},
            reasons={name: _reasons(judged, name, view, user) for name in chosen},
            item_names=names,
        )
        for place, user in enumerate(users, start=1)
    ]


def _best_and_reference(evaluation: Evaluation, view: str) -> tuple[str, ...]:
    best = best_model(evaluation, evaluation.views[view])
    return tuple(dict.fromkeys((best, evaluation.reference)))


def _reasons(judged: Judged, name: str, view: str, user: int) -> Sequence[Reason]:
    model = judged.models.get(name)  # the random ranking is none of them
    if not isinstance(model, Explains):
        return ()
    lists = judged.measured.lists[view][name]
    row = int(lists.users.searchsorted(user))
    items = lists.ranked.items[row]
    return model.explain(user, items[items >= 0])
