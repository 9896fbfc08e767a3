"""Simulations of the size and shape of published data sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from endcap.simulate.spec import ELECTRONICS_STARS, EventSpec, Format, shares_of, wrong

PRESETS: Mapping[str, EventSpec] = {
    "electronics-2014": EventSpec(
        n_users=192_403,
        n_items=63_001,
        n_events=1_689_188,
        n_days=5518,
        start=date(1999, 6, 14),
        format=Format.AMAZON_2014,
        min_per_user=5,
        min_per_item=5,
        growth=200.0,
        stars=ELECTRONICS_STARS,
    ),
    "electronics-2018": EventSpec(
        n_users=728_678,
        n_items=159_748,
        n_events=6_738_382,
        n_days=7053,
        start=date(1999, 6, 14),
        format=Format.AMAZON_2018,
        min_per_user=5,
        min_per_item=5,
        growth=200.0,
        stars=shares_of(6_738_382, ELECTRONICS_STARS),
    ),
}


def preset(name: str) -> EventSpec:
    """Return the simulation of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in PRESETS:
        raise wrong(f"there is no preset {name!r}", "--preset", f"Take {' or '.join(PRESETS)}")
    return PRESETS[name]
