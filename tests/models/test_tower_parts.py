import numpy as np
import pytest
import torch

from endcap.models import tower_training
from endcap.models.tower_config import TwoTowerConfig
from endcap.models.tower_examples import build_baskets
from endcap.models.tower_inputs import (
    SIMILARITY_SHARE,
    add_popularity,
    build_inputs,
    log_popularity,
    price_bands,
)
from endcap.models.tower_network import ItemTower, UserTower, sampled_softmax
from endcap.models.tower_training import TowerTrainer, pick_device, torch_seed, torch_threads
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.testing.models import checkerboard


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
        made = users(torch.cat([vectors, torch.zeros(1, 8)]))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    # Also for somebody without any history.
    assert torch.allclose(made.norm(dim=1), torch.ones(4), atol=1e-5)
    assert (vectors < 0).any()
    assert (made < 0).any()


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
    # Items drawn as often as a uniform negative need no correction.
    np.testing.assert_allclose(inputs.log_q[inputs.known], 0, atol=0.01)


def test_popularity_is_that_at_the_end_of_the_data():
    data = checkerboard()
    popularity = log_popularity(data, half_life_days=1e9)
    n_events = np.bincount(data.interactions.item_idx, minlength=data.n_items)
    np.testing.assert_allclose(popularity, np.log(n_events + 0.5), rtol=1e-5)


def trainer_for(data, config):
    baskets = build_baskets(data.interactions, repeat_weight=config.repeat_weight)
    weight = baskets.target_weight(data.n_items)
    inputs = build_inputs(data, config, target_weight=weight)
    items = ItemTower(n_ids=int(inputs.ids.max()), n_codes=[1, 1, 1, 6], embedding_size=8)
    users = UserTower(embedding_size=8, hidden=8, dropout=0.0)
    return TowerTrainer(items, users, inputs, device="cpu"), baskets


def test_training_lowers_the_loss():
    data = checkerboard()
    config = TwoTowerConfig(
        batch_size=32, n_negatives=16, epochs=8, learning_rate=0.02, repeat_weight=1.0
    )
    with torch_threads(1), torch_seed(0):
        trainer, baskets = trainer_for(data, config)
        losses = trainer.train(baskets, config, rng=np.random.default_rng(0))
    assert len(losses) == round(8 * len(baskets) / 32)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2


def test_only_the_in_batch_candidates_are_corrected(monkeypatch):
    data = checkerboard()
    config = TwoTowerConfig(batch_size=4, n_targets=2, n_negatives=6, repeat_weight=1.0)
    trainer, baskets = trainer_for(data, config)
    trainer._log_q.fill_(-1.5)
    told = []

    def loss(logits, log_q, masked, *, n_targets):
        told.append((logits.shape, log_q.tolist(), masked.shape, n_targets))
        return logits.sum()

    monkeypatch.setattr(tower_training, "sampled_softmax", loss)
    trainer._loss(baskets, np.arange(4), config, rng=np.random.default_rng(0))
    assert told == [((4, 14), [-1.5] * 8 + [0.0] * 6, (4, 14), 2)]


def test_the_own_basket_is_no_negative():
    data = checkerboard()
    trainer, baskets = trainer_for(data, TwoTowerConfig(repeat_weight=1.0))
    chosen = np.array([0, 7, 3])
    candidates = np.array([4, 0, 4, 11, 2, 5])
    rows, items = baskets.contents(chosen)
    own = {(row, item) for row, item in zip(rows.tolist(), items.tolist(), strict=True)}
    for _ in range(2):  # nothing of one batch is left for the next
        found = trainer._own(baskets, chosen, candidates)
        expected = [[(row, item) in own for item in candidates.tolist()] for row in range(3)]
        assert found.tolist() == expected


def test_steps_are_bounded():
    data = checkerboard()
    config = TwoTowerConfig(batch_size=8, epochs=50, max_steps=3, repeat_weight=1.0)
    with torch_threads(1), torch_seed(0):
        trainer, baskets = trainer_for(data, config)
        assert len(trainer.train(baskets, config, rng=np.random.default_rng(0))) == 3


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
