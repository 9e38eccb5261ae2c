"""The configuration of one training run: a frozen dataclass, resolved once from a preset and overrides, printed and saved."""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from galaxies.errors import BadInput
from training.architectures import NetworkConfig, StyleConfig, find
from training.augment import PRESETS as AUGMENTATIONS
from training.augment.controller import SIGNALS
from training.bounds import ABOVE_ZERO, ANY, COUNT, SHARE, SIZE, ZERO_OR_MORE, Bounds, Range, check
from training.losses import LOSSES

PRECISIONS = ("float32", "bfloat16", "float16")
FIXED = ("preset", "architecture", "network")
MOMENT = Range(0, 1, open_=(1,))
PROCESSES = Range(1, 1024)
BOUNDS: Bounds = {
    "kimg": ABOVE_ZERO,
    "batch": SIZE,
    "lr_generator": ZERO_OR_MORE,
    "lr_discriminator": ZERO_OR_MORE,
    "lr_decay_kimg": ZERO_OR_MORE,
    "lr_halving_kimg": ZERO_OR_MORE,
    "lr_halving_from_kimg": ZERO_OR_MORE,
    "beta1": MOMENT,
    "beta2": MOMENT,
    "critic_steps": COUNT,
    "r1_gamma": ZERO_OR_MORE,
    "r1_interval": COUNT,
    "pl_weight": ZERO_OR_MORE,
    "pl_interval": COUNT,
    "ema_kimg": ZERO_OR_MORE,
    "ema_rampup": ZERO_OR_MORE,
    "augment_p": SHARE,
    "augment_target": ANY,
    "augment_interval": COUNT,
    "augment_cap": SHARE,
    "augment_speed_kimg": ABOVE_ZERO,
    "freeze_generator": ZERO_OR_MORE,
    "freeze_discriminator": ZERO_OR_MORE,
    "generator_from_kimg": ZERO_OR_MORE,
    "processes": PROCESSES,
    "threads": PROCESSES,
    "snapshot_kimg": Range(0.001),
    "metrics_kimg": ZERO_OR_MORE,
    "metrics_images": Range(2, 1_000_000),
    "seed": Range(0, 2**32 - 1),
}
"""What numbers the fields of `TrainConfig` may be; those of networks are in their own classes."""
MEASURING = ("metrics_kimg", "metrics_images")
"""Settings that decide what is measured on the way, and no weight."""


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
    lr_decay_kimg: float = 0.0
    """Over the last so many thousand images both rates fall linearly to 2 %."""
    lr_halving_kimg: float = 0.0
    """Both rates halve after every so many thousand images (0: they do not), from ``lr_halving_from_kimg`` on."""
    lr_halving_from_kimg: float = 0.0
    lr_halving_smooth: bool = False
    """Whether halving is gradual (an exponential) or in steps."""
    beta1: float = 0.0
    beta2: float = 0.99
    loss: str = "logistic"
    critic_steps: int = 1
    """Updates of the discriminator for each update of the generator."""
    r1_gamma: float = 0.0256
    r1_interval: int = 16
    pl_weight: float = 0.0
    """Weight of path-length regularisation (style generators); 0 is off, 2 as published."""
    pl_interval: int = 4
    ema_kimg: float = 10.0
    ema_rampup: float = 0.05
    use_classes: bool = True
    """Whether networks that can take the classes of the data do."""
    dihedral: bool = True
    flips: bool = False
    mirror: bool = False
    augment: str = "none"
    augment_p: float | None = None
    """A fixed strength; None adapts it to ``augment_target``."""
    augment_signal: str = "r_t"
    """What steers the strength: ``r_t``, the signs of the training images' logits (target 0.6 as published), or ``r_v``, which
    compares them with held-out images (target 0.5)."""
    augment_target: float = 0.6
    augment_interval: int = 4
    augment_cap: float = 0.8
    augment_speed_kimg: float = 100.0
    transfer: str = ""
    """Checkpoint, run or published model whose weights the run starts from."""
    freeze_generator: int = 0
    """So many layers of the generator, from its input, keep their weights."""
    freeze_discriminator: int = 0
    """So many layers of the discriminator, from the image, keep their weights."""
    generator_from_kimg: float = 0.0
    """The discriminator learns alone until then; the generator's rate then rises from 5 % over 10 kimg."""
    precision: str = "float32"
    compile: bool = False
    """torch.compile for the plain passes; those of R1 and path lengths stay as they are."""
    processes: int = 1
    threads: int = 1
    snapshot_kimg: float = 20.0
    metrics_kimg: float = 0.0
    """FID of ``metrics_images`` samples every so many thousand images; 0 is never."""
    metrics_images: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("precision", PRECISIONS),
            ("loss", LOSSES),
            ("augment", AUGMENTATIONS),
            ("augment_signal", SIGNALS),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r}: one of {', '.join(allowed)} is allowed")
        check(self, BOUNDS)
        if self.metrics_kimg and find(self.architecture).generator.refines:
            raise ValueError(
                f"metrics_kimg {self.metrics_kimg}: {self.architecture} refines images and has no samples of its own, so 0 is "
                "needed; join it to a first stage with `chain`, and `evaluate` measures both"
            )
        if self.batch % self.processes:
            raise ValueError(f"batch {self.batch} is not a multiple of processes {self.processes}")

    @property
    def penalises_lazily(self) -> bool:
        """Whether the discriminator's gradients are penalised, every ``r1_interval`` steps."""
        return LOSSES[self.loss].penalty in ("r1", "r1r2") and self.r1_gamma > 0

    @property
    def regularises_paths(self) -> bool:
        """Whether path lengths are regularised, every ``pl_interval`` steps."""
        return self.pl_weight > 0 and isinstance(self.network, StyleConfig)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; ``from_json`` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainConfig:
        """Rebuild a configuration that ``to_json`` wrote, also one of an older version: absent fields take their defaults.

        Raises
        ------
        BadInput : a field is unknown, one without default is absent, or a value is not allowed.
        """
        absent = [name for name in FIXED if name not in data]
        if absent:
            raise BadInput(f"configuration without {', '.join(absent)}: it was not written by this program")
        kind = find(data["architecture"]).config
        for owner, given in ((cls, data), (kind, data["network"])):
            unknown = given.keys() - {f.name for f in fields(owner)}
            if unknown:
                raise BadInput(f"configuration has unknown fields {', '.join(sorted(unknown))}: a newer version wrote it")
        try:
            return cls(**{**data, "network": kind(**data["network"])})
        except (TypeError, ValueError) as error:
            raise BadInput(f"configuration cannot be used: {error}") from None


