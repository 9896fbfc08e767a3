"""The two networks of the two-tower model, and the loss that trains them.

No data handling and no optimiser here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-6


class ItemTower(nn.Module):
    """The vector of an item: what it is, and, if it was taken often enough, which one it is.

    Args:
        n_ids: how many items have an embedding of their own; id 0 is for the others.
        n_codes: sizes of the attributes (department, category, ...); code 0 is "unknown".
        embedding_size: length of the vector.
    """

    def __init__(self, *, n_ids: int, n_codes: list[int], embedding_size: int) -> None:
        super().__init__()
        self.own = nn.Embedding(n_ids + 1, embedding_size, padding_idx=0)
        tables = [nn.Embedding(n, embedding_size) for n in n_codes]
        self.attributes = nn.ModuleList(tables)
        with torch.no_grad():
            self.own.weight.normal_(0, 0.02)  # small: an item is its category until seen otherwise
            self.own.weight[0] = 0
            for table in tables:
                table.weight.normal_(0, 0.1)

    def forward(self, ids: Tensor, codes: Tensor) -> Tensor:
        """Return unit vectors, shape (n, d), for ids (n,) and attribute codes (n, n_attributes)."""
        total = self.own(ids)
        for column, table in enumerate(self.attributes):
            total = total + table(codes[:, column])
        return nn.functional.normalize(total, dim=1, eps=EPSILON)


class UserTower(nn.Module):
    """The vector of a user: the weighted mean of the items of the history, and a correction.

    There is no embedding of a user's id, so anybody with a history has a vector, and even without
    one there is a default.
    """

    def __init__(self, *, embedding_size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.residual = residual(embedding_size, hidden, dropout)

    def forward(self, mean: Tensor) -> Tensor:
        """Return unit vectors, shape (n, d), for weighted means of item vectors, shape (n, d)."""
        return nn.functional.normalize(mean + self.residual(mean), dim=1, eps=EPSILON)


def residual(size: int, hidden: int, dropout: float) -> nn.Sequential:
    """Return a network of one hidden layer that starts as zero."""
    last = nn.Linear(hidden, size)
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
