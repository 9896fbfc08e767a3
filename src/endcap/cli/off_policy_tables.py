"""Reads logged feedback and target policies from Parquet and CSV, whatever the columns are called.

One code book of actions and positions serves the log and its target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.off_policy.feedback import Floats, Ints, LoggedFeedback, rows_named
from endcap.evaluation.off_policy.target import Target, same_in_every_context
from endcap.schema.errors import DataError

MAX_VALUES = 1000
Table: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a log are called; position, user and context may be absent."""

    reward: str
    action: str
    propensity: str
    position: str | None = None
    user: str | None = None
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeBook:
    """The actions and positions that are known, ascending; a code is the place in it."""

    actions: NDArray[Any]
    positions: NDArray[Any] | None


def read_table(path: Path) -> Table:
    """Return the columns of a Parquet or CSV file by name; NULL is masked.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    import duckdb

    from endcap.ingest.engine import blaming, plain_path

    if not path.is_file():
        raise DataError("there is no such file", where=str(path), mend="Name a Parquet or CSV file")
    config: dict[str, Any] = {"autoinstall_known_extensions": False}
    with duckdb.connect(config=config) as db, blaming(path):
        reads_parquet = path.suffix == ".parquet"
        found = (db.read_parquet if reads_parquet else db.read_csv)(plain_path(path))
        return found.fetchnumpy()


def code_book(tables: Sequence[Table], columns: Columns) -> CodeBook:
    """Return every action and position that any of the tables names.

    Raises:
        DataError: one has numbers where another has text.
    """
    name = columns.position
    placed = [table for table in tables if name in table]
    return CodeBook(
        actions=_known(tables, columns.action),
        positions=_known(placed, name) if name and placed else None,
    )


def feedback_from(table: Table, columns: Columns, book: CodeBook) -> LoggedFeedback:
    """Return a table as logged feedback, text columns of the context as one column a value.

    Raises:
        DataError: a column is missing, or a value is missing or outside its range.
    """
    position = columns.position
    context = [_features(table, name) for name in columns.context]
    return LoggedFeedback(
        action=_codes(table, columns.action, book.actions),
        reward=_numbers(table, columns.reward),
        propensity=_numbers(table, columns.propensity),
        n_actions=len(book.actions),
        position=_codes(table, position, book.positions) if position else None,
        n_positions=1 if book.positions is None else len(book.positions),
        context=np.hstack(context) if context else None,
        group=np.unique(_filled(table, columns.user), return_inverse=True)[1]
        if columns.user
        else None,
    )


def target_from(table: Table, columns: Columns, book: CodeBook, *, n_rounds: int) -> Target:
    """Return the target that a table of chances states.

    One row a chance above 0: the action, `probability`, the position if the log has one and the
    chances depend on it, and `round` (the log's row, from 1) if they depend on the context.

    Raises:
        DataError: a column is missing, a round is none of the log, or a pair comes twice.
    """
    action = _codes(table, columns.action, book.actions)
    chance = _numbers(table, "probability")
    n_positions = 1 if book.positions is None else len(book.positions)
    has_position = columns.position is not None and columns.position in table
    first, n_first = np.zeros(len(action), dtype=np.int64), 1
    if "round" in table:
        first, n_first = _numbers(table, "round").astype(np.int64) - 1, n_rounds
        is_wrong = (first < 0) | (first >= n_rounds)
        if is_wrong.any():
            raise DataError(f"round is none of 1 .. {n_rounds:,} in {rows_named(is_wrong)}")
    by_place = np.zeros((n_first, len(book.actions), n_positions))
    if has_position and columns.position and book.positions is not None:
        place = _codes(table, columns.position, book.positions)
        keys = np.ravel_multi_index((first, action, place), by_place.shape)
        by_place[first, action, place] = chance
    else:
        keys = np.ravel_multi_index((first, action), by_place.shape[:2])
        by_place[first, action, :] = chance[:, None]
    if len(np.unique(keys)) < len(keys):
        raise DataError(f"{len(keys) - len(np.unique(keys)):,} rows state a chance once more")
    return by_place if "round" in table else same_in_every_context(by_place[0].T)


def _filled(table: Table, name: str) -> NDArray[Any]:
    column = table.get(name)
    if column is None:
        raise DataError(
            f"there is no column {name!r}", mend=f"The columns are {', '.join(list(table)[:12])}"
        )
    is_missing = np.ma.getmaskarray(column)
    if is_missing.any():
        raise DataError(f"{name} is missing in {rows_named(is_missing)}")
    return np.ma.getdata(column)


def _known(tables: Sequence[Table], name: str) -> NDArray[Any]:
    found = [_filled(table, name) for table in tables]
    if len({values.dtype.kind in "iufb" for values in found}) > 1:
        raise DataError(f"{name} is a number in one table and text in another")
    return np.unique(np.concatenate(found))


def _codes(table: Table, name: str, known: NDArray[Any] | None) -> Ints:
    values = _filled(table, name)
    codes = np.searchsorted(known, values) if known is not None else np.zeros(len(values), int)
    return codes.astype(np.int64)


def _numbers(table: Table, name: str) -> Floats:
    values = _filled(table, name)
    if values.dtype.kind not in "iufb":
        raise DataError(f"{name} holds no numbers", mend="Name another column")
    return values.astype(np.float64)


def _features(table: Table, name: str) -> Floats:
    values = _filled(table, name)
    if values.dtype.kind in "iufb":
        numbers = values.astype(np.float64)
        return np.asarray((numbers - numbers.mean()) / (numbers.std() or 1.0))[:, None]
    known, codes = np.unique(values, return_inverse=True)
    if len(known) > MAX_VALUES:
        raise DataError(f"{name} has {len(known):,} values, more than {MAX_VALUES:,}")
    one_a_value: Floats = np.eye(len(known))[codes]
    return one_a_value
