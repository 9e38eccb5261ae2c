"""Makes the pictures of these documents from a running service: ``python docs/pictures.py [URL]``.

Sample sheets are those that evaluation put beside the bundled models.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx

OUT = Path(__file__).parent / "images"
MERGERS = [{"seed": seed, "class": "merger"} for seed in (3, 1, 5)]
DISCS = [{"seed": seed, "class": "edge_on"} for seed in (4, 2, 0)]
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "generate": ("generate", {"latents": [*MERGERS, *DISCS], "columns": 6, "size": 128, "truncation": 1}),
    "interpolate": ("interpolate", {"from": DISCS[0], "to": {"seed": 12, "class": "spiral_cw"}, "frames": 60, "size": 96}),
    "mix": (
        "mix",
        {"rows": [*DISCS[:2], MERGERS[0]], "columns": [{"seed": s} for s in (4, 42, 77, 100)], "layers": "fine", "size": 96},
    ),
    "arithmetic": (
        "arithmetic",
        {
            "terms": [
                {"latent": MERGERS[0], "weight": 1},
                {"latent": {"seed": 3, "class": "elliptical"}, "weight": -1},
                {"latent": DISCS[0], "weight": 1},
            ],
            "show_terms": True,
            "size": 128,
        },
    ),
}
SHEETS = {"classes": "sdss-gz1-64", "dcgan": "gz1-64-dcgan"}


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
