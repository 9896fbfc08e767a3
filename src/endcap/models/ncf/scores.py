"""The scores of a trained NeuMF network, without torch: each user by itself, all items at once.

How the weights came about is `network.py`'s affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.schema.types import ItemIdx, Scores

Weights: TypeAlias = Mapping[str, NDArray[np.float32]]
"""The weights of a `NeuMFNetwork` under the names of its parameters."""

BLOCK_ITEMS = 4096
"""Items at a time: what their hidden layers need stays in the cache."""


class NeuMFScores:
    """Logits of all items for one user's vector.

    What the first layer makes of an item is the same for every user and computed once.

    Args:
        weights: of the network; embedding tables of shape (n_items, 2d).
    """

    def __init__(self, weights: Weights) -> None:
        items, first = weights["items.weight"], weights["layers.0.weight"]
        size = items.shape[1] // 2
        out = weights["output.weight"][0]
        self._size = size
        self._products = np.ascontiguousarray(items[:, :size] * out[:size])
        self._hidden = items[:, size:] @ first[:, size:].T + weights["layers.0.bias"]
        self._of_user = np.ascontiguousarray(first[:, :size].T)
        self._deeper = [
            (np.ascontiguousarray(weights[f"layers.{n}.weight"].T), weights[f"layers.{n}.bias"])
            for n in range(1, sum(name.startswith("layers.") for name in weights) // 2)
        ]
        self._out, self._bias = out[size:], weights["output.bias"][0]

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self._products)

    @property
    def item_vectors(self) -> NDArray[np.float32]:
        """What the network sees of each item, float32, shape (n_items, d + first layer)."""
        return np.concatenate([self._products, self._hidden], axis=1)

    def of_all(self, user: NDArray[np.float32], out: Scores) -> None:
        """Write the logits of all items, shape (n_items,), for a vector of shape (2d,)."""
        for start in range(0, self.n_items, BLOCK_ITEMS):
            block = slice(start, start + BLOCK_ITEMS)
            out[block] = self._logits(user, self._products[block], self._hidden[block])

    def of_some(self, user: NDArray[np.float32], items: ItemIdx) -> Scores:
        """Return the logits of some items, shape (n,); those of `of_all` but for rounding."""
        return self._logits(user, self._products[items], self._hidden[items])

    def _logits(
        self,
        user: NDArray[np.float32],
        products: NDArray[np.float32],
        hidden: NDArray[np.float32],
    ) -> Scores:
        values = hidden + user[self._size :] @ self._of_user
        np.maximum(values, 0, out=values)
        for matrix, bias in self._deeper:
            values = values @ matrix
            values += bias
            np.maximum(values, 0, out=values)
        return np.asarray(products @ user[: self._size] + values @ self._out + self._bias)
