"""From what a person names (a data set, files, a folder, standard input) to recipes.

Which formats there are is data in `shapes`, which data sets have a name in `named_sets`.
"""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from endcap.ingest import complete_journey
from endcap.ingest.archives import unpack
from endcap.ingest.named_sets import METADATA, NAMED_SETS, NamedSet, RemoteFile, fetch
from endcap.ingest.peek import SNIFFED_BYTES, form_of_bytes
from endcap.ingest.recipe import Published, Recipe, explain
from endcap.ingest.resolve import recipes_of
from endcap.ingest.shapes import Holds
from endcap.ingest.staging import Format
from endcap.ingest.survey import Finding, data_files, look_for, survey
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.errors import DataError, SettingsError

__all__ = [
    "NAMED_SETS",
    "SOURCE_NAMES",
    "STDIN",
    "NamedSet",
    "Published",
    "Recipe",
    "RemoteFile",
    "explain",
    "find_sources",
]

SOURCE_NAMES = (complete_journey.NAME, *NAMED_SETS)
STDIN = "-"
DEMOGRAPHICS_FILE = "demographics.parquet"
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class _Search:
    """What `find_sources` was asked for besides the sources."""

    downloads: Path
    scratch: Path
    given: GivenMapping
    items: Finding | None
    users: Finding | None
    stdin: BinaryIO | None


def find_sources(
    sources: Sequence[str],
    *,
    downloads: Path,
    mapping: GivenMapping | None = None,
    items_file: Path | None = None,
    users_file: Path | None = None,
    scratch: Path | None = None,
    file_format: str | None = None,
    stdin: BinaryIO | None = None,
) -> list[Recipe]:
    """Return how to read each file of interactions that the sources have, in their order.

    Files that are named one by one, and what a glob or a folder holds, are looked at together:
    a catalogue among them is the catalogue of all of them.

    Args:
        sources: names of `SOURCE_NAMES` (`+meta` behind one of Amazon fetches the metadata too),
            files, zip files, folders, globs, or `-` for standard input.
        downloads: where fetched files lie.
        mapping: what is known of the columns; goes before what a known format says.
        items_file: the catalogue.
        users_file: attributes of users.
        scratch: where standard input is copied to and zip files are unpacked; `downloads` when
            None.
        file_format: of standard input, and of files whose names do not tell.
        stdin: what `-` stands for.

    Raises:
        DataError: a source is unknown, or no file of interactions is in it.
        SettingsError: a mapping or a second file fits nothing.
        DownloadError: a named set could not be fetched.
    """
    given = _with_format(mapping or GivenMapping(), file_format)
    search = _Search(
        downloads=downloads,
        scratch=scratch or downloads,
        given=given,
        items=look_for(items_file, Holds.ITEMS, given) if items_file else None,
        users=look_for(users_file, Holds.USERS, given) if users_file else None,
        stdin=stdin,
    )
    recipes: list[Recipe] = []
    loose: list[Path] = []
    for source in sources:
        files = _loose_files(source, search)
        if files is not None:
            loose.extend(files)
            continue
        recipes.extend(_loose_recipes(loose, search))
        loose = []
        recipes.extend(_find(source, search))
    recipes.extend(_loose_recipes(loose, search))
    if not recipes:
        raise DataError("no source is named", mend=f"Known names: {', '.join(SOURCE_NAMES)}")
    return recipes


def _with_format(given: GivenMapping, file_format: str | None) -> GivenMapping:
    if file_format is None:
        return given
    if file_format not in set(Format):
        raise SettingsError(
            f"{file_format!r} is not a form of files",
            where="--format",
            mend=f"Known: {', '.join(Format)}",
        )
    file = given.file.model_copy(update={"format": Format(file_format)})
    return given.model_copy(update={"file": file})


def _loose_files(source: str, search: _Search) -> list[Path] | None:
    """Return the files that a source names one by one; None for a set, a zip file or a folder."""
    if source == STDIN:
        return [_copy_stdin(search)]
    if not source.strip():  # such as a variable of a script that was not set
        raise SettingsError("a source has no name", where="SOURCES", mend="Name a file or folder")
    if _entry(source) is not None or source == complete_journey.NAME:
        return None
    path = Path(source).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip"):
        return None
    if _is_there(path):
        return [path]
    # Path.glob takes no absolute pattern, and finds hidden files that nobody asked for.
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207
    files = [file for file in found if file.is_file()]
    if not files:
        raise DataError(
            f"{source!r} is neither a file nor a data set known by name",
            mend=f"Known names: {', '.join(SOURCE_NAMES)}",
        )
    return files


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def _loose_recipes(files: Sequence[Path], search: _Search) -> list[Recipe]:
    if not files:
        return []
    findings = survey(files, search.given, forgiving=False)
    if len(files) == 1 and findings[0].holds is not Holds.INTERACTIONS:
        # The caller says that it is one; what it lacks is said when its roles are asked for.
        findings = [replace(findings[0], holds=Holds.INTERACTIONS, shape=None)]
    elif not any(finding.holds is Holds.INTERACTIONS for finding in findings):
        raise _no_interactions(findings, where=", ".join(file.name for file in files[:10]))
    return recipes_of(findings, search.given, items=search.items, users=search.users)


