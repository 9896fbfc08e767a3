"""What each kind of event, learnt or live, does to the pages of a shopper."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.bundle.read import Bundle, read_bundle
from endcap.bundle.scorer.panel import open_scorers
from endcap.features.history import build_history, history_of
from endcap.features.unsettled import settle
from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions
from endcap.serving.engine import Engine
from endcap.serving.gather import STEP_US
from endcap.serving.stages.retrieve import SESSION_FADE, retrieve_personal
from pages import context_of, engine_of, happen, items_of, live_state
from shops import SHIFT_US, WALL_NOW_US, shop_parts, write_shop
from webshop import open_web

DAY_S = 86_400
SHARES = {
    Kind.PURCHASE: 0.55,
    Kind.VIEW: 0.2,
    Kind.CART: 0.08,
    Kind.REMOVE: 0.05,
    Kind.LIKE: 0.03,
    Kind.DISLIKE: 0.05,
    Kind.IMPRESSION: 0.04,
}


@pytest.fixture(scope="module")
def mixed_data(shop) -> Dataset:
    """The data of the tiny shop, with events of all kinds."""
    told = shop.data.interactions
    codes = [KIND_CODES[kind] for kind in SHARES]
    rng = np.random.default_rng(4)
    kind = rng.choice(codes, size=len(told), p=list(SHARES.values())).astype(np.uint8)
    return replace(shop.data, interactions=replace(told, kind=kind))


@pytest.fixture(scope="module")
def mixed(shop, mixed_data, tmp_path_factory) -> Bundle:
    """A bundle of those data."""
    history, unsettled = settle(weigh(mixed_data, DEFAULT_WEIGHTS))
    bought = mixed_data.interactions.kind == KIND_CODES[Kind.PURCHASE]
    parts = shop_parts(
        shop,
        history=history,
        unsettled=unsettled,
        told=build_history(mixed_data.interactions.take(bought), mixed_data.n_users),
        kinds=mixed_data.interactions.kinds,
    )
    return read_bundle(write_shop(parts, tmp_path_factory.mktemp("mixed")))


def page_of(engine: Engine, user_id: str) -> list[str]:
    return items_of(engine.home(user_id, request_id="r"))


@pytest.mark.parametrize("user_id", ["user-07", "somebody new"])
def test_a_dislike_takes_the_item_off_every_page_at_once_and_for_good(bundle, user_id):
    engine = engine_of(bundle, [(user_id, Kind.VIEW, "item-003", 50)])
    shown = page_of(engine, user_id)
    for n, item_id in enumerate((shown[0], shown[7], shown[-1])):
        happen(engine.state, (user_id, Kind.DISLIKE, item_id, 40 - n))
        assert item_id not in page_of(engine, user_id)
    for n in range(250):
        happen(engine.state, (user_id, Kind.VIEW, "item-010", 30 - n / 10))
    later = Engine(bundle, engine.state, lambda: WALL_NOW_US + 3 * DAY_S * 1_000_000)
    assert not {shown[0], shown[7], shown[-1]} & set(page_of(later, user_id))


def test_what_one_refuses_is_shown_to_others_as_before(bundle):
    engine = engine_of(bundle)
    before = page_of(engine, "nobody")
    for n, item_id in enumerate(before[:5]):
        happen(engine.state, ("user-07", Kind.DISLIKE, item_id, 40 - n))
    assert page_of(engine, "nobody") == before
    assert not set(before[:5]) & set(page_of(engine, "user-07"))


def test_a_later_sign_of_interest_lifts_a_dislike(bundle):
    engine = engine_of(bundle)
    shown = page_of(engine, "user-07")[0]
    happen(engine.state, ("user-07", Kind.DISLIKE, shown, 7200))
    assert shown not in page_of(engine, "user-07")
    happen(engine.state, ("user-07", Kind.LIKE, shown, 3600))
    assert shown in page_of(engine, "user-07")


def test_a_dislike_of_what_was_looked_at_is_no_seed_of_the_visit(bundle):
    scorers = open_scorers(bundle)
    acts = [("u", Kind.VIEW, "item-003", 50), ("u", Kind.VIEW, "item-009", 40)]
    context = context_of(bundle, scorers, "u", [*acts, ("u", Kind.DISLIKE, "item-009", 30)])
    assert context.session_items.tolist() == [3]
    assert context.taste.items.tolist() == [3]
    assert context.taste.refused.tolist() == context.off_limits.tolist() == [9]
    assert context.seen.tolist() == [3, 9]
    assert context.anchor is None or context.anchor.item == 3


def test_what_is_taken_out_of_the_cart_may_be_shown_again(bundle):
    scorers = open_scorers(bundle)
    acts = [("u", Kind.VIEW, "item-009", 60), ("u", Kind.CART, "item-009", 50)]
    before = context_of(bundle, scorers, "u", acts)
    assert before.off_limits.tolist() == [9]
    assert before.session_kinds == (Kind.CART,)
    after = context_of(bundle, scorers, "u", [*acts, ("u", Kind.REMOVE, "item-009", 40)])
    assert after.off_limits.tolist() == []
    assert after.session_kinds == (Kind.VIEW,)
    assert after.taste.refused.tolist() == []
    np.testing.assert_allclose(after.taste.counts, [0.3])
    np.testing.assert_allclose(before.taste.counts, [0.9])


def test_a_cart_that_is_empty_is_not_spoken_of(bundle):
    acts = [
        ("u", Kind.CART, "item-003", 7200),
        ("u", Kind.REMOVE, "item-003", 7100),
        ("u", Kind.CART, "item-009", 50),
        ("u", Kind.REMOVE, "item-009", 40),
    ]
    page = engine_of(bundle, acts).home("u", request_id="r")
    assert not [shelf for shelf in page.shelves if "cart" in shelf.title]


def test_what_a_visit_shows_interest_in_speaks_by_its_weight(bundle):
    scorers, asked = open_scorers(bundle), []

    class Listener:
        def rank(self, seeds, weights, k, *, exclude):
            asked.append((seeds.tolist(), weights.tolist()))
            return scorers.neighbours.rank(seeds, weights, k, exclude=exclude)

    acts = [("u", Kind.VIEW, "item-003", 50), ("u", Kind.CART, "item-009", 40)]
    context = replace(context_of(bundle, scorers, "u", acts), anchor=None)
    retrieve_personal(context, replace(scorers, neighbours=Listener(), fold_in=None))
    assert asked[-1][0] == [9, 3]
    np.testing.assert_allclose(asked[-1][1], [0.6, 0.3 * SESSION_FADE], rtol=1e-6)


def test_impressions_change_no_page(bundle):
    acts = [("user-07", Kind.VIEW, "item-003", 50)]
    engine = engine_of(bundle, acts)
    before = [engine.home(user_id, request_id="r") for user_id in ("user-07", "new", "user-33")]
    for user_id in ("user-07", "new", "user-33"):
        for item_id in ("item-003", "item-010", "item-101"):
            happen(engine.state, (user_id, Kind.IMPRESSION, item_id, 5))
    cold = Engine(bundle, engine.state, lambda: WALL_NOW_US)
    for some in (engine, cold):
        after = [some.home(user_id, request_id="r") for user_id in ("user-07", "new", "user-33")]
        assert after == before


def test_what_was_refused_before_the_bundle_stays_away(mixed, mixed_data):
    history = history_of(interest(weigh(mixed_data, DEFAULT_WEIGHTS)))
    engine, scorers = engine_of(mixed), open_scorers(mixed)
    n_refused = 0
    for user, user_id in enumerate(mixed.user_ids):
        refused = history.row(user).refused
        n_refused += len(refused)
        assert set(refused.tolist()) <= set(context_of(mixed, scorers, user_id).seen.tolist())
        assert not {mixed.item_ids[item] for item in refused} & set(page_of(engine, user_id))
    assert n_refused > 100, "else this test would show little"


def test_interest_now_lifts_what_was_refused_before_the_bundle(mixed, mixed_data):
    history = history_of(interest(weigh(mixed_data, DEFAULT_WEIGHTS)))
    refused = int(history.row(3).refused[0])
    acts = [("user-03", Kind.LIKE, mixed.item_ids[refused], 3 * DAY_S)]
    context = context_of(mixed, open_scorers(mixed), "user-03", acts)
    assert refused not in context.taste.refused.tolist()
    assert refused in context.taste.items.tolist()
    looks = [("user-03", Kind.VIEW, "item-010", 100 - n / 10) for n in range(300)]
    later = context_of(mixed, open_scorers(mixed), "user-03", [*acts, *looks])
    assert refused not in later.taste.refused.tolist(), "also when the like is long forgotten"


def test_every_count_told_is_one_of_purchases(mixed, mixed_data):
    told = mixed_data.interactions
    bought = told.take(told.kind == KIND_CODES[Kind.PURCHASE])
    engine, n_checked = engine_of(mixed), 0
    for user, user_id in enumerate(mixed.user_ids[:12]):
        for slot in engine.home(user_id, request_id="r").slots():
            item = mixed.item_index[slot.item_id]
            takers = bought.take(bought.item_idx == item)
            if found := re.match(r"Bought (\d+) times|Bought (once)", slot.reason):
                n_times = 1 if found[2] else int(found[1])
                assert n_times == np.count_nonzero(takers.user_idx == user)
            elif found := re.fullmatch(r"Bought by (\d+) shoppers?", slot.reason):
                assert int(found[1]) == len(set(takers.user_idx.tolist()))
            else:
                continue
            n_checked += 1
    assert n_checked > 50


happening = st.tuples(
    st.sampled_from(list(Kind)), st.integers(0, 25), st.integers(0, 30), st.booleans()
)


@given(st.lists(happening, max_size=40), st.sampled_from(["user-05", "user-20", "new"]))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_taste_is_what_a_batch_of_all_events_gives(mixed, mixed_data, told, user_id):
    user = mixed.user_index.get(user_id, 0)
    known = np.concatenate([mixed_data.interactions.item_idx[:25], np.arange(3)])
    acts = [
        (user_id, kind, mixed.item_ids[int(known[n_item])], (40 * days + 1) * DAY_S / 10)
        for kind, n_item, days, _ in told
    ]
    context = context_of(mixed, open_scorers(mixed), user_id, acts)
    row = history_of(
        interest(weigh(_with(mixed_data, mixed, user, acts, user_id), DEFAULT_WEIGHTS))
    )
    expected = row.row(user)
    np.testing.assert_array_equal(context.taste.items, expected.items)
    np.testing.assert_array_equal(context.taste.refused, expected.refused)
    np.testing.assert_array_equal(context.taste.last_ts, expected.last_ts)
    np.testing.assert_allclose(context.taste.counts, expected.counts, rtol=1e-5)
    assert not set(expected.refused.tolist()) - set(context.off_limits.tolist())


def _with(data: Dataset, bundle: Bundle, user: int, acts, user_id: str) -> Dataset:
    """The data with the acts in them; of a new visitor the acts alone."""
    told = data.interactions
    if user_id not in bundle.user_index:
        told = told.take(told.user_idx != user)
    n = len(acts)
    ts = np.array([WALL_NOW_US - int(act[3] * 1e6) - SHIFT_US for act in acts], dtype=np.int64)
    columns = {
        "user_idx": np.full(n, user, dtype=np.int32),
        "item_idx": np.array([bundle.item_index[act[2]] for act in acts], dtype=np.int32),
        "kind": np.array([KIND_CODES[act[1]] for act in acts], dtype=np.uint8),
        "value": np.ones(n, dtype=np.float32),
        "price": np.full(n, np.nan, dtype=np.float32),
        "ts": ts,
    }
    joined = {name: np.concatenate([getattr(told, name), new]) for name, new in columns.items()}
    order = np.argsort(joined["ts"], kind="stable")
    return replace(
        data, interactions=Interactions(**{name: values[order] for name, values in joined.items()})
    )


@given(st.lists(happening, max_size=30))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_page_ever_shows_what_the_visitor_refused(bundle, told):
    engine = engine_of(bundle)
    on_top = page_of(engine, "user-07")
    for n, (kind, n_item, _, is_shown) in enumerate(told):
        item_id = on_top[n_item % len(on_top)] if is_shown else bundle.item_ids[n_item]
        happen(engine.state, ("user-07", kind, item_id, 60 - n))
    page = page_of(engine, "user-07")
    assert not set(engine.state.refused("user-07")) & set(page)
    assert not set(engine.state.cart("user-07")) & set(page)


def test_live_events_weigh_as_in_the_bundle(bundle):
    views = replace(bundle, kind_weights=DEFAULT_WEIGHTS.relative_to([Kind.VIEW]), kinds=("view",))
    state = live_state(views, [("u", Kind.VIEW, "item-003", 5)])
    assert state.recent("u")[0].weight == 1.0
    assert state.popular_counts[3] == pytest.approx(1.0, rel=1e-3)
    plain = live_state(bundle, [("u", Kind.VIEW, "item-003", 5)])
    assert plain.popular_counts[3] == 0, "the bundle learnt from purchases alone"
    step_us = bundle.data_time(WALL_NOW_US) // STEP_US * STEP_US
    assert state.recent("u")[0].ts >= step_us - STEP_US


def _event(n: int, kind: str, item_id: str) -> dict:
    return {"event_id": f"e{n}", "kind": kind, "user_id": "user-03", "item_id": item_id}


async def test_the_api_takes_every_kind_and_acts_on_it(bundle):
    async with open_web(bundle) as web:

        async def shown() -> list[str]:
            page = (await web.client.get("/v1/home/user-03")).json()
            return [item["item_id"] for shelf in page["shelves"] for item in shelf["items"]]

        first, second = (await shown())[:2]
        answer = await web.client.post("/v1/events", json=_event(1, "dislike", first))
        assert answer.status_code == 200
        assert first not in await shown()
        await web.client.post("/v1/events", json=_event(2, "cart", second))
        assert second not in await shown()
        await web.client.post("/v1/events", json=_event(3, "remove", second))
        assert second in await shown()
        everything = [_event(10 + n, kind.value, "item-010") for n, kind in enumerate(Kind)]
        answer = await web.client.post("/v1/events", json={"events": everything})
        assert answer.json()["accepted"] == len(Kind)
        assert len(web.state) == len(Kind) + 3


async def test_an_unknown_kind_is_answered_with_all_that_there_are(bundle):
    async with open_web(bundle) as web:
        answer = await web.client.post("/v1/events", json=_event(1, "hate", "item-010"))
        assert answer.status_code == 422
        reason = answer.json()["errors"][0]["reason"]
        assert all(kind.value in reason for kind in Kind)


async def test_the_visit_on_the_page_tells_what_still_holds(bundle):
    async with open_web(bundle) as web:
        told = [
            ("like", "item-003"),
            ("cart", "item-009"),
            ("remove", "item-009"),
            ("view", "item-015"),
            ("dislike", "item-015"),
            ("impression", "item-021"),
        ]
        for n, (kind, item_id) in enumerate(told):
            await web.client.post("/v1/events", json=_event(n, kind, item_id))
        html = (await web.client.get("/?user=user-03")).text
        names = {
            item: bundle.catalogue[bundle.item_index[item]]["name"]
            for item in ("item-003", "item-009", "item-015", "item-021")
        }
        chips = re.findall(r'class="[^"]*chip[^"]*".*?</li>', html, flags=re.DOTALL)
        text = " ".join(chips)
        assert "Liked" in text
        assert names["item-003"] in text
        assert "In the cart" not in text
        assert names["item-015"] not in text
        assert names["item-021"] not in text
