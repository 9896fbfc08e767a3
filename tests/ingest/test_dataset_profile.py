from __future__ import annotations

from collections.abc import Callable

import pytest

from endcap.ingest.profile import profile
from endcap.ingest.snapshot import Snapshot, load_dataset


def test_a_hand_counted_set(ingest_file: Callable[..., Snapshot]) -> None:
    lines = [
        "user_id,item_id,ts,event",
        "a,x,2020-01-01,view",
        "a,x,2020-01-02,purchase",
        "a,y,2020-01-03,view",
        "b,x,2020-01-11,view",
    ]
    data = load_dataset(ingest_file("p.csv", lines).path)
    found = profile(data)
    assert (found.n_interactions, found.n_users, found.n_items, found.n_known_items) == (4, 2, 2, 2)
    assert found.density == pytest.approx(3 / 4)
    assert found.repeat_share == pytest.approx(1 / 4)
    assert found.median_per_user == 2
    assert found.n_days == 10
    assert found.kinds == {"view": 3, "purchase": 1}
    # A slice knows the whole catalogue, but counts who is in it.
    early = profile(data.between(None, data.end_us - 1))
    assert (early.n_users, early.n_items, early.n_known_items) == (1, 2, 2)


def test_an_empty_set_is_all_zeros(ingest_file: Callable[..., Snapshot]) -> None:
    data = load_dataset(ingest_file("p.csv", ["user_id,item_id,ts", "a,x,2020-01-01"]).path)
    found = profile(data.between(None, 0))
    assert (found.n_interactions, found.n_users, found.density, found.repeat_share) == (0, 0, 0, 0)
    assert found.kinds == {}
