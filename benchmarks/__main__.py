"""Runs one benchmark by name: `python -m benchmarks NAME`; QUICK=1 for a version under a minute."""

from __future__ import annotations

import importlib
import json
import os
import sys

MODELS = ("beauty", "cold_items", "next_basket", "sessions", "speed", "temporal")
NAMES = (
    *("demo", "evaluation", "events", "ingest"),
    *(f"models.{name}" for name in MODELS),
    *("off_policy", "pages", "seeds", "tables"),
)


def main() -> None:
    """Run the named benchmark, print its targets, and fail when one is missed."""
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: make bench NAME=<{'|'.join(NAMES)}> [QUICK=1]")
    quick = os.environ.get("QUICK", "") not in ("", "0")
    path = importlib.import_module(f"benchmarks.{sys.argv[1]}").run(quick=quick)
    targets = json.loads(path.read_text(encoding="utf-8"))["targets"]
    for target in targets:
        mark = "met   " if target["met"] else "MISSED"
        print(
            f"{mark} {target['name']}: {target['value']:.4g} {target['unit']} "
            f"({target['op']} {target['limit']:g})"
        )
    print(f"written to {path}")
    sys.exit(not all(target["met"] for target in targets))


if __name__ == "__main__":
    main()
