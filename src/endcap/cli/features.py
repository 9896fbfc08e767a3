"""The verb that reckons features of users and items at a point in time."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from endcap.cli.context import settings_with, training_libraries
from endcap.cli.output import JsonFlag, emit_json, out
from endcap.features.point_in_time import (
    ItemFeatures,
    UserFeatures,
    item_features,
    totals_of,
    user_features,
)
from endcap.features.spec import FeatureSpec
from endcap.features.weights import KindWeights, weigh
from endcap.schema.errors import SettingsError

if TYPE_CHECKING:
    from endcap.schema.dataset import Dataset

FEATURES_EXAMPLES = """
**Examples**: `endcap features`, `endcap features --at 2018-01-01`,
`endcap features 4b0c --at 2018-01-01T12:00:00Z --out features --json`
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNTIL_LAST = "just after the last interaction"


def features(
    snapshot: Annotated[
        str, typer.Argument(help="A snapshot id, its folder, or `latest`.")
    ] = "latest",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Only what happened strictly before counts: a day or a time, UTC unless it says "
            f"otherwise; {UNTIL_LAST} when left out.",
        ),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where to write them.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Reckon the features of all users and items at a point in time; write them as Parquet."""
    settings, spec = settings_with(), FeatureSpec()
    with training_libraries():
        from endcap.ingest.feature_tables import write_feature_tables
        from endcap.ingest.snapshot import load_dataset, open_snapshot
    opened = open_snapshot(settings.var / "snapshots", snapshot)
    data = weigh(load_dataset(opened.path), settings.kinds)
    at_us = data.end_us if at is None else moment_us(at)
    items = item_features(data.interactions, data.items, at_us=at_us, spec=spec)
    users = user_features(
        data.interactions,
        data.items,
        users=np.arange(data.n_users, dtype=np.int32),
        at_us=at_us,
        spec=spec,
        totals=totals_of(items, data.items, spec=spec),
    )
    folder = out_folder or settings.var / "features" / f"{opened.snapshot_id}-{at_us}"
    made_from = made_from_what(
        opened.snapshot_id, data, at_us=at_us, spec=spec, weights=settings.kinds
    )
    files = write_feature_tables(
        folder,
        users=columns_of(users),
        tastes=tastes_of(users, data, spec),
        items=columns_of(items),
        spec=made_from,
    )
    summary = summary_of(users, items)
    if as_json:
        entries = {name: entry.model_dump() for name, entry in files.items()}
        emit_json({"path": folder, **made_from, **summary, "files": entries})
        return
    print_summary(summary, moment=made_from["at"], spec=spec)
    out.print(f"  written to {folder}")


def moment_us(text: str) -> int:
    """Return a day or a time, as ISO 8601 writes it, in microseconds since 1970.

    Raises:
        SettingsError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is neither a day nor a time",
            where="--at",
            mend="Write 2018-01-31 or 2018-01-31T18:00:00Z",
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def columns_of(table: UserFeatures | ItemFeatures) -> dict[str, NDArray[Any]]:
    """Return the fields of a struct of arrays by name, less the one that is no array."""
    return {part.name: getattr(table, part.name) for part in fields(table) if part.name != "taste"}


def tastes_of(users: UserFeatures, data: Dataset, spec: FeatureSpec) -> Any:
    """Return the tastes of users with the names of what they are for."""
    from endcap.ingest.feature_tables import NamedShares

    names = data.items.category_names
    if spec.taste_by == "department":
        names = data.items.department_names
    taste = users.taste
    return NamedShares(indptr=taste.indptr, code=taste.code, share=taste.share, names=names)


def made_from_what(
    snapshot_id: str, data: Dataset, *, at_us: int, spec: FeatureSpec, weights: KindWeights
) -> dict[str, Any]:
    """Return what the features depend on, as JSON values."""
    told = weights.relative_to(data.interactions.kinds)
    return {
        "snapshot_id": snapshot_id,
        "at_us": at_us,
        "at": (EPOCH + timedelta(microseconds=at_us)).isoformat(),
        "spec": spec.model_dump(mode="json"),
        "kind_weights": told.model_dump(mode="json"),
    }


def summary_of(users: UserFeatures, items: ItemFeatures) -> dict[str, Any]:
    """Return a few numbers about all users and items."""
    return {
        "n_users": len(users),
        "n_users_with_events": int(np.count_nonzero(users.n_items)),
        "n_users_recent": int(np.count_nonzero(users.n_events_recent)),
        "n_items": len(items),
        "n_items_with_events": int(np.count_nonzero(items.n_events)),
        "n_items_recent": int(np.count_nonzero(items.n_events_recent)),
        "n_events": int(items.n_events.sum(dtype=np.int64)),
        "n_events_recent": int(items.n_events_recent.sum(dtype=np.int64)),
        "n_items_with_price": int(np.count_nonzero(~np.isnan(items.price))),
        "median_price_level": _median(users.price_level),
        "median_days_since_last_event": _median(users.days_since_last_event),
    }


def print_summary(summary: dict[str, Any], *, moment: str, spec: FeatureSpec) -> None:
    """Print for a person what the features are of."""
    out.print(f"  features strictly before {moment}")
    out.print(
        f"  {summary['n_users_with_events']:,} of {summary['n_users']:,} users and "
        f"{summary['n_items_with_events']:,} of {summary['n_items']:,} items had "
        f"{summary['n_events']:,} events"
    )
    out.print(
        f"  in the last {spec.window_days} days: {summary['n_users_recent']:,} users and "
        f"{summary['n_items_recent']:,} items had {summary['n_events_recent']:,}"
    )
    age, price = summary["median_days_since_last_event"], summary["median_price_level"]
    if age is not None:
        out.print(f"  the last event of a user was {age:,.1f} days before, in the median")
    out.print(
        f"  {summary['n_items_with_price']:,} items have a price"
        + ("" if price is None else f"; a user pays {price:,.2f} in the median")
    )


def _median(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None
