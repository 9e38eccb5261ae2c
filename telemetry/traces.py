"""OpenTelemetry traces, for those who want them: a span a request in the API, and below it one a job in the worker.

Without an endpoint nothing is traced and OpenTelemetry need not be installed (``pip install 'galsynth[otel]'``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from galaxies.errors import BadInput

Attributes = Mapping[str, str | int | float | bool]
_NANO = 10**9


class Traces(Protocol):
    """Where spans go. A ``parent`` is a W3C ``traceparent``, empty where there is none."""

    @contextmanager
    def request(self, name: str, parent: str) -> Iterator[Span]:
        """A span for as long as the context lasts."""

    def job(self, parent: str, begun: float, steps: Mapping[str, float], attributes: Attributes, failure: str = "") -> None:
        """A job that has ended: begun at POSIX time ``begun``, then its ``steps`` one after the other, in milliseconds."""

    def close(self) -> None:
        """Send what is left."""


class Span:
    """A span that runs. ``traceparent`` is what those below it name as their parent."""

    traceparent = ""

    def end(self, name: str, attributes: Attributes, *, failed: bool) -> None:
        """What is known at the end."""


class NoTraces:
    """Nothing is traced."""

    @contextmanager
    def request(self, name: str, parent: str) -> Iterator[Span]:
        """See `Traces`."""
        yield Span()

    def job(self, parent: str, begun: float, steps: Mapping[str, float], attributes: Attributes, failure: str = "") -> None:
        """See `Traces`."""

    def close(self) -> None:
        """See `Traces`."""


class _OtelSpan(Span):
    def __init__(self, span: Any) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, name: str, attributes: Attributes, *, failed: bool) -> None:
        self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(_trace().StatusCode.ERROR)


class OtelTraces:
    """Spans to an OpenTelemetry collector, in batches, from a thread of their own."""

    def __init__(self, processor: Any, service: str) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("galsynth")

    @contextmanager
    def request(self, name: str, parent: str) -> Iterator[Span]:
        """See `Traces`."""
        span = self._tracer.start_span(name, context=_context(parent), kind=_trace().SpanKind.SERVER)
        try:
            yield _OtelSpan(span)
        finally:
            span.end()

    def job(self, parent: str, begun: float, steps: Mapping[str, float], attributes: Attributes, failure: str = "") -> None:
        """See `Traces`."""
        trace = _trace()
        start = round(begun * _NANO)
        kind = trace.SpanKind.CONSUMER
        span = self._tracer.start_span("job", context=_context(parent), kind=kind, attributes=attributes, start_time=start)
        inside, at = trace.set_span_in_context(span), start
        for name, milliseconds in steps.items():
            step = self._tracer.start_span(name.removesuffix("_ms"), context=inside, start_time=at)
            at += round(milliseconds * _NANO / 1000)
            step.end(at)
        if failure:
            span.set_status(trace.StatusCode.ERROR, failure)
        span.end(max(at, round(time.time() * _NANO)) if not steps else at)

    def close(self) -> None:
        """See `Traces`."""
        self._provider.shutdown()


def traces_to(endpoint: str | None, service: str) -> Traces:
    """Traces of ``service`` to the collector at ``endpoint`` (OTLP over HTTP, ``http://collector:4318``); None: nowhere.

    Raises
    ------
    BadInput : an endpoint is set and OpenTelemetry is not installed.
    """
    if not endpoint:
        return NoTraces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        message = "otlp_endpoint is set and OpenTelemetry is not installed: pip install 'galsynth[otel]'"
        raise BadInput(message, field="otlp_endpoint") from None
    return OtelTraces(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")), service)


def _trace() -> Any:
    from opentelemetry import trace  # noqa: PLC0415

    return trace


def _context(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
