"""One measured run of one engine on one file: `python -m benchmarks.ingest.once ENGINE FILE OUT`.

Prints one JSON object: took_s, without the start of the interpreter or of Spark, and counts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

K_CORE = 5
REVIEWS = {
    "user_id": "reviewerID",
    "item_id": "asin",
    "value": "overall",
    "ts": "unixReviewTime",
    "kind": "rating",
}


def main() -> None:
    """Run the named engine and say how long it took."""
    engine, file, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if engine == "pandas":
        from benchmarks.ingest.with_pandas import run as with_pandas

        result = with_pandas(file, out, k_core=K_CORE)
    elif engine == "spark":
        from benchmarks.ingest.with_spark import run as with_spark

        result = with_spark(file, out, k_core=K_CORE)
    elif engine in {"days", "day"}:
        result = _endcap(file, out, thin=False, since=None if engine == "days" else "last")
    else:
        compute = "local[2]" if engine == "endcap-on-spark" else "local://"
        result = _endcap(file, out, compute=compute)
    print(json.dumps(result))


def _endcap(
    file: Path,
    out: Path,
    *,
    compute: str = "local://",
    thin: bool = True,
    since: str | None = None,
) -> dict[str, Any]:
    from endcap.ingest.config import IngestConfig
    from endcap.ingest.privacy.config import PrivacyConfig
    from endcap.ingest.run import Given, ingest
    from endcap.ingest.snapshot import load_dataset
    from endcap.ingest.work import Thinning

    started_s = time.perf_counter()
    snapshot = ingest(
        str(file),
        root=out,
        given=Given(mapping=REVIEWS if thin else None, since=since),
        thinning=Thinning(k_core=K_CORE) if thin else None,
        config=IngestConfig(compute=compute),
        privacy=PrivacyConfig(user_id="keep"),
    )
    ingested_s = time.perf_counter() - started_s
    if thin:
        _features(load_dataset(snapshot.path))
    counts = snapshot.manifest.counts
    return {
        "took_s": time.perf_counter() - started_s,
        "ingest_s": ingested_s,
        "rows_in": counts.rows_in,
        "kept": counts.kept,
        "users": counts.users,
        "items": counts.items_with_interactions,
    }


def _features(data: Any) -> None:
    import numpy as np

    from endcap.features.point_in_time import item_features, totals_of, user_features
    from endcap.features.spec import FeatureSpec

    spec = FeatureSpec()
    items = item_features(data.interactions, data.items, at_us=data.end_us, spec=spec)
    user_features(
        data.interactions,
        data.items,
        users=np.arange(data.n_users, dtype=np.int32),
        at_us=data.end_us,
        spec=spec,
        totals=totals_of(items, data.items, spec=spec),
    )


if __name__ == "__main__":
    main()
