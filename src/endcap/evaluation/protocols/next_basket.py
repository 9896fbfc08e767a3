"""The first basket of each user behind the cut: what to put before somebody who comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from endcap.evaluation.protocols.parts import Marks, Terms, Window, nothing, with_facts
from endcap.evaluation.protocols.runs import Rows, group_starts
from endcap.evaluation.protocols.temporal import cut_by_window, learnt_earlier
from endcap.evaluation.protocols.told import rows_of
from endcap.evaluation.split import Split
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import SECOND_US

NEXT_BASKET = "next-basket"


def next_basket(data: Dataset, terms: Terms) -> Split:
    """Return the past to learn from, and each user's first basket that begins in the window.

    A basket is a run of interactions that make a target, of one user, none more than
    `basket_gap_s` after the one before it. One that began before the cut is not asked for; later
    ones are not told. What ends beyond the window is cut off there.
    """
    window, choices = Window.of(data, terms.choices), terms.choices
    rows = data.interactions
    in_window = (rows.ts >= window.cut_us) & (rows.ts < window.end_us)
    wanted = np.flatnonzero(terms.are_targets(rows) & (rows.ts < window.end_us))
    is_first = np.zeros(len(rows), dtype=np.bool_)
    gap_us = round(choices.basket_gap_s * SECOND_US)
    is_first[wanted] = _first_baskets(rows, wanted, gap_us=gap_us, cut_us=window.cut_us)
    if not is_first.any():
        raise nothing("in a basket that begins between the cut and the end", protocol=NEXT_BASKET)
    split = cut_by_window(rows_of(data, is_first | ~in_window), window, terms)
    split = learnt_earlier(split, data, window, terms)
    is_useless = in_window & ~terms.are_targets(rows)
    counts = replace(
        split.counts,
        n_window=int(in_window.sum()),
        n_window_unused=int(is_useless.sum()),
    )
    facts = {
        "basket_gap_s": choices.basket_gap_s,
        "n_basket_rows": int(is_first.sum()),
        "n_other_baskets_rows": int((in_window & ~is_first & ~is_useless).sum()),
    }
    return with_facts(replace(split, counts=counts, protocol=NEXT_BASKET), facts)


def _first_baskets(rows: Interactions, wanted: Rows, *, gap_us: int, cut_us: int) -> Marks:
    """Return which of the rows are of the first basket of their user that begins at the cut."""
    order = np.argsort(rows.user_idx[wanted], kind="stable")
    users, ts = rows.user_idx[wanted][order], rows.ts[wanted][order]
    begins = np.ones(len(users), dtype=np.bool_)
    begins[1:] = (users[1:] != users[:-1]) | (np.diff(ts) > gap_us)
    is_late = begins & (ts >= cut_us)
    n_late = np.cumsum(is_late)
    start = group_starts(users)
    number = n_late - n_late[start] + is_late[start]
    found = np.empty(len(users), dtype=np.bool_)
    found[order] = number == 1
    return found
