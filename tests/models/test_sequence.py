"""The sequence model: its examples, network, loss, export, and going on with training."""

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.history import build_history, history_of
from endcap.models.learning.loop import LoopConfig
from endcap.models.learning.softmax import catalogue_cross_entropy
from endcap.models.sequence.config import SequenceConfig
from endcap.models.sequence.examples import Order, build_examples, order_in, placed
from endcap.models.sequence.model import Sequence
from endcap.models.sequence.network import SequenceEncoder, low_pass
from endcap.models.sequence.training import MIN_HELD_OUT, choose_held_out, singular_vectors
from endcap.schema.types import DAY_US
from endcap.testing.toy_data import START_US, checkerboard, dataset, planted_tastes

LOOP = LoopConfig(n_epochs=4, learning_rate=0.01, warmup_steps=5)
SMALL = SequenceConfig(
    embedding_size=16, max_length=8, dropout=0.1, batch_size=64, max_held_out=0, loop=LOOP
)


def log(*events):
    """A data set of (user, item, day) in this order."""
    users, items, days = np.array(events).T
    return dataset(
        users, items, START_US + days * DAY_US, n_users=int(users.max()) + 1, n_items=10
    ).interactions


def fitted(config=SMALL, data=None, seed=3):
    return Sequence(config).fit(data or checkerboard(), rng=np.random.default_rng(seed))


def test_an_example_knows_what_came_before_it_the_latest_last():
    examples = build_examples(
        log((0, 4, 0), (1, 9, 1), (0, 5, 2), (0, 6, 3), (1, 8, 4)),
        Order(in_order=True, distinct=True),
    )
    assert examples.item_idx[examples.numbers()].tolist() == [5, 6, 8]
    made = examples.sequences(examples.numbers(), max_length=5)
    assert made.tolist() == [[0, 5], [5, 6], [0, 10]]


def test_of_repeats_the_last_one_counts_and_only_the_latest_items_are_kept():
    told = log((0, 1, 0), (0, 2, 1), (0, 1, 2), (0, 3, 3), (0, 4, 4))
    examples = build_examples(told, Order(in_order=True, distinct=True))
    assert examples.n_known.tolist() == [0, 1, 2, 2, 3]
    assert examples.is_repeat.tolist() == [False, False, True, False, False]
    assert examples.sequences(np.array([4]), max_length=9).tolist() == [[3, 2, 4]]
    assert examples.sequences(np.array([4]), max_length=2).tolist() == [[2, 4]]


def test_simultaneous_events_may_know_of_each_other_or_not():
    told = log((0, 1, 0), (0, 2, 1), (0, 3, 1), (0, 4, 1))
    apart = build_examples(told, Order(in_order=False, distinct=True))
    assert apart.sequences(apart.numbers(), max_length=5).tolist() == [[2], [2], [2]]
    in_order = build_examples(told, Order(in_order=True, distinct=True))
    assert in_order.n_known.tolist() == [0, 1, 2, 3]
    assert order_in(log((0, 1, 0), (0, 2, 1), (0, 3, 1))).in_order
    assert not order_in(told).in_order


def test_an_item_that_is_had_again_may_stand_again():
    told = log((0, 1, 0), (0, 2, 1), (0, 1, 2), (0, 3, 3))
    order = order_in(told)
    assert order == Order(in_order=True, distinct=False)
    examples = build_examples(told, order)
    assert examples.n_known.tolist() == [0, 1, 2, 3]
    assert examples.sequences(np.array([3]), max_length=9).tolist() == [[2, 3, 2]]
    row = placed(build_history(told, 1), told, distinct=False).row(0)
    assert row.items[np.argsort(-row.counts)].tolist() == [1, 2, 1, 3]
    once = placed(build_history(told, 1), told, distinct=True).row(0)
    assert once.items[np.argsort(-once.counts)].tolist() == [2, 1, 3]


def test_held_out_are_the_last_events_of_one_user_in_ten():
    n_users = 10 * MIN_HELD_OUT
    users = np.tile(np.arange(n_users, dtype=np.int32), 3)
    days = np.repeat(np.arange(3), n_users)
    told = dataset(users, users % 7, START_US + days * DAY_US, n_users=n_users, n_items=7)
    examples = build_examples(told.interactions, Order(in_order=True, distinct=True))
    config = SequenceConfig(loop=LoopConfig(patience=2))
    held_out = choose_held_out(examples, config, np.random.default_rng(0))
    assert len(held_out) == MIN_HELD_OUT
    assert examples.is_last[held_out].all()
    fewer = examples.sequences(held_out, max_length=50)
    assert fewer.shape == (MIN_HELD_OUT, 1)
    without = config.model_copy(update={"loop": LOOP})
    assert len(choose_held_out(examples, without, np.random.default_rng(0))) == 0


@given(length=st.integers(1, 8), n_frequencies=st.integers(1, 6))
def test_the_filter_keeps_what_is_slow(length, n_frequencies):
    matrices = low_pass(8, n_frequencies).numpy()
    kept = matrices[length - 1]
    assert np.all(kept[: 8 - length] == 0)
    assert np.all(kept[:, : 8 - length] == 0)
    own = kept[8 - length :, 8 - length :]
    np.testing.assert_allclose(own @ np.ones(length), 1, atol=1e-5)  # a constant is the slowest
    np.testing.assert_allclose(own @ own, own, atol=1e-5)  # what is left is left twice


