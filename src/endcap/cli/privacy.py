"""Pseudonyms at the command line: the key that a bundle needs, and whom a pseudonym stands for."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endcap.cli.context import settings_with
from endcap.cli.output import JsonFlag, emit_json
from endcap.ingest.privacy.keys import open_id_key
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import KEEP, SPOKEN, Pseudonyms, is_pseudonym
from endcap.settings import Settings

if TYPE_CHECKING:
    from endcap.ingest.privacy.identities import IdentityMap

IDENTITIES_EXAMPLES = """
**Examples**: `endcap identities encode ann@example.org`,
`endcap identities decode y7ixf4bltda4dnwzgxzydwueyi`, `endcap identities erase ann@example.org`,
`endcap identities encode - < ids.txt`. Exit code 3 when an id is not in the map.
"""
STDIN = "-"


class IdentityAction(StrEnum):
    """What to do with ids."""

    ENCODE = "encode"
    DECODE = "decode"
    ERASE = "erase"


def identities(
    action: Annotated[
        IdentityAction,
        typer.Argument(
            help="encode ids as pseudonyms; decode pseudonyms by the encrypted map; erase ids from "
            "the map, so that nobody can decode them."
        ),
    ],
    ids: Annotated[
        list[str], typer.Argument(help="Ids or pseudonyms; `-` reads them from standard input.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Tell whom a pseudonym stands for, for those who hold the key."""
    settings = settings_with()
    wanted = _read_lines() if ids == [STDIN] else ids
    key = open_id_key(settings.privacy, var=settings.var)
    if action is IdentityAction.ENCODE:
        pseudonyms = Pseudonyms(key)
        found = {raw_id: pseudonyms.of(raw_id) for raw_id in wanted}
    else:
        kept = _open_map(settings, key)
        found = _decoded(kept, wanted) if action is IdentityAction.DECODE else _erased(kept, wanted)
    if as_json:
        emit_json(found)
        return
    for given, answer in found.items():
        typer.echo(f"{given}\t{answer}")


def bundle_pseudonyms(folder: Path, settings: Settings) -> Pseudonyms | None:
    """Return what makes the user ids of a bundle; None for a bundle that has them as they are.

    Raises:
        BundleError: there is no readable bundle.
        SettingsError: the bundle needs a key, and there is none.
    """
    from endcap.bundle.manifest import read_manifest

    if read_manifest(folder).get("user_ids", KEEP) == KEEP:
        return None
    return Pseudonyms(open_id_key(settings.privacy, var=settings.var))


def _open_map(settings: Settings, key: bytes) -> IdentityMap:
    try:
        from endcap.ingest.privacy.identities import open_identities
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"this command needs {error.name}, which a serving install leaves out",
            mend="pip install 'endcap[train]'",
        ) from error
    kept = open_identities(settings.privacy, id_key=key, var=settings.var)
    if not kept.path.exists():
        raise DataError(
            "there is no map of ids for this key",
            where=str(kept.path),
            mend="Set privacy.keep_id_map = true and ingest again",
        )
    return kept


def _decoded(kept: IdentityMap, wanted: list[str]) -> dict[str, str]:
    names = {given: given.removeprefix(SPOKEN) for given in wanted}
    if wrong := [given for given, name in names.items() if not is_pseudonym(name)]:
        raise DataError(f"{wrong[0]!r} is not a pseudonym", mend="Give 26 characters of base32")
    known = kept.read()
    _refuse_missing(kept, [given for given, name in names.items() if name not in known])
    return {given: known[name] for given, name in names.items()}


def _erased(kept: IdentityMap, wanted: list[str]) -> dict[str, str]:
    gone = {raw_id: "erased" for raw_id in wanted if kept.erase(raw_id)}
    _refuse_missing(kept, [raw_id for raw_id in wanted if raw_id not in gone])
    return gone


def _refuse_missing(kept: IdentityMap, missing: list[str]) -> None:
    if missing:
        raise DataError(f"not in the map: {', '.join(missing)}", where=str(kept.path))


def _read_lines() -> list[str]:
    return [line.rstrip("\r\n") for line in sys.stdin if line.strip()]
