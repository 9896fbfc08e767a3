"""Items that nobody had, on Amazon Industrial and Scientific: who finds them by their text.

A draw hides a tenth of the items. Asked is each user who took one of them among the last two items,
told all that came before. The data has no times; the places from the end of each user stand for
days. Settings are chosen on another tenth, with the measured items taken out altogether.

By hand: python -m benchmarks.models.cold_items FOLDER [--validation] [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from endcap.models.content.model import Content, ContentConfig
from endcap.models.content.text_encoder import TextConfig, text_vectors
from endcap.models.ease.model import EASE
from endcap.models.histories import take_users
from endcap.models.neighbours.item_knn import ItemKNN
from endcap.models.popular import Popular
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.protocols import Recommender
from endcap.schema.types import DAY_US, ItemIdx, TopK, UserIdx
from endcap.telemetry import console

K = 20
N_DAYS = 2
SHARE = 0.1
TEST_DRAW = 0
FIRST_DAY = 20_000
RIVALS = {
    "text nearest, tfidf": "tfidf",
    "text nearest, MiniLM": "all-MiniLM-L6-v2",
    "text nearest, both": "all-MiniLM-L6-v2+tfidf",
}
TAUS = {"whole history": 1e9, "recent foremost": 3.0, "last item": 1e-2}
N_REPLICATES = 1_000


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


def run(
    folder: Path,
    *,
    cache: Path | None = None,
    validation: bool = False,
    seeds: Sequence[int] = (0,),
    config: ContentConfig | None = None,
    draws: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return Recall@20 of each model among cold items, and among all, with 95 % intervals.

    Args:
        folder: of `amazon_scientific_5core_2018_text`.
        cache: keeps the vectors of the texts.
        validation: ask for items that are not measured in the end; the measured ones are taken out.
        seeds: of `content`, whose values are means over them.
        config: of `content`; the defaults when None.
        draws: which draws of hidden items; one measured, or three to choose by.
    """
    data, texts = read(folder)
    vectors = {
        name: text_vectors(texts, TextConfig(encoder=encoder), cache=cache)
        for name, encoder in RIVALS.items()
    }
    data = replace(data, items=data.items.with_text(vectors["text nearest, both"]))
    chosen = draws or ((1, 2, 3) if validation else (TEST_DRAW,))
    rows: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    chance: list[float] = []
    for draw in chosen:
        asked = ask(data, draw=draw, validation=validation)
        chance.append(K / len(asked.allowed["cold_only"]))
        for name, models in _entrants(asked, vectors, seeds, config).items():
            for view, allowed in asked.allowed.items():
                values = np.mean([recalls(one, asked, view, allowed) for one in models], axis=0)
                rows.setdefault(name, {}).setdefault(view, []).append(values)
    return _report(rows, chance)


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


def _entrants(
    asked: Question,
    vectors: Mapping[str, NDArray[np.float32]],
    seeds: Sequence[int],
    config: ContentConfig | None,
) -> dict[str, list[Any]]:
    train = asked.split.train
    entrants: dict[str, list[Any]] = {
        f"{name}, {how}": [TextNearest(train, table, tau=tau)]
        for name, table in vectors.items()
        for how, tau in TAUS.items()
    }
    for name, make in (("popular", Popular), ("item_knn", ItemKNN), ("ease", EASE)):
        entrants[name] = [make().fit(train, rng=np.random.default_rng(0))]
    for name, make in (("item_knn", ItemKNN), ("ease", EASE)):
        knowing = make().fit(asked.past, rng=np.random.default_rng(0))
        entrants[f"{name} that saw who had them"] = [knowing]
    started_s = time.perf_counter()
    entrants["content"] = [
        Content(config).fit(train, rng=np.random.default_rng(seed)) for seed in seeds
    ]
    fit_s = (time.perf_counter() - started_s) / len(seeds)
    console.print(f"  content: {fit_s:.1f} s a fit")
    bare = replace(train, items=train.items.with_text(None))
    entrants["content without texts"] = [Content(config).fit(bare, rng=np.random.default_rng(0))]
    return entrants


def _report(
    rows: Mapping[str, Mapping[str, Sequence[NDArray[np.float64]]]], chance: Sequence[float]
) -> dict[str, Any]:
    """Return means and intervals, and how content stands to chance and to the best rival.

    The rival is the one that is best on these very users, which is more than could be known.
    """
    flat = {
        name: {view: np.concatenate(values) for view, values in views.items()}
        for name, views in rows.items()
    }
    rng = np.random.default_rng(0)
    table = [
        {"model": name}
        | {view: float(values.mean()) for view, values in views.items()}
        | {f"{view}_interval": _interval(values, rng) for view, values in views.items()}
        for name, views in flat.items()
    ]
    rivals = [name for name in flat if name.startswith("text nearest")]
    best = max(rivals, key=lambda name: float(flat[name]["cold_only"].mean()))
    ours, theirs = flat["content"]["cold_only"], flat[best]["cold_only"]
    picks = rng.integers(len(ours), size=(N_REPLICATES, len(ours)))
    ratios = ours[picks].mean(axis=1) / theirs[picks].mean(axis=1)
    return {
        "n_users": len(ours),
        "random": float(np.mean(chance)),
        "times_random": float(ours.mean() / np.mean(chance)),
        "best_rival": best,
        "times_best_rival": float(ours.mean() / theirs.mean()),
        "times_best_rival_interval": np.quantile(ratios, [0.025, 0.975]).tolist(),
        "rows": table,
    }


def _interval(values: NDArray[np.float64], rng: np.random.Generator) -> list[float]:
    means = values[rng.integers(len(values), size=(N_REPLICATES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(low), float(high)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    told = parser.parse_args()
    found = run(told.folder, cache=told.cache, validation=told.validation, seeds=range(told.seeds))
    print(json.dumps(found, indent=1))
