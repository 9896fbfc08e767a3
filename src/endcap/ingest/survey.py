"""Looks at several files and says what each holds: interactions, a catalogue, users, or nothing.

Opens each for a moment only; reading is for the pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from endcap.ingest.convert.tables import converted
from endcap.ingest.mapping import interaction_roles, is_positional, item_roles
from endcap.ingest.peek import Peek, peek
from endcap.ingest.shapes import Dialect, Holds, Reading, Shape, recognise_any
from endcap.ingest.staging import Format
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.errors import DataError

NOT_DATA = frozenset({".md", ".pdf", ".html", ".png", ".jpg", ".py", ".ipynb", ".part", ".tag"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a file holds.

    why_not: why nothing of it is read, for `Holds.NOTHING`.
    """

    path: Path
    holds: Holds
    peek: Peek | None = None
    shape: Shape | None = None
    why_not: str = ""

    @property
    def reading(self) -> Reading:
        """How the file becomes a table; companions are added by `join_companions`."""
        if self.peek is None:
            return Reading()
        dialect, shape = self.peek.dialect, self.shape
        converter, select = self.peek.converter, None
        if shape is not None:
            dialect = _over(shape.dialect, dialect)
            converter, select = shape.converter or converter, shape.select
            if shape.converter and dialect.format is not Format.JSON_LINES:
                columns = [*shape.mapping.values(), *shape.item_mapping.values()]
                converter, select = None, converted(shape.converter, columns)
        return Reading(
            dialect=dialect,
            shape=shape,
            converter=converter,
            select=select,
            tables={"source": (self.path,)} if select else {},
        )


def data_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """Return the files of a folder that may hold data, by name; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    files = sorted(
        path
        for path in found
        if path.is_file()
        and not path.name.startswith((".", "_"))
        and path.suffix.lower() not in NOT_DATA
    )
    if not files:
        folders = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise DataError(
            "there are no data files in the folder",
            where=str(folder),
            mend=f"Name one of its folders: {', '.join(folders[:20])}" if folders else "",
        )
    return files


def survey(files: Sequence[Path], given: GivenMapping, *, forgiving: bool) -> list[Finding]:
    """Return what each file holds, in order; files that belong to others are not in it.

    Args:
        files: what to look at.
        given: what the caller said of the columns.
        forgiving: a file that is no table is `Holds.NOTHING` instead of an error.

    Raises:
        DataError: a file cannot be read.
    """
    findings = []
    for path in files:
        try:
            findings.append(look(path, given))
        except DataError as error:
            if not forgiving:
                raise
            findings.append(Finding(path, Holds.NOTHING, why_not=_in_short(error)))
    return list(_without_companions(findings))


def look(path: Path, given: GivenMapping) -> Finding:
    """Return what a file holds, by what was said of it, by its format, by its columns."""
    said = given.interaction_columns()
    dialect = Dialect(
        format=given.file.format,
        delimiter=given.file.delimiter,
        encoding=given.file.encoding,
        has_header=given.file.has_header is not False and not is_positional(said),
        quote='"' if given.file.quote is None else given.file.quote,
    )
    seen = peek(path, dialect=dialect)
    columns = seen.columns
    known = recognise_any(columns, seen.sample, file_name=path.name)
    said_all = {"user_id", "item_id"} <= said.keys() and {"ts", "order"} & said.keys()
    if said_all and all(said[role] in columns for role in said if role != "kind"):
        shape = known[1] if known and known[0] is Holds.INTERACTIONS else None
        return Finding(path, Holds.INTERACTIONS, seen, shape)
    if known is not None:
        holds, shape = known
        why_not = shape.title if holds is Holds.NOTHING else ""
        return Finding(path, holds, seen, shape, why_not)
    return _guess(seen, given)


def look_for(path: Path, holds: Holds, given: GivenMapping) -> Finding:
    """Return a file that the caller says holds this, with its format if that is known."""
    own = GivenMapping(items=given.items, users=given.users)
    found = look(path, own)
    return found if found.holds is holds else replace(found, holds=holds, shape=None, why_not="")


def join_companions(finding: Finding) -> Reading:
    """Return how a file is read, with the files beside it that belong to it."""
    reading = finding.reading
    if finding.shape is None or not finding.shape.companions:
        return reading
    beside = sorted(path for path in finding.path.parent.iterdir() if path.is_file())
    tables = dict(reading.tables)
    for name, companion in finding.shape.companions.items():
        paths = tuple(path for path in beside if _is_named(path, companion.file_name))
        if paths:
            tables[name] = paths
    return replace(reading, tables=tables)


def _guess(seen: Peek, given: GivenMapping) -> Finding:
    where = str(seen.path)
    try:
        interaction_roles(seen.columns, _without_order(given), where=where)
    except DataError as error:
        why_not = _in_short(error)
    else:
        return Finding(seen.path, Holds.INTERACTIONS, seen)
    items = {f"item.{role}": name for role, name in given.item_columns().items()}
    try:
        roles = item_roles(seen.columns, items, where=where)
    except DataError:
        return Finding(seen.path, Holds.NOTHING, seen, why_not=why_not)
    if len(roles) > 1:
        return Finding(seen.path, Holds.ITEMS, seen)
    users = given.users.values()
    if users and all(name in seen.columns for name in users):
        return Finding(seen.path, Holds.USERS, seen)
    return Finding(seen.path, Holds.NOTHING, seen, why_not=why_not)


def _without_order(given: GivenMapping) -> dict[str, str]:
    said = given.interaction_columns()
    if "order" in said:
        said["ts"] = said.pop("order")
    return said


def _without_companions(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Yield the findings but for files that another one takes along."""
    findings = list(findings)
    taken: set[Path] = set()
    for finding in findings:
        if finding.path in taken or finding.shape is None:
            continue
        for paths in join_companions(finding).tables.values():
            taken.update(path for path in paths if path != finding.path)
    return (finding for finding in findings if finding.path not in taken)


def _in_short(error: DataError) -> str:
    """Return what is wrong without the list of columns."""
    return error.what.partition("; the file has:")[0]


def _is_named(path: Path, pattern: str) -> bool:
    name = re.sub(r"\.(gz|zst)$", "", path.name.lower())
    return re.fullmatch(pattern, name) is not None


def _over(shape: Dialect, seen: Dialect) -> Dialect:
    """Return the dialect of the shape, completed by what was seen."""
    if shape == Dialect():
        return seen
    return replace(
        shape,
        format=shape.format or seen.format,
        delimiter=shape.delimiter or seen.delimiter,
        encoding=seen.encoding or shape.encoding,
    )
