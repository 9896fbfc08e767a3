"""A user to look at: what they had, what they took next, and what two models would have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.split import Split, View
from endcap.figures.wording import date
from endcap.schema.protocols import Reason
from endcap.schema.types import NO_ITEM, ItemIdx

MAX_HISTORY = 12
MAX_TAKEN = 15


@dataclass(frozen=True, slots=True)
class Example:
    """One user, all in words.

    user_label: what to call the user; a page names nobody, so "User 1" will do.
    history: item and time, the newest first; `n_older` more are not shown.
    taken: what the user went on to take, what a list foresaw first; `n_more_taken` more are not
        shown.
    lists: by model, each item with whether it was taken, and why it is listed.
    """

    user_label: str
    history: Sequence[tuple[str, str]]
    taken: Sequence[str]
    lists: Mapping[str, Sequence[tuple[str, bool, str]]]
    n_older: int = 0
    n_more_taken: int = 0


def draw_users(split: Split, view: View, *, n: int, rng: np.random.Generator) -> list[int]:
    """Return users to show, drawn at random from those of a view who have a history, ascending.

    At random: chosen ones would show what whoever chose wanted to be seen.
    """
    known = np.unique(split.known.interactions.user_idx)
    users = np.intersect1d(split.targets[view].users, known)
    drawn = rng.choice(users, size=min(n, len(users)), replace=False)
    return sorted(int(user) for user in drawn)


def example_of(
    split: Split,
    view: View,
    user: int,
    *,
    user_label: str,
    lists: Mapping[str, Lists],
    reasons: Mapping[str, Sequence[Reason]],
    item_names: Sequence[str],
) -> Example:
    """Return one user of a view in words.

    Args:
        split: what was asked.
        view: whose targets are the items taken.
        user: as in the targets of the view (a query, where the split has a history of its own).
        user_label: what to call the user.
        lists: by model, those to be seen side by side.
        reasons: by model, one for each listed item; none of a model that does not explain itself.
        item_names: by item index.
    """
    targets = split.targets[view]
    taken = targets.rows()[int(np.searchsorted(targets.users, user))]
    had = split.known.interactions
    rows = np.flatnonzero(had.user_idx == user)[::-1]
    one = np.array([user], dtype=np.int32)
    listed = {name: of_model.of(one).ranked.items[0] for name, of_model in lists.items()}
    is_missed = ~np.isin(taken, [*listed.values()])
    in_order = taken[np.argsort(is_missed, kind="stable")]
    return Example(
        user_label=user_label,
        history=[
            (item_names[had.item_idx[row]], date(int(had.ts[row]))) for row in rows[:MAX_HISTORY]
        ],
        taken=[item_names[item] for item in in_order[:MAX_TAKEN]],
        lists={
            name: _listed(items, taken, reasons.get(name), item_names)
            for name, items in listed.items()
        },
        n_older=max(len(rows) - MAX_HISTORY, 0),
        n_more_taken=max(len(taken) - MAX_TAKEN, 0),
    )


def say_reason(reason: Reason, item_names: Sequence[str]) -> str:
    """Return why an item is listed, in a few words; empty where nothing speaks for it."""
    if reason.kind == "because_of" and reason.item is not None:
        return f"because you had {item_names[reason.item]}"
    words = {
        "because_of": "because of what you had",
        "had_before": "you had it before",
        "similar_taste": "people of a similar taste",
        "popular": "popular",
        "trending": "trending",
        "none": "",
    }
    return words[reason.kind]


def _listed(
    items: ItemIdx, taken: ItemIdx, reasons: Sequence[Reason] | None, item_names: Sequence[str]
) -> list[tuple[str, bool, str]]:
    listed = items[items != NO_ITEM]
    words = [say_reason(reason, item_names) for reason in reasons or ()] or [""] * len(listed)
    return [
        (item_names[item], bool(np.isin(item, taken)), why)
        for item, why in zip(listed, words, strict=True)
    ]
