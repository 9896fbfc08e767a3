"""What an ingest would do, shown on the first records of each file; nothing is kept.

The same steps run as in earnest, on a copy of the head of each file.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from endcap.ingest.engine import connect, literal, plain_path
from endcap.ingest.manifest import Counts, Reading, read_manifest
from endcap.ingest.packing import lines, text_lines
from endcap.ingest.profile import Profile, profile
from endcap.ingest.snapshot import load_dataset
from endcap.ingest.sources import Recipe, explain
from endcap.ingest.staging import Format, form
from endcap.schema.columns import KIND_CODES

HEAD_ROWS = 10_000
SHOWN_ROWS = 8

FIRST_ROWS = """
    SELECT user_id, item_id, kind, value, rows.price, ts, name
    FROM read_parquet({interactions}) AS rows
    JOIN read_parquet({users}) USING (user_idx) JOIN read_parquet({items}) USING (item_idx)
    ORDER BY position LIMIT {n_rows}
"""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first records as they would be read.

    explanation: lines that say what each source is and how that was told.
    readings: role -> column and the rest, as the manifest would have it.
    rows: the first rows, kinds by name, times in microseconds.
    counts: what became of the records that were looked at.
    profile: what kind of data they are.
    """

    explanation: list[str]
    readings: list[Reading]
    rows: list[dict[str, Any]]
    counts: Counts
    profile: Profile


def heads(recipes: Sequence[Recipe], folder: Path, n_rows: int = HEAD_ROWS) -> list[Recipe]:
    """Return the recipes with a copy of the first records of each file in its place."""
    return [
        replace(recipe, interactions=_head(recipe, folder / str(nth), n_rows), published=None)
        for nth, recipe in enumerate(recipes)
    ]


def read_preview(path: Path, recipes: Sequence[Recipe]) -> Preview:
    """Return what a snapshot that was made of `heads` shows.

    Args:
        path: of the snapshot.
        recipes: as they were found, before `heads`.
    """
    manifest = read_manifest(path)
    kinds = {code: kind.value for kind, code in KIND_CODES.items()}
    with connect(path) as db:
        result = db.execute(
            FIRST_ROWS.format(
                interactions=literal(plain_path(path) + "/interactions/*.parquet"),
                users=literal(plain_path(path / "users.parquet")),
                items=literal(plain_path(path / "items.parquet")),
                n_rows=SHOWN_ROWS,
            )
        )
        names = [column[0] for column in result.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return Preview(
        explanation=[line for recipe in recipes for line in explain(recipe)],
        readings=manifest.config.readings,
        rows=[{**row, "kind": kinds[row["kind"]]} for row in found],
        counts=manifest.counts,
        profile=profile(load_dataset(path)),
    )


def _head(recipe: Recipe, folder: Path, n_rows: int) -> Path:
    """Return a copy of the first records; the file itself where a table is derived from it."""
    path = recipe.interactions
    if recipe.reading.select is not None:
        return path
    dialect = recipe.reading.dialect
    file_format, packing = form(path, dialect.format)
    folder.mkdir(parents=True)
    name = path.name if packing == "none" else path.stem
    head = folder / name
    if file_format is not Format.PARQUET:
        n_lines = n_rows + (file_format in {Format.CSV, Format.TSV})  # with the header
        if dialect.encoding is not None:
            text = "".join(islice(text_lines(path, packing, dialect.encoding), n_lines))
            head.write_bytes(text.encode(dialect.encoding, errors="replace"))
            return head
        with head.open("wb") as out:
            out.writelines(islice(lines(path, packing), n_lines))
        return head
    with connect(folder) as db:
        db.execute(
            f"COPY (SELECT * FROM read_parquet({literal(plain_path(path))}) LIMIT {n_rows}) "
            f"TO {literal(str(head))} (FORMAT parquet)"
        )
    shutil.rmtree(folder / "spill", ignore_errors=True)
    return head
