from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from endcap.bundle.read import Bundle, read_bundle
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US, SECOND_US
from endcap.serving.engine import Engine
from endcap.serving.gather import MINUTE_US
from endcap.serving.page import UnknownItemError
from pages import engine_of, happen, items_of, live_state, shelf_of
from shops import SHIFT_US, WALL_NOW_US, shop_parts, write_shop

HOME_OF_KNOWN = ["buy_again", "recommended", "because", "trending", "popular_department", "new"]


def home(bundle: Bundle, user_id: str, *acts, wall_us: int = WALL_NOW_US):
    return engine_of(bundle, acts, wall_us=wall_us).home(user_id, request_id="r")


def departments_of(bundle, items):
    return [bundle.department[bundle.item_index[item_id]] for item_id in items]


class TestWhoAsks:
    def test_a_known_user_gets_every_personal_shelf(self, bundle):
        page = home(bundle, "user-07")
        assert page.visitor == "known"
        assert (page.user_id, page.request_id) == ("user-07", "r")
        assert page.bundle_id == bundle.bundle_id
        assert [shelf.shelf_id for shelf in page.shelves] == HOME_OF_KNOWN

    def test_a_stranger_gets_what_the_shop_likes(self, bundle):
        page = home(bundle, "never seen")
        assert page.visitor == "new"
        assert [shelf.shelf_id for shelf in page.shelves] == [
            "trending",
            "popular",
            "popular_department",
            "new",
        ]

    def test_two_clicks_of_nobody_known_make_a_personal_page(self, bundle):
        acts = [("anon", Kind.VIEW, "item-003", 9), ("anon", Kind.VIEW, "item-009", 5)]
        page = home(bundle, "anon", *acts)
        assert page.visitor == "session"
        assert [shelf.shelf_id for shelf in page.shelves][:2] == ["because", "recommended"]
        drinks = departments_of(bundle, items_of(shelf_of(page, "recommended")))
        assert drinks.count(3) >= 8

    def test_clicks_on_unheard_of_items_do_no_harm(self, bundle):
        page = home(bundle, "anon", ("anon", Kind.CART, "no such thing", 5))
        assert page.visitor == "new"
        assert page.shelves == home(bundle, "someone else").shelves

    def test_staples_are_offered_again(self, shop, bundle):
        page = home(bundle, "user-07")
        again = items_of(shelf_of(page, "buy_again"))
        staples = {shop.item_ids[item] for item in shop.staples[7] if shop.is_available[item]}
        assert len(staples & set(again)) >= 7

    def test_recommendations_follow_the_planted_taste(self, shop, bundle):
        hits = []
        for user in range(0, 60, 5):
            page = home(bundle, shop.user_ids[user])
            codes = departments_of(bundle, items_of(shelf_of(page, "recommended"))[:4])
            hits += [code == shop.favourite[user] for code in codes]
        assert np.mean(hits) > 0.8  # a sixth, if taste played no part

    def test_recommendations_are_things_the_user_never_had(self, shop, bundle):
        events = shop.data.interactions
        for user in (3, 11, 58):
            had = {shop.item_ids[item] for item in events.item_idx[events.user_idx == user]}
            page = home(bundle, shop.user_ids[user])
            assert not had & set(items_of(shelf_of(page, "recommended")))
            assert not had & set(items_of(shelf_of(page, "because")))


