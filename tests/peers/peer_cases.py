"""Lists and relevant items that several libraries measure, and what Endcap makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from endcap.evaluation.metrics.accuracy import MEASURES, find_hits, measure_all
from endcap.schema.types import NO_ITEM, TopK

ROOT = Path(__file__).resolve().parents[2]
CUTS = (1, 3, 10, 25)


def random_case(*, n_users: int, n_items: int, seed: int, whole: bool = False) -> dict:
    """Return lists without ties: short and empty ones, users without a hit or with many targets.

    Args:
        n_users: one list each.
        n_items: size of the catalogue.
        seed: draws everything.
        whole: every list holds the whole catalogue.
    """
    rng = np.random.default_rng(seed)
    lists, relevant, had = [], [], []
    for user in range(n_users):
        order = rng.permutation(n_items).tolist()
        length = n_items if whole else int(rng.integers(0, 31))
        wanted = rng.choice(n_items, int(rng.integers(1, n_items // 2)), replace=False).tolist()
        if user % 5 == 0:  # no hit
            order = [item for item in order if item not in wanted]
        lists.append(order[:length])
        relevant.append(wanted)
        had.append(np.unique(rng.geometric(0.1, size=8) % n_items).tolist())
    features = rng.integers(3, size=(n_items, 3)).tolist()
    return case_of(lists, relevant, n_items=n_items, cuts=CUTS, had=had, features=features)


def case_of(lists, relevant, *, n_items: int, cuts, had=None, features=None, **more) -> dict:
    """Return a case as `measure_with_peers.py` reads it."""
    return {
        "lists": lists,
        "relevant": relevant,
        "n_items": n_items,
        "cuts": list(cuts),
        "had": had or [[0]] * len(lists),
        "features": features or [[0]] * n_items,
        **more,
    }


def ranked(case: dict) -> TopK:
    """Return the lists of a case, padded."""
    width = max(1, *(len(row) for row in case["lists"]))
    items = np.full((len(case["lists"]), width), NO_ITEM, dtype=np.int32)
    for user, row in enumerate(case["lists"]):
        items[user, : len(row)] = row
    falling = np.broadcast_to(-np.arange(width, dtype=np.float32), items.shape)
    return TopK(items, np.where(items == NO_ITEM, -np.inf, falling).astype(np.float32))


def targets(case: dict) -> list[np.ndarray]:
    """Return the relevant items of each user."""
    return [np.array(row, dtype=np.int32) for row in case["relevant"]]


def n_relevant(case: dict) -> np.ndarray:
    """Return how many items are relevant to each user."""
    return np.array([len(row) for row in case["relevant"]])


def ours(case: dict, k: int) -> dict[str, np.ndarray]:
    """Return each metric of each user by name, as Endcap measures it."""
    everything = np.full(len(case["lists"]), case["n_items"])
    hits = find_hits(ranked(case), targets(case), n_candidates=everything)
    return dict(zip(MEASURES, measure_all(hits, k).T, strict=True))


def page_rows() -> dict[str, tuple[str, str]]:
    """Return their number and ours, as printed on the page of metrics, by library and call."""
    page = (ROOT / "docs" / "guide" / "metrics.md").read_text()
    table = page.partition("## Where libraries differ")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    return {cells[0]: (cells[1], cells[2]) for cells in rows[2:]}


def check_page(measured: dict, *, libraries: tuple[str, ...]) -> None:
    """Assert that the page shows what was measured of these libraries, and nothing else."""
    printed = {call: numbers for call, numbers in page_rows().items() if call.startswith(libraries)}
    assert printed == {call: tuple(map(as_printed, pair)) for call, pair in measured.items()}


def as_printed(value: float | str) -> str:
    """Return a number to four digits."""
    return value if isinstance(value, str) else f"{value:.4f}"
