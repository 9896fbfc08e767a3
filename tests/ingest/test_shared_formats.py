"""Real data sets are recognised with nothing said, as whole folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from endcap.ingest.convert.tables import derive
from endcap.ingest.recipe import Recipe
from endcap.ingest.shapes import MADE_UP_TIMES, ORDER
from endcap.ingest.sources import find_sources

SETS = [
    # folder, file, format, ts_unit, catalogue
    ("amazon_fashion_5core_2018_raw", "reviews.parquet", "amazon-reviews", "seconds", None),
    ("amazon_electronics_ratings_head_2014", "ratings.parquet", "amazon-ratings", None, None),
    ("amazon_beauty_5core_2014", "interactions.parquet", "timed-sequences", None, "items.parquet"),
    ("amazon_scientific_5core_2018_text", "interactions.parquet", "sequences", ORDER,
     "items.parquet"),
    ("amazon_grocery_5core_2014_rechorus", "train.parquet", None, None, "item_meta.parquet"),
    ("amazon_electronics_dense_2014", "interactions.parquet", "sequences", ORDER, None),
    ("online_retail_ii", "online_retail_ii.parquet", "online-retail", None,
     "online_retail_ii.parquet"),
    ("yoochoose_100k_clicks_timed", "clicks.parquet", "session-rec", None, None),
    ("retailrocket_sessions_cotrec", "sessions.parquet", "sessions", ORDER, None),
    ("amazon_bundles_bundlerec/electronic", "user_item.parquet", "bundles", "seconds",
     "item_titles.parquet"),
    ("amazon_bundles_bundlerec/clothing", "user_item.parquet", "bundles", "seconds",
     "item_titles.parquet"),
    ("amazon_bundles_bundlerec/food", "user_item.parquet", "bundles", "seconds",
     "item_titles.parquet"),
]  # fmt: skip

ITEMS = {
    "amazon_beauty_5core_2014": 12_101,
    "amazon_scientific_5core_2018_text": 4_344,
    "amazon_bundles_bundlerec/electronic": 3_499,
    "amazon_bundles_bundlerec/clothing": 4_487,
    "amazon_bundles_bundlerec/food": 3_767,
}


def recipe_of(shared_data: Path, folder: str, downloads: Path) -> Recipe:
    if not (shared_data / folder).is_dir():
        pytest.skip(f"no {folder} in the shared data")
    (recipe,) = find_sources([str(shared_data / folder)], downloads=downloads)
    return recipe


@pytest.mark.parametrize(
    ("folder", "file", "name", "unit", "catalogue"), SETS, ids=[row[0] for row in SETS]
)
def test_a_folder_is_recognised(
    shared_data: Path,
    tmp_path: Path,
    folder: str,
    file: str,
    name: str | None,
    unit: str | None,
    catalogue: str | None,
) -> None:
    recipe = recipe_of(shared_data, folder, tmp_path)
    assert recipe.interactions.name == file
    assert (recipe.shape.name if recipe.shape else None) == name
    assert recipe.ts_unit == unit
    assert (recipe.items.name if recipe.items else None) == catalogue
    assert (MADE_UP_TIMES in recipe.warnings) is (unit == ORDER)


@pytest.mark.parametrize("folder", ITEMS)
def test_a_catalogue_has_a_row_an_item(shared_data: Path, tmp_path: Path, folder: str) -> None:
    recipe = recipe_of(shared_data, folder, tmp_path)
    made = derive(recipe.items_reading, tmp_path / "items.parquet", scratch=tmp_path)
    assert (made.n_rows, made.n_faulty) == (ITEMS[folder], 0)


def test_sessions_have_all_their_clicks(shared_data: Path, tmp_path: Path) -> None:
    recipe = recipe_of(shared_data, "retailrocket_sessions_cotrec", tmp_path)
    made = derive(recipe.reading, tmp_path / "clicks.parquet", scratch=tmp_path)
    assert made.n_rows == 685_984 + 24_602
