"""Writes the features of users and items as Parquet, with a note of what they were made from.

What a feature is stands in `endcap.features`; here a table is columns with names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from endcap.ingest.engine import connect
from endcap.ingest.manifest import FileEntry, file_entry
from endcap.schema.artefacts import scratch_folder, write_atomically

USERS, ITEMS, SPEC = "user_features.parquet", "item_features.parquet", "spec.json"

# Rows are written in their order, so that the same features give the same bytes.
PLAIN = "SELECT columns.* EXCLUDE (row_number) FROM columns ORDER BY row_number"
WITH_SHARES = """
    SELECT columns.* EXCLUDE (row_number), coalesce(shares, []) AS taste
    FROM columns LEFT JOIN (
        SELECT row_number, list({'name': name::VARCHAR, 'share': share} ORDER BY place) AS shares
        FROM entries JOIN names USING (code) GROUP BY row_number
    ) USING (row_number)
    ORDER BY row_number
"""


@dataclass(frozen=True, slots=True)
class NamedShares:
    """A few named shares a row, one row after another.

    indptr: row r owns the entries indptr[r]:indptr[r + 1], shape (n_rows + 1,).
    code: index into `names` of each entry; share: its share.
    """

    indptr: NDArray[np.int64]
    code: NDArray[np.int32]
    share: NDArray[np.float32]
    names: Sequence[str]


def write_feature_tables(
    folder: Path,
    *,
    users: Mapping[str, NDArray[Any]],
    tastes: NamedShares,
    items: Mapping[str, NDArray[Any]],
    spec: Mapping[str, Any],
) -> dict[str, FileEntry]:
    """Write both tables and `spec.json` into the folder; return the tables by file name.

    `spec.json` names the tables with their hashes. It comes last: a folder without it, or with
    other hashes, is not whole. Older tables in the folder are replaced. NaN becomes NULL.

    Args:
        folder: made when it is missing.
        users: name -> values, one a user.
        tastes: one row a user; becomes the column `taste`, a list of name and share.
        items: name -> values, one an item.
        spec: what the features were made from, as JSON values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as scratch:
        with connect(scratch) as db:
            _write(db, users, scratch / USERS, tastes)
            _write(db, items, scratch / ITEMS, None)
        files = {name: file_entry(scratch / name) for name in (USERS, ITEMS)}
        (folder / SPEC).unlink(missing_ok=True)
        for name in files:
            (scratch / name).replace(folder / name)
    entries = {name: entry.model_dump() for name, entry in files.items()}
    write_atomically(folder / SPEC, json.dumps({**spec, "files": entries}, indent=2) + "\n")
    return files


def _write(
    db: DuckDBPyConnection,
    columns: Mapping[str, NDArray[Any]],
    path: Path,
    shares: NamedShares | None,
) -> None:
    n_rows = len(next(iter(columns.values())))
    db.register("columns", {"row_number": np.arange(n_rows), **columns})
    if shares is not None:
        db.register(
            "entries",
            {
                "row_number": np.repeat(np.arange(n_rows), np.diff(shares.indptr)),
                "place": np.arange(len(shares.code)),
                "code": shares.code,
                "share": shares.share,
            },
        )
        names = np.array([*shares.names, ""], dtype=object)  # of no name, no type could be told
        db.register("names", {"code": np.arange(len(names), dtype=np.int32), "name": names})
    query = PLAIN if shares is None else WITH_SHARES
    db.execute(f"COPY ({query}) TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)])
