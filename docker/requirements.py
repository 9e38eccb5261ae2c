"""Prints what one extra of pyproject.toml needs, so that images keep their dependencies in a layer of their own."""

import sys
import tomllib
from pathlib import Path


def requirements(extra: str) -> list[str]:
    """The base dependencies and those of ``extra``, with extras of our own resolved."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    found: list[str] = list(project["dependencies"])
    pending = [extra]
    while pending:
        for line in project["optional-dependencies"][pending.pop()]:
            if line.startswith("galsynth["):
                pending.append(line.removeprefix("galsynth[").removesuffix("]"))
            else:
                found.append(line)
    return found


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
