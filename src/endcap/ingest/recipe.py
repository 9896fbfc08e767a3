"""What is to be read, and by which rules: one recipe a file of interactions.

Made by `sources`, followed by the pipeline, put into words here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from endcap.ingest.mapping import ITEM_PREFIX
from endcap.ingest.shapes import ORDER, Dialect, Reading, Rule, Shape
from endcap.schema.columns import Kind


@dataclass(frozen=True, slots=True)
class Published:
    """The size of a data set as its publishers state it."""

    n_rows: int
    n_users: int
    n_items: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which files to read and by which rules.

    items, users: the catalogue and the attributes of users, on the first recipe of a source
        only. They may be the same file as the interactions.
    mapping: role -> column, complete; roles of the catalogue begin with `item.`.
    available_days: see `catalogue.complete_items`.
    notes: rules of this data set, for people who read the manifest.
    shape: the known format; None where columns were told by their names alone.
    kinds: words of the file -> kinds.
    ts_unit: of numbers in the time column; `order` for positions instead of times.
    time_zone: of times that state none; UTC when None.
    date_order: of dates such as 1/12/2010, "dmy" or "mdy"; told from the dates when None.
    reading, items_reading, users_reading: how each file becomes a table.
    users_mapping: `user_id` and attribute -> column.
    warnings: what a person should know before believing a number.
    explanation: how the file was recognised, and what was left out beside it.
    """

    name: str
    interactions: Path
    items: Path | None
    mapping: Mapping[str, str]
    available_days: int | None = None
    published: Published | None = None
    notes: tuple[str, ...] = ()
    shape: Shape | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    refuse: tuple[Rule, ...] = ()
    ts_unit: str | None = None
    time_zone: str | None = None
    date_order: str | None = None
    reading: Reading = field(default_factory=Reading)
    items_reading: Reading = field(default_factory=Reading)
    users: Path | None = None
    users_mapping: Mapping[str, str] = field(default_factory=dict)
    users_reading: Reading = field(default_factory=Reading)
    warnings: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()

    @property
    def dialect(self) -> Dialect:
        """How the file of interactions is written down."""
        return self.reading.dialect


def explain(recipe: Recipe) -> list[str]:
    """Return in words how a recipe reads its files and why, one line each."""
    return list(_lines(recipe))


def _lines(recipe: Recipe) -> Iterator[str]:
    yield f"{recipe.interactions.name}: {_form(recipe.reading)}"
    yield from (f"  {line}" for line in recipe.explanation)
    own = {role: name for role, name in recipe.mapping.items() if not role.startswith(ITEM_PREFIX)}
    kind = own.pop("kind", None)
    if kind in set(Kind):
        yield f"  {_listed(own)}; every row is a {kind}"
    else:
        yield f"  {_listed(own | ({'kind': kind} if kind else {}))}"
    if recipe.ts_unit or recipe.time_zone or recipe.date_order:
        unit = "a position" if recipe.ts_unit == ORDER else f"in {recipe.ts_unit}"
        zone = f"times without a zone are of {recipe.time_zone}" if recipe.time_zone else ""
        order = {"dmy": "days come before months", "mdy": "months come before days"}
        parts = [
            f"ts is {unit}" if recipe.ts_unit else "",
            zone,
            order.get(recipe.date_order or ""),
        ]
        yield "  " + "; ".join(filter(None, parts))
    for word, known in recipe.kinds.items():
        yield f"  kind {word!r} is a {known}"
    for rule in recipe.refuse:
        yield f"  put aside where {rule.column} matches {rule.matches}: {rule.reason}"
    if recipe.items is not None:
        yield f"  catalogue: {recipe.items.name}"
        if recipe.items == recipe.interactions:
            derived = recipe.shape.items if recipe.shape else None
            yield f"    {derived.because if derived else 'what most rows say of each item'}"
        else:
            yield from (f"    {line}" for line in _why(recipe.items_reading))
        items = {
            role.removeprefix(ITEM_PREFIX): name
            for role, name in recipe.mapping.items()
            if role.startswith(ITEM_PREFIX)
        }
        if items:
            yield f"    {_listed(items)}"
    if recipe.users is not None:
        yield f"  users: {recipe.users.name}"
        yield from (f"    {line}" for line in _why(recipe.users_reading))
        yield f"    {_listed(recipe.users_mapping)}"
    yield from (f"  note: {note}" for note in recipe.notes)
    yield from (f"  warning: {warning}" for warning in recipe.warnings)


def _form(reading: Reading) -> str:
    dialect = reading.dialect
    words = [str(dialect.format or "by its name")]
    if dialect.delimiter and dialect.delimiter != ",":
        mark = {"\t": "tabs"}.get(dialect.delimiter, dialect.delimiter)
        words.append(f"separated by {mark}")
    if not dialect.has_header:
        words.append("without a header")
    if dialect.encoding:
        words.append(f"in {dialect.encoding}")
    if reading.converter:
        words.append(f"lines converted ({reading.converter})")
    if reading.select:
        words.append("brought into rows first")
    return ", ".join(words)


def _why(reading: Reading) -> tuple[str, ...]:
    return reading.shape.explanation if reading.shape else ()


def _listed(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{role} = {column}" for role, column in mapping.items())
