from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from endcap.ingest.clean import KIND_WORDS
from endcap.ingest.snapshot import Snapshot
from endcap.ingest.toml_mapping import GivenMapping
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError, SettingsError

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts"


def said(**sections: Any) -> GivenMapping:
    return GivenMapping.model_validate(sections)


def times(ingest_file: Ingest, rows_of: Rows, *texts: str, **interactions: str) -> list[str | None]:
    """Return the time of each row as it was understood, in UTC; None for a row that was refused."""
    lines = [HEADER, *(f"u,i{n},{text}" for n, text in enumerate(texts))]
    snapshot = ingest_file("t.csv", lines, mapping=said(interactions=interactions))
    items = {row["item_idx"]: row["item_id"] for row in rows_of(snapshot, "items")}
    found = {
        items[row["item_idx"]]: f"{datetime.fromtimestamp(row['ts'] / 1e6, tz=UTC):%F %T}"
        for row in rows_of(snapshot, "interactions")
    }
    return [found.get(f"i{n}") for n in range(len(texts))]


def test_summer_time_is_that_of_the_place(ingest_file: Ingest, rows_of: Rows) -> None:
    written = ["2021-01-15 12:00", "2021-07-15 12:00", "2021-03-28 00:59:59", "2021-03-28 02:00"]
    assert times(ingest_file, rows_of, *written, time_zone="Europe/London") == [
        "2021-01-15 12:00:00",
        "2021-07-15 11:00:00",
        "2021-03-28 00:59:59",
        "2021-03-28 01:00:00",  # the second after
    ]
    assert times(ingest_file, rows_of, "2021-04-04 03:00", time_zone="Australia/Lord_Howe") == [
        "2021-04-03 16:30:00"  # where the clock goes half an hour
    ]


def test_an_hour_that_is_not_and_an_hour_that_is_twice(ingest_file: Ingest, rows_of: Rows) -> None:
    """Neither is refused: the first counts on from before, the second is the later one."""
    twice = ["2021-10-31 00:30", "2021-10-31 01:30", "2021-10-31 02:30"]
    assert times(ingest_file, rows_of, "2021-03-28 01:30", *twice, time_zone="Europe/London") == [
        "2021-03-28 01:30:00",
        "2021-10-30 23:30:00",
        "2021-10-31 01:30:00",
        "2021-10-31 02:30:00",
    ]


def test_a_time_that_states_its_zone_needs_no_other(ingest_file: Ingest, rows_of: Rows) -> None:
    written = ["2021-07-01T02:00:00+0200", "2021-07-01 00:00:00Z", "2021-07-01 00:00 UTC"]
    numbers = ["1625097600", "2021-06-30T20:30:00-03:30"]
    found = times(ingest_file, rows_of, *written, *numbers, time_zone="Asia/Tokyo")
    assert found == ["2021-07-01 00:00:00"] * 5


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+02:00", "London"])
def test_an_unknown_zone_is_an_error(zone: str) -> None:
    from endcap.ingest.toml_mapping import mapping_of_pairs

    with pytest.raises(ValueError, match="no time zone like Europe/London"):
        said(interactions={"time_zone": zone})
    with pytest.raises(SettingsError, match="'time_zone' is not a role"):
        mapping_of_pairs({"time_zone": zone})


FEB_1, JAN_2, FEB_13 = "2020-02-01 00:00:00", "2020-01-02 00:00:00", "2020-02-13 00:00:00"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["01/02/2020", "13/02/2020"], [FEB_1, FEB_13]),
        (["01/02/2020", "02/13/2020"], [JAN_2, FEB_13]),
        (["1.2.2020", "13.2.2020"], [FEB_1, FEB_13]),
        (["1/2/2020 0:00", "13/02/2020 00:00:00"], [FEB_1, FEB_13]),
        (["13/13/2020", "02/13/2020", "01/02/2020"], [None, FEB_13, JAN_2]),  # one slip
        ([*["01/02/2020"] * 1200, "13/02/2020"], [*[FEB_1] * 1200, FEB_13]),  # late in the file
        (["1580515200", "13/02/2020"], [FEB_1, FEB_13]),
    ],
)
def test_days_after_the_twelfth_tell_the_order(
    ingest_file: Ingest, rows_of: Rows, written: list[str], expected: list[str | None]
) -> None:
    assert times(ingest_file, rows_of, *written) == expected


