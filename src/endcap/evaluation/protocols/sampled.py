"""Metrics against a few sampled negatives: only to show what they do, never to choose by.

A target among a hundred random items has few rivals that are any good, so that a model which
never ranks anything well at the top comes out best. Every name says `sampled_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.rivals import RandomRanking
from endcap.evaluation.metrics.accuracy import discounts
from endcap.evaluation.split import Split, Targets, View, seen_pairs
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import RankingError
from endcap.schema.protocols import ScoresItems
from endcap.schema.types import NO_ITEM, ItemIdx, Scores

_USERS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class TiedRanks:
    """Where targets stand among their candidates; equal scores are in no order.

    n_above: candidates with a higher score, shape (n_targets,).
    n_equal: candidates with the same score, the target itself left out, the same shape.
    """

    n_above: NDArray[np.int64]
    n_equal: NDArray[np.int64]

    def hit_rate(self, k: int) -> NDArray[np.float64]:
        """Return the chance of each target to be among the first k, ties in random order."""
        return np.asarray(np.clip((k - self.n_above) / (self.n_equal + 1), 0.0, 1.0))

    def ndcg(self, k: int) -> NDArray[np.float64]:
        """Return the expected 1 / log2(rank + 1) of each target, rank from 1, 0 beyond k."""
        gained = np.concatenate([[0.0], np.cumsum(discounts(k))])
        first, last = (np.minimum(n, k) for n in (self.n_above, self.n_above + self.n_equal + 1))
        return np.asarray((gained[last] - gained[first]) / (self.n_equal + 1))


def sampled_metrics(
    model: ScoresItems,
    split: Split,
    view: View,
    *,
    k: int = 10,
    n_negatives: int = 99,
    seed: int = 0,
) -> Mapping[str, NDArray[np.float64]]:
    """Return `sampled_hit_rate` and `sampled_ndcg`, one value a user, shape (n_users,).

    Each target is ranked alone among `n_negatives` items drawn uniformly from those that are
    neither known of the user nor a target in the view; with fewer such items, among all of them.
    A user's value is the mean over the targets.

    Args:
        model: fitted on `split.train`, and told `split.history` if there is one.
        split: what is known, and the targets.
        view: which targets.
        k: list length.
        n_negatives: drawn once a user; the draw depends on (seed, user) alone.
        seed: of the draw.

    Source: He et al. 2017 (NCF) for the protocol; Krichene, Rendle 2020 for why not.
    """
    targets = split.targets[view]
    barred = _barred(split.known, targets)
    random = RandomRanking().fit(barred, rng=np.random.default_rng(seed))
    above, equal = [], []
    for start in range(0, len(targets), _USERS_AT_ONCE):
        rows = np.arange(start, min(start + _USERS_AT_ONCE, len(targets)))
        block = targets.take(rows)
        negatives = random.recommend(block.users, n_negatives, exclude_seen=True).items
        ranks = tied_ranks(model.score(block.users), block, negatives)
        above.append(ranks.n_above)
        equal.append(ranks.n_equal)
    ranks = TiedRanks(np.concatenate(above), np.concatenate(equal))
    return {
        "sampled_hit_rate": _by_user(ranks.hit_rate(k), targets),
        "sampled_ndcg": _by_user(ranks.ndcg(k), targets),
    }


def tied_ranks(scores: Scores, targets: Targets, candidates: ItemIdx) -> TiedRanks:
    """Return where each target stands among the candidates of its user.

    Args:
        scores: of every item, shape (n_users, n_items).
        targets: of the same users.
        candidates: shape (n_users, n_candidates), padded with `NO_ITEM`; without the targets.
    """
    if np.isnan(scores).any():
        raise RankingError("a score is NaN", mend="Return finite scores")
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)
    own = scores[rows, targets.items][:, None]
    is_there = candidates != NO_ITEM
    theirs = np.take_along_axis(scores, np.where(is_there, candidates, 0), axis=1)
    theirs = np.where(is_there, theirs, np.nan)[rows]
    return TiedRanks((theirs > own).sum(axis=1), (theirs == own).sum(axis=1))


def _barred(known: Dataset, targets: Targets) -> Dataset:
    """Return data in which each user had all that may not be drawn as a negative."""
    seen = seen_pairs(known)
    users = np.concatenate([seen.rows, np.repeat(targets.users, targets.n_relevant)])
    items = np.concatenate([seen.items, targets.items])
    nothing = np.zeros(len(users))
    pairs = Interactions(
        user_idx=users.astype(np.int32),
        item_idx=items.astype(np.int32),
        kind=nothing.astype(np.uint8),
        value=nothing.astype(np.float32),
        price=nothing.astype(np.float32),
        ts=nothing.astype(np.int64),
    )
    return replace(known, interactions=pairs, refusals=None)


def _by_user(values: NDArray[np.float64], targets: Targets) -> NDArray[np.float64]:
    return np.add.reduceat(values, targets.indptr[:-1]) / targets.n_relevant
