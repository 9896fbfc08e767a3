"""How fast raw reviews become a snapshot with features, against pandas and Spark, and at size."""

from benchmarks.ingest.suite import run

__all__ = ["run"]
