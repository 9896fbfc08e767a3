"""The JSON API: every route, and that its answers keep to what the documentation says."""

from __future__ import annotations

import httpx
import pytest

from endcap.schema.errors import StoreError
from endcap.serving.wire import HomeOut, ReadyOut, ReceiptOut, SimilarOut, SlateOut

EVENT = {"event_id": "e1", "kind": "view", "user_id": "user-03", "item_id": "item-010"}


def items_of(page: dict) -> list[str]:
    return [item["item_id"] for shelf in page["shelves"] for item in shelf["items"]]


async def test_a_known_shopper_gets_shelves(client):
    response = await client.get("/v1/home/user-03")
    assert response.status_code == 200
    page = response.json()
    HomeOut.model_validate(page, strict=True)
    assert page["visitor"] == "known"
    assert page["user_id"] == "user-03"
    assert page["shelves"][0]["title"] == "Buy it again"
    items = items_of(page)
    assert len(items) == len(set(items)) > 20
    first = page["shelves"][0]["items"][0]
    assert first["name"]
    assert first["department"] == "Drinks"
    assert first["price"] > 0
    assert first["currency"] == "USD"
    assert [item["position"] for item in page["shelves"][0]["items"]] == list(
        range(len(page["shelves"][0]["items"]))
    )


@pytest.mark.parametrize("user_id", ["nobody", "ünknown 🙂", "a/b/c", "..", "x" * 128, "%", "0"])
async def test_whoever_asks_gets_a_page(client, user_id):
    path = httpx.URL("http://127.0.0.1").copy_with(
        raw_path=b"/v1/home/" + b"".join(b"%%%02x" % byte for byte in user_id.encode())
    )
    response = await client.get(path)
    assert response.status_code == 200
    page = response.json()
    assert page["user_id"] == user_id
    assert page["visitor"] == "new"
    assert {shelf["shelf"] for shelf in page["shelves"]} >= {"trending", "popular"}


async def test_an_answer_that_many_share_is_still_the_askers_own(web, client):
    first = (await client.get("/v1/home/stranger-1")).json()
    second = (await client.get("/v1/home/stranger-2")).json()
    assert first["shelves"] == second["shelves"]
    assert second["user_id"] == "stranger-2"
    assert first["request_id"] != second["request_id"]
    assert (await client.get(f"/v1/slates/{second['request_id']}")).json()[
        "user_id"
    ] == "stranger-2"


async def test_a_stranger_who_did_something_gets_another_page(web, client):
    before = (await client.get("/v1/home/stranger")).json()
    await web.act("view", "stranger", "item-010")
    after = (await client.get("/v1/home/stranger")).json()
    assert after["visitor"] == "session"
    assert items_of(after) != items_of(before)


async def test_similar_items(client):
    response = await client.get("/v1/items/item-009/similar", params={"k": 5})
    assert response.status_code == 200
    answer = response.json()
    SimilarOut.model_validate(answer, strict=True)
    assert len(answer["items"]) == 5
    assert "item-009" not in items_of({"shelves": [answer]})
    again = (await client.get("/v1/items/item-009/similar", params={"k": 5})).json()
    assert again == answer


async def test_similar_to_an_unknown_item_is_404(client):
    response = await client.get("/v1/items/caviar/similar")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:endcap:problem:unknown-item"
    assert "caviar" in response.json()["detail"]


@pytest.mark.parametrize("body", [EVENT, [EVENT], {"events": [EVENT]}])
async def test_an_event_is_in_the_log_when_it_is_acknowledged(web, client, body):
    response = await client.post("/v1/events", json=body)
    assert response.status_code == 200
    receipt = response.json()
    ReceiptOut.model_validate(receipt, strict=True)
    assert receipt == {"accepted": 1, "duplicates": 0, "event_ids": ["e1"]}
    assert await web.log.ids() == ["e1"]
    assert web.state.version("user-03") == 1


async def test_a_repeated_event_is_a_duplicate(web, client):
    await client.post("/v1/events", json=EVENT)
    receipt = (await client.post("/v1/events", json=[EVENT, {**EVENT, "event_id": "e2"}])).json()
    assert receipt == {"accepted": 1, "duplicates": 1, "event_ids": ["e1", "e2"]}
    assert await web.log.ids() == ["e1", "e2"]


async def test_a_missing_event_id_is_made_up_and_returned(web, client):
    body = {key: value for key, value in EVENT.items() if key != "event_id"}
    first = (await client.post("/v1/events", json=body)).json()
    second = (await client.post("/v1/events", json=body)).json()
    assert first["event_ids"] != second["event_ids"]
    assert await web.log.ids() == first["event_ids"] + second["event_ids"]


async def test_the_next_page_knows_what_was_bought(web, client):
    page = (await client.get("/v1/home/user-03")).json()
    item_id = page["shelves"][0]["items"][0]["item_id"]
    await web.act("cart", "user-03", item_id)
    assert item_id not in items_of((await client.get("/v1/home/user-03")).json())


async def test_a_slate_says_what_was_shown_and_why(web, client):
    page = (await client.get("/v1/home/user-03")).json()
    response = await client.get(f"/v1/slates/{page['request_id']}")
    assert response.status_code == 200
    slate = response.json()
    SlateOut.model_validate(slate, strict=True)
    assert items_of(slate) == items_of(page)
    shown = slate["shelves"][0]["items"][0]
    assert shown.keys() == {"item_id", "position", "score", "source", "reason", "propensity"}
    assert slate["ts"] == web.clock[0]
    await web.impressions.flush()
    assert (await client.get(f"/v1/slates/{page['request_id']}")).json() == slate


async def test_an_unknown_slate_is_404(client):
    response = await client.get("/v1/slates/never-shown")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:endcap:problem:unknown-slate"


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/v1/home/user-03", "/docs"])
async def test_head_is_get_without_the_body(client, path):
    response = await client.head(path)
    assert response.status_code == 200
    assert response.content == b""
    assert response.headers["content-type"] == (await client.get(path)).headers["content-type"]


async def test_head_where_there_is_no_get(client):
    assert (await client.head("/v1/events")).status_code == 405
    assert (await client.head("/nowhere")).status_code == 404


async def test_health_and_readiness(client):
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = (await client.get("/readyz")).json()
    ReadyOut.model_validate(ready, strict=True)
    assert ready["status"] == "ready"


async def test_a_cache_that_fails_costs_no_answer(web, client, monkeypatch, caplog):
    async def refuse(*_args, **_kwargs):
        raise StoreError("the cache is unreachable")

    monkeypatch.setattr(web.cache, "get_many", refuse)
    monkeypatch.setattr(web.cache, "set_many", refuse)
    assert (await client.get("/v1/home/stranger")).status_code == 200
    assert (await client.get("/v1/items/item-009/similar")).status_code == 200
    assert "endcap_cache_errors_total 4.0" in (await client.get("/metrics")).text
    assert "unreachable" in caplog.text


async def test_a_crowd_of_strangers_costs_one_page(web, client, monkeypatch):
    n_chosen = 0
    choose = web.engine.home

    def counted(*args, **kwargs):
        nonlocal n_chosen
        n_chosen += 1
        return choose(*args, **kwargs)

    monkeypatch.setattr(web.engine, "home", counted)
    for number in range(20):
        assert (await client.get(f"/v1/home/stranger-{number}")).status_code == 200
    assert n_chosen == 1
