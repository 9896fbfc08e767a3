import numpy as np
import pytest

from endcap.models.ranker.config import RankerConfig
from endcap.models.ranker.trees import Examples, TreeRanker, cross_validate, grow
from endcap.schema.errors import DataError

CONFIG = RankerConfig(min_leaf=5, max_rounds=30, patience=5, n_threads=1, n_folds=3)


def examples(n_users=120, n_each=12, seed=0):
    """The target is the candidate with the largest first feature; the second says nothing."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n_users * n_each, 2)).astype(np.float32)
    signal = matrix[:, 0].reshape(n_users, n_each)
    is_target = np.zeros((n_users, n_each), dtype=bool)
    is_target[np.arange(n_users), signal.argmax(axis=1)] = True
    return Examples(
        ("signal", "noise"), matrix, is_target.ravel(), np.full(n_users, n_each, dtype=np.int64)
    )


def first_place(scores, of):
    board, wanted = scores.reshape(-1, 12), of.is_target.reshape(-1, 12)
    return float(np.take_along_axis(wanted, board.argmax(axis=1)[:, np.newaxis], 1).mean())


def test_it_finds_what_tells_targets_from_the_rest():
    ranker = grow(examples(), n_rounds=20, config=CONFIG, seed=0)
    other = examples(seed=1)
    assert (
        first_place(ranker.score(other.names, other.matrix), other) > 0.6
    )  # chance finds a twelfth
    assert next(iter(ranker.gains())) == "signal"
    assert sum(ranker.gains().values()) == pytest.approx(1)


def test_scores_of_cross_validation_come_from_trees_that_never_saw_the_user():
    what = examples()
    fold = np.arange(120) % 3
    scores, n_rounds = cross_validate(what, fold, config=CONFIG, seed=0)
    assert 1 <= n_rounds <= CONFIG.max_rounds
    assert first_place(scores, what) > 0.7
    # Targets of one part drawn anew: what its own users get cannot change but by how many trees.
    noise = Examples(what.names, what.matrix, what.is_target[::-1].copy(), what.n_each)
    chance, _ = cross_validate(noise, fold, config=CONFIG, seed=0)
    assert first_place(chance, noise) < 0.3


def test_the_same_seed_grows_the_same_trees():
    one, other = (grow(examples(), n_rounds=5, config=CONFIG, seed=4) for _ in range(2))
    assert one.text == other.text


def test_trees_survive_as_text(tmp_path):
    what = examples()
    ranker = grow(what, n_rounds=5, config=CONFIG, seed=0)
    ranker.save(tmp_path / "trees.txt")
    again = TreeRanker.of((tmp_path / "trees.txt").read_text())
    assert again.names == ranker.names == what.names
    np.testing.assert_array_equal(
        again.score(what.names, what.matrix), ranker.score(what.names, what.matrix)
    )


def test_other_features_are_refused():
    what = examples()
    ranker = grow(what, n_rounds=2, config=CONFIG, seed=0)
    with pytest.raises(DataError, match="not those"):
        ranker.score(("noise", "signal"), what.matrix)
    assert ranker.score(what.names, what.matrix[:0]).shape == (0,)


def test_damaged_trees_are_refused():
    with pytest.raises(DataError, match="damaged"):
        TreeRanker.of("tree\nnonsense")
