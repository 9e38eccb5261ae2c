from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.load import Load, Target, closed_loop, open_loop, post
from benchmarks.soak import _draw, _growth, _over_time, _queue_kb_per_job


class Handler(BaseHTTPRequestHandler):
    """Answers 200 to even numbers and 503 to odd ones, in two pieces."""

    protocol_version = "HTTP/1.1"
    seen: list[int]

    def do_POST(self) -> None:
        number = int(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append(number)
        self.send_response(503 if number % 2 else 200)
        self.send_header("Content-Length", "200000")
        self.end_headers()
        self.wfile.write(b"x" * 200_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[Target]:
    Handler.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Target("127.0.0.1", server.server_port, lambda number: post("/", str(number), {}))
        server.shutdown()


def test_every_answer_is_counted_once_and_bad_ones_are_errors(target: Target) -> None:
    load, following = closed_loop(target, 3, 0.3, 100)
    assert sorted(Handler.seen) == list(range(100, following))
    assert len(load.times) == len(load.ends) == sum(number % 2 == 0 for number in Handler.seen)
    assert load.errors == sum(number % 2 for number in Handler.seen)
    assert 0 < load.percentile_ms(50) <= load.percentile_ms(99) < 1000
    assert load.document()["per_second"] == load.per_second > 0


def test_an_open_loop_keeps_its_pace(target: Target) -> None:
    _, following = open_loop(target, 2, 0.5, 0, per_second=20)
    assert 6 <= following <= 14


def test_a_soak_tells_each_minute_and_growth_without_the_warming_up(tmp_path: Path) -> None:
    load = Load(times=[0.01] * 180, ends=[100.0 + i for i in range(180)], failures=[105.0, 279.0, 281.0], seconds=180)
    minutes = _over_time(load, 100.0, 180.0)
    assert [part["errors"] for part in minutes] == [1, 0, 2]
    assert [part["per_second"] for part in minutes] == [1, 1, 1]
    samples = [{"seconds": float(i), "api": 100.0, "worker 1": 50.0 if i < 10 else 200.0 + 20 * (i >= 30)} for i in range(40)]
    growth = _growth(samples)
    assert growth == pytest.approx({"api": 0, "worker 1": 10})
    assert _queue_kb_per_job([{"queue": 10.0}, {"queue": 9.0}, {"queue": 12.0}], 1024) == 2
    picture = tmp_path / "soak.png"
    _draw({"per_second": 1.0, "errors": 3, "over_time": minutes, "memory_mb": samples, "growth_percent": growth}, picture)
    assert Image.open(picture).size == (900, 600)