def test_an_order_that_cannot_be_told_is_warned_of_or_said(
    ingest_file: Ingest, rows_of: Rows
) -> None:
    lines = [HEADER, "u,a,01/02/2020"]
    (warning,) = ingest_file("t.csv", lines).manifest.warnings
    assert "days and months of its dates cannot be told apart" in warning
    assert 'date_order = "dmy"' in warning
    assert times(ingest_file, rows_of, "01/02/2020", date_order="mdy") == [JAN_2]
    assert times(ingest_file, rows_of, "01/02/2020", date_order="dmy") == [FEB_1]
    snapshot = ingest_file("t.csv", lines, mapping=said(interactions={"date_order": "dmy"}))
    assert snapshot.manifest.warnings == []
    with pytest.raises(ValueError, match="dmy"):
        said(interactions={"date_order": "ymd"})


def test_units_that_mix_are_refused_not_guessed(ingest_file: Ingest, rows_of: Rows) -> None:
    mixed = ["1580515200", "1580515200", "1580515200", "1580515200000", "1580515200000000"]
    assert times(ingest_file, rows_of, *mixed) == [*[FEB_1] * 3, None, None]
    assert times(ingest_file, rows_of, *mixed[1:], ts_unit="milliseconds")[2] == FEB_1
    with pytest.raises(DataError, match="none of 1 rows can be used: ts is in the future"):
        times(ingest_file, rows_of, "1580515200000", ts_unit="seconds")


def test_every_word_for_a_kind_is_known_in_any_letters(ingest_file: Ingest, rows_of: Rows) -> None:
    words = [(word, kind) for kind, known in KIND_WORDS.items() for word in known]
    assert {kind for _, kind in words} == set(Kind)
    spelt = [(form(word), kind) for word, kind in words for form in (str, str.upper)]
    spelt += [(f"  {word}\t", kind) for word, kind in words]
    lines = [f"u,i{n},{1_500_000_000 + n},{word},2" for n, (word, _) in enumerate(spelt)]
    snapshot = ingest_file("k.csv", [f"{HEADER},event,value", *lines])
    found = rows_of(snapshot, "interactions")
    assert [row["kind"] for row in found] == [KIND_CODES[kind] for _, kind in spelt]
    # Only a purchase has a quantity and a rating has stars.
    counted = {KIND_CODES[Kind.PURCHASE], KIND_CODES[Kind.RATING]}
    assert all(row["value"] == (2 if row["kind"] in counted else 1) for row in found)


def test_the_words_of_a_shop_go_before_the_common_ones(ingest_file: Ingest, rows_of: Rows) -> None:
    kinds = {"1": "view", "Gekauft": "purchase", "buy": "cart", "a;'b": "like"}
    words = ["1", "GEKAUFT", "buy", "a;'b", "view", "2", ""]
    lines = [f"u,i{n},{1_500_000_000 + n},{word}" for n, word in enumerate(words)]
    snapshot = ingest_file("k.csv", [f"{HEADER},event", *lines], mapping=said(kinds=kinds))
    codes = [KIND_CODES[Kind(kind)] for kind in ("view", "purchase", "cart", "like", "view")]
    assert [row["kind"] for row in rows_of(snapshot, "interactions")] == codes
    assert [row["reasons"] for row in rows_of(snapshot, "quarantine")] == [
        ["kind is unknown"],
        ["kind is missing"],
    ]


@pytest.mark.parametrize("kind", [Kind.VIEW, Kind.RATING, Kind.REMOVE])
def test_all_rows_may_be_of_one_kind(ingest_file: Ingest, rows_of: Rows, kind: Kind) -> None:
    snapshot = ingest_file(
        "k.csv", [f"{HEADER},stars", "u,a,1500000000,3"], mapping={"kind": kind.value}
    )
    (row,) = rows_of(snapshot, "interactions")
    assert row["kind"] == KIND_CODES[kind]
    assert snapshot.manifest.config.readings[0].mapping["kind"] == kind.value
