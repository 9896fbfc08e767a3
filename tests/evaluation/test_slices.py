"""Slices of users and targets, and what models show on them."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, popular_of, shop_rows
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from endcap.evaluation.certainty.bootstrap import Difference, Interval
from endcap.evaluation.lists.rank import Lists
from endcap.evaluation.report.slice_table import render_slices
from endcap.evaluation.slices.measure import (
    MIN_USERS,
    SliceResult,
    measure_slices,
    worse_than_reference,
)
from endcap.evaluation.slices.ways import (
    CATEGORY,
    DEPARTMENT,
    HISTORY,
    POPULARITY,
    RECENCY,
    USER,
    popularity_deciles,
    slices_of,
)
from endcap.evaluation.split import split_by_time
from endcap.schema.types import DAY_US, TopK

DAY = DAY_US
PAST = [
    *((day * DAY, 0, item) for day, item in ((0, 0), (1, 0), (98, 1), (99, 2))),  # 3 items
    (95 * DAY, 1, 0),
    (5 * DAY, 2, 0),
    (100 * DAY - 1, 2, 3),
]
FUTURE = [(101 * DAY, user, item) for user, item in ((0, 1), (0, 4), (1, 0), (2, 3), (3, 2))]
SHOP = dataset_of(PAST + FUTURE, n_users=4, n_items=5)


def labelled(split, by, view="all", **options):
    """Return (user, item) pairs by label of one way of slicing."""
    found = {}
    for one in slices_of(split, view, **options):
        if one.by == by:
            users = np.repeat(one.targets.users, one.targets.n_relevant)
            found[one.label] = list(zip(users.tolist(), one.targets.items.tolist(), strict=True))
    return found


@pytest.fixture(scope="module")
def small():
    return split_by_time(SHOP, cut_us=100 * DAY)


@pytest.fixture(scope="module")
def shop():
    return split_by_time(dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS), cut_us=CUT)


def test_users_are_sliced_by_distinct_items_had(small):
    assert labelled(small, HISTORY) == {
        "0": [(3, 2)],
        "1": [(1, 0)],
        "2-4": [(0, 1), (0, 4), (2, 3)],
    }


def test_users_are_sliced_by_days_since_their_last_interaction(small):
    assert labelled(small, RECENCY) == {
        "<1": [(2, 3)],
        "1-6": [(0, 1), (0, 4), (1, 0)],
        "never": [(3, 2)],
    }


def test_who_was_not_learnt_from_is_new(small):
    assert labelled(small, USER) == {"new": [(3, 2)], "known": [(0, 1), (0, 4), (1, 0), (2, 3)]}


def test_targets_are_sliced_by_tenths_of_all_interactions(small):
    # Item 0 has 4 of 7 interactions: middle 2/7. Items 1 to 3 share the other 3: middle 5.5/7.
    assert popularity_deciles(small.train).tolist() == [2, 7, 7, 7, 10]
    assert labelled(small, POPULARITY) == {
        "3": [(1, 0)],
        "8": [(0, 1), (2, 3), (3, 2)],
        "cold": [(0, 4)],
    }


def test_an_equal_share_of_interactions_falls_into_each_decile():
    rows = [(ts, 0, item) for item in range(10) for ts in range(1 + item)]
    deciles = popularity_deciles(dataset_of(rows * 10, n_users=1, n_items=10))
    assert deciles[9] == 0  # its middle: 50 of 550
    assert deciles[0] == 9
    assert np.all(np.diff(deciles) <= 0)


def test_the_ten_largest_categories_stand_alone(small):
    codes = np.array([0, 1, 0, -1, 0], dtype=np.int32)
    items = replace(small.train.items, category=codes, category_names=("tea", "oil"))
    split = replace(small, train=replace(small.train, items=items))
    assert labelled(split, CATEGORY) == {
        "tea": [(0, 4), (1, 0), (3, 2)],
        "oil": [(0, 1)],
        "unknown": [(2, 3)],
    }


def test_of_many_categories_the_small_ones_are_taken_together():
    rows = [(0, 0, 0), *((1, user, item) for item in range(12) for user in range(13 - item))]
    data = dataset_of(rows, n_users=13, n_items=12)
    names = tuple(f"c{item}" for item in range(12))
    codes = np.arange(12, dtype=np.int32)
    data = replace(data, items=replace(data.items, category=codes, category_names=names))
    found = labelled(split_by_time(data, cut_us=1), CATEGORY)
    assert list(found) == [*names[:10], "others"]
    assert len(found["others"]) == 3 + 2


def test_departments_stand_in_where_no_category_is_known(small):
    codes = np.array([0, 0, 1, 1, 1], dtype=np.int32)
    items = replace(small.train.items, department=codes, department_names=("a", "b"))
    split = replace(small, train=replace(small.train, items=items))
    assert labelled(split, DEPARTMENT)["a"] == [(0, 1), (1, 0)]
    assert labelled(split, CATEGORY) == {}


def test_attributes_of_users_are_slices_when_they_tell_few_groups_apart(small):
    attributes = {
        "device": ["phone", "desk", None, "phone"],
        "only one value": ["x"] * 4,
        "too many": [str(n) for n in range(51)],
    }
    assert labelled(small, "user's device", attributes=attributes) == {
        "desk": [(1, 0)],
        "phone": [(0, 1), (0, 4), (3, 2)],
        "unknown": [(2, 3)],
    }
    ways = {one.by for one in slices_of(small, "all", attributes=attributes)}
    assert ways == {HISTORY, RECENCY, USER, POPULARITY, "user's device"}


def test_with_queries_the_history_is_theirs_and_the_attributes_are_their_users(small):
    # Query 0 is user 3 with two items, query 1 is user 1 with none; user 3 was not learnt from.
    history = dataset_of([(5, 0, 1), (6, 0, 2)], n_users=2, n_items=5)
    targets = replace(small.targets["all"].take(np.array([0, 1])), users=np.array([0, 1]))
    split = replace(
        small, history=history, query_users=np.array([3, 1]), targets={"all": targets}, cut_us=7
    )
    assert labelled(split, HISTORY) == {"0": [(1, 0)], "2-4": [(0, 1), (0, 4)]}
    assert labelled(split, USER) == {"new": [(0, 1), (0, 4)], "known": [(1, 0)]}
    assert set(labelled(split, RECENCY)) == {"<1", "never"}
    device = {"device": ["phone", "desk", None, "tv"]}
    assert labelled(split, "user's device", attributes=device)["tv"] == [(0, 1), (0, 4)]


def test_no_recency_where_history_goes_on_beyond_the_cut(small):
    split = replace(small, cut_us=50 * DAY)
    assert labelled(split, RECENCY) == {}


@given(st.integers(0, 2**32 - 1))
def test_every_way_of_slicing_holds_every_target_once(seed):
    rng = np.random.default_rng(seed)
    n_users, n_items = 12, 9
    rows = [
        (int(rng.integers(200)) * DAY, int(rng.integers(n_users)), int(rng.integers(n_items)))
        for _ in range(60)
    ]
    data = dataset_of([(0, 0, 0), *rows, (199 * DAY, 0, 1)], n_users=n_users, n_items=n_items)
    codes = rng.integers(-1, 3, n_items).astype(np.int32)
    data = replace(data, items=replace(data.items, category=codes, category_names=("a", "b", "c")))
    split = split_by_time(data, cut_us=120 * DAY)
    device = [["x", "y", None][int(n)] for n in rng.integers(3, size=n_users)]
    whole = split.targets["all"]
    wanted = list(zip(np.repeat(whole.users, whole.n_relevant), whole.items, strict=True))
    slices = slices_of(split, "all", attributes={"device": device})
    for _, way in itertools.groupby(slices, key=lambda one: one.by):
        found = []
        for one in way:
            targets = one.targets
            assert np.all(targets.n_relevant > 0)
            assert np.all(np.diff(targets.users) > 0)
            found += zip(np.repeat(targets.users, targets.n_relevant), targets.items, strict=True)
        assert sorted(found) == wanted


def test_in_a_slice_of_targets_the_others_are_misses(small):
    users = small.targets["all"].users
    items = np.tile(np.array([[4, 1]], dtype=np.int32), (len(users), 1))
    scores = np.tile(np.array([[2, 1]], dtype=np.float32), (len(users), 1))
    lists = {"popular": Lists(users, TopK(items, scores), np.zeros(4, dtype=bool), 0.0)}
    results = measure_slices(lists, slices_of(small, "all"), k=2, reference="popular")
    by_label = {(result.by, result.label): result for result in results}
    second = 1 / math.log2(3)
    # Users 0, 2 and 3 with items 1, 3 and 2: only user 0's is listed, in the second place.
    assert by_label[POPULARITY, "8"].ndcg["popular"].mean == pytest.approx(second / 3)
    assert by_label[POPULARITY, "cold"].ndcg["popular"].mean == pytest.approx(1)
    assert by_label[HISTORY, "2-4"].ndcg["popular"].mean == pytest.approx(1 / 2)  # 1 and 0
    assert by_label[HISTORY, "2-4"].n_targets == 3
    assert by_label[HISTORY, "2-4"].n_users == 2


def lists_of(split, **models):
    users = split.targets["all"].users
    return {
        name: Lists(users, model.recommend(users, 5, exclude_seen=False), users < 0, 0.0)
        for name, model in models.items()
    }


class Again:
    """Lists what the user had, else nothing of use."""

    def __init__(self, data, first_item):
        self.data, self.first_item = data, first_item

    def recommend(self, users, k, *, exclude_seen):
        had, items = self.data.interactions, np.empty((len(users), k), dtype=np.int32)
        for row, user in enumerate(users):
            own = np.unique(had.item_idx[had.user_idx == user])[::-1]
            rest = np.setdiff1d(np.arange(self.first_item, self.first_item + 2 * k), own)
            items[row] = np.concatenate([own, rest])[:k]
        return TopK(items, np.tile(-np.arange(k, dtype=np.float32), (len(users), 1)))


@pytest.fixture(scope="module")
def measured(shop):
    lists = lists_of(shop, popular=popular_of(shop.train), again=Again(shop.train, 100))
    return measure_slices(lists, slices_of(shop, "all"), k=5, reference="popular")


def test_intervals_and_p_values_are_student_s(shop):
    lists = lists_of(shop, popular=popular_of(shop.train), again=Again(shop.train, 100))
    (one,) = [one for one in slices_of(shop, "all") if one.label == "known"]
    (result,) = measure_slices(lists, [one], k=5, reference="popular")
    relevant = dict(zip(one.targets.users.tolist(), one.targets.rows(), strict=True))

    def ndcg(name, user):
        row = lists[name].ranked.items[np.searchsorted(lists[name].users, user)]
        gains = [
            1 / math.log2(place + 2) for place, item in enumerate(row) if item in relevant[user]
        ]
        return sum(gains) / sum(1 / math.log2(n + 2) for n in range(min(5, len(relevant[user]))))

    values = {name: np.array([ndcg(name, user) for user in relevant]) for name in lists}
    test = stats.ttest_rel(values["again"], values["popular"])
    found = result.versus_reference["again"]
    assert (found.mean, found.low, found.high) == pytest.approx(
        ((values["again"] - values["popular"]).mean(), *test.confidence_interval(0.95))
    )
    assert found.p_value == found.p_adjusted == pytest.approx(test.pvalue)
    assert result.ndcg["again"].mean == pytest.approx(values["again"].mean())
    assert found.n_users == result.n_users == len(relevant) == 280


def test_p_values_are_adjusted_over_all_slices_and_models(measured):
    tested = [one for r in measured for one in r.versus_reference.values() if one.p_value >= 0]
    raw = np.array([one.p_value for one in tested])
    order = np.argsort(raw)
    stepped = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)), 1)
    assert [tested[place].p_adjusted for place in order] == pytest.approx(stepped.tolist())
    assert len(raw) > 5


def test_a_slice_of_few_users_claims_nothing(measured):
    small = [result for result in measured if result.n_users < MIN_USERS]
    assert [result.label for result in small if result.by == USER] == ["new"]
    for result in small:
        assert math.isnan(result.ndcg["again"].low)
        assert result.versus_reference["again"].verdict == "not shown to differ from"
        assert not math.isnan(result.ndcg["again"].mean)


def test_the_random_ranking_is_measured_but_not_compared(shop):
    popular = popular_of(shop.train)
    lists = lists_of(shop, random=popular, popular=popular)
    for result in measure_slices(lists, slices_of(shop, "all"), k=5, reference="popular"):
        assert set(result.ndcg) == {"random", "popular"}
        assert result.versus_reference == {}


def result(label, mean, *, p_adjusted, half=0.01, model="als"):
    difference = Difference(mean, mean - half, mean + half, 500, p_adjusted, p_adjusted)
    interval = Interval(0.1, 0.09, 0.11, 500)
    return SliceResult(HISTORY, label, 500, 900, {"popular": interval}, {model: difference})


def test_where_it_is_worse_than_popularity_the_sure_come_first():
    results = [
        result("0", -0.03, p_adjusted=0.2),
        result("1", -0.02, p_adjusted=0.01),
        result("2-4", -0.04, p_adjusted=0.001),
        result("5-9", 0.04, p_adjusted=0.001),
        result("10-19", -0.005, p_adjusted=1.0),
    ]
    found = worse_than_reference(results)
    assert [(one.label, one.is_sure) for one in found] == [
        ("2-4", True),
        ("1", True),
        ("0", False),
    ]
    text = printed(results)
    assert "3 of 5 comparisons" in text
    assert "2 of them beyond chance" in " ".join(text.split())
    assert "+0.0400▲" in text
    assert "-0.0400▼" in text
    assert "[-0.0500, -0.0300]" in text


def printed(results, width=110):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for part in render_slices(results, width=width):
            console.print(part)
    return capture.get()


def test_the_terminal_shows_every_slice_and_model_within_its_width(measured):
    doubled = [
        replace(
            one, versus_reference={f"model_{n}": one.versus_reference["again"] for n in range(8)}
        )
        for one in measured
    ]
    for width in (80, 110):
        text = printed(doubled, width)
        assert max(map(len, text.splitlines())) <= width
        for n in range(8):
            assert f"model_{n}" in text
        for one in measured:
            assert one.label in text
    assert render_slices([]) == []


def test_a_hostile_label_is_text_on_the_terminal():
    text = printed([result("[red]x[/red]", 0.1, p_adjusted=0.5, model="a[/b]")])
    assert "[red]x[/red]" in text
    assert "a[/b]" in text


def test_the_plain_data_survives_json(measured):
    from pydantic import TypeAdapter

    reader = TypeAdapter(list[SliceResult])
    sure = [one for one in measured if one.n_users >= MIN_USERS]
    assert reader.validate_json(reader.dump_json(sure)) == sure
