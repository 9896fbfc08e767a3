"""Writes the tables of measured numbers in the docs from benchmarks/results/*.json.

`--check` writes nothing and fails when a table is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from endcap.evaluation.report.terminal import render_markdown
from endcap.evaluation.result import Evaluation

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def headline(demo: dict[str, Any]) -> str:
    """Return the table of the README: one row a model, NDCG@10 by kind of target."""
    evaluation = Evaluation.from_dict(demo["rows"][0])
    views = list(evaluation.views)
    head = [f"NDCG@{evaluation.k} on {view} targets" for view in views]
    lines = [
        f"| model | {' | '.join(head)} | HitRate@{evaluation.k}, all | catalogue shown |",
        "|---|" + "---:|" * (len(head) + 2),
    ]
    for name in evaluation.views["all"].models:
        cells = [_cell(evaluation, view, name, "ndcg") for view in views]
        cells.append(_cell(evaluation, "all", name, "hit_rate"))
        cells.append(f"{evaluation.views['all'].models[name].catalogue['coverage']:.2%}")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    counts = evaluation.counts
    lines += [
        "",
        f"{counts.n_test_users:,} shoppers, {counts.n_targets:,} targets in the last "
        f"{(evaluation.end_us - evaluation.cut_us) / 86_400e6:.0f} days, ranked over the full "
        f"catalogue of {evaluation.n_items:,} items; ± is half of a 95 % interval over shoppers. "
        f"*All*: whatever was bought; *repeat*: bought before; *discovery*: never bought before. "
        f"Measured by `{demo['command']}`.",
    ]
    return "\n".join(lines)


def full_evaluation(demo: dict[str, Any]) -> str:
    """Return every metric of the demo's evaluation, with its verdicts and its protocol."""
    return render_markdown(Evaluation.from_dict(demo["rows"][0])).strip()


def targets(result: dict[str, Any]) -> str:
    """Return what was asked of a benchmark and what it reached, missed targets included."""
    machine = result["machine"]
    lines = ["| target | measured | asked | |", "|---|---:|---:|---|"]
    for target in result["targets"]:
        mark = "met" if target["met"] else "**missed**"
        asked = f"{target['op'].replace('>=', '≥').replace('<=', '≤')} {target['limit']:g}"
        lines.append(
            f"| {target['name']} | {target['value']:.4g} {target['unit']} | {asked} | {mark} |"
        )
    lines += [
        "",
        f"`{result['command']}` on {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gb']} GB, Python {result['versions']['python']}.",
    ]
    return "\n".join(lines)


