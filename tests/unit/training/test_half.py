"""Weights stored as float16 halve the file and hardly change the pixels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from models.generator import OnnxGenerator
from models.store import ModelStore
from models.versions import Version, describe
from training.half import store_half
from training.recover import recover


def test_half_weights_are_half_the_bytes_and_nearly_the_same_pixels(tmp_path: Path) -> None:
    version = ModelStore().get("sdss-gz1-64@2")
    folder = tmp_path / "half"
    shutil.copytree(version.folder, folder)
    for name in ("mapping.onnx", "synthesis.onnx"):
        assert store_half(folder / name) > 0
        assert (folder / name).stat().st_size < 0.55 * (version.folder / name).stat().st_size + 20_000
    files = {name: describe(folder / name, entry.role) for name, entry in version.card.files.items()}
    card = version.card.model_copy(update={"files": files})
    card = card.model_copy(update={"digest": card.compute_digest()})
    (folder / "card.json").write_text(card.model_dump_json())
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4, card.z_dim), dtype=np.float32)
    noise = rng.standard_normal((4, card.noise_size), dtype=np.float32)
    images = []
    for found in (version, Version(card, folder)):
        generator = OnnxGenerator(found)
        w = generator.map(z, np.eye(6, dtype=np.float32)[:4])
        images.append(generator.synthesize(np.repeat(w[:, None], card.num_ws or 0, 1), noise))
    difference = np.abs(images[0] - images[1])
    assert 0 < difference.max() < 0.02
    assert difference.mean() < 1e-3
    assert recover(folder).config.resolution == 64
