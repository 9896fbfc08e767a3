"""Apache Spark behind the protocol `Compute`: the same rules, on one machine or on many.

What Spark is not sure to read as the local engine does, the local engine reads; so does it write
the last file. Everything in between is Spark's.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from endcap.ingest.compute.cluster import spark_session
from endcap.ingest.compute.local import LocalCompute, write_canonical
from endcap.ingest.compute.protocol import Column
from endcap.ingest.compute.spark_raw import name as _name
from endcap.ingest.compute.spark_raw import url as _url
from endcap.ingest.compute.spark_read import Reader
from endcap.ingest.engine import identifier, literal, plain_path
from endcap.ingest.readers import RawTable
from endcap.ingest.staging import Format
from endcap.schema.errors import SettingsError, StoreError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

UNNAMED = "_col_"

_SPARK_TYPES = {
    "VARCHAR": "STRING",
    "JSON": "STRING",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INT",
    "UINTEGER": "BIGINT",
    "HUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    '"NULL"': "INT",
}


class SparkCompute:
    """Spark behind the protocol `Compute`; a context manager that ends what it started.

    Args:
        master: spark://host:port, local[2], local[*] or local-cluster[2,1,1024].
        scratch: an empty folder for tables, which every worker sees at the same place.
        memory_gb: of the driver, and of each worker's process.

    Raises:
        StoreError: Spark or what goes with it is not installed.
    """

    def __init__(self, master: str, *, scratch: Path, memory_gb: float = 1.0) -> None:
        _need_packages(master)
        self._master = master
        self._scratch = scratch
        self._memory_gb = memory_gb
        self._open = ExitStack()
        self._session: SparkSession | None = None
        self._local: LocalCompute | None = None
        self._types: dict[str, dict[str, str]] = {}
        self._folders: dict[str, Path] = {}
        self._n_made = 0
        # Empty tables of the same columns: what a SELECT yields is asked of the local engine.
        self._shadow = self._open.enter_context(duckdb.connect())

    def __enter__(self) -> SparkCompute:
        return self

    def __exit__(self, *failure: object) -> None:
        self._session = None
        self._open.close()

    @property
    def session(self) -> SparkSession:
        """The session, started when it is first asked for."""
        if self._session is None:
            self._session = self._open.enter_context(
                spark_session(self._master, scratch=self._scratch, memory_gb=self._memory_gb)
            )
        return self._session

    @property
    def local(self) -> LocalCompute:
        """The local engine, for what only it can read."""
        if self._local is None:
            folder = self._scratch / "local"
            folder.mkdir(exist_ok=True)
            memory = f"{self._memory_gb}GiB"
            self._local = self._open.enter_context(LocalCompute(folder, memory_limit=memory))
        return self._local

    def read(self, name: str, table: RawTable, fields: Mapping[str, str]) -> None:
        """Make the table of a raw file; see `Compute.read`."""
        folder = self._new_folder(name)
        rows = Reader(self.session, self.local, folder).read(table, fields)
        types = {"file_row": "BIGINT", "broken": "VARCHAR", **dict.fromkeys(fields, "VARCHAR")}
        self._keep(name, rows, types, folder)

    def records(self, table: RawTable, rows: str) -> Iterator[tuple[int, str | None]]:
        """Yield the raw text of some records; see `Compute.records`.

        The local engine looks them up in the file.
        """
        wanted = [row for (row,) in self.rows(rows)]
        if not wanted:
            return
        if table.file.format in {Format.CSV, Format.TSV}:  # of which it notes the faulty records
            self.local.read("looked_up", table, {})
        self.local.put("wanted_rows", {"file_row": ("BIGINT", wanted)})
        yield from self.local.records(table, "SELECT file_row FROM wanted_rows")

    def load(self, name: str, paths: Sequence[Path]) -> None:
        """Make the table of Parquet files; see `Compute.load`."""
        files = ", ".join(literal(plain_path(path)) for path in paths)
        types = self._described(f"SELECT * FROM read_parquet([{files}])")
        schema = ", ".join(f"{_name(column)} {_spark_type(kind)}" for column, kind in types.items())
        found = self.session.read.schema(schema).parquet(*(_url(path) for path in paths))
        self._keep(name, found, types, None)

    def put(self, name: str, columns: Mapping[str, Column]) -> None:
        """Make a small table of Python values; see `Compute.put`."""
        folder = self._new_folder(name)
        folder.mkdir(parents=True)
        selected = ", ".join(
            f"unnest(?::{kind}[]) AS {identifier(column)}" for column, (kind, _) in columns.items()
        )
        types = {column: kind for column, (kind, _) in columns.items()}
        values = [list(values) for _, values in columns.values()]
        written = ", ".join(
            f"CAST({identifier(column)} AS DECIMAL(38, 0)) AS {identifier(column)}"
            if kind == "HUGEINT"  # which has no type of its own in Parquet
            else identifier(column)
            for column, kind in types.items()
        )
        path = folder / "part-0.parquet"
        with duckdb.connect() as db:
            db.execute(
                f"COPY (SELECT {written} FROM (SELECT {selected})) TO {literal(str(path))}"
                " (FORMAT parquet)",
                values,
            )
        self._keep(name, self._stored(folder, types), types, folder)

    def make(self, name: str, select: str) -> None:
        """Make the table of a SELECT; see `Compute.make`."""
        types, rows = self._computed(select)
        folder = self._new_folder(name)
        rows.write.parquet(_url(folder))
        self._keep(name, self._stored(folder, types), types, folder)

    def drop(self, name: str) -> None:
        """Forget a table; see `Compute.drop`."""
        if self._types.pop(name, None) is None:
            return
        self.session.catalog.dropTempView(name)
        self._shadow.execute(f"DROP TABLE {identifier(name)}")
        folder = self._folders.pop(name, None)
        if folder is not None:
            shutil.rmtree(folder)

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; see `Compute.rows`."""
        types, rows = self._computed(select)
        found = rows.toArrow()
        columns = [
            [int(value) if isinstance(value, Decimal) else value for value in values]
            if types[column] == "HUGEINT"
            else values
            for column, values in zip(
                found.column_names, (c.to_pylist() for c in found.columns), strict=True
            )
        ]
        return list(zip(*columns, strict=True))

    def write(self, source: str, *, columns: Mapping[str, str], order: str, path: Path) -> None:
        """Write one Parquet file; see `Compute.write`."""
        _, rows = self._computed(source)
        folder = self._new_folder("written")
        rows.write.parquet(_url(folder))
        parts = sorted(folder.glob("*.parquet"))
        write_canonical(parts, columns=columns, order=order, path=path)
        shutil.rmtree(folder)

    def _computed(self, select: str) -> tuple[dict[str, str], DataFrame]:
        """Return what a SELECT yields, with the names, order and types of the local engine."""
        from endcap.ingest.compute.translate import translate

        types = self._described(select)
        found = self.session.sql(translate(select, self._types))
        own = [column for column in found.columns if not column.startswith(UNNAMED)]
        if len(found.columns) != len(types) or not {*own} <= {*types}:
            raise SettingsError(
                f"the engines name the columns differently: {', '.join(found.columns)}",
                where=select[:200],
                mend="Name every column",
            )
        return types, found.toDF(*types).selectExpr(
            *(
                f"CAST({_name(column)} AS {_spark_type(kind)}) AS {_name(column)}"
                for column, kind in types.items()
            )
        )

    def _described(self, select: str) -> dict[str, str]:
        try:
            rows = self._shadow.execute(f"DESCRIBE {select}").fetchall()
        except duckdb.Error as error:
            raise SettingsError(
                f"the SQL is not understood: {str(error).splitlines()[0]}", where=select[:200]
            ) from error
        types = {row[0]: row[1] for row in rows}
        if len(types) < len(rows):
            raise SettingsError("two columns have one name", where=select[:200])
        return types

    def _stored(self, folder: Path, types: Mapping[str, str]) -> DataFrame:
        schema = ", ".join(f"{_name(column)} {_spark_type(kind)}" for column, kind in types.items())
        return self.session.read.schema(schema).parquet(_url(folder))

    def _keep(self, name: str, rows: DataFrame, types: dict[str, str], folder: Path | None) -> None:
        """Give a table its name; an older one of that name goes."""
        self.drop(name)
        rows.createOrReplaceTempView(name)
        columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in types.items())
        self._shadow.execute(f"CREATE TABLE {identifier(name)} ({columns})")
        self._types[name] = dict(types)
        if folder is not None:
            self._folders[name] = folder

    def _new_folder(self, name: str) -> Path:
        self._n_made += 1
        return self._scratch / "tables" / f"{name}-{self._n_made}"


def _need_packages(master: str) -> None:
    missing = [name for name in ("pyspark", "sqlglot", "pyarrow") if find_spec(name) is None]
    if missing:
        raise StoreError(
            f"Apache Spark needs packages that are not installed: {', '.join(missing)}",
            where=master,
            mend="Run: pip install 'endcap[spark]'",
        )


def _spark_type(kind: str) -> str:
    if kind.endswith("[]"):
        return f"ARRAY<{_spark_type(kind.removesuffix('[]'))}>"
    return _SPARK_TYPES.get(kind, kind)
