from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from endcap.ingest.config import IngestConfig
from endcap.ingest.snapshot import Snapshot
from endcap.schema.errors import DataError

Ingest = Callable[..., Snapshot]
Rows = Callable[[Snapshot, str], list[dict[str, Any]]]
HEADER = "user_id,item_id,ts,event,value"
MIDNIGHT_S = 1_499_990_400
LIMITS: dict[str, Any] = {"near_duplicate_s": 5, "max_per_minute": 3, "max_per_day": 6}
CONFIG = IngestConfig(**LIMITS)


def row(user: str, item: str, second: float, kind: str = "view", value: str = "") -> str:
    return f"{user},{item},{MIDNIGHT_S + second},{kind},{value}"


def flags(
    snapshot: Snapshot, rows_of: Rows
) -> list[tuple[str, int, int | None, float, float, int]]:
    return [
        (
            *(found["flag"], found["user_idx"], found["item_idx"]),
            *((found[name] / 1e6) - MIDNIGHT_S for name in ("first_us", "last_us")),
            found["n"],
        )
        for found in rows_of(snapshot, "flags")
    ]


def put_aside(snapshot: Snapshot, rows_of: Rows) -> dict[int, str]:
    return {r["row_number"]: "; ".join(r["reasons"]) for r in rows_of(snapshot, "quarantine")}


CASES: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {
    # Each but the first lies within 5 s of one before; a minute later is another visit.
    "a chain": (
        [row("u", "a", s) for s in (0, 5, 10, 70)],
        [("near_duplicate", 0, 0, 5, 10, 2)],
    ),
    "just too late": ([row("u", "a", 0), row("u", "a", 5.000001)], []),
    # Only what stands before in the file makes a duplicate, whatever its time.
    "out of order": (
        [row("u", "a", s) for s in (10, 0, 5)],
        [("near_duplicate", 0, 0, 5, 5, 1)],
    ),
    "others": (
        [row("u", "a", 0), row("u", "a", 1, "cart"), row("u", "b", 61), row("v", "a", 1)],
        [],
    ),
    "three in a minute": ([row("u", f"i{s}", s) for s in (0, 20, 59.9)], []),
    "four in a minute": (
        [row("u", f"i{s}", s) for s in (0, 20, 40, 59.9)],
        [("burst", 0, None, 0, 59.9, 4)],
    ),
    "four in two minutes": ([row("u", f"i{s}", 58 + s) for s in range(4)], []),
    "a full basket": ([row("u", f"i{s}", s, "purchase", "1") for s in range(4)], []),
    "a basket and three views": (
        [row("u", f"i{s}", s, "purchase", "1") for s in range(4)]
        + [row("u", f"i{s}", s) for s in range(3)],
        [("bot", 0, None, 0, 3, 7)],
    ),
    "seven in a day": (
        [row("u", f"i{h}", h * 3600) for h in (0, 1, 2, 3, 4, 5, 23)],
        [("bot", 0, None, 0, 82_800, 7)],
    ),
    "seven in two days": ([row("u", f"i{h}", h * 3600) for h in (18, 19, 20, 21, 22, 23, 24)], []),
    "two bots, two days": (
        [row(u, f"i{h}", d * 86_400 + h * 3600) for u in "uv" for d in (0, 2) for h in range(7)],
        [
            ("bot", user, None, day * 86_400, day * 86_400 + 6 * 3600, 7)
            for user in (0, 1)
            for day in (0, 2)
        ],
    ),
}


def test_what_looks_as_if_no_person_did_it_is_flagged_and_kept(
    ingest_file: Ingest, rows_of: Rows
) -> None:
    """All cases in one file, each with users of its own."""
    lines = [f"{nth}-{line}" for nth, (rows, _) in enumerate(CASES.values()) for line in rows]
    snapshot = ingest_file("log.csv", [HEADER, *lines], config=CONFIG)
    users = {row["user_idx"]: row["user_id"] for row in rows_of(snapshot, "users")}
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in CASES}
    for flag, user, item, *rest in flags(snapshot, rows_of):
        nth, letter = users[user].split("-")
        place = "uv".index(letter)
        found[[*CASES][int(nth)]].append((flag, place, None if item is None else 0, *rest))
    for name, (_, expected) in CASES.items():
        assert found[name] == [
            (*one[:3], pytest.approx(one[3], abs=1e-4), pytest.approx(one[4], abs=1e-4), one[5])
            for one in expected
        ], name
    assert snapshot.manifest.counts.kept == len(lines)
    totals = Counter[str]()
    for _, expected in CASES.values():
        for one in expected:
            totals[one[0]] += one[5]
    assert snapshot.manifest.counts.flagged == dict(totals)


def test_times_before_a_full_minute_count_to_it(ingest_file: Ingest, rows_of: Rows) -> None:
    """Also a time without fraction at the very end of a minute."""
    lines = [row("u", f"i{s}", s) for s in (57, 58, 59, 60, 61, 62)]
    assert flags(ingest_file("log.csv", [HEADER, *lines], config=CONFIG), rows_of) == []


