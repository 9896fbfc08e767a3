"""Takes the pictures of the docs from what it is given: a running shop, or an evaluation's page.

    endcap serve, then  python tools/screenshot.py http://127.0.0.1:8080/?user=ID
    endcap evaluate, then  python tools/screenshot.py var/evaluations/NAME/report.html

Needs Playwright's Python package (in the dev set) and a Chromium on this machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BROWSER = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@dataclass(frozen=True, slots=True)
class Shot:
    """A window of so many pixels, its top at the first element that is chosen; at the page's."""

    width: int
    height: int
    at: str = ""


SHOP = {"home": Shot(1280, 900), "home-phone": Shot(390, 844)}
EVALUATION = {
    "evaluation": Shot(1280, 1500, "section[id^=view-]"),
    "evaluation-slices": Shot(1280, 1300, "section[id^=slices-]"),
    "evaluation-examples": Shot(1280, 760, "#examples"),
}


def main() -> None:
    """Write one picture a shot of the page at the URL or path given."""
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/screenshot.py http://127.0.0.1:8080/?user=ID | report.html")
    file = Path(sys.argv[1])
    is_file = file.is_file()
    url = file.resolve().as_uri() if is_file else sys.argv[1]
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        for name, shot in (EVALUATION if is_file else SHOP).items():
            page = browser.new_page(viewport={"width": shot.width, "height": shot.height})
            take(page, url, IMAGES / f"{name}.png", at=shot.at)
        browser.close()


def take(page: Page, url: str, path: Path, *, at: str = "") -> None:
    """Write what the window shows once the page has settled, scrolled to an element if named."""
    page.goto(url, wait_until="networkidle")
    if at:
        page.locator(at).first.evaluate("one => one.scrollIntoView()")
    page.screenshot(path=str(path))
    print(path)


if __name__ == "__main__":
    main()
