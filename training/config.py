"""The configuration of one training run: a frozen dataclass, resolved once from a preset and overrides, printed and saved."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from galaxies.errors import BadInput
from training.architectures import CONFIGS, NetworkConfig
from training.architectures.dcgan import DCGANConfig
from training.architectures.stylegan2 import StyleGAN2Config

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the weights of a run, apart from the data set.

    Units: ``kimg`` and every ``*_kimg`` are thousands of real images shown to the discriminator.
    """

    preset: str
    architecture: str
    network: NetworkConfig
    kimg: float = 1000.0
    batch: int = 32
    lr_generator: float = 0.0025
    lr_discriminator: float = 0.0025
    beta1: float = 0.0
    beta2: float = 0.99
    r1_gamma: float = 0.0256
    r1_interval: int = 16
    ema_kimg: float = 10.0
    ema_rampup: float = 0.05
    dihedral: bool = True
    flips: bool = False
    precision: str = "float32"
    processes: int = 1
    threads: int = 1
    snapshot_kimg: float = 20.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r}: one of {', '.join(PRECISIONS)} is allowed")
        for name in ("batch", "processes", "threads", "r1_interval", "kimg", "snapshot_kimg"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} {getattr(self, name)}: more than 0 is needed")
        if self.batch % self.processes:
            raise ValueError(f"batch {self.batch} is not a multiple of processes {self.processes}")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; ``from_json`` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainConfig:
        """Rebuild a configuration that ``to_json`` wrote."""
        network = CONFIGS[data["architecture"]](**data["network"])
        return cls(**{**data, "network": network})


DCGAN_F1 = TrainConfig(
    preset="dcgan-f1",
    architecture="dcgan",
    network=DCGANConfig(width=128),
    batch=32,
    lr_generator=2e-4,
    lr_discriminator=2e-4,
    beta1=0.5,
    beta2=0.999,
    r1_gamma=0.0,
    dihedral=False,
    flips=True,
    ema_kimg=2.0,
)

PRESETS: dict[str, TrainConfig] = {
    "stylegan2-64-cpu": TrainConfig(
        preset="stylegan2-64-cpu",
        architecture="stylegan2",
        network=StyleGAN2Config(channel_base=1024, channel_max=128),
        batch=16,
        r1_gamma=0.05,
        precision="bfloat16",
        processes=2,
    ),
    "stylegan2-64": TrainConfig(
        preset="stylegan2-64",
        architecture="stylegan2",
        network=StyleGAN2Config(z_dim=512, w_dim=512, channel_base=8192, channel_max=256),
        batch=64,
        r1_gamma=0.0128,
        ema_kimg=20.0,
        kimg=2000.0,
        precision="bfloat16",
    ),
    "dcgan-f1": DCGAN_F1,
    "dcgan-f1-cpu": replace(
        DCGAN_F1,
        preset="dcgan-f1-cpu",
        network=DCGANConfig(width=32),
        dihedral=True,
        flips=False,
        ema_kimg=5.0,
        kimg=400.0,
        precision="bfloat16",
    ),
}


def resolve(preset: str, overrides: list[str], *, bands: int, resolution: int, classes: int) -> TrainConfig:
    """The run's configuration: the preset, fitted to the data set, with ``key=value`` overrides.

    Parameters
    ----------
    preset : a name of `PRESETS`.
    overrides : ``"kimg=50"`` or ``"network.width=32"``; values are JSON, or text where JSON fails.
    bands, resolution, classes : of the data set; ``classes`` 0 trains without classes.

    Raises
    ------
    BadInput : the preset or a key is unknown, or a value has the wrong type.
    """
    if preset not in PRESETS:
        raise BadInput(f"preset {preset!r} is unknown; there are {', '.join(PRESETS)}", field="preset")
    config = PRESETS[preset]
    known = {f.name for f in fields(config.network)}
    fitted = {"bands": bands, "resolution": resolution, "classes": classes if isinstance(config.network, StyleGAN2Config) else 0}
    own: dict[str, Any] = {}
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        if key.startswith("network."):
            _check_type(config.network, key.removeprefix("network."), value, known)
            fitted[key.removeprefix("network.")] = value
        else:
            _check_type(config, key, value, {f.name for f in fields(config)} - {"preset", "architecture", "network"})
            own[key] = value
    try:
        network = type(config.network)(**{**asdict(config.network), **fitted})
        return replace(config, network=network, **own)
    except ValueError as error:
        raise BadInput(str(error)) from None


def _check_type(config: object, key: str, value: object, known: set[str]) -> None:
    if key not in known:
        raise BadInput(f"setting {key!r} is unknown; there are {', '.join(sorted(known))}", field=key)
    wanted = type(getattr(config, key))
    allowed = (int, float) if wanted is float else (wanted,)
    if not isinstance(value, allowed) or (wanted is not bool and isinstance(value, bool)):
        raise BadInput(f"{key}={value!r}: a value of type {wanted.__name__} is needed", field=key)
