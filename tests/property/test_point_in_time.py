"""Features know nothing of the future, and a part of the users or items is worth the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.point_in_time import (
    item_features,
    placed_in_shop,
    totals_of,
    user_features,
)
from endcap.features.spec import FeatureSpec
from endcap.schema.columns import Kind
from feature_events import (
    CUT_US,
    ITEMS,
    N_ITEMS,
    N_USERS,
    WEIGHTS,
    assert_same_bits,
    event_rows,
    few_rows,
    interactions,
    taken,
)

USERS = np.arange(N_USERS, dtype=np.int32)
SPECS = [FeatureSpec(), FeatureSpec(price_bands_within="shop", taste_by="department", n_tastes=1)]
weights = st.sampled_from([None, WEIGHTS])


def of_users(told, spec, users=USERS, totals=None):
    return user_features(told, ITEMS, users=users, at_us=CUT_US, spec=spec, totals=totals)


def of_items(told, spec, item_idx=None, totals=None):
    return item_features(told, ITEMS, at_us=CUT_US, spec=spec, item_idx=item_idx, totals=totals)


@pytest.mark.parametrize("spec", SPECS)
@given(told=event_rows, others=few_rows, weighed=weights)
def test_what_happens_at_or_after_the_cut_changes_nothing(spec, told, others, weighed):
    past = [row for row in told if row[-1] < CUT_US]
    later = [(*row[:-1], CUT_US + row[-1]) for row in others]
    before = interactions(past, weights=weighed)
    for future in ([row for row in told if row[-1] >= CUT_US], later):
        everything = interactions(past + future, weights=weighed)
        assert len(everything) == len(past) + len(future)
        items = of_items(everything, spec)
        assert_same_bits(items, of_items(before, spec))
        totals = totals_of(items, ITEMS, spec=spec)
        assert_same_bits(
            of_users(everything, spec, totals=totals), of_users(before, spec, totals=totals)
        )


@given(told=event_rows)
def test_what_happened_just_before_the_cut_is_seen(told):
    past = [row for row in told if row[-1] < CUT_US]
    last = (1, 2, Kind.PURCHASE, 1.0, 2.5, CUT_US - 1)
    users = of_users(interactions([*past, last]), FeatureSpec())
    items = of_items(interactions([*past, last]), FeatureSpec())
    assert users.days_since_last_event[1] < 1e-6
    assert items.days_since_last_seen[2] < 1e-6
    assert items.n_events[2] == of_items(interactions(past), FeatureSpec()).n_events[2] + 1


@pytest.mark.parametrize("spec", SPECS)
@given(
    told=event_rows,
    parts=st.lists(st.integers(0, 2), min_size=N_USERS, max_size=N_USERS),
    weighed=weights,
)
def test_a_part_of_the_users_gives_the_same_bits_as_all(spec, told, parts, weighed):
    everything = interactions(told, weights=weighed)
    totals = totals_of(of_items(everything, spec), ITEMS, spec=spec)
    whole = of_users(everything, spec, totals=totals)
    for part in range(3):
        users = np.flatnonzero(np.array(parts) == part).astype(np.int32)
        own = everything.take(np.isin(everything.user_idx, users))
        expected = taken(whole, users)
        assert_same_bits(of_users(own, spec, users, totals), expected)
        assert_same_bits(of_users(everything, spec, users, totals), expected)
        backwards = users[::-1].copy()
        assert_same_bits(of_users(own, spec, backwards, totals), taken(whole, backwards))


@pytest.mark.parametrize("spec", SPECS)
@given(
    told=event_rows,
    parts=st.lists(st.integers(0, 2), min_size=N_ITEMS, max_size=N_ITEMS),
    weighed=weights,
)
def test_a_part_of_the_items_gives_the_same_bits_as_all(spec, told, parts, weighed):
    everything = interactions(told, weights=weighed)
    whole = of_items(everything, spec)
    totals = totals_of(whole, ITEMS, spec=spec)
    for part in range(3):
        chosen = np.flatnonzero(np.array(parts) == part).astype(np.int32)
        own = everything.take(np.isin(everything.item_idx, chosen))
        expected = taken(whole, chosen)
        assert_same_bits(of_items(own, spec, chosen, totals), expected)
        # And without the totals at first, as an engine does that sees one part after the other.
        alone = of_items(own, spec, chosen)
        assert_same_bits(placed_in_shop(alone, ITEMS, totals), expected)


@given(told=event_rows)
def test_counts_are_what_counting_by_hand_gives(told):
    spec = FeatureSpec()
    interest = {Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.RATING, Kind.LIKE}
    sales = {Kind.PURCHASE, Kind.RATING}
    past = [row for row in told if row[-1] < CUT_US and row[2] in interest]
    recent = [row for row in past if row[-1] >= CUT_US - 7 * 86_400_000_000]
    users, items = of_users(interactions(told), spec), of_items(interactions(told), spec)
    for user in range(N_USERS):
        own = [row for row in past if row[0] == user]
        lately = [row for row in recent if row[0] == user]
        assert users.n_items[user] == len({row[1] for row in own})
        assert users.n_events_recent[user] == len(lately)
        assert users.n_items_recent[user] == len({row[1] for row in lately})
        assert users.n_items_bought_recent[user] == len(
            {row[1] for row in lately if row[2] in sales}
        )
    for item in range(N_ITEMS):
        own = [row for row in past if row[1] == item]
        assert items.n_events[item] == len(own)
        assert items.n_users[item] == len({row[0] for row in own})
        assert items.n_bought[item] == sum(row[2] in sales for row in own)
        assert items.n_events_recent[item] == sum(row[1] == item for row in recent)
        stars = [row[3] for row in own if row[2] is Kind.RATING]
        assert items.count_ratings[item] == len(stars)
        if stars:
            assert items.avg_rating[item] == pytest.approx(sum(stars) / len(stars))
        expected = sum(2.0 ** (-(CUT_US - row[-1]) / (7 * 86_400_000_000)) for row in own)
        assert items.trend[item] == pytest.approx(expected, rel=1e-5, abs=1e-30)


@given(told=event_rows, weighed=weights)
def test_shares_of_a_taste_add_up_to_one(told, weighed):
    spec = FeatureSpec()
    taste = of_users(interactions(told, weights=weighed), spec).taste
    for user in range(N_USERS):
        entries = slice(taste.indptr[user], taste.indptr[user + 1])
        share, code = taste.share[entries], taste.code[entries]
        assert np.all(np.diff(share) <= 0)
        assert len(set(code.tolist())) == len(code)
        assert len(share) == 0 or share.sum() == pytest.approx(1, rel=1e-5)
