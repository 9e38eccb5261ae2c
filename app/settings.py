"""Every setting of the API, read once from the environment: ``GALSYNTH_<NAME>``, and plain ``REDIS_URL`` and ``PORT``.

Where both are set, ``GALSYNTH_REDIS_URL`` and ``GALSYNTH_PORT`` go before the plain ones.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.keys.store import KeyFile
from galaxies.errors import BadInput
from galaxies.requests import MAX_FRAMES
from galaxies.resolve import Limits
from jobstore.address import with_password
from models.store import split_roots


class Settings(BaseSettings):
    """Settings of the API. A worker on the same Redis needs the same ``results_dir`` and ``models_dirs``."""

    model_config = SettingsConfigDict(
        env_prefix="GALSYNTH_", env_ignore_empty=True, frozen=True, populate_by_name=True, extra="ignore"
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        validation_alias=AliasChoices("GALSYNTH_REDIS_URL", "REDIS_URL"),
        description="Redis (or Valkey) that holds the queue and the job records",
    )
    redis_password_file: Path | None = Field(
        default=None, description="file with the password of the Redis server, for an address that has none"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on; beyond loopback callers need API keys")
    port: int = Field(
        default=8000, ge=1, le=65535, validation_alias=AliasChoices("GALSYNTH_PORT", "PORT"), description="port to listen on"
    )
    allow_public_without_keys: bool = Field(
        default=False, description="serve everybody, without API keys, although others than this machine reach the service"
    )
    require_keys: bool = Field(default=False, description="ask for API keys on loopback too; beyond it they are asked for anyway")
    keys_file: Path = Field(
        default=Path("galsynth-data/keys.json"), description="the API keys (hashes only); `galsynth keys` writes it"
    )
    results_dir: Path = Field(default=Path("galsynth-data/results"), description="folder of results, shared with the workers")
    results_url: str | None = Field(
        default=None,
        description="s3://bucket/prefix keeps results there, and results_dir only what is being made; AWS_… say how to reach it",
    )
    models_dirs: Annotated[list[Path], NoDecode] = Field(
        default=[], description="model stores beside the bundled one: paths with ':' between them or a JSON list"
    )
    default_model: str | None = Field(
        default=None, description="name of the model for requests that name none; default sdss-gz1-64, else the first style model"
    )
    max_images: int = Field(default=10_000, ge=1, description="galaxies in one request")
    max_pixels: int = Field(
        default=600_000_000,
        ge=1,
        description="pixels of all images of one request together, as made or shown, whichever are more",
    )
    max_sheet_pixels: int = Field(default=64_000_000, ge=1, description="pixels of one picture that shows several galaxies")
    max_frames: int = Field(default=MAX_FRAMES, ge=2, le=MAX_FRAMES, description="frames of one film")
    max_queue_pixels: int = Field(
        default=6_000_000_000, ge=0, description="pixels that may wait for workers, of all callers; more is answered 503; 0: any"
    )
    bulk_pixels: int = Field(
        default=5_000_000, ge=0, description="jobs of more pixels are bulk: they wait until no interactive job does"
    )
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1, description="size of a request body; more is answered 413")
    job_ttl_seconds: int = Field(default=24 * 3600, ge=1, description="how long a job and its result are kept")
    idempotency_ttl_seconds: int = Field(default=24 * 3600, ge=1, description="how long an Idempotency-Key is remembered")
    max_wait_seconds: float = Field(default=60, ge=0, le=60, description="longest time that a request may wait for its job")
    galaxy_wait_seconds: float = Field(default=30, ge=0, le=60, description="how long GET /v1/galaxies/… waits before its 503")
    max_requests: int = Field(
        default=2000,
        ge=1,
        description="requests that one API process serves at a time, those that wait and event streams among them; more is 503",
    )
    max_large_requests: int = Field(
        default=32,
        ge=1,
        description="those of them with a body of over 64 kB, each of which takes several times its size in memory; more is 503",
    )
    max_streams: int = Field(
        default=1000, ge=0, description="event streams that one API process keeps open; more is answered 503"
    )
    housekeeping_seconds: float = Field(
        default=10, gt=0, description="how often one API process looks for jobs whose message was lost"
    )
    sweep_seconds: float = Field(default=300, gt=0, description="how often it removes expired results")
    poll_seconds: float = Field(
        default=1.0, gt=0, description="how often waiting requests look again although no change was announced"
    )
    gather_ms: float = Field(
        default=5,
        ge=0,
        le=100,
        description="how long new jobs wait for others to share a message, while many clients wait for theirs",
    )
    models_refresh_seconds: float = Field(default=2.0, ge=0, description="how soon a newly published model is noticed")
    webhook_secret_file: Path | None = Field(
        default=None,
        description="file with the secret that webhooks are signed with (at least 24 bytes); without it there are none",
    )
    webhook_private_addresses: bool = Field(
        default=False, description="call webhooks at private, loopback and link-local addresses too"
    )
    webhook_tries: int = Field(default=8, ge=1, le=100, description="tries to deliver a webhook, over about two and a half hours")
    webhook_timeout_seconds: float = Field(default=10, gt=0, le=60, description="how long the receiver of a webhook may take")
    otlp_endpoint: str | None = Field(
        default=None, description="OpenTelemetry collector for traces (OTLP over HTTP), such as http://collector:4318"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level that is logged")
    log_json: bool = Field(default=False, description="log lines as JSON objects instead of text")

    @field_validator("models_dirs", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return split_roots(value)
        except BadInput as error:
            raise ValueError(error.message) from None

    @property
    def queue_address(self) -> str:
        """``redis_url`` with the password of ``redis_password_file``.

        Raises
        ------
        BadInput : the file cannot be read or is empty.
        """
        return with_password(self.redis_url, self.redis_password_file)

    @property
    def limits(self) -> Limits:
        """What one request may ask for."""
        return Limits(self.max_images, self.max_pixels, self.max_sheet_pixels, self.max_frames)

    @property
    def keys_on(self) -> bool:
        """Whether callers need API keys."""
        return self.require_keys or not (self.allow_public_without_keys or is_loopback(self.host))


def check_exposure(settings: Settings) -> None:
    """Refuse to serve the network where nobody has an API key.

    Raises
    ------
    BadInput : keys are asked for and there is no valid one, or the file of keys cannot be read.
    """
    if not settings.keys_on or any(key.revoked is None for key in KeyFile(settings.keys_file).entries()):
        return
    raise BadInput(
        f"host {settings.host!r} needs API keys, and {settings.keys_file} has no valid one: make one with "
        "`galsynth keys create NAME`, listen on 127.0.0.1, or set GALSYNTH_ALLOW_PUBLIC_WITHOUT_KEYS=true to serve everybody",
        field="host",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``; names other than localhost are taken for public."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
