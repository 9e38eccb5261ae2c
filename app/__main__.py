"""``python -m app``: the API as a program, on one address, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app.main import create_app
from app.services import Services
from app.settings import Settings, check_exposure
from app.signing import read_secret
from galaxies.errors import GalaxyError, wrong_setting
from jobstore.stores import results_at
from telemetry.logs import configure_logging
from telemetry.memory import return_big_blocks
from telemetry.settings import say_fatal, warn_of_missing_folders, warn_of_unknown_settings
from telemetry.traces import traces_to

GRACE_SECONDS = 10
STARTUP_FAILURE = 1


def main() -> int:
    """Serve; 2 where the settings are wrong, 1 where the address cannot be had."""
    try:
        settings = Settings()
        configure_logging(settings.log_level, as_json=settings.log_json)
        warn_of_unknown_settings()
        warn_of_missing_folders(settings.models_dirs)
        check_exposure(settings)
        _ = settings.queue_address
        read_secret(settings.webhook_secret_file)
        results_at(settings.results_url, settings.results_dir)
        traces_to(settings.otlp_endpoint, "galsynth-api").close()
    except ValidationError as error:
        for each in error.errors():
            say_fatal(wrong_setting(each))
        return 2
    except GalaxyError as error:
        say_fatal(error.message)
        return 2
    return_big_blocks()
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, app)
    with contextlib.suppress(SystemExit):  # uvicorn's own, with a status that differs between its versions
        server.run()
    return 0 if server.started else STARTUP_FAILURE


class Server(uvicorn.Server):
    """Ends by letting requests that wait go on at once, so that a restart cuts nobody off."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT; uvicorn's own would raise it again at the end, and the exit status would not be 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        services: Services | None = getattr(self._app.state, "services", None)
        if services is not None:
            services.release()


def leave(status: int) -> NoReturn:
    """End the process at once: all is closed, and an interpreter that frees all it holds needs many seconds on a busy machine."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # nobody reads it any more, or it was closed from the start
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main())
