"""How much of the future is about users and items that the past has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import pair_set
from endcap.explore.overview import Overview
from endcap.figures.plots import sideways_bars
from endcap.figures.wording import date, duration, percent
from endcap.schema.dataset import Dataset
from endcap.schema.types import SECOND_US

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The test part, from the cut to the end of the data, seen from the training part before it.

    cut_us: the first moment of the test part.
    n_train, n_test: interactions before it and from it on.
    n_test_users, n_test_items: with an interaction in the test part.
    cold_users, cold_items: the share of those that the training part has never seen.
    cold_user_interactions, cold_item_interactions: the share of the test interactions that are
        theirs; cold_interactions: of either.
    repeat_interactions: the share of the test interactions whose user had had the item before the
        cut.
    """

    cut_us: int
    n_train: int
    n_test: int
    n_test_users: int
    n_test_items: int
    cold_users: float
    cold_items: float
    cold_user_interactions: float
    cold_item_interactions: float
    cold_interactions: float
    repeat_interactions: float


def cold_start(data: Dataset, *, cut_us: int) -> ColdStart | None:
    """Return how much of what comes after the cut is new; None when either part is empty.

    Cost: one sort of the training part's pairs.
    """
    train = data.interactions.between(None, cut_us)
    test = data.interactions.between(cut_us, None)
    if len(train) == 0 or len(test) == 0:
        return None
    cold_user = ~_seen(train.user_idx, data.n_users)[test.user_idx]
    cold_item = ~_seen(train.item_idx, data.n_items)[test.item_idx]
    had = pair_set(train.user_idx, train.item_idx, stride=data.n_items)
    users, items = _seen(test.user_idx, data.n_users), _seen(test.item_idx, data.n_items)
    n_cold_users = np.count_nonzero(_seen(test.user_idx[cold_user], data.n_users))
    n_cold_items = np.count_nonzero(_seen(test.item_idx[cold_item], data.n_items))
    n_users, n_items = int(np.count_nonzero(users)), int(np.count_nonzero(items))
    return ColdStart(
        cut_us=cut_us,
        n_train=len(train),
        n_test=len(test),
        n_test_users=n_users,
        n_test_items=n_items,
        cold_users=n_cold_users / n_users,
        cold_items=n_cold_items / n_items,
        cold_user_interactions=float(cold_user.mean()),
        cold_item_interactions=float(cold_item.mean()),
        cold_interactions=float((cold_user | cold_item).mean()),
        repeat_interactions=float(had.contain(test.user_idx, test.item_idx).mean()),
    )


def say_cold_start(found: ColdStart, noun: str = "interactions") -> str:
    """Return how much a model could not know, as a sentence."""
    total = found.n_train + found.n_test
    return (
        f"Cut on {date(found.cut_us)}, the last {percent(found.n_test / total)} of the {noun} are "
        f"the test. {percent(found.cold_users)} of its {found.n_test_users:,} users and "
        f"{percent(found.cold_items)} of its {found.n_test_items:,} items never occur before; "
        f"{percent(found.cold_interactions)} of its {noun} involve one of them, "
        f"{percent(found.repeat_interactions)} repeat what the user had before."
    )


def say_no_split(found: Overview, *, cut_us: int) -> str:
    """Return why there is nothing to say of a cut, as a sentence."""
    span_us = found.last_us - found.first_us
    return (
        f"A cut on {date(cut_us)} leaves one side empty: the data spans "
        f"{duration(span_us / SECOND_US)}, from {date(found.first_us)} to {date(found.last_us)}."
    )


def plot_cold_start(found: ColdStart) -> Figure:
    """Return a bar for each share of the test part that is new, and for what is repeated."""
    rows = (
        ("new users", found.cold_users),
        ("new items", found.cold_items),
        ("rows of new users", found.cold_user_interactions),
        ("rows of new items", found.cold_item_interactions),
        ("rows of either", found.cold_interactions),
        ("rows that repeat", found.repeat_interactions),
    )
    shares = np.array([share for _, share in rows])
    return sideways_bars([name for name, _ in rows], shares, [percent(s) for s in shares])[0]


def _seen(idx: NDArray[np.int32], n: int) -> NDArray[np.bool_]:
    seen = np.zeros(n, dtype=np.bool_)
    seen[idx] = True
    return seen
