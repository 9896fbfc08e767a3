"""Pseudonyms: what stands for the id of a person in snapshots, bundles and the event log.

Whoever holds the key can tell whom one stands for; where the key lies is not known here.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

KEEP = "keep"
"""How user ids were made when nothing was done to them."""

ALGORITHM = "hmac-sha256"
MIN_KEY_BYTES = 32
MIN_DISTINCT_BYTES = 8  # 32 random bytes have fewer with a chance below 10^-39
N_BYTES = 16
"""128 bits: among 10^12 ids the chance that any two share a pseudonym is below 2 in 10^15."""

SPOKEN = "pseudonym:"
"""Before a pseudonym, says at the door of a server that it is one already."""

# No id is printable and holds a zero byte, so neither of these is ever hashed as one.
_FINGERPRINT_DOMAIN = b"endcap id key fingerprint v1\x00"
_COLUMN_DOMAIN = b"endcap column key v1\x00"
# 26 digits of 5 bits hold 130 bits, so the last two of them are always zero.
_FORM = re.compile(r"[a-z2-7]{25}[aeimquy4]")
_HEX = re.compile(r"[0-9a-fA-F]*")


def pseudonym(key: bytes, raw_id: str) -> str:
    """Return the first 128 bits of HMAC-SHA256 of an id as 26 characters of base32, lower case.

    Source: RFC 2104 (HMAC), RFC 4648 (base32); the padding is left out.

    Cost: about 2 us.
    """
    digest = hmac.digest(key, raw_id.encode("utf-8", "surrogatepass"), "sha256")
    return to_text(digest[:N_BYTES])


def to_text(digest: bytes) -> str:
    """Return the 16 bytes of a pseudonym as text."""
    return base64.b32encode(digest).decode("ascii").rstrip("=").lower()


def to_bytes(text: str) -> bytes:
    """Return the 16 bytes that a pseudonym writes.

    Raises:
        ValueError: the text does not have the form of a pseudonym.
    """
    if not is_pseudonym(text):
        raise ValueError("not a pseudonym")
    return base64.b32decode(text.upper() + "======")


def is_pseudonym(text: str) -> bool:
    """Return whether a text has the form of a pseudonym; by which key cannot be told."""
    return _FORM.fullmatch(text) is not None


def fingerprint(key: bytes) -> str:
    """Return 8 hex digits that name a key in public and tell nothing about it."""
    return hmac.digest(key, _FINGERPRINT_DOMAIN, "sha256")[:4].hex()


def column_key(key: bytes, column: str) -> bytes:
    """Return the key for the values of one column.

    The same text in two columns then has two pseudonyms, and the columns cannot be joined.
    """
    return hmac.digest(key, _COLUMN_DOMAIN + column.encode(), "sha256")


def parse_key(text: str) -> bytes:
    """Return the key that a text writes in hex or base64.

    Raises:
        ValueError: it writes none, or one that is short or not random; the message does not quote
            it.
    """
    plain = "".join(text.split())
    # Hex that lost a digit would pass for base64 of another key.
    is_hex = _HEX.fullmatch(plain) is not None
    key = _from_hex(plain) if is_hex else _from_base64(plain)
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"a key is hex or base64 of {MIN_KEY_BYTES} random bytes or more")
    if len(set(key)) < MIN_DISTINCT_BYTES:
        raise ValueError("these bytes are not random")
    return key


def _from_hex(text: str) -> bytes:
    return bytes.fromhex(text) if len(text) % 2 == 0 else b""


def _from_base64(text: str) -> bytes:
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        return b""


class Pseudonyms:
    """Makes pseudonyms with one key, which it shows to nobody.

    Args:
        key: 32 bytes or more, secret.

    Raises:
        ValueError: the key is too short.
    """

    __slots__ = ("_key", "fingerprint")

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"a key has {MIN_KEY_BYTES} bytes or more")
        self._key = key
        self.fingerprint = fingerprint(key)

    def __repr__(self) -> str:
        return f"Pseudonyms({self.scheme!r})"

    @property
    def scheme(self) -> str:
        """How manifests say that user ids were made with this key."""
        return f"{ALGORITHM}:{self.fingerprint}"

    def of(self, raw_id: str) -> str:
        """Return the pseudonym of an id."""
        return pseudonym(self._key, raw_id)

    def at_the_door(self, user_id: str) -> str:
        """Return what stands for the id that a caller gave.

        A caller who knows a pseudonym and not the id says `pseudonym:` before it.
        """
        said = user_id.removeprefix(SPOKEN)
        return said if said != user_id and is_pseudonym(said) else self.of(user_id)

    def in_the_log(self, user_id: str) -> str:
        """Return what stands for an id of a log, some of which may be older than the key."""
        return user_id if is_pseudonym(user_id) else self.of(user_id)


class Door:
    """Between the ids that callers use and those of a bundle, which nobody inside looks behind.

    Args:
        pseudonyms: of the bundle; None for one whose ids are kept as they are: then the two are
            the same.
    """

    __slots__ = ("_pseudonyms",)

    def __init__(self, pseudonyms: Pseudonyms | None = None) -> None:
        self._pseudonyms = pseudonyms

    def __repr__(self) -> str:
        return f"Door({self.user_ids!r})"

    @property
    def user_ids(self) -> str:
        """How the ids inside are made, as manifests say it."""
        return KEEP if self._pseudonyms is None else self._pseudonyms.scheme

    def inside(self, user_id: str) -> str:
        """Return the id inside of whom a caller means."""
        return user_id if self._pseudonyms is None else self._pseudonyms.at_the_door(user_id)

    def outside(self, user_id: str) -> str:
        """Return how a caller may name somebody who is known inside."""
        return user_id if self._pseudonyms is None else SPOKEN + user_id

    def from_log(self, user_id: str) -> str:
        """Return the id inside of whom a record of the event log is about."""
        return user_id if self._pseudonyms is None else self._pseudonyms.in_the_log(user_id)
