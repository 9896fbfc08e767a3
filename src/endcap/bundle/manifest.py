"""The manifest of a bundle: its identity, its checksums and how they are checked.

What the files of a bundle mean is not known here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from endcap.bundle.format import FORMAT, MANIFEST
from endcap.schema.artefacts import file_sha256
from endcap.schema.errors import BundleError

ID_LENGTH = 16
_MEND = "Write the bundle again, or copy it again from where it is whole"


def bundle_id_of(manifest: Mapping[str, Any]) -> str:
    """Return the id that follows from the content: all of the manifest but id, date, checksum."""
    content = {
        key: value
        for key, value in manifest.items()
        if key not in ("bundle_id", "created_at", "checksum")
    }
    return hashlib.sha256(_canonical(content)).hexdigest()[:ID_LENGTH]


def render_manifest(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of the manifest file, with a checksum over everything else in it."""
    body = {key: value for key, value in manifest.items() if key != "checksum"}
    checksum = hashlib.sha256(_canonical(body)).hexdigest()
    text = json.dumps({**body, "checksum": checksum}, indent=2, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a bundle.

    Raises:
        BundleError: there is none, it is of another format, or a byte of it has changed.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(
            f"{MANIFEST} is missing, so this is no whole bundle", where=str(path), mend=_MEND
        )
    data = path.read_bytes()
    try:
        manifest = json.loads(data)
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise BundleError(f"{MANIFEST} is not what was written", where=str(path), mend=_MEND)
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"the bundle is of format {manifest.get('format')!r}, this release reads {FORMAT}",
            where=str(path),
            mend="Serve it with the release that wrote it, or train again",
        )
    if render_manifest(manifest) != data or manifest.get("bundle_id") != bundle_id_of(manifest):
        raise BundleError(f"{MANIFEST} is not what was written", where=str(path), mend=_MEND)
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """Return the manifest, once every file in it was found with the bytes that were written.

    Raises:
        BundleError: as `read_manifest`, or a file is missing or changed; it names the file.

    Cost: reads the whole bundle, about 1 s per GB.
    """
    manifest = read_manifest(folder)
    for name, written in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{name} is missing", where=str(path), mend=_MEND)
        if path.stat().st_size != written["bytes"] or file_sha256(path) != written["sha256"]:
            raise BundleError(f"{name} is not what was written", where=str(path), mend=_MEND)
    return manifest


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
