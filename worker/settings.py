"""The worker's settings, read from the environment once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from galaxies.errors import BadInput
from jobstore.address import with_password
from models.store import split_roots


class WorkerSettings(BaseSettings):
    """Every setting is an environment variable: its name in capitals after ``GALSYNTH_``; ``REDIS_URL`` alone has no prefix."""

    model_config = SettingsConfigDict(
        env_prefix="GALSYNTH_", env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias=AliasChoices("GALSYNTH_REDIS_URL", "REDIS_URL"),
        description="Redis (or Valkey) server that holds queue and job records",
    )
    redis_password_file: Path | None = Field(
        default=None, description="file with the password of the Redis server, for an address that has none"
    )
    results_dir: Path = Field(default=Path("galsynth-data/results"), description="folder of result files, shared with the API")
    results_url: str | None = Field(
        default=None,
        description="s3://bucket/prefix keeps results there, and results_dir only what is being made; AWS_… say how to reach it",
    )
    models_dirs: Annotated[list[Path], NoDecode] = Field(
        default=[], description="model stores beside the bundled one: paths with ':' between them (';' on Windows) or a JSON list"
    )
    default_model: str | None = Field(
        default=None,
        description="name of the model that is warm before the worker is ready; default sdss-gz1-64, else the first style model",
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        default="auto", description="where models run; `cuda` refuses to start without a working GPU, `auto` takes one if it can"
    )
    gpu: int = Field(
        default=0, ge=0, description="number of the GPU that this worker uses, as CUDA counts; several GPUs: one worker each"
    )
    threads: int = Field(
        default=1,
        ge=0,
        le=256,
        description="threads of ONNX Runtime (0: all cores); several workers of one thread each serve more than one of several",
    )
    concurrency: int = Field(
        default=16, ge=1, le=256, description="jobs that one worker runs at a time; their galaxies share batches"
    )
    bulk_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="how many of them may be bulk jobs, so that interactive ones find a place; default a quarter of them",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="most galaxies in one batch, above 256 px fewer, by their pixels; default 8 on a CPU, where more gain "
        "nothing, and 32 on a GPU",
    )
    parallel_batches: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="batches at a time, on a CPU, of a job alone on its worker; default 2, on one core or with more threads 1",
    )
    batch_delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="how long a batch that is not full waits for jobs that run but are not there yet; a lone job never waits",
    )
    models_memory_mb: int = Field(
        default=2048,
        ge=1,
        description="memory for loaded model versions; the one longest unused makes room, but not the default",
    )
    memory_images_mb: int = Field(
        default=16, ge=0, description="images of one job above this size lie in a file in the result store instead of in memory"
    )
    visibility_timeout: int = Field(
        default=30,
        ge=4,
        le=3600,
        description="seconds after which the jobs of a dead worker go to another; running jobs renew their leases by themselves",
    )
    watchdog_seconds: int = Field(
        default=120, ge=5, description="a worker whose engine is stuck in one batch for so long ends itself, to be started anew"
    )
    heartbeat_file: Path | None = Field(
        default=None, description="file touched every second while the engine lives, for health checks that read its age"
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="port of this worker's Prometheus metrics; `galsynth up` counts on from it"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address that the metrics are served on")
    otlp_endpoint: str | None = Field(
        default=None, description="OpenTelemetry collector for traces (OTLP over HTTP), such as http://collector:4318"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level that is logged")
    log_json: bool = Field(default=False, description="log lines as JSON objects instead of text")

    @field_validator("models_dirs", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return split_roots(value)
        except BadInput as error:
            raise ValueError(error.message) from None

    @property
    def parallel(self) -> int:
        """Batches that run at a time on a CPU where one job has the worker for itself."""
        return self.parallel_batches or (min(2, os.cpu_count() or 1) if self.threads == 1 else 1)

    @property
    def bulk_slots(self) -> int:
        """Bulk jobs that may run at a time: one place at least is kept for interactive ones, unless there is only one."""
        wanted = self.bulk_concurrency or self.concurrency // 4
        return max(1, min(wanted, self.concurrency - 1))

    @property
    def queue_address(self) -> str:
        """``redis_url`` with the password of ``redis_password_file``.

        Raises
        ------
        BadInput : the file cannot be read or is empty.
        """
        return with_password(self.redis_url, self.redis_password_file)
