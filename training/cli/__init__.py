"""The commands of ``python -m training``. Each reads its options, calls one function and says what it did."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer

from galaxies.errors import GalaxyError
from training.aside import reason
from training.cli.ada import ada
from training.cli.augmentations import augmentations
from training.cli.compare import compare
from training.cli.console import console
from training.cli.evaluate import evaluate
from training.cli.export import export, publish
from training.cli.fields import fields
from training.cli.prepare import prepare
from training.cli.release import release
from training.cli.score import score
from training.cli.study import study
from training.cli.train import chain, presets, train
from training.cli.usage import wrong_use
from training.stopping import ToldToStop

COMMANDS = (prepare, fields, augmentations, presets, train, chain, study, ada, score, export, evaluate, publish, compare, release)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train galaxy generators: images to archive, archive to checkpoints, checkpoint to a published model.",
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command; what is wrong is one line on stderr. SIGTERM ends as Ctrl-C does, so that nothing half-written is left.

    Exit code 1 is an expected error, or a file that cannot be read or written; 2 a command line that is not understood; 130 or
    143 that it was told to stop.
    """
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        message, status = wrong_use(error), error.exit_code
    except ToldToStop as error:
        message, status = error.message, error.status
    except (GalaxyError, OSError) as error:
        message, status = error.message if isinstance(error, GalaxyError) else reason(error), 1
    if message:
        console.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(status)


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
