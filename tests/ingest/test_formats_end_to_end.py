"""Odd formats all the way into a snapshot, with nothing said about them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot, load_dataset, read_catalogue, read_ids

NOW_S = 1_780_000_000.0
KEEP = PrivacyConfig(user_id="keep")


def take(*sources: Path | str, root: Path, **given: Any) -> Snapshot:
    names = [str(source) for source in sources]
    return ingest(names, root=root / "s", given=Given(**given), privacy=KEEP, clock=lambda: NOW_S)


def events_of(snapshot: Snapshot) -> list[tuple[str, str, int, float, int]]:
    """Return user, item, kind, value and seconds of each interaction, in the order of time."""
    found, ids = load_dataset(snapshot.path).interactions, read_ids(snapshot.path)
    return [
        (ids.users.ids[user], ids.items.ids[item], kind, value, ts // 1_000_000)
        for user, item, kind, value, ts in zip(
            found.user_idx.tolist(),
            found.item_idx.tolist(),
            found.kind.tolist(),
            found.value.tolist(),
            found.ts.tolist(),
            strict=True,
        )
    ]


def test_movielens_1m_in_its_zip_file(tmp_path: Path) -> None:
    path = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "ml-1m/ratings.dat", "1::10::5::978300760\n1::20::3::978302109\n2::10::4::978302110\n"
        )
        movies = '10::Café "x" (1995)::Comedy|Drama\n20::B (1996)::Drama\n'
        archive.writestr("ml-1m/movies.dat", movies.encode("latin-1"))
    snapshot = take(path, root=tmp_path)
    assert events_of(snapshot) == [
        ("1", "10", 4, 5.0, 978300760),
        ("1", "20", 4, 3.0, 978302109),
        ("2", "10", 4, 4.0, 978302110),
    ]
    names = [(item["name"], item["category"]) for item in read_catalogue(snapshot.path)]
    assert names == [('Café "x" (1995)', "Comedy"), ("B (1996)", "Drama")]


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        (
            "u.data.gz",
            ["196\t242\t3\t881250949", "186\t302\t4.5\t891717742"],
            [("196", "242", 4, 3.0, 881250949), ("186", "302", 4, 4.5, 891717742)],
        ),
        (
            "yoochoose-clicks.dat.zst",
            ["1,2014-04-07T10:51:09.277Z,214536502,0", "2,2014-04-07T13:56:37.614Z,214662742,S"],
            [("1", "214536502", 1, 1.0, 1396867869), ("2", "214662742", 1, 1.0, 1396878997)],
        ),
        (
            "yoochoose-buys.dat",
            ["420374,2014-04-06T18:44:58.314Z,214537888,0,0"],
            [("420374", "214537888", 3, 1.0, 1396809898)],
        ),
        (
            "Books.csv",
            ["0123456789,A2XYZ0Q1W2E3R4,5.0,1365811200"],
            [("A2XYZ0Q1W2E3R4", "0123456789", 4, 5.0, 1365811200)],
        ),
        (
            "events.csv",
            ["timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,addtocart,7,"],
            [("1", "7", 2, 1.0, 1433221332)],
        ),
        (
            "x.inter",
            ["user_id:token\titem_id:token\trating:float\ttimestamp:float", "u\ti\t3\t881250949.0"],
            [("u", "i", 4, 3.0, 881250949)],
        ),
        ("i.csv", ["user,item,pos", "u,a,0", "u,b,1"],
         [("u", "a", 1, 1.0, 946684800), ("u", "b", 1, 1.0, 946684801)]),
        ("loose.json.gz", ["{'reviewerID': 'A1', 'asin': \"it's\", 'overall': 2.0, "
                        "'unixReviewTime': 1400000000}"],
         [("A1", "it's", 4, 2.0, 1400000000)]),
    ],
)  # fmt: skip
def test_a_file_of_a_known_format(
    tmp_path: Path, name: str, lines: list[str], expected: list[object]
) -> None:
    text = ("\n".join(lines) + "\n").encode()
    pack = {".gz": gzip.compress, ".zst": zstd.compress}.get(Path(name).suffix, bytes)
    path = tmp_path / name
    path.write_bytes(pack(text))
    snapshot = take(path, root=tmp_path)
    assert events_of(snapshot) == expected
    assert snapshot.manifest.counts.quarantined == 0


def test_reviews_with_loose_metadata(tmp_path: Path) -> None:
    reviews = [
        {"reviewerID": "A1", "asin": asin, "overall": 5.0, "unixReviewTime": 1400000000}
        for asin in ("B1", "B2")
    ]
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "reviews_X_5.json.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, reviews)).encode()))
    meta = (
        "{'asin': 'B1', 'title': \"Girl's Hat\", 'price': 3.17, 'brand': 'Acme', "
        "'categories': [['Clothing', 'Hats']]}\nnonsense\n"
        "{'asin': 'B3', 'price': '$5.00 - $9.99', 'categories': [['Toys']]}\n"
    )
    (tmp_path / "data" / "meta_X.json.gz").write_bytes(gzip.compress(meta.encode()))
    snapshot = take(tmp_path / "data", root=tmp_path)
    shown = {item["item_id"]: item for item in read_catalogue(snapshot.path)}
    assert (shown["B1"]["name"], shown["B1"]["category"]) == ("Girl's Hat", "Hats")
    assert (shown["B3"]["price"], shown["B3"]["currency"]) == (5.0, "USD")
    assert shown["B2"]["name"] is None
    assert snapshot.manifest.counts.catalogue_quarantined == 1


def test_returns_and_fees_are_no_purchases(tmp_path: Path) -> None:
    path = tmp_path / "online_retail_II.csv"
    head = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
    path.write_text(
        f"{head}\n1,A1,GLASS,2,2009-12-01 07:45:00,6.95,13085,UK\n"
        "C2,A1,GLASS,-2,2009-12-01 07:46:00,6.95,13085,UK\n"
        "3,POST,POSTAGE,1,2009-12-01 07:46:00,18,13085,UK\n"
        "4,gift_0001_80,VOUCHER,1,2009-12-01 07:46:00,80,13085,UK\n"
        "5,A1,GLASS,1,2009-12-01 07:46:00,6.95,,UK\n"
    )
    snapshot = take(path, root=tmp_path)
    assert events_of(snapshot) == [("13085", "A1", 3, 2.0, 1259653500)]
    reasons = snapshot.manifest.counts.quarantined_by_reason
    assert reasons["a cancellation"] == 1
    assert reasons["a return or a correction"] == 1
    assert reasons["not goods: postage, fees, vouchers, corrections"] == 2
    (item,) = read_catalogue(snapshot.path)
    assert (item["name"], item["currency"]) == ("GLASS", "GBP")


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(b"user_id,item_id,ts\nu,a,1500000000\n")

    monkeypatch.setattr("sys.stdin", Piped())
    snapshot = take("-", root=tmp_path)
    assert events_of(snapshot) == [("u", "a", 1, 1.0, 1500000000)]


def test_files_of_different_formats_make_one_snapshot(tmp_path: Path) -> None:
    clicks = tmp_path / "yoochoose-clicks.dat"
    clicks.write_text("1,2014-04-07T10:51:09.277Z,214536502,0\n")
    buys = tmp_path / "yoochoose-buys.dat"
    buys.write_text("1,2014-04-07T10:52:09.277Z,214536502,100,1\n")
    snapshot = take(clicks, buys, root=tmp_path)
    assert [event[2] for event in events_of(snapshot)] == [1, 3]