def page_load(pages: dict[str, Any]) -> str:
    """Return the targets of the page benchmark and its latencies."""
    lines = [
        "| visitors | pages | asked for before | p50 | p99 | largest | server CPU a page |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in pages["rows"]:
        lines.append(
            f"| {row['who']} | {row['n_pages']:,} | {row['asked_before']:.0%} | "
            f"{row['p50_ms']:.1f} ms | {row['p99_ms']:.1f} ms | {row['max_ms']:.0f} ms | "
            f"{row['server_cpu_ms_per_page']:.1f} ms |"
        )
    rate = pages["rows"][0]["rate_per_s"]
    return "\n".join(
        [
            targets(pages),
            "",
            *lines,
            "",
            f"{rate} pages a second, one run each on a fresh server, timed from when each page was "
            "due, with the load generator on the same cores; one visitor in ten of the first row "
            "is new. Who was asked for before and did nothing since gets the page kept for the "
            "rest of its minute, which costs next to nothing: the second row is without that.",
        ]
    )


def event_log(events: dict[str, Any]) -> str:
    """Return how many durable appends of one event a second the log takes."""
    lines = ["| | appends/s | p99 |", "|---|---:|---:|"]
    for row in events["rows"]:
        if row["log"] == "plain file":
            name, p99 = "a plain file, one sync an event", ""
        else:
            name, p99 = f"this log, {row['callers']} at once", f"{row['p99_ms']:.1f} ms"
        lines.append(f"| {name} | {row['per_s']:,.0f} | {p99} |")
    machine = events["machine"]
    return "\n".join([*lines, "", f"`{events['command']}` on {machine['cores']} cores."])


def ingest_speed(ingest: dict[str, Any]) -> str:
    """Return the targets of the ingest, its rivals round by round, and how it grows."""
    rivals = [row for row in ingest["rows"] if row["what"] == "rivals"]
    lines = ["| engine | rows | seconds, each round | peak memory |", "|---|---:|---:|---:|"]
    for engine in dict.fromkeys(row["engine"] for row in rivals):
        rows = [row for row in rivals if row["engine"] == engine]
        seconds = ", ".join(f"{row['took_s']:.1f}" for row in rows)
        in_java = engine == "spark" or "local[" in engine
        peak = "in Java" if in_java else f"{max(row['peak_gb'] for row in rows):.2f} GB"
        name = engine.replace("endcap on", "own steps on")
        lines.append(f"| {name} | {rows[0]['rows_in']:,} | {seconds} | {peak} |")
    sizes = ["| reviews | file | seconds | peak memory |", "|---:|---:|---:|---:|"]
    growth = [row for row in ingest["rows"] if row["what"] == "growth"]
    for row in sorted((row for row in growth if "n_rows" in row), key=lambda row: row["n_rows"]):
        sizes.append(
            f"| {row['n_rows']:,} | {row['file_bytes'] / 1e6:,.0f} MB | {row['took_s']:.1f} | "
            f"{row['peak_gb']:.2f} GB |"
        )
    exponent = next(row["exponent"] for row in growth if "exponent" in row)
    return "\n".join(
        [
            targets(ingest),
            "",
            *lines,
            "",
            "Generated reviews with text, gzipped JSON lines, the size and shape of Electronics "
            "2014: raw file to 5-core, ids, counts, features and Parquet. `pandas` and `spark` "
            "are the same steps written for them by hand; *own steps on local[2]* runs this "
            "project's own steps on Spark. The start of Spark and of Python is left out.",
            "",
            *sizes,
            "",
            f"Time grows with the number of rows to the power of {exponent:.2f}.",
        ]
    )


def off_policy(result: dict[str, Any]) -> str:
    """Return errors beside the published ones, intervals that held, and the Open Bandit sample."""
    rows = result["rows"]
    simulated = [row["methods"] for row in rows if row["what"].startswith("simulated")]
    lines = [
        "| method | published | here, same random numbers | here, new random numbers |",
        "|---|---:|---:|---:|",
    ]
    for method, row in simulated[0].items():
        again = simulated[1][method]
        lines.append(
            f"| `{method}` | {row['published_mean']:.4f} ± {row['published_std']:.4f} | "
            f"{row['mean']:.4f} ± {row['std']:.4f} | {again['mean']:.4f} ± {again['std']:.4f} |"
        )
    trials = next(row["classes"] for row in rows if row["what"] == "trials of intervals")
    lines += ["", "| overlap | trials | `ips` | `snips` | `dr` |", "|---|---:|---:|---:|---:|"]
    for kind, found in trials.items():
        held = " | ".join(f"{share:.1%}" for share in found["held"].values())
        lines.append(f"| {kind} | {found['n_trials']:,} | {held} |")
    lines += ["", targets(result)]
    return "\n".join(lines)


def open_bandit(result: dict[str, Any]) -> str:
    """Return what each method says on the Open Bandit sample, beside what was earned."""
    rows = [row for row in result["rows"] if row["what"] == "Open Bandit sample"]
    methods = list(rows[0]["methods"])
    lines = [
        "| log → target | rounds worth | rewards worth | verdict | earned | "
        + " | ".join(f"`{method}`" for method in methods)
        + " |",
        "|---|---:|---:|---|---:|" + "---:|" * len(methods),
    ]
    for row in rows:
        overlap, truth = row["overlap"], row["truth"]
        verdict = "refused" if row["refused"] else "warned" if row["warnings"] else "given"
        cells = []
        for method in methods:
            one = row["methods"][method]
            bounds = "" if method == "dm" else f" [{one['low'] * 1e3:.1f}, {one['high'] * 1e3:.1f}]"
            cells.append(f"{one['value'] * 1e3:.1f}{bounds}")
        lines.append(
            f"| {row['campaign']}: {row['logging']} → {row['target']} | {overlap['ess']:,.0f} | "
            f"{overlap['effective_rewards']:.1f} | {verdict} | {truth['value'] * 1e3:.1f} "
            f"[{truth['low'] * 1e3:.1f}, {truth['high'] * 1e3:.1f}] | {' | '.join(cells)} |"
        )
    lines += ["", "Clicks in 1,000 rounds, with 95 % intervals; 10,000 rounds a log."]
    return "\n".join(lines)


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


def evaluation_speed(result: dict[str, Any]) -> str:
    """Return what was asked of the evaluation's speed, and where the time goes."""
    rows = {row["what"]: row for row in result["rows"]}
    metrics, stream = rows["metrics"], rows["stream"]
    ours = {name: statistics.median(times) for name, times in metrics["endcap_s"].items()}
    theirs = {
        name: statistics.median(run[name] for run in metrics["rectools_s"])
        for name in metrics["rectools_s"][0]
    }
    lines = [
        targets(result),
        "",
        "| part | Endcap | RecTools |",
        "|---|---:|---:|",
        f"| accuracy, AUC included | {ours['accuracy']:.2f} s "
        f"| {theirs['accuracy'] + theirs['auc']:.2f} s |",
        f"| variety and catalogue | {ours['variety']:.2f} s "
        f"| {theirs['catalogue'] + theirs['popularity']:.2f} s, and {theirs['diversity']:.2f} s "
        "for the diversity of a tenth of the users |",
        "",
        f"{stream['n_users']:,} users were ranked over {stream['n_items']:,} items and measured in "
        f"{stream['took_s'] / 60:.1f} minutes. RecTools {metrics['rectools_version']}.",
    ]
    return "\n".join(lines)


Render = Callable[[dict[str, Any]], str]
TABLES: dict[str, tuple[str, str, Render]] = {
    "headline": ("README.md", "demo", headline),
    "demo-targets": ("docs/guide/measured.md", "demo", targets),
    "evaluation": ("docs/guide/measured.md", "demo", full_evaluation),
    "ingest": ("docs/guide/measured.md", "ingest", ingest_speed),
    "pages": ("docs/guide/measured.md", "pages", page_load),
    "evaluation-speed": ("docs/guide/measured.md", "evaluation", evaluation_speed),
    "off-policy": ("docs/guide/off-policy.md", "off_policy", off_policy),
    "open-bandit": ("docs/guide/off-policy.md", "off_policy", open_bandit),
    "seed-1": ("docs/guide/seeds.md", "seeds", seed_1),
    "seed-labels": ("docs/guide/seeds.md", "seeds", seed_labels),
    "seed-2": ("docs/guide/seeds.md", "seeds", seed_2),
    "seeds-rating": ("docs/guide/seeds.md", "seeds", rating_errors),
    "seeds-targets": ("docs/guide/seeds.md", "seeds", targets),
    "events": ("docs/adr/0004-events-in-sqlite.md", "events", event_log),
}
"""Name of a table -> the page it stands on, the result it is made from, how."""


def filled(text: str, name: str, table: str) -> str:
    """Return the page with the table between its two marks.

    Raises:
        SystemExit: the page does not have the marks.
    """
    start, end = f"<!-- table {name} -->", f"<!-- end {name} -->"
    if text.count(start) != 1 or text.count(end) != 1:
        sys.exit(f"the page needs the lines {start} and {end}, once each")
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{table}\n{end}{after}"


def main() -> None:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    stale = []
    for name, (page, result, render) in TABLES.items():
        record = json.loads((RESULTS / f"{result}.json").read_text(encoding="utf-8"))
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        wanted = filled(text, name, render(record))
        if wanted != text and check:
            stale.append(f"{page}: {name}")
        elif wanted != text:
            path.write_text(wanted, encoding="utf-8")
    if stale:
        sys.exit(f"not what the results say, run make reference: {', '.join(stale)}")


def _cell(evaluation: Evaluation, view: str, name: str, metric: str) -> str:
    if name == "random":
        return f"{evaluation.views[view].expected_random[metric]:.4f}"
    interval = evaluation.views[view].models[name].metrics[metric]
    return f"{interval.mean:.4f} ±{(interval.high - interval.low) / 2:.4f}"


if __name__ == "__main__":
    main()
