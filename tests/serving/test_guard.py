from __future__ import annotations

import base64

import pytest

from endcap.schema.errors import SettingsError
from endcap.serving.config import ServingConfig
from endcap.serving.guard import check_exposure, host_name, is_loopback
from webshop import open_web

KEY = "correct-horse-battery"
EVENT = {"event_id": "e1", "kind": "view", "user_id": "user-03", "item_id": "item-010"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_key(host):
    assert is_loopback(host)
    check_exposure(ServingConfig(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "shop.example", ""])
def test_the_network_needs_a_key(host):
    with pytest.raises(SettingsError, match="API key"):
        check_exposure(ServingConfig(host=host))
    check_exposure(ServingConfig(host=host, api_key=KEY))


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="at least 16"):
        ServingConfig(api_key="short")


def test_the_key_is_not_printed():
    assert KEY not in repr(ServingConfig(api_key=KEY))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8080", "localhost"),
        ("[::1]:8080", "::1"),
        ("LOCALHOST", "localhost"),
        ("", ""),
        ("[::1", ""),
        ("evil.example@127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_name_in_a_host_header(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""]
)
async def test_a_foreign_host_name_is_refused(client, host):
    response = await client.get("/", headers={"Host": host})
    assert response.status_code == 421
    assert response.json()["type"] == "urn:endcap:problem:host-not-allowed"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080"])
async def test_our_own_names_are_answered(client, host):
    assert (await client.get("/", headers={"Host": host})).status_code == 200


async def test_probes_may_come_under_any_name(client):
    assert (await client.get("/healthz", headers={"Host": "10.0.0.7:8080"})).status_code == 200


async def test_any_name_when_the_owner_says_so(bundle):
    async with open_web(bundle, config=ServingConfig(allowed_hosts=("*",))) as web:
        assert (await web.client.get("/", headers={"Host": "x.example"})).status_code == 200


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize("path", ["/", "/v1/home/user-03", "/metrics", "/docs", "/openapi.json"])
async def test_with_a_key_everything_needs_it(bundle, path):
    async with open_web(bundle, config=ServingConfig(api_key=KEY)) as web:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"X-API-Key": ""},
            {"Authorization": basic("wrong")},
            {"Authorization": "Basic !!!"},
            {"Authorization": f"Digest {KEY}"},
        ):
            response = await web.client.get(path, headers=headers)
            assert response.status_code == 401, headers
            assert "Basic" in response.headers["www-authenticate"]
            assert response.headers["content-type"] == "application/problem+json"
        for headers in (
            {"Authorization": f"Bearer {KEY}"},
            {"X-API-Key": KEY},
            {"Authorization": basic(KEY)},
        ):
            assert (await web.client.get(path, headers=headers)).status_code == 200, headers


async def test_a_key_may_hold_any_letter(bundle):
    key = "clé-de-la-boutique"
    config = ServingConfig(api_key=key)
    async with open_web(bundle, config=config) as web:
        for headers in (
            {"Authorization": f"Bearer {key}".encode()},
            {"X-API-Key": key.encode()},
            {"Authorization": basic(key)},
        ):
            assert (await web.client.get("/", headers=headers)).status_code == 200, headers


async def test_probes_need_no_key(bundle):
    async with open_web(bundle, config=ServingConfig(api_key=KEY)) as web:
        assert (await web.client.get("/healthz")).status_code == 200
        assert (await web.client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/act"])
async def test_a_form_of_another_site_changes_nothing(web, client, path, headers):
    response = await client.post(path, json=EVENT, headers=headers)
    assert response.status_code == 403
    assert len(web.state) == 0


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1"}],
)
async def test_our_own_page_and_programs_may_post(client, headers):
    assert (await client.post("/v1/events", json=EVENT, headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1/home/user-03", "/static/shop.css", "/nowhere"])
async def test_every_answer_carries_the_security_headers(client, path):
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"


async def test_pages_are_not_stored_by_browsers(client):
    assert (await client.get("/")).headers["cache-control"] == "no-store"
    assert (await client.get("/v1/home/user-03")).headers["cache-control"] == "no-store"
