"""How many users share all of their attributes, and making small groups of them larger.

An attribute that is missing counts as a value of its own: a user without one is told apart too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import identifier

N_SHOWN = 5
SIZE = "endcap_group_size"

N_ROWS = "SELECT count(*) FROM {table}"
GROUPS = "SELECT {columns}, count(*) AS {size} FROM {table} GROUP BY {columns}"
SIZES = """
    SELECT count(*), sum({size}), min({size}), sum(CASE WHEN {size} = 1 THEN 1 ELSE 0 END)
    FROM ({groups})
"""
SMALLEST = "SELECT {columns}, {size} FROM ({groups}) ORDER BY {size}, {columns} LIMIT {limit}"
SMALLEST_KNOWN = "SELECT min({size}) FROM ({groups}) WHERE {any_known}"
KNOWN = "SELECT {counts} FROM {table}"
SUPPRESSED = """
    SELECT {selected} FROM (
        SELECT *, count(*) OVER (PARTITION BY {columns}) AS {size} FROM {table}
    )
"""
COPY = "SELECT * FROM {table}"


class Group(BaseModel):
    """Users who cannot be told apart by their attributes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, str | None]
    n_users: int


class KReport(BaseModel):
    """How well users hide among each other, in the sense of Sweeney 2002.

    k: the size of the smallest group; 0 without users.
    n_unique: users who are alone in their group.
    smallest: a few of the smallest groups.
    wanted: the k that was asked for; 0 when nothing was to be changed.
    n_suppressed: column -> how many values were left out to reach it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...]
    k: int
    n_users: int
    n_groups: int
    n_unique: int
    smallest: tuple[Group, ...] = ()
    wanted: int = 0
    n_suppressed: dict[str, int] = {}

    def lines(self) -> list[str]:
        """Return what a person at the terminal wants to know."""
        lines = [
            f"k-anonymity over {', '.join(self.columns) or 'no column'}: k = {self.k:,}; "
            f"{self.n_users:,} users in {self.n_groups:,} groups, {self.n_unique:,} of them alone"
        ]
        left_out = [f"{n:,} of {column}" for column, n in self.n_suppressed.items() if n]
        if left_out:
            lines.append(f"values left out for k = {self.wanted}: {', '.join(left_out)}")
        if self.k < self.wanted:
            lines.append(f"there are not enough users for k = {self.wanted}")
        return lines


def k_anonymity(rows: Iterable[Sequence[str | None]], columns: Sequence[str]) -> KReport:
    """Return how well users hide among each other, of rows that are at hand.

    Args:
        rows: one a user, its attributes in the order of `columns`.
        columns: their names.
    """
    sizes = Counter(tuple(row) for row in rows)
    smallest = sorted(sizes.items(), key=lambda group: (group[1], _text_order(group[0])))
    return KReport(
        columns=tuple(columns),
        k=min(sizes.values(), default=0),
        n_users=sizes.total(),
        n_groups=len(sizes),
        n_unique=sum(n == 1 for n in sizes.values()),
        smallest=tuple(_group(columns, (*values, n)) for values, n in smallest[:N_SHOWN]),
    )


def measure(compute: Compute, table: str, columns: Sequence[str]) -> KReport:
    """Return how well the users of a table hide among each other.

    Args:
        compute: holds the table.
        table: one row a user.
        columns: the attributes that an outsider may know; of type VARCHAR.
    """
    if not columns:
        ((n_users,),) = compute.rows(N_ROWS.format(table=identifier(table)))
        return k_anonymity([()] * n_users, columns)
    groups = _groups(table, columns)
    ((n_groups, n_users, k, n_unique),) = compute.rows(SIZES.format(size=SIZE, groups=groups))
    smallest = SMALLEST.format(columns=_listed(columns), size=SIZE, groups=groups, limit=N_SHOWN)
    return KReport(
        columns=tuple(columns),
        k=int(k or 0),
        n_users=int(n_users or 0),
        n_groups=int(n_groups),
        n_unique=int(n_unique or 0),
        smallest=tuple(_group(columns, row) for row in compute.rows(smallest)),
    )


def suppress(
    compute: Compute,
    table: str,
    columns: Sequence[str],
    *,
    k: int,
    beside: Sequence[str] = ("user_idx", "user_id"),
) -> KReport:
    """Replace a table by one in which every user shares all attributes with k - 1 others.

    Users of a small group lose the last column, then those whose group is still small the one
    before it, and so on; nobody else loses anything. Should those who lost everything be few,
    the smallest of the other groups lose everything too.

    Args:
        compute: holds the table.
        table: one row a user.
        columns: the attributes, of type VARCHAR, the most important one first.
        k: the smallest size of a group; 0 or 1 only measures.
        beside: the other columns of the table, which pass unchanged.

    Returns:
        The report on the new table. Its k is below the wanted one only when there are fewer users.

    Cost: two passes over the table a column, until every group is large enough.
    """
    report = measure(compute, table, columns)
    if k <= 1 or report.k >= k or not columns:
        return report.model_copy(update={"wanted": k})
    before = _known(compute, table, columns)
    made = [table]
    for first_lost in reversed(range(len(columns))):
        made.append(f"{table}_less_{first_lost}")
        losing, lost = f"{SIZE} < {k}", columns[first_lost:]
        compute.make(made[-1], _less(made[-2], columns, beside, losing=losing, lost=lost))
        if measure(compute, made[-1], columns).k >= k:
            break
    else:
        made.append(f"{table}_less_all")
        losing = f"{SIZE} <= {_smallest_known(compute, made[-2], columns)}"
        compute.make(made[-1], _less(made[-2], columns, beside, losing=losing, lost=columns))
    compute.make(table, COPY.format(table=identifier(made[-1])))
    for scratch in made[1:]:
        compute.drop(scratch)
    after = _known(compute, table, columns)
    n_suppressed = {column: before[column] - after[column] for column in columns}
    report = measure(compute, table, columns)
    return report.model_copy(update={"wanted": k, "n_suppressed": n_suppressed})


def _less(
    table: str, columns: Sequence[str], beside: Sequence[str], *, losing: str, lost: Sequence[str]
) -> str:
    """Return the SELECT of a table in which the rows that are `losing` have no lost columns."""
    selected = [identifier(column) for column in beside]
    for name, column in zip(map(identifier, columns), columns, strict=True):
        cut = f"CASE WHEN {losing} THEN NULL ELSE {name} END AS {name}"
        selected.append(cut if column in lost else name)
    return SUPPRESSED.format(
        selected=", ".join(selected), columns=_listed(columns), size=SIZE, table=identifier(table)
    )


def _smallest_known(compute: Compute, table: str, columns: Sequence[str]) -> int:
    """Return the size of the smallest group of which anything is known; 0 without one."""
    any_known = " OR ".join(f"{identifier(column)} IS NOT NULL" for column in columns)
    select = SMALLEST_KNOWN.format(size=SIZE, groups=_groups(table, columns), any_known=any_known)
    ((size,),) = compute.rows(select)
    return int(size or 0)


def _known(compute: Compute, table: str, columns: Sequence[str]) -> dict[str, int]:
    counts = ", ".join(f"count({identifier(column)})" for column in columns)
    (row,) = compute.rows(KNOWN.format(counts=counts, table=identifier(table)))
    return dict(zip(columns, map(int, row), strict=True))


def _groups(table: str, columns: Sequence[str]) -> str:
    return GROUPS.format(columns=_listed(columns), size=SIZE, table=identifier(table))


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(identifier, columns))


def _group(columns: Sequence[str], row: Sequence[str | int | None]) -> Group:
    *values, n_users = row
    texts = [None if value is None else str(value) for value in values]
    return Group(values=dict(zip(columns, texts, strict=True)), n_users=int(n_users or 0))


def _text_order(values: Sequence[str | None]) -> list[tuple[bool, str]]:
    return [(value is None, value or "") for value in values]
