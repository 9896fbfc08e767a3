import json
from collections.abc import Callable
from pathlib import Path

from endcap.ingest.item_texts import item_text, read_item_texts
from endcap.ingest.snapshot import Snapshot


def test_what_says_most_comes_first_and_what_is_missing_leaves_no_trace():
    text = item_text(title="Hex bolt. ", brand=None, category="Bolts", description="Of  steel.\n")
    assert text == "Hex bolt. Bolts. Of steel."
    assert item_text(title=None) == item_text(title=" . ") == ""


def test_texts_of_a_snapshot_tell_listed_prices_alone(
    ingest_file: Callable[..., Snapshot], tmp_path: Path
):
    lines = [
        {"item_id": "a", "name": "Knife", "brand": "Keen", "price": 12.5, "description": "sharp"},
        {"item_id": "b", "name": "Spoon", "category": "Cutlery", "department": "Cutlery"},
    ]
    items = tmp_path / "items.jsonl"
    items.write_text("\n".join(json.dumps(line) for line in lines))
    sales = ["user_id,item_id,ts,quantity,price", "u,a,1500000000,1,9", "u,b,1500000001,1,3"]
    snapshot = ingest_file("s.csv", [*sales, "u,x,1500000002,1,3"], items=items)
    assert read_item_texts(snapshot.path) == ["Knife. Keen. 12.5. sharp.", "Spoon. Cutlery.", ""]
