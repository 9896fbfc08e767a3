from dataclasses import replace
from datetime import date

import pytest

from endcap.schema.errors import SettingsError
from endcap.simulate.presets import PRESETS, preset
from endcap.simulate.spec import ELECTRONICS_STARS, EventSpec, Format, shares_of

SMALL = EventSpec(n_users=100, n_items=50, n_events=2000)


def test_the_presets_have_the_published_numbers():
    first, second = preset("electronics-2014"), preset("electronics-2018")
    assert (first.n_events, first.n_users, first.n_items) == (1_689_188, 192_403, 63_001)
    assert first.stars == (108_725, 82_139, 142_257, 347_041, 1_009_026)
    assert (second.n_events, second.n_users, second.n_items) == (6_738_382, 728_678, 159_748)
    assert {(spec.min_per_user, spec.min_per_item) for spec in PRESETS.values()} == {(5, 5)}


def test_an_unknown_preset_is_told_with_the_known_ones():
    with pytest.raises(SettingsError, match="electronics-2014 or electronics-2018"):
        preset("books")


@pytest.mark.parametrize(
    ("changes", "flag", "said"),
    [
        ({"n_events": 499, "min_per_user": 5}, "--users", "100 x 5 events are more"),
        ({"n_events": 80, "n_users": 1, "min_per_item": 2}, "--items", "50 x 2 events are more"),
        ({"n_events": 101}, "--users", "86 of 101"),  # the rest are carts and purchases
        ({"n_events": 0}, "--events", "0 is out of range"),
        ({"n_events": 10**9}, "--events", "1,000,000,000 is out of range"),
        ({"n_users": -3}, "--users", "-3 is out of range"),
        ({"n_days": 0}, "--days", "0 is out of range"),
        ({"seed": -1}, "--seed", "out of range"),
        ({"duplicates": 0.41}, "--duplicates", "no share from 0 to 0.4"),
        ({"bots": float("nan")}, "--bots", "no share"),
        ({"bots": 0.3, "n_users": 1}, "--bots", "leave too little for 0 other users"),
        ({"growth": 0.0}, "--growth", "out of range"),
        ({"start": date(1969, 1, 1)}, "--start", "1969-01-01 is out of range"),
        ({"stars": (1, 1, 1, 1, 1)}, "stars", "do not add up"),
        ({"stars": (400,) * 5, "format": Format.RETAILROCKET}, "--format", "has no reviews"),
    ],
)
def test_what_cannot_be_is_refused_with_the_flag_that_asks_for_it(changes, flag, said):
    with pytest.raises(SettingsError) as caught:
        replace(SMALL, **changes)
    assert caught.value.where == flag
    assert said in str(caught.value)
    assert caught.value.mend


def test_events_are_parted_into_visits_carts_purchases_and_repeats():
    spec = replace(SMALL, n_events=10_000, duplicates=0.02)
    assert (spec.n_repeats, spec.n_carts, spec.n_purchases) == (200, 980, 490)
    assert spec.n_visits == 10_000 - 200 - 980 - 490
    reviews = replace(spec, format=Format.AMAZON_2018)
    assert (reviews.n_carts, reviews.n_purchases, reviews.n_visits) == (0, 0, 9800)


@pytest.mark.parametrize(("n_visits_of_bots", "n_bots"), [(0, 0), (1, 1), (10_000, 1), (10_001, 2)])
def test_a_bot_makes_ten_thousand_visits_at_most(n_visits_of_bots, n_bots):
    spec = EventSpec(
        n_users=100,
        n_items=50,
        n_events=100_000,
        bots=n_visits_of_bots / 100_000,
        format=Format.AMAZON_2014,
    )
    assert spec.n_bots == n_bots


def test_a_scaled_preset_keeps_its_proportions():
    spec = preset("electronics-2014").scaled(0.01)
    assert (spec.n_events, spec.n_users, spec.n_items) == (16_892, 1924, 630)
    assert spec.stars == shares_of(16_892, ELECTRONICS_STARS) == (1087, 821, 1423, 3471, 10_090)
    with pytest.raises(SettingsError, match="scale of 0"):
        spec.scaled(0)


def test_shares_add_up_when_nothing_divides():
    assert shares_of(7, (1, 1, 1, 1, 1)) == (2, 2, 1, 1, 1)
    assert shares_of(2, ELECTRONICS_STARS) == (0, 0, 0, 1, 1)
