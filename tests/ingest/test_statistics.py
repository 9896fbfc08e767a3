from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.run import Given, ingest
from endcap.ingest.snapshot import Snapshot

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts,event,value,price"
LAST_S = 1_500_000_000
DAY_S = 86_400
ROWS = [
    ("u", "a", -8 * DAY_S, "view", "", ""),
    ("u", "a", -7 * DAY_S, "cart", "", ""),  # a week ago to the second: no longer recent
    ("u", "b", -7 * DAY_S + 1, "purchase", "3", "2.5"),
    ("v", "a", -2 * DAY_S, "rating", "4.1", ""),
    ("v", "b", -DAY_S, "rating", "1", ""),
    ("w", "a", -DAY_S, "rating", "5", ""),
    ("u", "a", 0, "rating", "0.5", ""),
    ("v", "c", 0, "like", "", ""),
    ("v", "c", 0, "impression", "", ""),
    ("v", "c", 0, "remove", "", ""),
    ("v", "c", 0, "dislike", "", ""),
    ("x", "", 0, "view", "", ""),  # refused, so it counts nowhere
]
LINES = [f"{u},{i},{LAST_S + s},{kind},{value},{price}" for u, i, s, kind, value, price in ROWS]


def us(second: int) -> int:
    return (LAST_S + second) * 1_000_000


def test_users_are_counted_by_hand(ingest_file: Ingest, rows_of: Rows) -> None:
    snapshot = ingest_file("log.csv", [HEADER, *LINES])
    names = {row["user_idx"]: row["user_id"] for row in rows_of(snapshot, "users")}
    found = {names[row.pop("user_idx")]: row for row in rows_of(snapshot, "user_stats")}
    columns = ("n_events", "n_purchases", "n_last_7d", "first_us", "last_us")
    assert {user: tuple(row[name] for name in columns) for user, row in found.items()} == {
        "u": (4, 1, 2, us(-8 * DAY_S), us(0)),
        "v": (6, 0, 6, us(-2 * DAY_S), us(0)),
        "w": (1, 0, 1, us(-DAY_S), us(-DAY_S)),
    }
    assert all(set(row) == set(columns) for row in found.values())


def test_items_are_counted_by_hand(ingest_file: Ingest, rows_of: Rows, tmp_path: Path) -> None:
    items = tmp_path / "shelf.csv"
    items.write_text("item_id,title\nnever,Never\nb,Bolt\n")
    snapshot = ingest_file("log.csv", [HEADER, *LINES], items=items)
    found = rows_of(snapshot, "popularity")
    assert [row["item_id"] for row in found] == ["never", "b", "a", "c"]  # the catalogue first
    by_id = {row["item_id"]: row for row in found}
    columns = ("count_ratings", "n_events", "n_views", "n_carts", "n_purchases")
    assert {item: tuple(row[name] for name in columns) for item, row in by_id.items()} == {
        "never": (0, 0, 0, 0, 0),
        "b": (1, 2, 0, 0, 1),
        "a": (3, 5, 1, 1, 0),
        "c": (0, 4, 0, 0, 0),
    }
    averages = {item: row["avg_rating"] for item, row in by_id.items()}
    assert averages == {"never": None, "b": 1.0, "a": pytest.approx(9.6 / 3), "c": None}
    assert by_id["never"]["first_us"] is None
    assert (by_id["a"]["first_us"], by_id["a"]["last_us"]) == (us(-8 * DAY_S), us(0))
    counts = snapshot.manifest.counts
    assert (counts.items, counts.items_with_interactions) == (4, 3)


def test_an_increment_adds_to_the_counts(tmp_path: Path, rows_of: Rows) -> None:
    """The week moves on too: what was recent no longer is, for users who did nothing since."""
    privacy = PrivacyConfig(user_id="keep")
    for name, lines in (("1.csv", LINES), ("2.csv", [f"w,a,{LAST_S + 6 * DAY_S},rating,2,"])):
        (tmp_path / name).write_text("\n".join([HEADER, *lines]) + "\n")
    for name in ("1.csv", "2.csv"):
        since = "last" if name == "2.csv" else None
        snapshot = ingest(
            str(tmp_path / name),
            root=tmp_path / "s",
            given=Given(since=since),
            privacy=privacy,
            clock=lambda: 1.78e9,
        )
    recent = {row["user_idx"]: row["n_last_7d"] for row in rows_of(snapshot, "user_stats")}
    assert recent == {0: 1, 1: 4, 2: 1}
    events = {row["user_idx"]: row["n_events"] for row in rows_of(snapshot, "user_stats")}
    assert events == {0: 4, 1: 6, 2: 2}
    (item,) = (row for row in rows_of(snapshot, "popularity") if row["item_id"] == "a")
    assert (item["count_ratings"], item["n_events"]) == (4, 6)
    assert item["avg_rating"] == pytest.approx(11.6 / 4)


def test_an_average_is_exact_for_many_ratings(ingest_file: Ingest, rows_of: Rows) -> None:
    stars = [(n * 37 % 50) / 10 for n in range(2000)]
    lines = [f"u{n},a,{LAST_S + n},rating,{star}," for n, star in enumerate(stars)]
    (item,) = rows_of(ingest_file("log.csv", [HEADER, *lines]), "popularity")
    assert item["avg_rating"] == pytest.approx(sum(stars) / 2000, abs=1e-9)
