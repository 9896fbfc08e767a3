"""The measurements of the evaluation: ratios within one round, rivals beside, the large in a child.

Lists are of Amazon Beauty's size: 22,363 users, 12,101 items, 64 numbers a vector, the best 100.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation.shop import Shop, Vectors, make_shop
from benchmarks.result import Target, once, write_result
from endcap.evaluation.certainty.bootstrap import resample
from endcap.evaluation.lists.rank import Lists, rank_users
from endcap.evaluation.metrics.accuracy import MEASURES, find_hits, measure_all
from endcap.evaluation.metrics.exposure import coverage, entropy, exposure, gini
from endcap.evaluation.metrics.ground import ground_of
from endcap.evaluation.metrics.variety import VARIETY, measure_variety

N_USERS, N_ITEMS, K = 22_363, 12_101, 100
N_LARGE = (1_000_000, 160_000, 10)
N_MODELS = 8
AT_ONCE = 256
REST_S = 0.5  # until the threads of the linear algebra library stop waiting for more work
ROUNDS = 3
PEERS = Path(".peers/bin/python")
ACCURACY = ("accuracy", "auc")


def run(*, quick: bool) -> Path:
    """Measure and write `results/evaluation.json`.

    Args:
        quick: fewer users and one round; written to a file of its own.
    """
    if not PEERS.is_file():
        sys.exit("this benchmark needs RecTools in an environment of its own: make test-peers")
    n_users, rounds = (3_000, 2) if quick else (N_USERS, ROUNDS)
    shop = make_shop(n_users, N_ITEMS)
    targets, rows = _ranking(shop, rounds)
    lists = _rank(shop)
    for more_targets, more_rows in (
        _metrics(shop, lists, rounds),
        _bootstrap(shop, lists, rounds),
        _stream((20_000, 160_000, 10) if quick else N_LARGE),
    ):
        targets += more_targets
        rows += more_rows
    return write_result(
        "evaluation-quick" if quick else "evaluation",
        command=f"make bench NAME=evaluation{' QUICK=1' if quick else ''}",
        targets=targets,
        rows=rows,
        packages=("numpy", "scipy"),
    )


def _ranking(shop: Shop, rounds: int) -> tuple[list[Target], list[dict[str, Any]]]:
    """Compare scores, and lists of the best 100, with the bare product of the vectors."""
    model, users = Vectors(shop), shop.split.targets["discovery"].users
    buffer = np.empty((512, len(shop.item_vectors)), dtype=np.float32)

    def product() -> None:
        for start in range(0, len(users), len(buffer)):
            block = shop.user_vectors[users[start : start + len(buffer)]]
            np.matmul(block, shop.item_vectors.T, out=buffer[: len(block)])

    def scores() -> None:
        for start in range(0, len(users), AT_ONCE):
            model.score(users[start : start + AT_ONCE])

    took: dict[str, list[float]] = {
        "product": [], "scores": [], "lists": [], "checked lists": []
    }  # fmt: skip
    for _ in range(rounds):
        took["product"].append(_timed(product))
        took["scores"].append(_timed(scores))
        time.sleep(REST_S)
        took["lists"].append(_timed(lambda: model.recommend(users, K)))
        took["checked lists"].append(_timed(lambda: _rank(shop)))
    targets = [
        _ratio("speed of all scores / bare product", took, "scores", 0.6),
        _ratio("speed of the best 100, seen items left out / bare product", took, "lists", 0.6),
    ]
    return targets, [{"what": "ranking", "n_users": len(users), "took_s": took}]


def _metrics(shop: Shop, lists: Lists, rounds: int) -> tuple[list[Target], list[dict[str, Any]]]:
    """Compare all metrics of ready lists with what RecTools takes for those of its own."""
    ours: dict[str, list[float]] = {"accuracy": [], "variety": []}
    theirs: list[dict[str, Any]] = []
    for _ in range(rounds):
        measured, took_s = _measure(shop, lists)
        for name, one in took_s.items():
            ours[name].append(one)
        theirs.append(_with_rectools(shop, lists))
    accuracy = [
        sum(run["took_s"][name] for name in ACCURACY) / mine
        for run, mine in zip(theirs, ours["accuracy"], strict=True)
    ]
    without_auc = [
        run["took_s"]["accuracy"] / mine for run, mine in zip(theirs, ours["accuracy"], strict=True)
    ]
    # The diversity of RecTools is of a tenth of the users, so it stays out of the ratio.
    every = [
        (sum(run["took_s"].values()) - run["took_s"]["diversity"]) / (mine + more)
        for run, mine, more in zip(theirs, ours["accuracy"], ours["variety"], strict=True)
    ]
    targets = [
        _median("RecTools, all metrics but diversity / Endcap, all metrics", every, 5),
        _median("RecTools, accuracy with AUC / Endcap, accuracy", accuracy, 5),
        _median("RecTools, accuracy without AUC / Endcap, accuracy with it", without_auc, 5),
    ]
    rows = [
        {
            "what": "metrics",
            "endcap_s": ours,
            "rectools_s": [run["took_s"] for run in theirs],
            "endcap": measured,
            "rectools": theirs[0]["values"],
            "rectools_version": theirs[0]["version"],
        }
    ]
    return targets, rows


def _measure(shop: Shop, lists: Lists) -> tuple[dict[str, float], dict[str, float]]:
    targets = shop.split.targets["discovery"]
    n_candidates = np.full(len(targets), shop.split.train.n_items - 1)
    started_s = time.perf_counter()
    hits = find_hits(lists.ranked, targets.rows(), n_candidates=n_candidates)
    accuracy = measure_all(hits, K)
    accurate_s = time.perf_counter()
    variety = measure_variety(lists.ranked, hits, targets.users, ground_of(shop.split), k=K)
    shown = exposure(lists.ranked.items, n_items=shop.split.train.n_items)
    catalogue = {"coverage": coverage(shown), "gini": gini(shown), "entropy": entropy(shown)}
    done_s = time.perf_counter()
    means = dict(zip(MEASURES, accuracy.mean(axis=0).tolist(), strict=True))
    means |= dict(zip(VARIETY, np.nanmean(variety, axis=0).tolist(), strict=True))
    took_s = {"accuracy": accurate_s - started_s, "variety": done_s - accurate_s}
    return means | catalogue, took_s


def _with_rectools(shop: Shop, lists: Lists) -> dict[str, Any]:
    targets, train = shop.split.targets["discovery"], shop.split.train
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as folder:
        file = Path(folder) / "lists.npz"
        np.savez(
            file,
            lists=lists.ranked.items,
            users=targets.users,
            target_users=targets.users,
            targets=targets.items,
            had_users=train.interactions.user_idx,
            had_items=train.interactions.item_idx,
            features=np.stack(
                [train.items.department, train.items.category, train.items.brand], axis=1
            ),
        )
        script = Path(__file__).with_name("with_rectools.py")
        done = subprocess.run(
            [str(PEERS), str(script), str(file)], stdout=subprocess.PIPE, check=True
        )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _bootstrap(shop: Shop, lists: Lists, rounds: int) -> tuple[list[Target], list[dict[str, Any]]]:
    """Time 1,000 resamples of the users, for as many models as the default configuration has."""
    targets = shop.split.targets["discovery"]
    columns = measure_all(find_hits(lists.ranked, targets.rows()), K)[:, :-1]
    columns = np.hstack([columns, columns])
    values = {f"model {place}": columns for place in range(N_MODELS)}
    took_s = [
        _timed(lambda: resample(values, n_replicates=1_000, rng=np.random.default_rng(0)))
        for _ in range(rounds)
    ]
    shape = f"{len(columns):,} users, {N_MODELS} models, {columns.shape[1]} metrics"
    target = Target(
        f"1,000 replicates, {shape}",
        statistics.median(took_s),
        (min(took_s), max(took_s)),
        "<=",
        5.0,
        "s",
    )
    return [target], [{"what": "bootstrap", "took_s": took_s}]


def _stream(sizes: tuple[int, int, int]) -> tuple[list[Target], list[dict[str, Any]]]:
    n_users, n_items, k = sizes
    command = [sys.executable, "-m", "benchmarks.evaluation.stream", *map(str, sizes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    said = json.loads(done.stdout)
    name = f"peak memory, {n_users:,} users x {n_items:,} items, best {k}, all in one pass"
    target = once(name, said["peak_bytes"] / 1e9, "<=", 4.0, "GB")
    return [target], [{"what": "stream", **said}]


def _rank(shop: Shop) -> Lists:
    return rank_users(
        "vectors",
        Vectors(shop),
        shop.split.targets["discovery"].users,
        k=K,
        n_items=len(shop.item_vectors),
        forbidden=shop.split.seen,
        seed=0,
    )


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _ratio(name: str, took: dict[str, list[float]], what: str, limit: float) -> Target:
    ratios = [bare / ours for bare, ours in zip(took["product"], took[what], strict=True)]
    return _median(name, ratios, limit)


def _median(name: str, ratios: list[float], limit: float) -> Target:
    return Target(name, statistics.median(ratios), (min(ratios), max(ratios)), ">=", limit, "ratio")
