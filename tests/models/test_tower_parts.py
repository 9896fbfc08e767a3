from dataclasses import replace

import numpy as np
import pytest
import torch

from endcap.models.learning.baskets import build_baskets
from endcap.models.learning.devices import pick_device, torch_seed, torch_threads
from endcap.models.learning.loop import train_network
from endcap.models.two_tower import training as tower_training
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.inputs import (
    SIMILARITY_SHARE,
    add_popularity,
    build_inputs,
    log_popularity,
    price_bands,
)
from endcap.models.two_tower.network import ItemTower, UserTower, places_of, sampled_softmax
from endcap.models.two_tower.training import POPULARITY_WEIGHTS, TowerLearner, hold_out
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import checkerboard, dataset


def test_the_loss_is_the_softmax_it_states():
    rng = np.random.default_rng(0)
    n_users, n_targets, n_uniform = 3, 2, 4
    n = n_users * n_targets + n_uniform
    logits = rng.standard_normal((n_users, n)).astype(np.float32)
    log_q = np.append(rng.standard_normal(n - n_uniform), np.zeros(n_uniform)).astype(np.float32)
    masked = np.zeros((n_users, n), dtype=bool)
    for user in range(n_users):
        masked[user, user * n_targets : (user + 1) * n_targets] = True
    masked[1, 0] = masked[2, 7] = True
    found = sampled_softmax(
        *(torch.from_numpy(array) for array in (logits, log_q, masked)), n_targets=n_targets
    )
    losses = []
    for user in range(n_users):
        below = np.exp(logits[user] - log_q)[~masked[user]].sum()
        for target in logits[user, user * n_targets : (user + 1) * n_targets]:
            losses.append(-np.log(np.exp(target) / (np.exp(target) + below)))
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)


def test_towers_end_on_the_unit_sphere_and_can_point_anywhere():
    with torch_seed(0):
        items = ItemTower(n_ids=5, n_codes=[3, 4], embedding_size=8)
        users = UserTower(embedding_size=8, hidden=16, dropout=0.5).eval()
        vectors = items(torch.tensor([0, 1, 5]), torch.tensor([[0, 0], [1, 3], [2, 1]]))
        histories = torch.cat([vectors, torch.zeros(1, 8)]).unsqueeze(1)
        made = users(histories, torch.tensor([[1.0], [0.5], [2.0], [0.0]]), torch.zeros(4, 1))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    # Also for somebody without any history.
    assert torch.allclose(made.norm(dim=1), torch.ones(4), atol=1e-5)
    assert (vectors < 0).any()
    assert (made < 0).any()


def test_places_count_the_larger_weights_and_equals_share_theirs():
    weights = torch.tensor([[0.5, 0.9, 0.5, 0.1], [0.3, 0.0, 0.0, 0.0]])
    assert places_of(weights)[0].tolist() == [1.5, 0.0, 1.5, 3.0]
    assert places_of(weights)[1, 0] == 0


def test_a_user_is_more_than_one_mean_of_the_history():
    users = UserTower(embedding_size=2, hidden=4, n_means=2).eval()
    with torch.no_grad():
        users.slope.copy_(torch.tensor([0.0, 50.0]))  # a mean of all, and the last item alone
        users.residual[-1].bias.zero_()
        vectors, weights = torch.eye(2)[None], torch.tensor([[1.0, 3.0]])
        users.share.copy_(torch.tensor([1.0, 0.0]))
        torch.testing.assert_close(
            users(vectors, weights, places_of(weights)),
            torch.tensor([[0.25, 0.75]]) / torch.tensor([0.25, 0.75]).norm(),
        )
        users.share.copy_(torch.tensor([0.0, 1.0]))
        found = users(vectors, weights, places_of(weights))
    torch.testing.assert_close(found, torch.tensor([[0.0, 1.0]]))


def test_a_dropped_id_leaves_what_the_item_is():
    with torch_seed(0):
        items = ItemTower(n_ids=3, n_codes=[3], embedding_size=4, text_size=2, id_dropout=0.999999)
        ids, codes, text = torch.tensor([1, 0]), torch.tensor([[2], [2]]), torch.ones(2, 2)
        dropped, kept = items(ids, codes, text), items.eval()(ids, codes, text)
    assert torch.equal(dropped[0], dropped[1])
    assert not torch.equal(kept[0], kept[1])


