"""``export``: the EMA generator of a checkpoint → ONNX graphs, buffers and a card;
parity is measured through the class that serves.

Style models give two graphs, ``mapping.onnx`` (z, onehot → w) and ``synthesis.onnx`` (ws, noise → images); others one,
``generator.onnx`` (z → images). The batch axis is free. A model may bring the discriminator of its training, for ``--transfer``.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from safetensors import numpy as arrays
from safetensors import torch as tensors
from torch import Tensor, nn

from galaxies.cards import NAME_PATTERN, VERSION_PATTERN, CardFile, GalaxyClass, ModelCard
from galaxies.errors import BadInput
from models.generator import OnnxGenerator
from models.versions import Version, describe
from training import checkpoints
from training.architectures import Generator, StyleConfig, StyleGenerator, build
from training.aside import folder_aside, write_bytes
from training.config import TrainConfig
from training.data.describe import describe as describe_data
from training.half import store_half
from training.parity import IMAGES, Values, check, compared
from training.presets import PRESETS
from training.presets.preset import TRUNCATION

OPSET = 18
REGISTRATION = "torch.onnx._internal.exporter._registration"
"""The logger that warns of torchvision's operators, which no network here has."""
W_MEAN_SAMPLES = 50_000
PARITY_BATCHES = (1, 7, 64)
PARITY_PIXELS = 64 * 256 * 256
"""A batch has no more pixels: of 64 images at 1024 px activations alone took over 16 GB."""
DATASET = ("name", "credits", "training_count", "classes", "bands", "pixel_scale_arcsec")
"""What a card says of the data set, from a checkpoint's copy of its manifest."""
COARSE_DOUBLINGS, MIDDLE_DOUBLINGS = 1, 3

Say = Callable[[str], None]


@dataclass(frozen=True)
class ExportOptions:
    """What the card says beyond what the checkpoint knows."""

    name: str
    version: str
    title: str
    description: str
    licence: str
    truncation: float | None = None
    """Default ψ; None takes the preset's, and 1 for models without w, where ψ scales z."""
    half: bool = False
    """Weights stored as float16 (`training.half`)."""
    discriminator: bool = False
    """The discriminator's weights as a file beside the graphs; serving never reads it, ``--transfer`` does."""

    def __post_init__(self) -> None:
        for field, pattern, longest in (("name", NAME_PATTERN, 64), ("version", VERSION_PATTERN, 32)):
            if not re.fullmatch(pattern, getattr(self, field)):
                raise BadInput(
                    f"{field} {getattr(self, field)!r}: {longest} characters at most, small letters, digits, '.', '_' and '-', "
                    "of which the first is a letter or a digit",
                    field=field,
                )


class _Mapping(nn.Module):
    def __init__(self, mapping: nn.Module) -> None:
        super().__init__()
        self.mapping = mapping

    def forward(self, z: Tensor, onehot: Tensor | None = None) -> Tensor:
        w: Tensor = self.mapping(z, onehot)
        return w


def export(checkpoint: Path, out: Path, options: ExportOptions, say: Say = print) -> ModelCard:
    """Write the new folder ``out`` (aside first, then renamed) and return its card.

    Raises
    ------
    BadInput : the checkpoint is damaged or has no discriminator that is asked for, ``out`` exists, or the graphs' images are not
        finite or not those of torch (`training.parity`).
    """
    with folder_aside(out) as folder:
        return _export_into(folder, checkpoint, options, say)


def _export_into(folder: Path, checkpoint: Path, options: ExportOptions, say: Say) -> ModelCard:
    state = checkpoints.read_state(checkpoint)
    absent = [key for key in DATASET if key not in state["dataset"]]
    if absent:
        raise BadInput(f"checkpoint {checkpoint} does not say {', '.join(absent)} of its data set, which the card needs")
    config = TrainConfig.from_json(state["config"])
    generator, _ = build(config.network)
    if generator.refines:
        raise BadInput(f"{config.architecture} refines images and has no latent input: join it to a first stage with `chain`")
    checkpoints.load_into(generator, checkpoints.load(checkpoint, "ema"), checkpoint)
    generator.advance(state["images_seen"] / 1000)
    generator.eval().requires_grad_(False)
    brought = _write_discriminator(checkpoint, config, folder, options) if options.discriminator else {}
    say("exporting the graphs …")
    roles = _write(generator, state, folder)
    if options.half:
        for name in roles:
            if name.endswith(".onnx"):
                store_half(folder / name)
    files = {name: describe(folder / name, role) for name, role in (roles | brought).items()}
    card = _card(config, state, options, files)
    say(f"measuring parity on {sum(parity_batches(card.resolution))} seeds …")
    measured = parity(Version(card, folder), generator, "float16" if options.half else "float32")
    card = card.model_copy(update={"parity": measured})
    card = card.model_copy(update={"digest": card.compute_digest()})
    (folder / "card.json").write_text(card.model_dump_json(indent=1) + "\n")
    return card


