from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.snapshot import Snapshot, load_dataset, read_catalogue, read_ids
from endcap.ingest.work import Thinning
from endcap.schema.errors import DataError, SettingsError

Ingest = Callable[..., Snapshot]
HEADER = "user_id,item_id,ts"


def lines(*pairs: str) -> list[str]:
    return [HEADER, *(f"{pair[0]},{pair[1]},{1_500_000_000 + n}" for n, pair in enumerate(pairs))]


def test_a_core_is_peeled_until_nothing_changes(ingest_file: Ingest) -> None:
    # c has one row; without it z has one; without that b has one; and so on: a chain.
    snapshot = ingest_file(
        "c.csv", lines("ax", "ay", "by", "bz", "cz", "dx", "dw", "ex", "ew"), k_core=2
    )
    ids = read_ids(snapshot.path)
    assert ids.users.ids == ("d", "e")
    assert ids.items.ids == ("x", "w")
    counts = snapshot.manifest.counts
    assert (counts.rows_in, counts.kept, counts.removed_by_k_core) == (9, 4, 5)
    assert snapshot.manifest.config.k_core == 2


def test_repeats_count_towards_the_core(ingest_file: Ingest) -> None:
    assert ingest_file("c.csv", lines("ax", "ax"), k_core=2).manifest.counts.kept == 2


def test_an_empty_core_is_an_error(ingest_file: Ingest) -> None:
    with pytest.raises(DataError, match="5-core"):
        ingest_file("c.csv", lines("ax", "by"), k_core=5)


def test_a_sample_is_the_same_whatever_the_order_of_the_rows(ingest_file: Ingest) -> None:
    pairs = [f"{user}{item}" for user in "abcdefghij" for item in "xyz"]
    first = ingest_file("a.csv", lines(*pairs), sample_users=4)
    second = ingest_file("b.csv", lines(*reversed(pairs)), sample_users=4)
    users = read_ids(first.path).users.ids
    assert len(users) == 4
    assert users != ("a", "b", "c", "d")
    assert {*read_ids(second.path).users.ids} == {*users}
    counts = first.manifest.counts
    assert (counts.kept, counts.removed_by_sample) == (12, 18)
    assert first.manifest.config.sample_users == 4


def test_a_larger_sample_holds_the_smaller_one(ingest_file: Ingest) -> None:
    pairs = [f"{user}x" for user in "abcdefghij"]
    few = ingest_file("a.csv", lines(*pairs), sample_users=3)
    many = ingest_file("a.csv", lines(*pairs), sample_users=6)
    assert {*read_ids(few.path).users.ids} < {*read_ids(many.path).users.ids}
    everyone = ingest_file("a.csv", lines(*pairs), sample_users=99)
    assert everyone.manifest.counts.users == 10


def test_thinning_leaves_no_item_that_nobody_touched(ingest_file: Ingest, tmp_path: Path) -> None:
    items = tmp_path / "items.csv"
    items.write_text("item_id,name\nx,X\ny,Y\nz,Z\n")
    whole = ingest_file("a.csv", lines("ax", "ay", "bx"), items=items)
    assert len(read_catalogue(whole.path)) == 3
    thin = ingest_file("a.csv", lines("ax", "ay", "bx"), items=items, sample_users=1)
    data = load_dataset(thin.path)
    assert data.n_items == len({*data.interactions.item_idx.tolist()})


@pytest.mark.parametrize("options", [{"k_core": -1}, {"sample_users": 0}, {"min_per_user": -1}])
def test_senseless_numbers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Thinning(**options)


def test_minimum_counts_are_counted_once(ingest_file: Ingest) -> None:
    # y has two rows; when those of b are gone, it has one, and stays.
    snapshot = ingest_file("c.csv", lines("ax", "ay", "by", "cx"), min_per_user=2, min_per_item=2)
    assert read_ids(snapshot.path).users.ids == ("a",)
    counts = snapshot.manifest.counts
    assert (counts.kept, counts.removed_by_minimum, counts.removed_by_k_core) == (2, 2, 0)
