"""Leave-one-out on the files of the S3-Rec papers, against numbers that others printed.

The models are written out here, so that what is compared is the protocol alone.
"""

import gzip
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pytest
from real_data import dataset_from, folder_of
from scipy import sparse

from endcap.evaluation.check_split import check_split
from endcap.evaluation.protocols.registry import ProtocolConfig, split_by
from endcap.evaluation.protocols.runs import places
from endcap.evaluation.protocols.sampled import TiedRanks, sampled_metrics
from endcap.schema.columns import Kind
from endcap.schema.types import SECOND_US

pytestmark = pytest.mark.slow

K = 10


@pytest.fixture(scope="module")
def folder():
    return folder_of("amazon_beauty_5core_2014")


@pytest.fixture(scope="module")
def beauty(folder):
    table = duckdb.read_parquet(str(folder / "interactions.parquet")).order("ts, user, pos")
    rows = table.fetchnumpy()
    return dataset_from(rows["ts"] * SECOND_US, rows["user"] - 1, rows["item"] - 1, Kind.RATING)


@pytest.fixture(scope="module")
def refit(beauty):
    return leave_one_out(beauty, refit=True)


@pytest.fixture(scope="module")
def stale(beauty):
    return leave_one_out(beauty, refit=False)


def leave_one_out(beauty, *, refit):
    split = split_by("leave-one-out", beauty, choices=ProtocolConfig(refit=refit))
    check_split(split)
    return split


@dataclass
class Linear:
    """score = history @ table, or the same row of counts for everybody."""

    history: sparse.csr_array
    table: sparse.csr_array | np.ndarray

    def score(self, users):
        if isinstance(self.table, np.ndarray):
            return np.tile(self.table, (len(users), 1)).astype(np.float32)
        return (self.history[users] @ self.table).toarray().astype(np.float32)


def matrix(data, weight):
    told = data.interactions
    shape = (data.n_users, data.n_items)
    return sparse.csr_array((weight, (told.user_idx, told.item_idx)), shape=shape)


def popular(split, counted):
    counts = np.bincount(counted.interactions.item_idx, minlength=counted.n_items)
    return Linear(matrix(split.known, np.ones(len(split.known.interactions))), counts)


def item_knn(split, *, shrink=20.0, tau=np.inf):
    """Cosine over the users, shrunk; the history weighed by exp(-places from its end / tau)."""
    had = matrix(split.train, np.ones(len(split.train.interactions)))
    n_each = had.sum(axis=0)
    both = (had.T @ had).tocoo()
    is_other = both.row != both.col
    row, col = both.row[is_other], both.col[is_other]
    cosine = both.data[is_other] / (np.sqrt(n_each[row] * n_each[col]) + shrink)
    table = sparse.csr_array((cosine, (row, col)), shape=both.shape)
    age = places(split.known.interactions.user_idx[::-1])[::-1]
    return Linear(matrix(split.known, np.exp(-age / tau)), table)


def full_ranks(model, split):
    """Return where each target stands among all that its user never had."""
    targets = split.targets["discovery"]
    n_above, n_equal = [], []
    for start in range(0, len(targets), 256):
        block = targets.take(np.arange(start, min(start + 256, len(targets))))
        scores = model.score(block.users)
        scores[model.history[block.users].nonzero()] = -np.inf
        scores = scores[np.repeat(np.arange(len(block)), block.n_relevant)]
        own = np.take_along_axis(scores, block.items[:, None], axis=1)
        n_above.append((scores > own).sum(axis=1))
        n_equal.append((scores == own).sum(axis=1) - 1)  # a target is equal to itself
    return TiedRanks(np.concatenate(n_above), np.concatenate(n_equal))


def recall(model, split):
    targets = split.targets["discovery"]
    found = full_ranks(model, split).hit_rate(K)
    return float((np.add.reduceat(found, targets.indptr[:-1]) / targets.n_relevant).mean())


def hit_rate_and_ndcg(model, split):
    ranks = full_ranks(model, split)
    return float(ranks.hit_rate(K).mean()), float(ranks.ndcg(K).mean())


def test_all_users_are_asked_for_one_item_each(refit, stale):
    assert (refit.train.n_users, refit.train.n_items) == (22_363, 12_101)
    for split in (refit, stale):
        targets = split.targets["discovery"]
        assert (len(targets), len(targets.items)) == (22_363, 22_363)
        assert split.facts["n_repeat_targets"] == split.facts["n_short_users"] == 0
        assert split.facts["tied_share"] == pytest.approx(0.4346, abs=1e-4)
    assert (refit.counts.n_train, len(refit.train.interactions)) == (176_139, 176_139)
    assert (stale.counts.n_train, len(stale.train.interactions)) == (176_139, 153_776)
    assert (refit.counts.n_cold_targets, stale.counts.n_cold_targets) == (52, 138)