def test_padding_changes_nothing():
    torch.manual_seed(0)
    network = SequenceEncoder(20, SMALL).eval()
    whole = torch.tensor([[3, 7, 1]])
    padded = torch.tensor([[0, 0, 0, 3, 7, 1], [4, 5, 6, 3, 7, 1]])
    with torch.no_grad():
        one, two = network.encode_whole(whole)[0], network(padded)[0]
        other = network.encode_whole(padded[1:])[0]
        both = network(padded)[1]
    np.testing.assert_allclose(one, two, atol=1e-5)
    np.testing.assert_allclose(other, both, atol=1e-5)
    assert float((one - other).abs().max()) > 1e-3


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_and_its_gradients_are_those_of_torch(smoothing, monkeypatch):
    monkeypatch.setattr("endcap.models.learning.softmax.fast_dtype", lambda: torch.float32)
    torch.manual_seed(1)
    queries, table = torch.randn(5, 4), torch.randn(8, 4)
    targets = torch.tensor([1, 7, 3, 3, 2])
    losses, gradients = [], []
    for ours in (True, False):
        q, t = queries.clone().requires_grad_(), table.clone().requires_grad_()
        if ours:
            loss = catalogue_cross_entropy(q, t, targets, smoothing=smoothing)
        else:
            loss = torch.nn.functional.cross_entropy(
                q @ t[1:].T, targets - 1, label_smoothing=smoothing
            )
        (2 * loss).backward()
        losses.append(loss.item())
        gradients.append((q.grad, t.grad))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_in_half_precision_the_gradient_points_the_same_way():
    torch.manual_seed(2)
    queries = torch.randn(32, 16, requires_grad=True)
    table = torch.randn(200, 16, requires_grad=True)
    targets = torch.randint(1, 200, (32,))
    catalogue_cross_entropy(queries, table, targets).backward()
    ours = queries.grad.clone()
    queries.grad = None
    torch.nn.functional.cross_entropy(queries @ table[1:].T, targets - 1).backward()
    assert float(torch.cosine_similarity(ours, queries.grad, dim=1).min()) > 0.999


def test_singular_vectors_bring_the_items_of_a_group_together():
    data, _ = planted_tastes(np.random.default_rng(0))
    vectors = singular_vectors(history_of(data), data.n_items, size=8, seed=0)
    assert vectors.std() == pytest.approx(0.02, rel=1e-3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    groups = np.arange(80) // 20
    same = groups[:, None] == groups[None]
    assert cosines[:80, :80][same].mean() > cosines[:80, :80][~same].mean() + 0.5


def test_sampled_negatives_learn_too():
    data, held_out = planted_tastes(np.random.default_rng(0))
    config = SMALL.model_copy(
        update={"n_negatives": 20, "loop": LOOP.model_copy(update={"n_epochs": 12})}
    )
    model = fitted(config, data)
    ranked = model.recommend(np.arange(data.n_users, dtype=np.int32), 10)
    found = (ranked.items[:, :, None] == held_out[:, None, :]).any(axis=1).mean()
    assert found > 0.45  # by chance 10 of about 75 items: 0.13
    assert model.trained_.losses[-1] < model.trained_.losses[0]


def test_the_exported_network_answers_as_the_model_does(tmp_path):
    model = fitted()
    model.export_encoder(tmp_path / "sequence.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "sequence.onnx")
    users = np.arange(4, dtype=np.int32)
    sequences = [model._sequence(model.placed_.row(user)) for user in users]
    longest = max(map(len, sequences))
    padded = np.stack([np.pad(one, (longest - len(one), 0)) for one in sequences])
    (made,) = session.run(None, {"items": padded})
    np.testing.assert_allclose(made, model.user_vectors(users), atol=1e-4)
    (alone,) = session.run(None, {"items": padded[:1, -1:]})
    assert alone.shape == (1, SMALL.embedding_size)


def test_an_update_learns_what_is_new_and_leaves_the_model_alone():
    data = checkerboard()
    cut = int(np.quantile(data.interactions.ts, 0.7))
    before = fitted(data=data.between(None, cut))
    weights = before.network_.items.weight.clone()
    after = before.update(data, since_us=cut, rng=np.random.default_rng(0))
    assert torch.equal(before.network_.items.weight, weights)
    assert not torch.equal(after.network_.items.weight, weights)
    assert after.history_.indptr[-1] > before.history_.indptr[-1]
    nothing = before.update(data.between(None, cut), since_us=cut, rng=np.random.default_rng(0))
    users = np.arange(10, dtype=np.int32)
    np.testing.assert_array_equal(
        nothing.recommend(users, 5).items, before.recommend(users, 5).items
    )


def test_training_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    data = checkerboard()
    whole = fitted(data=data)
    taken = 0
    real = catalogue_cross_entropy

    def fails(*args, **kwargs):
        nonlocal taken
        taken += 1
        if taken == 20:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr("endcap.models.sequence.training.catalogue_cross_entropy", fails)
    with pytest.raises(KeyboardInterrupt):
        Sequence(SMALL).keep_training_in(tmp_path).fit(data, rng=np.random.default_rng(3))
    n_before = taken
    resumed = Sequence(SMALL).keep_training_in(tmp_path).fit(data, rng=np.random.default_rng(3))
    assert torch.equal(resumed.network_.items.weight, whole.network_.items.weight)
    n_all = 4 * (n_before + taken) // max(n_before + taken, 1)
    assert n_all == 4
    assert len(resumed.trained_.losses) == LOOP.n_epochs
