"""Small data with a right answer, to test models on: a board, a taste for each group of users."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US

Scalar = TypeVar("Scalar", bound=np.generic)

START_US = 1_500_000_000_000_000
BOARD_SIZE = 24
N_GROUPS, GROUP_USERS, GROUP_ITEMS = 4, 40, 20
N_HELD_OUT = 3


def dataset(
    users: NDArray[np.int32],
    items: NDArray[np.int32],
    ts: NDArray[np.int64],
    *,
    n_users: int,
    n_items: int,
) -> Dataset:
    """Return purchases of one piece each as a data set without attributes, sorted by time.

    Its arrays cannot be written to, as those of a memory-mapped snapshot.
    """
    order = np.argsort(ts, kind="stable")
    n = len(order)
    unknown = _frozen(np.full(n_items, -1, dtype=np.int32))
    return Dataset(
        interactions=Interactions(
            user_idx=_frozen(users[order].astype(np.int32)),
            item_idx=_frozen(items[order].astype(np.int32)),
            kind=_frozen(np.full(n, KIND_CODES[Kind.PURCHASE], dtype=np.uint8)),
            value=_frozen(np.ones(n, dtype=np.float32)),
            price=_frozen(np.full(n, 2.5, dtype=np.float32)),
            ts=_frozen(ts[order].astype(np.int64)),
        ),
        n_users=n_users,
        n_items=n_items,
        items=Items(department=unknown, category=unknown, brand=unknown),
    )


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array


def checkerboard(size: int = BOARD_SIZE) -> Dataset:
    """Return users who have had every item of their own colour but the one of their own number.

    User u and item i are of the same colour when u + i is even, so the best unseen item of user u
    is item u. One more user, number `size`, has had nothing; one more item, nobody has had.
    """
    users, items = np.nonzero(np.add.outer(np.arange(size), np.arange(size)) % 2 == 0)
    kept = users != items
    users, items = users[kept].astype(np.int32), items[kept].astype(np.int32)
    # Two items a day, in another order for each user, so that a history says more than a place.
    day = np.random.default_rng(0).permuted(np.tile(np.arange(size // 2 - 1), (size, 1)), axis=1)[
        users, np.concatenate([np.arange(n) for n in np.bincount(users)])
    ]
    return dataset(users, items, START_US + (day // 2) * DAY_US, n_users=size + 1, n_items=size + 1)


def checkerboard_of_refusals() -> Dataset:
    """Return the checkerboard whose users each refuse two items, of those they would be shown.

    One is of their own number, the best unseen one; the other, two further on, they have had.
    """
    data = checkerboard()
    users = np.repeat(np.arange(BOARD_SIZE, dtype=np.int32), 2)
    items = (users + np.tile(np.array([0, 2], dtype=np.int32), BOARD_SIZE)) % BOARD_SIZE
    ts = np.full(len(users), data.end_us, dtype=np.int64)
    no = dataset(users, items, ts, n_users=data.n_users, n_items=data.n_items).interactions
    kind = _frozen(np.full(len(no), KIND_CODES[Kind.DISLIKE], dtype=np.uint8))
    weight = _frozen(np.full(len(no), -1, dtype=np.float32))
    return replace(data, refusals=replace(no, kind=kind, weight=weight))


def planted_tastes(rng: np.random.Generator) -> tuple[Dataset, NDArray[np.int32]]:
    """Return users with the taste of their group, and the items each will take next.

    Every user also takes the bestsellers of the whole shop, which say nothing about the group, and
    are what a ranking by popularity shows.

    Returns:
        the data, and for each user the items held out, shape (n_users, 3), all new to that user.
    """
    n_users, n_bestsellers = N_GROUPS * GROUP_USERS, 6
    n_items = N_GROUPS * GROUP_ITEMS + n_bestsellers
    events: list[tuple[int, int, int]] = []
    held_out = np.empty((n_users, N_HELD_OUT), dtype=np.int32)
    for user in range(n_users):
        taste = (user % N_GROUPS) * GROUP_ITEMS + rng.permutation(GROUP_ITEMS)[:12]
        held_out[user], had = taste[:N_HELD_OUT], taste[N_HELD_OUT:]
        bestsellers = n_items - 1 - rng.permutation(n_bestsellers)[:3]
        for item in (*had, *bestsellers):
            events.append((user, int(item), int(rng.integers(60))))
    users, items, days = np.array(events).T
    ts = START_US + days * DAY_US
    return dataset(users, items, ts, n_users=n_users, n_items=n_items), held_out
