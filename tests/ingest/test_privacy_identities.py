import stat
import sys
import threading

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.ingest.privacy import identities
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.identities import (
    MAGIC,
    IdentityMap,
    derive,
    merge_identities,
    open_identities,
)
from endcap.schema.errors import DataError
from endcap.schema.pseudonym import fingerprint, pseudonym

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))


@pytest.fixture
def kept(tmp_path):
    return IdentityMap(tmp_path / "identities" / "map.aesgcm", KEY, KEY)


def test_the_published_vector_of_aes_256_gcm():
    # McGrew and Viega, The Galois/Counter Mode of Operation, test case 16.
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    sealed = AESGCM(key).encrypt(
        bytes.fromhex("cafebabefacedbaddecaf888"),
        plain,
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    )
    assert sealed.hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )


def test_the_key_of_the_map_by_the_letter_of_rfc_5869():
    import hashlib
    import hmac

    info = b"endcap identities v1\x00" + bytes.fromhex(fingerprint(KEY))
    extracted = hmac.new(bytes(32), KEY, hashlib.sha256).digest()
    assert derive(KEY, fingerprint(KEY)) == hmac.digest(extracted, info + b"\x01", "sha256")
    assert len({derive(KEY, fingerprint(KEY)), derive(KEY, fingerprint(OTHER)), KEY}) == 3


def test_a_map_is_read_back_and_shows_nothing(kept):
    assert kept.read() == {}
    assert kept.merge(["ann@example.org", "bob", "ann@example.org"]) == 2
    assert kept.read() == {
        pseudonym(KEY, "ann@example.org"): "ann@example.org",
        pseudonym(KEY, "bob"): "bob",
    }
    data = kept.path.read_bytes()
    assert data.startswith(MAGIC + b"\x01" + bytes.fromhex(fingerprint(KEY)))
    assert b"ann" not in data
    assert b"bob" not in data
    assert KEY.hex() not in repr(kept)
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in kept.path.parent.iterdir()) == [".lock", "map.aesgcm"]


def test_each_ingest_adds_and_nothing_new_writes_nothing(kept):
    kept.merge(["ann"])
    first = kept.path.read_bytes()
    assert kept.merge(["ann"]) == 0
    assert kept.path.read_bytes() == first
    assert kept.merge(["ann", "bob"]) == 1
    second = kept.path.read_bytes()
    assert set(kept.read().values()) == {"ann", "bob"}
    header = len(MAGIC) + 5
    assert first[header : header + 12] != second[header : header + 12]  # a nonce is used once


@given(st.sets(st.text(min_size=1, max_size=30), max_size=20))
@settings(max_examples=30)
def test_any_ids_come_back(tmp_path_factory, raw_ids):
    kept = IdentityMap(tmp_path_factory.mktemp("ids") / "map", KEY, OTHER)
    kept.merge(raw_ids)
    assert kept.read() == {pseudonym(KEY, raw_id): raw_id for raw_id in raw_ids}


def test_one_is_erased_and_the_others_stay(kept):
    kept.merge(["ann", "bob"])
    assert kept.erase("ann")
    assert list(kept.read().values()) == ["bob"]
    assert not kept.erase("ann")
    assert not kept.erase("nobody")
    assert kept.erase("bob")
    assert kept.read() == {}


def test_every_changed_byte_is_noticed(kept):
    kept.merge(["ann"])
    whole = kept.path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        kept.path.write_bytes(bytes(changed))
        with pytest.raises(DataError, match="map of ids") as error:
            kept.read()
        assert str(kept.path) in str(error.value)
    for length in (0, 5, 15, 27, len(whole) - 1):
        kept.path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="map of ids"):
            kept.read()
    kept.path.write_bytes(whole + b"\x00")
    with pytest.raises(DataError, match="it was changed"):
        kept.read()


def test_what_cannot_be_opened_is_not_written_over(kept):
    kept.merge(["ann"])
    damaged = kept.path.read_bytes()[:-1]
    kept.path.write_bytes(damaged)
    for write in (lambda: kept.merge(["bob"]), lambda: kept.erase("ann")):
        with pytest.raises(DataError):
            write()
        assert kept.path.read_bytes() == damaged


def test_other_keys_open_nothing(kept):
    kept.merge(["ann"])
    with pytest.raises(DataError, match="sealed under another key"):
        IdentityMap(kept.path, KEY, OTHER).read()
    with pytest.raises(DataError, match="belongs to another key of pseudonyms"):
        IdentityMap(kept.path, OTHER, KEY).read()


def test_a_map_of_a_later_version(kept):
    kept.merge(["ann"])
    data = bytearray(kept.path.read_bytes())
    data[len(MAGIC)] = 2
    kept.path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="version 2, this release reads 1"):
        kept.read()


def test_a_map_beyond_what_one_seal_covers(kept, monkeypatch):
    monkeypatch.setattr(identities, "MAX_PLAIN_BYTES", 40)
    kept.merge(["ann"])
    with pytest.raises(DataError, match="2 GiB"):
        kept.merge(["bob"])
    assert list(kept.read().values()) == ["ann"]
    with pytest.raises(DataError, match="no id"):
        kept.merge(["x" * 70_000])


def test_where_the_map_lies_and_which_key_seals_it(tmp_path):
    config = PrivacyConfig.model_validate({"keep_id_map": True, "map_key": OTHER.hex()})
    path = merge_identities(["ann"], id_key=KEY, config=config, var=tmp_path)
    assert path == tmp_path / "identities" / f"{fingerprint(KEY)}.aesgcm"
    assert open_identities(config, id_key=KEY, var=tmp_path).read() == {
        pseudonym(KEY, "ann"): "ann"
    }
    with pytest.raises(DataError, match="another key"):
        open_identities(PrivacyConfig(), id_key=KEY, var=tmp_path).read()
    other = merge_identities(["ann"], id_key=OTHER, config=PrivacyConfig(), var=tmp_path)
    assert other != path


def merge_many(path, worker):
    for number in range(5):
        IdentityMap(path, KEY, KEY).merge([f"{worker}-{number}"])


@pytest.mark.skipif(sys.platform == "win32", reason="no lock there")
def test_ingests_at_once_lose_nothing(kept):
    # Each opens the lock for itself, so threads exclude each other as processes do.
    workers = [threading.Thread(target=merge_many, args=(kept.path, n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(kept.read()) == 20


def test_a_full_disk_leaves_the_map_as_it_was(kept, monkeypatch):
    kept.merge(["ann"])

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(identities.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        kept.merge(["bob"])
    monkeypatch.undo()
    assert list(kept.read().values()) == ["ann"]
    assert sorted(path.name for path in kept.path.parent.iterdir()) == [".lock", "map.aesgcm"]