def test_the_target_is_the_last_of_each_line_of_the_published_file(folder, refit, stale):
    lines = gzip.decompress((folder / "Beauty.txt.gz").read_bytes()).decode().splitlines()
    items = [[int(item) - 1 for item in line.split()[1:]] for line in lines]
    assert refit.targets["all"].items.tolist() == [row[-1] for row in items]
    learnt, told = stale.train.interactions, stale.history.interactions
    for user in range(0, len(items), 997):
        assert learnt.item_idx[learnt.user_idx == user].tolist() == items[user][:-2]
        assert told.item_idx[told.user_idx == user].tolist() == items[user][:-1]


@pytest.mark.parametrize(
    ("tau", "refitted", "hit_rate", "ndcg", "within"),
    [
        (np.inf, True, 0.0725, 0.0412, 6e-5),
        (3.0, True, 0.0811, 0.0480, 6e-5),
        (3.0, False, 0.0721, 0.0420, 5e-4),  # there the settings were chosen anew
    ],
)
def test_item_knn_scores_what_it_scored_elsewhere(
    refit, stale, tau, refitted, hit_rate, ndcg, within
):
    split = refit if refitted else stale
    found = hit_rate_and_ndcg(item_knn(split, tau=tau), split)
    assert found == pytest.approx((hit_rate, ndcg), abs=within)


def test_popularity_scores_more_when_ties_are_optimistic(refit):
    model = popular(refit, refit.train)
    ranks = full_ranks(model, refit)
    assert float(ranks.hit_rate(K).mean()) == pytest.approx(0.0136, abs=6e-5)
    assert float(ranks.ndcg(K).mean()) == pytest.approx(0.0061, abs=6e-5)
    hopeful = replace(ranks, n_equal=np.zeros_like(ranks.n_equal))
    assert float(hopeful.hit_rate(K).mean()) == pytest.approx(0.0141, abs=6e-5)
    assert float(hopeful.ndcg(K).mean()) == pytest.approx(0.0063, abs=6e-5)


def test_the_published_popularity_has_counted_the_answers(beauty, refit):
    found = hit_rate_and_ndcg(popular(refit, beauty), refit)
    assert found == pytest.approx((0.0152, 0.0068), abs=6e-5)


def test_sampled_negatives_turn_the_order_round(refit):
    flat, recent = item_knn(refit), item_knn(refit, tau=3.0)
    full = [hit_rate_and_ndcg(model, refit)[0] for model in (flat, recent)]
    assert full[1] > 1.1 * full[0]
    flat_hits, recent_hits, popular_hits = (
        sampled_metrics(model, refit, "discovery", n_negatives=99)["sampled_hit_rate"]
        for model in (flat, recent, popular(refit, refit.train))
    )
    difference = flat_hits - recent_hits
    standard_error = difference.std() / np.sqrt(len(difference))
    assert difference.mean() > 2 * standard_error, "the worse model looks better, beyond the noise"
    found = [hits.mean() for hits in (popular_hits, flat_hits, recent_hits)]
    assert found == pytest.approx([0.307, 0.452, 0.448], abs=6e-4)


@pytest.mark.parametrize(
    ("name", "refitted", "n_users", "of_popular", "of_flat", "of_recent"),
    [
        ("random", True, 22_363, 0.0213, 0.1087, 0.0928),
        ("leave-one-out", True, 22_363, 0.0136, 0.0725, 0.0811),
        ("leave-one-out", False, 22_363, 0.0115, 0.0644, 0.0721),
        ("temporal", True, 7_304, 0.0099, 0.0272, 0.0272),
        ("temporal", False, 7_304, 0.0093, 0.0194, 0.0180),
    ],
)
def test_the_more_a_protocol_leaks_the_more_the_same_model_scores(
    beauty, name, refitted, n_users, of_popular, of_flat, of_recent
):
    """The table of docs/guide/protocols.md."""
    choices = ProtocolConfig(refit=refitted, test_days=90, validation_days=90)
    split = split_by(name, beauty, choices=choices)
    check_split(split)
    assert len(split.targets["discovery"]) == n_users
    models = popular(split, split.train), item_knn(split), item_knn(split, tau=3.0)
    found = [recall(model, split) for model in models]
    assert found == pytest.approx([of_popular, of_flat, of_recent], abs=6e-5)
