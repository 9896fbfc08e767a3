"""The page in a real browser: what is to be seen, what a click changes, phone and keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from endcap.testing.shop import SHOP_END_US
from server_process import ServerProcess
from shops import shop_parts, write_shop

pytestmark = pytest.mark.services

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address(shop, tmp_path_factory) -> Iterator[str]:
    """A server whose data ended just now, so that last week has purchases."""
    var = tmp_path_factory.mktemp("browser")
    shift_us = time.time_ns() // 1000 - SHOP_END_US
    folder = write_shop(shop_parts(shop, clock_shift_us=shift_us), var / "bundles")
    with ServerProcess(folder, var) as server:
        yield server.address


@pytest.fixture
def open_page(browser, address):
    """Open pages that may not fail to load anything, break the policy, or leave this server."""
    contexts, complaints = [], []

    def opened(path: str, *, size=DESKTOP, **options):
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requested(request.url))
        page.goto(address + path)
        return page

    def requested(url: str) -> None:
        if not url.startswith(address):
            complaints.append(f"leaves the server: {url}")

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def titles(page) -> list[str]:
    return page.locator(".shelf h2").all_inner_texts()


def is_wider_than_screen(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def test_a_shopper_sees_a_shop(open_page):
    page = open_page("/?user=user-03")
    assert page.get_by_role("heading", name="Welcome back, shopper user-03").is_visible()
    assert titles(page)[:2] == ["Buy it again", "Recommended for you"]
    assert "Trending this week" in titles(page)
    card = page.locator(".card").first
    assert card.locator(".name").inner_text()
    assert re.fullmatch(r"\$\d+\.\d\d", card.locator(".price").inner_text())
    assert re.match(r"Bought \d+ times, last", card.locator(".reason").inner_text())
    assert card.locator("svg use").first.evaluate("icon => icon.getBBox().width") > 20
    picture = card.locator(".picture").bounding_box()
    assert picture["height"] > 100
    assert picture["y"] + picture["height"] < DESKTOP["height"]
    assert page.get_by_role("button", name=re.compile("^Buy ")).count() > 30
    assert not is_wider_than_screen(page)


def test_a_click_changes_the_page_within_a_second(open_page):
    page = open_page("/")
    before = page.locator(".card").evaluate_all("cards => cards.map((c) => c.dataset.item)")
    button = page.locator(".card button[value=view]").nth(2)
    name = page.locator(".card .name").nth(2).inner_text()
    started_s = time.perf_counter()
    button.click()
    page.get_by_role("heading", name=f"Because you viewed {name}").wait_for(timeout=1_000)
    assert time.perf_counter() - started_s < 1.0
    after = page.locator(".card").evaluate_all("cards => cards.map((c) => c.dataset.item)")
    assert after != before
    assert page.locator(".chip").inner_text().endswith(name)
    assert page.locator(".is-changed").count() >= 1
    news = page.get_by_role("status")
    assert news.inner_text().startswith(f"Viewed {name}. Changed: Because you viewed")
    page.reload()
    assert page.get_by_role("heading", name=f"Because you viewed {name}").is_visible()


def test_the_cart_counts(open_page):
    page = open_page("/?as=new")
    page.locator(".card button[value=cart]").first.click()
    page.locator("#cart .count", has_text="1").wait_for()
    page.locator(".card button[value=cart]").first.click()
    page.locator("#cart .count", has_text="2").wait_for()
    assert page.locator("#cart").get_attribute("aria-label") == "Cart: 2 items"


def test_by_keyboard_alone(open_page):
    page = open_page("/?user=user-04")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the shelves"
    page.keyboard.press("Enter")
    focused = "document.activeElement.getAttribute('aria-label') || ''"
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(focused).startswith("Add "):
            break
    label = page.evaluate(focused)
    assert label.startswith("Add ")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.locator("#cart .count", has_text="1").wait_for()
    assert page.evaluate("document.activeElement !== document.body")


def test_on_a_phone(open_page):
    page = open_page("/?user=user-05", size=PHONE, is_mobile=True, has_touch=True)
    assert not is_wider_than_screen(page)
    row = page.locator(".row").first
    assert row.evaluate("row => row.scrollWidth > row.clientWidth")
    sizes = page.locator("button:visible, select, input:visible, .cart").evaluate_all(
        "all => all.map((one) => [one.clientWidth, one.offsetHeight])"
    )
    assert min(height for _, height in sizes) >= 44
    page.locator(".card button[value=purchase]").first.tap()
    page.locator(".chip").wait_for()
    assert not is_wider_than_screen(page)
    page.get_by_role("link", name="Why this page?").tap()
    page.get_by_role("heading", name="Why this page?").wait_for()
    assert not is_wider_than_screen(page)


def test_without_javascript(open_page):
    page = open_page("/?user=user-06", java_script_enabled=False)
    name = page.locator(".card .name").first.inner_text()
    page.locator(".card button[value=view]").first.click()
    page.wait_for_url("**/?user=user-06#shelf-*")
    assert page.locator(".chip").inner_text().endswith(name)


def test_looking_as_somebody_else(open_page):
    page = open_page("/")
    page.get_by_label("or by id").fill("user-07")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("heading", name="Welcome back, shopper user-07").wait_for()
    page.get_by_label("Look as").select_option("session")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("heading", name="Welcome", exact=True).wait_for()


def test_the_docs_show_the_api_without_the_internet(open_page):
    page = open_page("/docs")
    page.locator(".opblock").first.wait_for()
    assert page.locator(".opblock").count() == 8
    assert page.get_by_text("Unable to render").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(open_page, scheme):
    """WCAG AA: at least 4.5 to 1."""
    page = open_page("/?user=user-08", color_scheme=scheme)
    page.locator(".card button[value=cart]").first.click()
    page.locator(".changed:visible").first.wait_for()
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) >= 12
    for selector, ratio in ratios.items():
        assert ratio >= 4.5, (selector, ratio)


CONTRAST = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (value) =>
      value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = {};
  const all = ["h1", ".hello p", ".look label", ".look .loud", "select", ".cart", ".count",
    ".visit h2", ".chip", ".shelf h2", ".changed", ".name", ".department", ".price", ".reason",
    ".quiet", ".card .loud", ".news", ".foot p", ".foot a"];
  for (const selector of all) {
    const node = document.querySelector(selector);
    if (!node) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    found[selector] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}"""
