"""``galsynth jobs list|show|fetch|cancel|delete``: the jobs of a running service, by id."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from galaxies.jobs import Phase
from galsynth.cli.service import AsJson, Quiet, Url, check_output, client_of, deliver, interruptible, say
from galsynth.cli.tables import job_view, jobs_table
from galsynth.client.blocking import Job

app = typer.Typer(no_args_is_help=True, help="Jobs of a running service: look, wait, fetch, cancel.")
Id = Annotated[str, typer.Argument(help="Id of the job.", metavar="ID")]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="File to write; - is standard output.", dir_okay=False, readable=False)
]


@app.command("list")
def list_jobs(
    phase: Annotated[str | None, typer.Option(help=f"Only jobs in this phase: {', '.join(Phase)}.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only jobs of this operation.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List your jobs, newest first."""
    found = list(itertools.islice(client_of(url).jobs(phase=phase, operation=operation), limit))
    if as_json:
        typer.echo(json.dumps([job.state.model_dump(mode="json") for job in found], indent=2))
    else:
        Console().print(jobs_table([job.state for job in found]))


@app.command("show")
def show_job(job_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Show one job; with --json all of it, its request with every value filled in too."""
    job = client_of(url).job(job_id)
    if as_json:
        say(job, as_json=True)
    else:
        Console().print(job_view(job.state))


@app.command("fetch")
def fetch_job(
    job_id: Id,
    output: Output,
    url: Url = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Wait for a job and write its result. Ctrl-C, SIGTERM or SIGHUP ends the waiting, not the job."""
    check_output(output)
    with interruptible():
        deliver(client_of(url, progress=not quiet).job(job_id), output, as_json=as_json)


@app.command("cancel")
def cancel_job(job_id: Id, url: Url = None, as_json: AsJson = False) -> None:
    """Cancel a job; a running one stops within one batch, an ended one stays as it is."""
    job: Job = client_of(url).job(job_id)
    job.cancel()
    typer.echo(job.state.model_dump_json(indent=2) if as_json else job.state.phase.value)


@app.command("delete")
def delete_job(job_id: Id, url: Url = None) -> None:
    """Cancel a job if needed, and forget it and its result."""
    client_of(url).job(job_id).delete()
