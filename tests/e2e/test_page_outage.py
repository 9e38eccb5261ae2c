"""What the page does when the service is away: at first, in every view, in the midst of a job or of an answer."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from models.store import ModelStore
from tests.e2e.browser import Visit, until

AWAY = "The service does not answer"
LISTEN = """const ask = fetch; window.probes = [];
    window.fetch = (...all) => (all[0] === "/readyz" && probes.push(performance.now()), ask(...all));"""
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000\r\n\r\nhalf"
MADE = re.compile("/v1/(galaxies|generate|interpolate|mix|arithmetic)")


def test_a_service_that_is_away_is_told_and_waited_for(visit: Visit) -> None:
    visit.go("/?count=12")
    visit.context.set_offline(True)
    visit.page.get_by_role("link", name="More", exact=True).click()
    expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
    visit.context.set_offline(False)
    visit.settle()
    expect(visit.page.locator(".banner")).to_have_count(0)
    expect(visit.page.locator(".tile img")).to_have_count(12)


@dataclass(frozen=True)
class Way:
    """From the gallery to another view, and what stands there when all is well: so many of a selector."""

    go: Callable[[Page], None]
    there: str
    count: int


def by_name(view: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("navigation", name="Views").get_by_role("link", name=view, exact=True).click()


WAYS = {
    "film": Way(by_name("Film"), ".play:enabled", 1),
    "mix": Way(by_name("Mix"), "tbody td img", 2 * 6),
    "sum": Way(by_name("Sum"), "section[aria-label=Result] img, .term img", 1 + 2),
    "galaxy": Way(lambda page: page.locator(".tile-link").nth(3).click(), ".galaxy-figure img, .one-row img, .bars", 1 + 6 + 2),
    "similar": Way(lambda page: page.get_by_role("button", name="More like Galaxy 3").click(), ".tile img", 1 + 20),
    "models": Way(by_name("Models"), ".samples img, article .facts", 2 * len(ModelStore().names())),
}


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_a_proxy_says_of_a_service_that_is_away_is_an_outage(visit: Visit, status: int) -> None:
    visit.page.route("**/5.png*", lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>Away</h1>"))
    visit.page.route("**/readyz", lambda route: route.fulfill(status=status))
    visit.page.goto(f"{visit.base}/?count=12")
    expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
    expect(visit.page.locator(".well.failed")).to_contain_text(AWAY)
    visit.page.unroute("**/5.png*")
    visit.page.unroute("**/readyz")
    expect(visit.page.locator(".tile img")).to_have_count(12)
    expect(visit.page.locator(".banner")).to_have_count(0)


def test_what_is_refused_is_not_asked_again_after_an_outage(visit: Visit) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=422, content_type="application/problem+json", body='{"title": "No", "detail": "not this one"}')

    visit.page.route("**/5.png*", refuse)
    visit.page.route("**/6.png*", lambda route: route.abort())
    visit.page.route("**/readyz", lambda route: route.abort())
    visit.page.goto(f"{visit.base}/?count=12")
    expect(visit.page.locator(".well.failed")).to_have_count(2)
    visit.page.unroute("**/6.png*")
    visit.page.unroute("**/readyz")
    expect(visit.page.locator(".tile img")).to_have_count(11)
    visit.settle()
    assert len(asked) == 1


@pytest.mark.parametrize("view", WAYS)
def test_every_view_goes_on_by_itself_after_an_outage_and_asks_once(visit: Visit, view: str) -> None:
    visit.go("/?count=12&slots=1,2")
    asked: Counter[str] = Counter()

    def count(request: Request) -> None:
        if request.failure != "net::ERR_INTERNET_DISCONNECTED":  # of a queue, some are asked for while the service is still away
            asked.update([f"{request.url} {request.post_data}"])

    visit.page.on("requestfinished", count)
    visit.page.on("requestfailed", count)
    visit.context.set_offline(True)
    WAYS[view].go(visit.page)
    expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).not_to_have_count(0)
    expect(visit.page.locator("main").get_by_text(AWAY)).not_to_have_count(0)
    visit.context.set_offline(False)
    expect(visit.page.locator(".banner")).to_have_count(0)
    expect(visit.page.locator(WAYS[view].there)).to_have_count(WAYS[view].count)
    visit.settle()
    expect(visit.page.locator("main .error, main .failed")).to_have_count(0)
    made = {what: times for what, times in asked.items() if MADE.search(what)}
    assert made if view != "models" else not made
    assert set(made.values()) <= {1}, made


def test_a_download_that_fails_in_an_outage_says_that_it_has_to_be_started_again(visit: Visit, tmp_path: Path) -> None:
    visit.go("/?view=galaxy&at=42")
    visit.context.set_offline(True)
    visit.button("Download PNG")
    expect(visit.page.get_by_role("alert").filter(has_text="Start the download again once it does.")).to_be_visible()
    visit.context.set_offline(False)
    expect(visit.page.locator(".banner")).to_have_count(0)
    assert visit.download("PNG", tmp_path).read_bytes().startswith(b"\x89PNG")


def test_a_service_that_is_away_at_first_is_waited_for(visit: Visit) -> None:
    visit.page.route("**/v1/**", lambda route: route.abort())
    visit.page.route("**/readyz", lambda route: route.abort())
    visit.page.goto(visit.base)
    expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
    visit.page.unroute("**/v1/**")
    visit.page.unroute("**/readyz")
    visit.settle()
    expect(visit.page.locator(".tile img")).to_have_count(24)


@pytest.mark.parametrize("status", [None, 502])
def test_a_film_on_its_way_outlives_an_outage(visit: Visit, status: int | None) -> None:
    """None: nothing answers at all."""
    ordered: list[str] = []
    visit.page.on("request", lambda request: ordered.append(request.url) if request.url.endswith("/interpolate") else None)
    for address in ("**/v1/jobs/**", "**/readyz"):
        visit.page.route(address, lambda route: route.fulfill(status=status) if status else route.abort())
    visit.page.goto(f"{visit.base}/?view=film&slots=1,2&frames=4")
    expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
    expect(visit.page.get_by_text("Waiting for the service …")).to_be_visible()
    for address in ("**/v1/jobs/**", "**/readyz"):
        visit.page.unroute(address)
    expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()
    assert len(ordered) == 1


def test_a_film_cancelled_in_an_outage_is_deleted_after_it(visit: Visit) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.method)
        route.abort()

    for address in ("**/v1/jobs/**", "**/readyz"):
        visit.page.route(address, lose)
    visit.page.goto(f"{visit.base}/?view=film&slots=1,2&frames=4")
    expect(visit.page.get_by_text("Waiting for the service …")).to_be_visible()
    visit.button("Cancel")
    until(visit, lambda: "DELETE" in lost)
    with visit.page.expect_request(lambda request: request.method == "DELETE"):
        for address in ("**/v1/jobs/**", "**/readyz"):
            visit.page.unroute(address)


def test_a_connection_that_breaks_within_an_answer_is_an_outage(visit: Visit) -> None:
    with speaking(HALF, stay=False) as broken:
        visit.page.route("**/5.png*", lambda route: route.continue_(url=broken))
        visit.page.route("**/readyz", lambda route: route.abort())
        visit.page.goto(f"{visit.base}/?count=12")
        expect(visit.page.locator(".tile img")).to_have_count(11)
        expect(visit.page.locator(".well.failed")).to_contain_text(AWAY)
        expect(visit.page.get_by_role("alert").filter(has_text=AWAY)).to_be_visible()
        visit.page.unroute("**/5.png*")
        visit.page.unroute("**/readyz")
        expect(visit.page.locator(".tile img")).to_have_count(12)
        expect(visit.page.locator(".banner")).to_have_count(0)


def test_an_answer_that_always_breaks_is_given_up_and_can_be_tried_again(visit: Visit) -> None:
    asked: list[str] = []

    def halve(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_(url=broken)

    with speaking(HALF, stay=False) as broken:
        visit.page.route("**/5.png*", halve)
        visit.page.add_init_script(LISTEN)
        visit.page.goto(f"{visit.base}/?count=12")
        expect(visit.page.locator(".well.failed")).to_contain_text("broke off 3 times")
        expect(visit.page.locator(".banner")).to_have_count(0)
        visit.settle()
        assert len(asked) == 3
        first, second, third = visit.page.evaluate("probes")
        assert third - second > second - first > 1400, "it is asked ever less often whether a service that comes and goes is back"
        visit.page.unroute("**/5.png*")
    visit.button("Try again")
    expect(visit.page.locator(".tile img")).to_have_count(12)


@pytest.mark.parametrize("broken", ["result", "order"])
def test_a_film_whose_answers_always_break_is_given_up(visit: Visit, broken: str) -> None:
    asked: list[str] = []

    def halve(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_(url=half, method="GET")

    with speaking(HALF, stay=False) as half:
        visit.page.route("**/result" if broken == "result" else "**/interpolate", halve)
        visit.page.goto(f"{visit.base}/?view=film&slots=1,2&frames=4")
        expect(visit.page.locator(".job .error")).to_contain_text("broke off 3 times")
        expect(visit.page.locator(".banner")).to_have_count(0)
        assert len(asked) == 3


def test_a_stream_of_events_that_falls_silent_is_not_waited_on_for_ever(visit: Visit) -> None:
    streams: list[str] = []
    polls: list[str] = []

    def listen(route: Route) -> None:
        streams.append(route.request.url)
        route.continue_(url=silent)

    with speaking(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", stay=True) as silent:
        visit.page.route("**/events", listen)
        visit.page.on("request", lambda request: polls.append(request.url) if re.search(r"/jobs/\w+$", request.url) else None)
        visit.page.clock.install()
        visit.page.goto(f"{visit.base}/?view=film&slots=1,{time.time_ns() % 2**32}&frames=4")
        until(visit, lambda: len(streams) == 1)
        visit.page.clock.run_for(20_000)
        assert not polls
        visit.page.clock.run_for(60_000)
        expect(visit.page.get_by_role("button", name="Play")).to_be_enabled()
    assert len(streams) == 1
    assert polls


@contextlib.contextmanager
def speaking(answer: bytes, *, stay: bool) -> Iterator[str]:
    """Address of a service that gives everybody the same answer, and then hangs up or stays on the line in silence."""
    over = threading.Event()

    class Speaker(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)
            if stay:
                over.wait()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Speaker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            over.set()
            server.shutdown()
