"""``python -m app``: the API as a program, on one address, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from app.logs import configure_logging
from app.main import create_app
from app.settings import Settings, check_exposure
from galaxies.errors import BadInput

GRACE_SECONDS = 10


def main() -> int:
    """Serve; 2 where the settings are wrong."""
    try:
        settings = Settings()
        check_exposure(settings)
    except ValidationError as error:
        for each in error.errors():
            sys.stderr.write(f"setting {'.'.join(map(str, each['loc']))}: {each['msg']}\n")
        return 2
    except BadInput as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    configure_logging(settings.log_level, as_json=settings.log_json)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
