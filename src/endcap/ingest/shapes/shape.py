"""What can be known of a raw file before its rows are read: its dialect, its roles, its rules.

Holds no known format; those are tables of `Pattern`s in the files beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from endcap.ingest.engine import literal
from endcap.ingest.staging import Format
from endcap.schema.columns import Kind

ORDER_EPOCH_S = 946_684_800
"""2000-01-01: a position n stands for n seconds after it, where a file has an order and no time."""

ORDER = "order"
"""The unit of time of such a file."""


class Holds(StrEnum):
    """What the rows of a file are."""

    INTERACTIONS = "interactions"
    ITEMS = "items"
    USERS = "users"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written down.

    format: goes before what the name of the file says.
    delimiter: one or two characters between the fields of a CSV.
    encoding: of the text; None is UTF-8, in which strange bytes are replaced and counted.
    has_header: otherwise the columns are `#1`, `#2`, ...
    quote: around fields; empty where a quotation mark is a letter like any other.
    """

    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    has_header: bool = True
    quote: str = '"'


UNSAID = Dialect()
"""Nothing is known of how a file is written down."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row is refused if the text of a column matches.

    matches: a regular expression, found anywhere in the text, in what RE2 and Java share.
    """

    column: str
    matches: str
    reason: str

    def sql(self, field_name: str) -> str:
        """Return SQL that is the reason, or NULL for a row that may stay."""
        return (
            f"CASE WHEN regexp_matches({field_name}, {literal(self.matches)})"
            f" THEN {literal(self.reason)} END"
        )


def rule_fields(rules: Sequence[Rule]) -> dict[str, str]:
    """Return name of a field -> column of the file, for all that the rules look at."""
    return {f"refuse_{n}": rule.column for n, rule in enumerate(rules)}


def rule_reasons(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the SQL of each rule, over the names of `rule_fields`."""
    return tuple(rule.sql(f"refuse_{n}") for n, rule in enumerate(rules))


@dataclass(frozen=True, slots=True)
class Derived:
    """The catalogue that stands in a file of interactions, such as names in a list of sales.

    select: SQL over the relation `source`.
    mapping: role -> column of what it yields.
    """

    select: str
    mapping: Mapping[str, str]
    because: str


@dataclass(frozen=True, slots=True)
class Companion:
    """Files beside the one recognised that belong to it.

    file_name: a regular expression for the whole name, small letters.
    columns: of the empty table that stands in when no such file is there.
    """

    file_name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A known format, fitted to the columns of one file.

    mapping: role -> column, of the interactions; complete, nothing is guessed beside it.
    item_mapping: role -> column, of a catalogue.
    user_mapping: `user_id` and attributes -> column, of a table of users.
    kind: what every row is, when no column says so.
    kinds: words of the file -> kinds.
    explanation: why it was recognised, in sentences without a full stop.
    ts_unit: of numbers in the time column; `order` where it is a position.
    converter: of lines, by its name in `convert.CONVERTERS`.
    select: SQL over the relation `source` and the companions that makes the table to be read.
    """

    name: str
    title: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    explanation: tuple[str, ...] = ()
    dialect: Dialect = Dialect()
    item_mapping: Mapping[str, str] = field(default_factory=dict)
    user_mapping: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    refuse: tuple[Rule, ...] = ()
    ts_unit: str | None = None
    converter: str | None = None
    select: str | None = None
    companions: Mapping[str, Companion] = field(default_factory=dict)
    items: Derived | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def order_column(self) -> str | None:
        """The column whose order stands in for a time."""
        return self.mapping.get("ts") if self.ts_unit == ORDER else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a known format looks like, and what it then means.

    Columns are named in small letters and digits only, so that `Customer ID` and `customer_id`
    are the same; `a|b` is whichever is there. In a file without a header they are `#1`, `#2`, ...

    needs: columns that must be there.
    without: columns that must not.
    cells: a regular expression for each column of a file without a header; goes instead of names.
    file_name: a regular expression for the whole name in small letters, compression left out.
    mapping: role -> column. Where lines are converted or a table is made, the names are those
        of the result, and stand as they are.
    select, items: SQL with `$name` for the quoted column behind the first name of `needs`.
    tells: what else a column says when it is there.
    """

    name: str
    title: str
    holds: Holds
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    file_name: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    refuse: tuple[Rule, ...] = ()
    dialect: Dialect = Dialect()
    ts_unit: str | None = None
    converter: str | None = None
    select: str | None = None
    companions: Mapping[str, Companion] = field(default_factory=dict)
    items: Derived | None = None
    tells: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a raw file becomes the table that is read.

    tables: relation that `select` names -> its files; `source` is the file itself.
    """

    dialect: Dialect = Dialect()
    shape: Shape | None = None
    converter: str | None = None
    select: str | None = None
    tables: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


def plain(name: str) -> str:
    """Return the name of a column in small letters and digits only; positions stay as they are."""
    return name if re.fullmatch(r"#\d+", name) else re.sub(r"[^a-z0-9]", "", name.lower())
