"""The measurement behind the choice of the table engine: the same steps in DuckDB and Polars."""

from benchmarks.tables.suite import run

__all__ = ["run"]
