from __future__ import annotations

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from endcap.ingest.compute.local import LocalCompute
from endcap.ingest.ids import IdMap
from endcap.ingest.mapping import GUESSES, interaction_roles
from endcap.ingest.names import readable_name, readable_size
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.readers import BLANKS
from endcap.ingest.run import ingest
from endcap.ingest.snapshot import load_dataset, read_ids
from endcap.ingest.thin import k_core, sample_users
from endcap.schema.events import check_id

KEEP = PrivacyConfig(user_id="keep")
NOW_S = 1_780_000_000.0
GOOD = ("user", "item", "1500000000")

# No NUL, which makes a file binary, and no lone surrogates, which no file can hold.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
times = st.one_of(
    texts,
    st.integers(631_152_000, 1_780_000_000).map(str),
    st.datetimes().map(str),
    st.floats().map(str),
)
rows = st.lists(st.tuples(texts, texts, times), max_size=12)
pairs = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), max_size=40)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def engine_with(chosen: list[tuple[str, str]]) -> Iterator[LocalCompute]:
    with folder() as scratch, LocalCompute(scratch, memory_limit="256MiB") as compute:
        users, items = [user for user, _ in chosen], [item for _, item in chosen]
        compute.put("arrived", {"user_id": ("VARCHAR", users), "item_id": ("VARCHAR", items)})
        yield compute


def number_of_put_aside(path: Path) -> list[int]:
    with duckdb.connect() as db:
        files = [str(file) for file in (path / "quarantine").glob("*.parquet")]
        if not files:
            return []
        query = "SELECT row_number FROM read_parquet(?) ORDER BY 1"
        return [row[0] for row in db.execute(query, [files]).fetchall()]


@given(rows)
@settings(max_examples=30, deadline=None)
def test_no_row_of_a_table_is_lost(table: list[tuple[str, str, str]]) -> None:
    # Most rows decide on the unit of time, so that GOOD stays good.
    everything = [*[GOOD] * (len(table) + 1), *table]
    with folder() as root:
        with (root / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("user_id", "item_id", "ts"), *everything])
        snapshot = ingest(str(root / "rows.csv"), root=root, privacy=KEEP, clock=lambda: NOW_S)
        counts = snapshot.manifest.counts
        assert counts.rows_in == len(everything)
        assert counts.kept + counts.quarantined == counts.rows_in
        put_aside = number_of_put_aside(snapshot.path)
        kept = [row for n, row in enumerate(everything, start=2) if n not in put_aside]
        ids, data = read_ids(snapshot.path), load_dataset(snapshot.path).interactions
        assert Counter(
            zip(ids.users.decode(data.user_idx), ids.items.decode(data.item_idx), strict=True)
        ) == Counter((user.strip(" \t\r\n"), item.strip(" \t\r\n")) for user, item, _ in kept)


lines = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=20),
    st.dictionaries(st.sampled_from(["user_id", "item_id", "ts"]), st.integers() | texts).map(
        json.dumps
    ),
    st.recursive(st.none() | st.booleans() | st.floats() | texts, st.lists, max_leaves=3).map(
        json.dumps
    ),
)


@given(st.lists(lines, max_size=12))
@example(["\f", "[]"])
@settings(max_examples=30, deadline=None)
def test_no_line_of_json_is_lost(chosen: list[str]) -> None:
    good = json.dumps(dict(zip(("user_id", "item_id", "ts"), GOOD, strict=True)))
    with folder() as root:
        filled = [line for line in chosen if line.strip(BLANKS)]  # blank lines are no records
        everything = [*[good] * (len(chosen) + 1), *filled]
        content = "\n".join(everything) + "\n"
        (root / "rows.jsonl").write_bytes(content.encode())
        snapshot = ingest(str(root / "rows.jsonl"), root=root, privacy=KEEP, clock=lambda: NOW_S)
        counts = snapshot.manifest.counts
        assert counts.rows_in == len(everything) == counts.kept + counts.quarantined
        put_aside = number_of_put_aside(snapshot.path)
        assert len(put_aside) == len({*put_aside}) == counts.quarantined
        assert {*put_aside} <= {*range(len(chosen) + 2, len(everything) + 1)}


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1)), st.data())
def test_ids_survive_the_way_there_and_back(known: set[str], data: st.DataObject) -> None:
    ids = IdMap(sorted(known))
    chosen = data.draw(st.lists(st.sampled_from(sorted(known)))) if known else []
    assert ids.decode(ids.encode(chosen)) == chosen
    everything = np.arange(len(ids), dtype=np.int32)
    assert ids.encode(ids.decode(everything)).tolist() == everything.tolist()


