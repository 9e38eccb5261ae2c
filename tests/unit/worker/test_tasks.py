from __future__ import annotations

import contextlib
from typing import Any

import pytest
import redis
from celery.exceptions import Reject

from worker import tasks
from worker.room import Occupied
from worker.tickets import Cancelled, Stopped


@pytest.mark.parametrize("error", [redis.ConnectionError("gone"), Stopped("the engine has stopped"), Occupied()])
def test_what_another_worker_should_do_goes_back_to_the_queue(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def render(job_ids: Any, tag: str | None, again: bool) -> None:
        raise error

    monkeypatch.setattr(tasks, "RETRY_SECONDS", 0)
    task = tasks.add_render_task(tasks.celery_app("redis://127.0.0.1:1/0", 30), render)
    with pytest.raises(Reject) as raised:
        task("some job")
    assert raised.value.requeue


def test_a_worker_that_stops_begins_nothing() -> None:
    begun: list[Any] = []
    app = tasks.celery_app("redis://127.0.0.1:1/0", 30)
    task = tasks.add_render_task(app, lambda *job: begun.append(job), stops=lambda: True)
    with pytest.raises(Reject) as raised:
        task("some job")
    assert (raised.value.requeue, begun) == (True, [])


def test_of_what_goes_back_celery_prints_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def render(*_: Any) -> None:
        raise Stopped("the engine has stopped")

    def reject(*_: Any) -> None:
        raise Reject("somebody else's")

    app = tasks.celery_app("redis://127.0.0.1:1/0", 30)
    assert tasks.add_render_task(app, render).apply(["some job"]).state == "REJECTED"
    assert caplog.text == ""
    app.task(reject).apply()
    assert "somebody else's" in caplog.text


def test_other_errors_come_through() -> None:
    def render(*_: Any) -> None:
        raise Cancelled

    task = tasks.add_render_task(tasks.celery_app("redis://127.0.0.1:1/0", 30), render)
    with pytest.raises(Cancelled):
        task("some job")


@pytest.mark.parametrize(("delivery", "sent", "again"), [(False, {}, False), (True, {}, True), (False, {"again": True}, True)])
def test_jobs_come_again_in_the_same_message_or_in_one_of_housekeepings(
    delivery: bool, sent: dict[str, bool], again: bool
) -> None:
    groups: list[tuple[list[str], bool]] = []
    task = tasks.add_render_task(
        tasks.celery_app("redis://127.0.0.1:1/0", 30), lambda ids, tag, again: groups.append((list(ids), again))
    )
    task.push_request(delivery_info={"redelivered": delivery})
    task.run("a", "b", **sent)
    assert groups == ([(["a"], True), (["b"], True)] if again else [(["a", "b"], False)])


@pytest.mark.parametrize("error", [None, Stopped(), Cancelled()])
def test_a_message_is_done_with_however_its_jobs_end(error: Exception | None) -> None:
    done: list[str] = []

    def render(*_: Any) -> None:
        assert done == []
        if error is not None:
            raise error

    task = tasks.add_render_task(tasks.celery_app("redis://127.0.0.1:1/0", 30), render, done.append)
    task.push_request(properties={"delivery_tag": "tag"})
    with contextlib.suppress(Reject, Cancelled):
        task.run("some job")
    assert done == ["tag"]
