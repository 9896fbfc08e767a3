"""What items say for those that come after them, solved at once; recent items foremost.

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

from endcap.features.history import History, history_of
from endcap.features.popularity import decayed_counts
from endcap.models.ease.equations import Equations, Sequences, of_sequences, of_sets
from endcap.models.ease.near import solve_near
from endcap.models.ease.table import Table, arrays_of, dense, dense_rows, table_of
from endcap.models.ease.whole import solve_whole
from endcap.models.histories import entry_rows, known_history, places_from_end
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
from endcap.schema.dataset import Dataset
from endcap.schema.protocols import Reason
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx, top_k

NO_COLUMN = -1


class EASEConfig(BaseModel):
    """Settings of `EASE`; chosen on the validation items of Amazon Beauty, leave-one-out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reg: float = Field(
        120.0, gt=0, description="Weight of the squared size of the table: distrust of rare items."
    )
    tau: float | None = Field(
        4.0,
        ge=0.1,
        le=100,
        description="After how many later items an item says 1/e as much, in learning and in a "
        "history; none: order plays no part.",
    )
    backward: float = Field(
        0.2,
        ge=0,
        le=1,
        description="What an item says for those before it, in learning, as a share of what it "
        "says for those after it. Without tau it is not used.",
    )
    max_whole: int = Field(
        8_000,
        ge=0,
        le=50_000,
        description="Up to how many items the table is solved whole: 4 bytes times their square, "
        "twice that with a tau. Above, each item's equation holds its nearest others alone.",
    )
    n_near: int = Field(
        500, ge=1, le=5_000, description="How many others are in an equation of its own."
    )
    popularity_half_life_days: float = Field(
        28.0, gt=0, description="Half-life of the popularity that fills the rest of the list."
    )


class EASE:
    """Ranks items by what those of a user's history say for them, the latest ones foremost.

    table_: float32, shape (n_kept, n_kept); what having item kept_[j] says for item kept_[i] is at
        [j, i], and 0 on the diagonal. Dense up to `max_whole` items, sparse above.
    kept_: the items that somebody had, ascending, shape (n_kept,).
    columns_: where each item is in the table, shape (n_items,); -1 for one that is not.
    history_: what each user had.
    places_: how many items of the same user come after each entry of history_, int32.
    says_: history_, with what each entry says in the place of its count.
    beneath_: the order of all items by popularity, as scores below 0.
    """

    def __init__(self, config: EASEConfig | None = None) -> None:
        self.config = config or EASEConfig()

    table_: Table
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

        Cost: up to `max_whole` items that of `whole.solve_whole`, above that of
        `near.solve_near`; the equations before are sparse.
        """
        self._look_at(data)
        self.table_ = self._solve(self._equations(self.history_, self.places_))
        return self

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return the model of all the data; equations that what happened since left alone stand.

        Where items have equations of their own, those are solved anew for which what came since
        says something, new items among them; the others keep their solution, though what their
        neighbours say for each other may have changed. A table that is solved whole is solved anew
        whole, at the cost of `fit`.

        Raises:
            NotFittedError: fit was not called.

        Cost: twice the equations, and the share of `solve_near` that has changed.
        """
        require_fitted(self, "table_")
        other = type(self)(self.config)
        other._look_at(data)
        if not sparse.issparse(self.table_) or other._is_whole():
            return other.fit(data, rng=rng)
        past = data.between(None, since_us)
        before = history_of(past)
        old = other._equations(before, places_from_end(before, past.interactions))
        new = other._equations(other.history_, other.places_)
        changed = np.unique((new.right - old.right).nonzero()[1]).astype(np.int32)
        other.table_ = other._solve(new, changed) + self._columns_for(other, without=changed)
        return other

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
            near = dense_rows(self.table_, block[known])
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
        """Write the table, histories and settings into the folder.

        The table takes 4 * n_kept ** 2 bytes, or 8 an entry where it is sparse.

        Raises:
            NotFittedError: fit was not called.
        """
        require_fitted(self, "table_")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                **arrays_of(self.table_),
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
        model.table_ = table_of(arrays, n_items=len(model.kept_))
        model._remember(saved_history(arrays), arrays["places"])
        return model

    def _look_at(self, data: Dataset) -> None:
        """Remember all that `fit` learns but the table."""
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
        self._keep(np.unique(history.items))
        self._remember(history, places_from_end(history, interactions))

    def _is_whole(self) -> bool:
        return len(self.kept_) <= self.config.max_whole

    def _equations(self, history: History, places: NDArray[np.int32]) -> Equations:
        """Return what is regressed on what, among the kept items."""
        interest, tau = _interest(history), self.config.tau
        if tau is None:
            return of_sets(self._by_user(history, interest))
        users, columns = entry_rows(history.indptr), self.columns_[history.items]
        order = np.lexsort((-places, users))
        order = order[columns[order] != NO_COLUMN]
        told = Sequences(users[order], columns[order], interest[order])
        return of_sequences(told, n_items=len(self.kept_), tau=tau, backward=self.config.backward)

    def _solve(self, equations: Equations, items: NDArray[np.int32] | None = None) -> Table:
        """Return the table; of a sparse one only the columns of some items, if they are given."""
        if self._is_whole():
            return solve_whole(equations, reg=self.config.reg)
        return solve_near(equations, reg=self.config.reg, n_near=self.config.n_near, items=items)

    def _columns_for(self, other: EASE, *, without: NDArray[np.int32]) -> sparse.csr_array:
        """Return the table by the columns of another model, without some of those."""
        table = sparse.coo_array(self.table_)
        rows = other.columns_[self.kept_[table.row]]
        columns = other.columns_[self.kept_[table.col]]
        stands = (rows != NO_COLUMN) & (columns != NO_COLUMN) & ~np.isin(columns, without)
        entries = (table.data[stands], (rows[stands], columns[stands]))
        return sparse.csr_array(entries, shape=(len(other.kept_), len(other.kept_)))

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
        scores = dense(self._by_user(asked, asked.counts) @ self.table_)
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
        parts[known] = dense_rows(self.table_, rows)[:, columns].T
        return parts * says


def _interest(history: History) -> NDArray[np.float32]:
    """Return how much interest each entry shows, at most 1."""
    return np.minimum(history.counts, np.float32(1))