# Whether a character without a meaning yet (Cn) is printable depends on the year of the library.
letters = st.characters(codec="utf-8", exclude_characters='\0\r\n"', exclude_categories=["Cn"])


@given(st.lists(st.text(letters, min_size=1)))
@settings(max_examples=30, deadline=None)
def test_an_id_that_is_kept_is_one_that_events_may_have(users: list[str]) -> None:
    with folder() as root:
        body = "".join(f'"{user}",i,1500000000\n' for user in ["user", *users])
        (root / "rows.csv").write_text("user_id,item_id,ts\n" + body, encoding="utf-8", newline="")
        snapshot = ingest(str(root / "rows.csv"), root=root, privacy=KEEP, clock=lambda: NOW_S)
        for user in read_ids(snapshot.path).users.ids:
            check_id("user_id", user)


@given(pairs, st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_a_core_is_the_largest_in_which_all_have_k(chosen: list[tuple[str, str]], k: int) -> None:
    core = list(chosen)
    while True:  # the definition, slowly
        n_user, n_item = Counter(u for u, _ in core), Counter(i for _, i in core)
        smaller = [(u, i) for u, i in core if n_user[u] >= k and n_item[i] >= k]
        if len(smaller) == len(core):
            break
        core = smaller
    with engine_with(chosen) as compute:
        k_core(compute, "core", "arrived", k)
        assert Counter(compute.rows("SELECT user_id, item_id FROM core")) == Counter(core)


@given(pairs, st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_a_sample_has_whole_users(chosen: list[tuple[str, str]], n_users: int) -> None:
    with engine_with(chosen) as compute:
        sample_users(compute, "sampled", "arrived", n_users)
        left = compute.rows("SELECT user_id, item_id FROM sampled")
    users = {user for user, _ in left}
    assert len(users) == min(n_users, len({user for user, _ in chosen}))
    assert Counter(left) == Counter(pair for pair in chosen if pair[0] in users)


@given(st.sampled_from([1, 1_000, 1_000_000]), st.integers(631_152_000, 1_780_000_000))
@settings(max_examples=15, deadline=None)
def test_a_time_is_the_same_in_every_unit(per_second: int, ts_s: int) -> None:
    with folder() as root:
        (root / "t.csv").write_text(f"user_id,item_id,ts\nu,i,{ts_s * per_second}\n")
        snapshot = ingest(str(root / "t.csv"), root=root, privacy=KEEP, clock=lambda: NOW_S)
        assert snapshot.manifest.time_span.first_us == ts_s * 1_000_000


@given(st.text("ABCDEFSW /&-().:,0123456789", max_size=40))
def test_names_never_shout(raw: str) -> None:
    name = readable_name(raw)
    assert name == name.strip()
    assert not any(len(word) > 3 and word.isalpha() and word.isupper() for word in name.split())
    assert readable_size(raw) == readable_size(raw).strip()


@given(st.permutations(["user_id", "item_id", "ts", "quantity", "price", "note", "asin"]))
def test_the_order_of_the_columns_does_not_matter(columns: list[str]) -> None:
    roles = interaction_roles(columns, {}, where="f")
    assert roles == interaction_roles(sorted(columns), {}, where="f")
    assert {*roles.columns} <= {*GUESSES}
