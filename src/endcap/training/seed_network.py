"""The network that was published with the protocol `seed-1`, trained as published.

Both towers end in a ReLU, so their product is never below 0 and the sigmoid of it never below 0.5,
while the labels have a mean of 0.145. The least error it can reach is that of the constant 0.5,
and that is where training takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from endcap.evaluation.pointwise.ratings import Ratings
from endcap.evaluation.seeds.labels import LabelSplit
from endcap.evaluation.seeds.seed_1 import LabelPrediction
from endcap.models.learning.devices import torch_seed, torch_threads
from endcap.schema.types import Scores
from endcap.telemetry import track

ROWS = 1 << 15
NOTE_EVERY = 50


class SeedNetworkConfig(BaseModel):
    """Settings of the published network; the defaults are those of its code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_size: int = Field(128, ge=1, description="Numbers in an embedding.")
    output_size: int = Field(64, ge=1, description="Numbers in the output of a tower.")
    learning_rate: float = Field(1e-3, gt=0, description="Of Adam.")
    batch_size: int = Field(256, ge=2, description="Rows in a step.")
    epochs: int = Field(3, ge=1, description="How often each training row is seen.")
    sparse: bool = Field(
        False,
        description="Step only the embeddings of the batch: Adam without the moves that momentum "
        "makes of the others. Not as published, but a hundred times faster on millions of ids.",
    )


@dataclass(frozen=True, slots=True)
class SeedNetworkRun:
    """What training the network came to.

    prediction: of the held-out rows.
    train_mse: mean loss of each epoch.
    least, most: the smallest and the largest of all predictions.
    """

    prediction: LabelPrediction
    train_mse: tuple[float, ...]
    least: float
    most: float


class SeedNetwork(nn.Module):
    """Embedding, linear layer, batch norm and ReLU for each side; the sigmoid of their product."""

    def __init__(self, n_users: int, n_items: int, config: SeedNetworkConfig) -> None:
        super().__init__()
        self.user = _Tower(n_users, config)
        self.item = _Tower(n_items, config)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the predicted label of each row, in [0.5, 1], shape (n,)."""
        return torch.sigmoid((self.user(users) * self.item(items)).sum(dim=1))


def train_seed_network(
    split: LabelSplit, *, config: SeedNetworkConfig | None = None, seed: int = 42
) -> SeedNetworkRun:
    """Return what the network, trained on the labels of a split, predicts of the other parts.

    Every user and item has an embedding, seen in training or not; one that was not keeps its
    random start.

    Args:
        split: see `split_labels`.
        config: the published settings when None.
        seed: of the start and of the order of rows.

    Cost: with dense steps, every parameter moves in every step: n_rows / 85 steps of
    (n_users + n_items) * 128 numbers. With sparse ones, a minute a million rows on two cores.
    """
    config = config or SeedNetworkConfig()
    # One thread: the steps are small, so more of them mostly wait, and sums would depend on them.
    with torch_threads(1), torch_seed(seed):
        network = SeedNetwork(split.train_data.n_users, split.train_data.n_items, config)
        losses = _train(network, split.train, config)
        test, validation = _predict(network, split.test), _predict(network, split.validation)
    return SeedNetworkRun(
        LabelPrediction(test, validation),
        losses,
        least=float(min(test.min(), validation.min())),
        most=float(max(test.max(), validation.max())),
    )


class _Tower(nn.Module):
    def __init__(self, n_ids: int, config: SeedNetworkConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_ids, config.embedding_size, sparse=config.sparse)
        self.linear = nn.Linear(config.embedding_size, config.output_size)
        self.norm = nn.BatchNorm1d(config.output_size)

    def forward(self, ids: Tensor) -> Tensor:
        return torch.relu(self.norm(self.linear(self.embedding(ids))))


def _train(network: SeedNetwork, rows: Ratings, config: SeedNetworkConfig) -> tuple[float, ...]:
    users, items, labels = _tensors(rows)
    optimisers = _optimisers(network, config)
    network.train()
    losses = []
    with track("seed-1 network", config.epochs * len(rows), unit="rows") as task:
        for _ in range(config.epochs):
            total = 0.0
            for step, batch in enumerate(_batches(len(rows), config.batch_size)):
                loss = nn.functional.mse_loss(network(users[batch], items[batch]), labels[batch])
                for optimiser in optimisers:
                    optimiser.zero_grad(set_to_none=True)
                loss.backward()
                for optimiser in optimisers:
                    optimiser.step()
                total += float(loss.detach()) * len(batch)
                note = f"loss {float(loss.detach()):.4f}" if step % NOTE_EVERY == 0 else ""
                task.advance(len(batch), note=note)
            losses.append(total / len(rows))
    return tuple(losses)


def _optimisers(network: SeedNetwork, config: SeedNetworkConfig) -> list[torch.optim.Optimizer]:
    if not config.sparse:
        return [torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)]
    tables = [network.user.embedding.weight, network.item.embedding.weight]
    rest = [
        parameter
        for tower in (network.user, network.item)
        for layer in (tower.linear, tower.norm)
        for parameter in layer.parameters()
    ]
    return [
        torch.optim.SparseAdam(tables, lr=config.learning_rate),
        torch.optim.Adam(rest, lr=config.learning_rate, fused=True),
    ]


def _batches(n_rows: int, n_batch: int) -> Iterator[Tensor]:
    """Yield the rows in random order; a last batch of one row joins the one before.

    Batch norm is not defined for a single row.
    """
    order = torch.randperm(n_rows)
    ends = list(range(n_batch, n_rows - 1, n_batch))
    yield from order.tensor_split(ends)


def _predict(network: SeedNetwork, rows: Ratings) -> Scores:
    users, items, _ = _tensors(rows)
    network.eval()
    with torch.inference_mode():
        parts = [
            network(users[start : start + ROWS], items[start : start + ROWS])
            for start in range(0, len(rows), ROWS)
        ]
    scores: Scores = torch.cat(parts).numpy()
    return scores


def _tensors(rows: Ratings) -> tuple[Tensor, Tensor, Tensor]:
    columns = (rows.users.astype(np.int64), rows.items.astype(np.int64), rows.stars)
    users, items, labels = (torch.from_numpy(column) for column in columns)
    return users, items, labels
