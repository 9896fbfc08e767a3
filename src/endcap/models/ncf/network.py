"""The network of NeuMF and what it learns from: baskets, with the history strictly before them.

Torch only while it is trained; a fitted model computes with `scores.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.models.learning.baskets import Baskets, Seeds
from endcap.models.ncf.scores import Weights

START = 0.1
"""Spread of fresh embeddings: with the 0.01 of the paper, a mean of several begins at nothing."""


class NeuMFNetwork(nn.Module):
    """Logits of users and items: the product of two vectors beside a network of two others.

    Args:
        n_items: size of the catalogue.
        embedding_size: numbers in each of the four kinds of vectors.
        layers: widths of the hidden layers.
        dropout: share of the first hidden layer dropped.

    Source: He et al. 2017, eq. 12, without the pre-training of its two halves.
    """

    def __init__(
        self, n_items: int, *, embedding_size: int, layers: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.size = embedding_size
        self.history = nn.Embedding(n_items, 2 * embedding_size)
        self.items = nn.Embedding(n_items, 2 * embedding_size)
        widths = [2 * embedding_size, *layers]
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths))
        self.output = nn.Linear(embedding_size + widths[-1], 1)
        self.dropout = nn.Dropout(dropout)
        for table in (self.history, self.items):
            nn.init.normal_(table.weight, std=START)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits, shape (n, m), of user vectors (n, 2d) and item numbers (n, m)."""
        vectors = self.items(items)
        users = users[:, None].expand_as(vectors)
        product = users[..., : self.size] * vectors[..., : self.size]
        hidden = torch.cat([users[..., self.size :], vectors[..., self.size :]], dim=-1)
        for number, layer in enumerate(self.layers):
            hidden = torch.relu(layer(hidden))
            if number == 0:
                hidden = self.dropout(hidden)
        logits: Tensor = self.output(torch.cat([product, hidden], dim=-1))
        return logits[..., 0]

    def users(self, seeds: Seeds) -> Tensor:
        """Return the vectors of users, shape (n, 2d): weighted means over their histories."""
        device = self.history.weight.device
        return nn.functional.embedding_bag(
            torch.from_numpy(seeds.items.astype(np.int64)).to(device),
            self.history.weight,
            torch.from_numpy(seeds.offsets).to(device),
            mode="sum",
            per_sample_weights=torch.from_numpy(seeds.weights).to(device),
        )

    def weights(self) -> Weights:
        """Return copies of all weights by name, float32."""
        return {
            name: value.detach().cpu().numpy().copy() for name, value in self.named_parameters()
        }

    def begin_with(self, weights: Weights) -> None:
        """Take over weights; tables of fewer items fill the first rows."""
        with torch.no_grad():
            for name, value in self.named_parameters():
                known = torch.from_numpy(weights[name])
                value[: len(known)] = known.to(value.device)


class NeuMFLearner:
    """What the training loop asks: batches of baskets, and how well items are told from others.

    Args:
        network: on its device.
        baskets: of all users.
        chosen: those to learn from.
        batch_size, max_history, half_life_days, n_targets, n_negatives: see `NCFConfig`.
    """

    def __init__(
        self,
        network: NeuMFNetwork,
        baskets: Baskets,
        *,
        chosen: NDArray[np.int64],
        batch_size: int,
        max_history: int,
        half_life_days: float,
        n_targets: int,
        n_negatives: int,
    ) -> None:
        self._network, self._baskets, self._chosen = network, baskets, chosen
        self._batch_size, self._n_targets, self._n_negatives = batch_size, n_targets, n_negatives
        self._max_history, self._half_life_days = max_history, half_life_days
        self._n_items = network.items.num_embeddings

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return every basket once, in batches of nearly equal sizes."""
        n_parts = -(-len(self._chosen) // self._batch_size)
        return np.array_split(rng.permutation(self._chosen), n_parts) if n_parts else []

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the mean log-loss of items of the baskets and of others drawn uniformly.

        Source: He et al. 2017, eq. 7.
        """
        seeds = self._baskets.seeds(
            batch, max_history=self._max_history, half_life_days=self._half_life_days
        )
        targets = self._baskets.targets(batch, self._n_targets, rng=rng)
        n_others = self._n_targets * self._n_negatives
        others = rng.integers(self._n_items, size=(len(batch), n_others), dtype=np.int32)
        items = np.concatenate([targets, others], axis=1)
        counts = np.ones(items.shape, dtype=np.float32)
        counts[:, self._n_targets :] = ~self._are_own(batch, seeds, others)
        wanted = np.zeros(items.shape, dtype=np.float32)
        wanted[:, : self._n_targets] = 1
        logits = self._network(self._network.users(seeds), self._tensor(items.astype(np.int64)))
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, self._tensor(wanted), weight=self._tensor(counts), reduction="sum"
        )
        return losses / float(counts.sum())

    def quality(self) -> float | None:
        """Return None: nothing is held out, and the last epoch counts."""
        return None

    def _are_own(
        self, batch: NDArray[np.int64], seeds: Seeds, others: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Return which items are in the user's own basket or history, of the shape of `others`."""
        rows, items = self._baskets.contents(batch)
        n_seeds = np.diff(np.append(seeds.offsets, len(seeds.items)))
        rows = np.concatenate([rows, np.repeat(np.arange(len(batch)), n_seeds)])
        own = rows * self._n_items + np.concatenate([items, seeds.items])
        keys = np.arange(len(batch))[:, np.newaxis] * self._n_items + others
        return np.isin(keys, own)

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self._network.items.weight.device)
