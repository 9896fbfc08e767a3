"""Where the secret keys come from: a setting, or a file that only its owner may read.

A key is never printed, logged or part of an error; its fingerprint may be.
"""

from __future__ import annotations

import os
import secrets
import shlex
import stat
import sys
from pathlib import Path

from pydantic import SecretStr

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.schema.errors import SettingsError
from endcap.schema.pseudonym import MIN_KEY_BYTES, fingerprint, parse_key
from endcap.telemetry import console

ID_KEY_FILE = Path("keys") / "ids.key"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
MAX_FILE_BYTES = 4096


def open_id_key(config: PrivacyConfig, *, var: Path, make: bool = False) -> bytes:
    """Return the key of the pseudonyms.

    Args:
        config: says the key, or its file.
        var: the folder of the default file.
        make: whether a file that is not there is made, with a new random key.

    Raises:
        SettingsError: there is none, or it is in a file that others may read.
    """
    key = find_id_key(config, var=var, must_exist=not make)
    if key is not None:
        return key
    path = config.id_key_file or var / ID_KEY_FILE
    if not make:
        raise SettingsError(
            "there is no key for the pseudonyms of user ids",
            where=f"privacy.id_key, privacy.id_key_file, {path}",
            mend="Name the key or the file that the snapshot was made with",
        )
    make_key_file(path)
    key = read_key_file(path, setting="privacy.id_key_file")
    console.print(
        f"  made the key of the pseudonyms {fingerprint(key)} in {path}: keep a copy in a safe "
        "place, without it no user can be found again"
    )
    return key


def find_id_key(config: PrivacyConfig, *, var: Path, must_exist: bool = True) -> bytes | None:
    """Return the key of the pseudonyms; None when no setting names one and none was made yet.

    Raises:
        SettingsError: the named file is missing (with `must_exist`), or others may read it.
    """
    if config.id_key is not None:
        return _said(config.id_key, setting="privacy.id_key")
    path = config.id_key_file or var / ID_KEY_FILE
    if path.exists() or (config.id_key_file is not None and must_exist):
        return read_key_file(path, setting="privacy.id_key_file")
    return None


def find_map_key(config: PrivacyConfig) -> bytes | None:
    """Return the key of the map of ids; None when it is to be derived from the other key.

    Raises:
        SettingsError: the named file is missing, or others may read it.
    """
    if config.map_key is not None:
        return _said(config.map_key, setting="privacy.map_key")
    if config.map_key_file is not None:
        return read_key_file(config.map_key_file, setting="privacy.map_key_file")
    return None


def read_key_file(path: Path, *, setting: str) -> bytes:
    """Return the key in a file.

    Args:
        path: holds hex or base64.
        setting: the name of what names the file, for errors.

    Raises:
        SettingsError: it is not there, holds no key, or others may read it.
    """
    where = f"{setting}, {path}"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise SettingsError(
            f"the key cannot be read: {error.strerror}",
            where=where,
            mend="Put the file back from its copy, or name another",
        ) from error
    if sys.platform != "win32" and mode & OTHERS:
        raise SettingsError(
            f"others may use the file of the key (mode {stat.S_IMODE(mode):04o})",
            where=where,
            mend=f"Run: chmod 600 {shlex.quote(str(path))}",
        )
    try:
        return parse_key(text.decode("ascii", "replace"))
    except ValueError as error:
        raise SettingsError(
            f"the file holds no key: {error}", where=where, mend="Put it back from its copy"
        ) from None


def make_key_file(path: Path) -> None:
    """Write a new random key that only this user may read; a file that is there stays as it is.

    The file is there whole or not at all, also when two processes make it at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(MIN_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(scratch, path)
        except FileExistsError:
            return
    finally:
        scratch.unlink()


def _said(secret: SecretStr, *, setting: str) -> bytes:
    try:
        return parse_key(secret.get_secret_value())
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}", where=setting) from None
