"""The shape of what is simulated: exact numbers, power laws, sessions, seasons, moving tastes."""

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import SettingsError
from endcap.simulate import split
from endcap.simulate.block import Block, joined
from endcap.simulate.events import SimulatedEvents
from endcap.simulate.presets import preset
from endcap.simulate.spec import EventSpec, Format

DAY_MS = 86_400_000
SHOP = EventSpec(n_users=10_000, n_items=4000, n_events=200_000, n_days=730)
REVIEWS = replace(SHOP, format=Format.AMAZON_2014, min_per_user=3, min_per_item=2)


def all_of(spec):
    return joined(list(SimulatedEvents(spec)))


@pytest.fixture(scope="module")
def shop():
    return all_of(SHOP)


@pytest.fixture(scope="module")
def reviews():
    return all_of(REVIEWS)


def of_kind(block, kind):
    return block.take(block.kind == KIND_CODES[kind])


def slope_of_ranks(counts):
    """Return the slope and the correlation of log count on log rank, among the largest."""
    largest = np.sort(counts)[::-1]
    ranks = np.unique(np.geomspace(5, len(counts) / 5, 40).astype(int))
    rank, count = np.log(ranks), np.log(largest[ranks - 1])
    return np.polyfit(rank, count, 1)[0], np.corrcoef(rank, count)[0, 1]


@st.composite
def specs(draw):
    n_events = draw(st.integers(1, 3000))
    form = draw(st.sampled_from(list(Format)))
    spec = {
        "n_users": draw(st.integers(1, 60)),
        "n_items": draw(st.integers(1, 200)),
        "n_events": n_events,
        "n_days": draw(st.integers(1, 800)),
        "seed": draw(st.integers(0, 2**40)),
        "format": form,
        "duplicates": draw(st.sampled_from([0.0, 0.01, 0.4])),
        "bots": draw(st.sampled_from([0.0, 0.1, 0.4])),
        "min_per_user": draw(st.integers(1, 5)),
        "min_per_item": draw(st.integers(0, 3)),
        "growth": draw(st.sampled_from([0.1, 1.0, 200.0])),
    }
    try:
        return EventSpec(**spec)
    except SettingsError:
        return replace(SHOP, n_users=5, n_items=3, n_events=n_events + 60, format=form)


@settings(max_examples=60, deadline=None)
@given(spec=specs())
def test_numbers_are_exact_and_times_in_order_for_any_spec(spec):
    simulated = SimulatedEvents(spec)
    block = joined(list(simulated))
    assert len(block) == spec.n_events
    assert np.all(np.diff(block.ts_ms) >= 0)
    start_ms = (spec.start - date(1970, 1, 1)).days * DAY_MS
    assert start_ms <= block.ts_ms[0]
    assert block.ts_ms[-1] < start_ms + spec.n_days * DAY_MS
    assert np.bincount(block.user, minlength=spec.n_users).min() >= spec.min_per_user
    assert np.bincount(block.item, minlength=spec.n_items).min() >= spec.min_per_item
    assert len(np.unique(block.item)) == simulated.n_items
    kinds = np.bincount(block.kind, minlength=9)
    assert kinds[KIND_CODES[Kind.CART]] == spec.n_carts
    assert kinds[KIND_CODES[Kind.PURCHASE]] == spec.n_purchases
    if spec.is_reviews and not spec.n_repeats:
        assert tuple(np.bincount(block.value, minlength=6)[1:]) == spec.stars_of_visits


@given(begin=st.floats(0, 0.999), width=st.floats(1e-9, 0.5))
@settings(max_examples=50, deadline=None)
def test_shares_of_time_are_shares_however_short_the_time(begin, width):
    population = SimulatedEvents(replace(SHOP, n_events=20_000)).population
    times = begin, begin + width / 2, begin + width
    for share in (
        split.share_of_life(np.arange(4000, dtype=np.int32), population.lives, *times),
        split.share_of_stay(np.arange(10_000, dtype=np.int32), population.stays, *times),
    ):
        assert 0 <= share.min() <= share.max() <= 1


def test_going_through_them_again_gives_the_same_events_and_another_seed_does_not(shop):
    again, other = all_of(SHOP), all_of(replace(SHOP, seed=1))
    for field in fields(Block):
        assert np.array_equal(getattr(shop, field.name), getattr(again, field.name))
    assert not np.array_equal(shop.user, other.user)


def test_no_block_is_larger_than_a_stretch_may_be(monkeypatch):
    monkeypatch.setattr(split, "MOST_IN_A_STRETCH", 2000)
    monkeypatch.setattr(split, "N_STRETCHES", 1)
    sizes = [len(block) for block in SimulatedEvents(replace(REVIEWS, n_events=50_000))]
    assert sum(sizes) == 50_000
    assert max(sizes) <= 2000
    assert len(sizes) > 25


@pytest.mark.parametrize("column", ["user", "item"])
def test_activity_and_popularity_follow_power_laws(reviews, column):
    slope, correlation = slope_of_ranks(np.bincount(getattr(reviews, column)))
    assert -1.0 < slope < -0.4
    assert correlation < -0.97


def test_events_come_in_sessions(shop):
    visits = of_kind(shop, Kind.VIEW)
    assert 3.0 < len(visits) / len(np.unique(visits.session)) < 4.5
    order = np.lexsort((visits.ts_ms, visits.session))
    session, ts_ms = visits.session[order], visits.ts_ms[order]
    pauses_s = np.diff(ts_ms)[np.diff(session) == 0] / 1000
    assert pauses_s.max() < 1800
    assert np.median(pauses_s) == pytest.approx(45, rel=0.1)
    assert all(len(set(visits.user[visits.session == s])) == 1 for s in range(0, 5000, 500))


