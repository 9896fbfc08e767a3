"""What was shown, with which chance, and what came of it: the log that estimates start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.schema.errors import DataError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

NAMED_ROWS = 5


@dataclass(frozen=True, slots=True)
class LoggedFeedback:
    """Rounds in which a logging policy showed one action each; checked when it is made.

    action: what was shown, 0 .. n_actions - 1, shape (n_rounds,).
    reward: what came of it, finite, shape (n_rounds,).
    propensity: the chance with which the logging policy showed this action at this position in
        this round, in (0, 1], shape (n_rounds,).
    n_actions: how many actions there are, shown or not.
    position: where on the page, 0 .. n_positions - 1, shape (n_rounds,); None: one position.
    n_positions: how many positions there are.
    context: what was known of each round, finite, shape (n_rounds, n_features); None: nothing.
    group: a number for whom each round belongs to, shape (n_rounds,); rounds of one group are not
        independent, so intervals resample groups. None: every round for itself.

    Raises:
        DataError: lengths differ, there are no rounds, or a value is outside its range; names rows,
            the first being row 1.
    """

    action: Ints
    reward: Floats
    propensity: Floats
    n_actions: int
    position: Ints | None = None
    n_positions: int = 1
    context: Floats | None = None
    group: Ints | None = None

    def __post_init__(self) -> None:
        if len(self.action) == 0:
            raise DataError("the log has no rounds", mend="Name a log with at least one")
        self._check_lengths()
        _refuse("action", "0 .. n_actions - 1", ~_is_index(self.action, self.n_actions))
        _refuse("reward", "a finite number", ~np.isfinite(self.reward))
        # Written so that NaN is refused too.
        _refuse("propensity", "in (0, 1]", ~((self.propensity > 0) & (self.propensity <= 1)))
        if self.position is not None:
            _refuse("position", "0 .. n_positions - 1", ~_is_index(self.position, self.n_positions))
        if self.context is not None:
            _refuse("context", "finite", np.asarray((~np.isfinite(self.context)).any(axis=1)))

    def __len__(self) -> int:
        return len(self.action)

    @property
    def positions(self) -> Ints:
        """The position of each round, zeros when there is only one."""
        return np.zeros(len(self), dtype=np.int64) if self.position is None else self.position

    @property
    def groups(self) -> Ints:
        """The group of each round as 0 .. n_groups - 1; every round its own when not known."""
        if self.group is None:
            return np.arange(len(self))
        return np.unique(self.group, return_inverse=True)[1]

    def _check_lengths(self) -> None:
        for name in ("reward", "propensity", "position", "context", "group"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self):
                raise DataError(
                    f"{name} has {len(values):,} rows and action {len(self):,}",
                    mend="Give one row a round",
                )
        if self.context is not None and self.context.ndim != 2:
            raise DataError(f"context has {self.context.ndim} dimensions, not two")
        if self.position is None and self.n_positions != 1:
            raise DataError(f"{self.n_positions} positions, but no round says which was its own")


def rows_named(is_wrong: Flags) -> str:
    """Return how many rows are wrong and the first of them, counted from 1."""
    rows = np.flatnonzero(is_wrong) + 1
    listed = ", ".join(f"{row:,}" for row in rows[:NAMED_ROWS])
    more = ", …" if len(rows) > NAMED_ROWS else ""
    return f"{len(rows):,} of {len(is_wrong):,} rows: {listed}{more}"


def _refuse(name: str, demand: str, is_wrong: Flags) -> None:
    if is_wrong.any():
        raise DataError(
            f"{name} is not {demand} in {rows_named(is_wrong)}",
            mend="Mend the log, or leave these rounds out and say so",
        )


def _is_index(values: Ints, n: int) -> Flags:
    if values.dtype.kind not in "iu":
        raise DataError(f"numbers from 0 are needed, not {values.dtype}")
    return (values >= 0) & (values < n)
