"""Keyboard, screen reader, small screens, weight, and how it looks."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Response, expect

from tests.e2e.browser import Service, Visit, visiting

SLOTS = "slots=42,7~merger,3"
VIEWS = {
    "gallery": f"/?{SLOTS}",
    "similar": f"/?view=similar&at=42&{SLOTS}",
    "galaxy": f"/?view=galaxy&at=42&{SLOTS}",
    "pixels": f"/?view=galaxy&at=42&look=pixels&map=magma&{SLOTS}",
    "film": f"/?view=film&frame=20&frames=40&{SLOTS}",
    "mix": f"/?view=mix&{SLOTS}",
    "sum": f"/?view=sum&{SLOTS}",
    "favourites": "/?view=favourites",
    "models": "/?view=models",
    "empty": "/?view=film",
}
MOST_BYTES = 300_000


def serious(visit: Visit) -> list[str]:
    """What axe finds serious or critical."""
    said = Axe().run(visit.page).response
    assert len(said["passes"]) > 10, "axe has looked at next to nothing"
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in said["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_and_it_can_be_looked_at(browser: Browser, service: Service, view: str, light: bool) -> None:
    with visiting(browser, service, light=light) as visit:
        visit.go(VIEWS[view])
        visit.shot(f"{view}-1280-{'light' if light else 'dark'}")
        assert not serious(visit)


@pytest.mark.parametrize("view", VIEWS)
def test_small_screens_need_no_sideways_scrolling(small: Visit, view: str) -> None:
    small.go(VIEWS[view])
    small.shot(f"{view}-390-dark")
    assert small.page.evaluate("document.documentElement.scrollWidth") <= 390
    tiny = small.page.evaluate(
        "[...document.querySelectorAll('main button, main a, main select, .tray button, .header a, .header button')]"
        ".filter((e) => e.checkVisibility()).map((e) => [e.getBoundingClientRect(), e.outerHTML.slice(0, 80)])"
        ".filter(([box]) => box.width < 24 || (box.height < 24 && box.height > 0 && getComputedStyle(document.body)))"
        ".map(([, text]) => text).filter((text) => !/^<a (?!class)/.test(text))"
    )
    assert not tiny


def test_dialogues_are_in_order_too(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.button("Help")
    expect(visit.page.get_by_role("dialog", name="How this works")).to_be_visible()
    assert not serious(visit)
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Help")).to_be_focused()


def test_everything_is_done_by_keyboard_alone(visit: Visit) -> None:
    visit.go("/?count=12")
    keys = visit.page.keyboard
    keys.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the galaxies")).to_be_focused()
    keys.press("Enter")
    tab_to(visit, ".tile-link")
    keys.press("ArrowRight")
    keys.press("+")
    keys.press("ArrowDown")
    keys.press("+")
    assert re.search(r"slots=1,\d+", visit.address)
    keys.press("*")
    expect(visit.page.get_by_role("status").filter(has_text="is a favourite now")).to_be_visible()
    tab_to(visit, ".tray-acts a")
    keys.press("Enter")
    expect(visit.page.get_by_role("main", name="Film")).to_be_focused()
    visit.settle()
    tab_to(visit, ".scrub input")
    keys.press("End")
    expect(visit.page).to_have_url(re.compile("frame=59"))
    keys.press("Alt+ArrowLeft")
    keys.press("ArrowLeft")
    tab_to(visit, ".takehome button")
    with visit.page.expect_download() as coming:
        keys.press("Enter")
    assert coming.value.suggested_filename.endswith(".gif")


def test_neighbours_by_key(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.page.locator(".tile-link").first.focus()
    visit.page.keyboard.press("=")
    expect(visit.page.get_by_role("heading", name="More like galaxy 0")).to_be_visible()


def test_another_view_begins_at_its_top_with_its_title(visit: Visit) -> None:
    visit.go("/")
    visit.page.mouse.wheel(0, 2000)
    visit.page.get_by_role("navigation", name="Views").get_by_role("link", name="Models").click()
    expect(visit.page).to_have_title("Models · galsynth")
    assert visit.page.evaluate("scrollY") == 0
    expect(visit.page.get_by_role("main")).to_be_focused()


def test_dark_is_the_default_and_the_choice_is_kept(browser: Browser, service: Service) -> None:
    with visiting(browser, service) as visit:
        visit.go("/?count=12")
        theme = visit.page.locator("html")
        expect(theme).to_have_attribute("data-theme", "dark")
        visit.button("Switch to light")
        visit.page.reload()
        expect(theme).to_have_attribute("data-theme", "light")
    with visiting(browser, service, light=True) as visit:
        visit.go("/?count=12")
        expect(visit.page.locator("html")).to_have_attribute("data-theme", "light")


def test_reduced_motion_stops_every_animation(visit: Visit) -> None:
    visit.page.emulate_media(reduced_motion="reduce")
    visit.go("/?count=12")
    visit.context.set_offline(True)
    visit.page.get_by_role("link", name="More", exact=True).click()
    expect(visit.page.locator(".banner")).to_be_visible()
    assert visit.page.evaluate("document.getAnimations().length") == 0


def test_the_page_weighs_little(visit: Visit) -> None:
    sizes: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        if answer.url.startswith("http"):
            sizes[answer.url] = len(answer.body())

    visit.page.on("response", weigh)
    visit.go()
    ours = {url: size for url, size in sizes.items() if "/v1/" not in url}
    print(f"{sum(ours.values())} bytes in {len(ours)} files")
    assert 50_000 < sum(ours.values()) < MOST_BYTES
    assert all(url.startswith(visit.base) for url in sizes)


def tab_to(visit: Visit, selector: str) -> None:
    """Press Tab until the focus is on such an element."""
    for _ in range(120):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector}")
