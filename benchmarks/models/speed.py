"""Epochs beside RecTools' networks of the same size, ALS beside bare `implicit`, EASE when large.

Rounds alternate between ours and theirs, one thread each, and a ratio is of one round. Seconds of
an epoch are those of a whole fit, preparation included, divided by its epochs. The networks learn
Amazon Beauty without the last two items of everybody, and their NDCG@10 is of the item before the
last. An epoch is a look at every event. What DSSM calls one is a pair of items of each user, so as
many of those are an epoch here as a user has events on average; both ways are in the result.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from benchmarks.models.data import folder_of, leave_one_out_data, tenth_of
from benchmarks.models.fits import stale
from benchmarks.models.large import large_data
from benchmarks.models.rivals import ONE_THREAD, VIEW, hand_over, lists_of, run_peer
from benchmarks.result import Target, once, write_result
from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.split import Split
from endcap.models import registry
from endcap.models.als import ALS, ALSConfig
from endcap.models.threads import one_blas_thread
from endcap.schema.dataset import Dataset
from endcap.training.run import model_rng

FOLDER = "amazon_beauty_5core_2014"
PAIRS = {"sequence": "sasrec", "two_tower": "dssm"}
SAID = {"sasrec": "RecTools SASRec", "dssm": "RecTools DSSM"}
ROUNDS, N_EPOCHS = 3, 2
ALPHA = 5.0
MIN_FASTER, MAX_ALS_RATIO, MAX_EASE_BYTES = 2.0, 1.05, 8e9


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.speed.json`.

    Args:
        quick: a tenth of Beauty's users, only two towers, an epoch and a round; ALS on Beauty; no
            EASE.
    """
    data = leave_one_out_data(folder_of(FOLDER))
    n_rounds, n_epochs = (1, 1) if quick else (ROUNDS, N_EPOCHS)
    pairs = {"two_tower": "dssm"} if quick else PAIRS
    split = stale(tenth_of(data) if quick else data, "validation")
    rows = _networks(split, pairs, n_rounds=n_rounds, n_epochs=n_epochs)
    rows.append(_als(data if quick else large_data(), n_rounds))
    if not quick:
        rows.append(_ease())
    return write_result(
        "models.speed-quick" if quick else "models.speed",
        command=f"make bench NAME=models.speed{' QUICK=1' if quick else ''}",
        targets=[target for row in rows for target in _targets(row)],
        rows=rows,
        packages=("numpy", "scipy", "torch", "implicit"),
    )


def _networks(
    split: Split, pairs: Mapping[str, str], *, n_rounds: int, n_epochs: int
) -> list[dict[str, Any]]:
    rows = []
    popular = registry.create("popular").fit(split.train, rng=model_rng(0, "popular"))
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as name:
        folder = Path(name)
        hand_over(folder, {"validation": split})
        for own, peer in pairs.items():
            models: dict[str, Ranker] = {"popular": popular}
            took: dict[str, list[float]] = {"own_s": [], "peer_s": []}
            n_of_peer = n_epochs * (_events_a_user(split.train) if peer == "dssm" else 1)
            for _ in range(n_rounds):
                models[own], own_s = _own_fit(own, split.train, n_epochs)
                said = json.loads(run_peer("peer_epochs", folder, peer, n_of_peer).splitlines()[-1])
                took["own_s"].append(own_s / n_epochs)
                took["peer_s"].append(said["fit_s"] / n_epochs)
            models[SAID[peer]] = lists_of(folder, peer, split, unknown=popular)
            quality = _quality(models, split)
            rows.append(
                {
                    "what": "epoch",
                    "model": own,
                    "peer": SAID[peer],
                    "n_epochs": n_epochs,
                    "n_epochs_as_the_peer_counts": n_of_peer,
                    **took,
                    "own_ndcg": quality[own],
                    "peer_ndcg": quality[SAID[peer]],
                    "peer_versions": said["versions"],
                }
            )
    return rows


