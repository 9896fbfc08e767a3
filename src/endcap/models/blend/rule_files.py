"""The rules of a blend as files: JSON, and the trees as the text that LightGBM writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from endcap.models.blend.fusion import Fusion
from endcap.models.blend.rule import Rule
from endcap.models.ranker.trees import TreeRanker
from endcap.schema.errors import DataError

RULES = "rules.json"
NAMES = {True: "without_seen", False: "with_seen"}


def save_rules(rules: Mapping[bool, Rule], folder: Path) -> None:
    """Write the rules into an existing folder."""
    record = {}
    for exclude_seen, rule in rules.items():
        record[NAMES[exclude_seen]] = {
            "fusion": asdict(rule.fusion),
            "quality": dict(rule.quality),
            "has_trees": rule.ranker is not None,
        }
        if rule.ranker is not None:
            rule.ranker.save(_trees(folder, exclude_seen))
    (folder / RULES).write_text(json.dumps(record, indent=2) + "\n")


def load_rules(folder: Path) -> dict[bool, Rule]:
    """Return the rules that `save_rules` wrote.

    Raises:
        DataError: they are missing or damaged.
    """
    try:
        record = json.loads((folder / RULES).read_text())
        return {
            exclude_seen: _rule(record[name], _trees(folder, exclude_seen))
            for exclude_seen, name in NAMES.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"the rules of a blend cannot be read: {error}", where=str(folder), mend="Train again"
        ) from error


def _rule(record: Mapping[str, Any], trees: Path) -> Rule:
    fusion = Fusion(tuple(record["fusion"]["weights"]), record["fusion"]["rrf_k"])
    ranker = TreeRanker.of(trees.read_text()) if record["has_trees"] else None
    return Rule(fusion, ranker, record["quality"])


def _trees(folder: Path, exclude_seen: bool) -> Path:
    return folder / f"{NAMES[exclude_seen]}.trees.txt"
