"""``python -m training``: prepare, train, export, evaluate, publish."""

from training.cli import main

main()
