"""Makes the pictures of the page in these documents from a running service: ``python -m docs.page_pictures [URL]``.

It needs chromium (``apt-get install chromium``) and the ``dev`` extra, which brings playwright.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.chromium import THEME, launch, settle

OUT = Path(__file__).parent / "images"
SLOTS = "slots=34,37,30"
QUALITY = 88
SECONDS = 60


@dataclass(frozen=True)
class Shot:
    """One picture: an address of the page and the window that it is seen in."""

    address: str
    width: int = 1280
    height: int = 800
    light: bool = False


SHOTS = {
    "page-gallery": Shot(f"/?psi=1&seed=26&{SLOTS}"),
    "page-film": Shot(f"/?view=film&psi=1&frames=60&frame=22&{SLOTS}"),
    "page-mix": Shot(f"/?view=mix&psi=1&{SLOTS}", light=True),
    "page-sum": Shot(f"/?view=sum&psi=1&{SLOTS}"),
    "page-pixels": Shot(f"/?view=galaxy&at=28&psi=1&look=pixels&band=green&map=magma&{SLOTS}"),
    "page-phone": Shot(f"/?psi=1&seed=26&{SLOTS}", width=390, height=800),
}


def main(url: str) -> None:
    """Write every picture as WebP."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, shot in SHOTS.items():
            picture = take(browser, url, shot)
            Image.open(io.BytesIO(picture)).convert("RGB").save(OUT / f"{name}.webp", quality=QUALITY, method=6)
        browser.close()


def take(browser: Browser, url: str, shot: Shot) -> bytes:
    """``shot`` as PNG, once all its galaxies are there."""
    context = browser.new_context(viewport={"width": shot.width, "height": shot.height})
    if shot.light:
        context.add_init_script(f"localStorage.setItem('{THEME}', 'light')")
    page = context.new_page()
    page.goto(url.rstrip("/") + shot.address)
    settle(page, SECONDS)
    page.wait_for_timeout(300)  # fonts and the player's first frame
    picture = page.screenshot()
    context.close()
    return picture


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
