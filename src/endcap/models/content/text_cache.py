"""Vectors of texts on disk, so that only new and changed texts are encoded.

A folder of small files that are only ever added: whatever stops the program, each is whole.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from endcap.telemetry import console


@dataclass(slots=True)
class TextCache:
    """The vectors of one encoder by the hash of (encoder, text).

    folder: made when it is first needed; None keeps them in memory alone.
    encoder: says what encoded; a vector of another encoder is not found.
    """

    folder: Path | None
    encoder: str
    _known: dict[bytes, NDArray[np.float32]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        found = self.folder.glob(f"{self._prefix}-*.npz") if self.folder is not None else ()
        for file in sorted(found):
            try:
                with np.load(file, allow_pickle=False) as part:
                    keys = [key.tobytes() for key in part["keys"]]
                    self._known |= dict(zip(keys, part["vectors"], strict=True))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                console.print(f"  {file} cannot be read ({error}); its texts are encoded anew")

    def __len__(self) -> int:
        return len(self._known)

    def get(self, text: str) -> NDArray[np.float32] | None:
        """Return the vector of a text, shape (d,); None where it is not known."""
        return self._known.get(self._key(text))

    def __getitem__(self, text: str) -> NDArray[np.float32]:
        return self._known[self._key(text)]

    def add(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of some texts, shape (n_texts, d), in a file of their own."""
        if not len(texts):
            return
        keys = [self._key(text) for text in texts]
        self._known |= dict(zip(keys, vectors, strict=True))
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(b"".join(keys)).hexdigest()[:16]
        scratch = self.folder / f"{self._prefix}-{name}.{os.getpid()}"
        with scratch.open("wb") as file:
            table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
            np.savez(file, allow_pickle=False, keys=table, vectors=vectors)
        scratch.replace(self.folder / f"{self._prefix}-{name}.npz")

    @property
    def _prefix(self) -> str:
        return hashlib.sha256(self.encoder.encode()).hexdigest()[:12]

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.encoder}\0{text}".encode()).digest()
