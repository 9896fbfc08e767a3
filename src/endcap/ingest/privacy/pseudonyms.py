"""Pseudonyms of many ids at once, several times faster than one by one.

What a pseudonym is stands in `endcap.schema.pseudonym`; the two are held together by a test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from endcap.schema.pseudonym import MIN_KEY_BYTES, N_BYTES, is_pseudonym

BATCH = 65_536
_DIGITS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_PLACES = np.array([16, 8, 4, 2, 1], dtype=np.uint8)
_BLOCK_BYTES = 64
_INNER, _OUTER = 0x36, 0x5C


def pseudonymise(ids: Sequence[str], key: bytes, *, keep_pseudonyms: bool = False) -> list[str]:
    """Return the pseudonym of each id, in order.

    Args:
        ids: best distinct ones; each is hashed.
        key: of the ids, or `column_key` of a column.
        keep_pseudonyms: leave alone what has the form of a pseudonym. For the event log: a server
            wrote pseudonyms into it, and raw ids before hashing was switched on.

    Raises:
        ValueError: the key is too short.

    Cost: 1 to 2 s for a million ids.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a key has {MIN_KEY_BYTES} bytes or more")
    made: list[str] = []
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        made += _as_text(b"".join(digests(batch, key)))
    if keep_pseudonyms:
        return [
            raw_id if is_pseudonym(raw_id) else name for raw_id, name in zip(ids, made, strict=True)
        ]
    return made


def digests(ids: Iterable[str], key: bytes) -> Iterator[bytes]:
    """Yield the 16 bytes of the pseudonym of each id.

    Source: RFC 2104.
    """
    # The key is taken in once, not for each id.
    block = key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()
    block = block.ljust(_BLOCK_BYTES, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ _INNER for byte in block))
    outer = hashlib.sha256(bytes(byte ^ _OUTER for byte in block))
    for raw_id in ids:
        inside, outside = inner.copy(), outer.copy()
        inside.update(raw_id.encode("utf-8", "surrogatepass"))
        outside.update(inside.digest())
        yield outside.digest()[:N_BYTES]


def _as_text(digests: bytes) -> list[str]:
    """Return runs of 16 bytes in base32: 130 bits, of which the last two are zero."""
    rows = np.frombuffer(digests, dtype=np.uint8).reshape(-1, N_BYTES)
    bits = np.zeros((len(rows), 26, 5), dtype=np.uint8)
    bits.reshape(len(rows), -1)[:, : 8 * N_BYTES] = np.unpackbits(rows, axis=1)
    texts: list[str] = _DIGITS[bits @ _PLACES].view("S26").ravel().astype(str).tolist()
    return texts
