"""Ranks and measures more users than there is memory for lists: `stream N_USERS N_ITEMS K`.

Prints one JSON object: took_s, peak_bytes of the process, and what was measured.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from benchmarks.evaluation.shop import Vectors, make_shop
from endcap.evaluation.lists.rank import ranked_blocks
from endcap.evaluation.metrics.accuracy import MEASURES, find_hits, measure_all
from endcap.evaluation.metrics.exposure import coverage, exposure, gini


def main() -> None:
    """Measure block by block and keep one value a user and metric."""
    n_users, n_items, k = (int(text) for text in sys.argv[1:4])
    shop = make_shop(n_users, n_items)
    split, targets = shop.split, shop.split.targets["discovery"]
    values = np.empty((len(targets), len(MEASURES)))
    shown = np.zeros(n_items, dtype=np.int64)
    started_s = time.perf_counter()
    blocks = ranked_blocks(
        "vectors",
        Vectors(shop),
        targets.users,
        k=k,
        n_items=n_items,
        forbidden=split.seen,
        seed=0,
    )
    for block, settled in blocks:
        rows = np.arange(block.start, block.stop)
        relevant = targets.take(rows).rows()
        values[block] = measure_all(find_hits(settled.ranked, relevant), k)
        shown += exposure(settled.ranked.items, n_items=n_items)
    said = {
        "took_s": time.perf_counter() - started_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "n_users": len(targets),
        "n_items": n_items,
        "k": k,
        "ndcg": float(values[:, list(MEASURES).index("ndcg")].mean()),
        "coverage": coverage(shown),
        "gini": gini(shown),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
