"""Examples of the OpenAPI document: a body for every operation, and what the service answers. A test checks them."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, dict[str, Any]] = {
    "generate": {
        "one galaxy": {"seeds": [42]},
        "sixteen drawn seeds on one sheet": {"count": 16, "columns": 4, "truncation": 0.8},
        "latents": {"latents": [{"seed": 42}, {"mean": True}], "format": "zip"},
    },
    "interpolate": {
        "from one galaxy to another": {"from": {"seed": 42}, "to": {"seed": 43}, "frames": 50},
        "a closed path": {"path": [{"seed": 1}, {"seed": 2}, {"seed": 3}], "frames": 60, "loop": True, "curve": "spherical"},
    },
    "mix": {"a grid": {"rows": [{"seed": 1}, {"seed": 2}], "columns": [{"seed": 3}, {"seed": 4}], "layers": [0, 1, 2, 3]}},
    "arithmetic": {
        "a - b + c": {
            "terms": [
                {"latent": {"seed": 42}, "weight": 1},
                {"latent": {"seed": 1234}, "weight": -1},
                {"latent": {"seed": 321}, "weight": 1},
            ],
            "show_terms": True,
        }
    },
}
JOB_ID = "4f6c1d0e9b3a4c52a7d8e1f0b2c3d4e5"
DIGEST = "sha256:e0a4e667a83f57b92fad30321243676901f2b8be779d98a5155991f8c418e600"
SAME_ETAG = '"sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"'
_JOB: dict[str, Any] = {
    "id": JOB_ID,
    "operation": "generate",
    "created": "2026-03-01T12:30:15.250Z",
    "expires": "2026-03-02T12:30:15.250Z",
    "model": {"name": "sdss-gz1-64", "version": "2", "digest": DIGEST},
    "request": {
        "operation": "generate",
        "model": "sdss-gz1-64@2",
        "seeds": [42],
        "class": "spiral_acw",
        "truncation": 0.7,
        "truncation_cutoff": 10,
        "noise": "const",
        "size": 64,
        "resample": "lanczos",
        "stretch": {"kind": "identity"},
        "format": "png",
    },
    "error": None,
    "links": {
        "self": f"/v1/jobs/{JOB_ID}",
        "result": f"/v1/jobs/{JOB_ID}/result",
        "events": f"/v1/jobs/{JOB_ID}/events",
        "cancel": f"/v1/jobs/{JOB_ID}/cancel",
    },
}
QUEUED: dict[str, Any] = _JOB | {
    "phase": "QUEUED",
    "progress": {"done": 0, "total": 1},
    "queue_position": 1,
    "eta_seconds": None,
    "started": None,
    "ended": None,
    "result": None,
}
COMPLETED: dict[str, Any] = _JOB | {
    "phase": "COMPLETED",
    "progress": {"done": 1, "total": 1},
    "queue_position": None,
    "eta_seconds": None,
    "started": "2026-03-01T12:30:15.300Z",
    "ended": "2026-03-01T12:30:15.420Z",
    "result": {
        "href": f"/v1/jobs/{JOB_ID}/result",
        "media_type": "image/png",
        "bytes": 7421,
        "digest": SAME_ETAG.strip('"'),
        "width": 64,
        "height": 64,
        "images": 1,
    },
}
EVENTS = """event: phase
data: {"phase":"QUEUED","at":"2026-03-01T12:30:15.250Z","queue_position":1,"eta_seconds":2.4}
id: 0.2.0

event: phase
data: {"phase":"EXECUTING","at":"2026-03-01T12:30:15.300Z","attempt":1}
id: 1.1.0

event: progress
data: {"done":64,"total":200,"eta_seconds":1.6}
id: 1.1.64

: still here

"""
ABORTED: dict[str, Any] = QUEUED | {"phase": "ABORTED", "queue_position": None, "ended": "2026-03-01T12:30:15.300Z"}
CURSOR = f"1772368215.25~{JOB_ID}"
JOB_PAGE: dict[str, Any] = {"jobs": [COMPLETED], "next": "/v1/jobs?limit=1&cursor=" + CURSOR.replace("~", "%7E")}
_BANDS: list[dict[str, Any]] = [
    {"name": name, "unit": None, "zero_point": None, "wavelength_um": None} for name in ("red", "green", "blue")
]
_CLASSES: list[dict[str, Any]] = [{"name": "edge_on", "count": 747}, {"name": "spiral_acw", "count": 707}]
MODEL_LIST: dict[str, Any] = {
    "default": "sdss-gz1-64",
    "models": [
        {
            "name": "sdss-gz1-64",
            "version": "2",
            "title": "Galaxy Zoo 1 galaxies, 64 px",
            "resolution": 64,
            "bands": _BANDS,
            "classes": _CLASSES,
            "operations": ["generate", "interpolate", "mix", "arithmetic"],
        }
    ],
}
CARD: dict[str, Any] = {
    "format": "galaxy-model/1",
    "name": "sdss-gz1-64",
    "version": "2",
    "digest": DIGEST,
    "title": "Galaxy Zoo 1 galaxies, 64 px",
    "description": "Trained on SDSS colour images of galaxies that Galaxy Zoo 1 classified",
    "architecture": "stylegan2",
    "preset": "stylegan2-64-cpu",
    "created": "2026-02-01T10:00:00Z",
    "licence": "CC BY 4.0",
    "files": {
        "mapping.onnx": {
            "sha256": "7a4dd88c3001e1f711e59e65fd99def0684cd52ca53ea84e9f2a0f19eddbdbf0",
            "bytes": 220879,
            "role": "mapping",
        }
    },
    "resolution": 64,
    "bands": _BANDS,
    "pixel_scale_arcsec": 0.8,
    "normalisation": {"kind": "linear", "low": [0.0, 0.0, 0.0], "high": [255.0, 255.0, 255.0]},
    "stretch": {"kind": "identity"},
    "display": True,
    "z_dim": 128,
    "w_dim": 128,
    "num_ws": 10,
    "noise_size": 10896,
    "layers": {"coarse": [0, 1, 2], "middle": [3, 4, 5, 6], "fine": [7, 8, 9]},
    "classes": _CLASSES,
    "truncation": 0.7,
    "training": {"dataset": "sdss-gz1-64", "images": 4385, "credits": "SDSS; Galaxy Zoo 1 (Lintott et al. 2008, 2011)"},
    "metrics": {"fid50k_train": {"value": 12.5, "n_generated": 50000, "n_reference": 4385}},
    "parity": {"max_abs_difference": 6e-07, "images": 72},
}
REPORT: dict[str, Any] = {"model": "sdss-gz1-64@2", "metrics": CARD["metrics"]}
HEALTH = {"status": "ok"}
READY = {"status": "ready", "checks": {"redis": "ok", "results": "ok", "worker": "ok"}}
METRICS = """# HELP galsynth_queue_jobs Jobs that wait
# TYPE galsynth_queue_jobs gauge
galsynth_queue_jobs{priority="interactive"} 3.0
galsynth_queue_jobs{priority="bulk"} 0.0
"""
