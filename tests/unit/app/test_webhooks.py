"""Webhooks: signed, made once the job has ended, tried again, and never to an address that is not public."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from httpx import Client
from redis.exceptions import ConnectionError as RedisAway

import app.webhooks
from app.documents import JobDocument
from app.keys.store import KeyFile
from app.outbound import check_url, is_public, post
from app.settings import Settings
from app.signing import shown_secret
from app.webhooks import LONGEST_SECONDS, delay
from galaxies.errors import BadInput, Transient
from galaxies.jobs import Failure
from jobstore.layout import key_of
from jobstore.scripts import CALLBACKS, WEBHOOKS
from jobstore.webhooks import Webhooks
from tests.unit.app.conftest import FakeWorker, served
from tests.unit.app.test_operations import problem
from tests.worker_fakes import wait_until

SECRET = b"a secret of thirty-two characters"


class Receiver(ThreadingHTTPServer):
    """Notes what it is sent, and answers ``statuses`` in turn, the last one for ever.

    ``held``: what came to ``/slow``, which it answers after ``go_on``.
    """

    def __init__(self) -> None:
        self.statuses = [204]
        self.go_on = threading.Event()
        self.held: list[str] = []
        self.heard: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?a=1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = self.server
        assert isinstance(receiver, Receiver)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/slow":
            receiver.held.append(self.path)
            receiver.go_on.wait(30)
        receiver.heard.append(({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}, body))
        status = receiver.statuses[min(len(receiver.heard), len(receiver.statuses)) - 1]
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("location", receiver.url)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def with_webhooks(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(app.webhooks, "PERIOD_SECONDS", 0.05)
    monkeypatch.setattr(app.webhooks, "FIRST_SECONDS", 0.1)
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    changes = {"webhook_secret_file": tmp_path / "secret", "webhook_private_addresses": True, "webhook_tries": 3}
    return settings.model_copy(update=changes)


@pytest.fixture
def calling(with_webhooks: Settings, worker: FakeWorker) -> Iterator[Client]:
    with served(with_webhooks) as client:
        yield client


def order(client: Client, url: str, seed: int = 1, **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/generate", json={"seeds": [seed]}, headers={"x-callback-url": url, **headers})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.json()
    return document


def is_signed(headers: dict[str, str], body: bytes, shown: str) -> bool:
    """As a receiver checks it, from the secret that it was handed."""
    secret = base64.b64decode(shown.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("end", ["COMPLETED", "ERROR", "ABORTED"])
def test_every_end_is_called_once_and_signed(calling: Client, worker: FakeWorker, receiver: Receiver, end: str) -> None:
    worker.paused = True
    worker.failure = Failure(kind="internal", message="it broke") if end == "ERROR" else None
    job = order(calling, receiver.url)
    if end == "ABORTED":
        calling.post(job["links"]["cancel"])
    worker.paused = False
    wait_until(lambda: receiver.heard)
    time.sleep(0.5)
    ((headers, body),) = receiver.heard
    event = json.loads(body)
    JobDocument.model_validate(event["data"])
    assert (event["type"], event["data"]["id"], event["data"]["phase"]) == ("job.ended", job["id"], end)
    assert (headers["path"], headers["webhook-id"], headers["content-type"]) == ("/hook?a=1", job["id"], "application/json")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert event["timestamp"] == event["data"]["ended"], "as Standard Webhooks has it: when it happened, in every try"
    assert is_signed(headers, body, shown_secret(SECRET, ""))
    assert not is_signed(headers, body, shown_secret(SECRET, "somebody else"))
    assert not is_signed(headers, body + b" ", shown_secret(SECRET, ""))
    assert worker.client.zcard(WEBHOOKS) == worker.client.scard(CALLBACKS) == 0


def test_a_job_done_already_is_called_too(calling: Client, receiver: Receiver) -> None:
    order(calling, receiver.url)
    wait_until(lambda: len(receiver.heard) == 1)
    order(calling, receiver.url)
    wait_until(lambda: len(receiver.heard) == 2)


def test_a_failed_call_is_tried_again(calling: Client, receiver: Receiver) -> None:
    receiver.statuses = [500, 404, 200]
    order(calling, receiver.url)
    wait_until(lambda: len(receiver.heard) == 3)
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    wait_until(lambda: 'galsynth_webhooks_total{outcome="delivered"} 1.0' in calling.get("/metrics").text)


@pytest.mark.parametrize("status", [500, 302])
def test_calls_are_given_up_and_redirects_not_followed(
    calling: Client, worker: FakeWorker, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    order(calling, receiver.url)
    wait_until(lambda: 'galsynth_webhooks_total{outcome="given_up"} 1.0' in calling.get("/metrics").text)
    assert len(receiver.heard) == 3
    assert worker.client.zcard(WEBHOOKS) == worker.client.hlen(WEBHOOKS + ":tries") == 0


def test_a_deleted_job_is_not_called(calling: Client, worker: FakeWorker, receiver: Receiver) -> None:
    worker.paused = True
    calling.delete(order(calling, receiver.url)["links"]["self"])
    time.sleep(0.5)
    assert receiver.heard == []
    assert worker.client.scard(CALLBACKS) == 0


def test_who_is_killed_while_calling_leaves_the_call_to_another(worker: FakeWorker) -> None:
    worker.client.zadd(WEBHOOKS, {"a": 1.0})
    first, second = Webhooks(worker.client), Webhooks(worker.client)
    assert first.claim(5, 0.3, {}, 5) == [("a", "")]
    assert second.claim(5, 0.3, {}, 5) == []
    time.sleep(0.4)
    assert second.claim(5, 0.3, {}, 5) == [("a", "")]
    second.done("a")
    assert first.claim(5, 0.3, {}, 5) == []


def test_one_caller_has_its_part_of_the_calls_and_hides_nobody_however_many_are_due(worker: FakeWorker) -> None:
    with worker.client.pipeline() as pipe:
        for number in range(2500):
            pipe.hset(key_of(f"{number}"), "owner", "many")
            pipe.zadd(WEBHOOKS, {f"{number}": 1.0 + number})
        pipe.hset(key_of("last"), "owner", "few")
        pipe.zadd(WEBHOOKS, {"last": time.time()})
        pipe.execute()
    due = Webhooks(worker.client)
    assert due.claim(8, 30, {"many": 2}, 4) == [("0", "many"), ("1", "many")]
    claimed = [each for _ in range(3) for each in due.claim(6, 30, {"many": 4}, 4)]
    assert claimed == [("last", "few")]
    assert due.claim(6, 30, {"many": 3}, 4) == [("2", "many")], "its next one, at once"
    assert worker.client.zcard(WEBHOOKS) == 2501


def test_tries_come_later_each_time() -> None:
    waits = [delay(tries, 0.5) for tries in range(1, 9)]
    assert waits[:4] == [5, 20, 80, 320]
    assert waits == sorted(waits)
    assert max(waits) == LONGEST_SECONDS
    assert delay(3, 0) < delay(3, 1)


def test_the_time_over_which_it_is_tried_is_the_one_that_is_told() -> None:
    field = Settings.model_fields["webhook_tries"]
    hours = sum(delay(tries, 0.5) for tries in range(1, field.default)) / 3600
    assert hours == pytest.approx(2.5, abs=0.1)
    assert field.description == "tries to deliver a webhook, over about two and a half hours"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "example.org",
        "http://",
        "http://user:word@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "",
        "https://example.org/\u00e9",
        "https://" + "a" * 2000,
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_addresses_that_may_not_be_called_are_422(settings: Settings, worker: FakeWorker, tmp_path: Path, url: str) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    with pytest.raises(BadInput):
        check_url(url, private=False)
    with served(settings.model_copy(update={"webhook_secret_file": tmp_path / "secret"})) as client:
        headers = [(b"x-callback-url", url.encode()), (b"content-type", b"application/json")]
        document = problem(client.post("/v1/generate", content=b'{"seeds": [1]}', headers=headers), 422)
        assert document["errors"][0]["pointer"] == "/header/X-Callback-URL"
        assert client.get("/v1/jobs").json()["jobs"] == []


def test_a_name_that_leads_inside_is_its_callers_mistake_and_counts_as_that(
    with_webhooks: Settings, worker: FakeWorker, receiver: Receiver
) -> None:
    with served(with_webhooks.model_copy(update={"webhook_private_addresses": False})) as calling:
        order(calling, f"http://localhost:{receiver.server_port}/")
        wait_until(lambda: 'galsynth_webhooks_total{outcome="refused"} 1.0' in calling.get("/metrics").text)
        assert 'galsynth_webhooks_total{outcome="given_up"} 0.0' in calling.get("/metrics").text
    assert receiver.heard == []


def test_without_a_secret_there_are_no_webhooks(client: Client) -> None:
    answer = client.post("/v1/generate", json={"seeds": [1]}, headers={"x-callback-url": "https://example.org/"})
    assert "GALSYNTH_WEBHOOK_SECRET_FILE" in problem(answer, 422)["detail"]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "ff02::1"),
        *("fec0::1", "feff::a:1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Iterator[list[str]]:
    """A resolver that gives ``answers`` in turn; yields what was asked."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        if host[0].isdigit():  # an address by number
            found = [host]
        else:
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield asked


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"]])
def test_a_name_that_leads_inside_is_not_called(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, addresses: list[str]
) -> None:
    with names(monkeypatch, addresses), pytest.raises(BadInput, match="not a public address"):
        post(f"http://inside.example:{receiver.server_port}/", b"{}", {}, private=False, seconds=2)
    assert receiver.heard == []