def test_an_item_without_an_own_embedding_is_its_attributes():
    with torch_seed(0):
        items = ItemTower(n_ids=2, n_codes=[3], embedding_size=4)
        codes = torch.tensor([[1], [1], [2]])
        vectors = items(torch.tensor([0, 0, 0]), codes)
    assert torch.equal(vectors[0], vectors[1])
    assert not torch.equal(vectors[0], vectors[2])


def test_popularity_is_added_in_the_wanted_proportion():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 6))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    popularity = rng.normal(2.0, 1.5, 40).astype(np.float32)
    whole, pull = add_popularity(vectors, popularity, weight=0.8, temperature=0.1)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    user = vectors[3]
    scores = whole @ np.concatenate([user, [pull, 0]]).astype(np.float32)
    logits = vectors @ user / 0.1 + 0.8 * (popularity - popularity.min())
    np.testing.assert_allclose(scores, SIMILARITY_SHARE * 0.1 * logits, atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_without_popularity_only_the_similarity_counts(weight):
    vectors = np.eye(3, dtype=np.float32)
    flat = np.full(3, 1.5, dtype=np.float32)
    popularity = flat if weight else np.arange(3, dtype=np.float32)
    whole, pull = add_popularity(vectors, popularity, weight=weight, temperature=0.1)
    assert pull == 0.0
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)


def shop_with_prices(prices, categories):
    n = len(prices)
    category = np.array(categories, dtype=np.int32)
    return Dataset(
        interactions=Interactions(
            user_idx=np.zeros(n, dtype=np.int32),
            item_idx=np.arange(n, dtype=np.int32),
            kind=np.full(n, 3, dtype=np.uint8),
            value=np.ones(n, dtype=np.float32),
            price=np.array(prices, dtype=np.float32),
            ts=np.arange(n, dtype=np.int64),
        ),
        n_users=1,
        n_items=n,
        items=Items(department=category, category=category, brand=category),
    )


def test_price_bands_are_within_the_category():
    data = shop_with_prices([1.0, 30.0, 4.0, 3.0, 2.0, np.nan, 10.0], [0, 1, 0, 0, 0, 0, 1])
    assert price_bands(data, n_bands=2).tolist() == [1, 2, 2, 2, 1, 0, 1]
    assert price_bands(data, n_bands=0).tolist() == [0] * 7


def test_inputs_know_rare_items_by_their_attributes_only():
    data = checkerboard()
    baskets = build_baskets(data.interactions, repeat_weight=1.0)
    weight = baskets.target_weight(data.n_items)
    config = TwoTowerConfig(min_events=11)
    inputs = build_inputs(data, config, target_weight=weight)
    n_events = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    assert n_events.min() == 0
    np.testing.assert_array_equal(inputs.ids > 0, n_events >= 11)
    assert len(set(inputs.ids[inputs.ids > 0].tolist())) == np.count_nonzero(inputs.ids)
    np.testing.assert_array_equal(inputs.known, np.flatnonzero(n_events))
    # Without attributes only the price bands tell items apart.
    assert inputs.columns.tolist() == [3]
    # Items drawn as often as a uniform negative need no correction.
    np.testing.assert_allclose(inputs.log_q[inputs.known], 0, atol=0.01)


def test_popularity_is_that_at_the_end_of_the_data():
    data = checkerboard()
    popularity = log_popularity(data, half_life_days=1e9)
    n_events = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    np.testing.assert_allclose(popularity, np.log(n_events + 0.5), rtol=1e-5)


