"""Traces: a job lies below the request that it came with; without an endpoint nothing is traced."""

from __future__ import annotations

import time

import pytest

from galaxies.errors import BadInput
from telemetry.traces import NoTraces, OtelTraces, traces_to

memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_job_lies_below_its_request_and_its_steps_below_it() -> None:
    exporter = memory.InMemorySpanExporter()
    traces = OtelTraces(export.SimpleSpanProcessor(exporter), "test")
    with traces.request("POST", PARENT) as span:
        parent = span.traceparent
        span.end("POST /v1/generate", {"http.response.status_code": 202}, failed=False)
    begun = time.time()
    traces.job(parent, begun, {"load_ms": 1.0, "images_ms": 20.0}, {"job.id": "a"}, "it broke")
    traces.close()
    request, load, images, job = exporter.get_finished_spans()
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert request.name == "POST /v1/generate"
    assert {s.context.trace_id for s in (load, images, job)} == {request.context.trace_id}
    assert job.parent.span_id == request.context.span_id
    assert (load.name, load.parent.span_id, images.parent.span_id) == ("load", job.context.span_id, job.context.span_id)
    assert images.start_time == load.end_time
    assert images.end_time == job.end_time
    assert job.end_time - job.start_time == pytest.approx(21e6, abs=10)
    assert job.status.description == "it broke"


def test_without_a_parent_a_request_begins_a_trace() -> None:
    exporter = memory.InMemorySpanExporter()
    traces = OtelTraces(export.SimpleSpanProcessor(exporter), "test")
    for parent in ("", "nonsense"):
        with traces.request("GET", parent) as span:
            assert len(span.traceparent) == 55
    assert len({span.context.trace_id for span in exporter.get_finished_spans()}) == 2


def test_without_an_endpoint_nothing_is_traced() -> None:
    traces = traces_to(None, "test")
    assert isinstance(traces, NoTraces)
    with traces.request("GET", PARENT) as span:
        assert span.traceparent == ""


def test_an_endpoint_without_the_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(BadInput, match="otel"):
        traces_to("http://127.0.0.1:4318", "test")
