"""What two published protocols give models, constants and chance, on data of the published shape.

Generated reviews have Electronics' numbers of users, items and reviews and its histogram of stars.
With `ENDCAP_TEST_DATA` set, also on the first 50,009 real ratings of Electronics.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.result import Target, once, write_result
from endcap.evaluation.metrics.blind import SMALLEST_SPAN
from endcap.evaluation.pointwise.report import render_ratings
from endcap.evaluation.pointwise.result import RatingEvaluation
from endcap.evaluation.seeds.report import render_seed
from endcap.evaluation.seeds.result import SeedEvaluation
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.simulate.block import joined
from endcap.simulate.events import SimulatedEvents
from endcap.simulate.presets import preset
from endcap.telemetry import console
from endcap.training.config import TrainingConfig
from endcap.training.judge_ratings import judge_ratings
from endcap.training.judge_seeds import judge_seed_1, judge_seed_2

CONFIG = TrainingConfig(test_days=180, bootstrap_replicates=300)
REAL = Path("amazon_electronics_ratings_head_2014", "ratings.parquet")
PACKAGES = ("duckdb", "numpy", "scikit-learn", "torch")
SHORT_GRID = ((32, 0.05), (32, 0.2), (32, 0.8))


def run(*, quick: bool) -> Path:
    """Judge by both protocols and by the cut in time, and write `results/seeds.json`.

    Args:
        quick: a hundredth of the data; written to a file of its own.
    """
    scale, part = (0.01, 0.01) if quick else (1.0, 0.25)
    reviews_2014 = _simulated("electronics-2014", scale)
    reviews_2018 = _simulated("electronics-2018", scale)
    some, few = (_simulated("electronics-2018", size) for size in (part, min(part, 0.02)))
    whole = _row(f"2018, x {scale:g}", lambda: _without_network(reviews_2018))
    trained = _row(
        f"2018, x {part:g}, sparse steps", lambda: judge_seed_1(some, config=CONFIG, sparse=True)
    )
    dense = _row(
        f"2018, x {min(part, 0.02):g}, dense steps",
        lambda: judge_seed_1(few, ["popular", "als"], config=CONFIG),
    )
    ratings = _row(f"2014, x {scale:g}", lambda: judge_seed_2(reviews_2014, config=CONFIG))
    shuffled = _row(
        f"2014, x {scale:g}, stars shuffled",
        lambda: judge_seed_2(_shuffled(reviews_2014), config=CONFIG, grid=SHORT_GRID),
    )
    temporal = _row(f"2014, x {scale:g}", lambda: judge_ratings(reviews_2014, config=CONFIG))
    rows = [whole, trained, dense, ratings, shuffled, temporal, *_real_rows()]
    return write_result(
        "seeds-quick" if quick else "seeds",
        command=f"make bench NAME=seeds{' QUICK=1' if quick else ''}",
        targets=[*_targets_1(whole, trained, quick=quick), *_targets_2(ratings, shuffled)],
        rows=rows,
        packages=PACKAGES,
    )


def _row(data: str, judge: Callable[[], SeedEvaluation | RatingEvaluation]) -> dict[str, Any]:
    """Return an evaluation as a row of the result, and show it."""
    started_s = time.perf_counter()
    found = judge()
    took_s = time.perf_counter() - started_s
    console.print(f"\n{data}, {took_s:.0f} s")
    if isinstance(found, SeedEvaluation):
        render_seed(found, console)
        return {"data": data, "took_s": took_s, **found.to_dict()}
    render_ratings(found, console)
    return {"data": data, "took_s": took_s, **found.to_dict()}


def _without_network(data: Dataset) -> SeedEvaluation:
    return judge_seed_1(data, config=CONFIG, with_network=False)


def _real_rows() -> list[dict[str, Any]]:
    folder = os.environ.get("ENDCAP_TEST_DATA")
    if not folder or not (Path(folder) / REAL).is_file():
        console.print("no real ratings: ENDCAP_TEST_DATA is not set, or has none")
        return []
    real = _real(Path(folder) / REAL)
    in_file_order = _in_file_order(real)
    return [
        _row("real, file sorted by item", lambda: _without_network(in_file_order)),
        _row(
            "real, equal ratings shuffled",
            lambda: judge_seed_1(in_file_order, config=CONFIG, with_network=False, ties="shuffled"),
        ),
        _row("real", lambda: judge_ratings(real, config=CONFIG)),
    ]


def _targets_1(whole: dict[str, Any], trained: dict[str, Any], *, quick: bool) -> list[Target]:
    half, network = trained["rows"]["constant_half"], trained["rows"]["network"]
    near = 0.005 if quick else 0.0005
    published = (("mse_validation", "MSE", 0.1795), ("mae_validation", "MAE", 0.3950))
    return [
        *(
            once(
                f"seed-1, {name} of the constant 0.5 less the published {value:.4f}, absolute",
                abs(_mean(whole, "constant_half", metric) - value),
                "<=",
                near,
                "",
            )
            for metric, name, value in published
        ),
        once(
            "seed-1, MSE of its network less that of the constant 0.5",
            network["mse_validation"]["mean"] - half["mse_validation"]["mean"],
            "<=",
            0.03 if quick else 0.001,
            "",
        ),
        once(
            "seed-1, MSE of its network / that of the mean label",
            _mean(trained, "network", "mse_validation")
            / _mean(trained, "constant_mean", "mse_validation"),
            ">=",
            3,
            "ratio",
        ),
        once(
            "seed-1, P@10, perfect less random",
            _span(whole, "precision@10"),
            "<=",
            SMALLEST_SPAN,
            "of it",
        ),
    ]


def _targets_2(ratings: dict[str, Any], shuffled: dict[str, Any]) -> list[Target]:
    als = [name for name in shuffled["rows"] if name.startswith("als")]
    best = min(_mean(shuffled, name, "rmse") for name in als)
    furthest = max(
        abs(_mean(table, name, "precision@10") - _mean(table, "random", "precision@10"))
        for table in (ratings, shuffled)
        for name in table["rows"]
        if name.startswith("als")
    )
    return [
        once(
            "seed-2, P@10, perfect less random",
            _span(ratings, "precision@10"),
            "<=",
            SMALLEST_SPAN,
            "of it",
        ),
        once("seed-2, P@10, any ALS less random, at most", furthest, "<=", 2e-3, ""),
        once(
            "seed-2, nothing to learn: RMSE, best ALS / global mean",
            best / _mean(shuffled, "global_mean", "rmse"),
            ">=",
            1.0,
            "ratio",
        ),
        once(
            "seed-2, something to learn: RMSE, mean with biases / best ALS",
            _mean(ratings, "biased_mean", "rmse")
            / min(_mean(ratings, n, "rmse") for n in ratings["rows"] if n.startswith("als")),
            "<=",
            1.0,
            "ratio",
        ),
    ]


def _mean(table: dict[str, Any], row: str, metric: str) -> float:
    return float(table["rows"][row][metric]["mean"])


def _span(table: dict[str, Any], metric: str) -> float:
    """Return how far random scores are from perfect ones, as a share of these."""
    return abs(1.0 - _mean(table, "random", metric) / _mean(table, "oracle", metric))


def _simulated(name: str, scale: float) -> Dataset:
    spec = preset(name) if scale == 1 else preset(name).scaled(scale)
    events = joined(SimulatedEvents(spec))
    return _ratings(
        events.user, events.item, events.value, events.ts_ms * 1000, (spec.n_users, spec.n_items)
    )


def _real(path: Path) -> Dataset:
    with duckdb.connect() as db:
        table = db.execute(
            "SELECT user, asin, rating, ts FROM read_parquet(?)", [str(path)]
        ).fetchnumpy()
    users, user_idx = np.unique(table["user"], return_inverse=True)
    _, first, item_idx = np.unique(table["asin"], return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    ts_us = table["ts"].astype(np.int64) * 1_000_000
    order = np.argsort(ts_us, kind="stable")
    return _ratings(
        user_idx[order],
        place[item_idx][order],
        table["rating"][order],
        ts_us[order],
        (len(users), len(first)),
    )


def _in_file_order(data: Dataset) -> Dataset:
    """Return the ratings in the order of their items, as in the file, at invented times."""
    given = data.interactions
    order = np.argsort(given.item_idx, kind="stable")
    sizes = (data.n_users, data.n_items)
    times_us = np.arange(len(order))
    return _ratings(
        given.user_idx[order], given.item_idx[order], given.value[order], times_us, sizes
    )


def _shuffled(data: Dataset) -> Dataset:
    """Return the same users and items with the stars dealt anew: nothing is left to learn."""
    given = data.interactions
    stars = np.random.default_rng(0).permutation(given.value)
    return replace(data, interactions=replace(given, value=stars))


def _ratings(
    users: np.ndarray[Any, Any],
    items: np.ndarray[Any, Any],
    stars: np.ndarray[Any, Any],
    ts_us: np.ndarray[Any, Any],
    sizes: tuple[int, int],
) -> Dataset:
    n_users, n_items = sizes
    codes = np.full(n_items, -1, dtype=np.int32)
    return Dataset(
        Interactions(
            user_idx=users.astype(np.int32),
            item_idx=items.astype(np.int32),
            kind=np.full(len(users), KIND_CODES[Kind.RATING], dtype=np.uint8),
            value=stars.astype(np.float32),
            price=np.full(len(users), np.nan, dtype=np.float32),
            ts=ts_us.astype(np.int64),
        ),
        n_users=n_users,
        n_items=n_items,
        items=Items(codes, codes, codes),
    )
