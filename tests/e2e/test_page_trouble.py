"""What the page does when the service is away, busy, closed or of another opinion."""

from __future__ import annotations

import json
import re
import time

from httpx import get
from playwright.sync_api import Route, expect

from tests.e2e.browser import Visit


def problem(status: int, detail: str, **extra: object) -> dict[str, object]:
    body = {"type": "urn:galsynth:problem:x", "title": "No", "status": status, "detail": detail, **extra}
    return {"status": status, "content_type": "application/problem+json", "body": json.dumps(body)}


def test_a_service_that_is_away_is_told_and_waited_for(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.context.set_offline(True)
    visit.page.get_by_role("link", name="More", exact=True).click()
    expect(visit.page.get_by_role("alert").filter(has_text="The service does not answer")).to_be_visible()
    visit.context.set_offline(False)
    visit.settle()
    expect(visit.page.locator(".banner")).to_have_count(0)
    expect(visit.page.locator(".tile img")).to_have_count(12)


def test_a_service_that_is_away_at_first_is_waited_for(visit: Visit) -> None:
    visit.page.route("**/v1/**", lambda route: route.abort())
    visit.page.route("**/readyz", lambda route: route.abort())
    visit.page.goto(visit.base)
    expect(visit.page.get_by_role("alert").filter(has_text="The service does not answer")).to_be_visible()
    visit.page.unroute("**/v1/**")
    visit.page.unroute("**/readyz")
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(24)


def test_an_error_stands_where_its_galaxy_would_be_and_can_be_tried_again(visit: Visit) -> None:
    detail = "the network has had enough"
    visit.page.route("**/5.png*", lambda route: route.fulfill(**problem(500, detail)))
    visit.go("/?count=12")
    failed = visit.page.locator(".well.failed")
    expect(failed).to_have_count(1)
    expect(failed).to_contain_text(detail)
    visit.page.unroute("**/5.png*")
    failed.get_by_role("button", name="Try again").click()
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(12)


def test_what_the_service_refuses_is_said_in_its_words(visit: Visit) -> None:
    visit.go("/?view=galaxy&at=42~quasar")
    expect(visit.page.locator(".well.failed").first).to_contain_text(f"class 'quasar' is unknown to model {visit.service.model}")


def test_an_unknown_model_is_named_and_another_can_be_chosen(visit: Visit) -> None:
    visit.page.goto(f"{visit.base}/?model=gz2-1024@9")
    expect(visit.page.get_by_role("alert").filter(has_text="gz2-1024")).to_be_visible()
    visit.page.get_by_label("Model").select_option(visit.service.model)
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(24)
    expect(visit.page.locator(".banner")).to_have_count(0)


def test_a_busy_service_is_asked_again_when_it_says(visit: Visit) -> None:
    asked: list[str] = []

    def busy_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(**problem(503, "the queue is full"), headers={"retry-after": "1"})
        else:
            route.continue_()

    visit.page.route("**/7.png*", busy_once)
    visit.go("/?count=12")
    expect(visit.page.locator(".tile img")).to_have_count(12)
    assert len(asked) == 2


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
    expect(dialog).to_be_visible()
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
    visit.go("/?count=12&slots=1,2")
    with visit.page.expect_response(lambda answer: answer.request.method == "POST" and "interpolate" in answer.url) as first:
        visit.page.get_by_role("link", name="Film of the slots").click()
        visit.page.get_by_label("Frames", exact=True).fill("600")
        visit.page.get_by_label("Frames", exact=True).press("Enter")
    expect(visit.page.get_by_label("Progress: The film")).to_be_visible()
    with visit.page.expect_response(re.compile("/cancel$")):
        visit.page.get_by_role("navigation", name="Views").get_by_role("link", name="Gallery").click()
    job = get(f"{visit.base}{first.value.json()['links']['self']}?wait=10").json()
    assert job["phase"] in ("ABORTED", "COMPLETED")
