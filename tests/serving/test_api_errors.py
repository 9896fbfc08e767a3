"""Errors: one shape (RFC 9457) for all, nothing acknowledged, nothing given away."""

from __future__ import annotations

import json

import pytest

from endcap.serving.config import ServingConfig
from endcap.serving.wire import ProblemOut
from webshop import open_web

EVENT = {"event_id": "e1", "kind": "view", "user_id": "user-03", "item_id": "item-010"}


def problem(response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    ProblemOut.model_validate(body)
    assert body["status"] == status
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def test_unknown_paths(client):
    assert "/nowhere" in problem(await client.get("/nowhere"), 404)["detail"]
    problem(await client.get("/v1/"), 404)
    problem(await client.get("/static/../config.py"), 404)
    problem(await client.get("/static/%2e%2e/config.py"), 404)
    problem(await client.get("/static/nothing.css"), 404)


async def test_a_wrong_method_names_the_right_one(client):
    response = await client.delete("/v1/home/user-03")
    problem(response, 405)
    assert response.headers["allow"] == "GET"
    problem(await client.get("/v1/events"), 405)
    problem(await client.post("/healthz"), 405)


@pytest.mark.parametrize("k", ["0", "101", "ten", "-1", "1.5"])
async def test_a_wrong_parameter_names_its_field(client, k):
    body = problem(await client.get("/v1/items/item-009/similar", params={"k": k}), 422)
    assert body["type"] == "urn:endcap:problem:bad-parameter"
    assert body["errors"][0]["field"] == "query.k"


@pytest.mark.parametrize("user_id", ["x" * 129, "a%09b", "%00"])
async def test_an_id_that_is_no_id(client, user_id):
    assert "user_id" in str(problem(await client.get(f"/v1/home/{user_id}"), 422)["errors"])


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"\xff", b'{"a": NaN}', b"[" * 2000])
async def test_what_is_not_json(web, client, body):
    response = await client.post("/v1/events", content=body)
    problem(response, 400)
    assert await web.log.ids() == []


async def test_bad_events_are_named_and_none_is_taken(web, client):
    bad = [{**EVENT, "kind": "stare"}, EVENT, {"kind": "view", "user_id": "u"}, 3]
    body = problem(await client.post("/v1/events", json=bad), 422)
    assert [(error["index"], error["field"]) for error in body["errors"]] == [
        (0, "kind"),
        (2, "item_id"),
        (3, "events"),
    ]
    assert "purchase" in body["errors"][0]["reason"]
    assert await web.log.ids() == []
    assert len(web.state) == 0


async def test_too_many_events(bundle):
    async with open_web(bundle, config=ServingConfig(max_batch=2)) as web:
        body = problem(await web.client.post("/v1/events", json=[EVENT] * 3), 422)
        assert "more than 2" in body["detail"]


async def test_too_large_a_body_announced_or_not(bundle):
    async with open_web(bundle, config=ServingConfig(max_body_bytes=1024)) as web:
        large = json.dumps({**EVENT, "note": "x" * 2000}).encode()
        problem(await web.client.post("/v1/events", content=large), 413)

        async def pieces():
            for start in range(0, len(large), 100):
                yield large[start : start + 100]

        problem(await web.client.post("/v1/events", content=pieces()), 413)
        problem(await web.client.post("/act", content=large), 413)
        assert await web.log.ids() == []


@pytest.mark.parametrize("path", ["/v1/events", "/act"])
async def test_a_client_that_goes_away_is_no_fault_of_ours(web, client, caplog, path):
    messages = iter(
        [{"type": "http.request", "body": b'{"ki', "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    request = {"type": "http", "method": "POST", "path": path, "query_string": b""}
    await web.app({**request, "headers": [(b"host", b"localhost")]}, receive, send)
    assert sent[0]["status"] == 400
    assert caplog.text == ""
    assert await web.log.ids() == []


async def test_a_log_that_fails_is_503_and_acknowledges_nothing(web, client):
    web.log.is_broken = True
    response = await client.post("/v1/events", json=EVENT)
    body = problem(response, 503)
    assert response.headers["retry-after"] == "1"
    assert "/secret" not in response.text
    assert "acknowledged" in body["detail"]
    assert len(web.state) == 0
    assert (await client.get("/v1/home/user-03")).status_code == 200
    web.log.is_broken = False
    assert (await client.post("/v1/events", json=EVENT)).json()["accepted"] == 1


async def test_before_the_replay_pages_are_served_and_events_are_not(bundle):
    async with open_web(bundle, is_replayed=False) as web:
        assert problem(await web.client.get("/readyz"), 503)["title"] == "Service Unavailable"
        assert (await web.client.get("/healthz")).status_code == 200
        assert (await web.client.get("/v1/home/user-03")).status_code == 200
        response = await web.client.post("/v1/events", json=EVENT)
        problem(response, 503)
        assert response.headers["retry-after"]
        await web.intake.replay()
        assert (await web.client.get("/readyz")).status_code == 200
        assert (await web.client.post("/v1/events", json=EVENT)).status_code == 200


async def test_a_fault_of_ours_shows_no_trace(web, client, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise RuntimeError("secret of the engine")

    monkeypatch.setattr(web.engine, "home", broken)
    response = await client.get("/v1/home/user-03")
    problem(response, 500)
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert response.headers["content-security-policy"]
    assert "secret of the engine" in caplog.text
    assert response.headers["x-request-id"] in caplog.text


async def test_the_request_id_is_echoed_or_made(client):
    sent = await client.get("/healthz", headers={"X-Request-ID": "trace-7"})
    assert sent.headers["x-request-id"] == "trace-7"
    made = [(await client.get("/healthz")).headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    for bad in ("x" * 129, "tab\there"):
        echoed = await client.get("/healthz", headers={"X-Request-ID": bad})
        assert echoed.headers["x-request-id"] != bad


async def test_a_request_id_of_a_client_cannot_overwrite_a_slate(client):
    headers = {"X-Request-ID": "same"}
    first = (await client.get("/v1/home/user-03", headers=headers)).json()
    second = (await client.get("/v1/home/user-04", headers=headers)).json()
    assert first["request_id"] != second["request_id"]
