"""A server whose bundle has pseudonyms: callers keep their ids, and nothing inside knows them."""

from __future__ import annotations

import dataclasses
import logging
import re
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from endcap.bundle.read import read_bundle
from endcap.bundle.write import write_bundle
from endcap.feedback.impressions import Impressions
from endcap.feedback.intake import Intake
from endcap.schema.columns import Kind
from endcap.schema.errors import SettingsError, StoreError
from endcap.schema.events import Event
from endcap.schema.pseudonym import SPOKEN, Door, Pseudonyms
from endcap.serving.app import create_app
from endcap.serving.config import ServingConfig
from endcap.serving.door import open_door, user_ids_of
from endcap.serving.engine import Engine
from endcap.serving.inside import home_answer, still_page
from endcap.serving.run import live_state, opened, serve
from endcap.stores.cache.memory import MemoryCache
from endcap.stores.config import StoresConfig
from endcap.stores.events.sqlite import SqliteEventLog
from endcap.stores.rows.memory import MemoryStore
from shops import WALL_NOW_US, shop_parts
from webshop import PageReader, open_web, words

MADE = Pseudonyms(bytes(range(32)))
OTHER = Pseudonyms(bytes(range(1, 33)))
VISITOR = "ann.smith@example.org"


@pytest.fixture(scope="module")
def hashed_folder(shop, tmp_path_factory):
    """The tiny shop, learnt from a snapshot with pseudonyms."""
    return write_bundle(
        shop_parts(shop, user_ids=tuple(map(MADE.of, shop.user_ids))),
        tmp_path_factory.mktemp("hashed"),
        snapshot={},
        commit=None,
        models={},
        evaluation={},
        user_ids=MADE.scheme,
    )


@pytest.fixture(scope="module")
def hashed(hashed_folder):
    return read_bundle(hashed_folder)


def stores_in(folder: Path) -> StoresConfig:
    return StoresConfig(
        events=f"sqlite:///{folder}/events.db",
        rows=f"sqlite:///{folder}/rows.db",
        cache="memory://",
    )


@asynccontextmanager
async def open_shop(bundle, folder, *, pseudonyms=MADE):
    """Yield a client of the real app over files; they are closed at the end."""
    async with opened(
        bundle,
        config=ServingConfig(),
        stores=stores_in(folder),
        pseudonyms=pseudonyms,
        now_us=lambda: WALL_NOW_US,
    ) as served:
        await served.intake.replay()
        transport = httpx.ASGITransport(app=served.app)
        async with (
            served.app.router.lifespan_context(served.app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            yield client


def bytes_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.iterdir()))


def event(user_id, item_id="item-010", kind="cart"):
    return {"kind": kind, "user_id": user_id, "item_id": item_id}


async def test_a_raw_id_gets_its_own_page(bundle, hashed, tmp_path):
    raw_id = bundle.user_ids[0]
    async with open_shop(hashed, tmp_path) as client:
        page = (await client.get(f"/v1/home/{raw_id}")).json()
    async with open_web(bundle) as web:
        expected = (await web.client.get(f"/v1/home/{raw_id}")).json()
    assert page["visitor"] == "known"
    assert page["user_id"] == raw_id
    assert page["shelves"] == expected["shelves"]


