"""On what a network is trained, with how many threads, and from which random stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
