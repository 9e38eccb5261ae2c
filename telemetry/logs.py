"""Log lines with the ids of request and job, as JSON objects or as text, on standard error."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, TextIO

import structlog

TALKATIVE = ("kombu", "celery", "amqp", "httpx", "celery.worker.strategy", "celery.app.trace", "celery.worker.request")
"""Loggers of libraries that say more than one line a job: only their warnings are of use."""


def configure_logging(level: str, *, as_json: bool) -> None:
    """Send our lines and those of the libraries through one formatter. Programs call this; imports never do."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[Any] = [_shown, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback)]
    if as_json:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _printable(text: str) -> str:
    """``text``, which may come from whoever sends requests, with escapes for what a terminal obeys or takes for a new line."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _shown(_logger: Any, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A line of text shows every character that its values have; structlog quotes what is no string by itself."""
    return {key: _printable(value) if isinstance(value, str) else value for key, value in line.items()}


def _traceback(out: TextIO, error: structlog.typing.ExcInfo) -> None:
    """A plain one: the pretty ones print local variables, and with them passwords."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, error)
    out.write("\n".join(map(_printable, plain.getvalue().split("\n"))))
