"""Train the sequence network: what an epoch is, what a batch costs, how good it has become.

The loop itself is `learning/loop.py`; what an example is, is `examples.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from endcap.features.history import History
from endcap.models.learning.softmax import catalogue_cross_entropy
from endcap.models.sequence.config import SequenceConfig
from endcap.models.sequence.examples import Examples
from endcap.models.sequence.network import SequenceEncoder

MAX_WHOLE_CATALOGUE = 50_000
N_NEGATIVES = 2048
HELD_OUT_SHARE = 0.1
MIN_HELD_OUT = 50
"""Fewer foreseen events than this say nothing about which epoch was best."""

JUDGED_K = 10
_ROWS = 512
_SCALE = 0.02


class SequenceLearner:
    """What the training loop asks: batches of sequences of one length, and their loss.

    Args:
        network: on its device.
        examples: of all users.
        chosen: the examples to learn from.
        held_out: the examples whose items are to be foreseen; few or none: quality is unknown.
        config: of the model.
    """

    def __init__(
        self,
        network: SequenceEncoder,
        examples: Examples,
        *,
        chosen: NDArray[np.int64],
        held_out: NDArray[np.int64],
        config: SequenceConfig,
    ) -> None:
        self._network, self._examples, self._config = network, examples, config
        self._chosen = chosen
        self._held_out = held_out if len(held_out) >= MIN_HELD_OUT else held_out[:0]
        self._device = network.items.weight.device
        n_items = network.items.num_embeddings - 1
        whole = N_NEGATIVES if n_items > MAX_WHOLE_CATALOGUE else None
        self._n_negatives = config.n_negatives or whole

    def batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return every example once, in batches of sequences of one length.

        At most `max_steps` batches: where there are more, another part of them each epoch.
        """
        lengths = np.minimum(self._examples.n_known[self._chosen], self._config.max_length)
        made: list[NDArray[np.int64]] = []
        for length in np.unique(lengths):
            of_length = rng.permutation(self._chosen[lengths == length])
            n_parts = -(-len(of_length) // self._config.batch_size)
            made.extend(np.array_split(of_length, n_parts))
        order = rng.permutation(len(made))[: self._config.max_steps]
        return [made[number] for number in order]

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the mean cross-entropy of the items that came next."""
        queries = self._queries(batch)
        targets = self._tensor(self._examples.item_idx[batch].astype(np.int64) + 1)
        table = self._network.items.weight
        if self._n_negatives is None:
            return catalogue_cross_entropy(
                queries, table, targets, smoothing=self._config.smoothing
            )
        return self._sampled(queries, table, targets, rng)

    def quality(self) -> float | None:
        """Return the mean NDCG@10 of the events held out, among what their users had not had."""
        if not len(self._held_out):
            return None
        gains = np.concatenate(list(self._gains()))
        return float(gains.mean())

    def _gains(self) -> Iterator[NDArray[np.float64]]:
        table = self._network.items.weight
        examples = self._examples
        lengths = np.minimum(examples.n_known[self._held_out], self._config.max_length)
        for length in np.unique(lengths):
            rows = self._held_out[lengths == length]
            for start in range(0, len(rows), _ROWS):
                batch = rows[start : start + _ROWS]
                scores = self._queries(batch) @ table.T
                targets = self._tensor(examples.item_idx[batch].astype(np.int64) + 1)[:, None]
                wanted = scores.gather(1, targets)
                known = examples.sequences(batch, max_length=self._config.max_length)
                scores.scatter_(1, self._tensor(known), -torch.inf)
                scores[:, 0] = -torch.inf
                ranks = (scores > wanted).sum(dim=1).cpu().numpy()
                yield np.where(ranks < JUDGED_K, 1 / np.log2(ranks + 2.0), 0.0)

    def _queries(self, batch: NDArray[np.int64]) -> Tensor:
        sequences = self._examples.sequences(batch, max_length=self._config.max_length)
        items = self._tensor(sequences)
        # Of somebody with very many repeats fewer are found than are known.
        whole = self._network.encode_whole if (sequences != 0).all() else self._network
        return whole(items)

    def _sampled(
        self, queries: Tensor, table: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> Tensor:
        """Return the cross-entropy against uniform negatives, the same for the whole batch.

        Source: RecTools' SASRec with sampled softmax; Klenitskiy, Vasilev 2023.
        """
        n_items = len(table) - 1
        drawn = self._tensor(rng.integers(1, n_items + 1, self._n_negatives))
        wanted = (queries * table[targets]).sum(dim=1, keepdim=True)
        others = queries @ table[drawn].T
        others = others.masked_fill(drawn[None] == targets[:, None], -1e9)
        # As many as are left out stand behind each negative.
        shift = float(np.log(n_items / len(drawn)))
        logits = torch.cat([wanted, others + shift], dim=1)
        zeros = torch.zeros(len(targets), dtype=torch.int64, device=logits.device)
        return torch.nn.functional.cross_entropy(logits, zeros)

    def _tensor(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def choose_held_out(
    examples: Examples, config: SequenceConfig, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return examples to be foreseen: the last events of some users, ascending."""
    last = np.flatnonzero(examples.is_last & (examples.n_known > 0))
    n_held_out = min(config.max_held_out, int(HELD_OUT_SHARE * len(last)))
    if config.loop.patience == 0 or n_held_out < MIN_HELD_OUT:
        return last[:0]
    return np.sort(rng.choice(last, n_held_out, replace=False))


def weigh_repeats(
    examples: Examples, chosen: NDArray[np.int64], weight: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the examples with this share of those whose item is no news to their user."""
    if weight >= 1:
        return chosen
    return chosen[~examples.is_repeat[chosen] | (rng.random(len(chosen)) < weight)]


def singular_vectors(
    history: History, n_items: int, *, size: int, seed: int
) -> NDArray[np.float32]:
    """Return item vectors in which items of the same people are near; shape (n_items, size).

    The right singular vectors of the matrix of who took what, divided by the square roots of how
    much each user and item took part, each times the root of its singular value; scaled as fresh
    embeddings are. Zeros where the matrix has fewer columns or rows than numbers are asked for.
    """
    taken = sparse.csr_array(
        (np.ones(len(history.items)), history.items, history.indptr),
        shape=(history.n_users, n_items),
    )
    per_user = np.maximum(taken.sum(axis=1), 1.0) ** -0.5
    per_item = np.maximum(taken.sum(axis=0), 1.0) ** -0.5
    scaled = sparse.diags_array(per_user) @ taken @ sparse.diags_array(per_item)
    n_vectors = min(size, *taken.shape)
    _, values, vectors = randomized_svd(scaled.tocsr(), n_vectors, random_state=seed)
    made = np.zeros((n_items, size), dtype=np.float32)
    made[:, :n_vectors] = vectors.T * np.sqrt(values)
    spread = float(made.std())
    return made * np.float32(_SCALE / spread) if spread > 0 else made
