"""A network of ten numbers with dropout and noise: all that a training must reproduce."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from endcap.models.learning.checkpoint import Checkpoint, training_key
from endcap.models.learning.loop import LoopConfig, train_network

N_EXAMPLES, BATCH = 64, 16
CONFIG = LoopConfig(
    n_epochs=6, learning_rate=0.05, schedule="cosine", warmup_steps=4, averaging=0.9, patience=0
)
RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((N_EXAMPLES, 4)).astype(np.float32)
WANTED = (INPUTS @ np.array([1.0, -2.0, 0.5, 0.0], dtype=np.float32) + 1.0)[:, None]


def toy_network(seed: int = 1) -> nn.Module:
    """Return a fresh network, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.2), nn.Linear(2, 1))


class ToyLearner:
    """Least squares with noise from the stream that the loop gives.

    interrupt_at: the batch, counted from 1 over all epochs, in which `interruption` happens.
    qualities: what `quality` says after one epoch after another; nothing when None.
    """

    def __init__(self, network, *, interrupt_at=0, interruption=None, qualities=None):
        self.network, self.qualities = network, list(qualities or [])
        self.interrupt_at, self.interruption = interrupt_at, interruption
        self.n_batches, self.judged = 0, []

    def batches(self, rng):
        return np.array_split(rng.permutation(N_EXAMPLES), N_EXAMPLES // BATCH)

    def loss(self, batch, rng):
        self.n_batches += 1
        if self.n_batches == self.interrupt_at:
            self.interruption()
        inputs = INPUTS[batch] + 0.1 * rng.standard_normal((len(batch), 4)).astype(np.float32)
        found = self.network(torch.from_numpy(inputs))
        return ((found - torch.from_numpy(WANTED[batch])) ** 2).mean()

    def quality(self):
        self.judged.append(weights_of(self.network))
        return self.qualities.pop(0) if self.qualities else None


def weights_of(network):
    """Return a copy of all weights, one after another."""
    return torch.cat([value.detach().reshape(-1) for value in network.parameters()]).numpy().copy()


def toy_checkpoint(folder, *, config=CONFIG, seed=3, inputs=INPUTS):
    """Return where the toy training keeps its state."""
    return Checkpoint(Path(folder), training_key(config.model_dump_json(), seed, inputs))


def train_toy(*, config=CONFIG, seed=3, checkpoint=None, **learner):
    """Return the weights at the end, how the training went, and the learner."""
    network = toy_network()
    toy = ToyLearner(network, **learner)
    trained = train_network(
        network, toy, config=config, seed=seed, title="toy", checkpoint=checkpoint
    )
    return weights_of(network), trained, toy


def kill_myself():
    """End this process as nothing in it can prevent."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    train_toy(
        checkpoint=toy_checkpoint(sys.argv[1]),
        interrupt_at=int(sys.argv[2]),
        interruption=kill_myself,
    )
