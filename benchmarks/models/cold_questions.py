"""Items that nobody had: whom to ask about them, and the rival that knows texts alone.

Amazon Industrial and Scientific has no times; the places from the end of each user stand for days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.protocols.cold_items import hidden_items
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.registry import split_by
from endcap.evaluation.split import Split
from endcap.features.history import history_of
from endcap.features.places import place_weights, weighted_sums
from endcap.ingest.item_texts import item_text
from endcap.models.histories import take_users
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.protocols import Recommender
from endcap.schema.types import DAY_US, ItemIdx, TopK, UserIdx

K = 20
N_DAYS = 2
SHARE = 0.1
TEST_DRAW = 0
FIRST_DAY = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask about which items.

    allowed: the candidates of each view.
    past: all that came before, of the hidden items as well; for who is to know too much.
    """

    split: Split
    allowed: Mapping[str, ItemIdx]
    past: Dataset


class TextNearest:
    """The rival: items whose raw text vector is nearest to the mean of the history's."""

    def __init__(self, data: Dataset, vectors: NDArray[np.float32], *, tau: float) -> None:
        self._history, self._vectors, self._tau = history_of(data), vectors, tau

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k nearest items of each user."""
        asked = take_users(self._history, users)
        means = weighted_sums(asked, place_weights(asked, tau=self._tau), self._vectors)
        scores = means @ self._vectors.T
        if allowed is not None:
            scores[:, np.setdiff1d(np.arange(len(self._vectors)), allowed)] = -np.inf
        scores[np.repeat(np.arange(len(users)), np.diff(asked.indptr)), asked.items] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        return TopK(best, np.take_along_axis(scores, best, axis=1))


def read(folder: Path) -> tuple[Dataset, list[str]]:
    """Return the interactions, and the text of each item."""
    places = 'pos - max(pos) OVER (PARTITION BY "user") AS back'
    table = duckdb.read_parquet(str(folder / "interactions.parquet"))
    rows = table.project(f'"user", item, {places}').order('back, "user"').fetchnumpy()
    items = duckdb.read_parquet(str(folder / "items.parquet")).order("item")
    told = items.project("title, brand, categories, description").fetchall()
    n, unknown = len(rows["user"]), np.full(len(told), -1, dtype=np.int32)
    interactions = Interactions(
        user_idx=rows["user"].astype(np.int32),
        item_idx=rows["item"].astype(np.int32),
        kind=np.full(n, KIND_CODES[Kind.PURCHASE], dtype=np.uint8),
        value=np.ones(n, dtype=np.float32),
        price=np.full(n, np.nan, dtype=np.float32),
        ts=(rows["back"].astype(np.int64) + FIRST_DAY) * DAY_US,
    )
    texts = [
        item_text(title=title, brand=brand, category=category, description=description)
        for title, brand, category, description in told
    ]
    items = Items(department=unknown, category=unknown, brand=unknown)
    return Dataset(interactions, int(rows["user"].max()) + 1, len(told), items), texts


def ask(data: Dataset, *, draw: int, validation: bool) -> Question:
    """Return whom to ask about the items of a draw.

    For validation the items of the measured draw are taken out beforehand, and are no candidates.
    """
    measured = hidden_items(data.n_items, seed=TEST_DRAW, share=SHARE)
    if validation:
        kept = data.interactions.take(~measured[data.interactions.item_idx])
        data = replace(data, interactions=kept)
    choices = ProtocolConfig(
        seed=draw, cold_item_share=SHARE, test_days=N_DAYS, validation_days=N_DAYS
    )
    split = split_by("cold-items", data, choices=choices)
    out = measured if validation else np.zeros_like(measured)
    cold = split.rules["cold_only"].allowed
    if cold is None:
        raise ValueError("the protocol names no cold items")
    everything = np.flatnonzero(~out).astype(np.int32)
    allowed = {"cold_only": cold[~out[cold]], "cold_and_warm": everything}
    return Question(split, allowed, data.between(None, split.cut_us))


def recalls(
    model: Recommender | TextNearest, asked: Question, view: str, allowed: ItemIdx
) -> NDArray[np.float64]:
    """Return the share of each user's targets among the best 20, shape (n_users,)."""
    targets = asked.split.targets[view]
    lists = model.recommend(targets.users, K, allowed=allowed).items
    rows = np.repeat(np.arange(len(targets)), targets.n_relevant)
    found = (lists[rows] == targets.items[:, np.newaxis]).any(axis=1)
    hits = np.bincount(rows, weights=found, minlength=len(targets))
    return np.asarray(hits / targets.n_relevant, dtype=np.float64)
