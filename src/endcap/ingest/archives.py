"""Zip files as folders: unpacked once, members that lead elsewhere refused."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from endcap.schema.errors import DataError
from endcap.telemetry import track

CHUNK_BYTES = 2**20

# zipfile says RuntimeError of an encrypted member and NotImplementedError of an unknown packing.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def unpack(path: Path, folder: Path) -> Path:
    """Return the folder with the members of a zip file; unpacked unless they lie there already.

    Args:
        path: the zip file.
        folder: the members go into a folder of this, named like the file.

    Raises:
        DataError: it is damaged, encrypted, has a member that would lie elsewhere, or there is
            no room for it.
    """
    target = folder / path.stem
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if _is_wanted(member)]
            if not members:
                raise DataError("the zip file has no files", where=str(path))
            if all(_lies_there(target, member) for member in members):
                return target
            _unpack_all(archive, members, target, where=path)
    except DAMAGE as error:
        raise DataError(
            f"the zip file is damaged, encrypted or packed in an unknown way: {error}",
            where=str(path),
            mend="Fetch it again",
        ) from error
    return target


def _unpack_all(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], target: Path, *, where: Path
) -> None:
    n_bytes = sum(member.file_size for member in members)
    target.parent.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(target.parent).free
    if n_bytes > free_bytes:
        raise DataError(
            f"unpacked it has {n_bytes:,} bytes, and {free_bytes:,} are free", where=str(where)
        )
    with (
        TemporaryDirectory(prefix=".unpack-", dir=target.parent) as scratch,
        track(f"Unpacking {where.name}", n_bytes, unit="B") as task,
    ):
        for member in members:
            file = Path(scratch) / member.filename
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as packed, file.open("wb") as out:
                while chunk := packed.read(CHUNK_BYTES):
                    out.write(chunk)
                    task.advance(len(chunk))
        if target.exists():
            shutil.rmtree(target)
        Path(scratch).rename(target)
        Path(scratch).mkdir()  # for the one that cleans up


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    """Return whether a member is a file that people put there.

    Raises:
        DataError: its name leads out of the folder.
    """
    place = PurePosixPath(member.filename.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or ":" in place.parts[0]:
        raise DataError(
            f"the zip file has a member that would lie elsewhere: {member.filename[:80]!r}",
            mend="Unpack it yourself and name the folder",
        )
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in place.parts)
    return not member.is_dir() and not hidden


def _lies_there(target: Path, member: zipfile.ZipInfo) -> bool:
    file = target / member.filename
    return file.is_file() and file.stat().st_size == member.file_size
