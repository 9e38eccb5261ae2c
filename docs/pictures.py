"""Makes the pictures of these documents from a running service: ``python docs/pictures.py [URL]``.

Sample sheets are those that evaluation put beside the bundled models.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx

OUT = Path(__file__).parent / "images"
MERGER, ELLIPTICAL, DISC = {"seed": 3, "class": "merger"}, {"seed": 3, "class": "elliptical"}, {"seed": 4, "class": "edge_on"}
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "generate": ("generate", {"seeds": [3, 1, 5], "class": "merger", "truncation": 1, "size": 128, "columns": 3}),
    "interpolate": ("interpolate", {"path": [DISC, {"seed": 12, "class": "spiral_cw"}], "frames": 40, "size": 96}),
    "mix": (
        "mix",
        {
            "rows": [DISC, MERGER],
            "columns": [{"seed": 4}, {"seed": 42}, {"seed": 77}],
            "layers": "middle",
            "truncation": 1,
            "size": 96,
        },
    ),
    "arithmetic": (
        "arithmetic",
        {
            "terms": [
                {"latent": MERGER, "weight": 1},
                {"latent": ELLIPTICAL, "weight": -1},
                {"latent": DISC, "weight": 1},
            ],
            "show_terms": True,
            "size": 128,
        },
    ),
}
"""The requests of the user guide."""
SHEETS = {
    "classes": "sdss-gz1-64",
    "classes-128": "sdss-gz1-128",
    "jwst": "jwst-ceers",
    "dcgan": "gz1-64-dcgan",
    "stackgan": "gz1-128-stackgan",
    "tribhuvan": "gz1-64-tribhuvan",
}


def main(url: str) -> None:
    """Write every picture."""
    OUT.mkdir(exist_ok=True)
    with httpx.Client(base_url=url, timeout=90) as client:
        for name, (operation, body) in PICTURES.items():
            answer = client.post(f"/v1/{operation}", json=body, headers={"Prefer": "wait=60", "Accept": "image/png"})
            assert answer.status_code == httpx.codes.OK, answer.text
            (OUT / f"{name}.png").write_bytes(answer.content)
        for name, model in SHEETS.items():
            answer = client.get(f"/v1/models/{model}/samples.png")
            assert answer.status_code == httpx.codes.OK, answer.text
            (OUT / f"{name}.png").write_bytes(answer.content)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
