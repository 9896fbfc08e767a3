"""What a run is to do, and what it has found out so far; the rows are tables of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from endcap.ingest.arrive import Arrival, Desk
from endcap.ingest.compute.protocol import Compute
from endcap.ingest.increment import Parent
from endcap.ingest.manifest import Manifest
from endcap.ingest.people import Door
from endcap.ingest.privacy.k_anonymity import KReport
from endcap.ingest.repeats import Suspicion
from endcap.ingest.sources import Recipe
from endcap.schema.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Thinning:
    """How much of the rows to leave: see `thin`. 0 and None leave all."""

    sample_users: int | None = None
    min_per_user: int = 0
    min_per_item: int = 0
    k_core: int = 0

    def __post_init__(self) -> None:
        if self.sample_users is not None and self.sample_users < 1:
            raise SettingsError(
                "at least one user must be left", where="--sample-users", mend="Ask for 1 or more"
            )
        for name in ("min_per_user", "min_per_item", "k_core"):
            if getattr(self, name) < 0:
                flag = f"--{name.replace('_', '-')}"
                raise SettingsError("a count cannot be below 0", where=flag, mend="0 keeps all")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do.

    recipes: what to read, in this order.
    parent: the snapshot to add to; None to make a new one.
    accept: is asked before a snapshot becomes the latest, and raises when it must not.
    log_offset: up to where the event log was read, if it is among the sources.
    """

    recipes: Sequence[Recipe]
    root: Path
    thinning: Thinning
    suspicion: Suspicion
    door: Door
    k_anonymity: int
    now_us: int
    parent: Parent | None = None
    accept: Callable[[Path, Manifest], None] | None = None
    log_offset: str | None = None


@dataclass(slots=True)
class Work:
    """What a run has found out so far.

    people: tables with attributes of users, with the attributes each one has.
    removed: rows that each step of thinning left out.
    """

    plan: Plan
    desk: Desk
    compute: Compute
    arrivals: list[Arrival] = field(default_factory=list)
    item_mapping: dict[str, str] = field(default_factory=dict)
    has_catalogue: bool = False
    n_catalogue_rows: int = 0
    people: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    attributes: tuple[str, ...] = ()
    removed: dict[str, int] = field(default_factory=dict)
    k_report: KReport | None = None

    @property
    def n_rows(self) -> int:
        """How many records there are, with those of the parent: the last position."""
        before = self.plan.parent.n_rows if self.plan.parent is not None else 0
        return before + sum(arrival.n_rows for arrival in self.arrivals)

    @property
    def available_days(self) -> int | None:
        """For how long an item that does not sell is offered; see `complete_items`."""
        if self.plan.parent is not None:
            return self.plan.parent.manifest.config.available_days
        return self.plan.recipes[0].available_days
