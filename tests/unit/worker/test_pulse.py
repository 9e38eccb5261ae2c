from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.worker_fakes import wait_until
from worker import pulse
from worker.pulse import STUCK_EXIT_CODE, Pulse


class FakeEngine:
    """An engine of a given age."""

    age = 0.0
    alive = True
    stopping = False


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Statuses that the process would have ended with."""
    statuses: list[int] = []
    monkeypatch.setattr("os._exit", statuses.append)
    return statuses


@pytest.fixture
def heart(engine: FakeEngine, exits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulse]:
    monkeypatch.setattr(pulse, "PERIOD_SECONDS", 0.001)
    monkeypatch.setattr(pulse, "BEAT_PERIOD_SECONDS", 0.001)
    heart = Pulse(engine, 60, tmp_path / "heartbeat")  # type: ignore[arg-type]
    yield heart
    heart.stop()


@pytest.mark.parametrize(("age", "alive", "beats"), [(0, True, True), (29, True, True), (31, True, False), (0, False, False)])
def test_the_heart_beats_while_the_engine_lives_and_not_while_it_is_stuck(
    heart: Pulse, engine: FakeEngine, tmp_path: Path, age: float, alive: bool, beats: bool
) -> None:
    engine.age, engine.alive = age, alive
    heart._beat()
    assert (tmp_path / "heartbeat").exists() == beats


def test_the_heart_beats_again_and_again(heart: Pulse, tmp_path: Path, exits: list[int]) -> None:
    heart.start()
    for _ in range(3):
        wait_until((tmp_path / "heartbeat").exists)
        (tmp_path / "heartbeat").unlink()
    assert exits == []


@pytest.mark.parametrize(
    ("age", "alive", "stopping", "ends"), [(60, True, False, True), (0, False, False, True), (0, False, True, False)]
)
def test_a_stuck_or_dead_engine_ends_the_process(
    heart: Pulse, engine: FakeEngine, exits: list[int], age: float, alive: bool, stopping: bool, ends: bool
) -> None:
    engine.age, engine.alive, engine.stopping = age, alive, stopping
    heart._guard()
    assert exits == [STUCK_EXIT_CODE] * ends


def test_a_heartbeat_that_cannot_be_written_ends_nothing(engine: FakeEngine, tmp_path: Path, exits: list[int]) -> None:
    heart = Pulse(engine, 60, tmp_path / "absent" / "heartbeat")  # type: ignore[arg-type]
    with capture_logs() as lines:
        heart._beat()
    assert [line["event"] for line in lines] == ["heartbeat not written"]


def test_free_memory_goes_back_in_turn(heart: Pulse, monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(pulse, "TRIM_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(pulse, "trim", lambda: trims.append(1))
    heart._next_trim = 0
    heart.start()
    wait_until(lambda: len(trims) >= 3)
