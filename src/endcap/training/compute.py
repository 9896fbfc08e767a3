"""Where models are fitted: on this machine, or by a Spark cluster.

Nothing of Spark or torch is imported before somebody asks for a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from endcap.ingest.compute.cluster import is_spark_master, spark_session
from endcap.ingest.scratch import scratch_in
from endcap.schema.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from endcap.training.on_spark import Cluster

LOCAL = "local://"
PACKAGES = ("pyspark", "pyarrow", "pandas")


@contextmanager
def open_compute(compute: str, *, root: Path, memory_gb: float) -> Iterator[Cluster | None]:
    """Yield the Spark cluster that fits models; None for local://, where this machine does.

    Args:
        compute: local://, or a Spark master, as `ingest.compute` has it.
        root: a folder at the same place for every worker, made if need be; what is put there for
            the workers is gone at the end.
        memory_gb: of the driver, and of each worker's process.

    Raises:
        SettingsError: `compute` is neither.
        StoreError: Spark is not installed, or does not start; see `spark_session`.

    Cost: as of `spark_session`.
    """
    if compute == LOCAL:
        yield None
        return
    _check(compute)
    from endcap.training.on_spark import Cluster

    with (
        scratch_in(root, ".spark-", keep_root=False) as shared,
        spark_session(compute, scratch=shared, memory_gb=memory_gb) as session,
    ):
        yield Cluster(session, shared)


def _check(compute: str) -> None:
    if not is_spark_master(compute):
        raise SettingsError(
            f"{compute!r} is neither {LOCAL} nor a Spark master",
            where="training.compute",
            mend="Such as spark://host:7077 or local[*]",
        )
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise StoreError(
            f"Apache Spark needs packages that are not installed: {', '.join(missing)}",
            where=compute,
            mend="Run: pip install 'endcap[spark]'",
        )
