"""Debian's chromium on the page: a context that notices what must not happen, and the few steps that every test takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from httpx import get
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Route, expect

from benchmarks import chromium
from benchmarks.chromium import GALAXIES, THEME
from galaxies.errors import BadInput
from tests.programs import missing

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
THEMES = ("dark", "light")
SECONDS = 45
WIDE, SMALL = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
Scheme = Literal["dark", "light", "no-preference"]
WEAR = """(theme) => {
    document.documentElement.dataset.theme = theme;
    document.querySelector(".theme-choice select").value = theme;
}"""
WATCH = "addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));"


def launch(playwright: Playwright) -> Browser:
    """Chromium without a window; what is expected of it may take a while on a busy machine."""
    expect.set_options(timeout=1000 * SECONDS)
    try:
        return chromium.launch(playwright)
    except BadInput as error:
        missing(error.message)


@dataclass(frozen=True)
class Service:
    """A running service and two of its models.

    ``card``: of its default model, which has style layers and the class merger. ``plain``: a model without style layers.
    """

    base: str
    card: dict[str, Any]
    plain: str

    @classmethod
    def at(cls, base: str) -> Service:
        """The service that answers at ``base``."""
        found = get(f"{base}/v1/models").json()
        plain = next(one for one in found["models"] if "mix" not in one["operations"])
        card = get(f"{base}/v1/models/{found['default']}").json()
        return cls(base, card, f"{plain['name']}@{plain['version']}")

    @property
    def model(self) -> str:
        """The default model, ``name@version``."""
        return f"{self.card['name']}@{self.card['version']}"


@dataclass
class Visit:
    """One reader with a browser of their own."""

    page: Page
    context: BrowserContext
    service: Service
    wrong: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """Address of the service."""
        return self.service.base

    def go(self, address: str = "/") -> None:
        """Open an address and wait until its galaxies are there."""
        self.page.goto(self.base + address)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is loading."""
        chromium.settle(self.page, SECONDS)

    def button(self, name: str, *, exact: bool = True) -> None:
        """Press the first button of that name."""
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def choose(self, name: str) -> None:
        """Take one of a few chips: a radio button that its label covers."""
        self.page.get_by_role("radio", name=name, exact=True).check(force=True)

    @property
    def address(self) -> str:
        """The address behind the host."""
        return self.page.url.removeprefix(self.base)

    def download(self, name: str, folder: Path) -> Path:
        """Press a download button; the file that comes."""
        with self.page.expect_download(timeout=1000 * 60) as coming:
            self.button(f"Download {name}")
        path = folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def picture(self, selector: str = GALAXIES) -> bytes:
        """The pixels of the first picture there, as the screen shows them."""
        element = self.page.locator(selector).first
        expect(element).to_be_visible()
        return element.screenshot()

    def changes(self, before: bytes, selector: str = GALAXIES) -> bytes:
        """Wait until the picture there is another than ``before``; that one."""
        deadline = time.monotonic() + SECONDS
        while (now := self.picture(selector)) == before:
            assert time.monotonic() < deadline, f"{selector} stays as it is"
            self.page.wait_for_timeout(100)
        return now

    def shows(self, there: bytes, selector: str = GALAXIES) -> None:
        """Wait until the picture there is this one."""
        until(self, lambda: self.picture(selector) == there)

    def shots(self, name: str) -> Iterator[str]:
        """Keep screenshots for people to look at, ``name-width-theme.png``; yields each theme while the page wears it."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        for theme in THEMES:
            self.page.evaluate(WEAR, theme)
            self.page.screenshot(path=SHOTS / f"{name}-{self.width}-{theme}.png")
            yield theme

    @property
    def width(self) -> int:
        """Of the window, in pixels."""
        return int(self.page.evaluate("innerWidth"))


@contextlib.contextmanager
def visiting(
    browser: Browser, service: Service, *, small: bool = False, theme: str = "", system: Scheme = "no-preference"
) -> Iterator[Visit]:
    """A fresh reader; at the end nothing may have broken the content security policy, and no script may have failed.

    ``theme``: what was chosen at an earlier visit; ``system``: what the reader's system prefers.
    """
    context = browser.new_context(
        viewport=SMALL if small else WIDE,
        color_scheme=system,
        has_touch=small,
        is_mobile=small,
        accept_downloads=True,
    )
    context.set_default_timeout(1000 * SECONDS)
    context.add_init_script(WATCH)
    if theme:
        context.add_init_script(f"localStorage.setItem('{THEME}', '{theme}')")
    page = context.new_page()
    visit = Visit(page, context, service)
    page.on("pageerror", lambda error: visit.wrong.append(f"script: {error}"))
    page.on("console", lambda message: _listen(visit, message.type, message.text))
    yield visit
    context.close()
    assert not visit.wrong, visit.wrong


def hold(visit: Visit, address: str) -> list[Route]:
    """Requests to such an address, which are kept waiting."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    visit.page.route(address, keep)
    return held


def until(visit: Visit, holds: Callable[[], bool]) -> None:
    """Let the browser go on until something holds."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        visit.page.wait_for_timeout(50)


def _listen(visit: Visit, kind: str, text: str) -> None:
    """Console errors are wrong, except the browser's remarks on answers that are errors: tests make those on purpose."""
    if kind == "error" and not text.startswith("Failed to load resource"):
        visit.wrong.append(text)
