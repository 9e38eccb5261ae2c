from __future__ import annotations

from pathlib import Path

import pytest

from worker.__main__ import main
from worker.settings import WorkerSettings


def test_every_setting_is_described() -> None:
    assert [name for name, field in WorkerSettings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("text", ["/a:/b", '["/a", "/b"]'])
def test_model_stores_are_a_path_list_or_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALSYNTH_MODELS_DIRS", text)
    assert WorkerSettings().models_dirs == [Path("/a"), Path("/b")]


def test_model_stores_that_cannot_be_read_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GALSYNTH_MODELS_DIRS", "[x")
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "GALSYNTH_MODELS_DIRS is '[x'" in line


def test_redis_url_has_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1/2")
    assert WorkerSettings().redis_url == "redis://elsewhere:1/2"


def test_the_api_reads_shared_settings_from_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.settings import Settings

    for name, value in {
        "REDIS_URL": "redis://x:1/2",
        "GALSYNTH_RESULTS_DIR": "/r",
        "GALSYNTH_MODELS_DIRS": "/m",
        "GALSYNTH_DEFAULT_MODEL": "d",
    }.items():
        monkeypatch.setenv(name, value)
    ours, theirs = WorkerSettings(), Settings()
    for name in ("redis_url", "results_dir", "models_dirs", "default_model"):
        assert getattr(ours, name) == getattr(theirs, name)
