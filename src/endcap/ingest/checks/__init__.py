"""The checks of a data contract, one section a file; `endcap.ingest.contract` runs them.

Each finds out whether an expectation holds and, when it does not, since when and why that may be.
"""
