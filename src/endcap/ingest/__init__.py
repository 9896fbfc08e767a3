"""Raw facts in any format in, one clean and versioned snapshot out; see `ingest.snapshot`.

The only room besides training that knows DuckDB.
"""