class TestWhatOneActDoes:
    def test_one_click_changes_the_page(self, bundle):
        engine = engine_of(bundle)
        before = engine.home("user-07", request_id="r")
        happen(engine.state, ("user-07", Kind.VIEW, "item-003", 1))
        after = engine.home("user-07", request_id="r")
        assert after.shelves[0].shelf_id == "because"
        assert after.shelves[0].title == "Because you viewed Red Juice"
        assert set(departments_of(bundle, items_of(after.shelves[0]))) == {3}
        assert items_of(shelf_of(after, "recommended")) != items_of(shelf_of(before, "recommended"))

    def test_the_last_item_of_the_visit_is_the_one_it_is_about(self, bundle):
        acts = [("user-07", Kind.VIEW, "item-003", 60), ("user-07", Kind.VIEW, "item-010", 30)]
        first = home(bundle, "user-07", *acts).shelves[0]
        name = bundle.catalogue_entry(10)["name"]
        assert first.title == f"Because you viewed {name}"

    @pytest.mark.parametrize(
        ("kind", "title"),
        [
            (Kind.VIEW, "Because you viewed Red Juice"),
            (Kind.CART, "Because Red Juice is in your cart"),
            (Kind.PURCHASE, "Because you bought Red Juice"),
            (Kind.RATING, "Because you reviewed Red Juice"),
        ],
    )
    def test_the_title_says_what_was_done(self, bundle, kind, title):
        assert home(bundle, "anon", ("anon", kind, "item-003", 5)).shelves[0].title == title

    def test_the_title_tells_the_latest_thing_done_with_the_item(self, bundle):
        acts = [("anon", Kind.CART, "item-003", 5), ("anon", Kind.VIEW, "item-003", 50)]
        assert home(bundle, "anon", *acts).shelves[0].title == "Because Red Juice is in your cart"

    @pytest.mark.parametrize("kind", [Kind.CART, Kind.PURCHASE])
    def test_what_is_in_the_cart_or_was_bought_is_offered_nowhere(self, bundle, kind):
        for shelf_id in HOME_OF_KNOWN:
            engine = engine_of(bundle)
            item = items_of(shelf_of(engine.home("user-07", request_id="r"), shelf_id))[0]
            happen(engine.state, ("user-07", kind, item, 1))
            assert item not in items_of(engine.home("user-07", request_id="r")), shelf_id

    @pytest.mark.parametrize("kind", [Kind.CART, Kind.PURCHASE])
    def test_nor_is_anything_of_the_same_name(self, bundle, kind):
        acts = [("anon", Kind.VIEW, f"item-{item:03}", 60 + item) for item in (4, 5, 6)]
        before = home(bundle, "anon", *acts)
        names = bundle.name_code[[bundle.item_index[item_id] for item_id in items_of(before)]]
        twins = [
            (int(other), item_id)
            for item_id, code in zip(items_of(before), names.tolist(), strict=True)
            for other in np.flatnonzero(bundle.name_code == code)
            if code >= 0 and bundle.item_ids[other] != item_id
        ]
        other, item_id = twins[0]
        page = home(bundle, "anon", *acts, ("anon", kind, bundle.item_ids[other], 1))
        assert item_id not in items_of(page)
        shown = bundle.name_code[[bundle.item_index[one] for one in items_of(page)]]
        assert bundle.name_code[other] not in shown

    def test_a_namesake_of_the_item_it_is_about_is_not_on_its_shelf(self, bundle):
        assert bundle.name_code[3] == bundle.name_code[27]
        assert 27 in bundle.neighbour_items[3]
        shelf = shelf_of(home(bundle, "anon", ("anon", Kind.VIEW, "item-003", 5)), "because")
        assert "item-027" not in items_of(shelf)

    def test_what_was_just_looked_at_is_no_discovery(self, bundle):
        engine = engine_of(bundle)
        item = items_of(shelf_of(engine.home("user-07", request_id="r"), "recommended"))[0]
        happen(engine.state, ("user-07", Kind.VIEW, item, 1))
        after = engine.home("user-07", request_id="r")
        assert item not in items_of(shelf_of(after, "recommended"))

    def test_what_was_bought_in_an_earlier_visit_may_be_bought_again(self, bundle):
        bought = [("anon", Kind.PURCHASE, f"item-{n:03d}", 7200) for n in (3, 9, 15, 21)]
        page = home(bundle, "anon", *bought)
        again = shelf_of(page, "buy_again")
        assert set(items_of(again)) == {"item-003", "item-009", "item-015", "item-021"}
        assert again.slots[0].reason == "Bought once, less than a day ago"
        assert page.shelves[0].shelf_id == "buy_again"  # no visit is under way

    def test_looking_at_things_is_not_buying_them(self, bundle):
        views = [("anon", Kind.VIEW, f"item-{n:03d}", 7200) for n in (3, 9, 15, 21)]
        page = home(bundle, "anon", *views)
        assert "buy_again" not in [shelf.shelf_id for shelf in page.shelves]
        assert shelf_of(page, "because").title.startswith("Because you viewed ")

    def test_a_visit_ends_after_half_an_hour(self, bundle):
        act = ("user-07", Kind.VIEW, "item-003", 0)
        engine = engine_of(bundle, [act])
        assert engine.home("user-07", request_id="r").shelves[0].shelf_id == "because"
        later = Engine(bundle, engine.state, lambda: WALL_NOW_US + 1900 * SECOND_US)
        assert later.home("user-07", request_id="r").shelves[0].shelf_id == "buy_again"

    def test_another_visitor_is_not_affected_by_a_click(self, bundle):
        act = ("user-08", Kind.VIEW, "item-003", 5)
        assert home(bundle, "user-07", act) == home(bundle, "user-07")

    def test_many_purchases_make_an_item_trend_for_all(self, bundle):
        quiet = home(bundle, "nobody")
        item = items_of(shelf_of(quiet, "trending"))[-1]
        acts = [(f"shopper-{n}", Kind.PURCHASE, item, 5) for n in range(30)]
        assert items_of(shelf_of(home(bundle, "nobody", *acts), "trending"))[0] == item

    def test_live_purchases_keep_the_week_alive(self, bundle):
        buyers = [(f"shopper-{n}", Kind.PURCHASE, f"item-{n % 5:03d}", 5) for n in range(20)]
        later_us = WALL_NOW_US + 30 * DAY_US
        ages = [(user, kind, item, -30 * 86_400 + 5) for user, kind, item, _ in buyers]
        shelf = shelf_of(home(bundle, "nobody", *ages, wall_us=later_us), "trending")
        assert {slot.item_id for slot in shelf.slots} == {f"item-{n:03d}" for n in range(5)}
        assert {slot.reason for slot in shelf.slots} == {"Bought by 4 shoppers in the last 7 days"}


