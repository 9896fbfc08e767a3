"""Parts of a view's targets: by who asks, and by what was asked for.

Every way of slicing puts each target into exactly one slice; a slice without targets is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.split import Split, Targets, View
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US, UserIdx

HISTORY = "history length"
RECENCY = "days since last seen"
USER = "user"
POPULARITY = "target's popularity"
CATEGORY = "target's category"
DEPARTMENT = "target's department"

HISTORY_FROM = (0, 1, 2, 5, 10, 20, 50)
HISTORY_LABELS = ("0", "1", "2-4", "5-9", "10-19", "20-49", "50+")
RECENCY_FROM_DAYS = (0, 1, 7, 30, 90)
RECENCY_LABELS = ("<1", "1-6", "7-29", "30-89", "90+", "never")
N_DECILES = 10
POPULARITY_LABELS = ("head", *map(str, range(2, N_DECILES)), "tail", "cold")
N_CATEGORIES = 10
MAX_VALUES = 50
OTHERS, UNKNOWN = "others", "unknown"

_Codes: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some targets of a view, and the users who have them.

    by: the way of slicing. label: which slice of it.
    targets: only those of the slice; a user has the others no more.
    """

    by: str
    label: str
    targets: Targets


def slices_of(
    split: Split, view: View, *, attributes: Mapping[str, Sequence[str | None]] | None = None
) -> list[Slice]:
    """Return the slices of a view, way by way, each in its order.

    Users (queries, where the split has a history of its own) are sliced by the number of distinct
    items they had, by the days between their last interaction and the cut (where all of the
    history lies before one cut), and by whether anything of them was learnt from. Targets are
    sliced by popularity: items in falling order of interactions fall into ten parts of equally
    many interactions, equal items into the same part; items that nobody had are cold. And by
    category, the ten with most targets; by department where no category is known.

    Args:
        split: what the targets are of.
        view: whose targets.
        attributes: of users, by name: a value, or None where unknown, for each user index. Those
            with fewer than 2 or more than 50 values are left out.

    Cost: one sort of the history, and one pass over the targets for each way.
    """
    targets = split.targets[view]
    ways = [*_ways_of_users(split, targets, attributes or {}), *_ways_of_items(split, targets)]
    return [one for by, codes, labels in ways for one in _cut(targets, by, codes, labels)]


_Way: TypeAlias = tuple[str, _Codes, Sequence[str]]
"""Its name, the code of each target, and the label of each code."""


def _cut(targets: Targets, by: str, codes: _Codes, labels: Sequence[str]) -> Iterator[Slice]:
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)
    for code, label in enumerate(labels):
        chosen = codes == code
        if chosen.any():
            n_left = np.bincount(rows[chosen], minlength=len(targets))
            has_any = n_left > 0
            indptr = np.concatenate([[0], np.cumsum(n_left[has_any])])
            part = targets.items[chosen], targets.is_cold[chosen]
            yield Slice(by, label, Targets(targets.users[has_any], indptr, *part))


def _ways_of_users(
    split: Split, targets: Targets, attributes: Mapping[str, Sequence[str | None]]
) -> Iterator[_Way]:
    queries, known = targets.users, split.known

    def of_targets(codes: _Codes) -> _Codes:
        return np.repeat(codes, targets.n_relevant)

    yield HISTORY, of_targets(_bin(_n_had(known)[queries], HISTORY_FROM)), HISTORY_LABELS
    if known.interactions.ts.max(initial=0) < split.cut_us:
        yield RECENCY, of_targets(_recency(known, split.cut_us)[queries]), RECENCY_LABELS
    users = queries if split.query_users is None else split.query_users[queries]
    is_known = np.isin(users, split.train.interactions.user_idx)
    yield USER, of_targets(is_known.astype(np.int64)), ("new", "known")
    for name, values in attributes.items():
        labels = sorted({value for value in values if value is not None})
        if 2 <= len(labels) <= MAX_VALUES:
            codes = _attribute_codes(values, labels, users)
            yield f"user's {name}", of_targets(codes), [*labels, UNKNOWN]


def _ways_of_items(split: Split, targets: Targets) -> Iterator[_Way]:
    codes = popularity_deciles(split.train)[targets.items]
    yield POPULARITY, codes, POPULARITY_LABELS
    items = split.train.items
    for by, of_items, names in (
        (CATEGORY, items.category, items.category_names),
        (DEPARTMENT, items.department, items.department_names),
    ):
        if np.any(of_items >= 0):
            yield by, *_largest(of_items[targets.items], names)
            return


def popularity_deciles(data: Dataset) -> _Codes:
    """Return for each item 0 (the head) to 9 (the tail), or 10 when nobody had it, (n_items,).

    Items of equal popularity share the decile that the middle of them lies in, so that the index
    of an item decides nothing.
    """
    n_had = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    amounts, group = np.unique(n_had, return_inverse=True)
    totals = amounts * np.bincount(group, minlength=len(amounts))
    is_above = totals.sum() - np.cumsum(totals)
    middles = (is_above + totals / 2) / max(int(totals.sum()), 1)
    deciles = np.minimum((middles * N_DECILES).astype(np.int64), N_DECILES - 1)
    return np.where(n_had > 0, deciles[group], N_DECILES)


def _bin(amounts: NDArray[np.integer], begins: Sequence[int]) -> _Codes:
    return np.searchsorted(np.array(begins), amounts, side="right") - 1


def _n_had(data: Dataset) -> NDArray[np.int64]:
    had = data.interactions
    pairs = pair_set(had.user_idx, had.item_idx, stride=data.n_items)
    return np.bincount(pairs.rows, minlength=data.n_users).astype(np.int64)


def _recency(data: Dataset, cut_us: int) -> _Codes:
    last_us = np.full(data.n_users, cut_us, dtype=np.int64)
    last_us[data.interactions.user_idx] = data.interactions.ts  # in time order: the last one stays
    days = (cut_us - last_us) // DAY_US
    return np.where(last_us == cut_us, len(RECENCY_FROM_DAYS), _bin(days, RECENCY_FROM_DAYS))


def _attribute_codes(values: Sequence[str | None], labels: Sequence[str], users: UserIdx) -> _Codes:
    code_of = {label: code for code, label in enumerate(labels)}
    codes = [len(labels) if value is None else code_of[value] for value in values]
    return np.array(codes, dtype=np.int64)[users]


def _largest(codes: NDArray[np.int32], names: Sequence[str]) -> tuple[_Codes, list[str]]:
    """Return the codes of the largest categories, of all others together, and of the unknown."""
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    largest = [code for code in np.argsort(-sizes, kind="stable")[:N_CATEGORIES] if sizes[code]]
    place = np.full(len(sizes) + 1, len(largest), dtype=np.int64)
    place[largest] = np.arange(len(largest))
    place[-1] = len(largest) + 1  # of the code -1
    return place[codes], [
        *(names[code] if names else str(code) for code in largest),
        OTHERS,
        UNKNOWN,
    ]
