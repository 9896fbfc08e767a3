"""Reading a URL, and showing it without its secrets."""

from pathlib import Path

import pytest

from endcap.schema.errors import StoreError
from endcap.stores.urls import check_bare, file_of, options_of, redact, scheme_of, secrets_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://:secret@host", "redis://:***@host"),
        ("redis://user:se@cr/et?x@host", "redis://user:***@host"),
        ("kafka://a:p1@h1,b:p2@h2/topic", "kafka://a:***@h2/topic"),
        ("cassandra://user@host/keyspace", "cassandra://user@host/keyspace"),
        ("user:secret@host", "user:***@host"),
        ("redis://host?password=secret&db=1", "redis://host?password=***&db=1"),
        ("s3://b?aws_secret_access_key=secret", "s3://b?aws_secret_access_key=***"),
        ("kafka://h?sasl.PASSWORD=secret", "kafka://h?sasl.PASSWORD=***"),
        ("sqlite:///./var/rows.db", "sqlite:///./var/rows.db"),
        ("memory://?max_bytes=1000", "memory://?max_bytes=1000"),
        ("", ""),
    ],
)
def test_a_shown_url_has_no_secret(url, shown):
    assert redact(url) == shown
    assert redact(shown) == shown


def test_the_secrets_are_known_as_written_and_as_meant():
    assert secrets_of("redis://user:a%40b@host?token=xy") == ["a%40b", "a@b", "xy"]
    assert secrets_of("sqlite:///./var/rows.db") == []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///./var/rows.db", "var/rows.db"),
        ("sqlite:///rows.db", "rows.db"),
        ("sqlite:////srv/shop/rows.db", "/srv/shop/rows.db"),
        ("SQLite:///a%20shop/100%25.db", "a shop/100%.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(url, path):
    assert file_of(url) == Path(path)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:////", "sqlite://var/rows.db", "sqlite:///:memory:"]
)
def test_a_url_without_a_file_says_how_to_write_one(url):
    with pytest.raises(StoreError, match=r"sqlite:///\./var/name\.db"):
        file_of(url)


@pytest.mark.parametrize("url", ["rows.db", "", "://x", "/srv/rows.db", "1st://x", "a b://x"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(StoreError, match="not a URL"):
        scheme_of(url)


def test_an_option_nobody_knows_is_refused():
    assert options_of("memory://?max_bytes=5", known=("max_bytes",)) == {"max_bytes": "5"}
    with pytest.raises(StoreError, match=r"unknown option 'max_byte'.*Known: max_bytes"):
        options_of("memory://?max_byte=5", known=("max_bytes",))
    with pytest.raises(StoreError, match="Known: none"):
        file_of("sqlite:///rows.db?mode=ro")


def test_memory_has_no_place():
    check_bare("memory://")
    with pytest.raises(StoreError, match="Write memory://"):
        check_bare("memory:///var/rows.db")
