import numpy as np
import pytest

from endcap.schema.dataset import Dataset, Interactions, Items


def interactions(ts):
    n = len(ts)
    return Interactions(
        user_idx=np.arange(n, dtype=np.int32),
        item_idx=np.arange(n, dtype=np.int32),
        kind=np.ones(n, dtype=np.uint8),
        value=np.ones(n, dtype=np.float32),
        price=np.ones(n, dtype=np.float32),
        ts=np.array(ts, dtype=np.int64),
    )


def items(n):
    codes = np.zeros(n, dtype=np.int32)
    return Items(department=codes, category=codes, brand=codes)


def test_between_includes_the_start_and_excludes_the_end():
    assert interactions([1, 2, 2, 3, 4]).between(2, 4).ts.tolist() == [2, 2, 3]


def test_open_sides_and_empty_windows():
    log = interactions([1, 2, 3])
    assert len(log.between(None, None)) == 3
    assert len(log.between(3, 1)) == 0


def test_unsorted_or_ragged_columns_are_refused():
    with pytest.raises(ValueError, match="sorted"):
        interactions([2, 1])
    with pytest.raises(ValueError, match="length"):
        Interactions(**{
            "user_idx": np.zeros(2, np.int32), "item_idx": np.zeros(1, np.int32),
            "kind": np.zeros(2, np.uint8), "value": np.zeros(2, np.float32),
            "price": np.zeros(2, np.float32), "ts": np.zeros(2, np.int64),
        })  # fmt: skip


def test_a_slice_keeps_the_catalogue():
    data = Dataset(interactions([1, 2, 3]), n_users=9, n_items=5, items=items(5))
    early = data.between(None, 3)
    assert (early.n_users, early.n_items, early.end_us, data.end_us) == (9, 5, 3, 4)


def test_the_catalogue_must_cover_every_item():
    with pytest.raises(ValueError, match="attributes"):
        Dataset(interactions([1]), n_users=1, n_items=2, items=items(1))
