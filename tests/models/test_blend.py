import numpy as np
import pytest

from endcap.models.als import ALS, ALSConfig
from endcap.models.blend.by_rank import Blend
from endcap.models.popular import Popular
from endcap.models.repeat import Repeat
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Reason
from endcap.schema.types import NO_ITEM, TopK
from endcap.testing.toy_data import planted_tastes


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


@pytest.fixture(scope="module")
def fitted():
    data, _ = planted_tastes(np.random.default_rng(1))
    als = ALS(ALSConfig(embedding_size=8, iterations=3, reg=0.5, n_threads=1))
    members = {
        name: model.fit(data, rng=np.random.default_rng(0))
        for name, model in {"als": als, "repeat": Repeat(), "popular": Popular()}.items()
    }
    return Blend(members, {"als": 1.0, "repeat": 0.6, "popular": 0.3}), data


def test_scores_rank_as_the_whole_list_does(fitted):
    blend, data = fitted
    users = np.arange(data.n_users, dtype=np.int32)
    ranked = blend.recommend(users, data.n_items, exclude_seen=False)
    scores = blend.score(users)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(np.argsort(-scores, axis=1, kind="stable"), ranked.items)
    np.testing.assert_allclose(
        np.take_along_axis(scores, ranked.items, axis=1), ranked.scores, rtol=1e-6
    )


def test_members_get_the_other_history(fitted):
    blend, data = fitted
    users = np.arange(data.n_users, dtype=np.int32)
    same = blend.with_history(data).recommend(users, 10)
    np.testing.assert_array_equal(same.items, blend.recommend(users, 10).items)
    nobody = blend.with_history(data.between(0, 0)).recommend(users, 10)
    assert (nobody.items == nobody.items[0]).all()


class Told(Fixed):
    """A model with scores for everybody, that answers for each item with its own name."""

    def __init__(self, name, *scores):
        self.name, self.scores = name, np.array(scores, dtype=np.float32)

    def score(self, users):
        return np.tile(self.scores, (len(users), 1))

    def explain(self, user, items):
        return [Reason(self.name, None, float(self.scores[item])) for item in items]


def test_the_member_that_gives_most_explains():
    members = {"a": Told("popular", 4, 3, 2, 1), "b": Told("trending", 1, 2, 3, 4)}
    items = np.array([3, 0, 2, 1], dtype=np.int32)
    even = Blend(members, {"a": 1.0, "b": 1.0}).explain(0, items)
    assert [(reason.kind, reason.amount) for reason in even] == [
        ("trending", 4),
        ("popular", 4),
        ("trending", 3),
        ("popular", 3),
    ]
    # 1.2 / 24 is more than 1 / 21: even where b likes an item least, it gives more than a.
    lopsided = Blend(members, {"a": 1.0, "b": 1.2}).explain(0, items)
    assert {reason.kind for reason in lopsided} == {"trending"}


def test_what_a_member_cannot_do_the_blend_cannot():
    blend = Blend({"a": Fixed(1, 2), "b": Told("none", 1, 2)}, {"a": 1.0, "b": 1.0})
    with pytest.raises(SettingsError, match=r"asked about other users where .*; a, b cannot"):
        blend.with_history(planted_tastes(np.random.default_rng(1))[0])
    for ask in (lambda: blend.score(USERS), lambda: blend.explain(0, USERS[:1])):
        with pytest.raises(SettingsError, match=r"score all items where all .*; a cannot"):
            ask()
