"""Protocol `seed-2`: ratings split at random by rows, RMSE, and the order of a user's own rows.

What it makes of data, step by step: who has fewer than five ratings goes, and what has fewer than
five, both counted once, before either goes; each row is held out with probability 0.2, regardless
of users and time; held-out rows whose user or item has no training row are dropped, before every
metric. Precision and NDCG rank the held-out rows that a user has, about two, and a rating of four
or more is relevant: precision divides by the rows there are, so it is their share of good ratings.
Settings are chosen on the same rows that are reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.pointwise.metrics import (
    error_sums,
    interval,
    mean_intervals,
    mean_sums,
    pooled,
    resampled_pooled,
)
from endcap.evaluation.pointwise.ratings import Ratings, Stars, ratings_of
from endcap.evaluation.pointwise.split import only_ratings
from endcap.evaluation.seeds.own_rows import (
    ndcg_of_own_rows,
    own_lists,
    precision_over_present,
)
from endcap.evaluation.seeds.result import ORACLE, RANDOM, Better, SeedEvaluation
from endcap.evaluation.split import Fact
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError

SEED_2 = "seed-2"
TRAIN_SHARE, SPLIT_SEED, MIN_RATINGS, RELEVANT = 0.8, 42, 5, 4.0
BETTER: Mapping[str, Better] = {
    "rmse": "lower",
    "precision@10": "higher",
    "ndcg@10": "higher",
}
TRIVIAL = ("global_mean", "constant_five", RANDOM, ORACLE)
N_DRAWS = 10


@dataclass(frozen=True, slots=True)
class RowSplit:
    """Ratings to learn from, and the held-out rows that are left to predict.

    train: only ratings, in time order.
    test: held-out rows whose user and item have a training row.
    facts: counts of all that went, and why.
    """

    train: Dataset
    test: Ratings
    facts: Mapping[str, Fact]


def filtered_once(data: Dataset, *, min_ratings: int = MIN_RATINGS) -> Dataset:
    """Return the ratings of users and items with so many, counted once and before either goes.

    One pass: afterwards a user or an item may have fewer after all.
    """
    rated = only_ratings(data)
    users, items = rated.interactions.user_idx, rated.interactions.item_idx
    of_user = np.bincount(users, minlength=data.n_users)[users]
    of_item = np.bincount(items, minlength=data.n_items)[items]
    kept = (of_user >= min_ratings) & (of_item >= min_ratings)
    return replace(rated, interactions=rated.interactions.take(kept))


def split_rows(
    data: Dataset, *, min_ratings: int = MIN_RATINGS, seed: int = SPLIT_SEED
) -> RowSplit:
    """Return the filtered ratings, each held out with probability 0.2, and drop what is unknown.

    As the published system does, with the same probability and the same seed, but another random
    number generator: which rows are held out is not the same, their number nearly so.

    Args:
        data: interactions of any kinds; only ratings count.
        min_ratings: that a user and an item must have; 1 keeps all.
        seed: of the draw.

    Raises:
        DataError: nothing is left to learn from or to predict.
    """
    kept = filtered_once(data, min_ratings=min_ratings)
    is_train = np.random.default_rng(seed).random(len(kept.interactions)) < TRAIN_SHARE
    train = replace(kept, interactions=kept.interactions.take(is_train))
    held_out = kept.interactions.take(~is_train)
    knows_user, knows_item = (
        np.bincount(column, minlength=n) > 0
        for column, n in (
            (train.interactions.user_idx, data.n_users),
            (train.interactions.item_idx, data.n_items),
        )
    )
    is_new_user = ~knows_user[held_out.user_idx]
    is_new_item = ~knows_item[held_out.item_idx]
    is_kept = ~is_new_user & ~is_new_item
    if not is_kept.any():
        raise DataError(
            "no held-out rating of a known user and item is left for the protocol seed-2",
            where=f"{len(kept.interactions):,} ratings after the filter of {min_ratings}",
            mend="Take denser data, or a smaller least number of ratings",
        )
    test = ratings_of(replace(kept, interactions=held_out.take(is_kept)))
    facts: dict[str, Fact] = {
        "n_ratings": len(ratings_of(data)),
        "min_ratings": min_ratings,
        "n_filtered_out": len(ratings_of(data)) - len(kept.interactions),
        "n_train": len(train.interactions),
        "n_held_out": len(held_out),
        "n_dropped": int((~is_kept).sum()),
        "n_dropped_new_user": int(is_new_user.sum()),
        "n_dropped_new_item": int(is_new_item.sum()),
        "split_seed": seed,
    }
    return RowSplit(train, test, {**facts, **_facts(test)})


def evaluate_seed_2(
    split: RowSplit,
    predictions: Mapping[str, Stars],
    *,
    rng: np.random.Generator,
    n_replicates: int = 1000,
) -> SeedEvaluation:
    """Return the published numbers of models, those of scores that know nothing in front.

    Args:
        split: see `split_rows`.
        predictions: of each row of `split.test`, by model.
        rng: of random scores, of the order of equal scores, and of the bootstrap over users.
        n_replicates: of the bootstrap.
    """
    test = split.test
    draws = [_random(test, rng) for _ in range(N_DRAWS)]
    every = {**_constants(split), RANDOM: draws[0], ORACLE: test.stars, **predictions}
    ranked = {name: _ranked(test, stars, rng) for name, stars in every.items()}
    ranked[RANDOM] = np.mean([_ranked(test, draw, rng) for draw in draws], axis=0)
    sums = {name: error_sums(test.users, test.stars, stars) for name, stars in every.items()}
    sums[RANDOM] = mean_sums([error_sums(test.users, test.stars, draw) for draw in draws])
    replicates = resampled_pooled(sums, n_replicates=n_replicates, rng=rng)
    lists = mean_intervals(np.hstack(list(ranked.values())), n_replicates=n_replicates, rng=rng)
    rows = {}
    for place, (name, one) in enumerate(sums.items()):
        rmse = pooled(one.sums().sum(axis=0))[0]
        rows[name] = {
            "rmse": interval(rmse, replicates[name][:, 0], n_users=len(one.users)),
            "precision@10": lists[2 * place],
            "ndcg@10": lists[2 * place + 1],
        }
    return SeedEvaluation(SEED_2, split.facts, BETTER, TRIVIAL, rows, N_DRAWS, n_replicates)


def _constants(split: RowSplit) -> dict[str, Stars]:
    mean = ratings_of(split.train).stars.mean(dtype=np.float64)
    values = {"global_mean": float(mean), "constant_five": 5.0}
    return {
        name: np.full(len(split.test), value, dtype=np.float32) for name, value in values.items()
    }


def _random(test: Ratings, rng: np.random.Generator) -> Stars:
    return (1.0 + 4.0 * rng.random(len(test))).astype(np.float32)


def _ranked(test: Ratings, scores: Stars, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return precision and NDCG of each user, shape (n_users, 2)."""
    lists = own_lists(test.users, scores, rng=rng)
    is_relevant = test.stars >= RELEVANT
    return np.column_stack(
        [precision_over_present(lists, is_relevant), ndcg_of_own_rows(lists, is_relevant)]
    )


def _facts(test: Ratings) -> dict[str, Fact]:
    n_own = np.unique(test.users, return_counts=True)[1]
    return {
        "n_test": len(test),
        "n_test_users": len(n_own),
        "rows_per_test_user": float(n_own.mean()),
        "share_of_users_with_at_most_10_rows": float((n_own <= 10).mean()),
        "relevant_share_of_rows": float((test.stars >= RELEVANT).mean()),
        "deviation_of_ratings": float(test.stars.std(dtype=np.float64)),
    }
