"""A policy's value as a table for people, with what it rests on; computes nothing new."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from endcap.evaluation.off_policy.clipping import Clipping
from endcap.evaluation.off_policy.intervals import Estimate
from endcap.evaluation.off_policy.overlap import Overlap
from endcap.evaluation.off_policy.value import DIRECT, PolicyValue
from endcap.figures.printed import WIDTH, as_text

LABELS = {
    "dm": "dm, direct",
    "ips": "ips",
    "snips": "snips",
    "dr": "dr, doubly robust",
    "sndr": "sndr",
    "switch_dr": "switch_dr",
    "shrunk_dr": "shrunk_dr",
}


def render_text(value: PolicyValue, *, truth: Estimate | None = None, width: int = WIDTH) -> str:
    """Return the table and the sentences below as plain text, no line wider than `width`.

    Args:
        value: what to show.
        truth: what the target did earn in a log of its own, if there is one.
        width: in columns.
    """
    return as_text(_sections(value, truth), width=width)


def sentences(value: PolicyValue) -> Iterator[str]:
    """Yield what the estimates rest on, and what they leave out."""
    yield _overlap(value.overlap)
    if math.isfinite(value.clipping.largest):
        yield _clipping(value.clipping)
    for method, setting in value.settings.items():
        chosen = "no limit" if math.isinf(setting) else f"{setting:g}"
        name = "tau" if method == "switch_dr" else "lam"
        yield f"{LABELS[method]}: {name} = {chosen}, chosen from the log by SLOPE."
    yield (
        "Reward: the mean of a round. Intervals: 95 %, bootstrap over "
        f"{value.overlap.n_groups:,} groups of rounds, with the target, the reward model and the "
        "chosen settings held fixed."
    )
    if value.settings:
        yield (
            f"{' and '.join(LABELS[method] for method in value.settings)} accept a bias for less "
            "spread, and their intervals leave it out: trust one no further than doubly robust."
        )
    if DIRECT in value.estimates:
        yield (
            "No interval for the direct method: its error is that of the reward model, which "
            f"resampling does not show. {value.extrapolated:.1%} of its value is for actions that "
            "were never shown at that position."
        )
    for warning in value.warnings:
        yield f"Warning: {warning}."


def _sections(value: PolicyValue, truth: Estimate | None) -> Group:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("method", no_wrap=True)
    headings = ["reward", "std error", "95 % interval", "lift over the log"]
    for heading in [*headings, *(["error"] if truth else [])]:
        table.add_column(heading, justify="right", no_wrap=True)
    for method, estimate in value.estimates.items():
        cells = _cells(estimate, value.lifts[method], is_direct=method == DIRECT)
        if truth:
            cells.append(_relative(estimate.value, truth.value))
        table.add_row(LABELS[method], *cells)
    table.add_row("the log itself", *_cells(value.logged, None, is_direct=False), style="dim")
    if truth:
        table.add_row("the target's own log", *_cells(truth, None, is_direct=False), style="dim")
    return Group(table, *(Text(line) for line in sentences(value)))


def _cells(estimate: Estimate, lift: Estimate | None, *, is_direct: bool) -> list[str]:
    number = f"{estimate.value:.5f}"
    if is_direct:
        return [number, "-", "-", f"{lift.value:+.5f}" if lift else ""]
    return [
        number,
        f"{estimate.std_error:.5f}",
        f"[{estimate.low:.5f}, {estimate.high:.5f}]",
        f"{lift.value:+.5f} [{lift.low:+.5f}, {lift.high:+.5f}]" if lift else "",
    ]


def _relative(value: float, truth: float) -> str:
    return f"{abs(value - truth) / abs(truth):.1%}" if truth else "-"


def _overlap(overlap: Overlap) -> str:
    return (
        f"Overlap: {overlap.n_rounds:,} rounds are worth {overlap.ess:,.0f} "
        f"({overlap.ess_share:.1%}) of the target's own, {overlap.n_rewards:,} rewards are worth "
        f"{overlap.effective_rewards:.1f}. The heaviest 1 % of rounds have {overlap.top_share:.1%} "
        f"of the weight, the largest is {overlap.max_weight:,.1f}. Mean weight "
        f"{overlap.mean_weight:.3f}, which should be 1 (p = {overlap.mean_p_value:.2g}). "
        f"{overlap.unsupported:.1%} of what the target does was never shown."
    )


def _clipping(clipping: Clipping) -> str:
    bias = {
        "none": "no bias",
        "too low": "IPS is too low for it",
        "too high": "IPS is too high for it",
        "unknown": "IPS is biased, and which way is not known",
    }[clipping.ips_bias]
    return (
        f"Clipping to {clipping.largest:g}: {clipping.n_clipped:,} rounds "
        f"({clipping.clipped_share:.1%}) and {clipping.lost_share:.1%} of the weight cut away; "
        f"{bias}, doubly robust estimates lean towards the direct method."
    )
