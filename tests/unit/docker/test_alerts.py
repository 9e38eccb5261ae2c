"""Every alert fires on what it is for, and not on what it is not for: `promtool test rules` plays series as they are scraped."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import app.metrics
import worker.metrics as worker_metrics
from tests.programs import missing

FILE = Path(__file__).parents[3] / "docker" / "observability" / "alerts.yml"
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in yaml.safe_load(FILE.read_text())["groups"][0]["rules"]}
Series = dict[str, str]
"""Series → its values at each scrape, every 15 seconds, as promtool writes them: ``0+1x40`` is 0, 1 … 40, ``_`` a gap."""


@dataclass(frozen=True)
class Case:
    """``fires``: series under which the alert fires at ``at``, with ``labels``; ``silent``: under each of which it never does."""

    at: str
    fires: Series
    silent: list[Series]
    labels: dict[str, str] = field(default_factory=dict)


def api(name: str, instance: str = "a", **labels: str) -> str:
    """A series of an API."""
    return series_of(name, job="galsynth-api", instance=instance, **labels)


def worker(name: str, instance: str = "w", **labels: str) -> str:
    """A series of a worker."""
    return series_of(name, job="galsynth-worker", instance=instance, **labels)


def series_of(name: str, **labels: str) -> str:
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def answers(status: str) -> str:
    return api("galsynth_http_requests_total", status=status)


def jobs(outcome: str) -> str:
    return worker("galsynth_worker_jobs_total", operation="mix", outcome=outcome)


def refused(bound: str) -> str:
    return api("galsynth_requests_refused_total", bound=bound)


def oldest(priority: str) -> str:
    return api("galsynth_queue_oldest_seconds", priority=priority)


WORKERS, AGE, STARTED = "galsynth_workers", "galsynth_engine_age_seconds", "process_start_time_seconds"
CASES: dict[str, Case] = {
    "GalsynthApiDown": Case(
        "3m", {api("up"): "1x4 0x20"}, [{api("up"): "1x4 0x2 1x200"}, {api("up"): "0x200", api("up", "b"): "1x200"}]
    ),
    "GalsynthRedisDown": Case(
        "3m",
        {api("galsynth_redis_up"): "1x4 0x20"},
        [{api("galsynth_redis_up"): "1x4 0x2 1x200"}, {api("galsynth_redis_up"): "1x200"}],
    ),
    "GalsynthRedisTakesNoWrites": Case(
        "3m",
        {api("galsynth_redis_writable"): "1x4 0x20", api("galsynth_redis_up"): "1x40"},
        [{api("galsynth_redis_writable"): "1x4 0x2 1x200"}],
    ),
    "GalsynthRedisMemory": Case(
        "10m",
        {api("galsynth_redis_memory_used_bytes"): "1e9 1.7e9x60", api("galsynth_redis_memory_max_bytes"): "2e9x60"},
        [
            {api("galsynth_redis_memory_used_bytes"): "1.5e9x200", api("galsynth_redis_memory_max_bytes"): "2e9x200"},
            {api("galsynth_redis_memory_used_bytes"): "1.9e9x200", api("galsynth_redis_memory_max_bytes"): "0x200"},  # no bound
        ],
    ),
    "GalsynthNoWorker": Case(
        "3m",
        {api(WORKERS): "2x4 0x20"},
        [
            {api(WORKERS): "2x4 0x2 2x200"},
            {api(WORKERS): "0x200", api(WORKERS, "b"): "1x200"},
            {api(WORKERS): "2x4 0x200", api("galsynth_redis_writable"): "1 0x200"},  # they cannot say that they live
        ],
    ),
    # A worker whose engine sticks just after a scrape, and that ends itself after 120 seconds.
    "GalsynthEngineStuck": Case(
        "1m45s",
        {worker(AGE): "1 1 1 14+15x7 stale", worker(AGE, "v"): "1x40"},
        [{worker(AGE): "1 14 29 1 14 29 1x200"}],
        {"job": "galsynth-worker", "instance": "w"},
    ),
    "GalsynthRestarts": Case(
        "20m",
        {worker(STARTED): "100x9 300x9 _ 500x9 _ 700x9", worker(STARTED, "v"): "100x80"},
        # An upgrade, and deaths that lie far apart.
        [{worker(STARTED): "100x9 _ 300x200"}, {worker(STARTED): "100x99 300x99 500x99 700x99"}],
        {"job": "galsynth-worker"},
    ),
    "GalsynthErrors": Case(
        "12m",
        {answers("200"): "0+10x60", answers("500"): "0+1x60"},
        [
            {answers("200"): "0+10x200", answers("503"): "0+10x200"},
            {answers("200"): "0+1000x200", answers("500"): "0+1x200"},
            {answers("200"): "0x200", answers("500"): "0x200"},
        ],
    ),
    "GalsynthJobsFail": Case(
        "25m",
        {jobs("completed"): "0+10x120", jobs("failed"): "0+1x120"},
        [
            {jobs("completed"): "0+10x200", jobs("cancelled"): "0+10x200", jobs("refused"): "0+10x200"},
            {jobs("completed"): "0+100x200", jobs("failed"): "0+1x200"},
        ],
    ),
    "GalsynthInteractiveWaits": Case(
        "6m", {oldest("interactive"): "0+15x40"}, [{oldest("interactive"): "0+15x8 0x200"}, {oldest("bulk"): "0+15x200"}]
    ),
    "GalsynthQueueFull": Case(
        "8m", {refused("queue"): "0+1x60"}, [{refused("rate"): "0+1x200"}, {refused("queue"): "0 0 1x200"}]
    ),
    "GalsynthDeadLetters": Case("1m", {api("galsynth_dead_letters"): "0 0 1x20"}, [{api("galsynth_dead_letters"): "0x200"}]),
    "GalsynthLeasesLost": Case(
        "2m", {worker("galsynth_lost_leases_total"): "3x4 4x20"}, [{worker("galsynth_lost_leases_total"): "3x200"}]
    ),
    "GalsynthRedeliveries": Case(
        "4m", {worker("galsynth_redeliveries_total"): "0+1x10 10x20"}, [{worker("galsynth_redeliveries_total"): "0x4 3x200"}]
    ),
    "GalsynthModelRefused": Case(
        "2m", {worker("galsynth_models_refused_total"): "0x4 1x20"}, [{worker("galsynth_models_refused_total"): "2x200"}]
    ),
    "GalsynthDiskLow": Case(
        "8m", {api("galsynth_results_free_bytes"): "3e9-2e8x40"}, [{api("galsynth_results_free_bytes"): "1e9x10 3e9x200"}]
    ),
    # One is enough: the series is there from the start, as the last test has it.
    "GalsynthWebhooksFail": Case(
        "2m",
        {api("galsynth_webhooks_total", outcome="given_up"): "0x4 1x20"},
        [{api("galsynth_webhooks_total", outcome=outcome): "0+1x200"} for outcome in ("failed", "refused")],
    ),
}


def play(folder: Path, name: str, series: Series, times: list[str], expected: list[dict[str, Any]]) -> str:
    """What promtool says against the alert ``name`` being ``expected`` at ``times`` under ``series``; nothing where it is."""
    checks = [{"eval_time": at, "alertname": name, "exp_alerts": expected} for at in times]
    inputs = [{"series": key, "values": values} for key, values in series.items()]
    test = {"name": name, "interval": "15s", "input_series": inputs, "alert_rule_test": checks}
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": [str(FILE)], "evaluation_interval": "15s", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", folder / "test.yml"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_an_alert_fires(name: str, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool (apt-get install prometheus)")
    rule, case = RULES[name], CASES[name]
    expected = {"exp_labels": rule["labels"] | case.labels, "exp_annotations": rule["annotations"]}
    assert play(tmp_path, name, case.fires, [case.at], [expected]) == ""


@pytest.mark.parametrize(("name", "series"), [(name, series) for name in RULES for series in CASES[name].silent])
def test_an_alert_does_not_fire(name: str, series: Series, tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        missing("promtool (apt-get install prometheus)")
    times = [f"{30 * half}s" for half in range(100)]
    assert play(tmp_path, name, series, times, []) == ""


def test_a_first_event_raises_a_counter_that_was_there() -> None:
    """Prometheus sees no rise in a series that begins with its first event."""
    api_counters, worker_counters = app.metrics.Metrics().registry, worker_metrics.Metrics().registry
    for bound in app.metrics.BOUNDS:
        assert api_counters.get_sample_value("galsynth_requests_refused_total", {"bound": bound}) == 0
    for outcome in app.metrics.DELIVERIES:
        assert api_counters.get_sample_value("galsynth_webhooks_total", {"outcome": outcome}) == 0
    for outcome in worker_metrics.OUTCOMES:
        labels = {"operation": "mix", "outcome": outcome}
        assert worker_counters.get_sample_value("galsynth_worker_jobs_total", labels) == 0
