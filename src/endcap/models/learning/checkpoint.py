"""The state of an unfinished training on disk, so that it can go on where it was interrupted.

One file, written beside and then moved into place: whatever kills the process, what lies there is
whole. Which training it is of is part of it; that of another one is not taken up, and gone with the
first state that is saved.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from endcap.telemetry import console

STATE = "training.safetensors"
_FACTS = "endcap"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training keeps its state.

    folder: made when it is first needed.
    training: says which training it is; `training_key` makes one.
    """

    folder: Path
    training: str

    def save(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Write the state; until it is whole, the one before stays.

        Args:
            tensors: by name.
            facts: JSON values.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = self.folder / f"{STATE}.{os.getpid()}"
        told = json.dumps({"training": self.training, **facts})
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(whole, scratch, metadata={_FACTS: told})
        scratch.replace(self.folder / STATE)

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return what `save` wrote; None where there is nothing, or that of another training."""
        path = self.folder / STATE
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()[_FACTS])
                if facts.pop("training") != self.training:
                    return None
                names = file.keys()  # the file itself cannot be iterated
                return {name: file.get_tensor(name) for name in names}, facts
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            console.print(f"  {path} cannot be read ({error}); the training begins anew")
            return None

    def clear(self) -> None:
        """Forget the state; nothing there is no error."""
        for path in self.folder.glob(f"{STATE}*"):  # also what a killed process left half written
            path.unlink(missing_ok=True)


def training_key(config: str, seed: int, *arrays: NDArray[np.generic]) -> str:
    """Return what tells one training from another: settings, seed and what is learnt from.

    Args:
        config: the settings as text.
        seed: of the training.
        arrays: what is learnt from; order, sizes and values count.
    """
    digest = hashlib.sha256(f"{torch.__version__} {config} {seed}".encode())
    for array in arrays:
        digest.update(str((array.dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
