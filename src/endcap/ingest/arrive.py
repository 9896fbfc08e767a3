"""Reads the files of a run, one after another, into typed rows and refused ones.

Rows are numbered through all files in the order of the sources: their `position`. Everything
that must not depend on how files were cut into runs goes by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from endcap.ingest import complete_journey
from endcap.ingest.clean import Rules, fields_to_read, judge
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.convert import CONVERTERS
from endcap.ingest.convert.tables import derive
from endcap.ingest.engine import fill, identifier
from endcap.ingest.mapping import Roles, interaction_roles
from endcap.ingest.people import Door, hide_users
from endcap.ingest.readers import RawTable, first_records, open_table
from endcap.ingest.shapes import Reading
from endcap.ingest.sources import Recipe
from endcap.ingest.staging import Format, StagedFile, stage
from endcap.ingest.thin import count_rows
from endcap.ingest.values import presence
from endcap.schema.types import DAY_US
from endcap.telemetry import step

ROW_COLUMNS = ("position", "item_id", "kind", "value", "price", "ts")
BAD = "SELECT position, position - $base AS file_row, why FROM judged WHERE why <> ''"
GOOD = """
    SELECT position, user_id, item_id, kind, value, price, ts FROM judged WHERE why = ''
"""


DOUBTFUL = (
    "{name}: days and months of its dates cannot be told apart, and the month was taken to come "
    'first; say date_order = "dmy" or "mdy" under [interactions] of a mapping file'
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One file of interactions that was read.

    rows, bad: names of its tables: typed rows, and the others as (position, file_row, why).
    people: name of the table of (user_id, place, attributes), if the file has attributes.
    base: the number of records before its first.
    ts_unit: what numbers in the time column were taken to be; "text" when there were none.
    """

    recipe: Recipe
    table: RawTable
    roles: Roles
    rows: str
    bad: str
    people: str | None
    attributes: tuple[str, ...]
    base: int
    n_rows: int
    n_bad: int
    ts_unit: str


@dataclass(slots=True)
class Desk:
    """What reading needs, and what it notes on the way.

    files: everything that was read, for the manifest.
    warnings: what a person should know.
    """

    compute: Compute
    scratch: Path
    door: Door
    now_us: int
    files: list[StagedFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def open(
        self, path: Path, reading: Reading, *, label: str, zone: str | None = None
    ) -> RawTable:
        """Return a raw file as a table whose columns are known; note it among the files."""
        dialect = reading.dialect
        if reading.select is not None:
            staged = self._derive(path, reading, label=label)
        else:
            staged = stage(
                path,
                self.scratch,
                label=label,
                file_format=dialect.format,
                encoding=dialect.encoding,
                converter=CONVERTERS[reading.converter] if reading.converter else None,
            )
        self.files.append(staged)
        if staged.n_replaced:
            self.warnings.append(f"{path.name}: {staged.n_replaced:,} characters were not UTF-8")
        return open_table(
            staged,
            positional=not dialect.has_header,
            delimiter=dialect.delimiter,
            quote=dialect.quote,
            times_as_text=zone not in {None, "UTC"},
        )

    def _derive(self, path: Path, reading: Reading, *, label: str) -> StagedFile:
        original = stage(
            path, self.scratch, label=f"{label}-original", file_format=reading.dialect.format
        )
        derived = derive(reading, self.scratch / f"{label}.parquet", scratch=self.scratch)
        for others in reading.tables.values():
            for other in others:
                if other != path:
                    self.files.append(stage(other, self.scratch, label=f"{label}-{other.name}"))
        if derived.n_faulty:
            self.warnings.append(f"{path.name}: {derived.n_faulty:,} records are no rows")
        return StagedFile(derived.path, path, Format.PARQUET, original.sha256, original.n_bytes)


def read_arrivals(desk: Desk, recipes: Sequence[Recipe], *, base: int) -> Iterator[Arrival]:
    """Yield each file of interactions once it is read, in the order of the recipes.

    Args:
        desk: holds the engine.
        recipes: what to read.
        base: the number of records that were read in earlier runs.

    Raises:
        DataError: a file cannot be read to its end, or its columns cannot be told.
    """
    for nth, recipe in enumerate(recipes):
        with step(f"Reading {recipe.interactions.name}"):
            arrival = _read(desk, recipe, nth=nth, base=base)
        base += arrival.n_rows
        yield arrival


def _read(desk: Desk, recipe: Recipe, *, nth: int, base: int) -> Arrival:
    compute = desk.compute
    zone = recipe.time_zone
    table = desk.open(recipe.interactions, recipe.reading, label=f"interactions-{nth}", zone=zone)
    where = str(recipe.interactions)
    roles = interaction_roles(
        table.columns, recipe.mapping, where=where, guess=recipe.shape is None
    )
    attributes = desk.door.attributes_in(table.columns, taken=roles.columns.values())
    desk.door.refuse_identifiers(first_records(table), roles.columns, where=where)
    rules = Rules(
        kinds=recipe.kinds,
        time_zone=zone or "UTC",
        ts_unit=recipe.ts_unit,
        date_order=recipe.date_order,
        refusals=recipe.refuse,
        latest_us=desk.now_us + DAY_US,
        in_catalogue=recipe.name == complete_journey.NAME,
        passed=tuple(f"attribute_{n}" for n, _ in enumerate(attributes)),
    )
    passed = dict(zip(rules.passed, attributes, strict=True))
    compute.read("raw", table, {**fields_to_read(roles, rules), **passed})
    times = judge(compute, "judged", raw="raw", roles=roles, rules=rules, base=base)
    if times.is_doubtful:
        desk.warnings.append(DOUBTFUL.format(name=recipe.interactions.name))
    compute.drop("raw")
    rows, bad, people = f"rows_{nth}", f"bad_{nth}", f"people_{nth}" if attributes else None
    compute.make(bad, fill(BAD, base=str(base)))
    compute.make(rows, GOOD)
    if people:
        compute.make(people, _people(attributes))
    tables = {rows: ROW_COLUMNS} | ({people: ("place", *attributes)} if people else {})
    hide_users(compute, desk.door, tables)
    arrival = Arrival(
        recipe=recipe,
        table=table,
        roles=roles,
        rows=rows,
        bad=bad,
        people=people,
        attributes=attributes,
        base=base,
        n_rows=count_rows(compute, "judged"),
        n_bad=count_rows(compute, bad),
        ts_unit=times.unit,
    )
    compute.drop("judged")
    desk.warnings.extend(recipe.warnings)
    return arrival


def _people(attributes: Sequence[str]) -> str:
    """Return the SELECT of what a file of interactions says of its users, the latest word."""
    said = [(presence(f"attribute_{n}"), identifier(name)) for n, name in enumerate(attributes)]
    latest = "".join(
        f", arg_max({text}, position) FILTER (WHERE {text} IS NOT NULL) AS {name}"
        for text, name in said
    )
    return (
        f"SELECT user_id, max(position) AS place{latest} FROM judged WHERE why = ''"
        " GROUP BY user_id"
    )


def mapping_of(arrival: Arrival) -> Mapping[str, str]:
    """Return role -> column as the file was read, a constant kind included."""
    columns = dict(sorted(arrival.roles.columns.items()))
    return columns if arrival.roles.kind is None else {**columns, "kind": arrival.roles.kind.value}
