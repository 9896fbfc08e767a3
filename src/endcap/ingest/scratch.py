"""A folder for what is in the making, on the disk where it will stay; gone when the run is over.

Also when the run was killed: the next one removes what nobody holds any more.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from endcap.telemetry import step


@contextmanager
def scratch_in(root: Path, prefix: str, *, keep_root: bool = True) -> Iterator[Path]:
    """Yield an empty folder under `root`, whose name begins with the prefix, and remove it after.

    Folders of that kind that killed runs left behind are removed first; those of runs that are
    under way stay.

    Args:
        root: made if need be.
        prefix: tells what the folder is for; begins with a dot.
        keep_root: whether what was made of `root` stays.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(parents=True, exist_ok=True)
    with _held(root):  # so that nobody takes the new folder for one that was left behind
        _remove_dead(root, prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        own = ExitStack()
        own.enter_context(_held(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        own.close()
        for folder in () if keep_root else made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _remove_dead(root: Path, prefix: str) -> None:
    dead = [path for path in sorted(root.glob(f"{prefix}*")) if path.is_dir() and _is_free(path)]
    for path in dead:
        with step(f"Removing {path.name}, which a killed run left"):
            shutil.rmtree(path, ignore_errors=True)


def _is_free(path: Path) -> bool:
    try:
        with _held(path, wait=False):
            return True
    except BlockingIOError:
        return False


@contextmanager
def _held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder, which the system gives back when the process dies.

    Raises:
        BlockingIOError: another process holds it, and we were not to wait.
    """
    if sys.platform == "win32":  # which locks no folders; what was left behind is never free
        if not wait:
            raise BlockingIOError
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
