"""What every item says for every other, solved at once; recent items of a history foremost.

Item-kNN looks at two items at a time; here all of them explain each other, so that what goes with
everything says little.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse
from scipy.linalg import lapack

from endcap.features.history import History, history_of
from endcap.features.popularity import decayed_counts
from endcap.features.weights import pair_keys
from endcap.models.histories import entry_rows, known_history
from endcap.models.ranking import (
    concatenate,
    empty_lists,
    rank_beneath,
    rank_users,
    rows_at_a_time,
    score_all,
)
from endcap.models.reasons import drop_reason, popular_reason
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.errors import SettingsError
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx, top_k
from endcap.telemetry import console

BLOCK_ROWS = 256  # of the table, worked on at a time
NO_COLUMN = -1


class EASEConfig(BaseModel):
    """Settings of `EASE`; chosen on the validation items of Amazon Beauty, leave-one-out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reg: float = Field(
        50.0, gt=0, description="Weight of the squared size of the table: distrust of rare items."
    )
    tau: float | None = Field(
        3.0,
        ge=0.1,
        description="After how many later items an item of a history says 1/e as much; "
        "none: all say the same.",
    )
    max_items: int = Field(
        20_000,
        ge=1,
        le=50_000,
        description="Items in the table, those that most people had; the others are ranked by "
        "popularity alone. Memory is 4 bytes times the square: 1.6 GB for 20,000.",
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


class EASE:
    """Ranks items by what those of a user's history say for them, the latest ones foremost.

    table_: float32, shape (n_kept, n_kept); what having item kept_[j] says for item kept_[i] is at
        [j, i], and 0 on the diagonal.
    kept_: the items of the table, ascending, shape (n_kept,).
    columns_: where each item is in the table, shape (n_items,); -1 for one that is not.
    history_: what each user had.
    places_: how many items of the same user come after each entry of history_, int32.
    says_: history_, with what each entry says in the place of its count.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: EASEConfig | None = None) -> None:
        self.config = config or EASEConfig()

    table_: NDArray[np.float32]
    kept_: ItemIdx
    columns_: NDArray[np.int32]
    history_: History
    places_: NDArray[np.int32]
    says_: History
    beneath_: Scores

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Solve for the table; nothing is random, so `rng` is not used.

        Raises:
            SettingsError: `reg` is so small that the table cannot be solved in float32.

        Cost: n_kept ** 3 multiplications, on all cores; 4 * n_kept ** 2 bytes and about 100 MB.
        """
        interactions = data.interactions
        history = history_of(data)
        counts = decayed_counts(
            interactions.item_idx,
            interactions.ts,
            n_items=data.n_items,
            half_life_days=self.config.popularity_half_life_days,
            origin_us=data.end_us,
            weights=interactions.weight,
        )
        self.beneath_ = rank_beneath(counts)
        self._keep(_most_taken(history, data.n_items, self.config.max_items))
        self._remember(history, places_from_end(history, interactions))
        taken = self._by_user(history, _interest(history))
        self.table_ = solve_table(taken, reg=self.config.reg)
        return self

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items that each user's history says most for, filled up with popular ones.

        Scores above zero are weighted sums over the history; an item that it says nothing for, or
        speaks against, has its place in the order of popularity, below zero.

        Raises:
            NotFittedError: fit was not called.

        Cost: a row of the table for every item of a history; two blocks of scores, of at most
        128 MiB each.
        """
        require_fitted(self, "table_")
        return rank_users(
            self._score,
            users,
            k,
            history=self.says_,
            n_items=len(self.columns_),
            exclude_seen=exclude_seen,
            allowed=allowed,
        )

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items that having each item says most for, padded."""
        require_fitted(self, "table_")
        columns = self.columns_[np.asarray(items, dtype=np.int32)]
        n_rows = rows_at_a_time(len(self.columns_))
        parts = [empty_lists(k)]
        for start in range(0, len(columns), n_rows):
            block = columns[start : start + n_rows]
            known = np.flatnonzero(block != NO_COLUMN)
            near = self.table_[block[known]]
            scores = np.full((len(block), len(self.columns_)), -np.inf, dtype=np.float32)
            scores[np.ix_(known, self.kept_)] = np.where(near > 0, near, -np.inf)
            parts.append(top_k(scores, k))
        return concatenate(parts)

    def with_history(self, data: Dataset) -> Self:
        """Return the same table, for the users of `data`."""
        require_fitted(self, "table_")
        other = copy(self)
        history = known_history(data, n_items=len(self.columns_))
        other._remember(history, places_from_end(history, data.interactions))
        return other

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of `recommend` for all items, shape (n_users, n_items)."""
        require_fitted(self, "table_")
        return score_all(self._score, users, history=self.says_, n_items=len(self.columns_))

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the item of the history that each score would miss most, and by how much.

        Without it, whatever came before it stands one place nearer to the end and says more; that
        is counted. For an item that the history says nothing for, the amount is its place in the
        order of popularity, in [0, 1).

        Raises:
            NotFittedError: fit was not called.

        Cost: a number of the table for every item of the history and every item to explain.
        """
        require_fitted(self, "table_")
        entries = self.history_.part(user)
        order = np.argsort(self.places_[entries])  # the latest first
        seeds, says = self.says_.items[entries][order], self.says_.counts[entries][order]
        parts = self._parts(seeds, says, items)
        earlier = parts[:, ::-1].cumsum(axis=1)[:, ::-1] - parts
        tau = self.config.tau
        drops = parts if tau is None else parts - np.expm1(1 / tau) * earlier
        return [
            drop_reason(seeds, drops[row])
            if parts[row].sum() > 0
            else popular_reason(self.beneath_, item)
            for row, item in enumerate(items.tolist())
        ]

    def save(self, folder: Path) -> None:
        """Write the table, histories and settings into the folder: 4 * n_kept ** 2 bytes and more.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "table_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                "table": self.table_,
                "kept": self.kept_,
                "places": self.places_,
                "beneath": self.beneath_,
            },
            history=self.history_,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, _ = load_state(folder, model=cls.__name__, config=EASEConfig)
        model = cls(config)
        model.beneath_ = arrays["beneath"]
        model._keep(arrays["kept"])
        model.table_ = arrays["table"]
        model._remember(saved_history(arrays), arrays["places"])
        return model

    def _keep(self, kept: ItemIdx) -> None:
        """Remember which items the table is about."""
        self.kept_ = kept
        self.columns_ = np.full(len(self.beneath_), NO_COLUMN, dtype=np.int32)
        self.columns_[kept] = np.arange(len(kept), dtype=np.int32)

    def _remember(self, history: History, places: NDArray[np.int32]) -> None:
        """Remember what users had, and how much each entry says."""
        self.history_, self.places_ = history, places
        says = _interest(history)
        if self.config.tau is not None:
            says = says * np.exp(-places / self.config.tau).astype(np.float32)
        self.says_ = replace(history, counts=says)

    def _by_user(self, history: History, numbers: NDArray[np.float32]) -> sparse.csr_array:
        """Return a number for each entry as a matrix, shape (n_users, n_kept)."""
        columns = self.columns_[history.items]
        is_kept = columns != NO_COLUMN
        # How many kept entries lie before each user's first one.
        indptr = np.concatenate([[0], np.cumsum(is_kept)])[history.indptr]
        shape = (history.n_users, len(self.kept_))
        return sparse.csr_array((numbers[is_kept], columns[is_kept], indptr), shape=shape)

    def _score(self, asked: History, out: Scores) -> None:
        # Added up entry by entry, so a user scores the same alone and in a batch.
        scores = self._by_user(asked, asked.counts) @ self.table_
        np.copyto(scores, self.beneath_[self.kept_], where=scores <= 0)
        out[:] = self.beneath_
        out[:, self.kept_] = scores

    def _parts(
        self, seeds: ItemIdx, says: NDArray[np.float32], items: ItemIdx
    ) -> NDArray[np.float64]:
        """Return what each seed adds to the score of each item, shape (n_items, n_seeds)."""
        of_seeds, of_items = self.columns_[seeds], self.columns_[items]
        parts = np.zeros((len(items), len(seeds)))
        known = np.ix_(of_items != NO_COLUMN, of_seeds != NO_COLUMN)
        rows, columns = of_seeds[of_seeds != NO_COLUMN], of_items[of_items != NO_COLUMN]
        parts[known] = self.table_[np.ix_(rows, columns)].T
        return parts * says


def places_from_end(history: History, interactions: Interactions) -> NDArray[np.int32]:
    """Return how many other items of the same user come after each entry, shape (nnz,).

    An item stands where its last interaction does. Those at the same time come in the order of
    the data.

    Args:
        history: what was built of the interactions.
        interactions: more of them do no harm: what is not in the history takes no place.

    Cost: one sort of the entries.
    """
    users = entry_rows(history.indptr)
    entries = (users << 32) | history.items
    told = pair_keys(interactions)
    entry_of = np.searchsorted(entries, told)
    rows = np.flatnonzero(entry_of < len(entries))
    rows = rows[entries[entry_of[rows]] == told[rows]]
    last_row = np.zeros(len(entries), dtype=np.int64)
    np.maximum.at(last_row, entry_of[rows], rows)
    order = np.lexsort((-last_row, users))  # by user, the latest first
    places = np.empty(len(entries), dtype=np.int32)
    places[order] = np.arange(len(entries)) - history.indptr[users]
    return places


def solve_table(taken: sparse.csr_array, *, reg: float) -> NDArray[np.float32]:
    """Return what having one item says for another, float32, shape (n_items, n_items).

    With X the users x items matrix, P = (X'X + reg I)^-1 and

        B = I - P diag(1 / diag(P)),

    the table B, zero on the diagonal, has the smallest |X - XB|^2 + reg |B|^2.

    Args:
        taken: X, float32, shape (n_users, n_items).
        reg: see above, > 0.

    Raises:
        SettingsError: X'X + reg I is not positive definite once rounded to float32.

    Cost: n_items ** 3 multiplications; 4 * n_items ** 2 bytes, in which everything is worked out
    in place, and 3 KB an item besides.
    Source: Steck 2019, equation 8.
    """
    table = _gram(taken)
    table[np.diag_indices_from(table)] += np.float32(reg)
    if not len(table):
        return table
    # Of a symmetric matrix LAPACK reads and writes one triangle; by its order of memory, ours is
    # the upper one.
    factor, failed = lapack.spotrf(table.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise SettingsError(
            f"the items cannot be told apart with a reg of {reg:g}",
            where="EASEConfig.reg",
            mend="Choose a larger one",
        )
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    table = np.asarray(inverse.T, dtype=np.float32)
    _mirror(table)
    table /= -table.diagonal()
    np.fill_diagonal(table, 0)
    return table


def _gram(taken: sparse.csr_array) -> NDArray[np.float32]:
    """Return X'X, a block of rows at a time."""
    n_items = taken.shape[1]
    by_item = taken.T.tocsr()
    gram = np.empty((n_items, n_items), dtype=np.float32)
    for start in range(0, n_items, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        gram[rows] = (by_item[rows] @ taken).toarray()
    return gram


def _mirror(table: NDArray[np.float32]) -> None:
    """Write the upper triangle into the lower one, a block of rows at a time."""
    for start in range(0, len(table), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        table[rows, :start] = table[:start, rows].T
        block = table[rows, rows]
        block[:] = np.triu(block) + np.triu(block, 1).T


def _most_taken(history: History, n_items: int, limit: int) -> ItemIdx:
    """Return the items that somebody had, ascending; the most popular ones where they are many.

    Popular by how many users had them; of equals the smaller item.
    """
    n_takers = np.bincount(history.items, minlength=n_items)
    kept = np.flatnonzero(n_takers)
    if len(kept) > limit:
        console.print(
            f"  ease: of {len(kept):,} items that somebody had, it learns the {limit:,} that most "
            "people had; the others are ranked by popularity alone"
        )
        kept = np.sort(np.argsort(-n_takers, kind="stable")[:limit])
    return kept.astype(np.int32)


def _interest(history: History) -> NDArray[np.float32]:
    """Return how much interest each entry shows, at most 1."""
    return np.minimum(history.counts, np.float32(1))
