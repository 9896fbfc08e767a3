"""All that is found out about a data set, in one go; how it is told is in `chapters`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from endcap.explore.activity import Activity, item_popularity, user_activity
from endcap.explore.amounts import Prices, Quantities, prices, quantities
from endcap.explore.cold_start import ColdStart, cold_start
from endcap.explore.concentration import Concentration, item_concentration, revenue_concentration
from endcap.explore.coverage import Coverage, time_coverage
from endcap.explore.duplicates import NEAR_S, Duplicates, Repeats, duplicates, repeats
from endcap.explore.favourites import Favourites, favourite_items, favourites
from endcap.explore.item_age import ItemAge, item_age
from endcap.explore.overview import Overview, overview
from endcap.explore.quarantine import Quarantine
from endcap.explore.ratings import Ratings, rating_distribution
from endcap.explore.rhythm import Rhythm, rhythm
from endcap.explore.sessions import Sessions, session_summary
from endcap.explore.timeline import Timeline, timeline
from endcap.features.sessions import SESSION_GAP_S
from endcap.schema.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Exploration:
    """Every result of this room for one data set; None where the data has nothing of the kind.

    cut_us: where the past was cut from the future for `cold_start`.
    """

    overview: Overview
    quarantine: Quarantine | None
    duplicates: Duplicates
    users: Activity
    repeats: Repeats
    items: Activity
    concentration: Concentration
    revenue: Concentration | None
    departments: Favourites | None
    categories: Favourites | None
    brands: Favourites | None
    top_items: Favourites | None
    item_age: ItemAge | None
    timeline: Timeline
    coverage: Coverage
    rhythm: Rhythm
    sessions: Sessions
    ratings: Ratings | None
    quantities: Quantities | None
    prices: Prices | None
    cut_us: int
    cold_start: ColdStart | None


def explore(
    data: Dataset,
    *,
    cut_us: int,
    session_gap_s: float = SESSION_GAP_S,
    near_duplicate_s: float = NEAR_S,
    rows: Quarantine | None = None,
    item_names: Sequence[str | None] = (),
) -> Exploration:
    """Return all that this room can find out about a data set.

    Args:
        data: interactions and item attributes.
        cut_us: the first moment of the test part, for the cold-start shares.
        session_gap_s: a silence longer than this ends a session.
        near_duplicate_s: the same act within so long is a near duplicate.
        rows: what became of the raw rows, when that is known.
        item_names: of each item, by index; empty when not known.

    Raises:
        DataError: there is no interaction.

    Cost: six sorts of the interactions; about 60 bytes each on top of the data.
    """
    return Exploration(
        overview=overview(data),
        quarantine=rows,
        duplicates=duplicates(data, near_s=near_duplicate_s),
        users=user_activity(data),
        repeats=repeats(data),
        items=item_popularity(data),
        concentration=item_concentration(data),
        revenue=revenue_concentration(data),
        departments=favourites(data, "department"),
        categories=favourites(data, "category"),
        brands=favourites(data, "brand"),
        top_items=favourite_items(data, item_names) if item_names else None,
        item_age=item_age(data),
        timeline=timeline(data),
        coverage=time_coverage(data),
        rhythm=rhythm(data),
        sessions=session_summary(data, gap_s=session_gap_s),
        ratings=rating_distribution(data),
        quantities=quantities(data),
        prices=prices(data),
        cut_us=cut_us,
        cold_start=cold_start(data, cut_us=cut_us),
    )
