import numpy as np
import pytest

from endcap.models.blend import Blend
from endcap.schema.errors import SettingsError
from endcap.schema.types import NO_ITEM, TopK


class Fixed:
    """A model with one list for everybody."""

    def __init__(self, *items):
        self.items = items

    def fit(self, data, *, rng):
        return self

    def recommend(self, users, k, *, exclude_seen=True, allowed=None):
        kept = [item for item in self.items if allowed is None or item in allowed][:k]
        padded = np.array(kept + [NO_ITEM] * (k - len(kept)), dtype=np.int32)
        items = np.tile(padded, (len(users), 1))
        return TopK(items, np.where(items == NO_ITEM, -np.inf, 1.0).astype(np.float32))


USERS = np.array([0, 5], dtype=np.int32)


def test_what_both_like_comes_first_and_weights_count():
    members = {"a": Fixed(1, 2), "b": Fixed(3, 2), "c": Fixed(9)}
    blend = Blend(members, {"a": 1.0, "b": 2.0, "c": 0.0})
    ranked = blend.recommend(USERS, 4)
    assert ranked.items.tolist() == [[2, 3, 1, NO_ITEM]] * 2
    assert np.isneginf(ranked.scores[:, 3]).all()


def test_the_order_of_the_members_does_not_matter():
    one = Blend({"a": Fixed(1, 2), "b": Fixed(3, 1)}, {"a": 1.0, "b": 0.7})
    other = Blend({"b": Fixed(3, 1), "a": Fixed(1, 2)}, {"b": 0.7, "a": 1.0})
    np.testing.assert_array_equal(one.recommend(USERS, 3).items, other.recommend(USERS, 3).items)


def test_members_are_told_what_is_allowed():
    blend = Blend({"a": Fixed(1, 2, 3)}, {"a": 1.0})
    ranked = blend.recommend(USERS, 3, allowed=np.array([2, 3], dtype=np.int32))
    assert ranked.items.tolist() == [[2, 3, NO_ITEM]] * 2


def test_a_blend_of_nobody_is_refused():
    with pytest.raises(SettingsError, match="blend_weights"):
        Blend({"a": Fixed(1)}, {"b": 1.0})
