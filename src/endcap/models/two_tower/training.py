"""What the training loop asks of the two towers: batches, losses, and how good they are.

What an example is, is `learning/baskets.py`'s affair, the networks are `network.py`'s, and the
loop is `learning/loop.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.features.tower_context import tower_contexts
from endcap.models.learning.baskets import Baskets, Seeds
from endcap.models.learning.loop import share
from endcap.models.learning.softmax import catalogue_cross_entropy
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.inputs import TowerInputs
from endcap.models.two_tower.network import ItemTower, UserTower, sampled_softmax

ROWS = 8192
HELD_OUT_ROWS = 256
MIN_HELD_OUT = 50
POPULARITY_WEIGHTS = (0.0, 0.25, 0.5, 1.0)
"""From which the best is taken where something is held out."""

LENGTH_NOISE = 4.0
"""Batches of about equally long histories are not always of the same ones."""


class TowerLearner(nn.Module):
    """The two networks on one device, and what they are trained on.

    Args:
        item_tower, user_tower: the networks; they are moved to the device.
        inputs: of the item tower.
        baskets: all examples.
        config: of the model.
        categories: code of each item's category, for the context.
        text: unit vectors of the items' texts, float32, shape (n_items, text_size).
        learnt: numbers of the examples that are learnt from.
        held_out: numbers of those that are not, and tell how good the networks are.
        popularity: `inputs.log_popularity`, shape (n_items,).
        device: cpu or cuda.
    """

    def __init__(
        self,
        item_tower: ItemTower,
        user_tower: UserTower,
        inputs: TowerInputs,
        baskets: Baskets,
        config: TwoTowerConfig,
        *,
        categories: NDArray[np.int32],
        learnt: NDArray[np.int64],
        held_out: NDArray[np.int64],
        popularity: NDArray[np.float32],
        text: NDArray[np.float32] | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self.item_tower, self.user_tower = item_tower.to(device), user_tower.to(device)
        self.inputs, self._baskets, self._config, self._device = inputs, baskets, config, device
        self._categories = categories
        self._learnt, self._held_out = learnt, held_out
        self._ids, self._codes = self._tensor(inputs.ids), self._tensor(inputs.codes)
        self._text = None if text is None else self._tensor(text)
        self._popularity = popularity[inputs.known]
        chosen = config.popularity_weight
        self._weights = POPULARITY_WEIGHTS if chosen is None else (chosen,)
        self._log_q = self._tensor(inputs.log_q)
        self._column = np.zeros(len(inputs.ids), dtype=np.int64)
        self.is_full = len(inputs.known) <= config.max_full_items
        self._place = np.zeros(len(inputs.ids), dtype=np.int64)  # of an item in the table
        self._place[inputs.known] = np.arange(1, len(inputs.known) + 1)

    def batches(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """Return the batches of one epoch: examples drawn at random, each at most once.

        Where histories are padded, those of a batch are of about the same length.
        """
        n_batch = self._config.batch_size
        kept = self._learnt
        # A basket is one example whatever is in it; of single events, heavy ones come more often.
        if len(kept) and self._baskets.is_one_by_one:
            masses = self._baskets.masses()[kept]
            kept = kept[rng.random(len(kept)) * masses.max() < masses]
        kept = rng.permutation(kept)[: self.n_epoch_steps * n_batch]
        if self.user_tower.n_means:
            noise = rng.random(len(kept)) * LENGTH_NOISE
            kept = kept[np.argsort(self._baskets.lengths()[kept] + noise, kind="stable")]
        parts = [kept[start : start + n_batch] for start in range(0, len(kept), n_batch)]
        return [parts[number] for number in rng.permutation(len(parts))]

    @property
    def n_epoch_steps(self) -> int:
        """Batches of an epoch at most."""
        config = self._config
        most = max(config.max_steps // max(config.n_epochs, 1), 1)
        return min(-(-len(self._learnt) // config.batch_size), most)

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the mean loss of telling what is in the baskets from all else."""
        seeds = self._seeds(batch)
        n_targets = 1 if self._baskets.is_one_by_one else self._config.n_targets
        targets = self._baskets.targets(batch, n_targets, rng=rng)
        if self.is_full:
            return self._full_loss(batch, seeds, targets)
        return self._sampled_loss(batch, seeds, targets, rng)

    def quality(self) -> float | None:
        """Return how well the networks foresee what was held out, as they would be served."""
        return max(self.qualities().values(), default=None)

    def qualities(self) -> dict[float, float]:
        """Return the quality by the weight of the popularity; empty where nothing was held out.

        That is the mean of 1 / log2(1 + rank) of the items in the held-out baskets, by their
        weights as targets, in [0, 1]. The rank of a new item is among all known items but those of
        the history, that of another one among all known items.
        """
        table = self._table()
        parts = [
            self._gains(self._held_out[start : start + HELD_OUT_ROWS], table)
            for start in range(0, len(self._held_out), HELD_OUT_ROWS)
        ]
        nothing = np.zeros(len(self._weights)), 0.0
        gains, total = (sum(told) for told in zip(nothing, *parts, strict=True))
        if not total:
            return {}
        return dict(zip(self._weights, (gains / total).tolist(), strict=True))

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the unit vectors of all items, float32, shape (n_items, d)."""
        self.item_tower.eval()
        with torch.inference_mode():
            items = torch.arange(len(self._ids), device=self._device)
            parts = [self._vectors(part) for part in items.split(ROWS)]
        vectors: NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
        return vectors

    def _gains(self, batch: NDArray[np.int64], table: Tensor) -> tuple[NDArray[np.float64], float]:
        """Return the sum of the weighted gains, shape (n_weights,), and that of the weights."""
        seeds, (rows, events) = self._seeds(batch), self._baskets.events(batch)
        logits = self._queries(batch, seeds, table, self._place) @ table[1:].T
        told = (logits / self._config.temperature).float().cpu().numpy()
        own = np.split(events, np.flatnonzero(np.diff(rows)) + 1)
        had = np.split(self._place[seeds.items] - 1, seeds.offsets[1:])
        mass = np.diff(self._baskets.weight_until)
        sums = np.zeros(len(self._weights))
        for of_user, events_of_user, items_had in zip(told, own, had, strict=True):
            targets = self._place[self._baskets.item_idx[events_of_user]] - 1
            hidden = np.where(self._baskets.is_repeat[events_of_user, np.newaxis], 0, 1)
            for number, weight in enumerate(self._weights):
                scores = of_user + weight * self._popularity
                wanted = scores[targets, np.newaxis]
                above = np.count_nonzero(scores > wanted, axis=1)
                above -= ((scores[items_had] > wanted) * hidden).sum(axis=1)
                sums[number] += mass[events_of_user] @ (1 / np.log2(2.0 + above))
        return sums, float(mass[events].sum())

    def _full_loss(
        self, batch: NDArray[np.int64], seeds: Seeds, targets: NDArray[np.int32]
    ) -> Tensor:
        table = self._table()
        queries = self._queries(batch, seeds, table, self._place) / self._config.temperature
        return catalogue_cross_entropy(
            queries.repeat_interleave(targets.shape[1], dim=0),
            table,
            self._tensor(self._place[targets.ravel()]),
        )

    def _sampled_loss(
        self,
        batch: NDArray[np.int64],
        seeds: Seeds,
        targets: NDArray[np.int32],
        rng: np.random.Generator,
    ) -> Tensor:
        # Of several processes each sees its part of a batch, and draws what the others see of it:
        # a corrected item of the batch weighs as much as a uniform negative.
        n_elsewhere = (share()[1] - 1) * targets.size
        uniform = rng.choice(self.inputs.known, self._config.n_negatives + n_elsewhere)
        candidates = np.concatenate([targets.ravel(), uniform])
        items = np.unique(np.concatenate([seeds.items, candidates]))
        place = self._column  # all zeros between batches
        place[items] = np.arange(1, len(items) + 1)
        table = _with_padding(self._vectors(self._tensor(items)))
        queries = self._queries(batch, seeds, table, place)
        # Not by indexing: its gradient is summed by several threads in no certain order.
        vectors = nn.functional.embedding(self._tensor(place[candidates]), table)
        place[items] = 0
        log_q = self._log_q[self._tensor(candidates)]
        log_q[targets.size :] = 0.0
        return sampled_softmax(
            queries @ vectors.T / self._config.temperature,
            log_q,
            self._tensor(self._own(batch, candidates)),
            n_targets=targets.shape[1],
        )

    def _own(self, chosen: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which candidates are in the user's own basket, shape (n_chosen, n_candidates)."""
        rows, items = self._baskets.contents(chosen)
        distinct, places = np.unique(candidates, return_inverse=True)
        # A lookup table of all items, of which only those of `distinct` are set; column 0 is spare.
        self._column[distinct] = np.arange(1, len(distinct) + 1)
        is_own = np.zeros((len(chosen), len(distinct) + 1), dtype=np.bool_)
        is_own[rows, self._column[items]] = True
        self._column[distinct] = 0
        return is_own[:, places + 1]

    def _seeds(self, batch: NDArray[np.int64]) -> Seeds:
        config = self._config
        return self._baskets.seeds(
            batch, max_history=config.max_history, half_life_days=config.half_life_days
        )

    def _queries(
        self, batch: NDArray[np.int64], seeds: Seeds, table: Tensor, place: NDArray[np.int64]
    ) -> Tensor:
        """Return the users' vectors; `place` says which row of the table an item has."""
        context = self._context(batch, seeds) if self._config.context else None
        rows = self._tensor(place[seeds.items])
        if not self.user_tower.n_means:
            mean = nn.functional.embedding_bag(
                rows,
                table,
                self._tensor(seeds.offsets),
                mode="sum",
                per_sample_weights=self._tensor(seeds.weights),
            )
            alone: Tensor = self.user_tower.of_means(mean.unsqueeze(1), context)
            return alone
        cells = self._tensor(seeds.rows), self._tensor(seeds.columns())
        shape = (len(batch), int(cells[1].max()) + 1)
        items = rows.new_zeros(shape).index_put(cells, rows)
        weights, places = (
            torch.zeros(shape, device=self._device).index_put(cells, self._tensor(told))
            for told in (seeds.weights, seeds.places())
        )
        queries: Tensor = self.user_tower(
            nn.functional.embedding(items, table), weights, places, context
        )
        return queries

    def _context(self, batch: NDArray[np.int64], seeds: Seeds) -> Tensor:
        now_us = self._baskets.ts[self._baskets.start[batch]]
        return self._tensor(
            tower_contexts(
                seeds.rows, seeds.items, seeds.last_ts, now_us, categories=self._categories
            )
        )

    def _table(self) -> Tensor:
        """Return the vectors of the known items after a row of zeros, (n_known + 1, d)."""
        return _with_padding(self._vectors(self._tensor(self.inputs.known)))

    def _vectors(self, items: Tensor) -> Tensor:
        text = None if self._text is None else self._text[items]
        vectors: Tensor = self.item_tower(self._ids[items], self._codes[items], text)
        return vectors

    def _tensor(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def hold_out(
    baskets: Baskets, config: TwoTowerConfig, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return examples that are to be held out: the last ones of some users, ascending.

    None where they would be too few to tell anything.
    """
    last = baskets.last_of_each_user()
    n = min(round(config.held_out_share * len(last)), config.max_held_out)
    if n < MIN_HELD_OUT:
        return last[:0]
    return np.sort(rng.choice(last, n, replace=False))


def _with_padding(vectors: Tensor) -> Tensor:
    return nn.functional.pad(vectors, (0, 0, 1, 0))
