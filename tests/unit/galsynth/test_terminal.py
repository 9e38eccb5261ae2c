"""A command in a terminal of its own that goes away: what a window that is closed leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.unit.galsynth.client.test_interrupts import CANCELLED, SENT, WAITED, Service

IN_ITS_OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "galsynth", *sys.argv[1:]])
"""


class Polled(Service):
    """A service over a real connection, which tells when it is waited for, and then does not answer before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.waited_on, self.ended = threading.Event(), threading.Event()

    def answer(self, request: httpx.Request) -> httpx.Response:
        answer = super().answer(request)
        if self.asked[-1] == WAITED:
            self.waited_on.set()
            self.ended.wait(60)
        return answer


@pytest.fixture
def service() -> Iterator[Polled]:
    service = Polled()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = service.answer(httpx.Request(self.command, f"http://s{self.path}", content=body))
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - the server calls it so

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service
        service.ended.set()
        server.shutdown()


def test_a_terminal_that_is_closed_ends_the_command_its_job_and_its_file(service: Polled, tmp_path: Path) -> None:
    ours, its = os.openpty()
    command = [sys.executable, "-c", IN_ITS_OWN_TERMINAL, "generate", "42", "-o", str(tmp_path / "x.png"), "--url", service.url]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        assert service.waited_on.wait(60)
        os.close(ours)
        assert process.wait(60) == 129
    assert service.asked == [SENT, WAITED, CANCELLED]
    assert list(tmp_path.iterdir()) == []