def fit(
    config: TrainConfig, overrides: list[str], *, bands: int, resolution: int, classes: int, floats: bool = False
) -> TrainConfig:
    """``config`` fitted to a data set, with ``key=value`` overrides.

    Parameters
    ----------
    config : what to start from.
    overrides : ``"kimg=50"`` or ``"network.width=32"``; values are JSON, or text where JSON fails.
    bands, resolution, classes : of the data set; ``classes`` 0 trains without classes. A network may be of a side that the data
        set's is a multiple of, and without classes.
    floats : whether it holds physical values, which ``prepare`` has stretched, so that networks need no ``softening``.

    Raises
    ------
    BadInput : a key is unknown, or a value has the wrong type or is not allowed.
    """
    own, of_network = _parsed(config, overrides)
    sides = [resolution // k for k in range(1, resolution + 1) if resolution % k == 0]
    for key, allowed in (("bands", [bands]), ("resolution", sides), ("classes", sorted({0, classes}))):
        if of_network.get(key, allowed[0]) not in allowed:
            choice = ", ".join(map(str, allowed))
            raise BadInput(
                f"network.{key} {of_network[key]}: the data set decides it and allows {choice}", field=f"network.{key}"
            )
    takes_classes = config.network.conditional and own.get("use_classes", config.use_classes)
    fitted: dict[str, Any] = {"bands": bands, "resolution": resolution, "classes": classes if takes_classes else 0}
    if floats and hasattr(config.network, "softening"):
        fitted["softening"] = 0.0
    try:
        network = replace(config.network, **fitted | of_network)
    except ValueError as error:
        raise BadInput(f"network.{error}") from None
    try:
        return replace(config, network=network, **own)
    except ValueError as error:
        raise BadInput(str(error)) from None


def _parsed(config: TrainConfig, overrides: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that ``overrides`` give to fields of the run and of its network; their types are right."""
    own: dict[str, Any] = {}
    of_network: dict[str, Any] = {}
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        inner = key.removeprefix("network.")
        owner, values = (TrainConfig, own) if inner == key else (type(config.network), of_network)
        _check_type(owner, key, value)
        values[inner] = value
    return own, of_network


def _check_type(owner: type, key: str, value: object) -> None:
    inner = key.removeprefix("network.")
    known = {f.name for f in fields(owner)} - set(FIXED)
    if inner not in known:
        there = sorted(key.removesuffix(inner) + name for name in known)
        raise BadInput(f"setting {key!r} is unknown; there are {', '.join(there)}", field=key)
    hint = typing.get_type_hints(owner)[inner]
    wanted = set(typing.get_args(hint) or (hint,))
    allowed = wanted | ({int} if float in wanted else set())
    if type(value) not in allowed:
        names = " or ".join(sorted("null" if kind is type(None) else kind.__name__ for kind in wanted))
        raise BadInput(f"{key}={value!r}: a value of type {names} is needed", field=key)
