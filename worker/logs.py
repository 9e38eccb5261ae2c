"""Log set-up of the worker process: one line an event, text for people or JSON for machines, on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_QUIET = ("celery.worker.strategy", "celery.app.trace", "celery.worker.request")


def set_up_logs(level: str, *, as_json: bool) -> None:
    """Send structlog's and the standard library's log lines through one formatter.

    Celery's two lines a task are left out: the worker logs one line a job, with its id and where its time went.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Any = structlog.processors.JSONRenderer() if as_json else _console()
    handler = logging.StreamHandler(sys.stderr)
    tail: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    tail += [structlog.processors.format_exc_info, last] if as_json else [last]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=tail))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _console() -> Any:
    """Log lines as text; structlog's own tracebacks would show local variables, the Redis password among them."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
