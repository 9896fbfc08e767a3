from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.quarantine import (
    QuarantinedRow,
    Selection,
    export_quarantine,
    read_quarantine,
    summarise_quarantine,
)
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot
from endcap.schema.errors import DataError, SettingsError
from written_snapshot import START_US, Rows, Written, write_snapshot

Ingest = Callable[..., Snapshot]
KEEP = PrivacyConfig(user_id="keep")
NOW_S = 1_780_000_000.0
GOOD = ("u", "i", 1, 1.0, None, START_US)


def aside(source: str, place: int, reasons: str, raw: str | None = "{}") -> tuple:
    return (source, place, reasons.split("; "), raw)


@pytest.fixture
def shop(tmp_path: Path) -> Written:
    rows = [
        aside("b.csv", 9, "ts is in the future", '{"user":"x","at":"2099"}'),
        aside("a.csv", 4, "user_id is missing; ts is not a time", '{"user":"","at":"soon"}'),
        aside("a.csv", 2, "ts is not a time", '{"user":"z",\n "at":"é"}'),
        aside("a.csv", 7, "a quote is not closed", 'x,"y'),
        aside("a.csv", 8, "kind is unknown", None),
        aside("a.csv", 11, "kind is unknown", '["no", "object"]'),
    ]
    items = [aside("items.csv", 1, "item_id is missing", '{"name":"tea"}')]
    return write_snapshot(tmp_path, Rows([GOOD], quarantine=rows, quarantine_items=items))


def test_rows_come_by_file_and_number(shop: Written) -> None:
    rows = read_quarantine(shop.path)
    assert [(row.source, row.row_number) for row in rows] == [
        ("a.csv", 2), ("a.csv", 4), ("a.csv", 7), ("a.csv", 8), ("a.csv", 11), ("b.csv", 9),
    ]  # fmt: skip
    assert rows[1] == QuarantinedRow(
        "a.csv", 4, ("user_id is missing", "ts is not a time"), '{"user":"","at":"soon"}'
    )
    assert rows[3].raw is None


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"limit": 2}, [2, 4]),
        ({"limit": 0}, []),
        ({"reason": "ts is not a time"}, [2, 4]),
        ({"reason": "TS IS"}, [2, 4, 9]),
        ({"reason": "_s is"}, []),
        ({"source": "b.csv"}, [9]),
        ({"source": "b.csv", "reason": "kind"}, []),
        ({"reason": "it's"}, []),
        ({"catalogue": True}, [1]),
    ],
)
def test_rows_are_chosen_by_reason_file_and_number(
    shop: Written, options: dict, places: list[int]
) -> None:
    assert [row.row_number for row in read_quarantine(shop.path, **options)] == places


def test_reasons_are_counted_with_their_first_rows(shop: Written) -> None:
    found = summarise_quarantine(shop.path, Selection())
    assert [(one.reason, one.n_rows, one.n_sources) for one in found] == [
        ("kind is unknown", 2, 1), ("ts is not a time", 2, 1), ("a quote is not closed", 1, 1),
        ("ts is in the future", 1, 1), ("user_id is missing", 1, 1),
    ]  # fmt: skip
    assert found[1].examples == (
        ("a.csv", 2, '{"user":"z",\n "at":"é"}'), ("a.csv", 4, '{"user":"","at":"soon"}'),
    )  # fmt: skip
    assert found[0].examples[0] == ("a.csv", 8, None)


def test_examples_are_few_and_short(tmp_path: Path) -> None:
    rows = [aside("a.csv", place, "kind is unknown", "x" * 1000) for place in range(9, 0, -1)]
    written = write_snapshot(tmp_path, Rows([GOOD], quarantine=rows))
    examples = summarise_quarantine(written.path, Selection())[0].examples
    assert [(place, len(raw or "")) for _, place, raw in examples] == [(1, 400), (2, 400), (3, 400)]


def test_what_is_asked_for_and_not_there_is_said(shop: Written, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"source 'c\.csv'.*There are: a\.csv; b\.csv"):
        summarise_quarantine(shop.path, Selection(source="c.csv"))
    with pytest.raises(SettingsError, match=r"reason 'moon'.*There are: a quote is not closed; "):
        summarise_quarantine(shop.path, Selection(reason="moon"))
    assert summarise_quarantine(shop.path, Selection(source="b.csv", reason="kind")) == []
    with pytest.raises(DataError, match="no snapshot"):
        read_quarantine(tmp_path / "nowhere")


def test_a_snapshot_without_a_quarantine_has_none(tmp_path: Path) -> None:
    written = write_snapshot(tmp_path, Rows([GOOD]))
    assert read_quarantine(written.path) == []
    assert summarise_quarantine(written.path, Selection(reason="any")) == []
    exported = export_quarantine(written.path, tmp_path / "out.jsonl", Selection(catalogue=True))
    assert (exported.n_rows, exported.file.read_text()) == (0, "")


