import numpy as np
import pytest
import torch

from endcap.features.history import seed_weights
from endcap.models.learning.baskets import build_baskets
from endcap.models.learning.loop import LoopConfig
from endcap.models.ncf import scores as ncf_scores
from endcap.models.ncf.model import NCF, NCFConfig
from endcap.models.ncf.network import NeuMFLearner, NeuMFNetwork
from endcap.models.ncf.scores import NeuMFScores
from endcap.schema.errors import NotFittedError
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import START_US, dataset, planted_tastes

CONFIG = NCFConfig(
    embedding_size=6,
    layers=(10, 5, 3),
    dropout=0.3,
    batch_size=64,
    half_life_days=10.0,
    loop=LoopConfig(n_epochs=3, learning_rate=0.02, warmup_steps=5),
)


@pytest.fixture(scope="module")
def data():
    return planted_tastes(np.random.default_rng(3))[0]


@pytest.fixture(scope="module")
def model(data):
    return NCF(CONFIG).fit(data, rng=np.random.default_rng(0))


def network_of(model):
    network = NeuMFNetwork(
        len(model.weights_["items.weight"]),
        embedding_size=CONFIG.embedding_size,
        layers=CONFIG.layers,
        dropout=CONFIG.dropout,
    )
    network.begin_with(model.weights_)
    return network.eval()


def test_the_scores_are_those_of_the_network_that_was_trained(model, data):
    network = network_of(model)
    users = np.array([0, 5, 17], dtype=np.int32)
    every_item = torch.arange(data.n_items)[None]
    for user, scores in zip(users, model.score(users), strict=True):
        row = model.history_.row(user)
        weights = seed_weights(row, now_us=data.end_us, half_life_days=CONFIG.half_life_days)
        mean = np.average(model.weights_["history.weight"][row.items], axis=0, weights=weights)
        with torch.no_grad():
            logits = network(torch.from_numpy(mean.astype(np.float32))[None], every_item)
        np.testing.assert_allclose(scores, logits[0].numpy(), atol=1e-5)


def test_blocks_of_items_change_nothing(model, monkeypatch):
    users = np.array([3, 4], dtype=np.int32)
    whole = model.score(users)
    monkeypatch.setattr(ncf_scores, "BLOCK_ITEMS", 7)
    np.testing.assert_allclose(model.score(users), whole, atol=1e-5)


def test_a_network_by_hand_gives_the_scores_by_hand():
    """One number a vector, one hidden layer of one: product, sum, bias."""
    weights = {
        "items.weight": [[2.0, 3.0], [-1.0, -8.0]],
        "layers.0.weight": [[0.5, 2.0]],
        "layers.0.bias": [1.0],
        "output.weight": [[10.0, 100.0]],
        "output.bias": [7.0],
    }
    scores = NeuMFScores({name: np.array(w, dtype=np.float32) for name, w in weights.items()})
    user = np.array([4.0, 6.0], dtype=np.float32)
    first = 10 * (4 * 2) + 100 * (0.5 * 6 + 2 * 3 + 1) + 7
    other = 10 * (4 * -1) + 100 * 0 + 7  # the hidden layer is below zero
    out = np.empty(2, dtype=np.float32)
    scores.of_all(user, out)
    assert out.tolist() == [first, other]
    assert scores.of_some(user, np.array([1, 1, 0])).tolist() == [other, other, first]


def sales(*events, n_users=2, n_items=6):
    users, items, days = np.array(events).T
    ts = START_US + days * DAY_US
    return dataset(
        users.astype(np.int32), items.astype(np.int32), ts, n_users=n_users, n_items=n_items
    )


def learner_of(told, **changes):
    network = NeuMFNetwork(told.n_items, embedding_size=3, layers=(4,), dropout=0.0)
    baskets = build_baskets(told.interactions, repeat_weight=1.0)
    settings = {
        "batch_size": 8,
        "max_history": 10,
        "half_life_days": 10.0,
        "n_targets": 2,
        "n_negatives": 3,
    }
    chosen = np.arange(len(baskets))
    return network, NeuMFLearner(network, baskets, chosen=chosen, **settings | changes)


