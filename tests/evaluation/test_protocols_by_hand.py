"""Each protocol on data small enough to do by hand."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import dataset_of
from pydantic import ValidationError

from endcap.evaluation.check_split import check_split
from endcap.evaluation.protocols.cold_items import hidden_items
from endcap.evaluation.protocols.registry import PROTOCOLS, ProtocolConfig, split_by
from endcap.evaluation.split import split_by_time
from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.types import DAY_US, SECOND_US

VIEW, PURCHASE = KIND_CODES[Kind.VIEW], KIND_CODES[Kind.PURCHASE]


def days(rows, *, n_users, n_items):
    """Return purchases from (day, user, item); rows of one time stay in their order."""
    rows = sorted(rows, key=lambda row: row[0])
    placed = [(place, user, item) for place, (_, user, item) in enumerate(rows)]
    data = dataset_of(placed, n_users=n_users, n_items=n_items)
    ts = np.array([round(day * DAY_US) for day, _, _ in rows])
    return replace(data, interactions=replace(data.interactions, ts=ts))


def of_kinds(data, kinds):
    interactions = replace(data.interactions, kind=np.array(kinds, dtype=np.uint8))
    return replace(data, interactions=interactions)


def told(data):
    """Return what is known of each user or query, in order."""
    rows = data.interactions
    return [rows.item_idx[rows.user_idx == user].tolist() for user in range(data.n_users)]


def asked(split, view):
    targets = split.targets[view]
    rows = zip(targets.users.tolist(), targets.rows(), strict=True)
    return {user: row.tolist() for user, row in rows}


def cut(name, data, *, session_of=None, **choices):
    choices = {"test_days": 10, "validation_days": 10, **choices}
    split = split_by(name, data, choices=ProtocolConfig(**choices), session_of=session_of)
    check_split(split)
    assert split.protocol == name
    return split


# user 0 comes back in both windows; user 1 comes once, 2 is new in the test, 3 had one thing.
SHOP = [
    *((1, 0, 0), (2, 0, 1), (3, 1, 2), (4, 3, 3)),
    *((12, 0, 2), (13, 1, 0)),
    *((21, 0, 4), (21, 0, 0), (25, 2, 1), (30, 0, 3), (30, 1, 2)),
]


@pytest.fixture
def shop():
    return days(SHOP, n_users=4, n_items=6)


def test_the_cut_in_time_is_the_one_of_split_by_time(shop):
    split = cut("temporal", shop)
    plain = split_by_time(shop, cut_us=shop.end_us - 10 * DAY_US)
    assert split.history is None
    assert split.facts == {"on": "test", "refit": True}
    assert split.counts == plain.counts
    for view in ("all", "repeat", "discovery"):
        assert asked(split, view) == asked(plain, view)


def test_without_refit_the_model_is_older_than_what_it_is_told(shop):
    split = cut("temporal", shop, refit=False)
    assert told(split.train) == [[0, 1], [2], [], [3]]
    assert told(split.history) == [[0, 1, 2], [2, 0], [], [3]]
    assert asked(split, "all") == {0: [0, 3, 4], 1: [2], 2: [1]}
    assert asked(split, "repeat") == {0: [0], 1: [2]}
    assert split.facts["n_history_only"] == 2
    # item 0 was bought in the validation window too, but also before it; 4 by nobody.
    assert split.targets["all"].items[split.targets["all"].is_cold].tolist() == [4]


def test_an_item_of_the_validation_window_is_cold_for_a_model_not_refitted():
    data = days([(1, 0, 0), (12, 1, 1), (25, 0, 1), (30, 1, 0)], n_users=2, n_items=2)
    assert cut("temporal", data).counts.n_cold_targets == 0
    counts = cut("temporal", data, refit=False).counts
    assert (counts.n_cold_targets, counts.n_cold_items) == (1, 1)


def test_validation_is_the_same_with_and_without_refit(shop):
    for name in ("temporal", "leave-one-out"):
        refit, stale = (cut(name, shop, on="validation", refit=refit) for refit in (True, False))
        assert refit.history is None
        assert stale.history is None
        assert told(refit.train) == told(stale.train)
        assert asked(refit, "all") == asked(stale, "all")


def test_leave_one_out_by_hand():
    rows = [(1, 0, 0), (2, 0, 1), (3, 0, 2), (3, 0, 3), (1, 1, 4), (2, 1, 5), (4, 1, 4), (1, 2, 0)]
    data = days(rows, n_users=3, n_items=6)
    split = cut("leave-one-out", data)
    assert told(split.train) == [[0, 1, 2], [4, 5], [0]]
    assert asked(split, "all") == {0: [3], 1: [4]}
    assert asked(split, "discovery") == {0: [3]}
    assert next(iter(split.targets)) == "discovery", "the headline"
    assert split.facts["tied_share"] == 0.5, "user 0 took items 2 and 3 at the same time"
    assert split.facts["n_repeat_targets"] == 1
    assert split.facts["n_short_users"] == 1
    counts = split.counts
    assert (counts.n_train, counts.n_window, counts.n_after) == (6, 2, 0)
    assert (counts.n_cold_targets, counts.n_test_users, counts.n_silent_users) == (1, 2, 1)


def test_leave_one_out_without_refit_tells_what_it_did_not_learn():
    rows = [(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 0, 3), (1, 1, 4), (2, 1, 5)]
    split = cut("leave-one-out", days(rows, n_users=2, n_items=6), refit=False)
    assert told(split.train) == [[0, 1], [4, 5]], "user 1 is too short, and learnt from"
    assert told(split.history) == [[0, 1, 2], [4, 5]]
    assert asked(split, "all") == {0: [3]}
    assert (split.facts["n_history_only"], split.facts["n_short_users"]) == (1, 1)


def test_leave_one_out_for_validation_foresees_the_one_before_the_last():
    rows = [(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 0, 3)]
    split = cut("leave-one-out", days(rows, n_users=1, n_items=4), on="validation")
    assert told(split.train) == [[0, 1]]
    assert asked(split, "all") == {0: [2]}
    assert split.counts.n_after == 1


def test_ties_in_time_keep_the_order_of_the_data():
    one, other = (
        cut("leave-one-out", days(rows, n_users=1, n_items=3))
        for rows in ([(1, 0, 0), (1, 0, 1), (1, 0, 2)], [(1, 0, 2), (1, 0, 1), (1, 0, 0)])
    )
    assert (asked(one, "all"), asked(other, "all")) == ({0: [2]}, {0: [0]})
    assert one.facts["tied_share"] == 1.0


def test_what_comes_after_the_target_is_told_to_nobody():
    data = days([(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 0, 3), (5, 0, 4)], n_users=1, n_items=5)
    viewed = of_kinds(data, [PURCHASE, PURCHASE, VIEW, PURCHASE, VIEW])
    choices = ProtocolConfig()
    split = split_by("leave-one-out", viewed, choices=choices, target_kinds=[Kind.PURCHASE])
    check_split(split)
    assert told(split.train) == [[0, 1, 2]]
    assert asked(split, "all") == {0: [3]}
    assert split.target_kinds == (Kind.PURCHASE,)
    assert split.counts.n_after == 1, "the view of item 4"


def sessions_shop():
    """User 0: before the cut 0 1; across it 2; then a session 3 0 3 4; user 1: a single click."""
    hour = 1 / 24
    rows = [
        *((1, 0, 0), (1 + hour / 4, 0, 1)),
        *((19.99, 0, 2), (20.005, 0, 5)),
        *((25, 0, 3), (25 + hour / 4, 0, 0), (25 + hour / 3, 0, 3), (25 + hour / 2, 0, 4)),
        (30, 1, 1),
    ]
    data = days(rows, n_users=2, n_items=6)
    return data, np.array([0, 0, 1, 1, 2, 2, 2, 2, 3])


def test_sessions_are_asked_click_by_click():
    data, session_of = sessions_shop()
    split = cut("sessions", data, session_of=session_of)
    assert told(split.train) == [[0, 1, 2], []]
    assert told(split.history) == [[3], [3, 0], [3, 0, 3]]
    assert split.query_users.tolist() == [0, 0, 0]
    assert asked(split, "next") == {0: [0], 1: [3], 2: [4]}
    assert asked(split, "next_new") == {0: [0], 2: [4]}, "3 is in the session already"
    assert asked(split, "rest") == {0: [0, 3, 4], 1: [3, 4], 2: [4]}
    facts = split.facts
    assert (facts["n_queries"], facts["n_first_clicks"], facts["n_clicks_under_way"]) == (3, 2, 1)
    assert split.counts.n_test_users == 1


def test_a_session_may_be_told_with_the_past():
    data, session_of = sessions_shop()
    split = cut("sessions", data, session_of=session_of, with_past=True)
    before = [0, 1, 2, 5]
    assert told(split.history) == [[*before, 3], [*before, 3, 0], [*before, 3, 0, 3]]
    assert asked(split, "next_new") == {2: [4]}


def test_drawn_clicks_stay_what_they_are():
    data, session_of = sessions_shop()
    whole = cut("sessions", data, session_of=session_of)
    few = cut("sessions", data, session_of=session_of, max_queries=2)
    assert (few.facts["n_queries"], few.facts["n_drawn_queries"]) == (3, 2)
    every = list(zip(told(whole.history), asked(whole, "next").values(), strict=True))
    drawn = list(zip(told(few.history), asked(few, "next").values(), strict=True))
    assert len(drawn) == 2
    assert all(query in every for query in drawn)


@pytest.mark.parametrize("session_of", [None, np.zeros(3), np.zeros(9)])
def test_sessions_that_cannot_be_are_refused(session_of):
    data, _ = sessions_shop()
    with pytest.raises(ValueError, match="session"):
        cut("sessions", data, session_of=session_of)


BASKETS = [
    *((1, 0, 0), (1, 0, 1)),
    *((22, 0, 1), (22, 0, 2), (24, 0, 3)),
    *((19.9, 1, 0), (20.1, 1, 4), (26, 1, 5)),
    (30, 2, 0),
]


def test_next_basket_is_what_was_bought_at_one_time():
    split = cut("next-basket", days(BASKETS, n_users=3, n_items=6))
    assert asked(split, "all") == {0: [1, 2], 1: [4], 2: [0]}
    assert asked(split, "repeat") == {0: [1]}
    assert asked(split, "discovery") == {0: [2], 1: [4], 2: [0]}
    assert (split.facts["n_basket_rows"], split.facts["n_other_baskets_rows"]) == (4, 2)
    assert split.counts.n_window == 6


def test_a_basket_under_way_at_the_cut_is_not_asked_for():
    data = days(BASKETS, n_users=3, n_items=6)
    split = cut("next-basket", data, basket_gap_s=DAY_US / SECOND_US)
    assert asked(split, "all") == {0: [1, 2], 1: [5], 2: [0]}, "4 belongs to the basket of 19.9"
    wide = cut("next-basket", data, basket_gap_s=2 * DAY_US / SECOND_US)
    assert asked(wide, "all")[0] == [1, 2, 3], "a gap of exactly the limit does not end a basket"


def test_cold_items_leave_no_trace():
    rows = [(day, day % 5, (day * 7) % 20) for day in range(20)]
    rows += [(21 + item / 5, (item + 2) % 5, item) for item in range(22)]
    rows += [(30, 0, 0)]
    data = days(rows, n_users=5, n_items=23)
    split = cut("cold-items", data, cold_item_share=0.4, seed=3)
    hidden = np.flatnonzero(hidden_items(23, seed=3, share=0.4)).tolist()
    assert 0 < len(hidden) < 20
    assert not set(split.train.interactions.item_idx.tolist()) & set(hidden)
    warm = set(range(20)) - set(hidden)
    assert split.rules["cold_only"].allowed.tolist() == sorted(set(range(23)) - warm)
    assert split.rules["cold_and_warm"].allowed is None
    items = set(split.targets["cold_only"].items.tolist())
    assert items <= (set(hidden) | {20, 21})
    assert {20, 21} <= items, "came up in the window"
    assert split.targets["cold_only"].is_cold.all()
    assert split.facts["n_natural_targets"] == 2
    assert split.facts["n_drawn_targets"] == len(items) - 2 > 0
    assert asked(split, "cold_only") == asked(split, "cold_and_warm")


def test_what_a_user_had_before_it_was_hidden_is_no_cold_target():
    rows = [(1, 0, 0), (2, 1, 1), (25, 0, 0), (26, 1, 0), (30, 1, 1)]
    data = days(rows, n_users=2, n_items=2)
    for seed in range(100):
        if hidden_items(2, seed=seed, share=0.5).tolist() == [True, False]:
            break
    split = cut("cold-items", data, cold_item_share=0.5, seed=seed)
    assert told(split.train) == [[], [1]]
    assert asked(split, "cold_only") == {1: [0]}
    assert split.facts["n_targets_had_before"] == 1
    assert split.facts["n_warm_targets"] == 1
    assert split.facts["n_held_back"] == 1


def test_without_hidden_items_only_new_ones_are_cold(shop):
    split = cut("cold-items", shop, cold_item_share=0)
    assert asked(split, "cold_only") == {0: [4]}
    assert split.rules["cold_only"].allowed.tolist() == [4, 5]
    assert split.facts["n_drawn_targets"] == 0


def test_cold_users_are_told_bit_by_bit():
    rows = [(day, 0, day) for day in range(1, 5)] + [(day, 1, day) for day in range(1, 3)]
    rows += [(5, 2, 0), (22, 0, 1), (23, 0, 7), (24, 1, 6), (30, 2, 5)]
    data = days(rows, n_users=3, n_items=8)
    split = cut("cold-users", data, cold_user_share=1, history_lengths=(0, 1, 3))
    assert told(split.train) == [[], [1, 2], [0]], "user 0 is hidden, the others are too short"
    assert split.query_users.tolist() == [0, 0, 0]
    assert told(split.history) == [[], [4], [2, 3, 4]]
    assert asked(split, "after_0") == {0: [7]}, "1 is a repeat"
    assert asked(split, "after_1") == {1: [7]}
    assert asked(split, "after_3") == {2: [7]}
    facts = split.facts
    assert (facts["n_hidden_users"], facts["n_short_users"], facts["n_held_back"]) == (1, 2, 4)
    assert (facts["n_targets_had_before"], facts["n_targets_of_others"]) == (1, 2)


def test_a_cold_user_is_told_with_what_was_refused_since():
    rows = [(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 0, 3), (5, 1, 0), (25, 0, 4), (30, 1, 4)]
    data = days(rows, n_users=2, n_items=5)
    dislike = KIND_CODES[Kind.DISLIKE]
    data = of_kinds(data, [PURCHASE, dislike, PURCHASE, dislike, *[PURCHASE] * 3])
    choices = ProtocolConfig(
        test_days=10, validation_days=10, cold_user_share=1, history_lengths=(0, 1, 2)
    )
    weighed = weigh(data, DEFAULT_WEIGHTS)
    split = split_by("cold-users", weighed, choices=choices, prepare=interest)
    check_split(split)
    assert told(split.history) == [[], [2], [0, 2]]
    refusals = split.history.refusals
    told_of = list(zip(refusals.user_idx.tolist(), refusals.item_idx.tolist(), strict=True))
    assert told_of == [(2, 1), (1, 3), (2, 3)], "in the order of time"


def test_cold_users_is_a_curve_over_the_same_users():
    rows = [(day, user, (user * 3 + day) % 40) for user in range(30) for day in range(1, 8)]
    rows += [(25, user, 40 + user % 9) for user in range(30)]
    rows += [(30, 0, 49)]
    split = cut("cold-users", days(rows, n_users=30, n_items=50), cold_user_share=0.5)
    views = [split.targets[view] for view in ("after_0", "after_1", "after_3", "after_5")]
    askers = [split.query_users[targets.users].tolist() for targets in views]
    assert 5 < len(askers[0]) < 25
    assert askers == [askers[0]] * 4
    assert all(targets.items.tolist() == views[0].items.tolist() for targets in views)
    lengths = np.bincount(split.history.interactions.user_idx, minlength=split.history.n_users)
    assert [set(lengths[targets.users]) for targets in views] == [{0}, {1}, {3}, {5}]
    assert not np.isin(split.train.interactions.user_idx, askers[0]).any()
    drawn = split.sample(3, rng=np.random.default_rng(0))
    assert [len(targets) for targets in drawn.targets.values()] == [3] * 4


@pytest.mark.parametrize(
    ("n", "n_validation", "n_test"),
    [(2, 0, 0), (3, 1, 1), (9, 1, 1), (10, 1, 1), (14, 1, 1), (15, 1, 2), (19, 1, 2), (20, 2, 2)],
)
def test_random_parts_of_a_user_are_those_of_mmrec(n, n_validation, n_test):
    rows = [(item / 10, 0, item) for item in range(n)] + [(3, 1, item) for item in range(30)]
    data = days(rows, n_users=2, n_items=30)
    test, validation = (cut("random", data, on=on) for on in ("test", "validation"))
    assert len(asked(test, "all").get(0, [])) == n_test
    assert len(asked(validation, "all").get(0, [])) == n_validation
    left = set(told(validation.train)[0])
    assert left | set(asked(test, "all").get(0, [])) | set(asked(validation, "all").get(0, [])) == (
        set(range(n))
    )


def test_random_parts_are_drawn_and_follow_from_the_seed():
    data = days([(item / 10, 0, item) for item in range(100)], n_users=1, n_items=100)
    drawn = [asked(cut("random", data, seed=seed), "all")[0] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0]) & set(drawn[2])) < 6
    assert 25 < np.mean(drawn[0]) < 75


@pytest.mark.parametrize(("share", "n"), [(0.35, 90), (0.35, 20), (0.1, 15)])
def test_a_share_that_is_a_decimal_number_rounds_as_on_paper(share, n):
    data = days([(item / 10, 0, item) for item in range(n)], n_users=1, n_items=n)
    counts = cut("random", data, random_share=share).counts
    assert counts.n_window == np.ceil(round(2 * share * n) / 2)


def test_random_rows_say_that_they_leak_the_future():
    rows = [(item / 10, 0, item) for item in range(200)]
    split = cut("random", days(rows, n_users=1, n_items=200), random_by="row", random_share=0.2)
    assert "leaks the future" in split.facts["warning"]
    assert all("leaks the future" in rule.meaning for rule in split.rules.values())
    assert "future" in PROTOCOLS["random"].leaks
    assert 20 < split.counts.n_window < 60
    assert split.train.interactions.ts.max() > split.cut_us, "it does"


def test_what_is_kept_for_validation_is_told_to_nobody_without_refit():
    data = days([(item / 10, 0, item) for item in range(20)], n_users=1, n_items=20)
    split = cut("random", data, refit=False)
    assert split.history is None
    assert (split.counts.n_train, split.counts.n_window, split.counts.n_after) == (16, 2, 2)


def test_nothing_to_foresee_is_an_error_that_says_what_to_choose():
    data = days([(1, 0, 0), (30, 0, 0)], n_users=1, n_items=1)
    for name in ("leave-one-out", "cold-items", "cold-users", "random"):
        with pytest.raises(DataError, match="there is no interaction"):
            cut(name, data, refit=False)


def test_an_unknown_protocol_is_refused_with_the_known_ones(shop):
    with pytest.raises(SettingsError) as caught:
        split_by("tomporal", shop)
    assert "leave-one-out" in caught.value.mend


@pytest.mark.parametrize("lengths", [(), (3, 1), (1, 1), (-1, 2)])
def test_history_lengths_are_ascending(lengths):
    with pytest.raises(ValidationError):
        ProtocolConfig(history_lengths=lengths)
