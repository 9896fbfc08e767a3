"""Sampled negatives: measured as papers do, named so that nobody takes them for more."""

from dataclasses import dataclass

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, shop_rows

from endcap.evaluation.protocols.sampled import TiedRanks, sampled_metrics, tied_ranks
from endcap.evaluation.split import split_by_time


@dataclass
class ByItem:
    """Scores of items that are the same for every user."""

    scores: np.ndarray

    def score(self, users):
        return np.tile(self.scores, (len(users), 1)).astype(np.float32)


@pytest.fixture(scope="module")
def split():
    return split_by_time(dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS), cut_us=CUT)


def test_ties_are_worth_what_a_random_order_of_them_is():
    ranks = TiedRanks(n_above=np.array([0, 1, 2, 0]), n_equal=np.array([0, 3, 0, 1]))
    assert ranks.hit_rate(2).tolist() == [1.0, 0.25, 0.0, 1.0]
    second = 1 / np.log2(3)
    assert ranks.ndcg(2) == pytest.approx([1.0, second / 4, 0.0, (1 + second) / 2], abs=1e-15)


def test_ranks_by_hand(split):
    targets = split.targets["all"].take(np.array([0]))
    scores = np.zeros((1, N_ITEMS), dtype=np.float32)
    scores[0, targets.items] = 1
    scores[0, [0, 1, 2]] = [2, 1, 0]
    ranks = tied_ranks(scores, targets, np.array([[0, 1, 2, -1]], dtype=np.int32))
    is_plain = ~np.isin(targets.items, [0, 1, 2])
    assert set(ranks.n_above[is_plain]) == {1}
    assert set(ranks.n_equal[is_plain]) == {1}


def test_a_constant_score_finds_k_of_the_hundred(split):
    found = sampled_metrics(ByItem(np.zeros(N_ITEMS)), split, "discovery", n_negatives=99, k=10)
    assert set(found) == {"sampled_hit_rate", "sampled_ndcg"}
    assert found["sampled_hit_rate"] == pytest.approx(np.full(len(found["sampled_ndcg"]), 0.1))


def test_a_perfect_score_finds_all(split):
    targets = split.targets["discovery"]

    class Knowing:
        def score(self, users):
            scores = np.zeros((len(users), N_ITEMS), dtype=np.float32)
            for row, user in enumerate(np.searchsorted(targets.users, users)):
                scores[row, targets.items[targets.indptr[user] : targets.indptr[user + 1]]] = 1
            return scores

    found = sampled_metrics(Knowing(), split, "discovery", n_negatives=30, k=1)
    assert found["sampled_hit_rate"].tolist() == [1.0] * len(targets)
    assert found["sampled_ndcg"].tolist() == [1.0] * len(targets)


def test_with_all_negatives_it_is_the_full_ranking(split):
    scores = np.bincount(split.train.interactions.item_idx, minlength=N_ITEMS).astype(float)
    found = sampled_metrics(ByItem(scores), split, "discovery", n_negatives=N_ITEMS, k=10)
    targets, seen = split.targets["discovery"], split.seen
    for row in range(0, len(targets), 37):
        user, own = targets.users[row], targets.rows()[row]
        barred = np.append(seen.items[seen.rows == user], own)
        rivals = np.setdiff1d(np.arange(N_ITEMS), barred)
        expected = [
            np.clip(
                (10 - (scores[rivals] > scores[item]).sum())
                / ((scores[rivals] == scores[item]).sum() + 1),
                0,
                1,
            )
            for item in own
        ]
        assert found["sampled_hit_rate"][row] == pytest.approx(np.mean(expected))


def test_the_draw_follows_from_the_seed_and_the_user_alone(split):
    model = ByItem(np.random.default_rng(0).random(N_ITEMS))
    one, same, other = (
        sampled_metrics(model, split, "discovery", n_negatives=20, seed=seed)["sampled_ndcg"]
        for seed in (1, 1, 2)
    )
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()
    few = split.sample(40, rng=np.random.default_rng(3))
    drawn = np.isin(split.targets["discovery"].users, few.targets["discovery"].users)
    again = sampled_metrics(model, few, "discovery", n_negatives=20, seed=1)["sampled_ndcg"]
    assert again.tolist() == one[drawn].tolist()
