"""The page for a browser, without JavaScript."""

from __future__ import annotations

import re

import pytest

from endcap.schema.types import SECOND_US
from endcap.serving.shopfront import SESSION_COOKIE
from shops import shop_parts, write_shop
from webshop import PageReader, open_web, words


async def read(client, address: str = "/") -> PageReader:
    response = await client.get(address, headers={"Accept": "text/html"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return PageReader(response.text)


def fields_of(page: PageReader, item_id: str) -> dict[str, str]:
    """Return the hidden fields of the form of an item."""
    start = next(
        index
        for index, element in enumerate(page.elements)
        if element.tag == "li" and element.attributes.get("data-item") == item_id
    )
    return {
        element.attributes["name"]: element.attributes["value"]
        for element in page.elements[start : start + 8]
        if element.tag == "input" and element.attributes.get("type") == "hidden"
    }


def heading(page: PageReader) -> str:
    return words(page.all("h1")[0].text)


async def test_a_known_shopper_sees_a_shop(client):
    page = await read(client, "/?user=user-03")
    assert heading(page) == "Welcome back, shopper user-03"
    assert next(iter(page.shelves())) == "Buy it again"
    assert all(len(items) >= 4 for items in page.shelves().values())
    cards = page.all("li", class_="card")
    assert len(cards) > 30
    card = words(cards[0].text)
    assert "Drinks" in card
    assert "$" in card
    assert re.search(r"Bought \d+ times, last", card)
    assert [words(button.text) for button in page.all("button")][1:6].count("Buy") >= 1
    labels = [button.attributes.get("aria-label") for button in page.all("button", name="kind")]
    assert all(labels)
    assert labels[0].startswith("View ")


async def test_a_first_visit_is_an_anonymous_session_that_its_browser_keeps(client):
    first = await client.get("/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    page = PageReader(first.text)
    assert heading(page) == "Welcome"
    user_id = fields_of(page, page.shelves()["Trending this week"][0])["user_id"]
    assert user_id == client.cookies[SESSION_COOKIE]
    again = await read(client)
    assert fields_of(again, again.shelves()["Trending this week"][0])["user_id"] == user_id


async def test_a_cookie_that_we_did_not_make_is_not_used(client):
    client.cookies.set(SESSION_COOKIE, "user-03")
    page = await read(client)
    assert heading(page) == "Welcome"


@pytest.mark.parametrize("kind", ["view", "cart", "purchase"])
async def test_acting_without_javascript_changes_the_page(web, client, kind):
    page = await read(client)
    item_id = page.shelves()["Popular right now"][0]
    form = {**fields_of(page, item_id), "kind": kind}
    response = await client.post("/act", data=form)
    assert response.status_code == 303
    assert response.headers["location"] == "/#shelf-popular"
    after = await read(client, response.headers["location"])
    assert heading(after) == "Chosen as you browse"
    assert after.shelves() != page.shelves()
    assert next(iter(after.shelves())).startswith("Because ")
    assert len(await web.log.ids()) == 1


async def test_a_known_shopper_comes_back_to_their_own_page(client):
    page = await read(client, "/?user=user-03")
    form = {**fields_of(page, page.shelves()["Buy it again"][2]), "kind": "cart"}
    response = await client.post("/act", data=form)
    assert response.headers["location"] == "/?user=user-03#shelf-buy_again"
    after = await read(client, "/?user=user-03")
    assert words(after.all("a", class_="cart")[0].text) == "Cart1"
    assert len(after.all("li", class_="chip")) == 1
    assert form["item_id"] not in str(after.shelves())


async def test_pressing_one_button_of_one_page_twice_is_one_event(web, client):
    page = await read(client, "/?user=user-03")
    form = {**fields_of(page, page.shelves()["Buy it again"][0]), "kind": "purchase"}
    await client.post("/act", data=form)
    await client.post("/act", data=form)
    assert len(await web.log.ids()) == 1
    page = await read(client, "/?user=user-03")
    await client.post(
        "/act", data={**form, "request_id": page.all("main")[0].attributes["data-request"]}
    )
    assert len(await web.log.ids()) == 2


async def test_an_event_names_the_page_it_came_from(web, client):
    page = await read(client, "/?user=user-03")
    form = {**fields_of(page, page.shelves()["Buy it again"][0]), "kind": "view"}
    await client.post("/act", data=form)
    slate = await client.get(f"/v1/slates/{form['request_id']}")
    assert slate.json()["user_id"] == "user-03"


@pytest.mark.parametrize("shelf", ["x y", "//evil.example", "a" * 99, "<b>", ""])
async def test_the_way_back_stays_in_the_shop(client, shelf):
    form = {"kind": "view", "user_id": "u", "item_id": "item-010", "shelf": shelf}
    response = await client.post("/act", data=form)
    assert response.headers["location"] == "/?user=u"


async def test_a_bad_form_is_answered_with_a_page(web, client):
    response = await client.post("/act", data={"kind": "stare"}, headers={"Accept": "text/html"})
    assert response.status_code == 422
    assert heading(PageReader(response.text)) == "Events refused"
    assert len(web.state) == 0


async def test_an_unknown_address_is_answered_with_a_page(client):
    response = await client.get("/sale", headers={"Accept": "text/html,*/*"})
    assert response.status_code == 404
    assert heading(PageReader(response.text)) == "Not Found"


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("as=session", "/"),
        ("as=user%3Auser-03", "/?user=user-03"),
        ("as=session&id=+user-05+", "/?user=user-05"),
        ("as=user%3Aa%26b", "/?user=a%26b"),
        ("as=nonsense", "/"),
    ],
)
async def test_the_picker_leads_to_an_address_of_its_own(client, query, address):
    response = await client.get(f"/?{query}")
    assert response.status_code == 303
    assert response.headers["location"] == address


async def test_looking_as_a_new_visitor_starts_afresh_each_time(client):
    places = {(await client.get("/?as=new")).headers["location"] for _ in range(2)}
    assert len(places) == 2
    assert heading(await read(client, places.pop())) == "Welcome"


async def test_the_way_back_cannot_leave_somebody_else_in_the_picker(client):
    page = await read(client, "/")
    picker = {field.attributes["name"]: field for field in page.all("select") + page.all("input")}
    # A browser would put back what was chosen before it left, beside the page of another visitor.
    assert picker["as"].attributes["autocomplete"] == "off"
    assert picker["id"].attributes["autocomplete"] == "off"


async def test_the_picker_offers_shoppers_with_a_true_line(client, bundle):
    page = await read(client, "/?user=user-03")
    options = {option.attributes["value"]: words(option.text) for option in page.all("option")}
    assert {"session", "new", "user:user-03"} <= set(options)
    chosen = [value for value in page.all("option") if "selected" in value.attributes]
    assert [option.attributes["value"] for option in chosen] == ["user:user-03"]
    for value, text in options.items():
        if not value.startswith("user:"):
            continue
        user = bundle.user_index[value.removeprefix("user:")]
        row = bundle.history.row(user)
        total, part, department = re.search(r": (\d+) purchases, (\d+)% (\w+)", text).groups()
        assert int(total) == row.counts.sum()
        own = row.counts[bundle.department[row.items] == bundle.department_names.index(department)]
        assert int(part) == pytest.approx(100 * own.sum() / row.counts.sum(), abs=0.51)


async def test_a_visit_ends(web, client):
    await web.act("cart", "ann", "item-010")
    assert len((await read(client, "/?user=ann")).all("li", class_="chip")) == 1
    web.clock[0] += 31 * 60 * SECOND_US
    later = await read(client, "/?user=ann")
    assert later.all("li", class_="chip") == []
    assert words(later.all("a", class_="cart")[0].text) == "Cart1"


async def test_a_chip_shows_the_most_that_was_done(web, client):
    for kind in ("view", "purchase", "view"):
        await web.act(kind, "ann", "item-010")
    (chip,) = (await read(client, "/?user=ann")).all("li", class_="chip")
    assert words(chip.text).startswith("Bought:")


async def test_ids_and_names_cannot_become_markup(client, web):
    evil = '"><script>alert(1)</script>'
    for item_id in (evil, "item-010"):
        await web.act("cart", evil, item_id)
    response = await client.get("/", params={"user": evil})
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert [
        script.attributes["src"][:15] for script in PageReader(response.text).all("script")
    ] == ["/static/shop.js"]


async def test_nothing_of_the_page_comes_from_elsewhere_or_is_inline(client):
    html = (await client.get("/?user=user-03")).text
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', html):
        assert re.match(r"/(?!/)|#", address), address
    assert " style=" not in html
    assert not re.search(r"\son\w+=", html)
    for element in PageReader(html).elements:
        if element.tag in {"link", "script"}:
            address = element.attributes.get("href") or element.attributes["src"]
            assert (await client.get(address)).status_code == 200


async def test_why_lists_every_item_with_source_score_and_reason(client):
    page = await read(client, "/?user=user-03")
    (link,) = [a for a in page.all("a") if words(a.text) == "Why this page?"]
    why = await read(client, link.attributes["href"])
    rows = [words(row.text) for row in why.all("tr") if "Place" not in row.text]
    items = [item for items in page.shelves().values() for item in items]
    assert len(rows) == len(items)
    assert all(item in row for item, row in zip(items, rows, strict=True))
    assert "repeat" in rows[0]
    assert "Bought" in rows[0]
    slate = [a.attributes["href"] for a in why.all("a") if "JSON" in a.text]
    assert (await client.get(slate[0])).status_code == 200


async def test_why_of_an_unknown_page(client):
    response = await client.get("/why/never", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "Back to the shelves" in response.text


async def test_data_without_names_prices_and_departments(shop, tmp_path):
    from endcap.bundle.read import read_bundle

    catalogue = [{"item_id": item_id, "name": None} for item_id in shop.item_ids]
    unknown = shop.data.items.department * 0 - 1
    parts = shop_parts(
        shop,
        catalogue=catalogue,
        price=shop.price * float("nan"),
        department=unknown,
        department_names=(),
        category=unknown,
        category_names=(),
        history_kind_verb="reviewed",
    )
    async with open_web(read_bundle(write_shop(parts, tmp_path))) as web:
        page = await read(web.client, "/?user=user-03")
        text = words(" ".join(card.text for card in page.all("li", class_="card")))
        assert "item-" in text
        assert "$" not in text
        assert "None" not in text
        assert "nan" not in text
        assert "reviews" in words(page.all("p")[0].text)
        items = (await web.client.get("/v1/home/user-03")).json()["shelves"][0]["items"]
        assert items[0]["price"] is None
        assert items[0]["name"] is None
