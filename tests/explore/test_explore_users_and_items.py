import numpy as np
import pytest

from endcap.explore.activity import (
    item_popularity,
    say_history_lengths,
    say_user_activity,
    user_activity,
)
from endcap.explore.concentration import (
    concentration,
    item_concentration,
    revenue_concentration,
    say_concentration,
)
from endcap.explore.favourites import favourite_items, favourites, say_favourites
from endcap.explore.item_age import item_age, say_item_age
from endcap.explore.overview import overview, say_density, say_kinds, say_size
from endcap.schema.columns import Kind
from endcap.schema.errors import DataError


def test_the_size_of_a_hand_counted_set(make):
    data = make(
        [
            (0, 0, "2024-01-01", Kind.VIEW),
            (0, 0, "2024-01-02", Kind.CART),
            (0, 1, "2024-01-03", Kind.VIEW),
            (1, 0, "2024-01-11", Kind.PURCHASE),
        ],
        n_items=4,
    )
    found = overview(data)
    assert (found.profile.n_interactions, found.profile.n_users, found.profile.n_items) == (4, 2, 2)
    assert found.n_unused_items == 2
    assert found.sparsity == pytest.approx(1 / 4)
    assert found.noun == "interactions"
    assert say_size(found) == (
        "4 interactions of 2 users with 2 items, from 1 Jan 2024 to 11 Jan 2024. "
        "Another 2 items (50% of the catalogue) have none."
    )
    assert "1.5 of the 2 items on average: 75% of all pairs" in say_density(found)
    assert say_kinds(found) == (
        "50% are views. A hundred views come with 50 additions to a cart and 50 purchases."
    )


def test_a_single_day_is_no_span(make):
    found = overview(make([(0, 0, "2024-01-01T08:00"), (0, 0, "2024-01-01T09:00")]))
    assert say_size(found) == "2 views of 1 user with 1 item, all on 1 Jan 2024."


def test_no_interaction_is_an_error_that_says_so(make):
    with pytest.raises(DataError, match="no interaction"):
        overview(make([], n_items=1))


def test_activity_by_hand(make):
    # User 0 has 7 interactions, user 1 has 1, user 3 has 2; user 2 has none and does not count.
    rows = [(0, item, "2024-01-01") for item in range(7)] + [(1, 0, "2024-01-01")]
    data = make([*rows, (3, 0, "2024-01-02"), (3, 1, "2024-01-02")], n_users=5)
    found = user_activity(data)
    assert (found.n, found.median, found.most) == (3, 2, 7)
    assert found.mean == pytest.approx(10 / 3)
    assert found.p90 == pytest.approx(6.0)  # between 2 and 7: 2 + 0.8 * 5
    assert found.few_share == pytest.approx(2 / 3)
    assert found.few_interactions_share == pytest.approx(3 / 10)
    shares = dict(zip(found.at_least.tolist(), found.share.tolist(), strict=True))
    assert shares[1] == 1
    assert shares[2] == pytest.approx(2 / 3)
    assert shares[3] == pytest.approx(1 / 3)
    assert shares[7] == pytest.approx(1 / 3)
    assert found.lengths.labels == ("1", "2", "3-4", "5-9")
    assert found.lengths.counts.tolist() == [1, 1, 0, 1]
    assert "2 in the median, 3.33 on average" in say_user_activity(found)
    assert say_history_lengths(found) == (
        "67% of the users (2 users) have fewer than 5 interactions; together they made 30% of all."
    )
    assert item_popularity(data).lengths.counts.tolist() == [5, 1, 1]


