"""Tables of what the benchmarks of models found; `tables.py` puts them into the docs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def beauty(result: dict[str, Any]) -> str:
    """Return hit rate and NDCG of each model on Amazon Beauty, and what a fit takes."""
    lines = _head("model", "HR@10", "NDCG@10", "a fit", "peak memory")
    for row in result["rows"]:
        seconds = row.get("fit_s", [])
        took = f"{statistics.median(seconds):,.1f} s" if seconds else "-"
        lines.append(
            _line(row["model"], _cell(row["recall"]), _cell(row["ndcg"]), took, _peak(row))
        )
    return "\n".join(lines)


def published(result: dict[str, Any]) -> str:
    """Return our best models on Amazon Beauty beside the best published one, for the README."""
    rows = {row["model"]: row for row in result["rows"]}
    shown = ("random", "popular", "item_knn", "ease", "two_tower", "sequence", "blend")
    theirs = [name for name in rows if len(rows[name]["recall"]) == 1]
    lines = _head("model", "HR@10", "NDCG@10", "a fit")
    for name in (*shown, *theirs):
        row = rows[name]
        seconds = row.get("fit_s", [])
        took = f"{statistics.median(seconds):,.0f} s" if seconds else ""
        said = f"`{name}`" if name in shown else f"best published: {name}"
        lines.append(_line(said, _cell(row["recall"]), _cell(row["ndcg"]), took))
    lines += [
        "",
        f"± is half of a 95 % interval over users and fits; seconds are those of one thread on a "
        f"busy machine, the blend's without its members'. Measured by `{result['command']}`.",
    ]
    return "\n".join(lines)


def sessions(result: dict[str, Any]) -> str:
    """Return hit rate and reciprocal rank of each model on RetailRocket's sessions."""
    lines = _head("model", "asked", "HR@20", "MRR@20")
    for row in result["rows"]:
        if "asked" in row:
            lines.append(_line(row["model"], row["asked"], _cell(row["hr"]), _cell(row["mrr"])))
    lines += ["", *_head("model", "a fit", "peak memory so far")]
    for row in result["rows"]:
        if "fit_s" in row:
            lines.append(_line(row["model"], f"{row['fit_s']:,.1f} s", _peak(row)))
    return "\n".join(lines)


def next_basket(result: dict[str, Any]) -> str:
    """Return the NDCG of each model on Complete Journey's next baskets, beside `repeat`."""
    lines = _head("model", "asked", "NDCG@10", "above repeat")
    for row in result["rows"]:
        if row["what"] != "model" or row["model"] == "random":
            continue
        gain = row.get("ndcg_above_repeat")
        beside = f"{gain[0]:+.4f} [{gain[1]:+.4f}, {gain[2]:+.4f}]" if gain else ""
        lines.append(_line(row["model"], row["view"], _cell(row["ndcg"]), beside))
    (asked,) = (row for row in result["rows"] if row["what"] == "question")
    lines += [
        "",
        f"{asked['n_users']:,} households and {asked['n_targets']:,} purchases, ranked over "
        f"{asked['n_items']:,} items; the blend learnt from {asked['n_windows']} windows. Random "
        f"has less than 0.001.",
    ]
    return "\n".join(lines)


def temporal(result: dict[str, Any]) -> str:
    """Return our models and those of other libraries under one cut in time."""
    lines = _head("model", "HR@10", "Recall@10", "NDCG@10", "blend - this, NDCG@10", "a fit")
    models = [row for row in result["rows"] if row["what"] == "model"]
    for row in models:
        gain = row.get("blend_minus_this")
        beside = f"{gain[0]:+.4f} [{gain[1]:+.4f}, {gain[2]:+.4f}]" if gain else ""
        fit_s = row["search"]["fit_s"] if "search" in row else row.get("fit_s")
        took = f"{fit_s:,.1f} s" if fit_s is not None else ""
        cells = [_cell(row[metric]) for metric in ("hit_rate", "recall", "ndcg")]
        lines.append(_line(row["model"], *cells, beside, took))
    (asked,) = (row for row in result["rows"] if row["what"] == "question")
    lines += [
        "",
        f"{asked['n_users']:,} users, {asked['n_cold_users']:,} of them new, and "
        f"{asked['n_targets']:,} targets, {asked['n_cold_targets']:,} of them items that nobody "
        f"had; {asked['n_learnt']:,} events to learn from. Each rival could search its settings "
        f"for {asked['budget_s']:,.0f} s of one thread, which is what the blend took in all. "
        + " ".join(_search(row) for row in models if "search" in row),
    ]
    return "\n".join(lines)


def _search(row: dict[str, Any]) -> str:
    found = row["search"]
    epochs = f", {found['chosen']['n_epochs']} epochs" if found["chosen"]["n_epochs"] else ""
    chosen = ", ".join(f"`{key}` {value}" for key, value in found["chosen"]["setting"].items())
    return (
        f"{row['model']}: {found['n_settings']} settings tried in {found['searched_s']:,.0f} s, "
        f"best {chosen}{epochs}."
    )


def speed(result: dict[str, Any]) -> str:
    """Return seconds beside others, round by round."""
    lines = _head("what", "ours, each round", "theirs, each round", "NDCG@10, ours and theirs")
    for row in result["rows"]:
        if row["what"] == "epoch":
            name = f"an epoch of {row['model']}, of {row['peer']}"
            quality = f"{row['own_ndcg'][0]:.4f}, {row['peer_ndcg'][0]:.4f}"
        elif row["what"] == "als":
            name, quality = f"ALS, {row['n_items']:,} items, bare `implicit`", ""
        else:
            continue
        lines.append(_line(name, _seconds(row["own_s"]), _seconds(row["peer_s"]), quality))
    for row in result["rows"]:
        if row["what"] == "ease":
            lines += [
                "",
                f"EASE on {row['n_users']:,} users, {row['n_items']:,} items and "
                f"{row['n_events']:,} events: {row['fit_s']:,.0f} s, {_peak(row)} at the peak.",
            ]
    return "\n".join(lines)


def cold_items(result: dict[str, Any]) -> str:
    """Return recall among items that nobody had, and among all items."""
    lines = _head("model", "Recall@20, cold items", "Recall@20, cold and warm")
    models = [row for row in result["rows"] if row["what"] == "model"]
    for row in models:
        cells = (
            _cell([row[view], *row[f"{view}_interval"]]) for view in ("cold_only", "cold_and_warm")
        )
        lines.append(_line(row["model"], *cells))
    (asked,) = (row for row in result["rows"] if row["what"] == "question")
    lines += [
        "",
        f"{asked['n_users']:,} users; at random {asked['random']:.4f} among cold items. The rival "
        f"is the best of its kind on these very users: {asked['best_rival']}.",
    ]
    return "\n".join(lines)


def _head(first: str, *others: str) -> list[str]:
    return [_line(first, *others), "|---|" + "---:|" * len(others)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Sequence[float]) -> str:
    """Return a mean with half of its interval, where there is one."""
    if len(value) == 1:
        return f"{value[0]:.4f}"
    return f"{value[0]:.4f} ±{(value[2] - value[1]) / 2:.4f}"


def _peak(row: dict[str, Any]) -> str:
    return f"{row['peak_bytes'] / 1e9:.2f} GB" if row.get("peak_bytes") else "-"


def _seconds(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values) + " s"
