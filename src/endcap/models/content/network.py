"""The network of `content`: from what is known of an item to its vector, and how that is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from endcap.features.history import History
from endcap.features.places import places_from_latest
from endcap.schema.types import ItemIdx

MASKED = -1e4
_FIRST_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class Neighbourhoods:
    """Every item of every history, to be foreseen from those around it.

    items: int32, shape (nnz,), by user and then from the earliest on.
    interest: float32, how much each counts in a history, at most 1.
    first, last: where the user of each entry begins, and the last entry of that user.
    examples: int64, the entries that are to be foreseen; each has another one beside it.
    """

    items: ItemIdx
    interest: NDArray[np.float32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    examples: NDArray[np.int64]

    def around(
        self, entries: NDArray[np.int64], *, reach: int, tau: float
    ) -> tuple[ItemIdx, NDArray[np.float32]]:
        """Return what is within reach of each entry, and what it says; (n, 2 * reach) both.

        Neighbours say most: exp(-(distance - 1) / tau) x interest. Where there is none the weight
        is 0 and the item that of the entry itself.
        """
        steps = np.concatenate([np.arange(-reach, 0), np.arange(1, reach + 1)])
        places = entries[:, np.newaxis] + steps
        is_own = places >= self.first[entries][:, np.newaxis]
        is_own &= places <= self.last[entries][:, np.newaxis]
        places = np.where(is_own, places, entries[:, np.newaxis])
        says = np.exp((1 - np.abs(steps)) / tau) * self.interest[places]
        return self.items[places], np.where(is_own, says, 0).astype(np.float32)


def build_neighbourhoods(history: History, *, since_us: int | None = None) -> Neighbourhoods:
    """Return the examples that histories hold.

    Args:
        history: of all users.
        since_us: only what happened from then on is to be foreseen; all when None.
    """
    lengths = np.diff(history.indptr)
    users = np.repeat(np.arange(history.n_users), lengths)
    order = np.lexsort((-places_from_latest(history), users))
    is_example = lengths[users] > 1
    if since_us is not None:
        is_example &= history.last_ts[order] >= since_us
    return Neighbourhoods(
        items=history.items[order],
        interest=np.minimum(history.counts[order], 1).astype(np.float32),
        first=history.indptr[users],
        last=history.indptr[users + 1] - 1,
        examples=np.flatnonzero(is_example),
    )


class ContentNetwork(nn.Module):
    """A linear map of an item's inputs, and a vector of its own for one that somebody had.

    In training each item does without its own vector now and then, so that items without one are
    on the same scale as the others.

    Source: Volkovs, Yu, Poutanen 2017, of the dropout.
    """

    def __init__(self, n_items: int, n_inputs: int, size: int, *, id_dropout: float) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.randn(size, n_inputs) / max(n_inputs, 1) ** 0.5)
        self.ids = nn.Parameter(torch.randn(n_items, size) * (0.1 / size**0.5))
        self.log_scale = nn.Parameter(torch.tensor(np.log(_FIRST_SCALE), dtype=torch.float32))
        self._id_dropout = id_dropout

    def forward(self, items: Tensor, inputs: Tensor, has_own: Tensor) -> Tensor:
        """Return vectors of length one, shape (n, d).

        Args:
            items: int64, shape (n,).
            inputs: of these items, shape (n, n_inputs).
            has_own: which of them may use a vector of their own, float32, shape (n,).
        """
        if self.training:
            has_own = has_own * (torch.rand_like(has_own) >= self._id_dropout)
        made = inputs @ self.projection.T + has_own[:, None] * self.ids[items]
        return functional.normalize(made, dim=1)


@dataclass(slots=True)
class ContentLearner:
    """Learns to tell each item of a history, by those around it, from other items.

    network, inputs, has_own: of all items, on one device; see `ContentNetwork`.
    told: the examples.
    candidates: int64, the items to tell from, ascending.
    """

    network: ContentNetwork
    inputs: Tensor
    has_own: Tensor
    told: Neighbourhoods
    candidates: NDArray[np.int64]
    batch_size: int
    max_examples: int
    n_negatives: int
    reach: int
    tau: float
    input_dropout: float

    def batches(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """Return the examples in random order, at most `max_examples` of them."""
        order = rng.permutation(self.told.examples)[: self.max_examples]
        cuts = np.arange(self.batch_size, len(order), self.batch_size)
        return np.split(order, cuts) if len(order) else []

    def loss(self, batch: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Return the cross-entropy of the right item among uniform negatives.

        The negatives are the same for the whole batch, all candidates where those are few; what
        the user had is not held against it.
        """
        seeds, says = self.told.around(batch, reach=self.reach, tau=self.tau)
        targets = self.told.items[batch].astype(np.int64)
        negatives = self._negatives(rng)
        # Each item is worked out once, however often it occurs.
        asked, places = np.unique(
            np.concatenate([seeds.ravel(), targets, negatives]), return_inverse=True
        )
        vectors = self._vectors(asked)
        of_seeds, of_targets, of_negatives = np.split(
            places, [seeds.size, seeds.size + len(targets)]
        )
        device = vectors.device
        users = functional.embedding_bag(
            torch.from_numpy(of_seeds.reshape(seeds.shape)).to(device),
            vectors,
            mode="sum",
            per_sample_weights=torch.from_numpy(says).to(device),
        )
        users = functional.normalize(users, dim=1) * self.network.log_scale.exp()
        right = (users * vectors[torch.from_numpy(of_targets).to(device)]).sum(dim=1, keepdim=True)
        wrong = users @ vectors[torch.from_numpy(of_negatives).to(device)].T
        had = np.concatenate([seeds, targets[:, np.newaxis]], axis=1)
        rows, columns = _meet(had, negatives)
        wrong = wrong.index_put(
            (torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)),
            torch.tensor(MASKED, dtype=wrong.dtype, device=device),
        )
        answers = torch.zeros(len(batch), dtype=torch.int64, device=device)
        return functional.cross_entropy(torch.cat([right, wrong], dim=1), answers)

    def quality(self) -> float | None:
        """Return None: epochs were chosen beforehand."""
        return None

    def _negatives(self, rng: np.random.Generator) -> NDArray[np.int64]:
        if len(self.candidates) <= self.n_negatives:
            return self.candidates
        return np.sort(rng.choice(self.candidates, self.n_negatives, replace=False))

    def _vectors(self, asked: NDArray[np.int64]) -> Tensor:
        items = torch.from_numpy(asked).to(self.inputs.device)
        inputs = functional.dropout(self.inputs[items], self.input_dropout)
        return cast("Tensor", self.network(items, inputs, self.has_own[items]))


def _meet(
    had: NDArray[np.integer], negatives: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns where something had is among the (ascending) negatives."""
    place = np.minimum(np.searchsorted(negatives, had), len(negatives) - 1)
    rows, columns = np.nonzero(negatives[place] == had)
    return rows, place[rows, columns]
