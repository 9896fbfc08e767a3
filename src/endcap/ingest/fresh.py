"""What of the sources is to be read: not the same rows twice, not what the parent has read.

How the rest is read is settled by `sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from endcap.ingest.increment import Parent
from endcap.ingest.manifest import SourceFile
from endcap.ingest.mapping import ITEM_PREFIX
from endcap.ingest.recipe import Recipe
from endcap.ingest.shapes import Reading
from endcap.schema.artefacts import file_sha256
from endcap.schema.errors import DataError


def without_copies(recipes: Sequence[Recipe]) -> list[Recipe]:
    """Return the recipes without those whose file has the bytes of an earlier one.

    The same export under two names is one export; an increment would not read it again either.
    """
    kept: list[Recipe] = []
    by_size: dict[int, list[int]] = {}
    for recipe in recipes:
        path = recipe.interactions
        alike = by_size.setdefault(path.stat().st_size, [])
        same = next((n for n in alike if _same_bytes(kept[n].interactions, path)), None)
        if same is None:
            alike.append(len(kept))
            kept.append(recipe)
        else:
            note = f"{path.name} is a copy of {kept[same].interactions.name} and was not read"
            kept[same] = replace(kept[same], warnings=(*kept[same].warnings, note))
    return kept


def without_read(recipes: Sequence[Recipe], parent: Parent, *, scratch: Path) -> list[Recipe]:
    """Return the recipes of files that the parent was not made from.

    A catalogue and a file of users stay: they are read with the first file that is new.

    Args:
        recipes: of all sources.
        parent: the snapshot to add to.
        scratch: holds copies of what has no place of its own, such as standard input.

    Raises:
        DataError: a file was read before, and has another content now.
    """
    fresh = [recipe for recipe in recipes if not _is_in(recipe, parent, scratch)]
    if not fresh:
        return fresh
    first, new = fresh[0], {recipe.interactions for recipe in fresh}
    for recipe in recipes:
        if recipe in fresh:
            break
        if recipe.items is not None and first.items is None:
            first = _with_items_of(recipe, first, new)
        if recipe.users is not None and first.users is None:
            own = recipe.users == recipe.interactions
            first = replace(
                first,
                users=first.interactions if own else recipe.users,
                users_mapping=recipe.users_mapping,
                users_reading=_of_new(recipe.users_reading, new) if own else recipe.users_reading,
            )
    return [first, *fresh[1:]]


def place_of(path: Path, scratch: Path) -> str:
    """Return the name under which a manifest knows a file: its real place if it lasts."""
    if path.is_relative_to(scratch):
        return str(path.relative_to(scratch))
    return str(path.resolve())


def log_offset(parent: Parent | None) -> str | None:
    """Return up to where the parent has read the event log; None when it has read nothing of it."""
    if parent is None:
        return None
    offsets = [file.log_offset for file in parent.manifest.source_files if file.log_offset]
    return offsets[-1] if offsets else None


def _with_items_of(recipe: Recipe, first: Recipe, new: set[Path]) -> Recipe:
    own = recipe.items == recipe.interactions
    roles = {role: name for role, name in recipe.mapping.items() if role.startswith(ITEM_PREFIX)}
    return replace(
        first,
        items=first.interactions if own else recipe.items,
        items_reading=_of_new(recipe.items_reading, new) if own else recipe.items_reading,
        mapping={**first.mapping, **roles},
    )


def _of_new(reading: Reading, new: set[Path]) -> Reading:
    """Return a reading of the interactions themselves, without the files that are not new."""
    tables = {
        name: tuple(path for path in paths if path in new) if name == "source" else paths
        for name, paths in reading.tables.items()
    }
    return replace(reading, tables=tables)


def _same_bytes(one: Path, other: Path) -> bool:
    return file_sha256(one) == file_sha256(other)


def _is_in(recipe: Recipe, parent: Parent, scratch: Path) -> bool:
    """Return whether the parent was made from this very file.

    Raises:
        DataError: a file of that name was read, and has another content now.
    """
    path, before = recipe.interactions, parent.manifest.source_files
    status = path.stat()
    lasts = not path.is_relative_to(scratch)
    known = [file for file in before if lasts and file.path == place_of(path, scratch)]
    if any(_is_untouched(file, status.st_size, status.st_mtime_ns) for file in known):
        return True
    alike = [file for file in before if file.n_bytes == status.st_size]
    if alike and file_sha256(path) in {file.sha256 for file in alike}:
        return True
    if known:
        raise DataError(
            f"the file has changed since it was read: {known[-1].n_bytes:,} bytes then, "
            f"{status.st_size:,} now",
            where=str(path),
            mend="Put new rows into a new file, or ingest all sources again, without --since",
        )
    return False


def _is_untouched(file: SourceFile, n_bytes: int, modified_ns: int) -> bool:
    """Return whether a file need not be hashed again to know it."""
    return file.n_bytes == n_bytes and file.modified_ns == modified_ns
