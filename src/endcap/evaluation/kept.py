"""Evaluations on disk: the numbers, what was measured of every user, and the lists.

So two can be compared user by user later, and a report can be made without ranking again. A
folder each, under the name of its setup; an evaluation of the same setup takes its place.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.evaluate import Measured
from endcap.evaluation.per_user import PerUser
from endcap.evaluation.result import Evaluation
from endcap.schema.artefacts import publish_folder, read_pointer, scratch_folder
from endcap.schema.errors import DataError
from endcap.schema.types import ItemIdx, UserIdx

LATEST = "latest"
MAX_SHOWN = 10
EVALUATION, PER_USER, LISTS = "evaluation.json", "per_user.npz", "lists.npz"

_METRICS, _USERS, _QUERIES = "metrics", "users", "queries"
_MEND = "Run endcap evaluate again"


@dataclass(frozen=True, slots=True)
class Kept:
    """One evaluation as it lies on disk.

    per_user: by view.
    queries: by view, whom the lists are for: users, where a protocol asks about users.
    lists: by view, then by model: item indices, shape (n_queries, k), -1 padded.
    """

    name: str
    path: Path
    evaluation: Evaluation
    per_user: Mapping[str, PerUser]
    queries: Mapping[str, UserIdx]
    lists: Mapping[str, Mapping[str, ItemIdx]]


def keep(measured: Measured, *, root: Path, name: str) -> Path:
    """Write the evaluation as `root/name`, make it the latest, and return its folder."""
    with scratch_folder(root) as folder:
        (folder / EVALUATION).write_text(measured.evaluation.to_json() + "\n", encoding="utf-8")
        users: dict[str, NDArray[Any]] = {}
        lists: dict[str, NDArray[Any]] = {}
        for view, per_user in measured.per_user.items():
            users[f"{view}/{_USERS}"] = per_user.users
            users[f"{view}/{_METRICS}"] = np.array(per_user.metrics, dtype=np.str_)
            for model, values in per_user.values.items():
                users[f"{view}/model/{model}"] = values
                if model in per_user.fit_means:
                    users[f"{view}/fits/{model}"] = per_user.fit_means[model]
                lists[f"{view}/{_QUERIES}"] = measured.lists[view][model].users
                lists[f"{view}/model/{model}"] = measured.lists[view][model].ranked.items
        np.savez_compressed(folder / PER_USER, allow_pickle=False, **users)
        np.savez_compressed(folder / LISTS, allow_pickle=False, **lists)
        with scratch_folder(root) as aside:
            if (root / name).exists():
                (root / name).rename(aside / name)
            return publish_folder(folder, root / name, pointer=root / LATEST)


def open_kept(root: Path, name: str = LATEST) -> Kept:
    """Return an evaluation by its name, the beginning of it, or `latest`.

    Raises:
        DataError: there is none, more than one begins so, or it is damaged.
    """
    folder = find_kept(root, name)
    evaluation = _read_evaluation(folder / EVALUATION)
    users, lists = _read_arrays(folder / PER_USER), _read_arrays(folder / LISTS)
    per_user: dict[str, PerUser] = {}
    queries: dict[str, UserIdx] = {}
    listed: dict[str, Mapping[str, ItemIdx]] = {}
    try:
        for view, result in evaluation.views.items():
            per_user[view] = PerUser(
                users[f"{view}/{_USERS}"],
                tuple(str(metric) for metric in users[f"{view}/{_METRICS}"]),
                {model: users[f"{view}/model/{model}"] for model in result.models},
                {
                    model: users[f"{view}/fits/{model}"]
                    for model in result.models
                    if f"{view}/fits/{model}" in users
                },
            )
            queries[view] = lists[f"{view}/{_QUERIES}"]
            listed[view] = {model: lists[f"{view}/model/{model}"] for model in result.models}
    except KeyError as error:
        raise DataError(f"the evaluation lacks {error}", where=str(folder), mend=_MEND) from error
    return Kept(folder.name, folder, evaluation, per_user, queries, listed)


def find_kept(root: Path, name: str = LATEST) -> Path:
    """Return the folder of a kept evaluation; see `open_kept`."""
    there = sorted(folder.name for folder in root.glob("*") if (folder / EVALUATION).is_file())
    if name == LATEST:
        latest = read_pointer(root / LATEST)
        found = [latest.name] if latest is not None and latest.name in there else []
    else:
        found = [name] if name in there else [one for one in there if one.startswith(name)]
    if len(found) == 1 and name:
        return root / found[0]
    named = found or there
    more = f" and {len(named) - MAX_SHOWN:,} more" if len(named) > MAX_SHOWN else ""
    raise DataError(
        f"{'more than one' if len(found) > 1 else 'no'} evaluation is called {name!r}",
        where=str(root),
        mend=f"There are: {', '.join(named[:MAX_SHOWN])}{more}"
        if there
        else "Run: endcap evaluate",
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        # Opened here, because numpy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"the evaluation is damaged: {error}", where=str(path), mend=_MEND
        ) from error


def _read_evaluation(path: Path) -> Evaluation:
    try:
        return Evaluation.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the evaluation is damaged: {error}", where=str(path), mend=_MEND
        ) from error
    except DataError as error:
        raise DataError(error.what, where=f"{path} {error.where}".strip(), mend=_MEND) from error
