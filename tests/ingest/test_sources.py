from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from endcap.ingest import sources
from endcap.ingest.snapshot import Snapshot, ingest
from endcap.ingest.sources import NAMED_SETS, SOURCE_NAMES, Published, find_source
from endcap.schema.errors import DataError, SettingsError

REVIEWS = [
    {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1400000000, "vote": "3"},
    {"reviewerID": "A1", "asin": "B2", "overall": 2.0, "unixReviewTime": 1400086400},
    {"reviewerID": "A2", "asin": "B1", "overall": 4.0, "unixReviewTime": 1400086400},
    {"reviewerID": "A2", "asin": "B1", "overall": 4.0, "unixReviewTime": 1400086400},
]


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A download folder in which the first named set lies already."""
    name = "amazon-electronics-2014"
    file = tmp_path / "downloads" / name / NAMED_SETS[name].urls[0].rpartition("/")[2]
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, REVIEWS)).encode()))
    return tmp_path / "downloads"


def test_a_named_set_is_read_as_ratings_and_compared_with_its_publication(
    fetched: Path, tmp_path: Path
) -> None:
    snapshot = ingest("amazon-electronics-2014", root=tmp_path / "s", downloads=fetched)
    manifest = snapshot.manifest
    assert manifest.source == "amazon-electronics-2014"
    assert manifest.config.kind == "rating"
    assert (manifest.counts.rows_in, manifest.counts.kept) == (4, 3)
    assert manifest.warnings == [
        "4 rows, but 1,689,188 are published",
        "2 users, but 192,403 are published",
        "2 items, but 63,001 are published",
    ]


def test_the_published_size_is_no_warning(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = NAMED_SETS["amazon-electronics-2014"]
    same = sources.NamedSet(entry.name, entry.title, entry.urls, Published(4, 2, 2), entry.mapping)
    monkeypatch.setitem(NAMED_SETS, entry.name, same)
    for options in ({}, {"k_core": 1}, {"sample_users": 1}):
        snapshot = ingest(entry.name, root=tmp_path / "s", downloads=fetched, **options)
        assert snapshot.manifest.warnings == []


def test_published_sizes_are_those_of_the_papers() -> None:
    assert NAMED_SETS["amazon-electronics-2014"].published == Published(1_689_188, 192_403, 63_001)
    assert NAMED_SETS["amazon-electronics-2018"].published == Published(6_738_382, 728_678, 159_748)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a file nor a data set") as caught:
        find_source("complete-jorney", downloads=tmp_path)
    assert caught.value.mend == f"Known names: {', '.join(SOURCE_NAMES)}"


def test_roles_are_checked_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'usr' is not a role"):
        find_source("amazon-electronics-2018", downloads=tmp_path, mapping={"usr": "x"})


def test_a_catalogue_that_would_not_be_read_is_refused(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.csv"
    with pytest.raises(SettingsError, match="has a catalogue of its own"):
        find_source("complete-journey", downloads=tmp_path, items_file=catalogue)
    with pytest.raises(SettingsError, match=r"item\.name would be read from a catalogue"):
        find_source("clicks.csv", downloads=tmp_path, mapping={"item.name": "title"})


def test_a_fetched_file_may_lie_anywhere(
    fetched: Path, ingest_file: Callable[..., Snapshot]
) -> None:
    content = next(fetched.rglob("*.gz")).read_bytes()
    snapshot = ingest_file("mine.json", gzip.decompress(content))
    assert snapshot.manifest.counts.kept == 3
