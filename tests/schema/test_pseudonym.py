import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from endcap.schema.pseudonym import (
    SPOKEN,
    Pseudonyms,
    column_key,
    fingerprint,
    is_pseudonym,
    parse_key,
    pseudonym,
    to_bytes,
    to_text,
)

KEY = bytes(range(32))
IDS = st.text(min_size=1, max_size=40)

RFC_4231 = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7"),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f",
    ),
]
"""Test cases 1, 2 and 6, the first 128 bits."""


@pytest.mark.parametrize(("key", "text", "digest"), RFC_4231)
def test_the_published_vectors_of_hmac_sha256(key, text, digest):
    assert to_bytes(pseudonym(key, text)).hex() == digest


def test_a_known_answer():
    # Written by hand from RFC 4648: digits of 5 bits, the most significant first, no padding.
    digest = hmac.new(KEY, b"reviewer-7", hashlib.sha256).digest()[:16]
    number = int.from_bytes(digest, "big") << 2
    digits = ["abcdefghijklmnopqrstuvwxyz234567"[number >> 5 * i & 31] for i in range(26)]
    assert pseudonym(KEY, "reviewer-7") == "".join(reversed(digits))
    assert pseudonym(KEY, "reviewer-7") == "y7ixf4bltda4dnwzgxzydwueyi"


@given(IDS)
def test_the_form(raw_id):
    made = pseudonym(KEY, raw_id)
    assert len(made) == 26
    assert is_pseudonym(made)
    assert made == pseudonym(KEY, raw_id)
    assert to_text(to_bytes(made)) == made


@given(st.binary(min_size=16, max_size=16))
def test_any_16_bytes_are_a_pseudonym(digest):
    assert to_bytes(to_text(digest)) == digest


@given(IDS, IDS)
def test_other_ids_have_other_pseudonyms(one, other):
    assert (pseudonym(KEY, one) == pseudonym(KEY, other)) == (one == other)


def test_no_collision_among_1e5_ids():
    assert len({pseudonym(KEY, str(number)) for number in range(100_000)}) == 100_000


def test_another_key_makes_other_pseudonyms():
    other = KEY[:-1] + b"\x00"
    assert pseudonym(KEY, "ann") != pseudonym(other, "ann")
    assert fingerprint(KEY) != fingerprint(other)


def test_a_fingerprint_tells_nothing_of_the_key():
    assert len(fingerprint(KEY)) == 8
    assert bytes.fromhex(fingerprint(KEY)) != hashlib.sha256(KEY).digest()[:4]
    assert fingerprint(KEY) not in KEY.hex()
    # Of another domain than the ids: the fingerprint is the start of no pseudonym.
    said = "endcap id key fingerprint v1"
    assert to_bytes(pseudonym(KEY, said)).hex()[:8] != fingerprint(KEY)


def test_nothing_shows_the_key():
    made = Pseudonyms(KEY)
    shown = f"{made!r} {made} {vars(type(made)).keys()}"
    assert made.scheme == f"hmac-sha256:{fingerprint(KEY)}"
    assert made.scheme in shown
    assert KEY.hex() not in shown
    assert str(KEY) not in shown


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(KEY[:31])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "a" * 25,
        "a" * 27,
        "A" * 26,
        "a" * 25 + "b",  # the last two bits are not zero
        "1" + "a" * 25,
        "a" * 26 + "\n",
        "01hzx3v9k2m4n6p8q0r2s4t6v8",  # a ULID
        "d" * 13 + "-" * 13,
    ],
)
def test_what_is_no_pseudonym(text):
    assert not is_pseudonym(text)
    with pytest.raises(ValueError, match="not a pseudonym"):
        to_bytes(text)


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper() + "\n",
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(KEY).decode() + "\n",
    ],
)
def test_how_a_key_is_written(text):
    assert parse_key(text) == KEY


@given(st.binary(min_size=32, max_size=70).filter(lambda key: len(set(key)) >= 8))
def test_every_key_can_be_written_both_ways(key):
    assert parse_key(key.hex()) == key
    assume(not re.fullmatch("[0-9a-fA-F=]*", base64.b64encode(key).decode()))
    assert parse_key(base64.b64encode(key).decode()) == key
    assert parse_key(base64.urlsafe_b64encode(key).decode()) == key


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "32 random bytes"),
        ("correct horse battery staple", "32 random bytes"),
        (KEY[:31].hex(), "32 random bytes"),
        (KEY.hex()[:-1], "32 random bytes"),
        ("!" * 64, "32 random bytes"),
        ("00" * 32, "not random"),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(text, reason):
    with pytest.raises(ValueError, match=reason) as error:
        parse_key(text)
    assert not text or text not in str(error.value)


def test_columns_cannot_be_joined():
    keys = {KEY, column_key(KEY, "card"), column_key(KEY, "phone")}
    assert len({pseudonym(key, "0171") for key in keys}) == 3
    assert column_key(KEY, "card") == column_key(KEY, "card")


class TestDoor:
    made = Pseudonyms(KEY)

    @given(IDS)
    def test_an_id_becomes_its_pseudonym(self, raw_id):
        assert self.made.at_the_door(raw_id) == self.made.of(raw_id) == pseudonym(KEY, raw_id)

    def test_a_pseudonym_must_be_said_to_be_one(self):
        inside = self.made.of("ann")
        assert self.made.at_the_door(SPOKEN + inside) == inside
        assert self.made.at_the_door(inside) == self.made.of(inside) != inside
        assert self.made.at_the_door(SPOKEN + "ann") == self.made.of(SPOKEN + "ann")
        assert self.made.at_the_door(SPOKEN + SPOKEN + inside) != inside

    @given(IDS)
    def test_a_log_is_read_twice_with_the_same_result(self, user_id):
        inside = self.made.in_the_log(user_id)
        assert self.made.in_the_log(inside) == inside == self.made.of(user_id)


def test_base32_is_that_of_the_standard_library():
    digest = bytes(range(16))
    assert to_text(digest) == base64.b32encode(digest).decode().lower().rstrip("=")
