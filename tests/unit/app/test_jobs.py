"""Jobs over HTTP: list and paging, status with wait, cancel, delete; and their results: conditions, ranges, names."""

from __future__ import annotations

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from httpx import Client

from app.documents import JobDocument, JobPage
from app.main import create_app
from app.routes.jobs import CURSOR_PATTERN, SCAN
from app.settings import Settings
from galaxies.jobs import Failure
from jobstore.layout import Bounds
from jobstore.results import ResultStore
from tests.strategies import generate_body, style_card
from tests.unit.app.conftest import FakeWorker, serving
from tests.unit.app.test_operations import WAIT, problem
from tests.worker_fakes import make_job


def done(client: Client, **body: Any) -> dict[str, Any]:
    """A completed job."""
    answer = client.post("/v1/generate", json={"seeds": [42], **body}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = client.get(answer.headers["content-location"].removesuffix("/result")).json()
    return job


def test_a_completed_job_tells_its_result(client: Client) -> None:
    job = done(client)
    JobDocument.model_validate(job)
    content = client.get(job["result"]["href"]).content
    assert job["phase"] == "COMPLETED"
    assert job["progress"] == {"done": 1, "total": 1}
    assert job["result"]["bytes"] == len(content)
    assert job["result"]["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert (job["queue_position"], job["eta_seconds"], job["error"]) == (None, None, None)
    assert job["links"]["events"] == f"/v1/jobs/{job['id']}/events"


def test_pages_cover_every_job_once_newest_first(client: Client, worker: Any) -> None:
    worker.paused = True
    made = [client.post("/v1/generate", json={"seeds": [i]}).json()["id"] for i in range(25)]
    seen, address = [], "/v1/jobs?limit=4"
    while address:
        page = client.get(address)
        JobPage.model_validate(page.json())
        seen += [job["id"] for job in page.json()["jobs"]]
        address = page.json()["next"]
        assert not address or re.fullmatch(CURSOR_PATTERN, httpx.URL(address).params["cursor"])
        assert (f'<{address}>; rel="next"' == page.headers.get("link")) == bool(address)
    assert len(seen) == len(set(seen))
    assert set(seen) == set(made)
    created = [client.get(f"/v1/jobs/{job_id}").json()["created"] for job_id in seen]
    assert created == sorted(created, reverse=True)


def test_a_page_names_no_job_twice_while_others_come(
    settings: Settings, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The filter passes the last job of the first look only, so a page takes several looks."""
    worker.paused = True
    application = create_app(settings)
    with serving(application) as client:
        records, start = application.state.services.records, datetime.now(UTC)
        created = [start + timedelta(milliseconds=n) for n in range(SCAN + 50)]
        jobs = [make_job(style_card(), generate_body([n]), created=at) for n, at in enumerate(created)]
        worker.records.create_many([(job, None, Bounds()) for job in jobs])
        worker.records.cancel(jobs[50].id)
        list_ids = records.list_ids

        def and_one_more(*args: Any, **more: Any) -> list[tuple[str, float]]:
            found: list[tuple[str, float]] = list_ids(*args, **more)
            worker.records.create(make_job(style_card(), generate_body([0]), created=start + timedelta(seconds=30)))
            return found

        monkeypatch.setattr(records, "list_ids", and_one_more)
        page = client.get("/v1/jobs", params={"phase": "ABORTED"}).json()
    assert [job["id"] for job in page["jobs"]] == [jobs[50].id]


def test_pages_cover_jobs_of_one_moment(client: Client, worker: FakeWorker) -> None:
    worker.paused = True
    moment = datetime.now(UTC)
    jobs = [make_job(style_card(), generate_body([n]), created=moment) for n in range(2 * SCAN + 50)]
    worker.records.create_many([(job, None, Bounds()) for job in jobs])
    seen, address = [], "/v1/jobs?limit=200"
    while address:
        page = client.get(address).json()
        seen += [job["id"] for job in page["jobs"]]
        address = page["next"]
    assert seen == sorted((job.id for job in jobs), reverse=True)


def test_filters(client: Client, worker: Any) -> None:
    done(client)
    time.sleep(0.002)
    after = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    worker.paused = True
    client.post("/v1/mix", json={"rows": [{"seed": 1}], "columns": [{"seed": 2}], "layers": [0]})

    def operations(**query: str) -> list[str]:
        return [job["operation"] for job in client.get("/v1/jobs", params=query).json()["jobs"]]

    assert operations() == ["mix", "generate"]
    assert operations(phase="COMPLETED") == ["generate"]
    assert operations(operation="mix") == ["mix"]
    assert operations(after=after) == ["mix"]
    assert operations(phase="ABORTED") == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "201"}, "/query/limit"),
        ({"limit": "x"}, "/query/limit"),
        ({"phase": "DONE"}, "/query/phase"),
        ({"after": "0.5"}, "/query/after"),
        ({"after": "2026-01-01T00:00:00"}, "/query/after"),
        ({"cursor": "nonsense"}, "/query/cursor"),
        ({"cursor": "nan~a"}, "/query/cursor"),
        ({"sort": "asc"}, "/query/sort"),
    ],
)
def test_a_wrong_query_is_422(client: Client, query: dict[str, str], pointer: str) -> None:
    assert problem(client.get("/v1/jobs", params=query), 422)["errors"][0]["pointer"] == pointer


def test_wait_answers_when_the_phase_changes(client: Client, worker: Any) -> None:
    worker.paused = True
    job = client.post("/v1/generate", json={"seeds": [1]}).json()
    with ThreadPoolExecutor() as pool:
        begun = time.monotonic()
        waiting = pool.submit(client.get, job["links"]["self"], params={"wait": 20})
        time.sleep(0.2)
        worker.paused = False
        assert waiting.result(10).json()["phase"] in ("EXECUTING", "COMPLETED")
        assert 0.2 <= time.monotonic() - begun < 5
    problem(client.get(job["links"]["self"], params={"wait": 61}), 422)


def test_queue_positions_count_those_ahead(client: Client, worker: Any) -> None:
    worker.paused = True
    jobs = [client.post("/v1/generate", json={"seeds": [i]}).json() for i in range(3)]
    assert [job["queue_position"] for job in jobs] == [1, 2, 3]
    client.post(jobs[0]["links"]["cancel"])
    assert [client.get(job["links"]["self"]).json()["queue_position"] for job in jobs] == [None, 1, 2]


def test_cancel_is_idempotent_in_every_phase(client: Client, worker: Any) -> None:
    job = done(client)
    assert client.post(job["links"]["cancel"]).json()["phase"] == "COMPLETED"
    worker.paused = True
    job = client.post("/v1/generate", json={"seeds": [77]}).json()
    for _ in range(2):
        assert client.post(job["links"]["cancel"]).json()["phase"] == "ABORTED"
    problem(client.get(job["links"]["result"]), 409)
    problem(client.post("/v1/jobs/unknown/cancel"), 404)


def test_delete_forgets_job_and_result(client: Client, settings: Settings) -> None:
    job = done(client)
    assert client.delete(job["links"]["self"]).status_code == 204
    for path in (job["links"]["self"], job["links"]["result"]):
        problem(client.get(path), 404)
    problem(client.delete(job["links"]["self"]), 404)
    assert list(settings.results_dir.glob("??/*")) == []


def test_delete_leaves_the_bytes_that_another_job_serves(client: Client, settings: Settings) -> None:
    jobs = [done(client), done(client)]
    assert jobs[0]["id"] != jobs[1]["id"]
    client.delete(jobs[0]["links"]["self"])
    assert client.get(jobs[1]["links"]["result"]).status_code == 200
    client.delete(jobs[1]["links"]["self"])
    assert list(settings.results_dir.glob("??/*")) == []


def test_an_unended_job_has_no_result_yet(client: Client, worker: Any) -> None:
    worker.paused = True
    job = client.post("/v1/generate", json={"seeds": [1]}).json()
    answer = client.get(job["links"]["result"])
    problem(answer, 409)
    assert int(answer.headers["retry-after"]) >= 1


def test_a_failed_job_has_its_reason_instead_of_a_result(client: Client, worker: Any) -> None:
    worker.failure = Failure(kind="transient", message="the disk is full")
    job = client.get(problem(client.post("/v1/generate", json={"seeds": [1]}, headers=WAIT), 503)["job"]).json()
    assert (job["phase"], job["error"]["detail"]) == ("ERROR", "the disk is full")
    assert problem(client.get(job["links"]["result"]), 409)["detail"] == "the disk is full"


def test_a_result_that_was_made_anew_is_told_as_it_is_now(client: Client, settings: Settings) -> None:
    job, store = done(client), ResultStore(settings.results_dir)
    (path,) = settings.results_dir.glob("??/*")
    old = store.find(path.name)
    assert old is not None
    store.delete(path.name)
    with store.scratch() as folder:
        (folder / "new").write_bytes(b"made on another day")
        new = store.put(path.name, folder / "new", old)
    answer = client.get(job["links"]["result"])
    assert answer.content == b"made on another day"
    assert answer.headers["etag"] == f'"{new.digest}"'
    assert answer.headers["content-length"] == str(new.bytes)


def test_a_result_that_is_gone_is_410(client: Client, settings: Settings) -> None:
    job = done(client)
    for path in settings.results_dir.glob("??/*"):
        path.unlink()
    problem(client.get(job["links"]["result"]), 410)


def test_conditions_and_ranges(client: Client) -> None:
    job = done(client)
    href = job["links"]["result"]
    whole = client.get(href)
    etag, size = whole.headers["etag"], len(whole.content)
    assert etag == f'"{job["result"]["digest"]}"'
    for tags in (etag, f'"x", W/{etag}', "*"):
        unchanged = client.get(href, headers={"if-none-match": tags})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    assert client.get(href, headers={"if-none-match": '"x"'}).status_code == 200
    parts = {"0-9": slice(0, 10), "10-": slice(10, None), "-5": slice(-5, None), f"3-{size * 2}": slice(3, None)}
    for wanted, part in parts.items():
        answer = client.get(href, headers={"range": f"bytes={wanted}"})
        assert (answer.status_code, answer.content) == (206, whole.content[part])
        assert answer.headers["content-range"].endswith(f"/{size}")
    for ignored in ("bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=a-b"):
        assert client.get(href, headers={"range": ignored}).content == whole.content
    for outside in (f"{size}-", "-0"):
        assert problem(client.get(href, headers={"range": f"bytes={outside}"}), 416)
    assert client.get(href, headers={"range": "bytes=0-0", "if-range": '"old"'}).status_code == 200
    assert client.get(href, headers={"range": "bytes=0-0", "if-range": f"W/{etag}"}).status_code == 200
    assert client.get(href, headers={"range": "bytes=0-0", "if-range": etag}).status_code == 206
    several = [("if-none-match", '"x"'), ("if-none-match", etag)]
    assert client.get(href, headers=several).status_code == 304
    both = {"range": "bytes=0-0", "if-none-match": etag}
    assert client.get(href, headers=both).status_code == 304, "the condition goes before the range"
    head = client.head(href, headers={"range": "bytes=0-0"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(size)), "ranges are for GET"


def test_head_has_the_headers_and_no_bytes(client: Client) -> None:
    href = done(client)["links"]["result"]
    head, get = client.head(href), client.get(href)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type", "content-disposition"):
        assert head.headers[name] == get.headers[name]


def test_a_large_result_streams_whole_and_in_part(client: Client, worker: Any) -> None:
    worker.padding = 3_000_000
    job = done(client, format="zip")
    whole = client.get(job["links"]["result"])
    assert len(whole.content) == job["result"]["bytes"] > 3_000_000
    assert "sha256:" + hashlib.sha256(whole.content).hexdigest() == job["result"]["digest"]
    part = client.get(job["links"]["result"], headers={"range": "bytes=1000000-1999999"})
    assert part.content == whole.content[1_000_000:2_000_000]
    assert client.head(job["links"]["result"]).headers["content-length"] == whole.headers["content-length"]


def test_accept_that_excludes_the_result_is_406(client: Client) -> None:
    href = done(client)["links"]["result"]
    problem(client.get(href, headers={"accept": "application/fits"}), 406)
    assert client.get(href, headers={"accept": "image/*"}).status_code == 200


def test_file_names_tell_what_is_inside(client: Client) -> None:
    def name(**body: Any) -> str:
        return str(client.head(done(client, **body)["links"]["result"]).headers["content-disposition"])

    assert name() == 'inline; filename="galaxy-test-style-seed42.png"'
    assert name(format="fits") == 'attachment; filename="galaxy-test-style-seed42.fits"'
    assert name(seeds=[1, 2, 3], format="zip").startswith('attachment; filename="galaxies-test-style-3-')


def test_an_expired_result_is_410(client: Client, worker: Any) -> None:
    job = done(client)
    record = worker.records.get(job["id"])
    worker.records.delete(record)
    ResultStore(worker.results.root)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    expired = record.model_copy(update={"created": long_ago, "expires": datetime.now(UTC)})
    worker.records.create(expired)
    problem(client.get(job["links"]["result"]), 410)