def _events_a_user(data: Dataset) -> int:
    told = data.interactions
    return round(len(told) / len(np.unique(told.user_idx)))


def _own_fit(name: str, learnt: Dataset, n_epochs: int) -> tuple[Ranker, float]:
    epochs = {"loop": {"n_epochs": n_epochs}} if name == "sequence" else {"epochs": n_epochs}
    model = registry.create(name, {"n_threads": 1, "device": "cpu", **epochs})
    with one_blas_thread():
        started_s = time.perf_counter()
        fitted = model.fit(learnt, rng=model_rng(0, name))
        return fitted, time.perf_counter() - started_s


def _quality(models: Mapping[str, Ranker], split: Split) -> dict[str, list[float]]:
    """Return NDCG@10 with its interval, by model."""
    terms = Terms(k=10, exact_auc=False, slices=False)
    judged = evaluate(models, split, rng=model_rng(0, "evaluation"), terms=terms).evaluation
    means = {name: one.metrics["ndcg"] for name, one in judged.views[VIEW].models.items()}
    return {name: [mean.mean, mean.low, mean.high] for name, mean in means.items()}


def _als(data: Dataset, n_rounds: int) -> dict[str, Any]:
    """Compare a whole fit of ours with the library's own on a matrix that is ready."""
    config = ALSConfig(alpha=ALPHA, half_life_days=365.0, n_threads=1)
    told = data.interactions
    matrix = sparse.csr_matrix(
        (np.full(len(told), ALPHA, dtype=np.float32), (told.user_idx, told.item_idx)),
        shape=(data.n_users, data.n_items),
    )
    took: dict[str, list[float]] = {"own_s": [], "peer_s": []}
    for _ in range(n_rounds):
        started_s = time.perf_counter()
        ALS(config).fit(data, rng=np.random.default_rng(0))
        took["own_s"].append(time.perf_counter() - started_s)
        bare = AlternatingLeastSquares(
            factors=config.embedding_size,
            regularization=config.reg,
            iterations=config.iterations,
            num_threads=1,
            random_state=0,
        )
        with one_blas_thread():
            started_s = time.perf_counter()
            bare.fit(matrix, show_progress=False)
            took["peer_s"].append(time.perf_counter() - started_s)
    return {"what": "als", "n_items": data.n_items, "n_events": len(told), **took}


def _ease() -> dict[str, Any]:
    """Return what EASE takes on a large catalogue, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.models.large"],
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {"what": "ease", **json.loads(done.stdout.splitlines()[-1])}


def _targets(row: Mapping[str, Any]) -> list[Target]:
    if row["what"] == "ease":
        name = f"EASE, {row['n_items']:,} items, peak memory"
        return [once(name, row["peak_bytes"] / 1e9, "<=", MAX_EASE_BYTES / 1e9, "GB")]
    pairs = list(zip(row["own_s"], row["peer_s"], strict=True))
    if row["what"] == "als":
        ratios = [own / peer for own, peer in pairs]
        return [_median("ALS / bare implicit, seconds", ratios, "<=", MAX_ALS_RATIO)]
    beside = f"{row['peer']} / {row['model']}"
    ratios = [peer / own for own, peer in pairs]
    faster = _median(f"{beside}, seconds for a look at every event", ratios, ">=", MIN_FASTER)
    better = once(
        f"{row['model']} / {row['peer']}, NDCG@10 after {row['n_epochs']} epochs",
        row["own_ndcg"][0] / row["peer_ndcg"][0],
        ">=",
        1.0,
        "ratio",
    )
    n_counted = row["n_epochs_as_the_peer_counts"] / row["n_epochs"]
    if n_counted == 1:
        return [faster, better]
    name = f"{beside}, seconds of what each calls an epoch"
    as_called = _median(name, [ratio / n_counted for ratio in ratios], ">=", MIN_FASTER)
    return [faster, as_called, better]


def _median(name: str, ratios: list[float], op: str, limit: float) -> Target:
    return Target(name, statistics.median(ratios), (min(ratios), max(ratios)), op, limit, "ratio")
