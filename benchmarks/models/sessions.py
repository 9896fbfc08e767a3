"""RetailRocket's sessions as the COTREC paper cut them: every next click, with its train and test.

Published tables ask from the second click on (15,132 questions, prefixes of two clicks and more)
and take the mean over the questions; so does the first row of each model here. Its intervals take
the clicks of a session for independent; those of the mean over sessions do not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.data import N_VALIDATION, Clicks, as_data, folder_of, read_sessions
from benchmarks.models.fits import SESSIONS, Fitted, Wanted, fit_all
from benchmarks.result import Target, once, write_result
from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.pairs import pair_set
from endcap.evaluation.result import ModelResult
from endcap.evaluation.split import Split, SplitCounts, ViewRule, targets_of, warm_items
from endcap.models import registry
from endcap.models.blend.ranked import RankedBlend
from endcap.schema.dataset import Dataset
from endcap.training.blend import learn_rules
from endcap.training.blend_config import BlendSettings
from endcap.training.config import TrainingConfig
from endcap.training.run import model_rng, peak_memory_bytes

FOLDER = "retailrocket_sessions_cotrec"
K = 20
MIN_PREFIX = 2
MEMBERS = ("session_knn", "item_knn", "sequence")
PUBLISHED = "mean over clicks, from the second on"


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.sessions.json`.

    The members learn all but the last sessions of the training part; the blend learns how to rank
    from those, and the members are not fitted again.

    Args:
        quick: a tenth of the sessions, one epoch.
    """
    train, test = read_sessions(folder_of(FOLDER))
    if quick:
        train, test = train[-len(train) // 10 :], test[:500]
    n_items = 1 + max(int(one.max()) for one in (*train, *test))
    learnt = as_data(train[:-N_VALIDATION], n_items=n_items)
    validation = split_of(learnt, train[-N_VALIDATION:], min_prefix=1)
    splits = {
        PUBLISHED: split_of(learnt, test, min_prefix=MIN_PREFIX),
        "mean over sessions": split_of(learnt, test, min_prefix=MIN_PREFIX, by_session=True),
        "mean over all clicks but the first": split_of(learnt, test, min_prefix=1),
    }
    models, rows = _fit(learnt, quick=quick)
    members = {name: models[name] for name in MEMBERS}
    settings = BlendSettings()
    started_s = time.perf_counter()
    rules = learn_rules(members, validation, validation, config=TrainingConfig(), settings=settings)
    rows.append({"model": "blend", "fit_s": time.perf_counter() - started_s})
    for asked, split in splits.items():
        told = {name: model.with_history(split.known) for name, model in models.items()}
        blend = RankedBlend.of(
            {name: told[name] for name in MEMBERS},
            learnt=learnt,
            told=split.known,
            rules=rules,
            config=settings.of(MEMBERS),
        )
        measured = evaluate(
            {**told, "blend": blend, "blend_rrf": blend.floor()},
            split,
            rng=model_rng(0, "evaluation"),
            terms=Terms(k=K, exact_auc=False, slices=False),
        )
        rows += [_row(asked, name, result) for name, result in _results(measured).items()]
    return write_result(
        "models.sessions-quick" if quick else "models.sessions",
        command=f"make bench NAME=models.sessions{' QUICK=1' if quick else ''}",
        targets=_targets(rows),
        rows=rows,
        packages=("numpy", "scipy", "torch", "lightgbm"),
    )


def split_of(
    learnt: Dataset, sessions: Sequence[Clicks], *, min_prefix: int, by_session: bool = False
) -> Split:
    """Return a question for every click of the sessions that follows `min_prefix` others.

    Args:
        learnt: what models learn from.
        sessions: that are asked about.
        min_prefix: clicks that are told at least.
        by_session: whether the questions of a session count as one; each for itself when not.
    """
    prefixes = [one[:end] for one in sessions for end in range(min_prefix, len(one))]
    answers = np.array([one[end] for one in sessions for end in range(min_prefix, len(one))])
    askers = np.arange(len(answers))
    if by_session:
        n_each = [max(len(one) - min_prefix, 0) for one in sessions]
        askers = np.repeat(np.arange(len(sessions)), n_each)
    history = as_data(prefixes, n_items=learnt.n_items, start=learnt.n_users)
    pairs = pair_set(np.arange(len(answers)), answers, stride=learnt.n_items)
    targets = targets_of(pairs, warm_items(learnt))
    n_cold = int(targets.is_cold.sum())
    return Split(
        learnt,
        {"next": targets},
        cut_us=learnt.end_us,
        end_us=history.end_us,
        counts=SplitCounts(
            n_train=len(learnt.interactions),
            n_window=len(answers),
            n_after=0,
            n_targets=len(answers),
            n_cold_targets=n_cold,
            n_cold_items=len(np.unique(targets.items[targets.is_cold])),
            n_test_users=len(answers),
            n_cold_users=0,
            n_silent_users=0,
        ),
        rules={"next": ViewRule("the next click; seen items may be listed", exclude_seen=False)},
        protocol="sessions",
        history=history,
        query_users=askers.astype(np.int32),
    )


def _fit(learnt: Dataset, *, quick: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the fitted models by name, and a row for each of what its fit took."""
    names = ("popular", *MEMBERS)
    if quick:
        fits = [_fit_quickly(name, learnt) for name in names]
    else:
        fits = list(fit_all([Wanted(FOLDER, name, 0, part=SESSIONS) for name in names], learnt))
    rows = [
        {"model": name, "fit_s": one.fit_s, "peak_bytes": one.peak_bytes}
        for name, one in zip(names, fits, strict=True)
    ]
    return {name: one.model for name, one in zip(names, fits, strict=True)}, rows


def _fit_quickly(name: str, learnt: Dataset) -> Fitted:
    fast = {"loop": {"n_epochs": 1}} if name == "sequence" else {}
    started_s = time.perf_counter()
    model = registry.create(name, fast).fit(learnt, rng=model_rng(0, name))
    return Fitted(model, time.perf_counter() - started_s, peak_memory_bytes())


def _results(measured: Any) -> dict[str, ModelResult]:
    return dict(measured.evaluation.views["next"].models)


def _row(asked: str, name: str, result: ModelResult) -> dict[str, Any]:
    metrics = {
        said: [value.mean, value.low, value.high]
        for metric, said in (("recall", "hr"), ("mrr", "mrr"))
        for value in [result.metrics[metric]]
    }
    return {"model": name, "asked": asked, **metrics}


def _targets(rows: list[dict[str, Any]]) -> list[Target]:
    """Compare the better of sequence and blend with nearest sessions, as the papers ask."""
    asked = [row for row in rows if row.get("asked") == PUBLISHED]
    by_name = {row["model"]: row for row in asked}
    rival = by_name["session_knn"]
    made = []
    for metric in ("hr", "mrr"):
        best = max((by_name["sequence"], by_name["blend"]), key=lambda row: row[metric][0])
        name = f"{best['model']} / session_knn, {metric.upper()}@{K}"
        made.append(once(name, best[metric][0] / rival[metric][0], ">=", 1.05, ""))
    return made
