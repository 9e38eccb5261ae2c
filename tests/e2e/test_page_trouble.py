"""What the page does when the service is busy, closed or of another opinion, and when what it gives is damaged."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile

import pytest
from httpx import get
from playwright.sync_api import Request, Route, expect

from tests.e2e.browser import Visit, hold, until


def problem(status: int, detail: str, **extra: object) -> dict[str, object]:
    body = {"type": "urn:galsynth:problem:x", "title": "No", "status": status, "detail": detail, **extra}
    return {"status": status, "content_type": "application/problem+json", "body": json.dumps(body)}


@pytest.mark.parametrize(("phase", "said"), [("ABORTED", "This was cancelled."), ("QUEUED", "This result is no longer kept.")])
def test_a_picture_whose_job_somebody_else_has_ended_can_be_tried_again(visit: Visit, phase: str, said: str) -> None:
    """QUEUED: and deleted."""
    links = dict.fromkeys(("self", "result", "cancel"), "/v1/jobs/x") | {"events": None}
    job = {"id": "x", "phase": phase, "progress": {"done": 0, "total": 1}, "links": links}
    visit.page.route("**/v1/mix", lambda route: route.fulfill(status=202, json=job))
    visit.page.route("**/v1/jobs/x", lambda route: route.fulfill(**problem(404, "there is no job x")))
    visit.page.goto(f"{visit.base}/?view=galaxy&at=mix(42:7:3.4)&count=12")
    failed = visit.page.locator(".galaxy-figure .well.failed")
    expect(failed).to_contain_text(said)
    visit.page.unroute("**/v1/mix")
    failed.get_by_role("button", name="Try again").click()
    expect(visit.page.locator(".galaxy-figure img")).to_be_visible()


@pytest.mark.parametrize("lost", ["main.js", "views/sum.js", "vendor/preact-htm.js"])
def test_a_page_of_which_a_part_is_lost_says_so_and_can_be_loaded_again(visit: Visit, lost: str) -> None:
    visit.page.route(f"**/{lost}", lambda route: route.abort("internetdisconnected"))
    visit.page.goto(f"{visit.base}/?count=12")
    expect(visit.page.get_by_role("alert")).to_contain_text("Not all of this page arrived.")
    visit.page.unroute(f"**/{lost}")
    visit.button("Load it again")
    visit.settle()


def test_an_error_stands_where_its_galaxy_would_be_and_can_be_tried_again(visit: Visit) -> None:
    detail = "the network has had enough"
    visit.page.route("**/5.png*", lambda route: route.fulfill(**problem(500, detail)))
    visit.go("/?count=12")
    failed = visit.page.locator(".well.failed")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text(detail)
    visit.page.unroute("**/5.png*")
    again = failed.get_by_role("button", name="Try again")
    assert again.evaluate("(button) => button.closest('a')") is None, "a button inside a link is no HTML"
    again.click()
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(12)


@pytest.mark.parametrize("address", ["/?count=12", "/?view=film&slots=1"])
def test_an_error_of_many_words_leaves_its_button_whole(small: Visit, address: str) -> None:
    small.page.route(re.compile(r"/1\.png"), lambda route: route.fulfill(**problem(500, "far too many words " * 40)))
    small.page.goto(small.base + address)
    failed = small.page.locator(".well.failed").first
    button = failed.get_by_role("button", name="Try again")
    inside = """([well, button]) => well.left <= button.left && button.right <= well.right
        && well.top <= button.top && button.bottom <= well.bottom"""
    boxes = [one.evaluate("(element) => element.getBoundingClientRect().toJSON()") for one in (failed, button)]
    assert small.page.evaluate(inside, boxes), boxes


@pytest.mark.parametrize("look", ["picture", "pixels"])
def test_what_the_service_refuses_is_said_in_its_words_and_not_asked_for_again(visit: Visit, look: str) -> None:
    visit.go(f"/?view=galaxy&at=42~quasar&look={look}")
    expect(visit.page.locator(".well.failed").first).to_contain_text(f"class 'quasar' is unknown to model {visit.service.model}")
    expect(visit.page.get_by_role("button", name="Try again")).to_have_count(0)


def test_a_busy_service_is_asked_again_when_it_says(visit: Visit) -> None:
    asked: list[str] = []

    def busy_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(**problem(503, "the queue is full"), headers={"retry-after": "120"})
        else:
            route.continue_()

    visit.page.route("**/7.png*", busy_once)
    visit.page.clock.install()
    visit.page.goto(f"{visit.base}/?count=12")
    banner = visit.page.locator(".banner")
    expect(banner).to_contain_text("The service is busy: the queue is full. Trying again in 120 s.")
    expect(visit.page.locator(".tile img")).to_have_count(11)
    visit.page.clock.fast_forward(90_000)
    expect(banner).to_contain_text(re.compile("again in (30|2[0-9]) s"))
    assert len(asked) == 1
    visit.page.clock.fast_forward(31_000)
    expect(visit.page.locator(".tile img")).to_have_count(12)
    expect(banner).to_have_count(0)
    assert len(asked) == 2


def test_waiting_for_a_busy_service_can_be_ended(visit: Visit) -> None:
    busy = problem(503, "the queue is full")
    some = re.compile(r"/[1-5]\.png")
    visit.page.route(some, lambda route: route.fulfill(**busy, headers={"retry-after": "3600"}))
    visit.page.goto(f"{visit.base}/?count=12")
    expect(visit.page.get_by_text(re.compile(r"Trying again in 3(600|5\d\d) s\."))).to_be_visible()
    visit.button("Stop waiting")
    expect(visit.page.locator(".banner")).to_have_count(0)
    expect(visit.page.locator(".well.failed")).to_have_count(5)
    expect(visit.page.locator(".well.failed").first).to_contain_text("The service cannot do this now: the queue is full")
    visit.page.unroute(some)
    visit.page.locator(".well.failed").first.get_by_role("button", name="Try again").click()
    expect(visit.page.locator(".well.failed")).to_have_count(4)


def test_a_failed_job_is_told_and_can_be_made_again(visit: Visit) -> None:
    def failed(route: Route) -> None:
        job = route.fetch().json()
        error = {"type": "x", "title": "Failed", "status": 500, "detail": "the worker lost its way"}
        route.fulfill(json={**job, "phase": "ERROR", "result": None, "error": error})

    visit.page.route("**/v1/interpolate", failed)
    visit.page.goto(f"{visit.base}/?view=film&slots=1,2&frames=4")
    expect(visit.page.get_by_role("alert").filter(has_text="the worker lost its way")).to_be_visible()
    visit.page.unroute("**/v1/interpolate")
    visit.button("Make it")
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()


def test_a_frame_that_is_damaged_is_told_in_its_place(visit: Visit) -> None:
    def damage(route: Route) -> None:
        archive, damaged = zipfile.ZipFile(io.BytesIO(route.fetch().body())), io.BytesIO()
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        with zipfile.ZipFile(damaged, "w") as copy:
            for name in names:
                copy.writestr(name, b"no picture" if name == names[1] else archive.read(name))
        route.fulfill(body=damaged.getvalue(), content_type="application/zip")

    visit.page.route("**/result", damage)
    visit.go("/?view=film&slots=1,2&frames=4")
    told = visit.page.get_by_role("alert").filter(has_text="This frame's picture is damaged.")
    bar = visit.page.get_by_label("Frame", exact=True)
    expect(bar).to_be_enabled()
    for frame, count in ((1, 1), (2, 0), (1, 1)):
        bar.fill(str(frame))
        expect(told).to_have_count(count)


@pytest.mark.parametrize("blocks", [0, 3])
def test_a_damaged_fits_file_is_told_in_words(visit: Visit, blocks: int) -> None:
    """One that is none, and one that ends early."""
    whole = get(f"{visit.base}/v1/galaxies/{visit.service.model}/42.fits").content
    damaged = whole[: blocks * 2880] or b"x" * 9000
    visit.page.route("**/42.fits*", lambda route: route.fulfill(body=damaged, content_type="application/fits"))
    visit.page.goto(f"{visit.base}/?view=galaxy&at=42&look=pixels")
    told = visit.page.get_by_text("The FITS file of this galaxy is damaged: it ")
    expect(told).to_have_count(2)
    expect(visit.page.get_by_role("heading", name="Galaxy 42", level=1)).to_be_visible()
    expect(visit.page.locator(".one-row img")).to_have_count(6)
    visit.page.unroute("**/42.fits*")
    visit.button("Try again")
    expect(visit.page.locator(".pixel-well canvas")).to_be_visible()
    expect(told).to_have_count(0)


def test_a_service_with_keys_is_given_one_and_never_in_an_address(visit: Visit) -> None:
    keys: list[str | None] = []

    def guarded(route: Route) -> None:
        keys.append(route.request.headers.get("authorization"))
        if keys[-1] == "Bearer right":
            route.continue_()
        else:
            route.fulfill(**problem(401, "a key is needed"))

    visit.page.route("**/v1/**", guarded)
    visit.page.goto(visit.base)
    dialog = visit.page.get_by_role("dialog")
    expect(dialog.get_by_label("API key")).to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(visit.page.get_by_role("heading", name="A key is needed")).to_be_visible()
    visit.button("Enter a key")
    visit.button("Not now")
    expect(dialog).to_be_hidden()
    visit.button("Enter a key")
    for key in ("wrong", "right"):
        dialog.get_by_label("API key").fill(key)
        with visit.page.expect_response(lambda answer, key=key: answer.request.headers.get("authorization") == f"Bearer {key}"):
            dialog.get_by_role("button", name="Use this key").click()
    visit.settle()
    expect(dialog).to_be_hidden()
    expect(visit.page.locator(".tile img")).to_have_count(24)
    assert {None, "Bearer wrong", "Bearer right"} == set(keys)
    assert "right" not in visit.address
    visit.go("/?view=galaxy&at=42")
    visit.page.get_by_text("Copy as curl or Python").click()
    expect(visit.page.get_by_label("curl command")).to_contain_text("$GALSYNTH_API_KEY")
    assert visit.page.evaluate("localStorage.getItem('galsynth-key')") is None


def test_progress_comes_by_events(visit: Visit) -> None:
    streams: list[str] = []
    visit.page.on(
        "response", lambda answer: streams.append(answer.headers.get("content-type", "")) if "/events" in answer.url else None
    )
    visit.go(f"/?view=film&slots=1,{int(time.time())}&frames=64")
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()
    assert streams == ["text/event-stream; charset=utf-8"]


def test_without_events_the_job_is_asked_for(visit: Visit) -> None:
    visit.page.route("**/events", lambda route: route.fulfill(**problem(503, "too many streams are open")))
    visit.go(f"/?view=film&slots=2,{int(time.time())}&frames=64")
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()


def test_leaving_a_film_cancels_it(visit: Visit) -> None:
    visit.go(f"/?count=12&slots=1,{int(time.time())}")
    with visit.page.expect_response(lambda answer: '"frames":600' in (answer.request.post_data or "")) as first:
        visit.page.get_by_role("link", name="Film of the slots").click()
        visit.page.get_by_label("Frames", exact=True).fill("600")
        visit.page.get_by_label("Frames", exact=True).press("Enter")
    expect(visit.page.get_by_label("Progress: The film")).to_be_visible()
    address = visit.base + first.value.json()["links"]["self"]
    with visit.page.expect_response(lambda answer: answer.request.method == "DELETE" and answer.url == address) as gone:
        visit.page.get_by_role("navigation", name="Views").get_by_role("link", name="Gallery").click()
    assert gone.value.status == 204
    assert get(address).status_code == 404


@pytest.mark.parametrize("how", ["Cancel", "leave"])
def test_a_job_that_is_given_up_before_it_has_a_name_is_deleted_when_it_has(visit: Visit, how: str) -> None:
    held = hold(visit, "**/v1/interpolate")
    visit.page.goto(f"{visit.base}/?view=film&slots=1,{int(time.time())}&frames=600")
    until(visit, lambda: len(held) == 1)
    if how == "Cancel":
        visit.button("Cancel")
        expect(visit.page.get_by_text("Cancelled.")).to_be_visible()
    else:
        visit.page.get_by_role("navigation", name="Views").get_by_role("link", name="Models").click()
        expect(visit.page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    with visit.page.expect_response(lambda answer: answer.request.method == "DELETE") as gone:
        held[0].continue_()
    assert gone.value.status == 204
    assert get(gone.value.url).status_code == 404


def test_a_mix_that_another_took_the_place_of_leaves_that_ones_cells_alone(visit: Visit) -> None:
    latents, ended = hold_latents(visit)
    visit.page.goto(f"{visit.base}/?view=mix&slots=1,0.5*11;0.5*12&across=8,22")
    until(visit, lambda: len(latents) == 1)
    visit.button("Empty slot B, Blend of 2 galaxies")
    expect(visit.page.locator("tbody td img")).to_have_count(2)
    until(visit, lambda: len(ended) == 1)
    latents[0].fulfill(**problem(500, "too late"))
    visit.settle()
    expect(visit.page.get_by_role("status").filter(has_text="The grid is ready")).to_have_count(1)
    expect(visit.page.locator("tbody td img")).to_have_count(2)
    expect(visit.page.get_by_text("too late")).to_have_count(0)


@pytest.mark.parametrize("view", ["film", "mix"])
def test_what_is_cancelled_while_its_latents_are_fetched_ends_at_once(visit: Visit, view: str) -> None:
    latents, ended = hold_latents(visit)
    visit.page.goto(f"{visit.base}/?view={view}&slots=0.5*11;0.5*12,3&frames=4")
    until(visit, lambda: len(latents) == 1)
    visit.button("Cancel")
    expect(visit.page.get_by_text("Cancelled.")).to_be_visible()
    until(visit, lambda: len(ended) == 1)
    expect(visit.page.locator("main .job progress")).to_have_count(0)


def test_pictures_that_nobody_looks_at_any_more_are_given_up(visit: Visit) -> None:
    held = hold(visit, "**/v1/galaxies/**")
    ended: list[str] = []
    visit.page.on("requestfailed", lambda request: ended.append(request.url))

    def seeds() -> list[int]:
        return [int(re.findall(r"/(\d+)\.png", route.request.url)[0]) for route in held]

    visit.page.goto(f"{visit.base}/?count=96")
    until(visit, lambda: len(held) == 6)
    visit.page.get_by_role("link", name="More", exact=True).click()
    until(visit, lambda: len(held) == 12)
    assert seeds() == [0, 1, 2, 3, 4, 5, 96, 97, 98, 99, 100, 101]
    until(visit, lambda: len(ended) == 6)
    visit.page.get_by_label(re.compile("Variety")).fill("0")
    until(visit, lambda: len(held) == 18)
    assert all("truncation=0" in route.request.url for route in held[12:])
    visit.page.get_by_role("navigation", name="Views").get_by_role("link", name="Favourites").click()
    until(visit, lambda: len(ended) == 18)
    assert len(held) == 18


def hold_latents(visit: Visit) -> tuple[list[Route], list[str]]:
    """Requests for the latents of blends, which are kept waiting, and those among them that the page has given up."""
    held: list[Route] = []
    ended: list[str] = []

    def fits(request: Request) -> bool:
        return '"format":"fits"' in (request.post_data or "")

    visit.page.route("**/v1/arithmetic", lambda route: held.append(route) if fits(route.request) else route.continue_())
    visit.page.on("requestfailed", lambda request: ended.append(request.url) if fits(request) else None)
    return held, ended
