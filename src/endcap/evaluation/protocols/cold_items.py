"""Items that nobody had: what is left when there is no behaviour to learn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from endcap.evaluation.lists.chance import draws
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.parts import (
    Marks,
    Terms,
    Window,
    known_of,
    nothing,
    with_facts,
)
from endcap.evaluation.protocols.temporal import cut_by_window
from endcap.evaluation.split import Fact, Split, Targets, ViewRule, targets_of
from endcap.schema.dataset import Dataset

COLD_ITEMS = "cold-items"

_COUNTER = 1  # tells this draw from those of users


def cold_items(data: Dataset, terms: Terms) -> Split:
    """Return the past without a share of the items, and what users took of items nobody had.

    An item is hidden by a draw that depends on (seed, item) alone; every trace of it before the
    cut goes. Beside those, items that came up in the window are cold by nature. In `cold_only` the
    candidates are the items that nobody had in what is learnt from, in `cold_and_warm` all; the
    targets are the same, and none is an item that the user had before it was hidden.
    """
    choices, rows = terms.choices, data.interactions
    window = Window.of(data, choices)
    whole = cut_by_window(data, window, terms)
    is_hidden = hidden_items(data.n_items, seed=choices.seed, share=choices.cold_item_share)
    is_kept = ~is_hidden[rows.item_idx]
    learnt, told = rows.ts < window.learn_us, rows.ts < window.cut_us
    known = known_of(data, terms, learnt=learnt & is_kept, told=told & is_kept, protocol=COLD_ITEMS)
    is_warm = known.is_warm
    asked = _cold_of(whole.targets["discovery"], is_warm)
    if len(asked) == 0:
        raise nothing("with an item that nobody had before the cut", protocol=COLD_ITEMS)
    counts = whole.counts
    told_of = replace(known, n_told=counts.n_train)
    found = told_of.count(asked, asked.users, n_window=counts.n_window, n_after=counts.n_after)
    split = replace(
        whole,
        train=known.train,
        history=known.history,
        targets={"cold_only": asked, "cold_and_warm": asked},
        rules=_rules(is_warm),
        counts=replace(found, n_window_unused=counts.n_window_unused),
        protocol=COLD_ITEMS,
    )
    held_back = {
        "n_held_back": int((learnt & ~is_kept).sum()),
        "n_history_only": int((told & ~learnt).sum()),
    }
    return with_facts(split, {**_facts(whole, asked, is_warm, is_hidden, choices), **held_back})


def _facts(
    whole: Split, asked: Targets, is_warm: Marks, is_hidden: Marks, choices: ProtocolConfig
) -> dict[str, Fact]:
    was_known = np.zeros(len(is_warm), dtype=np.bool_)
    was_known[whole.train.interactions.item_idx] = True
    everything = whole.targets["all"].items
    n_cold = int((~is_warm[everything]).sum())
    n_drawn = int((is_hidden & was_known)[asked.items].sum())
    return {
        "seed": choices.seed,
        "cold_item_share": choices.cold_item_share,
        "n_hidden_items": int((is_hidden & was_known).sum()),
        "n_candidates_cold_only": int((~is_warm).sum()),
        "n_drawn_targets": n_drawn,
        "n_natural_targets": len(asked.items) - n_drawn,
        "n_targets_had_before": n_cold - len(asked.items),
        "n_warm_targets": len(everything) - n_cold,
    }


def hidden_items(n_items: int, *, seed: int, share: float) -> Marks:
    """Return which items are hidden, shape (n_items,): each for itself, with the same chance."""
    chance = draws(seed, np.arange(n_items), np.array([_COUNTER]))
    return np.asarray(chance / 2.0**64 < share)


def _cold_of(targets: Targets, is_warm: Marks) -> Targets:
    users = np.repeat(targets.users, targets.n_relevant)
    taken = pair_set(users, targets.items, stride=len(is_warm))
    return targets_of(taken, is_warm, ~is_warm[taken.items])


def _rules(is_warm: Marks) -> dict[str, ViewRule]:
    cold = np.flatnonzero(~is_warm).astype(np.int32)
    meaning = "items that nobody had"
    return {
        "cold_only": ViewRule(f"{meaning}, ranked among themselves", True, cold),
        "cold_and_warm": ViewRule(f"{meaning}, ranked among all that the user had not", True),
    }
