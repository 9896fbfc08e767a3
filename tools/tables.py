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

import model_tables
import seed_tables

from endcap.evaluation.report.terminal import render_markdown
from endcap.evaluation.result import Evaluation

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = "docs/guide/measured.md"


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


def with_targets(render: Render) -> Render:
    """Return what writes the targets above a table."""
    return lambda result: f"{targets(result)}\n\n{render(result)}"


TABLES: dict[str, tuple[str, str, Render]] = {
    "headline": ("README.md", "demo", headline),
    "published": ("README.md", "models.beauty", model_tables.published),
    "demo-targets": (MEASURED, "demo", targets),
    "evaluation": (MEASURED, "demo", full_evaluation),
    "ingest": (MEASURED, "ingest", ingest_speed),
    "pages": (MEASURED, "pages", page_load),
    "evaluation-speed": (MEASURED, "evaluation", evaluation_speed),
    "models-beauty": (MEASURED, "models.beauty", with_targets(model_tables.beauty)),
    "models-temporal": (MEASURED, "models.temporal", with_targets(model_tables.temporal)),
    "models-sessions": (MEASURED, "models.sessions", with_targets(model_tables.sessions)),
    "models-next-basket": (
        MEASURED,
        "models.next_basket",
        with_targets(model_tables.next_basket),
    ),
    "models-cold-items": (MEASURED, "models.cold_items", with_targets(model_tables.cold_items)),
    "models-speed": (MEASURED, "models.speed", with_targets(model_tables.speed)),
    "off-policy": ("docs/guide/off-policy.md", "off_policy", off_policy),
    "open-bandit": ("docs/guide/off-policy.md", "off_policy", open_bandit),
    "seed-1": ("docs/guide/seeds.md", "seeds", seed_tables.seed_1),
    "seed-labels": ("docs/guide/seeds.md", "seeds", seed_tables.seed_labels),
    "seed-2": ("docs/guide/seeds.md", "seeds", seed_tables.seed_2),
    "seeds-rating": ("docs/guide/seeds.md", "seeds", seed_tables.rating_errors),
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


def table_of(result: str, render: Render) -> str:
    """Return the table of a result by its name, or how to measure what is not there yet."""
    path = RESULTS / f"{result}.json"
    if not path.is_file():
        return f"Not measured yet: `make bench NAME={result}`."
    return render(json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    """Write the tables, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    check = parser.parse_args().check
    stale = []
    for name, (page, result, render) in TABLES.items():
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        wanted = filled(text, name, table_of(result, render))
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
