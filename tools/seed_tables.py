"""Tables of the protocols of two earlier projects; `tables.py` puts them into the docs."""

from __future__ import annotations

from typing import Any

SEED_1_COLUMNS = {
    "mse_validation": "validation MSE",
    "mae_validation": "validation MAE",
    "mse": "test MSE",
    "mae": "test MAE",
    "precision@10": "P@10",
}
SEED_2_COLUMNS = {"rmse": "RMSE", "precision@10": "P@10", "ndcg@10": "NDCG@10"}
PUBLISHED_1 = ("published", "0.1795", "0.3950", "0.1792", "0.3946", "0.0110")
PUBLISHED_2 = ("published, best of its grid", "1.2458", "0.7981", "0.8662")
SEED_ROWS = {
    "constant_half": "constant 0.5",
    "constant_mean": "constant: mean label",
    "constant_zero": "constant 0",
    "global_mean": "constant: mean rating",
    "constant_five": "constant: five stars",
    "random": "random scores",
    "oracle": "perfect scores",
    "item_mean": "mean label of the item",
    "network": "the published network",
    "biased_mean": "mean with biases",
    "biased_mf": "factors with biases",
}


def seed_1(seeds: dict[str, Any]) -> str:
    """Return the table of protocol seed-1: what was published, and what knows nothing."""
    whole, sparse, dense = _seed_rows(seeds, "seed-1")[:3]
    lines = [*_seed_head(SEED_1_COLUMNS), f"| {' | '.join(PUBLISHED_1)} |"]
    for name in whole["rows"]:
        lines.append(_seed_line(SEED_ROWS[name], whole["rows"][name], SEED_1_COLUMNS))
    for table in (sparse, dense):
        label = f"{SEED_ROWS['network']}, {table['data']}"
        lines.append(_seed_line(label, table["rows"]["network"], SEED_1_COLUMNS))
    for name in ("popular", "als"):
        label = f"`{name}`, {dense['data']}"
        lines.append(_seed_line(label, dense["rows"][name], SEED_1_COLUMNS))
    facts, said = whole["facts"], sparse["facts"]
    lines += [
        "",
        f"{facts['n_rows']:,} generated reviews of Electronics' shape (2018), of which "
        f"{facts['n_validation']:,} validation rows and {facts['n_test']:,} test rows of "
        f"{facts['n_test_users']:,} users, {facts['rows_per_test_user']:.2f} each; where a share "
        "is named, so much of them. Trained on a quarter of them, the network says between "
        f"{said['network_least_prediction']:.4f} and {said['network_most_prediction']:.4f} to "
        "every held-out row. ±: half of a 95 % interval over users. "
        f"Measured by `{seeds['command']}`.",
    ]
    return "\n".join(lines)


def seed_labels(seeds: dict[str, Any]) -> str:
    """Return what the label is made of on real data: the place of a row in its file."""
    real = [row for row in _seed_rows(seeds, "seed-1") if row["data"].startswith("real")]
    lines = ["| | mean label | mean label of the item |", "|---|---:|---:|"]
    for table in real:
        cells = (table["rows"][name]["mse_validation"] for name in ("constant_mean", "item_mean"))
        lines.append(f"| {table['data']} | {' | '.join(map(_seed_cell, cells))} |")
    return "\n".join([*lines, "", f"Validation MSE; {real[0]['facts']['n_rows']:,} real ratings."])


def seed_2(seeds: dict[str, Any]) -> str:
    """Return the table of protocol seed-2, on generated reviews and with their stars shuffled."""
    generated, shuffled = _seed_rows(seeds, "seed-2")
    lines = [*_seed_head(SEED_2_COLUMNS), f"| {' | '.join(PUBLISHED_2)} |"]
    for table, label in ((generated, ""), (shuffled, ", stars shuffled")):
        for name, row in table["rows"].items():
            lines.append(_seed_line(f"{_seed_name(name)}{label}", row, SEED_2_COLUMNS))
    facts = generated["facts"]
    lines += [
        "",
        f"{facts['n_ratings']:,} generated ratings of Electronics' shape (2014): "
        f"{facts['n_test']:,} held-out rows of {facts['n_test_users']:,} users, "
        f"{facts['rows_per_test_user']:.2f} each; {facts['n_dropped']:,} dropped because their "
        f"user or item has no other row. {facts['relevant_share_of_rows']:.4f} of the rows have "
        "four stars or more.",
    ]
    return "\n".join(lines)


def rating_errors(seeds: dict[str, Any]) -> str:
    """Return the errors of predicted ratings under the cut in time, generated and real."""
    lines = ["| | RMSE, pooled | MAE, pooled | RMSE, mean of users | RMSE, known rows |"]
    lines.append("|---|---:|---:|---:|---:|")
    for table in _seed_rows(seeds, "rating"):
        for name, model in table["models"].items():
            known = model["rmse_of"]["known"]
            cells = [_seed_cell(model["pooled"][error]) for error in ("rmse", "mae")]
            cells += [_seed_cell(model["per_user"]["rmse"]), f"{known:.4f}"]
            lines.append(f"| `{name}`, {table['data']} | {' | '.join(cells)} |")
    notes = [
        f"{table['data']}: {table['counts']['n_rows']:,} ratings of {table['counts']['n_users']:,} "
        f"users in the last 180 days, {table['counts']['n_rows_of_new_users']:,} of new users and "
        f"{table['counts']['n_rows_of_new_items']:,} of new items among them"
        for table in _seed_rows(seeds, "rating")
    ]
    return "\n".join([*lines, "", f"{'; '.join(notes)}."])


def _seed_rows(seeds: dict[str, Any], protocol: str) -> list[dict[str, Any]]:
    return [row for row in seeds["rows"] if row["protocol"] == protocol]


def _seed_name(name: str) -> str:
    if name.startswith("als_"):
        return "ALS, rank {}, reg. {}".format(*name.split("_")[1:])
    return SEED_ROWS[name]


def _seed_head(columns: dict[str, str]) -> list[str]:
    return [f"| | {' | '.join(columns.values())} |", "|---|" + "---:|" * len(columns)]


def _seed_line(label: str, row: dict[str, Any], columns: dict[str, str]) -> str:
    return f"| {label} | {' | '.join(_seed_cell(row[metric]) for metric in columns)} |"


def _seed_cell(interval: dict[str, Any]) -> str:
    if interval["mean"] is None:
        return "-"
    return f"{interval['mean']:.4f} ±{(interval['high'] - interval['low']) / 2:.4f}"
