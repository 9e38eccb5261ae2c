"""Calls back when a job has ended, signed as the Standard Webhooks specification has it (https://www.standardwebhooks.com).

Due calls lie in Redis, put there by the script that ended the job, so none is forgotten; any API process makes them. A receiver
may be called twice: ``webhook-id`` is the same each time.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog
from redis.exceptions import RedisError

from app.events import describe
from app.outbound import check_url, post
from app.services import Services
from app.signing import signed
from galaxies.errors import BadInput, GalaxyError
from galaxies.jobs import Job
from jobstore.webhooks import Webhooks
from telemetry.outages import Outage

PERIOD_SECONDS = 0.5
AT_ONCE = 8
OF_ONE_CALLER = AT_ONCE // 2
"""Calls of one caller at a time: receivers that are slow, or meant to be, leave the others' threads alone."""
LEASE_SECONDS = 120.0
FIRST_SECONDS, FACTOR, LONGEST_SECONDS = 5.0, 4.0, 3600.0
log = structlog.get_logger("app.webhooks")


def delay(tries: int, draw: float) -> float:
    """Seconds until the next try after ``tries`` of them: 5, 20, 80, … at most an hour, ±20 % by ``draw`` in 0 … 1."""
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * FACTOR ** (tries - 1)) * (0.8 + 0.4 * draw))


class Deliverer:
    """Makes the calls that are due, on threads of its own; does nothing where the service has no secret."""

    def __init__(self, services: Services) -> None:
        self._services, self._settings = services, services.settings
        self._secret = services.webhook_secret
        self._due = Webhooks(services.records.client)
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")
        self._thread = threading.Thread(target=self._loop, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._secret is not None:
            self._thread.start()

    def stop(self) -> None:
        """End, after the calls that are being made; the others stay due."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _loop(self) -> None:
        """As many calls at a time as there are threads: a slow receiver holds one of them, not the calls beside it."""
        going: dict[Future[None], str] = {}
        put_off = Outage(log, "webhooks put off", "webhooks go on")
        while not self._ended.is_set():
            going = {call: owner for call, owner in going.items() if not call.done()}
            free = AT_ONCE - len(going)
            try:
                due = self._due.claim(free, LEASE_SECONDS, Counter(going.values()), OF_ONE_CALLER) if free else []
                if free:
                    put_off.went_well()
            except RedisError as error:
                put_off.failed(error)
                due = []
            going |= {self._pool.submit(self._deliver, job_id): owner for job_id, owner in due}
            if going:
                wait(going, PERIOD_SECONDS, FIRST_COMPLETED)
            else:
                self._ended.wait(PERIOD_SECONDS)

    def _deliver(self, job_id: str) -> None:
        try:
            job = self._services.records.get(job_id)
            if job is None or not job.callback:
                self._due.done(job_id)
                return
            if not job.phase.ended:  # its result was gone, and it waits again
                self._due.put_off(job_id, FIRST_SECONDS)
                return
            with structlog.contextvars.bound_contextvars(job=job_id, request_id=job.request_id):
                self._try(job)
        except RedisError as error:  # it comes again when its lease is over
            log.warning("webhook put off", job=job_id, reason=str(error))
        except Exception:
            log.exception("webhook", job=job_id)

    def _try(self, job: Job) -> None:
        assert self._secret is not None
        settings, now = self._settings, int(time.time())
        document = describe(self._services, job)
        event = {"type": "job.ended", "timestamp": document["ended"], "data": document}
        body = json.dumps(event, separators=(",", ":")).encode()
        headers = signed(self._secret, job, body, now)
        try:
            seconds = settings.webhook_timeout_seconds
            status = post(job.callback, body, headers, private=settings.webhook_private_addresses, seconds=seconds)
            reason, refused = f"the receiver answered {status}", False
            if 200 <= status < 300:
                self._due.done(job.id)
                self._services.metrics.delivery("delivered")
                return
        except GalaxyError as error:
            reason, refused = error.message, isinstance(error, BadInput)
        tries = self._due.failed(job.id)
        host = check_url(job.callback, private=True).hostname
        if refused or tries >= settings.webhook_tries:
            self._due.done(job.id)
            self._services.metrics.delivery("refused" if refused else "given_up")
            log.warning("webhook given up", host=host, tries=tries, reason=reason)
            return
        self._due.put_off(job.id, delay(tries, random.random()))  # noqa: S311 - spreads deliveries, hides nothing
        self._services.metrics.delivery("failed")
        log.info("webhook put off", host=host, tries=tries, reason=reason)