def test_a_name_that_changes_its_address_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """DNS rebinding: public when it is checked, loopback when it is looked up again. It must not be looked up again."""
    reached: list[Any] = []

    def connect(address: Any, *_: object, **__: object) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError("nobody is there")

    monkeypatch.setattr(socket, "create_connection", connect)
    with names(monkeypatch, ["8.8.8.8"], ["127.0.0.1"]) as asked, pytest.raises(Transient):
        post(f"http://rebind.example:{receiver.server_port}/", b"{}", {}, private=False, seconds=2)
    assert asked == ["rebind.example"]
    assert reached == [("8.8.8.8", receiver.server_port)]


def test_the_host_header_keeps_the_name(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    with names(monkeypatch, ["127.0.0.1"]):
        assert post(f"http://named.example:{receiver.server_port}/a", b"{}", {}, private=True, seconds=2) == 204
    assert receiver.heard[0][0]["host"] == f"named.example:{receiver.server_port}"


def test_a_slow_receiver_does_not_hold_the_calls_beside_it(calling: Client, receiver: Receiver) -> None:
    slow = order(calling, receiver.url.replace("/hook?a=1", "/slow"))
    jobs = [order(calling, receiver.url, seed) for seed in range(2, 2 + 2 * app.webhooks.AT_ONCE)]
    wait_until(lambda: len(receiver.heard) == len(jobs))
    assert 'galsynth_webhooks_total{outcome="failed"} 0.0' in calling.get("/metrics").text, "the slow call goes on"
    receiver.go_on.set()
    wait_until(lambda: len(receiver.heard) == len(jobs) + 1)
    assert sorted(headers["webhook-id"] for headers, _ in receiver.heard) == sorted(job["id"] for job in [slow, *jobs])


def test_slow_receivers_of_one_caller_do_not_hold_the_calls_of_others(
    with_webhooks: Settings, worker: FakeWorker, receiver: Receiver, tmp_path: Path
) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    one, other = ({"authorization": f"Bearer {keys.create(name)[0]}"} for name in ("one", "other"))
    with served(with_webhooks.model_copy(update={"require_keys": True, "keys_file": keys.path})) as calling:
        slow = [order(calling, receiver.url.replace("/hook?a=1", "/slow"), n, **one) for n in range(2 * app.webhooks.AT_ONCE)]
        wait_until(lambda: len(receiver.held) == app.webhooks.OF_ONE_CALLER)
        good = [order(calling, receiver.url, 100 + seed, **other) for seed in range(20)]
        wait_until(lambda: len(receiver.heard) == len(good), 5)
        assert len(receiver.held) == app.webhooks.OF_ONE_CALLER
        receiver.go_on.set()
        wait_until(lambda: len(receiver.heard) == len(good) + len(slow), 5)
    assert sorted(headers["webhook-id"] for headers, _ in receiver.heard) == sorted(job["id"] for job in [*slow, *good])
    assert worker.client.hlen(WEBHOOKS + ":tries") == 0


def test_a_name_that_is_looked_up_for_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(30) and [])
    begun = time.monotonic()
    with pytest.raises(Transient, match=r"slow\.example has no address after 0\.3 seconds"):
        post("http://slow.example/", b"{}", {}, private=True, seconds=0.3)
    assert time.monotonic() - begun < 2
    go_on.set()


