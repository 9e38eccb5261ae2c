"""``python -m galsynth``: the same as the ``galsynth`` command."""

from __future__ import annotations

from galsynth.cli import main

if __name__ == "__main__":
    main()
