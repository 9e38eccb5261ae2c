"""What a worker counts, for Prometheus. Each process has its own numbers and serves them on a port of its own.

One `Metrics` a worker, with a registry of its own, so that nothing is registered by importing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from itertools import product

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from galaxies.errors import BadInput
from galaxies.jobs import Job
from galaxies.requests import OPERATIONS
from worker.gpu import bus_address

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256)
OUTCOMES = ("completed", "failed", "refused", "cancelled", "given_back")
"""``refused``: an error, and its caller's, such as a latent that the model makes no galaxy of."""
STEPS = {"load_ms": "load", "map_ms": "mapping", "images_ms": "inference", "encode_ms": "encode", "store_ms": "store"}
"""Steps of a job's clock → the names that they have here."""
_LOG = structlog.get_logger(__name__)


class Metrics:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._jobs = Counter(
            "galsynth_worker_jobs",
            "Jobs that this worker had, by how it ended with them",
            ["operation", "outcome"],
            registry=registry,
        )
        # There from the start: Prometheus sees no rise in a series that begins with its first event.
        for operation, outcome in product(OPERATIONS, OUTCOMES):
            self._jobs.labels(operation, outcome)
        self._queued = Histogram(
            "galsynth_job_queue_seconds", "From acceptance to the first begin", ["priority"], buckets=SECONDS, registry=registry
        )
        self._steps = Histogram(
            "galsynth_job_step_seconds", "Where the time of a job goes", ["step"], buckets=SECONDS, registry=registry
        )
        self._rows = Histogram("galsynth_batch_size", "Rows of a batch", ["graph"], buckets=ROWS, registry=registry)
        self._batch = Histogram("galsynth_batch_seconds", "Time of a batch", ["graph"], buckets=SECONDS, registry=registry)
        self._pixels = Counter("galsynth_worker_pixels", "Pixels of completed jobs", registry=registry)
        self._redelivered = Counter("galsynth_redeliveries", "Jobs begun again after another worker's death", registry=registry)
        self._lost = Counter("galsynth_lost_leases", "Jobs that were taken from this worker while it had them", registry=registry)
        self._loads = Counter("galsynth_model_loads", "Models loaded and warmed up", ["model"], registry=registry)
        self._refused = Counter("galsynth_models_refused", "Model versions that could not be loaded", registry=registry)

    def begun(self, job: Job) -> None:
        """A job was begun."""
        if job.attempts > 1:
            self._redelivered.inc()
        elif job.started is not None:
            self._queued.labels(job.priority).observe(max(0.0, (job.started - job.created).total_seconds()))

    def ended(self, job: Job, outcome: str, steps: Mapping[str, float]) -> None:
        """The worker is done with a job, with one of `OUTCOMES`."""
        self._jobs.labels(job.operation, outcome).inc()
        if outcome == "completed":
            self._pixels.inc(job.pixels)
        for name, milliseconds in steps.items():
            if name in STEPS:
                self._steps.labels(STEPS[name]).observe(milliseconds / 1000)

    def batch(self, graph: str, rows: int, seconds: float) -> None:
        """A batch has run."""
        self._rows.labels(graph).observe(rows)
        self._batch.labels(graph).observe(seconds)

    def lease_lost(self) -> None:
        """A job was taken from this worker."""
        self._lost.inc()

    def model_loaded(self, reference: str) -> None:
        """A model was loaded."""
        self._loads.labels(reference).inc()

    def model_refused(self) -> None:
        """A model could not be loaded."""
        self._refused.inc()

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge that is asked whenever somebody looks."""
        Gauge(name, what, registry=self.registry).set_function(value)

    def watch_gpu(self, number: int) -> None:
        """Memory of the GPU that CUDA counts as ``number``, where NVIDIA's libraries can be asked for it."""
        if importlib.util.find_spec("pynvml") is None:
            _LOG.warning("GPU memory is not among the metrics: pip install nvidia-ml-py")
            return
        import pynvml  # noqa: PLC0415 - only where there is a GPU

        try:
            pynvml.nvmlInit()
            device = pynvml.nvmlDeviceGetHandleByPciBusId(bus_address(number))
        except (OSError, pynvml.NVMLError) as error:
            _LOG.warning("GPU memory is not among the metrics", reason=str(error))
            return
        for part in ("used", "total"):
            self.watch(
                f"galsynth_gpu_memory_{part}_bytes",
                f"GPU memory, {part}",
                lambda part=part: float(getattr(pynvml.nvmlDeviceGetMemoryInfo(device), part)),  # type: ignore[misc]
            )

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Answer ``GET /metrics`` on ``port``; returns what ends it.

        Raises
        ------
        BadInput : the port cannot be used.
        """
        try:
            server, thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise BadInput(f"metrics_port {port} cannot be used on {host}: {error.strerror}", field="metrics_port") from None

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return end