def test_weeks_days_and_years_have_their_seasons(shop):
    days = shop.ts_ms // DAY_MS
    weekdays = np.bincount((days + 3) % 7)  # 1970 began on a Thursday
    assert (weekdays.argmax(), weekdays.argmin()) in {(0, 4), (6, 4)}
    months = np.bincount(shop.ts_ms.astype("datetime64[ms]").astype("datetime64[M]").astype(int))
    by_month = months[-24:].reshape(2, 12).sum(axis=0)
    assert by_month.argmax() == 11
    assert by_month[11] > 1.25 * by_month[:10].mean()
    hours = np.bincount(shop.ts_ms // 3_600_000 % 24)
    assert hours[20] > 4 * hours[4]


def test_growth_moves_activity_to_the_end():
    spec = replace(SHOP, n_events=50_000, growth=200.0)
    position = np.quantile(all_of(spec).ts_ms, 0.5)
    start_ms = (spec.start - date(1970, 1, 1)).days * DAY_MS
    assert (position - start_ms) / (spec.n_days * DAY_MS) > 0.8


def test_users_keep_to_tastes_that_move(shop):
    """Two sessions of a user agree on the category more often than chance, and less so later."""
    population = SimulatedEvents(SHOP).population
    _, first = np.unique(shop.session, return_index=True)
    sessions = shop.take(first)
    category = population.category_of(sessions.item)
    order = np.lexsort((sessions.ts_ms, sessions.user))
    user, ts_ms, category = sessions.user[order], sessions.ts_ms[order], category[order]
    is_same = category[1:] == category[:-1]
    gap_days = np.where(np.diff(user) == 0, np.diff(ts_ms) / DAY_MS, np.nan)
    soon, late = is_same[gap_days < 40].mean(), is_same[gap_days > 250].mean()
    chance = np.sum((np.bincount(category) / len(category)) ** 2)
    assert soon > 2.5 * chance
    assert late < 0.6 * soon


def test_items_are_born_and_fade(reviews):
    """No item is visited before its life or after it, and more at its beginning."""
    population = SimulatedEvents(REVIEWS).population
    first, length = population.lives.of(np.arange(REVIEWS.n_items))
    days = reviews.ts_ms // DAY_MS
    position = np.searchsorted(np.sort(days), days) / len(days)  # about the share that has passed
    age = (position - first[reviews.item]) / length[reviews.item]
    assert np.mean((age > -0.1) & (age < 1.1)) > 0.995
    within = (first > 0) & (first + length < 1)
    ages = age[within[reviews.item]]
    assert np.mean(ages < 0.5) == pytest.approx(0.75, abs=0.05)


def test_a_review_is_written_once_a_day_at_most(reviews):
    days = reviews.ts_ms // DAY_MS
    rows = np.stack([reviews.user, reviews.item, days])
    assert np.unique(rows, axis=1).shape[1] == len(reviews)


def test_better_items_get_more_stars(reviews):
    n_reviews = np.bincount(reviews.item)
    mean = np.bincount(reviews.item, weights=reviews.value) / n_reviews
    assert np.std(mean[n_reviews > 50]) > 0.3


@pytest.mark.parametrize("spec", [SHOP, REVIEWS], ids=["shop", "reviews"])
def test_half_of_the_repeats_are_exact(spec):
    block = all_of(replace(spec, duplicates=0.04))
    rows = np.stack([block.user, block.item, block.kind, block.ts_ms, block.salt])
    assert len(block) - np.unique(rows, axis=1).shape[1] == 0.02 * spec.n_events


def test_the_other_half_of_the_repeats_have_another_time():
    block = all_of(replace(REVIEWS, duplicates=0.04))
    pairs = block.session << 32 | block.item  # a session reviews an item once
    same = np.unique(pairs * 5 + block.value % 5)
    assert len(block) - len(same) == block.user.size * 0.04
    timed = np.stack([pairs, block.ts_ms])
    assert len(block) - np.unique(timed, axis=1).shape[1] < 0.021 * len(block)


def test_carts_and_purchases_follow_a_view_of_the_same_item(shop):
    views = of_kind(shop, Kind.VIEW)
    seen = set(zip(views.session.tolist(), views.item.tolist(), strict=True))
    for kind in (Kind.CART, Kind.PURCHASE):
        later = of_kind(shop, kind)
        assert set(zip(later.session.tolist(), later.item.tolist(), strict=True)) <= seen
    carts, purchases = of_kind(shop, Kind.CART), of_kind(shop, Kind.PURCHASE)
    assert set(purchases.session.tolist()) <= set(carts.session.tolist())
    assert {1, 2} <= set(purchases.value.tolist()) <= {1, 2, 3}


def test_bots_visit_much_quickly_and_anything_and_buy_nothing():
    spec = replace(SHOP, bots=0.1)
    simulated = SimulatedEvents(spec)
    block = joined(list(simulated))
    by_bot = block.user >= simulated.population.first_bot
    assert by_bot.sum() == round(0.1 * spec.n_visits)
    assert set(block.kind[by_bot].tolist()) == {KIND_CODES[Kind.VIEW]}
    bot = block.take(block.user == spec.n_users - 1)
    assert np.median(np.diff(bot.ts_ms)) < 1000
    categories = simulated.population.category_of(bot.item)
    assert len(np.unique(categories)) > 50


def test_a_small_electronics_has_exactly_its_users_items_and_stars():
    spec = preset("electronics-2014").scaled(0.02)
    block = all_of(spec)
    assert len(block) == spec.n_events
    for column, n in ((block.user, spec.n_users), (block.item, spec.n_items)):
        counts = np.bincount(column)
        assert len(counts) == n
        assert counts.min() == 5
    assert tuple(np.bincount(block.value)[1:]) == spec.stars
