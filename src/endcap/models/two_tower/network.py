"""The two networks of the two-tower model, and the loss that trains them on large catalogues.

No data handling and no optimiser here; the loss for small catalogues is `softmax.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-6
MIN_TOTAL = 1e-20
MIN_WEIGHT = 1e-30
ATTENTION_SCALE = 8.0
"""Unit vectors have small products; this lets attention tell them apart with small weights."""

START_SLOPES = (0.0, 0.33, 2.0, 0.1, 0.8, 0.2, 1.2, 0.05)
"""How fast the means begin to forget with each place: all of the history, the last three, ..."""


class ItemTower(nn.Module):
    """The vector of an item: what it is, and, if it was taken often enough, which one it is.

    Args:
        n_ids: how many items have an embedding of their own; id 0 is for the others.
        n_codes: sizes of the attributes (department, category, ...); code 0 is "unknown".
        embedding_size: length of the vector.
        text_size: numbers in the vector of an item's text; 0 where there are none.
        id_dropout: share of items that are taken for one of the others while training.
    """

    def __init__(
        self,
        *,
        n_ids: int,
        n_codes: list[int],
        embedding_size: int,
        text_size: int = 0,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.own = nn.Embedding(n_ids + 1, embedding_size)
        tables = [nn.Embedding(n, embedding_size) for n in n_codes]
        self.attributes = nn.ModuleList(tables)
        self.text = nn.Linear(text_size, embedding_size, bias=False) if text_size else None
        self.id_dropout = id_dropout
        with torch.no_grad():
            self.own.weight.normal_(0, 0.02)  # small: an item is its category until seen otherwise
            for table in tables:
                table.weight.normal_(0, 0.1)

    def forward(self, ids: Tensor, codes: Tensor, text: Tensor | None = None) -> Tensor:
        """Return unit vectors, shape (n, d).

        Args:
            ids: shape (n,).
            codes: of the attributes, shape (n, n_attributes).
            text: unit vectors of the texts, shape (n, text_size); zeros where there is no text.
        """
        if self.training and self.id_dropout:
            dropped = torch.rand(ids.shape, device=ids.device) < self.id_dropout
            ids = ids.masked_fill(dropped, 0)
        total = self.own(ids)
        for column, table in enumerate(self.attributes):
            total = total + table(codes[:, column])
        if self.text is not None and text is not None:
            total = total + self.text(text)
        return nn.functional.normalize(total, dim=1, eps=EPSILON)


class UserTower(nn.Module):
    """The vector of a user: one or several means of the items of the history, and a correction.

    Each of `n_means` weighs an item by its weight, its place (0 is the one of the largest weight)
    and what it is, in proportions that are learnt; where there are none, the items are simply
    weighed by their weights. There is no embedding of a user's id, so anybody with a history has a
    vector, and even without one there is a default.

    Source: attention with one learnt query a mean as in Lin et al. 2017; the user as a mean of
    items as in Covington 2016.
    """

    def __init__(
        self,
        *,
        embedding_size: int,
        hidden: int,
        n_means: int = 0,
        n_context: int = 0,
        dropout: float = 0.0,
        pooled_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_means = n_means
        if n_means:
            self.slope = nn.Parameter(torch.tensor(START_SLOPES[:n_means]))
            self.sharpness = nn.Parameter(torch.ones(n_means))
            self.share = nn.Parameter(torch.full((n_means,), 1.0 / n_means))
            self.query = nn.Linear(embedding_size, n_means, bias=False)
            nn.init.zeros_(self.query.weight)
        self.pooled_dropout = nn.Dropout(pooled_dropout)
        n_seen = embedding_size * max(n_means, 1) + n_context
        self.residual = residual(n_seen, embedding_size, hidden, dropout)

    def forward(
        self, vectors: Tensor, weights: Tensor, places: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Return unit vectors, shape (n, d).

        Args:
            vectors: of the items of each history, shape (n, length, d).
            weights: of them, shape (n, length); 0 for padding. Only their proportions count.
            places: `places_of` the weights, shape (n, length).
            context: shape (n, n_context).
        """
        shares = self._shares(vectors, weights, places)
        return self.of_means(torch.einsum("nlm,nld->nmd", shares, vectors), context)

    def of_means(self, means: Tensor, context: Tensor | None = None) -> Tensor:
        """Return unit vectors, shape (n, d), for the means of the histories, shape (n, m, d)."""
        means = self.pooled_dropout(means)
        whole = torch.einsum("m,nmd->nd", self.share, means) if self.n_means else means[:, 0]
        seen = means.flatten(1) if context is None else torch.cat([means.flatten(1), context], 1)
        return nn.functional.normalize(whole + self.residual(seen), dim=1, eps=EPSILON)

    def _shares(self, vectors: Tensor, weights: Tensor, places: Tensor) -> Tensor:
        """Return how much each item counts in each mean, shape (n, length, m)."""
        if not self.n_means:
            total = weights.sum(dim=1, keepdim=True).clamp(min=MIN_TOTAL)
            return (weights / total).unsqueeze(2)
        is_item = (weights > 0).unsqueeze(2)
        told = torch.log(weights.clamp(min=MIN_WEIGHT)).unsqueeze(2) * self.sharpness
        told = told - places.unsqueeze(2) * self.slope + self.query(vectors) * ATTENTION_SCALE
        return torch.softmax(told.masked_fill(~is_item, -1e9), dim=1) * is_item


def places_of(weights: Tensor) -> Tensor:
    """Return how many weights of its row each is below, shape (n, length); equals share a place.

    A place shared by k is the mean of the k places. Padding has a place too; nobody looks at it.

    Args:
        weights: shape (n, length), 0 for padding.

    Cost: length comparisons a weight.
    """
    others, own = weights.unsqueeze(1), weights.unsqueeze(2)
    above = (others > own).to(weights.dtype).sum(dim=2)
    equal = (others == own).to(weights.dtype).sum(dim=2)
    return above + (equal - 1) / 2


def residual(size: int, out: int, hidden: int, dropout: float) -> nn.Sequential:
    """Return a network of one hidden layer that starts as zero."""
    last = nn.Linear(hidden, out)
    nn.init.zeros_(last.weight)
    # Not zero: the default vector of a user without history must have a direction.
    nn.init.normal_(last.bias, 0, 0.01)
    return nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Dropout(dropout), last)


def sampled_softmax(logits: Tensor, log_q: Tensor, masked: Tensor, *, n_targets: int) -> Tensor:
    """Return the mean loss of telling each target from the candidates.

    -log(exp(s_target) / (exp(s_target) + sum over negatives of exp(s_j - log_q_j)))

    Args:
        logits: shape (n_users, n_candidates). The first n_users * n_targets candidates are the
            targets of all users, those of user 0 first; the rest are uniform negatives.
        log_q: shape (n_candidates,): log of how much more often than a uniform negative the
            candidate is drawn, so 0 for those. Only negatives are corrected, never the target.
        masked: shape (n_users, n_candidates), true where the candidate is in the user's own basket
            and so no negative.
        n_targets: targets a user.

    Source: Yi et al. 2019 (correction), Yang et al. 2020 (mixed negatives); that the target keeps
    its logit uncorrected: arXiv 2507.09331.
    """
    n_users = len(logits)
    negatives = torch.logsumexp((logits - log_q).masked_fill(masked, -1e9), dim=1, keepdim=True)
    rows = torch.arange(n_users, device=logits.device)[:, None]
    columns = rows * n_targets + torch.arange(n_targets, device=logits.device)
    targets = logits.gather(1, columns)
    return (torch.logaddexp(negatives, targets) - targets).mean()
