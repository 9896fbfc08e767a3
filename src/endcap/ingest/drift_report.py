"""What a comparison of two snapshots found, as JSON and in words.

How it is found is in `drift`.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from endcap.ingest.psi import Reading
from endcap.ingest.wording import date, per_cent
from endcap.schema.artefacts import write_atomically

MAX_MOVERS = 3
VOLUME_STEADY = (0.8, 1.25)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Window(_Part):
    """The rows of a snapshot that were compared.

    after_us: rows later than this; None: from the first on.
    """

    snapshot_id: str
    after_us: int | None
    first_us: int
    last_us: int
    n_rows: int
    n_days: float
    n_users: int
    n_items: int

    @property
    def rows_per_day(self) -> float:
        """Rows a day, over the whole length of the window."""
        return self.n_rows / self.n_days


class Bin(_Part):
    """One bin of a facet.

    contribution: what the bin adds to the index of its facet.
    """

    label: str
    n_before: int
    n_after: int
    share_before: float
    share_after: float
    contribution: float


class Facet(_Part):
    """One distribution, before and after.

    unit: what is counted.
    psi: the population stability index; see `psi.contributions`.
    chance: what the index stays under in 95 of 100 cases when nothing has changed.
    reading: the customary reading of the index.
    """

    name: str
    unit: str
    psi: float
    chance: float
    reading: Reading
    bins: tuple[Bin, ...]

    def movers(self) -> list[Bin]:
        """Return the bins that moved most, first the one that adds most to the index."""
        ranked = sorted(self.bins, key=lambda one: (-one.contribution, one.label))
        return [one for one in ranked if one.share_before != one.share_after][:MAX_MOVERS]


class DriftReport(_Part):
    """How the rows of one snapshot differ from those of an earlier one.

    continues: whether only the rows that came after the end of the earlier snapshot were looked
        at, against its last days; else all rows of both were.
    new_user_share, new_item_share: of those that occur in the rows after, how many the earlier
        snapshot does not know at all; None when ids cannot be compared.
    vanished_item_share: of the items that occur in the rows before, how many the later snapshot
        does not know at all.
    quarantined_share: before and after; of the later one only what it added, when it is known.
    skipped: facets that cannot be compared, each with the reason.
    """

    before: Window
    after: Window
    continues: bool
    volume_ratio: float
    new_user_share: float | None
    new_item_share: float
    vanished_item_share: float
    quarantined_share: tuple[float, float]
    facets: tuple[Facet, ...]
    skipped: dict[str, str] = Field(default_factory=dict)

    def facet(self, name: str) -> Facet | None:
        """Return the facet of that name, None when it was skipped."""
        return next((facet for facet in self.facets if facet.name == name), None)

    @property
    def reading(self) -> Reading:
        """The strongest reading of any facet."""
        order = list(Reading)
        return max((facet.reading for facet in self.facets), key=order.index, default=order[0])


def drift_lines(report: DriftReport) -> list[str]:
    """Return what moved in words: the rows compared, the volume, then facets, strongest first."""
    before, after = report.before, report.after
    lines = [_compared(report), _volume(report)]
    quarantined = report.quarantined_share
    if quarantined[1] > 2 * quarantined[0] and quarantined[1] - quarantined[0] > 0.001:
        lines.append(
            f"rows put aside: {per_cent(quarantined[0])} -> {per_cent(quarantined[1])}; "
            f"look with: endcap quarantine {after.snapshot_id}"
        )
    if report.new_user_share is not None:
        lines.append(
            f"users: {after.n_users:,}, of which {per_cent(report.new_user_share)} are new"
        )
    lines.append(
        f"items: {after.n_items:,}, of which {per_cent(report.new_item_share)} are new; "
        f"{per_cent(report.vanished_item_share)} of the {before.n_items:,} before are gone"
    )
    moved = [facet for facet in report.facets if facet.reading is not Reading.STABLE]
    for facet in sorted(moved, key=lambda facet: -facet.psi):
        lines.append(f"{facet.name} has {facet.reading} (PSI {facet.psi:.2f}): {_bins(facet)}")
    if not moved:
        lines.append("no distribution has moved beyond the customary 0.1, or beyond chance")
    return lines


def save_drift(report: DriftReport, root: Path) -> Path:
    """Write the report as `<before>-<after>.json` into the folder and return the file."""
    root.mkdir(parents=True, exist_ok=True)
    file = root / f"{report.before.snapshot_id}-{report.after.snapshot_id}.json"
    write_atomically(file, report.model_dump_json(indent=2) + "\n")
    return file


def _compared(report: DriftReport) -> str:
    before, after = report.before, report.after
    if report.continues:
        return (
            f"the {after.n_rows:,} rows that {after.snapshot_id} has since {date(before.last_us)} "
            f"against the last {before.n_days:,.0f} days of {before.snapshot_id}, "
            f"{before.n_rows:,} rows"
        )
    return (
        f"all {after.n_rows:,} rows of {after.snapshot_id} "
        f"against all {before.n_rows:,} rows of {before.snapshot_id}"
    )


def _volume(report: DriftReport) -> str:
    low, high = VOLUME_STEADY
    ratio = report.volume_ratio
    verdict = "as before" if low <= ratio <= high else "fewer" if ratio < low else "more"
    return (
        f"rows a day: {report.before.rows_per_day:,.0f} -> {report.after.rows_per_day:,.0f}, "
        f"{ratio:.2f} times as many ({verdict})"
    )


def _bins(facet: Facet) -> str:
    said = ", ".join(
        f"{one.label} {per_cent(one.share_before)} -> {per_cent(one.share_after)}"
        for one in facet.movers()
    )
    return f"{said} of {facet.unit}"
