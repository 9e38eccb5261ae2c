from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings as ApiSettings
from galaxies.errors import BadInput
from galsynth.settings import Settings


def test_defaults_are_those_of_a_person_at_a_fresh_machine() -> None:
    settings = Settings.read({"HOME": "/home/ada"})
    assert settings.port == 8000
    assert settings.redis_url is None
    assert settings.data_dir == Path("/home/ada/.local/state/galsynth")
    assert settings.color


def test_every_variable_is_read() -> None:
    environ = {
        "PORT": "9000",
        "REDIS_URL": "redis://elsewhere/0",
        "GALSYNTH_DATA_DIR": "/data",
        "GALSYNTH_RESULTS_DIR": "/results",
        "GALSYNTH_MODELS_DIRS": "/models",
        "GALSYNTH_SERVER_BINARY": "/bin/server",
        "NO_COLOR": "1",
    }
    settings = Settings.read(environ)
    assert (settings.port, settings.redis_url) == (9000, "redis://elsewhere/0")
    assert (settings.data_dir, settings.results_dir, settings.models_dirs) == (Path("/data"), Path("/results"), "/models")
    assert (settings.server_binary, settings.color) == (Path("/bin/server"), False)
    assert settings.environ == environ


def test_state_folder_follows_the_xdg_specification() -> None:
    assert Settings.read({"HOME": "/h", "XDG_STATE_HOME": "/state"}).data_dir == Path("/state/galsynth")


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80.5", "http", "٣", "9" * 5000])
def test_a_port_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadInput, match="PORT is"):
        Settings.read({"PORT": text, "HOME": "/h"})


def test_the_prefixed_port_goes_first_as_in_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"GALSYNTH_PORT": "8100", "PORT": "8200"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert Settings.read(environ | {"HOME": "/h"}).port == ApiSettings().port == 8100
    with pytest.raises(BadInput, match="GALSYNTH_PORT is 'x'"):
        Settings.read({"GALSYNTH_PORT": "x", "PORT": "8200", "HOME": "/h"})


def test_an_empty_variable_counts_as_absent() -> None:
    settings = Settings.read({"PORT": "", "REDIS_URL": "", "GALSYNTH_RESULTS_DIR": "", "HOME": "/h"})
    assert (settings.port, settings.redis_url, settings.results_dir) == (8000, None, None)


def test_secrets_stay_out_of_the_representation() -> None:
    assert "hunter2" not in repr(Settings.read({"HOME": "/h", "SOME_KEY": "hunter2"}))