class TestTime:
    def test_the_clock_shift_makes_the_end_of_the_data_now(self, bundle):
        trending = shelf_of(home(bundle, "nobody"), "trending")
        assert trending.slots[0].reason.endswith("in the last 7 days")
        unshifted = replace(bundle, clock_shift_us=0)
        page = home(unshifted, "nobody")  # five years later than all of its data
        assert [shelf.shelf_id for shelf in page.shelves] == ["popular", "popular_department"]

    def test_a_shifted_bundle_gives_the_same_page_at_the_shifted_moment(self, bundle):
        other = replace(bundle, clock_shift_us=SHIFT_US + DAY_US)
        page = engine_of(other, wall_us=WALL_NOW_US + DAY_US).home("user-07", request_id="r")
        assert page == home(bundle, "user-07")

    def test_a_page_long_after_the_data_is_still_a_page(self, bundle):
        page = home(bundle, "user-07", wall_us=WALL_NOW_US + 400 * DAY_US)
        ids = [shelf.shelf_id for shelf in page.shelves]
        assert ids == ["buy_again", "recommended", "because", "popular_department"]
        assert shelf_of(page, "buy_again").slots[0].reason.endswith("year ago")


class TestPartsThatAreMissing:
    def test_without_any_model_there_is_still_a_page(self, bundle):
        bare = replace(
            bundle,
            neighbour_items=None,
            neighbour_sims=None,
            als_item_factors=None,
            trending_counts=None,
            first_seen_us=None,
        )
        ids = [shelf.shelf_id for shelf in home(bare, "user-07").shelves]
        assert ids == ["buy_again", "popular_department", "popular"]
        assert items_of(home(bare, "nobody"))

    @pytest.mark.parametrize("kept", ["neighbours", "als_item_factors"])
    def test_one_model_is_enough_to_recommend(self, bundle, kept):
        gone = {
            "neighbours": {"als_item_factors": None},
            "als_item_factors": {"neighbour_items": None, "neighbour_sims": None},
        }[kept]
        shelf = shelf_of(home(replace(bundle, **gone), "user-07"), "recommended")
        assert {slot.source for slot in shelf.slots} == {
            {"neighbours": "item_knn", "als_item_factors": "als"}[kept]
        }

    def test_the_user_tower_is_listened_to(self, tower_bundle):
        only = replace(tower_bundle, blend_weights={"als": 0, "item_knn": 0, "session": 0})
        shelf = shelf_of(home(only, "user-07"), "recommended")
        assert {slot.source for slot in shelf.slots} == {"two_tower"}

    def test_weights_of_the_blend_come_from_the_bundle(self, bundle):
        one = replace(bundle, blend_weights={"als": 0})
        assert "als" not in {s.source for s in shelf_of(home(one, "user-07"), "recommended").slots}

    def test_without_names_and_departments(self, shop, tmp_path):
        unknown = np.full(shop.data.n_items, -1, dtype=np.int32)
        parts = shop_parts(
            shop,
            catalogue=[{"item_id": item_id} for item_id in shop.item_ids],
            department=unknown,
            department_names=(),
            category=unknown,
            category_names=(),
            price=np.full(shop.data.n_items, np.nan, dtype=np.float32),
        )
        bundle = read_bundle(write_shop(parts, tmp_path))
        page = home(bundle, "user-07", ("user-07", Kind.VIEW, "item-003", 5))
        ids = [shelf.shelf_id for shelf in page.shelves]
        assert ids == ["because", "buy_again", "recommended", "trending", "new"]
        assert page.shelves[0].title == "Because you viewed item-003"

    def test_when_nothing_can_be_had_the_page_is_empty(self, bundle):
        gone = replace(bundle, is_available=np.zeros(bundle.n_items, dtype=np.bool_))
        for user_id in ("user-07", "nobody"):
            assert home(gone, user_id).shelves == ()

    def test_reviews_are_called_reviews(self, bundle):
        reviews = replace(bundle, history_kind_verb="reviewed")
        page = home(reviews, "user-07")
        ids = [shelf.shelf_id for shelf in page.shelves]
        assert "buy_again" not in ids
        assert shelf_of(page, "because").title.startswith("Because you reviewed ")
        reasons = " ".join(slot.reason for slot in page.slots()).lower()
        assert "reviewed" in reasons
        assert "bought" not in reasons
        assert "sold" not in reasons


