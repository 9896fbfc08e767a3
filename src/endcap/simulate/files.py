"""Files that appear whole or not at all, packed as their names say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from endcap.schema.errors import SettingsError

PACKED_AT_ONCE_BYTES = 2**20
GZIP_LEVEL = 2
ZSTD_LEVEL = 3
_GZIP_WINDOW = 31


class Packer(Protocol):
    """What makes bytes fewer, piece by piece."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what can be written by now."""
        ...

    def flush(self) -> bytes:
        """Return what is left to be written."""
        ...


class Sink:
    """Takes bytes of any length and packs them in pieces of one length.

    So what stands in the file depends on the bytes alone, not on how they came.
    """

    def __init__(self, file: BinaryIO, packer: Packer | None) -> None:
        self._file, self._packer = file, packer
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Write the bytes, now or when there are enough of them."""
        if self._packer is None:
            self._file.write(data)
            return
        self._held += data
        n_ready = len(self._held) // PACKED_AT_ONCE_BYTES * PACKED_AT_ONCE_BYTES
        for begin in range(0, n_ready, PACKED_AT_ONCE_BYTES):
            piece = bytes(self._held[begin : begin + PACKED_AT_ONCE_BYTES])
            self._file.write(self._packer.compress(piece))
        del self._held[:n_ready]

    def finish(self) -> None:
        """Write what is still held."""
        if self._packer is not None:
            self._file.write(self._packer.compress(bytes(self._held)))
            self._file.write(self._packer.flush())


@contextmanager
def whole_file(path: Path) -> Iterator[Sink]:
    """Yield where to write; the file has its name only once all of it is written.

    Whatever ends the block early, Ctrl-C too, leaves no file and an older one as it was.

    Raises:
        SettingsError: the path is a folder, or what packs the file is not installed.
    """
    if path.is_dir():
        raise SettingsError("is a folder", where=str(path), mend="Name a file in it")
    packer = _packer_for(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            sink = Sink(file, packer)
            yield sink
            sink.finish()
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _packer_for(path: Path) -> Packer | None:
    try:
        if path.suffix == ".gz":
            from isal import isal_zlib

            return cast("Packer", isal_zlib.compressobj(GZIP_LEVEL, wbits=_GZIP_WINDOW))
        if path.suffix == ".zst":
            return _zstd()
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"writing {path.suffix} needs {error.name}, which a serving install leaves out",
            where=str(path),
            mend="pip install 'endcap[train]', or leave out the ending",
        ) from error
    return None


def _zstd() -> Packer:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return cast("Packer", zstd.ZstdCompressor(ZSTD_LEVEL))
