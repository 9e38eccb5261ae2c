"""A mistyped setting is told, whichever program it belongs to."""

from __future__ import annotations

import re

import pytest

from app.settings import Settings
from galaxies.settings import NAMES, unknown_settings
from tests.compose_file import ROOT
from worker.settings import WorkerSettings


def test_the_names_are_those_of_all_programs() -> None:
    of_launcher = set(re.findall(r'"GALSYNTH_(\w+)"', (ROOT / "galsynth" / "settings.py").read_text()))
    assert sorted(NAMES) == sorted(
        {name.upper() for name in {**Settings.model_fields, **WorkerSettings.model_fields}} | of_launcher
    )


@pytest.mark.parametrize("typed", ["GALSYNTH_BACTH_SIZE", "galsynth_batchsize"])
def test_a_mistyped_name_is_told_with_the_nearest(typed: str) -> None:
    assert unknown_settings([typed]) == {typed: f"{typed} is no setting and is ignored; did you mean GALSYNTH_BATCH_SIZE?"}


def test_a_name_that_is_near_to_none_is_told_alone() -> None:
    assert unknown_settings(["GALSYNTH_X"]) == {"GALSYNTH_X": "GALSYNTH_X is no setting and is ignored"}


def test_settings_and_what_is_not_ours_are_not_told() -> None:
    assert unknown_settings([*(f"GALSYNTH_{name}" for name in NAMES), "galsynth_gpu", "PATH", "TAG", "GALSYNTHETIC"]) == {}
