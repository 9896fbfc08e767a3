from types import SimpleNamespace

import numpy as np
import pytest

from endcap.explore.amounts import prices, quantities, say_prices, say_quantities
from endcap.explore.cold_start import cold_start, say_cold_start, say_no_split
from endcap.explore.duplicates import duplicates, repeats, say_duplicates, say_repeats
from endcap.explore.overview import overview
from endcap.explore.quarantine import quarantine, say_quarantine
from endcap.explore.ratings import rating_distribution, say_ratings
from endcap.schema.columns import Kind


def test_ratings_by_hand(make):
    stars = [5, 5, 4, 1]
    rows = [(0, i, "2024-01-01", Kind.RATING, star) for i, star in enumerate(stars)]
    found = rating_distribution(make([*rows, (0, 9, "2024-01-02", Kind.VIEW, 3)]))
    assert found is not None
    assert (found.n, found.mean, found.median) == (4, 3.75, 4.5)
    assert found.steps == (1, 4, 5)
    assert found.counts.tolist() == [1, 1, 2]
    assert found.shares.tolist() == [0.25, 0.25, 0.5]
    assert say_ratings(found) == (
        "The mean of 4 ratings is 3.75, the median 4.5. 50% of them are 5, 25% are 1."
    )
    assert rating_distribution(make([(0, 0, "2024-01-01")])) is None


def test_a_fine_scale_is_drawn_in_twenty_bars(make):
    rows = [(0, 0, "2024-01-01", Kind.RATING, value / 10) for value in range(100)]
    found = rating_distribution(make(rows))
    assert found is not None
    assert found.steps == ()
    assert len(found.counts) == 20
    assert found.counts.sum() == 100


def test_one_star_for_all_is_said_in_one_sentence(make):
    found = rating_distribution(make([(0, 0, "2024-01-01", Kind.RATING, 3)] * 2))
    assert found is not None
    assert say_ratings(found).endswith("100% of them are 3.")


def test_quantities_by_hand(make):
    pieces = [1, 1, 2.5, 12]
    data = make([(0, 0, "2024-01-01", Kind.PURCHASE, n) for n in pieces])
    found = quantities(data)
    assert found is not None
    assert (found.n, found.mean, found.median, found.most) == (4, 4.125, 1.75, 12)
    assert found.one_share == 0.5
    assert found.buckets.counts.tolist() == [2, 0, 1, 0, 1]  # 2.5 counts as three
    assert say_quantities(found).startswith(
        "50% of the purchases are of one piece; the mean is 4.1"
    )
    single = quantities(make([(0, 0, "2024-01-01", Kind.PURCHASE)]))
    assert single is not None
    assert say_quantities(single) == "Every purchase is of one piece."
    assert quantities(make([(0, 0, "2024-01-01", Kind.VIEW)])) is None


def test_prices_are_those_of_purchases_when_there_are_any(make):
    data = make(
        [
            (0, 0, "2024-01-01", Kind.PURCHASE, 3, 2.0),
            (0, 1, "2024-01-01", Kind.PURCHASE, 1, 4.0),
            (0, 2, "2024-01-01", Kind.PURCHASE, 1, np.nan),
            (0, 2, "2024-01-01", Kind.PURCHASE, 1, 0.0),
            (0, 3, "2024-01-01", Kind.VIEW, 1, 1000.0),
        ]
    )
    found = prices(data)
    assert found is not None
    assert (found.n, found.known_share, found.median, found.mean) == (2, 0.5, 3, 3)
    assert found.revenue == 10
    assert found.bins.counts.sum() == 2
    assert "All purchases together brought 10. 50% have no price" in say_prices(found)
    views = prices(make([(0, 0, "2024-01-01", Kind.VIEW, 1, 8.0)]))
    assert views is not None
    assert (views.median, views.revenue) == (8, 0)
    assert prices(make([(0, 0, "2024-01-01", Kind.VIEW)])) is None


def test_duplicates_by_hand(make):
    data = make(
        [
            (0, 0, "2024-01-01T10:00:00", Kind.VIEW),
            (0, 0, "2024-01-01T10:00:00", Kind.VIEW),  # at the same time
            (0, 0, "2024-01-01T10:00:02", Kind.VIEW),  # near
            (0, 0, "2024-01-01T10:00:05", Kind.VIEW),  # 3 s later: not near
            (0, 0, "2024-01-01T10:00:00", Kind.CART),  # another kind
            (0, 1, "2024-01-01T10:00:00", Kind.VIEW),  # another item
            (1, 0, "2024-01-01T10:00:00", Kind.PURCHASE),
            (1, 0, "2024-01-01T10:00:00", Kind.PURCHASE),
        ]
    )
    found = duplicates(data, near_s=2)
    assert (found.n, found.n_same_time, found.n_near) == (8, 2, 1)
    assert (found.same_time_share, found.near_share) == (0.25, 0.125)
    assert found.by_kind == {Kind.VIEW: 2, Kind.PURCHASE: 1}
    assert duplicates(data, near_s=3).n_near == 2
    assert say_duplicates(found) == (
        "2 rows repeat user, item, kind and time of an earlier one (25% of all); 1 more (12%) come "
        "within 2 s of one. Of purchases these may be true pieces of one basket."
    )


