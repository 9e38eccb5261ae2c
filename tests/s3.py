"""A real S3 server on this machine, and a new bucket on it; and one that is empty and may not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def s3_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A new bucket's address; credentials and endpoint are in the environment, as operators give them."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    _name(endpoint, monkeypatch)
    try:
        bucket = f"galaxies-{uuid4().hex[:8]}"
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
        yield f"s3://{bucket}/some/prefix"
    finally:
        server.stop()


class SilentStorage(ThreadingHTTPServer):
    """Says that nothing is there; nothing at all to requests for what is in ``silent`` (parts of addresses, "" for all), until
    they are let ``go``. ``asked`` counts all requests.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.silent: set[str] = set()
        self.go = threading.Event()
        self.asked = 0
        self.lock = threading.Lock()


class _Answer(BaseHTTPRequestHandler):
    server: SilentStorage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked += 1
        if any(part in self.path for part in self.server.silent):
            self.server.go.wait(60)
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def silent_storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentStorage]:
    """It answers at first; the environment leads to it."""
    with SilentStorage() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        _name(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        try:
            yield server
        finally:
            server.go.set()
            server.shutdown()


def _name(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENDPOINT": endpoint, "REGION": "us-east-1", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
