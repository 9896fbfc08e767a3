"""What became of the rows that came in, from what the snapshot says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from endcap.figures.plots import sideways_bars
from endcap.figures.wording import counted, percent
from endcap.ingest.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Rows that came in, and those that are not in the data.

    rows_in, kept: of the log of interactions.
    quarantined: put aside; by_reason counts a row with two reasons under both.
    left_out: by rule (a sample, a minimum, the k-core), those with any.
    flagged: suspicious but kept: near duplicates, bursts, bots; those with any.
    catalogue_by_reason: lines of the catalogue put aside.
    """

    rows_in: int
    kept: int
    quarantined: int
    by_reason: dict[str, int]
    left_out: dict[str, int]
    flagged: dict[str, int]
    catalogue_by_reason: dict[str, int]

    @property
    def quarantined_share(self) -> float:
        """The share of the rows that was put aside."""
        return self.quarantined / self.rows_in if self.rows_in else 0.0


def quarantine(manifest: Manifest) -> Quarantine:
    """Return what became of the rows of a snapshot."""
    counts = manifest.counts
    left_out = {
        "not among the sampled users": counts.removed_by_sample,
        "of a user or item with too few": counts.removed_by_minimum,
        "below the k-core": counts.removed_by_k_core,
    }
    return Quarantine(
        rows_in=counts.rows_in,
        kept=counts.kept,
        quarantined=counts.quarantined,
        by_reason=_largest_first(counts.quarantined_by_reason),
        left_out=_largest_first(left_out),
        flagged=_largest_first(counts.flagged),
        catalogue_by_reason=_largest_first(counts.catalogue_quarantined_by_reason),
    )


def say_quarantine(found: Quarantine) -> str:
    """Return what became of the rows, as a sentence."""
    if found.kept == found.rows_in:
        says = f"{counted(found.kept, 'row', 'rows')} came in, and all were kept"
    else:
        says = f"{found.kept:,} of {counted(found.rows_in, 'row', 'rows')} were kept"
    if found.quarantined:
        says += f", {found.quarantined:,} ({percent(found.quarantined_share)}) put aside"
    for rule, n_rows in found.left_out.items():
        says += f", {n_rows:,} left out ({rule})"
    says += "."
    if found.flagged:
        marks = [f"{n:,} as {flag.replace('_', ' ')}" for flag, n in found.flagged.items()]
        says += f" Kept, but flagged: {', '.join(marks)}."
    return says


def plot_quarantine(found: Quarantine) -> Figure:
    """Return a bar for each reason, the most frequent on top."""
    amounts = np.array(list(found.by_reason.values()))
    texts = [f"{n:,} ({percent(n / found.rows_in)})" for n in amounts]
    return sideways_bars(list(found.by_reason), amounts, texts)[0]


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(((k, n) for k, n in counts.items() if n), key=lambda entry: -entry[1]))
