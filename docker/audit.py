"""``python docker/audit.py CONSTRAINTS OSV``: known weaknesses of pinned versions, from a copy of the OSV database.

``OSV`` is ``PyPI/all.zip`` of https://osv.dev (https://google.github.io/osv.dev/data/), one JSON document an advisory; no network
is needed. Where the PyPI advisory database can be asked, ``make audit`` does that instead.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LOWEST = "0"


def pinned(constraints: Path) -> dict[str, Version]:
    """Names and versions of the lines ``name==version``."""
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in constraints.read_text().splitlines())
    return {
        canonicalize_name(name): Version(version) for name, found, version in (line.partition("==") for line in lines) if found
    }


def weaknesses(osv: Path, pins: dict[str, Version]) -> Iterator[tuple[str, Version, str, str]]:
    """Name, version, advisory and its summary, of each pin that an advisory affects. Withdrawn advisories do not count."""
    with zipfile.ZipFile(osv) as archive:
        for entry in archive.namelist():
            advisory: dict[str, Any] = json.loads(archive.read(entry))
            for affected in [] if "withdrawn" in advisory else advisory.get("affected", []):
                package = affected.get("package", {})
                name = canonicalize_name(package.get("name", ""))
                if package.get("ecosystem") == "PyPI" and name in pins and _affects(affected, pins[name]):
                    yield name, pins[name], advisory["id"], advisory.get("summary", "")


def _affects(affected: dict[str, Any], version: Version) -> bool:
    """Whether ``version`` is among the listed versions, or within one of the ranges, as the OSV schema has them."""
    if any(_version(text) == version for text in affected.get("versions", [])):
        return True
    return any(_within(r["events"], version) for r in affected.get("ranges", []) if r.get("type") == "ECOSYSTEM")


def _within(events: list[dict[str, str]], version: Version) -> bool:
    """Ranges are lists of events: introduced, then fixed (from there on not affected) or last_affected."""
    inside = False
    points = [(_version(text) or Version(LOWEST), kind) for event in events for kind, text in event.items() if kind != "limit"]
    for point, kind in sorted(points, key=lambda each: each[0]):
        if kind == "introduced" and version >= point:
            inside = True
        elif (kind == "fixed" and version >= point) or (kind == "last_affected" and version > point):
            inside = False
    return inside


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def main(constraints: Path, osv: Path) -> int:
    """Print what is found; the exit status says whether that is anything."""
    pins = pinned(constraints)
    found = sorted(set(weaknesses(osv, pins)))
    for name, version, advisory, summary in found:
        print(f"{name} {version}: {advisory} {summary}")
    print(f"{len(pins)} versions, {len(found)} known weaknesses", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
