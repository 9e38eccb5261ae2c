"""What programs say of their settings as they start."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from telemetry.settings import warn_of_missing_folders


def test_a_model_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    with capture_logs() as lines:
        warn_of_missing_folders([tmp_path, tmp_path / "absent"])
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", f"GALSYNTH_MODELS_DIRS: there is no folder {tmp_path / 'absent'}")
    ]
