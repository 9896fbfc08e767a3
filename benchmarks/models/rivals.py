"""Models of other libraries, fitted in an environment of their own and judged as ours are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.lists.saved import SavedLists
from endcap.evaluation.split import Split
from endcap.schema.types import NO_ITEM

PYTHON = Path(".rivals/bin/python")
VIEW = "discovery"
WIDTH = 100
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def hand_over(folder: Path, splits: Mapping[str, Split]) -> None:
    """Write `rows.npz`: what is learnt from and the targets, by the name of the split."""
    columns: dict[str, NDArray[np.int64]] = {}
    for name, split in splits.items():
        told, targets = split.train.interactions, split.targets[VIEW]
        columns |= {
            f"{name}_learnt_users": told.user_idx.astype(np.int64),
            f"{name}_learnt_items": told.item_idx.astype(np.int64),
            f"{name}_learnt_us": told.ts,
            f"{name}_target_users": np.repeat(targets.users, targets.n_relevant).astype(np.int64),
            f"{name}_target_items": targets.items.astype(np.int64),
        }
    np.savez(folder / "rows.npz", **columns)


def fit_rivals(folder: Path, names: Sequence[str], *, budget_s: float) -> dict[str, dict[str, Any]]:
    """Return what `peer_fits.py` says of each, which leaves the lists in the folder.

    Each searches for as long as it is given on one thread, as many at a time as there are cores.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda name: run_peer("peer_fits", folder, name, budget_s), names))
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


def run_peer(script: str, folder: Path, *arguments: object) -> str:
    """Return what a script beside this one prints, run in a folder by the Python of the rivals."""
    if not PYTHON.is_file():
        sys.exit("this benchmark needs other libraries in .rivals: make bench installs them")
    path = Path(__file__).with_name(f"{script}.py")
    done = subprocess.run(
        [str(PYTHON.absolute()), str(path), str(folder), *map(str, arguments)],
        cwd=folder,  # their trainers leave checkpoints where they are started
        env={**os.environ, **ONE_THREAD, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def lists_of(folder: Path, name: str, split: Split, *, unknown: Ranker) -> SavedLists:
    """Return the lists that a rival left in the folder.

    Args:
        folder: see `fit_rivals`.
        name: of the rival.
        split: what it was asked.
        unknown: makes the lists of users whom the rival does not know.
    """
    with np.load(folder / f"{name}.npz") as file:
        users, items, ranks = file["users"], file["items"], file["ranks"]
    rest = np.setdiff1d(split.targets[VIEW].users, users).astype(np.int32)
    listed = unknown.recommend(rest, WIDTH).items
    is_item = listed != NO_ITEM
    places = np.broadcast_to(np.arange(1, listed.shape[1] + 1), listed.shape)
    return SavedLists.of(
        np.concatenate([users, np.repeat(rest, is_item.sum(axis=1))]).astype(np.int32),
        np.concatenate([items, listed[is_item]]).astype(np.int32),
        -np.concatenate([ranks, places[is_item]]).astype(np.float64),
        n_users=split.train.n_users,
        seen=split.seen,
    )
