"""One command trains in a folder at a time, and a refused one leaves nothing of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from galaxies.errors import BadInput
from training.claim import claimed


def hold(run: Path, held: Event) -> None:
    with claimed(run):
        held.set()
        signal.pause()


def test_a_folder_is_free_again_when_its_process_ends_or_is_killed(tmp_path: Path) -> None:
    run, context = tmp_path / "run", multiprocessing.get_context("spawn")
    held = context.Event()
    other = context.Process(target=hold, args=(run, held))
    other.start()
    assert held.wait(60)
    with pytest.raises(BadInput, match=rf"^{run} is being trained by another process$"), claimed(run):
        pytest.fail("two at once")
    assert run.exists(), "it is the other's"
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    for _ in range(2):
        with claimed(run):
            assert [path.name for path in run.iterdir()] == [".lock"]
        assert list(run.iterdir()) == []


@pytest.mark.parametrize("results", [False, True])
def test_a_new_folder_goes_with_a_refusal_before_its_first_step(results: bool, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def begin() -> None:
        (run / "config.json").write_text("{}")
        (run / "tensorboard").mkdir()
        if results:
            (run / "log.jsonl").touch()
        raise BadInput("refused")

    with pytest.raises(BadInput, match="refused"), claimed(run):
        begin()
    left = [path.name for path in run.iterdir()] if run.exists() else []
    assert sorted(left) == (["config.json", "log.jsonl", "tensorboard"] if results else [])
    assert run.exists() == results


def test_a_folder_that_was_there_stays_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(BadInput), claimed(tmp_path):
        raise BadInput("refused")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
