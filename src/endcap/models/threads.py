"""How many cores there are, and how to keep libraries from taking them all at once.

For work that is split by hand; what is split is the caller's affair.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

N_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""How many of the machine's cores this process may use."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep every matrix product within the block on the thread that asks for it.

    Thousands of small products cost ten times as much when each of them wakes other threads, and
    where the caller has threads of its own, more of them only get in each other's way.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes milliseconds.
    return ThreadpoolController()
