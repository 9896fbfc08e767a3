"""How long the demo takes from raw purchases to a rendered page, and how good its models are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import Target, once, write_result

MAX_S, MAX_GB = 240.0, 4.0
PERSONAL = ("repeat", "item_knn", "als", "two_tower")


def run(*, quick: bool) -> Path:
    """Run the demo in an empty folder and write `results/demo.json`.

    Args:
        quick: 300 users only; the ratios are checked on them, nothing is written over.
    """
    arguments = ["demo", "--no-serve", "--json"] + (["--sample-users", "300"] if quick else [])
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "endcap", *arguments],
            cwd=folder,
            env={**os.environ, "ENDCAP_VAR": folder},
            stdout=subprocess.PIPE,
            check=True,
        )
        took_s = time.perf_counter() - started_s
        summary = json.loads(done.stdout)
        evaluation = json.loads((Path(summary["evaluation"]) / "evaluation.json").read_text())
    for view in evaluation["views"].values():  # megabytes, and in no table of the docs
        view |= {"slices": [], "exposure": {}}
    targets = [
        once("ingest, evaluate, train, bundle, page", took_s, "<=", MAX_S, "s"),
        once("peak memory", summary["peak_memory_bytes"] / 1e9, "<=", MAX_GB, "GB"),
        *_quality(evaluation),
    ]
    return write_result(
        "demo-quick" if quick else "demo",
        command=f"make bench NAME=demo{' QUICK=1' if quick else ''}",
        targets=targets,
        rows=[evaluation],
    )


def _quality(evaluation: dict[str, Any]) -> list[Target]:
    """Return what a model must show before anybody should look at its page."""
    every, discovery = evaluation["views"]["all"], evaluation["views"]["discovery"]
    ndcg = {name: model["metrics"]["ndcg"]["mean"] for name, model in every["models"].items()}
    ndcg["random"] = every["expected_random"]["ndcg"]  # exact, not one draw
    weakest = min((name for name in ndcg if name != "random"), key=lambda name: ndcg[name])
    best = max((name for name in PERSONAL if name in ndcg), key=lambda name: ndcg[name])
    gains = {
        name: model["versus_reference"]["ndcg"]
        for name, model in discovery["models"].items()
        if name in PERSONAL
    }
    finder = max(gains, key=lambda name: gains[name]["low"])
    gain = gains[finder]
    return [
        once(
            f"NDCG@10, all targets, weakest model ({weakest}) / random",
            ndcg[weakest] / ndcg["random"],
            ">=",
            10,
            "ratio",
        ),
        once(
            f"NDCG@10, all targets, {best} / popular",
            ndcg[best] / ndcg["popular"],
            ">=",
            2,
            "ratio",
        ),
        Target(
            f"NDCG@10, discovery, {finder} - popular, lower end of the 95 % interval",
            gain["low"],
            (gain["low"], gain["high"]),
            ">=",
            0,
            "difference",
        ),
    ]
