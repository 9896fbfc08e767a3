"""The user tower as it is served: from rows of item vectors to a user vector, also as ONNX.

Needs nothing of the item tower: its vectors are computed once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.models.tower_inputs import SIMILARITY_SHARE
from endcap.models.tower_network import UserTower

MIN_TOTAL = 1e-20
OPSET = 20


class ServedUserTower(nn.Module):
    """Weighted mean of the history, the user's network, and the pull of popularity behind it.

    Args:
        network: trained.
        pull: from `tower_inputs.add_popularity`.
    """

    pull: Tensor

    def __init__(self, network: UserTower, *, pull: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("pull", torch.tensor([pull], dtype=torch.float32))
        self.eval()

    def forward(self, history_vectors: Tensor, history_weights: Tensor) -> Tensor:
        """Return unit vectors, shape (batch, d), for (batch, length, d) and (batch, length)."""
        similar = history_vectors[:, :, :-2] / SIMILARITY_SHARE
        total = history_weights.sum(dim=1, keepdim=True).clamp(min=MIN_TOTAL)
        mean = (similar * (history_weights / total).unsqueeze(2)).sum(dim=1)
        user = self.network(mean)
        pull = self.pull.expand(user.shape[0], 1)
        length = torch.sqrt(1 + self.pull**2)
        return torch.cat([user, pull, torch.zeros_like(pull)], dim=1) / length

    def vector(
        self, history_vectors: NDArray[np.float32], history_weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the vector of one user, shape (d,), for (length, d) and (length,)."""
        with torch.inference_mode():
            made = self(
                torch.from_numpy(history_vectors)[None], torch.from_numpy(history_weights)[None]
            )
        return cast("NDArray[np.float32]", made[0].numpy())

    def vectors_without_one(
        self, history_vectors: NDArray[np.float32], history_weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the vectors of one user without each item of the history in turn.

        Row i, shape (d,), is what the user would be without item i; shape (length, d) in all.
        """
        length = len(history_weights)
        weights = np.tile(history_weights, (length, 1))
        np.fill_diagonal(weights, 0)
        vectors = torch.from_numpy(history_vectors).expand(length, -1, -1)
        with torch.inference_mode():
            made = self(vectors, torch.from_numpy(weights))
        return cast("NDArray[np.float32]", made.numpy())


def export_onnx(tower: ServedUserTower, path: Path, *, embedding_size: int) -> None:
    """Write the tower as one ONNX file; see `TwoTower.export_user_tower` for its inputs.

    Cost: seconds the first time in a process, for the exporter's own imports.
    """
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    same = torch.export.Dim.DYNAMIC  # named once; the exporter warns about a second name
    with _quiet("torch.onnx"):
        program = torch.onnx.export(
            tower,
            (torch.zeros(2, 3, embedding_size), torch.zeros(2, 3)),
            input_names=["history_vectors", "history_weights"],
            output_names=["user_vector"],
            dynamic_shapes=({0: batch, 1: length}, {0: same, 1: same}),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("the ONNX exporter returned no program")
    program.save(path, external_data=False)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger's warnings: the exporter regrets libraries that we do not use."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
