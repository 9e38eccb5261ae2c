"""Prints what extras of pyproject.toml need, so that images keep their dependencies in a layer of their own.

``python requirements.py api,s3 astropy rich``: those of the extras ``api`` and ``s3``, but without astropy and rich.
"""

import re
import sys
import tomllib
from pathlib import Path


def requirements(extras: list[str], without: set[str]) -> list[str]:
    """The base dependencies and those of ``extras``, with extras of our own resolved, except those named in ``without``."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    found: list[str] = list(project["dependencies"])
    pending = list(extras)
    while pending:
        for line in project["optional-dependencies"][pending.pop()]:
            if line.startswith("galsynth["):
                pending.append(line.removeprefix("galsynth[").removesuffix("]"))
            else:
                found.append(line)
    return [line for line in found if re.split(r"[^\w.-]", line)[0] not in without]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1].split(","), set(sys.argv[2:]))))
