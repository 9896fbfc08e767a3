"""What each metric is called, what it means in a few words, and which end of it is better.

How they are computed is in `accuracy.py`, `variety.py` and `exposure.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricText:
    """How a metric is shown.

    label: heading of its column; `@k` is added where it depends on the list length.
    meaning: what it says of one list, in a few words.
    better: which end is better; "neither" where it depends on what the shop wants.
    of: accuracy; variety, one value a user as well; or the catalogue, one value for all lists.
    """

    label: str
    meaning: str
    better: Literal["higher", "lower", "neither"]
    of: Literal["accuracy", "variety", "catalogue"]


METRICS: Mapping[str, MetricText] = {
    "recall": MetricText("Recall", "share of the targets that is listed", "higher", "accuracy"),
    "precision": MetricText(
        "Precision", "share of the positions that hold a target", "higher", "accuracy"
    ),
    "ndcg": MetricText("NDCG", "targets listed, early ones counting more", "higher", "accuracy"),
    "hit_rate": MetricText("HitRate", "whether any target is listed", "higher", "accuracy"),
    "map": MetricText("MAP", "precision at each target, averaged", "higher", "accuracy"),
    "mrr": MetricText("MRR", "one over the rank of the first target", "higher", "accuracy"),
    "auc": MetricText(
        "AUC",
        "share of target and other item in right order, whole catalogue",
        "higher",
        "accuracy",
    ),
    "novelty": MetricText(
        "Novelty", "bits: how rarely others had the listed items", "neither", "variety"
    ),
    "popularity_bias": MetricText(
        "PopBias", "how much more popular than the user's history the list is", "neither", "variety"
    ),
    "serendipity": MetricText(
        "Serendip", "targets listed that popularity would not list", "higher", "variety"
    ),
    "diversity": MetricText(
        "Diversity", "how unlike each other the items are", "higher", "variety"
    ),
    "calibration": MetricText(
        "Miscalib", "how far the categories are from those of the history", "lower", "variety"
    ),
    "coverage": MetricText("Cover", "share of the catalogue in any list", "higher", "catalogue"),
    "gini": MetricText(
        "Gini", "0: all items listed equally often; 1: one item", "lower", "catalogue"
    ),
    "entropy": MetricText(
        "Entropy", "how evenly items are listed, 1 for equally", "higher", "catalogue"
    ),
}


def label_of(metric: str, k: int) -> str:
    """Return a metric as the heading of a column, such as "NDCG@10"; its name when not known.

    The AUC knows no list length. Variety is of the same lists, but has no room for saying so.
    """
    text = METRICS.get(metric)
    if text is None:
        return metric
    return text.label if metric == "auc" or text.of == "variety" else f"{text.label}@{k}"
