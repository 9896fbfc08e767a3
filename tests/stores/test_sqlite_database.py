"""How a SQLite file is opened, made durable and refused, for both stores that use one."""

import os
import resource
import sqlite3

import pytest

from endcap.schema.errors import StoreError
from endcap.stores._sqlite import FORMAT, open_database, open_reader, sqlite_errors, transaction

APPLICATION_ID = 0x45430001


@pytest.fixture
def connect(tmp_path):
    """Return a function that opens a database for test things; all are closed at the end."""
    connections = []

    def connect(path=tmp_path / "test.db", *, busy_timeout_s=0.0, application_id=APPLICATION_ID):
        connection = open_database(
            path,
            schema="CREATE TABLE things (n INTEGER)",
            application_id=application_id,
            busy_timeout_s=busy_timeout_s,
        )
        connections.append(connection)
        return connection

    yield connect
    for connection in connections:
        connection.close()


def count(connection):
    return connection.execute("SELECT count(*) FROM things").fetchone()[0]


def test_every_commit_is_synced(connect):
    connection = connect()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)


def test_settings_hold_for_a_file_that_exists(connect):
    connect().close()
    connection = connect()
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_folders_are_created(connect, tmp_path):
    connect(tmp_path / "a" / "b" / "test.db")
    assert (tmp_path / "a" / "b" / "test.db").is_file()


def test_a_folder_is_refused(connect, tmp_path):
    with pytest.raises(StoreError, match="is a folder") as caught:
        connect(tmp_path)
    assert str(tmp_path / "endcap.db") in caught.value.mend


def test_a_file_in_place_of_a_folder_is_refused(connect, tmp_path):
    (tmp_path / "var").write_text("")
    with pytest.raises(StoreError, match="folder of the database cannot be created"):
        connect(tmp_path / "var" / "deep" / "test.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(connect, tmp_path):
    (tmp_path / "var").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="cannot be opened"):
        connect(tmp_path / "var" / "test.db")


def test_what_is_no_database_is_refused_and_left_as_it_was(connect, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n" * 500)
    with pytest.raises(StoreError, match="not a SQLite database"):
        connect(path)
    assert path.read_text() == "buy milk\n" * 500


def test_somebody_elses_database_is_refused_and_left_as_it_was(connect, tmp_path):
    path = tmp_path / "shop.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE orders (n INTEGER)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="holds something else"):
        connect(path)
    assert path.read_bytes() == before


def test_a_database_of_another_kind_is_refused(connect):
    connect().close()
    with pytest.raises(StoreError, match="a file of its own"):
        connect(application_id=APPLICATION_ID + 1)


def test_a_newer_format_is_refused(connect):
    connect().execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StoreError, match="newer release"):
        connect()


def test_a_transaction_is_whole_or_nothing(connect):
    connection = connect()

    def fail_halfway():
        with transaction(connection):
            connection.execute("INSERT INTO things VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert count(connection) == 0
    with transaction(connection):
        connection.execute("INSERT INTO things VALUES (2)")
    assert count(connection) == 1


def test_a_full_disk_is_named(connect, tmp_path):
    connection = connect()
    connection.execute("PRAGMA max_page_count = 2")
    with (
        pytest.raises(StoreError, match="disk is full, nothing was written") as caught,
        sqlite_errors(tmp_path),
        transaction(connection),
    ):
        connection.executemany("INSERT INTO things VALUES (?)", ((n,) for n in range(5_000)))
    assert "Free some space" in caught.value.mend
    assert count(connection) == 0


def test_a_lock_is_named(connect, tmp_path):
    first, second = connect(), connect()
    with transaction(first):
        with (
            pytest.raises(StoreError, match="another process holds") as caught,
            sqlite_errors(tmp_path / "test.db"),
            transaction(second),
        ):
            raise AssertionError("two writers at once")
        assert caught.value.where == str(tmp_path / "test.db")


def test_damage_is_named(connect, tmp_path):
    connection = connect()
    connection.execute("INSERT INTO things VALUES (1)")
    connection.close()
    path = tmp_path / "test.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"is damaged.*Restore it"), sqlite_errors(path):
        count(connect())


def test_other_errors_keep_their_text(tmp_path):
    connection = sqlite3.connect(":memory:")
    with pytest.raises(StoreError, match="no such table: missing"), sqlite_errors(tmp_path):
        connection.execute("SELECT * FROM missing")
    connection.close()


def test_a_reader_cannot_write(connect, tmp_path):
    path = tmp_path / "what? 100% #1.db"
    connect(path).execute("INSERT INTO things VALUES (1)")
    reader = open_reader(path, busy_timeout_s=0.0)
    assert count(reader) == 1
    with pytest.raises(StoreError, match="may not be written"), sqlite_errors(path):
        reader.execute("INSERT INTO things VALUES (2)")
    reader.close()


def test_a_disk_error_is_named_and_passes(connect, tmp_path):
    """A quota is met in the middle of a write; afterwards the same connection works again."""
    connection = connect()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with (
            pytest.raises(StoreError, match="disk reported an error") as caught,
            sqlite_errors(tmp_path),
            transaction(connection),
        ):
            connection.executemany("INSERT INTO things VALUES (?)", ((n,) for n in range(50_000)))
        assert "free space" in caught.value.mend
        assert count(connection) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    with transaction(connection):
        connection.execute("INSERT INTO things VALUES (1)")
    assert count(connection) == 1
