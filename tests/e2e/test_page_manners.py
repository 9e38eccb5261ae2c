"""Keyboard, screen reader, small screens, weight, and how it looks."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.e2e.browser import SMALL, Scheme, Service, Visit, visiting

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
    "no-layers": "/?view=mix&slots=1&model=PLAIN",
    "no-view": "/?view=nothing",
    "no-galaxy": "/?view=galaxy&at=((",
    "no-model": "/?model=gz2-1024@9",
    "no-class": "/?class=foo",
}
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
DARK, LIGHT = "rgb(11, 13, 18)", "rgb(247, 246, 243)"
LEAST = 24
CONTROLS = "main button, main a[class], main select, .tray button, .header a, .header button, .header select"
TOO_SMALL = f"""[...document.querySelectorAll("{CONTROLS}")].filter((control) => control.checkVisibility())
    .map((control) => [control.getBoundingClientRect(), control.outerHTML.slice(0, 80)])
    .filter(([box]) => box.width < {LEAST} || box.height < {LEAST}).map(([, text]) => text)"""
"""Controls too small for a finger; links within sentences are as high as their line."""


def serious(visit: Visit) -> list[str]:
    """What axe finds serious or critical."""
    said = Axe().run(visit.page).response
    assert len(said["passes"]) > 10, "axe has looked at next to nothing"
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in said["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_and_it_can_be_looked_at(visit: Visit, view: str) -> None:
    visit.go(VIEWS[view].replace("PLAIN", visit.service.plain))
    for theme in visit.shots(view):
        assert not serious(visit), theme


@pytest.mark.parametrize("view", VIEWS)
def test_small_screens_need_no_sideways_scrolling(small: Visit, view: str) -> None:
    small.go(VIEWS[view].replace("PLAIN", small.service.plain))
    assert len(list(small.shots(view))) == 2
    assert small.page.evaluate("document.documentElement.scrollWidth") <= small.width
    assert small.page.evaluate(TOO_SMALL) == []


@pytest.mark.parametrize("width", [320, 390])
def test_small_screens_show_every_place_to_go_to(small: Visit, width: int) -> None:
    small.page.set_viewport_size({"width": width, "height": 700})
    small.go("/?count=12")
    outside = "(links) => links.filter((a) => a.getBoundingClientRect().left < 0 || a.getBoundingClientRect().right > innerWidth)"
    views = small.page.get_by_role("navigation", name="Views")
    assert small.page.evaluate("document.documentElement.scrollWidth") <= width
    assert views.get_by_role("link").count() == 6
    assert views.get_by_role("link").evaluate_all(f"(links) => ({outside})(links).map((a) => a.textContent)") == []
    assert views.evaluate("(nav) => nav.scrollWidth <= nav.clientWidth")


def fail(visit: Visit) -> None:
    tired = {"title": "No", "detail": "the network is tired"}
    visit.page.route(re.compile(r"/[57]\.png"), lambda route: route.fulfill(status=500, json=tired))
    visit.page.goto(f"{visit.base}/?count=12&slots=5,3")
    expect(visit.page.locator(".well.failed")).to_have_count(3)


def fail_job(visit: Visit) -> None:
    visit.page.route("**/v1/interpolate", lambda route: route.fulfill(status=500, json={"title": "No", "detail": "lost its way"}))
    visit.page.goto(f"{visit.base}/?view=film&slots=1,2")
    expect(visit.page.get_by_role("alert").filter(has_text="lost its way")).to_be_visible()


def progress(visit: Visit) -> None:
    job = {"id": "x", "phase": "EXECUTING", "progress": {"done": 20, "total": 60}, "queue_position": None, "eta_seconds": 8.0}
    job |= {"result": None, "error": None, "links": dict.fromkeys(("self", "result", "cancel"), "/v1/jobs/x") | {"events": None}}
    visit.page.route("**/v1/interpolate", lambda route: route.fulfill(status=202, json=job))
    visit.page.route("**/v1/jobs/x", lambda route: route.fulfill(json=job))
    visit.page.goto(f"{visit.base}/?view=film&slots=1,2")
    expect(visit.page.get_by_text("20 of 60 galaxies, about 8 s left")).to_be_visible()


def busy(visit: Visit) -> None:
    full = {"body": '{"title": "No", "detail": "the queue is full"}', "content_type": "application/problem+json"}
    visit.page.route("**/v1/galaxies/**", lambda route: route.fulfill(status=503, **full, headers={"retry-after": "900"}))
    visit.page.goto(f"{visit.base}/?count=12")
    expect(visit.page.get_by_text("The service is busy")).to_be_visible()


def offline(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.context.set_offline(True)
    visit.page.get_by_role("link", name="More", exact=True).click()
    expect(visit.page.locator(".banner")).to_be_visible()


def key(visit: Visit) -> None:
    visit.page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"title": "No", "detail": "a key is needed"}))
    visit.page.goto(visit.base)
    expect(visit.page.get_by_role("dialog", name="An API key, please")).to_be_visible()


def key_refused(visit: Visit) -> None:
    key(visit)
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("heading", name="A key is needed")).to_be_visible()


def help_(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.button("Help")
    expect(visit.page.get_by_role("dialog", name="How this works")).to_be_visible()


STATES = {
    "state-failed": fail,
    "state-failed-job": fail_job,
    "state-progress": progress,
    "state-busy": busy,
    "state-offline": offline,
    "state-key": key,
    "state-no-key": key_refused,
    "state-help": help_,
}


@pytest.mark.parametrize("state", STATES)
def test_trouble_progress_and_dialogues_are_in_order_too(visit: Visit, state: str) -> None:
    STATES[state](visit)
    for theme in visit.shots(state):
        assert not serious(visit), theme
    visit.page.set_viewport_size(SMALL)
    assert len(list(visit.shots(state))) == 2
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= visit.width


def test_a_dialogue_gives_the_focus_back(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.button("Help")
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("dialog")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Help")).to_be_focused()


def test_galaxies_are_chosen_and_a_film_is_made_by_keyboard_alone(visit: Visit) -> None:
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
    tab_to(visit, ".tray-acts a")
    keys.press("Enter")
    expect(visit.page.get_by_role("main", name="Film")).to_be_focused()
    visit.settle()
    tab_to(visit, ".scrub input")
    keys.press("End")
    expect(visit.page).to_have_url(re.compile("frame=59"))
    download_by_key(visit, ".gif")


def test_a_mix_is_made_by_keyboard_alone(visit: Visit) -> None:
    visit.go(f"/?view=mix&{SLOTS}&across=8,22")
    keys = visit.page.keyboard
    first, *rest = [*visit.service.card["layers"]["middle"], *visit.service.card["layers"]["fine"]]
    tab_to(visit, f"[aria-label^='Layer {first},']")
    keys.press("Space")
    expect(visit.page).to_have_url(re.compile(f"layers={','.join(map(str, rest))}$"))
    tab_to(visit, "[aria-label='Remove column 2']")
    keys.press("Enter")
    expect(visit.page).to_have_url(re.compile("across=8&"))
    expect(visit.page.locator("tbody td img")).to_have_count(3)
    tab_to(visit, "tbody .tile-link")
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    keys.press("+")
    expect(visit.page).to_have_url(re.compile("slots=42,7~merger,3,mix"))
    download_by_key(visit, ".png")


def test_a_sum_is_made_by_keyboard_alone(visit: Visit) -> None:
    visit.go(f"/?view=sum&{SLOTS}")
    keys = visit.page.keyboard
    tab_to(visit, "[aria-label^='Weight of B'][type=range]")
    for _ in range(5):
        keys.press("ArrowRight")
    expect(visit.page.locator(".equation")).to_have_text("+1 A −0.75 B +1 C =")
    tab_to(visit, "[aria-label^='Weight of B'][type=number]")
    keys.press("Control+a")
    keys.type("0.5")
    keys.press("Enter")
    expect(visit.page).to_have_url(re.compile("weights=1,0.5,1"))
    visit.settle()
    download_by_key(visit, ".png")
    tab_to(visit, ".slot-empty")
    keys.press("Enter")
    expect(visit.page.locator(".term")).to_have_count(2)


def test_favourites_are_made_opened_and_left_by_keyboard_alone(visit: Visit) -> None:
    visit.go("/?count=12")
    keys = visit.page.keyboard
    tab_to(visit, "main .tile-link")
    keys.press("*")
    expect(visit.page.get_by_role("status").filter(has_text="Galaxy 0 is a favourite now")).to_be_visible()
    tab_to(visit, "[href*='view=favourites']", back=True)
    keys.press("Enter")
    expect(visit.page.get_by_role("main", name="Favourites")).to_be_focused()
    tab_to(visit, ".tile-link")
    keys.press("Enter")
    expect(visit.page.get_by_role("main", name="Galaxy 0")).to_be_focused()
    visit.page.go_back()
    expect(visit.page.get_by_role("main", name="Favourites").locator(".tile-link")).to_be_focused()
    keys.press("*")
    expect(visit.page.get_by_text("Nothing here yet")).to_be_visible()
    expect(visit.page.get_by_role("link", name="To the gallery")).to_be_focused()


def test_a_galaxy_is_looked_into_by_keyboard_alone(visit: Visit) -> None:
    visit.go(f"/?view=galaxy&at=42&model={visit.service.model}")
    keys = visit.page.keyboard
    tab_to(visit, "[name=look]")
    keys.press("ArrowRight")
    tab_to(visit, "canvas")
    keys.press("ArrowUp")
    keys.press("Enter")
    expect(visit.page).to_have_url(re.compile("pixel="))
    tab_to(visit, "[name=stretch]")
    keys.press("ArrowRight")
    expect(visit.page).to_have_url(re.compile("stretch=log"))
    tab_to(visit, "[aria-label='Next seed']")
    keys.press("Enter")
    expect(visit.page.get_by_role("heading", name="Galaxy 43")).to_be_visible()
    expect(visit.page.get_by_role("link", name="Next seed")).to_be_focused()
    expect(visit.page.get_by_role("status").filter(has_text="Galaxy 43")).to_have_count(1)
    download_by_key(visit, ".png")


def download_by_key(visit: Visit, suffix: str) -> None:
    """Take home what is shown; the button keeps the focus."""
    tab_to(visit, ".takehome button")
    with visit.page.expect_download() as coming:
        visit.page.keyboard.press("Enter")
    assert coming.value.suggested_filename.endswith(suffix)
    assert visit.page.evaluate("document.activeElement.matches('.takehome button')")


LOST = {
    "slot": ("/?slots=1,2&count=12", "Empty slot A, Galaxy 1", "Empty slot A, Galaxy 2"),
    "last slot": ("/?slots=1,2&count=12", "Empty slot B, Galaxy 2", "Empty slot A, Galaxy 1"),
    "column": ("/?view=mix&slots=1&across=8,22,31", "Remove column 2", "Remove column 2"),
    "last column": ("/?view=mix&slots=1&across=8,22,31", "Remove column 3", "Remove column 2"),
    "other column": ("/?view=mix&slots=1&across=8,22", "Another galaxy for column 1", "Another galaxy for column 1"),
    "pin": ("/?view=galaxy&at=42&look=pixels&pixel=10,20", "Unpin", "Pixels of galaxy 42"),
}


@pytest.mark.parametrize("lost", LOST)
def test_the_focus_goes_on_beside_a_control_that_goes_away(visit: Visit, lost: str) -> None:
    address, pressed, focused = LOST[lost]
    visit.go(address)
    visit.page.get_by_role("button", name=pressed).focus()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_label(focused)).to_be_focused()


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


@pytest.mark.parametrize("again", ["back", "back after a reload"])
def test_going_back_leads_to_the_galaxy_that_one_came_from(visit: Visit, again: str) -> None:
    visit.go(f"/?model={visit.service.model}&count=48")
    tile = visit.page.locator(".tile-link").nth(40)
    tile.focus()
    visit.page.evaluate("scrollTo(0, 700)")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("main", name="Galaxy 40")).to_be_focused()
    assert visit.page.evaluate("scrollY") == 0
    if again != "back":
        visit.page.reload()
        visit.settle()
    visit.page.go_back()
    expect(tile).to_be_focused()
    assert visit.page.evaluate("scrollY") == 700
    expect(visit.page.get_by_role("status").filter(has_text="Gallery")).to_have_count(1)


def test_another_galaxy_begins_at_its_top_and_back_leads_to_the_neighbour(small: Visit) -> None:
    small.go("/?view=galaxy&at=42")
    expect(small.page.locator(".one-row img")).to_have_count(6)
    tile = small.page.locator(".one-row .tile-link").nth(2)
    tile.scroll_into_view_if_needed()
    there = small.page.evaluate("scrollY")
    assert there > 0
    tile.focus()
    small.page.keyboard.press("Enter")
    expect(small.page.get_by_role("main", name="Blend of 2 galaxies")).to_be_focused()
    expect(small.page).to_have_title("Blend of 2 galaxies · galsynth")
    assert small.page.evaluate("scrollY") == 0
    small.page.go_back()
    expect(tile).to_be_focused()
    assert small.page.evaluate("scrollY") == there


def test_a_browser_that_keeps_nothing_shows_the_page_too(visit: Visit) -> None:
    blocked = "{ get() { throw new DOMException('denied', 'SecurityError'); } }"
    visit.page.add_init_script(
        f"for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, {blocked});"
    )
    visit.go("/?count=12")
    expect(visit.page.locator(".tile img")).to_have_count(12)
    visit.page.get_by_label("Theme").select_option("light")
    assert visit.page.evaluate(BACKGROUND) == LIGHT
    visit.page.locator(".tile").first.hover()
    visit.button("Favourite: Galaxy 0")
    visit.page.get_by_role("link", name="Favourites").click()
    expect(visit.page.get_by_text("This browser keeps nothing for the page")).to_be_visible()
    expect(visit.page.locator(".tile img")).to_have_count(1)
    visit.page.go_back()
    expect(visit.page.locator(".tile")).to_have_count(12)


@pytest.mark.parametrize("system", ["no-preference", "light", "dark"])
def test_it_is_dark_unless_the_reader_chooses_light_or_what_the_system_prefers(
    browser: Browser, service: Service, system: Scheme
) -> None:
    with visiting(browser, service, system=system) as visit:
        visit.go("/?view=favourites")
        theme = visit.page.get_by_label("Theme")
        expect(theme).to_have_value("dark")
        assert visit.page.evaluate(BACKGROUND) == DARK
        theme.select_option("light")
        assert visit.page.evaluate(BACKGROUND) == LIGHT
        visit.page.reload()
        expect(theme).to_have_value("light")
        assert visit.page.evaluate(BACKGROUND) == LIGHT
        theme.select_option("auto")
        # Browsers say that a system which prefers nothing prefers light.
        assert visit.page.evaluate(BACKGROUND) == (DARK if system == "dark" else LIGHT)
        other: Literal["dark", "light"] = "light" if system == "dark" else "dark"
        visit.page.emulate_media(color_scheme=other)
        assert visit.page.evaluate(BACKGROUND) == {"dark": DARK, "light": LIGHT}[other]
        visit.page.reload()
        expect(theme).to_have_value("auto")
        assert visit.page.evaluate(BACKGROUND) == {"dark": DARK, "light": LIGHT}[other]


def test_reduced_motion_stops_every_animation(visit: Visit) -> None:
    visit.page.emulate_media(reduced_motion="reduce")
    visit.go("/?count=12")
    visit.context.set_offline(True)
    visit.page.get_by_role("link", name="More", exact=True).click()
    expect(visit.page.locator(".banner")).to_be_visible()
    assert visit.page.evaluate("document.getAnimations().length") == 0


def test_the_page_loads_from_its_own_service_alone(visit: Visit) -> None:
    loaded: list[str] = []
    visit.page.on("request", lambda request: loaded.append(request.url))
    visit.go(f"/?view=galaxy&at=42&look=pixels&{SLOTS}")
    assert len(loaded) > 40
    assert all(url.startswith((visit.base, f"blob:{visit.base}")) for url in loaded)


def tab_to(visit: Visit, selector: str, *, back: bool = False) -> None:
    """Press Tab (or Shift+Tab) until the focus is on such an element."""
    for _ in range(120):
        visit.page.keyboard.press("Shift+Tab" if back else "Tab")
        if visit.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector}")