def test_the_loss_is_the_log_loss_of_what_is_wanted_and_what_is_not():
    """Of six items the user has had four and takes a fifth: the others drawn are all the sixth."""
    told = sales(*((0, item, 0) for item in range(4)), (0, 4, 10))
    network, learner = learner_of(told)
    (batch,) = learner.batches(np.random.default_rng(0))
    for seed in range(5):
        loss = learner.loss(batch, np.random.default_rng(seed)).item()
        with torch.no_grad():
            user = network.history.weight[:4].mean(dim=0)[None]
            logits = network(user, torch.tensor([[4, 5]])).double()[0]
        wanted, other = torch.nn.functional.softplus(logits * torch.tensor([-1.0, 1.0])).tolist()
        # Two targets, and of six draws those that were not the user's own.
        candidates = [(2 * wanted + n * other) / (2 + n) for n in range(7)]
        assert min(abs(loss - one) for one in candidates) < 1e-5


def test_batches_hold_every_basket_once():
    told = sales(*((0, day % 6, day) for day in range(30)))
    _, learner = learner_of(told, batch_size=8)
    batches = learner.batches(np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(29))
    assert max(len(batch) for batch in batches) <= 8
    again = learner.batches(np.random.default_rng(1))
    assert np.concatenate(again).tolist() != np.concatenate(batches).tolist()


def test_it_learns(model):
    assert len(model.trained_.losses) == 3
    assert model.trained_.losses[-1] < model.trained_.losses[0]


def test_the_latest_items_say_more(model):
    """The same two items in the other order give another user, nearer to the later one."""
    one = sales((0, 10, 0), (0, 30, 60), n_items=86)
    other = sales((0, 30, 0), (0, 10, 60), n_items=86)
    table = model.weights_["history.weight"]
    for told, latest in ((one, 30), (other, 10)):
        asked = model.with_history(told)
        vector = asked._user_vector(asked.history_.row(0))
        far = [np.linalg.norm(vector - table[item]) for item in (latest, 40 - latest)]
        assert far[0] < far[1] / 10


def test_the_amount_of_a_reason_is_what_the_logit_loses(model, data):
    items = np.arange(0, data.n_items, 9, dtype=np.int32)
    user = np.array([2], dtype=np.int32)
    before = model.score(user)[0]
    told = data.interactions
    named = 0
    for item, reason in zip(items.tolist(), model.explain(2, items), strict=True):
        if reason.item is None:
            assert reason.kind == "similar_taste"
            continue
        kept = told.take((told.user_idx != 2) | (told.item_idx != reason.item))
        other = model.with_history(
            dataset(kept.user_idx, kept.item_idx, kept.ts, n_users=data.n_users, n_items=86)
        )
        assert other.now_us_ == model.now_us_
        lost = before[item] - other.score(user)[0, item]
        assert reason.amount == pytest.approx(lost, abs=1e-4)
        named += 1
    assert named > 3


def test_an_update_learns_what_is_new_and_leaves_the_model(model, data):
    before = model.score(np.array([1], dtype=np.int32))
    told, since = data.interactions, data.end_us
    # Everybody of one group takes a new item, number 86, after the first fit.
    group = np.arange(0, data.n_users, 4, dtype=np.int32)
    later = dataset(
        np.concatenate([told.user_idx, group]),
        np.concatenate([told.item_idx, np.full(len(group), 86, dtype=np.int32)]),
        np.concatenate([told.ts, np.full(len(group), since + DAY_US)]),
        n_users=data.n_users,
        n_items=87,
    )
    eager = NCF(CONFIG.model_copy(update={"update_epochs": 40}))
    vars(eager).update({name: value for name, value in vars(model).items() if name != "config"})
    other = eager.update(later, since_us=since, rng=np.random.default_rng(1))
    known = other.with_history(data)
    scores = known.score(np.arange(8, dtype=np.int32))
    ranks = (scores > scores[:, 86:]).sum(axis=1)
    assert ranks[::4].mean() < 10
    np.testing.assert_array_equal(model.score(np.array([1], dtype=np.int32)), before)
    assert other.scores_.n_items == 87
    again = eager.update(later, since_us=since, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again.weights_["items.weight"], other.weights_["items.weight"])


def test_an_update_without_news_changes_no_weight(model, data):
    same = model.update(data, since_us=data.end_us, rng=np.random.default_rng(1))
    for name, value in model.weights_.items():
        np.testing.assert_array_equal(same.weights_[name], value)


def test_how_the_training_went_is_kept_with_the_model(model, tmp_path):
    model.save(tmp_path)
    loaded = NCF.load(tmp_path)
    assert loaded.config == CONFIG
    assert loaded.trained_ == model.trained_
    assert loaded.weights_.keys() == model.weights_.keys()


def test_an_update_needs_a_fitted_model(data):
    with pytest.raises(NotFittedError):
        NCF().update(data, since_us=0, rng=np.random.default_rng(0))
