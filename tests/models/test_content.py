from dataclasses import replace

import numpy as np
import pytest

from endcap.evaluation.protocols.registry import ProtocolConfig, split_by
from endcap.features.history import history_of
from endcap.models.content.inputs import attribute_vectors
from endcap.models.content.model import Content, ContentConfig
from endcap.models.content.network import ContentLearner, build_neighbourhoods
from endcap.models.learning.loop import LoopConfig
from endcap.schema.dataset import Items
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import GROUP_ITEMS, GROUP_USERS, N_GROUPS, dataset, planted_tastes

USERS = np.arange(N_GROUPS * GROUP_USERS, dtype=np.int32)
CONFIG = ContentConfig(
    embedding_size=16,
    batch_size=256,
    update_epochs=10,
    loop=LoopConfig(n_epochs=6, learning_rate=0.02, warmup_steps=5),
)


def texts_of(groups, *, seed=0):
    """Text vectors that tell the group, but most of whose length is about something else."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0, 0.5, (len(groups), 12)).astype(np.float32)
    vectors[np.arange(len(groups)), groups] += 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def shop():
    data, _ = planted_tastes(np.random.default_rng(3))
    groups = np.append(np.repeat(np.arange(N_GROUPS), GROUP_ITEMS), np.full(6, N_GROUPS))
    return replace(data, items=data.items.with_text(texts_of(groups)))


def with_new(items, n_new=N_GROUPS):
    """The catalogue with one new item of each group behind it."""
    unknown = np.full(len(items) + n_new, -1, dtype=np.int32)
    text = np.concatenate([items.text, texts_of(np.arange(n_new), seed=1)])
    return Items(unknown, unknown, unknown, text=text)


@pytest.fixture(scope="module")
def data():
    return shop()


@pytest.fixture(scope="module")
def fitted(data):
    return Content(CONFIG).fit(data, rng=np.random.default_rng(7))


def test_new_items_are_shown_to_whom_they_suit_without_training(data, fitted):
    new = np.arange(data.n_items, data.n_items + N_GROUPS, dtype=np.int32)
    knows = fitted.with_items(with_new(data.items))
    ranked = knows.recommend(USERS, 1, allowed=new).items[:, 0]
    assert np.mean(ranked - data.n_items == USERS % N_GROUPS) > 0.9
    assert len(fitted.item_vectors_) == data.n_items, "the model itself is left as it was"


def test_new_items_stand_among_the_old_ones(data, fitted):
    knows = fitted.with_items(with_new(data.items))
    ranked = knows.recommend(USERS, 20).items
    is_shown = (ranked == (data.n_items + USERS % N_GROUPS)[:, np.newaxis]).any(axis=1)
    assert is_shown.mean() > 0.5, "on one scale with those that have a vector of their own"
    old = fitted.recommend(USERS, data.n_items).items
    all_of_them = knows.recommend(USERS, data.n_items + N_GROUPS).items
    kept = np.stack([row[row < data.n_items] for row in all_of_them])
    n_unseen = (old >= 0).sum(axis=1).min()
    np.testing.assert_array_equal(kept[:, :n_unseen], old[:, :n_unseen])


def test_new_items_are_similar_to_those_of_their_group(data, fitted):
    new = np.arange(data.n_items, data.n_items + N_GROUPS, dtype=np.int32)
    near = fitted.with_items(with_new(data.items)).similar_items(new, 5).items
    of_group = near // GROUP_ITEMS == np.arange(N_GROUPS)[:, np.newaxis]
    assert (of_group | (near == new[:, np.newaxis])).mean() >= 0.9


def test_items_told_in_other_terms_are_refused(data, fitted):
    short = replace(data.items, text=data.items.text[:, :5])
    with pytest.raises(DataError, match="5 numbers"):
        fitted.with_items(short)
    with pytest.raises(DataError, match="numbers"):
        fitted.with_items(data.items.with_text(None))
    fewer = replace(dataset_like(data, n_items=3), text=data.items.text[:3])
    with pytest.raises(DataError, match="of which 3 are told"):
        fitted.with_items(fewer)


def dataset_like(data, *, n_items):
    codes = data.items.brand[:n_items]
    return Items(codes, codes, codes)


def test_of_hidden_items_the_texts_tell_whom_they_suit(data):
    choices = ProtocolConfig(seed=5, cold_item_share=0.2, test_days=15, validation_days=15)
    split = split_by("cold-items", data, choices=choices)
    assert split.train.items.text is data.items.text
    cold, users = split.rules["cold_only"].allowed, split.targets["cold_only"].users

    def suiting(train):
        model = Content(CONFIG).fit(train, rng=np.random.default_rng(0))
        best = model.with_history(split.known).recommend(users, 1, allowed=cold).items[:, 0]
        return np.mean(best // GROUP_ITEMS == users % N_GROUPS)

    assert suiting(split.train) > 0.85
    assert suiting(replace(split.train, items=data.items.with_text(None))) < 0.5


def test_an_update_teaches_new_items_and_keeps_what_was_known(data, fitted):
    since_us = data.end_us
    items = with_new(data.items)
    told = data.interactions
    # The first new item suits group 0 by its text; those of group 3 are who take it.
    fans = USERS[USERS % N_GROUPS == 3]
    bought = dataset(
        np.concatenate([told.user_idx, fans]),
        np.concatenate([told.item_idx, np.full(len(fans), data.n_items, dtype=np.int32)]),
        np.concatenate([told.ts, np.full(len(fans), since_us + DAY_US)]),
        n_users=data.n_users,
        n_items=len(items),
    )
    now = replace(bought, items=items)
    updated = fitted.update(now, since_us=since_us, rng=np.random.default_rng(0))
    taken_with = slice(3 * GROUP_ITEMS, 4 * GROUP_ITEMS)

    def likeness(model):
        return model.item_vectors_[taken_with].mean(axis=0) @ model.item_vectors_[data.n_items]

    assert likeness(updated) > likeness(fitted.with_items(items)) + 0.1
    own = USERS[USERS % N_GROUPS == 1]
    ranked = updated.recommend(own, 5).items
    assert np.mean(ranked // GROUP_ITEMS == 1) > 0.8
    assert len(updated.losses_) == CONFIG.update_epochs


def test_an_update_with_nothing_new_only_takes_over_the_items(data, fitted):
    items = with_new(data.items)
    now = replace(data, items=items, n_items=len(items))
    updated = fitted.update(now, since_us=data.end_us, rng=np.random.default_rng(0))
    expected = fitted.with_items(items).recommend(USERS, 10)
    found = updated.recommend(USERS, 10)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


def test_a_loaded_model_takes_new_items_as_the_saved_one_does(data, fitted, tmp_path):
    fitted.save(tmp_path)
    items = with_new(data.items)
    loaded = Content.load(tmp_path)
    expected = fitted.with_items(items).recommend(USERS, 10)
    found = loaded.with_items(items).recommend(USERS, 10)
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_an_interrupted_training_goes_on_to_the_same_vectors(data, fitted, tmp_path, monkeypatch):
    whole, n_calls = ContentLearner.loss, 0

    def stop_in_the_fourth_epoch(self, batch, rng):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 3 * len(self.batches(np.random.default_rng(0))):
            raise KeyboardInterrupt
        return whole(self, batch, rng)

    monkeypatch.setattr(ContentLearner, "loss", stop_in_the_fourth_epoch)
    with pytest.raises(KeyboardInterrupt):
        Content(CONFIG).keep_training_in(tmp_path).fit(data, rng=np.random.default_rng(7))
    monkeypatch.setattr(ContentLearner, "loss", whole)
    again = Content(CONFIG).keep_training_in(tmp_path).fit(data, rng=np.random.default_rng(7))
    assert len(again.losses_) == CONFIG.loop.n_epochs
    np.testing.assert_allclose(again.item_vectors_, fitted.item_vectors_, rtol=1e-4, atol=1e-5)


def test_without_texts_attributes_are_told_by_name_whatever_their_code():
    unknown = np.full(2, -1, dtype=np.int32)
    early = Items(np.array([0, 1], np.int32), unknown, unknown, ("Bakery", "Dairy"))
    late = Items(
        np.array([0, 2, 1], np.int32), *[np.full(3, -1, np.int32)] * 2, ("Bakery", "Cars", "Dairy")
    )
    np.testing.assert_array_equal(attribute_vectors(early), attribute_vectors(late)[:2])
    assert attribute_vectors(late)[1] @ attribute_vectors(late)[2] < 0.4


def test_attributes_have_length_one_and_an_unknown_item_none():
    codes = np.array([3, -1], dtype=np.int32)
    found = attribute_vectors(Items(codes, codes, codes))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0], atol=1e-6)


def test_each_item_is_foreseen_from_those_around_it_nearest_foremost():
    users, items = np.array([0, 0, 0, 1], np.int32), np.array([5, 3, 4, 2], np.int32)
    ts = np.array([1, 2, 3, 4]) * DAY_US
    told = build_neighbourhoods(history_of(dataset(users, items, ts, n_users=2, n_items=6)))
    assert told.items.tolist() == [5, 3, 4, 2]
    assert told.examples.tolist() == [0, 1, 2], "one item alone says nothing"
    seeds, says = told.around(np.array([1, 2]), reach=2, tau=1.0)
    assert seeds.tolist() == [[3, 5, 4, 3], [5, 3, 4, 4]]
    e = np.exp(-1.0)
    np.testing.assert_allclose(says, [[0, 1, 1, 0], [e, 1, 0, 0]], rtol=1e-6)


def test_an_epoch_has_at_most_so_many_examples_others_in_each(data):
    few = CONFIG.model_copy(update={"max_examples": 300})
    seen = []
    whole = ContentLearner.loss

    class Watched(ContentLearner):
        def loss(self, batch, rng):
            seen.append(batch)
            return whole(self, batch, rng)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("endcap.models.content.model.ContentLearner", Watched)
        Content(few).fit(data, rng=np.random.default_rng(0))
    assert [len(batch) for batch in seen] == [256, 44] * CONFIG.loop.n_epochs
    assert len(np.unique(np.concatenate(seen))) > 300
