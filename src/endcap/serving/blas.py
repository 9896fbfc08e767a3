"""Keeps numpy to one thread while a server runs.

A page multiplies small matrices. Spread over all cores, the threads wait for each other longer
than they work, most of all where the cores are busy with something else.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# numpy's wheels bring OpenBLAS under names of their own; a system's OpenBLAS has the plain ones.
_NAMES = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
)

logger = logging.getLogger(__name__)


@contextmanager
def one_blas_thread() -> Iterator[bool]:
    """Run the block with one thread for matrix products; yield whether that could be arranged.

    Where numpy brings no OpenBLAS (Accelerate on a Mac, MKL) nothing changes.
    """
    library = _openblas()
    if library is None:
        logger.info("numpy brings no OpenBLAS: set the number of its threads to 1 yourself")
        yield False
        return
    read, write = library
    before = int(read())
    write(1)
    try:
        yield True
    finally:
        write(before)


def _openblas() -> tuple[ctypes._NamedFuncPointer, ctypes._NamedFuncPointer] | None:
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            library = ctypes.CDLL(str(path))  # loaded by numpy already: the same one comes back
            for read, write in _NAMES:
                if hasattr(library, read) and hasattr(library, write):
                    return getattr(library, read), getattr(library, write)
    return None
