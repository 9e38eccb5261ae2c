"""The scripts run inside the server, so these tests need a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from galaxies.jobs import Failure, Job, Phase, Result
from jobstore.layout import CHANGES, DEAD, LOAD, PREFIX, Bounds, Claim, Created, LargeRecord, Place, Recorded, users_of
from jobstore.records import MAX_ATTEMPTS, MAX_REFUNDS, JobRecords
from tests.strategies import generate_body, interpolate_body, style_card, z_card
from tests.worker_fakes import make_job

pytestmark = pytest.mark.integration

RESULT = Result(key="ab" * 32, format="png", media_type="image/png", bytes=5, digest="sha256:x", width=1, height=1, images=1)
FAILURE = Failure(kind="transient", message="try again")


@pytest.fixture
def client(empty_valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(empty_valkey, decode_responses=True) as client:
        yield client


@pytest.fixture
def records(client: redis.Redis) -> JobRecords:
    return JobRecords(client)


def queued(records: JobRecords, **changes: object) -> Job:
    job = make_job(style_card(), generate_body([1, 2]), **changes)
    records.create(job)
    return job


def phase(records: JobRecords, job: Job) -> Phase:
    now = records.get(job.id)
    assert now is not None
    return now.phase


def position(records: JobRecords, job: Job) -> int | None:
    place = records.place(job.id)
    return None if place is None else place.position


def test_a_job_comes_back_as_it_was(records: JobRecords) -> None:
    jobs = [make_job(style_card(), generate_body([1])), make_job(z_card(), interpolate_body(3, space="z"))]
    for job in jobs:
        records.create(job)
        assert records.get(job.id) == job
    assert records.get_many([jobs[1].id, "none", jobs[0].id]) == [jobs[1], jobs[0]]
    assert records.get("none") is None


def test_a_record_is_read_only_where_it_is_small_enough(records: JobRecords, client: redis.Redis) -> None:
    job = queued(records)
    size = records.glances([job.id])[job.id].size
    assert records.get(job.id, size) == job
    client.config_resetstat()
    with pytest.raises(LargeRecord, match=f"{size} bytes"):
        records.get(job.id, size - 1)
    commands = {name: stats["calls"] for name, stats in client.info("commandstats").items()}  # type: ignore[union-attr]
    assert commands.keys() & {"cmdstat_hgetall", "cmdstat_hget", "cmdstat_hmget"} == set()
    assert commands["cmdstat_evalsha"] == 1
    assert records.get("none", 0) is None


def test_whose_a_job_is(records: JobRecords) -> None:
    job = queued(records, owner="alice")
    assert records.belongs(job.id, "alice")
    assert not records.belongs(job.id, "")
    assert not records.belongs("none", "alice")
    records.delete(job)
    assert not records.belongs(job.id, "alice")


def test_the_users_of_a_result_are_known_as_long_as_the_last_of_them(records: JobRecords, client: redis.Redis) -> None:
    kept = []
    for hours in (2, 24, 1):
        job = queued(records, expires=datetime.now(UTC) + timedelta(hours=hours))
        kept.append(client.ttl(users_of(job.result_key)))
    assert kept == pytest.approx([3 * 3600, 25 * 3600, 25 * 3600], abs=60)


def test_the_good_way(records: JobRecords) -> None:
    job = queued(records)
    begun = records.begin(job.id)
    assert isinstance(begun, Job)
    assert (begun.phase, begun.attempts, begun.request) == (Phase.EXECUTING, 1, job.request)
    assert not records.progress_many({job.id: 1})
    assert records.complete(job.id, RESULT, 2)
    ended = records.get(job.id)
    assert ended is not None
    assert (ended.phase, ended.done, ended.result) == (Phase.COMPLETED, 2, RESULT)
    assert ended.started is not None
    assert ended.ended is not None


def test_an_ended_job_never_changes(records: JobRecords) -> None:
    for end in (
        lambda j: records.complete(j.id, RESULT, 2),
        lambda j: records.fail(j.id, FAILURE),
        lambda j: records.abort(j.id),
    ):
        job = queued(records)
        records.begin(job.id)
        assert end(job)
        ended = records.get(job.id)
        assert ended is not None
        assert records.begin(job.id) == ended.phase
        assert records.progress_many({job.id: 1})
        assert not records.complete(job.id, RESULT, 1)
        assert not records.fail(job.id, FAILURE)
        assert not records.abort(job.id)
        assert not records.requeue(job.id)
        records.cancel(job.id)
        assert records.get(job.id) == ended


def test_only_an_executing_job_completes(records: JobRecords) -> None:
    job = queued(records)
    assert not records.complete(job.id, RESULT, 2)
    assert phase(records, job) == Phase.QUEUED


def test_cancel_where_it_waits_and_where_it_runs(records: JobRecords) -> None:
    waiting, running = queued(records), queued(records)
    records.cancel(waiting.id)
    assert phase(records, waiting) == Phase.ABORTED
    assert records.begin(waiting.id) == Phase.ABORTED
    records.begin(running.id)
    records.cancel(running.id)
    assert phase(records, running) == Phase.EXECUTING
    assert records.progress_many({running.id: 1})
    assert records.abort(running.id)


def test_a_cancelled_job_that_is_delivered_again_is_aborted(records: JobRecords) -> None:
    job = queued(records)
    records.begin(job.id)
    records.cancel(job.id)
    assert records.begin(job.id) == Phase.ABORTED
    assert phase(records, job) == Phase.ABORTED


def test_a_job_that_takes_its_workers_with_it_ends_as_a_dead_letter(
    records: JobRecords, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobstore.records.DOUBT_SECONDS", 0)
    job = queued(records)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        begun = records.begin(job.id)
        assert isinstance(begun, Job)
        assert begun.attempts == attempt
    assert records.begin(job.id) == Phase.ERROR
    ended = records.get(job.id)
    assert ended is not None
    assert ended.failure is not None
    assert ended.failure.kind == "internal"
    assert [fields["job"] for _, fields in client.xrange(DEAD)] == [job.id]  # type: ignore[union-attr, misc]


def test_giving_a_job_back_is_not_an_attempt(records: JobRecords) -> None:
    job = queued(records)
    for _ in range(10):
        assert isinstance(records.begin(job.id), Job)
        assert records.requeue(job.id)
    begun = records.begin(job.id)
    assert isinstance(begun, Job)
    assert begun.attempts == 1


def test_the_last_worker_of_a_job_may_live_and_bring_it_to_its_end(records: JobRecords, client: redis.Redis) -> None:
    job = queued(records)
    runs = [begun.run for _ in range(MAX_ATTEMPTS) if isinstance(begun := records.begin(job.id), Job)]
    assert records.begin(job.id) == records.begin(job.id) == Phase.EXECUTING
    assert records.complete(job.id, RESULT, 1, runs[-1])
    assert records.begin(job.id) == Phase.COMPLETED
    assert client.xlen(DEAD) == 0


def test_an_attempt_that_another_followed_does_not_count_where_its_worker_lives(records: JobRecords) -> None:
    job = queued(records)
    for _ in range(MAX_REFUNDS):
        first, second = records.begin(job.id), records.begin(job.id)
        assert isinstance(first, Job)
        assert isinstance(second, Job)
        for _again in range(2):  # the answer may have been lost
            assert not records.requeue(job.id, first.run)
        assert phase(records, job) == Phase.EXECUTING, "the other one goes on"
        assert records.requeue(job.id, second.run)
    first, second = records.begin(job.id), records.begin(job.id)
    assert isinstance(first, Job)
    assert first.attempts == 1
    records.requeue(job.id, first.run)
    found = records.get(job.id)
    assert found is not None
    assert found.attempts == 2, "not for ever"


def test_a_job_that_makes_its_workers_lose_it_for_ever_ends(records: JobRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobstore.records.DOUBT_SECONDS", 0)
    job = queued(records)
    for _ in range(MAX_REFUNDS + MAX_ATTEMPTS):
        begun = records.begin(job.id)
        assert isinstance(begun, Job)
        records.requeue(job.id, begun.run, lost=True)
    records.begin(job.id)
    assert phase(records, job) == Phase.ERROR


def test_a_doubt_ends_with_a_sign_of_life_or_with_the_next_run(records: JobRecords, client: redis.Redis) -> None:
    job = queued(records)
    runs = [begun.run for _ in range(MAX_ATTEMPTS) if isinstance(begun := records.begin(job.id), Job)]
    doubted = f"{PREFIX}job:{job.id}"
    records.begin(job.id)
    assert client.hexists(doubted, "doubted")
    assert not records.progress_many({job.id: 1}, {job.id: runs[-1]})
    assert not client.hexists(doubted, "doubted")
    records.begin(job.id)
    records.requeue(job.id, runs[0])
    assert isinstance(records.begin(job.id), Job)
    assert not client.hexists(doubted, "doubted")


def test_an_end_that_is_told_again_is_the_same_end(records: JobRecords) -> None:
    job = queued(records)
    begun = records.begin(job.id)
    assert isinstance(begun, Job)
    assert records.complete(job.id, RESULT, 1, begun.run)
    assert records.complete(job.id, RESULT, 1, begun.run)
    assert not records.abort(job.id, begun.run)
    assert not records.complete(job.id, RESULT, 1, begun.run + 1)


def test_a_delivery_that_begins_again_has_begun_once(records: JobRecords) -> None:
    """redis-py sends a call again whose answer did not come in time."""
    job = queued(records)
    first = records.begin(job.id, "tag")
    assert isinstance(first, Job)
    for _ in range(MAX_ATTEMPTS):
        assert records.begin(job.id, "tag") == first
    assert records.requeue(job.id, first.run)
    following = records.begin(job.id, "tag")
    assert isinstance(following, Job)
    assert following.run == first.run + 1


def test_a_result_that_is_made_again_has_all_its_attempts(records: JobRecords) -> None:
    job = queued(records)
    for _ in range(MAX_ATTEMPTS):
        records.begin(job.id)
    records.complete(job.id, RESULT, 1)
    records.revive(job)
    begun = records.begin(job.id)
    assert isinstance(begun, Job)
    assert begun.attempts == 1


def test_a_deleted_job_stops_its_worker_and_stays_deleted(records: JobRecords, client: redis.Redis) -> None:
    job = queued(records)
    records.begin(job.id)
    records.delete(job)
    assert records.begin(job.id) == "GONE"
    assert records.progress_many({job.id: 1})
    assert not records.complete(job.id, RESULT, 1)
    assert not records.requeue(job.id)
    records.cancel(job.id)
    assert records.get(job.id) is None
    assert [key for key in client.scan_iter("*") if job.id in key] == []


def test_progress_of_many_in_one_go(records: JobRecords) -> None:
    jobs = [queued(records) for _ in range(3)]
    for job in jobs:
        records.begin(job.id)
    records.cancel(jobs[1].id)
    assert records.progress_many({job.id: 1 for job in jobs} | {"gone": 5}) == {jobs[1].id, "gone"}
    assert [job.done for job in records.get_many([job.id for job in jobs])] == [1, 0, 1]
    assert records.progress_many({}) == set()


def test_changes_are_announced_and_progress_only_when_it_moves(records: JobRecords, client: redis.Redis) -> None:
    job = queued(records)
    with client.pubsub() as listener:
        listener.subscribe(CHANGES)
        listener.get_message(timeout=1)
        records.begin(job.id)
        for done in (1, 1, 1, 2):
            records.progress_many({job.id: done})
        records.complete(job.id, RESULT, 2)
        heard = []
        while (message := listener.get_message(timeout=0.3)) is not None:
            heard.append(message["data"])
    assert heard == [f"{job.id} {phase}" for phase in ("EXECUTING", "EXECUTING", "EXECUTING", "COMPLETED")]


def test_queue_positions_follow_the_line(records: JobRecords) -> None:
    start = datetime.now(UTC)
    jobs = [queued(records, created=start + timedelta(seconds=i), expires=start + timedelta(hours=1)) for i in range(3)]
    assert [position(records, job) for job in jobs] == [1, 2, 3]
    records.begin(jobs[0].id)
    records.cancel(jobs[1].id)
    assert [position(records, job) for job in jobs] == [None, None, 1]
    records.requeue(jobs[0].id)
    assert position(records, jobs[0]) == 1, "its message goes to the head of the queue"


def test_many_places_are_as_each_alone_and_cost_one_look_at_the_line(
    records: JobRecords, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobstore.records.LOOKED_AT", 5)
    start = datetime.now(UTC)
    jobs = [queued(records, created=start + timedelta(seconds=i), pixels=(i + 1) ** 2) for i in range(8)]
    begun, *line = jobs
    records.begin(begun.id)
    pixels = [job.pixels for job in line]
    known = [sum(pixels[:n]) if n <= 5 else sum(pixels[:5]) * n // 5 for n in range(len(line))]
    ids = [job.id for job in reversed(jobs)] + ["none"]

    def looks() -> int:
        return int(client.info("commandstats")["cmdstat_zrange"]["calls"])  # type: ignore[index]

    records.places(ids)
    before = looks()
    found = records.places(ids)
    assert looks() == before + 1
    assert found == {job.id: Place(n + 1, known[n], 1, 1) for n, job in enumerate(line)} | {begun.id: None, "none": None}
    assert found == {job_id: records.place(job_id) for job_id in ids}
    assert records.places([]) == {}


def test_jobs_are_listed_newest_first_and_by_owner(records: JobRecords) -> None:
    start = datetime.now(UTC)
    for i in range(3):
        queued(records, id=f"a{i}", owner="a", created=start + timedelta(seconds=i), expires=start + timedelta(hours=1))
    queued(records, id="b", owner="b")
    assert [job_id for job_id, _ in records.list_ids("a")] == ["a2", "a1", "a0"]
    records.forget_ids("a", ["a1"])
    assert [job_id for job_id, _ in records.list_ids("a")] == ["a2", "a0"]


def test_of_equal_claims_one_job_is_made(records: JobRecords) -> None:
    first, second = (make_job(style_card(), generate_body([1])) for _ in range(2))
    claim = Claim("key", "body", 60)
    assert records.create(first, claim).job_id == first.id
    held = records.create(second, claim)
    assert (held.job_id, held.body_digest) == (first.id, "body")
    assert records.get(second.id) is None


def test_of_several_jobs_those_are_taken_back_that_wait_and_were_not_handed_out(records: JobRecords, client: redis.Redis) -> None:
    claim = Claim("key", "body", 60)
    handed, begun, waiting, never = (make_job(style_card(), generate_body([seed])) for seed in range(4))
    records.create_many([(handed, claim, Bounds()), (begun, None, Bounds()), (waiting, None, Bounds())])
    records.create(make_job(style_card(), generate_body([5])), claim)
    records.begin(begun.id)
    records.take_back(Recorded.of(job) for job in (handed, begun, waiting, never))
    assert [job.id for job in records.get_many([job.id for job in (handed, begun, waiting, never)])] == [handed.id, begun.id]
    assert [key for key in client.scan_iter("*") if waiting.id in key] == []
    assert client.hget(LOAD, "jobs:") == "2"


def test_a_creation_that_is_made_again_or_asks_for_another_body_hands_nothing_out(records: JobRecords) -> None:
    """A Redis client may send a command again whose answer was lost."""
    job, other = (make_job(style_card(), generate_body([seed])) for seed in range(2))
    for _ in range(2):
        assert records.create(job, Claim("key", "body", 60)).job_id == job.id
    assert records.create(other, Claim("key", "another body", 60)).body_digest == "body"
    records.take_back([Recorded.of(job)])
    assert records.get(job.id) is None


def test_ids_of_expired_jobs_leave_the_index_although_nobody_lists(records: JobRecords, client: redis.Redis) -> None:
    expired, living = [queued(records) for _ in range(15)], queued(records)
    for job in expired:
        client.delete(f"{PREFIX}job:{job.id}")
    newest = [queued(records) for _ in range(2)]
    assert {job_id for job_id, _ in records.list_ids("")} == {job.id for job in (living, *newest)}


def test_many_are_as_one_after_the_other_also_where_the_server_has_forgotten_the_scripts(
    records: JobRecords, client: redis.Redis
) -> None:
    jobs = [make_job(style_card(), generate_body([i])) for i in range(3)]
    client.script_flush()
    created = records.create_many([(job, Claim("key", "body", 60) if job is not jobs[0] else None, Bounds()) for job in jobs])
    assert [each.job_id for each in created if isinstance(each, Created)] == [jobs[0].id, jobs[1].id, jobs[1].id]
    client.script_flush()
    begun = records.begin_many([*(job.id for job in jobs), "none"], "tag")
    assert [b if isinstance(b, str) else (b.id, b.phase) for b in begun] == [
        (jobs[0].id, Phase.EXECUTING),
        (jobs[1].id, Phase.EXECUTING),
        "GONE",
        "GONE",
    ]
    client.script_flush()
    runs = [(job.id, RESULT, 1, run) for job, run in zip(jobs, (1, 2, 1), strict=True)]
    assert records.complete_many(runs) == [True, False, False], "the second names another run, the third was never made"
    assert records.begin_many([]) == records.complete_many([]) == []


def test_what_is_there_ends_and_goes_although_the_servers_memory_is_full(
    records: JobRecords, client: redis.Redis, server_setting: Callable[[str, object], None]
) -> None:
    done, failed, given_back, cancelled, unwanted = jobs = [queued(records) for _ in range(5)]
    begun = records.begin_many([job.id for job in (done, failed, given_back)])
    assert all(isinstance(job, Job) for job in begun)
    server_setting("maxmemory", 1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        queued(records)
    assert records.progress_many({done.id: 1}) == set()
    assert records.complete(done.id, RESULT, 2)
    assert records.fail(failed.id, FAILURE)
    assert records.requeue(given_back.id)
    records.cancel(cancelled.id)
    records.delete(unwanted)
    found = [job and job.phase.value for job in map(records.get, [job.id for job in jobs])]
    assert found == ["COMPLETED", "ERROR", "QUEUED", "ABORTED", None]
    assert {name: int(value) for name, value in client.hgetall(LOAD).items() if int(value)} == {f"jobs:{given_back.owner}": 1}
