"""Measures given lists with RecTools, without Endcap: `.peers/bin/python with_rectools.py LISTS`.

Prints one JSON object: seconds by group of metrics, data frames ready beforehand, and values.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import rectools.metrics as metrics
from rectools import Columns

K = 100
A_TENTH = 10
"""Of the users for diversity, which lists every pair: all of them need more than 24 GB."""


def main() -> None:
    """Measure the lists of the file that is named."""
    with np.load(sys.argv[1]) as file:
        arrays = {name: file[name] for name in file.files}
    lists = arrays["lists"]
    users = arrays["users"]
    reco = pd.DataFrame(
        {
            Columns.User: np.repeat(users, lists.shape[1]),
            Columns.Item: lists.ravel(),
            Columns.Rank: np.tile(np.arange(1, lists.shape[1] + 1), len(users)),
        }
    )
    wanted = pd.DataFrame({Columns.User: arrays["target_users"], Columns.Item: arrays["targets"]})
    had = pd.DataFrame({Columns.User: arrays["had_users"], Columns.Item: arrays["had_items"]})
    catalogue = np.arange(len(arrays["features"]))
    distance = metrics.PairwiseHammingDistanceCalculator(pd.DataFrame(arrays["features"]))
    groups = {
        "accuracy": {
            "recall": metrics.Recall(K),
            "precision": metrics.Precision(K),
            "ndcg": metrics.NDCG(K, divide_by_achievable=True),
            "hit_rate": metrics.HitRate(K),
            "map": metrics.MAP(K),
            "mrr": metrics.MRR(K),
        },
        "auc": {"auc": metrics.PartialAUC(K)},
        "catalogue": {"coverage": metrics.CatalogCoverage(K, normalize=True)},
        "popularity": {
            "novelty": metrics.MeanInvUserFreq(K),
            "popularity": metrics.AvgRecPopularity(K),
            "serendipity": metrics.Serendipity(K),
        },
        "diversity": {"diversity": metrics.IntraListDiversity(K, distance)},
    }
    took_s, values = {}, {}
    few = reco[reco[Columns.User].isin(users[: len(users) // A_TENTH])]
    for name, group in groups.items():
        lists = few if name == "diversity" else reco
        started_s = time.perf_counter()
        values |= metrics.calc_metrics(group, lists, wanted, had, catalogue)
        took_s[name] = time.perf_counter() - started_s
    said = {"took_s": took_s, "values": values, "version": version("rectools")}
    print(json.dumps(said, default=float))


if __name__ == "__main__":
    main()
