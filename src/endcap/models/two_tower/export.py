"""The user tower as it is served: from rows of item vectors to a user vector, also as ONNX.

Needs nothing of the item tower: its vectors are computed once.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.models.learning.onnx_file import write_onnx
from endcap.models.two_tower.inputs import SIMILARITY_SHARE
from endcap.models.two_tower.network import UserTower, places_of


class ServedUserTower(nn.Module):
    """The places of the history, the user's network, and the pull of popularity behind it.

    Args:
        network: trained.
        pull: from `inputs.add_popularity`.
        n_context: numbers of the context that the network sees; 0 for none.
    """

    pull: Tensor

    def __init__(self, network: UserTower, *, pull: float, n_context: int = 0) -> None:
        super().__init__()
        self.network = network
        self.n_context = n_context
        self.register_buffer("pull", torch.tensor([pull], dtype=torch.float32))
        self.eval()

    def forward(
        self, history_vectors: Tensor, history_weights: Tensor, user_context: Tensor | None = None
    ) -> Tensor:
        """Return unit vectors, shape (batch, d).

        Args:
            history_vectors: shape (batch, length, d).
            history_weights: shape (batch, length).
            user_context: shape (batch, n_context), where the network sees one.
        """
        similar = history_vectors[:, :, :-2] / SIMILARITY_SHARE
        places = places_of(history_weights)
        user = self.network(similar, history_weights, places, user_context)
        pull = self.pull.expand(user.shape[0], 1)
        length = torch.sqrt(1 + self.pull**2)
        return torch.cat([user, pull, torch.zeros_like(pull)], dim=1) / length

    def vector(
        self,
        history_vectors: NDArray[np.float32],
        history_weights: NDArray[np.float32],
        user_context: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return the vector of one user, shape (d,), for (length, d), (length,), (n_context,)."""
        with torch.inference_mode():
            made = self(
                torch.from_numpy(history_vectors)[None],
                torch.from_numpy(history_weights)[None],
                _rows(user_context, 1),
            )
        return cast("NDArray[np.float32]", made[0].numpy())

    def vectors_without_one(
        self,
        history_vectors: NDArray[np.float32],
        history_weights: NDArray[np.float32],
        user_context: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return the vectors of one user without each item of the history in turn.

        Row i, shape (d,), is what the user would be without item i; shape (length, d) in all.
        """
        length = len(history_weights)
        weights = np.tile(history_weights, (length, 1))
        np.fill_diagonal(weights, 0)
        vectors = torch.from_numpy(history_vectors).expand(length, -1, -1)
        with torch.inference_mode():
            made = self(vectors, torch.from_numpy(weights), _rows(user_context, length))
        return cast("NDArray[np.float32]", made.numpy())


def _rows(context: NDArray[np.float32] | None, n_rows: int) -> Tensor | None:
    return None if context is None else torch.from_numpy(context).expand(n_rows, -1)


def export_onnx(tower: ServedUserTower, path: Path, *, embedding_size: int) -> None:
    """Write the tower as one ONNX file; see `TwoTower.export_user_tower` for its inputs.

    Cost: seconds the first time in a process, for the exporter's own imports.
    """
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    same = torch.export.Dim.DYNAMIC  # named once; the exporter warns about a second name
    inputs = [torch.zeros(2, 3, embedding_size), torch.zeros(2, 3)]
    names = ["history_vectors", "history_weights"]
    shapes: list[dict[int, object]] = [{0: batch, 1: length}, {0: same, 1: same}]
    if tower.n_context:
        inputs.append(torch.zeros(2, tower.n_context))
        names.append("user_context")
        shapes.append({0: same})
    write_onnx(tower, tuple(inputs), path, names=names, output="user_vector", shapes=shapes)
