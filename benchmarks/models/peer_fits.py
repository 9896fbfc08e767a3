"""Fits models of other libraries, without Endcap: `.rivals/bin/python peer_fits.py FOLDER NAME S`.

Settings, and the number of epochs, are chosen by NDCG@10 on the validation window, within S seconds
of one thread; what was best is fitted again on all that comes before the test window. Reads
`rows.npz` of the folder, writes `NAME.npz` with lists of 100 and `NAME.json` with the trials.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning
import torch
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from lightfm import LightFM
from numpy.typing import NDArray
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import (
    ImplicitALSWrapperModel,
    ImplicitBPRWrapperModel,
    LightFMWrapperModel,
    SASRecModel,
)

COLUMNS = ("learnt_users", "learnt_items", "learnt_us", "target_users", "target_items")
K, WIDTH = 10, 100
SEED = 0
EPOCHS_AT_ONCE = 3
MAX_EPOCHS = 200
PATIENCE = 2
"""Looks at the validation window without a gain before a setting is left."""


@dataclass(frozen=True)
class Trial:
    """One look at the validation window.

    n_epochs: trained so far; 0 where that is part of the setting.
    spent_s: since the search began.
    """

    setting: dict[str, Any]
    n_epochs: int
    ndcg: float
    spent_s: float


@dataclass(frozen=True)
class Question:
    """What is asked of a model: (user, item) rows of the targets, and whom to make lists for."""

    learnt: Dataset
    users: NDArray[np.int64]
    target_users: NDArray[np.int64]
    target_items: NDArray[np.int64]


def grid(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return every combination, in an order drawn at random: a budget may not last for all."""
    found = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    order = np.random.default_rng(SEED).permutation(len(found))
    return [found[place] for place in order]


SETTINGS: Mapping[str, list[dict[str, Any]]] = {
    "als": grid(
        factors=(64, 128, 256), regularization=(0.01, 1.0, 10.0), alpha=(1.0, 5.0, 20.0)
    ),
    "bpr": grid(
        factors=(64, 128), learning_rate=(0.01, 0.05), regularization=(0.001, 0.01, 0.1),
        iterations=(100, 300),
    ),
    "lightfm": grid(
        no_components=(32, 64, 128), learning_rate=(0.02, 0.05), item_alpha=(0.0, 1e-5),
        epochs=(20, 60),
    ),
    "sasrec": [
        {"loss": "softmax", "n_factors": 128, "session_max_len": 20, "dropout_rate": 0.5},
        {"loss": "softmax", "n_factors": 128, "session_max_len": 20, "dropout_rate": 0.2},
        {"loss": "softmax", "n_factors": 64, "session_max_len": 20, "dropout_rate": 0.5},
        {"loss": "gBCE", "n_negatives": 256, "gbce_t": 0.75, "n_factors": 128,
         "session_max_len": 20, "dropout_rate": 0.2},
        {"loss": "sampled_softmax", "n_negatives": 256, "n_factors": 128,
         "session_max_len": 50, "dropout_rate": 0.5},
        {"loss": "softmax", "n_factors": 256, "session_max_len": 50, "dropout_rate": 0.5},
    ],
}  # fmt: skip
"""What is tried, in this order; of SASRec what is quick and has been found good first."""


def als(setting: Mapping[str, Any]) -> ImplicitALSWrapperModel:
    """Return an unfitted ALS of `implicit`."""
    return ImplicitALSWrapperModel(
        AlternatingLeastSquares(**setting, iterations=15, num_threads=1, random_state=SEED),
        recommend_n_threads=1,
    )


def bpr(setting: Mapping[str, Any]) -> ImplicitBPRWrapperModel:
    """Return an unfitted BPR of `implicit`."""
    return ImplicitBPRWrapperModel(
        BayesianPersonalizedRanking(**setting, num_threads=1, random_state=SEED),
        recommend_n_threads=1,
    )


def lightfm(setting: Mapping[str, Any]) -> LightFMWrapperModel:
    """Return an unfitted LightFM with its WARP loss."""
    own = {key: value for key, value in setting.items() if key != "epochs"}
    model = LightFM(**own, user_alpha=own["item_alpha"], loss="warp", random_state=SEED)
    return LightFMWrapperModel(
        model, epochs=setting["epochs"], num_threads=1, recommend_n_threads=1
    )


def sasrec(setting: Mapping[str, Any]) -> SASRecModel:
    """Return an unfitted SASRec of RecTools with two blocks, as its authors have it."""
    return SASRecModel(**setting, n_blocks=2, n_heads=1, batch_size=128)


MAKERS = {"als": als, "bpr": bpr, "lightfm": lightfm, "sasrec": sasrec}


