"""What a table engine can do; every step of an ingest is written against this and nothing else.

The SQL of the steps is DuckDB's dialect, restricted to what `translate` can turn into Spark's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from endcap.ingest.readers import RawTable

Column = tuple[str, Sequence[object]]
"""The SQL type of a column, and its values."""


class Compute(Protocol):
    """An engine with named tables; a table never changes once it is made, only replaced whole."""

    def read(self, name: str, table: RawTable, fields: Mapping[str, str]) -> None:
        """Make the table `name` of a raw file, each value as text.

        Its columns: `file_row` BIGINT, the number of the record in the file, from 1, blank lines
        not counted; `broken` VARCHAR, why the record is no row, or NULL; and one VARCHAR column a
        field.

        Args:
            name: of the new table.
            table: what `open_table` returned.
            fields: name of the new column -> column of the file; nested values come as JSON text.

        Raises:
            DataError: the file cannot be read to its end.
        """
        ...

    def records(self, table: RawTable, rows: str) -> Iterator[tuple[int, str | None]]:
        """Yield (file_row, raw text) of some records, in the order of the file.

        The text is the line itself for JSON lines, else a JSON object of the columns in the order
        of the file, values as text; for a record that is no row it is what stands in the file.

        Args:
            table: what `read` read before.
            rows: a SELECT of one column `file_row`.
        """
        ...

    def load(self, name: str, paths: Sequence[Path]) -> None:
        """Make the table `name` of the rows of Parquet files that have the same columns."""
        ...

    def put(self, name: str, columns: Mapping[str, Column]) -> None:
        """Make a small table of Python values."""
        ...

    def make(self, name: str, select: str) -> None:
        """Make the table `name` of the rows of a SELECT, evaluated once."""
        ...

    def drop(self, name: str) -> None:
        """Forget a table, and give back what it takes."""
        ...

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; for small results."""
        ...

    def write(self, source: str, *, columns: Mapping[str, str], order: str, path: Path) -> None:
        """Write the rows of a SELECT as one Parquet file.

        The same rows give the same bytes, on every engine and machine: the last step is always
        the local engine's.

        Args:
            source: a SELECT with at least the columns that are written or ordered by.
            columns: name -> type in the file, in the order of the file.
            order: what the rows are ordered by; it must leave no ties between different rows.
            path: of the file; its folder is made if need be.
        """
        ...
