"""Write what training hands over as one bundle, and make a bundle the current one.

Nothing here decides whether a bundle deserves it: that is training's gate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from endcap.bundle.format import (
    ARRAYS,
    CATALOGUE,
    DERIVED,
    FORMAT,
    MANIFEST,
    SCALARS,
    TEXTS,
    USER_TOWER,
    BundleParts,
    check_parts,
)
from endcap.bundle.manifest import bundle_id_of, render_manifest, verify
from endcap.features.history import History
from endcap.schema.artefacts import (
    file_sha256,
    publish_folder,
    read_pointer,
    scratch_folder,
    write_atomically,
)
from endcap.schema.columns import ITEM_ID, NAME
from endcap.schema.errors import BundleError
from endcap.schema.pseudonym import KEEP

CURRENT = "current"


def write_bundle(
    parts: BundleParts,
    root: Path,
    *,
    snapshot: Mapping[str, Any],
    commit: str | None,
    models: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    user_ids: str = KEEP,
    created_at: datetime | None = None,
) -> Path:
    """Return the folder of the new bundle, `root`/<bundle id>; whole, or not there at all.

    The same content has the same id, whenever it is written. Being written does not make a bundle
    the current one: see `publish`.

    Args:
        parts: what serving will know.
        root: the folder of bundles.
        snapshot: lineage: the manifest of the data, or what is worth keeping of it.
        commit: lineage: the code that trained.
        models: lineage: the parameters of each model by name.
        evaluation: what the models scored.
        user_ids: how the ids of users were made; see `endcap.schema.pseudonym`. A server needs
            the same key.
        created_at: now when None.

    Raises:
        BundleError: the parts do not fit together.
    """
    check_parts(parts)
    with scratch_folder(root) as folder:
        _write_files(parts, folder)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "created_at": (created_at or datetime.now(UTC)).isoformat(timespec="seconds"),
            "clock_shift_us": parts.clock_shift_us,
            "user_ids": user_ids,
            "n_users": parts.n_users,
            "n_items": parts.n_items,
            "parameters": {name: _plain(getattr(parts, name)) for name in SCALARS},
            "snapshot": dict(snapshot),
            "commit": commit,
            "models": dict(models),
            "evaluation": dict(evaluation),
            "files": {
                path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size}
                for path in sorted(folder.iterdir())
            },
        }
        manifest["bundle_id"] = bundle_id_of(manifest)
        (folder / MANIFEST).write_bytes(render_manifest(manifest))
        target = root / manifest["bundle_id"]
        if target.exists():
            verify(target)
        return publish_folder(folder, target)


def publish(folder: Path, root: Path) -> None:
    """Make a written bundle the one that `current` names, in one step, after checking all of it.

    Raises:
        BundleError: the folder is not a whole, intact bundle directly under `root`; the pointer
            stays as it was.
    """
    if folder.resolve().parent != root.resolve():
        raise BundleError("only a bundle under the root can be current", where=str(folder))
    verify(folder)
    write_atomically(root / CURRENT, folder.name + "\n")


def current(root: Path) -> Path:
    """Return the folder of the current bundle.

    Raises:
        BundleError: nothing was published yet, or the published folder is gone.
    """
    folder = read_pointer(root / CURRENT)
    if folder is None:
        raise BundleError("no bundle yet", where=str(root), mend="Run endcap bundle first")
    if not folder.is_dir():
        raise BundleError(
            "the current bundle is gone", where=str(folder), mend="Run endcap bundle again"
        )
    return folder


def _write_files(parts: BundleParts, folder: Path) -> None:
    for spec in ARRAYS:
        array = spec.of(parts)
        if array is not None:
            np.save(folder / spec.file, np.ascontiguousarray(array), allow_pickle=False)
    for name in TEXTS:
        text = json.dumps(list(getattr(parts, name)), ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    if parts.user_tower_onnx is not None:
        (folder / USER_TOWER).write_bytes(parts.user_tower_onnx)
    derived: dict[str, NDArray[Any]] = {
        "name_code": _name_codes(parts.catalogue),
        "catalogue_offsets": _write_catalogue(parts.catalogue, folder / CATALOGUE),
        **_shoppers(parts.told_history, parts.n_items),
    }
    for spec in DERIVED:
        np.save(folder / spec.file, derived[spec.path].astype(spec.dtype), allow_pickle=False)


def _write_catalogue(catalogue: Sequence[Mapping[str, Any]], path: Path) -> NDArray[np.int64]:
    offsets = np.zeros(len(catalogue) + 1, dtype=np.int64)
    with path.open("wb") as file:
        for index, entry in enumerate(catalogue):
            line = json.dumps(_plain(entry), ensure_ascii=False, separators=(",", ":"))
            offsets[index + 1] = offsets[index] + file.write(line.encode() + b"\n")
    return offsets


def _name_codes(catalogue: Sequence[Mapping[str, Any]]) -> NDArray[np.int32]:
    """Return one code a display name, whatever its case and spacing; -1 without a name."""
    codes: dict[str, int] = {}
    result = np.full(len(catalogue), -1, dtype=np.int32)
    for index, entry in enumerate(catalogue):
        name = " ".join((entry.get(NAME) or "").casefold().split())
        if name and name != entry[ITEM_ID]:
            result[index] = codes.setdefault(name, len(codes))
    return result


def _shoppers(history: History, n_items: int) -> dict[str, NDArray[Any]]:
    """Return the history turned round: for each item its users, ascending, and when last."""
    users = np.repeat(np.arange(history.n_users, dtype=np.int32), np.diff(history.indptr))
    order = np.argsort(history.items, kind="stable")
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(history.items, minlength=n_items), out=indptr[1:])
    return {
        "shoppers_indptr": indptr,
        "shoppers_users": users[order],
        "shoppers_last_ts": history.last_ts[order],
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON wants it: settings as their fields, a number that is none as None."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
