"""The page and its files. They are read as they lie in ``static``; nothing is built."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
CLASSIC = ("theme.js", "unloaded.js")
"""Scripts that are no modules: what they do cannot wait for those, or is for when they do not come."""
MEDIA = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
"""Suffix of a file that is served → its media type; nothing else is."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads from its own service only, runs no inline script, and stands in nobody's frame."""


@dataclass(frozen=True)
class Page:
    """The page as it is served.

    Attributes
    ----------
    digest : of all its files; part of their addresses, so that browsers may keep them for ever.
    names : what may be asked for, as paths below ``static``.
    html : the document, with every module named so that a browser fetches them at once and not one after another.
    """

    digest: str
    names: frozenset[str]
    html: str

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Page:
        """The page in ``folder``."""
        paths = sorted(path for path in folder.rglob("*") if path.suffix in MEDIA and path.is_file())
        digest = hashlib.sha256()
        for path in paths:
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
        base = f"/static/{digest.hexdigest()[:16]}"
        names = [path.relative_to(folder).as_posix() for path in paths]
        modules = [
            f'<link rel="modulepreload" href="{base}/{name}">' for name in names if name.endswith(".js") and name not in CLASSIC
        ]
        document = (folder / "index.html").read_text().replace('"/static/', f'"{base}/')
        html = document.replace("<!-- modules -->", "\n    ".join(modules))
        return cls(digest.hexdigest()[:16], frozenset(names) - {"index.html"}, html)
