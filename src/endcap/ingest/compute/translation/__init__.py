"""How rules in the local engine's SQL become Spark's; `endcap.ingest.compute.translate` uses it."""