def drip(server: socket.socket, opening: bytes) -> None:
    """Answer one byte at a time, for ever."""
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        for byte in opening + b"a" * 1000:
            try:
                connection.send(bytes([byte]))
            except OSError:
                return
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("scheme", "opening", "late"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: ", 0.0),
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: ", 1.2),
        ("https", b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb", 0.0),
    ],
    ids=["in its answer", "after a connection that came too late", "in its handshake"],
)
def test_a_receiver_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch, scheme: str, opening: bytes, late: float) -> None:
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: (time.sleep(late), connect(address, timeout))[1])
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server, opening), daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(Transient):
            post(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, private=True, seconds=1)
        assert 0.9 < time.monotonic() - begun < 3


def test_an_outage_is_told_once_and_its_end_too(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, receiver: Receiver
) -> None:
    log, claim, away, tries = Mock(), Webhooks.claim, threading.Event(), list[int]()

    def claimed(due: Webhooks, most: int, *rest: Any) -> list[tuple[str, str]]:
        tries.append(most)
        if away.is_set():
            raise RedisAway("Redis is away")
        return claim(due, most, *rest)

    monkeypatch.setattr("app.webhooks.log", log)
    monkeypatch.setattr(Webhooks, "claim", claimed)
    away.set()
    calling: Client = request.getfixturevalue("calling")
    wait_until(lambda: len(tries) > 5)
    order(calling, receiver.url)
    away.clear()
    wait_until(lambda: receiver.heard)
    log.warning.assert_called_once_with("webhooks put off", reason="Redis is away")
    log.info.assert_called_once_with("webhooks go on")


def test_a_call_that_redis_does_not_outlast_is_one_line(
    monkeypatch: pytest.MonkeyPatch, calling: Client, receiver: Receiver
) -> None:
    log = Mock()
    monkeypatch.setattr("app.webhooks.log", log)
    monkeypatch.setattr(Webhooks, "done", Mock(side_effect=RedisAway("Redis is away")))
    job = order(calling, receiver.url)
    wait_until(lambda: log.warning.called or log.exception.called)
    log.warning.assert_called_once_with("webhook put off", job=job["id"], reason="Redis is away")
    log.exception.assert_not_called()
