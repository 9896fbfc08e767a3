from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from webshop import open_web


async def scrape(client) -> dict[tuple[str, frozenset], float]:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_events_are_counted_by_what_became_of_them(web, client):
    before = await scrape(client)
    assert value(before, "endcap_events_total", outcome="unavailable") == 0
    event = {"event_id": "e1", "kind": "view", "user_id": "u", "item_id": "i"}
    await client.post("/v1/events", json=[event, {**event, "event_id": "e2"}])
    await client.post("/v1/events", json=event)
    await client.post("/v1/events", json=[{**event, "kind": "stare"}, event])
    web.log.is_broken = True
    await client.post("/v1/events", json={**event, "event_id": "e3"})
    after = await scrape(client)
    assert value(after, "endcap_events_total", outcome="accepted") == 2
    assert value(after, "endcap_events_total", outcome="duplicate") == 1
    assert value(after, "endcap_events_total", outcome="refused") == 2
    assert value(after, "endcap_events_total", outcome="unavailable") == 1


async def test_pages_and_shelves_are_counted(web, client):
    await client.get("/v1/home/user-03")
    await client.get("/v1/home/stranger")
    samples = await scrape(client)
    assert value(samples, "endcap_pages_total", visitor="known") == 1
    assert value(samples, "endcap_pages_total", visitor="new") == 1
    assert value(samples, "endcap_shelf_items_count", shelf="buy_again") == 1
    assert value(samples, "endcap_page_choice_seconds_count") == 2
    assert value(samples, "endcap_impressions_waiting") == 2
    await web.impressions.flush()
    assert value(await scrape(client), "endcap_impressions_written_total") == 2


async def test_latency_is_by_route_and_never_by_id(client):
    for number in range(5):
        await client.get(f"/v1/home/stranger-{number}")
    await client.get("/no/such/path")
    samples = await scrape(client)
    routes = {dict(labels).get("route") for name, labels in samples if name.endswith("_count")}
    assert not any("stranger" in str(route) for route in routes)
    assert "unmatched" in routes
    (count,) = [
        value
        for (name, labels), value in samples.items()
        if name == "endcap_request_seconds_count" and "home" in str(dict(labels)["route"])
    ]
    assert count == 5


async def test_facts(web, client, bundle):
    samples = await scrape(client)
    assert value(samples, "endcap_bundle_info", bundle_id=bundle.bundle_id, snapshot="tiny") == 1
    assert value(samples, "endcap_ready") == 1
    assert value(samples, "endcap_impressions_dropped_total") == 0


async def test_apps_share_no_numbers(bundle):
    async with open_web(bundle) as one, open_web(bundle, is_replayed=False) as other:
        await one.client.get("/v1/home/user-03")
        samples = await scrape(other.client)
        assert ("endcap_pages_total", frozenset({("visitor", "known")})) not in samples
        assert value(samples, "endcap_ready") == 0