def test_near_duplicates_alone_are_said_so(make):
    found = duplicates(make([(0, 0, "2024-01-01T10:00:00"), (0, 0, "2024-01-01T10:00:01")]))
    assert say_duplicates(found) == (
        "1 row repeats user, item and kind of another within the 2 s before (50% of all)."
    )


def test_a_clean_set_has_no_duplicates(make):
    found = duplicates(make([(0, 0, "2024-01-01"), (0, 0, "2024-01-02"), (0, 1, "2024-01-02")]))
    assert (found.n_same_time, found.n_near, found.by_kind) == (0, 0, {})
    assert say_duplicates(found).startswith("No row repeats")


def test_repeats_by_hand(make):
    rows = [(0, 0, f"2024-01-0{day}") for day in (1, 2, 3)]
    data = make([*rows, (0, 1, "2024-01-01"), (2, 1, "2024-01-01")], n_users=4)
    found = repeats(data)
    assert found.n_pairs == 3
    assert found.repeat_share == pytest.approx(2 / 5)
    assert found.repeat_user_share == 0.5
    assert found.pairs.labels == ("1", "2", "3-4")
    assert found.pairs.counts.tolist() == [2, 0, 1]
    assert say_repeats(found, "views") == (
        "40% of the views are with an item that the user had before; 50% of the users ever came "
        "back to one."
    )
    once = repeats(make([(0, 0, "2024-01-01")]))
    assert say_repeats(once) == "No user took the same item twice."


def test_cold_start_by_hand(make, time_us):
    data = make(
        [
            (0, 0, "2024-01-01"),
            (1, 1, "2024-01-02"),
            # the test part:
            (0, 0, "2024-02-01"),  # known user repeats
            (0, 2, "2024-02-01"),  # new item
            (0, 2, "2024-02-02"),  # still new: the test part teaches nothing
            (2, 1, "2024-02-03"),  # new user
            (3, 3, "2024-02-03"),  # both new
        ],
        n_users=6,
        n_items=6,
    )
    found = cold_start(data, cut_us=time_us("2024-02-01"))
    assert found is not None
    assert (found.n_train, found.n_test) == (2, 5)
    assert (found.n_test_users, found.n_test_items) == (3, 4)
    assert found.cold_users == pytest.approx(2 / 3)
    assert found.cold_items == pytest.approx(2 / 4)
    assert found.cold_user_interactions == pytest.approx(2 / 5)
    assert found.cold_item_interactions == pytest.approx(3 / 5)
    assert found.cold_interactions == pytest.approx(4 / 5)
    assert found.repeat_interactions == pytest.approx(1 / 5)
    assert say_cold_start(found).startswith("Cut on 1 Feb 2024, the last 71% of the interactions")


@pytest.mark.parametrize("cut", ["2023-12-31", "2024-01-01", "2024-03-01"])
def test_a_cut_outside_the_data_has_no_shares(make, time_us, cut):
    data = make([(0, 0, "2024-01-01"), (0, 0, "2024-02-01")])
    assert cold_start(data, cut_us=time_us(cut)) is None
    says = say_no_split(overview(data), cut_us=time_us(cut))
    assert "leaves one side empty: the data spans 31 days" in says


def counts(**changes):
    nothing = dict.fromkeys(
        ("removed_by_sample", "removed_by_minimum", "removed_by_k_core", "quarantined"), 0
    )
    tables = {
        "quarantined_by_reason": {},
        "flagged": {},
        "catalogue_quarantined_by_reason": {},
    }
    return SimpleNamespace(counts=SimpleNamespace(**{**nothing, **tables, **changes}))


def test_quarantine_lists_the_largest_reason_first_and_leaves_out_zeros():
    found = quarantine(
        counts(
            rows_in=10,
            kept=4,
            quarantined=5,
            removed_by_k_core=1,
            quarantined_by_reason={"no item": 2, "no user": 4, "no time": 0},
            flagged={"near_duplicate": 3, "bot": 0},
        )
    )
    assert list(found.by_reason.items()) == [("no user", 4), ("no item", 2)]
    assert found.quarantined_share == 0.5
    assert say_quarantine(found) == (
        "4 of 10 rows were kept, 5 (50%) put aside, 1 left out (below the k-core). "
        "Kept, but flagged: 3 as near duplicate."
    )


def test_quarantine_of_a_clean_source():
    found = quarantine(counts(rows_in=3, kept=3))
    assert say_quarantine(found) == "3 rows came in, and all were kept."