class TestDepartmentShelf:
    def test_is_the_favourite_unless_the_page_is_full_of_it(self, bundle, shop):
        titles = {
            shelf_of(home(bundle, shop.user_ids[user]), "popular_department").title
            for user in range(6)
        }
        assert len(titles) > 1
        assert all(title.startswith("Popular in ") for title in titles)

    def test_holds_only_its_own_items(self, bundle):
        shelf = shelf_of(home(bundle, "user-07"), "popular_department")
        names = {
            bundle.catalogue_entry(bundle.item_index[item_id])["department"]
            for item_id in items_of(shelf)
        }
        assert shelf.title == f"Popular in {names.pop()}"
        assert not names

    def test_follows_the_visit(self, bundle):
        acts = [("nobody", Kind.VIEW, item, 60) for item in ("item-004", "item-003")]
        shelf = shelf_of(home(bundle, "nobody", *acts), "popular_department")
        assert shelf.title in {"Popular in Garden", "Popular in Drinks"}

    def test_gives_way_when_the_page_is_full_of_the_favourite(self, bundle):
        acts = [("nobody", Kind.VIEW, item, 60) for item in ("item-004", "item-010")]
        page = home(bundle, "nobody", *acts)
        codes = departments_of(bundle, items_of(page))
        assert codes.count(4) >= 20
        shelf = shelf_of(page, "popular_department")
        assert shelf.title != "Popular in Garden"
        (code,) = set(departments_of(bundle, items_of(shelf)))
        assert shelf.title == f"Popular in {bundle.department_names[code]}"