def stages(name: str, setting: Mapping[str, Any], learnt: Dataset) -> Iterator[tuple[int, Any]]:
    """Yield the fitted model with its epochs: once, or ever further trained."""
    model = MAKERS[name](setting)
    if not isinstance(model, SASRecModel):
        yield 0, model.fit(learnt)
        return
    for n_epochs in range(EPOCHS_AT_ONCE, MAX_EPOCHS + 1, EPOCHS_AT_ONCE):
        model.fit_partial(learnt, min_epochs=EPOCHS_AT_ONCE, max_epochs=EPOCHS_AT_ONCE)
        yield n_epochs, model


def search(name: str, question: Question, *, budget_s: float) -> list[Trial]:
    """Return all looks at the validation window that were begun within the budget."""
    started_s = time.perf_counter()
    trials: list[Trial] = []
    for setting in SETTINGS[name]:
        values: list[float] = []
        for n_epochs, model in stages(name, setting, question.learnt):
            values.append(ndcg(model, question))
            spent_s = time.perf_counter() - started_s
            trials.append(Trial(setting, n_epochs, values[-1], spent_s))
            print(f"  {name} {trials[-1]}", file=sys.stderr, flush=True)
            if spent_s > budget_s:
                return trials
            if len(values) - int(np.argmax(values)) > PATIENCE:
                break
    return trials


def refit(name: str, chosen: Trial, learnt: Dataset) -> Any:
    """Return the chosen model, fitted on what the test lets it learn."""
    model = MAKERS[name](chosen.setting)
    if not isinstance(model, SASRecModel):
        return model.fit(learnt)
    return model.fit_partial(learnt, min_epochs=chosen.n_epochs, max_epochs=chosen.n_epochs)


def lists_of(model: Any, question: Question, *, k: int) -> pd.DataFrame:
    """Return user, item and rank of the k best items that each user has not had.

    Who is unknown to the model is left out.
    """
    known = np.intersect1d(question.users, question.learnt.user_id_map.external_ids)
    return model.recommend(
        known, question.learnt, k=k, filter_viewed=True, on_unsupported_targets="ignore"
    )


def ndcg(model: Any, question: Question) -> float:
    """Return the mean NDCG@10 over all users with a target; 0 for one without a list."""
    lists = lists_of(model, question, k=K)
    targets = pd.DataFrame(
        {Columns.User: question.target_users, Columns.Item: question.target_items}
    )
    hits = lists.merge(targets)
    gains = (1 / np.log2(hits[Columns.Rank] + 1)).groupby(hits[Columns.User]).sum()
    n_targets = targets.groupby(Columns.User).size()
    best = np.cumsum(1 / np.log2(np.arange(2, K + 2)))
    ideal = best[np.minimum(n_targets.to_numpy(), K) - 1]
    found = gains.reindex(n_targets.index, fill_value=0.0)
    return float((found.to_numpy() / ideal).mean())


def read(folder: Path, part: str) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Return what is learnt from on `validation` or `test`, and users and items of the targets."""
    with np.load(folder / "rows.npz") as file:
        rows = {name: file[f"{part}_{name}"] for name in COLUMNS}
    learnt = pd.DataFrame(
        {
            Columns.User: rows["learnt_users"],
            Columns.Item: rows["learnt_items"],
            Columns.Datetime: pd.to_datetime(rows["learnt_us"], unit="us"),
            Columns.Weight: 1.0,
        }
    )
    return learnt, rows["target_users"], rows["target_items"]


def question_of(folder: Path, part: str) -> Question:
    """Return what is asked on `validation` or on `test`."""
    learnt, users, items = read(folder, part)
    return Question(Dataset.construct(learnt), np.unique(users), users, items)


def write_lists(path: Path, lists: pd.DataFrame) -> None:
    """Write columns users, items and ranks."""
    columns = {"users": Columns.User, "items": Columns.Item, "ranks": Columns.Rank}
    np.savez(path, **{name: lists[column].to_numpy() for name, column in columns.items()})


def prepare() -> None:
    """Make PyTorch quiet, repeatable and single-threaded."""
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    pytorch_lightning.seed_everything(SEED)


def main() -> None:
    """Search, fit what was best, and write its lists."""
    prepare()
    folder, name, budget_s = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    trials = search(name, question_of(folder, "validation"), budget_s=budget_s)
    chosen = max(trials, key=lambda trial: trial.ndcg)
    question = question_of(folder, "test")
    started_s = time.perf_counter()
    model = refit(name, chosen, question.learnt)
    fit_s = time.perf_counter() - started_s
    write_lists(folder / f"{name}.npz", lists_of(model, question, k=WIDTH))
    said = {
        "chosen": asdict(chosen), "n_trials": len(trials), "searched_s": trials[-1].spent_s,
        "n_settings": len({json.dumps(trial.setting) for trial in trials}), "fit_s": fit_s,
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(said, default=float))


if __name__ == "__main__":
    main()
