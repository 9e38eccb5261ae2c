"""``--transfer``: a run that starts from the weights of another run or of a published model, on as many bands as the data has.

Layers that see or make bands are fitted (`fit_bands`); a StyleGAN2 grows to twice, four times … the size (`growing`);
classes that differ are learnt anew, and may be there in only one of the two (`fit_classes`); everything else must have the same
shape.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from galaxies.errors import BadInput
from models.versions import read_exported
from training import checkpoints, growing
from training.architectures import Discriminator, Generator, name_of, stylegan2
from training.architectures.base import NetworkConfig
from training.architectures.stylegan2 import StyleGAN2Config
from training.config import TrainConfig
from training.growing import Weights
from training.recover import recover

CLASS_LAYERS = ("mapping.embed.", "embed.")
MAPPING = "mapping.layers.0.weight"
"""Its input is z and, in a network with classes, their embedding."""
JUDGEMENT = ("out.weight", "out.bias")
"""Of a discriminator that makes one number, or in a network with classes features to compare with theirs."""


def transfer(source: Path, generator: Generator, ema: Generator, discriminator: Discriminator | None) -> list[str]:
    """Give fresh networks the weights of ``source`` and return lines that say what was taken and what was fitted.

    Parameters
    ----------
    source : a checkpoint folder, a run folder (its newest checkpoint) or the folder of a published StyleGAN2. Not every model
        brings its discriminator, and old checkpoints keep only the EMA weights: the discriminator then starts afresh, and
        ``generator_from_kimg`` gives it time to learn alone.

    Raises
    ------
    BadInput : ``source`` is none of these, or its networks do not fit.
    """
    weights, before = _read(source)
    lines = [f"transfer from {source}:", *_softenings(before, generator.config)]
    for name, network in (("generator", generator), ("ema", ema), ("discriminator", discriminator)):
        if network is None:
            continue
        if name not in weights:
            lines.append(f"  {name}: none there, starts afresh")
            continue
        given, larger = _grown(network, weights[name], before, generator.config)
        if type(before) is not type(generator.config) and given.keys() != network.state_dict().keys():
            there, here = (name_of(config) for config in (before, generator.config))
            raise BadInput(f"{source} is of a {there} and this network is a {here}: weights go on in the same architecture only")
        fitted = _fit(network, given, f"{source}: {name}", before, generator.config)
        lines.append(f"  {name}: taken{larger}" + (f"; fitted: {', '.join(fitted)}" if fitted else ""))
    return lines


def _softenings(before: NetworkConfig, now: NetworkConfig) -> list[str]:
    there, here = (getattr(config, "softening", 0.0) for config in (before, now))
    if there == here:
        return []
    return [f"  network.softening is {there:g} there and {here:g} here: pixels mean something else to the weights at first"]


def _grown(network: nn.Module, weights: Weights, before: NetworkConfig, now: NetworkConfig) -> tuple[Weights, str]:
    """``weights`` for images as large as those of ``now``, and words that say so; as they are where they cannot grow."""
    if not isinstance(before, StyleGAN2Config) or not isinstance(now, StyleGAN2Config):
        return weights, ""
    times = growing.doublings(before, now)
    if not times:
        return weights, ""
    words = f"; grown from {before.resolution} to {now.resolution} px"
    if isinstance(network, stylegan2.Generator):
        return growing.grown_generator(network, weights, times), words
    assert isinstance(network, stylegan2.Discriminator)
    return growing.grown_discriminator(network, weights, times), words


def _read(source: Path) -> tuple[dict[str, Weights], NetworkConfig]:
    """Weights by network ("generator", "ema" and perhaps "discriminator"), and the sizes that they are for."""
    if (source / "card.json").is_file():
        return _read_model(source)
    if not source.is_dir():
        raise BadInput(f"transfer {source}: a checkpoint, a run or a published model is needed; there is no such folder")
    folder = checkpoints.newest(source)
    config = TrainConfig.from_json(checkpoints.read_state(folder)["config"])
    ema = checkpoints.load(folder, "ema")
    return {"generator": ema, "ema": ema} | checkpoints.load_networks(folder), config.network


def _read_model(folder: Path) -> tuple[dict[str, Weights], NetworkConfig]:
    """The same of a published model."""
    recovered = recover(folder)
    state = recovered.state_dict()
    found = {"generator": state, "ema": state}
    file = read_exported(folder).card.file("discriminator")
    if file is not None:
        found["discriminator"] = checkpoints.read_tensors(folder / file)
    return found, recovered.config


@torch.no_grad()
def _fit(network: nn.Module, weights: Weights, what: str, before: NetworkConfig, now: NetworkConfig) -> list[str]:
    """Copy ``weights`` into ``network``; returns the names of the tensors that were fitted or left fresh."""
    own = network.state_dict()
    strange = sorted(own.keys() ^ weights.keys())
    strange = [name for name in strange if not name.startswith(CLASS_LAYERS)]
    if strange:
        raise BadInput(f"{what} has other layers than this network: {', '.join(strange[:4])}{' …' if len(strange) > 4 else ''}")
    afresh = CLASS_LAYERS + (JUDGEMENT if bool(before.classes) != bool(now.classes) else ())
    fitted = []
    for name, target in own.items():
        given = weights.get(name)
        if given is not None and given.shape == target.shape:
            target.copy_(given)
        elif name.startswith(afresh):
            fitted.append(f"{name} (afresh)")
        else:
            assert given is not None
            made = _with_classes(name, given, target, before, now)
            if made is None:
                made = _with_bands(network, name, given, target, (before.bands, now.bands))
            if made is None:
                shapes = f"{name} is {tuple(given.shape)} there and {tuple(target.shape)} here"
                raise BadInput(
                    f"{what}: {shapes}; only bands and classes may differ, and a StyleGAN2 may grow to twice, four times … its "
                    "size"
                )
            target.copy_(made)
            fitted.append(name)
    return fitted


def _with_classes(name: str, given: Tensor, target: Tensor, before: NetworkConfig, now: NetworkConfig) -> Tensor | None:
    """``given`` fitted to ``target`` where it reads classes in only one of the networks; else None."""
    if name != MAPPING or bool(before.classes) == bool(now.classes):
        return None
    if before.z_dim != now.z_dim or len(given) != len(target):
        return None
    return fit_classes(given, target, now.z_dim)


def fit_classes(weight: Tensor, fresh: Tensor, z_dim: int) -> Tensor:
    """``weight`` with as many columns as ``fresh``: those of z first, then ``fresh`` ones where classes are new.

    The layer multiplies by 1/√columns itself; the columns of z are scaled for that, so that they respond to z as before.
    """
    kept = weight[:, :z_dim] * math.sqrt(fresh.shape[1] / weight.shape[1])
    return torch.cat([kept.to(fresh), fresh[:, z_dim:]], dim=1)


def _with_bands(network: nn.Module, name: str, given: Tensor, target: Tensor, bands: tuple[int, int]) -> Tensor | None:
    """``given`` fitted to ``target`` where they differ in nothing but the bands (before, now); else None."""
    if given.ndim != target.ndim:
        return None
    axes = [axis for axis in range(target.ndim) if given.shape[axis] != target.shape[axis]]
    if len(axes) != 1 or (given.shape[axes[0]], target.shape[axes[0]]) != bands:
        return None
    owner = network.get_submodule(name.rpartition(".")[0])
    return fit_bands(given, axes[0], bands[1], reads=isinstance(network, Discriminator), equalised=hasattr(owner, "gain"))


def fit_bands(weight: Tensor, axis: int, bands: int, *, reads: bool, equalised: bool) -> Tensor:
    """``weight`` with ``bands`` bands along ``axis``.

    Fewer bands: each is the average of those whose place it takes. More: the first are copies, further ones the average of all.
    A layer that ``reads`` bands is scaled so that an image that is the same in every band gives the same response as before;
    ``equalised`` layers, which multiply by 1/√fan_in themselves, are scaled for that.
    """
    before = weight.shape[axis]
    parts = list(weight.unbind(axis))
    if bands >= before:
        mean = weight.mean(axis)
        parts = parts + [mean] * (bands - before)
    else:
        edges = [round(i * before / bands) for i in range(bands + 1)]
        parts = [torch.stack(parts[a:b]).mean(0) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    made = torch.stack(parts, axis)
    if not reads:
        return made
    ratio = before / bands
    return made * (math.sqrt(ratio) if equalised else ratio)