def _write(generator: Generator, state: dict[str, Any], folder: Path) -> dict[str, str]:
    """The graphs and buffers of ``generator``; returns their roles."""
    return _write_style(generator, state, folder) if isinstance(generator, StyleGenerator) else _write_plain(generator, folder)


def _write_style(generator: StyleGenerator, state: dict[str, Any], folder: Path) -> dict[str, str]:
    config = generator.config
    z = torch.randn(2, config.z_dim)
    onehot = torch.eye(config.classes)[:2] if config.classes else None
    batch = torch.export.Dim("batch", min=1, max=65_536)
    names = ["z"] if onehot is None else ["z", "onehot"]
    inputs = (z,) if onehot is None else (z, onehot)
    to_onnx(_Mapping(generator.mapping), inputs, folder / "mapping.onnx", names, "w", batch)
    ws = torch.randn(2, config.num_ws, config.w_dim)
    noise = torch.randn(2, config.noise_size)
    to_onnx(generator.synthesis, (ws, noise), folder / "synthesis.onnx", ["ws", "noise"], "images", batch)
    buffers = {
        "w_mean": mean_w(generator, [c["count"] for c in state["dataset"]["classes"]]).numpy(),
        "noise_const": generator.synthesis.noise_const.numpy(),
    }
    write_bytes(folder / "buffers.safetensors", arrays.save(buffers))
    return {"mapping.onnx": "mapping", "synthesis.onnx": "synthesis", "buffers.safetensors": "buffers"}


def _write_plain(generator: Generator, folder: Path) -> dict[str, str]:
    z = torch.randn(2, generator.config.z_dim)
    batch = torch.export.Dim("batch", min=1, max=65_536)
    to_onnx(generator, (z,), folder / "generator.onnx", ["z"], "images", batch)
    return {"generator.onnx": "generator"}


def _write_discriminator(checkpoint: Path, config: TrainConfig, folder: Path, options: ExportOptions) -> dict[str, str]:
    weights = checkpoints.load_networks(checkpoint).get("discriminator")
    if weights is None:
        raise BadInput(
            f"{checkpoint} holds no discriminator to bring: an older checkpoint keeps the EMA weights alone, and not every "
            f"architecture has one (this is {config.architecture})"
        )
    file = "discriminator.safetensors"
    stored = {name: weight.half() if options.half and weight.is_floating_point() else weight for name, weight in weights.items()}
    write_bytes(folder / file, tensors.save(stored))
    return {file: "discriminator"}


