"""The encrypted map from pseudonyms back to ids, for the few who may know.

One file a key of pseudonyms, sealed as a whole: it is read and written anew, or not at all.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.keys import find_map_key
from endcap.ingest.privacy.pseudonyms import digests
from endcap.schema.errors import DataError
from endcap.schema.pseudonym import N_BYTES, fingerprint, to_text

FOLDER = "identities"
SUFFIX = ".aesgcm"
MAGIC = b"endcap-ids"
VERSION = 1
N_NONCE_BYTES = 12
N_TAG_BYTES = 16
N_LENGTH_BYTES = 2
MAX_PLAIN_BYTES = 2**31 - 1 - N_TAG_BYTES
_DOMAIN = b"endcap identities v1\x00"


@dataclass(frozen=True, slots=True, repr=False)
class IdentityMap:
    """The map of one key of pseudonyms, at rest in a file.

    Args:
        path: of the file, which need not be there yet.
        id_key: of the pseudonyms.
        map_key: the file is sealed under a key derived from this.
    """

    path: Path
    id_key: bytes
    map_key: bytes

    def read(self) -> dict[str, str]:
        """Return pseudonym -> id; empty when there is no file.

        Raises:
            DataError: the file was changed, belongs to another key, or is of another version.
        """
        return {to_text(digest): raw_id for digest, raw_id in self._known().items()}

    def merge(self, raw_ids: Iterable[str]) -> int:
        """Add ids, and return how many of them were new.

        Raises:
            DataError: as `read`; or the map would be larger than 2 GiB.
        """
        distinct = list(dict.fromkeys(raw_ids))
        fresh = dict(zip(digests(distinct, self.id_key), distinct, strict=True))
        with _alone(self.path):
            known = self._known()
            n_new = len(fresh.keys() - known.keys())
            if n_new:
                self._write({**known, **fresh})
        return n_new

    def erase(self, raw_id: str) -> bool:
        """Remove an id; False when it is not in the map.

        Raises:
            DataError: as `read`.
        """
        with _alone(self.path):
            known = self._known()
            (digest,) = digests([raw_id], self.id_key)
            if known.pop(digest, None) is None:
                return False
            self._write(known)
        return True

    def _known(self) -> dict[bytes, str]:
        """Return the 16 bytes of each pseudonym -> its id."""
        if not self.path.exists():
            return {}
        return dict(_records(self._opened(self.path.read_bytes())))

    def _write(self, known: Mapping[bytes, str]) -> None:
        plain = b"".join(_record(digest, known[digest]) for digest in sorted(known))
        if len(plain) > MAX_PLAIN_BYTES:
            raise DataError(
                "the map of ids would be larger than 2 GiB, which one seal cannot cover",
                where=str(self.path),
                mend="Begin with a new key of pseudonyms, or set privacy.keep_id_map = false",
            )
        nonce = secrets.token_bytes(N_NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, plain, self._header())
        _write_whole(self.path, self._header() + nonce + sealed)

    def _opened(self, data: bytes) -> bytes:
        header = self._header()
        given = data[: len(header)]
        if given[: len(MAGIC)] != MAGIC or len(data) < len(header) + N_NONCE_BYTES + N_TAG_BYTES:
            raise self._damaged("the file is no map of ids, or a part of one")
        if given[len(MAGIC)] != VERSION:
            raise DataError(
                f"the map of ids is of version {given[len(MAGIC)]}, this release reads {VERSION}",
                where=str(self.path),
                mend="Read it with the release that wrote it",
            )
        if given != header:
            raise self._damaged("the map of ids belongs to another key of pseudonyms")
        nonce, sealed = data[len(header) :][:N_NONCE_BYTES], data[len(header) + N_NONCE_BYTES :]
        try:
            return self._cipher().decrypt(nonce, sealed, header)
        except InvalidTag:
            raise self._damaged(
                "the map of ids cannot be opened: it was changed, or was sealed under another key"
            ) from None

    def _damaged(self, what: str) -> DataError:
        return DataError(
            what,
            where=str(self.path),
            mend="Put the file back from its copy and check privacy.map_key and privacy.id_key",
        )

    def _header(self) -> bytes:
        """Return what is sealed but not secret: the version of the format and the fingerprint."""
        return MAGIC + bytes([VERSION]) + bytes.fromhex(fingerprint(self.id_key))

    def _cipher(self) -> AESGCM:
        return AESGCM(derive(self.map_key, fingerprint(self.id_key)))


def open_identities(config: PrivacyConfig, *, id_key: bytes, var: Path) -> IdentityMap:
    """Return the map of a key of pseudonyms; its file is made by the first merge.

    Raises:
        SettingsError: the key of the map cannot be read.
    """
    path = var / FOLDER / f"{fingerprint(id_key)}{SUFFIX}"
    return IdentityMap(path, id_key, find_map_key(config) or id_key)


def merge_identities(
    raw_ids: Iterable[str], *, id_key: bytes, config: PrivacyConfig, var: Path
) -> Path:
    """Add the ids of an ingest to the map, and return its file.

    Raises:
        DataError: the file that is there cannot be opened; nothing is changed.
        SettingsError: the key of the map cannot be read.
    """
    identities = open_identities(config, id_key=id_key, var=var)
    identities.merge(raw_ids)
    return identities.path


def derive(secret: bytes, fingerprint_hex: str) -> bytes:
    """Return the AES-256 key of the map of one key of pseudonyms.

    Source: RFC 5869 (HKDF with SHA-256), without salt.
    """
    info = _DOMAIN + bytes.fromhex(fingerprint_hex)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _record(digest: bytes, raw_id: str) -> bytes:
    text = raw_id.encode("utf-8", "surrogatepass")
    if len(text) >= 256**N_LENGTH_BYTES:
        raise DataError("an id of more than 65,535 bytes is no id", where="map of ids")
    return digest + len(text).to_bytes(N_LENGTH_BYTES, "big") + text


def _records(plain: bytes) -> Iterator[tuple[bytes, str]]:
    at = 0
    while at < len(plain):
        text = at + N_BYTES + N_LENGTH_BYTES
        after = text + int.from_bytes(plain[at + N_BYTES : text], "big")
        yield plain[at : at + N_BYTES], plain[text:after].decode("utf-8", "surrogatepass")
        at = after


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from writing between our reading and our writing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (path.parent / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_whole(path: Path, data: bytes) -> None:
    handle, scratch = tempfile.mkstemp(prefix=".writing-", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError:
        Path(scratch).unlink(missing_ok=True)
        raise