def learner_for(data, config, *, one_by_one=False, held_out=(), popularity=None):
    baskets = build_baskets(
        data.interactions, repeat_weight=config.repeat_weight, one_by_one=one_by_one
    )
    weight = baskets.target_weight(data.n_items)
    inputs = build_inputs(data, config, target_weight=weight)
    items = ItemTower(n_ids=int(inputs.ids.max()), n_codes=inputs.n_codes(), embedding_size=8)
    users = UserTower(embedding_size=8, hidden=8)
    held_out = np.array(held_out, dtype=np.int64)
    learnt = np.setdiff1d(np.arange(len(baskets)), held_out)
    categories = data.items.category
    learner = TowerLearner(
        items,
        users,
        inputs,
        baskets,
        config,
        categories=categories,
        learnt=learnt,
        held_out=held_out,
        popularity=np.zeros(data.n_items, dtype=np.float32) if popularity is None else popularity,
    )
    return learner, baskets


@pytest.mark.parametrize("limit", [0, 50_000])
def test_training_lowers_the_loss(limit):
    config = TwoTowerConfig(
        batch_size=32,
        n_negatives=16,
        epochs=8,
        learning_rate=0.02,
        repeat_weight=1.0,
        max_full_items=limit,
    )
    with torch_threads(1), torch_seed(0):
        learner, _ = learner_for(checkerboard(), config)
        loop = config.loop(learner.n_epoch_steps)
        trained = train_network(learner, learner, config=loop, seed=0, title="test")
    assert len(trained.losses) == 8
    assert trained.losses[-1] < trained.losses[0] - 0.2


def test_the_loss_of_a_small_catalogue_is_the_softmax_over_what_is_known():
    config = TwoTowerConfig(repeat_weight=1.0, temperature=0.5)
    with torch_seed(0):
        learner, baskets = learner_for(checkerboard(), config, one_by_one=True)
        learner.eval()
        batch = np.array([3, 40])
        with torch.no_grad():
            found = float(learner.loss(batch, np.random.default_rng(0)))
    vectors = learner.item_vectors()
    known = learner.inputs.known
    assert len(known) == len(vectors) - 1, "one item was never taken"
    losses = []
    for example in batch:
        seeds = baskets.seeds(np.array([example]), max_history=100, half_life_days=180.0)
        weights = torch.from_numpy(seeds.weights)[None]
        with torch.no_grad():
            user = learner.user_tower(
                torch.from_numpy(vectors[seeds.items])[None], weights, places_of(weights)
            )[0].numpy()
        logits = vectors[known] @ user / 0.5
        target = np.flatnonzero(known == baskets.item_idx[baskets.start[example]])[0]
        losses.append(np.log(np.exp(logits).sum()) - logits[target])
    assert found == pytest.approx(np.mean(losses), rel=5e-3)  # bfloat16


def test_only_the_in_batch_candidates_are_corrected(monkeypatch):
    config = TwoTowerConfig(
        batch_size=4, n_targets=2, n_negatives=6, repeat_weight=1.0, max_full_items=0
    )
    learner, _ = learner_for(checkerboard(), config)
    learner._log_q.fill_(-1.5)
    told = []

    def loss(logits, log_q, masked, *, n_targets):
        told.append((logits.shape, log_q.tolist(), masked.shape, n_targets))
        return logits.sum()

    monkeypatch.setattr(tower_training, "sampled_softmax", loss)
    learner.loss(np.arange(4), np.random.default_rng(0))
    assert told == [((4, 14), [-1.5] * 8 + [0.0] * 6, (4, 14), 2)]


def test_the_own_basket_is_no_negative():
    learner, baskets = learner_for(checkerboard(), TwoTowerConfig(repeat_weight=1.0))
    chosen = np.array([0, 7, 3])
    candidates = np.array([4, 0, 4, 11, 2, 5])
    rows, items = baskets.contents(chosen)
    own = {(row, item) for row, item in zip(rows.tolist(), items.tolist(), strict=True)}
    for _ in range(2):  # nothing of one batch is left for the next
        found = learner._own(chosen, candidates)
        expected = [[(row, item) in own for item in candidates.tolist()] for row in range(3)]
        assert found.tolist() == expected