def test_concentration_by_hand():
    # 10 of 20 on one of four items: half of all on a quarter of the items.
    found = concentration(np.array([10, 0, 5, 4, 1]))
    assert found.n_items == 4
    assert found.half_share == 1 / 4
    assert found.top == {0.01: 0.5, 0.1: 0.5, 0.2: 0.5}  # each is one whole item
    assert found.gini == pytest.approx((-3 * 1 - 1 * 4 + 1 * 5 + 3 * 10) / (4 * 20))
    assert found.item_share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.total_share.tolist() == pytest.approx([0, 0.5, 0.75, 0.95, 1])
    assert say_concentration(found, "purchases") == (
        "Half of the purchases fall on 25% of the items; the top 1% has 50%, the top 20% has 50% "
        "(Gini 0.35)."
    )


def test_equal_items_have_no_concentration():
    found = concentration(np.full(10, 3))
    assert found.gini == pytest.approx(0)
    assert found.half_share == 0.5
    assert found.total_share == pytest.approx(found.item_share)


def test_revenue_counts_quantity_and_price_of_purchases_alone(make):
    data = make(
        [
            (0, 0, "2024-01-01", Kind.PURCHASE, 2, 3.0),
            (0, 1, "2024-01-01", Kind.PURCHASE, 1, 18.0),
            (0, 1, "2024-01-02", Kind.PURCHASE, 5, np.nan),
            (0, 2, "2024-01-02", Kind.VIEW, 1, 100.0),
        ]
    )
    found = revenue_concentration(data)
    assert found is not None
    assert (found.n_items, found.half_share) == (2, 0.5)
    assert found.total_share.tolist() == pytest.approx([0, 0.75, 1])
    assert item_concentration(data).n_items == 3
    assert "revenue comes from 50% of the items" in say_concentration(found, "x", found)
    assert revenue_concentration(make([(0, 0, "2024-01-01", Kind.PURCHASE)])) is None


def test_the_top_brands_and_what_has_none(make):
    rows = [(0, 0, "2024-01-01")] * 3 + [(0, 1, "2024-01-01")] + [(0, 3, "2024-01-01")] * 2
    data = make(rows, n_items=4, brand=([1, 0, 0, -1], ("Acme", "Best")))
    found = favourites(data, "brand")
    assert found is not None
    assert found.names == ("Best", "Acme")
    assert found.interaction_shares.tolist() == pytest.approx([3 / 6, 1 / 6])
    assert found.item_shares.tolist() == pytest.approx([1 / 3, 1 / 3])
    assert found.unknown_share == pytest.approx(2 / 6)
    assert say_favourites(found) == (
        "Most taken: Best, with 50% of the interactions. 33% are with an item without a brand."
    )
    assert favourites(data, "department") is None
    short = favourites(data, "brand", n=1)
    assert short is not None
    assert "The first 1 of 2 brands have 50%." in say_favourites(short)


def test_the_top_items_by_name(make):
    data = make([(0, 1, "2024-01-01"), (0, 1, "2024-01-02"), (0, 0, "2024-01-02")], n_items=3)
    found = favourite_items(data, [None, "Tea", "Unsold"])
    assert found is not None
    assert found.names == ("Tea", "(no name)")
    assert found.interaction_shares.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert favourite_items(data, [None, None, "Unsold"]) is None


def test_item_ages_by_hand(make):
    rows = [
        (0, 0, "2024-01-01"),  # 100 days old at the end
        (0, 1, "2024-04-01"),  # 9 days old
        (0, 0, "2024-04-05"),  # taken at an age of 95 days
        (0, 2, "2024-04-10"),  # new at the end
    ]
    found = item_age(make(rows, n_items=4), recent_days=28)
    assert found is not None
    assert found.labels == ("0-6", "7-29", "30-89", "90+")
    assert found.item_shares.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert found.recent_shares.tolist() == pytest.approx([2 / 3, 0, 0, 1 / 3])
    assert found.median_days == pytest.approx(9, abs=1e-6)
    assert "67% of the interactions were with an item first seen less than" in say_item_age(found)


def test_a_short_span_cannot_tell_new_items(make):
    assert item_age(make([(0, 0, "2024-01-01"), (0, 0, "2024-02-25")]), recent_days=28) is None
