"""How a blend ranks its candidates: the floor, or trees where these have proved better.

Learnt from users of whom it is known what they went on to take; who fits the members on what is
`training/blend.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.models.blend.config import BlendConfig
from endcap.models.blend.fusion import Asked, Fusion, joined, learn_fusion
from endcap.models.ranker.candidates import Candidates
from endcap.models.ranker.trees import Examples, TreeRanker, cross_validate, grow
from endcap.schema.types import Scores, top_k
from endcap.telemetry import console, track

USERS_AT_ONCE = 1024

Describe: TypeAlias = Callable[
    [NDArray[np.int64], Candidates], tuple[tuple[str, ...], NDArray[np.float32]]
]
"""Returns names and values of the features of some user rows, whose candidates are given."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How candidates are ranked.

    fusion: the floor. ranker: the trees; None where the floor is as good.
    quality: cross-validated mean NDCG of `floor` and of `learned` over the users learnt from, and
        `lead`, the difference in standard errors; empty for what was not learnt.
    """

    fusion: Fusion
    ranker: TreeRanker | None = None
    quality: Mapping[str, float] = field(default_factory=dict)

    def floor(self) -> Rule:
        """Return the rule without its trees."""
        return replace(self, ranker=None)


@dataclass(frozen=True, slots=True)
class Window:
    """Users who were asked at one time, with what they went on to take.

    describe: gives the features of some of the rows of `asked`.
    """

    asked: Asked
    describe: Describe


def learn_rule(windows: Sequence[Window], *, config: BlendConfig, seed: int) -> Rule:
    """Return the rule that ranks best what the users went on to take.

    The trees are taken if their cross-validated NDCG is above that of the floor by more than its
    standard error. Of several windows each is judged by what the others teach, for trees that
    learn from one know which items sold in it; of a single one, each part of its users.

    Args:
        windows: candidates of the users and what they took, one or more; the same lists in all.
        config: settings.
        seed: of all that is drawn.
    """
    asked = joined([window.asked for window in windows])
    fusion = learn_fusion(asked, k=config.k)
    fold = _folds(windows, n_folds=config.ranker.n_folds, seed=seed)
    floor = _floor_elsewhere(asked, fold, config=config)
    quality = {"floor": float(floor.mean()) if len(floor) else 0.0}
    pruned = prune(asked, fusion.score(asked.candidates), config.n_ranked)
    within = np.flatnonzero(pruned.is_target.any(axis=1))
    n_in_fold = np.bincount(fold[within], minlength=int(fold.max(initial=0)) + 1)
    if not config.learned or len(within) < config.ranker.min_users or not n_in_fold.all():
        return Rule(fusion, quality=quality)
    examples = _examples(pruned, within, windows)
    scores, n_rounds = cross_validate(examples, fold[within], config=config.ranker, seed=seed)
    learned = np.zeros(len(asked))
    some = pruned.take(within)
    learned[within] = some.ndcg(spread(some.candidates, scores), config.k)
    lead = _lead(learned - floor)
    quality |= {"learned": float(learned.mean()), "lead": lead}
    console.print(
        f"  blend: NDCG@{config.k} of the floor {quality['floor']:.4f}, of {n_rounds} trees "
        f"{quality['learned']:.4f}, cross-validated over {len(asked):,} users"
        + (f" of {len(windows)} windows" if len(windows) > 1 else "")
    )
    if lead <= 1:
        return Rule(fusion, quality=quality)
    return Rule(fusion, grow(examples, n_rounds=n_rounds, config=config.ranker, seed=seed), quality)


def prune(asked: Asked, scores: Scores, n: int) -> Asked:
    """Return at most n candidates of each user, the best by the scores; items still ascend."""
    candidates, columns = best_of(asked.candidates, scores, n)
    is_target = np.take_along_axis(asked.is_target, np.maximum(columns, 0), axis=1)
    return Asked(candidates, is_target & (columns >= 0), asked.n_relevant)


def best_of(candidates: Candidates, scores: Scores, n: int) -> tuple[Candidates, NDArray[np.int64]]:
    """Return the n best candidates of each user, and the column each stood in, -1 padded."""
    shown = np.where(candidates.is_real, scores, -np.inf).astype(np.float32)
    width = candidates.items.shape[1]
    columns = top_k(shown, max(min(n, width), 1)).items.astype(np.int64)
    columns = np.sort(np.where(columns < 0, width, columns), axis=1)  # padding last
    columns = np.where(columns == width, -1, columns)
    padded, taken = columns < 0, np.maximum(columns, 0)
    if not width:
        return candidates, columns[:, :0]
    items = np.where(padded, np.int32(-1), np.take_along_axis(candidates.items, taken, axis=1))
    taken, padded = taken[np.newaxis], padded[np.newaxis]
    places = np.where(padded, np.int16(-1), np.take_along_axis(candidates.places, taken, axis=2))
    values = np.take_along_axis(candidates.scores, taken, axis=2)
    return Candidates(items, places, np.where(padded, np.float32(np.nan), values)), columns


def spread(candidates: Candidates, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of the real candidates, user by user, as a board of the candidates."""
    board = np.full(candidates.items.shape, -np.inf)
    board[candidates.is_real] = values
    return board


def _folds(windows: Sequence[Window], *, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Return the part of each user: its window, or one drawn where there is a single one."""
    if len(windows) == 1:
        return np.random.default_rng(seed).permutation(len(windows[0].asked)) % n_folds
    return np.repeat(np.arange(len(windows)), [len(window.asked) for window in windows])


def _floor_elsewhere(
    asked: Asked, fold: NDArray[np.int64], *, config: BlendConfig
) -> NDArray[np.float64]:
    """Return the NDCG of each user by the floor that was learnt from the other folds."""
    found = np.zeros(len(asked))
    for number in np.unique(fold).tolist():
        fusion = learn_fusion(asked.take(fold != number), k=config.k)
        own = asked.take(fold == number)
        found[fold == number] = own.ndcg(fusion.score(own.candidates), config.k)
    return found


def _examples(asked: Asked, rows: NDArray[np.int64], windows: Sequence[Window]) -> Examples:
    """Return the features of the candidates of some users, and which of them are targets."""
    parts: list[NDArray[np.float32]] = []
    names: tuple[str, ...] = ()
    start = 0
    with track("describe candidates", len(rows), unit="users") as task:
        for window in windows:
            own = rows[(rows >= start) & (rows < start + len(window.asked))]
            for first in range(0, len(own), USERS_AT_ONCE):
                block = own[first : first + USERS_AT_ONCE]
                names, matrix = window.describe(block - start, asked.candidates.take(block))
                parts.append(matrix)
                task.advance(len(block))
            start += len(window.asked)
    some = asked.take(rows)
    is_real = some.candidates.is_real
    return Examples(names, np.concatenate(parts), some.is_target[is_real], is_real.sum(axis=1))


def _lead(differences: NDArray[np.float64]) -> float:
    """Return the mean of paired differences in standard errors."""
    error = float(differences.std() / np.sqrt(max(len(differences), 1)))
    return float(differences.mean()) / max(error, 1e-12)
