"""Train the two towers: batches, optimiser, schedule, progress.

What an example is, is `tower_examples.py`'s affair, and the networks are `tower_network.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.models.tower_config import TwoTowerConfig
from endcap.models.tower_examples import Baskets
from endcap.models.tower_inputs import TowerInputs
from endcap.models.tower_network import ItemTower, UserTower, sampled_softmax
from endcap.telemetry import track

MAX_GRADIENT = 1.0
NOTE_EVERY = 20
ROWS = 8192


class TowerTrainer:
    """The two networks on one device, and one optimiser for both."""

    def __init__(
        self, item_tower: ItemTower, user_tower: UserTower, inputs: TowerInputs, *, device: str
    ) -> None:
        self.item_tower, self.user_tower = item_tower.to(device), user_tower.to(device)
        self._inputs, self._device = inputs, device
        self._ids, self._codes = self._tensor(inputs.ids), self._tensor(inputs.codes)
        self._log_q = self._tensor(inputs.log_q)
        self._column = np.zeros(len(inputs.ids), dtype=np.int64)

    def train(
        self, baskets: Baskets, config: TwoTowerConfig, *, rng: np.random.Generator
    ) -> list[float]:
        """Train both towers for the configured number of steps; return the loss of each step."""
        n_batch = min(config.batch_size, len(baskets))
        n_steps = min(round(config.epochs * len(baskets) / max(n_batch, 1)), config.max_steps)
        if n_steps == 0:
            return []
        parameters = [*self.item_tower.parameters(), *self.user_tower.parameters()]
        optimiser = torch.optim.AdamW(
            parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.learning_rate, total_steps=n_steps + 1, pct_start=0.1
        )
        self.item_tower.train()
        self.user_tower.train()
        losses: list[float] = []
        with track("two_tower", n_steps * n_batch, unit="baskets") as task:
            for chosen in _batches(len(baskets), n_batch, n_steps, rng):
                loss = self._loss(baskets, chosen, config, rng=rng)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT)
                optimiser.step()
                schedule.step()
                losses.append(float(loss.detach()))
                task.advance(n_batch, note=f"loss {np.mean(losses[-NOTE_EVERY:]):.3f}")
        return losses

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the unit vectors of all items, float32, shape (n_items, d)."""
        self.item_tower.eval()
        with torch.inference_mode():
            parts = [
                self.item_tower(self._ids[start : start + ROWS], self._codes[start : start + ROWS])
                for start in range(0, len(self._ids), ROWS)
            ]
        vectors: NDArray[np.float32] = torch.cat(parts).cpu().numpy()
        return vectors

    def _loss(
        self,
        baskets: Baskets,
        chosen: NDArray[np.int64],
        config: TwoTowerConfig,
        *,
        rng: np.random.Generator,
    ) -> Tensor:
        inputs = self._inputs
        seeds = baskets.seeds(
            chosen, max_history=config.max_history, half_life_days=config.half_life_days
        )
        targets = baskets.targets(chosen, config.n_targets, rng=rng).ravel()
        uniform = rng.choice(inputs.known, config.n_negatives)
        candidates = np.concatenate([targets, uniform])
        items, places = np.unique(np.concatenate([seeds.items, candidates]), return_inverse=True)
        chosen_items = self._tensor(items)
        vectors = self.item_tower(self._ids[chosen_items], self._codes[chosen_items])
        seed_places = self._tensor(places[: len(seeds.items)])
        mean = nn.functional.embedding_bag(
            seed_places,
            vectors,
            self._tensor(seeds.offsets),
            mode="sum",
            per_sample_weights=self._tensor(seeds.weights),
        )
        # Not by indexing: its gradient is summed by several threads in no certain order.
        candidate_vectors = nn.functional.embedding(
            self._tensor(places[len(seeds.items) :]), vectors
        )
        logits = self.user_tower(mean) @ candidate_vectors.T / config.temperature
        log_q = self._log_q[self._tensor(candidates)]
        log_q[len(targets) :] = 0.0
        return sampled_softmax(
            logits,
            log_q,
            self._tensor(self._own(baskets, chosen, candidates)),
            n_targets=config.n_targets,
        )

    def _own(
        self, baskets: Baskets, chosen: NDArray[np.int64], candidates: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which candidates are in the user's own basket, shape (n_chosen, n_candidates)."""
        rows, items = baskets.contents(chosen)
        distinct, places = np.unique(candidates, return_inverse=True)
        # A lookup table of all items, of which only those of `distinct` are set; column 0 is spare.
        self._column[distinct] = np.arange(1, len(distinct) + 1)
        is_own = np.zeros((len(chosen), len(distinct) + 1), dtype=np.bool_)
        is_own[rows, self._column[items]] = True
        self._column[distinct] = 0
        return is_own[:, places + 1]

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Use so many threads within the block, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_seed(seed: int) -> Iterator[None]:
    """Draw from this seed within the block, and leave torch's own stream as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def pick_device(wish: str) -> str:
    """Return the device to train on: what is wished, or for "auto" a GPU where there is one."""
    if wish != "auto":
        return wish
    return "cuda" if torch.cuda.is_available() else "cpu"


def _batches(
    n_examples: int, n_batch: int, n_steps: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield batches of examples, each example once before any comes again."""
    order = np.empty(0, dtype=np.int64)
    for _ in range(n_steps):
        while len(order) < n_batch:
            order = np.concatenate([order, rng.permutation(n_examples)])
        yield order[:n_batch]
        order = order[n_batch:]
