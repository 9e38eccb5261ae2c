"""Builds a worker and runs it. `create_worker` only wires; what it wires is in the other files."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
import structlog
from celery import Celery, signals
from celery.platforms import SecurityWarning
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from galaxies.errors import Transient
from jobstore.records import QUEUES, JobRecords
from jobstore.stores import results_at
from jobstore.workers import WorkerInfo
from models.generator import CPU, choose_device, has_cuda
from models.store import BUNDLED, ModelStore
from telemetry.traces import Traces, traces_to
from worker.default import DefaultModel
from worker.engine import Engine
from worker.loaded import LoadedModels
from worker.metrics import Metrics
from worker.pool import TaskPool
from worker.pulse import Pulse
from worker.render import Renderer
from worker.scoring import Scorers
from worker.settings import WorkerSettings
from worker.tasks import add_render_task, celery_app
from worker.watch import Watch

CPU_BATCH, GPU_BATCH = 8, 32
FINISH_SECONDS = 45.0
"""After SIGTERM running jobs have so long to finish; the rest goes back to the queue. Whoever stops a worker waits for 60 s."""

_LOG = structlog.get_logger(__name__)


@dataclass
class Worker:
    """One worker process: `run` returns its exit status when SIGTERM or SIGINT has let the running jobs finish.

    Those that run longer than `FINISH_SECONDS` go back to the queue.
    """

    settings: WorkerSettings
    client: redis.Redis
    celery: Celery
    engine: Engine
    models: LoadedModels
    watch: Watch
    pulse: Pulse
    default_model: DefaultModel
    metrics: Metrics
    traces: Traces

    def run(self) -> int:
        """Load and warm the default model, serve jobs until told to stop.

        Raises
        ------
        GalaxyError : no model, the device or the server does not work.
        """
        providers = self.default_model.begin().generator.providers
        try:
            self.client.ping()
        except redis.RedisError as error:
            where = _without_password(self.settings.redis_url)
            raise Transient(f"the Redis server at {where} does not answer: {error}") from None
        worker_id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        with self._at_work(), self._listening(self._describer(worker_id, providers)):
            return self._serve(worker_id)

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """The threads of this worker, from their start to their end."""
        end_metrics = self._serve_metrics()
        self.engine.start()
        self.pulse.start()
        self.watch.start()
        self.default_model.start()
        try:
            yield
        finally:
            self.default_model.stop()
            self.watch.stop()
            self.engine.stop()
            self.pulse.stop()
            self.traces.close()
            end_metrics()

    @contextlib.contextmanager
    def _listening(self, describe: Callable[[], WorkerInfo]) -> Iterator[None]:
        """Hear what Celery says of its consumer: messages that come, that it is ready, that it stops."""

        def on_ready(**_: object) -> None:
            _LOG.info("worker ready", device=describe().device, model=self.default_model.reference)
            self.watch.ready(describe)

        def on_stopping(sig: str, **_: object) -> None:
            self.watch.drain()
            threading.Thread(target=self._give_back, args=(sig,), name="give back", daemon=True).start()

        def on_received(request: Any, **_: object) -> None:
            self.watch.take(request.message.delivery_tag)

        signals.task_received.connect(on_received, weak=False)
        signals.worker_ready.connect(on_ready, weak=False)
        signals.worker_shutting_down.connect(on_stopping, weak=False)
        try:
            yield
        finally:
            signals.task_received.disconnect(on_received)
            signals.worker_ready.disconnect(on_ready)
            signals.worker_shutting_down.disconnect(on_stopping)

    def _give_back(self, sig: str) -> None:
        """Say what happens after the signal ``sig``, which a signal handler cannot safely do, and stop the engine in time."""
        _LOG.info("worker stops", signal=sig, running_jobs=self.watch.running, seconds_to_finish=FINISH_SECONDS)
        time.sleep(FINISH_SECONDS)
        self.engine.stop()

    def _describer(self, worker_id: str, providers: list[str]) -> Callable[[], WorkerInfo]:
        """What the beacon says, asked anew each time, as models come and go."""
        started = datetime.now(UTC)
        device = "CPU" if providers[0] == CPU else providers[0].removesuffix("ExecutionProvider")
        return lambda: WorkerInfo(
            worker_id=worker_id,
            pid=os.getpid(),
            device=device,
            providers=providers,
            warm=self.models.references(),
            default=self.default_model.reference,
            started=started,
            pixels_per_second=round(self.watch.pixels_per_second, 1),
            costs=self.watch.costs,
            running=self.watch.running,
            running_pixels=self.watch.running_pixels,
            rests=self.watch.rests,
        )

    def _serve_metrics(self) -> Callable[[], None]:
        port = self.settings.metrics_port
        return self.metrics.serve(self.settings.metrics_host, port) if port else lambda: None

    def _serve(self, worker_id: str) -> int:
        """Celery's consumer: no gossip, no mingle, no heartbeat events, as nothing listens to them."""
        # Running as root matters to Celery for pickled messages, and ours are JSON.
        warnings.simplefilter("ignore", SecurityWarning)
        # Celery writes what it says of signals here, past all logging; `_give_back` says it in the log.
        sys.__stdout__ = None  # type: ignore[misc]
        worker = self.celery.Worker(
            hostname=worker_id,
            pool=f"{TaskPool.__module__}:{TaskPool.__name__}",
            concurrency=self.settings.concurrency,
            queues=list(QUEUES.values()),
            loglevel=self.settings.log_level.upper(),
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        worker.start()
        return worker.exitcode or 0


def create_worker(settings: WorkerSettings) -> Worker:
    """Wire a worker.

    Raises
    ------
    GalaxyError : there is no such device, or the result store cannot be written.
    """
    device = choose_device(settings.device, settings.threads, settings.gpu)
    if settings.device == "auto" and device.providers[0] == CPU and has_cuda():
        _LOG.warning("no GPU that works: models run on the CPU", gpu=settings.gpu)
    batch_size = settings.batch_size or (CPU_BATCH if device.providers[0] == CPU else GPU_BATCH)
    store = ModelStore([BUNDLED, *settings.models_dirs], settings.default_model)
    results = results_at(settings.results_url, settings.results_dir)
    results.check_writable()
    results.clear_scratch()
    client = connect(settings.queue_address)
    records, metrics = JobRecords(client), Metrics()
    parallel = settings.parallel if device.providers[0] == CPU else 1
    engine = Engine(batch_size, settings.batch_delay_ms / 1e3, metrics.batch, parallel)
    models = LoadedModels(device, batch_size, settings.models_memory_mb * 2**20, metrics, parallel)
    watch = Watch(records, engine, lease_seconds=settings.visibility_timeout, metrics=metrics)
    pulse = Pulse(engine, settings.watchdog_seconds, settings.heartbeat_file, watch.job_ids)
    _watch_over(metrics, engine, models, watch)
    if models.on_gpu:
        metrics.watch_gpu(settings.gpu)
    traces = traces_to(settings.otlp_endpoint, "galsynth-worker")
    scorers = Scorers(store, device, batch_size)
    renderer = Renderer(
        records, results, store, models, scorers, engine, watch, settings.memory_images_mb * 2**20, metrics, traces
    )
    app = celery_app(settings.queue_address, settings.visibility_timeout, settings.concurrency, settings.bulk_slots, watch.holds)
    add_render_task(app, renderer.render, watch.let_go, lambda: watch.draining)
    default_model = DefaultModel(store, models, metrics.model_refused)
    return Worker(settings, client, app, engine, models, watch, pulse, default_model, metrics, traces)


def _watch_over(metrics: Metrics, engine: Engine, models: LoadedModels, watch: Watch) -> None:
    """Gauges of what runs now."""
    metrics.watch("galsynth_worker_running_jobs", "Jobs that this worker runs", lambda: watch.running)
    metrics.watch("galsynth_worker_pixels_per_second", "Measured speed while busy", lambda: watch.pixels_per_second)
    metrics.watch("galsynth_models_loaded", "Model versions in memory", lambda: len(models.references()))
    metrics.watch("galsynth_engine_age_seconds", "Since the engine last showed that it lives", lambda: engine.age)


def connect(url: str) -> redis.Redis:
    """A client for job records that tries again for about two seconds while the server is out of reach."""
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.05), 6)
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=10, socket_keepalive=True, retry=retry)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
