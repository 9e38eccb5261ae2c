"""The ``galsynth`` command, and ``python -m galsynth``. Nothing is loaded before `main` can answer to Ctrl-C."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Whoever interrupts it while it is still loading gets the same exit status, and no traceback."""
    try:
        from galsynth.cli import main as run  # noqa: PLC0415 - loading takes long enough to be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit(
            "galsynth needs typer, which images of the API leave out: `docker compose exec worker galsynth …`, "
            "and for keys `docker compose run --rm keys …`"
        )


if __name__ == "__main__":
    main()
