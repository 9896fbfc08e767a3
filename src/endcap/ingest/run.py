"""Makes snapshots: from the names of sources and the settings to a plan, and through with it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from endcap.ingest.compute.registry import open_compute
from endcap.ingest.config import IngestConfig
from endcap.ingest.contract import enforce
from endcap.ingest.drift import compare
from endcap.ingest.drift_report import drift_lines, save_drift
from endcap.ingest.event_log import SOURCE, LogPart, copy_events
from endcap.ingest.expectations import load_contract
from endcap.ingest.fresh import log_offset, without_copies, without_read
from endcap.ingest.increment import Parent
from endcap.ingest.manifest import Manifest, read_manifest
from endcap.ingest.named_sets import METADATA
from endcap.ingest.people import Door
from endcap.ingest.pipeline import run
from endcap.ingest.preview import Preview, heads, read_preview
from endcap.ingest.privacy.config import PrivacyConfig
from endcap.ingest.privacy.keys import open_id_key
from endcap.ingest.privacy.policy import PrivacyPolicy, policy_of
from endcap.ingest.repeats import FLAG_REASONS, Suspicion
from endcap.ingest.scratch import scratch_in
from endcap.ingest.snapshot import Snapshot, open_snapshot
from endcap.ingest.sources import SOURCE_NAMES, Recipe, find_sources
from endcap.ingest.toml_mapping import GivenMapping, mapping_of_pairs
from endcap.ingest.work import Plan, Thinning
from endcap.ingest.write import POINTER
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.types import SECOND_US
from endcap.stores.urls import redact
from endcap.telemetry import console

LAST = "last"
DRIFT_LINES = 6


@dataclass(frozen=True, slots=True)
class Places:
    """Where an ingest reads and writes.

    root: folder of snapshots.
    downloads: where fetched files lie.
    var: holds keys, the map of ids and what drifted.
    events: URL of the event log, for the source `events`.
    """

    root: Path
    downloads: Path
    var: Path
    events: str | None = None

    @classmethod
    def under(cls, root: Path, *, events: str | None = None) -> Places:
        """Return the usual places beside a folder of snapshots."""
        return cls(root, root / "downloads", root.parent, events)


@dataclass(frozen=True, slots=True)
class Given:
    """What a person said of the files besides their names.

    mapping: role -> column, or what a mapping file says.
    items: the shop's catalogue.
    users: a file of user attributes.
    file_format: of stdin and of files whose name does not tell.
    since: "last" or the id of a snapshot to add to.
    contract: a file of expectations that the snapshot must meet before it becomes the latest.
    """

    mapping: GivenMapping | Mapping[str, str] | None = None
    items: Path | None = None
    users: Path | None = None
    file_format: str | None = None
    since: str | None = None
    contract: Path | None = None


def ingest(
    sources: str | Sequence[str],
    *,
    root: Path,
    places: Places | None = None,
    given: Given | None = None,
    mapping: Mapping[str, str] | None = None,
    thinning: Thinning | None = None,
    config: IngestConfig | None = None,
    privacy: PrivacyConfig | None = None,
    clock: Callable[[], float] = time.time,
) -> Snapshot:
    """Return the snapshot that data sets yield; in `root`, where `latest` points to it.

    Args:
        sources: names of `SOURCE_NAMES`, files, folders, globs, `-` for standard input or
            `events` for the event log; read in this order, the event log last.
        root: folder of snapshots.
        places: where the rest lies; the usual places beside `root` when None.
        given: what is known of the files.
        mapping: short for `Given(mapping=...)`.
        thinning: what to leave out.
        config: the engine, and what looks suspicious.
        privacy: what of the users reaches the snapshot.
        clock: seconds since 1970.

    Raises:
        ContractError: the contract is broken; the snapshot is kept and does not become the latest.
        DataError: a source is unknown or cannot be used.
        DownloadError: a named set could not be fetched.
        SettingsError: an argument makes no sense.
        StoreError: the event log or the engine cannot be reached.
    """
    places = places or Places.under(root)
    given = given or Given()
    if mapping is not None:
        given = replace(given, mapping=mapping)
    job = _job(
        sources, places, given, thinning=thinning, config=config, privacy=privacy, clock=clock
    )
    return job.run()


def preview(
    sources: str | Sequence[str],
    *,
    root: Path,
    places: Places | None = None,
    given: Given | None = None,
    config: IngestConfig | None = None,
    privacy: PrivacyConfig | None = None,
    clock: Callable[[], float] = time.time,
) -> Preview:
    """Return what `ingest` would make of the first records of each file; nothing is kept.

    Args and errors are those of `ingest`. Where ids would be hidden, the pseudonyms shown are of
    a key that is thrown away.
    """
    job = _job(
        sources,
        places or Places.under(root),
        given or Given(),
        thinning=None,
        config=config,
        privacy=privacy,
        clock=clock,
    )
    return job.preview()


def _job(
    sources: str | Sequence[str],
    places: Places,
    given: Given,
    *,
    thinning: Thinning | None,
    config: IngestConfig | None,
    privacy: PrivacyConfig | None,
    clock: Callable[[], float],
) -> _Job:
    return _Job(
        sources=[sources] if isinstance(sources, str) else list(sources),
        places=places,
        given=given,
        thinning=thinning or Thinning(),
        config=config or IngestConfig(),
        privacy=privacy or PrivacyConfig(),
        now_us=int(clock() * SECOND_US),
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """One call of `ingest`, with every argument settled."""

    sources: Sequence[str]
    places: Places
    given: Given
    thinning: Thinning
    config: IngestConfig
    privacy: PrivacyConfig
    now_us: int

    def run(self) -> Snapshot:
        root = self.places.root
        contract = load_contract(self.given.contract) if self.given.contract else None
        previous, parent = _latest(root), self._parent()

        def accept(path: Path, manifest: Manifest) -> None:
            if contract is not None:
                made = Snapshot(path, manifest)
                enforce(made, contract, previous=previous, now_us=self.now_us)

        with scratch_in(root, ".ingest-") as scratch, _blaming_what_lasts(scratch):
            recipes, log = self._recipes(scratch, parent)
            if not recipes and parent is not None:
                self._say_nothing_is_new(parent)
                return Snapshot(parent.path, parent.manifest)
            door = self._door(recipes, make_key=True)
            plan = replace(
                self._plan(recipes, root, door),
                parent=parent,
                accept=accept,
                log_offset=log.offset if log else None,
            )
            path = self._carry_out(plan, scratch)
        self._keep_id_map(door)
        snapshot = Snapshot(path, read_manifest(path))
        if previous is not None and previous.snapshot_id != snapshot.snapshot_id:
            self._say_what_moved(previous, snapshot)
        return snapshot

    def _say_nothing_is_new(self, parent: Parent) -> None:
        console.print(f"Nothing is new since snapshot {parent.manifest.snapshot_id}", markup=False)
        for file in (self.given.items, self.given.users):
            if file is not None:
                console.print(f"  {file} was not read: it comes with new rows", markup=False)

    def _say_what_moved(self, previous: Snapshot, snapshot: Snapshot) -> None:
        try:
            report = compare(previous, snapshot)
        except DataError as error:  # the new one is whole and is the latest all the same
            console.print(f"Not compared with the snapshot before: {error}", markup=False)
            return
        path = save_drift(report, self.places.var / "drift")
        console.print("Compared with the snapshot before; all of it is in", path)
        for line in drift_lines(report)[:DRIFT_LINES]:
            console.print(f"  {line}", markup=False)

    def preview(self) -> Preview:
        with scratch_in(self.places.root, ".preview-", keep_root=False) as folder:
            recipes, _ = self._recipes(folder, None)
            door = self._door(recipes, make_key=False)
            copies = heads(recipes, folder / "heads")
            plan = self._plan(copies, folder / "made", door)
            plan.root.mkdir()
            names = {
                str(copy.interactions): str(recipe.interactions)
                for copy, recipe in zip(copies, recipes, strict=True)
            }
            with _blaming_what_lasts(folder, names):
                path = self._carry_out(plan, folder)
            return read_preview(path, recipes)

    def _plan(self, recipes: Sequence[Recipe], root: Path, door: Door) -> Plan:
        return Plan(
            recipes=recipes,
            root=root,
            thinning=self.thinning,
            suspicion=self._suspicion(),
            door=door,
            k_anonymity=self.privacy.k_anonymity,
            now_us=self.now_us,
        )

    def _carry_out(self, plan: Plan, scratch: Path) -> Path:
        own = scratch / "engine"
        own.mkdir()
        engine = open_compute(self.config.compute, own, memory_gb=self.config.memory_gb)
        with engine as compute:
            return run(plan, compute, scratch)

    def _parent(self) -> Parent | None:
        if self.given.since is None:
            return None
        if self.thinning != Thinning() or self.config.drop_flagged:
            raise SettingsError(
                "an increment cannot be thinned: what is left out now could come back later",
                where="--since",
                mend="Leave out --k-core, --min-per-user, --min-per-item, --sample-users and "
                "drop_flagged",
            )
        which = POINTER if self.given.since == LAST else self.given.since
        opened = open_snapshot(self.places.root, which)
        return Parent(opened.path, opened.manifest)

    def _recipes(self, scratch: Path, parent: Parent | None) -> tuple[list[Recipe], LogPart | None]:
        """Return what is to be read, without what the parent has read already."""
        given, log = self.given, None
        recipes: list[Recipe] = []
        files = [source for source in self.sources if source != SOURCE]
        if files:
            mapping = given.mapping
            recipes += find_sources(
                files,
                downloads=self.places.downloads,
                mapping=mapping
                if isinstance(mapping, GivenMapping) or mapping is None
                else mapping_of_pairs(mapping),
                items_file=given.items,
                users_file=given.users,
                scratch=scratch,
                file_format=given.file_format,
            )
        recipes = without_copies(recipes)
        if parent is not None:
            recipes = without_read(recipes, parent, scratch=scratch)
        if SOURCE in self.sources:
            log = copy_events(self._events_url(), scratch, after=log_offset(parent))
            if log.n_events:
                recipes.append(log.recipe)
        if not recipes and parent is None:
            raise DataError(
                "the event log is empty",
                where=redact(self._events_url()),
                mend="Name files besides, or wait until the page was used",
            )
        return recipes, log

    def _events_url(self) -> str:
        if self.places.events is None:
            raise SettingsError("no event log is known", where=SOURCE, mend="Set stores.events")
        return self.places.events

    def _door(self, recipes: Sequence[Recipe], *, make_key: bool) -> Door:
        public = all(source.removesuffix(METADATA) in SOURCE_NAMES for source in self.sources)
        given = self.given.mapping
        policy: PrivacyPolicy = policy_of(
            self.privacy,
            mapping=given.privacy if isinstance(given, GivenMapping) else None,
            default="keep" if public else "hash",
        )
        hides = policy.user_id == "hash" or "hash" in policy.columns.values()
        key = None
        if hides and make_key:
            key = open_id_key(self.privacy, var=self.places.var, make=True)
        elif hides:
            key = secrets.token_bytes(32)
        return Door(
            policy,
            key,
            keeps_records=self.privacy.keep_raw_records,
            keeps_pseudonyms=SOURCE in self.sources,
        )

    def _suspicion(self) -> Suspicion:
        config = self.config
        return Suspicion(
            near_duplicate_us=int(config.near_duplicate_s * SECOND_US),
            max_per_minute=config.max_per_minute,
            max_per_day=config.max_per_day,
            dropped=tuple(flag for flag in FLAG_REASONS if flag in config.drop_flagged),
        )

    def _keep_id_map(self, door: Door) -> None:
        if not self.privacy.keep_id_map or door.key is None or not door.raw_ids:
            return
        from endcap.ingest.privacy.identities import merge_identities

        merge_identities(
            sorted(door.raw_ids), id_key=door.key, config=self.privacy, var=self.places.var
        )


@contextmanager
def _blaming_what_lasts(scratch: Path, names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Name in errors what a person gave, not a copy that is gone when the error is read.

    Args:
        scratch: holds the copies.
        names: copy -> what it is a copy of; what is not listed stands under its own name.
    """
    try:
        yield
    except DataError as error:
        where = error.where
        for copy, original in (names or {}).items():
            where = where.replace(copy, original)
        where = where.replace(f"{scratch}/", "")
        if where == error.where:
            raise
        raise DataError(error.what, where=where, mend=error.mend) from error


def _latest(root: Path) -> Snapshot | None:
    """Return the snapshot that is the latest now; None without one that this release reads."""
    if not (root / POINTER).is_file():
        return None
    try:
        return open_snapshot(root)
    except DataError:
        return None
