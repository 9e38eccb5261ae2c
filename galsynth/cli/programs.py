"""``galsynth up``, ``api`` and ``worker``: start the programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from galaxies.errors import BadInput
from galsynth.console import Console
from galsynth.local import default_workers, own_data_folder, run_alone, service_plan
from galsynth.server import check_port_free, embedded_server
from galsynth.settings import Settings
from galsynth.supervisor import Supervisor

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the API. [default: PORT, else 8000]")]


def _folder(text: str) -> Path:
    if not text:
        raise BadInput("--data is empty; name a folder, or leave it out", field="data")
    return Path(text)


def up(
    port: Port = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Worker processes. [default: one a core, at most 4; 1 with a GPU]")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=_folder,
            metavar="DIR",
            help="Folder for queue, results and models. [default: GALSYNTH_DATA_DIR, else your state folder]",
        ),
    ] = None,
) -> None:
    """Start the whole service on this machine: queue server, workers and API.

    Where REDIS_URL is set, that server is used and none is started. Ctrl-C stops everything.
    """
    settings = Settings.read()
    port = port or settings.port
    data = data or settings.data_dir
    check_port_free(port, settings.host)
    with own_data_folder(data):
        server = None if settings.redis_url else embedded_server(settings, data / "queue")
        console = Console(color=settings.color)
        console.say(f"starting on {settings.host}:{port}, data in {data}")
        plan = service_plan(
            settings, server, port=port, workers=workers or default_workers(), data=data.resolve(), console=console
        )
        status = Supervisor(plan, console).run()
        console.say("stopped" if status == 0 else "stopped after a failure")
    raise typer.Exit(status)


def api(port: Port = None) -> None:
    """Run the API alone, as `python -m app`. REDIS_URL says where the queue is."""
    settings = Settings.read()
    environ = dict(settings.environ)
    if port is not None:
        environ |= {"PORT": str(port), "GALSYNTH_PORT": str(port)}
    run_alone("app", environ)


def worker() -> None:
    """Run one worker alone, as `python -m worker`. REDIS_URL says where the queue is."""
    run_alone("worker", dict(Settings.read().environ))
