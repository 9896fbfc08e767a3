"""Measures lists with RecTools, ranx and RecPack; run by the Python in `.peers`, without Endcap.

    python measure_with_peers.py CASES.json VALUES.json

A case holds `lists`, `relevant` and `had` (item numbers, one row a user), `n_items`, `cuts`, and
the integer `features` of each item. Values are by case, library, and metric: one number a user,
null where the library has none.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import ranx
import recpack.metrics as recpack
import rectools.metrics as rectools
from rectools.dataset import Interactions
from rectools.model_selection import LastNSplitter
from scipy.sparse import csr_matrix

LIBRARIES = ("rectools", "ranx", "recpack")


def main(source: Path, target: Path) -> None:
    cases = json.loads(source.read_text())
    result = {
        "versions": {name: version(name) for name in LIBRARIES},
        "values": {name: measure(case) for name, case in cases.items()},
        "recall_after_splitter": recall_after_splitter(),
    }
    target.write_text(json.dumps(result))


def measure(case):
    by_library = {"rectools": {}, "ranx": {}, "recpack": {}}
    for k in case["cuts"]:
        by_library["rectools"] |= with_rectools(case, k)
        if not case.get("rectools_only"):
            by_library["ranx"] |= with_ranx(case, k)
            by_library["recpack"] |= with_recpack(case, k)
    return by_library


def with_rectools(case, k):
    reco = table(case["lists"])
    reco["rank"] = reco.groupby("user_id").cumcount() + 1
    relevant, had = table(case["relevant"]), table(case["had"])
    catalog, n_users = range(case["n_items"]), len(case["lists"])
    ranked = {
        "recall": rectools.Recall(k),
        "precision": rectools.Precision(k),
        "precision r_precision": rectools.Precision(k, r_precision=True),
        "ndcg": rectools.NDCG(k),
        "ndcg divide_by_achievable": rectools.NDCG(k, divide_by_achievable=True),
        "hit_rate": rectools.HitRate(k),
        "map": rectools.MAP(k),
        "map divide_by_k": rectools.MAP(k, divide_by_k=True),
        "mrr": rectools.MRR(k),
        "partial auc": rectools.PartialAUC(k),
    }
    found = {name: metric.calc_per_user(reco, relevant) for name, metric in ranked.items()}
    found["novelty"] = rectools.MeanInvUserFreq(k).calc_per_user(reco, had)
    found["popularity"] = rectools.AvgRecPopularity(k).calc_per_user(reco, had)
    found["serendipity"] = rectools.Serendipity(k).calc_per_user(reco, relevant, had, catalog)
    distance = rectools.PairwiseHammingDistanceCalculator(pd.DataFrame(case["features"]))
    found["diversity"] = rectools.IntraListDiversity(k, distance).calc_per_user(reco)
    values = {f"{name}@{k}": by_user(series, n_users) for name, series in found.items()}
    coverage = rectools.CatalogCoverage(k, normalize=True).calc(reco, catalog)
    return values | {f"coverage@{k}": [coverage]}


def with_ranx(case, k):
    qrels = {
        str(user): {str(item): 1 for item in row} or {"nothing": 0}
        for user, row in enumerate(case["relevant"])
    }
    run = {
        str(user): {str(item): -float(place) for place, item in enumerate(row)} or {"-": 0.0}
        for user, row in enumerate(case["lists"])
    }
    names = {"recall", "precision", "ndcg", "hit_rate", "map", "mrr"}
    found = ranx.evaluate(
        ranx.Qrels(qrels),
        ranx.Run(run),
        [*(f"{name}@{k}" for name in names), "mrr"],
        return_mean=False,
        threads=1,
    )
    users = np.array(sorted(qrels)).astype(int)  # ranx sorts queries by name
    return {
        name: by_user(pd.Series(values, index=users), len(qrels)) for name, values in found.items()
    }


def with_recpack(case, k):
    shape = (len(case["lists"]), case["n_items"])
    truth = matrix(case["relevant"], [[1] * len(row) for row in case["relevant"]], shape)
    falling = [[len(row) - place for place in range(len(row))] for row in case["lists"]]
    scores = matrix(case["lists"], falling, shape)
    metrics = {
        "recall": recpack.RecallK(k),
        "recall calibrated": recpack.CalibratedRecallK(k),
        "precision": recpack.PrecisionK(k),
        "ndcg": recpack.NDCGK(k),
        "mrr": recpack.ReciprocalRankK(k),
        "hits": recpack.HitK(k),
    }
    found = {}
    for name, metric in metrics.items():
        metric.calculate(truth, scores)
        series = metric.results.groupby("user_id")["score"].sum()
        found[f"{name}@{k}"] = by_user(series, len(case["lists"]))
    coverage = recpack.CoverageK(k)
    coverage.calculate(truth, scores)
    return found | {f"coverage@{k}": [float(coverage.value)]}


def recall_after_splitter():
    """Return the mean recall when one of two users took a known item and got it, one a new one."""
    rows = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 2],
            "item_id": [10, 11, 11, 12],
            "weight": 1.0,
            "datetime": pd.to_datetime(["2026-01-01", "2026-01-03"] * 2),
        }
    )
    ((_, test, _),) = LastNSplitter(n=1).split(Interactions(rows))
    reco = pd.DataFrame({"user_id": [1, 2], "item_id": [11, 10], "rank": [1, 1]})
    return rectools.Recall(1).calc(reco, rows.iloc[test])


def table(rows):
    pairs = [(user, item) for user, row in enumerate(rows) for item in row]
    return pd.DataFrame(pairs, columns=["user_id", "item_id"], dtype=np.int64)


def matrix(rows, values, shape):
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    flat = [item for row in rows for item in row]
    return csr_matrix((np.concatenate(values).astype(float), (users, flat)), shape=shape)


def by_user(series, n_users):
    values = series.reindex(range(n_users)).astype(float)
    return [None if np.isnan(value) else value for value in values]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
