"""Takes the pictures of the docs from a running server: `endcap serve`, then this with its URL.

Needs Playwright's Python package (in the dev set) and a Chromium on this machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BROWSER = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
SIZES = {"home": (1280, 900), "home-phone": (390, 844)}


def main() -> None:
    """Write one picture a screen size of the page at the URL given."""
    if len(sys.argv) != 2:
        sys.exit("usage: python tools/screenshot.py http://127.0.0.1:8080/?user=ID")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        for name, (width, height) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            take(page, sys.argv[1], IMAGES / f"{name}.png")
        browser.close()


def take(page: Page, url: str, path: Path) -> None:
    """Write what the window shows once the page has settled."""
    page.goto(url, wait_until="networkidle")
    page.screenshot(path=str(path))
    print(path)


if __name__ == "__main__":
    main()
