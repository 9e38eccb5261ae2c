"""The page in chromium: how soon its first galaxies are there, and what it weighs."""

from __future__ import annotations

from statistics import median
from typing import Any

from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.chromium import GALAXIES, launch
from benchmarks.options import Options
from benchmarks.service import running_service

FIRST = 6
VISITS = 5
SECONDS = 60
THERE = f"""() => [...document.querySelectorAll("{GALAXIES}")].filter((image) => image.complete && image.naturalWidth).length
    >= {FIRST} && performance.now()"""


def page(options: Options) -> dict[str, Any]:
    """Milliseconds from the address to the first ``FIRST`` galaxies, at once after the service is ready and later."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with running_service(options.workers) as service:
            visits = [visit(browser, service.url, 1000 * number) for number in range(1 + VISITS)]
        browser.close()
    return {
        "galaxies": FIRST,
        "after_ready_ms": visits[0]["first_galaxies_ms"],
        "later_ms": median(later["first_galaxies_ms"] for later in visits[1:]),
        "page_kb": visits[0]["page_kb"],
        "files": visits[0]["files"],
    }


def visit(browser: Browser, url: str, seed: int) -> dict[str, Any]:
    """One reader who has never been there, and galaxies from ``seed`` on.

    Returns
    -------
    dict
        ``first_galaxies_ms``: from the start of the navigation until ``FIRST`` galaxies are shown. ``page_kb``: thousands of
        bytes of the page's own ``files``, uncompressed; galaxies and answers of the API are not counted.
    """
    context = browser.new_context()
    try:
        tab = context.new_page()
        tab.goto(f"{url}/healthz")  # connected: what is measured is the page
        answers: list[Response] = []

        def hear(answer: Response) -> None:
            answers.append(answer)

        tab.on("response", hear)
        tab.goto(f"{url}/?seed={seed}")
        milliseconds = tab.wait_for_function(THERE, timeout=1000 * SECONDS, polling="raf").json_value()
        own = [len(answer.body()) for answer in answers if answer.url.startswith(url) and "/v1/" not in answer.url]
    finally:
        context.close()
    return {"first_galaxies_ms": milliseconds, "page_kb": sum(own) / 1000, "files": len(own)}
