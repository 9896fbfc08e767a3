"""The page of an evaluation in a real browser: offline, on a phone, in the dark, by keyboard."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "evaluation"))

from evaluated_shop import HOSTILE, evaluated

from endcap.evaluation.report.page.heat import N_SHADES
from endcap.evaluation.report.page.write import write_page

pytestmark = pytest.mark.services

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    evaluation, examples = evaluated()
    write_page(evaluation, examples, path, source=f"shop {HOSTILE}")
    return path.as_uri()


@pytest.fixture
def open_page(browser, address):
    """Open the page; it may ask for nothing but itself, and complain of nothing."""
    contexts, complaints = [], []

    def opened(*, size=DESKTOP, **options):
        context = browser.new_context(viewport=size, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requested(request.url))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(address)
        return page

    def requested(url: str) -> None:
        if url != address:
            complaints.append(f"asks for {url}")

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def unfold(page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("script", [True, False])
def test_the_page_shows_everything_offline_with_and_without_script(open_page, size, script):
    page = open_page(size=size, java_script_enabled=script)
    assert page.get_by_role("heading", level=1).inner_text() == f"shop {HOSTILE}"
    for name in ("In short", "All targets", "Slices: all targets", "Examples"):
        assert page.get_by_role("heading", name=name, exact=False).first.is_visible()
    assert page.get_by_role("img", name="NDCG@5 against diversity").first.is_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_wider_than_the_screen(open_page, size):
    page = open_page(size=size)
    unfold(page)
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    pictures = page.locator("svg:visible").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().width)"
    )
    assert len(pictures) >= 20
    assert min(pictures) > 0.7 * min(size["width"], 480)


def test_wide_tables_scroll_with_the_name_in_place(open_page):
    page = open_page(size=PHONE)
    box = page.locator(".scroll").first
    assert box.evaluate("one => one.scrollWidth > one.clientWidth")
    name = box.locator("tbody th").first
    before = name.bounding_box()["x"]
    box.focus()
    page.keyboard.press("ArrowRight")
    for _ in range(50):  # the page's policy lets nobody evaluate a condition in it
        page.wait_for_timeout(40)
        if box.evaluate("one => one.scrollLeft") > 0:
            break
    assert box.evaluate("one => one.scrollLeft") > 0
    assert abs(name.bounding_box()["x"] - before) < 1


def test_a_folded_view_opens_by_keyboard(open_page):
    page = open_page()
    fold = page.locator("summary", has_text="Show the plots of repeat targets")
    fold.focus()
    page.keyboard.press("Enter")
    inside = page.locator("#view-repeat").get_by_role("img").first
    inside.wait_for()
    assert inside.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(open_page, scheme):
    """WCAG AA: at least 4.5 to 1, in tables, shaded cells and pictures."""
    page = open_page(color_scheme=scheme)
    unfold(page)
    shades = [f"{way}-{level}" for way in ("up", "down") for level in range(1, N_SHADES + 1)]
    page.evaluate(EVERY_SHADE, shades)
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 25
    assert {"svg text", "li.hit b", *(f"td.{shade}" for shade in shades)} <= set(ratios)
    assert {kind: ratio for kind, ratio in ratios.items() if ratio < 4.5} == {}


EVERY_SHADE = """(shades) => {
  const cells = document.querySelectorAll(".heat td:last-child");
  shades.forEach((shade, place) => { cells[place].className = shade });
}"""
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
  const name = (node) => {
    const kind = [...node.classList].join(".");
    return node.tagName.toLowerCase() + (kind ? `.${kind}` : "");
  };
  const found = {};
  for (const node of document.querySelectorAll("body *")) {
    const isText = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!isText || node.getClientRects().length === 0) continue;
    const inPicture = node.closest("svg");
    const style = getComputedStyle(node);
    const ink = inPicture ? style.fill : style.color;
    const [a, b] = [light(rgb(ink)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const above = node.parentElement.classList.length ? `${name(node.parentElement)} ` : "";
    const kind = inPicture ? `svg ${node.tagName}` : `${above}${name(node)}`;
    const short = kind.endsWith("b") && kind.includes("hit") ? "li.hit b" : kind;
    found[short] = Math.min(found[short] ?? 99, ratio);
  }
  return found;
}"""
