"""What programs say of their settings as they start, and why they cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import structlog
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from galaxies.settings import PREFIX, unknown_settings
from telemetry.logs import configure_logging


class _Format(BaseSettings):
    """The one setting that counts for what is said even where others are wrong."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")

    log_json: bool = False


def warn_of_unknown_settings() -> None:
    """Log a line for each variable that looks like a setting and is none."""
    for line in unknown_settings(os.environ).values():
        structlog.get_logger("settings").warning(line)


def warn_of_missing_folders(folders: Iterable[Path]) -> None:
    """Log a line for each model store that is not there, as it may come later, or its name may be mistyped."""
    for folder in folders:
        if not os.path.isdir(folder):
            structlog.get_logger("settings").warning(f"GALSYNTH_MODELS_DIRS: there is no folder {folder}")


def say_fatal(message: str) -> None:
    """Say why the program ends: a record where log lines are JSON, else the plain line, whatever is known of the settings."""
    try:
        as_json = _Format().log_json
    except ValidationError:
        as_json = False
    if as_json:
        configure_logging("info", as_json=True)
        structlog.get_logger("settings").critical(message)
    else:
        print(message, file=sys.stderr)
