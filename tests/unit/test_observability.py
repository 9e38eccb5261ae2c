"""Dashboard and alerts speak of metrics that exist, every metric is shown, and every alert has its runbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.metrics import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker" / "observability"
ALERTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((FOLDER / "grafana" / "galsynth.json").read_text())["panels"]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [target["expr"] for panel in PANELS for target in panel["targets"]]
SOURCES = "".join(
    (ROOT / name).read_text() for name in ("app/metrics.py", "app/services.py", "worker/metrics.py", "worker/main.py")
)
DEFINED = set(re.findall(r'f?"(galsynth_[a-z_{}]+)"', SOURCES)) - {"galsynth_gpu_memory_{part}_bytes"}
DEFINED |= {"galsynth_gpu_memory_used_bytes", "galsynth_gpu_memory_total_bytes"}


def used(expression: str) -> set[str]:
    """Metrics of ``expression`` as they are defined: without what Prometheus appends to counters and histograms."""
    names = set(re.findall(r"galsynth_[a-z_]+", expression))
    found = set()
    for name in names:
        found.add(
            next(
                (base for end in ("", "_total", "_bucket", "_sum", "_count") if (base := name.removesuffix(end)) in DEFINED), name
            )
        )
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_speaks_of_metrics_that_exist(expression: str) -> None:
    assert used(expression) <= DEFINED


def test_every_metric_is_shown() -> None:
    shown = set().union(*map(used, EXPRESSIONS))
    assert DEFINED - shown - {"galsynth_worker_pixels_per_second", "galsynth_queue_jobs"} == set()


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
    assert rule["labels"]["severity"] in ("critical", "warning")


def test_two_sets_of_metrics_do_not_share_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.lease_lost()
    assert first.registry.get_sample_value("galsynth_lost_leases_total") == 1
    assert second.registry.get_sample_value("galsynth_lost_leases_total") == 0
