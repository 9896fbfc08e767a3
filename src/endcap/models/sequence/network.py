"""The network of the sequence model: attention beside a filter of frequencies, twice or more.

No data handling and no optimiser here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from endcap.models.sequence.config import SequenceConfig

EPSILON = 1e-12
_INITIAL = 0.02


class SequenceEncoder(nn.Module):
    """The vector of what comes next, of a sequence of items.

    items: the embeddings, row 0 for padding; they are the item vectors as well.

    Args:
        n_items: size of the catalogue.
        config: sizes and shares.

    Source: Kang, McAuley 2018 (SASRec); Shin et al. 2024 (BSARec, equations 5 to 10).
    """

    def __init__(self, n_items: int, config: SequenceConfig) -> None:
        super().__init__()
        size = config.embedding_size
        self.items = nn.Embedding(n_items + 1, size)
        self.places = nn.Embedding(config.max_length, size)
        self.norm = nn.LayerNorm(size, eps=EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.n_blocks))
        self.register_buffer(
            "filters", low_pass(config.max_length, config.n_frequencies), persistent=False
        )
        self.apply(_initialise)

    filters: Tensor

    def forward(self, items: Tensor) -> Tensor:
        """Return the vectors, shape (batch, d), of sequences of items, shape (batch, length).

        Args:
            items: int64, i + 1 for item i, the latest at the end; 0 before those of a shorter one.
                At least one item each, and `max_length` at most.
        """
        is_item = items != 0
        n_known = is_item.sum(dim=1)
        length = items.shape[1]
        filters = self.filters[n_known - 1, -length:, -length:]
        mask = is_item[:, None, None, :]
        return self._encode(items, filters, mask)

    def encode_whole(self, items: Tensor) -> Tensor:
        """Return what `forward` does, for sequences without padding; cheaper."""
        length = items.shape[1]
        return self._encode(items, self.filters[length - 1, -length:, -length:], None)

    def _encode(self, items: Tensor, filters: Tensor, mask: Tensor | None) -> Tensor:
        length = items.shape[1]
        places = self.places.weight[:length].flip(0)  # counted from the end
        hidden = self.dropout(self.norm(self.items(items) + places))
        for block in self.blocks[:-1]:
            hidden = block(hidden, filters, mask)
        # Of the last layer only what is at the end of the sequence is asked for.
        last: Tensor = self.blocks[-1](hidden, filters[..., -1:, :], mask)
        return last[:, 0]


class _Block(nn.Module):
    """Attention and filter side by side, then a feed-forward layer; norms come after each."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        size = config.embedding_size
        self.n_heads, self.share = config.n_heads, config.low_pass_share
        self.query, self.key = nn.Linear(size, size), nn.Linear(size, size)
        self.value, self.out = nn.Linear(size, size), nn.Linear(size, size)
        self.widen, self.narrow = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)
        self.norm_attended = nn.LayerNorm(size, eps=EPSILON)
        self.norm_filtered = nn.LayerNorm(size, eps=EPSILON)
        self.norm = nn.LayerNorm(size, eps=EPSILON)
        self.dropout = nn.Dropout(config.dropout)
        self.high = nn.Parameter(torch.randn(size))

    def forward(self, hidden: Tensor, filters: Tensor, mask: Tensor | None) -> Tensor:
        """Return the next layer, of as many of the last places as `filters` has rows."""
        asked = hidden[:, -filters.shape[-2] :]
        attended = self.norm_attended(self.dropout(self._attend(asked, hidden, mask)) + asked)
        low = filters @ hidden
        filtered = low + self.high**2 * (asked - low)
        filtered = self.norm_filtered(self.dropout(filtered) + asked)
        mixed = self.share * filtered + (1 - self.share) * attended
        wide = nn.functional.gelu(self.widen(mixed))
        whole: Tensor = self.norm(self.dropout(self.narrow(wide)) + mixed)
        return whole

    def _attend(self, asked: Tensor, hidden: Tensor, mask: Tensor | None) -> Tensor:
        attended = nn.functional.scaled_dot_product_attention(
            self._heads(self.query(asked)),
            self._heads(self.key(hidden)),
            self._heads(self.value(hidden)),
            attn_mask=mask,
        )
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out

    def _heads(self, hidden: Tensor) -> Tensor:
        heads: Tensor = hidden.unflatten(2, (self.n_heads, -1)).transpose(1, 2)
        return heads


def low_pass(max_length: int, n_frequencies: int) -> Tensor:
    """Return the matrices that keep the slowest frequencies of sequences.

    Shape (max_length, max_length, max_length), the one of sequences of length n at n - 1, in its
    last n rows and columns; the rest is 0. Multiplied by it, a sequence is what the inverse Fourier
    transform makes of its first `n_frequencies` coefficients.
    """
    matrices = np.zeros((max_length, max_length, max_length), dtype=np.float32)
    for length in range(1, max_length + 1):
        waves = np.fft.rfft(np.eye(length), axis=0, norm="ortho")
        waves[n_frequencies:] = 0
        kept = np.fft.irfft(waves, n=length, axis=0, norm="ortho")
        matrices[length - 1, -length:, -length:] = kept
    return torch.from_numpy(matrices)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0, _INITIAL)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