class TestCache:
    def test_it_is_asked_for_the_same_visitor_and_state_only(self, bundle):
        cache: dict = {}
        state = live_state(bundle)
        engine = Engine(bundle, state, lambda: WALL_NOW_US, cache=cache)
        engine.home("user-07", request_id="a")
        engine.home("user-07", request_id="b")
        assert len(cache) == 1
        engine.home("user-08", request_id="a")
        assert len(cache) == 2
        happen(state, ("user-07", Kind.VIEW, "item-003", 1))
        engine.home("user-07", request_id="a")
        assert len(cache) == 3

    @pytest.mark.parametrize(
        "act",
        [
            ("user-07", Kind.VIEW, "item-003", 1),  # again: as many items in the visit as before
            ("user-07", Kind.PURCHASE, "item-200", 7200),  # not of this visit
            ("user-33", Kind.PURCHASE, "item-101", 1),  # somebody else's
        ],
    )
    def test_a_warm_engine_sees_what_a_cold_one_sees(self, bundle, act):
        acts = [("user-07", Kind.VIEW, "item-003", 60), ("user-07", Kind.VIEW, "item-010", 30)]
        warm = engine_of(bundle, acts)
        before = warm.home("user-07", request_id="r")
        for _ in range(20):
            happen(warm.state, act)
        cold = Engine(bundle, warm.state, lambda: WALL_NOW_US)
        assert warm.home("user-07", request_id="r") == cold.home("user-07", request_id="r")
        assert warm.home("user-07", request_id="r") != before

    def test_a_page_is_kept_for_the_rest_of_its_minute_only(self, bundle):
        wall_us = [WALL_NOW_US - WALL_NOW_US % MINUTE_US + 1]
        engine = Engine(bundle, live_state(bundle), lambda: wall_us[0])
        first = engine.home("user-07", request_id="a")
        wall_us[0] += MINUTE_US - 2
        assert engine.home("user-07", request_id="b").shelves is first.shelves
        wall_us[0] += MINUTE_US
        assert engine.home("user-07", request_id="c").shelves is not first.shelves

    def test_the_end_of_a_visit_is_seen(self, bundle):
        wall_us = [WALL_NOW_US]
        state = live_state(bundle, [("user-07", Kind.VIEW, "item-003", 0)])
        warm = Engine(bundle, state, lambda: wall_us[0])
        warm.home("user-07", request_id="r")
        wall_us[0] += 1900 * SECOND_US
        cold = Engine(bundle, state, lambda: wall_us[0])
        assert warm.home("user-07", request_id="r") == cold.home("user-07", request_id="r")


class TestSimilar:
    def test_neighbours_first_without_the_item_itself(self, bundle):
        slots = engine_of(bundle).similar("item-003", 10)
        items = [slot.item_id for slot in slots]
        assert len(set(items)) == len(items) == 10
        assert "item-003" not in items
        assert departments_of(bundle, items) == [3] * 10
        assert slots[0].reason.endswith("shoppers bought both")
        assert [slot.position for slot in slots] == list(range(10))

    def test_no_name_twice_and_nothing_that_cannot_be_had(self, bundle):
        for item_id in ("item-000", "item-024", "item-298"):
            index = [
                bundle.item_index[slot.item_id] for slot in engine_of(bundle).similar(item_id, 30)
            ]
            names = bundle.name_code[[bundle.item_index[item_id], *index]].tolist()
            assert len(set(names)) == len(names)
            assert bundle.is_available[index].all()

    def test_other_sources_follow_where_neighbours_do_not_suffice(self, tower_bundle, bundle):
        sources = [slot.source for slot in engine_of(tower_bundle).similar("item-003", 40)]
        assert sources == sorted(sources)  # item_knn, then two_tower
        assert set(sources) == {"item_knn", "two_tower"}
        bare = replace(bundle, neighbour_items=None, als_item_factors=None)
        alone = engine_of(bare).similar("item-003", 5)
        assert {slot.source for slot in alone} == {"department"}

    def test_an_unknown_item_is_an_error_of_its_own(self, bundle):
        with pytest.raises(UnknownItemError, match="no such thing"):
            engine_of(bundle).similar("no such thing", 5)

    def test_an_item_without_department_and_neighbours(self, bundle):
        bare = replace(bundle, neighbour_items=None, als_item_factors=None)
        assert engine_of(bare).similar("item-299", 5) == []
