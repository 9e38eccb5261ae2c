"""What ``/readyz`` answers, and what the log says of it: the changes, because supervisors and proxies ask every moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from galaxies.errors import GalaxyError, Transient
from jobstore.server import check_writable
from jobstore.workers import WorkerBeacons

if TYPE_CHECKING:
    from app.services import Services

log = structlog.get_logger("app")


class ReadinessLog:
    """One line where the answer is another one than before.

    What is missing while the service starts is no fault; what is missing once it has ``been_ready`` is a warning.
    """

    def __init__(self) -> None:
        self._last: str | None = None
        self.been_ready = False

    def note(self, missing: str) -> None:
        """Say that so much is ``missing`` now (empty: nothing is)."""
        if missing == self._last:
            return
        self._last = missing
        if not missing:
            self.been_ready = True
            log.info("ready")
        elif self.been_ready:
            log.warning("not ready any more", missing=missing)
        else:
            log.info("not ready yet", missing=missing)


def check_readiness(services: Services) -> tuple[dict[str, str], str]:
    """What each part says of itself, and what of it is missing (empty: nothing), which the log learns too."""
    checks = _checks(services)
    missing = "; ".join(f"{name}: {said}" for name, said in checks.items() if said != "ok")
    services.readiness.note(missing)
    return checks, missing


def _checks(services: Services) -> dict[str, str]:
    checks = {"redis": "ok", "results": "ok", "worker": "ok"}
    try:
        services.results.check_writable()
    except Transient as error:
        checks["results"] = error.message
    try:
        check_writable(services.records.client)
        checks["worker"] = _worker(services)
    except AuthenticationError:
        checks |= {"redis": "refuses the password that this API has", "worker": "not known without Redis"}
    except ResponseError:
        checks |= {"redis": "takes no writes", "worker": "not known while Redis takes no writes"}
    except RedisError:
        checks |= {"redis": "out of reach", "worker": "not known without Redis"}
    return checks


def _worker(services: Services) -> str:
    try:
        wanted = services.catalogue.get().card.reference
    except GalaxyError as error:
        return error.message
    workers = WorkerBeacons(services.records.client).alive()
    # Workers warm a version that was published just now within seconds; until then another one of the model stands for it.
    name = wanted.partition("@")[0]
    if any(warm.partition("@")[0] == name for worker in workers for warm in worker.warm):
        return "ok"
    return f"{len(workers)} alive, none with the default model {wanted} warm" if workers else "no worker is alive"
