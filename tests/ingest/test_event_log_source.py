from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.pseudonyms import pseudonymise
from endcap.ingest.run import Given, Places, ingest, preview
from endcap.ingest.snapshot import Snapshot
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError, StoreError
from endcap.schema.events import Event
from endcap.stores.registry import open_events

Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
T = 1_500_000_000
KEEP = PrivacyConfig(user_id="keep")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/events.db"


def happen(url: str, *events: tuple[str, str, Kind, int] | bytes) -> None:
    """Append events to the log: user, item, kind and second; or raw bytes as they are."""

    async def append() -> None:
        log = open_events(url)
        for n, event in enumerate(events):
            if isinstance(event, bytes):
                await log.append([event], key="u")
                continue
            user, item, kind, second = event
            ts = (T + second) * 1_000_000
            made = Event(f"e{second}-{n}-{user}-{item}", kind, user, item, ts, value=2.5)
            await log.append([made.encode()], key=user)
        await log.close()

    asyncio.run(append())


def take(
    tmp_path: Path,
    url: str,
    *sources: Path | str,
    since: str | None = None,
    privacy: PrivacyConfig = KEEP,
    root: str = "s",
) -> Snapshot:
    return ingest(
        [str(source) for source in sources] or "events",
        root=tmp_path / root,
        places=Places.under(tmp_path / root, events=url),
        given=Given(since=since),
        privacy=privacy,
        clock=lambda: 1.78e9,
    )


def kept(snapshot: Snapshot, rows_of: Rows) -> list[tuple[str, str, int, float, int]]:
    users = {row["user_idx"]: row["user_id"] for row in rows_of(snapshot, "users")}
    items = {row["item_idx"]: row["item_id"] for row in rows_of(snapshot, "items")}
    return [
        (
            *(users[row["user_idx"]], items[row["item_idx"]], row["kind"], row["value"]),
            row["ts"] // 1_000_000 - T,
        )
        for row in rows_of(snapshot, "interactions")
    ]


def test_every_kind_of_event_becomes_a_row(tmp_path: Path, url: str, rows_of: Rows) -> None:
    happen(url, *((f"u{n}", f"i{n}", kind, n) for n, kind in enumerate(Kind)))
    snapshot = take(tmp_path, url)
    counted = {Kind.PURCHASE, Kind.RATING}
    assert kept(snapshot, rows_of) == [
        (f"u{n}", f"i{n}", KIND_CODES[kind], 2.5 if kind in counted else 1.0, n)
        for n, kind in enumerate(Kind)
    ]
    (source,) = snapshot.manifest.source_files
    assert source.path == "events"
    assert source.log_offset is not None
    assert snapshot.manifest.source == "events"


def test_what_the_log_holds_besides_events_is_put_aside(
    tmp_path: Path, url: str, rows_of: Rows
) -> None:
    odd = [b'{"v": 9, "what": "another version"}', b"\xff\xfe no text", b"[]"]
    happen(url, ("u", "a", Kind.VIEW, 0), *odd, ("v", "b", Kind.VIEW, 1))
    snapshot = take(tmp_path, url)
    assert [row[0] for row in kept(snapshot, rows_of)] == ["u", "v"]
    found = {row["row_number"]: row["reasons"] for row in rows_of(snapshot, "quarantine")}
    assert found[2][:2] == ["user_id is missing", "item_id is missing"]
    assert (found[3], found[4]) == (["not UTF-8"], ["not a JSON object"])


def test_increments_of_the_log_are_one_full_reading(tmp_path: Path, url: str) -> None:
    events = [(f"u{n % 3}", f"i{n % 4}", Kind.VIEW, n * 100) for n in range(9)]
    happen(url, *events[:4])
    take(tmp_path, url, root="chain")
    happen(url, *events[4:5])
    take(tmp_path, url, root="chain", since="last")
    happen(url, *events[5:])
    chain = take(tmp_path, url, root="chain", since="last")
    again = take(tmp_path, url, root="chain", since="last")
    full = take(tmp_path, url, root="full")
    assert again.snapshot_id == chain.snapshot_id == full.snapshot_id
    assert chain.manifest.counts == full.manifest.counts
    assert chain.manifest.files == full.manifest.files
    offsets = [file.log_offset for file in chain.manifest.source_files]
    assert len(set(offsets)) == 3
    assert offsets[-1] == full.manifest.source_files[0].log_offset


def test_files_and_the_log_come_in_together(tmp_path: Path, url: str, rows_of: Rows) -> None:
    """A file goes first, whatever the order in which they are named; each only once."""
    history = tmp_path / "events.jsonl"  # a name like that of our own copy
    history.write_text(json.dumps({"user_id": "old", "item_id": "a", "ts": T}) + "\n")
    happen(url, ("new", "b", Kind.CART, 1))
    first = take(tmp_path, url, "events", history)
    assert [row[0] for row in kept(first, rows_of)] == ["old", "new"]
    assert [file.path for file in first.manifest.source_files] == [str(history), "events"]
    happen(url, ("newer", "b", Kind.CART, 2))
    second = take(tmp_path, url, "events", history, since="last")
    assert [row[0] for row in kept(second, rows_of)] == ["old", "new", "newer"]
    assert [file.path for file in second.manifest.source_files][1:] == ["events", "events"]


def test_pseudonyms_of_the_server_stay_and_raw_ids_get_theirs(
    tmp_path: Path, url: str, rows_of: Rows
) -> None:
    key = secrets.token_hex(32)
    (pseudonym,) = pseudonymise(["anna"], bytes.fromhex(key))
    happen(
        url,
        ("anna", "a", Kind.VIEW, 0),  # written before hashing was switched on
        (pseudonym, "b", Kind.VIEW, 1),
        ("bert", "b", Kind.VIEW, 2),
    )
    snapshot = take(tmp_path, url, privacy=PrivacyConfig(user_id="hash", id_key=key))
    users: Sequence[str] = [row["user_id"] for row in rows_of(snapshot, "users")]
    assert users == [pseudonym, *pseudonymise(["bert"], bytes.fromhex(key))]
    data = b"".join(file.read_bytes() for file in snapshot.path.rglob("*") if file.is_file())
    assert b"anna" not in data
    assert b"bert" not in data


def test_an_empty_log_is_said_and_adds_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="the event log is empty") as caught:
        take(tmp_path, url)
    assert caught.value.where == url
    log = tmp_path / "h.csv"
    log.write_text(f"user_id,item_id,ts\nu,a,{T}\n")
    alone = take(tmp_path, url, log)
    assert take(tmp_path, url, "events", since="last").snapshot_id == alone.snapshot_id


def test_an_offset_of_another_log_is_an_error(tmp_path: Path, url: str) -> None:
    happen(url, ("u", "a", Kind.VIEW, 0))
    first = take(tmp_path, url)
    manifest = first.path / "manifest.json"
    said = json.loads(manifest.read_text())
    said["source_files"][0]["log_offset"] = "not an offset"
    manifest.write_text(json.dumps(said))
    with pytest.raises(StoreError):
        take(tmp_path, url, since="last")


def test_the_log_can_be_looked_at(tmp_path: Path, url: str) -> None:
    happen(url, ("u", "a", Kind.LIKE, 0), ("v", "a", Kind.REMOVE, 1))
    shown = preview(
        "events",
        root=tmp_path / "s",
        places=Places.under(tmp_path / "s", events=url),
        privacy=KEEP,
        clock=lambda: 1.78e9,
    )
    assert [(row["user_id"], row["kind"]) for row in shown.rows] == [("u", "like"), ("v", "remove")]
    assert not (tmp_path / "s").exists()
