from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.ingest import increment, write
from endcap.ingest.config import IngestConfig
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot, load_dataset, read_catalogue, read_ids
from endcap.ingest.work import Thinning
from endcap.schema.errors import DataError, SettingsError

NOW_S = 1_780_000_000.0
KEEP = PrivacyConfig(user_id="keep", columns={"country": "keep"})
CONFIG = IngestConfig(near_duplicate_s=5, max_per_minute=3, max_per_day=6)
HEADER = "user_id,item_id,ts,event,value,price,country"
START_S = 1_500_000_000


@contextmanager
def small_chunks(n_rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (write, increment):
            patch.setattr(module, "CHUNK_ROWS", n_rows)
        yield


def add(root: Path, *files: Path, since: str | None = None, **options: Any) -> Snapshot:
    given = Given(since=since, items=options.pop("items", None))
    return ingest(
        [str(file) for file in files],
        root=root,
        given=given,
        config=options.pop("config", CONFIG),
        privacy=options.pop("privacy", KEEP),
        clock=lambda: NOW_S,
        **options,
    )


def log_file(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


rows = st.lists(
    st.tuples(
        st.sampled_from(["u", "v", "w", ""]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([0, 1, 3, 4, 59, 60, 61, 100, 86_000, 90_000, 700_000]),
        st.sampled_from(["view", "cart", "purchase", "rating", "sneeze"]),
        st.sampled_from(["1", "5", "4.5", "-1"]),
        st.sampled_from(["", "2.5", "9", "1.1"]),
        st.sampled_from(["UK", "FR", ""]),
    ).map(lambda row: ",".join([row[0], row[1], str(START_S + row[2]), *row[3:]])),
    min_size=1,
    max_size=14,
)


@given(st.lists(rows, min_size=2, max_size=4), st.integers(1, 9), st.booleans())
@settings(max_examples=12, deadline=None)
def test_a_chain_of_increments_is_one_full_ingest(
    batches: list[list[str]], chunk_rows: int, with_catalogue: bool
) -> None:
    good = f"u,a,{START_S},view,1,,UK"
    with TemporaryDirectory() as name, small_chunks(chunk_rows):
        folder = Path(name)
        files = [
            log_file(folder, f"{nth}.csv", [good, *batch]) for nth, batch in enumerate(batches)
        ]
        items = folder / "shelf.json"
        lines = ['{"item_id": "c", "title": "C", "price": 3, "also_bought": ["a", "d", "z"]}']
        items.write_text("\n".join([*lines, '{"item_id": "x", "description": "an X"}']))
        known = {"items": items} if with_catalogue else {}
        full = add(folder / "full", *files, **known)
        step = add(folder / "chain", files[0], **known)
        for file in files[1:]:
            before = read_ids(step.path)
            step = add(folder / "chain", file, since="last")
            after = read_ids(step.path)
            assert after.items.ids[: len(before.items)] == before.items.ids
            assert after.users.ids[: len(before.users)] == before.users.ids
        assert step.snapshot_id == full.snapshot_id
        assert step.manifest.files == full.manifest.files
        for name in full.manifest.files:
            assert (step.path / name).read_bytes() == (full.path / name).read_bytes(), name
        for part in ("counts", "config", "time_span"):
            mine, other = (getattr(of.manifest, part) for of in (step, full))
            if part == "counts":
                mine, other = (
                    of.model_copy(update={"catalogue_rows_in": 0}) for of in (mine, other)
                )
            assert mine == other


def test_whole_chunks_are_shared_not_copied(tmp_path: Path) -> None:
    with small_chunks(4):
        lines = [f"u{n},i{n % 3},{START_S + n},view,1,," for n in range(10)]
        first = add(tmp_path / "s", log_file(tmp_path, "1.csv", lines))
        second = add(tmp_path / "s", log_file(tmp_path, "2.csv", lines[:3]), since="last")
    inodes = {
        name: [(of.path / name).stat().st_ino for of in (first, second)]
        for name in first.manifest.files
        if name.startswith("interactions/")
    }
    shared = [name for name, (before, after) in inodes.items() if before == after]
    assert shared == ["interactions/000000.parquet", "interactions/000001.parquet"]
    assert len(inodes) == 3
    assert second.manifest.parent == first.snapshot_id
    assert len(load_dataset(second.path).interactions) == 13
    # The one before is still whole.
    assert len(load_dataset(first.path).interactions) == 10


def test_a_file_is_read_once_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    one = log_file(tmp_path, "1.csv", [f"u,a,{START_S},view,1,,"])
    two = log_file(tmp_path, "2.csv", [f"u,b,{START_S + 9},view,1,,"])
    root = tmp_path / "s"
    first = add(root, one)
    assert add(root, one, since="last").snapshot_id == first.snapshot_id
    second = add(root, tmp_path, since="last")  # the folder: only 2.csv is new
    assert second.manifest.counts.rows_in == 2
    assert [Path(file.path).name for file in second.manifest.source_files] == ["1.csv", "2.csv"]
    copy = tmp_path / "elsewhere.csv"
    copy.write_bytes(two.read_bytes())
    assert add(root, copy, since="last").snapshot_id == second.snapshot_id
    with one.open("a") as file:
        file.write(f"v,a,{START_S},view,1,,\n")
    with pytest.raises(DataError, match="the file has changed since it was read") as caught:
        add(root, one, since="last")
    assert caught.value.where == str(one)


def test_what_was_left_out_cannot_come_back(tmp_path: Path) -> None:
    lines = [f"u{n % 2},i{n % 2},{START_S + n},view,1,," for n in range(8)]
    file, more = log_file(tmp_path, "1.csv", lines), log_file(tmp_path, "2.csv", lines[:1])
    add(tmp_path / "thin", file, thinning=Thinning(k_core=2))
    with pytest.raises(DataError, match="left rows or attributes out"):
        add(tmp_path / "thin", more, since="last")
    add(tmp_path / "s", file)
    with pytest.raises(SettingsError, match="cannot be thinned"):
        add(tmp_path / "s", more, since="last", thinning=Thinning(min_per_user=2))
    other = CONFIG.model_copy(update={"max_per_day": 7})
    with pytest.raises(DataError, match="max_per_day is 7 now and was 6"):
        add(tmp_path / "s", more, since="last", config=other)
    with pytest.raises(DataError, match="user_ids is"):
        add(tmp_path / "s", more, since="last", privacy=PrivacyConfig(user_id="hash"))


def test_a_file_of_users_goes_before_rows_that_come_later(tmp_path: Path) -> None:
    users = tmp_path / "people.json"
    users.write_text('{"user_id": "u", "country": "FR"}\n')
    root = tmp_path / "s"

    def grow(name: str, *, since: str | None, said: Path | None) -> Snapshot:
        lines = [f"{user},{name},{START_S},view,1,,UK" for user in "uv"]
        given = Given(since=since, users=said)
        file = str(log_file(tmp_path, f"{name}.csv", lines))
        return ingest(file, root=root, given=given, privacy=KEEP, clock=lambda: NOW_S)

    grow("a", since=None, said=users)
    with pytest.raises(DataError, match="the file of users") as caught:
        grow("b", since="last", said=None)
    assert "--users-file" in caught.value.mend
    made = grow("c", since="last", said=users)
    with duckdb.connect() as db:
        found = db.execute(
            "SELECT user_id, country FROM read_parquet(?)", [str(made.path / "users.parquet")]
        )
        assert found.fetchall() == [("u", "FR"), ("v", "UK")]


def test_a_damaged_parent_is_named(tmp_path: Path) -> None:
    lines = [f"u,a,{START_S},view,1,,"]
    first = add(tmp_path / "s", log_file(tmp_path, "1.csv", lines))
    (first.path / "popularity.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not the one that was written") as caught:
        add(tmp_path / "s", log_file(tmp_path, "2.csv", [*lines, *lines]), since="last")
    assert caught.value.where.endswith("popularity.parquet")


def test_an_increment_may_bring_a_new_catalogue(tmp_path: Path) -> None:
    lines = [f"u,a,{START_S},purchase,1,2,", f"u,b,{START_S + 1},purchase,1,4,"]
    items = tmp_path / "shelf.jsonl"
    items.write_text('{"item_id": "a", "title": "Axe", "price": 1}\n')
    add(tmp_path / "s", log_file(tmp_path, "1.csv", lines), items=items)
    items.write_text('{"item_id": "b", "title": "Bolt"}\n{"item_id": "a", "title": "Axes"}\n')
    second = add(
        tmp_path / "s",
        log_file(tmp_path, "2.csv", [f"u,a,{START_S + 2},purchase,1,8,"]),
        items=items,
        since="last",
    )
    axe, bolt = read_catalogue(second.path)
    assert (axe["name"], axe["price"]) == ("Axes", 5.0)  # no longer listed: the sales decide
    assert (bolt["name"], bolt["price"], bolt["is_available"]) == ("Bolt", 4.0, True)


@pytest.mark.slow
def test_an_increment_costs_what_is_new(tmp_path: Path) -> None:
    """The rows of before are neither read nor written: their files may even be unreadable."""
    rng = random.Random(0)
    lines = [
        f"u{rng.randrange(900)},i{rng.randrange(300)},{START_S + 60 * n},view,1,,"
        for n in range(60_000)
    ]
    with small_chunks(5_000):
        first = add(tmp_path / "s", log_file(tmp_path, "1.csv", lines))
        chunk = first.path / "interactions" / "000000.parquet"
        data = bytearray(chunk.read_bytes())
        data[4 : len(data) // 2] = rng.randbytes(len(data) // 2 - 4)  # in the middle of the time
        chunk.write_bytes(bytes(data))
        late = [f"u1,i1,{START_S + 60 * 60_001},view,1,,"]
        second = add(tmp_path / "s", log_file(tmp_path, "2.csv", late), since="last")
    assert second.manifest.counts.kept == 60_001
    with pytest.raises(DataError, match="not the one that was written"):
        load_dataset(second.path)


def test_rows_of_the_event_log_are_added_as_they_come(tmp_path: Path) -> None:
    import asyncio

    from endcap.ingest.run import Places
    from endcap.schema.columns import Kind
    from endcap.schema.events import Event
    from endcap.stores.registry import open_events

    url = f"sqlite:///{tmp_path}/events.db"

    def happen(*items: str) -> None:
        async def append() -> None:
            log = open_events(url)
            for n, item in enumerate(items):
                event = Event(f"{item}{n}", Kind.CART, "u", item, (START_S + 50) * 1_000_000 + n)
                await log.append([event.encode()], key="u")
            await log.close()

        asyncio.run(append())

    root = tmp_path / "s"
    places = Places.under(root, events=url)
    add(root, log_file(tmp_path, "1.csv", [f"u,a,{START_S},view,1,,"]))

    def grow() -> Snapshot:
        return ingest(
            "events", root=root, places=places, given=Given(since="last"), config=CONFIG,
            privacy=KEEP, clock=lambda: NOW_S,
        )  # fmt: skip

    happen("a", "b")
    assert grow().manifest.counts.rows_in == 3
    happen("c")
    last = grow()
    assert last.manifest.counts.rows_in == 4
    assert grow().snapshot_id == last.snapshot_id
    assert read_ids(last.path).items.ids == ("a", "b", "c")
    offsets = [file.log_offset for file in last.manifest.source_files]
    assert offsets[0] is None
    assert None not in offsets[1:]


def test_the_manifest_reads_back(tmp_path: Path) -> None:
    made = add(tmp_path / "s", log_file(tmp_path, "1.csv", [f"u,a,{START_S},view,1,,"]))
    assert json.loads((made.path / "manifest.json").read_text())["parent"] is None


Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
