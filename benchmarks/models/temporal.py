"""Amazon Beauty with one cut in time for everybody: our models beside those of other libraries.

The last 70 days are foreseen, a tenth of the events, and the 70 days before them are the
validation window; each model learns all that comes before the cut, as by default. Our settings are
the defaults, chosen under leave-one-out; the blend learns to rank from the validation window and
the one before it. A rival's settings are searched on the validation window for as many seconds of
one thread as our blend took in all: three fits of each of its members, and its learning.

Asked are all users with something new in the window; whom a rival does not know gets the popular
items, as from ours. Intervals are over users, of one fit of each model.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.models.data import folder_of, leave_one_out_data
from benchmarks.models.fits import PARTS, Fitted, Wanted, fit_all
from benchmarks.models.rivals import VIEW, fit_rivals, hand_over, lists_of
from benchmarks.result import Target, once, write_result
from endcap.evaluation.certainty.bootstrap import Difference, Interval
from endcap.evaluation.evaluate import evaluate
from endcap.evaluation.judge_view import Terms
from endcap.evaluation.lists.rank import Ranker
from endcap.evaluation.result import Evaluation
from endcap.evaluation.split import Split
from endcap.models.blend.config import BlendConfig
from endcap.models.blend.ranked import RankedBlend, learn_together
from endcap.models.blend.rule import Rule
from endcap.schema.dataset import Dataset
from endcap.training.blend import lessons_of
from endcap.training.run import model_rng

FOLDER = "amazon_beauty_5core_2014"
MEMBERS = ("item_knn", "ease", "session_knn", "als", "two_tower", "sequence")
SLOW = ("two_tower", "sequence")
RIVALS = {
    "sasrec": "SASRec, RecTools",
    "als": "ALS, implicit",
    "bpr": "BPR, implicit",
    "lightfm": "LightFM, WARP",
}
N_WINDOWS = 2
"""How many windows before the cut the blend learns to rank from."""

QUICK_BUDGET_S = 5.0
ABOVE = 1.10


def run(*, quick: bool) -> Path:
    """Measure and write `results/models.temporal.json`.

    Args:
        quick: a tenth of the users, none of our networks, of theirs ALS alone.
    """
    data, part = leave_one_out_data(folder_of(FOLDER)), "tenth-temporal" if quick else "temporal"
    parts = [f"{part}-{n_back}" for n_back in range(1 + N_WINDOWS)]
    splits = {part: _new_items_only(PARTS[part](data)) for part in parts}
    test, validation = (splits[part] for part in parts[:2])
    members = tuple(name for name in MEMBERS if not (quick and name in SLOW))
    rivals = {key: said for key, said in RIVALS.items() if key == "als" or not quick}
    models, took_s = _ours(members, splits)
    budget_s = QUICK_BUDGET_S if quick else took_s["blend"]
    with tempfile.TemporaryDirectory(prefix="endcap-bench-") as name:
        folder = Path(name)
        hand_over(folder, {"test": test, "validation": validation})
        told = fit_rivals(folder, tuple(rivals), budget_s=budget_s)
        for key, said in rivals.items():
            models[said] = lists_of(folder, key, test, unknown=models["popular"])
    found = _judge(models, test, said=tuple(rivals.values()))
    rows = _rows(found, took_s, {said: told[key] for key, said in rivals.items()})
    rows.append({"what": "question", **_question(test, found), "budget_s": budget_s})
    return write_result(
        "models.temporal-quick" if quick else "models.temporal",
        command=f"make bench NAME=models.temporal{' QUICK=1' if quick else ''}",
        targets=_targets(rows, tuple(rivals.values())),
        rows=rows,
        packages=("numpy", "scipy", "torch", "lightgbm", "implicit"),
    )


def _new_items_only(split: Split) -> Split:
    """Return the split with one view: nobody in this data takes an item again."""
    return replace(split, targets={VIEW: split.targets[VIEW]}, rules={VIEW: split.rules[VIEW]})


def _ours(
    members: tuple[str, ...], splits: Mapping[str, Split]
) -> tuple[dict[str, Ranker], dict[str, float]]:
    """Return our fitted models and their blend, and the seconds that each took in all."""
    names = [("popular", *members), *([members] * N_WINDOWS)]
    fits = [
        _fits(some, split.train, part)
        for some, (part, split) in zip(names, splits.items(), strict=True)
    ]
    started_s = time.perf_counter()
    taught = [
        (_blend(some, members, split), lessons_of(split))
        for some, split in zip(fits, splits.values(), strict=True)
    ]
    test = next(iter(splits.values()))
    rules = learn_together(taught[1:], seed=0)
    blend = _blend(fits[0], members, test, rules=rules)
    learnt_s = time.perf_counter() - started_s
    took_s = {name: one.fit_s for name, one in fits[0].items()}
    whole_s = sum(some[name].fit_s for some in fits for name in members)
    asked: dict[str, Ranker] = {name: one.model for name, one in fits[0].items()}
    asked["blend"] = blend
    if blend.has_trees:
        asked["blend_rrf"] = blend.floor()
    return asked, took_s | {"blend": learnt_s + whole_s}


def _fits(names: tuple[str, ...], learnt: Dataset, part: str) -> dict[str, Fitted]:
    wanted = [Wanted(FOLDER, name, 0, part=part) for name in names]
    return dict(zip(names, fit_all(wanted, learnt), strict=True))


def _blend(
    fits: Mapping[str, Fitted],
    members: tuple[str, ...],
    split: Split,
    *,
    rules: Mapping[bool, Rule] | None = None,
) -> RankedBlend:
    models = {name: fits[name].model for name in members}
    return RankedBlend.of(models, learnt=split.train, rules=rules, config=BlendConfig())


def _judge(
    models: Mapping[str, Ranker], split: Split, *, said: tuple[str, ...]
) -> dict[str, Evaluation]:
    """Return the evaluation beside the popular items, and beside each rival."""
    found = {}
    for reference in ("popular", *said):
        some = models if reference == "popular" else {n: models[n] for n in ("blend", reference)}
        terms = Terms(k=10, reference=reference, exact_auc=False, slices=False)
        rng = model_rng(0, "evaluation")
        found[reference] = evaluate(some, split, rng=rng, terms=terms).evaluation
    return found


def _rows(
    found: Mapping[str, Evaluation], took_s: Mapping[str, float], told: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    rows = []
    for name, result in found["popular"].views[VIEW].models.items():
        row: dict[str, Any] = {"what": "model", "model": name}
        row |= {m: _three(result.metrics[m]) for m in ("hit_rate", "recall", "ndcg", "mrr")}
        if name in took_s:
            row["fit_s"] = took_s[name]
        if name in told:
            gain = found[name].views[VIEW].models["blend"].versus_reference["ndcg"]
            row |= {"search": told[name], "blend_minus_this": _three(gain)}
        rows.append(row)
    return rows


def _three(interval: Interval | Difference) -> list[float]:
    return [interval.mean, interval.low, interval.high]


def _question(split: Split, found: Mapping[str, Evaluation]) -> dict[str, Any]:
    view = found["popular"].views[VIEW]
    return {
        "n_learnt": len(split.train.interactions),
        "n_users": view.n_users,
        "n_targets": view.n_targets,
        "n_cold_targets": view.n_cold_targets,
        "n_cold_users": split.counts.n_cold_users,
    }


def _targets(rows: list[dict[str, Any]], said: tuple[str, ...]) -> list[Target]:
    """Compare the blend with the best rival, which is known only afterwards."""
    by_name = {row["model"]: row for row in rows if row["what"] == "model"}
    best = max((by_name[name] for name in said), key=lambda row: row["ndcg"][0])
    blend, rival = by_name["blend"]["ndcg"], best["ndcg"]
    beside = f"blend / {best['model']}, NDCG@10"
    low, high = blend[1] / rival[2], blend[2] / rival[1]
    return [
        Target(beside, blend[0] / rival[0], (low, high), ">=", ABOVE, "ratio"),
        once(f"blend, lower end - {best['model']}, upper end", blend[1] - rival[2], ">=", 0.0, ""),
    ]
