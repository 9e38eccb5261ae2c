from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load import Target, closed_loop, open_loop, post
from benchmarks.plot import Line, Panel, svg


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


def test_a_plot_is_an_image_with_every_line_inside_its_frame() -> None:
    lines = [Line("a <b>", [0, 1, 2], [0, 470, 3]), Line("flat", [0, 2], [100, 100])]
    root = ET.fromstring(svg("title & more", [Panel("ms", lines), Panel("empty", [Line("zero", [0, 1], [0, 0])])], "minutes"))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    points = [
        point.split(",") for line in root.iter("{http://www.w3.org/2000/svg}polyline") for point in line.attrib["points"].split()
    ]
    assert len(points) == 7
    assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in points)
