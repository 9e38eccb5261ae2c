"""Weights move from runs, checkpoints and published models to a new run; what does not fit is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from galaxies.errors import BadInput
from models.store import ModelStore
from models.versions import describe
from tests.unit.training.conftest import tiny_config
from training import checkpoints
from training.architectures import build
from training.config import TrainConfig
from training.data.archive import read
from training.export import ExportOptions, export
from training.loop import train
from training.recover import recover
from training.trainer import Trainer
from training.transfer import fit_bands, transfer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, archives: dict[int, Path]) -> Path:
    folder = tmp_path_factory.mktemp("source")
    train(replace(tiny_config("stylegan2"), kimg=0.008), read(archives[16]), folder)
    return folder


def test_a_run_starts_from_the_weights_of_another(run: Path, tmp_path: Path, archives: dict[int, Path]) -> None:
    for source in (run, checkpoints.newest(run)):
        config = replace(tiny_config("stylegan2"), seed=5, transfer=str(source))
        trainer = Trainer(config, read(archives[16]), tmp_path, 0, CPU)
        lines = transfer(source, trainer.generator, trainer.ema, trainer.discriminator)
        assert "discriminator: taken" in lines[-1]
        expected = checkpoints.load(checkpoints.newest(run), "networks")
        for name, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator)):
            assert network is not None
            for key, value in network.state_dict().items():
                assert torch.equal(value, expected[f"{name}.{key}"])


def test_the_loop_transfers_once_and_then_resumes(run: Path, tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), transfer=str(run), generator_from_kimg=0.008, kimg=0.008)
    train(config, read(archives[16]), tmp_path)
    before = checkpoints.load(checkpoints.newest(run), "ema")
    still = checkpoints.load(checkpoints.newest(tmp_path), "ema")
    assert all(torch.equal(before[name], still[name]) for name in before), "the generator must stand still"
    train(replace(config, kimg=0.016, transfer="removed since"), read(archives[16]), tmp_path)
    moved = checkpoints.load(checkpoints.newest(tmp_path), "ema")
    assert any(not torch.equal(before[name], moved[name]) for name in before)


def test_only_an_old_checkpoint_s_generator_is_taken(run: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoints.newest(run), tmp_path / "old")
    (tmp_path / "old" / "networks.safetensors").unlink()
    generator, discriminator = build(tiny_config("stylegan2").network)
    lines = transfer(tmp_path / "old", generator, generator, discriminator)
    assert "discriminator: none there, starts afresh" in lines[-1]


def test_published_model_is_recovered_to_its_pixels() -> None:
    version = ModelStore().get("sdss-gz1-64@2")
    generator = recover(version.folder)  # compares pixels with the graphs itself, and raises where they differ
    assert generator.config.classes == 6
    with pytest.raises(BadInput, match="holds a dcgan"):
        recover(ModelStore().get("gz1-64-dcgan@2").folder)


@pytest.mark.slow  # the ONNX exporter takes seconds
def test_a_model_may_bring_its_discriminator(run: Path, tmp_path: Path) -> None:
    options = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT", discriminator=True)
    card = export(checkpoints.newest(run), tmp_path / "model", options, lambda text: None)
    assert card.file("discriminator") == "discriminator.safetensors"
    generator, discriminator = build(tiny_config("stylegan2").network)
    assert discriminator is not None
    assert "discriminator: taken" in transfer(tmp_path / "model", generator, generator, discriminator)[-1]
    expected = checkpoints.load_networks(checkpoints.newest(run))["discriminator"]
    assert all(torch.equal(weight, expected[name]) for name, weight in discriminator.state_dict().items())


@pytest.mark.slow  # the ONNX exporter takes seconds
def test_a_discriminator_is_stored_in_half_with_its_model(run: Path, tmp_path: Path) -> None:
    options = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT", half=True, discriminator=True)
    export(checkpoints.newest(run), tmp_path / "model", options, lambda text: None)
    stored = checkpoints.read_tensors(tmp_path / "model" / "discriminator.safetensors")
    expected = checkpoints.load_networks(checkpoints.newest(run))["discriminator"]
    assert all(torch.equal(weight, expected[name].half()) for name, weight in stored.items())


@pytest.mark.slow  # the ONNX exporter takes seconds
def test_a_card_names_the_source_and_no_place_of_the_machine(run: Path, tmp_path: Path, archives: dict[int, Path]) -> None:
    train(replace(tiny_config("stylegan2"), transfer=str(run), kimg=0.008), read(archives[16]), tmp_path / "run")
    options = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT")
    card = export(checkpoints.newest(tmp_path / "run"), tmp_path / "model", options, lambda text: None)
    assert card.training["config"]["transfer"] == run.name
    assert str(tmp_path.parent) not in (tmp_path / "model" / "card.json").read_text()


def test_an_old_checkpoint_has_no_discriminator_to_bring(run: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoints.newest(run), tmp_path / "old")
    (tmp_path / "old" / "networks.safetensors").unlink()
    options = ExportOptions("tiny", "1", "Tiny", "for tests", "MIT", discriminator=True)
    with pytest.raises(BadInput, match="holds no discriminator"):
        export(tmp_path / "old", tmp_path / "model", options, lambda text: None)
    assert not (tmp_path / "model").exists()


@pytest.mark.slow  # the ONNX exporter takes seconds
def test_a_model_with_stretched_pixels_is_exported_and_recovered(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = tiny_config("stylegan2")
    config = replace(config, kimg=0.008, network=replace(config.network, softening=0.03))
    train(config, read(archives[16]), tmp_path / "run")
    checkpoint = checkpoints.newest(tmp_path / "run")
    export(checkpoint, tmp_path / "model", ExportOptions("tiny", "1", "Tiny", "for tests", "MIT"), lambda text: None)
    recovered = recover(tmp_path / "model").state_dict()
    for name, tensor in checkpoints.load(checkpoint, "ema").items():
        torch.testing.assert_close(recovered[name], tensor, atol=1e-5, rtol=1e-4)


def test_recovered_weights_that_make_other_pixels_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(ModelStore().get("sdss-gz1-64@2").folder, folder)
    model = onnx.load(str(folder / "synthesis.onnx"))
    next(n for n in model.graph.node if n.op_type == "LeakyRelu").attribute[0].f = 0.4
    onnx.save(model, str(folder / "synthesis.onnx"))
    card = json.loads((folder / "card.json").read_text())
    card["files"]["synthesis.onnx"] |= describe(folder / "synthesis.onnx", "synthesis").model_dump()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match="the recovered weights make pixels that differ by"):
        recover(folder)


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_number_of_bands_changes_on_transfer(bands: int, run: Path) -> None:
    config = tiny_config("stylegan2")
    generator, discriminator = build(replace(config.network, bands=bands))
    before, judge = build(config.network)
    transfer(run, before, before, judge)
    lines = transfer(run, generator, generator, discriminator)
    assert "from_bands.weight" in lines[-1]
    z, onehot = torch.randn(4, 8), torch.eye(6)[:4]
    old, new = before.sample(z, onehot), generator.sample(z, onehot)
    kept = min(bands, 3)
    if bands >= 3:
        torch.testing.assert_close(new[:, :kept], old[:, :kept], atol=1e-5, rtol=1e-4)
    if bands == 1:
        torch.testing.assert_close(new[:, 0], old.mean(1), atol=1e-5, rtol=1e-4)
    grey = torch.randn(4, 1, 16, 16)
    assert judge is not None
    assert discriminator is not None
    if bands != 2:  # of three bands, two cannot keep the sum of weights exactly
        torch.testing.assert_close(
            discriminator(grey.expand(-1, bands, -1, -1), onehot), judge(grey.expand(-1, 3, -1, -1), onehot), atol=1e-4, rtol=1e-3
        )


def test_bands_of_a_plain_layer_keep_its_response_to_grey() -> None:
    weight = torch.randn(7, 2, 3, 3)
    made = fit_bands(weight, 1, 4, reads=True, equalised=False)
    torch.testing.assert_close(made.sum(1), weight.sum(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channel_max": 4}, "only bands and classes may differ"),
        ({"resolution": 8}, "other layers"),
        ({"resolution": 24}, "only bands and classes may differ"),
        ({"classes": 0, "z_dim": 4}, "only bands and classes may differ"),
    ],
)
def test_other_sizes_are_refused(change: dict[str, int], message: str, run: Path) -> None:
    generator, discriminator = build(replace(tiny_config("stylegan2").network, **change))
    with pytest.raises(BadInput, match=message):
        transfer(run, generator, generator, discriminator)


def test_another_architecture_is_named(run: Path) -> None:
    generator, discriminator = build(tiny_config("stylegan").network)
    with pytest.raises(BadInput, match="is of a stylegan2 and this network is a stylegan: weights go on in the same"):
        transfer(run, generator, generator, discriminator)


def test_other_classes_are_learnt_anew(run: Path) -> None:
    generator, discriminator = build(replace(tiny_config("stylegan2").network, classes=3))
    lines = transfer(run, generator, generator, discriminator)
    assert "mapping.embed.weight (afresh)" in lines[1]


@pytest.mark.parametrize("architecture", ["stylegan2", "stylegan"])
@pytest.mark.parametrize(("there", "here"), [(6, 0), (0, 6)])
def test_classes_that_only_one_of_two_networks_has_come_and_go(
    architecture: str, there: int, here: int, tmp_path: Path, archives: dict[int, Path]
) -> None:
    archive = read(archives[16])
    source = Trainer(tiny_config(architecture, there), archive, tmp_path / "source", 0, CPU)
    source.save()
    trainer = Trainer(tiny_config(architecture, here), archive, tmp_path / "run", 0, CPU)
    assert trainer.discriminator is not None
    fresh = {name: value.clone() for name, value in trainer.discriminator.state_dict().items()}
    lines = transfer(tmp_path / "source", trainer.generator, trainer.ema, trainer.discriminator)
    assert "mapping.layers.0.weight" in lines[1]
    assert "out.weight (afresh), out.bias (afresh)" in lines[3]
    for name, value in trainer.discriminator.state_dict().items():
        kept = source.discriminator.state_dict().get(name)  # type: ignore[union-attr]
        assert torch.equal(value, fresh[name] if name.startswith(("out.", "embed.")) else kept), name

    before, now = (networks.generator.mapping.layers[0] for networks in (source, trainer))  # type: ignore[union-attr]
    z = torch.randn(4, 8)
    to_z = [torch.cat([z, torch.zeros(4, layer.weight.shape[1] - 8)], dim=1) for layer in (before, now)]
    torch.testing.assert_close(now(to_z[1]), before(to_z[0]))
    assert not here or now.weight[:, 8:].std() > 10, "as at the start of any run: 1 / lr_mul"

    with torch.no_grad():
        before.weight[:, 8:] = 0
        now.weight[:, 8:] = 0
    onehots = [torch.eye(classes)[:4] if classes else None for classes in (there, here)]
    expected, images = source.generator.sample(z, onehots[0]), trainer.generator.sample(z, onehots[1])
    torch.testing.assert_close(images, expected, atol=1e-5, rtol=1e-4)
    assert all(value.isfinite() for value in trainer.one_step().values())


def test_a_published_model_with_classes_starts_a_run_without_them() -> None:
    folder = ModelStore().get("sdss-gz1-64@2").folder
    published = recover(folder)
    generator, discriminator = build(replace(published.config, classes=0))
    lines = transfer(folder, generator, generator, discriminator)
    assert "fitted: mapping.layers.0.weight" in lines[1]
    expected = published.state_dict()
    differing = {name for name, value in generator.state_dict().items() if not torch.equal(value, expected[name])}
    assert differing == {"mapping.layers.0.weight"}


def test_a_network_grows_and_loses_its_classes_at_once(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = tiny_config("stylegan2")
    config = replace(config, network=replace(config.network, channel_base=256))
    Trainer(config, read(archives[16]), tmp_path, 0, CPU).save()
    generator, discriminator = build(replace(config.network, classes=0, resolution=32))
    lines = transfer(tmp_path, generator, generator, discriminator)
    assert all("grown from 16 to 32 px; fitted: " in line for line in lines[1:])
    assert generator.sample(torch.randn(2, 8), None).isfinite().all()


def test_a_source_that_is_nothing_is_one_clear_error(tmp_path: Path) -> None:
    generator, discriminator = build(tiny_config("stylegan2").network)
    with pytest.raises(BadInput, match="there is no such folder"):
        transfer(tmp_path / "none", generator, generator, discriminator)
    with pytest.raises(BadInput, match="holds no checkpoint"):
        transfer(tmp_path, generator, generator, discriminator)


def test_frozen_layers_keep_their_weights(tmp_path: Path, archives: dict[int, Path]) -> None:
    config = replace(tiny_config("stylegan2"), freeze_generator=2, freeze_discriminator=1)
    trainer = Trainer(config, read(archives[16]), tmp_path, 0, CPU)
    assert trainer.discriminator is not None
    networks = {"g": trainer.generator, "d": trainer.discriminator}
    before = {name: {k: v.clone() for k, v in network.state_dict().items()} for name, network in networks.items()}
    for _ in range(3):
        trainer.one_step()
    frozen = {"g": ("synthesis.convs.0.", "synthesis.convs.1."), "d": ("from_bands.",)}
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            assert torch.equal(parameter, before[name][key]) == key.startswith(frozen[name]), key
    with pytest.raises(BadInput, match="freeze_generator 99: this network has 5 layers"):
        Trainer(replace(config, freeze_generator=99), read(archives[16]), tmp_path, 0, CPU)


def test_configurations_of_older_runs_load_and_newer_ones_are_refused() -> None:
    data = tiny_config("stylegan2").to_json()
    old = {key: value for key, value in data.items() if key not in ("loss", "augment", "transfer", "compile", "pl_weight")}
    assert TrainConfig.from_json(old) == tiny_config("stylegan2")
    with pytest.raises(BadInput, match="unknown fields of_tomorrow"):
        TrainConfig.from_json({**data, "of_tomorrow": 1})
    with pytest.raises(BadInput, match="unknown fields depth"):
        TrainConfig.from_json({**data, "network": {**data["network"], "depth": 1}})
    with pytest.raises(BadInput, match="without architecture"):
        TrainConfig.from_json({"preset": "x", "network": {}})
