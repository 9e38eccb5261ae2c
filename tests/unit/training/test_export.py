"""A checkpoint becomes a served model with the pixels that torch makes."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import training
from galaxies.errors import BadInput, BadModel
from models.generator import OnnxGenerator
from models.publish import publish
from models.store import ModelStore
from models.versions import read_version
from tests.unit.training.conftest import tiny_config
from tests.worker_fakes import wait_until
from training import checkpoints
from training.architectures import ARCHITECTURES
from training.architectures.layers import normalise_2nd_moment
from training.data.archive import read
from training.export import ExportOptions, export, layer_groups, parity_batches, to_onnx
from training.loop import train

pytestmark = pytest.mark.slow  # the ONNX exporter takes seconds
EXPORTED = {name: tiny_config(name) for name in sorted(ARCHITECTURES.keys() - {"stackgan"})}
"""The second stage refines images and is exported in the chain."""
EXPORTED["stylegan2"] = replace(EXPORTED["stylegan2"], preset="stylegan2-n1")
EXPORTED["wgan with batch norm"] = replace(EXPORTED["wgan"], network=replace(EXPORTED["wgan"].network, batch_norm=True))
ROOT = Path(training.__file__).parents[1]
OPTIONS = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT")


@pytest.fixture(scope="module", params=EXPORTED)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    config = replace(EXPORTED[request.param], kimg=0.008)
    train(config, read(archives[16 if request.param.startswith("stylegan") else 64]), folder / "run")
    export(checkpoints.list_checkpoints(folder / "run")[-1], folder / "out", OPTIONS, lambda text: None)
    return folder / "out"


def test_exported_model_is_published_and_serves_what_torch_makes(exported: Path, tmp_path: Path) -> None:
    version = publish(exported, tmp_path)
    card = ModelStore([tmp_path]).get("tiny@1").card
    assert card == version.card
    assert card.parity["max_abs_difference"] < 1e-4
    assert card.training["images_seen"] == 8
    assert card.bands[0].name == "red"
    assert card.has_w == card.architecture.startswith("stylegan")
    assert card.truncation == {"stylegan2": 0.75, "stylegan": 0.7}.get(card.architecture, 1.0), "row N1 prints 0.75"
    generator = OnnxGenerator(version)
    z = np.random.default_rng(0).standard_normal((3, card.z_dim)).astype(np.float32)
    if card.has_w:
        assert [c.name for c in card.classes] == sorted(c.name for c in card.classes)
        w = generator.map(z, np.eye(3, len(card.classes), dtype=np.float32))
        images = generator.synthesize(np.repeat(w[:, None], card.num_ws or 0, 1), np.zeros((3, card.noise_size), np.float32))
    else:
        images = generator.generate(z)
    assert images.shape == (3, 3, card.resolution, card.resolution)
    assert np.ptp(images, axis=0).max() > 0


@pytest.mark.parametrize(
    ("side", "batches"), [(64, [1, 7, 64]), (256, [1, 7, 64]), (512, [1, 7, 16]), (1000, [1, 4]), (4096, [1])]
)
def test_large_images_are_compared_in_small_batches(side: int, batches: list[int]) -> None:
    assert parity_batches(side) == batches


@pytest.fixture(scope="module")
def without_w(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    run = tmp_path_factory.mktemp("dcgan") / "run"
    train(replace(tiny_config("dcgan"), kimg=0.008), read(archives[64]), run)
    return run


def test_a_model_without_w_takes_the_truncation_that_is_asked_for(without_w: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, truncation=0.5)
    assert export(checkpoints.newest(without_w), tmp_path / "out", options, lambda text: None).truncation == 0.5


def test_an_export_that_is_told_to_stop_leaves_nothing(without_w: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "export", str(without_w), "--out", str(tmp_path / "out"), "--name", "tiny"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: list(tmp_path.glob(".out.*")), 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


def test_graphs_say_nothing_of_the_machine_that_exported_them(exported: Path) -> None:
    for graph in exported.glob("*.onnx"):
        assert str(ROOT).encode() not in graph.read_bytes()
        assert b".py" not in graph.read_bytes()


def test_a_latent_of_zeros_is_what_torch_makes_of_it(tmp_path: Path) -> None:
    class Mapping(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return normalise_2nd_moment(z) + 1

    batch = torch.export.Dim("batch", min=1, max=8)
    to_onnx(Mapping(), (torch.ones(2, 3),), tmp_path / "mapping.onnx", ["z"], "w", batch)
    (w,) = ort.InferenceSession(tmp_path / "mapping.onnx").run(None, {"z": np.zeros((1, 3), np.float32)})
    assert w.tolist() == [[1, 1, 1]]


def test_writing_a_graph_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Sum(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return a + b

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        batch = torch.export.Dim("batch", min=1, max=8)
        to_onnx(Sum(), (torch.zeros(2, 3), torch.zeros(2, 3)), tmp_path / "sum.onnx", ["a", "b"], "images", batch)
    assert (tmp_path / "sum.onnx").is_file()
    assert (warned, capfd.readouterr()) == ([], ("", ""))


def test_published_versions_never_change(exported: Path, tmp_path: Path) -> None:
    publish(exported, tmp_path)
    with pytest.raises(BadInput, match="published already"):
        publish(exported, tmp_path)
    assert read_version(tmp_path / "tiny" / "1").card.version == "1"


def test_a_model_that_makes_no_numbers_is_not_exported(archives: dict[int, Path], tmp_path: Path) -> None:
    train(replace(tiny_config("dcgan"), kimg=0.008), read(archives[64]), tmp_path / "run")
    checkpoint = checkpoints.newest(tmp_path / "run")
    weights = checkpoints.load(checkpoint, "ema")
    weights["layers.0.weight"].fill_(float("nan"))
    save_file(weights, checkpoint / "ema.safetensors")
    with pytest.raises(BadModel, match="model tiny@1 makes pixels that are no finite numbers"):
        export(checkpoint, tmp_path / "out", OPTIONS, lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_export_refuses_an_existing_folder(exported: Path) -> None:
    with pytest.raises(BadInput, match="exists already"):
        export(exported, exported, OPTIONS)


@pytest.mark.parametrize(
    ("field", "value"), [("name", "Mergers"), ("name", "a" * 65), ("name", "-a"), ("version", ""), ("version", "1/2")]
)
def test_names_that_no_request_could_use_are_refused_before_any_work(field: str, value: str) -> None:
    with pytest.raises(BadInput, match=field) as refused:
        replace(OPTIONS, **{field: value})
    assert repr(value) in str(refused.value)


def test_every_layer_belongs_to_exactly_one_group() -> None:
    for resolution in (16, 64, 256):
        config = replace(tiny_config("stylegan2").network, resolution=resolution)
        groups = layer_groups(config)  # type: ignore[arg-type]
        assert sorted(layer for group in groups.values() for layer in group) == list(range(config.num_ws))  # type: ignore[union-attr]
        assert groups["coarse"] == [0, 1, 2]
