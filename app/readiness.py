"""What the log says of the answers of ``/readyz``: the changes, because supervisors and proxies ask every moment."""

from __future__ import annotations

import structlog

log = structlog.get_logger("app")


class ReadinessLog:
    """One line where the answer is another one than before.

    What is missing while the service starts is no fault; what is missing later is a warning.
    """

    def __init__(self) -> None:
        self._last: str | None = None
        self._been_ready = False

    def note(self, missing: str) -> None:
        """Say that so much is ``missing`` now (empty: nothing is)."""
        if missing == self._last:
            return
        self._last = missing
        if not missing:
            self._been_ready = True
            log.info("ready")
        elif self._been_ready:
            log.warning("not ready any more", missing=missing)
        else:
            log.info("not ready yet", missing=missing)
