"""How folders that never change are written: beside, then renamed, then pointed to.

Snapshots, training runs and bundles all follow this, so that a crash or a full disk can never
leave something half-written that looks whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_SCRATCH_PREFIX = ".writing-"


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hex; reads it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """Yield an empty folder under `root`, on the same disk as what it will become.

    It is removed at the end unless `publish_folder` has moved it to its place.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX, dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish_folder(folder: Path, target: Path, *, pointer: Path | None = None) -> Path:
    """Make a finished scratch folder visible as `target`, and return `target`.

    Everything in it is flushed to disk first. When `target` exists already (the same content
    under the same name) it stays as it is.

    Args:
        folder: from `scratch_folder`.
        target: its final place, under the same root.
        pointer: a file to name `target` from then on; see `read_pointer`.
    """
    for path in sorted(folder.rglob("*")):
        _flush(path)
    _flush(folder)
    if not target.exists():
        folder.chmod(0o755)  # mkdtemp's 0700 would hide it from a server under another user
        folder.rename(target)
        _flush(target.parent)
    if pointer is not None:
        write_atomically(pointer, target.name + "\n")
    return target


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old or the new text, never a part."""
    handle, scratch = tempfile.mkstemp(prefix=_SCRATCH_PREFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    _flush(path.parent)


def read_pointer(pointer: Path) -> Path | None:
    """Return the folder beside the pointer that it names; None when there is no pointer."""
    if not pointer.is_file():
        return None
    return pointer.parent / pointer.read_text(encoding="utf-8", errors="replace").strip()


@cache
def commit_hash() -> str | None:
    """Return the git commit of the code that runs, None outside a checkout; "+" marks changes."""
    package = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    # An installed package may lie inside somebody else's checkout: only a tracked file counts.
    if git is None or _git(git, package, "ls-files", "--error-unmatch", "py.typed") is None:
        return None
    commit = _git(git, package, "rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + ("+" if _git(git, package, "status", "--porcelain", "--", ".") else "")


def _git(git: str, folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(  # noqa: S603 - fixed arguments, an absolute program
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
