"""Items that nobody had, on Amazon Industrial and Scientific: who finds them by their text.

A draw hides a tenth of the items. Asked is each user who took one of them among the last two items,
told all that came before. Settings are chosen on another tenth, with the measured items taken out
altogether (`measure(..., validation=True)`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.cold_questions import (
    TEST_DRAW,
    K,
    Question,
    TextNearest,
    ask,
    read,
    recalls,
)
from benchmarks.models.data import folder_of
from benchmarks.result import Target, once, write_result
from endcap.models.content.model import Content, ContentConfig
from endcap.models.content.text_config import TextConfig
from endcap.models.content.text_encoder import text_vectors
from endcap.models.ease.model import EASE
from endcap.models.neighbours.item_knn import ItemKNN
from endcap.models.popular import Popular
from endcap.telemetry import console

FOLDER = "amazon_scientific_5core_2018_text"
TEXTS = Path("var/benchmarks/texts")
N_SEEDS = 3
RIVALS = {
    "text nearest, tfidf": "tfidf",
    "text nearest, MiniLM": "all-MiniLM-L6-v2",
    "text nearest, both": "all-MiniLM-L6-v2+tfidf",
}
TAUS = {"whole history": 1e9, "recent foremost": 3.0, "last item": 1e-2}
N_REPLICATES = 1_000


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.cold_items.json`.

    Args:
        quick: one seed, and words alone in the place of an encoder.
    """
    encoders = {"text nearest, tfidf": "tfidf"} if quick else RIVALS
    seeds = range(1 if quick else N_SEEDS)
    found = measure(folder_of(FOLDER), encoders=encoders, cache=TEXTS, seeds=seeds)
    rows = [
        {"what": "question", **{key: found[key] for key in ("n_users", "random", "best_rival")}}
    ]
    rows += [{"what": "model", **row} for row in found["rows"]]
    return write_result(
        "models.cold_items-quick" if quick else "models.cold_items",
        command=f"make bench NAME=models.cold_items{' QUICK=1' if quick else ''}",
        targets=_targets(found),
        rows=rows,
        packages=("numpy", "scipy", "torch", "scikit-learn"),
    )


def measure(
    folder: Path,
    *,
    encoders: Mapping[str, str] = RIVALS,
    cache: Path | None = None,
    validation: bool = False,
    seeds: Sequence[int] = (0,),
    config: ContentConfig | None = None,
    draws: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return Recall@20 of each model among cold items, and among all, with 95 % intervals.

    Args:
        folder: of `amazon_scientific_5core_2018_text`.
        encoders: of the texts, by the name of the rival; content reads the last of them.
        cache: keeps the vectors of the texts.
        validation: ask for items that are not measured in the end; the measured ones are taken out.
        seeds: of `content`, whose values are means over them.
        config: of `content`; the defaults when None.
        draws: which draws of hidden items; one measured, or three to choose by.
    """
    data, texts = read(folder)
    vectors = {
        name: text_vectors(texts, TextConfig(encoder=encoder), cache=cache)
        for name, encoder in encoders.items()
    }
    data = replace(data, items=data.items.with_text(vectors[list(encoders)[-1]]))
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


def _targets(found: Mapping[str, Any]) -> list[Target]:
    low, high = found["times_best_rival_interval"]
    beside = f"content / {found['best_rival']}, Recall@{K} among cold items"
    return [
        once(
            f"content / random, Recall@{K} among cold items",
            found["times_random"],
            ">=",
            5.0,
            "ratio",
        ),
        Target(beside, found["times_best_rival"], (low, high), ">=", 2.0, "ratio"),
    ]
