"""From a URL to an engine: `local://`, or whatever Spark takes for a master."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.compute.protocol import Compute
from endcap.schema.errors import SettingsError

LOCAL = "local://"
SPARK_MASTERS = ("spark://", "local[", "local-cluster[")


def open_compute(url: str, scratch: Path, *, memory_gb: float) -> AbstractContextManager[Compute]:
    """Return an engine, to be used in a `with` block.

    Args:
        url: `local://`, or a Spark master such as `spark://host:7077` or `local[*]`.
        scratch: an empty folder for what does not fit into memory; every worker must reach it.
        memory_gb: of the local engine, or of the Spark driver.

    Raises:
        SettingsError: the URL is neither.
        StoreError: Spark or Java is not installed, or the master cannot be reached.
    """
    if url == LOCAL:
        limit = f"{int(memory_gb * 1024)}MiB"
        return cast("AbstractContextManager[Compute]", LocalCompute(scratch, memory_limit=limit))
    if not url.startswith(SPARK_MASTERS):
        raise SettingsError(
            f"{url!r} is no engine",
            where="ingest.compute",
            mend=f"Use {LOCAL} or a Spark master: {', '.join(SPARK_MASTERS)}…",
        )
    from endcap.ingest.compute.spark import SparkCompute

    return cast(
        "AbstractContextManager[Compute]", SparkCompute(url, scratch=scratch, memory_gb=memory_gb)
    )
