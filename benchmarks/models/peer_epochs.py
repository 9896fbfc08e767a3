"""Times epochs of RecTools' networks: `.rivals/bin/python peer_epochs.py FOLDER NAME N`.

Prints one JSON object: seconds of a fit of N epochs, all of it, and the versions; leaves lists of
ten in `NAME.npz`. Sizes are ours: 128 numbers, two blocks, histories of 50, batches of 256.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peer_fits import K, Question, lists_of, prepare, read, write_lists
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.dssm import DSSMModel

SIZE, BATCH = 128, 256


def sasrec(n_epochs: int) -> SASRecModel:
    """Return SASRec with its own loss, the softmax over all items."""
    return SASRecModel(
        n_factors=SIZE, n_blocks=2, n_heads=1, session_max_len=50, batch_size=BATCH,
        loss="softmax", epochs=n_epochs,
    )  # fmt: skip


def dssm(n_epochs: int) -> DSSMModel:
    """Return the two towers of RecTools, which see a pair of items of each user in an epoch."""
    return DSSMModel(
        n_factors=SIZE, max_epochs=n_epochs, batch_size=BATCH, trainer_accelerator="cpu",
        loggers=False, recommend_n_threads=1,
    )  # fmt: skip


MAKERS = {"sasrec": sasrec, "dssm": dssm}


def data_of(learnt: pd.DataFrame) -> Dataset:
    """Return the data with the id of an item as its feature, as towers without ids need it."""
    items, users = learnt[Columns.Item].unique(), learnt[Columns.User].unique()
    return Dataset.construct(
        learnt,
        user_features_df=pd.DataFrame({Columns.User: users, "feature": "is", "value": "user"}),
        cat_user_features=["is"],
        item_features_df=pd.DataFrame({Columns.Item: items, "feature": "id", "value": items}),
        cat_item_features=["id"],
    )


def main() -> None:
    """Fit, say how long it took, and write the lists."""
    prepare()
    folder, name, n_epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    learnt, users, items = read(folder, "validation")
    data = data_of(learnt) if name == "dssm" else Dataset.construct(learnt)
    model: Any = MAKERS[name](n_epochs)
    started_s = time.perf_counter()
    model.fit(data)
    fit_s = time.perf_counter() - started_s
    lists = lists_of(model, Question(data, np.unique(users), users, items), k=K)
    write_lists(folder / f"{name}.npz", lists)
    versions = {package: version(package) for package in ("rectools", "torch")}
    print(json.dumps({"fit_s": fit_s, "versions": versions}))


if __name__ == "__main__":
    main()
