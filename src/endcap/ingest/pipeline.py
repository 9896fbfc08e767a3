"""The steps from raw files to a published snapshot, in order; each step is in its own file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from endcap.ingest import complete_journey
from endcap.ingest.account import config_of, iso, manifest_of
from endcap.ingest.arrive import Desk, mapping_of, read_arrivals
from endcap.ingest.catalogue import (
    complete_items,
    empty_catalogue,
    read_items,
    relate_items,
)
from endcap.ingest.clean import ORDER, REPEATS
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.engine import identifier, literal
from endcap.ingest.ids import index_ids
from endcap.ingest.increment import (
    ROWS,
    flag,
    load_parent,
    old_people,
    open_chunk,
    repeats_of_old,
    take_over,
)
from endcap.ingest.manifest import TimeSpan
from endcap.ingest.mapping import item_roles, user_roles
from endcap.ingest.people import (
    OF_OLD,
    OVER_ROWS,
    check_people,
    gather_people,
    hide_users,
    hide_values,
)
from endcap.ingest.privacy.k_anonymity import suppress
from endcap.ingest.quarantine_rows import catalogue_quarantine, quarantine, reason_counts
from endcap.ingest.repeats import FLAG_REASONS, Suspicion, mark_repeats
from endcap.ingest.sources import Recipe
from endcap.ingest.statistics import count_events
from endcap.ingest.thin import count_rows, k_core, minimum_counts, sample_users
from endcap.ingest.values import presence
from endcap.ingest.work import Plan, Thinning, Work
from endcap.ingest.write import Shelf, publish
from endcap.schema.errors import DataError
from endcap.telemetry import step


def run(plan: Plan, compute: Compute, scratch: Path) -> Path:
    """Return the folder of the snapshot that the plan yields.

    Args:
        plan: what to do.
        compute: the engine.
        scratch: an empty folder on the same disk, for what is in the making.

    Raises:
        DataError: a file cannot be read, no row of it can be used, or the parent cannot be added
            to.
    """
    work = Work(plan, Desk(compute, scratch, plan.door, plan.now_us), compute)
    parent, base = plan.parent, 0
    if parent is not None:
        load_parent(compute, parent)
        base = parent.n_rows
    _read_catalogue(work)
    work.arrivals.extend(read_arrivals(work.desk, plan.recipes, base=base))
    with step("Putting rows aside and numbering the rest"):
        rows = _settle_rows(work)
        _number(work, rows)
        span = _span(work)
        _describe(work, rows, span)
    config = config_of(work)
    if parent is not None:
        parent.check_extends(config)
    with step("Writing the snapshot"):
        shelf = Shelf(scratch / "snapshot")
        _write(work, shelf)
        manifest = manifest_of(work, shelf, config, span)
    accepted = False
    try:
        if plan.accept is not None:
            plan.accept(shelf.folder, manifest)
        accepted = True
    finally:
        # What was not accepted is kept under its name, to be looked into; it is not the latest.
        folder = publish(shelf.folder, plan.root, manifest, becomes_latest=accepted)
    return folder


def _read_catalogue(work: Work) -> None:
    """Read the catalogue and the file of users, of the first recipe that has one."""
    compute = work.compute
    empty_catalogue(compute)
    recipe = next((recipe for recipe in work.plan.recipes if recipe.items), None)
    if recipe is not None and recipe.items is not None:
        work.has_catalogue = True
        with step(f"Reading {recipe.items.name}"):
            table = work.desk.open(recipe.items, recipe.items_reading, label="items")
            if recipe.name == complete_journey.NAME:
                compute.read("raw", table, complete_journey.PRODUCT_FIELDS)
                complete_journey.read_products(compute, "raw")
            else:
                where = str(recipe.items)
                guess = recipe.items_reading.shape is None
                roles = item_roles(table.columns, recipe.mapping, where=where, guess=guess)
                work.item_mapping = dict(sorted(roles.items()))
                compute.read("raw", table, roles)
                read_items(compute, "raw", roles)
            work.n_catalogue_rows = count_rows(compute, "raw")
            compute.drop("raw")
            catalogue_quarantine(compute, table, "bad_items")
    else:
        catalogue_quarantine(compute, None, "bad_items")
    users = next((recipe for recipe in work.plan.recipes if recipe.users), None)
    if users is not None:
        _read_users(work, users)


def _read_users(work: Work, recipe: Recipe) -> None:
    if recipe.users is None:
        return
    compute, door = work.compute, work.plan.door
    with step(f"Reading {recipe.users.name}"):
        table = work.desk.open(recipe.users, recipe.users_reading, label="users")
        roles = user_roles(table.columns, recipe.users_mapping, where=str(recipe.users))
        by_name = {column: name for name, column in roles.items() if name != "user_id"}
        names = {name: name for name in table.columns} | by_name
        allowed = door.attributes_in([*names.values()], taken=["user_id", roles["user_id"]])
        columns = {name: column for column, name in names.items() if name in allowed}
        compute.read("raw", table, {"user_id": roles["user_id"], **columns})
        said = [(presence(identifier(name)), identifier(name)) for name in allowed]
        selected = "".join(f", {text} AS {name}" for text, name in said)
        compute.make(
            "people_file",
            f"SELECT {presence('user_id')} AS user_id, file_row + {OVER_ROWS} AS place{selected} "
            f"FROM raw WHERE broken IS NULL AND {presence('user_id')} IS NOT NULL",
        )
        compute.drop("raw")
        hide_users(compute, door, {"people_file": ("place", *allowed)})
        work.people.append(("people_file", allowed))


def _settle_rows(work: Work) -> str:
    """Return the name of the table of rows that stay; what goes is counted."""
    compute, plan = work.compute, work.plan
    columns = "position, user_id, item_id, kind, value, price, ts"
    parts = " UNION ALL ".join(f"SELECT {columns} FROM {a.rows}" for a in work.arrivals)
    rows = "arrived" if len(work.arrivals) > 1 else work.arrivals[0].rows
    if len(work.arrivals) > 1:
        compute.make(rows, parts)
        for arrival in work.arrivals:
            compute.drop(arrival.rows)
    n_arrived = count_rows(compute, rows)
    if n_arrived == 0 and plan.parent is None:
        raise _nothing_left(work)
    n_repeats = mark_repeats(compute, "repeats", rows)
    compute.make("aside", f"SELECT position, {literal(REPEATS)} AS why FROM repeats")
    if n_repeats:
        rows = _without(compute, rows, "repeats", "unrepeated")
    for name in plan.suspicion.dropped:
        rows = _drop_flagged(work, rows, name)
    if plan.suspicion.dropped and count_rows(compute, rows) == 0:
        raise DataError(
            f"all of {n_arrived:,} rows are flagged, and none is left",
            where=_places(work),
            mend="Raise the limits of [ingest], or leave drop_flagged empty",
        )
    return _thin(work, rows)


def _places(work: Work) -> str:
    """Return the first files, for an error about all of them."""
    return ", ".join(str(recipe.interactions) for recipe in work.plan.recipes[:3])


def _nothing_left(work: Work) -> DataError:
    n_rows = sum(arrival.n_rows for arrival in work.arrivals)
    counts: Counter[str] = Counter()
    for arrival in work.arrivals:
        counts.update(reason_counts(work.compute, arrival.bad))
    named = ", ".join(f"{reason} ({n:,})" for reason, n in counts.most_common(3))
    return DataError(
        f"none of {n_rows:,} rows can be used: {named or 'there are none'}",
        where=_places(work),
        mend=f"Check the mapping of the columns: {_roles(work)}"
        if n_rows
        else "Name a file that has rows",
    )


def _roles(work: Work) -> str:
    return ", ".join(f"{role} = {name}" for role, name in mapping_of(work.arrivals[0]).items())


def _without(compute: Compute, rows: str, positions: str, name: str) -> str:
    compute.make(name, f"SELECT * FROM {rows} ANTI JOIN {positions} USING (position)")
    compute.drop(rows)
    return name


def _drop_flagged(work: Work, rows: str, name: str) -> str:
    """Put the rows of one flag aside; return the name of the table of the others."""
    compute = work.compute
    compute.make("suspects", _suspicion(work).rows_of(name, rows))
    reason = literal(FLAG_REASONS[name])
    compute.make(
        "aside_more",
        f"SELECT * FROM aside UNION ALL SELECT position, {reason} AS why FROM suspects",
    )
    compute.make("aside", "SELECT * FROM aside_more")
    compute.drop("aside_more")
    return _without(compute, rows, "suspects", f"without_{name}")


def _suspicion(work: Work) -> Suspicion:
    suspicion = work.plan.suspicion
    if all(arrival.ts_unit == ORDER for arrival in work.arrivals):
        return suspicion.of_made_up_times()
    return suspicion


def _thin(work: Work, rows: str) -> str:
    compute, thinning = work.compute, work.plan.thinning
    work.removed = dict.fromkeys(("sample", "minimum", "k_core"), 0)

    def noted(step_name: str, before: str) -> str:
        after = f"thinned_{step_name}"
        work.removed[step_name] = count_rows(compute, before) - count_rows(compute, after)
        compute.drop(before)
        return after

    if thinning.sample_users is not None:
        sample_users(compute, "thinned_sample", rows, thinning.sample_users)
        rows = noted("sample", rows)
    if thinning.min_per_user or thinning.min_per_item:
        least = {"min_per_user": thinning.min_per_user, "min_per_item": thinning.min_per_item}
        minimum_counts(compute, "thinned_minimum", rows, **least)
        rows = noted("minimum", rows)
    if thinning.k_core:
        k_core(compute, "thinned_k_core", rows, thinning.k_core)
        rows = noted("k_core", rows)
    core = f" in the {thinning.k_core}-core" if thinning.k_core else " after thinning"
    if any(work.removed.values()) and count_rows(compute, rows) == 0:
        raise DataError(
            f"no user and item is left{core}",
            where=_places(work),
            mend="Ask for smaller counts",
        )
    return rows


def _number(work: Work, rows: str) -> None:
    """Make `user_ids`, `item_ids` and `indexed`, without what repeats rows of before."""
    compute, parent, thinning = work.compute, work.plan.parent, work.plan.thinning
    known = parent.manifest.counts if parent is not None else None
    index_ids(
        compute,
        rows,
        whole_catalogue=thinning == Thinning(),
        n_users=known.users if known else 0,
        n_items=known.items if known else 0,
    )
    compute.drop(rows)
    if parent is None or not count_rows(compute, "indexed"):
        return
    first_us, last_us = _own_span(compute)
    if repeats_of_old(compute, "again", first_us=first_us, last_us=last_us):
        compute.make(
            "aside_more",
            f"SELECT * FROM aside UNION ALL SELECT position, {literal(REPEATS)} AS why FROM again",
        )
        compute.make("aside", "SELECT * FROM aside_more")
        compute.make("fresh", "SELECT * FROM indexed ANTI JOIN again USING (position)")
        compute.make("indexed", "SELECT * FROM fresh")
        compute.drop("fresh")


def _own_span(compute: Compute) -> tuple[int, int]:
    first_us, last_us = compute.rows("SELECT min(ts), max(ts) FROM indexed")[0]
    return int(first_us or 0), int(last_us or 0)


def _span(work: Work) -> TimeSpan:
    """Return the time from the first to the last interaction of all."""
    spans = [_own_span(work.compute)] if count_rows(work.compute, "indexed") else []
    if work.plan.parent is not None:
        before = work.plan.parent.manifest.time_span
        spans.append((before.first_us, before.last_us))
    first_us, last_us = min(first for first, _ in spans), max(last for _, last in spans)
    return TimeSpan(first_us=first_us, last_us=last_us, first=iso(first_us), last=iso(last_us))


def _describe(work: Work, rows: str, span: TimeSpan) -> None:
    """Make everything that is said of users and items: counts, flags, attributes, prices."""
    compute, parent = work.compute, work.plan.parent
    count_events(compute, last_us=span.last_us, old=ROWS if parent else None)
    first_us, last_us = _own_span(compute)
    is_increment = parent is not None
    suspicion = _suspicion(work)
    flag(compute, suspicion, first_us=first_us, last_us=last_us, is_increment=is_increment)
    if parent is not None:
        work.has_catalogue = work.has_catalogue or parent.manifest.config.has_catalogue
    complete_items(
        compute,
        has_catalogue=work.has_catalogue,
        available_days=work.available_days,
        last_us=span.last_us,
        is_increment=is_increment,
    )
    relate_items(compute, is_increment=is_increment)
    _gather_people(work)


def _gather_people(work: Work) -> None:
    compute, plan = work.compute, work.plan
    parts = work.people + [
        (arrival.people, arrival.attributes) for arrival in work.arrivals if arrival.people
    ]
    if plan.parent is not None and not work.people and parts:
        plan.parent.check_users_are_said(_places(work))
    for table, has in parts:
        hide_values(compute, plan.door, table, has)
    if plan.parent is not None:
        parts.append(
            (old_people(plan.parent, place=OF_OLD), [*plan.parent.manifest.config.attributes])
        )
    available = _names(work) + [name for _, has in parts for name in has]
    where = _places(work)
    work.attributes = plan.door.policy.attributes(available, where=where)
    if not work.attributes:
        compute.make("users", "SELECT user_idx, user_id FROM user_ids")
        return
    gather_people(compute, plan.door, parts, order=work.attributes)
    check_people(compute, plan.door, "people", work.attributes, where=where)
    columns = "".join(f", people.{identifier(name)}" for name in work.attributes)
    compute.make(
        "users",
        f"SELECT user_idx, user_ids.user_id{columns} FROM user_ids "
        "LEFT JOIN people ON user_ids.user_id = people.user_id",
    )
    work.k_report = suppress(compute, "users", work.attributes, k=plan.k_anonymity)


def _names(work: Work) -> list[str]:
    """Return the columns of the files that are nothing else than, maybe, an attribute."""
    return [
        column
        for arrival in work.arrivals
        for column in arrival.table.columns
        if column not in arrival.roles.columns.values()
    ]


def _write(work: Work, shelf: Shelf) -> None:
    compute, parent = work.compute, work.plan.parent
    quarantine(compute, work.arrivals, "aside", door=work.plan.door)
    tables = {"interactions": "indexed", "quarantine": "quarantine"}
    first = 0
    if parent is not None:
        take_over(parent, shelf)
        first = parent.first_open_chunk
        tables = {name: open_chunk(compute, parent, name, table) for name, table in tables.items()}
    shelf.write(compute, work.attributes)
    shelf.write_chunks(compute, tables, work.n_rows, first=first)