def test_records_are_exported_as_they_were_read_and_nothing_else(
    shop: Written, tmp_path: Path
) -> None:
    file = tmp_path / "repair.jsonl"
    exported = export_quarantine(shop.path, file, Selection())
    assert file.read_text(encoding="utf-8").splitlines() == [
        '{"user":"z",  "at":"é"}',
        '{"user":"","at":"soon"}',
        '{"_raw": "x,\\"y"}',
        '{"_raw": "[\\"no\\", \\"object\\"]"}',
        '{"user":"x","at":"2099"}',
    ]
    assert (exported.n_rows, exported.n_pseudonyms) == (5, 0)
    assert (exported.n_unparsed, exported.unparsed) == (2, (("a.csv", 7), ("a.csv", 11)))
    assert (exported.n_absent, exported.absent) == (1, (("a.csv", 8),))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_export_overwrites_no_repairs(shop: Written, tmp_path: Path) -> None:
    file = tmp_path / "repair.jsonl"
    file.write_text("mended")
    with pytest.raises(SettingsError, match="may hold repairs"):
        export_quarantine(shop.path, file, Selection())
    assert file.read_text() == "mended"
    with pytest.raises(DataError, match="no such folder"):
        export_quarantine(shop.path, tmp_path / "gone" / "repair.jsonl", Selection())


def test_a_failed_export_leaves_nothing(shop: Written, tmp_path: Path) -> None:
    (shop.path / "quarantine" / "000000.parquet").write_bytes(b"broken")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(Exception, match=r"parquet|Parquet|magic"):
        export_quarantine(shop.path, folder / "repair.jsonl", Selection())
    assert list(folder.iterdir()) == []


def test_pseudonyms_in_records_are_counted(tmp_path: Path) -> None:
    from endcap.schema.pseudonym import pseudonym

    raw = json.dumps({"user": pseudonym(b"k" * 32, "anna"), "at": "soon"})
    written = write_snapshot(
        tmp_path, Rows([GOOD], quarantine=[aside("a.csv", 1, "ts is not a time", raw)])
    )
    assert export_quarantine(written.path, tmp_path / "x.jsonl", Selection()).n_pseudonyms == 1


# Through the real ingest.

LOG = [
    "visitor,sku,at,rating",
    "u1,a,1500000000,3",
    "u2,b,1500000001,9e999",
    ",b,1500000002,4",
    "u3,,soon,5",
    "u4,d,1500000004,",
    'u5,"é ""q""",9999999999,1',
]
MAPPING = {"user_id": "visitor", "item_id": "sku", "ts": "at"}


def reasons(rows: list[QuarantinedRow]) -> Counter[tuple[str, ...]]:
    return Counter(row.reasons for row in rows)


def again(folder: Path, file: Path) -> Snapshot:
    """Ingest a file on top of the latest snapshot."""
    return ingest(
        str(file),
        root=folder / "snapshots",
        given=Given(mapping=MAPPING, since="last"),
        privacy=KEEP,
        clock=lambda: NOW_S,
    )


def test_repaired_rows_come_in_and_the_others_stay_out(ingest_file: Ingest, tmp_path: Path) -> None:
    first = ingest_file("log.csv", LOG, mapping=MAPPING)
    file = tmp_path / "repair.jsonl"
    exported = export_quarantine(first.path, file, Selection())
    assert exported.n_rows == first.manifest.counts.quarantined == 5
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert list(records[0]) == ["visitor", "sku", "at", "rating"]
    mended = [record | {"rating": "2"} for record in records if record["at"] == "1500000001"]
    file.write_text("\n".join(json.dumps(record) for record in mended) + "\n")
    second = again(tmp_path, file)
    assert second.manifest.counts.kept == first.manifest.counts.kept + 1
    assert second.manifest.counts.quarantined == first.manifest.counts.quarantined


# No digits: the middle of the times of a file says what unit they have, and the export is another
# file. What is repeated is a repeat of what the first file kept or put aside.
CELL = st.one_of(
    st.sampled_from(["", "u1", "a", "1500000000", "soon", "5", "-1", "nan", "NULL", "é"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Nd"]), max_size=8),
)


@settings(max_examples=8, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL, CELL), min_size=1, max_size=8))
def test_what_is_not_mended_is_put_aside_again_for_the_same_reasons(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("repair")
    log = folder / "log.csv"
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    log.write_text("\n".join([LOG[0], LOG[1], *quoted]) + "\n", encoding="utf-8")
    first = ingest(
        str(log),
        root=folder / "snapshots",
        given=Given(mapping=MAPPING),
        privacy=KEEP,
        clock=lambda: NOW_S,
    )
    before = read_quarantine(first.path)
    file = folder / "repair.jsonl"
    if export_quarantine(first.path, file, Selection()).n_rows == 0:
        return
    after = read_quarantine(again(folder, file).path, source=file.name)
    assert reasons(after) == reasons(before)
