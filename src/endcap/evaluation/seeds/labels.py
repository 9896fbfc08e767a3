"""Labels made of the order of ratings, and rows split at random: the data of protocol `seed-1`.

Rows are sorted by rating with an unstable sort; by position the first 2.5 % are labelled 1.0, those
up to 10 % 0.6, up to 35 % 0.3, the rest 0. Where more than a third of the ratings are the best
there is, all labels above 0 are given among equal ratings, by whatever order the sort leaves them
in. Rows are split at random, 88.5 / 10 / 1.5 %, regardless of users and time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from endcap.evaluation.pointwise.ratings import Ratings, Stars
from endcap.evaluation.pointwise.split import only_ratings
from endcap.evaluation.split import Fact
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError

LABELS = ((0.025, 1.0), (0.10, 0.6), (0.35, 0.3))
"""Up to which share of the sorted rows each label goes; the rest is 0."""

TRAIN_SHARE, VALIDATION_SHARE, SPLIT_SEED = 0.885, 0.10 / 0.115, 42
MIN_ROWS = 100

TieOrder: TypeAlias = Literal["published", "shuffled"]
"""Who comes first of equal ratings: whom the published sort leaves there, or chance."""


@dataclass(frozen=True, slots=True)
class LabelSplit:
    """Labelled rows in three parts; `stars` of a part are its labels, 0 to 1.

    train_data: the training rows as ratings in time order, for models that rank.
    facts: counts, and how many of the labels are arbitrary.
    """

    train: Ratings
    validation: Ratings
    test: Ratings
    train_data: Dataset
    facts: Mapping[str, Fact]


def labels_by_order(n_rows: int) -> Stars:
    """Return the label of each position in the sorted rows, best rating first."""
    labels = np.zeros(n_rows, dtype=np.float32)
    for share, label in reversed(LABELS):
        labels[: int(share * n_rows)] = label
    return labels


def best_first(
    stars: Stars, *, ties: TieOrder = "published", rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Return the rows by descending rating.

    The published order is that of an unstable sort, which numpy does differently on different
    processors. Of a file that was sorted before, it keeps equal ratings near where they stood.

    Args:
        stars: shape (n_rows,).
        ties: who comes first of equal ratings.
        rng: shuffles the rows first; drawn from the seed of the split when None.
    """
    if ties == "shuffled":
        shuffled = (np.random.default_rng(SPLIT_SEED) if rng is None else rng).permutation(
            len(stars)
        )
        order: NDArray[np.int64] = shuffled[np.argsort(-stars[shuffled], kind="stable")]
        return order
    # As pandas sorts downwards: the rows reversed, sorted upwards, and reversed again.
    # Whole numbers, as it reads them from a file: the sort differs with the type.
    whole = stars.astype(np.int64)
    keys = whole if np.array_equal(whole, stars) else stars
    upwards = np.argsort(keys[::-1], kind="quicksort")
    return (len(stars) - 1 - upwards)[::-1]


def split_labels(
    data: Dataset, *, ties: TieOrder = "published", rng: np.random.Generator | None = None
) -> LabelSplit:
    """Return the labelled rows in the three published parts.

    Args:
        data: interactions of any kinds; only ratings count.
        ties: see `best_first`.
        rng: see `best_first`.

    Raises:
        DataError: there are fewer than 100 ratings.

    Cost: two sorts of the rows.
    """
    rated = only_ratings(data)
    given = rated.interactions
    if len(given) < MIN_ROWS:
        raise DataError(
            "there are too few ratings for the protocol seed-1",
            where=f"{len(given):,} ratings",
            mend=f"Take {MIN_ROWS} or more",
        )
    order = best_first(given.value, ties=ties, rng=rng)
    labels = labels_by_order(len(order))
    rows = Ratings(given.user_idx[order], given.item_idx[order], labels)
    train, rest = train_test_split(
        np.arange(len(order)), train_size=TRAIN_SHARE, random_state=SPLIT_SEED
    )
    validation, test = train_test_split(rest, train_size=VALIDATION_SHARE, random_state=SPLIT_SEED)
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[train]] = True
    split = LabelSplit(
        train=rows.take(train),
        validation=rows.take(validation),
        test=rows.take(test),
        train_data=replace(rated, interactions=given.take(chosen)),
        facts={},
    )
    return replace(split, facts=_facts(split, labels, given.value[order], ties))


def _facts(split: LabelSplit, labels: Stars, stars: Stars, ties: TieOrder) -> dict[str, Fact]:
    """Return the counts; `stars` and `labels` are of all rows, best first."""
    values, counts = np.unique(labels, return_counts=True)
    n_own = np.unique(split.test.users, return_counts=True)[1]
    is_labelled = labels > 0
    return {
        "n_rows": len(labels),
        **{f"n_label_{value:.1f}": int(n) for value, n in zip(values, counts, strict=True)},
        "mean_label": float(labels.mean(dtype=np.float64)),
        "variance_of_labels": float(labels.var(dtype=np.float64)),
        "best_rating_share": float((stars == stars[0]).mean()),
        "labelled_at_best_rating": float((stars[is_labelled] == stars[0]).mean()),
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "n_test_users": len(n_own),
        "rows_per_test_user": float(n_own.mean()),
        "share_of_users_with_at_most_10_rows": float((n_own <= 10).mean()),
        "split_seed": SPLIT_SEED,
        "ties": ties,
    }