def to_onnx(module: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str], output: str, batch: Any) -> None:
    """Write ``module`` as one graph whose inputs and output have a free batch axis, without torch's notes of its source."""
    logging.getLogger(REGISTRATION).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*(LeafSpec|The axis name: batch)")  # of nothing that a user could change
        program = torch.onnx.export(
            module.eval(),
            inputs,
            input_names=names,
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in inputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # no path was given
    ClearMetadataAndDocStringPass()(program.model)
    program.save(path)


@torch.no_grad()
def mean_w(generator: StyleGenerator, counts: list[int]) -> Tensor:
    """The mean w (w_dim,) over latents with classes in the training set's proportions: what truncation pulls towards."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(W_MEAN_SAMPLES, generator.config.z_dim, generator=rng)
    onehot = None
    if generator.config.classes:
        labels = torch.multinomial(torch.tensor(counts, dtype=torch.float32), W_MEAN_SAMPLES, replacement=True, generator=rng)
        onehot = torch.nn.functional.one_hot(labels, generator.config.classes).float()
    w: Tensor = generator.mapping(z, onehot)
    return w.mean(dim=0)


def parity(version: Version, generator: Generator, weights: str = "float32") -> dict[str, Any]:
    """Absolute ONNX - torch difference of images (range -1 … 1), in `parity_batches`, each of seeds of its own.

    Raises
    ------
    BadInput : an image is not finite, or the difference is beyond the limit of ``weights``.
    BadModel : none is finite.
    """
    served = OnnxGenerator(version)
    found = compared(_images(served, generator), IMAGES, version.card.reference)
    found |= {"provider": served.providers[0], "weights": weights}
    check(found, IMAGES, version.card.reference)
    return found


def parity_batches(resolution: int) -> list[int]:
    """Sizes of the batches that parity is measured in: `PARITY_BATCHES`, smaller above 256 px."""
    most = max(1, PARITY_PIXELS // resolution**2)
    return sorted({min(size, most) for size in PARITY_BATCHES})


@torch.no_grad()
def _images(served: OnnxGenerator, generator: Generator) -> Iterator[tuple[Values, Values]]:
    config = generator.config
    for batch in parity_batches(config.resolution):
        draw = generator.draw(batch, torch.Generator().manual_seed(batch))
        onehot = (
            torch.nn.functional.one_hot(torch.arange(batch) % config.classes, config.classes).float() if config.classes else None
        )
        expected = generator.sample(draw["z"], onehot, draw.get("noise")).numpy()
        if isinstance(config, StyleConfig):
            w = served.map(draw["z"].numpy(), None if onehot is None else onehot.numpy())
            yield served.synthesize(np.repeat(w[:, None], config.num_ws, axis=1), draw["noise"].numpy()), expected
        else:
            yield served.generate(draw["z"].numpy()), expected


def _card(config: TrainConfig, state: dict[str, Any], options: ExportOptions, files: dict[str, CardFile]) -> ModelCard:
    network, dataset = config.network, state["dataset"]
    about = describe_data(dataset)
    return ModelCard(
        name=options.name,
        version=options.version,
        title=options.title,
        description=options.description,
        architecture=config.architecture,
        preset=config.preset,
        created=datetime.now(UTC).replace(microsecond=0),
        licence=options.licence,
        files=files,
        resolution=network.resolution,
        bands=about.bands,
        pixel_scale_arcsec=about.pixel_scale_arcsec,
        normalisation=about.normalisation,
        stretch=about.stretch,
        display=about.display,
        z_dim=network.z_dim,
        w_dim=network.w_dim if isinstance(network, StyleConfig) else None,
        num_ws=network.num_ws if isinstance(network, StyleConfig) else None,
        noise_size=network.noise_size if isinstance(network, StyleConfig) else 0,
        layers=layer_groups(network) if isinstance(network, StyleConfig) else {},
        classes=[GalaxyClass(**c) for c in dataset["classes"]] if network.classes else [],
        truncation=_truncation(config, options),
        training={
            "dataset": dataset["name"],
            "dataset_digest": dataset["digest"],
            "images": dataset["training_count"],
            "credits": dataset["credits"],
            "images_seen": state["images_seen"] + state.get("seen_before", 0),
            "seconds": state["seconds"],
            "device": state["device"],
            "software": state["software"],
            "config": _portable(state["config"]),
        }
        | ({"stages": {name: _portable(stage) for name, stage in state["stages"].items()}} if "stages" in state else {}),
    )


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """``config`` of a run, where what it was transferred from is named without where that lay on the machine of its training."""
    source = Path(config.get("transfer", ""))
    return config | ({"transfer": source.name} if source.is_absolute() else {})


def _truncation(config: TrainConfig, options: ExportOptions) -> float:
    if options.truncation is not None:
        return options.truncation
    if not isinstance(config.network, StyleConfig):
        return 1.0
    return PRESETS[config.preset].truncation if config.preset in PRESETS else TRUNCATION


def layer_groups(config: StyleConfig) -> dict[str, list[int]]:
    """Style layers by the side of the block that they steer: coarse to 8, middle to 32 pixels, fine beyond (Karras et al. 2019).

    At 64 px: 0 … 2, 3 … 6 and 7 … 9. Where the first block is not 4 pixels wide, the limits are as many times wider.
    """
    groups: dict[str, list[int]] = {"coarse": [], "middle": [], "fine": []}
    first = config.style_sides[0]
    for layer, side in enumerate(config.style_sides):
        doublings = (side // first).bit_length() - 1
        name = "coarse" if doublings <= COARSE_DOUBLINGS else "middle" if doublings <= MIDDLE_DOUBLINGS else "fine"
        groups[name].append(layer)
    return groups
