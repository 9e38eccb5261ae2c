"""``python -m training``: prepare, train, export, evaluate, publish."""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as long as nothing is done that would have to be put in order
try:
    from training.cli import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "training":
        raise
    sys.exit(f"error: training needs {error.name}, which is not installed; `make env` brings it, or pip install '.[training]'")

main()
