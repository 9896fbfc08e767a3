"""Lets whoever asked for a training see every epoch of it, and end it by raising.

Tuning stands far above the loop that trains; between them are models that need know of neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Watch: TypeAlias = Callable[[int, float], None]
"""Told the number of an epoch, from 1, and the quality after it; what it raises ends the fit."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched_by(watch: Watch) -> Iterator[None]:
    """Let `watch` see every epoch of the trainings within the block."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def show_epoch(number: int, quality: float) -> None:
    """Tell whoever watches how good the network is after an epoch; nobody is no error."""
    if (watch := _watch.get()) is not None:
        watch(number, quality)
