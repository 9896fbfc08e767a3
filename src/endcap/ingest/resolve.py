"""From what files hold to recipes: roles settled, catalogue and users joined, rules gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from endcap.ingest.engine import fill, identifier
from endcap.ingest.mapping import (
    ITEM_PREFIX,
    ORDER_ROLE,
    interaction_roles,
    is_positional,
    item_roles,
    user_roles,
)
from endcap.ingest.recipe import Recipe
from endcap.ingest.shapes import MADE_UP_TIMES, ORDER, Holds, Reading, Rule, Shape
from endcap.ingest.survey import Finding, join_companions
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.errors import SettingsError

# Of several rows that say something of one key, what most of them say; the text decides between
# equally common ones.
COMMONEST = """
    SELECT $key, $names FROM (
        SELECT $key, $names, row_number() OVER (
            PARTITION BY $key ORDER BY count(*) DESC, $names
        ) AS nth
        FROM (SELECT $columns FROM source) WHERE $key IS NOT NULL GROUP BY $key, $names
    ) WHERE nth = 1 ORDER BY $key
"""


def recipes_of(
    findings: Sequence[Finding],
    given: GivenMapping,
    *,
    items: Finding | None,
    users: Finding | None,
) -> list[Recipe]:
    """Return the recipes of files that were looked at together, one a file of interactions.

    Args:
        findings: what the files hold, at least one of them interactions.
        given: what the caller said; goes before what is known.
        items: a catalogue named by the caller; goes before one among the files.
        users: a file of users, likewise.

    Raises:
        DataError: a role that is needed has no column.
        SettingsError: columns of a catalogue or of users are named, and no file has them.
    """
    facts = [finding for finding in findings if finding.holds is Holds.INTERACTIONS]
    recipes = [_recipe(finding, given) for finding in facts]
    first = recipes[0]
    catalogues = [finding for finding in findings if finding.holds is Holds.ITEMS]
    people = [finding for finding in findings if finding.holds is Holds.USERS]
    catalogue = items or (catalogues[0] if catalogues else None)
    if catalogue is not None:
        first = _with_catalogue(first, catalogue, given)
    else:
        first = _with_own_catalogue(first, facts, given)
    person_file = users or (people[0] if people else None)
    if person_file is not None:
        first = _with_users(first, person_file, given)
    elif given.users:
        first = _with_own_users(first, facts, given)
    unused = [
        *(finding for finding in findings if finding.holds is Holds.NOTHING),
        *(replace(f, why_not="a second catalogue") for f in catalogues if f is not catalogue),
        *(replace(f, why_not="a second table of users") for f in people if f is not person_file),
    ]
    left_out = tuple(f"left out: {f.path.name} ({f.why_not})" for f in unused)
    # Whoever does not ask for a preview must hear of it too.
    unread = tuple(
        f"{f.path.name} was not read: {f.why_not}"
        for f in unused
        if f.holds is Holds.NOTHING and f.shape is None
    )
    recipes[0] = replace(
        first,
        explanation=(*first.explanation, *left_out),
        warnings=(*first.warnings, *unread),
    )
    return recipes


def _recipe(finding: Finding, given: GivenMapping) -> Recipe:
    shape, path = finding.shape, finding.path
    columns = finding.peek.columns if finding.peek else ()
    said = given.interaction_columns()
    by_order = ORDER_ROLE in said
    if by_order:
        said["ts"] = said.pop(ORDER_ROLE)
    if shape is not None and is_positional(said) and not is_positional(shape.mapping):
        shape = None  # columns by their place mean that there is no header
    ts_unit: str | None = given.interactions.ts_unit
    if ts_unit is None and by_order:
        ts_unit = ORDER
    elif ts_unit is None and shape is not None and "ts" not in said:
        ts_unit = shape.ts_unit
    recipe = Recipe(
        name=path.name,
        interactions=path,
        items=None,
        mapping=_settled(finding, shape, said),
        kinds=given.kinds,
        refuse=_refusals(given, columns, check=shape is None),
        ts_unit=ts_unit,
        time_zone=given.interactions.time_zone,
        date_order=given.interactions.date_order,
        reading=join_companions(replace(finding, shape=shape)),
        warnings=(MADE_UP_TIMES,) if ts_unit == ORDER else (),
        explanation=("no known format: columns were told by their names or given",),
    )
    if shape is None:
        return recipe
    return replace(
        recipe,
        shape=shape,
        kinds={**shape.kinds, **recipe.kinds},
        refuse=(*shape.refuse, *recipe.refuse),
        notes=shape.notes,
        explanation=shape.explanation,
    )


def _settled(finding: Finding, shape: Shape | None, said: Mapping[str, str]) -> dict[str, str]:
    """Return role -> column, nothing left to guess; a kind of all rows stands under `kind`."""
    if shape is not None:
        mapping, kind = {**shape.mapping, **said}, shape.kind
    else:
        columns = finding.peek.columns if finding.peek else ()
        roles = interaction_roles(columns, said, where=str(finding.path))
        mapping, kind = dict(roles.columns), roles.kind
    if kind is not None and "kind" not in mapping:
        mapping["kind"] = kind.value
    return mapping


def _refusals(given: GivenMapping, columns: Sequence[str], *, check: bool) -> tuple[Rule, ...]:
    for rule in given.refuse:
        if check and rule.column not in columns:
            raise SettingsError(
                f"refuse: there is no column {rule.column!r}",
                where="--mapping",
                mend=f"The file has: {', '.join(map(repr, columns[:30]))}",
            )
    return tuple(Rule(rule.column, rule.matches, rule.reason) for rule in given.refuse)


def _with_catalogue(recipe: Recipe, catalogue: Finding, given: GivenMapping) -> Recipe:
    shape, said = catalogue.shape, given.item_columns()
    if shape is not None:
        roles = {**shape.item_mapping, **said}
    else:
        columns = catalogue.peek.columns if catalogue.peek else ()
        wanted = {ITEM_PREFIX + role: name for role, name in said.items()}
        roles = item_roles(columns, wanted, where=str(catalogue.path))
    return replace(
        recipe,
        items=catalogue.path,
        items_reading=join_companions(catalogue),
        mapping=_with_items(recipe.mapping, roles),
        notes=(*recipe.notes, *(shape.notes if shape else ())),
    )


def _with_own_catalogue(recipe: Recipe, facts: Sequence[Finding], given: GivenMapping) -> Recipe:
    """Return the recipe with the catalogue that stands in the interactions themselves, if any."""
    said, shape = given.item_columns(), recipe.shape
    if said:
        key = said.get("item_id", recipe.mapping["item_id"])
        attributes = {role: name for role, name in said.items() if role != "item_id"}
        _check_columns("items", [key, *attributes.values()], facts[0])
        select = _commonest("item_id", key, attributes)
        roles = {role: role for role in ("item_id", *attributes)}
    elif shape is not None and shape.items is not None:
        select, roles = shape.items.select, dict(shape.items.mapping)
    else:
        return recipe
    reading = Reading(
        dialect=recipe.reading.dialect,
        shape=shape,
        select=select,
        tables={"source": _alike(facts)},
    )
    return replace(
        recipe,
        items=recipe.interactions,
        items_reading=reading,
        mapping=_with_items(recipe.mapping, roles),
    )


def _with_users(recipe: Recipe, people: Finding, given: GivenMapping) -> Recipe:
    said = dict(given.users)
    if people.shape is not None:
        roles = {**people.shape.user_mapping, **said}
    else:
        columns = people.peek.columns if people.peek else ()
        roles = user_roles(columns, said, where=str(people.path))
    return replace(
        recipe, users=people.path, users_mapping=roles, users_reading=join_companions(people)
    )


def _with_own_users(recipe: Recipe, facts: Sequence[Finding], given: GivenMapping) -> Recipe:
    """Return the recipe with the attributes of users that stand in the interactions themselves."""
    key = given.users.get("user_id", recipe.mapping["user_id"])
    attributes = {name: column for name, column in given.users.items() if name != "user_id"}
    _check_columns("users", [key, *attributes.values()], facts[0])
    reading = Reading(
        dialect=recipe.reading.dialect,
        select=_commonest("user_id", key, attributes),
        tables={"source": _alike(facts)},
    )
    roles = {name: name for name in ("user_id", *attributes)}
    return replace(recipe, users=recipe.interactions, users_mapping=roles, users_reading=reading)


def _check_columns(section: str, columns: Sequence[str], facts: Finding) -> None:
    known = facts.peek.columns if facts.peek else ()
    missing = [column for column in columns if column not in known]
    if missing:
        raise SettingsError(
            f"{', '.join(map(repr, missing))} would be read from a file of {section}, and none is "
            "given; the interactions have no such column either",
            where=f"[{section}] or --map",
            mend="Name the file: --items FILE" if section == "items" else "Name it: --users-file",
        )


def _commonest(role: str, key: str, attributes: Mapping[str, str]) -> str:
    """Return SQL of what most rows say of each key; the columns of the result are the roles."""
    if not attributes:
        return f"SELECT DISTINCT {identifier(key)} AS {role} FROM source ORDER BY 1"
    columns = {role: key, **attributes}
    return fill(
        COMMONEST,
        key=role,
        names=", ".join(map(identifier, attributes)),
        columns=", ".join(
            f"{identifier(column)} AS {identifier(name)}" for name, column in columns.items()
        ),
    )


def _alike(facts: Sequence[Finding]) -> tuple[Path, ...]:
    """Return the files whose columns are those of the first."""
    first = facts[0].peek
    return tuple(f.path for f in facts if f.peek and first and f.peek.columns == first.columns)


def _with_items(mapping: Mapping[str, str], roles: Mapping[str, str]) -> dict[str, str]:
    return {**mapping, **{ITEM_PREFIX + role: name for role, name in roles.items()}}
