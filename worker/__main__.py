"""``python -m worker``: run one worker; `galsynth worker` starts this command. Settings come from the environment.

Exit status: 0 after SIGTERM or SIGINT, when the running jobs have ended; 2 where it cannot start, with one line saying why;
70 where its engine was stuck, for a supervisor to start it anew.
"""

from __future__ import annotations

import sys

from pydantic import ValidationError

from galaxies.errors import GalaxyError, wrong_setting
from telemetry.logs import configure_logging
from telemetry.memory import return_big_blocks
from telemetry.settings import say_fatal, warn_of_missing_folders, warn_of_unknown_settings
from worker.settings import WorkerSettings

CANNOT_START = 2


def main() -> int:
    """Run a worker until it is told to stop; returns the exit status."""
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        return _refuse(wrong_setting(error.errors()[0]))
    configure_logging(settings.log_level, as_json=settings.log_json)
    warn_of_unknown_settings()
    warn_of_missing_folders(settings.models_dirs)
    return_big_blocks()
    try:
        from worker.main import create_worker  # noqa: PLC0415  (a missing onnxruntime is answered below)

        return create_worker(settings).run()
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        return _refuse("onnxruntime is not installed: pip install 'galsynth[worker]' for a CPU or 'galsynth[gpu]' for a GPU")
    except GalaxyError as error:
        return _refuse(error.message)


def _refuse(message: str) -> int:
    say_fatal(f"worker: {message}")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