def _find(source: str, search: _Search) -> list[Recipe]:
    if source == complete_journey.NAME:
        return [_complete_journey(search)]
    entry = _entry(source)
    if entry is not None:
        return _named(entry, search, with_metadata=source.endswith(METADATA))
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path, data_files(path), search)
    folder = unpack(path, search.scratch)
    return _folder(path, data_files(folder, deep=True), search)


def _folder(folder: Path, files: Sequence[Path], search: _Search) -> list[Recipe]:
    findings = survey(files, search.given, forgiving=True)
    if not any(finding.holds is Holds.INTERACTIONS for finding in findings):
        raise _no_interactions(findings, where=str(folder))
    recipes = recipes_of(findings, search.given, items=search.items, users=search.users)
    return [replace(recipe, name=f"{folder.name}/{recipe.name}") for recipe in recipes]


def _no_interactions(findings: Sequence[Finding], *, where: str) -> DataError:
    listed = "; ".join(
        f"{finding.path.name}: {finding.why_not or f'holds {finding.holds}'}"
        for finding in findings[:10]
    )
    return DataError(
        f"no file of interactions is among them: {listed}",
        where=where,
        mend="Say which columns are which with --map or --mapping",
    )


def _entry(source: str) -> NamedSet | None:
    entry = NAMED_SETS.get(source.removesuffix(METADATA))
    return None if entry is None or (source.endswith(METADATA) and not entry.metadata) else entry


def _named(entry: NamedSet, search: _Search, *, with_metadata: bool) -> list[Recipe]:
    files: list[Path] = []
    for path in fetch(entry, search.downloads, with_metadata=with_metadata):
        if path.suffix.lower() == ".zip":
            files.extend(data_files(unpack(path, path.parent), deep=True))
        else:
            files.append(path)
    findings = survey(files, search.given, forgiving=len(files) > 2)
    if not any(finding.holds is Holds.INTERACTIONS for finding in findings):
        raise _no_interactions(findings, where=entry.name)
    recipes = recipes_of(findings, search.given, items=search.items, users=search.users)
    return [
        replace(
            recipe,
            name=entry.name,
            published=entry.published if len(recipes) == 1 else None,
            notes=(entry.title, *entry.notes, f"Terms: {entry.licence}", *recipe.notes),
        )
        for recipe in recipes
    ]


def _complete_journey(search: _Search) -> Recipe:
    if search.items is not None or search.given.item_columns():
        raise SettingsError(
            f"{complete_journey.NAME} has a catalogue of its own",
            where="--items",
            mend="Leave it out",
        )
    transactions, products = complete_journey.find_files()
    people = transactions.with_name(DEMOGRAPHICS_FILE)
    users = people if people.is_file() else None
    return Recipe(
        name=complete_journey.NAME,
        interactions=transactions,
        items=products,
        mapping={**complete_journey.MAPPING, **search.given.interaction_columns()},
        available_days=complete_journey.AVAILABLE_DAYS,
        notes=complete_journey.NOTES,
        users=users,
        users_mapping={"user_id": "household_id"} if users else {},
        explanation=("a named set with rules of its own",),
    )


def _copy_stdin(search: _Search) -> Path:
    """Return a copy of standard input whose name tells what it is."""
    stdin = search.stdin or sys.stdin.buffer
    head = stdin.read(SNIFFED_BYTES)
    if not head.strip():
        raise DataError(
            "nothing came through standard input",
            where=STDIN,
            mend="It can be read once only: endcap ingest - < FILE",
        )
    packed = {b"\x1f\x8b": ".gz", b"\x28\xb5": ".zst"}.get(head[:2], "")
    known = search.given.file.format or (None if packed else form_of_bytes(head))
    search.scratch.mkdir(parents=True, exist_ok=True)
    copy = search.scratch / f"stdin{f'.{known}' if known else ''}{packed}"
    with copy.open("wb") as out:
        out.write(head)
        shutil.copyfileobj(stdin, out, CHUNK_BYTES)
    return copy
