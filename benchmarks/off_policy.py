"""How far off-policy estimates are from the truth, and whether refusals and intervals are right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import Target, once, write_result
from endcap.cli.off_policy_tables import Columns, code_book, feedback_from, read_table
from endcap.evaluation.off_policy.feedback import LoggedFeedback
from endcap.evaluation.off_policy.intervals import estimates_of
from endcap.evaluation.off_policy.overlap import CAUTION, Limits
from endcap.evaluation.off_policy.target import action_shares, same_in_every_context
from endcap.evaluation.off_policy.value import METHODS, policy_value
from endcap.simulate.bandit_table import N_RUNS, PUBLISHED, table_run

PACKAGES = ("numpy", "scikit-learn", "scipy", "duckdb")
COLUMNS = Columns("click", "item_id", "propensity_score", "position")
SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data"
ANYTHING = Limits(0, 0.0, 0.0, 0.0, 1.0, np.inf)
WORTH, DOUBTFUL, REFUSED = "without a warning", "with a warning", "refused"


def run(*, quick: bool) -> Path:
    """Measure errors on simulated and real feedback, and write `results/off_policy.json`.

    Args:
        quick: a tenth of the trials of intervals, and no second set of random numbers.
    """
    published = _table(as_published=True)
    rows = [{"what": "simulated, as published", "methods": published}]
    targets = list(_table_targets(published))
    if not quick:
        rows.append(
            {"what": "simulated, new random numbers", "methods": _table(as_published=False)}
        )
    trials = _trials(n_trials=150 if quick else 1500)
    rows.append({"what": "trials of intervals", "classes": trials})
    held = trials[WORTH]["held"]["dr"]
    targets.append(once("doubly robust intervals without a warning hold", held, ">=", 0.9, "share"))
    rows.extend(_open_bandit())
    return write_result(
        "off_policy-quick" if quick else "off_policy",
        command=f"make bench NAME=off_policy{' QUICK=1' if quick else ''}",
        targets=targets,
        rows=rows,
        packages=PACKAGES,
    )


def _table(*, as_published: bool) -> dict[str, dict[str, float]]:
    runs = [table_run(seed, as_published=as_published) for seed in range(N_RUNS)]
    errors = {method: [run.errors[method] for run in runs] for method in METHODS}
    return {
        method: {
            "mean": float(np.mean(found)),
            "std": float(np.std(found, ddof=1)),
            "published_mean": PUBLISHED[method][0],
            "published_std": PUBLISHED[method][1],
        }
        for method, found in errors.items()
    }


def _table_targets(table: dict[str, dict[str, float]]) -> Iterator[Target]:
    gap = max(abs(row["mean"] - row["published_mean"]) for row in table.values())
    yield once("largest gap to a published mean error", gap, "<=", 1e-4, "relative error")
    for method in ("dr", "snips"):
        yield once(f"error of {method}", table[method]["mean"], "<=", 0.02, "relative error")
    ratio = table["dm"]["mean"] / table["dr"]["mean"]
    yield once("error of dm / error of dr", ratio, ">=", 1.0, "ratio")


def _trials(*, n_trials: int) -> dict[str, Any]:
    """Return how often 95 % intervals held the truth, by what was said of the overlap."""
    rng = np.random.default_rng(0)
    held: dict[str, list[dict[str, bool]]] = {WORTH: [], DOUBTFUL: [], REFUSED: []}
    for _ in range(n_trials):
        feedback, truth = _skewed_log(rng)
        found = policy_value(
            feedback,
            same_in_every_context(np.full((1, feedback.n_actions), 1 / feedback.n_actions)),
            rng=rng,
            methods=("ips", "snips", "dr"),
            predicted=np.full((len(feedback), feedback.n_actions), feedback.reward.mean()),
            limits=ANYTHING,
            n_replicates=200,
        )
        overlap = found.overlap
        kind = DOUBTFUL if overlap.faults(CAUTION) else WORTH
        held[REFUSED if overlap.faults(Limits()) else kind].append(
            {name: one.low <= truth <= one.high for name, one in found.estimates.items()}
        )
    return {
        kind: {
            "n_trials": len(found),
            "held": {
                method: float(np.mean([one[method] for one in found])) if found else None
                for method in ("ips", "snips", "dr")
            },
        }
        for kind, found in held.items()
    }


def _skewed_log(rng: np.random.Generator, *, n_actions: int = 20) -> tuple[LoggedFeedback, float]:
    """Return a log of rare or common rewards with more or less skewed propensities."""
    n_rounds = int(rng.choice([500, 2000, 8000]))
    logging = np.exp(rng.uniform(0.2, 2.8) * rng.normal(size=n_actions))
    logging /= logging.sum()
    rate = np.exp(rng.uniform(np.log(0.003), np.log(0.3)))
    liked = np.clip(rate * np.exp(0.5 * rng.normal(size=n_actions)), 0, 1)
    action = rng.choice(n_actions, size=n_rounds, p=logging)
    reward = (rng.random(n_rounds) < liked[action]).astype(np.float64)
    feedback = LoggedFeedback(action, reward, logging[action], n_actions=n_actions)
    return feedback, float(liked.mean())


def _open_bandit() -> Iterator[dict[str, Any]]:
    folder = Path(os.environ.get("ENDCAP_TEST_DATA", SAMPLE)) / "open_bandit_sample"
    for campaign in ("all", "men", "women"):
        for logging, judged in (("random", "bts"), ("bts", "random")):
            files = [folder / f"{name}_{campaign}.parquet" for name in (logging, judged)]
            if all(file.is_file() for file in files):
                yield {
                    "what": "Open Bandit sample",
                    "campaign": campaign,
                    "logging": logging,
                    "target": judged,
                    **_judged(*files),
                }


def _judged(log_file: Path, target_file: Path) -> dict[str, Any]:
    tables = [read_table(log_file), read_table(target_file)]
    book = code_book(tables, COLUMNS)
    feedback, own = (feedback_from(table, COLUMNS, book) for table in tables)
    found = policy_value(
        feedback,
        same_in_every_context(action_shares(own)),
        rng=np.random.default_rng(0),
        limits=ANYTHING,
    )
    rng = np.random.default_rng(0)
    truth = estimates_of({}, own.reward, own.groups, rng=rng)[2]
    return {
        "refused": found.overlap.faults(Limits()),
        "warnings": found.warnings,
        "overlap": asdict(found.overlap),
        "truth": asdict(truth),
        "logged": asdict(found.logged),
        "settings": found.settings,
        "methods": {
            method: asdict(one) | {"error": abs(one.value - truth.value) / truth.value}
            for method, one in found.estimates.items()
        },
    }
