"""A piece of the simulated events as columns, by index; what the writers of formats take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from endcap.simulate.scramble import Integers, Words
from endcap.simulate.split import Indices

_INDEX_BITS = 24
KEY_BITS = 64 - _INDEX_BITS

Codes = np.ndarray[Any, np.dtype[np.uint8]]
Salts = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True, slots=True)
class Block:
    """Events as columns of equal length.

    Attributes:
        user, item: indices from 0.
        kind: codes of `schema.columns.KIND_CODES`.
        value: stars of a rating, quantity of a purchase, 1 of other kinds.
        ts_ms: milliseconds since 1970.
        session: number of the session, counted over the whole simulation.
        salt: 32 drawn bits, for whatever else a format says of an event.
    """

    user: Indices
    item: Indices
    kind: Codes
    value: Codes
    ts_ms: Integers
    session: Integers
    salt: Salts

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray[Any, Any] | slice) -> Self:
        """Return the block of these rows: indices, a mask or a slice."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))


def joined(blocks: Iterable[Block]) -> Block:
    """Return the rows of the blocks, one after the other; there must be one block at least."""
    parts = list(blocks)
    return Block(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Block))
    )


def rank_order(keys: Words) -> Integers:
    """Return the order that sorts the keys, equal ones in the order in which they stand.

    The keys are below `2**KEY_BITS` and fewer than `2**24`: key and index then fit into one
    number, and numbers that all differ are sorted alike by every sorting algorithm.
    """
    if len(keys) >= 2**_INDEX_BITS:
        raise ValueError(f"{len(keys)} rows are too many to be ordered at once")
    packed = keys << np.uint64(_INDEX_BITS)
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    packed &= np.uint64(2**_INDEX_BITS - 1)
    return packed.astype(np.int64)