async def test_no_file_and_no_line_of_the_log_holds_a_raw_id(hashed, bundle, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    known = bundle.user_ids[3]
    async with open_shop(hashed, tmp_path) as client:
        first = await client.get("/")
        session = first.cookies["endcap_session"]
        home = (await client.get(f"/v1/home/{VISITOR}")).json()
        sent = [event(VISITOR), event(known, "item-011"), {**event(VISITOR), "event_id": "e-7"}]
        receipt = (await client.post("/v1/events", json={"events": sent})).json()
        form = {"kind": "view", "user_id": session, "item_id": "item-012"}
        form["request_id"] = home["request_id"]
        assert (await client.post("/act", data=form)).status_code == 303
        refused = await client.post("/v1/events", json=event(VISITOR, kind="sniff"))
        assert refused.status_code == 422
        files = bytes_in(tmp_path)  # also what is not folded into the database yet
    assert receipt["accepted"] == 3
    files += bytes_in(tmp_path)
    lines = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    for raw_id in (VISITOR, session, known):
        assert raw_id.encode() not in files
        assert MADE.of(raw_id).encode() in files
        assert raw_id not in "\n".join(lines)


async def test_what_a_visitor_does_is_on_their_next_page_also_after_a_restart(hashed, tmp_path):
    async with open_shop(hashed, tmp_path) as client:
        before = (await client.get(f"/v1/home/{VISITOR}")).json()
        await client.post("/v1/events", json=event(VISITOR, kind="view"))
        after = (await client.get(f"/v1/home/{VISITOR}")).json()
        other = (await client.get("/v1/home/somebody-else")).json()
    assert [page["visitor"] for page in (before, after, other)] == ["new", "session", "new"]
    assert after["user_id"] == VISITOR
    async with open_shop(hashed, tmp_path) as client:
        again = (await client.get(f"/v1/home/{VISITOR}")).json()
        replay = await client.post("/v1/events", json=event(VISITOR, kind="view"))
    assert again["shelves"] == after["shelves"]
    assert replay.json()["accepted"] == 1


async def test_a_log_from_before_hashing_was_switched_on_is_understood(hashed, tmp_path):
    log = SqliteEventLog(tmp_path / "events.db")
    old = Event("old", Kind.VIEW, VISITOR, "item-010", WALL_NOW_US)
    await log.append([old.encode()], key=VISITOR)
    await log.close()
    async with open_shop(hashed, tmp_path) as client:
        assert (await client.get(f"/v1/home/{VISITOR}")).json()["visitor"] == "session"


async def test_a_slate_names_the_pseudonym_in_a_form_that_can_be_asked_for(hashed, tmp_path):
    async with open_shop(hashed, tmp_path) as client:
        page = (await client.get(f"/v1/home/{VISITOR}")).json()
        slate = (await client.get(f"/v1/slates/{page['request_id']}")).json()
        why = await client.get(f"/why/{page['request_id']}")
        again = (await client.get(f"/v1/home/{slate['user_id']}")).json()
    assert slate["user_id"] == SPOKEN + MADE.of(VISITOR)
    assert slate["user_id"] in why.text
    assert VISITOR not in why.text
    assert again["shelves"] == page["shelves"]


async def test_the_picker_leads_to_the_pages_of_known_shoppers(hashed, tmp_path):
    async with open_shop(hashed, tmp_path) as client:
        page = PageReader((await client.get("/")).text)
        look = next(
            option.attributes["value"]
            for option in page.all("option")
            if (option.attributes["value"] or "").startswith("user:")
        )
        there = await client.get("/", params={"as": look}, follow_redirects=True)
        called = PageReader(there.text).all("main")[0].attributes["data-user"]
        assert called == look.removeprefix("user:") == SPOKEN + called.removeprefix(SPOKEN)
        assert f"shopper {called}" in words(there.text)
        assert "Welcome back" in there.text
        answer = await client.post("/v1/events", json=event(called, kind="purchase"))
        assert answer.status_code == 200
    assert called.removeprefix(SPOKEN).encode() in bytes_in(tmp_path)
    assert called.encode() not in bytes_in(tmp_path)


async def test_one_button_pressed_twice_is_one_event_whose_id_hides_the_visitor(hashed, tmp_path):
    async with open_shop(hashed, tmp_path) as client:
        request_id = (await client.get(f"/v1/home/{VISITOR}")).json()["request_id"]
        form = {**event(VISITOR), "request_id": request_id}
        for _ in range(2):
            await client.post("/act", data=form)
    log = SqliteEventLog(tmp_path / "events.db")
    records = [orjson.loads(record) async for _, record in log.read()]
    await log.close()
    (record,) = records
    import hashlib

    for user_id, is_made_of_it in ((VISITOR, False), (MADE.of(VISITOR), True)):
        parts = "\n".join(["cart", user_id, "item-010", request_id])
        tried = f"act-{hashlib.sha256(parts.encode()).hexdigest()[:32]}"
        assert (record["event_id"] == tried) is is_made_of_it


async def test_a_fault_of_ours_is_logged_without_the_path(hashed, tmp_path, caplog, monkeypatch):
    async def fail(*_, **__):
        raise RuntimeError("a fault")

    async with open_shop(hashed, tmp_path) as client:
        app = client._transport.app
        monkeypatch.setattr(app.state.shop.answers, "home", fail)
        assert (await client.get(f"/v1/home/{VISITOR}")).status_code == 500
    (line,) = [record for record in caplog.records if record.name == "endcap.serving.envelope"]
    assert "failed: GET /v1/home/{user_id:path}" in line.getMessage()
    assert VISITOR not in line.getMessage()
    assert line.exc_info is not None


@pytest.mark.parametrize(
    ("pseudonyms", "reason"),
    [(None, "there is no key to make them"), (OTHER, "pseudonyms of another key")],
)
async def test_without_the_right_key_no_server_starts(hashed, tmp_path, pseudonyms, reason):
    with pytest.raises(SettingsError, match=reason) as error:
        async with open_shop(hashed, tmp_path, pseudonyms=pseudonyms):
            pytest.fail("it opened")
    assert MADE.scheme in str(error.value)
    assert "privacy.id_key" in error.value.where
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pseudonyms", [None, OTHER])
def test_the_command_that_serves_stops_at_start_too(hashed_folder, tmp_path, pseudonyms):
    with pytest.raises(SettingsError, match="key"):
        serve(
            hashed_folder,
            config=ServingConfig(port=0),
            stores=stores_in(tmp_path),
            pseudonyms=pseudonyms,
        )
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_how_user_ids_were_made(hashed, bundle):
    assert user_ids_of(hashed) == hashed.manifest["user_ids"] == MADE.scheme
    assert user_ids_of(bundle) == bundle.manifest["user_ids"] == "keep"
    before = {key: value for key, value in bundle.manifest.items() if key != "user_ids"}
    assert user_ids_of(dataclasses.replace(bundle, manifest=before)) == "keep"


async def test_asking_without_a_server(hashed):
    answer = orjson.loads(await home_answer(hashed, VISITOR, events="memory://", pseudonyms=MADE))
    assert answer["user_id"] == VISITOR
    loyal = SPOKEN + hashed.user_ids[0]
    assert "Welcome back" in await still_page(hashed, loyal, pseudonyms=MADE)
    with pytest.raises(SettingsError, match="no key"):
        await home_answer(hashed, VISITOR, events="memory://")


async def test_a_bundle_with_ids_as_they_are_is_served_as_ever(bundle, tmp_path):
    raw_id = bundle.user_ids[0]
    assert user_ids_of(bundle) == "keep"
    async with open_shop(bundle, tmp_path, pseudonyms=MADE) as client:
        page = (await client.get(f"/v1/home/{raw_id}")).json()
        slate = (await client.get(f"/v1/slates/{page['request_id']}")).json()
        await client.post("/v1/events", json=event(raw_id))
    assert (page["visitor"], page["user_id"], slate["user_id"]) == ("known", raw_id, raw_id)
    assert f'"user_id":"{raw_id}"'.encode() in bytes_in(tmp_path)
    assert MADE.of(raw_id).encode() not in bytes_in(tmp_path)


def test_an_intake_with_another_door_is_no_part_of_this_shop(hashed, bundle):
    for one, door in ((hashed, Door()), (hashed, Door(OTHER)), (bundle, Door(MADE))):
        state = live_state(one)
        intake = Intake(_NoLog(), state, door=door)
        with pytest.raises(SettingsError, match="makes other user ids"):
            create_app(
                Engine(one, state, lambda: WALL_NOW_US),
                intake,
                Impressions(MemoryStore()),
                MemoryCache(),
                config=ServingConfig(),
            )
    assert open_door(hashed, MADE).user_ids == MADE.scheme


class _NoLog:
    async def append(self, events, *, key):
        raise StoreError("no log")


def test_doors():
    door = Door(MADE)
    assert door.inside("ann") == MADE.of("ann") == door.inside(door.outside(door.inside("ann")))
    assert door.from_log(door.inside("ann")) == door.from_log("ann") == door.inside("ann")
    assert repr(door) == f"Door('{MADE.scheme}')"
    plain = Door()
    assert (plain.user_ids, plain.inside("ann"), plain.outside("ann")) == ("keep", "ann", "ann")
    assert plain.from_log("ann") == "ann"
    assert re.fullmatch(r"hmac-sha256:[0-9a-f]{8}", door.user_ids)
