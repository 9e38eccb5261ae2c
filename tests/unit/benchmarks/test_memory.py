from __future__ import annotations

import pytest

from benchmarks import memory
from benchmarks.memory import IDLE_SECONDS, MEGABYTE, measured
from worker.pulse import TRIM_PERIOD_SECONDS


class FakeService:
    """Two workers; sizes in megabytes after each round."""

    url = "http://service"

    def __init__(self) -> None:
        self.sizes = iter([(100, 110), (130, 120), (131, 120)])

    def worker_memory(self) -> list[int]:
        return [size * MEGABYTE for size in next(self.sizes)]


def test_each_round_is_of_new_jobs_and_its_growth_stands_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[range] = []

    async def send(url: str, numbers: range) -> None:
        sent.append(numbers)

    monkeypatch.setattr(memory, "_jobs", send)
    found = measured(FakeService(), [1, 10, 10], 0)  # type: ignore[arg-type]
    assert sent == [range(1), range(1, 11), range(11, 21)]
    assert found["jobs"] == [1, 11, 21]
    assert found["memory_mb"] == [[100, 110], [130, 120], [131, 120]]
    assert found["growth_mb"] == [[30, 10], [1, 0]]


def test_a_sample_is_taken_when_free_memory_has_been_given_back() -> None:
    assert IDLE_SECONDS > TRIM_PERIOD_SECONDS
