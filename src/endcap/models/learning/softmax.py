"""The cross-entropy of telling one item from a whole catalogue, made cheap for processors.

Autograd keeps logits, probabilities and gradients apart, each as large as the batch times the
catalogue; here one buffer becomes all of them in turn, in the forward pass.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

_NEVER = -1e9


def catalogue_cross_entropy(
    queries: Tensor, table: Tensor, targets: Tensor, *, smoothing: float = 0.0
) -> Tensor:
    """Return the mean of -log softmax(queries @ table.T)[target], a scalar to be differentiated.

    With smoothing, a share of what is expected of the target is expected of all items alike.

    Args:
        queries: float32, shape (n_queries, d).
        table: float32, shape (n_items, d); row 0 is padding and is never the answer.
        targets: int64, shape (n_queries,), none of them 0.
        smoothing: in [0, 1).

    Cost: six operations for each number of queries times table, in bfloat16 where the processor
        has it (the products only: softmax and gradients are float32); 6 bytes a logit.
    Source: of smoothing Szegedy et al. 2016, section 7.
    """
    return cast("Tensor", _CatalogueCrossEntropy.apply(queries, table, targets, smoothing))


def fast_dtype() -> torch.dtype:
    """Return the type in which this processor multiplies matrices fastest."""
    has_bfloat16 = torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
    return torch.bfloat16 if has_bfloat16 else torch.float32


class _CatalogueCrossEntropy(torch.autograd.Function):
    """Works out the gradients together with the loss, while the probabilities are in the cache."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, table: Tensor, targets: Tensor, rate: float) -> Tensor:
        dtype = torch.bfloat16 if queries.is_cuda else fast_dtype()
        few, many = queries.to(dtype), table.to(dtype)
        logits = (few @ many.T).float()
        logits[:, 0] = _NEVER
        best = logits.amax(dim=1, keepdim=True)
        wanted = logits.gather(1, targets[:, None])
        n_items = table.shape[0] - 1
        mean = logits[:, 1:].mean(dim=1, keepdim=True) if rate else wanted
        total = logits.sub_(best).exp_().sum(dim=1, keepdim=True)
        log_total = total.log() + best
        loss = (log_total - (1 - rate) * wanted - rate * mean).mean()
        gradient = logits.div_(total)  # the probabilities, and then what is expected taken off
        if rate:
            gradient.sub_(rate / n_items)
            gradient[:, 0] = 0.0
        rows = torch.arange(len(targets), device=targets.device)
        gradient[rows, targets] -= 1 - rate
        weights = gradient.div_(len(targets)).to(dtype)
        ctx.save_for_backward((weights @ many).float(), (weights.T @ few).float())
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, Tensor, None, None]:
        of_queries, of_table = ctx.saved_tensors
        return outputs[0] * of_queries, outputs[0] * of_table, None, None