ALL = [
    *(row("u", "a", s) for s in (0, 4, 8, 30)),  # rows 2 to 5
    *(row("v", f"i{s}", s) for s in range(4)),  # 6 to 9
    *(row("w", f"i{h}", h * 3600) for h in range(7)),  # 10 to 16
    row("x", "a", 0),
    "y,,0,view,",
    row("z", "a", 0, "rating", "5"),
    row("z", "a", 0, "rating", "5"),
]
NEAR = dict.fromkeys((3, 4), "a near duplicate of an earlier row")
BOT = dict.fromkeys(range(10, 17), "of a bot")
BURST = dict.fromkeys(range(6, 10), "part of a burst")
EARLY = dict.fromkeys(range(2, 6), "part of a burst")
ANYWAY = {18: "item_id is missing; ts is before 1990", 20: "repeats an earlier row"}


@pytest.mark.parametrize(
    ("dropped", "gone", "left"),
    [
        ((), {}, {"near_duplicate": 2, "burst": 8, "bot": 7}),
        (("near_duplicate",), NEAR, {"burst": 4, "bot": 7}),  # u did not click so much then
        (("burst",), BURST | EARLY, {"bot": 7}),
        (("bot",), BOT, {"near_duplicate": 2, "burst": 8}),
        (("near_duplicate", "burst", "bot"), NEAR | BURST | BOT, {}),
        (("bot", "burst", "near_duplicate"), NEAR | BURST | BOT, {}),  # whatever the order
    ],
)
def test_what_is_flagged_can_be_put_aside(
    ingest_file: Ingest,
    rows_of: Rows,
    dropped: tuple[Any, ...],
    gone: dict[int, str],
    left: dict[str, int],
) -> None:
    config = IngestConfig(**LIMITS, drop_flagged=dropped)
    snapshot = ingest_file("log.csv", [HEADER, *ALL], config=config)
    assert put_aside(snapshot, rows_of) == gone | ANYWAY
    counts = snapshot.manifest.counts
    assert counts.flagged == left
    assert counts.rows_in == 19
    assert counts.kept == 19 - len(gone | ANYWAY)
    assert counts.quarantined == len(gone | ANYWAY)
    totals = Counter(reason for text in (gone | ANYWAY).values() for reason in text.split("; "))
    assert counts.quarantined_by_reason == dict(totals)
    raws = {found["row_number"]: found["raw"] for found in rows_of(snapshot, "quarantine")}
    assert all('"user_id"' in text for text in raws.values())


def test_a_sale_is_never_dropped_for_being_near_another(ingest_file: Ingest) -> None:
    lines = [row("u", "a", s, "purchase", "1") for s in range(3)]
    config = IngestConfig(drop_flagged=("near_duplicate",))
    counts = ingest_file("log.csv", [HEADER, *lines], config=config).manifest.counts
    assert (counts.kept, counts.flagged) == (3, {"near_duplicate": 2})


def test_when_all_is_flagged_there_is_no_snapshot(ingest_file: Ingest) -> None:
    config = IngestConfig(**LIMITS, drop_flagged=("burst",))
    with pytest.raises(DataError, match="all of 4 rows are flagged") as caught:
        ingest_file("log.csv", [HEADER, *(row("v", f"i{s}", s) for s in range(4))], config=config)
    assert "drop_flagged" in caught.value.mend


def test_a_rating_that_repeats_counts_once_whoever_says_so(
    ingest_file: Ingest, rows_of: Rows
) -> None:
    lines = [
        row("u", "a", 0, "rating", "5"),
        row("u", "a", 0, "rating", "5.0"),  # row 3: the same number
        row("u", "a", 0, "rating", "4"),
        row("u", "a", 1, "rating", "5"),
        row("u", "b", 0, "rating", "5"),
        row("v", "a", 0, "rating", "5"),
        row("u", "a", 0, "rating", "5"),  # row 8
        row("u", "a", 0, "view", "5"),
        row("u", "a", 0, "view", "5"),
        row("u", "a", 0, "purchase", "5"),
        row("u", "a", 0, "purchase", "5"),
    ]
    config = IngestConfig(near_duplicate_s=0)
    snapshot = ingest_file("log.csv", [HEADER, *lines], config=config)
    assert put_aside(snapshot, rows_of) == dict.fromkeys((3, 8), "repeats an earlier row")
    # Flags are of what is kept: another rating, view and purchase of the very same moment.
    assert snapshot.manifest.counts.flagged == {"near_duplicate": 3}


def test_the_pace_of_made_up_times_is_no_pace(ingest_file: Ingest) -> None:
    """Positions are a second apart: neither flagged nor put aside for that."""
    lines = [f"u,i{n % 9},{n}" for n in range(20)]
    config = IngestConfig(**LIMITS, drop_flagged=("near_duplicate", "burst", "bot"))
    mapping = {"order": "place"}
    snapshot = ingest_file(
        "o.csv", ["user_id,item_id,place", *lines], mapping=mapping, config=config
    )
    assert (snapshot.manifest.counts.kept, snapshot.manifest.counts.flagged) == (20, {})
