"""Every real data set at hand, read with nothing said about it; the table in the docs is made here.

`WRITE_DOCS=1 pytest -m slow tests/ingest/test_data_sets.py` writes it anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from endcap.ingest.manifest import Manifest
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import ingest

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "data-sets.md"
BEGIN, END = "<!-- begin: what became of every row -->", "<!-- end -->"
NOW_S = 1_790_000_000.0


@dataclass(frozen=True)
class DataSet:
    """A set with the counts that its PROVENANCE.md states."""

    title: str
    source: str
    n_rows: int
    n_users: int | None
    n_items: int | None


SETS = (
    DataSet("Amazon Fashion 2018, raw reviews", "amazon_fashion_5core_2018_raw", 3_176, 406, 31),
    DataSet(
        "Amazon Electronics 2014, head of the ratings",
        "amazon_electronics_ratings_head_2014", 50_009, 46_562, 3_446,
    ),
    DataSet(
        "Amazon Electronics 2014, dense core", "amazon_electronics_dense_2014",
        204_934, 9_699, 7_679,
    ),
    DataSet("Amazon Beauty 2014, 5-core", "amazon_beauty_5core_2014", 198_502, 22_363, 12_101),
    DataSet(
        "Amazon Scientific 2018, with texts", "amazon_scientific_5core_2018_text",
        58_492, 8_317, 4_344,
    ),
    DataSet(
        "Amazon Grocery 2014, with also-bought", "amazon_grocery_5core_2014_rechorus",
        121_892, 14_681, 8_687,
    ),
    DataSet("Bundles, electronic", "amazon_bundles_bundlerec/electronic", 6_165, 888, 3_499),
    DataSet("Bundles, clothing", "amazon_bundles_bundlerec/clothing", 6_326, 965, 4_487),
    DataSet("Bundles, food", "amazon_bundles_bundlerec/food", 6_395, 879, 3_767),
    DataSet("YooChoose, 100 k clicks", "yoochoose_100k_clicks_timed", 83_846, 21_210, 2_933),
    DataSet("RetailRocket sessions", "retailrocket_sessions_cotrec", 710_586, 130_903, 36_968),
    DataSet("Online Retail II", "online_retail_ii", 1_034_613, None, None),
    DataSet("Complete Journey", "complete-journey", 1_469_307, None, None),
)  # fmt: skip


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    beside = Path(__file__).parents[3] / "shared" / "data"
    shared = Path(os.environ.get("ENDCAP_TEST_DATA", beside))
    if not shared.is_dir():
        pytest.skip(f"no shared data at {shared}; set ENDCAP_TEST_DATA")
    root = tmp_path_factory.mktemp("sets")
    found = {}
    for known in SETS:
        path = shared / known.source
        source = str(path) if path.exists() else known.source
        snapshot = ingest(
            source,
            root=root / known.source.replace("/", "-"),
            privacy=PrivacyConfig(user_id="keep"),
            clock=lambda: NOW_S,
        )
        found[known.title] = snapshot.manifest
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_set_is_read_with_nothing_said(manifests: dict[str, Manifest]) -> None:
    for known in SETS:
        counts = manifests[known.title].counts
        assert counts.rows_in == known.n_rows, known.title
        if known.n_users is not None:
            assert counts.users == known.n_users, known.title
            assert counts.items_with_interactions == known.n_items, known.title
    retail = manifests["Online Retail II"]
    assert retail.counts.quarantined_by_reason["user_id is missing"] == 233_660
    # Returns are no purchases: nothing that is kept has a quantity of none or less.
    assert retail.counts.quarantined_by_reason["a return or a correction"] > 10_000
    assert retail.counts.quarantined_by_reason["a cancellation"] > 10_000
    fashion = manifests["Amazon Fashion 2018, raw reviews"].counts
    assert fashion.quarantined_by_reason == {"repeats an earlier row": fashion.quarantined}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_table_in_the_docs_is_what_was_read(manifests: dict[str, Manifest]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    wanted = f"{before}{BEGIN}\n{table(manifests)}\n{END}{after}"
    if os.environ.get("WRITE_DOCS") == "1":
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted, "run with WRITE_DOCS=1"


def table(manifests: dict[str, Manifest]) -> str:
    lines = [
        "| data set | rows in | kept | put aside, by reason | users | items | kinds of time | "
        "flagged |",
        "|---|---:|---:|---|---:|---:|---|---|",
    ]
    for title, manifest in manifests.items():
        counts = manifest.counts
        aside = [f"{n:,} {reason}" for reason, n in counts.quarantined_by_reason.items()]
        flagged = [f"{n:,} {flag}" for flag, n in sorted(counts.flagged.items())]
        times = ", ".join(dict.fromkeys(reading.ts_unit for reading in manifest.config.readings))
        cells = [
            title,
            f"{counts.rows_in:,}",
            f"{counts.kept:,}",
            "; ".join(aside) or "none",
            f"{counts.users:,}",
            f"{counts.items_with_interactions:,} of {counts.items:,}",
            times,
            "; ".join(flagged).replace("_", " ") or "none",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
