from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from endcap.ingest import named_sets
from endcap.ingest.named_sets import NAMED_SETS, fetch
from endcap.ingest.recipe import Published
from endcap.ingest.sources import find_sources
from endcap.schema.errors import DataError, DownloadError

REVIEW = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1400000000}
META = b"{'asin': 'B1', 'title': \"Girl's hat\", 'categories': [['Clothing', 'Hats']]}\n"


def lay(downloads: Path, name: str, content: bytes, *, metadata: bool = False) -> Path:
    """Put a file where the download of a set would, return it."""
    entry = NAMED_SETS[name]
    file = (entry.metadata if metadata else entry.files)[0]
    path = downloads / name / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_published_sizes_are_those_of_the_papers() -> None:
    sizes = {name: entry.published for name, entry in NAMED_SETS.items()}
    assert sizes["amazon-electronics-2014"] == Published(1_689_188, 192_403, 63_001)
    assert sizes["amazon-electronics-2018"] == Published(6_738_382, 728_678, 159_748)
    assert sizes["amazon-beauty-2014"] == Published(198_502, 22_363, 12_101)
    assert sizes["movielens-1m"] == Published(1_000_209, 6_040, 3_706)


def test_the_table_is_well_formed() -> None:
    for name, entry in NAMED_SETS.items():
        assert entry.name == name
        assert entry.title
        assert entry.licence
        assert entry.page.startswith("https://")
        assert bool(entry.files) != bool(entry.by_hand)
        for file in (*entry.files, *entry.metadata):
            assert all(url.startswith("https://") for url in file.urls)
            assert len({url.rpartition("/")[2] for url in file.urls}) == 1
            assert file.sha256 is None or len(file.sha256) == 64
            assert file.md5 is None or len(file.md5) == 32


def test_reviews_are_read_without_their_metadata_unless_asked(tmp_path: Path) -> None:
    line = json.dumps(REVIEW).encode() + b"\n"
    reviews = lay(tmp_path, "amazon-electronics-2014", gzip.compress(line))
    meta = lay(tmp_path, "amazon-electronics-2014", gzip.compress(META), metadata=True)
    (recipe,) = find_sources(["amazon-electronics-2014"], downloads=tmp_path)
    assert (recipe.name, recipe.interactions) == ("amazon-electronics-2014", reviews)
    assert (recipe.items, recipe.published) == (None, Published(1_689_188, 192_403, 63_001))
    assert recipe.notes[0].startswith("Amazon reviews of electronics to July 2014")
    assert recipe.notes[1].startswith("Terms: ")
    assert recipe.mapping["kind"] == "rating"
    (recipe,) = find_sources(["amazon-electronics-2014+meta"], downloads=tmp_path)
    assert (recipe.items, recipe.items_reading.converter) == (meta, "amazon_meta")
    with pytest.raises(DataError, match="neither a file nor a data set"):
        find_sources(["movielens-1m+meta"], downloads=tmp_path)


def test_a_set_in_a_zip_file_is_unpacked_beside_it(tmp_path: Path) -> None:
    path = lay(tmp_path, "movielens-100k", b"")
    flags = "|".join("0" * 19)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-100k/u.data", "196\t242\t3\t881250949\n")
        archive.writestr("ml-100k/u.item", f"242|Kolya (1996)|24-Jan-1997||http://x|{flags}\n")
        archive.writestr("ml-100k/u.user", "196|49|M|writer|55105\n")
        archive.writestr("ml-100k/u1.base", "196\t242\t3\t881250949\n")
        archive.writestr("ml-100k/u.genre", "unknown|0\n")
    (recipe,) = find_sources(["movielens-100k"], downloads=tmp_path)
    assert recipe.interactions == path.with_suffix("") / "ml-100k" / "u.data"
    assert recipe.items is not None
    assert recipe.users is not None
    assert recipe.published == Published(100_000, 943, 1_682)
    assert recipe.users_mapping == {
        "user_id": "#1", "gender": "#3", "age": "#2", "occupation": "#4", "zip_code": "#5"
    }  # fmt: skip


def test_what_needs_an_account_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be fetched without an account") as caught:
        find_sources(["retailrocket"], downloads=tmp_path)
    assert "kaggle.com" in caught.value.where
    assert f"into the folder {tmp_path / 'retailrocket'} and try again" in caught.value.mend
    folder = tmp_path / "retailrocket"
    folder.mkdir()
    (folder / "events.csv").write_text(
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
    )
    (recipe,) = find_sources(["retailrocket"], downloads=tmp_path)
    assert recipe.name == "retailrocket"
    assert recipe.published is not None


def test_terms_and_size_are_printed_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, object]] = []

    def download(urls: tuple[str, ...], folder: Path, **known: object) -> Path:
        asked.append({"url": urls[0], **known})
        assert "terms:" in capsys.readouterr().err  # said before
        return folder / urls[0].rpartition("/")[2]

    monkeypatch.setattr(named_sets, "download", download)
    entry = NAMED_SETS["movielens-100k"]
    fetch(entry, tmp_path)
    assert [(one["n_bytes"], one["sha256"]) for one in asked] == [
        (4_924_029, entry.files[0].sha256)
    ]
    asked.clear()
    fetch(NAMED_SETS["amazon-beauty-2014"], tmp_path, with_metadata=True)
    assert [str(one["url"]).rpartition("/")[2] for one in asked] == [
        "reviews_Beauty_5.json.gz", "meta_Beauty.json.gz"
    ]  # fmt: skip


def test_what_lies_there_is_not_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(tmp_path, "movielens-1m", b"x")
    assert fetch(NAMED_SETS["movielens-1m"], tmp_path) == [path]
    assert capsys.readouterr().err == ""
