"""API keys: kept as hashes, made and revoked while the service runs; who has none gets nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from httpx import Client, Response

from app.keys.__main__ import main as program
from app.keys.store import CHECK_SECONDS, Key, KeyFile
from app.settings import Settings, check_exposure
from galaxies.errors import BadInput, NotFound
from tests.programs import silent
from tests.unit.app.conftest import FakeWorker, served
from tests.unit.app.test_operations import WAIT, problem
from tests.worker_fakes import wait_until


@pytest.fixture
def store(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys" / "keys.json")


@pytest.fixture
def guarded(settings: Settings, worker: FakeWorker, store: KeyFile) -> Iterator[Client]:
    with served(settings.model_copy(update={"require_keys": True, "keys_file": store.path})) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_key_is_found_and_only_its_hash_is_kept(store: KeyFile) -> None:
    token, key = store.create("alice", unfinished_jobs=3)
    found = KeyFile(store.path).find(token)
    assert found == key
    assert (key.name, key.unfinished_jobs) == ("alice", 3)
    text = store.path.read_text()
    assert token not in text
    assert token.split("_", 2)[2] not in text
    assert store.path.stat().st_mode & 0o077 == 0, "others on the machine cannot read it"


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda t: "", lambda t: "gs__"])
def test_what_is_not_the_key_finds_nothing(store: KeyFile, change: Any) -> None:
    token, key = store.create("alice")
    assert store.find(change(token)) is None
    assert store.find(f"gs_{key.id}_") is None
    assert store.find(key.sha256) is None


def test_a_revoked_key_finds_nothing_and_stays_listed(store: KeyFile) -> None:
    (first, key), (second, _) = store.create("alice"), store.create("alice")
    assert [ended.id for ended in store.revoke(key.id)] == [key.id]
    fresh = KeyFile(store.path)
    assert fresh.find(first) is None
    assert fresh.find(second) is not None
    assert [bool(each.revoked) for each in store.entries()] == [True, False]
    assert len(store.revoke("alice")) == 1
    with pytest.raises(NotFound, match="bob"):
        store.revoke("bob")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a" * 65, "-x", "ä"])
def test_names_are_plain_words(store: KeyFile, name: str) -> None:
    with pytest.raises(BadInput, match=r"^name .*: 1 to 64 letters, digits, dots, hyphens and underscores are allowed"):
        store.create(name)


def test_keys_made_at_once_are_all_kept(store: KeyFile) -> None:
    threads = [threading.Thread(target=lambda i=i: KeyFile(store.path).create(f"caller-{i}")) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in store.entries()} == {f"caller-{i}" for i in range(12)}


def test_a_damaged_file_is_told_and_the_keys_before_it_stay(store: KeyFile) -> None:
    token, _ = store.create("alice")
    assert store.find(token)
    store.path.write_text('{"keys": [{"id": 1}]}')
    with pytest.raises(BadInput, match="damaged at keys/0"):
        store.entries()
    store._checked = float("-inf")
    assert store.find(token) is not None
    store.path.unlink()
    store._checked = float("-inf")
    assert store.find(token) is None


@pytest.mark.slow
def test_the_program_makes_lists_and_revokes(store: KeyFile) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "galsynth", "keys", *arguments, "--file", str(store.path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    made = run("create", "alice", "--daily-pixels", "1000")
    token = made.stdout.strip()
    assert f"alice, shown this once ({store.path} keeps only its hash):" in made.stderr
    assert token not in store.path.read_text()
    found = store.find(token)
    assert isinstance(found, Key)
    assert found.daily_pixels == 1000
    listed = run("list", "--json")
    assert [entry["name"] for entry in json.loads(listed.stdout)] == ["alice"]
    assert found.sha256 not in listed.stdout
    assert "alice" in run("list").stdout
    assert run("revoke", found.id).returncode == 0
    assert KeyFile(store.path).find(token) is None
    missing = run("revoke", "nobody")
    assert (missing.returncode, "nobody" in missing.stderr) == (3, True)
    assert run("create", "a b").returncode == 2


def test_the_secret_of_a_caller_without_a_key_is_told_with_a_warning(
    store: KeyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 32)
    monkeypatch.setenv("GALSYNTH_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    store.create("alice")
    for name, warned in (("alice", False), ("alcie", True), ("", False)):
        assert program(["--file", str(store.path), "webhook-secret", *([name] if name else [])]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("whsec_")
        assert ("'alcie' has no key so far" in said.err) == warned


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/models", "/v1/nothing", "/v1", "/v1/galaxies/test-style@1.0/1.png"])
def test_without_a_valid_key_everything_is_401(guarded: Client, path: str) -> None:
    for headers in ({}, bearer("gs_00000000_x"), {"x-api-key": "wrong"}, {"authorization": "Basic YTpi"}):
        answer = guarded.get(path, headers=headers)
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(guarded.post("/v1/generate", json={"seeds": [1]}), 401)


def test_what_is_for_everybody_needs_no_key(guarded: Client) -> None:
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/openapi.json").status_code == 200
    assert guarded.get("/docs").status_code == 200


def test_both_headers_take_a_key_and_a_change_counts_at_once(guarded: Client, store: KeyFile) -> None:
    token, key = store.create("alice")

    def status(headers: dict[str, str]) -> int:
        return guarded.get("/v1/jobs", headers=headers).status_code

    wait_until(lambda: status(bearer(token)) == 200, 4 * CHECK_SECONDS)
    assert status({"x-api-key": token}) == 200
    assert status({"authorization": f"bearer  {token}"}) == 200
    store.revoke(key.id)
    wait_until(lambda: status(bearer(token)) == 401, 4 * CHECK_SECONDS)


def test_another_callers_job_is_404(settings: Settings, worker: FakeWorker, store: KeyFile) -> None:
    alice, bob = (bearer(store.create(name)[0]) for name in ("alice", "bob"))
    second = bearer(store.create("alice")[0])
    with served(settings.model_copy(update={"require_keys": True, "keys_file": store.path})) as client:
        done = client.post("/v1/generate", json={"seeds": [1]}, headers=alice | WAIT)
        assert done.status_code == 200
        (job,) = client.get("/v1/jobs", headers=alice).json()["jobs"]
        assert client.get("/v1/jobs", headers=bob).json()["jobs"] == []
        for method, path in (("GET", "self"), ("GET", "result"), ("POST", "cancel"), ("DELETE", "self")):
            problem(client.request(method, job["links"][path], headers=bob), 404)
        assert client.get(job["links"]["result"], headers=second).content == done.content, "a new key of alice sees her jobs"
        key = {"idempotency-key": "same"}
        ids = [client.post("/v1/generate", json={"seeds": [2]}, headers=who | key).json()["id"] for who in (alice, bob)]
        assert ids[0] != ids[1]


def bounded(settings: Settings, store: KeyFile, **bounds: int) -> tuple[Settings, dict[str, str]]:
    return settings.model_copy(update={"require_keys": True, "keys_file": store.path}), bearer(store.create("alice", **bounds)[0])


def retry_after(answer: Response) -> int:
    return int(answer.headers["retry-after"])


def test_over_its_rate_a_caller_is_429(settings: Settings, store: KeyFile) -> None:
    guarded, alice = bounded(settings, store, requests_per_minute=5)
    with served(guarded) as client:
        answers = [client.get("/v1/models", headers=alice) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        problem(answers[-1], 429)
        assert 1 <= retry_after(answers[-1]) <= 12
        assert client.get("/v1/models", headers=bearer(store.create("bob")[0])).status_code in (200, 401)


def test_the_log_says_whose_request_is_refused(settings: Settings, store: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded, alice = bounded(settings, store, requests_per_minute=1)
    log = Mock()
    monkeypatch.setattr("app.middleware.log", log)
    with served(guarded) as client:
        for headers in (alice, alice, {}):
            client.get("/v1/models", headers=headers)
    told = [(call.kwargs["status"], call.kwargs.get("caller")) for call in log.info.call_args_list]
    assert told == [(200, "alice"), (429, "alice"), (401, None)]


def test_over_its_unfinished_jobs_a_caller_is_429_until_one_ends(settings: Settings, worker: FakeWorker, store: KeyFile) -> None:
    guarded, alice = bounded(settings, store, unfinished_jobs=2)
    worker.paused = True
    with served(guarded) as client:
        jobs = [client.post("/v1/generate", json={"seeds": [i]}, headers=alice) for i in range(3)]
        assert [job.status_code for job in jobs] == [202, 202, 429]
        assert retry_after(jobs[-1]) >= 1
        assert problem(jobs[-1], 429)["type"].endswith("too-many-jobs")
        client.post(jobs[0].json()["links"]["cancel"], headers=alice)
        assert client.post("/v1/generate", json={"seeds": [3]}, headers=alice).status_code == 202


def test_a_pixel_budget_is_spent_by_what_is_made_and_not_by_what_is_stored(
    settings: Settings, worker: FakeWorker, store: KeyFile
) -> None:
    guarded, alice = bounded(settings, store, daily_pixels=3 * 64 * 64)
    with served(guarded) as client:

        def post(*seeds: int) -> Response:
            return client.post("/v1/generate", json={"seeds": seeds}, headers=alice | WAIT)

        assert [post(1, 2).status_code, post(1, 2).status_code, post(1, 2).status_code] == [200, 200, 200]
        spent = post(3, 4)
        assert problem(spent, 429)["type"].endswith("budget-spent")
        assert 0 < retry_after(spent) <= 86400 / 3 + 1
        assert post(3).status_code == 200
        assert "a day" in problem(post(5, 6, 7, 8), 422)["detail"]


def test_keys_on_any_other_address_than_loopback(store: KeyFile) -> None:
    public = Settings(host="0.0.0.0", keys_file=store.path)
    assert public.keys_on
    with pytest.raises(BadInput, match="galsynth keys create"):
        check_exposure(public)
    token, key = store.create("alice")
    check_exposure(public)
    store.revoke(key.id)
    with pytest.raises(BadInput, match="no valid one"):
        check_exposure(public)
    assert not Settings(host="0.0.0.0", allow_public_without_keys=True).keys_on
    assert Settings(require_keys=True).keys_on
    assert not Settings().keys_on
    assert token


def test_of_several_requests_one_waits_for_a_server_that_does_not_count_them(
    settings: Settings, store: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = settings.model_copy(update={"redis_url": f"{settings.redis_url}?socket_timeout=3600"})
    guarded, alice = bounded(patient, store, requests_per_minute=3)
    with served(guarded) as client:
        monkeypatch.setattr("app.rates.ANSWER_SECONDS", 0.3)
        with silent(settings.redis_url):
            problem(client.get("/v1/nothing", headers=alice), 404)
            monkeypatch.setattr("app.rates.ANSWER_SECONDS", 3600)
            for _ in range(6):
                problem(client.get("/v1/nothing", headers=alice), 404)
        wait_until(lambda: client.get("/v1/nothing", headers=alice).status_code == 429, 60)
