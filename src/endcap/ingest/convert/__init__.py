"""Turns what is no table into one: lines into JSON lines, several files into one Parquet file.

`CONVERTERS` work on lines, one for one; `tables` works on whole files with SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from endcap.ingest.convert import amazon_meta, literals

Converter = Callable[[Iterator[bytes]], Iterator[bytes]]

CONVERTERS: Mapping[str, Converter] = {
    "amazon_meta": amazon_meta.convert,
    "literals": literals.convert,
}
"""Each yields a line, without its end, for each line; what it cannot turn stays as it is."""

__all__ = ["CONVERTERS", "Converter"]
