"""The engines on which the steps of an ingest run; the steps themselves are written once, as SQL.

`protocol` says what an engine can do, `local` is DuckDB, `spark` is Apache Spark.
"""