def test_quality_is_the_mean_gain_of_what_was_held_out():
    config = TwoTowerConfig(repeat_weight=1.0)
    data, held_out = checkerboard(), [5, 77]
    _, items = learner_for(data, config)[1].contents(np.array(held_out))
    liked = np.where(np.isin(np.arange(data.n_items), items), 100, 0).astype(np.float32)
    found = []
    for popularity in (liked, -liked):
        with torch_seed(0):
            learner, _ = learner_for(data, config, held_out=held_out, popularity=popularity)
        learner.eval()
        with torch.no_grad():
            found.append(learner.qualities())
            assert learner.quality() == max(found[-1].values())
    best, worst = found
    assert list(best) == list(POPULARITY_WEIGHTS)
    assert best[0.0] == worst[0.0]
    assert best[1.0] > best[0.0] > worst[1.0] > 0
    # Two of the four stand first of all, or second behind the other of the same basket.
    n_liked = len(set(items.tolist()))
    assert best[1.0] >= np.mean(1 / np.log2(2.0 + np.arange(n_liked)))


def test_without_anything_held_out_quality_is_unknown():
    learner, _ = learner_for(checkerboard(), TwoTowerConfig(repeat_weight=1.0))
    assert learner.quality() is None


def test_each_example_comes_once_an_epoch_and_steps_are_bounded():
    config = TwoTowerConfig(batch_size=8, epochs=5, repeat_weight=1.0)
    learner, baskets = learner_for(checkerboard(), config, held_out=[4])
    batches = learner.batches(np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == [n for n in range(len(baskets)) if n != 4]
    short = config.model_copy(update={"max_steps": 13})
    assert len(learner_for(checkerboard(), short)[0].batches(np.random.default_rng(0))) == 2
    assert config.model_copy(update={"max_steps": 3}).n_epochs == 3


def test_of_single_events_heavy_ones_come_more_often():
    data = checkerboard()
    weight = np.where(np.arange(len(data.interactions)) % 2, 1.0, 0.25).astype(np.float32)
    weighed = replace(data, interactions=replace(data.interactions, weight=weight))
    learner, baskets = learner_for(weighed, TwoTowerConfig(repeat_weight=1.0), one_by_one=True)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([np.concatenate(learner.batches(rng)) for _ in range(30)])
    n_each = np.bincount(drawn, minlength=len(baskets)) / 30
    masses = baskets.masses()
    assert n_each[masses == 1].min() == n_each[masses == 1].max() == 1
    assert n_each[masses == 0.25].mean() == pytest.approx(0.25, abs=0.03)


def test_only_last_baskets_are_held_out_and_only_where_there_are_enough():
    baskets = build_baskets(checkerboard().interactions, repeat_weight=1.0)
    rng = np.random.default_rng(0)
    assert len(hold_out(baskets, TwoTowerConfig(held_out_share=0.9), rng=rng)) == 0
    users = np.repeat(np.arange(100, dtype=np.int32), 3)
    days = np.tile(np.arange(3), 100) * DAY_US
    data = dataset(users, users % 7, days, n_users=100, n_items=7)
    many = build_baskets(data.interactions, repeat_weight=1.0)
    held_out = hold_out(many, TwoTowerConfig(held_out_share=0.6), rng=rng)
    assert len(held_out) == len(set(held_out.tolist())) == 60
    assert set(many.ts[many.start[held_out]].tolist()) == {2 * DAY_US}
    capped = TwoTowerConfig(held_out_share=0.9, max_held_out=55)
    assert len(hold_out(many, capped, rng=rng)) == 55


def test_an_item_keeps_its_number_when_others_get_one():
    data = checkerboard()
    weight = np.ones(data.n_items)
    config = TwoTowerConfig(min_events=11)
    before = build_inputs(data, config, target_weight=weight)
    after = build_inputs(
        data, config.model_copy(update={"min_events": 1}), target_weight=weight, before=before
    )
    had = before.ids > 0
    assert had.any()
    np.testing.assert_array_equal(after.ids[had], before.ids[had])
    new = after.ids[(after.ids > 0) & ~had]
    assert sorted(new.tolist()) == list(range(before.ids.max() + 1, after.ids.max() + 1))


def test_threads_and_seed_are_put_back():
    threads, state = torch.get_num_threads(), torch.get_rng_state()

    def fail_within():
        with torch_threads(1), torch_seed(3):
            torch.rand(2)
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_device_is_a_gpu_only_where_there_is_one(monkeypatch):
    for present, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert pick_device("auto") == expected
    assert pick_device("cpu") == "cpu"
