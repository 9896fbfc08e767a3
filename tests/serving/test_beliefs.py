"""What a server believes about a visitor is what the batch form gives on the same events."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from pydantic import SecretStr

from endcap.bundle.read import read_bundle
from endcap.features.point_in_time import user_features
from endcap.features.spec import FeatureSpec
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Interactions
from endcap.schema.types import DAY_US, SECOND_US
from endcap.serving.beliefs import NOT_TOLD, Beliefs
from endcap.serving.config import ServingConfig
from endcap.serving.wire_features import FeaturesOut, UserFeaturesOut
from endcap.testing.shop import SHOP_END_US
from pages import live_state
from shops import make_shop, shop_parts, write_shop
from webshop import open_web

ACTS = [
    ("user-03", Kind.VIEW, "item-010", 7200.0),
    ("user-03", Kind.CART, "item-010", 600.0),
    ("user-03", Kind.PURCHASE, "item-010", 300.0),
    ("user-03", Kind.VIEW, "item-011", 60.0),
    ("user-03", Kind.VIEW, "nothing we sell", 30.0),
    ("stranger", Kind.LIKE, "item-020", 10.0),
]
SPEC = FeatureSpec()


def all_events(shop, acts) -> Interactions:
    """Return the shop's interactions with the acts added to them."""
    told = shop.data.interactions
    known = [act for act in acts if act[0] in shop.user_ids and act[2] in shop.item_ids]
    items = np.array([shop.item_ids.index(act[2]) for act in known], dtype=np.int32)
    extra = Interactions(
        user_idx=np.array([shop.user_ids.index(act[0]) for act in known], dtype=np.int32),
        item_idx=items,
        kind=np.array([KIND_CODES[act[1]] for act in known], dtype=np.uint8),
        value=np.ones(len(known), dtype=np.float32),
        price=shop.price[items],
        ts=np.array([SHOP_END_US - int(act[3] * SECOND_US) for act in known], dtype=np.int64),
    )
    both = {
        name: np.concatenate([getattr(told, name), getattr(extra, name)])
        for name in ("user_idx", "item_idx", "kind", "value", "price", "ts")
    }
    order = np.argsort(both["ts"], kind="stable")
    return Interactions(**{name: column[order] for name, column in both.items()})


@pytest.mark.parametrize("days", [0, 3, 30])
@pytest.mark.parametrize("user_id", ["user-03", "user-11"])
def test_it_is_what_the_batch_form_gives(shop, bundle, user_id, days):
    now_us = SHOP_END_US + days * DAY_US
    beliefs = Beliefs(bundle, live_state(bundle, ACTS))
    live = beliefs.about(user_id, now_us)
    # Purchases weigh one and views less, in the live state as here.
    told = all_events(shop, ACTS)
    weights = np.array([bundle.kind_weights.of(kind) for kind in KIND_CODES], dtype=np.float32)
    told = replace(told, weight=weights[told.kind - 1])
    user = np.array([shop.user_ids.index(user_id)], dtype=np.int32)
    batch = user_features(told, shop.data.items, users=user, at_us=now_us, spec=SPEC)
    assert live.incomplete <= {
        *("n_events_recent", "price_level", "price_band", "session_n_events", "session_length_s")
    }
    for part in fields(batch):
        if part.name in {*live.incomplete, *NOT_TOLD, "price_band"}:
            continue
        np.testing.assert_array_equal(
            getattr(live.row, part.name), getattr(batch, part.name), err_msg=part.name
        )
    assert live.row.taste.code.tolist() == batch.taste.code.tolist()
    np.testing.assert_allclose(live.row.taste.share, batch.taste.share, rtol=1e-5)
    if days == 30:
        assert "n_events_recent" not in live.incomplete


def test_sales_that_a_bundle_does_not_keep_are_confessed(tmp_path):
    shop = make_shop()
    parts = shop_parts(shop, kinds=("purchase", "rating"), history_kind_verb="bought")
    beliefs = Beliefs(read_bundle(write_shop(parts, tmp_path)), live_state_of_nobody(parts))
    assert "n_items_bought_recent" in beliefs.about("user-03", SHOP_END_US).incomplete
    assert "n_items_bought_recent" not in beliefs.about("nobody", SHOP_END_US).incomplete


def live_state_of_nobody(parts):
    from endcap.feedback.state import LiveState

    return LiveState({item_id: index for index, item_id in enumerate(parts.item_ids)})


def test_what_was_reviewed_was_bought(tmp_path):
    shop = make_shop()
    reviewed = shop_parts(shop, kinds=("rating",), history_kind_verb="reviewed")
    viewed = shop_parts(shop, kinds=("view",), history_kind_verb="viewed")
    n_bought = []
    for parts in (reviewed, viewed):
        bundle = read_bundle(write_shop(parts, tmp_path))
        found = Beliefs(bundle, live_state_of_nobody(parts)).about("user-03", SHOP_END_US)
        assert "n_items_bought_recent" not in found.incomplete
        n_bought.append(int(found.row.n_items_bought_recent[0]))
        assert found.row.n_items_recent[0] > 0
    assert n_bought[0] == found.row.n_items_recent[0]
    assert n_bought[1] == 0


async def test_an_answer_tells_the_latest_event(web, client):
    address = "/v1/users/user-03/features"
    before = (await client.get(address)).json()
    UserFeaturesOut.model_validate(before, strict=True)
    assert set(before["features"]) == set(FeaturesOut.model_fields)
    assert before["visitor"] == "known"
    assert before["features"]["taste"][0]["category"]
    assert 0 < before["features"]["taste"][0]["share"] <= 1
    await web.act("view", "user-03", "item-010")
    web.clock[0] += 1
    response = await client.get(address)
    assert response.headers["cache-control"] == "no-store"
    after = response.json()
    n_before = before["features"]["n_events_recent"]
    assert after["features"]["n_events_recent"] == n_before + 1
    assert after["features"]["days_since_last_event"] < 1e-6
    assert after["ts"] == before["ts"] + 1


async def test_of_somebody_who_is_new_nothing_is_believed(web, client):
    answer = (await client.get("/v1/users/a%2Fb/features")).json()
    assert answer["user_id"] == "a/b"
    assert answer["visitor"] == "new"
    assert answer["incomplete"] == []
    assert answer["features"] == {
        "n_items": 0,
        "days_since_first_event": None,
        "days_since_last_event": None,
        "n_events_recent": 0,
        "n_items_recent": 0,
        "n_items_bought_recent": 0,
        "price_level": None,
        "price_band": None,
        "session_n_events": 0,
        "session_length_s": 0.0,
        "taste": [],
    }
    await web.act("purchase", "a/b", "item-010")
    web.clock[0] += 1
    answer = (await client.get("/v1/users/a%2Fb/features")).json()
    assert answer["visitor"] == "session"
    assert answer["incomplete"] == []
    assert answer["features"]["price_level"] > 0
    assert answer["features"]["price_band"] in range(5)


async def test_a_name_that_is_none_is_a_problem(client):
    response = await client.get("/v1/users/%07/features")
    assert response.status_code == 422
    assert response.json()["type"] == "urn:endcap:problem:bad-parameter"


async def test_a_key_is_asked_for(bundle):
    config = ServingConfig(api_key=SecretStr("a" * 32))
    async with open_web(bundle, config=config) as web:
        assert (await web.client.get("/v1/users/user-03/features")).status_code == 401
        headers = {"X-API-Key": "a" * 32}
        found = await web.client.get("/v1/users/user-03/features", headers=headers)
        assert found.status_code == 200
