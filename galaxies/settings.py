"""The names of all settings, of whichever program. A mistyped one is read by nobody, so programs say so as they start."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

PREFIX = "GALSYNTH_"
NAMES = (
    "ALLOW_PUBLIC_WITHOUT_KEYS",
    "API_KEY",
    "BATCH_DELAY_MS",
    "BATCH_SIZE",
    "BULK_CONCURRENCY",
    "BULK_PIXELS",
    "CONCURRENCY",
    "DATA_DIR",
    "DEFAULT_MODEL",
    "DEVICE",
    "GALAXY_WAIT_SECONDS",
    "GATHER_MS",
    "GPU",
    "HEARTBEAT_FILE",
    "HOST",
    "HOUSEKEEPING_SECONDS",
    "IDEMPOTENCY_TTL_SECONDS",
    "JOB_TTL_SECONDS",
    "KEYS_FILE",
    "LOG_JSON",
    "LOG_LEVEL",
    "MAX_BODY_BYTES",
    "MAX_FRAMES",
    "MAX_IMAGES",
    "MAX_LARGE_REQUESTS",
    "MAX_PIXELS",
    "MAX_QUEUE_PIXELS",
    "MAX_REQUESTS",
    "MAX_SHEET_PIXELS",
    "MAX_STREAMS",
    "MAX_WAIT_SECONDS",
    "MEMORY_IMAGES_MB",
    "METRICS_HOST",
    "METRICS_PORT",
    "MODELS_DIRS",
    "MODELS_MEMORY_MB",
    "MODELS_REFRESH_SECONDS",
    "OTLP_ENDPOINT",
    "PARALLEL_BATCHES",
    "POLL_SECONDS",
    "PORT",
    "REDIS_PASSWORD_FILE",
    "REDIS_URL",
    "REQUIRE_KEYS",
    "RESULTS_DIR",
    "RESULTS_URL",
    "SERVER_BINARY",
    "SWEEP_SECONDS",
    "THREADS",
    "URL",
    "VISIBILITY_TIMEOUT",
    "WATCHDOG_SECONDS",
    "WEBHOOK_PRIVATE_ADDRESSES",
    "WEBHOOK_SECRET_FILE",
    "WEBHOOK_TIMEOUT_SECONDS",
    "WEBHOOK_TRIES",
)


def unknown_settings(variables: Iterable[str]) -> dict[str, str]:
    """Those of ``variables`` that look like settings and are none, each with a line that says so.

    It is a warning and no error: the variable may be another program's that runs beside this one.
    """
    return {name: _line(name) for name in sorted(variables) if name.upper().startswith(PREFIX) and _short(name) not in NAMES}


def _short(name: str) -> str:
    return name.upper().removeprefix(PREFIX)


def _line(name: str) -> str:
    near = difflib.get_close_matches(_short(name), NAMES, n=1)
    return f"{name} is no setting and is ignored" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")
