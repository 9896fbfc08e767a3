"""Reads the lists that another system made from a table, by the indices of a snapshot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from endcap.ingest.engine import connect
from endcap.ingest.snapshot import Ids
from endcap.schema.errors import DataError
from endcap.schema.pseudonym import Pseudonyms
from endcap.schema.types import ItemIdx, UserIdx

MEND = "Give columns user_id, item_id and either rank (1 is best) or score (larger is better)"

READERS = {
    ".parquet": "read_parquet(?)",
    ".csv": "read_csv(?, all_varchar = true)",
    ".tsv": "read_csv(?, all_varchar = true)",
}
SCORES = {"score": "score::DOUBLE", "rank": "-(rank::DOUBLE)"}


@dataclass(frozen=True, slots=True)
class GivenLists:
    """The rows of some lists, in any order, shape (n,).

    scores: the larger the earlier in the list.
    n_strangers: rows of users whom the snapshot does not know, so that nobody asks for them.
    """

    users: UserIdx
    items: ItemIdx
    scores: NDArray[np.float64]
    n_strangers: int

    @property
    def digest(self) -> str:
        """A hash of the rows."""
        found = hashlib.sha256()
        for column in (self.users, self.items, self.scores):
            found.update(np.ascontiguousarray(column).data)
        return found.hexdigest()[:16]


def read_lists(path: Path, ids: Ids, *, pseudonyms: Pseudonyms | None = None) -> GivenLists:
    """Return the lists in a CSV, TSV or Parquet file.

    Args:
        path: a table of user_id, item_id and rank or score.
        ids: of the snapshot.
        pseudonyms: makes of the user ids in the file what the snapshot has; None: they are.

    Raises:
        DataError: it is no such table, a list names an item twice, or it lists items or nobody
            that the snapshot knows.
    """
    users, items, scores = _rows(path)
    _refuse_repeats(path, users, items)
    hidden = users if pseudonyms is None else [pseudonyms.at_the_door(user) for user in users]
    user_idx, item_idx = ids.users.encode(hidden), ids.items.encode(items)
    unknown = {item for item, index in zip(items, item_idx.tolist(), strict=True) if index < 0}
    if unknown:
        raise DataError(
            f"{len(unknown):,} items are unknown, such as {min(unknown)}",
            where=str(path),
            mend="List items of the snapshot: to leave some out would make the rest look better",
        )
    is_known = user_idx >= 0
    if not is_known.any():
        raise DataError(
            f"none of {len(users):,} rows is of a user whom the snapshot knows",
            where=str(path),
            mend="Use the ids of the shop, as they stood in the files that were ingested",
        )
    return GivenLists(
        user_idx[is_known], item_idx[is_known], scores[is_known], int((~is_known).sum())
    )


def _refuse_repeats(path: Path, users: list[str], items: list[str]) -> None:
    seen: set[tuple[str, str]] = set()
    for place, pair in enumerate(zip(users, items, strict=True), start=1):
        if pair in seen:
            raise DataError(
                f"the list of {pair[0]} names {pair[1]} twice",
                where=f"{path}, row {place}",
                mend="Name each item of a user once",
            )
        seen.add(pair)


def _score_of(names: list[str], path: Path) -> str:
    """Return the expression of the score; the columns that are needed are there."""
    found = [cast for name, cast in SCORES.items() if name in names]
    missing = [name for name in ("user_id", "item_id") if name not in names]
    missing += [] if found else ["rank or score"]
    if missing:
        raise DataError(
            f"it has no column {', '.join(missing)}; it has {', '.join(names)}",
            where=str(path),
            mend=MEND,
        )
    return found[0]


def _rows(path: Path) -> tuple[list[str], list[str], NDArray[np.float64]]:
    reader = READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        known = ", ".join(READERS)
        what = "there is no such file" if reader else f"its name ends in none of {known}"
        raise DataError(what, where=str(path), mend=MEND)
    with connect(path.parent) as db:
        try:
            head = db.execute(f"SELECT * FROM {reader} LIMIT 0", [str(path)]).description or ()
            score = _score_of([column[0] for column in head], path)
            rows = db.execute(
                f"SELECT user_id::VARCHAR, item_id::VARCHAR, {score} FROM {reader}", [str(path)]
            ).fetchall()
        except duckdb.Error as error:
            raise DataError(
                f"it cannot be read as lists: {str(error).splitlines()[0]}",
                where=str(path),
                mend=MEND,
            ) from error
    for place, row in enumerate(rows, start=1):
        if None in row:
            raise DataError("a value is missing", where=f"{path}, row {place}", mend=MEND)
    users, items, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return list(users), list(items), np.array(scores, dtype=np.float64)
