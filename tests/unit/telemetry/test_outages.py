"""An outage is two lines of the log, however long it lasts and however often something fails meanwhile."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from telemetry.outages import Outage


def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    with capture_logs() as lines:
        outage = Outage(structlog.get_logger(), "away", "back")
        outage.went_well()
        for _ in range(2):
            outage.failed(OSError("first"))
            outage.failed(OSError("second"))
            outage.went_well()
            outage.went_well()
    assert [(line["event"], line.get("reason"), line["log_level"]) for line in lines] == [
        ("away", "first", "warning"),
        ("back", None, "info"),
    ] * 2
